/* SPDX-License-Identifier: BSD-2-Clause */
/* block/virtio_block on the model of its device: what it reads of it, order, size, removal. */
#include "virtio_block.h"

/* ---- All is well ---- */

static void conforms(bool legacy, uint64_t rings)
{
    prepare(legacy, rings);
    (void)start("conformance.scratch=disk0");
    conform(NULL);
    assert_true(disk.reads && disk.writes && disk.flushes && disk.erases);
}

static void test_legacy(void **state)
{
    (void)state;
    conforms(true, VIRTIO_SPLIT);
}

static void test_split(void **state)
{
    (void)state;
    conforms(false, VIRTIO_SPLIT);
}

static void test_packed(void **state)
{
    (void)state;
    conforms(false, VIRTIO_PACKED);
}

static void test_no_tables(void **state)
{
    (void)state;
    conforms(false, NO_INDIRECT);
}

static void test_no_event_index(void **state)
{
    (void)state;
    conforms(true, VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC));
}

static void test_plain_ring(void **state)
{
    (void)state;
    conforms(true, 0);
}

static void test_packed_without_tables(void **state)
{
    (void)state;
    conforms(false, NO_INDIRECT | VIRTIO_BIT(VIRTIO_F_RING_PACKED));
}

static void test_what_the_device_says(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT | VIRTIO_BIT(VIRTIO_DISK_RO) | VIRTIO_BIT(VIRTIO_DISK_SIZE_MAX) |
                       VIRTIO_BIT(VIRTIO_DISK_MQ));
    disk.config.blk_size = 4096;
    disk.config.physical_block_exp = 1;
    disk.config.size_max = 16384;
    disk.config.seg_max = 5;
    disk.config.num_queues = 2;
    struct bb_block *block = start(NULL);
    assert_true(block->capacity == VIRTIO_DISK_SECTORS / 8);
    assert_int_equal(block->block_size, 4096);
    assert_int_equal(block->physical_size, 8192);
    assert_int_equal(block->max_blocks, 4);
    assert_int_equal(block->max_segments, 5);
    assert_int_equal(block->max_erase, 300 / 8);
    assert_int_equal(block->queues, 2);
    assert_int_equal(block->depth, 64);
    assert_int_equal(block->features, 15);
    uint8_t *buffer = malloc(5 * 4096);
    assert_int_equal(bb_block_read(block, 7, 5, buffer), 0); /* in two */
    assert_memory_equal(buffer, disk.memory + 7 * 4096, 5 * 4096);
    assert_int_equal(bb_block_write(block, 7, 1, buffer), -EROFS);
    assert_int_equal(bb_block_discard(block, 7, 1), -EROFS);
    struct bb_block_segment segment = {buffer, 4096};
    struct bb_block_request request = {.segments = &segment, .segment_count = 1},
                            *one[] = {&request};
    assert_int_equal(bb_block_submit(block, 1, one, 1), 1);
    assert_int_equal(disk.virtio.queues[1].chains, 1);
    assert_int_equal(bb_block_wait(block, 1, &request), 0);
    free(buffer);
}

static void test_large_blocks_are_written(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    disk.config.blk_size = 2048;
    struct bb_block *block = start(NULL);
    uint8_t buffer[2048];
    memset(buffer, 0x33, sizeof buffer);
    assert_int_equal(bb_block_write(block, 10, 1, buffer), 0);
    assert_memory_equal(disk.memory + 20480, buffer, sizeof buffer);
    assert_int_equal(bb_block_write_zeroes(block, 10, 100), 0); /* 75 at most in one */
    assert_int_equal(disk.erases, 2);
    assert_true(disk.memory[20480] == 0 && disk.memory[20480 + 204799] == 0);
    assert_true(disk.memory[20480 + 204800] != 0);
    assert_true(block->stats.discards == 2 && block->stats.writes == 1);
    assert_true(block->stats.written_bytes == 2048);
}

/* ---- Nonsense in the configuration ---- */

