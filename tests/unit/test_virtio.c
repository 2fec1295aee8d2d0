/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio bus and its MMIO transport: finding, negotiation, queues, configuration, interrupts.
 */
#include "virtio.h"

#include <string.h>

#include <busbar/poll.h>

/* ---- Finding ---- */

static void test_empty_slot(void **state)
{
    (void)state;
    prepare(false, 0);
    model.type = 0;
    boot(NULL);
    must_fail(SLOT, -ENOSYS, "empty slot");
    assert_int_equal(model.resets, 0);
    assert_false(virt.gic->enabled[32 + 16]);
}

/* Of a driver that did not get it, the transport keeps nothing. */
static void test_not_acquired(void **state)
{
    (void)state;
    prepare(false, 0);
    plan.fault = 1;
    boot(NULL);
    must_fail(DEVICE, 0, "transport");
    struct bb_virtio *virtio = face_at(virtio, SLOT);
    assert_null(virtio->client);
    assert_null(virtio->device);
}

static uint64_t foreign_read(void *context, size_t offset, unsigned width)
{
    (void)width;
    const uint32_t *values = context;
    return offset == 0 ? values[0] : offset == 4 ? values[1] : 0;
}

static void test_not_virtio(void **state)
{
    static const uint32_t magic[] = {0x12345678, 2}, version[] = {0x74726976, 3};
    static struct bb_host_region regions[] = {
        {.base = 0xb000000, .size = 0x200, .read = foreign_read},
        {.base = 0xb001000, .size = 0x200, .read = foreign_read},
    };
    (void)state;
    virt_prepare(NULL);
    regions[0].context = (void *)(uintptr_t)magic;
    regions[1].context = (void *)(uintptr_t)version;
    for (unsigned i = 0; i < 2; i++) {
        bb_host_map(&regions[i]);
        tree_device(i ? "virtio_mmio@b001000" : "virtio_mmio@b000000", "virtio,mmio");
        tree_cells("reg", 0, 0xb000000 + i * 0x1000, 0, 0x200);
        tree_close();
    }
    tree_device("virtio_mmio@b002000", "virtio,mmio");
    tree_cells("reg", 0, 0xb002000, 0, 0x80);
    tree_close();
    boot(NULL);
    must_fail("/virtio_mmio@b000000", -ENODEV, "magic");
    must_fail("/virtio_mmio@b001000", -ENOTSUP, "version");
    must_fail("/virtio_mmio@b002000", -EINVAL, "reg");
}

static void test_no_interrupt(void **state)
{
    (void)state;
    virt_prepare(NULL);
    model = (struct model_virtio){.type = 42};
    model_virtio_map(&model, 0xb000000);
    tree_device("virtio_mmio@b000000", "virtio,mmio");
    tree_cells("reg", 0, 0xb000000, 0, 0x200);
    tree_close();
    boot(NULL);
    must_fail("/virtio_mmio@b000000", -ENOENT, NULL);
}

/* ---- Negotiation ---- */

static void test_features(void **state)
{
    (void)state;
    prepare(false, VIRTIO_PACKED | 0xf | VIRTIO_BIT(33) | VIRTIO_BIT(24));
    plan.wanted = 0x15;
    plan.required = 0x2;
    boot(NULL);
    (void)device_at(DEVICE);
    assert_int_equal(model.status, 15);
    assert_true(model.driver_features == (VIRTIO_PACKED | VIRTIO_BIT(VIRTIO_F_VERSION_1) | 0x7));
    assert_true(bb_virtio_has(any->virtio, 2));
    assert_false(bb_virtio_has(any->virtio, 3));
    assert_true(any->rings[0].packed);
}

static void test_legacy_features(void **state)
{
    (void)state;
    prepare(true, VIRTIO_PACKED | 0xf | VIRTIO_BIT(40));
    plan.wanted = 0x5;
    boot(NULL);
    (void)device_at(DEVICE);
    assert_int_equal(model.status, 7); /* no FEATURES_OK there */
    assert_true(model.driver_features == (VIRTIO_SPLIT | 0x5));
    assert_false(any->rings[0].packed);
    assert_int_equal(model.queues[0].size, 8);
    assert_int_equal(model.queues[0].align, 4096);
}

static void test_missing_feature(void **state)
{
    (void)state;
    prepare(false, 0x5);
    plan.required = 0x2;
    boot(NULL);
    must_fail(DEVICE, -ENOTSUP, "features");
    assert_int_equal(model.status, 0);
}

