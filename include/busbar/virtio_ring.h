/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtqueues (Virtual I/O Device version 1.2, sections 2.7 and 2.8): split, with event index and
 * indirect descriptors, and packed, behind one interface. One producer and consumer: the driver, in
 * thread context; one core at a time for each ring.
 *
 *     bb_ring_post(ring, parts, 2, 1, request);    // two that the device reads, one that it writes
 *     bb_ring_kick(ring);                          // once for a batch
 *     ...
 *     while ((request = bb_ring_take(ring, &length)))
 *         ...
 *
 * take() checks all that the device wrote: an index that jumps, an id that is out of range or not
 * posted, a length beyond what it may write. Then ring->broken says what, and it answers NULL from
 * then on; the driver calls bb_virtio_fail().
 *
 * Drivers that count instructions use batches instead, further down: for chains of one entry, which
 * is a single part, or a table of descriptors that the driver keeps. A ring is used in one of the
 * two ways, not in both.
 */
#ifndef BUSBAR_VIRTIO_RING_H
#define BUSBAR_VIRTIO_RING_H

#include <busbar/arch.h>
#include <busbar/base.h>

#define BB_RING_MAX_SIZE 32768

#define BB_RING_INLINE static inline __attribute__((always_inline))

struct bb_ring_part {
    void *data;
    uint32_t length; /* bytes, not 0 */
};

/* ---- What the device sees; little-endian, or of a legacy device in the CPU's order ---- */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are shared as they are");

enum { /* flags of an entry */
       BB_RING_NEXT = 1,
       BB_RING_WRITE = 2,    /* the device writes there */
       BB_RING_INDIRECT = 4, /* a table of entries */
};

/* A descriptor of either format. */
struct bb_ring_entry {
    uint64_t address;
    union {
        struct {
            uint32_t length; /* in both formats */
            union {
                struct {
                    uint16_t flags, next;
                } split;
                struct {
                    uint16_t id, flags;
                } packed;
            };
        };
        uint64_t rest; /* all of that, for one store */
    };
};

struct bb_ring_used_element {
    uint32_t id, length;
};

struct bb_ring_available { /* split: written by the driver */
    uint16_t flags, index;
    uint16_t entries[]; /* then the index of the used entry that it wants an interrupt for */
};

struct bb_ring_used { /* split: written by the device */
    uint16_t flags, index;
    struct bb_ring_used_element entries[]; /* then the index that it wants to be notified of */
};

struct bb_ring_event { /* packed: whether and when one side wants to hear of the other */
    uint16_t offset_wrap, flags;
};

_Static_assert(sizeof(struct bb_ring_entry) == 16 && offsetof(struct bb_ring_entry, length) == 8 &&
                   offsetof(struct bb_ring_entry, split.next) == 14 &&
                   offsetof(struct bb_ring_entry, packed.flags) == 14,
               "as in sections 2.7.5 and 2.8.13");
_Static_assert(sizeof(struct bb_ring_used_element) == 8 &&
                   offsetof(struct bb_ring_used, entries) == 4 &&
                   offsetof(struct bb_ring_available, entries) == 4 &&
                   sizeof(struct bb_ring_event) == 4,
               "as in sections 2.7.6, 2.7.8 and 2.8.14");

/* ---- The ring ---- */

/* How batches go. The first two are short cuts, while the device completes in order; the third is
 * for whatever comes. */
enum bb_ring_kind { BB_RING_SPLIT, BB_RING_PACKED, BB_RING_ANY };

