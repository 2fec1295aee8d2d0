/* SPDX-License-Identifier: BSD-2-Clause */
/* What the Raspberry Pi's firmware serves: board, thermal, clock and power_domain drivers, and
 * clock/bcm2835_cprman, on the firmware model. */
#include "harness.h"

#include <busbar/board.h>
#include <busbar/clock.h>
#include <busbar/power.h>
#include <busbar/store.h>
#include <busbar/thermal.h>

#include <tests/models/boards.h>

static void start(void)
{
    pi_prepare(NULL);
    boot(NULL);
}

/* What every service must pass on of a firmware that misbehaves; the first for those that ask by
 * id. */
static const struct {
    enum vc_mode mode;
    int result;
} wrongs[] = {
    {VC_WRONG_ID, -EPROTO}, {VC_SILENT, -ETIMEDOUT}, {VC_LONG, -EPROTO},       {VC_SHORT, -ENOTSUP},
    {VC_ODD, -EPROTO},      {VC_ERROR, -EIO},        {VC_UNANSWERED, -EPROTO}, {VC_HONEST, 0},
};

static void test_board(void **state)
{
    struct bb_board_identity identity;
    struct bb_board_memory memory;
    char text[24];

    (void)state;
    start();
    struct bb_board *board = face_at(board, PI_BOARD);
    assert_int_equal(bb_board_identity(board, &identity), 0);
    assert_int_equal(identity.revision, 0xa02082);
    assert_int_equal(identity.firmware, 0x61f0d1c2);
    assert_true(identity.serial == 0x0000000189abcdef);
    assert_memory_equal(identity.mac, "\xb8\x27\xeb\x12\x34\x56", 6);
    assert_int_equal(bb_board_memory(board, &memory), 0);
    assert_true(memory.cpu_start == 0 && memory.cpu_size == 0x3c000000);
    assert_true(memory.gpu_start == 0x3c000000 && memory.gpu_size == 0x04000000);

    const struct bb_value *value = bb_value_find("board.revision");
    assert_non_null(value);
    bb_value_text(value, text, sizeof text);
    assert_string_equal(text, "a02082");
    for (size_t i = 1; i < BB_ARRAY_SIZE(wrongs); i++) {
        pi.mailbox.mode = wrongs[i].mode;
        assert_int_equal(bb_board_memory(board, &memory), wrongs[i].result);
    }
}

static void test_thermal(void **state)
{
    int32_t millicelsius;

    (void)state;
    start();
    struct bb_thermal *thermal = face_at(thermal, PI_THERMAL);
    assert_null(bb_value_find("thermal.temperature")); /* it would grow old there */
    pi.mailbox.temperature = (uint32_t)-12345;
    assert_int_equal(bb_thermal_temperature(thermal, &millicelsius), 0);
    assert_int_equal(millicelsius, -12345);
    assert_int_equal(bb_thermal_limit(thermal, &millicelsius), 0);
    assert_int_equal(millicelsius, 85000);
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrongs); i++) {
        pi.mailbox.mode = wrongs[i].mode;
        assert_int_equal(bb_thermal_temperature(thermal, &millicelsius), wrongs[i].result);
    }
}

static void test_clocks(void **state)
{
    uint64_t hz;

    (void)state;
    start();
    struct bb_clock *clock = face_at(clock, PI_CLOCKS);
    const struct bb_clock_ops *ops = clock->face.ops;

    assert_int_equal(ops->rate(clock, 3, &hz), 0);
    assert_true(hz == 1200000000);
    assert_int_equal(ops->set_rate(clock, 3, 600000000), 0);
    assert_int_equal(ops->rate(clock, 3, &hz), 0);
    assert_true(hz == 600000000);
    assert_int_equal(ops->rate(clock, 0, &hz), -EINVAL);
    assert_int_equal(ops->rate(clock, 300, &hz), -EINVAL);
    assert_int_equal(ops->set_rate(clock, 3, 0x100000000), -EINVAL);
    assert_int_equal(ops->enable(clock, 5, true), 0);
    assert_true(pi.mailbox.clock_on[5]);
    assert_int_equal(ops->enable(clock, 5, false), 0);
    assert_false(pi.mailbox.clock_on[5]);
    pi.mailbox.absent = true;
    assert_int_equal(ops->rate(clock, 5, &hz), -EINVAL);
    assert_int_equal(ops->set_rate(clock, 5, 1000000), -EINVAL);
    assert_int_equal(ops->enable(clock, 5, true), -ENODEV);
    assert_int_equal(ops->enable(clock, 5, false), -ENODEV);
    pi.mailbox.absent = false;
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrongs); i++) {
        pi.mailbox.mode = wrongs[i].mode;
        assert_int_equal(ops->rate(clock, 3, &hz), wrongs[i].result);
    }
}

