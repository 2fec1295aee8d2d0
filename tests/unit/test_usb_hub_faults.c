/* SPDX-License-Identifier: BSD-2-Clause */
/* Hubs that lie, fail or go, at any moment. */
#include "usb_hubs.h"

#include <busbar/hooks.h>

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
    assert_int_equal(logged("its hub does not answer"), 3 + 1); /* it refuses what it said it has */
    assert_non_null(strstr(reason_of(ROOT_DEVICE), "its hub does not answer"));
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
    assert_int_equal(logged("status endpoint fails"), 0);
    all_out();
}

/* What it does not tell is found by asking its ports, for as long as it takes. */
static void status_endpoint_fails(enum usb_fault_kind kind)
{
    prepare(1);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    boot(NULL);
    settle();
    usb_fault(&hubs[0].usb, 0x81, 1, USB_FOR_EVER, kind);
    plug_loop(&hubs[0].sockets[1], 1, BB_USB_FULL);
    bb_sleep(60 * BB_SEC);
    assert_int_equal(prober.probes, 2);
    uint64_t transactions = soft_host.transactions;
    bb_sleep(600 * BB_SEC);
    assert_true(soft_host.transactions - transactions < 600 * 4 * 4); /* and little more */
    assert_int_equal(logged("status endpoint fails"), 1);
    plug_loop(&hubs[0].sockets[2], 2, BB_USB_FULL);
    settle();
    assert_int_equal(prober.probes, 3);
    usb_unplug(&loops[0].usb);
    settle();
    assert_int_equal(prober.removes, 1);
    assert_true(loops[1].usb.configuration);
    memset(hubs[0].usb.faults, 0, sizeof hubs[0].usb.faults);
    bb_sleep(2 * BB_SEC);
    uint32_t requests = hubs[0].port_requests;
    bb_sleep(60 * BB_SEC);
    assert_int_equal(hubs[0].port_requests, requests); /* it speaks for itself again, */
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    bb_sleep(400 * BB_MSEC); /* and is heard at once */
    assert_int_equal(prober.probes, 4);
    all_out();
}

static void test_status_endpoint_stalls_for_ever(void **state)
{
    (void)state;
    status_endpoint_fails(USB_FAULT_STALL);
}

static void test_status_endpoint_is_silent_for_ever(void **state)
{
    (void)state;
    status_endpoint_fails(USB_FAULT_SILENT);
}

/* One loop behind a hub, another beside it. */
static void boot_two(void)
{
    prepare(2);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    plug_loop(&hubs[0].sockets[0], 0, BB_USB_FULL);
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    boot(NULL);
    settle();
}

/* Neither the endpoint nor the ports answer: what is plugged into it is gone, its sibling is not.
 */
