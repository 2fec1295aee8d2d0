/* SPDX-License-Identifier: BSD-2-Clause */
/* block/usb_storage on the model of a stick: what it can, what it learns, and who comes and goes.
 */
#include "usb_storage.h"

static void conforms(enum bb_usb_speed speed, uint32_t block_size, unsigned waits)
{
    struct bb_block *disk = prepare(speed, block_size);
    stick.waits = waits;
    assert_int_equal(disk->capacity, sizeof medium / block_size);
    assert_int_equal(disk->block_size, block_size);
    assert_string_equal(disk->label, "Busbar Model of a stick");
    conform(board_type);
    assert_true(stick.flushes > 0);
    assert_int_equal(stick.resets, 0);
    unplug();
}

static void test_high_speed(void **state)
{
    (void)state;
    conforms(BB_USB_HIGH, 512, 0);
}

static void test_full_speed(void **state)
{
    (void)state;
    conforms(BB_USB_FULL, 512, 0);
}

static void test_large_blocks(void **state)
{
    (void)state;
    conforms(BB_USB_HIGH, 4096, 1);
}

static void test_slow_medium(void **state)
{
    (void)state;
    conforms(BB_USB_HIGH, 1024, 7);
}

/* ---- Requests ---- */

static void test_segments(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    struct bb_block_segment segments[5];
    for (unsigned i = 0; i < 5; i++)
        segments[i] = (struct bb_block_segment){memory + (4 - i) * 8192, (i + 1) * 512};
    struct bb_block_request request = {.block = 7, .segments = segments, .segment_count = 5},
                            *batch[] = {&request};
    unsigned before = stick.commands;
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
    assert_int_equal(bb_block_wait(disk, 0, &request), 0);
    assert_int_equal(stick.commands, before + 1); /* one command, whatever the memory */
    for (unsigned i = 0, at = 7; i < 5; at += ++i)
        assert_true(is_pattern(disk, segments[i].data, at, i + 1));
    for (size_t i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)(i / 512 + 1);
    request.op = BB_BLOCK_WRITE;
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
    assert_int_equal(bb_block_wait(disk, 0, &request), 0);
    for (unsigned i = 0, at = 7; i < 5; at += ++i)
        assert_memory_equal(medium + at * 512, segments[i].data, (i + 1) * 512);
    assert_int_equal(medium[6 * 512], pattern(6 * 512));
    assert_int_equal(medium[22 * 512], pattern(22 * 512));
}

static void test_full_queue(void **state)
{
    static struct bb_block_request requests[100], *batch[100];
    static struct bb_block_segment segments[100];
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    for (unsigned i = 0; i < 100; i++) {
        segments[i] = (struct bb_block_segment){memory + i * 512, 512};
        requests[i] = (struct bb_block_request){
            .block = (i * 37) % 1000, .segments = &segments[i], .segment_count = 1};
        batch[i] = &requests[i];
    }
    int taken = bb_block_submit(disk, 0, batch, 100);
    assert_int_equal(taken, disk->depth);
    assert_int_equal(bb_block_submit(disk, 0, batch + taken, 1), 0);
    while (taken < 100) {
        bb_block_wait(disk, 0, &requests[taken - 1]);
        taken += bb_block_submit(disk, 0, batch + taken, 100 - (unsigned)taken);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(bb_block_wait(disk, 0, &requests[i]), 0);
        assert_true(is_pattern(disk, memory + i * 512, (i * 37) % 1000, 1));
    }
    assert_int_equal(disk->in_flight, 0);
}

