/* SPDX-License-Identifier: BSD-2-Clause */
/* block/virtio_block on a device that lies, hangs, or asks for a reset. */
#include "virtio_block.h"

/* ---- A device that lies ---- */

static void lies(uint64_t rings, enum virtio_fault fault, const char *why)
{
    prepare(false, rings);
    struct bb_block *block = start(NULL);
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), 0);
    disk.virtio.fault = fault;
    disk.virtio.fault_after = 5;
    int taken = submit_reads(block, 6);
    assert_true(taken == 6 || taken == -EIO);
    unsigned good = 0;
    for (unsigned i = 0; i < 6 && taken > 0; i++) {
        int status = bb_block_wait(block, 0, list[i]);
        assert_true(status == 0 || status == -EIO);
        good += status == 0;
    }
    assert_true(good <= 5);
    must_be_broken(block, why);
    assert_int_equal(disk.virtio.status, 0);
}

static void test_index_jumps(void **state)
{
    (void)state;
    lies(VIRTIO_SPLIT, VIRTIO_USED_JUMPS, "used ");
}

static void test_index_goes_back(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), 0);
    disk.virtio.fault = VIRTIO_USED_BACK;
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), -EIO);
    must_be_broken(block, "used index");
}

static void test_id_range(void **state)
{
    (void)state;
    lies(VIRTIO_SPLIT, VIRTIO_ID_RANGE, "used id");
}

static void test_id_free(void **state)
{
    (void)state;
    lies(VIRTIO_SPLIT, VIRTIO_ID_FREE, "used id");
}

static void test_id_twice(void **state)
{
    (void)state;
    lies(VIRTIO_SPLIT, VIRTIO_ID_TWICE, "used id");
}

static void test_length(void **state)
{
    (void)state;
    lies(VIRTIO_SPLIT, VIRTIO_LENGTH, "used length");
}

static void test_huge_length(void **state)
{
    (void)state;
    lies(VIRTIO_SPLIT, VIRTIO_LENGTH_HUGE, "used length");
}

static void test_packed_id(void **state)
{
    (void)state;
    lies(VIRTIO_PACKED, VIRTIO_ID_RANGE, "used id");
}

static void test_packed_length(void **state)
{
    (void)state;
    lies(VIRTIO_PACKED, VIRTIO_LENGTH, "used length");
}

static void test_bad_status(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.status = 77;
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), -EIO);
    must_be_broken(block, "status");
}

static void test_no_status(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.mute = true;
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), -EIO);
    must_be_broken(block, "status");
}

/* The length alone does not make a request good. */
static void claims_without_status(bool legacy, uint64_t rings, bool write, unsigned count)
{
    prepare(legacy, rings);
    struct bb_block *block = start(NULL);
    disk.mute = true;
    disk.claims = write ? 1 : 513;
    if (write) {
        assert_int_equal(bb_block_write(block, 0, 1, data[0]), -EIO);
    } else {
        assert_int_equal(submit_reads(block, count), count);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(bb_block_wait(block, 0, list[i]), -EIO);
    }
    must_be_broken(block, "status");
}

static void test_claims_without_status(void **state)
{
    (void)state;
    claims_without_status(false, VIRTIO_SPLIT, false, 1);
}

static void test_claims_many_without_status(void **state)
{
    (void)state;
    claims_without_status(true, VIRTIO_SPLIT, false, 8);
}

static void test_claims_a_write_without_status(void **state)
{
    (void)state;
    claims_without_status(false, VIRTIO_SPLIT, true, 1);
}

static void test_claims_packed_without_status(void **state)
{
    (void)state;
    claims_without_status(false, VIRTIO_PACKED, false, 3);
}

static void test_short_read(void **state)
{
    const uint64_t *rings = *state;
    prepare(false, *rings);
    struct bb_block *block = start(NULL);
    disk.missing = 100;
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), -EIO);
    must_be_broken(block, "less was read");
}

