/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio block device (Virtual I/O Device version 1.2, section 5.2; legacy too).
 *
 * Every entry of a ring has a slot that is set up beforehand: a table of three descriptors for
 * header, data and status. A plain request, one segment to read or write, fills in what differs.
 * Others borrow a longer table. Where the device has no such tables (INDIRECT_DESC), all go through
 * bb_ring_post(), which is slower.
 */
#include <busbar/block.h>
#include <busbar/log.h>
#include <busbar/virtio.h>

enum { /* feature bits (5.2.3) */
       SIZE_LIMITED = 1,
       SEGMENTS_LIMITED = 2,
       READ_ONLY = 5,
       HAS_BLOCK_SIZE = 6,
       HAS_FLUSH = 9,
       HAS_TOPOLOGY = 10,
       HAS_QUEUES = 12,
       HAS_DISCARD = 13,
       HAS_WRITE_ZEROES = 14,
};
enum { /* configuration (5.2.4), by offset */
       CAPACITY = 0,
       SIZE_LIMIT = 8,
       SEGMENT_LIMIT = 12,
       BLOCK_SIZE = 20,
       PHYSICAL_EXP = 24,
       NUM_QUEUES = 34,
       DISCARD_SECTORS = 36,
       ZEROES_SECTORS = 48,
};
enum { OK = 0, IOERR = 1, UNSUPP = 2, NOTHING = 0xff /* the driver's: not written yet */ };
enum {
    SECTOR = 9, /* 2^9 bytes */
    MOST_QUEUES = 4,
    DEPTH = 256,
    TABLES = 16,   /* longer ones, of each queue */
    SEGMENTS = 30, /* that fit them */
    CHAIN = 8,     /* parts of a request without tables */
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
};

struct slot {
    struct bb_ring_entry entries[3];
    struct header header;
    struct bb_block_request *request;
    union {
        struct {
            uint8_t status; /* written by the device */
            uint8_t longer; /* it borrows `table` */
        };
        uint16_t unusual; /* both, for one look: 0 when all is well */
    };
    struct table *table;
};

struct queue {
    struct bb_ring ring;
    struct slot *slots;
    uint64_t rest[2]; /* by operation: of a slot's second entry, without the length */
    struct table *tables;
};

