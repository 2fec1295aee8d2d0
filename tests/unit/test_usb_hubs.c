/* SPDX-License-Identifier: BSD-2-Clause */
/* Hubs: five tiers of them, power, over-current, translators, and hubs that lie. */
#include "usb.h"

#include <stdio.h>

#include <busbar/hooks.h>
#include <busbar/store.h>

static struct model_hub hubs[7];
static struct model_loop loops[16];

#define HUB ROOT_DEVICE "/interface@0"

/* What a hub's model answers, when a test answers first. */
static int (*hub_control)(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data);

static void plug_hub(struct usb_socket *socket, unsigned which, enum bb_usb_speed speed,
                     unsigned ports)
{
    model_hub_init(&hubs[which], "hub", speed, ports);
    usb_plug(socket, &hubs[which].usb);
}

static void plug_loop(struct usb_socket *socket, unsigned which, enum bb_usb_speed speed)
{
    model_loop_init(&loops[which], "loop", speed);
    usb_plug(socket, &loops[which].usb);
}

static void all_out(void)
{
    usb_unplug(&hubs[0].usb);
    bb_sleep(10 * BB_SEC);
    must_be_empty();
    assert_int_equal(prober.removes, prober.probes);
    must_remove(SOFT_HOST);
}

static const char *reason_of(const char *path)
{
    static char text[200];
    const struct bb_node *node = bb_node_find(path);
    if (!node)
        fail_msg("no node %s", path);
    bb_node_reason(node, text, sizeof(text));
    return text;
}

/* ---- Trees ---- */

static void test_one_hub(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    for (unsigned i = 0; i < 3; i++)
        plug_loop(&hubs[0].sockets[i], i, (enum bb_usb_speed)i);
    boot(NULL);
    while (bb_hooks.settling())
        bb_sleep(BB_MSEC);
    assert_true(bb_time() < 2 * BB_SEC);
    assert_int_equal(prober.probes, 3);
    struct bb_usb_device *hub = device_of(ROOT_DEVICE);
    for (unsigned i = 0; i < 3; i++) {
        char path[60];
        snprintf(path, sizeof(path), HUB "/device@%u", i + 1);
        struct bb_usb_device *device = device_of(path);
        assert_int_equal(device->speed, i);
        assert_int_equal(device->tier, 2);
        assert_ptr_equal(device->hub->device, hub);
        assert_int_equal(device->split_address, i < 2 ? hub->address : 0);
        assert_int_equal(device->split_port, i < 2 ? i + 1 : 0);
        assert_false(device->split_multiple);
    }
    usb_unplug(&loops[1].usb);
    settle();
    assert_int_equal(prober.removes, 1);
    assert_null(bb_node_find(HUB "/device@2"));
    plug_loop(&hubs[0].sockets[3], 3, BB_USB_FULL);
    settle();
    assert_int_equal(prober.probes, 4);
    assert_non_null(bb_node_find(HUB "/device@4/interface@0"));
    all_out();
}

static void test_idle_hub_is_quiet(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_FULL, 4);
    boot(NULL);
    settle();
    uint32_t requests = hubs[0].port_requests;
    uint64_t transactions = soft_host.transactions;
    bb_sleep(60 * BB_SEC);
    assert_int_equal(hubs[0].port_requests, requests);
    assert_true(soft_host.transactions - transactions < 60 * 5); /* its status, 4 times a second */
    assert_false(soft_host.host->ports_due.armed);
    all_out();
}

/* Hub in hub, each with a device beside the next hub. */
static void plug_chain(unsigned count, enum bb_usb_speed speed)
{
    struct usb_socket *socket = &soft_host.sockets[0];
    for (unsigned i = 0; i < count; i++) {
        plug_hub(socket, i, speed, 4);
        plug_loop(&hubs[i].sockets[1], i, BB_USB_FULL);
        socket = &hubs[i].sockets[0];
    }
}

