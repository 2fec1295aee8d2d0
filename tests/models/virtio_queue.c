/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device's side of its queues (Virtual I/O Device version 1.2, sections 2.7 and 2.8),
 * written from the specification: layouts are read byte by byte here. */
#include "virtio_queue.h"

#include <stdlib.h>
#include <string.h>

enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAILABLE = 0x80, USED = 0x8000 };
enum { DISABLE = 1, EXACT = 2 };
enum { NEEDS_RESET = 64 };

/* What one descriptor of either format says. */
struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, id, next;
};

static void require(bool condition, const char *what, uint64_t value)
{
    if (!condition)
        world_fail("virtio", "%s (%#llx)", what, (unsigned long long)value);
}

static bool is_packed(const struct model_virtio *device)
{
    return model_virtio_has(device, VIRTIO_F_RING_PACKED);
}

static bool has_event(const struct model_virtio *device)
{
    return model_virtio_has(device, VIRTIO_F_EVENT_IDX);
}

static uint16_t load16(uint64_t address)
{
    return __atomic_load_n((const uint16_t *)(uintptr_t)address, __ATOMIC_ACQUIRE);
}

static void store16(uint64_t address, uint16_t value)
{
    __atomic_store_n((uint16_t *)(uintptr_t)address, value, __ATOMIC_RELEASE);
}

static void store32(uint64_t address, uint32_t value)
{
    __atomic_store_n((uint32_t *)(uintptr_t)address, value, __ATOMIC_RELEASE);
}

static struct descriptor load(uint64_t table, unsigned index, bool packed)
{
    struct descriptor descriptor;
    uint64_t at = table + 16ull * index;
    memcpy(&descriptor.address, (const void *)(uintptr_t)at, 8);
    memcpy(&descriptor.length, (const void *)(uintptr_t)(at + 8), 4);
    descriptor.flags = load16(at + (packed ? 14 : 12));
    descriptor.id = load16(at + 12);
    descriptor.next = load16(at + 14);
    return descriptor;
}

/* ---- Chains ---- */

uint32_t virtio_chain_read(const struct virtio_chain *chain, uint64_t offset, void *data,
                           uint32_t size)
{
    uint32_t done = 0;
    for (unsigned i = 0; i < chain->out && done < size; i++) {
        uint32_t length = chain->parts[i].length;
        if (offset >= length) {
            offset -= length;
            continue;
        }
        uint32_t count = length - (uint32_t)offset;
        count = count < size - done ? count : size - done;
        memcpy((uint8_t *)data + done, chain->parts[i].data + offset, count);
        done += count;
        offset = 0;
    }
    return done;
}

uint32_t virtio_chain_write(const struct virtio_chain *chain, uint64_t offset, const void *data,
                            uint32_t size)
{
    uint32_t done = 0;
    for (unsigned i = chain->out; i < chain->out + chain->in && done < size; i++) {
        uint32_t length = chain->parts[i].length;
        if (offset >= length) {
            offset -= length;
            continue;
        }
        uint32_t count = length - (uint32_t)offset;
        count = count < size - done ? count : size - done;
        memcpy(chain->parts[i].data + offset, (const uint8_t *)data + done, count);
        done += count;
        offset = 0;
    }
    return done;
}

static void free_chain(struct virtio_chain *chain)
{
    free(chain->parts);
    free(chain->indices);
    free(chain);
}

/* Room for one more, where there are `count`. */
static void *grown(void *memory, unsigned count, size_t size)
{
    return count && (count & (count - 1)) ? memory
                                          : realloc(memory, (count ? 2 * count : 1) * size);
}

