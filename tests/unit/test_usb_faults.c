/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB devices that fail: unplugged at each of their transactions, each transaction wrong in every
 * way, thousands of times in and out. Nothing is left behind, a sibling goes on.
 */
#include "usb.h"

#include <busbar/arena.h>

static struct model_loop loop, sibling;
static struct model_hub hub;

/* A probe that uses all that a driver may use, so that what goes wrong can go wrong in it too. */
static int busy_probe(struct probe *probe)
{
    struct bb_usb_device *device = probe->interface->device;
    struct bb_usb_endpoint *out = bb_usb_endpoint(probe->interface, BB_USB_BULK, BB_USB_OUT);
    struct bb_usb_endpoint *in = bb_usb_endpoint(probe->interface, BB_USB_BULK, BB_USB_IN);
    uint8_t small[16] = {1, 2, 3};
    char text[20];
    int error = bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 0, 0, small, sizeof(small));
    if (error >= 0)
        error = bb_usb_control(device, BB_USB_IN | BB_USB_VENDOR, LOOP_READ, 0, 0, small,
                               sizeof(small));
    if (error >= 0)
        error = bb_usb_string(device, 1, text, sizeof(text));
    if (error >= 0)
        error = bb_usb_set_interface(probe->interface, 0);
    if (error < 0 || !out || !in)
        return error < 0 ? error : -ENOENT;
    struct bb_usb_transfer transfer = {.endpoint = out,
                                       .data = bb_usb_alloc(&probe->device, 100),
                                       .length = 100,
                                       .timeout = BB_SEC};
    if (!transfer.data)
        return -ENOMEM;
    error = bb_usb_run(&transfer);
    transfer.endpoint = in;
    return error ? error : bb_usb_run(&transfer);
}

/* The sibling answers while all that goes on. */
static struct probe *steady;

static int steady_probe(struct probe *probe)
{
    steady = probe;
    return 0;
}

static void sibling_answers(void)
{
    uint8_t byte = 42, back = 0;
    struct bb_usb_device *device = steady->interface->device;
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 7, 0, &byte, 1), 1);
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 7, 0, &back, 1),
                     1);
    assert_int_equal(back, byte);
}

/* The sibling on port 2, then `loop` to be plugged into port 1. */
static void begin(enum bb_usb_speed speed)
{
    prepare(2);
    model_loop_init(&sibling, "sibling", BB_USB_FULL);
    model_loop_init(&loop, "loop", speed);
    prober.probe = steady_probe;
    usb_plug(&soft_host.sockets[1], &sibling.usb);
    boot("log=error");
    settle();
    assert_int_equal(prober.probes, 1);
    prober.probe = busy_probe;
}

static void alone_again(void)
{
    assert_int_equal(count_devices(), 1);
    assert_int_equal(slots_taken(), 1);
    assert_int_equal(soft_host.host->refused.taken, 0);
    assert_null(soft_host.host->default_state);
    assert_null(soft_host.host->in_flight);
    assert_null(bb_node_find(ROOT_DEVICE));
    sibling_answers();
}

/* Returns false when there is no such transaction. */
static bool fails_at(struct usb_socket *socket, enum usb_fault_kind kind, uint32_t at,
                     uint32_t count)
{
    memset(loop.usb.faults, 0, sizeof(loop.usb.faults));
    uint32_t before = loop.usb.transactions;
    usb_fault(&loop.usb, USB_EVERY_PIPE, at, count, kind);
    usb_plug(socket, &loop.usb);
    bb_sleep(15 * BB_SEC);
    return loop.usb.transactions - before >= at;
}

static void unplugs_everywhere(enum bb_usb_speed speed, enum usb_fault_kind kind)
{
    uint32_t at = 1;
    begin(speed);
    for (; fails_at(&soft_host.sockets[0], kind, at, 1); at++) {
        assert_null(loop.usb.socket);
        alone_again();
    }
    assert_true(at > 40); /* else nothing was counted */
    assert_int_equal(device_of(ROOT_DEVICE "/interface@0")->configuration, 1);
    assert_int_equal(bb_node_find(ROOT_DEVICE "/interface@0")->state, BB_NODE_RUNNING);
    assert_int_equal(slots_taken(), 2);
    usb_unplug(&loop.usb);
    settle();
    alone_again();
    must_remove(SOFT_HOST);
}

