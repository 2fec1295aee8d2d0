/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio bus and its MMIO transport: failures, beginning again, removal. */
#include "virtio.h"

#include <string.h>

#include <busbar/poll.h>

/* ---- Failing and beginning again ---- */

static void test_fail(void **state)
{
    char reason[200];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    const struct bb_device *device = device_at(DEVICE);
    post_one(0);
    assert_int_equal(bb_virtio_fail(any->virtio, "it lied", -EIO), -EIO);
    assert_int_equal(model.status, 0);
    assert_int_equal(failed, 1);
    assert_int_equal(bb_virtio_fail(any->virtio, "again", -EIO), -EIO);
    assert_int_equal(failed, 1);
    bb_node_reason(device->node, reason, sizeof reason);
    assert_non_null(strstr(reason, "it lied"));
    assert_non_null(bb_ring_abandon(&any->rings[0]));
    assert_null(bb_ring_abandon(&any->rings[0]));
    assert_int_equal(bb_virtio_restart(any->virtio), -EIO);
    assert_int_equal(bb_virtio_stop(any->virtio), -EIO);
}

static void test_fail_without_end_of_reset(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    (void)device_at(DEVICE);
    model.never_resets = true;
    assert_int_equal(bb_virtio_fail(any->virtio, "it lied", -EIO), -EIO);
    assert_int_equal(failed, 1);
    assert_true(model.status & 128);
    assert_true(any->device.shared); /* it may still write there */
}

static void test_stop_without_end_of_reset(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    (void)device_at(DEVICE);
    model.never_resets = true;
    uint64_t begin = bb_time();
    assert_int_equal(bb_virtio_stop(any->virtio), -ETIMEDOUT);
    assert_true(bb_time() - begin < BB_SEC);
    assert_int_equal(failed, 1);
}

static int restart(struct bb_virtio_client *client)
{
    struct any *me = bb_container_of(client, struct any, client);
    assert_int_equal(bb_virtio_stop(me->virtio), 0);
    assert_non_null(bb_ring_abandon(&me->rings[0]));
    assert_null(bb_ring_abandon(&me->rings[0]));
    int error = bb_virtio_restart(me->virtio);
    if (!error)
        post_one(0);
    return error;
}

static void needs_reset(bool legacy, uint64_t features)
{
    plan.needs_reset = restart;
    prepare(legacy, features);
    boot(NULL);
    (void)device_at(DEVICE);
    post_one(0);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t before = model.driver_features;
        model_virtio_break(&model);
        bb_poll();
        bb_poll();
        assert_int_equal(failed, 0);
        assert_int_equal(model.status, legacy ? 7 : 15);
        assert_true(model.driver_features == before);
        assert_int_equal(any->rings[0].room, any->rings[0].size - 1);
        model_virtio_use(&model, model_virtio_held(&model, 0), 1);
        assert_non_null(bb_ring_take(&any->rings[0], NULL));
        post_one(0);
    }
}

CASE(needs_reset, needs_reset(false, VIRTIO_SPLIT))
CASE(needs_reset_legacy, needs_reset(true, VIRTIO_SPLIT))
CASE(needs_reset_packed, needs_reset(false, VIRTIO_PACKED))
static void test_needs_reset_unheard(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    const struct bb_device *device = device_at(DEVICE);
    model_virtio_break(&model);
    bb_poll();
    bb_poll();
    assert_int_equal(failed, 1);
    assert_int_equal(device->node->reason.error, -EIO);
    assert_int_equal(model.status, 0);
}

static void test_restart_finds_another_device(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT | 1);
    plan.wanted = 1;
    boot(NULL);
    (void)device_at(DEVICE);
    model.features = VIRTIO_SPLIT;
    assert_int_equal(bb_virtio_restart(any->virtio), -EIO);
    assert_int_equal(failed, 1);
}

static void test_restart_finds_smaller_queues(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    (void)device_at(DEVICE);
    model.queue_max[0] = 4;
    assert_int_equal(bb_virtio_restart(any->virtio), -EIO);
    assert_int_equal(failed, 1);
}

static void test_remove(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    (void)device_at(DEVICE);
    post_one(0);
    must_remove(DEVICE);
    assert_int_equal(model.status, 0);
    model_virtio_config_changed(&model);
    bb_poll();
    must_remove(SLOT);
    assert_false(virt.gic->enabled[32 + 16]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_fail_without_end_of_reset),
        cmocka_unit_test(test_stop_without_end_of_reset),
        cmocka_unit_test(test_needs_reset),
        cmocka_unit_test(test_needs_reset_legacy),
        cmocka_unit_test(test_needs_reset_packed),
        cmocka_unit_test(test_needs_reset_unheard),
        cmocka_unit_test(test_restart_finds_another_device),
        cmocka_unit_test(test_restart_finds_smaller_queues),
        cmocka_unit_test(test_remove),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
