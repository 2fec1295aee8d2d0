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
} variants[] = {
    {"ecm", &ecm.usb, &ecm.network},
    {"rndis", &rndis.usb, &rndis.network},
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

/* Something for the interrupt endpoint; Remote NDIS has its answers there. */
static void notify(void)
{
    if (variant->usb != &ecm.usb || ecm.notice_count)
        return;
    model_ecm_link(&ecm, true);
    model_ecm_speed(&ecm, 10000000, 10000000);
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

/* Whether the fault made a transaction another one, left it as it was, or came after the last. */
enum outcome { HIT, SPARED, PAST };

/* A device from its plug to its unplug, with a fault in it. */
static enum outcome round_with(enum usb_fault_kind kind, unsigned pipe, unsigned at, unsigned count)
{
    struct usb_model *usb = variant->usb;
    bool unplugs = kind == USB_FAULT_UNPLUG || kind == USB_FAULT_UNPLUG_AFTER;
    uint32_t applied = usb->applied;
    memset(usb->faults, 0, sizeof usb->faults);
    usb_fault(usb, pipe, at, count, kind);
    usb_plug(&soft_host.sockets[0], usb);
    (void)bb_wait(is_up, NULL, 20 * BB_SEC);
    if (network.net && bb_net_open(network.net, &network.client) == 0) {
        network_run(20 * BB_MSEC);
        notify();
        traffic(6);
        if (!unplugs && !network.net->failed && !works())
            fail_msg("%s: fault %u at %u on pipe %x: no traffic", variant->name, kind, at, pipe);
        bb_net_close(network.net);
        bb_sleep(20 * BB_MSEC);
    }
    const struct usb_pipe *end = pipe == USB_EVERY_PIPE ? NULL : usb_pipe_of(usb, pipe);
    uint32_t seen = end ? end->count : usb->transactions;
    enum outcome outcome = usb->applied > applied                    ? HIT
                           : usb->socket && seen < usb->faults[0].at ? PAST
                                                                     : SPARED;
    if (unplugs && outcome != PAST && usb->socket)
        fail_msg("%s: not unplugged at %u", variant->name, at);
    usb_unplug(usb);
    bb_sleep(400 * BB_MSEC);
    assert_null(bb_net_first());
    assert_int_equal(bb_buffer_free(), NETWORK_POOL);
    assert_int_equal(slots_taken(), 0);
    assert_int_equal(soft_host.in_flight, 0);
    variant->wire->count = 0;
    return outcome;
}

/* Each transaction of a round in turn, or each `step`-th. */
static void rounds_with(enum usb_fault_kind kind, unsigned step, unsigned count)
{
    for (unsigned n = 1; n < 2000; n += step) {
        enum outcome outcome = round_with(kind, USB_EVERY_PIPE, n, count);
        if (outcome == PAST) {
            assert_true(n > 60);
            return;
        }
        if (outcome != HIT)
            fail_msg("%s: fault %u at %u did nothing", variant->name, kind, n);
    }
    fail_msg("there is no end");
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
    assert_int_equal(round_with(USB_GOOD, USB_EVERY_PIPE, UINT16_MAX, 1), PAST);
    assert_true(network.received > 6);
}

static void test_unplug_at_each_transaction(void **state)
{
    begin(state);
    rounds_with(USB_FAULT_UNPLUG, 1, 1);
    rounds_with(USB_FAULT_UNPLUG_AFTER, 3, 1);
}

static void test_stall_at_each_transaction(void **state)
{
    begin(state);
    rounds_with(USB_FAULT_STALL, 1, 1);
}

/* Three times in a row ends a transfer. */
static void test_silence_at_each_transaction(void **state)
{
    begin(state);
    rounds_with(USB_FAULT_SILENT, 2, 3);
}

/* Where a packet comes short only data to the host does. */
static void test_other_faults(void **state)
{
    static const struct {
        enum usb_fault_kind kind;
        uint8_t pipe;
    } faults[] = {
        {USB_FAULT_LOST_ACK, 0x81}, {USB_FAULT_LOST_ACK, 0x82}, {USB_FAULT_LOST_ACK, 0x02},
        {USB_FAULT_TOGGLE, 0x81},   {USB_FAULT_TOGGLE, 0x82},   {USB_FAULT_TOGGLE, 0x02},
        {USB_FAULT_SHORT, 0x81},    {USB_FAULT_SHORT, 0x82},
    };
    begin(state);
    for (size_t i = 0; i < BB_ARRAY_SIZE(faults); i++) {
        unsigned hits = 0;
        for (unsigned n = 1; n < 30; n++) {
            enum outcome outcome = round_with(faults[i].kind, faults[i].pipe, n, 1);
            if (outcome == PAST)
                break;
            if (outcome != HIT)
                fail_msg("%s: fault %u at %u on pipe %x did nothing", variant->name, faults[i].kind,
                         n, faults[i].pipe);
            hits++;
        }
        assert_true(hits > 1);
    }
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

/* A controller that does not give transfers back keeps their buffers, and only as long as it does;
 * nothing else is given to it meanwhile. */
static void test_transfers_that_do_not_come_back(void **state)
{
    begin(state);
    usb_plug(&soft_host.sockets[0], variant->usb);
    assert_int_equal(bb_wait(is_up, NULL, 5 * BB_SEC), 0);
    network_open();
    traffic(3);
    usb_fault(variant->usb, 0x02, 1, USB_FOR_EVER, USB_FAULT_NAK);
    assert_int_equal(network_send(100, 0, 0), 1);
    soft_host.deaf = true;
    bb_net_close(network.net);
    assert_true(network.net->failed);
    assert_int_equal(logged("a transfer is stuck"), 1);
    assert_int_equal(bb_net_open(network.net, &network.client), -EIO);
    bool straight = variant->usb == &ecm.usb;
    assert_int_equal(bb_buffer_free(), NETWORK_POOL - 1 - straight);
    uint8_t frame[100];
    network_fill(frame, sizeof frame, 0);
    (void)usb_network_receive(variant->wire, frame, sizeof frame);
    memset(variant->usb->faults, 0, sizeof variant->usb->faults);
    bb_sleep(BB_SEC);
    assert_int_equal(bb_buffer_free(), NETWORK_POOL);
    soft_host.deaf = false;
    usb_unplug(variant->usb);
    bb_sleep(400 * BB_MSEC);
    assert_int_equal(slots_taken(), 0);
    assert_int_equal(soft_host.in_flight, 0);
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
    assert_int_equal(round_with(USB_GOOD, USB_EVERY_PIPE, UINT16_MAX, 1), PAST);
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_prestate(test, (void *)0), cmocka_unit_test_prestate(test, (void *)1)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(test_unplug_at_each_transaction),      BOTH(test_stall_at_each_transaction),
        BOTH(test_silence_at_each_transaction),     BOTH(test_other_faults),
        BOTH(test_an_endpoint_that_stays_silent),   BOTH(test_each_acquisition_fails_once),
        BOTH(test_transfers_that_do_not_come_back),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