static void test_five_tiers(void **state)
{
    (void)state;
    prepare(1);
    plug_chain(5, BB_USB_HIGH);
    boot(NULL);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(count_devices(), 10);
    assert_int_equal(prober.probes, 5);
    struct bb_usb_device *deepest =
        device_of(HUB "/device@1/interface@0/device@1/interface@0/device@1/interface@0/device@1"
                      "/interface@0/device@2");
    assert_int_equal(deepest->tier, 6);
    assert_int_equal(deepest->split_address, deepest->hub->device->address);
    /* One in the middle goes, with all below it. */
    usb_unplug(&hubs[2].usb);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(count_devices(), 4);
    assert_int_equal(slots_taken(), 4);
    assert_int_equal(prober.removes, 3);
    usb_plug(&hubs[1].sockets[2], &hubs[2].usb);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(count_devices(), 10);
    assert_int_equal(prober.probes, 8);
    all_out();
}

static void test_sixth_hub_is_refused(void **state)
{
    (void)state;
    prepare(1);
    plug_chain(6, BB_USB_HIGH);
    boot(NULL);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(count_devices(), 11); /* the sixth is there, and what is in it is not */
    const char *reason =
        reason_of(HUB "/device@1/interface@0/device@1/interface@0/device@1/interface@0/device@1"
                      "/interface@0/device@1/interface@0");
    assert_non_null(strstr(reason, "sixth hub in a row"));
    assert_int_equal(prober.probes, 5);
    all_out();
}

/* Translators: the high-speed hub nearest to the device does it, whatever is in between. */
static void test_slow_hub_behind_a_fast_one(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    hubs[0].multiple = true;
    plug_hub(&hubs[0].sockets[2], 1, BB_USB_FULL, 4);
    plug_loop(&hubs[1].sockets[3], 0, BB_USB_LOW);
    boot(NULL);
    bb_sleep(5 * BB_SEC);
    struct bb_usb_device *device = device_of(HUB "/device@3/interface@0/device@4");
    assert_int_equal(device->configuration, 1);
    assert_int_equal(device->split_address, device_of(ROOT_DEVICE)->address);
    assert_int_equal(device->split_port, 3);
    assert_true(device->split_multiple);
    assert_int_equal(hubs[0].usb.alternate[0], 1);
    assert_int_equal(prober.probes, 1);
    all_out();
}

/* What a transfer that was given up leaves in a translator is cleared: both directions of a control
 * endpoint, one of another; in the hub that has the translator. */
static struct bb_usb_setup cleared[16];
static unsigned clears;

static int clearing_hub(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    if (setup->request_type == (BB_USB_CLASS | BB_USB_TO_OTHER) && setup->request == 8)
        cleared[clears++ % 16] = *setup;
    return hub_control(usb, setup, data);
}

static void ignore(struct bb_usb_transfer *transfer)
{
    (void)transfer;
}

static void clears_translator(bool multiple)
{
    uint8_t byte;
    prepare(1);
    model_hub_init(&hubs[0], "hub", BB_USB_HIGH, 4);
    hubs[0].multiple = multiple;
    hub_control = hubs[0].usb.control;
    hubs[0].usb.control = clearing_hub;
    usb_plug(&soft_host.sockets[0], &hubs[0].usb);
    plug_hub(&hubs[0].sockets[2], 1, BB_USB_FULL, 4);
    plug_loop(&hubs[1].sockets[0], 0, BB_USB_FULL);
    boot(NULL);
    bb_sleep(5 * BB_SEC);
    struct bb_usb_interface *interface = prober.last->interface;
    unsigned address = interface->device->address, port = multiple ? 3 : 1;
    assert_int_equal(clears, 0);
    assert_int_equal(bb_usb_control(interface->device, BB_USB_VENDOR, 99, 0, 0, NULL, 0), -EPIPE);
    assert_int_equal(clears, 0); /* a refusal is an answer */
    usb_fault(&loops[0].usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, USB_FAULT_NAK);
    assert_int_equal(
        bb_usb_control(interface->device, BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 0, 0, &byte, 1),
        -ETIMEDOUT);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(clears, 2);
    assert_int_equal(cleared[0].value, address << 4);
    assert_int_equal(cleared[1].value, address << 4 | 0x8000);
    assert_int_equal(cleared[0].index, port);
    struct bb_usb_transfer transfer = {
        .endpoint = bb_usb_endpoint(interface, BB_USB_BULK, BB_USB_IN),
        .data = bb_usb_alloc(&prober.last->device, 64),
        .length = 64,
        .timeout = BB_FOREVER,
        .done = ignore,
    };
    assert_int_equal(bb_usb_submit(&transfer), 0);
    bb_sleep(10 * BB_MSEC);
    bb_usb_cancel_wait(&transfer);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(clears, 3);
    assert_int_equal(cleared[2].value, address << 4 | 1 | BB_USB_BULK << 11 | 0x8000);
    transfer.endpoint = bb_usb_endpoint(interface, BB_USB_INTERRUPT, BB_USB_IN);
    assert_int_equal(bb_usb_submit(&transfer), 0);
    bb_usb_cancel_wait(&transfer);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(clears, 3); /* those are forgotten by themselves */
    all_out();
}

