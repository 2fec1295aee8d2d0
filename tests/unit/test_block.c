/* SPDX-License-Identifier: BSD-2-Clause */
/* The subsystem of block devices on a driver of the test's own, and block/ram. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/block.h>
#include <busbar/boot.h>
#include <busbar/mmio.h>
#include <core/core.h>
#include <tests/models/boards.h>

enum { BLOCKS = 64, SIZE = 1024, DEPTH = 4 };

/* ---- A driver that does as it is told ---- */

struct fake {
    struct bb_device device;
    struct bb_block block;
};

static struct {
    uint32_t block_size, alignment, max_blocks, physical_size;
    uint64_t capacity;
    uint16_t features, max_segments, queues, depth;
    bool hold; /* completes nothing */
    int expired;
} plan;
static uint8_t medium[BLOCKS * SIZE];
static struct bb_block_request *waiting[DEPTH];
static unsigned waiting_count, submits, expirations;

static struct bb_block *fake_block(void)
{
    return face_at(block, "/fake");
}

static int fake_submit(struct bb_block *block, unsigned queue,
                       struct bb_block_request *const *requests, unsigned count)
{
    unsigned taken = 0;
    assert_int_equal(queue, 0);
    for (; taken < count && waiting_count < DEPTH; taken++) {
        int error = bb_block_refuse(block, requests[taken]);
        if (error)
            return taken ? (int)taken : error;
        submits++;
        waiting[waiting_count++] = requests[taken];
        bb_block_started(block, 1);
    }
    return (int)taken;
}

static void finish(struct bb_block *block, int status)
{
    struct bb_block_request *request = waiting[0];
    uint8_t *at = medium + request->block * SIZE;
    memmove(waiting, waiting + 1, --waiting_count * sizeof waiting[0]);
    for (unsigned i = 0; i < request->segment_count; i++) {
        const struct bb_block_segment *segment = &request->segments[i];
        assert_int_equal((uintptr_t)segment->data % block->alignment, 0);
        if (request->op == BB_BLOCK_READ)
            memcpy(segment->data, at, segment->length);
        else
            memcpy(at, segment->data, segment->length);
        at += segment->length;
    }
    bb_block_complete(block, request, status);
}

static int fake_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    unsigned count = 0;
    (void)queue;
    for (; !plan.hold && waiting_count && count < limit; count++)
        finish(block, 0);
    return (int)count;
}

static bool fake_arm(struct bb_block *block, unsigned queue)
{
    (void)block, (void)queue;
    return !plan.hold && waiting_count;
}

static int fake_expire(struct bb_block *block)
{
    expirations++;
    while (waiting_count)
        finish(block, -ETIMEDOUT);
    return plan.expired;
}

static int fake_probe(struct bb_device *device)
{
    struct bb_block *block = &bb_container_of(device, struct fake, device)->block;
    block->capacity = plan.capacity;
    block->block_size = plan.block_size;
    block->physical_size = plan.physical_size;
    block->alignment = plan.alignment;
    block->max_blocks = plan.max_blocks;
    block->max_erase = 10;
    block->max_segments = plan.max_segments;
    block->queues = plan.queues;
    block->depth = plan.depth;
    block->features = plan.features;
    return 0;
}

static const struct bb_block_ops bb_ops_block_fake = {
    .submit = fake_submit, .reap = fake_reap, .arm = fake_arm, .expire = fake_expire};