static void test_short_length_of_a_legacy_device(void **state)
{
    (void)state;
    prepare(true, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.missing = 100;
    assert_int_equal(bb_block_read(block, 7, 1, data[0]), 0);
    assert_memory_equal(data[0], disk.memory + 7 * 512, 512);
}

/* ---- Time-outs and resets ---- */

static void hangs(uint64_t rings)
{
    prepare(false, rings);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    unsigned resets = disk.virtio.resets;
    uint64_t begin = world_now();
    assert_int_equal(submit_reads(block, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_block_wait(block, 0, list[i]), -ETIMEDOUT);
    assert_in_range(world_now() - begin, 10 * BB_SEC, 14 * BB_SEC);
    assert_true(disk.virtio.resets > resets);
    assert_int_equal(disk.virtio.status, 15); /* it runs again */
    assert_true(block->stats.timeouts == 1 && block->stats.errors == 3);
    disk.hold = false;
    assert_int_equal(bb_block_read(block, 5, 1, data[0]), 0);
    disk.hold = true; /* there was progress: reset once more */
    assert_int_equal(bb_block_read(block, 5, 1, data[0]), -ETIMEDOUT);
    assert_false(block->broken);
    assert_int_equal(bb_block_read(block, 5, 1, data[0]), -ETIMEDOUT);
    must_be_broken(block, "hung again");
    assert_int_equal(disk.virtio.status, 0);
}

static void test_hangs(void **state)
{
    (void)state;
    hangs(VIRTIO_SPLIT);
}

static void test_hangs_packed(void **state)
{
    (void)state;
    hangs(VIRTIO_PACKED);
}

static struct bb_block_request other;

static void read_another(struct bb_timer_event *event)
{
    struct bb_block *block = face_at(block, DISK);
    static struct bb_block_segment segment = {data[MANY - 1], 512};
    struct bb_block_request *one[] = {&other};
    assert_int_not_equal(other.status, -EINPROGRESS);
    other = (struct bb_block_request){.block = 1, .segments = &segment, .segment_count = 1};
    assert_int_equal(bb_block_submit(block, 0, one, 1), 1);
    bb_timer_event_at(event, bb_time() + BB_SEC);
}

/* All but one complete, so that the device is never silent. */
static void test_lost_among_others(void **state)
{
    struct bb_timer_event event = {.run = read_another};
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.lost_sector = 102;
    bb_timer_event_at(&event, bb_time() + BB_SEC);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t begin = world_now();
        assert_int_equal(submit_reads(block, 5), 5);
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(bb_block_wait(block, 0, list[i]), i == 2 ? -ETIMEDOUT : 0);
        assert_in_range(world_now() - begin, 20 * BB_SEC, 26 * BB_SEC);
        assert_true(block->stats.timeouts == round + 1);
    }
    assert_false(block->broken);
    bb_timer_event_cancel(&event);
    assert_int_equal(logged("did not come back"), 3);
}

/* The first one's interrupt is not the last. */
static void test_waits_for_the_second(void **state)
{
    struct world_event events[] = {{.run = finish_one}, {.run = finish_one}};
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    uint64_t begin = world_now();
    assert_int_equal(submit_reads(block, 2), 2);
    world_at(&events[0], begin + BB_MSEC);
    world_at(&events[1], begin + 2 * BB_MSEC);
    assert_int_equal(bb_block_wait(block, 0, list[1]), 0);
    assert_in_range(world_now() - begin, 2 * BB_MSEC, 3 * BB_MSEC);
}

static void test_never_resets(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    disk.virtio.never_resets = true;
    assert_int_equal(submit_reads(block, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_block_wait(block, 0, list[i]), -ETIMEDOUT);
    assert_true(block->broken);
    assert_non_null(strstr(reason_of(block), "reset"));
}

static void test_needs_reset(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    struct bb_block *block = start(NULL);
    disk.hold = true;
    assert_int_equal(submit_reads(block, 3), 3);
    model_virtio_break(&disk.virtio);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_block_wait(block, 0, list[i]), -EIO);
    disk.hold = false;
    assert_int_equal(bb_block_read(block, 5, 1, data[0]), 0);
    assert_memory_equal(data[0], disk.memory + 5 * 512, 512);
    assert_int_equal(submit_reads(block, MANY), MANY);
    assert_int_equal(bb_block_reap(block, 0, MANY), MANY);
}

int main(void)
{
    static uint64_t rings[] = {VIRTIO_SPLIT, VIRTIO_PACKED};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_jumps),
        cmocka_unit_test(test_index_goes_back),
        cmocka_unit_test(test_id_range),
        cmocka_unit_test(test_id_free),
        cmocka_unit_test(test_id_twice),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_huge_length),
        cmocka_unit_test(test_packed_id),
        cmocka_unit_test(test_packed_length),
        cmocka_unit_test(test_bad_status),
        cmocka_unit_test(test_no_status),
        cmocka_unit_test(test_claims_without_status),
        cmocka_unit_test(test_claims_many_without_status),
        cmocka_unit_test(test_claims_a_write_without_status),
        cmocka_unit_test(test_claims_packed_without_status),
        cmocka_unit_test_prestate(test_short_read, &rings[0]),
        cmocka_unit_test_prestate(test_short_read, &rings[1]),
        cmocka_unit_test(test_short_length_of_a_legacy_device),
        cmocka_unit_test(test_hangs),
        cmocka_unit_test(test_hangs_packed),
        cmocka_unit_test(test_lost_among_others),
        cmocka_unit_test(test_waits_for_the_second),
        cmocka_unit_test(test_never_resets),
        cmocka_unit_test(test_needs_reset),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