static void test_translator_is_cleared(void **state)
{
    (void)state;
    clears_translator(false);
}

static void test_translator_of_a_port_is_cleared(void **state)
{
    (void)state;
    clears_translator(true);
}

static void test_full_speed_root_needs_no_translator(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_FULL, 4);
    plug_loop(&hubs[0].sockets[3], 0, BB_USB_LOW);
    boot(NULL);
    settle();
    assert_int_equal(device_of(HUB "/device@4")->split_address, 0);
    assert_int_equal(prober.probes, 1);
    all_out();
}

static void test_fifteen_ports(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 15);
    for (unsigned i = 0; i < 15; i++)
        plug_loop(&hubs[0].sockets[i], i, (enum bb_usb_speed)(i % 3));
    boot(NULL);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(prober.probes, 15);
    assert_int_equal(slots_taken(), 16);
    for (unsigned i = 0; i < 15; i += 2)
        usb_unplug(&loops[i].usb);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(prober.removes, 8);
    all_out();
}

/* ---- Power ---- */

static void test_power_good_is_waited_for(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_FULL, 2);
    hubs[0].power_good = 250; /* 500 ms; the model ends the test when it is not */
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_int_equal(prober.probes, 1);
    all_out();
}

static void test_ganged_power(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_FULL, 4);
    hubs[0].ganged = true;
    plug_loop(&hubs[0].sockets[3], 0, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_int_equal(prober.probes, 1);
    all_out();
}

static void test_power_budget(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_FULL, 4);
    hubs[0].self_powered = false;
    model_loop_init(&loops[0], "hungry", BB_USB_FULL);
    loops[0].configuration[8] = 51; /* 102 mA */
    usb_plug(&hubs[0].sockets[0], &loops[0].usb);
    plug_loop(&hubs[0].sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_non_null(strstr(reason_of(HUB "/device@1"), "more power than its hub can give"));
    assert_int_equal(prober.probes, 1);
    assert_int_equal(loops[0].usb.configuration, 0);
    assert_int_equal(loops[0].usb.resets, 1); /* no other try would help */
    all_out();
}

/* It can have a supply, and has none at the moment. */
static int unpowered(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    (void)usb;
    if (setup->request != BB_USB_GET_STATUS || setup->request_type != BB_USB_IN)
        return USB_OTHER;
    data[0] = data[1] = 0;
    return 2;
}

static int unpowered_hub(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    int got = unpowered(usb, setup, data);
    return got == USB_OTHER ? hub_control(usb, setup, data) : got;
}

static void test_hub_without_its_supply(void **state)
{
    (void)state;
    prepare(1);
    model_hub_init(&hubs[0], "hub", BB_USB_FULL, 4);
    hub_control = hubs[0].usb.control;
    hubs[0].usb.control = unpowered_hub;
    model_loop_init(&loops[0], "hungry", BB_USB_FULL);
    loops[0].configuration[8] = 51;
    usb_plug(&soft_host.sockets[0], &hubs[0].usb);
    usb_plug(&hubs[0].sockets[0], &loops[0].usb);
    boot(NULL);
    settle();
    assert_non_null(strstr(reason_of(HUB "/device@1"), "more power than its hub can give"));
    all_out();
}

