/* SPDX-License-Identifier: BSD-2-Clause */
/* Hubs: five tiers of them, translators, power, over-current. */
#include "usb_hubs.h"

#include <stdio.h>

#include <busbar/hooks.h>

/* What a hub's model answers, when a test answers first. */
static int (*hub_control)(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data);

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

/* Requests of port 1 to which a hub answers as a test likes. */
static struct {
    unsigned refusals;      /* of the next requests to switch it off */
    unsigned offs;          /* such requests */
    unsigned ons;           /* and on */
    uint64_t off_at, on_at; /* when it was last switched off, and then on */
    struct usb_model *late; /* plugged in just before its change is cleared; NULL: nothing */
} odd;

static int odd_hub(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    if (setup->request_type != (BB_USB_CLASS | BB_USB_TO_OTHER) || setup->index != 1)
        return hub_control(usb, setup, data);
    bool set = setup->request == BB_USB_SET_FEATURE;
    if (setup->value == BB_USB_FEATURE_C_CONNECTION && odd.late) {
        usb_plug(&hubs[0].sockets[0], odd.late);
        odd.late = NULL;
    }
    if (setup->value == BB_USB_FEATURE_POWER && set && odd.ons++ == 0)
        odd.on_at = bb_time();
    if (setup->value == BB_USB_FEATURE_POWER && !set) {
        odd.offs++;
        if (odd.refusals) {
            odd.refusals--;
            return USB_HALT;
        }
        odd.off_at = bb_time();
    }
    return hub_control(usb, setup, data);
}

static void plug_odd_hub(void)
{
    memset(&odd, 0, sizeof(odd));
    model_hub_init(&hubs[0], "hub", BB_USB_FULL, 4);
    hub_control = hubs[0].usb.control;
    hubs[0].usb.control = odd_hub;
    usb_plug(&soft_host.sockets[0], &hubs[0].usb);
}

/* With a loop in its first port. */
static void boot_odd_hub(void)
{
    prepare(1);
    plug_odd_hub();
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    boot(NULL);
    settle();
}

/* A port that is to be off is told so again, not switched on. */
static void test_power_off_is_refused_once(void **state)
{
    (void)state;
    boot_odd_hub();
    odd.refusals = 2;
    odd.ons = 0;
    model_hub_over_current(&hubs[0], 1, true);
    bb_sleep(3 * BB_SEC);
    assert_int_equal(odd.offs, 3);
    assert_int_equal(odd.ons, 0);
    model_hub_over_current(&hubs[0], 1, false);
    bb_sleep(10 * BB_SEC);
    assert_true(odd.on_at - odd.off_at >= 5 * BB_SEC);
    assert_int_equal(prober.probes, 2);
    all_out();
}

/* Between a status that says that nothing is there and the end of that change. */
static void test_plugged_in_before_the_change_is_cleared(void **state)
{
    (void)state;
    boot_odd_hub();
    model_loop_init(&loops[1], "loop", BB_USB_FULL);
    odd.late = &loops[1].usb;
    usb_unplug(&loops[0].usb);
    settle();
    assert_null(odd.late);
    assert_int_equal(prober.removes, 1);
    assert_int_equal(prober.probes, 2);
    assert_true(loops[1].usb.configuration);
    all_out();
}

static uint8_t third;

static int probe_slowly(struct probe *probe)
{
    if (probe->interface->device->port != 1)
        return 0;
    usb_unplug(&loops[1].usb);
    bb_sleep(BB_SEC);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    bb_sleep(300 * BB_MSEC);
    plug_loop(&soft_host.sockets[2], 2, BB_USB_FULL);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(loops[1].usb.configuration, 0); /* its slot waits for this probe */
    third = loops[2].usb.configuration;
    return 0;
}

/* While a driver waits in its probe, a second device is pulled out and put back; a third one does
 * not stand behind that. */
static void test_port_that_waits_for_its_predecessor(void **state)
{
    (void)state;
    prepare(3);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
    prober.probe = probe_slowly;
    plug_loop(&soft_host.sockets[0], 0, BB_USB_FULL);
    settle();
    assert_int_equal(third, 1);
    settle();
    assert_int_equal(prober.probes, 4);
    assert_int_equal(loops[1].usb.configuration, 1);
    must_remove(SOFT_HOST);
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
        cmocka_unit_test(test_power_off_is_refused_once),
        cmocka_unit_test(test_plugged_in_before_the_change_is_cleared),
        cmocka_unit_test(test_port_that_waits_for_its_predecessor),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