static void add_part(const struct model_virtio_queue *queue, struct virtio_chain *chain,
                     const struct descriptor *descriptor)
{
    require(chain->out + chain->in < queue->size, "a chain longer than the queue", queue->size);
    require(descriptor->length && descriptor->address, "an empty part", descriptor->address);
    chain->parts = grown(chain->parts, chain->out + chain->in, sizeof *chain->parts);
    chain->parts[chain->out + chain->in].data = (uint8_t *)(uintptr_t)descriptor->address;
    chain->parts[chain->out + chain->in].length = descriptor->length;
    if (descriptor->flags & WRITE) {
        chain->in++;
        chain->in_bytes += descriptor->length;
    } else {
        require(!chain->in, "a part to read after one to write", descriptor->address);
        chain->out++;
        chain->out_bytes += descriptor->length;
    }
}

static void walk_table(const struct model_virtio *device, const struct model_virtio_queue *queue,
                       struct virtio_chain *chain, const struct descriptor *descriptor)
{
    unsigned count = descriptor->length / 16;
    require(model_virtio_has(device, VIRTIO_F_INDIRECT_DESC), "indirect, but not negotiated", 0);
    require(!(descriptor->flags & NEXT), "indirect and chained", descriptor->flags);
    require(!(descriptor->flags & WRITE), "an indirect table to write", descriptor->flags);
    require(count && descriptor->length % 16 == 0, "table length", descriptor->length);
    require(descriptor->address % 16 == 0, "table address", descriptor->address);
    if (is_packed(device)) {
        for (unsigned i = 0; i < count; i++) {
            struct descriptor part = load(descriptor->address, i, true);
            require(!(part.flags & ~WRITE), "flags in a table", part.flags);
            add_part(queue, chain, &part);
        }
        return;
    }
    for (unsigned i = 0, steps = 0;; steps++) {
        require(i < count && steps < count, "table chained to nowhere", i);
        struct descriptor part = load(descriptor->address, i, false);
        require(!(part.flags & ~(NEXT | WRITE)), "flags in a table", part.flags);
        add_part(queue, chain, &part);
        if (!(part.flags & NEXT))
            return;
        i = part.next;
    }
}

static struct virtio_chain *new_chain(unsigned index)
{
    struct virtio_chain *chain = calloc(1, sizeof *chain);
    chain->queue = index;
    return chain;
}

static struct virtio_chain *fetch_split(struct model_virtio *device, unsigned index)
{
    struct model_virtio_queue *queue = &device->queues[index];
    uint16_t posted = load16(queue->driver + 2);
    if (posted == queue->seen)
        return NULL;
    require((uint16_t)(posted - queue->seen) <= queue->size, "the available index jumps", posted);
    struct virtio_chain *chain = new_chain(index);
    uint16_t at = load16(queue->driver + 4 + 2ull * (queue->seen % queue->size));
    queue->seen++;
    chain->id = at;
    for (;;) {
        require(at < queue->size, "descriptor index", at);
        require(!queue->busy[at], "a descriptor that is in use", at);
        queue->busy[at] = 1;
        chain->indices = grown(chain->indices, chain->entries, sizeof *chain->indices);
        chain->indices[chain->entries++] = at;
        struct descriptor descriptor = load(queue->desc, at, false);
        require(!(descriptor.flags & ~(NEXT | WRITE | INDIRECT)), "flags", descriptor.flags);
        if (descriptor.flags & INDIRECT) {
            require(chain->entries == 1, "indirect inside of a chain", at);
            walk_table(device, queue, chain, &descriptor);
        } else {
            add_part(queue, chain, &descriptor);
        }
        if (!(descriptor.flags & NEXT))
            return chain;
        at = descriptor.next;
    }
}