static void test_over_current_of_a_port(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_FULL, 4);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    plug_loop(&hubs[0].sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_int_equal(prober.probes, 2);
    model_hub_over_current(&hubs[0], 1, true);
    bb_sleep(60 * BB_SEC);
    assert_int_equal(prober.removes, 1);
    assert_int_equal(logged("over-current: off"), 1); /* said once, though it is tried again */
    assert_true(loops[1].usb.configuration);
    model_hub_over_current(&hubs[0], 1, false);
    bb_sleep(20 * BB_SEC);
    assert_int_equal(logged("on again"), 1);
    assert_int_equal(prober.probes, 3);
    all_out();
}

static void test_over_current_of_a_hub(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_FULL, 4);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    boot(NULL);
    settle();
    model_hub_over_current(&hubs[0], 0, true);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(prober.removes, 1);
    assert_true(logged("over-current of all ports"));
    model_hub_over_current(&hubs[0], 0, false);
    bb_sleep(20 * BB_SEC);
    assert_true(logged("over-current is over"));
    assert_int_equal(prober.probes, 2);
    all_out();
}

static void test_over_current_of_the_root(void **state)
{
    (void)state;
    prepare(2);
    plug_loop(&soft_host.sockets[0], 0, BB_USB_FULL);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
    soft_host_over_current(1, true);
    bb_sleep(30 * BB_SEC);
    assert_int_equal(prober.removes, 1);
    assert_int_equal(logged("over-current: off"), 1);
    soft_host_over_current(1, false);
    bb_sleep(20 * BB_SEC);
    assert_int_equal(prober.probes, 3);
    must_remove(SOFT_HOST);
}

/* ---- What goes wrong ---- */

static void test_closed_port(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_HIGH);
    boot(NULL);
    settle();
    model_hub_disable(&hubs[0], 1); /* after babble: it is set up anew */
    settle();
    assert_int_equal(prober.probes, 2);
    assert_int_equal(prober.removes, 1);
    soft_host_disable(1);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(prober.probes, 3);
    assert_int_equal(prober.removes, 2);
    all_out();
}

static void test_255_ports(void **state)
{
    (void)state;
    prepare(2);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    hubs[0].says_ports = 255;
    plug_loop(&soft_host.sockets[1], 0, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_non_null(strstr(reason_of(HUB), "its number of ports: out of range"));
    assert_int_equal(prober.probes, 1);
    usb_unplug(&loops[0].usb);
    all_out();
}

static void test_more_ports_than_there_are(void **state)
{
    (void)state;
    prepare(2);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    hubs[0].says_ports = 15;
    plug_loop(&soft_host.sockets[1], 0, BB_USB_FULL);
    boot(NULL);
    bb_sleep(60 * BB_SEC);
    assert_true(logged("its hub does not answer")); /* it refuses what it said it has */
    assert_int_equal(prober.probes, 1);
    assert_false(bb_hooks.settling());
    usb_unplug(&loops[0].usb);
    all_out();
}

static void test_short_hub_descriptor(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    hubs[0].descriptor_length = 6;
    boot(NULL);
    settle();
    assert_non_null(strstr(reason_of(HUB), "its descriptor: broken protocol"));
    all_out();
}

static void lies(const uint8_t *bits, unsigned count)
{
    prepare(2);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    memcpy(hubs[0].lie, bits, count);
    hubs[0].lie_length = count;
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_true(loops[1].usb.configuration);
    assert_int_equal(prober.probes, 2); /* at start the bus looks by itself */
    /* A change for ever, that it never tells right. */
    uint64_t transactions = soft_host.transactions;
    model_hub_disable(&hubs[0], 1);
    bb_sleep(120 * BB_SEC);
    assert_true(soft_host.transactions - transactions < 5000); /* of 1.9 million that could be */
    usb_unplug(&loops[1].usb);
    all_out();
}

static void test_status_of_ports_that_are_not_there(void **state)
{
    (void)state;
    lies((const uint8_t[]){0xe0}, 1);
}

static void test_status_that_is_empty(void **state)
{
    (void)state;
    lies((const uint8_t[]){0}, 1);
}

static void test_status_of_the_wrong_port(void **state)
{
    (void)state;
    lies((const uint8_t[]){4}, 1);
}

static void test_status_of_the_hub_itself(void **state)
{
    (void)state;
    lies((const uint8_t[]){1}, 1);
}

/* Its status endpoint sends a changed bit without end: the hub is asked ever more seldom, and its
 * sibling works. */
static int always(struct usb_model *usb, unsigned endpoint, uint8_t *data)
{
    (void)usb, (void)endpoint;
    data[0] = 0x1e;
    return 1;
}

static void test_status_without_end(void **state)
{
    (void)state;
    prepare(2);
    model_hub_init(&hubs[0], "hub", BB_USB_HIGH, 4);
    hubs[0].usb.in = always;
    usb_plug(&soft_host.sockets[0], &hubs[0].usb);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_HIGH);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_int_equal(prober.probes, 2);
    uint64_t transactions = soft_host.transactions;
    bb_sleep(100 * BB_SEC);
    assert_true(soft_host.transactions - transactions < 100 * 4 * 20);
    usb_unplug(&loops[1].usb);
    all_out();
}