static void test_missing_clock(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.mailbox.clock_rate[5] = 0; /* this board has no such thing */
    boot(NULL);
    struct bb_clock *clock = face_at(clock, PI_CLOCKS);
    const struct bb_clock_ops *ops = clock->face.ops;
    uint64_t hz;
    assert_int_equal(ops->rate(clock, 5, &hz), -EINVAL);
    assert_int_equal(ops->rate(clock, 2, &hz), 0);
}

/* Outputs of the binding brcm,bcm2835-cprman, and the firmware's clocks. */
static void test_cprman(void **state)
{
    static const struct {
        uint32_t output, id;
    } outputs[] = {{19, 2}, {20, 4}, {28, 1}, {21, 5}, {30, 10}};
    uint64_t hz;

    (void)state;
    start();
    struct bb_clock *clock = face_at(clock, PI_CPRMAN);
    const struct bb_clock_ops *ops = clock->face.ops;

    for (size_t i = 0; i < BB_ARRAY_SIZE(outputs); i++) {
        pi.mailbox.clock_rate[outputs[i].id] = 1000 + outputs[i].id;
        assert_int_equal(ops->rate(clock, outputs[i].output, &hz), 0);
        assert_true(hz == 1000 + outputs[i].id);
        pi.mailbox.clock_on[outputs[i].id] = false;
        assert_int_equal(ops->enable(clock, outputs[i].output, true), 0);
        assert_true(pi.mailbox.clock_on[outputs[i].id]);
        assert_int_equal(ops->enable(clock, outputs[i].output, false), 0);
        assert_true(pi.mailbox.clock_on[outputs[i].id]); /* others may run from it */
    }
    pi.mailbox.clock_rate[2] = 0;
    assert_true(ops->rate(clock, 19, &hz) < 0); /* a clock of 0 Hz divides nothing */
    assert_int_equal(ops->rate(clock, 51, &hz), -EINVAL);
    assert_int_equal(ops->rate(clock, 24, &hz), -ENOTSUP); /* the firmware has no name for it */
    assert_int_equal(ops->enable(clock, 24, true), -ENOTSUP);
    pi.mailbox.absent = true;
    assert_int_equal(ops->enable(clock, 20, true), -ENODEV);
    pi.mailbox.absent = false;
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrongs); i++) {
        pi.mailbox.mode = wrongs[i].mode;
        assert_int_equal(ops->rate(clock, 20, &hz), wrongs[i].result);
    }
    assert_int_equal(pi.cprman.accesses, 0);
}

static void test_power_domains(void **state)
{
    bool on;

    (void)state;
    start();
    struct bb_power_domain *domain = face_at(power_domain, PI_POWER);
    const struct bb_power_domain_ops *ops = domain->face.ops;

    for (uint32_t id = 0; id < 23; id++) {
        assert_int_equal(ops->set(domain, id, true), 0);
        assert_int_equal(ops->get(domain, id, &on), 0);
        assert_true(on);
        assert_int_equal(ops->set(domain, id, false), 0);
        assert_int_equal(ops->get(domain, id, &on), 0);
        assert_false(on);
    }
    assert_int_equal(ops->set(domain, 23, true), -EINVAL);
    assert_int_equal(ops->get(domain, 23, &on), -EINVAL);
    pi.mailbox.absent = true;
    assert_int_equal(ops->set(domain, 5, true), -ENODEV);
    assert_int_equal(ops->get(domain, 5, &on), -ENODEV);
    pi.mailbox.absent = false;
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrongs); i++) {
        pi.mailbox.mode = wrongs[i].mode;
        assert_int_equal(ops->get(domain, 5, &on), wrongs[i].result);
    }
}

