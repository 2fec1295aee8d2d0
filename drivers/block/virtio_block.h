/* SPDX-License-Identifier: BSD-2-Clause */
/* Of block/virtio_block: what lies in memory for each request, and how a request becomes a chain of
 * descriptors (Virtual I/O Device version 1.2, section 5.2.6). */
#ifndef DRIVERS_BLOCK_VIRTIO_BLOCK_H
#define DRIVERS_BLOCK_VIRTIO_BLOCK_H

#include <busbar/block.h>
#include <busbar/virtio.h>

enum { OK = 0, IOERR = 1, UNSUPP = 2, NOTHING = 0xff /* the driver's: not written yet */ };
enum {
    SECTOR = 9, /* 2^9 bytes */
    MOST_QUEUES = 4,
    DEPTH = 256,   /* of all queues */
    TABLES = 16,   /* longer ones, of all queues */
    SEGMENTS = 30, /* that fit them */
    CHAIN = 8,     /* parts of a request on other rings */
    MOST_EXP = 8,  /* 2^8 blocks in a physical one */
};

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct erase { /* what to discard or to make zeros */
    uint64_t sector;
    uint32_t count, flags;
};

_Static_assert(sizeof(struct header) == 16 && sizeof(struct erase) == 16, "as in section 5.2.6");

struct table {
    struct bb_ring_entry entries[SEGMENTS + 2];
    struct erase erase;
    struct table *next; /* free ones */
} __attribute__((aligned(16)));

enum kind { READS, WRITES, LONGER /* it borrows a table */, CHAINED };

struct slot {
    struct bb_ring_entry entries[3]; /* flagged for a plain read, when it is free */
    struct header header;
    union {
        struct bb_block_request *request;
        struct slot *next; /* free ones */
    };
    union {
        struct {
            uint32_t length; /* that the device writes before the status; a read has some */
            uint8_t status;  /* written by the device */
            uint8_t kind;    /* enum kind. No length and READS: free */
        };
        uint64_t outcome; /* all of that, for one look: of a good plain read the length alone */
    };
    struct table *table;
    uint16_t id;
} __attribute__((aligned(128)));

enum mode { SLOTS, CHAINS, DEAD };

/* What is used together stands together: loads and stores of two words take one instruction. */
struct queue {
    uint64_t tail; /* of what was submitted and not yet reaped: counters; 0 on other rings */
    struct slot *free;
    uint64_t head;
    const uint16_t *index; /* of the used ring; else of nothing */
    const struct bb_ring_used_element *used;
    struct slot *slots;
    uint16_t *shown;       /* the index of the ring's available entries, */
    uint16_t *available;   /* these, */
    const uint16_t *event; /* and at which of them the device wants to be notified, */
    uintptr_t notify;      /* where, */
    uint32_t notify_value; /* and with what */
    uint32_t mask;         /* size of the ring - 1 */
    uint8_t mode;          /* enum mode */
    struct table *tables;
    struct bb_ring ring; /* its own head and tail are as old as the last look of somebody else */
} __attribute__((aligned(64)));

struct virtio_block {
    struct bb_device device;
    struct bb_block block;
    struct queue *queues[MOST_QUEUES];
    struct bb_virtio_client client;
    struct bb_virtio *virtio;
    struct bb_work used, changed;
    uint8_t shift; /* from blocks to sectors */
    /* Requests that are done, and that somebody has to be told of, or more is to be done for. */
    struct bb_block_request *finished, **last;
};

static struct virtio_block *chip_of(struct bb_block *block)
{
    return bb_container_of(block, struct virtio_block, block);
}

static void put_aside(struct virtio_block *chip, struct bb_block_request *request, int result)
{
    request->result = result;
    request->next = NULL;
    *(chip->finished ? chip->last : &chip->finished) = request;
    chip->last = &request->next;
}

/* When nothing else is under way, for done() may do whatever it likes: also wait for one that is
 * still to be told of, and whoever reaps then goes on with these. */
static void tell(struct virtio_block *chip)
{
    struct bb_block_request *request;
    while ((request = chip->finished)) {
        chip->finished = request->next;
        bb_block_complete(&chip->block, request, request->result);
    }
}

/* ---- Tables ---- */

#define REST(flags, next) ((uint64_t)(flags) << 32 | (uint64_t)(next) << 48)

static void fill(struct bb_ring_entry *entry, void *data, uint32_t length, unsigned flags,
                 unsigned next)
{
    entry->address = (uintptr_t)data;
    entry->rest = REST(flags, next) + length;
}

/* The ring's entry of a slot. */
static void point(struct queue *queue, const struct slot *slot, struct bb_ring_entry *table,
                  unsigned count)
{
    fill(&queue->ring.entries[slot->id], table, count * (uint32_t)sizeof(*table), BB_RING_INDIRECT,
         0);
}

