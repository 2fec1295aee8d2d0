/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet buffers: one pool of them, in memory that devices reach. A buffer has one owner at a time:
 * the pool, a program, a protocol stack, or a device from bb_net_send() or bb_net_refill() until
 * bb_net_sent() or bb_net_receive() gives it back.
 *
 *     struct bb_buffer *frame = bb_buffer_get();
 *     memcpy(frame->data, bytes, size);
 *     frame->length = size;
 *
 * Whoever owns it may move `data` towards the head room to put something in front, and leaves the
 * last BB_BUFFER_RESERVE bytes of that to the device, for a header of its own.
 *
 * A frame that does not fit one buffer is a chain by `more`; its owner owns them all. A stack that
 * sends from its own memory wraps it with bb_buffer_foreign().
 *
 * Thread context, and one core at a time: the pool is plain memory, without a lock.
 */
#ifndef BUSBAR_BUFFER_H
#define BUSBAR_BUFFER_H

#include <busbar/base.h>

#define BB_BUFFER_HEADROOM 64 /* bytes before `data` of a fresh buffer */
#define BB_BUFFER_RESERVE 16  /* of them the device's own */
#define BB_BUFFER_SIZE 1920   /* bytes from `data` of a fresh buffer on */
#define BB_BUFFER_MAX_PARTS 8 /* buffers of one frame */
#define BB_BUFFER_FIELDS 64   /* bytes from a pool's buffer to its memory */

enum { /* bb_buffer.flags */
       /* Sending: the device fills in the 16-bit ones' complement sum over [checksum_start, end of
        * frame) at checksum_start + checksum_offset, where the sum of the pseudo header stands. */
       BB_BUFFER_CHECKSUM_NEEDED = 1,
       BB_BUFFER_CHECKSUM_GOOD = 2, /* received: the device has checked the transport's sum */
       BB_BUFFER_FOREIGN = 4,       /* `data` is in nobody's pool: there is no head room */
};

struct bb_buffer {
    uint8_t *data; /* the first byte of the frame, or of this part of it */
    union {
        struct {
            uint32_t length; /* bytes there */
            uint16_t flags;  /* of the whole frame, in its first buffer; FOREIGN: of each */
            uint16_t parts;  /* of the chain that begins here; 1: no more */
        };
        uint64_t shape; /* all three at once, for one compare: see BB_BUFFER_SHAPE */
    };
    uint16_t checksum_start, checksum_offset;
    union { /* the driver's while it has the buffer */
        uint32_t slot;
        uint32_t header[3]; /* for a header of its own, where the frame has no head room */
    };
    struct bb_buffer *more; /* the rest of the frame, or NULL */
    struct bb_buffer *next; /* for the owner's lists */
    /* Called with this buffer, out of its chain, instead of giving it back to the pool. NULL: the
     * pool's. Only with FOREIGN. */
    void (*put)(struct bb_buffer *buffer);
    void *context; /* the owner's */
};

/* What `shape` is of a frame in one buffer of the pool, with no flags. */
#define BB_BUFFER_SHAPE(length_) ((uint64_t)(length_) | 1ull << 48)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "length stands in the low half");

/* Makes the pool, once, of `count` buffers from the arena (2 KiB each); the parameter `net.buffers`
 * overrules it. 0 also when it is there already, -ENOMEM. bb_net_open() does it with 256. */
int bb_buffer_pool(unsigned count);
/* A buffer with data at its head room, length 0, no flags, one part; NULL when all are out. */
struct bb_buffer *bb_buffer_get(void);
/* Gives back a buffer, or a whole chain. */
void bb_buffer_put(struct bb_buffer *buffer);
unsigned bb_buffer_free(void); /* how many the pool has left */
/* The buffer of the pool that this byte is in, whoever has it, or NULL. */
struct bb_buffer *bb_buffer_of(const void *byte);

/* The start of the memory that a buffer of the pool has, head room included. */
static inline uint8_t *bb_buffer_memory(struct bb_buffer *buffer)
{
    return (uint8_t *)buffer + BB_BUFFER_FIELDS;
}

/* Makes `buffer` a view of memory that devices reach and that stays until `put` is called. */
static inline void bb_buffer_foreign(struct bb_buffer *buffer, void *data, uint32_t length,
                                     void (*put)(struct bb_buffer *buffer))
{
    *buffer = (struct bb_buffer){.data = (uint8_t *)data,
                                 .length = length,
                                 .flags = BB_BUFFER_FOREIGN,
                                 .parts = 1,
                                 .put = put};
}
/* Puts `rest`, itself perhaps a chain, behind the one buffer `first`. */
static inline void bb_buffer_chain(struct bb_buffer *first, struct bb_buffer *rest)
{
    BB_ASSERT(!first->more && rest->parts < BB_BUFFER_MAX_PARTS);
    first->more = rest;
    first->parts = (uint16_t)(1 + rest->parts);
}
/* Bytes of a whole frame. */
static inline uint32_t bb_buffer_length(const struct bb_buffer *buffer)
{
    uint32_t length = 0;
    for (; buffer; buffer = buffer->more)
        length += buffer->length;
    return length;
}

_Static_assert(sizeof(struct bb_buffer) <= BB_BUFFER_FIELDS, "they fill one cache line");

#endif
