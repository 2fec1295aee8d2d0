/* SPDX-License-Identifier: BSD-2-Clause */
/* net/usb_cdc_ecm on the model of its function: conformance, frames of every length, the filter,
 * notifications, descriptors that lie. */
#include "usb_net.h"

static struct model_ecm ecm;

static void start(void)
{
    model_ecm_make(&ecm);
    assert_true(network_start(&ecm.usb));
    assert_string_equal(network.net->face.device->driver->name, "net/usb_cdc_ecm");
}

static void test_conformance(void **state)
{
    (void)state;
    start();
    network_conforms("ecm");
}

static void test_conformance_at_high_speed(void **state)
{
    (void)state;
    ecm.quick = true;
    ecm.filters = 8;
    start();
    network_conforms("ecm at high speed");
}

static void test_every_length_received(void **state)
{
    uint8_t frame[2048];
    uint64_t errors = 0;
    (void)state;
    ecm.quick = *state != NULL;
    start();
    network_open();
    for (uint32_t length = 0; length <= 2048; length++) {
        unsigned before = network.received;
        bool good = length >= 14 && length <= 1514;
        network_fill(frame, length, length);
        assert_true(usb_network_receive(&ecm.network, frame, length));
        while (ecm.network.count)
            network_run(BB_MSEC);
        network_run(2 * BB_MSEC);
        assert_int_equal(network.received - before, good);
        errors += !good && length; /* an empty one ends another, for all we know */
        assert_int_equal(network.net->stats.errors, errors);
        if (good) {
            assert_int_equal(network.last.length, length);
            assert_memory_equal(network.last.data, frame, length);
        }
    }
    assert_int_equal(network.net->stats.received, 1514 - 14 + 1);
    network_close();
}

static void test_every_length_sent(void **state)
{
    uint8_t frame[1514];
    unsigned sent = 0;
    (void)state;
    ecm.network.no_peer = true;
    start();
    network_open();
    for (uint32_t length = 0; length <= 2048 && length <= BB_BUFFER_SIZE - 32; length++) {
        bool good = length >= 14 && length <= 1514;
        assert_int_equal(network_send(length, length % 32, length), good ? 1 : -EINVAL);
        sent += good;
        while (ecm.network.frames < sent)
            network_run(BB_MSEC);
        if (good) {
            network_fill(frame, length, length);
            assert_int_equal(ecm.network.last.length, length);
            assert_memory_equal(ecm.network.last.data, frame, length);
        }
    }
    network_run(BB_MSEC);
    assert_int_equal(network.sent, sent);
    assert_int_equal(network.net->stats.sent, sent);
    network_close();
}

/* What is aligned goes as it lies, and is the device's until it is sent. */
static void test_sends_without_a_copy(void **state)
{
    struct bb_buffer *frame, *back;
    (void)state;
    start();
    network_open();
    frame = bb_buffer_get();
    frame->length = 200;
    network_fill(frame->data, 200, 1);
    assert_int_equal(bb_net_send(network.net, 0, &frame, 1), 1);
    assert_int_equal(bb_net_sent(network.net, 0, &back, 1), 0);
    bb_sleep(5 * BB_MSEC);
    assert_int_equal(bb_net_sent(network.net, 0, &back, 1), 1);
    assert_ptr_equal(back, frame);
    bb_buffer_put(back);
    network_close();
}

static void test_filter(void **state)
{
    struct bb_net_filter filter = {.count = 2, .groups = {{1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 1}}};
    (void)state;
    ecm.filters = 2;
    start();
    assert_int_equal(ecm.filter, 0);
    network_open();
    assert_int_equal(ecm.filter, 0x0c);
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(20 * BB_MSEC);
    assert_int_equal(ecm.filter, 0x1c);
    assert_int_equal(ecm.group_count, 2);
    assert_memory_equal(ecm.groups, filter.groups, 12);
    filter.count = 3;
    filter.groups[2][0] = 1;
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(20 * BB_MSEC);
    assert_int_equal(ecm.filter, 0x0e);
    filter = (struct bb_net_filter){.promiscuous = true};
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(20 * BB_MSEC);
    assert_int_equal(ecm.filter, 0x0f);
    filter = (struct bb_net_filter){.all_multicast = true};
    usb_fault(&ecm.usb, USB_CONTROL_PIPE, 1, 3, USB_FAULT_SILENT); /* once more is once enough */
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(100 * BB_MSEC);
    assert_int_equal(ecm.filter, 0x0e);
    network_close();
    bb_sleep(20 * BB_MSEC);
    assert_int_equal(ecm.filter, 0); /* closed, nothing is to come */
}

static void test_a_device_without_filter(void **state)
{
    (void)state;
    ecm.stalls_filter = true;
    start();
    network_open();
    network_run(100 * BB_MSEC);
    assert_true(ecm.usb.stalls >= 1 && ecm.usb.stalls < 4);
    assert_int_equal(network_send(100, 0, 1), 1);
    network_run(5 * BB_MSEC);
    assert_int_equal(ecm.network.frames, 1);
    network_close();
}

static const struct bb_value *value_of(const char *name)
{
    const struct bb_value *value = bb_value_first();
    while (value && !(value->device == network.net->face.device && !strcmp(value->name, name)))
        value = value->next;
    assert_non_null(value);
    return value;
}

