/* SPDX-License-Identifier: BSD-2-Clause */
/* Block devices: what may go to one, its counters and names, its watchdog, and calls that wait. */
#include <string.h>

#include <busbar/block.h>
#include <busbar/log.h>

enum {
    MOST_BYTES = 1 << 30, /* of one request, so that lengths stay below 2^32 */
    BOUNCE = 4096,        /* bytes, or a block where that is larger */
    LOOKS = 4,            /* of the watchdog in BB_BLOCK_TIMEOUT */
};

static struct bb_face_list blocks;

static int removed_submit(struct bb_block *block, unsigned queue,
                          struct bb_block_request *const *requests, unsigned count)
{
    (void)block, (void)queue, (void)requests, (void)count;
    return -ENODEV;
}

static int removed_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    (void)block, (void)queue, (void)limit;
    return -ENODEV;
}

static bool removed_arm(struct bb_block *block, unsigned queue)
{
    (void)block, (void)queue;
    return true; /* reap() has the news */
}

static const struct bb_block_ops removed = {
    .submit = removed_submit,
    .reap = removed_reap,
    .arm = removed_arm,
};

const struct bb_bus bb_block_bus = {.name = "block"};

/* ---- Requests ---- */

static bool is_rounded(const struct bb_block *block, const struct bb_block_segment *segment)
{
    return segment->data && segment->length && !(segment->length & (block->block_size - 1)) &&
           !((uintptr_t)segment->data & (block->alignment - 1));
}

static int refuse_transfer(const struct bb_block *block, struct bb_block_request *request)
{
    uint64_t count = 0, capacity = block->capacity;
    if (request->op == BB_BLOCK_WRITE && block->features & BB_BLOCK_READ_ONLY)
        return -EROFS;
    if (!request->segment_count || request->segment_count > block->max_segments)
        return -EINVAL;
    for (unsigned i = 0; i < request->segment_count; i++) {
        if (!is_rounded(block, &request->segments[i]))
            return -EINVAL;
        count += request->segments[i].length >> block->shift;
    }
    request->count = (uint32_t)count;
    return count > block->max_blocks || request->block > capacity ||
                   count > capacity - request->block
               ? -EINVAL
               : 0;
}

static int refuse_erase(const struct bb_block *block, const struct bb_block_request *request,
                        unsigned feature)
{
    if (!(block->features & feature))
        return -ENOTSUP;
    if (block->features & BB_BLOCK_READ_ONLY)
        return -EROFS;
    return request->segment_count || !request->count || request->count > block->max_erase ||
                   request->block > block->capacity ||
                   request->count > block->capacity - request->block
               ? -EINVAL
               : 0;
}

BB_NOINLINE int bb_block_refuse(struct bb_block *block, struct bb_block_request *request)
{
    int error = -EINVAL;
    if (block->broken)
        return -EIO;
    if (!block->watched)
        bb_block_watch(block);
    switch (request->op) {
    case BB_BLOCK_READ:
    case BB_BLOCK_WRITE:
        error = refuse_transfer(block, request);
        break;
    case BB_BLOCK_FLUSH:
        if (!request->segment_count)
            error = block->features & BB_BLOCK_HAS_FLUSH ? 0 : -ENOTSUP;
        break;
    case BB_BLOCK_DISCARD:
        error = refuse_erase(block, request, BB_BLOCK_HAS_DISCARD);
        break;
    case BB_BLOCK_WRITE_ZEROES:
        error = refuse_erase(block, request, BB_BLOCK_HAS_WRITE_ZEROES);
        break;
    }
    if (!error)
        request->status = -EINPROGRESS;
    return error;
}

