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

struct slot {
    struct bb_ring_entry entries[3];
    struct header header;
    struct bb_block_request *request; /* NULL: free */
    union {
        struct {
            uint32_t length; /* that the device writes before the status */
            uint8_t status;  /* written by the device */
            uint8_t longer;  /* it borrows `table` */
        };
        uint64_t outcome; /* all of that, for one look: the length alone when all went well */
    };
    struct table *table;
    uint16_t id;
} __attribute__((aligned(128)));

enum mode { SLOTS, CHAINS, DEAD };

struct queue {
    struct slot **free;                      /* the next one; below the last is a NULL */
    uint16_t *available;                     /* the ring's entries, */
    const struct bb_ring_used_element *used; /* again, */
    const uint16_t *event;                   /* and at which the device wants to be notified */
    const uint16_t *index;                   /* of the used ring; else the ring's own tail */
    struct slot *slots;
    uint32_t mask; /* size of the ring - 1 */
    uint8_t mode;  /* enum mode */
    struct slot **all_free;
    struct table *tables;
    struct bb_ring ring;
};

union place { /* of a queue: a shift finds it */
    struct queue queue;
    char size[256];
};

struct virtio_block {
    struct bb_device device;
    struct bb_block block;
    struct bb_virtio_client client;
    struct bb_virtio *virtio;
    struct bb_work used, changed;
    uint8_t shift; /* from blocks to sectors */
    union place queues[MOST_QUEUES];
};

/* Requests that are done, and that somebody has to be told of, or more is to be done for. */
struct finished {
    struct bb_block_request *first, **last;
};

static struct virtio_block *chip_of(struct bb_block *block)
{
    return bb_container_of(block, struct virtio_block, block);
}

static void put_aside(struct finished *finished, struct bb_block_request *request, int result)
{
    request->result = result;
    request->next = NULL;
    *(finished->first ? finished->last : &finished->first) = request;
    finished->last = &request->next;
}

/* When nothing else is under way, for done() may do whatever it likes. */
static void tell(struct virtio_block *chip, struct finished *finished)
{
    struct bb_block_request *request;
    while ((request = finished->first)) {
        finished->first = request->next;
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

/* For a ring that is new, or was emptied. */
static void set_up(struct queue *queue)
{
    queue->mode = queue->tables ? SLOTS : CHAINS;
    queue->free = queue->all_free;
    queue->index = queue->mode == SLOTS ? &queue->ring.used->index : &queue->ring.tail;
    for (unsigned i = queue->ring.slots; queue->mode == SLOTS && i-- > 0;) {
        struct slot *slot = &queue->slots[i];
        slot->id = (uint16_t)i;
        fill(&slot->entries[0], &slot->header, sizeof(slot->header), BB_RING_NEXT, 1);
        fill(&slot->entries[2], &slot->status, 1, BB_RING_WRITE, 0);
        point(queue, slot, slot->entries, 3);
        *++queue->free = slot;
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
                       struct bb_block_request *request)
{
    slot->header.type = type_of(request);
    slot->header.sector = is_transfer(request) ? request->block << chip->shift : 0;
    slot->request = request;
    slot->length = request->op == BB_BLOCK_READ ? request->count << chip->block.shift : 0;
    slot->status = NOTHING;
    slot->longer = false;
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
    struct slot *slot = *queue->free;
    struct table *table = queue->tables;
    unsigned at = 1;
    int error = bb_block_refuse_slowly(&chip->block, request);
    if (error)
        return error;
    if (!table || !slot) {
        request->status = 0;
        return -EAGAIN;
    }
    queue->free--;
    queue->tables = table->next;
    set_header(chip, slot, request);
    slot->longer = true;
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
    set_header(chip, slot, request);
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

/* ---- The short path ---- */

/* One place to reckon from, once. */
BB_RING_INLINE struct queue *queue_of(struct bb_block *block, unsigned number)
{
    struct queue *queue = &chip_of(block)->queues[number].queue;
    BB_ASSERT(number < block->queues);
    __asm__("" : "+r"(queue));
    return queue;
}

BB_RING_INLINE bool put_plain(const struct bb_block_check check, unsigned shift, uint64_t rest,
                              struct slot *slot, struct bb_block_request *request,
                              enum bb_block_op op)
{
    uint64_t bytes;
    if (!slot || !bb_block_fits(check, request, &bytes))
        return false;
    slot->header = (struct header){op, 0, request->block << shift};
    slot->entries[1].address = (uintptr_t)request->segments->data;
    slot->entries[1].rest = rest + bytes;
    slot->request = request;
    slot->outcome = op == BB_BLOCK_READ ? bytes : 0;
    return true;
}

/* Shows the device `count` requests more, and notifies it where it wants that. */
BB_RING_INLINE void publish(struct queue *queue, unsigned head, unsigned count)
{
    struct bb_ring *ring = &queue->ring;
    ring->head = (uint16_t)head;
    __atomic_store_n(queue->available - 1, (uint16_t)head, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* it sees the index, or we see what it asks for */
    if ((uint16_t)(__atomic_load_n(queue->event, __ATOMIC_RELAXED) - head + count) < count)
        bb_arch_write32(ring->notify, ring->notify_value);
}

/* How many the device has used; more than it has is taken for none. */
BB_RING_INLINE unsigned count_used(struct queue *queue)
{
    struct bb_ring *ring = &queue->ring;
    unsigned tail = ring->tail;
    uint16_t count = (uint16_t)(__atomic_load_n(queue->index, __ATOMIC_ACQUIRE) - tail);
    if (__builtin_expect(count > (uint16_t)(ring->head - tail), 0)) {
        bb_ring_bad(ring, "used index beyond what was posted");
        return 0;
    }
    return count;
}

/* The used slot at `tail`, or NULL when that is one which the device does not have. */
BB_RING_INLINE struct slot *used_slot(const struct bb_ring_used_element *used, struct slot *slots,
                                      uint32_t mask, unsigned tail, uint32_t *length)
{
    const struct bb_ring_used_element *element = &used[tail & mask];
    __asm__("" : "+r"(element));
    uint64_t id = element->id;
    *length = element->length;
    __asm__("" : "+r"(id), "+r"(*length)); /* each is looked at once */
    return id <= mask && slots[id].request ? &slots[id] : NULL;
}

#endif
