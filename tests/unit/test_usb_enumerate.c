/* SPDX-License-Identifier: BSD-2-Clause */
/* Enumeration: every speed, hubs, what a device may say and what comes of it. */
#include "harness.h"

#include <string.h>

#include <busbar/poll.h>
#include <busbar/usb_host.h>

#include <tests/models/usb_hub.h>
#include <tests/models/usb_loop.h>
#include <tests/models/usb_soft_host.h>

static struct model_loop loops[4];

static void settle(void)
{
    bb_sleep(2 * BB_SEC);
}

static struct bb_usb_device *only_device(void)
{
    struct bb_usb_device *device = bb_usb_next(NULL);
    assert_non_null(device);
    assert_null(bb_usb_next(device));
    return device;
}

static void enumerates(enum bb_usb_speed speed)
{
    soft_host_prepare(1);
    model_loop_init(&loops[0], "loop", speed);
    usb_plug(&soft_host.sockets[0], &loops[0].usb);
    boot(NULL);
    settle();
    struct bb_usb_device *device = only_device();
    assert_null(device->why);
    assert_int_equal(device->speed, speed);
    assert_int_equal(device->vendor, LOOP_VENDOR);
    assert_int_equal(device->configuration, 1);
    assert_string_equal(device->manufacturer, "Busbar");
    assert_string_equal(device->model, "Loop");
    assert_string_equal(device->serial, "0001");
    assert_non_null(bb_node_find(SOFT_HOST "/device@1/interface@0"));
}

static void test_every_speed(void **state)
{
    (void)state;
    enumerates(BB_USB_LOW);
}

static void test_full_speed(void **state)
{
    (void)state;
    enumerates(BB_USB_FULL);
}

static void test_high_speed(void **state)
{
    (void)state;
    enumerates(BB_USB_HIGH);
}

static void test_hub(void **state)
{
    static struct model_hub hub;
    (void)state;
    soft_host_prepare(1);
    model_hub_init(&hub, "hub", BB_USB_HIGH, 4);
    hub.self_powered = true;
    usb_plug(&soft_host.sockets[0], &hub.usb);
    for (unsigned i = 0; i < 3; i++) {
        model_loop_init(&loops[i], "loop", (enum bb_usb_speed)i);
        usb_plug(&hub.sockets[i], &loops[i].usb);
    }
    boot(NULL);
    settle();
    assert_non_null(bb_node_find(SOFT_HOST "/device@1/interface@0/device@1/interface@0"));
    assert_non_null(bb_node_find(SOFT_HOST "/device@1/interface@0/device@2/interface@0"));
    assert_non_null(bb_node_find(SOFT_HOST "/device@1/interface@0/device@3/interface@0"));
    usb_unplug(&loops[1].usb);
    settle();
    assert_null(bb_node_find(SOFT_HOST "/device@1/interface@0/device@2"));
    usb_unplug(&hub.usb);
    settle();
    assert_null(bb_usb_next(NULL));
    must_remove(SOFT_HOST);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_speed),
        cmocka_unit_test(test_full_speed),
        cmocka_unit_test(test_high_speed),
        cmocka_unit_test(test_hub),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