struct bb_ring {
    const char *broken; /* what the device did wrong, or NULL */
    uint16_t parts;     /* set before bb_virtio_ring(): the most of one chain; 0 means 1 */
    uint16_t size;      /* entries: a power of two when split */
    uint16_t room;      /* chains that can be posted now */
    bool packed;
    uint8_t kind; /* enum bb_ring_kind: of its batches. Changes when a batch is taken. */
    /* The rest is settled by bus/virtio/ring.c and the inline functions below. */
    bool event;          /* the event index was negotiated */
    uint16_t slots;      /* chains that it holds */
    uint16_t stride;     /* entries of one chain: 1, or `parts` where there are no tables */
    uint16_t head, tail; /* of what is posted and not yet taken. Split: counters; packed: entries */
    uint16_t head_flags, tail_flags; /* packed: available and used as they are this time round */
    uint16_t published;              /* split: head at the last kick; packed: posted since then */
    uint16_t order_head, order_tail; /* packed: of `order` */
    struct bb_ring_entry *entries;   /* the descriptor table, or the packed ring */
    void **tokens; /* by slot; NULL: free (in order: outside head and tail, any) */
    struct bb_ring_available *available;
    const uint16_t *device_wants; /* split: the index that it wants to be notified of, or flags */
    struct bb_ring_used *used;
    struct bb_ring_event *driver_event, *device_event;
    struct bb_ring_entry *tables; /* `parts` for each slot, or NULL */
    uint32_t *writable;           /* by slot: bytes that the device may write */
    uint16_t *lengths;            /* by slot: entries taken, packed without tables */
    uint16_t *order;              /* free slots, in the order of their next use */
    uintptr_t notify;             /* register */
    uint32_t notify_value;
    uint16_t index;       /* of the queue */
    struct bb_ring *next; /* of the same device */
};

/* Posts a chain: first `out` parts for the device to read, then `in` parts for it to write; `token`
 * (not NULL) comes back from take(). With indirect descriptors a chain takes one entry, else one
 * for each part. false: no room now, or more than ring->parts. */
bool bb_ring_post(struct bb_ring *ring, const struct bb_ring_part *parts, unsigned out, unsigned in,
                  void *token);
/* Makes what was posted visible, and notifies the device unless it said that it needs none. */
void bb_ring_kick(struct bb_ring *ring);
/* The token of a chain that the device is done with, and how many bytes it wrote, which is never
 * more than the chain's `in` parts hold; NULL: none. `length` may be NULL. */
void *bb_ring_take(struct bb_ring *ring, uint32_t *length);
/* Asks for an interrupt at the next used chain. True when there is one already: then none comes. */
bool bb_ring_arm(struct bb_ring *ring);
/* No interrupts, which is also how a ring begins, and what an interrupt leaves those rings at that
 * have something to take. */
void bb_ring_disarm(struct bb_ring *ring);
/* The token of a chain that the device still has, for those that end it: each once, then NULL. Only
 * after the device was reset. */
void *bb_ring_abandon(struct bb_ring *ring);
/* Whether the device has used a chain that was not taken yet. Every context. */
bool bb_ring_pending(const struct bb_ring *ring);
/* The device did something wrong that only the driver can see. */
void bb_ring_bad(struct bb_ring *ring, const char *why);

/* ---- Batches ----
 *
 * Each chain is one entry, in a slot: a number below ring->slots (here ring->size) that is the
 * chain's until it is taken, by which a driver can keep what goes with it. `kind` is a constant of
 * the function, so that nothing is decided again for each entry:
 *
 *     BB_RING_INLINE unsigned send_as(struct chip *chip, ..., unsigned count, enum bb_ring_kind
 * kind)
 *     {
 *         struct bb_ring_batch batch = bb_ring_begin(&chip->ring, kind);
 *         unsigned i, room = count < chip->ring.room ? count : chip->ring.room;
 *         for (i = 0; i < room; i++) {
 *             unsigned slot = bb_ring_slot(&batch, kind);
 *             bb_ring_put(&batch, kind, slot, address, length, 0, frames[i]);
 *         }
 *         bb_ring_end(&batch, kind);                   // publishes and notifies; not for nothing
 *         return i;
 *     }
 *     ...
 *     switch (ring->kind) {
 *     case BB_RING_SPLIT: return send_as(chip, ..., BB_RING_SPLIT);
 *     case BB_RING_PACKED: return send_as(chip, ..., BB_RING_PACKED);
 *     default: return send_as(chip, ..., BB_RING_ANY);
 *     }
 *
 * and to reap:
 *
 *         struct bb_ring_batch batch = bb_ring_look(&chip->ring, kind);
 *         while (count < limit && (frame = bb_ring_next(&batch, kind, &slot, &length)))
 *             ...                                      // length: unchecked; bb_ring_bad() if wrong
 *         bb_ring_taken(&batch, kind);
 *
 * A ring begins as SPLIT or PACKED and becomes ANY for good with the first chain that the device
 * completes out of order: that batch ends there, and its function is called again with the new
 * kind. While a batch of posts is open nothing else touches the ring; while one of takes is, others
 * may post, but not take.
 */