static void test_nothing_of_a_hub_answers(void **state)
{
    (void)state;
    boot_two();
    usb_fault(&hubs[0].usb, 0x81, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    bb_sleep(60 * BB_SEC);
    assert_int_equal(prober.removes, 0); /* the rest of it works */
    usb_fault(&hubs[0].usb, USB_CONTROL_PIPE, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    bb_sleep(30 * BB_SEC);
    assert_int_equal(logged("its hub does not answer"), 1);
    assert_non_null(strstr(reason_of(ROOT_DEVICE), "its device descriptor"));
    assert_int_equal(prober.removes, 1);
    assert_true(loops[1].usb.configuration);
    usb_unplug(&loops[1].usb);
    all_out();
}

/* Pulled out with a device at address 0 behind it, while its driver cannot go since a probe waits:
 * nobody else waits for the address. */
static int pulled_in_probe(struct probe *probe)
{
    (void)probe;
    prober.probe = NULL;
    plug_loop(&hubs[0].sockets[2], 1, BB_USB_FULL);
    usb_fault(&loops[1].usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, USB_FAULT_NAK);
    for (unsigned i = 0; i < 100 && !loops[1].usb.resets; i++)
        bb_sleep(10 * BB_MSEC);
    bb_sleep(50 * BB_MSEC);
    assert_non_null(soft_host.host->default_state);
    usb_unplug(&hubs[0].usb);
    plug_loop(&soft_host.sockets[2], 2, BB_USB_FULL);
    bb_sleep(500 * BB_MSEC);
    assert_non_null(bb_node_find(HUB)); /* it is still there */
    assert_int_equal(loops[2].usb.configuration, 1);
    return 0;
}

static void test_pulled_with_address_0(void **state)
{
    (void)state;
    prepare(3);
    plug_hub(&soft_host.sockets[0], 0, BB_USB_HIGH, 4);
    boot(NULL);
    settle();
    prober.probe = pulled_in_probe;
    plug_loop(&soft_host.sockets[1], 0, BB_USB_FULL);
    settle();
    assert_null(prober.probe);
    assert_int_equal(prober.probes, 2);
    assert_null(bb_node_find(HUB));
    usb_unplug(&loops[0].usb);
    usb_unplug(&loops[2].usb);
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

/* A hub that does not answer is reset and enumerated again, with all that is plugged into it. */
static void test_hub_falls_silent_for_a_while(void **state)
{
    (void)state;
    boot_two();
    assert_int_equal(prober.probes, 2);
    for (int i = 1; i <= 4; i++) { /* each time anew, when it was quiet in between */
        usb_fault(&hubs[0].usb, USB_CONTROL_PIPE, 1, 9, USB_FAULT_SILENT);
        if (i % 2)
            plug_loop(&hubs[0].sockets[1], 2, BB_USB_FULL);
        else
            usb_unplug(&loops[2].usb);
        bb_sleep(20 * BB_SEC);
        assert_int_equal(logged("its hub does not answer"), i);
        assert_int_equal(hubs[0].usb.configuration, 1);
        assert_int_equal(loops[0].usb.configuration, 1);
        assert_int_equal(loops[2].usb.configuration, i % 2);
    }
    assert_int_equal(loops[1].usb.resets, 1); /* its sibling noticed nothing */
    usb_unplug(&loops[1].usb);
    all_out();
}

/* The root has nobody who could reset it: it is asked for ever. */
static void test_root_falls_silent_for_a_while(void **state)
{
    (void)state;
    prepare(2);
    plug_loop(&soft_host.sockets[0], 0, BB_USB_FULL);
    boot(NULL);
    settle();
    soft_host.fail_port = -EIO;
    plug_loop(&soft_host.sockets[1], 1, BB_USB_FULL);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(logged("its hub does not answer"), 1);
    assert_int_equal(prober.probes, 1);
    soft_host.fail_port = 0;
    settle();
    assert_int_equal(prober.probes, 2);
    assert_int_equal(prober.removes, 0);
    must_remove(SOFT_HOST);
}

static void test_hub_falls_silent(void **state)
{
    (void)state;
    boot_two();
    assert_int_equal(prober.probes, 2);
    usb_fault(&hubs[0].usb, USB_CONTROL_PIPE, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    plug_loop(&hubs[0].sockets[1], 2, BB_USB_FULL);
    bb_sleep(60 * BB_SEC);
    assert_true(logged("its hub does not answer"));
    assert_non_null(strstr(reason_of(ROOT_DEVICE), "its device descriptor"));
    assert_int_equal(prober.removes, 1); /* what is plugged into it cannot be told from gone */
    assert_true(loops[1].usb.configuration);
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
        cmocka_unit_test(test_status_endpoint_stalls_for_ever),
        cmocka_unit_test(test_status_endpoint_is_silent_for_ever),
        cmocka_unit_test(test_nothing_of_a_hub_answers),
        cmocka_unit_test(test_pulled_with_address_0),
        cmocka_unit_test(test_reset_without_end),
        cmocka_unit_test(test_hub_falls_silent_for_a_while),
        cmocka_unit_test(test_root_falls_silent_for_a_while),
        cmocka_unit_test(test_hub_falls_silent),
        cmocka_unit_test(test_each_request_fails_once),
        cmocka_unit_test(test_driver_is_removed_by_hand),
        cmocka_unit_test(test_host_is_removed_with_all),
        cmocka_unit_test(test_host_is_removed_at_any_moment),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