static bool in_flight(const struct slot *slot)
{
    return slot->length || slot->kind;
}

/* Nothing can be submitted the short way, and nothing is there to reap. */
static void close_queue(struct queue *queue, enum mode mode)
{
    static const uint16_t nothing;
    queue->mode = (uint8_t)mode;
    queue->free = NULL;
    queue->index = &nothing;
    queue->head = queue->tail = 0;
}

/* For a ring that is new, or was emptied. */
static void set_up(struct queue *queue)
{
    close_queue(queue, queue->tables ? SLOTS : CHAINS);
    if (queue->mode == SLOTS)
        queue->index = &queue->ring.used->index;
    for (unsigned i = queue->ring.slots; queue->mode == SLOTS && i-- > 0;) {
        struct slot *slot = &queue->slots[i];
        slot->id = (uint16_t)i;
        fill(&slot->entries[0], &slot->header, sizeof(slot->header), BB_RING_NEXT, 1);
        fill(&slot->entries[1], NULL, 0, BB_RING_NEXT | BB_RING_WRITE, 2);
        fill(&slot->entries[2], &slot->status, 1, BB_RING_WRITE, 0);
        point(queue, slot, slot->entries, 3);
        slot->next = queue->free;
        queue->free = slot;
    }
}

static uint32_t type_of(const struct bb_block_request *request)
{
    static const uint8_t types[] = {
        [BB_BLOCK_READ] = 0,     [BB_BLOCK_WRITE] = 1,         [BB_BLOCK_FLUSH] = 4,
        [BB_BLOCK_DISCARD] = 11, [BB_BLOCK_WRITE_ZEROES] = 13,
    };
    return types[request->op];
}

static bool is_transfer(const struct bb_block_request *request)
{
    return request->op <= BB_BLOCK_WRITE;
}

static void set_header(struct virtio_block *chip, struct slot *slot,
                       struct bb_block_request *request, enum kind kind)
{
    slot->header.type = type_of(request);
    slot->header.sector = is_transfer(request) ? request->block << chip->shift : 0;
    slot->request = request;
    slot->length = request->op == BB_BLOCK_READ ? request->count << chip->block.shift : 0;
    slot->status = NOTHING;
    slot->kind = (uint8_t)kind;
}

static struct erase erase_of(const struct virtio_block *chip,
                             const struct bb_block_request *request)
{
    return (struct erase){request->block << chip->shift, request->count << chip->shift, 0};
}

/* Everything but a plain request. -EAGAIN when no table is free now. */
static int put_longer(struct virtio_block *chip, struct queue *queue,
                      struct bb_block_request *request)
{
    struct slot *slot = queue->free;
    struct table *table = queue->tables;
    unsigned at = 1;
    int error = bb_block_refuse(&chip->block, request);
    if (error)
        return error;
    if (!table || !slot) {
        request->status = 0;
        return -EAGAIN;
    }
    queue->free = slot->next;
    queue->tables = table->next;
    set_header(chip, slot, request, LONGER);
    slot->table = table;
    fill(&table->entries[0], &slot->header, sizeof(slot->header), BB_RING_NEXT, 1);
    for (unsigned i = 0; i < request->segment_count; i++, at++)
        fill(&table->entries[at], request->segments[i].data, request->segments[i].length,
             request->op == BB_BLOCK_READ ? BB_RING_NEXT | BB_RING_WRITE : BB_RING_NEXT, at + 1);
    if (request->op >= BB_BLOCK_DISCARD) {
        table->erase = erase_of(chip, request);
        fill(&table->entries[at], &table->erase, sizeof(table->erase), BB_RING_NEXT, at + 1);
        at++;
    }
    fill(&table->entries[at], &slot->status, 1, BB_RING_WRITE, 0);
    point(queue, slot, table->entries, at + 1);
    return 0;
}

static bool post_chain(struct virtio_block *chip, struct queue *queue,
                       struct bb_block_request *request)
{
    struct slot *slot = &queue->slots[bb_ring_any_slot(&queue->ring)];
    struct erase *erase = (void *)slot->entries; /* which nobody uses here */
    struct bb_ring_part parts[CHAIN] = {{&slot->header, sizeof(slot->header)}};
    unsigned count = 1, out;
    set_header(chip, slot, request, CHAINED);
    for (unsigned i = 0; i < request->segment_count; i++)
        parts[count++] =
            (struct bb_ring_part){request->segments[i].data, request->segments[i].length};
    if (request->op >= BB_BLOCK_DISCARD) {
        *erase = erase_of(chip, request);
        parts[count++] = (struct bb_ring_part){erase, sizeof(*erase)};
    }
    out = request->op == BB_BLOCK_READ ? 1 : count;
    parts[count++] = (struct bb_ring_part){&slot->status, 1};
    return bb_ring_post(&queue->ring, parts, out, count - out, slot);
}