struct bb_ring_batch {
    struct bb_ring *ring;
    struct bb_ring_entry *entries;
    void **tokens;
    const struct bb_ring_used_element *used;
    uint16_t at;    /* head or tail */
    uint16_t count; /* so far; packed */
    uint16_t left;  /* to take, at most */
    uint16_t size, mask;
    uint16_t flags; /* packed: this time round */
};

/* For kind ANY, and for what should not happen. */
unsigned bb_ring_any_slot(const struct bb_ring *ring);
void bb_ring_any_put(struct bb_ring *ring, unsigned slot, uint64_t address, uint32_t length,
                     uint16_t flags, void *token);
void *bb_ring_any_next(struct bb_ring *ring, unsigned *slot, uint32_t *length);
/* A used id that was not next: the ring is ANY or broken from now on. `at`: the tail, with what the
 * batch has taken so far; something is left to take. */
void bb_ring_disorder(struct bb_ring *ring, uint16_t at, uint32_t id);

BB_RING_INLINE struct bb_ring_batch bb_ring_begin(struct bb_ring *ring, enum bb_ring_kind kind)
{
    (void)kind;
    return (struct bb_ring_batch){
        .ring = ring,
        .entries = ring->entries,
        .tokens = ring->tokens,
        .at = ring->head,
        .size = ring->size,
        .mask = (uint16_t)(ring->size - 1),
        .flags = ring->head_flags,
    };
}

/* The slot that the next put() fills. */
BB_RING_INLINE unsigned bb_ring_slot(const struct bb_ring_batch *batch, enum bb_ring_kind kind)
{
    if (kind == BB_RING_ANY)
        return bb_ring_any_slot(batch->ring);
    return kind == BB_RING_SPLIT ? batch->at & batch->mask : batch->at;
}

/* Everything that fits one entry: `flags` is 0, BB_RING_WRITE or BB_RING_INDIRECT (then `length` is
 * 16 for each entry of the table, and the table is written already). At most ring->room times in a
 * batch. */
BB_RING_INLINE void bb_ring_put(struct bb_ring_batch *batch, enum bb_ring_kind kind, unsigned slot,
                                uint64_t address, uint32_t length, uint16_t flags, void *token)
{
    if (kind == BB_RING_ANY) {
        bb_ring_any_put(batch->ring, slot, address, length, flags, token);
        return;
    }
    struct bb_ring_entry *entry = &batch->entries[slot];
    batch->tokens[slot] = token;
    entry->address = address;
    if (kind == BB_RING_SPLIT) {
        entry->rest = length | (uint64_t)flags << 32;
        batch->at++;
        return;
    }
    /* The device may look at once: address first. */
    __atomic_store_n(&entry->rest,
                     length | (uint64_t)slot << 32 | (uint64_t)(flags | batch->flags) << 48,
                     __ATOMIC_RELEASE);
    batch->count++;
    if (++batch->at == batch->size) {
        batch->at = 0;
        batch->flags ^= 0x8080;
    }
}

/* Split: makes all before `head` visible, the last `count` of which were not, and notifies the
 * device unless it said that it needs none. */