/* More than 2 TiB: READ CAPACITY (16), and 16-byte commands for what lies beyond. */
static void test_large_disk(void **state)
{
    (void)state;
    soft_host_prepare(1);
    make_stick(BB_USB_HIGH, 512);
    stick.blocks = stick.said_blocks = (5ull << 32) + 1024;
    stick.kept = 2048;
    boot(NULL);
    struct bb_block *disk = plug();
    assert_non_null(disk);
    assert_true(disk->capacity == (5ull << 32) + 1024);
    assert_int_equal(stick.count[0x9e], 1);
    unsigned large = stick.count[0x88], small = stick.count[0x28];
    assert_true(large >= 1); /* its last block */
    assert_int_equal(bb_block_read(disk, 4ull << 32, 2, memory), 0);
    assert_true(stick.last_block == 4ull << 32);
    assert_int_equal(stick.count[0x88], large + 1);
    assert_int_equal(bb_block_write(disk, UINT32_MAX, 1, memory), 0);
    assert_int_equal(stick.count[0x8a], 1);
    assert_int_equal(bb_block_read(disk, 17, 2, memory), 0);
    assert_int_equal(stick.count[0x28], small + 1);
}

static void test_large_request(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    struct bb_block_segment segment = {memory, 121 * 1024};
    struct bb_block_request request = {.segments = &segment, .segment_count = 1},
                            *batch[] = {&request};
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), -EINVAL);
    assert_int_equal(bb_block_read(disk, 0, 256, memory), 0); /* as several requests */
    assert_true(is_pattern(disk, memory, 0, 256));
}

/* ---- Kinds of units ---- */

static void settle(void)
{
    boot(NULL);
    (void)plug();
}

static void fails_with(int error, const char *step)
{
    assert_null(bb_block_by_name("disk0"));
    bb_for_each_node (node) {
        if (node->driver && strcmp(node->driver->name, "block/usb_storage") == 0) {
            assert_int_equal(node->reason.error, error);
            assert_string_equal(node->reason.step, step);
            return;
        }
    }
    fail_msg("the driver did not look at it");
}

#define STICK(...)                                                                                 \
    do {                                                                                           \
        soft_host_prepare(1);                                                                      \
        make_stick(BB_USB_HIGH, 512);                                                              \
        __VA_ARGS__;                                                                               \
        settle();                                                                                  \
    } while (0)

static void test_write_protect(void **state)
{
    (void)state;
    STICK(stick.write_protected = true);
    struct bb_block *disk = bb_block_by_name("disk0");
    assert_true(disk->features & BB_BLOCK_READ_ONLY);
    assert_false(disk->features & BB_BLOCK_HAS_FLUSH);
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -EROFS);
    reads_well(disk);
}

/* What the mode page does not say, the medium does. */
static void test_write_protected_later(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.write_protected = true;
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -EROFS);
    assert_int_equal(medium[0], pattern(0));
    reads_well(disk);
}

static void test_spare_commands(void **state)
{
    (void)state;
    STICK(stick.no_mode_sense = true; stick.no_cache_command = true; stick.no_lun_request = true;
          stick.described_sense = true);
    struct bb_block *disk = bb_block_by_name("disk0");
    reads_well(disk);
    assert_int_equal(bb_block_flush(disk), 0);
    assert_int_equal(bb_block_flush(disk), 0);
    assert_int_equal(stick.count[0x35], 1); /* it was told once that there is no such thing */
    assert_int_equal(disk->stats.flushes, 2);
}

static void test_more_units(void **state)
{
    (void)state;
    STICK(stick.luns = 2);
    reads_well(bb_block_by_name("disk0"));
    assert_int_equal(logged("has 3 units"), 1);
}

static void test_no_disk(void **state)
{
    (void)state;
    STICK(stick.type = 0x01); /* a tape */
    fails_with(-ENOTSUP, "kind of unit: no disk");
}

static void test_no_unit(void **state)
{
    (void)state;
    STICK(stick.type = 0x7f);
    fails_with(-ENOTSUP, "kind of unit: no disk");
}

static void test_compact_disk(void **state)
{
    (void)state;
    soft_host_prepare(1);
    make_stick(BB_USB_HIGH, 2048);
    stick.type = 0x05;
    settle();
    assert_true(bb_block_by_name("disk0")->features & BB_BLOCK_READ_ONLY);
}