static struct virtio_chain *fetch_packed(struct model_virtio *device, unsigned index)
{
    struct model_virtio_queue *queue = &device->queues[index];
    struct virtio_chain *chain = NULL;
    for (;;) {
        struct descriptor descriptor = load(queue->desc, queue->seen, true);
        bool available = descriptor.flags & AVAILABLE, used = descriptor.flags & USED;
        if (!chain && (available != queue->seen_wrap || used == queue->seen_wrap))
            return NULL;
        require(available == queue->seen_wrap && used != queue->seen_wrap,
                "a chain that is not all available", queue->seen);
        require(!(descriptor.flags & ~(NEXT | WRITE | INDIRECT | AVAILABLE | USED)), "flags",
                descriptor.flags);
        if (!chain)
            chain = new_chain(index);
        chain->entries++;
        require(queue->in_flight + chain->entries <= queue->size, "more than the ring holds",
                queue->in_flight);
        if (descriptor.flags & INDIRECT) {
            require(chain->entries == 1, "indirect inside of a chain", queue->seen);
            walk_table(device, queue, chain, &descriptor);
        } else {
            add_part(queue, chain, &descriptor);
        }
        if (++queue->seen == queue->size) {
            queue->seen = 0;
            queue->seen_wrap = !queue->seen_wrap;
        }
        if (descriptor.flags & NEXT)
            continue;
        chain->id = descriptor.id;
        require(!queue->busy[chain->id], "a buffer id that is in use", chain->id);
        queue->busy[chain->id] = 1;
        return chain;
    }
}

/* ---- Notifications ---- */

static void ask_for_notification(struct model_virtio *device, struct model_virtio_queue *queue)
{
    if (is_packed(device)) {
        uint32_t exact = queue->seen | (queue->seen_wrap ? 0x8000u : 0) | (uint32_t)EXACT << 16;
        store32(queue->device, device->no_notify   ? (uint32_t)DISABLE << 16
                               : has_event(device) ? exact
                                                   : 0);
    } else if (has_event(device)) {
        store16(queue->device + 4 + 8ull * queue->size,
                (uint16_t)(queue->seen - (device->no_notify ? 1 : 0)));
    } else {
        store16(queue->device, device->no_notify);
    }
}

/* Whether the driver wants to hear that one chain of `entries` was used, by which the ring is where
 * it is now. */
static bool wants_interrupt(const struct model_virtio *device,
                            const struct model_virtio_queue *queue, unsigned entries)
{
    if (!is_packed(device)) {
        if (!has_event(device))
            return !(load16(queue->driver) & 1);
        uint16_t event = load16(queue->driver + 4 + 2ull * queue->size);
        return event == (uint16_t)(queue->used - 1);
    }
    uint16_t flags = load16(queue->driver + 2) & 3, event = load16(queue->driver);
    if (flags != EXACT)
        return flags != DISABLE;
    require(has_event(device), "an exact event, but no EVENT_IDX", flags);
    bool wrap = event & 0x8000;
    unsigned at = event & 0x7fff;
    require(at < queue->size, "event offset", at);
    for (unsigned i = 1; i <= entries; i++) { /* each entry that was passed */
        unsigned passed = (queue->used + 2u * queue->size - i) % queue->size;
        bool round = passed > queue->used || queue->used < i ? !queue->used_wrap : queue->used_wrap;
        if (passed == at && round == wrap)
            return true;
    }
    return false;
}

/* ---- Using ---- */

static uint32_t free_id(const struct model_virtio_queue *queue)
{
    for (uint32_t id = 0; id < queue->size; id++) {
        if (!queue->busy[id])
            return id;
    }
    return queue->size;
}

static enum virtio_fault fault_now(struct model_virtio *device)
{
    enum virtio_fault fault = device->fault;
    if (fault == VIRTIO_GOOD || device->fault_after-- > 0)
        return VIRTIO_GOOD;
    device->fault = VIRTIO_GOOD;
    return fault;
}

static void hold(struct model_virtio_queue *queue, struct virtio_chain *chain)
{
    *(queue->held ? &queue->last_held->next : &queue->held) = chain;
    queue->last_held = chain;
}

static void let_go(struct model_virtio_queue *queue, const struct virtio_chain *chain)
{
    struct virtio_chain *before = NULL;
    for (struct virtio_chain *at = queue->held; at != chain; at = at->next)
        before = at;
    *(before ? &before->next : &queue->held) = chain->next;
    if (queue->last_held == chain)
        queue->last_held = before;
}

