/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio block device (Virtual I/O Device version 1.2, section 5.2; legacy too).
 *
 * On a split ring with event index and indirect descriptors every entry has a slot that is set up
 * beforehand: a table of three descriptors for header, data and status. A plain request, one
 * segment to read or write, fills in what differs; others borrow a longer table. Slots come back in
 * any order, as disks complete. On other rings all requests go through bb_ring_post().
 */
#include "virtio_block.h"

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
/* ---- Submitting ---- */

static BB_NOINLINE int submit_chains(struct virtio_block *chip, struct queue *queue,
                                     struct bb_block_request *const *requests, unsigned count);

/* Goes on from where a batch met something else than a plain read, or a queue that is full. */
static BB_NOINLINE int submit_rest(struct bb_block *block, unsigned number,
                                   struct bb_block_request *const *requests, unsigned count,
                                   unsigned i)
{
    struct virtio_block *chip = chip_of(block);
    struct queue *queue = queue_of(block, number);
    uint64_t before = queue->head;
    int error = 0;
    if (queue->mode != SLOTS)
        return queue->mode == DEAD ? -EIO : submit_chains(chip, queue, requests, count);
    for (; i < count; i++) {
        const struct bb_block_check check = bb_block_check(block, BB_BLOCK_WRITE);
        struct slot *slot = queue->free, *next = slot ? slot->next : NULL;
        if (slot && requests[i]->shape == BB_BLOCK_PLAIN(BB_BLOCK_WRITE) &&
            put_plain(check, chip->shift, slot, requests[i], BB_BLOCK_WRITE))
            queue->free = next;
        else if ((error = put_longer(chip, queue, requests[i])))
            break;
        queue->available[(before + i) & queue->mask] = slot->id;
    }
    queue->head = before + i;
    if (i)
        publish(window_of(queue), before, before + i, i);
    return i || error == -EAGAIN ? (int)i : error;
}

/* One plain read, of which nothing is kept for a next one. false: it is something else. */
BB_RING_INLINE bool submit_one(struct bb_block *block, unsigned number,
                               struct bb_block_request *request)
{
    struct queue *queue = queue_of(block, number);
    struct bb_block_check check = bb_block_check(block, BB_BLOCK_READ);
    struct slot *slot = queue->free, *next;
    uint64_t head = queue->head;
    __asm__("" : "+r"(slot), "+r"(head)); /* one load of a pair */
    check.alignment = 1;
    if (request->shape != BB_BLOCK_PLAIN(BB_BLOCK_READ) || !slot ||
        (next = slot->next, !put_plain(check, check.shift - SECTOR, slot, request, BB_BLOCK_READ)))
        return false;
    const struct window window = window_of(queue);
    window.available[head & window.mask] = slot->id;
    queue->free = next;
    queue->head = head + 1;
    publish(window, head, head + 1, 1);
    return true;
}

static BB_NOINLINE int submit_many(struct bb_block *block, unsigned number,
                                   struct bb_block_request *const *requests, unsigned count)
{
    struct queue *queue = queue_of(block, number);
    struct bb_block_check check = bb_block_check(block, BB_BLOCK_READ);
    struct bb_block_request *const *at = requests, *const *end = requests + count;
    struct slot *free = queue->free;
    const struct window window = window_of(queue);
    uint64_t before = queue->head, head = before;
    unsigned shift = check.shift - SECTOR;
    check.alignment = 1;
    __asm__("" : "+r"(shift)); /* stays in a register */
    if (__builtin_expect(count > 0, 1)) {
        do {
            struct slot *slot = free, *next;
            if ((*at)->shape != BB_BLOCK_PLAIN(BB_BLOCK_READ) || !slot ||
                (next = slot->next, !put_plain(check, shift, slot, *at, BB_BLOCK_READ)))
                break;
            free = next;
            window.available[head & window.mask] = slot->id;
            head++;
        } while (++at != end);
    }
    queue->free = free;
    if (__builtin_expect(at != end || head == before, 0))
        return submit_rest(block, number, requests, count, (unsigned)(head - before));
    queue->head = head;
    publish(window, before, head, count);
    return (int)count;
}