static void test_status_endpoint_stalls(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    boot(NULL);
    settle();
    usb_fault(&hubs[0].usb, 0x81, 1, 1, USB_FAULT_STALL);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    settle();
    assert_int_equal(prober.probes, 1); /* the halt was cleared */
    usb_fault(&hubs[0].usb, 0x81, 1, 3, USB_FAULT_SILENT);
    plug_loop(&hubs[0].sockets[1], 1, BB_USB_FULL);
    settle();
    assert_int_equal(prober.probes, 2); /* and an error was no end */
    usb_fault(&hubs[0].usb, 0x81, 1, USB_FOR_EVER, USB_FAULT_STALL);
    plug_loop(&hubs[0].sockets[2], 2, BB_USB_FULL);
    bb_sleep(60 * BB_SEC);
    assert_non_null(strstr(reason_of(HUB), "its status endpoint does not work"));
    assert_true(loops[0].usb.configuration); /* what it has still works */
    assert_int_equal(prober.removes, 0);
    all_out();
}

static void test_reset_without_end(void **state)
{
    (void)state;
    prepare(2);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    hubs[0].never_resets = true;
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    bb_sleep(20 * BB_SEC);
    assert_non_null(strstr(reason_of(HUB "/device@1"), "its reset does not end"));
    assert_int_equal(prober.probes, 1);
    usb_unplug(&loops[1].usb);
    all_out();
}

