/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole chain on the Pi's board of models: class-less devices, the bus, usb_host/dwc2, and the
 * core's strict register model. */
#include "harness.h"

#include <string.h>

#include <busbar/poll.h>
#include <busbar/time.h>
#include <busbar/usb_host.h>

#include <tests/models/boards.h>
#include <tests/models/usb_hub.h>
#include <tests/models/usb_loop.h>

static struct model_loop loop;
static struct model_hub hub;

static bool is_configured(void *context)
{
    return usb_is_configured(context);
}

static void wait_for(struct usb_model *device)
{
    assert_int_equal(bb_wait(is_configured, device, 10 * BB_SEC), 0);
    bb_sleep(100 * BB_MSEC);
}

static struct bb_usb_device *the_loop(void)
{
    struct bb_usb_device *device = NULL;

    while ((device = bb_usb_next(device)))
        if (device->vendor == LOOP_VENDOR && device->product == LOOP_PRODUCT)
            return device;
    fail_msg("the loop-back device is not there");
    return NULL;
}

static void start(enum bb_usb_speed speed, bool behind_a_hub)
{
    pi_prepare(NULL);
    model_loop_init(&loop, "loop", speed);
    model_hub_init(&hub, "hub", BB_USB_HIGH, 4);
    if (behind_a_hub) {
        usb_plug(&hub.sockets[1], &loop.usb);
        usb_plug(&pi.dwc2.socket, &hub.usb);
    } else {
        usb_plug(&pi.dwc2.socket, &loop.usb);
    }
    boot(NULL);
    device_at(PI_USB);
    wait_for(&loop.usb);
}

static void exchange_control(unsigned size)
{
    static uint8_t there[1024], back[1024];

    for (unsigned i = 0; i < size; i++)
        there[i] = (uint8_t)(i * 7 + size);
    memset(back, 0, sizeof back);
    assert_int_equal(bb_usb_control(the_loop(), 0x40, LOOP_WRITE, 5, 0, there, size), (int)size);
    assert_int_equal(bb_usb_control(the_loop(), 0xc0, LOOP_READ, 5, 0, back, size), (int)size);
    assert_memory_equal(there, back, size);
}

static void exchange(void)
{
    for (unsigned size = 0; size <= 1000; size += 250)
        exchange_control(size);
    exchange_control(512);
    exchange_control(64);
    exchange_control(8);
    assert_int_equal(bb_usb_control(the_loop(), 0x40, 77, 0, 0, NULL, 0), -EPIPE);
    exchange_control(3);
}

static void test_high_speed(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    exchange();
}

static void test_full_speed(void **state)
{
    (void)state;
    start(BB_USB_FULL, false);
    exchange();
}

static void test_low_speed(void **state)
{
    (void)state;
    start(BB_USB_LOW, false);
    exchange();
}

static void test_full_speed_behind_a_hub(void **state)
{
    (void)state;
    start(BB_USB_FULL, true);
    exchange();
    assert_true(hub.start_splits > 100);
    assert_int_equal(hub.stray_splits, 0);
}

static void test_low_speed_behind_a_hub(void **state)
{
    (void)state;
    start(BB_USB_LOW, true);
    exchange();
    assert_int_equal(hub.stray_splits, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_high_speed),
        cmocka_unit_test(test_full_speed),
        cmocka_unit_test(test_low_speed),
        cmocka_unit_test(test_full_speed_behind_a_hub),
        cmocka_unit_test(test_low_speed_behind_a_hub),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
