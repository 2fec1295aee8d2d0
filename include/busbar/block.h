/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block devices: disks, RAM disks, files of the host, and partitions as views on them.
 *
 * Requests are submitted and reaped in batches, as many in flight as the device's queue is deep. A
 * request and its memory belong to the device from the submit that accepts it until its status is
 * no longer -EINPROGRESS. Several users may share a device: each looks at its own requests, whoever
 * reaps.
 *
 *     struct bb_block *disk = bb_block_by_name("disk0");
 *     error = bb_block_read(disk, 0, 8, buffer);         // waits
 *
 *     struct bb_block_segment segment = {buffer, 4096};
 *     struct bb_block_request request = {.op = BB_BLOCK_READ, .block = 80, .segments = &segment,
 *                                        .segment_count = 1}, *batch[] = {&request};
 *     int taken;
 *     while ((taken = bb_block_submit(disk, 0, batch, 1)) == 0)            // 0: queue full
 *         bb_block_reap(disk, 0, 1);
 *     error = taken < 0 ? taken : bb_block_wait(disk, 0, &request);        // 0: read
 *
 * Thread context, for now one core at a time for each device: queues are apart, but counters,
 * bounce buffers and the watchdog are the device's. Release builds do not check a queue's number.
 * Whole disks get the names disk0, disk1 ... in binding order, their partitions disk0p1 ...
 */
#ifndef BUSBAR_BLOCK_H
#define BUSBAR_BLOCK_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/name.h>
#include <busbar/poll.h>
#include <busbar/store.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "BB_BLOCK_PLAIN() is made for that");

#define BB_BLOCK_TIMEOUT (10 * BB_SEC) /* a device that completes nothing for so long is reset */

enum bb_block_op {
    BB_BLOCK_READ,
    BB_BLOCK_WRITE,
    BB_BLOCK_FLUSH,        /* what was reaped as written before the submit survives power loss */
    BB_BLOCK_DISCARD,      /* the contents are no longer needed; what is read then is undefined */
    BB_BLOCK_WRITE_ZEROES, /* reads as zeros afterwards */
};

/* Memory to read into or write from, in scatter-gather order. */
struct bb_block_segment {
    void *data;      /* aligned to block->alignment */
    uint32_t length; /* bytes, a multiple of the block size, not 0 */
};

struct bb_block;

/* Zeroed before its first use. The caller sets the first part, and may use a reaped request again.
 */
struct bb_block_request {
    uint64_t block; /* the first one */
    const struct bb_block_segment *segments;
    union {
        struct {
            uint16_t segment_count; /* READ, WRITE: 1 to block->max_segments; else 0 */
            uint8_t op;             /* enum bb_block_op */
            uint8_t reserved;       /* 0 */
        };
        uint32_t shape; /* all of that, for one look: BB_BLOCK_PLAIN(op) */
    };
    uint32_t count; /* DISCARD, WRITE_ZEROES: blocks; READ, WRITE: from the segments */
    /* -EINPROGRESS while the device has it; then 0, -EIO, -ETIMEDOUT, -ENODEV (the device went),
     * -ENOSPC, -EROFS, -ENOTSUP. Where a device could not even be reset (its node says so), it may
     * still write to the memory of what it had: that is the caller's to leave alone. */
    int status;
    int result; /* the driver's while in flight */
    /* Called when the request is reaped, in thread context, with its status set; may submit again,
     * and wait for others, unless the device goes. NULL: the caller looks at `status`. */
    void (*done)(struct bb_block_request *request);
    struct bb_block *view;         /* the partition it came through; the subsystem's */
    void *context;                 /* the caller's own */
    struct bb_block_request *next; /* the driver's while in flight */
};

enum { /* bb_block.features */
       BB_BLOCK_READ_ONLY = 1,
       BB_BLOCK_HAS_FLUSH = 2, /* without it, what is reaped as written is durable */
       BB_BLOCK_HAS_DISCARD = 4,
       BB_BLOCK_HAS_WRITE_ZEROES = 8,
};

struct bb_block_stats {
    uint64_t reads, read_bytes; /* requests completed without error, bytes of these */
    uint64_t writes, written_bytes;
    uint64_t flushes, discards; /* discards: write-zeroes too */
    uint64_t errors;            /* requests that ended with any other status */
    uint64_t timeouts;          /* times that the device had to be reset */
};