static void test_no_medium(void **state)
{
    (void)state;
    STICK(stick.no_medium = true);
    fails_with(-ENODEV, "medium");
}

static void test_becomes_ready(void **state)
{
    (void)state;
    STICK(stick.ready_at = world_now() + 3 * BB_SEC);
    reads_well(bb_block_by_name("disk0"));
}

static void test_is_never_ready(void **state)
{
    (void)state;
    STICK(stick.ready_at = UINT64_MAX);
    fails_with(-ETIMEDOUT, "TEST UNIT READY");
}

static void test_needs_start(void **state)
{
    (void)state;
    STICK(stick.needs_start = true);
    reads_well(bb_block_by_name("disk0"));
    assert_int_equal(stick.count[0x1b], 1);
}

static void test_many_attentions(void **state)
{
    (void)state;
    STICK(stick.lie_sense = (struct storage_sense){6, 0x29, 0};
          model_usb_storage_lie(&stick, STORAGE_SENSE, 0x00, 3));
    reads_well(bb_block_by_name("disk0"));
}

static void test_attention_for_ever(void **state)
{
    (void)state;
    STICK(stick.lie_sense = (struct storage_sense){6, 0x29, 0};
          model_usb_storage_lie(&stick, STORAGE_SENSE, 0x00, UINT32_MAX));
    fails_with(-EIO, "TEST UNIT READY");
}

/* ---- Capacities that lie ---- */

static void test_one_block_too_many(void **state)
{
    (void)state;
    STICK(stick.said_blocks = BLOCKS + 1);
    struct bb_block *disk = bb_block_by_name("disk0");
    assert_int_equal(disk->capacity, BLOCKS);
    assert_int_equal(logged("taken as one fewer"), 1);
    assert_int_equal(bb_block_read(disk, BLOCKS - 1, 1, memory), 0);
}

static void test_far_too_many(void **state)
{
    (void)state;
    STICK(stick.said_blocks = 1 << 20);
    struct bb_block *disk = bb_block_by_name("disk0");
    assert_int_equal(disk->capacity, 1 << 20);
    assert_int_equal(logged("its last block cannot be read"), 1);
    assert_int_equal(bb_block_read(disk, BLOCKS, 1, memory), -EIO);
    assert_int_equal(bb_block_read(disk, BLOCKS - 1, 2, memory), -EIO);
    reads_well(disk);
}

static void test_block_sizes(void **state)
{
    static const uint32_t sizes[] = {0, 1, 256, 511, 513, 8192, 65536, 0x80000000, 0xffffffff};
    (void)state;
    soft_host_prepare(1);
    boot(NULL);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(sizes); i++) {
        make_stick(BB_USB_HIGH, 512);
        stick.said_size = sizes[i];
        assert_null(plug());
        fails_with(-ENOTSUP, "block size");
        usb_unplug(&stick.usb);
        bb_sleep(BB_SEC);
    }
    make_stick(BB_USB_HIGH, 512);
    reads_well(plug());
}

static void test_capacity_of_no_end(void **state)
{
    (void)state;
    STICK(stick.said_blocks = UINT64_MAX);
    fails_with(-EINVAL, "capacity");
}

static void test_capacity_of_nothing(void **state)
{
    (void)state;
    STICK(stick.said_blocks = 0); /* minus one, the largest number */
    fails_with(-EINVAL, "capacity");
}

static void test_one_block(void **state)
{
    (void)state;
    STICK(stick.said_blocks = 1);
    struct bb_block *disk = bb_block_by_name("disk0");
    assert_int_equal(disk->capacity, 1);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), 0);
}

/* ---- Coming and going ---- */

static void test_again_and_again(void **state)
{
    (void)state;
    soft_host_prepare(1);
    boot(NULL);
    uint64_t taken = soft_host.host->slots.taken;
    for (unsigned i = 0; i < 50; i++) {
        make_stick(i % 2 ? BB_USB_HIGH : BB_USB_FULL, 512);
        struct bb_block *disk = plug();
        assert_non_null(disk);
        reads_well(disk);
        unplug();
        bb_sleep(200 * BB_MSEC);
        assert_int_equal(soft_host.host->slots.taken, taken);
    }
}

