/* SPDX-License-Identifier: BSD-2-Clause */
/* The software host controller under the real bus: what it carries, and whom it refuses. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/poll.h>
#include <busbar/time.h>

#include <tests/models/usb_hub.h>
#include <tests/models/usb_loop.h>
#include <tests/models/usb_soft_host.h>

static struct model_loop loop;
static struct model_hub hubs[2];

static bool is_configured(void *context)
{
    return usb_is_configured(context);
}

static void wait_for(struct usb_model *device)
{
    assert_int_equal(bb_wait(is_configured, device, 10 * BB_SEC), 0);
}

static struct bb_usb_device *the_loop(void)
{
    struct bb_usb_device *device = NULL;

    while ((device = bb_usb_next(device)))
        if (device->vendor == LOOP_VENDOR && device->product == LOOP_PRODUCT)
            return device;
    return NULL;
}

static void start_loop(enum bb_usb_speed speed)
{
    soft_host_prepare(1);
    model_loop_init(&loop, "loop", speed);
    usb_plug(&soft_host.sockets[0], &loop.usb);
    boot(NULL);
    wait_for(&loop.usb);
    bb_sleep(10 * BB_MSEC);
    assert_non_null(the_loop());
}

static void test_control(void **state)
{
    (void)state;
    for (unsigned size = 0; size <= 1000; size += 250) {
        static uint8_t there[1024], back[1024];
        if (!soft_host.host)
            start_loop(BB_USB_FULL);
        for (unsigned i = 0; i < size; i++)
            there[i] = (uint8_t)(i * 7);
        struct bb_usb_device *device = the_loop();
        assert_int_equal(bb_usb_control(device, 0x40, LOOP_WRITE, 5, 0, there, size), (int)size);
        assert_int_equal(bb_usb_control(device, 0xc0, LOOP_READ, 5, 0, back, size), (int)size);
        assert_memory_equal(there, back, size);
    }
    assert_int_equal(bb_usb_control(the_loop(), 0x40, 77, 0, 0, NULL, 0), -EPIPE);
}

static void test_behind_hubs(void **state)
{
    (void)state;
    soft_host_prepare(1);
    model_loop_init(&loop, "loop", BB_USB_FULL);
    model_hub_init(&hubs[0], "hub 0", BB_USB_HIGH, 4);
    model_hub_init(&hubs[1], "hub 1", BB_USB_FULL, 7);
    usb_plug(&hubs[1].sockets[6], &loop.usb);
    usb_plug(&hubs[0].sockets[1], &hubs[1].usb);
    usb_plug(&soft_host.sockets[0], &hubs[0].usb);
    boot(NULL);
    wait_for(&loop.usb);
    bb_sleep(10 * BB_MSEC);
    struct bb_usb_device *device = the_loop();
    assert_int_equal(device->tier, 3);
    assert_int_equal(device->split_address, hubs[0].usb.address);
    assert_int_equal(device->split_port, 2);
    for (unsigned i = 0; i < 5; i++) {
        usb_unplug(&loop.usb);
        bb_sleep(2 * BB_SEC);
        assert_null(the_loop());
        usb_plug(&hubs[1].sockets[i], &loop.usb);
        wait_for(&loop.usb);
    }
    assert_int_equal(soft_host.resets, 1);
}

static void test_unplug_at_every_transaction(void **state)
{
    (void)state;
    soft_host_prepare(1);
    model_loop_init(&loop, "loop", BB_USB_FULL);
    boot(NULL);
    unsigned late = 0;
    for (uint32_t n = 1; n < 200; n++) {
        loop.usb.faults[0] = (struct usb_fault){USB_FAULT_UNPLUG, 0, loop.usb.transactions + n, 1};
        usb_plug(&soft_host.sockets[0], &loop.usb);
        bb_sleep(3 * BB_SEC);
        if (loop.usb.socket) { /* it was up before */
            late++;
            usb_unplug(&loop.usb);
        }
        bb_sleep(BB_SEC);
        assert_null(the_loop());
        assert_int_equal(soft_host.in_flight, 0);
        if (late > 2)
            return;
    }
    fail();
}

