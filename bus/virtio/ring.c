/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtqueues (Virtual I/O Device version 1.2, sections 2.7 and 2.8). What the driver needs to know
 * of a chain stands in memory of its own: of what is shared with the device only used elements,
 * events and flags are read, each once.
 *
 * A chain has a slot, which is its id (times `stride`, where it takes several descriptors of a
 * split table). Free slots wait in `order`, the one that was freed first at its front. As long as
 * the device completes in the order of posting that order is 0, 1, 2 ...: then nothing of it is
 * read or written, nor is the available ring of a split queue, whose entries stay as they are.
 */
#include <string.h>

#include <bus/virtio/ring.h>

enum { AVAILABLE = 0x80, USED = 0x8000 };    /* of a packed entry */
enum { NO_INTERRUPT = 1 };                   /* flag of a split ring */
enum { ENABLE = 0, DISABLE = 1, EXACT = 2 }; /* flags of a packed ring's events */
enum { ABANDONED = BB_RING_ANY + 1 };        /* a kind: bb_ring_abandon() has begun */

/* ---- Layout ---- */

static size_t align(size_t size, size_t alignment)
{
    return (size + alignment - 1) & ~(alignment - 1);
}

static unsigned parts_of(const struct bb_ring_format *format)
{
    return format->parts ? format->parts : 1;
}

/* Entries that one chain takes, so that chains fit the ring evenly. */
static unsigned stride_of(const struct bb_ring_format *format)
{
    unsigned parts = parts_of(format), stride = 1;
    if (format->indirect || parts == 1)
        return 1;
    if (format->packed)
        return parts;
    while (stride < parts)
        stride *= 2;
    return stride;
}

static unsigned slots_of(const struct bb_ring_format *format)
{
    return format->size / stride_of(format);
}

int bb_ring_check(const struct bb_ring_format *format)
{
    if (format->size == 0 || format->size > BB_RING_MAX_SIZE)
        return -EINVAL;
    if (!format->packed && (format->size & (format->size - 1)))
        return -EINVAL;
    /* No chain may be longer than the queue, in tables neither (2.7.5.3.1). */
    return parts_of(format) > format->size ? -EINVAL : 0;
}

static size_t used_offset(const struct bb_ring_format *format)
{
    size_t end = (size_t)format->size * (sizeof(struct bb_ring_entry) + 2) + 6;
    return align(end, format->legacy ? BB_RING_LEGACY_ALIGN : BB_RING_ALIGN);
}

static size_t tables_offset(const struct bb_ring_format *format)
{
    size_t end = (size_t)format->size * sizeof(struct bb_ring_entry) + 2 * BB_RING_ALIGN;
    if (!format->packed)
        end = used_offset(format) + (size_t)format->size * sizeof(struct bb_ring_used_element) + 6;
    return align(end, BB_RING_ALIGN);
}

static bool has_tables(const struct bb_ring_format *format)
{
    return format->indirect && parts_of(format) > 1;
}

size_t bb_ring_shared_bytes(const struct bb_ring_format *format)
{
    size_t tables = has_tables(format) ? (size_t)slots_of(format) * parts_of(format) : 0;
    return tables_offset(format) + tables * sizeof(struct bb_ring_entry);
}

size_t bb_ring_own_bytes(const struct bb_ring_format *format)
{
    return slots_of(format) * (sizeof(void *) + sizeof(uint32_t) + 2 * sizeof(uint16_t));
}