static void refuses(const char *step)
{
    virtio_disk_attach(&disk, 3);
    boot(NULL);
    must_fail(DISK, -EINVAL, step);
    assert_int_equal(disk.virtio.status, 0);
    size_t used = bb_arena_used();
    bb_node_find(DISK)->state = BB_NODE_UNBOUND;
    assert_int_equal(bb_bind(bb_node_find(DISK)), -EINVAL);
    assert_int_equal(bb_arena_used(), used); /* the device was reset: its memory is free again */
}

static void test_block_sizes(void **state)
{
    const uint32_t *size = *state;
    prepare(false, VIRTIO_SPLIT);
    disk.config.blk_size = *size;
    refuses("block size");
}

static void test_capacity_overflow(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    disk.config.capacity = UINT64_MAX / 512;
    refuses("capacity");
}

static void test_small_segments(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT | VIRTIO_BIT(VIRTIO_DISK_SIZE_MAX));
    disk.config.size_max = 511;
    refuses("size of segments");
}

static void test_no_queues(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT | VIRTIO_BIT(VIRTIO_DISK_MQ));
    disk.config.num_queues = 0;
    refuses("number of queues");
}

static void test_small_queue(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    disk.virtio.queue_max[0] = 2; /* header, data and status are three */
    refuses("queue size");
}

static void test_small_second_queue(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT | VIRTIO_BIT(VIRTIO_DISK_MQ));
    disk.config.num_queues = 2;
    disk.virtio.queue_max[1] = 2;
    refuses("queue size");
}

/* What has a harmless reading gets that. */
static void test_odd_values(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    disk.config.seg_max = 0;
    disk.config.physical_block_exp = 200;
    disk.config.max_discard_sectors = 0;
    disk.config.max_write_zeroes_sectors = UINT32_MAX;
    disk.virtio.queue_max[0] = 4;
    struct bb_block *block = start(NULL);
    assert_int_equal(block->max_segments, 1);
    assert_int_equal(block->physical_size, 512);
    assert_int_equal(block->features & BB_BLOCK_HAS_DISCARD, 0);
    assert_int_equal(block->depth, 4);
    assert_int_equal(bb_block_read(block, 1, 1, data[0]), 0);
    assert_memory_equal(data[0], disk.memory + 512, 512);
}

/* ---- Order, errors, a full queue ---- */

static void reads_in_any_order(uint64_t rings)
{
    prepare(false, rings);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    for (unsigned round = 0; round < 20; round++) {
        assert_int_equal(submit_reads(block, 8), 8);
        assert_int_equal(bb_block_reap(block, 0, 8), 0);
        for (unsigned left = 8; left > 0; left--) {
            struct virtio_chain *chain = model_virtio_held(&disk.virtio, 0);
            for (unsigned skip = (round * 5 + left) % left; skip > 0; skip--)
                chain = chain->next;
            virtio_disk_finish(&disk, chain);
            if (left % 3 == 0)
                assert_int_equal(bb_block_reap(block, 0, 1), 1);
        }
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(bb_block_wait(block, 0, list[i]), 0);
        assert_memory_equal(data, disk.memory + 51200, 8 * 512);
    }
    disk.hold = false;
    assert_true(block->stats.reads >= 160 && block->stats.errors == 0);
}

static void test_any_order(void **state)
{
    (void)state;
    reads_in_any_order(VIRTIO_SPLIT);
}

static void test_any_order_packed(void **state)
{
    (void)state;
    reads_in_any_order(VIRTIO_PACKED);
}

static void test_error_in_a_batch(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.bad_sector = 105;
    assert_int_equal(submit_reads(block, 16), 16);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(bb_block_wait(block, 0, list[i]), i == 5 ? -EIO : 0);
    assert_true(block->stats.errors == 1);
    disk.bad_sector = UINT64_MAX;
    assert_int_equal(bb_block_read(block, 105, 1, data[0]), 0);
    disk.status = 2;
    assert_int_equal(bb_block_read(block, 105, 1, data[0]), -ENOTSUP);
}