static void note(struct bb_block *block, const struct bb_block_request *request, int status)
{
    struct bb_block_stats *stats = &block->stats;
    uint64_t bytes = (uint64_t)request->count << block->shift;
    block->in_flight--;
    if (status) {
        stats->errors++;
    } else if (request->op == BB_BLOCK_READ) {
        stats->reads++;
        stats->read_bytes += bytes;
    } else if (request->op == BB_BLOCK_WRITE) {
        stats->writes++;
        stats->written_bytes += bytes;
    } else if (request->op == BB_BLOCK_FLUSH) {
        stats->flushes++;
    } else {
        stats->discards++;
    }
}

void bb_block_complete(struct bb_block *block, struct bb_block_request *request, int status)
{
    struct bb_block *view = request->view;
    note(block, request, status);
    if (view) {
        note(view, request, status);
        request->block -= view->first;
        request->view = NULL;
    }
    request->status = status;
    if (request->done)
        request->done(request);
}

/* ---- The device ---- */

/* A request that finds no limits comes to bb_block_refuse(), which starts the watchdog: so
 * nobody else has to look whether it runs. */
static void set_limits(struct bb_block *block)
{
    bool none = block->broken || !block->watched;
    uint32_t most =
        block->max_blocks < block->capacity ? block->max_blocks : (uint32_t)block->capacity;
    block->plain[BB_BLOCK_READ] = none ? 0 : most;
    block->plain[BB_BLOCK_WRITE] = none || block->features & BB_BLOCK_READ_ONLY ? 0 : most;
}

void bb_block_resize(struct bb_block *block, uint64_t capacity)
{
    if (capacity == block->capacity)
        return;
    uint64_t most = (uint64_t)INT64_MAX >> block->shift;
    bb_print(BB_WARNING, "%s: has %llu blocks now; it had %llu", block->face.device->name,
             (unsigned long long)capacity, (unsigned long long)block->capacity);
    block->capacity = capacity < most ? capacity : most;
    set_limits(block);
}

void bb_block_break(struct bb_block *block, const char *why, int error)
{
    block->broken = true;
    set_limits(block);
    bb_device_broken(block->face.device, why, error);
}

static uint64_t completed(const struct bb_block *block)
{
    const struct bb_block_stats *stats = &block->stats;
    return stats->reads + stats->writes + stats->flushes + stats->discards + stats->errors;
}

static uint32_t in_flight(const struct bb_block *block)
{
    return BB_BOUND_BLOCK.pending ? BB_BOUND_BLOCK.pending(block) : block->in_flight;
}

static void expire(struct bb_block *block, const char *what, uint64_t waited)
{
    block->stats.timeouts++;
    bb_print(BB_WARNING, "%s: %s for %u s, with %u requests in flight; it is reset",
             block->face.device->name, what, (unsigned)(waited / BB_SEC),
             (unsigned)in_flight(block));
    if (block->hung)
        bb_block_break(block, "it hung again after a reset", -EIO);
    block->hung = true;
    int error = BB_BOUND_BLOCK.expire(block);
    if (error < 0)
        bb_block_break(block, "no reset brings it back", error);
}

static void look_again(struct bb_block *block)
{
    bb_timer_event_at(&block->watchdog, bb_time() + BB_BLOCK_TIMEOUT / LOOKS);
}

/* It stands still while nothing is in flight, so that an idle machine sleeps. */
static void look(struct bb_timer_event *event)
{
    struct bb_block *block = bb_container_of(event, struct bb_block, watchdog);
    for (unsigned queue = 0; queue < block->queues && in_flight(block); queue++)
        (void)BB_BOUND_BLOCK.reap(block, queue, UINT16_MAX); /* the program may be busy elsewhere */
    bool moves = completed(block) != block->seen, busy = in_flight(block);
    block->hung = block->hung && !moves;
    block->silent = moves || !busy ? 0 : (uint8_t)(block->silent + 1);
    block->watched = busy && block->silent < LOOKS;
    set_limits(block);
    if (block->watched)
        look_again(block);
    else if (busy && !block->broken)
        expire(block, "nothing came back", BB_BLOCK_TIMEOUT);
    block->seen = completed(block);
}

