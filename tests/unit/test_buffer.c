/* SPDX-License-Identifier: BSD-2-Clause */
/* Packet buffers: the pool, chains, memory of others. */
#include "harness.h"

#include <string.h>

#include <busbar/arena.h>
#include <busbar/buffer.h>

static void start(const char *command_line)
{
    tree_begin(1, 1);
    boot(command_line);
}

static void test_pool(void **state)
{
    struct bb_buffer *all[20];

    (void)state;
    start(NULL);
    assert_null(bb_buffer_get());
    assert_int_equal(bb_buffer_free(), 0);
    assert_null(bb_buffer_of(all));
    assert_null(bb_buffer_of(NULL));
    assert_int_equal(bb_buffer_pool(0), -EINVAL);
    size_t before = bb_arena_used();
    assert_int_equal(bb_buffer_pool(20), 0);
    assert_true(bb_arena_used() - before < 21 * 2048);
    assert_int_equal(bb_buffer_pool(40), 0); /* it is there already */
    assert_int_equal(bb_buffer_free(), 20);
    assert_null(bb_buffer_of(all));
    for (unsigned i = 0; i < 20; i++) {
        all[i] = bb_buffer_get();
        assert_non_null(all[i]);
        assert_int_equal((uintptr_t)all[i] % 64, 0);
        assert_ptr_equal(all[i]->data, bb_buffer_memory(all[i]) + BB_BUFFER_HEADROOM);
        assert_int_equal(all[i]->length, 0);
        assert_true(all[i]->shape == BB_BUFFER_SHAPE(0));
        assert_null(all[i]->more);
        assert_null(all[i]->put);
        assert_ptr_equal(bb_buffer_of(all[i]->data), all[i]);
        assert_ptr_equal(bb_buffer_of(bb_buffer_memory(all[i])), all[i]);
        assert_ptr_equal(bb_buffer_of(all[i]->data + BB_BUFFER_SIZE - 1), all[i]);
        memset(bb_buffer_memory(all[i]), (int)i, BB_BUFFER_HEADROOM + BB_BUFFER_SIZE);
    }
    assert_null(bb_buffer_get());
    for (unsigned i = 0; i < 20; i++) {
        for (size_t at = 0; at < BB_BUFFER_HEADROOM + BB_BUFFER_SIZE; at++)
            assert_int_equal(bb_buffer_memory(all[i])[at], i);
        all[i]->flags = BB_BUFFER_CHECKSUM_NEEDED;
        all[i]->length = 99;
        all[i]->data++;
        bb_buffer_put(all[i]);
    }
    assert_int_equal(bb_buffer_free(), 20);
    struct bb_buffer *again = bb_buffer_get(); /* nothing of its last use stays */
    assert_true(again->shape == BB_BUFFER_SHAPE(0));
    assert_ptr_equal(again->data, bb_buffer_memory(again) + BB_BUFFER_HEADROOM);
    bb_buffer_put(NULL);
}

static unsigned put_calls;
static struct bb_buffer *last_put;

static void note_put(struct bb_buffer *buffer)
{
    put_calls++;
    last_put = buffer;
}

static void test_chain(void **state)
{
    struct bb_buffer foreign;
    uint8_t memory[100];

    (void)state;
    start(NULL);
    assert_int_equal(bb_buffer_pool(4), 0);
    struct bb_buffer *first = bb_buffer_get(), *last = bb_buffer_get();
    first->length = 14;
    last->length = 7;
    bb_buffer_foreign(&foreign, memory, sizeof memory, note_put);
    assert_int_equal(foreign.flags, BB_BUFFER_FOREIGN);
    bb_buffer_chain(&foreign, last);
    bb_buffer_chain(first, &foreign);
    assert_int_equal(first->parts, 3);
    assert_int_equal(foreign.parts, 2);
    assert_int_equal(bb_buffer_length(first), 121);
    bb_buffer_put(first);
    assert_int_equal(put_calls, 1);
    assert_ptr_equal(last_put, &foreign);
    assert_null(foreign.more); /* out of its chain: it may be used again */
    assert_int_equal(bb_buffer_free(), 4);
}

static void test_parameter(void **state)
{
    (void)state;
    start("net.buffers=7");
    assert_int_equal(bb_buffer_pool(20), 0);
    assert_int_equal(bb_buffer_free(), 7);
}

static void refused(const char *word)
{
    start(word);
    assert_int_equal(bb_buffer_pool(20), 0);
    assert_int_equal(bb_buffer_free(), 20);
    assert_int_equal(logged("net.buffers"), 1);
}

static void test_parameter_zero(void **state)
{
    (void)state;
    refused("net.buffers=0");
}

static void test_parameter_large(void **state)
{
    (void)state;
    refused("net.buffers=99999999999999999999");
}

static void test_parameter_text(void **state)
{
    (void)state;
    refused("net.buffers=12x");
}

static void test_too_many(void **state)
{
    (void)state;
    start("net.buffers=65536");
    assert_int_equal(bb_buffer_pool(20), -ENOMEM);
    assert_null(bb_buffer_get());
    assert_int_equal(logged("arena is too small"), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_parameter),
        cmocka_unit_test(test_parameter_zero),
        cmocka_unit_test(test_parameter_large),
        cmocka_unit_test(test_parameter_text),
        cmocka_unit_test(test_too_many),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