static unsigned ended;

static void count_end(struct bb_block_request *request)
{
    ended += request->status == -ENODEV;
}

/* A handle outlives the stick, and so do the requests that were in flight. */
static void test_unplug_in_flight(void **state)
{
    static struct bb_block_request requests[8], *batch[8];
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    struct bb_block_segment segment = {memory, 32768};
    uint64_t taken = soft_host.host->slots.taken;
    bb_face_get(&disk->face);
    for (unsigned i = 0; i < 8; i++) {
        requests[i] =
            (struct bb_block_request){.segments = &segment, .segment_count = 1, .done = count_end};
        batch[i] = &requests[i];
    }
    assert_int_equal(bb_block_submit(disk, 0, batch, 8), 8);
    usb_unplug(&stick.usb);
    assert_int_equal(bb_block_wait(disk, 0, &requests[7]), -ENODEV);
    assert_int_equal(bb_wait(is_away, NULL, 10 * BB_SEC), 0);
    assert_int_equal(ended, 8);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -ENODEV);
    assert_int_equal(bb_block_flush(disk), -ENODEV);
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), -ENODEV);
    make_stick(BB_USB_HIGH, 512);
    struct bb_block *other = plug();
    assert_ptr_not_equal(other, disk); /* the slot is not used while somebody holds it */
    reads_well(other);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -ENODEV);
    assert_int_equal(soft_host.host->slots.taken, taken + 1);
    assert_int_equal(logged("unplugged"), 1);
    bb_face_put(&disk->face);
    bb_sleep(2 * BB_SEC); /* nobody plugs in anything: the slot is free all the same */
    assert_int_equal(soft_host.host->slots.taken, taken);
}

/* Taken out by hand, with the stick still there. */
static void test_remove(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    struct bb_block_segment segment = {memory, 32768};
    struct bb_block_request request = {.segments = &segment, .segment_count = 1},
                            *batch[] = {&request};
    struct bb_device *device = disk->face.device;
    while (disk->partitions && disk->partitions->device)
        assert_int_equal(bb_device_remove(disk->partitions->device), 0);
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
    assert_int_equal(bb_device_remove(device), 0);
    assert_int_equal(request.status, -ENODEV);
    assert_null(bb_block_by_name("disk0"));
    bb_sleep(BB_SEC);
    assert_int_equal(soft_host.in_flight, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_high_speed),
        cmocka_unit_test(test_full_speed),
        cmocka_unit_test(test_large_blocks),
        cmocka_unit_test(test_slow_medium),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_large_disk),
        cmocka_unit_test(test_large_request),
        cmocka_unit_test(test_write_protect),
        cmocka_unit_test(test_write_protected_later),
        cmocka_unit_test(test_spare_commands),
        cmocka_unit_test(test_more_units),
        cmocka_unit_test(test_no_disk),
        cmocka_unit_test(test_no_unit),
        cmocka_unit_test(test_compact_disk),
        cmocka_unit_test(test_no_medium),
        cmocka_unit_test(test_becomes_ready),
        cmocka_unit_test(test_is_never_ready),
        cmocka_unit_test(test_needs_start),
        cmocka_unit_test(test_many_attentions),
        cmocka_unit_test(test_attention_for_ever),
        cmocka_unit_test(test_one_block_too_many),
        cmocka_unit_test(test_far_too_many),
        cmocka_unit_test(test_block_sizes),
        cmocka_unit_test(test_capacity_of_no_end),
        cmocka_unit_test(test_capacity_of_nothing),
        cmocka_unit_test(test_one_block),
        cmocka_unit_test(test_again_and_again),
        cmocka_unit_test(test_unplug_in_flight),
        cmocka_unit_test(test_remove),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