struct bb_block {
    struct bb_face face;
    /* Set by the driver in probe; read by everyone. Only bb_block_resize() changes it later. */
    uint64_t capacity;       /* blocks; in bytes it must be below 2^63 */
    uint32_t block_size;     /* bytes: a power of two, 512 to 65536 */
    uint32_t physical_size;  /* bytes that the medium writes at once, a multiple; 0: block_size */
    uint32_t alignment;      /* of a segment's memory, bytes; a power of two, 1: any */
    uint32_t max_blocks;     /* of one READ or WRITE; not 0 (a request has at most 1 GiB anyway) */
    uint32_t max_erase;      /* blocks of one DISCARD or WRITE_ZEROES; not 0 where it has them */
    uint16_t max_segments;   /* of one request; not 0 */
    uint16_t queues;         /* not 0 */
    uint16_t depth;          /* requests in flight in one queue; not 0 */
    uint16_t features;       /* BB_BLOCK_READ_ONLY and so on */
    struct bb_block *parent; /* a partition: the disk that it is a view of */
    uint64_t first;          /* a partition: its first block there */
    const char *label;       /* partition name, UTF-8, or model of the disk; NULL becomes "" */
    char uuid[37];           /* of the partition, or "": "0fc63daf-8483-4772-8e79-3d69d8477de4" */

    /* The rest is the subsystem's; everyone may read it. */
    struct bb_name name; /* "disk0", where the tree has no alias */
    bool broken;         /* given up for good: what is submitted is refused with -EIO */
    uint32_t shift;      /* 1 << shift is block_size */
    uint32_t plain[2];  /* of READ and WRITE: most blocks of a plain request; 0: refuse it slowly */
    uint32_t in_flight; /* requests, all queues; says nothing where the driver has pending() */
    struct bb_block_stats stats;
    struct bb_value values[9];
    struct bb_timer_event watchdog;
    uint64_t seen;  /* what was completed when the watchdog last looked */
    uint8_t silent; /* looks since then */
    bool watched;   /* the watchdog is running */
    bool hung;      /* it had to be reset, and has completed nothing since */
    void *bounces;  /* buffers of the calls that wait, free ones */
    struct bb_node *partitions;
    void (*gone)(struct bb_block *block); /* of who holds its face: it goes, or its medium */
};

struct bb_block_ops {
    /* Takes requests from the front of `requests`, at most `count`; the device starts on them at
     * once. Returns how many, 0 when the queue is full. Where the very first cannot be taken at
     * all, its error and nothing is taken: -EINVAL (memory, range or op wrong), -EROFS, -ENOTSUP,
     * -ENODEV, -EIO (the device failed for good). A wrong one further on ends the batch before it.
     */
    int (*submit)(struct bb_block *block, unsigned queue, struct bb_block_request *const *requests,
                  unsigned count);
    /* Completes up to `limit` finished requests: sets their status, calls their done(). Returns how
     * many, or a negative errno value when the device failed: then all of them were completed. */
    int (*reap)(struct bb_block *block, unsigned queue, unsigned limit);
    /* Asks for an interrupt at the next completion, which makes bb_poll() reap this queue. True
     * when there is something to reap already, and then no interrupt comes. */
    bool (*arm)(struct bb_block *block, unsigned queue);
    /* Nothing came back for BB_BLOCK_TIMEOUT: resets the device and completes all that is in flight
     * with -ETIMEDOUT. Negative when the device cannot be brought back. With block->broken set, it
     * is not to be brought back. NULL where nothing can hang. */
    int (*expire)(struct bb_block *block);
    /* How many requests are in flight, for drivers that save themselves block->in_flight. */
    uint32_t (*pending)(const struct bb_block *block);
};

BB_CLASS_FINDERS(block)

#ifndef BB_BOUND_BLOCK
#define BB_BOUND_BLOCK (*(const struct bb_block_ops *)block->face.ops)
#endif

static inline int bb_block_submit(struct bb_block *block, unsigned queue,
                                  struct bb_block_request *const *requests, unsigned count)
{
    return BB_BOUND_BLOCK.submit(block, queue, requests, count);
}
static inline int bb_block_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    return BB_BOUND_BLOCK.reap(block, queue, limit);
}
static inline bool bb_block_arm(struct bb_block *block, unsigned queue)
{
    return BB_BOUND_BLOCK.arm(block, queue);
}

/* Reaps until this request is done, sleeping in between; returns its status. The wait is bounded:
 * it ends with -ETIMEDOUT at the latest when the device was reset, by the watchdog, or because this
 * request alone did not come back for twice BB_BLOCK_TIMEOUT. Where nobody waits for it, a request
 * that is lost stays in flight for as long as others are completed. */