void bb_ring_begin_in(struct bb_ring *ring, const struct bb_ring_format *format, void *shared,
                      void *own)
{
    char *memory = shared;
    unsigned slots = slots_of(format);
    memset(ring, 0, sizeof(*ring));
    ring->parts = (uint16_t)parts_of(format);
    ring->size = format->size;
    ring->packed = format->packed;
    ring->event = format->event;
    ring->slots = (uint16_t)slots;
    ring->stride = (uint16_t)stride_of(format);
    ring->entries = shared;
    if (format->packed) {
        ring->driver_event = (void *)(memory + tables_offset(format) - 2 * BB_RING_ALIGN);
        ring->device_event = (void *)(memory + tables_offset(format) - BB_RING_ALIGN);
    } else {
        ring->available = (void *)(ring->entries + format->size);
        ring->used = (void *)(memory + used_offset(format));
        ring->device_wants =
            format->event ? (const uint16_t *)&ring->used->entries[ring->size] : &ring->used->flags;
    }
    if (has_tables(format))
        ring->tables = (void *)(memory + tables_offset(format));
    ring->tokens = own;
    ring->writable = (void *)(ring->tokens + slots);
    ring->order = (void *)(ring->writable + slots);
    ring->lengths = ring->order + slots;
    bb_ring_empty(ring);
}

void bb_ring_empty(struct bb_ring *ring)
{
    bool simple = ring->stride == 1;
    ring->broken = NULL;
    ring->room = ring->slots;
    ring->kind = (uint8_t)(!simple ? BB_RING_ANY : ring->packed ? BB_RING_PACKED : BB_RING_SPLIT);
    ring->head = ring->tail = ring->published = ring->order_head = ring->order_tail = 0;
    ring->head_flags = AVAILABLE;
    ring->tail_flags = AVAILABLE | USED;
    memset(ring->entries, 0, ring->size * sizeof(struct bb_ring_entry));
    for (unsigned i = 0; i < ring->slots; i++) {
        ring->tokens[i] = NULL;
        ring->lengths[i] = 1;
        ring->order[i] = (uint16_t)i;
    }
    if (ring->packed) {
        *ring->driver_event = *ring->device_event = (struct bb_ring_event){0};
    } else {
        memset(ring->used, 0, 6 + ring->size * sizeof(struct bb_ring_used_element));
        ring->available->index = 0;
        for (unsigned i = 0; i < ring->size; i++)
            ring->available->entries[i] = (uint16_t)(i % ring->slots * ring->stride);
    }
    bb_ring_disarm(ring);
}

/* ---- Slots ---- */

void bb_ring_bad(struct bb_ring *ring, const char *why)
{
    if (!ring->broken)
        ring->broken = why;
}

/* Leaves tokens to the slots alone that the device has: from `at` on, `count` of them. */
static void forget_others(struct bb_ring *ring, unsigned at, unsigned count)
{
    at = ring->packed ? at : at & (ring->slots - 1u);
    for (unsigned i = count; i < ring->slots; i++) {
        unsigned slot = at + i;
        ring->tokens[slot < ring->slots ? slot : slot - ring->slots] = NULL;
    }
}

/* Positions in `order` begin where the ring is. */
static void leave_order(struct bb_ring *ring, uint16_t at, unsigned count)
{
    forget_others(ring, at, count);
    ring->order_head = ring->head;
    ring->order_tail = at;
    ring->kind = BB_RING_ANY;
}

static unsigned in_flight(const struct bb_ring *ring)
{
    return (unsigned)ring->slots - ring->room;
}

/* How many of the device's were taken when the tail goes to `at`. */
static unsigned taken_to(const struct bb_ring *ring, uint16_t at)
{
    if (!ring->packed)
        return (uint16_t)(at - ring->tail);
    return at >= ring->tail ? at - ring->tail : at + ring->size - ring->tail;
}

void bb_ring_disorder(struct bb_ring *ring, uint16_t at, uint32_t id)
{
    unsigned count = in_flight(ring) - taken_to(ring, at);
    unsigned first = ring->packed ? at : at & (ring->slots - 1u);
    unsigned beyond = (id + ring->slots - first) % ring->slots;
    if (id >= ring->slots)
        bb_ring_bad(ring, "used id out of range");
    else if (beyond >= count)
        bb_ring_bad(ring, "used id that was not posted");
    else
        leave_order(ring, at, count);
}

static uint16_t next_in_order(const struct bb_ring *ring, uint16_t at)
{
    if (!ring->packed)
        return (uint16_t)(at + 1);
    return at + 1 == ring->slots ? 0 : (uint16_t)(at + 1);
}

static uint16_t *order_at(const struct bb_ring *ring, uint16_t at)
{
    return &ring->order[ring->packed ? at : at & (ring->slots - 1)];
}