/* ---- Free again ---- */

/* Puts it in front of the free ones, which `next` is the first of. */
BB_RING_INLINE void release_slot(struct slot *slot, struct slot *next)
{
    slot->next = next;
    slot->outcome = 0;
}

/* The request of a slot that the device is done with, or will not see any more. */
static struct bb_block_request *free_slot(struct queue *queue, struct slot *slot)
{
    struct bb_block_request *request = slot->request;
    if (slot->kind == LONGER) {
        slot->table->next = queue->tables;
        queue->tables = slot->table;
        point(queue, slot, slot->entries, 3);
    }
    slot->entries[1].split.flags = BB_RING_NEXT | BB_RING_WRITE;
    release_slot(slot, queue->free);
    queue->free = slot;
    return request;
}

static struct bb_block_request *free_chain(struct slot *slot)
{
    struct bb_block_request *request = slot->request;
    release_slot(slot, NULL);
    return request;
}

/* ---- The short path ---- */

#define WRITTEN ((uint64_t)WRITES << 40)  /* outcome of a good plain write */
#define PENDING ((uint64_t)NOTHING << 32) /* in an outcome: the device has written no status */

static struct queue *queue_of(struct bb_block *block, unsigned number)
{
    return chip_of(block)->queues[number];
}

/* Into the slot, which is of this kind from now on. */
BB_RING_INLINE bool put_plain(const struct bb_block_check check, unsigned shift, struct slot *slot,
                              struct bb_block_request *request, enum bb_block_op op)
{
    struct bb_block_plain plain;
    if (!bb_block_fits(check, request, &plain))
        return false;
    uint64_t outcome = (op == BB_BLOCK_READ ? plain.bytes : WRITTEN) | PENDING;
    __asm__("" : "+r"(outcome)); /* known before, so that it is one store with the request */
    slot->header = (struct header){op, 0, plain.block << shift};
    slot->entries[1].address = (uintptr_t)plain.data;
    slot->entries[1].length = (uint32_t)plain.bytes;
    if (op == BB_BLOCK_WRITE)
        slot->entries[1].split.flags = BB_RING_NEXT;
    slot->request = request;
    slot->outcome = outcome;
    return true;
}

/* What it takes to show the device a batch, loaded two words at a time. */
struct window {
    uint16_t *shown, *available;
    const uint16_t *event;
    uintptr_t notify;
    uint32_t notify_value, mask;
};
BB_RING_INLINE struct window window_of(const struct queue *queue)
{
    struct window window = {queue->shown,  queue->available,    queue->event,
                            queue->notify, queue->notify_value, queue->mask};
    __asm__("" : "+r"(window.shown), "+r"(window.available));
    __asm__("" : "+r"(window.event), "+r"(window.notify));
    __asm__("" : "+r"(window.notify_value), "+r"(window.mask));
    return window;
}

/* Shows the device `count` requests more, and notifies it where it wants that. */
BB_RING_INLINE void publish(const struct window window, uint64_t before, uint64_t after,
                            unsigned count)
{
    __atomic_store_n(window.shown, (uint16_t)after, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* it sees the index, or we see what it asks for */
    uint32_t event = *window.event;
    __asm__("" : "+r"(event)); /* looked at once */
    if (count == 1 ? event == (uint16_t)before : (uint16_t)(event - before) < count)
        bb_arch_write32(window.notify, window.notify_value);
}

/* How many the device has used; more than it has is taken for none. */
BB_RING_INLINE unsigned count_used(struct queue *queue)
{
    uint64_t tail = queue->tail;
    uint16_t count = (uint16_t)(bb_arch_acquire16(queue->index) - tail);
    if (__builtin_expect(count > queue->head - tail, 0)) {
        bb_ring_bad(&queue->ring, "used index beyond what was posted");
        return 0;
    }
    return count;
}

/* The slot that the device says it has used at `tail`; unchecked. */
BB_RING_INLINE uint64_t used_id(const struct bb_ring_used_element *used, uint32_t mask,
                                uint64_t tail, uint32_t *length)
{
    const struct bb_ring_used_element *element = &used[tail & mask];
    __asm__("" : "+r"(element));
    uint64_t id = element->id;
    *length = element->length;
    __asm__("" : "+r"(id), "+r"(*length)); /* each is looked at once */
    return id;
}

/* Whether nobody else has to hear of it. */
BB_RING_INLINE bool is_quiet(const struct bb_block_request *request)
{
    uintptr_t view = (uintptr_t)request->view, done = (uintptr_t)request->done;
    return !(view | done);
}

#endif
