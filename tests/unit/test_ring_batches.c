/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches and runs on rings, against the strict model of a device: in order, then in any order, and
 * with a device that lies. */
#include "ring.h"

static void complete(bool in_order)
{
    struct virtio_chain *chain = model_virtio_held(&device, 0);
    for (uint32_t skip = in_order ? 0 : any(8); skip && chain->next; skip--)
        chain = chain->next;
    model_virtio_use(&device, chain, any(9));
}

static void *tokens_of[32768];

static unsigned put_as(unsigned count, uint8_t *data, enum bb_ring_kind kind)
{
    struct bb_ring_batch batch = bb_ring_begin(&ring, kind);
    for (unsigned i = 0; i < count; i++) {
        unsigned slot = bb_ring_slot(&batch, kind);
        assert_true(slot < ring.slots);
        assert_null(tokens_of[slot]);
        tokens_of[slot] = &tokens_of[slot];
        bb_ring_put(&batch, kind, slot, (uintptr_t)data, 8, BB_RING_WRITE, tokens_of[slot]);
    }
    if (count)
        bb_ring_end(&batch, kind);
    return count;
}

static unsigned get_as(unsigned limit, enum bb_ring_kind kind)
{
    struct bb_ring_batch batch = bb_ring_look(&ring, kind);
    unsigned count = 0, slot;
    uint32_t length;
    void *token;
    while (count < limit && (token = bb_ring_next(&batch, kind, &slot, &length))) {
        assert_ptr_equal(token, tokens_of[slot]);
        assert_true(length <= 8);
        tokens_of[slot] = NULL;
        count++;
    }
    bb_ring_taken(&batch, kind);
    return count;
}

/* The same by runs, which end where the ring does. */
static void put_run(unsigned count, uint8_t *data, enum bb_ring_kind kind)
{
    for (unsigned left = count; left > 0;) {
        struct bb_ring_run run = bb_ring_run_post(&ring, kind, left);
        assert_true(run.left > 0);
        for (; run.left; run.left--) {
            unsigned slot = (unsigned)(run.token - ring.tokens);
            assert_null(tokens_of[slot]);
            tokens_of[slot] = &tokens_of[slot];
            bb_ring_run_put(&run, kind, (uintptr_t)data, 8, BB_RING_WRITE, tokens_of[slot]);
        }
        left -= bb_ring_run_posted(&ring, kind, &run);
    }
    if (count)
        bb_ring_kick(&ring);
}

static unsigned get_run(unsigned limit, enum bb_ring_kind kind)
{
    unsigned count = 0, got = 1;
    while (got && count < limit) {
        struct bb_ring_run run = bb_ring_run_look(&ring, kind, limit - count);
        void **at = tokens_of + (run.token - ring.tokens), *four[4];
        if (kind == BB_RING_SPLIT && run.left >= 4 && any(2) && bb_ring_run_take_four(&run, four)) {
            run.left -= 4;
            for (unsigned i = 0; i < 4; i++, *at++ = NULL)
                assert_ptr_equal(four[i], at);
        }
        for (; run.left && bb_ring_run_peek(&run, kind) <= 8; run.left--, *at++ = NULL)
            assert_ptr_equal(bb_ring_run_take(&run, kind), at);
        got = bb_ring_run_taken(&ring, kind, &run);
        count += got;
    }
    return count;
}

static bool by_runs; /* while the kind lets it */

static unsigned put(unsigned count, uint8_t *data)
{
    if (by_runs && ring.kind != BB_RING_ANY) {
        if (ring.kind == BB_RING_SPLIT)
            put_run(count, data, BB_RING_SPLIT);
        else
            put_run(count, data, BB_RING_PACKED);
        return count;
    }
    switch (ring.kind) {
    case BB_RING_SPLIT:
        return put_as(count, data, BB_RING_SPLIT);
    case BB_RING_PACKED:
        return put_as(count, data, BB_RING_PACKED);
    default:
        return put_as(count, data, BB_RING_ANY);
    }
}

static unsigned get(unsigned limit)
{
    if (by_runs && ring.kind != BB_RING_ANY) {
        unsigned count = ring.kind == BB_RING_SPLIT ? get_run(limit, BB_RING_SPLIT)
                                                    : get_run(limit, BB_RING_PACKED);
        if (count == limit)
            return count;
        limit -= count;
        return count + (ring.kind == BB_RING_SPLIT ? get_as(limit, BB_RING_SPLIT)
                                                   : get_as(limit, BB_RING_PACKED));
    }
    switch (ring.kind) {
    case BB_RING_SPLIT:
        return get_as(limit, BB_RING_SPLIT);
    case BB_RING_PACKED:
        return get_as(limit, BB_RING_PACKED);
    default:
        return get_as(limit, BB_RING_ANY);
    }
}

