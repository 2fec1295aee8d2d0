/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena: alignment, zeroes, marks, and what it says when it is full. */
#include "harness.h"

#include <string.h>

#include <busbar/arena.h>
#include <busbar/log.h>

static void test_pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    char *end = NULL;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        char *piece = bb_arena_alloc(alignment + 3, alignment);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % alignment, 0);
        assert_true(!end || piece >= end);
        memset(piece, 0xff, alignment + 3);
        end = piece + alignment + 3;
    }
}

static void test_memory_is_zeroed_again(void **state)
{
    (void)state;
    size_t mark = bb_arena_used();
    char *piece = bb_arena_alloc(100, 8);
    memset(piece, 0x55, 100);
    assert_true(bb_arena_used() >= mark + 100);
    bb_arena_reset(mark);
    assert_int_equal(bb_arena_used(), mark);
    char *again = bb_arena_alloc(100, 8);
    assert_ptr_equal(again, piece);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(again[i], 0);
}

static void test_full_arena_says_what_it_needs(void **state)
{
    (void)state;
    struct bb_log_entry entry;
    char needed[32];
    assert_non_null(bb_arena_alloc(64, 64));
    size_t size = bb_arena_size();
    assert_null(bb_arena_alloc(size, 64));
    assert_null(bb_arena_alloc(size, 64)); /* the same again adds no line */
    assert_true(bb_log_read(0, &entry));
    bb_format(needed, sizeof(needed), " %zu bytes", bb_arena_used() + size);
    assert_non_null(strstr(entry.text, needed));
    assert_non_null(strstr(entry.text, "`arena`"));
    assert_int_equal(entry.level, BB_ERROR);
    assert_false(bb_log_read(1, &entry));
    assert_non_null(bb_arena_alloc(64, 64)); /* what fits still fits */
}

static void test_absurd_sizes_are_refused(void **state)
{
    (void)state;
    assert_non_null(bb_arena_alloc(1, 1));
    assert_null(bb_arena_alloc(SIZE_MAX, 1));
    assert_null(bb_arena_alloc(SIZE_MAX - 8, 4096));
    assert_non_null(bb_arena_alloc(0, 1));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_memory_is_zeroed_again),
        cmocka_unit_test(test_full_arena_says_what_it_needs),
        cmocka_unit_test(test_absurd_sizes_are_refused),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