static void test_notifications(void **state)
{
    (void)state;
    start();
    assert_true(network.net->link_up);
    assert_true(network.net->features & BB_NET_TELLS_LINK);
    network_open();
    model_ecm_link(&ecm, false);
    network_run(50 * BB_MSEC);
    assert_false(network.net->link_up);
    assert_int_equal(network.changed, 1);
    model_ecm_speed(&ecm, 10, 100000000); /* two packets */
    model_ecm_link(&ecm, true);
    network_run(50 * BB_MSEC);
    assert_true(network.net->link_up);
    assert_int_equal(*(const uint32_t *)value_of("speed")->pointer, 100000000);
    /* Of no known kind, or too long, or of another interface: passed over. */
    model_ecm_speed(&ecm, 1, 1);
    ecm.notices[ecm.notice_first % 4][6] = 200;
    model_ecm_link(&ecm, false);
    ecm.notices[(ecm.notice_first + 1) % 4][4] = 1;
    network_run(50 * BB_MSEC);
    assert_true(network.net->link_up);
    model_ecm_link(&ecm, false);
    network_run(50 * BB_MSEC);
    model_ecm_link(&ecm, false);
    network_run(50 * BB_MSEC);
    assert_false(network.net->link_up);
    usb_fault(&ecm.usb, 0x81, 1, 1, USB_FAULT_STALL);
    model_ecm_link(&ecm, true);
    network_run(300 * BB_MSEC);
    assert_true(network.net->link_up);
    network_close();
}

static void refused(const char *step)
{
    assert_false(network_start(&ecm.usb));
    must_fail("/usb/device@1/interface@0", 0, step);
}

static void test_mac_texts(void **state)
{
    static const char *const wrong[] = {"",
                                        "52540012345",
                                        "5254001234567",
                                        "52:54:00:12:34",
                                        "525400 12345",
                                        "52540012345g",
                                        "000000000000",
                                        "535400123456",
                                        "ffffffffffff"};
    (void)state;
    ecm.mac = wrong[(uintptr_t)*state];
    model_ecm_make(&ecm);
    refused("MAC address: not twelve digits of a station");
}

static void test_mac_and_segment(void **state)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0xab, 0xcd, 0xef, 0x56};
    (void)state;
    ecm.mac = "5254abCDef56";
    ecm.segment = 1014;
    start();
    assert_memory_equal(network.net->mac, mac, 6);
    assert_int_equal(network.net->mtu, 1000);
}

enum { UNION = 23, ETHERNET = 28 }; /* offsets in the configuration */

/* One byte of the descriptors is wrong. */
static void refused_with(unsigned at, uint8_t byte, const char *step)
{
    model_ecm_make(&ecm);
    ecm.configuration[at] = byte;
    ecm.usb.lenient = true;
    refused(step);
}

static void test_no_union(void **state)
{
    (void)state;
    refused_with(UNION + 2, 0x33, "union descriptor");
}

static void test_no_ethernet(void **state)
{
    (void)state;
    refused_with(ETHERNET + 2, 0x33, "Ethernet descriptor");
}

static void test_no_mac(void **state)
{
    (void)state;
    refused_with(ETHERNET + 3, 0, "MAC address: not twelve digits of a station");
}

static void test_mac_that_is_not_there(void **state)
{
    (void)state;
    refused_with(ETHERNET + 3, 9, "MAC address");
}

static void test_small_segment(void **state)
{
    (void)state;
    ecm.segment = 81;
    model_ecm_make(&ecm);
    refused("segment size: too small for IP");
}

static void test_union_with_nobody(void **state)
{
    (void)state;
    refused_with(UNION + 4, 7, NULL);
}

static void test_union_with_itself(void **state)
{
    (void)state;
    refused_with(UNION + 4, 0, NULL);
}

static void test_no_bulk_in(void **state)
{
    (void)state;
    refused_with(sizeof ecm.configuration - 7 + 3, BB_USB_INTERRUPT, "bulk endpoints");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance),
        cmocka_unit_test(test_conformance_at_high_speed),
        cmocka_unit_test(test_every_length_received),
        cmocka_unit_test_prestate(test_every_length_received, (void *)1),
        cmocka_unit_test(test_every_length_sent),
        cmocka_unit_test(test_sends_without_a_copy),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_a_device_without_filter),
        cmocka_unit_test(test_notifications),
        cmocka_unit_test_prestate(test_mac_texts, (void *)0),
        cmocka_unit_test_prestate(test_mac_texts, (void *)1),
        cmocka_unit_test_prestate(test_mac_texts, (void *)2),
        cmocka_unit_test_prestate(test_mac_texts, (void *)3),
        cmocka_unit_test_prestate(test_mac_texts, (void *)4),
        cmocka_unit_test_prestate(test_mac_texts, (void *)5),
        cmocka_unit_test_prestate(test_mac_texts, (void *)6),
        cmocka_unit_test_prestate(test_mac_texts, (void *)7),
        cmocka_unit_test_prestate(test_mac_texts, (void *)8),
        cmocka_unit_test(test_mac_and_segment),
        cmocka_unit_test(test_no_union),
        cmocka_unit_test(test_no_ethernet),
        cmocka_unit_test(test_no_mac),
        cmocka_unit_test(test_mac_that_is_not_there),
        cmocka_unit_test(test_small_segment),
        cmocka_unit_test(test_union_with_nobody),
        cmocka_unit_test(test_union_with_itself),
        cmocka_unit_test(test_no_bulk_in),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