static int virtio_block_submit(struct bb_block *block, unsigned number,
                               struct bb_block_request *const *requests, unsigned count)
{
    BB_ASSERT(number < block->queues);
    if (count == 1 && submit_one(block, number, *requests))
        return 1;
    return submit_many(block, number, requests, count);
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
    bb_ring_kick(&queue->ring);
    return (int)i;
}

/* ---- Reaping ---- */

/* Where a read went well, the length must say that all of it was written: else memory that is as
 * old as the caller's would pass for data. The lengths of legacy devices are not to be relied on so
 * far (2.7.8.1). */
static int result_of(const struct virtio_block *chip, struct queue *queue, const struct slot *slot,
                     uint32_t length)
{
    uint8_t status = __atomic_load_n(&slot->status, __ATOMIC_RELAXED);
    if (length == 0 || status > UNSUPP)
        bb_ring_bad(&queue->ring, "no status that exists");
    else if (length > slot->length + 1)
        bb_ring_bad(&queue->ring, "used length beyond the buffer");
    else if (status == OK && length <= slot->length && !chip->virtio->legacy)
        bb_ring_bad(&queue->ring, "less was read than asked for");
    else
        return status == OK ? 0 : status == UNSUPP ? -ENOTSUP : -EIO;
    return -EIO;
}

/* What is left when a batch was taken. */
static int end_reap(struct virtio_block *chip, struct queue *queue, unsigned count)
{
    const char *broken = queue->ring.broken;
    int error = broken ? bb_virtio_fail(chip->virtio, broken, -EIO) : 0;
    tell(chip);
    return error ? error : (int)count;
}

static int reap_chains(struct virtio_block *chip, struct queue *queue, unsigned limit)
{
    unsigned count = 0;
    uint32_t length;
    struct slot *slot;
    for (; count < limit && (slot = bb_ring_take(&queue->ring, &length)); count++) {
        int result = result_of(chip, queue, slot, length);
        put_aside(chip, free_chain(slot), result);
    }
    return end_reap(chip, queue, count);
}

/* Goes on where a batch met something else than plain requests without done(), all well. */
static BB_NOINLINE int reap_rest(struct bb_block *block, unsigned number, unsigned limit,
                                 unsigned count)
{
    struct virtio_block *chip = chip_of(block);
    struct queue *queue = queue_of(block, number);
    if (queue->mode == DEAD) {
        tell(chip);
        return -EIO;
    }
    if (queue->mode == CHAINS)
        return reap_chains(chip, queue, limit);
    for (unsigned used = count_used(queue); count < limit && used > 0; count++, used--) {
        uint32_t length;
        uint64_t id = used_id(queue->used, queue->mask, queue->tail, &length);
        if (id > queue->mask || !in_flight(&queue->slots[id])) {
            bb_ring_bad(&queue->ring, "used id that was not posted");
            break;
        }
        struct slot *slot = &queue->slots[id];
        int result = result_of(chip, queue, slot, length);
        put_aside(chip, free_slot(queue, slot), result);
        queue->tail++;
    }
    return end_reap(chip, queue, count);
}

/* The one that is used, when it is a plain read without done() that went well. The device must have
 * been given one: while it has none, no slot has an outcome. */
BB_RING_INLINE bool reap_one(struct bb_block *block, struct queue *queue, uint64_t tail,
                             struct slot *free)
{
    const struct bb_ring_used_element *used = queue->used;
    struct slot *slots = queue->slots, *slot;
    uint32_t length, mask = queue->mask;
    __asm__("" : "+r"(used), "+r"(slots)); /* one load of a pair */
    uint64_t id = used_id(used, mask, tail, &length);
    if (id > mask)
        return false;
    slot = &slots[id];
    struct bb_block_request *request = slot->request;
    uint64_t outcome = slot->outcome;
    uint32_t bytes = length - 1;
    __asm__("" : "+r"(request), "+r"(outcome));
    if (!bytes || bytes != outcome || !is_quiet(request))
        return false;
    request->status = 0;
    release_slot(slot, free);
    uint64_t reads = block->stats.reads, sum = block->stats.read_bytes;
    __asm__("" : "+r"(reads), "+r"(sum));
    block->stats.reads = reads + 1;
    block->stats.read_bytes = sum + bytes;
    queue->tail = tail + 1;
    queue->free = slot;
    return true;
}

