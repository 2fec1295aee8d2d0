/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtqueue whose device writes what libFuzzer thinks of, anywhere in the memory that it sees and
 * at any time, with honest completions in between so that something happens. Whatever it writes:
 * every chain comes back once, with no more bytes than it could hold, or is abandoned once.
 *
 * Input: the format, then operations of a few bytes each; -max_len=2048.
 */
#include <stdlib.h>
#include <string.h>

#include <bus/virtio/ring.h>

#define NOTIFY 0x1000
#define MOST 64 /* entries */
#define PARTS 4
#define PART_BYTES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct chain {
    bool posted;
    uint32_t writable;
};

static struct {
    const uint8_t *at, *end;
} input;
static struct bb_ring ring;
static struct chain chains[MOST + 1];
static unsigned posted;
static char *shared;
static size_t shared_size;
static uint16_t used; /* what an honest device counts */
static bool used_wrap, batches, runs;

static uint8_t byte(void)
{
    return input.at < input.end ? *input.at++ : 0;
}

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void ignore(void *context, size_t offset, unsigned width, uint64_t value)
{
    (void)context, (void)offset, (void)width, (void)value;
}

static struct chain *unposted(void)
{
    for (unsigned i = 0; i < MOST; i++)
        if (!chains[i].posted)
            return &chains[i];
    return NULL;
}

static void came_back(struct chain *chain, uint32_t length)
{
    must(chain >= chains && chain < chains + MOST && chain->posted);
    must(batches || length <= chain->writable);
    chain->posted = false;
    posted--;
}

/* ---- The driver ---- */

static void post(unsigned choice)
{
    static char memory[PART_BYTES];
    struct bb_ring_part parts[PARTS + 1];
    unsigned count = 1 + choice % (PARTS + 1), out = choice / 8 % (count + 1);
    struct chain *chain = unposted();
    if (!chain)
        return;
    chain->writable = 0;
    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct bb_ring_part){memory, 1 + choice / 16u};
        chain->writable += i < out ? 0 : parts[i].length;
    }
    unsigned room = ring.room;
    bool done = bb_ring_post(&ring, parts, out, count - out, chain);
    must(done == (room && count <= ring.parts && !ring.broken));
    chain->posted = done;
    posted += done;
}

static void take(unsigned limit)
{
    struct chain *chain;
    uint32_t length = 0;
    while (limit-- > 0 && (chain = bb_ring_take(&ring, &length)))
        came_back(chain, length);
}

BB_RING_INLINE void put_as(unsigned count, enum bb_ring_kind kind)
{
    struct bb_ring_batch batch = bb_ring_begin(&ring, kind);
    for (unsigned i = 0; i < count; i++) {
        struct chain *chain = unposted();
        unsigned slot = bb_ring_slot(&batch, kind);
        must(chain && slot < ring.slots);
        bb_ring_put(&batch, kind, slot, (uintptr_t)chain, 8, BB_RING_WRITE, chain);
        chain->posted = true;
        posted++;
    }
    if (count)
        bb_ring_end(&batch, kind);
}

BB_RING_INLINE void get_as(unsigned limit, enum bb_ring_kind kind)
{
    struct bb_ring_batch batch = bb_ring_look(&ring, kind);
    struct chain *chain;
    uint32_t length;
    unsigned slot;
    while (limit-- > 0 && (chain = bb_ring_next(&batch, kind, &slot, &length))) {
        must(slot < ring.slots);
        came_back(chain, length);
    }
    bb_ring_taken(&batch, kind);
}

BB_RING_INLINE void put_run(unsigned count, enum bb_ring_kind kind)
{
    struct bb_ring_run run = bb_ring_run_post(&ring, kind, count);
    for (; run.left >= 4; run.left -= 4) {
        struct chain *four[4];
        for (unsigned i = 0; i < 4; i++) {
            four[i] = unposted();
            must(four[i]);
            four[i]->posted = true;
            posted++;
        }
        bb_ring_run_keep_four(&run, four[0], four[1], four[2], four[3]);
        run.token += 4;
        for (unsigned i = 0; i < 4; i++)
            bb_ring_run_put_entry(&run, kind, (uintptr_t)four[i], 8, BB_RING_WRITE);
    }
    for (; run.left; run.left--) {
        struct chain *chain = unposted();
        must(chain);
        bb_ring_run_put(&run, kind, (uintptr_t)chain, 8, BB_RING_WRITE, chain);
        chain->posted = true;
        posted++;
    }
    if (bb_ring_run_posted(&ring, kind, &run))
        bb_ring_kick(&ring);
}