void bb_block_watch(struct bb_block *block)
{
    block->watched = true;
    set_limits(block);
    if (!BB_BOUND_BLOCK.expire)
        return;
    block->seen = completed(block);
    block->silent = 0;
    look_again(block);
}

/* ---- Coming and going ---- */

static bool is_power_of_2(uint32_t value)
{
    return value && !(value & (value - 1));
}

static int refuse_device(const struct bb_block *block, const char *what)
{
    bb_print(BB_ERROR, "%s: %s says nonsense of its %s", block->face.device->name,
             block->face.device->driver->name, what);
    return -EINVAL;
}

static int check(struct bb_block *block)
{
    if (!is_power_of_2(block->block_size) || block->block_size < 512 || block->block_size > 65536)
        return refuse_device(block, "block size");
    block->shift = (uint32_t)__builtin_ctz(block->block_size);
    if (block->capacity > (uint64_t)INT64_MAX >> block->shift)
        return refuse_device(block, "capacity");
    uint32_t most = (uint32_t)MOST_BYTES >> block->shift;
    if (block->max_blocks > most)
        block->max_blocks = most;
    if (!block->physical_size)
        block->physical_size = block->block_size;
    bool erases = block->features & (BB_BLOCK_HAS_DISCARD | BB_BLOCK_HAS_WRITE_ZEROES);
    if (!is_power_of_2(block->alignment) || block->alignment > 4096 || !block->max_blocks ||
        !block->max_segments || !block->queues || !block->depth ||
        block->physical_size % block->block_size || (erases && !block->max_erase))
        return refuse_device(block, "limits");
    return 0;
}

static int publish(struct bb_block *block)
{
    const struct bb_block_stats *stats = &block->stats;
    const struct {
        const char *name, *unit;
        const uint64_t *value;
    } items[] = {
        {"capacity", "blocks", &block->capacity},
        {"reads", "requests", &stats->reads},
        {"read_bytes", "bytes", &stats->read_bytes},
        {"writes", "requests", &stats->writes},
        {"written_bytes", "bytes", &stats->written_bytes},
        {"flushes", "requests", &stats->flushes},
        {"discards", "requests", &stats->discards},
        {"errors", "requests", &stats->errors},
        {"timeouts", "", &stats->timeouts},
    };
    _Static_assert(BB_ARRAY_SIZE(items) == BB_ARRAY_SIZE(block->values), "a value for each");
    int error = 0;
    for (size_t i = 0; i < BB_ARRAY_SIZE(items) && !error; i++)
        error = bb_publish_u64(block->face.device, &block->values[i], items[i].name, items[i].unit,
                               items[i].value);
    return error;
}

/* Devices that come after start find nobody who binds what hangs below them. */
static void bind_partitions(struct bb_work *work)
{
    (void)work;
    for (struct bb_block *block = bb_block_first(); block; block = bb_block_next(block)) {
        if (!block->partitions || block->partitions->state != BB_NODE_UNBOUND)
            continue;
        (void)bb_bind(block->partitions);
        bb_for_each_child (child, block->partitions)
            (void)bb_bind(child);
    }
}

static int append_partitions(struct bb_block *block)
{
    static const char compatible[] = "busbar,partitions";
    static const struct bb_property property = {"compatible", compatible, sizeof(compatible)};
    static struct bb_work work;
    if (block->parent)
        return 0;
    int error = bb_node_append(block->face.device->node, &bb_block_bus, "partitions", &property, 1,
                               &block->partitions);
    work.run = bind_partitions;
    if (!error)
        bb_work_queue(&work);
    return error;
}

void bb_block_medium(struct bb_block *disk, const char *why)
{
    for (struct bb_block *block = bb_block_first(); block; block = bb_block_next(block)) {
        struct bb_node *node = block->face.device->node;
        if (block != disk && block->parent != disk)
            continue;
        if (why)
            bb_device_broken(block->face.device, why, -ENODEV);
        else
            node->state = BB_NODE_RUNNING, node->reason = (struct bb_reason){0};
        if (why && block->gone)
            block->gone(block);
    }
}