void model_virtio_use(struct model_virtio *device, struct virtio_chain *chain, uint32_t length)
{
    struct model_virtio_queue *queue = &device->queues[chain->queue];
    enum virtio_fault fault = fault_now(device);
    uint32_t id = chain->id;

    let_go(queue, chain);
    if (fault == VIRTIO_ID_RANGE)
        id = queue->size;
    else if (fault == VIRTIO_ID_FREE)
        id = free_id(queue);
    else if (fault == VIRTIO_ID_TWICE)
        id = queue->last_id;
    else if (fault == VIRTIO_LENGTH)
        length = (uint32_t)chain->in_bytes + 1;
    else if (fault == VIRTIO_LENGTH_HUGE)
        length = UINT32_MAX;
    queue->last_id = chain->id;
    for (unsigned i = 0; chain->indices && i < chain->entries; i++)
        queue->busy[chain->indices[i]] = 0;
    queue->busy[chain->id] = 0;
    queue->in_flight -= chain->entries;
    if (is_packed(device)) {
        uint64_t at = queue->desc + 16ull * queue->used;
        store32(at + 8, length);
        store16(at + 12, (uint16_t)id);
        store16(at + 14, queue->used_wrap ? AVAILABLE | USED : 0);
        queue->used = (uint16_t)(queue->used + chain->entries);
        if (queue->used >= queue->size) {
            queue->used = (uint16_t)(queue->used - queue->size);
            queue->used_wrap = !queue->used_wrap;
        }
    } else {
        uint64_t at = queue->device + 4 + 8ull * (queue->used % queue->size);
        store32(at, id);
        store32(at + 4, length);
        queue->used++;
        uint16_t index = queue->used;
        if (fault == VIRTIO_USED_JUMPS)
            index = (uint16_t)(queue->used + queue->in_flight + 1);
        else if (fault == VIRTIO_USED_BACK)
            index = (uint16_t)(queue->used - 2);
        store16(queue->device + 2, index);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (wants_interrupt(device, queue, chain->entries)) {
        queue->interrupts++;
        virtio_signal(device, 1);
    }
    free_chain(chain);
}

struct virtio_chain *model_virtio_held(struct model_virtio *device, unsigned queue)
{
    return device->queues[queue].held;
}

void model_virtio_run(struct model_virtio *device, unsigned index)
{
    struct model_virtio_queue *queue = &device->queues[index];
    while (queue->ready && !(device->status & NEEDS_RESET)) {
        struct virtio_chain *chain =
            is_packed(device) ? fetch_packed(device, index) : fetch_split(device, index);
        if (!chain) {
            ask_for_notification(device, queue);
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            return;
        }
        queue->in_flight += chain->entries;
        queue->chains++;
        hold(queue, chain);
        uint32_t length = device->handle ? device->handle(device, chain) : VIRTIO_HOLD;
        if (length != VIRTIO_HOLD)
            model_virtio_use(device, chain, length);
    }
}

void virtio_queue_start(struct model_virtio *device, unsigned index)
{
    struct model_virtio_queue *queue = &device->queues[index];
    queue->ready = true;
    queue->busy = calloc(is_packed(device) ? 65536 : queue->size, 1); /* ids are 16 bits */
    queue->seen = queue->used = 0;
    queue->seen_wrap = queue->used_wrap = true;
    ask_for_notification(device, queue);
}

void virtio_queue_reset(struct model_virtio *device, unsigned index)
{
    struct model_virtio_queue *queue = &device->queues[index];
    while (queue->held) {
        struct virtio_chain *chain = queue->held;
        queue->held = chain->next;
        free_chain(chain);
    }
    free(queue->busy);
    *queue = (struct model_virtio_queue){
        .max = device->queue_max[index],
        .notified = queue->notified,
        .chains = queue->chains,
        .interrupts = queue->interrupts,
    };
}