static void exercise_batches(struct bb_ring_format format, unsigned ordered_rounds)
{
    static uint8_t data[8];
    unsigned flying = 0, done = 0, total = 0;
    begin(format);
    memset(tokens_of, 0, sizeof tokens_of);
    for (unsigned round = 0; round < 600; round++) {
        assert_int_equal(ring.room, ring.slots - flying - done);
        unsigned count = put(any(ring.room + 1u < 50 ? ring.room + 1u : 50), data);
        flying += count;
        total += count;
        assert_int_equal(device.queues[0].chains, total);
        for (unsigned n = any(flying + 1); n > 0; n--, flying--, done++)
            complete(round < ordered_rounds);
        if (round == ordered_rounds)
            assert_int_not_equal(ring.kind, BB_RING_ANY);
        unsigned before = ring.kind, got = get(any(60));
        if (before != ring.kind)
            got += get(60);
        done -= got;
        assert_null(ring.broken);
    }
    for (; flying; flying--, done++)
        complete(false);
    while (done)
        done -= get(60);
    assert_int_equal(ring.room, ring.slots);
    end();
}

static void test_batches(void **state)
{
    static const uint16_t sizes[] = {1, 2, 4, 3, 8, 7, 64, 256, 1000, 32768};
    (void)state;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(sizes); i++)
        for (unsigned packed = 0; packed < 2; packed++)
            for (unsigned event = 0; event < 2; event++) {
                struct bb_ring_format format = {sizes[i], 1, packed, false, event, true};
                if (bb_ring_check(&format))
                    continue;
                for (unsigned runs = 0; runs < 2; runs++) {
                    by_runs = runs;
                    exercise_batches(format, 600);
                    exercise_batches(format, 5);
                    exercise_batches(format, 100);
                }
            }
}

static void test_batches_abandoned(void **state)
{
    static uint8_t data[8];
    (void)state;
    for (unsigned packed = 0; packed < 2; packed++)
        for (unsigned order = 0; order < 2; order++)
            for (unsigned posted = 0; posted <= 16; posted++) {
                begin((struct bb_ring_format){16, 1, packed, false, true, true});
                memset(tokens_of, 0, sizeof tokens_of);
                for (unsigned i = 0; i < 11; i++) { /* somewhere in the middle */
                    put(1, data);
                    model_virtio_use(&device, device.queues[0].held, 8);
                    assert_int_equal(get(1), 1);
                }
                if (order) {
                    put(2, data);
                    model_virtio_use(&device, device.queues[0].held->next, 8);
                    model_virtio_use(&device, device.queues[0].held, 8);
                    while (get(2) || ring.room < 16)
                        ;
                    assert_int_equal(ring.kind, BB_RING_ANY);
                }
                put(posted, data);
                unsigned left = 0;
                for (void **token; (token = bb_ring_abandon(&ring)); left++) {
                    assert_ptr_equal(*token, token);
                    *token = NULL;
                }
                assert_int_equal(left, posted);
                bb_ring_empty(&ring);
                assert_int_equal(ring.room, 16);
                assert_null(bb_ring_abandon(&ring));
                end();
            }
}

static void test_batches_of_a_liar(void **state)
{
    static const enum virtio_fault faults[] = {VIRTIO_USED_JUMPS, VIRTIO_USED_BACK, VIRTIO_ID_RANGE,
                                               VIRTIO_ID_FREE, VIRTIO_ID_TWICE};
    static uint8_t data[8];
    (void)state;
    for (unsigned packed = 0; packed < 2; packed++)
        for (unsigned i = packed ? 2 : 0; i < BB_ARRAY_SIZE(faults); i++)
            for (unsigned order = 0; order < 4; order++) {
                by_runs = order & 2;
                begin((struct bb_ring_format){16, 1, packed, false, true, true});
                memset(tokens_of, 0, sizeof tokens_of);
                put(9, data);
                if (order & 1) {
                    model_virtio_use(&device, device.queues[0].held->next, 8);
                    model_virtio_use(&device, device.queues[0].held, 8);
                    assert_int_equal(get(2) + get(2), 2);
                }
                model_virtio_use(&device, device.queues[0].held, 8);
                unsigned got = faults[i] == VIRTIO_USED_BACK ? get(9) : 0;
                device.fault = faults[i];
                model_virtio_use(&device, device.queues[0].held, 8);
                got += get(9);
                got += get(9);
                assert_true(got <= 1);
                assert_non_null(ring.broken);
                assert_int_equal(get(9), 0);
                unsigned left = 0;
                while (bb_ring_abandon(&ring))
                    left++;
                assert_int_equal(left, 9 - 2 * (order & 1) - got);
                end();
            }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_batches_abandoned),
        cmocka_unit_test(test_batches_of_a_liar),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