static BB_NOINLINE int reap_many(struct bb_block *block, unsigned number, unsigned limit)
{
    struct queue *queue = queue_of(block, number);
    struct slot *free = queue->free, *slots = queue->slots;
    unsigned left = count_used(queue), writes = 0;
    uint64_t before = queue->tail, tail = before, read_bytes = 0, written_bytes = 0;
    uint32_t mask = queue->mask;
    left = left < limit ? left : limit;
    if (__builtin_expect(left > 0, 1)) {
        do {
            uint32_t length;
            uint64_t id = used_id(queue->used, mask, tail, &length);
            if (id > mask)
                break;
            struct slot *slot = &slots[id];
            struct bb_block_request *request = slot->request;
            uint64_t outcome = slot->outcome, bytes = (uint32_t)(length - 1);
            __asm__("" : "+r"(request), "+r"(outcome));
            if (__builtin_expect(!bytes || bytes != outcome, 0)) {
                if (bytes || outcome != WRITTEN || !is_quiet(request))
                    break;
                slot->entries[1].split.flags = BB_RING_NEXT | BB_RING_WRITE;
                writes++;
                written_bytes += (uint64_t)request->count << block->shift;
            } else if (!is_quiet(request)) {
                break;
            }
            read_bytes += bytes;
            request->status = 0;
            release_slot(slot, free);
            free = slot;
            tail++;
        } while (--left);
    }
    unsigned done = (unsigned)(tail - before);
    queue->tail = tail;
    queue->free = free;
    uint64_t reads = block->stats.reads, bytes = block->stats.read_bytes;
    block->stats.reads = reads + (done - writes);
    block->stats.read_bytes = bytes + read_bytes;
    if (__builtin_expect(writes, 0)) {
        block->stats.writes += writes;
        block->stats.written_bytes += written_bytes;
    }
    if (__builtin_expect(left || !done, 0))
        return reap_rest(block, number, limit, done);
    return (int)done;
}

static int virtio_block_reap(struct bb_block *block, unsigned number, unsigned limit)
{
    BB_ASSERT(number < block->queues);
    struct queue *queue = queue_of(block, number);
    uint64_t tail = queue->tail;
    struct slot *free = queue->free;
    uint32_t index = bb_arch_acquire16(queue->index);
    if (index == (uint16_t)(tail + 1) && limit > 0 && reap_one(block, queue, tail, free))
        return 1;
    return reap_many(block, number, limit);
}

static bool virtio_block_arm(struct bb_block *block, unsigned number)
{
    BB_ASSERT(number < block->queues);
    struct queue *queue = queue_of(block, number);
    if (queue->mode == SLOTS)
        queue->ring.tail = (uint16_t)queue->tail;
    return queue->mode == DEAD || bb_ring_arm(&queue->ring);
}

static uint32_t virtio_block_pending(const struct bb_block *block)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < block->queues; i++) {
        const struct queue *queue = queue_of((struct bb_block *)(uintptr_t)block, i);
        if (queue->mode == CHAINS)
            count += (uint32_t)(queue->ring.slots - queue->ring.room);
        else
            count += (uint32_t)(queue->head - queue->tail);
    }
    return count;
}

/* ---- When things go wrong ---- */

/* After a reset: what the device had is nobody's. */
static void abandon(struct virtio_block *chip, int status)
{
    for (unsigned i = 0; i < chip->block.queues; i++) {
        struct queue *queue = queue_of(&chip->block, i);
        for (unsigned at = 0; queue->mode != DEAD && at < queue->ring.slots; at++) {
            struct slot *slot = &queue->slots[at];
            if (in_flight(slot))
                put_aside(chip, queue->mode == SLOTS ? free_slot(queue, slot) : free_chain(slot),
                          status);
        }
        close_queue(queue, DEAD);
    }
}

