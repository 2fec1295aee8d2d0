/* SPDX-License-Identifier: BSD-2-Clause */
/* Every conformance suite on every device of the modelled boards. */
#include "harness.h"

#include <busbar/poll.h>

#include <tests/models/boards.h>

static void must_run(const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)device_at(paths[i]);
}

static void on_virt(const struct virt_options *options)
{
    static const char *const devices[] = {VIRT_GIC,   VIRT_TIMER, VIRT_PL011,
                                          VIRT_PL031, VIRT_PL061, VIRT_PSCI};

    virt_prepare(options);
    boot(NULL);
    must_run(devices, BB_ARRAY_SIZE(devices));
    conform(board_type);
}

static void on_pi(const struct pi_options *options)
{
    static const char *const devices[] = {
        PI_LOCAL,   PI_ARMCTRL,   PI_SYSTEM_TIMER, PI_MAILBOX, PI_FIRMWARE, PI_BOARD,
        PI_THERMAL, PI_CLOCKS,    PI_POWER,        PI_CPRMAN,  PI_GPIO,     PI_PL011,
        PI_AUX,     PI_MINI_UART, PI_PM,           PI_RNG,     PI_DMA,      PI_SDHOST,
    };

    pi_prepare(options);
    boot("conformance.scratch=disk0");
    must_run(devices, BB_ARRAY_SIZE(devices));
    conform(board_type);
}

static void test_virt_gic_v2(void **state)
{
    (void)state;
    on_virt(NULL);
}

static void test_virt_gic_v3(void **state)
{
    (void)state;
    on_virt(&(struct virt_options){.gic_version = 3});
}

static void test_virt_gic_v3_on_cpu_1(void **state)
{
    (void)state;
    on_virt(&(struct virt_options){.gic_version = 3, .cpu = 1, .smc = true});
}

static void test_pi(void **state)
{
    (void)state;
    on_pi(NULL);
}

static void test_pi_system_timer(void **state)
{
    (void)state;
    on_pi(&(struct pi_options){.no_generic_timer = true});
}

static bool all_are_there(void *context)
{
    static const char *const paths[] = {PI_ETHERNET,   PI_KEYBOARD, PI_STICK,
                                        PI_USB_SERIAL, PI_MOUSE,    PI_ECM};

    (void)context;
    for (size_t i = 0; i < BB_ARRAY_SIZE(paths); i++) {
        const struct bb_node *node = bb_node_find(paths[i]);
        if (!node || !node->device)
            return false;
    }
    return true;
}

/* The board's own network, and a device of each class behind hubs of both kinds. */
static void test_pi_usb(void **state)
{
    static const char *const devices[] = {PI_LAN,        PI_ETHERNET, PI_KEYBOARD, PI_STICK,
                                          PI_USB_SERIAL, PI_OLD_HUB,  PI_MOUSE,    PI_ECM};

    (void)state;
    pi_prepare(&(struct pi_options){.whole_program = true});
    pi_usb_plug();
    boot("conformance.scratch=disk0 conformance.scratch=disk1");
    (void)bb_wait(all_are_there, NULL, 20 * BB_SEC);
    must_run(devices, BB_ARRAY_SIZE(devices));
    bb_sleep(3 * BB_SEC); /* until its link is up */
    conform(board_type);
    assert_true(pi_usb.lan.ethernet.sent > 0);
    assert_true(pi_usb.lan.hub.start_splits > 0);
    must_remove(PI_USB);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virt_gic_v2),          cmocka_unit_test(test_virt_gic_v3),
        cmocka_unit_test(test_virt_gic_v3_on_cpu_1), cmocka_unit_test(test_pi),
        cmocka_unit_test(test_pi_system_timer),      cmocka_unit_test(test_pi_usb),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