struct virtio_block {
    struct bb_device device;
    struct bb_block block;
    struct bb_virtio_client client;
    struct bb_virtio *virtio;
    struct bb_work used, changed;
    struct queue *queues;
    uint8_t shift; /* from blocks to sectors */
    bool chains;   /* no INDIRECT_DESC */
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

/* Packed rings have their flags elsewhere, and entries of a table that just follow each other. */
static uint64_t rest_of(const struct queue *queue, unsigned flags, unsigned next)
{
    if (queue->ring.packed)
        return (uint64_t)(flags & BB_RING_WRITE) << 48;
    return (uint64_t)flags << 32 | (uint64_t)next << 48;
}

static void fill(const struct queue *queue, struct bb_ring_entry *entry, void *data,
                 uint32_t length, unsigned flags, unsigned next)
{
    entry->address = (uintptr_t)data;
    entry->rest = rest_of(queue, flags, next) + length;
}

/* Split rings keep the entry of each slot as it is while they complete in order. */
static void set_entry(struct queue *queue, unsigned index)
{
    struct slot *slot = &queue->slots[index];
    if (queue->ring.kind != BB_RING_SPLIT)
        return;
    queue->ring.tokens[index] = slot;
    queue->ring.entries[index].address = (uintptr_t)slot->entries;
    queue->ring.entries[index].rest = (uint64_t)BB_RING_INDIRECT << 32 | sizeof(slot->entries);
}

/* For a ring that is new, or was emptied. */
static void set_up(struct queue *queue)
{
    for (unsigned i = 0; i < queue->ring.slots; i++) {
        struct slot *slot = &queue->slots[i];
        fill(queue, &slot->entries[0], &slot->header, sizeof(slot->header), BB_RING_NEXT, 1);
        fill(queue, &slot->entries[2], &slot->status, 1, BB_RING_WRITE, 0);
        set_entry(queue, i);
    }
    queue->rest[BB_BLOCK_READ] = rest_of(queue, BB_RING_NEXT | BB_RING_WRITE, 2);
    queue->rest[BB_BLOCK_WRITE] = rest_of(queue, BB_RING_NEXT, 2);
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
    slot->status = NOTHING;
    slot->longer = false;
}

static struct erase erase_of(const struct virtio_block *chip,
                             const struct bb_block_request *request)
{
    return (struct erase){request->block << chip->shift, request->count << chip->shift, 0};
}

/* Everything but a plain request. The length of its table in entries; 0 when none is free now. */
static BB_NOINLINE int borrow_table(struct virtio_block *chip, struct queue *queue,
                                    struct slot *slot, struct bb_block_request *request)
{
    struct table *table = queue->tables;
    unsigned at = 1;
    int error = bb_block_refuse_slowly(&chip->block, request);
    if (error)
        return error;
    if (!table) {
        request->status = 0;
        return 0;
    }
    queue->tables = table->next;
    set_header(chip, slot, request);
    slot->longer = true;
    slot->table = table;
    fill(queue, &table->entries[0], &slot->header, sizeof(slot->header), BB_RING_NEXT, 1);
    for (unsigned i = 0; i < request->segment_count; i++, at++)
        fill(queue, &table->entries[at], request->segments[i].data, request->segments[i].length,
             request->op == BB_BLOCK_READ ? BB_RING_NEXT | BB_RING_WRITE : BB_RING_NEXT, at + 1);
    if (request->op >= BB_BLOCK_DISCARD) {
        table->erase = erase_of(chip, request);
        fill(queue, &table->entries[at], &table->erase, sizeof(table->erase), BB_RING_NEXT, at + 1);
        at++;
    }
    fill(queue, &table->entries[at], &slot->status, 1, BB_RING_WRITE, 0);
    return (int)at + 1;
}

/* ---- Submitting ---- */

BB_RING_INLINE int submit_as(struct virtio_block *chip, struct queue *queue,
                             struct bb_block_request *const *requests, unsigned count,
                             enum bb_ring_kind kind)
{
    const struct bb_block_check check = bb_block_check(&chip->block);
    struct bb_ring_batch batch = bb_ring_begin(&queue->ring, kind);
    unsigned i, shift = chip->shift;
    int entries = 0;
    if (count > queue->ring.room)
        count = queue->ring.room;
    for (i = 0; i < count; i++) {
        struct bb_block_request *request = requests[i];
        unsigned index = bb_ring_slot(&batch, kind);
        struct slot *slot = &queue->slots[index];
        if (__builtin_expect(bb_block_is_plain(&chip->block, &check, request), 1)) {
            slot->header.type = request->op;
            slot->header.sector = request->block << shift;
            slot->entries[1].address = (uintptr_t)request->segments->data;
            slot->entries[1].rest = queue->rest[request->op] + request->segments->length;
            slot->request = request;
            slot->unusual = NOTHING;
            bb_ring_put_again(&batch, kind, index, (uintptr_t)slot->entries, sizeof(slot->entries),
                              BB_RING_INDIRECT, slot);
        } else {
            entries = borrow_table(chip, queue, slot, request);
            if (entries <= 0)
                break;
            bb_ring_put(&batch, kind, index, (uintptr_t)slot->table->entries,
                        (uint32_t)entries * (uint32_t)sizeof(struct bb_ring_entry),
                        BB_RING_INDIRECT, slot);
        }
    }
    if (!i)
        return entries;
    bb_block_started(&chip->block, i);
    bb_ring_end(&batch, kind);
    return (int)i;
}

static BB_NOINLINE int submit_split(struct virtio_block *chip, struct queue *queue,
                                    struct bb_block_request *const *requests, unsigned count)
{
    return submit_as(chip, queue, requests, count, BB_RING_SPLIT);
}

static BB_NOINLINE int submit_packed(struct virtio_block *chip, struct queue *queue,
                                     struct bb_block_request *const *requests, unsigned count)
{
    return submit_as(chip, queue, requests, count, BB_RING_PACKED);
}

static BB_NOINLINE int submit_any(struct virtio_block *chip, struct queue *queue,
                                  struct bb_block_request *const *requests, unsigned count)
{
    return submit_as(chip, queue, requests, count, BB_RING_ANY);
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

static BB_NOINLINE int submit_chains(struct virtio_block *chip, struct queue *queue,
                                     struct bb_block_request *const *requests, unsigned count)
{
    unsigned i;
    int error = 0;
    for (i = 0; i < count && queue->ring.room; i++) {
        error = bb_block_refuse(&chip->block, requests[i]);
        if (error)
            break;
        (void)post_chain(chip, queue, requests[i]); /* there is room */
    }
    if (!i)
        return error;
    bb_block_started(&chip->block, i);
    bb_ring_kick(&queue->ring);
    return (int)i;
}

static int virtio_block_submit(struct bb_block *block, unsigned queue,
                               struct bb_block_request *const *requests, unsigned count)
{
    struct virtio_block *chip = chip_of(block);
    struct queue *at = &chip->queues[queue];
    BB_ASSERT(queue < block->queues);
    if (at->ring.kind == BB_RING_SPLIT)
        return submit_split(chip, at, requests, count);
    if (at->ring.kind == BB_RING_PACKED)
        return submit_packed(chip, at, requests, count);
    if (block->broken)
        return -EIO;
    return chip->chains ? submit_chains(chip, at, requests, count)
                        : submit_any(chip, at, requests, count);
}

/* ---- Reaping ---- */

static int result_of(struct queue *queue, const struct slot *slot, uint64_t most, uint32_t length)
{
    switch (__atomic_load_n(&slot->status, __ATOMIC_RELAXED)) {
    case OK:
        if (length <= most)
            return 0;
        bb_ring_bad(&queue->ring, "used length beyond the buffer");
        return -EIO;
    case IOERR:
        return -EIO;
    case UNSUPP:
        return -ENOTSUP;
    }
    bb_ring_bad(&queue->ring, "a status that does not exist");
    return -EIO;
}

static uint64_t writable(const struct virtio_block *chip, const struct bb_block_request *request)
{
    uint64_t bytes = (uint64_t)request->count << chip->block.shift;
    return request->op == BB_BLOCK_READ ? bytes + 1 : 1;
}

static BB_NOINLINE void take_slowly(struct virtio_block *chip, struct queue *queue,
                                    struct slot *slot, uint32_t length, struct finished *finished)
{
    struct bb_block_request *request = slot->request;
    if (slot->longer) {
        slot->table->next = queue->tables;
        queue->tables = slot->table;
        set_entry(queue, (unsigned)(slot - queue->slots));
    }
    put_aside(finished, request, result_of(queue, slot, writable(chip, request), length));
}

/* What is left when a batch was taken. */
static BB_NOINLINE int end_reap(struct virtio_block *chip, struct queue *queue, unsigned count,
                                struct finished *finished)
{
    const char *broken = queue->ring.broken;
    int error = broken ? bb_virtio_fail(chip->virtio, broken, -EIO) : 0;
    tell(chip, finished);
    return error ? error : (int)count;
}

BB_RING_INLINE int reap_as(struct virtio_block *chip, struct queue *queue, unsigned limit,
                           enum bb_ring_kind kind)
{
    struct bb_block_tally tally = {0};
    struct finished finished = {NULL, NULL};
    struct bb_ring_batch batch = bb_ring_look(&queue->ring, kind);
    unsigned count, index, shift = chip->block.shift;
    uint32_t length;
    struct slot *slot;
    for (count = 0; count < limit && (slot = bb_ring_next(&batch, kind, &index, &length));
         count++) {
        struct bb_block_request *request = slot->request;
        uint64_t bytes = (uint64_t)request->count << shift;
        if (__builtin_expect(__atomic_load_n(&slot->unusual, __ATOMIC_RELAXED) ||
                                 length > bytes + 1 || !bb_block_tally(&tally, request, bytes),
                             0))
            take_slowly(chip, queue, slot, length, &finished);
    }
    bb_ring_taken(&batch, kind);
    bb_block_add(&chip->block, &tally);
    if (__builtin_expect(finished.first || queue->ring.broken, 0))
        return end_reap(chip, queue, count, &finished);
    return (int)count;
}

static BB_NOINLINE int reap_any(struct virtio_block *chip, struct queue *queue, unsigned limit)
{
    return reap_as(chip, queue, limit, BB_RING_ANY);
}

/* A ring that completes out of order for the first time goes on as another kind. */
static int go_on(struct virtio_block *chip, struct queue *queue, unsigned limit, int count)
{
    if (__builtin_expect(count >= 0 && queue->ring.kind == BB_RING_ANY, 0)) {
        int more = reap_any(chip, queue, limit - (unsigned)count);
        return more < 0 ? more : count + more;
    }
    return count;
}

static BB_NOINLINE int reap_split(struct virtio_block *chip, struct queue *queue, unsigned limit)
{
    return go_on(chip, queue, limit, reap_as(chip, queue, limit, BB_RING_SPLIT));
}

static BB_NOINLINE int reap_packed(struct virtio_block *chip, struct queue *queue, unsigned limit)
{
    return go_on(chip, queue, limit, reap_as(chip, queue, limit, BB_RING_PACKED));
}

static BB_NOINLINE int reap_chains(struct virtio_block *chip, struct queue *queue, unsigned limit)
{
    struct finished finished = {NULL, NULL};
    unsigned count = 0;
    uint32_t length;
    struct slot *slot;
    for (; count < limit && (slot = bb_ring_take(&queue->ring, &length)); count++)
        take_slowly(chip, queue, slot, length, &finished);
    return end_reap(chip, queue, count, &finished);
}

static int virtio_block_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    struct virtio_block *chip = chip_of(block);
    struct queue *at = &chip->queues[queue];
    BB_ASSERT(queue < block->queues);
    if (at->ring.kind == BB_RING_SPLIT)
        return reap_split(chip, at, limit);
    if (at->ring.kind == BB_RING_PACKED)
        return reap_packed(chip, at, limit);
    if (block->broken)
        return -EIO;
    return chip->chains ? reap_chains(chip, at, limit) : reap_any(chip, at, limit);
}

static bool virtio_block_arm(struct bb_block *block, unsigned queue)
{
    struct virtio_block *chip = chip_of(block);
    return block->broken || bb_ring_arm(&chip->queues[queue].ring);
}

/* ---- When things go wrong ---- */

/* After a reset: what the device had is nobody's. */
static void abandon(struct virtio_block *chip, struct finished *finished, int status)
{
    for (unsigned i = 0; i < chip->block.queues; i++) {
        struct queue *queue = &chip->queues[i];
        struct slot *slot;
        while ((slot = bb_ring_abandon(&queue->ring))) {
            if (slot->longer) {
                slot->table->next = queue->tables;
                queue->tables = slot->table;
            }
            put_aside(finished, slot->request, status);
        }
    }
}

/* Resets the device and sets it going again; what was in flight ends with `status`. */
static int revive(struct virtio_block *chip, int status)
{
    struct finished finished = {NULL, NULL};
    int error = bb_virtio_stop(chip->virtio);
    if (error)
        return error; /* failed() has seen to the rest */
    abandon(chip, &finished, status);
    error = bb_virtio_restart(chip->virtio);
    for (unsigned i = 0; !error && i < chip->block.queues; i++)
        set_up(&chip->queues[i]);
    tell(chip, &finished);
    return error;
}

static int virtio_block_expire(struct bb_block *block)
{
    struct virtio_block *chip = chip_of(block);
    if (block->broken)
        return bb_virtio_fail(chip->virtio, "no answer", -ETIMEDOUT);
    return revive(chip, -ETIMEDOUT);
}

static int needs_reset(struct bb_virtio_client *client)
{
    return revive(bb_container_of(client, struct virtio_block, client), -EIO);
}

static void failed(struct bb_virtio_client *client, int error)
{
    struct virtio_block *chip = bb_container_of(client, struct virtio_block, client);
    struct finished finished = {NULL, NULL};
    bb_block_break(&chip->block, "the device failed", error);
    abandon(chip, &finished, error);
    tell(chip, &finished);
}

static void used(struct bb_virtio_client *client)
{
    bb_work_queue(&bb_container_of(client, struct virtio_block, client)->used);
}

static void run_used(struct bb_work *work)
{
    struct virtio_block *chip = bb_container_of(work, struct virtio_block, used);
    for (unsigned i = 0; i < chip->block.queues; i++)
        (void)virtio_block_reap(&chip->block, i, UINT16_MAX);
}

static void changed(struct bb_virtio_client *client)
{
    bb_work_queue(&bb_container_of(client, struct virtio_block, client)->changed);
}

static void run_changed(struct bb_work *work)
{
    struct virtio_block *chip = bb_container_of(work, struct virtio_block, changed);
    uint64_t sectors;
    if (chip->block.broken)
        return;
    if (bb_virtio_config_u64(chip->virtio, CAPACITY, &sectors))
        (void)bb_virtio_fail(chip->virtio, "its configuration never comes to rest", -EIO);
    else
        bb_block_resize(&chip->block, sectors >> chip->shift);
}

/* ---- Probe ---- */

static int read_u32(struct virtio_block *chip, unsigned feature, size_t offset, uint32_t *value)
{
    int error = 0;
    if (bb_virtio_has(chip->virtio, feature))
        error = bb_virtio_config_u32(chip->virtio, offset, value);
    return error ? bb_fail(&chip->device, "configuration", error) : 0;
}

/* What the device says of its medium. Nonsense that has a harmless reading gets that. */
static int read_size(struct virtio_block *chip)
{
    struct bb_block *block = &chip->block;
    uint32_t size = 1 << SECTOR, size_limit = UINT32_MAX, segment_limit = 1;
    uint64_t sectors;
    uint8_t exp = 0;
    int error = bb_virtio_config_u64(chip->virtio, CAPACITY, &sectors);
    if (error)
        return bb_fail(&chip->device, "configuration", error);
    error = read_u32(chip, HAS_BLOCK_SIZE, BLOCK_SIZE, &size);
    if (!error)
        error = read_u32(chip, SIZE_LIMITED, SIZE_LIMIT, &size_limit);
    if (!error)
        error = read_u32(chip, SEGMENTS_LIMITED, SEGMENT_LIMIT, &segment_limit);
    if (!error && bb_virtio_has(chip->virtio, HAS_TOPOLOGY))
        error = bb_virtio_config(chip->virtio, PHYSICAL_EXP, &exp, sizeof(exp));
    if (error)
        return error;
    if (size < 1 << SECTOR || size > 65536 || size & (size - 1))
        return bb_fail(&chip->device, "block size", -EINVAL);
    if (size_limit < size)
        return bb_fail(&chip->device, "size of segments", -EINVAL);
    if (sectors > (uint64_t)INT64_MAX >> SECTOR)
        return bb_fail(&chip->device, "capacity", -EINVAL);
    chip->shift = (uint8_t)(__builtin_ctz(size) - SECTOR);
    block->capacity = sectors >> chip->shift;
    block->block_size = size;
    block->physical_size = exp <= MOST_EXP ? size << exp : size;
    block->alignment = 1;
    block->max_blocks = size_limit / size;
    block->max_segments = (uint16_t)(segment_limit < SEGMENTS ? segment_limit : SEGMENTS);
    if (!block->max_segments)
        block->max_segments = 1;
    return 0;
}

static int read_features(struct virtio_block *chip)
{
    struct bb_block *block = &chip->block;
    uint32_t discard = 0, zeroes = 0, most;
    int error = read_u32(chip, HAS_DISCARD, DISCARD_SECTORS, &discard);
    if (!error)
        error = read_u32(chip, HAS_WRITE_ZEROES, ZEROES_SECTORS, &zeroes);
    discard >>= chip->shift;
    zeroes >>= chip->shift;
    if (bb_virtio_has(chip->virtio, READ_ONLY))
        block->features |= BB_BLOCK_READ_ONLY;
    if (bb_virtio_has(chip->virtio, HAS_FLUSH))
        block->features |= BB_BLOCK_HAS_FLUSH;
    if (discard)
        block->features |= BB_BLOCK_HAS_DISCARD;
    if (zeroes)
        block->features |= BB_BLOCK_HAS_WRITE_ZEROES;
    most = UINT32_MAX >> chip->shift; /* the request counts sectors */
    if (discard && discard < most)
        most = discard;
    if (zeroes && zeroes < most)
        most = zeroes;
    block->max_erase = most;
    return error;
}

static int make_queue(struct virtio_block *chip, unsigned index)
{
    struct queue *queue = &chip->queues[index];
    struct bb_block *block = &chip->block;
    queue->ring.parts = chip->chains ? CHAIN : 1;
    int error = bb_virtio_ring(chip->virtio, index, DEPTH, &queue->ring);
    if (error)
        return error;
    if (queue->ring.size < 3) /* the shortest chain, in a table or not (2.7.5.3.1) */
        return bb_fail(&chip->device, "queue size", -EINVAL);
    unsigned most = (chip->chains ? CHAIN : queue->ring.size) - 2;
    if (block->max_segments > most)
        block->max_segments = (uint16_t)most;
    if (!block->depth || queue->ring.slots < block->depth)
        block->depth = queue->ring.slots;
    queue->slots = bb_device_alloc(&chip->device, queue->ring.slots * sizeof(struct slot),
                                   _Alignof(struct slot));
    unsigned count = chip->chains ? 0 : TABLES;
    struct table *tables =
        bb_device_alloc(&chip->device, count * sizeof(struct table) + 1, _Alignof(struct table));
    if (!queue->slots || !tables)
        return -ENOMEM;
    chip->device.shared = true;
    for (unsigned i = 0; i < count; i++) {
        tables[i].next = queue->tables;
        queue->tables = &tables[i];
    }
    set_up(queue);
    return 0;
}

static int make_queues(struct virtio_block *chip)
{
    uint16_t count = 1;
    int error = 0;
    if (bb_virtio_has(chip->virtio, HAS_QUEUES))
        error = bb_virtio_config_u16(chip->virtio, NUM_QUEUES, &count);
    if (error || !count)
        return bb_fail(&chip->device, "number of queues", error ? error : -EINVAL);
    count = count < MOST_QUEUES ? count : MOST_QUEUES;
    chip->queues =
        bb_device_alloc(&chip->device, count * sizeof(struct queue), _Alignof(struct queue));
    if (!chip->queues)
        return -ENOMEM;
    for (; chip->block.queues < count && !error; chip->block.queues++)
        error = make_queue(chip, chip->block.queues);
    return error;
}

static int virtio_block_probe(struct bb_device *device)
{
    struct virtio_block *chip = bb_container_of(device, struct virtio_block, device);
    const uint64_t wanted =
        BB_VIRTIO_BIT(SIZE_LIMITED) | BB_VIRTIO_BIT(SEGMENTS_LIMITED) | BB_VIRTIO_BIT(READ_ONLY) |
        BB_VIRTIO_BIT(HAS_BLOCK_SIZE) | BB_VIRTIO_BIT(HAS_FLUSH) | BB_VIRTIO_BIT(HAS_TOPOLOGY) |
        BB_VIRTIO_BIT(HAS_QUEUES) | BB_VIRTIO_BIT(HAS_DISCARD) | BB_VIRTIO_BIT(HAS_WRITE_ZEROES);
    chip->used.run = run_used;
    chip->changed.run = run_changed;
    chip->used.device = chip->changed.device = device;
    chip->client = (struct bb_virtio_client){used, changed, failed, needs_reset};
    chip->block.label = "virtio";
    int error = bb_virtio_open(device, wanted, 0, &chip->client, &chip->virtio);
    if (error)
        return error;
    chip->chains = !bb_virtio_has(chip->virtio, BB_VIRTIO_INDIRECT_DESC);
    error = read_size(chip);
    if (!error)
        error = read_features(chip);
    if (!error)
        error = make_queues(chip);
    return error ? error : bb_virtio_start(chip->virtio);
}

static void virtio_block_remove(struct bb_device *device)
{
    struct virtio_block *chip = bb_container_of(device, struct virtio_block, device);
    struct finished finished = {NULL, NULL};
    chip->block.broken = true; /* for those whom done() makes ask for more */
    if (bb_virtio_stop(chip->virtio) == 0)
        abandon(chip, &finished, -ENODEV);
    tell(chip, &finished);
}

const struct bb_block_ops bb_ops_block_virtio_block = {
    .submit = virtio_block_submit,
    .reap = virtio_block_reap,
    .arm = virtio_block_arm,
    .expire = virtio_block_expire,
};

BB_DRIVER(block, virtio_block, .bus = &bb_virtio_bus, .match = BB_MATCH({"virtio,device2"}),
          .probe = virtio_block_probe, .remove = virtio_block_remove);