unsigned bb_ring_any_slot(const struct bb_ring *ring)
{
    if (ring->kind == BB_RING_ANY)
        return *order_at(ring, ring->order_head);
    return ring->packed ? ring->head : ring->head & (ring->slots - 1u);
}

/* ---- Posting ---- */

/* Makes `count` entries of a packed ring, or one of a split one, the device's. */
static void advance_head(struct bb_ring *ring, unsigned count)
{
    ring->room--;
    ring->order_head = next_in_order(ring, ring->order_head);
    if (!ring->packed) {
        ring->head++;
        return;
    }
    unsigned head = ring->head + count;
    if (head >= ring->size) {
        head -= ring->size;
        ring->head_flags ^= AVAILABLE | USED;
    }
    ring->head = (uint16_t)head;
    ring->published = (uint16_t)(ring->published + count);
}

void bb_ring_any_put(struct bb_ring *ring, unsigned slot, uint64_t address, uint32_t length,
                     uint16_t flags, void *token)
{
    ring->tokens[slot] = token;
    ring->lengths[slot] = 1;
    if (ring->packed) {
        struct bb_ring_entry *entry = &ring->entries[ring->head];
        entry->address = address;
        __atomic_store_n(&entry->rest,
                         length | (uint64_t)slot << 32 | (uint64_t)(flags | ring->head_flags) << 48,
                         __ATOMIC_RELEASE);
    } else {
        struct bb_ring_entry *entry = &ring->entries[slot * ring->stride];
        entry->address = address;
        entry->rest = length | (uint64_t)flags << 32;
        ring->available->entries[ring->head & (ring->size - 1)] = (uint16_t)(slot * ring->stride);
    }
    advance_head(ring, 1);
}

/* Direct descriptors, at `stride` for each slot. */
static void put_split_chain(struct bb_ring *ring, unsigned slot, const struct bb_ring_part *parts,
                            unsigned out, unsigned count, void *token)
{
    unsigned first = slot * ring->stride;
    for (unsigned i = 0; i < count; i++) {
        struct bb_ring_entry *entry = &ring->entries[first + i];
        entry->address = (uintptr_t)parts[i].data;
        entry->length = parts[i].length;
        entry->split.flags =
            (uint16_t)((i < out ? 0 : BB_RING_WRITE) | (i + 1 < count ? BB_RING_NEXT : 0));
        entry->split.next = (uint16_t)(i + 1 < count ? first + i + 1 : 0);
    }
    ring->tokens[slot] = token;
    ring->available->entries[ring->head & (ring->size - 1)] = (uint16_t)first;
    advance_head(ring, 1);
}

/* The first one's flags go last: with them the whole chain is the device's. */
static void put_packed_chain(struct bb_ring *ring, unsigned slot, const struct bb_ring_part *parts,
                             unsigned out, unsigned count, void *token)
{
    uint16_t first_flags = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = ring->head + i, flags = ring->head_flags;
        if (at >= ring->size) {
            at -= ring->size;
            flags ^= AVAILABLE | USED;
        }
        struct bb_ring_entry *entry = &ring->entries[at];
        flags |= (i < out ? 0 : BB_RING_WRITE) | (i + 1 < count ? BB_RING_NEXT : 0);
        entry->address = (uintptr_t)parts[i].data;
        entry->length = parts[i].length;
        entry->packed.id = (uint16_t)slot;
        if (i == 0)
            first_flags = (uint16_t)flags;
        else
            entry->packed.flags = (uint16_t)flags;
    }
    __atomic_store_n(&ring->entries[ring->head].packed.flags, first_flags, __ATOMIC_RELEASE);
    ring->tokens[slot] = token;
    ring->lengths[slot] = (uint16_t)count;
    advance_head(ring, count);
}