static void test_full_queue(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    disk.virtio.queue_max[0] = 16;
    struct bb_block *block = start(NULL);
    disk.hold = true;
    assert_int_equal(submit_reads(block, MANY), 16);
    assert_int_equal(bb_block_submit(block, 0, list + 16, 1), 0);
    virtio_disk_finish(&disk, model_virtio_held(&disk.virtio, 0)->next->next);
    assert_int_equal(bb_block_reap(block, 0, MANY), 1);
    assert_int_equal(requests[2].status, 0);
    assert_int_equal(bb_block_submit(block, 0, list + 16, 24), 1);
    for (struct virtio_chain *chain; (chain = model_virtio_held(&disk.virtio, 0));)
        virtio_disk_finish(&disk, chain);
    assert_int_equal(bb_block_reap(block, 0, 10), 10);
    assert_int_equal(bb_block_reap(block, 0, 10), 6);
}

/* Flushes and long requests borrow tables, of which there are 16. */
static void test_tables_run_out(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    for (unsigned i = 0; i < MANY; i++) {
        requests[i] = (struct bb_block_request){.op = BB_BLOCK_FLUSH};
        list[i] = &requests[i];
    }
    assert_int_equal(bb_block_submit(block, 0, list, MANY), 16);
    assert_int_equal(requests[16].status, 0);
    disk.hold = false;
    for (struct virtio_chain *chain; (chain = model_virtio_held(&disk.virtio, 0));)
        virtio_disk_finish(&disk, chain);
    assert_int_equal(bb_block_reap(block, 0, MANY), 16);
    assert_true(block->stats.flushes == 16);
    struct bb_block_segment many[20];
    uint8_t buffer[20 * 512];
    for (unsigned i = 0; i < 20; i++)
        many[i] = (struct bb_block_segment){buffer + (19 - i) * 512, 512};
    struct bb_block_request request = {.segments = many, .segment_count = 20, .block = 9},
                            *one[] = {&request};
    assert_int_equal(bb_block_submit(block, 0, one, 1), 1);
    assert_int_equal(bb_block_wait(block, 0, &request), 0);
    assert_int_equal(disk.longest, 22);
    for (unsigned i = 0; i < 20; i++)
        assert_memory_equal(buffer + (19 - i) * 512, disk.memory + (9 + i) * 512, 512);
    assert_int_equal(submit_reads(block, MANY), MANY); /* slots are as before */
    assert_int_equal(bb_block_reap(block, 0, MANY), MANY);
}

/* ---- done() ---- */

static unsigned order[3], ended;

static void wait_for_the_last(struct bb_block_request *request)
{
    order[ended++] = (unsigned)(request - requests);
    if (request == &requests[0])
        assert_int_equal(bb_block_wait(request->context, 0, &requests[2]), requests[0].status);
}

/* A request that is waited for in done() may have been reaped in the same batch. */
static void waits_in_done(uint64_t rings, bool remove)
{
    prepare(false, rings);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    assert_int_equal(submit_reads(block, 3), 3);
    for (unsigned i = 0; i < 3; i++) {
        requests[i].done = wait_for_the_last;
        requests[i].context = block;
    }
    while (model_virtio_held(&disk.virtio, 0) && !remove)
        finish_one(NULL);
    if (remove)
        remove_disk();
    else
        assert_int_equal(bb_block_reap(block, 0, MANY), 3);
    assert_int_equal(ended, 3);
    assert_true(order[0] == 0 && order[1] == 1 && order[2] == 2);
}

static void test_waits_in_done(void **state)
{
    (void)state;
    waits_in_done(VIRTIO_SPLIT, false);
}

static void test_waits_in_done_packed(void **state)
{
    (void)state;
    waits_in_done(VIRTIO_PACKED, false);
}

static void test_waits_in_done_of_a_device_that_goes(void **state)
{
    (void)state;
    waits_in_done(VIRTIO_SPLIT, true);
}

