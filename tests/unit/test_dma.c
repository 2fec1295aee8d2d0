/* SPDX-License-Identifier: BSD-2-Clause */
/* DMA memory: whole lines, bus addresses through dma-ranges, one owner at a time. */
#include "harness.h"

#include <string.h>

#include <busbar/arch.h>
#include <busbar/arena.h>
#include <busbar/dma.h>
#include <core/core.h>

static const struct bb_driver driver = {.name = "test/chip"};
static struct bb_device device = {.driver = &driver, .name = "chip"};
static struct bb_dma dma;

/* A bus whose devices see memory from `start` on at 0xc0000000. */
static void tree(uint64_t start, uint32_t size)
{
    tree_begin(2, 2);
    tree_open("bus");
    tree_cells("#address-cells", 1);
    tree_cells("#size-cells", 1);
    tree_bytes("compatible", "simple-bus", 11);
    tree_flag("ranges");
    tree_cells("dma-ranges", 0xc0000000, (uint32_t)(start >> 32), (uint32_t)start, size);
    tree_open("chip");
    tree_close();
    tree_close();
    boot_tree(NULL);
    device.node = bb_node_find("/bus/chip");
    assert_non_null(device.node);
}

static uint64_t arena_start(void)
{
    size_t mark = bb_arena_used();
    uintptr_t at = (uintptr_t)bb_arena_alloc(1, 1);
    bb_arena_reset(mark);
    return at & ~0xfffull;
}

static void test_whole_lines_and_bus_addresses(void **state)
{
    static struct bb_dma second;
    (void)state;
    uint64_t start = arena_start();
    tree(start, 0x1000000);
    assert_int_equal(bb_dma_alloc(&device, 100, &dma), 0);
    assert_int_equal(bb_dma_alloc(&device, 1, &second), 0);
    size_t line = bb_arch_cache_line();
    assert_int_equal((uintptr_t)dma.cpu % line, 0);
    assert_true((char *)second.cpu - (char *)dma.cpu >= 128);
    assert_int_equal(dma.size, 100);
    assert_int_equal(dma.device - 0xc0000000, (uintptr_t)dma.cpu - start);
    assert_int_equal(device.bytes, 128 + 64);
    for (size_t i = 0; i < 128; i++)
        assert_int_equal(((char *)dma.cpu)[i], 0);
    bb_device_release(&device);
    assert_null(dma.cpu);
    assert_null(second.cpu);
}

static void test_memory_out_of_reach(void **state)
{
    (void)state;
    tree(arena_start() + 0x8000000, 0x1000);
    assert_int_equal(bb_dma_alloc(&device, 100, &dma), -ENXIO);
    assert_string_equal(device.step, "dma-ranges");
    assert_null(device.resources);
}

static void test_absurd_sizes(void **state)
{
    (void)state;
    tree(arena_start(), 0x1000000);
    assert_int_equal(bb_dma_alloc(&device, 0, &dma), -EINVAL);
    assert_int_equal(bb_dma_alloc(&device, SIZE_MAX, &dma), -ENOMEM);
    assert_int_equal(bb_dma_alloc(&device, SIZE_MAX - 100, &dma), -ENOMEM);
    assert_int_equal(bb_dma_alloc(&device, bb_arena_size(), &dma), -ENOMEM);
    assert_null(device.resources);
}

extern int bb_fault_at;

static void test_each_acquisition_may_fail(void **state)
{
    (void)state;
    tree(arena_start(), 0x1000000);
    for (int n = 1; n <= 2; n++) {
        bb_fault_at = n;
        assert_int_equal(bb_dma_alloc(&device, 100, &dma), -ENOMEM);
        assert_null(device.resources);
    }
    bb_fault_at = 3;
    assert_int_equal(bb_dma_alloc(&device, 100, &dma), 0);
}

static int sync_twice(void *context)
{
    (void)context;
    bb_dma_sync_for_device(&dma);
    bb_dma_sync_for_device(&dma);
    return 0;
}

static int sync_back_first(void *context)
{
    (void)context;
    bb_dma_sync_for_cpu(&dma);
    return 0;
}

static int sync_released(void *context)
{
    (void)context;
    bb_device_release(&device);
    bb_dma_sync_for_device(&dma);
    return 0;
}

static void test_one_owner_at_a_time(void **state)
{
    (void)state;
    tree(arena_start(), 0x1000000);
    assert_int_equal(bb_dma_alloc(&device, 100, &dma), 0);
    assert_int_equal(run_child(sync_twice, NULL), 1); /* an assertion halts */
    assert_int_equal(run_child(sync_back_first, NULL), 1);
    assert_int_equal(run_child(sync_released, NULL), 1);
    for (unsigned i = 0; i < 3; i++) {
        bb_dma_sync_for_device(&dma);
        assert_true(dma.device_owns);
        bb_dma_sync_for_cpu(&dma);
        assert_false(dma.device_owns);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_lines_and_bus_addresses),
        cmocka_unit_test(test_memory_out_of_reach),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_each_acquisition_may_fail),
        cmocka_unit_test(test_one_owner_at_a_time),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