/* Resets the device and sets it going again; what was in flight ends with `status`. */
static int revive(struct virtio_block *chip, int status)
{
    int error = bb_virtio_stop(chip->virtio);
    if (error)
        return error; /* failed() has seen to the rest */
    abandon(chip, status);
    error = bb_virtio_restart(chip->virtio);
    for (unsigned i = 0; !error && i < chip->block.queues; i++)
        set_up(queue_of(&chip->block, i));
    tell(chip);
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
    bb_block_break(&chip->block, "the device failed", error);
    abandon(chip, error);
    tell(chip);
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

/* What the requests of a queue need beside its ring. */
static int make_slots(struct virtio_block *chip, struct queue *queue, unsigned longer)
{
    struct bb_device *device = &chip->device;
    unsigned count = queue->ring.slots;
    queue->slots = bb_device_alloc(device, count * sizeof(struct slot), _Alignof(struct slot));
    if (!queue->slots)
        return -ENOMEM;
    if (queue->mode == SLOTS) {
        struct table *tables =
            bb_device_alloc(device, longer * sizeof(struct table), _Alignof(struct table));
        for (unsigned i = 0; tables && i < longer; i++) {
            tables[i].next = queue->tables;
            queue->tables = &tables[i];
        }
        if (!tables)
            return -ENOMEM;
    }
    queue->mask = queue->ring.size - 1u;
    if (queue->mode == SLOTS) {
        queue->available = queue->ring.available->entries;
        queue->used = queue->ring.used->entries;
        queue->event = (const uint16_t *)&queue->used[queue->ring.size];
        queue->shown = &queue->ring.available->index;
        queue->notify = queue->ring.notify;
        queue->notify_value = queue->ring.notify_value;
    }
    set_up(queue);
    return 0;
}

/* All queues together are as deep as one would be. */
static int make_queue(struct virtio_block *chip, unsigned index, unsigned count)
{
    struct bb_block *block = &chip->block;
    struct queue *queue =
        bb_device_alloc(&chip->device, sizeof(struct queue), _Alignof(struct queue));
    if (!queue)
        return -ENOMEM;
    chip->queues[index] = queue;
    bool slots = bb_virtio_has(chip->virtio, BB_VIRTIO_INDIRECT_DESC) &&
                 bb_virtio_has(chip->virtio, BB_VIRTIO_EVENT_IDX) &&
                 !bb_virtio_has(chip->virtio, BB_VIRTIO_RING_PACKED);
    queue->mode = slots ? SLOTS : CHAINS;
    queue->ring.parts = slots ? 1 : CHAIN;
    int error = bb_virtio_ring(chip->virtio, index, DEPTH / count, &queue->ring);
    if (error)
        return error;
    if (queue->ring.size < 3) /* the shortest chain, in a table or not (2.7.5.3.1) */
        return bb_fail(&chip->device, "queue size", -EINVAL);
    unsigned most = queue->ring.size - 2u;
    most = !slots && most > CHAIN - 2 ? CHAIN - 2 : most;
    if (block->max_segments > most)
        block->max_segments = (uint16_t)most;
    if (!block->depth || queue->ring.slots < block->depth)
        block->depth = queue->ring.slots;
    return make_slots(chip, queue, TABLES / count);
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
    for (; chip->block.queues < count; chip->block.queues++) {
        error = make_queue(chip, chip->block.queues, count);
        if (error)
            return error;
    }
    return 0;
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
    chip->block.broken = true; /* for those whom done() makes ask for more */
    if (bb_virtio_stop(chip->virtio) == 0)
        abandon(chip, -ENODEV);
    tell(chip);
}

const struct bb_block_ops bb_ops_block_virtio_block = {
    .submit = virtio_block_submit,
    .reap = virtio_block_reap,
    .arm = virtio_block_arm,
    .expire = virtio_block_expire,
    .pending = virtio_block_pending,
};

BB_DRIVER(block, virtio_block, .bus = &bb_virtio_bus, .match = BB_MATCH({"virtio,device2"}),
          .probe = virtio_block_probe, .remove = virtio_block_remove);