static void test_refused_features(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    model.refuses = true;
    boot(NULL);
    must_fail(DEVICE, -ENOTSUP, "features");
    assert_int_equal(model.status, 0);
}

static void test_never_resets(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    model.never_resets = true;
    model.status = 1;
    boot(NULL);
    uint64_t begin = bb_time();
    must_fail(DEVICE, -ETIMEDOUT, "reset");
    assert_true(begin < 2 * BB_SEC);
}

static void test_busy(void **state)
{
    struct bb_virtio *virtio;
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    assert_int_equal(bb_virtio_open(device_at(DEVICE), 0, 0, &any->client, &virtio), -EBUSY);
}

/* ---- Queues ---- */

static void queue_of(bool legacy, uint64_t features, uint16_t max, unsigned size, int error,
                     uint16_t got)
{
    prepare(legacy, features);
    model.queues[0].max = model.queue_max[0] = max;
    plan.size = size;
    boot(NULL);
    if (error) {
        must_fail(DEVICE, error, error == -ENOENT ? "queue" : "queue size");
        assert_int_equal(model.status, 0);
    } else {
        (void)device_at(DEVICE);
        assert_int_equal(any->rings[0].size, got);
        assert_int_equal(model.queues[0].size, got);
    }
}

CASE(queue_none, queue_of(false, VIRTIO_SPLIT, 0, 256, -ENOENT, 0))
CASE(queue_of_3, queue_of(false, VIRTIO_SPLIT, 3, 256, -EINVAL, 0))
CASE(queue_of_3_legacy, queue_of(true, VIRTIO_SPLIT, 3, 2, -EINVAL, 0))
CASE(queue_of_3_packed, queue_of(false, VIRTIO_PACKED, 3, 256, 0, 3))
CASE(queue_of_65535, queue_of(false, VIRTIO_PACKED, 65535, 256, -EINVAL, 0))
CASE(queue_of_32768, queue_of(false, VIRTIO_SPLIT, 32768, 2048, 0, 2048))
CASE(queue_of_2, queue_of(true, VIRTIO_SPLIT, 2, 2048, 0, 2))
CASE(queue_below, queue_of(true, VIRTIO_SPLIT, 1024, 100, 0, 64))

static void test_queue_shorter_than_chains(void **state)
{
    (void)state;
    plan.parts = 3;
    queue_of(false, VIRTIO_SPLIT, 16, 2, -EINVAL, 0);
}

static void test_queue_in_use(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    model.keeps_queues = true;
    boot(NULL);
    must_fail(DEVICE, -EBUSY, "queue");
    assert_int_equal(model.status, 0);
}

static void test_refuses_to_start(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    model.ails = true;
    boot(NULL);
    must_fail(DEVICE, -EIO, "the device refused to start");
    assert_int_equal(model.status, 0);
    assert_int_equal(failed, 0); /* a probe's error says it all */
}

/* ---- Configuration ---- */

static void test_configuration(void **state)
{
    uint8_t bytes[6];
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    for (unsigned i = 0; i < sizeof config; i++)
        config[i] = (uint8_t)(i + 1);
    boot(NULL);
    (void)device_at(DEVICE);
    struct bb_virtio *virtio = any->virtio;
    virtio->config_size = 64;
    assert_int_equal(bb_virtio_config(virtio, 1, bytes, 6), 0);
    assert_memory_equal(bytes, config + 1, 6);
    assert_int_equal(bb_virtio_config_u16(virtio, 6, &u16), 0);
    assert_int_equal(u16, 0x0807);
    assert_int_equal(bb_virtio_config_u32(virtio, 8, &u32), 0);
    assert_int_equal(u32, 0x0c0b0a09);
    assert_int_equal(bb_virtio_config_u64(virtio, 56, &u64), 0);
    assert_true(u64 == 0x403f3e3d3c3b3a39);
    assert_int_equal(bb_virtio_config_u64(virtio, 60, &u64), -ERANGE);
    assert_int_equal(bb_virtio_config_u16(virtio, SIZE_MAX, &u16), -ERANGE);
    assert_int_equal(bb_virtio_config(virtio, 65, bytes, 0), -ERANGE);
    assert_int_equal(bb_virtio_config_write(virtio, 63, &u16, 2), -ERANGE);
}