static void test_unplugged_before_any_answer(void **state)
{
    (void)state;
    unplugs_everywhere(BB_USB_FULL, USB_FAULT_UNPLUG);
}

static void test_unplugged_after_any_answer(void **state)
{
    (void)state;
    unplugs_everywhere(BB_USB_HIGH, USB_FAULT_UNPLUG_AFTER);
}

/* In one way at each transaction, `count` times in a row. It works, or says why it does not. */
static void fails_everywhere(enum usb_fault_kind kind, uint32_t count)
{
    char text[200];
    uint32_t at = 1;
    unsigned works = 0;
    begin(BB_USB_FULL);
    for (; fails_at(&soft_host.sockets[0], kind, at, count); at++) {
        const struct bb_node *node = bb_node_find(ROOT_DEVICE);
        assert_non_null(node);
        const struct bb_usb_device *device = device_of(ROOT_DEVICE);
        node = device->why ? node : bb_node_find(ROOT_DEVICE "/interface@0");
        assert_non_null(node);
        works += node->state == BB_NODE_RUNNING;
        if (node->state != BB_NODE_RUNNING) {
            assert_int_equal(node->state, BB_NODE_FAILED);
            bb_node_reason(node, text, sizeof(text));
            assert_true(strlen(text) > 10);
        }
        usb_unplug(&loop.usb);
        settle();
        alone_again();
    }
    assert_true(at > 40);
    /* Enumeration is tried again; a probe is not. */
    assert_true(works >= (count == 1 ? at / 2 : count == USB_FOR_EVER ? 0 : 1));
    must_remove(SOFT_HOST);
}

static void test_stalls_once(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_STALL, 1);
}

static void test_silent_once(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_SILENT, 1);
}

static void test_silent_three_times(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_SILENT, 3);
}

static void test_silent_for_ever(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_SILENT, USB_FOR_EVER);
}

static void test_refuses_for_ever(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_NAK, USB_FOR_EVER);
}

static void test_babbles_once(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_BABBLE, 1);
}

static void test_short_once(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_SHORT, 1);
}

static void test_lost_handshake_once(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_LOST_ACK, 1);
}

static void test_wrong_toggle_once(void **state)
{
    (void)state;
    fails_everywhere(USB_FAULT_TOGGLE, 1);
}

/* ---- Behind a hub ---- */

/* The hub goes while a device of it is on its way, at every moment. */
static void test_hub_unplugged_at_any_moment(void **state)
{
    unsigned alive = 0;
    (void)state;
    begin(BB_USB_LOW);
    prober.probe = NULL;
    for (unsigned ms = 0; ms < 900; ms += 7) {
        model_hub_init(&hub, "hub", BB_USB_HIGH, 4);
        hub.self_powered = true;
        usb_plug(&hub.sockets[2], &loop.usb);
        usb_plug(&soft_host.sockets[0], &hub.usb);
        bb_sleep(ms * BB_MSEC);
        alive += count_devices() == 3;
        usb_unplug(&hub.usb);
        settle();
        usb_unplug(&loop.usb);
        alone_again();
        bb_sleep(20 * BB_SEC); /* its failures are forgotten */
    }
    assert_true(alive > 20);
    assert_true(prober.probes > 20);
    assert_int_equal(prober.removes, prober.probes - 1);
    must_remove(SOFT_HOST);
}

static void test_device_of_hub_unplugged_at_any_moment(void **state)
{
    (void)state;
    begin(BB_USB_LOW);
    model_hub_init(&hub, "hub", BB_USB_HIGH, 4);
    hub.self_powered = true;
    usb_plug(&soft_host.sockets[0], &hub.usb);
    settle();
    prober.probe = NULL;
    for (unsigned ms = 0; ms < 700; ms += 5) {
        usb_plug(&hub.sockets[ms % 4], &loop.usb);
        bb_sleep(ms * BB_MSEC);
        usb_unplug(&loop.usb);
        bb_sleep(40 * BB_SEC); /* its failures are forgotten */
        assert_int_equal(count_devices(), 2);
        assert_int_equal(slots_taken(), 2);
        sibling_answers();
    }
    assert_true(prober.probes > 20);
    assert_int_equal(prober.removes, prober.probes - 1);
    must_remove(SOFT_HOST);
}