BB_DRIVER(block, fake, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,fake"}), .probe = fake_probe);

static void start_fakes(const char *more)
{
    static const struct bb_driver *drivers[200];
    virt_prepare(NULL);
    tree_device("fake", "test,fake");
    tree_close();
    if (more) {
        tree_device(more, "test,fake");
        tree_close();
    }
    drivers[0] = &bb_driver_block_fake;
    for (size_t i = 0; i < bb_driver_count && i < 190; i++)
        drivers[i + 1] = bb_drivers[i];
    bb_binder.drivers = drivers;
    bb_binder.count = bb_driver_count + 1;
    boot(NULL);
}

static void usual(void)
{
    plan.capacity = BLOCKS;
    plan.block_size = SIZE;
    plan.alignment = 64;
    plan.max_blocks = 4;
    plan.features = BB_BLOCK_HAS_FLUSH;
    plan.max_segments = 2;
    plan.queues = 1;
    plan.depth = DEPTH;
    for (size_t i = 0; i < sizeof medium; i++)
        medium[i] = (uint8_t)(i * 3 + i / SIZE);
}

static struct bb_block *start(void)
{
    usual();
    start_fakes(NULL);
    submits = 0; /* somebody has looked for partitions */
    fake_block()->stats = (struct bb_block_stats){0};
    return fake_block();
}

/* ---- Names, limits, values ---- */

static void test_names(void **state)
{
    (void)state;
    usual();
    start_fakes("other");
    assert_string_equal(fake_block()->face.device->name, "disk0");
    assert_string_equal(face_at(block, "/other")->face.device->name, "disk1");
    assert_ptr_equal(bb_block_by_name("disk1"), face_at(block, "/other"));
    assert_non_null(bb_value_find("disk0.capacity"));
    assert_non_null(bb_value_find("disk1.written_bytes"));
    assert_non_null(bb_node_find("/fake/partitions"));
    assert_string_equal(fake_block()->label, "");
    assert_int_equal(fake_block()->physical_size, SIZE);
}

static void refused(const char *what)
{
    start_fakes(NULL);
    must_fail("/fake", -EINVAL, "block");
    assert_int_equal(logged(what), 1);
    assert_null(bb_block_by_name("disk0"));
}

static void test_refuses_block_size(void **state)
{
    (void)state;
    usual();
    plan.block_size = 768;
    refused("block size");
}

static void test_refuses_capacity(void **state)
{
    (void)state;
    usual();
    plan.capacity = UINT64_MAX / SIZE;
    refused("capacity");
}

static void test_refuses_no_depth(void **state)
{
    (void)state;
    usual();
    plan.depth = 0;
    refused("limits");
}

static void test_refuses_alignment(void **state)
{
    (void)state;
    usual();
    plan.alignment = 48;
    refused("limits");
}

/* ---- Calls that wait ---- */

static void test_bounce_and_split(void **state)
{
    (void)state;
    struct bb_block *block = start();
    uint8_t *buffer = aligned_alloc(64, 16 * SIZE);
    assert_int_equal(bb_block_read(block, 3, 10, buffer), 0);
    assert_memory_equal(buffer, medium + 3 * SIZE, 10 * SIZE);
    assert_int_equal(submits, 3); /* 4 blocks at most */
    assert_int_equal(bb_block_read(block, 3, 10, buffer + 1), 0);
    assert_memory_equal(buffer + 1, medium + 3 * SIZE, 10 * SIZE);
    memset(buffer, 0xab, 16 * SIZE);
    assert_int_equal(bb_block_write(block, 20, 9, buffer + 3), 0);
    assert_memory_equal(medium + 20 * SIZE, buffer, 9 * SIZE);
    assert_true(medium[29 * SIZE] != 0xab || medium[29 * SIZE + 1] != 0xab);
    assert_true(block->stats.read_bytes == 20 * SIZE && block->stats.written_bytes == 9 * SIZE);
    size_t bytes = block->face.device->bytes;
    assert_int_equal(bb_block_read(block, 0, 1, buffer + 5), 0);
    assert_int_equal(block->face.device->bytes, bytes); /* one buffer for all */
    assert_int_equal(bb_block_flush(block), 0);
    assert_true(block->stats.flushes == 1);
    free(buffer);
}

static void test_zeroes_without_the_feature(void **state)
{
    (void)state;
    struct bb_block *block = start();
    medium[4 * SIZE - 1] = medium[15 * SIZE] = 9;
    assert_int_equal(bb_block_write_zeroes(block, 4, 11), 0);
    for (size_t i = 4 * SIZE; i < 15 * SIZE; i++)
        assert_int_equal(medium[i], 0);
    assert_true(medium[4 * SIZE - 1] == 9 && medium[15 * SIZE] == 9);
    assert_int_equal(bb_block_discard(block, 4, 1), -ENOTSUP);
    assert_int_equal(bb_block_write_zeroes(block, BLOCKS, 1), -EINVAL);
    assert_int_equal(bb_block_write_zeroes(block, UINT64_MAX, UINT64_MAX), -EINVAL);
}

static void test_nothing_is_written_when_a_part_is_wrong(void **state)
{
    (void)state;
    struct bb_block *block = start();
    uint8_t *buffer = aligned_alloc(64, 16 * SIZE);
    memset(buffer, 1, 16 * SIZE);
    assert_int_equal(bb_block_write(block, BLOCKS - 8, 9, buffer), -EINVAL);
    assert_int_equal(bb_block_write(block, UINT64_MAX, 1, buffer), -EINVAL);
    assert_int_equal(submits, 0);
    free(buffer);
}

static void test_waits_for_room(void **state)
{
    static struct bb_block_request requests[DEPTH];
    static _Alignas(64) uint8_t buffer[SIZE];
    const struct bb_block_segment segment = {buffer, SIZE};
    (void)state;
    struct bb_block *block = start();
    for (unsigned i = 0; i < DEPTH; i++) {
        struct bb_block_request *one[] = {&requests[i]};
        requests[i] = (struct bb_block_request){.segments = &segment, .segment_count = 1};
        assert_int_equal(bb_block_submit(block, 0, one, 1), 1);
    }
    assert_int_equal(bb_block_read(block, 1, 1, buffer), 0);
    assert_memory_equal(buffer, medium + SIZE, SIZE);
}

/* ---- The watchdog ---- */

static _Alignas(64) uint8_t one_block[SIZE];

static void test_watchdog(void **state)
{
    (void)state;
    struct bb_block *block = start();
    plan.hold = true;
    uint64_t begin = bb_time();
    assert_int_equal(bb_block_read(block, 1, 1, one_block), -ETIMEDOUT);
    assert_in_range(bb_time() - begin, 10 * BB_SEC, 14 * BB_SEC);
    assert_int_equal(expirations, 1);
    assert_false(block->broken);
    plan.hold = false;
    assert_int_equal(bb_block_read(block, 1, 1, one_block), 0);
    bb_sleep(30 * BB_SEC);
    assert_int_equal(expirations, 1);
    plan.hold = true;
    assert_int_equal(bb_block_read(block, 1, 1, one_block), -ETIMEDOUT);
    assert_int_equal(bb_block_read(block, 1, 1, one_block), -ETIMEDOUT);
    assert_int_equal(expirations, 3);
    assert_true(block->broken && block->stats.timeouts == 3);
    assert_int_equal(bb_block_read(block, 1, 1, one_block), -EIO);
    assert_int_equal(logged("hung again"), 1);
}

static void test_a_reset_that_fails(void **state)
{
    (void)state;
    struct bb_block *block = start();
    plan.hold = true;
    plan.expired = -EIO;
    assert_int_equal(bb_block_read(block, 1, 1, one_block), -ETIMEDOUT);
    assert_true(block->broken);
    assert_int_equal(bb_block_flush(block), -EIO);
    assert_int_equal(block->face.device->node->state, BB_NODE_FAILED);
}

/* A program that is busy elsewhere for a while is no fault of the device. */
static void test_a_program_that_does_not_poll(void **state)
{
    const struct bb_block_segment segment = {one_block, SIZE};
    struct bb_block_request request = {.segments = &segment, .segment_count = 1},
                            *one[] = {&request};
    (void)state;
    struct bb_block *block = start();
    assert_int_equal(bb_block_submit(block, 0, one, 1), 1);
    world_advance(100 * BB_SEC);
    bb_sleep(30 * BB_SEC);
    assert_int_equal(request.status, 0);
    assert_int_equal(expirations, 0);
}

static void test_resize(void **state)
{
    (void)state;
    struct bb_block *block = start();
    assert_int_equal(bb_block_read(block, 50, 1, one_block), 0);
    bb_block_resize(block, 50);
    assert_int_equal(bb_block_read(block, 50, 1, one_block), -EINVAL);
    bb_block_resize(block, 2);
    assert_int_equal(bb_block_read(block, 1, 1, one_block), 0);
    assert_int_equal(bb_block_read(block, 1, 2, one_block), -EINVAL);
    bb_block_resize(block, 0);
    assert_int_equal(bb_block_read(block, 0, 1, one_block), -EINVAL);
    assert_int_equal(logged("blocks now"), 3);
}

/* Plugged in after the start: its partitions are found and taken into use like those of the rest.
 */
static void test_a_disk_that_comes_later(void **state)
{
    static const struct bb_property property = {"compatible", "test,fake", sizeof("test,fake")};
    static const uint8_t entry[] = {0, 0, 0, 0, 0x83, 0, 0, 0, 4, 0, 0, 0, 10};
    (void)state;
    start();
    memset(medium, 0, sizeof medium);
    memcpy(medium + 446, entry, sizeof entry);
    medium[510] = 0x55;
    medium[511] = 0xaa;
    struct bb_node *node;
    assert_int_equal(bb_node_append(bb_node_root(), &bb_mmio_bus, "later", &property, 1, &node), 0);
    assert_int_equal(bb_bind(node), 0);
    assert_non_null(bb_block_by_name("disk1"));
    while (bb_poll())
        continue;
    struct bb_block *part = bb_block_by_name("disk1p1");
    assert_non_null(part);
    assert_true(part->capacity == 10);
    assert_int_equal(bb_block_read(part, 0, 1, one_block), 0);
}

/* ---- block/ram ---- */

static uint8_t initrd[8 * 512 + 100];

static void start_ram(const char *compatible, const char *words)
{
    virt_prepare(NULL);
    tree_device("ram", compatible);
    tree_close();
    boot(words);
}

static void test_ramdisk(void **state)
{
    (void)state;
    start_ram("busbar,ramdisk", "ram.size=65536 conformance.scratch=disk0");
    struct bb_block *block = face_at(block, "/ram");
    assert_true(block->capacity == 128);
    conform(NULL);
}

static void test_ramdisk_sizes(void **state)
{
    (void)state;
    start_ram("busbar,ramdisk", *state);
    assert_null(bb_node_find("/ram")->device);
    must_fail("/ram", 0, NULL);
}

static void test_initrd(void **state)
{
    uint8_t buffer[1024];
    (void)state;
    for (size_t i = 0; i < sizeof initrd; i++)
        initrd[i] = (uint8_t)(i / 5);
    bb_bootinfo.initrd_start = (uintptr_t)initrd;
    bb_bootinfo.initrd_size = sizeof initrd;
    start_ram("busbar,initrd", "conformance.scratch=disk0");
    struct bb_block *block = face_at(block, "/ram");
    assert_true(block->capacity == 8);
    assert_int_equal(logged("the last 100 bytes"), 1);
    assert_string_equal(block->label, "initrd");
    assert_int_equal(bb_block_read(block, 6, 2, buffer), 0);
    assert_memory_equal(buffer, initrd + 6 * 512, 1024);
    assert_int_equal(bb_block_write(block, 0, 2, buffer), 0);
    assert_memory_equal(buffer, initrd, 1024);
}

/* Something else lies in its last page: it is not written to. */
static void test_initrd_beside_the_tree(void **state)
{
    uint8_t buffer[512] = {0};
    (void)state;
    bb_bootinfo.initrd_start = (uintptr_t)initrd;
    bb_bootinfo.initrd_size = sizeof initrd;
    bb_bootinfo.regions[0] = (struct bb_region){
        .start = (uintptr_t)initrd + sizeof initrd, .size = 64, .kind = BB_REGION_TREE};
    bb_bootinfo.region_count = 1;
    start_ram("busbar,initrd", NULL);
    struct bb_block *block = face_at(block, "/ram");
    assert_int_equal(block->features, BB_BLOCK_READ_ONLY);
    assert_int_equal(bb_block_write(block, 0, 1, buffer), -EROFS);
    assert_int_equal(bb_block_read(block, 0, 1, buffer), 0);
}

static void test_no_initrd(void **state)
{
    (void)state;
    start_ram("busbar,initrd", NULL);
    must_fail("/ram", -ENOSYS, "no initrd");
}

static void test_ram_goes(void **state)
{
    const struct bb_block_segment segment = {one_block, 512};
    struct bb_block_request request = {.segments = &segment, .segment_count = 1},
                            *one[] = {&request};
    (void)state;
    start_ram("busbar,ramdisk", "ram.size=65536");
    struct bb_block *block = face_at(block, "/ram");
    assert_int_equal(bb_block_submit(block, 0, one, 1), 1);
    struct bb_node *table = bb_node_find("/ram/partitions");
    if (table->device)
        assert_int_equal(bb_device_remove(table->device), 0);
    must_remove("/ram");
    assert_int_equal(bb_block_wait(block, 0, &request), -ENODEV);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refuses_block_size),
        cmocka_unit_test(test_refuses_capacity),
        cmocka_unit_test(test_refuses_no_depth),
        cmocka_unit_test(test_refuses_alignment),
        cmocka_unit_test(test_bounce_and_split),
        cmocka_unit_test(test_zeroes_without_the_feature),
        cmocka_unit_test(test_nothing_is_written_when_a_part_is_wrong),
        cmocka_unit_test(test_waits_for_room),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_a_reset_that_fails),
        cmocka_unit_test(test_a_program_that_does_not_poll),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_a_disk_that_comes_later),
        cmocka_unit_test(test_ramdisk),
        cmocka_unit_test_prestate(test_ramdisk_sizes, (void *)"log=info"),
        cmocka_unit_test_prestate(test_ramdisk_sizes, (void *)"ram.size=1000"),
        cmocka_unit_test_prestate(test_ramdisk_sizes, (void *)"ram.size=0xfffffffffffffe00"),
        cmocka_unit_test_prestate(test_ramdisk_sizes, (void *)"ram.size=1099511627776"),
        cmocka_unit_test(test_initrd),
        cmocka_unit_test(test_initrd_beside_the_tree),
        cmocka_unit_test(test_no_initrd),
        cmocka_unit_test(test_ram_goes),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