static unsigned widths[5];

static void count_width(struct model_virtio *device, size_t offset, unsigned width)
{
    (void)device, (void)offset;
    widths[width]++;
}

static void test_configuration_written(void **state)
{
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    model.config_written = count_width;
    boot(NULL);
    (void)device_at(DEVICE);
    static const uint8_t sizes[] = {1, 2, 4, 8, 6};
    for (size_t i = 0, at = 0; i < BB_ARRAY_SIZE(sizes); at += 8, i++) {
        assert_int_equal(bb_virtio_config_write(any->virtio, at, bytes, sizes[i]), 0);
        assert_memory_equal(config + at, bytes, sizes[i]);
    }
    assert_int_equal(widths[1], 7);
    assert_int_equal(widths[2], 1);
    assert_int_equal(widths[4], 3);
}

static void configuration_in_motion(bool legacy)
{
    uint64_t value;
    prepare(legacy, VIRTIO_SPLIT);
    boot(NULL);
    (void)device_at(DEVICE);
    model.restless = true;
    assert_int_equal(bb_virtio_config_u64(any->virtio, 0, &value), -EIO);
    model.restless = false;
    assert_int_equal(bb_virtio_config_u64(any->virtio, 0, &value), 0);
}

CASE(configuration_in_motion, configuration_in_motion(false))
CASE(legacy_configuration_in_motion, configuration_in_motion(true))
/* ---- Interrupts ---- */

static void interrupts(bool legacy, uint64_t features)
{
    prepare(legacy, features);
    plan.rings = 2;
    boot(NULL);
    (void)device_at(DEVICE);
    for (unsigned i = 1; i <= 5; i++) {
        post_one(0);
        post_one(1);
        assert_false(bb_ring_arm(&any->rings[0]));
        assert_false(bb_ring_arm(&any->rings[1]));
        model_virtio_use(&model, model_virtio_held(&model, 1), 1);
        assert_int_equal(used, 2 * i - 1);
        post_one(1);
        model_virtio_use(&model, model_virtio_held(&model, 1), 1);
        assert_int_equal(used, 2 * i - 1); /* that one is disarmed now */
        model_virtio_use(&model, model_virtio_held(&model, 0), 1);
        assert_int_equal(used, 2 * i); /* and the other still armed */
        assert_non_null(bb_ring_take(&any->rings[0], NULL));
        assert_non_null(bb_ring_take(&any->rings[1], NULL));
        assert_non_null(bb_ring_take(&any->rings[1], NULL));
        assert_int_equal(model.interrupt_status, 0);
        assert_int_equal(changed, i - 1);
        model_virtio_config_changed(&model);
        assert_int_equal(changed, i);
        bb_poll();
    }
    assert_int_equal(failed, 0);
}

CASE(interrupts, interrupts(false, VIRTIO_SPLIT))
CASE(interrupts_legacy, interrupts(true, 0))
CASE(interrupts_packed, interrupts(false, VIRTIO_PACKED))
CASE(interrupts_packed_without_event, interrupts(false, VIRTIO_BIT(VIRTIO_F_RING_PACKED)))
int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_slot),
        cmocka_unit_test(test_not_acquired),
        cmocka_unit_test(test_not_virtio),
        cmocka_unit_test(test_no_interrupt),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_legacy_features),
        cmocka_unit_test(test_missing_feature),
        cmocka_unit_test(test_refused_features),
        cmocka_unit_test(test_never_resets),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_queue_none),
        cmocka_unit_test(test_queue_of_3),
        cmocka_unit_test(test_queue_of_3_legacy),
        cmocka_unit_test(test_queue_of_3_packed),
        cmocka_unit_test(test_queue_of_65535),
        cmocka_unit_test(test_queue_of_32768),
        cmocka_unit_test(test_queue_of_2),
        cmocka_unit_test(test_queue_below),
        cmocka_unit_test(test_queue_shorter_than_chains),
        cmocka_unit_test(test_queue_in_use),
        cmocka_unit_test(test_refuses_to_start),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_configuration_written),
        cmocka_unit_test(test_configuration_in_motion),
        cmocka_unit_test(test_legacy_configuration_in_motion),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_interrupts_legacy),
        cmocka_unit_test(test_interrupts_packed),
        cmocka_unit_test(test_interrupts_packed_without_event),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