static void leave(struct bb_block *block)
{
    bb_timer_event_cancel(&block->watchdog);
    if (block->gone)
        block->gone(block);
}

static int block_notify(struct bb_face *face, bool running)
{
    struct bb_block *block = bb_container_of(face, struct bb_block, face);
    if (!running) {
        leave(block);
        return 0;
    }
    block->watchdog.run = look;
    block->watchdog.device = face->device;
    if (!block->label)
        block->label = "";
    int error = check(block);
    if (error)
        return error;
    set_limits(block);
    if (!block->parent)
        bb_name_device(face->device, &block->name, "disk");
    error = publish(block);
    return error ? error : append_partitions(block);
}

const struct bb_class bb_class_block = {
    .name = "block",
    .removed = &removed,
    .list = &blocks,
    .notify = block_notify,
};

/* ---- Calls that wait ---- */

struct waiting {
    struct bb_block *block;
    unsigned queue;
    const struct bb_block_request *request; /* or NULL: for room */
    uint64_t completed;
};

static struct bb_block *disk_of(struct bb_block *block)
{
    return block->parent ? block->parent : block;
}

/* Arms at each look: the last interrupt may have been for somebody else's request. */
static bool has_news(void *context)
{
    const struct waiting *waiting = context;
    if (waiting->request ? waiting->request->status != -EINPROGRESS
                         : completed(disk_of(waiting->block)) != waiting->completed)
        return true;
    return bb_block_arm(waiting->block, waiting->queue);
}

/* Half the watchdog's period: never is a lost interrupt waited for without end. */
static void wait_for_news(struct waiting waiting)
{
    (void)bb_wait(has_news, &waiting, BB_BLOCK_TIMEOUT / 2);
}

/* One request is lost while others come back, which the watchdog does not see. */
static void give_up(struct bb_block *block)
{
    if (BB_BOUND_BLOCK.expire && !block->broken)
        expire(block, "one request did not come back", 2 * BB_BLOCK_TIMEOUT);
}

int bb_block_wait(struct bb_block *block, unsigned queue, struct bb_block_request *request)
{
    uint64_t begin = 0;
    while (request->status == -EINPROGRESS) {
        int got = bb_block_reap(block, queue, UINT16_MAX);
        if (request->status != -EINPROGRESS)
            break;
        if (got < 0)
            return got; /* it never had the request */
        uint64_t now = bb_time();
        begin = begin ? begin : now;
        if (now - begin >= 2 * BB_BLOCK_TIMEOUT) {
            give_up(disk_of(block));
            begin = now;
        } else if (got == 0) {
            wait_for_news((struct waiting){.block = block, .queue = queue, .request = request});
        }
    }
    return request->status;
}

/* One request, from a queue that others may have filled. */
static int run(struct bb_block *block, struct bb_block_request *request)
{
    struct bb_block_request *batch[] = {request};
    int taken;
    while ((taken = bb_block_submit(block, 0, batch, 1)) == 0) {
        struct waiting waiting = {.block = block, .completed = completed(disk_of(block))};
        if (bb_block_reap(block, 0, UINT16_MAX) == 0)
            wait_for_news(waiting);
    }
    return taken < 0 ? taken : bb_block_wait(block, 0, request);
}

/* A buffer that any device can take: the newest free one of this device. */
static size_t bounce_size(const struct bb_block *block)
{
    return block->block_size > BOUNCE ? block->block_size : BOUNCE;
}

static void *take_bounce(struct bb_block *block)
{
    void *bounce = block->bounces;
    if (bounce)
        memcpy(&block->bounces, bounce, sizeof(block->bounces));
    else
        bounce = bb_device_alloc(block->face.device, bounce_size(block),
                                 block->alignment > 64 ? block->alignment : 64);
    return bounce;
}