/* ---- Who is refused ---- */

static _Alignas(64) uint8_t memory[4096];
static struct bb_usb_transfer transfer;

static void ends(struct bb_usb_transfer *which)
{
    (void)which;
}

/* A request that stays in flight, for its device waits. */
static void start_request(bool in)
{
    start_loop(BB_USB_FULL);
    usb_fault(&loop.usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, USB_FAULT_NAK);
    transfer = (struct bb_usb_transfer){
        .endpoint = &the_loop()->control,
        .setup = {in ? 0xc0 : 0x40, in ? LOOP_READ : LOOP_WRITE, 0, 0, 100},
        .data = memory,
        .length = 100,
        .timeout = BB_SEC,
        .done = ends,
    };
}

/* Past the bus, which would refuse most of it. */
static int hand_over(struct bb_usb_transfer *which)
{
    const struct bb_usb_host_ops *ops = soft_host.host->face.ops;
    return ops->submit(soft_host.host, which);
}

static void touches(bool in)
{
    start_request(in);
    assert_int_equal(bb_usb_submit(&transfer), 0);
    bb_sleep(10 * BB_MSEC);
    memory[50] ^= 1;
    bb_usb_cancel_wait(&transfer);
}

static void touches_out(void)
{
    touches(false);
}

static void touches_in(void)
{
    touches(true);
}

static void changes_it(void)
{
    start_request(true);
    assert_int_equal(bb_usb_submit(&transfer), 0);
    bb_sleep(10 * BB_MSEC);
    transfer.length = 50;
    bb_usb_cancel_wait(&transfer);
}

static void misaligned(void)
{
    start_request(true);
    transfer.data = memory + 4;
    hand_over(&transfer);
}

static void twice(void)
{
    start_request(true);
    hand_over(&transfer);
    hand_over(&transfer);
}

static void two_of_an_endpoint(void)
{
    static struct bb_usb_transfer second;
    start_request(true);
    second = transfer;
    hand_over(&transfer);
    hand_over(&second);
}

static void for_a_device_that_is_gone(void)
{
    start_request(true);
    the_loop()->gone = true;
    hand_over(&transfer);
}

static void wrong_packets(void)
{
    start_request(true);
    transfer.endpoint->packet = 12;
    hand_over(&transfer);
}

static void other_length(void)
{
    start_request(true);
    transfer.length = 99;
    hand_over(&transfer);
}

static void cancels_nothing(void)
{
    start_request(true);
    const struct bb_usb_host_ops *ops = soft_host.host->face.ops;
    ops->cancel(soft_host.host, &transfer);
}

static void forgets_what_runs(void)
{
    start_request(true);
    const struct bb_usb_host_ops *ops = soft_host.host->face.ops;
    hand_over(&transfer);
    ops->forget(soft_host.host, transfer.endpoint);
}

static void resets_at_once(void)
{
    start_request(true);
    const struct bb_usb_host_ops *ops = soft_host.host->face.ops;
    uint32_t status;
    usb_unplug(&loop.usb);
    usb_plug(&soft_host.sockets[0], &loop.usb);
    ops->port_status(soft_host.host, 1, &status);
    ops->port_feature(soft_host.host, 1, BB_USB_FEATURE_RESET, true);
}

static int refused(void *context)
{
    void (*body)(void) = *(void (**)(void))context;

    body();
    return 0;
}

static void test_who_is_refused(void **state)
{
    static void (*const bodies[])(void) = {
        touches_out,
        touches_in,
        changes_it,
        misaligned,
        twice,
        two_of_an_endpoint,
        for_a_device_that_is_gone,
        wrong_packets,
        other_length,
        cancels_nothing,
        forgets_what_runs,
        resets_at_once,
    };
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(bodies); i++) {
        void (*body)(void) = bodies[i];
        assert_int_equal(run_child(refused, &body), 255);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_behind_hubs),
        cmocka_unit_test(test_unplug_at_every_transaction),
        cmocka_unit_test(test_who_is_refused),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
