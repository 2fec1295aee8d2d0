/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool that file systems take memory from. */
#include <stdlib.h>
#include <string.h>

#include <tests/unit/harness.h>

#include <modules/file/pool.h>

static struct bb_pool pool;
static _Alignas(16) char memory[65536];

static void test_all_comes_back(void **state)
{
    (void)state;
    struct {
        unsigned char *at;
        size_t size;
        unsigned char mark;
    } held[64] = {0};
    srand(1);
    bb_pool_start(&pool, memory, sizeof(memory));
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)rand() % 64;
        if (held[i].at) {
            for (size_t at = 0; at < held[i].size; at++)
                assert_int_equal(held[i].at[at], held[i].mark);
            bb_pool_free(&pool, held[i].at);
            held[i].at = NULL;
        } else {
            held[i].size = (size_t)rand() % 3000;
            held[i].mark = (unsigned char)rand();
            held[i].at = bb_pool_alloc(&pool, held[i].size);
            if (!held[i].at)
                continue;
            assert_int_equal((uintptr_t)held[i].at % 16, 0);
            assert_true(bb_pool_length(held[i].at) >= held[i].size);
            memset(held[i].at, held[i].mark, held[i].size);
        }
    }
    for (unsigned i = 0; i < 64; i++)
        bb_pool_free(&pool, held[i].at);
    assert_int_equal(pool.used, 0);
    assert_true(pool.most <= sizeof(memory));
    assert_non_null(bb_pool_alloc(&pool, sizeof(memory) - 16)); /* in one piece again */
}

static void test_full(void **state)
{
    (void)state;
    bb_pool_start(&pool, memory, sizeof(memory));
    assert_null(bb_pool_alloc(&pool, sizeof(memory)));
    assert_null(bb_pool_alloc(&pool, SIZE_MAX));
    assert_null(bb_pool_alloc(&pool, SIZE_MAX - 30));
    void *all = bb_pool_alloc(&pool, sizeof(memory) - 16);
    assert_non_null(all);
    assert_null(bb_pool_alloc(&pool, 0));
    bb_pool_free(&pool, all);
    assert_non_null(bb_pool_alloc(&pool, 0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_comes_back),
        cmocka_unit_test(test_full),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