/* ---- Size and removal ---- */

static void test_shrinks_and_grows(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    assert_int_equal(bb_block_read(block, 4095, 1, data[0]), 0);
    disk.config.capacity = 1000;
    model_virtio_config_changed(&disk.virtio);
    bb_sleep(BB_MSEC);
    assert_true(block->capacity == 1000);
    assert_int_equal(logged("has 1000 blocks now"), 1);
    assert_int_equal(bb_block_read(block, 1000, 1, data[0]), -EINVAL);
    assert_int_equal(bb_block_read(block, 999, 1, data[0]), 0);
    disk.config.capacity = 0;
    model_virtio_config_changed(&disk.virtio);
    bb_sleep(BB_MSEC);
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), -EINVAL);
    disk.config.capacity = 2000;
    model_virtio_config_changed(&disk.virtio);
    bb_sleep(BB_MSEC);
    assert_int_equal(bb_block_read(block, 1999, 1, data[0]), 0);
    disk.config.capacity = UINT64_MAX;
    model_virtio_config_changed(&disk.virtio);
    bb_sleep(BB_MSEC);
    assert_true(block->capacity <= INT64_MAX / 512);
}

static unsigned told;

static void ask_again(struct bb_block_request *request)
{
    struct bb_block *block = request->context;
    struct bb_block_request *one[] = {request};
    told++;
    request->done = NULL;
    if (request->status)
        assert_true(bb_block_submit(block, 0, one, 1) < 0);
}

static void test_remove(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    assert_int_equal(submit_reads(block, 3), 3);
    struct bb_block_request flush = {.op = BB_BLOCK_FLUSH, .done = ask_again, .context = block},
                            *one[] = {&flush};
    assert_int_equal(bb_block_submit(block, 0, one, 1), 1);
    bb_face_get(&block->face);
    remove_disk();
    assert_int_equal(disk.virtio.status, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_block_wait(block, 0, list[i]), -ENODEV);
    assert_int_equal(told, 1);
    assert_int_equal(flush.status, -ENODEV);
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), -ENODEV);
    assert_int_equal(bb_block_write(block, 0, 1, data[0]), -ENODEV);
    assert_int_equal(bb_block_flush(block), -ENODEV);
    assert_int_equal(bb_block_reap(block, 0, 1), -ENODEV);
    bb_face_put(&block->face);
    bb_sleep(60 * BB_SEC); /* no watchdog comes */
}

int main(void)
{
    static uint32_t sizes[] = {0, 3, 256, 1000, 131072, 0x80000000};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_no_event_index),
        cmocka_unit_test(test_plain_ring),
        cmocka_unit_test(test_packed_without_tables),
        cmocka_unit_test(test_what_the_device_says),
        cmocka_unit_test(test_large_blocks_are_written),
        cmocka_unit_test_prestate(test_block_sizes, &sizes[0]),
        cmocka_unit_test_prestate(test_block_sizes, &sizes[1]),
        cmocka_unit_test_prestate(test_block_sizes, &sizes[2]),
        cmocka_unit_test_prestate(test_block_sizes, &sizes[3]),
        cmocka_unit_test_prestate(test_block_sizes, &sizes[4]),
        cmocka_unit_test_prestate(test_block_sizes, &sizes[5]),
        cmocka_unit_test(test_capacity_overflow),
        cmocka_unit_test(test_small_segments),
        cmocka_unit_test(test_no_queues),
        cmocka_unit_test(test_small_queue),
        cmocka_unit_test(test_small_second_queue),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_any_order_packed),
        cmocka_unit_test(test_error_in_a_batch),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_tables_run_out),
        cmocka_unit_test(test_waits_in_done),
        cmocka_unit_test(test_waits_in_done_packed),
        cmocka_unit_test(test_waits_in_done_of_a_device_that_goes),
        cmocka_unit_test(test_shrinks_and_grows),
        cmocka_unit_test(test_remove),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
