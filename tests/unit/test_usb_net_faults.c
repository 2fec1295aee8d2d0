/* SPDX-License-Identifier: BSD-2-Clause */
/* Network functions on USB that fail: each transaction once, in each way, and the device unplugged
 * at each of them. Whatever comes, buffers and slots are at the same level after, nothing hangs,
 * and a device that is still there works. */
#include "usb_net.h"

#include <busbar/usb_host.h>

extern int bb_fault_at; /* the n-th acquisition from now fails */

static struct model_ecm ecm;
static struct model_rndis rndis;

static const struct variant {
    const char *name;
    struct usb_model *usb;
    struct usb_network *wire;
    unsigned long transactions; /* more than a round has */
} variants[] = {
    {"ecm", &ecm.usb, &ecm.network, 400},
    {"rndis", &rndis.usb, &rndis.network, 700},
};
static const struct variant *variant;

static bool is_up(void *context)
{
    const struct bb_node *node = bb_node_find("/usb/device@1/interface@0");
    (void)context;
    network.net = bb_net_first();
    return network.net || (node && node->state == BB_NODE_FAILED) || !variant->usb->socket;
}

/* Until the device is gone, or there is nothing left to do. */
static bool still_there(void)
{
    network_take();
    return !network.net->failed;
}

static void traffic(unsigned frames)
{
    uint8_t frame[300];
    for (unsigned i = 0; i < frames && still_there(); i++) {
        uint32_t length = 60 + i * 13 % 200;
        network_fill(frame, length, i);
        (void)usb_network_receive(variant->wire, frame, length);
        (void)network_send(length, i % 2, i);
        network_run(2 * BB_MSEC);
    }
}

/* A frame in each direction, sooner or later. */
static bool works(void)
{
    unsigned received = network.received, frames = variant->wire->frames;
    bool good = false;
    for (unsigned i = 0; i < 60 && !good && still_there(); i++) {
        traffic(1);
        network_run(20 * BB_MSEC);
        good = network.received > received && variant->wire->frames > frames;
    }
    return good;
}

/* One whose last handle was put after it went is free when the next one is taken. */
static unsigned slots_taken(void)
{
    struct bb_slots *slots = &soft_host.host->slots;
    struct bb_slot *slot = bb_slot_take(slots);
    assert_non_null(slot);
    assert_int_equal(bb_slot_release(slot), 0);
    return (unsigned)slots->taken;
}

static void round_with(enum usb_fault_kind kind, unsigned pipe, unsigned at, unsigned count)
{
    bool unplugs = kind == USB_FAULT_UNPLUG || kind == USB_FAULT_UNPLUG_AFTER;
    memset(variant->usb->faults, 0, sizeof variant->usb->faults);
    if (kind)
        usb_fault(variant->usb, pipe, at, count, kind);
    usb_plug(&soft_host.sockets[0], variant->usb);
    (void)bb_wait(is_up, NULL, 20 * BB_SEC);
    if (network.net && bb_net_open(network.net, &network.client) == 0) {
        network_run(20 * BB_MSEC);
        traffic(6);
        if (!unplugs && !network.net->failed && !works())
            fail_msg("%s: fault %u at %u on pipe %x: no traffic", variant->name, kind, at, pipe);
        bb_net_close(network.net);
        bb_sleep(20 * BB_MSEC);
    }
    usb_unplug(variant->usb);
    bb_sleep(400 * BB_MSEC);
    assert_null(bb_net_first());
    assert_int_equal(bb_buffer_free(), NETWORK_POOL);
    assert_int_equal(slots_taken(), 0);
    assert_int_equal(soft_host.in_flight, 0);
    variant->wire->count = 0;
}

static void begin(void **state)
{
    variant = &variants[(uintptr_t)*state];
    model_ecm_make(&ecm);
    model_rndis_make(&rndis);
    ecm.network.no_peer = rndis.network.no_peer = true;
    network.client = (struct bb_net_client){.ready = network_ready, .changed = network_changed};
    soft_host_prepare(1);
    boot(NULL);
    (void)bb_buffer_pool(NETWORK_POOL);
    bb_sleep(200 * BB_MSEC);
    round_with(USB_GOOD, 0, 0, 0);
    assert_true(network.received > 6);
    assert_true(variant->usb->transactions < variant->transactions);
}

static void test_unplug_at_each_transaction(void **state)
{
    begin(state);
    for (unsigned n = 1; n < variant->transactions; n++) {
        round_with(USB_FAULT_UNPLUG, USB_EVERY_PIPE, n, 1);
        if (n % 3 == 0)
            round_with(USB_FAULT_UNPLUG_AFTER, USB_EVERY_PIPE, n, 1);
    }
}

static void test_stall_at_each_transaction(void **state)
{
    begin(state);
    for (unsigned n = 1; n < variant->transactions; n++)
        round_with(USB_FAULT_STALL, USB_EVERY_PIPE, n, 1);
}

/* Three times in a row ends a transfer. */
static void test_silence_at_each_transaction(void **state)
{
    begin(state);
    for (unsigned n = 1; n < variant->transactions; n += 2)
        round_with(USB_FAULT_SILENT, USB_EVERY_PIPE, n, 3);
}

static void test_other_faults(void **state)
{
    static const enum usb_fault_kind kinds[] = {USB_FAULT_LOST_ACK, USB_FAULT_TOGGLE,
                                                USB_FAULT_SHORT};
    static const uint8_t pipes[] = {0x81, 0x82, 0x02};
    begin(state);
    for (size_t kind = 0; kind < BB_ARRAY_SIZE(kinds); kind++)
        for (size_t pipe = 0; pipe < BB_ARRAY_SIZE(pipes); pipe++)
            for (unsigned n = 1; n < 30; n++)
                round_with(kinds[kind], pipes[pipe], n, 1);
}

/* It never comes to itself again: the device is given up, and says so. */
static void test_an_endpoint_that_stays_silent(void **state)
{
    begin(state);
    usb_plug(&soft_host.sockets[0], variant->usb);
    assert_int_equal(bb_wait(is_up, NULL, 5 * BB_SEC), 0);
    network_open();
    traffic(3);
    usb_fault(variant->usb, 0x82, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    unsigned changed = network.changed;
    network_run(5 * BB_SEC);
    assert_true(network.net->failed);
    assert_int_equal(network.changed, changed + 1);
    assert_int_equal(bb_net_send(network.net, 0, NULL, 0), -EIO);
    bb_net_close(network.net);
    assert_int_equal(bb_buffer_free(), NETWORK_POOL);
}

/* What cannot be had at all in probe: an allocation, a transfer. */
static bool probe_once(int n)
{
    bb_fault_at = n;
    usb_plug(&soft_host.sockets[0], variant->usb);
    (void)bb_wait(is_up, NULL, 5 * BB_SEC);
    bool reached = bb_fault_at == 0;
    bb_fault_at = 0;
    usb_unplug(variant->usb);
    bb_sleep(400 * BB_MSEC);
    assert_int_equal(slots_taken(), 0);
    return reached;
}

static void test_each_acquisition_fails_once(void **state)
{
    int n = 1;
    begin(state);
    while (n < 200 && probe_once(n))
        n++;
    assert_in_range(n, 5, 199);
    round_with(USB_GOOD, 0, 0, 0);
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_prestate(test, (void *)0), cmocka_unit_test_prestate(test, (void *)1)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(test_unplug_at_each_transaction),    BOTH(test_stall_at_each_transaction),
        BOTH(test_silence_at_each_transaction),   BOTH(test_other_faults),
        BOTH(test_an_endpoint_that_stays_silent), BOTH(test_each_acquisition_fails_once),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