/* ---- For a long time ---- */

/* A thousand times in and out, a second each, with the device in use. */
static void test_a_thousand_cycles(void **state)
{
    (void)state;
    begin(BB_USB_HIGH);
    size_t used = bb_arena_used();
    for (unsigned i = 0; i < 1000; i++) {
        usb_plug(&soft_host.sockets[0], &loop.usb);
        bb_sleep(500 * BB_MSEC);
        assert_int_equal(prober.probes, i + 2);
        usb_unplug(&loop.usb);
        bb_sleep(500 * BB_MSEC);
        assert_int_equal(prober.removes, i + 1);
    }
    alone_again();
    assert_int_equal(bb_arena_used(), used);
    assert_int_equal(soft_host.host->stats.plugged, 1001);
    assert_int_equal(soft_host.host->stats.unplugged, 1000);
    must_remove(SOFT_HOST);
}

/* So fast that it never gets anywhere; the sibling is not starved, and once it stays it works. */
static void test_flaps(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    uint32_t resets = soft_host.resets;
    for (unsigned i = 0; i < 500; i++) {
        usb_plug(&soft_host.sockets[0], &loop.usb);
        bb_sleep(120 * BB_MSEC);
        usb_unplug(&loop.usb);
        bb_sleep(3 * BB_MSEC);
        if (i % 50 == 0)
            sibling_answers();
    }
    assert_true(soft_host.resets - resets < 20); /* and not 500 */
    usb_plug(&soft_host.sockets[0], &loop.usb);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(prober.probes, 2);
    usb_unplug(&loop.usb);
    settle();
    alone_again();
    must_remove(SOFT_HOST);
}

/* A controller that does not give a transfer back: when it does in the end, the driver that would
 * be told has gone. */
static struct bb_usb_transfer kept;
static unsigned told;

static void tell(struct bb_usb_transfer *transfer)
{
    told++;
    (void)bb_usb_submit(transfer); /* as those do that listen */
}

static int listening_probe(struct probe *probe)
{
    struct bb_usb_endpoint *in = bb_usb_endpoint(probe->interface, BB_USB_INTERRUPT, BB_USB_IN);
    kept = (struct bb_usb_transfer){.endpoint = in,
                                    .data = bb_usb_alloc(&probe->device, in->packet),
                                    .length = in->packet,
                                    .timeout = BB_FOREVER,
                                    .done = tell};
    return bb_usb_submit(&kept);
}

static void test_a_driver_that_has_gone_hears_nothing(void **state)
{
    (void)state;
    boot_with_loop(&loop, BB_USB_FULL, listening_probe);
    assert_int_equal(soft_host.in_flight, 1);
    soft_host.deaf = true;
    must_remove(ROOT_DEVICE "/interface@0");
    assert_int_equal(logged("does not give a transfer back"), 1);
    assert_int_equal(soft_host.in_flight, 1);
    loop.news = 1; /* an answer, at last */
    bb_sleep(BB_SEC);
    assert_int_equal(soft_host.in_flight, 0);
    assert_int_equal(told, 0);
    usb_unplug(&loop.usb);
    settle();
    must_be_empty();
    must_remove(SOFT_HOST);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unplugged_before_any_answer),
        cmocka_unit_test(test_unplugged_after_any_answer),
        cmocka_unit_test(test_stalls_once),
        cmocka_unit_test(test_silent_once),
        cmocka_unit_test(test_silent_three_times),
        cmocka_unit_test(test_silent_for_ever),
        cmocka_unit_test(test_refuses_for_ever),
        cmocka_unit_test(test_babbles_once),
        cmocka_unit_test(test_short_once),
        cmocka_unit_test(test_lost_handshake_once),
        cmocka_unit_test(test_wrong_toggle_once),
        cmocka_unit_test(test_hub_unplugged_at_any_moment),
        cmocka_unit_test(test_device_of_hub_unplugged_at_any_moment),
        cmocka_unit_test(test_a_thousand_cycles),
        cmocka_unit_test(test_flaps),
        cmocka_unit_test(test_a_driver_that_has_gone_hears_nothing),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