static void write_table(const struct bb_ring *ring, struct bb_ring_entry *table,
                        const struct bb_ring_part *parts, unsigned out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint16_t flags = i < out ? 0 : BB_RING_WRITE;
        table[i].address = (uintptr_t)parts[i].data;
        table[i].rest = parts[i].length;
        if (ring->packed) {
            table[i].packed.flags = flags;
        } else {
            table[i].split.flags = (uint16_t)(flags | (i + 1 < count ? BB_RING_NEXT : 0));
            table[i].split.next = (uint16_t)(i + 1 < count ? i + 1 : 0);
        }
    }
}

bool bb_ring_post(struct bb_ring *ring, const struct bb_ring_part *parts, unsigned out, unsigned in,
                  void *token)
{
    unsigned count = out + in;
    BB_ASSERT(count > 0 && token);
    if (!ring->room || count > ring->parts || ring->broken)
        return false;
    unsigned slot = bb_ring_any_slot(ring);
    uint64_t writable = 0;
    for (unsigned i = out; i < count; i++)
        writable += parts[i].length;
    ring->writable[slot] = writable > UINT32_MAX ? UINT32_MAX : (uint32_t)writable;
    if (count == 1) {
        bb_ring_any_put(ring, slot, (uintptr_t)parts->data, parts->length, in ? BB_RING_WRITE : 0,
                        token);
    } else if (ring->tables) {
        struct bb_ring_entry *table = &ring->tables[slot * ring->parts];
        write_table(ring, table, parts, out, count);
        bb_ring_any_put(ring, slot, (uintptr_t)table, count * 16, BB_RING_INDIRECT, token);
    } else if (ring->packed) {
        put_packed_chain(ring, slot, parts, out, count, token);
    } else {
        put_split_chain(ring, slot, parts, out, count, token);
    }
    return true;
}

void bb_ring_kick(struct bb_ring *ring)
{
    if (!ring->packed) {
        if (ring->head != ring->published)
            bb_ring_show(ring, ring->head, (uint16_t)(ring->head - ring->published));
        return;
    }
    uint16_t posted = ring->published;
    if (!posted)
        return;
    ring->published = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t event = __atomic_load_n((const uint32_t *)ring->device_event, __ATOMIC_RELAXED);
    unsigned flags = event >> 16 & 3, offset = event & 0x7fff;
    bool wanted = flags != DISABLE;
    if (flags == EXACT) {
        bool same_round = (event >> 15 & 1) == !!(ring->head_flags & AVAILABLE);
        unsigned distance = ring->head - (same_round ? offset : offset - ring->size);
        wanted = (uint16_t)(distance - 1) < posted;
    }
    if (wanted)
        bb_arch_write32(ring->notify, ring->notify_value);
}

/* ---- Taking ---- */

/* The next used id, or false. */
static bool read_used(struct bb_ring *ring, uint32_t *id, uint32_t *length)
{
    if (!ring->packed) {
        uint16_t done =
            (uint16_t)(__atomic_load_n(&ring->used->index, __ATOMIC_ACQUIRE) - ring->tail);
        if (done > in_flight(ring))
            bb_ring_bad(ring, "used index beyond what was posted");
        if (!done || ring->broken)
            return false;
        const struct bb_ring_used_element *element =
            &ring->used->entries[ring->tail & (ring->size - 1)];
        *id = __atomic_load_n(&element->id, __ATOMIC_RELAXED);
        *length = __atomic_load_n(&element->length, __ATOMIC_RELAXED);
        if (ring->stride > 1 && *id % ring->stride)
            *id = UINT32_MAX;
        else
            *id /= ring->stride;
        return true;
    }
    uint64_t rest = __atomic_load_n(&ring->entries[ring->tail].rest, __ATOMIC_ACQUIRE);
    if (!in_flight(ring) || ((uint32_t)(rest >> 48) ^ ring->tail_flags) & (AVAILABLE | USED))
        return false;
    *id = (uint16_t)(rest >> 32);
    *length = (uint32_t)rest;
    return true;
}