BB_RING_INLINE void bb_ring_show(struct bb_ring *ring, unsigned head, unsigned count)
{
    const uint16_t *at = ring->device_wants;
    uint16_t *index = &ring->available->index;
    ring->published = (uint16_t)head;
    __atomic_store_n(index, (uint16_t)head, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* it sees the index, or we see what it asks for */
    uint32_t wants = *at;
    __asm__("" : "+r"(wants)); /* looked at once */
    if (__builtin_expect(ring->event ? (uint16_t)(head - wants - 1) < count : !(wants & 1), 1))
        bb_arch_write32(ring->notify, ring->notify_value);
}

/* Makes the batch visible, and notifies the device unless it said that it needs none. */
BB_RING_INLINE void bb_ring_end(struct bb_ring_batch *batch, enum bb_ring_kind kind)
{
    struct bb_ring *ring = batch->ring;
    if (kind != BB_RING_SPLIT) {
        if (kind == BB_RING_PACKED) {
            ring->room = (uint16_t)(ring->room - batch->count);
            ring->published = (uint16_t)(ring->published + batch->count);
            ring->head = batch->at;
            ring->head_flags = batch->flags;
        }
        bb_ring_kick(ring);
        return;
    }
    uint16_t head = batch->at;
    ring->room = (uint16_t)(ring->room - (uint16_t)(head - ring->head));
    ring->head = head;
    bb_ring_show(ring, head, (uint16_t)(head - ring->published));
}

BB_RING_INLINE struct bb_ring_batch bb_ring_look(struct bb_ring *ring, enum bb_ring_kind kind)
{
    struct bb_ring_batch batch = {
        .ring = ring,
        .entries = ring->entries,
        .tokens = ring->tokens,
        .at = ring->tail,
        .left = (uint16_t)(ring->size - ring->room),
        .size = ring->size,
        .mask = (uint16_t)(ring->size - 1),
        .flags = ring->tail_flags,
    };
    if (kind == BB_RING_SPLIT) {
        batch.used = ring->used->entries;
        uint16_t done =
            (uint16_t)(__atomic_load_n(&ring->used->index, __ATOMIC_ACQUIRE) - batch.at);
        if (__builtin_expect(done > batch.left, 0))
            bb_ring_bad(ring, "used index beyond what was posted");
        batch.left = done;
    }
    if (__builtin_expect(ring->broken != NULL, 0))
        batch.left = 0;
    return batch;
}

/* The next chain that the device is done with: its token, slot, and the length that the device
 * claims to have written. NULL: none, or this batch is over. */
BB_RING_INLINE void *bb_ring_next(struct bb_ring_batch *batch, enum bb_ring_kind kind,
                                  unsigned *slot, uint32_t *length)
{
    uint32_t id, wanted;
    if (kind == BB_RING_ANY)
        return bb_ring_any_next(batch->ring, slot, length);
    if (!batch->left)
        return NULL;
    if (kind == BB_RING_SPLIT) {
        wanted = batch->at & batch->mask;
        id = __atomic_load_n(&batch->used[wanted].id, __ATOMIC_RELAXED);
        *length = __atomic_load_n(&batch->used[wanted].length, __ATOMIC_RELAXED);
    } else {
        uint64_t rest = __atomic_load_n(&batch->entries[batch->at].rest, __ATOMIC_ACQUIRE);
        if (((uint32_t)(rest >> 48) ^ batch->flags) & 0x8080)
            return NULL;
        wanted = batch->at;
        id = (uint16_t)(rest >> 32);
        *length = (uint32_t)rest;
    }
    if (__builtin_expect(id != wanted, 0)) {
        bb_ring_disorder(batch->ring, batch->at, id);
        return NULL;
    }
    *slot = wanted;
    batch->left--;
    if (kind == BB_RING_SPLIT) {
        batch->at++;
    } else {
        batch->count++;
        if (++batch->at == batch->size) {
            batch->at = 0;
            batch->flags ^= 0x8080;
        }
    }
    void *token = batch->tokens[wanted];
    if (!token)
        __builtin_unreachable(); /* posted, so not NULL: no need to look twice */
    return token;
}

BB_RING_INLINE void bb_ring_taken(struct bb_ring_batch *batch, enum bb_ring_kind kind)
{
    struct bb_ring *ring = batch->ring;
    if (kind == BB_RING_SPLIT) {
        ring->room = (uint16_t)(ring->room + (uint16_t)(batch->at - ring->tail));
        ring->tail = batch->at;
    } else if (kind == BB_RING_PACKED) {
        ring->room = (uint16_t)(ring->room + batch->count);
        ring->tail = batch->at;
        ring->tail_flags = batch->flags;
    }
}

/* ---- Runs ----
 *
 * A batch in pieces of slots that lie side by side, for loops that keep everything in registers and
 * look at each word once. For the kinds SPLIT and PACKED only; a loop leaves to the calls above
 * what is not plain.
 *
 *     struct bb_ring_run run = bb_ring_run_post(ring, kind, count);
 *     for (; run.left; run.left--)
 *         bb_ring_run_put(&run, kind, address, length, BB_RING_WRITE, buffer);
 *     bb_ring_run_posted(ring, kind, &run);            // several runs, then
 *     bb_ring_kick(ring);
 *
 *     run = bb_ring_run_look(ring, kind, limit);
 *     for (; run.left && bb_ring_run_peek(&run, kind) <= most; run.left--)
 *         buffer = bb_ring_run_take(&run, kind);
 *     bb_ring_run_taken(ring, kind, &run);
 *
 * A run ends where the ring does: the caller asks again.
 */
struct bb_ring_run {
    struct bb_ring_entry *entry; /* the next one */
    const struct bb_ring_used_element *used;
    void **token;
    unsigned left;  /* slots that follow */
    unsigned count; /* of them all */
    uint64_t slot;  /* split: in the upper half the one after it, for compares of two */
    uint64_t extra; /* packed: beside the length in the entry's `rest` */
};

/* What the device wrote before the index that was acquired: read once, and never again. Not an
 * atomic load, to which compilers give no offset. */
BB_RING_INLINE uint64_t bb_ring_once(const uint32_t *at)
{
    uint64_t value = *at;
    __asm__("" : "+r"(value));
    return value;
}

BB_RING_INLINE struct bb_ring_run bb_ring_run_at(const struct bb_ring *ring, unsigned slot,
                                                 unsigned count)
{
    unsigned most = ring->size - slot;
    count = count < most ? count : most;
    return (struct bb_ring_run){
        .entry = ring->entries + slot,
        .token = ring->tokens + slot,
        .left = count,
        .count = count,
        .slot = slot,
    };
}

/* Slots to fill: at most `count`, and ring->room. */
BB_RING_INLINE struct bb_ring_run bb_ring_run_post(const struct bb_ring *ring,
                                                   enum bb_ring_kind kind, unsigned count)
{
    unsigned slot = kind == BB_RING_SPLIT ? ring->head & (ring->size - 1u) : ring->head;
    struct bb_ring_run run = bb_ring_run_at(ring, slot, count < ring->room ? count : ring->room);
    if (kind == BB_RING_PACKED)
        run.extra = (uint64_t)slot << 32 | (uint64_t)ring->head_flags << 48;
    return run;
}

/* The next slot's entry; its token is the caller's to keep. `flags`: a constant. */
BB_RING_INLINE void bb_ring_run_put_entry(struct bb_ring_run *run, enum bb_ring_kind kind,
                                          uint64_t address, uint64_t length, uint16_t flags)
{
    struct bb_ring_entry *entry = run->entry++;
    uint64_t rest = length + ((uint64_t)flags << (kind == BB_RING_SPLIT ? 32 : 48));
    if (kind == BB_RING_SPLIT) {
        __asm__("" : : "r"(address), "r"(rest)); /* both at hand: one store of a pair */
        entry->address = address;
        entry->rest = rest;
    } else {
        entry->address = address;
        __atomic_store_n(&entry->rest, rest + run->extra, __ATOMIC_RELEASE);
        run->extra += 1ull << 32;
    }
}

BB_RING_INLINE void bb_ring_run_put(struct bb_ring_run *run, enum bb_ring_kind kind,
                                    uint64_t address, uint64_t length, uint16_t flags, void *token)
{
    *run->token++ = token;
    bb_ring_run_put_entry(run, kind, address, length, flags);
}

/* The tokens of the next four slots, if these are filled then; the caller counts run->token. */
BB_RING_INLINE void bb_ring_run_keep_four(const struct bb_ring_run *run, void *a, void *b, void *c,
                                          void *d)
{
    void **token = run->token;
    token[0] = a, token[1] = b, token[2] = c, token[3] = d;
}

/* Counts what the run got; when split, it is not visible yet. Returns how many. */
BB_RING_INLINE unsigned bb_ring_run_posted(struct bb_ring *ring, enum bb_ring_kind kind,
                                           const struct bb_ring_run *run)
{
    unsigned count = run->count - run->left;
    unsigned head = ring->head + count;
    ring->room = (uint16_t)(ring->room - count);
    if (kind == BB_RING_PACKED) {
        ring->published = (uint16_t)(ring->published + count);
        if (head == ring->size) {
            head = 0;
            ring->head_flags ^= 0x8080;
        }
    }
    ring->head = (uint16_t)head;
    return count;
}

/* Slots that are used, in order, as far as can be told: at most `limit`. A used index that is wrong
 * gives none, which bb_ring_look() then explains. */
BB_RING_INLINE struct bb_ring_run bb_ring_run_look(const struct bb_ring *ring,
                                                   enum bb_ring_kind kind, unsigned limit)
{
    const struct bb_ring_used *used = ring->used;
    unsigned slot = ring->tail, size = ring->size, count = size - ring->room;
    if (kind == BB_RING_SPLIT) {
        uint16_t done = (uint16_t)(bb_arch_acquire16(&used->index) - slot);
        count = done > count ? 0 : done;
        slot &= size - 1u;
    }
    struct bb_ring_run run = bb_ring_run_at(ring, slot, count < limit ? count : limit);
    if (kind == BB_RING_SPLIT) {
        run.used = used->entries + slot; /* a slot's used element stands at its number */
        run.slot = slot | (slot + 1ull) << 32;
    } else
        run.extra = (uint64_t)slot << 32 | (uint64_t)ring->tail_flags << 48;
    return run;
}

/* The length that the device claims for the slot `ahead` of the run's next. More than 32 bits: it
 * is not used yet, or not the one that should be. */
BB_RING_INLINE uint64_t bb_ring_run_peek_at(const struct bb_ring_run *run, enum bb_ring_kind kind,
                                            unsigned ahead)
{
    if (kind == BB_RING_PACKED)
        return (__atomic_load_n(&run->entry[ahead].rest, __ATOMIC_ACQUIRE) &
                ~((uint64_t)(BB_RING_WRITE | BB_RING_NEXT | BB_RING_INDIRECT) << 48)) -
               run->extra - ((uint64_t)ahead << 32);
    uint64_t length = bb_ring_once(&run->used[ahead].length);
    return (length | (bb_ring_once(&run->used[ahead].id) - run->slot) << 32) -
           ((uint64_t)ahead << 32);
}
BB_RING_INLINE uint64_t bb_ring_run_peek(const struct bb_ring_run *run, enum bb_ring_kind kind)
{
    return bb_ring_run_peek_at(run, kind, 0);
}

/* Passes over `count` slots; the caller counts run->left. */
BB_RING_INLINE void bb_ring_run_pass(struct bb_ring_run *run, enum bb_ring_kind kind,
                                     unsigned count)
{
    run->token += count;
    if (kind == BB_RING_PACKED) {
        run->entry += count;
        run->extra += (uint64_t)count << 32;
    } else {
        run->used += count;
        run->slot += count | (uint64_t)count << 32;
    }
}

/* After a peek that found it used; the caller counts run->left. */
BB_RING_INLINE void *bb_ring_run_take(struct bb_ring_run *run, enum bb_ring_kind kind)
{
    bb_ring_run_pass(run, kind, 1);
    return run->token[-1];
}

/* Split: takes four at once, whatever their lengths; false: not all of them are used in order. */
BB_RING_INLINE bool bb_ring_run_take_four(struct bb_ring_run *run, void **tokens)
{
    const struct bb_ring_used_element *used = run->used;
    uint64_t first_pair = bb_ring_once(&used[0].id) | bb_ring_once(&used[1].id) << 32;
    uint64_t second_pair = bb_ring_once(&used[2].id) | bb_ring_once(&used[3].id) << 32;
    if (__builtin_expect((first_pair != run->slot) | (second_pair != run->slot + (2 | 2ull << 32)),
                         0))
        return false;
    void **from = run->token, *first = from[0], *second = from[1], *third = from[2],
         *fourth = from[3];
    tokens[0] = first;
    tokens[1] = second;
    tokens[2] = third;
    tokens[3] = fourth;
    bb_ring_run_pass(run, BB_RING_SPLIT, 4);
    return true;
}

BB_RING_INLINE unsigned bb_ring_run_taken(struct bb_ring *ring, enum bb_ring_kind kind,
                                          const struct bb_ring_run *run)
{
    unsigned count = run->count - run->left;
    unsigned tail = ring->tail + count;
    ring->room = (uint16_t)(ring->room + count);
    if (kind == BB_RING_PACKED && tail == ring->size) {
        tail = 0;
        ring->tail_flags ^= 0x8080;
    }
    ring->tail = (uint16_t)tail;
    return count;
}

#endif