/* Where a reset did not end, the device may still write to it: then the block device is broken, and
 * nothing that is read through a buffer of it comes to anyone. */
static void give_bounce(struct bb_block *block, void *bounce)
{
    memcpy(bounce, &block->bounces, sizeof(block->bounces));
    block->bounces = bounce;
}

static bool reaches(const struct bb_block *block, uint64_t first, uint64_t count)
{
    return first <= block->capacity && count <= block->capacity - first;
}

static int transfer(struct bb_block *block, enum bb_block_op op, uint64_t first, uint32_t left,
                    uint8_t *data)
{
    bool odd = (uintptr_t)data & (block->alignment - 1);
    uint8_t *bounce = odd && left ? take_bounce(block) : NULL;
    uint32_t most = odd ? (uint32_t)(bounce_size(block) >> block->shift) : block->max_blocks;
    int error = reaches(block, first, left) ? 0 : -EINVAL;
    if (odd && left && !bounce)
        return -ENOMEM;
    if (most > block->max_blocks)
        most = block->max_blocks;
    while (left && !error) {
        uint32_t some = left < most ? left : most, bytes = some << block->shift;
        const struct bb_block_segment segment = {odd ? bounce : data, bytes};
        struct bb_block_request request = {
            .op = (uint8_t)op, .block = first, .segments = &segment, .segment_count = 1};
        if (odd && op == BB_BLOCK_WRITE)
            memcpy(bounce, data, bytes);
        error = run(block, &request);
        if (odd && op == BB_BLOCK_READ && !error)
            memcpy(data, bounce, bytes);
        first += some;
        data += bytes;
        left -= some;
    }
    if (bounce)
        give_bounce(block, bounce);
    return error;
}

int bb_block_read(struct bb_block *block, uint64_t first, uint32_t count, void *data)
{
    return transfer(block, BB_BLOCK_READ, first, count, data);
}

int bb_block_write(struct bb_block *block, uint64_t first, uint32_t count, const void *data)
{
    return transfer(block, BB_BLOCK_WRITE, first, count, (uint8_t *)(uintptr_t)data);
}

int bb_block_flush(struct bb_block *block)
{
    struct bb_block_request request = {.op = BB_BLOCK_FLUSH};
    if (block->face.device->removed)
        return -ENODEV;
    return block->features & BB_BLOCK_HAS_FLUSH ? run(block, &request) : block->broken ? -EIO : 0;
}

static int erase(struct bb_block *block, enum bb_block_op op, uint64_t first, uint64_t left)
{
    int error = reaches(block, first, left) ? 0 : -EINVAL;
    while (left && !error) {
        uint32_t some = left < block->max_erase ? (uint32_t)left : block->max_erase;
        struct bb_block_request request = {.op = (uint8_t)op, .block = first, .count = some};
        error = run(block, &request);
        first += some;
        left -= some;
    }
    return error;
}

int bb_block_discard(struct bb_block *block, uint64_t first, uint64_t count)
{
    if (!(block->features & BB_BLOCK_HAS_DISCARD))
        return -ENOTSUP;
    return erase(block, BB_BLOCK_DISCARD, first, count);
}

int bb_block_write_zeroes(struct bb_block *block, uint64_t first, uint64_t count)
{
    int error = reaches(block, first, count) ? 0 : -EINVAL;
    if (block->features & BB_BLOCK_HAS_WRITE_ZEROES || error)
        return error ? error : erase(block, BB_BLOCK_WRITE_ZEROES, first, count);
    void *zeros = take_bounce(block);
    if (!zeros)
        return -ENOMEM;
    memset(zeros, 0, bounce_size(block));
    while (count && !error) {
        uint32_t most = (uint32_t)(bounce_size(block) >> block->shift);
        uint32_t some = count < most ? (uint32_t)count : most;
        error = bb_block_write(block, first, some, zeros);
        first += some;
        count -= some;
    }
    give_bounce(block, zeros);
    return error;
}