BB_RING_INLINE void get_run(unsigned limit, enum bb_ring_kind kind)
{
    struct bb_ring_run run = bb_ring_run_look(&ring, kind, limit);
    void *four[4];
    if (kind == BB_RING_SPLIT && run.left > 4 && bb_ring_run_take_four(&run, four)) {
        for (unsigned i = 0; i < 4; i++, run.left--)
            came_back(four[i], 0);
    }
    while (run.left >= 2 && bb_ring_run_peek(&run, kind) <= 8 &&
           bb_ring_run_peek_at(&run, kind, 1) <= 8) {
        void **tokens = run.token;
        bb_ring_run_pass(&run, kind, 2);
        run.left -= 2;
        came_back(tokens[0], 0);
        came_back(tokens[1], 0);
    }
    for (; run.left && bb_ring_run_peek(&run, kind) <= 8; run.left--)
        came_back(bb_ring_run_take(&run, kind), 0);
    if (!bb_ring_run_taken(&ring, kind, &run))
        get_as(limit, kind); /* which says why */
}

static void put(unsigned count)
{
    if (count > ring.room)
        count = ring.room;
    if (runs && ring.kind == BB_RING_SPLIT)
        return put_run(count, BB_RING_SPLIT);
    if (runs && ring.kind == BB_RING_PACKED)
        return put_run(count, BB_RING_PACKED);
    if (ring.kind == BB_RING_SPLIT)
        put_as(count, BB_RING_SPLIT);
    else if (ring.kind == BB_RING_PACKED)
        put_as(count, BB_RING_PACKED);
    else
        put_as(count, BB_RING_ANY);
}

static void get(unsigned limit)
{
    if (runs && ring.kind == BB_RING_SPLIT)
        return get_run(limit, BB_RING_SPLIT);
    if (runs && ring.kind == BB_RING_PACKED)
        return get_run(limit, BB_RING_PACKED);
    if (ring.kind == BB_RING_SPLIT)
        get_as(limit, BB_RING_SPLIT);
    else if (ring.kind == BB_RING_PACKED)
        get_as(limit, BB_RING_PACKED);
    else
        get_as(limit, BB_RING_ANY);
}

/* ---- The device ---- */

/* Says that it used the chain `id`, at the place where an honest device would. */
static void use(uint32_t id, uint32_t length)
{
    if (ring.packed) {
        struct bb_ring_entry *entry = &ring.entries[used];
        entry->length = length;
        entry->packed.id = (uint16_t)id;
        entry->packed.flags = used_wrap ? 0x8080 : 0;
        if (++used == ring.size) {
            used = 0;
            used_wrap = !used_wrap;
        }
        return;
    }
    ring.used->entries[used % ring.size] = (struct bb_ring_used_element){id, length};
    ring.used->index = ++used;
}

static void scribble(void)
{
    size_t at = (byte() | (size_t)byte() << 8) % shared_size;
    for (unsigned count = byte() % 16; count > 0 && at < shared_size; count--)
        shared[at++] = (char)byte();
}

static void step(void)
{
    uint8_t op = byte(), argument = byte();
    switch (op % 8) {
    case 0:
    case 1:
        if (batches)
            put(argument % 8);
        else
            post(argument);
        break;
    case 2:
        bb_ring_kick(&ring);
        break;
    case 3:
        if (batches)
            get(argument % 16);
        else
            take(argument % 16);
        break;
    case 4:
        if (argument & 1)
            (void)bb_ring_arm(&ring);
        else
            bb_ring_disarm(&ring);
        break;
    case 5: /* in order */
        use((uint32_t)(used % ring.slots * (ring.packed ? 1u : ring.stride)), argument & 7);
        break;
    case 6:
        use(argument, op >> 3);
        break;
    default:
        scribble();
        break;
    }
    must(ring.room == ring.slots - posted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bb_host_region region = {.base = NOTIFY, .size = 4, .write = ignore};
    static bool mapped;
    input.at = data;
    input.end = data + size;
    uint8_t flags = byte();
    struct bb_ring_format format = {
        .size = (uint16_t)(1 + byte() % MOST),
        .parts = (uint16_t)(flags >> 6),
        .packed = flags & 1,
        .legacy = (flags & 3) == 2,
        .event = flags & 4,
        .indirect = flags & 8,
    };
    batches = flags & 16;
    runs = flags & 32;
    if (batches)
        format.parts = 1;
    if (bb_ring_check(&format))
        return 0;
    if (!mapped)
        bb_host_map(&region);
    mapped = true;
    shared_size = bb_ring_shared_bytes(&format);
    void *own = malloc(bb_ring_own_bytes(&format));
    if (posix_memalign((void **)&shared, 4096, shared_size))
        abort();
    bb_ring_begin_in(&ring, &format, shared, own);
    ring.notify = NOTIFY;
    memset(chains, 0, sizeof(chains));
    posted = 0;
    used = 0;
    used_wrap = true;
    while (input.at < input.end)
        step();
    struct chain *chain;
    while ((chain = bb_ring_abandon(&ring)))
        came_back(chain, 0);
    must(!posted);
    bb_ring_empty(&ring);
    must(ring.room == ring.slots && !bb_ring_take(&ring, NULL));
    free(shared);
    free(own);
    return 0;
}
