/* SPDX-License-Identifier: BSD-2-Clause */
/* power/bcm2835_pm, power/psci and power/semihosting on their models. */
#include "harness.h"

#include <string.h>

#include <busbar/power.h>

#include <tests/models/boards.h>

static void call_off(void *context)
{
    struct bb_power *power = context;
    const struct bb_power_ops *ops = power->face.ops;

    fail_msg("off returned %d", ops->off(power));
}

static void call_reset(void *context)
{
    struct bb_power *power = context;
    const struct bb_power_ops *ops = power->face.ops;

    fail_msg("reset returned %d", ops->reset(power));
}

static void call_exit(void *context)
{
    struct bb_power *power = context;
    const struct bb_power_ops *ops = power->face.ops;

    fail_msg("exit returned %d", ops->exit(power, 7));
}

/* Never returns where it works. */
static void bb_off_all(void *context)
{
    (void)context;
    bb_power_off();
}

static void test_pm(void **state)
{
    (void)state;
    pi_prepare(NULL);
    boot(NULL);
    struct bb_power *power = face_at(power, PI_PM);

    assert_int_equal(world_run_to_end(call_reset, power, NULL), WORLD_RESET);
    assert_int_equal(pi.pm.rsts & 0x555, 0);
    pi.pm.rsts = 0x1000;
    pi.pm.rstc = 0x102;
    pi.pm.wdog = 0;
    assert_int_equal(world_run_to_end(call_off, power, NULL), WORLD_OFF);
    assert_int_equal(pi.pm.rsts & 0xfff000, 0x1000); /* what else stood there */
}

/* The watchdog was left running, or a partition to boot from: neither may get in the way. */
static void test_pm_left_by_firmware(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.pm.rsts = 0x1015;
    pi.pm.rstc = 0x132;
    boot(NULL);
    assert_int_equal(world_run_to_end(call_reset, face_at(power, PI_PM), NULL), WORLD_RESET);
    assert_int_equal(pi.pm.rsts, 0x1000);
}

static void test_pm_dead(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.pm.dead = true;
    boot(NULL);
    struct bb_power *power = face_at(power, PI_PM);
    const struct bb_power_ops *ops = power->face.ops;
    assert_int_equal(ops->off(power), -ETIMEDOUT);
    assert_int_equal(ops->reset(power), -ETIMEDOUT);
}

static void test_psci_versions(void **state)
{
    virt_prepare(NULL);
    virt.psci.version = (uint32_t)(uintptr_t)*state;
    boot(NULL);
    if (virt.psci.version >= 2)
        (void)device_at(VIRT_PSCI);
    else
        must_fail(VIRT_PSCI, -ENOTSUP, "PSCI_VERSION");
}

static void test_psci(void **state)
{
    virt_prepare(*state);
    boot(NULL);
    struct bb_power *power = face_at(power, VIRT_PSCI);

    assert_int_equal(world_run_to_end(call_off, power, NULL), WORLD_OFF);
    assert_int_equal(world_run_to_end(call_reset, power, NULL), WORLD_RESET);
    const struct bb_power_ops *ops = power->face.ops;
    virt.psci.refuses = true;
    assert_true(ops->off(power) < 0);
    assert_true(ops->reset(power) < 0);
}

static void write_psci(const char *compatible, const char *method)
{
    static struct model_psci psci;

    world_start(62500000);
    model_psci_start(&psci, false);
    tree_begin(2, 2);
    tree_device("psci", compatible);
    if (method)
        tree_bytes("method", method, strlen(method) + 1);
    tree_close();
}

static void test_psci_wrong(void **state)
{
    static const struct {
        const char *compatible, *method;
        int error;
    } *test = NULL, cases[] = {
                        {"arm,psci", "hvc", -ENOTSUP},
                        {"arm,psci-0.2", "svc", -EINVAL},
                        {"arm,psci-0.2", NULL, -ENOENT},
                        {"arm,psci-1.0", "", -EINVAL},
                    };

    test = &cases[(size_t)(uintptr_t)*state];
    write_psci(test->compatible, test->method);
    boot(NULL);
    must_fail("/psci", test->error, NULL);
}

static void test_psci_refuses(void **state)
{
    (void)state;
    virt_prepare(NULL);
    virt.psci.refuses = true;
    boot(NULL);
    must_fail(VIRT_PSCI, -ENOTSUP, "PSCI_VERSION");
}

static void test_semihosting(void **state)
{
    int status = 0;

    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    struct bb_power *power = face_at(power, "/semihosting");
    assert_int_equal(world_run_to_end(call_exit, power, &status), WORLD_EXIT);
    assert_int_equal(status, 7);
    assert_int_equal(world_run_to_end(call_off, power, &status), WORLD_EXIT);
    assert_int_equal(status, 0);
}

static void ignore_exit(void *context, int status)
{
    (void)context;
    (void)status;
}

static void test_nobody_listens(void **state)
{
    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    bb_host_cpu.semihosting_exit = ignore_exit;
    struct bb_power *power = face_at(power, "/semihosting");
    const struct bb_power_ops *ops = power->face.ops;
    assert_int_equal(ops->exit(power, 7), -ENOTSUP);
    assert_int_equal(ops->off(power), -ENOTSUP);
}

static void test_off_by_anyone(void **state)
{
    (void)state;
    pi_prepare(NULL);
    boot(NULL);
    assert_int_equal(world_run_to_end(bb_off_all, NULL, NULL), WORLD_OFF);
}

int main(void)
{
    static const struct virt_options hvc, smc = {.smc = true};
    struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pm),
        cmocka_unit_test(test_pm_left_by_firmware),
        {"PSCI by HVC", test_psci, NULL, NULL, (void *)(uintptr_t)&hvc},
        {"PSCI by SMC", test_psci, NULL, NULL, (void *)(uintptr_t)&smc},
        {"PSCI 0.1", test_psci_wrong, NULL, NULL, (void *)0},
        {"PSCI by SVC", test_psci_wrong, NULL, NULL, (void *)1},
        {"PSCI without method", test_psci_wrong, NULL, NULL, (void *)2},
        {"PSCI with an empty method", test_psci_wrong, NULL, NULL, (void *)3},
        {"PSCI that says 0.2", test_psci_versions, NULL, NULL, (void *)2},
        {"PSCI that says 0.1", test_psci_versions, NULL, NULL, (void *)1},
        cmocka_unit_test(test_pm_dead),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_psci_refuses),
        cmocka_unit_test(test_semihosting),
        cmocka_unit_test(test_off_by_anyone),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