/* USB has been a device of the first interface ever since. */
static void test_usb_power(void **state)
{
    (void)state;
    start();
    struct bb_power_domain *domain = face_at(power_domain, PI_POWER);
    const struct bb_power_domain_ops *ops = domain->face.ops;

    assert_int_equal(ops->set(domain, 6, true), 0);
    assert_true(pi.mailbox.power_on[3]);
    assert_int_equal(ops->set(domain, 5, true), 0); /* HDMI */
    assert_true(pi.mailbox.domain_on[6]);
    assert_false(pi.mailbox.domain_on[7]);
}

static void test_old_firmware(void **state)
{
    struct bb_board_identity identity;
    static const uint8_t none[6];
    int32_t millicelsius;
    bool on;

    (void)state;
    pi_prepare(NULL);
    pi.mailbox.old = true;
    boot(NULL);
    assert_int_equal(bb_board_identity(face_at(board, PI_BOARD), &identity), 0);
    assert_int_equal(identity.revision, 0xa02082);
    assert_int_equal(identity.model, 0);
    assert_true(identity.serial == 0);
    assert_memory_equal(identity.mac, none, sizeof none);
    struct bb_thermal *thermal = face_at(thermal, PI_THERMAL);
    assert_int_equal(bb_thermal_temperature(thermal, &millicelsius), 0);
    assert_int_equal(bb_thermal_limit(thermal, &millicelsius), -ENOTSUP);
    assert_null(bb_value_find("thermal.limit"));
    struct bb_power_domain *domain = face_at(power_domain, PI_POWER);
    const struct bb_power_domain_ops *ops = domain->face.ops;
    assert_int_equal(ops->get(domain, 5, &on), -ENOTSUP);
    assert_int_equal(ops->get(domain, 6, &on), 0);
}

static void test_remove(void **state)
{
    int32_t millicelsius;

    (void)state;
    start();
    struct bb_thermal *thermal = face_at(thermal, PI_THERMAL);
    bb_face_get(&thermal->face);
    must_remove(PI_THERMAL);
    assert_int_equal(bb_thermal_temperature(thermal, &millicelsius), -ENODEV);
    assert_null(bb_value_find("thermal.limit"));
    must_remove(PI_BOARD);
    must_remove(PI_CLOCKS);
    assert_int_equal(bb_device_remove(device_at(PI_POWER)), -EBUSY); /* USB needs it */
    must_remove(PI_USB);
    must_remove(PI_POWER);
    assert_int_equal(bb_device_remove(device_at(PI_FIRMWARE)), -EBUSY); /* cprman needs it */
    bb_face_put(&thermal->face);
}

static void write_clock(const uint32_t *hz)
{
    tree_begin(1, 1);
    tree_device("clk", "fixed-clock");
    tree_cells("#clock-cells", 0);
    if (hz)
        tree_cells("clock-frequency", *hz);
    tree_close();
    world_start(62500000);
    boot(NULL);
}

static void test_fixed(void **state)
{
    uint64_t hz;

    (void)state;
    write_clock(&(uint32_t){3000000000u});
    struct bb_clock *clock = face_at(clock, "/clk");
    const struct bb_clock_ops *ops = clock->face.ops;
    assert_int_equal(ops->rate(clock, 0, &hz), 0);
    assert_true(hz == 3000000000u);
    assert_int_equal(ops->rate(clock, 1, &hz), -EINVAL);
}

static void test_fixed_at_0(void **state)
{
    (void)state;
    write_clock(&(uint32_t){0});
    must_fail("/clk", -EINVAL, "clock-frequency");
}

static void test_fixed_without_rate(void **state)
{
    (void)state;
    write_clock(NULL);
    must_fail("/clk", -ENOENT, "clock-frequency");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_board),         cmocka_unit_test(test_thermal),
        cmocka_unit_test(test_clocks),        cmocka_unit_test(test_old_firmware),
        cmocka_unit_test(test_usb_power),     cmocka_unit_test(test_missing_clock),
        cmocka_unit_test(test_cprman),        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_power_domains), cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_fixed_at_0),    cmocka_unit_test(test_fixed_without_rate),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