int bb_block_wait(struct bb_block *block, unsigned queue, struct bb_block_request *request);
/* Reads or writes `count` blocks at `first`, as many requests as that takes, and waits for them.
 * Queue 0. Thread context. The first error, or 0. Memory that is not aligned for the device goes
 * through a bounce buffer of the subsystem. */
int bb_block_read(struct bb_block *block, uint64_t first, uint32_t count, void *data);
int bb_block_write(struct bb_block *block, uint64_t first, uint32_t count, const void *data);
int bb_block_flush(struct bb_block *block); /* 0 at once where nothing is cached */
/* -ENOTSUP where the device has it not. Write-zeroes is then done by writing zeros. */
int bb_block_discard(struct bb_block *block, uint64_t first, uint64_t count);
int bb_block_write_zeroes(struct bb_block *block, uint64_t first, uint64_t count);
static inline uint64_t bb_block_bytes(const struct bb_block *block)
{
    return block->capacity * block->block_size;
}

/* ---- For drivers ---- */

/* Where partitions hang: under each whole disk, a node "partitions" with the compatible string
 * "busbar,partitions", and below that what the driver of it appends. */
extern const struct bb_bus bb_block_bus;

#define BB_BLOCK_INLINE static inline __attribute__((always_inline))

/* Whether a request may go to the device: op, range, segments, memory. On success request->count is
 * the number of blocks and the status -EINPROGRESS. */
int bb_block_refuse(struct bb_block *block, struct bb_block_request *request);
void bb_block_watch(struct bb_block *block);

#define BB_BLOCK_PLAIN(op) ((uint32_t)(op) << 16 | 1) /* one segment to read or write */

/* What plain requests are checked against; for a loop to keep in registers. */
struct bb_block_check {
    uint64_t capacity;
    uint32_t most, alignment, shift;
};
BB_BLOCK_INLINE struct bb_block_check bb_block_check(const struct bb_block *block,
                                                     enum bb_block_op op)
{
    return (struct bb_block_check){block->capacity, block->plain[op], block->alignment,
                                   block->shift};
}

/* Of a plain request, as it was when it was checked. */
struct bb_block_plain {
    uint64_t block, bytes;
    void *data;
};

/* Whether a request that is BB_BLOCK_PLAIN(op) may go to the device: then its count and status are
 * set, and `plain` tells of it. If not, bb_block_refuse() knows better. */
BB_BLOCK_INLINE bool bb_block_fits(const struct bb_block_check check,
                                   struct bb_block_request *request, struct bb_block_plain *plain)
{
    uint64_t first = request->block;
    const struct bb_block_segment *segment = request->segments;
    __asm__("" : "+r"(first), "+r"(segment)); /* one load of a pair */
    uint64_t bytes = segment->length;
    __asm__("" : "+r"(bytes)); /* is not widened again */
    uint32_t length = (uint32_t)bytes;
    /* A length that is odd, turned around, is beyond all limits; none is beyond the capacity. */
    uint32_t count = length >> (check.shift & 31) | length << (-check.shift & 31);
    if (count - 1 >= check.most || ((uintptr_t)segment->data & (check.alignment - 1)) ||
        first > check.capacity - count)
        return false;
    int status = -EINPROGRESS;
    __asm__("" : "+r"(status)); /* known before, so that both are one store */
    request->count = count;
    request->status = status;
    *plain = (struct bb_block_plain){first, bytes, segment->data};
    return true;
}

/* The device has `count` more requests. Once for a batch; not of drivers with pending(). */
BB_BLOCK_INLINE void bb_block_started(struct bb_block *block, unsigned count)
{
    block->in_flight += count;
}

/* The device is done with a request: status, counters, the view, done(). A driver with pending()
 * may see to the status and counters of a READ or WRITE that has neither view nor done() itself. */
void bb_block_complete(struct bb_block *block, struct bb_block_request *request, int status);

/* The device has another size now: says so in the log. Partitions beyond the end are refused from
 * now on. Thread context. */
void bb_block_resize(struct bb_block *block, uint64_t capacity);
/* The medium of a disk was taken out: whoever uses its contents or its partitions' is told, as
 * these are gone for good; `why` must stay valid. NULL: one of the same size is there again. Its
 * partition table is not read again. Thread context. */
void bb_block_medium(struct bb_block *disk, const char *why);
/* The device is given up for good: the node has the reason, every submit answers -EIO. What is in
 * flight the driver completes. `why` must stay valid. Thread context. */
void bb_block_break(struct bb_block *block, const char *why, int error);

#endif