/* Gives the slot of a chain back. */
static void advance_tail(struct bb_ring *ring, uint32_t slot)
{
    if (ring->kind == BB_RING_ANY) {
        ring->tokens[slot] = NULL;
        *order_at(ring, ring->order_tail) = (uint16_t)slot;
    }
    ring->order_tail = next_in_order(ring, ring->order_tail);
    ring->room++;
    if (!ring->packed) {
        ring->tail++;
        return;
    }
    unsigned tail = ring->tail + ring->lengths[slot];
    if (tail >= ring->size) {
        tail -= ring->size;
        ring->tail_flags ^= AVAILABLE | USED;
    }
    ring->tail = (uint16_t)tail;
}

/* The slot of the next chain that the device is done with, or false. */
static bool next_used(struct bb_ring *ring, uint32_t *slot, uint32_t *length)
{
    if (ring->broken || ring->kind == ABANDONED || !read_used(ring, slot, length))
        return false;
    if (ring->kind != BB_RING_ANY &&
        *slot != (ring->packed ? ring->tail : ring->tail & (ring->slots - 1u)))
        bb_ring_disorder(ring, ring->tail, *slot);
    else if (*slot >= ring->slots)
        bb_ring_bad(ring, "used id out of range");
    else if (!ring->tokens[*slot])
        bb_ring_bad(ring, "used id that was not posted");
    return !ring->broken;
}

void *bb_ring_any_next(struct bb_ring *ring, unsigned *slot, uint32_t *length)
{
    uint32_t next;
    if (!next_used(ring, &next, length))
        return NULL;
    void *token = ring->tokens[next];
    *slot = next;
    advance_tail(ring, next);
    return token;
}

void *bb_ring_take(struct bb_ring *ring, uint32_t *length)
{
    uint32_t slot, written;
    if (!next_used(ring, &slot, &written))
        return NULL;
    if (written > ring->writable[slot]) {
        bb_ring_bad(ring, "used length beyond what may be written");
        return NULL;
    }
    void *token = ring->tokens[slot];
    advance_tail(ring, slot);
    if (length)
        *length = written;
    return token;
}

bool bb_ring_pending(const struct bb_ring *ring)
{
    if (!ring->packed)
        return __atomic_load_n(&ring->used->index, __ATOMIC_ACQUIRE) != ring->tail;
    uint64_t rest = __atomic_load_n(&ring->entries[ring->tail].rest, __ATOMIC_ACQUIRE);
    return !(((uint32_t)(rest >> 48) ^ ring->tail_flags) & (AVAILABLE | USED)) && in_flight(ring);
}

bool bb_ring_arm(struct bb_ring *ring)
{
    if (ring->packed) {
        uint16_t offset_wrap =
            (uint16_t)(ring->tail | (ring->tail_flags & AVAILABLE ? 0x8000u : 0u));
        __atomic_store_n((uint32_t *)ring->driver_event,
                         ring->event ? offset_wrap | (uint32_t)EXACT << 16 : ENABLE,
                         __ATOMIC_RELAXED);
    } else if (ring->event) {
        __atomic_store_n(&ring->available->entries[ring->size], ring->tail, __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&ring->available->flags, 0, __ATOMIC_RELAXED);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* it sees that, or we see what it used */
    return bb_ring_pending(ring);
}

void bb_ring_disarm(struct bb_ring *ring)
{
    if (ring->packed)
        __atomic_store_n((uint32_t *)ring->driver_event, (uint32_t)DISABLE << 16, __ATOMIC_RELAXED);
    else if (ring->event) /* as far off as can be said */
        __atomic_store_n(&ring->available->entries[ring->size], (uint16_t)(ring->tail - 1),
                         __ATOMIC_RELAXED);
    else
        __atomic_store_n(&ring->available->flags, NO_INTERRUPT, __ATOMIC_RELAXED);
}

void *bb_ring_abandon(struct bb_ring *ring)
{
    if (ring->kind != ABANDONED) {
        if (ring->kind != BB_RING_ANY)
            forget_others(ring, ring->tail, in_flight(ring));
        ring->kind = ABANDONED;
        ring->order_head = 0;
        ring->room = 0;
    }
    while (ring->order_head < ring->slots) {
        void *token = ring->tokens[ring->order_head];
        ring->tokens[ring->order_head++] = NULL;
        if (token)
            return token;
    }
    return NULL;
}