static void test_hub_falls_silent(void **state)
{
    (void)state;
    prepare(2);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
    assert_int_equal(prober.probes, 2);
    usb_fault(&hubs[0].usb, USB_CONTROL_PIPE, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    plug_loop(&hubs[0].sockets[1], 2, BB_USB_FULL);
    bb_sleep(60 * BB_SEC);
    assert_true(logged("its hub does not answer"));
    assert_int_equal(prober.removes, 0);
    assert_true(loops[0].usb.configuration);
    assert_false(soft_host.host->ports_due.armed);
    usb_unplug(&loops[1].usb);
    all_out();
}

/* Each request of a hub fails once. It works all the same, or says why not. */
static void test_each_request_fails_once(void **state)
{
    (void)state;
    prepare(1);
    boot("log=error");
    uint32_t at = 1;
    unsigned works = 0;
    for (;; at++) {
        model_hub_init(&hubs[0], "hub", BB_USB_FULL, 2);
        usb_fault(&hubs[0].usb, USB_CONTROL_PIPE, at, 3, USB_FAULT_SILENT);
        plug_loop(&hubs[0].sockets[1], 0, BB_USB_FULL);
        usb_plug(&soft_host.sockets[0], &hubs[0].usb);
        bb_sleep(20 * BB_SEC);
        uint32_t count = hubs[0].usb.transactions;
        works += loops[0].usb.configuration;
        usb_unplug(&hubs[0].usb);
        usb_unplug(&loops[0].usb);
        bb_sleep(20 * BB_SEC);
        must_be_empty();
        if (count < at)
            break;
    }
    assert_true(at > 50);
    assert_true(works > at * 3 / 4);
    must_remove(SOFT_HOST);
}

/* ---- The driver goes ---- */

static void test_driver_is_removed_by_hand(void **state)
{
    (void)state;
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    plug_hub(&hubs[0].sockets[3], 1, BB_USB_HIGH, 4);
    plug_loop(&hubs[1].sockets[0], 0, BB_USB_FULL);
    plug_loop(&hubs[0].sockets[0], 1, BB_USB_FULL);
    boot(NULL);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(prober.probes, 2);
    must_remove(HUB);
    assert_int_equal(prober.removes, 2);
    assert_int_equal(count_devices(), 1);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(count_devices(), 1);
    all_out();
}

static void test_host_is_removed_with_all(void **state)
{
    (void)state;
    prepare(1);
    plug_chain(3, BB_USB_HIGH);
    boot(NULL);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(count_devices(), 6);
    must_remove(SOFT_HOST);
    assert_int_equal(prober.removes, 3);
    assert_int_equal(count_devices(), 0);
}

/* While something is on its way. */
static int remove_after(void *context)
{
    prepare(1);
    plug_chain(2, BB_USB_HIGH);
    boot("log=error");
    bb_sleep(*(const uint64_t *)context);
    must_remove(SOFT_HOST);
    assert_int_equal(prober.removes, prober.probes);
    assert_int_equal(count_devices(), 0);
    bb_sleep(BB_SEC);
    return prober.probes;
}

static void test_host_is_removed_at_any_moment(void **state)
{
    (void)state;
    int probes = 0;
    for (unsigned ms = 0; ms < 900; ms += 13) {
        uint64_t time = ms * BB_MSEC;
        int now = run_child(remove_after, &time);
        assert_true(now == probes || now == probes + 1);
        probes = now;
    }
    assert_int_equal(probes, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_hub),
        cmocka_unit_test(test_idle_hub_is_quiet),
        cmocka_unit_test(test_five_tiers),
        cmocka_unit_test(test_sixth_hub_is_refused),
        cmocka_unit_test(test_slow_hub_behind_a_fast_one),
        cmocka_unit_test(test_translator_is_cleared),
        cmocka_unit_test(test_translator_of_a_port_is_cleared),
        cmocka_unit_test(test_full_speed_root_needs_no_translator),
        cmocka_unit_test(test_fifteen_ports),
        cmocka_unit_test(test_power_good_is_waited_for),
        cmocka_unit_test(test_ganged_power),
        cmocka_unit_test(test_power_budget),
        cmocka_unit_test(test_hub_without_its_supply),
        cmocka_unit_test(test_over_current_of_a_port),
        cmocka_unit_test(test_over_current_of_a_hub),
        cmocka_unit_test(test_over_current_of_the_root),
        cmocka_unit_test(test_closed_port),
        cmocka_unit_test(test_255_ports),
        cmocka_unit_test(test_more_ports_than_there_are),
        cmocka_unit_test(test_short_hub_descriptor),
        cmocka_unit_test(test_status_of_ports_that_are_not_there),
        cmocka_unit_test(test_status_that_is_empty),
        cmocka_unit_test(test_status_of_the_wrong_port),
        cmocka_unit_test(test_status_of_the_hub_itself),
        cmocka_unit_test(test_status_without_end),
        cmocka_unit_test(test_status_endpoint_stalls),
        cmocka_unit_test(test_reset_without_end),
        cmocka_unit_test(test_hub_falls_silent),
        cmocka_unit_test(test_each_request_fails_once),
        cmocka_unit_test(test_driver_is_removed_by_hand),
        cmocka_unit_test(test_host_is_removed_with_all),
        cmocka_unit_test(test_host_is_removed_at_any_moment),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
