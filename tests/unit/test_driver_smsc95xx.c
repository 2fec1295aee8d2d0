/* SPDX-License-Identifier: BSD-2-Clause */
/* net/smsc95xx on the model of the LAN9514, which knows the data sheet and not the driver. */
#include "usb_net.h"

#include <tests/models/smsc95xx.h>

static struct model_lan9514 chip;
static struct usb_network wire; /* only its peer, and what was sent last */

#define ETHERNET "/usb/device@1/interface@0/device@1/interface@0"
enum { CABLE_TIME = 3 }; /* s to negotiate, and then some */

/* What the chip has sent; what the peer answers comes back by the cable. */
static void transmitted(struct model_smsc *smsc, const uint8_t *frame, unsigned length)
{
    struct network_frame *next;
    usb_network_send(&wire, frame, length);
    for (; (next = usb_network_next(&wire)); usb_network_drop(&wire))
        (void)model_smsc_receive(smsc, next->data, next->length, 0);
}

static void start(void)
{
    model_lan9514_init(&chip);
    chip.ethernet.transmitted = transmitted;
    model_smsc_cable(&chip.ethernet, true);
    assert_true(network_start(&chip.hub.usb));
    assert_string_equal(network.net->face.device->driver->name, "net/smsc95xx");
    bb_sleep(CABLE_TIME * BB_SEC);
}

static void test_conformance(void **state)
{
    (void)state;
    start();
    assert_true(network.net->link_up);
    network_conforms("lan9514");
}

static void test_every_length_received(void **state)
{
    uint8_t frame[2048];
    (void)state;
    start();
    network_open();
    for (uint32_t length = 60; length <= 1514; length++) {
        unsigned before = network.received;
        network_fill(frame, length, length);
        memcpy(frame, network.net->mac, 6);
        assert_true(model_smsc_receive(&chip.ethernet, frame, length, 0));
        for (unsigned i = 0; i < 20 && network.received == before; i++)
            network_run(BB_MSEC);
        assert_int_equal(network.received - before, 1);
        assert_int_equal(network.last.length, length);
        assert_memory_equal(network.last.data, frame, length);
    }
    assert_int_equal(network.net->stats.errors, 0);
    network_close();
}

static void test_every_length_sent(void **state)
{
    uint8_t frame[1514];
    unsigned sent = 0;
    (void)state;
    start();
    wire.no_peer = true;
    network_open();
    for (uint32_t length = 14; length <= 1514; length++) {
        assert_int_equal(network_send(length, length % 8, length), 1);
        for (sent++; wire.frames < sent;)
            network_run(BB_MSEC);
        network_fill(frame, length, length);
        assert_true(wire.last.length == length || (length < 60 && wire.last.length == 60));
        assert_memory_equal(wire.last.data, frame, length);
    }
    network_close();
}

/* Many in one transfer, and the lengths of some of them lie. */
static void test_bursts(void **state)
{
    uint8_t frame[300];
    (void)state;
    start();
    network_open();
    network_fill(frame, sizeof frame, 1);
    memcpy(frame, network.net->mac, 6);
    for (unsigned i = 0; i < 24; i++)
        (void)model_smsc_receive(&chip.ethernet, frame, 60 + i * 10, 0);
    network_run(50 * BB_MSEC);
    assert_int_equal(network.received, 24);
    static const unsigned lies[] = {1, 4, 9, 10, 19, 23, 24, 1519, 1520, 2000, 0x3fff};
    for (size_t i = 0; i < BB_ARRAY_SIZE(lies); i++) {
        chip.ethernet.lie_length = lies[i];
        (void)model_smsc_receive(&chip.ethernet, frame, 100, 0);
        (void)model_smsc_receive(&chip.ethernet, frame, 100, 0);
        network_run(20 * BB_MSEC);
    }
    chip.ethernet.lie_length = 0;
    uint64_t errors = network.net->stats.errors;
    assert_true(errors > 0);
    (void)model_smsc_receive(&chip.ethernet, frame, 100, SMSC_RX_CRC | SMSC_RX_ERROR);
    unsigned before = network.received;
    network_run(20 * BB_MSEC);
    assert_int_equal(network.received, before);
    (void)model_smsc_receive(&chip.ethernet, frame, 100, 0);
    network_run(20 * BB_MSEC);
    assert_int_equal(network.received, before + 1);
    network_close();
}

static void test_link(void **state)
{
    (void)state;
    start();
    network_open();
    assert_true(network.net->link_up);
    model_smsc_cable(&chip.ethernet, false);
    network_run(BB_SEC);
    assert_false(network.net->link_up);
    chip.ethernet.partner = 0x0061; /* 10 Mb/s, both duplexes */
    model_smsc_cable(&chip.ethernet, true);
    network_run(CABLE_TIME * BB_SEC);
    assert_true(network.net->link_up);
    assert_true(*model_smsc_register(&chip.ethernet, SMSC_MAC_CR) & 1u << 20);
    model_smsc_cable(&chip.ethernet, false);
    network_run(BB_SEC);
    chip.ethernet.partner = 0x0081; /* 100 Mb/s, half */
    model_smsc_cable(&chip.ethernet, true);
    network_run(CABLE_TIME * BB_SEC);
    assert_true(network.net->link_up);
    assert_false(*model_smsc_register(&chip.ethernet, SMSC_MAC_CR) & 1u << 20);
    assert_true(*model_smsc_register(&chip.ethernet, SMSC_MAC_CR) & 1u << 23);
    network_close();
}

static void test_without_a_cable(void **state)
{
    (void)state;
    model_lan9514_init(&chip);
    assert_true(network_start(&chip.hub.usb));
    bb_sleep(CABLE_TIME * BB_SEC);
    assert_false(network.net->link_up);
    model_smsc_cable(&chip.ethernet, true);
    bb_sleep(CABLE_TIME * BB_SEC);
    assert_true(network.net->link_up);
}

/* The hash and the rest of the filter are the model's: what comes is what is asked for. */
static void test_filter(void **state)
{
    struct bb_net_filter filter = {.count = 2,
                                   .groups = {{1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}}};
    uint8_t frame[60] = {2, 2, 2, 2, 2, 2};
    (void)state;
    start();
    network_open();
    assert_false(model_smsc_receive(&chip.ethernet, frame, 60, 0)); /* for somebody else */
    memset(frame, 0xff, 6);
    assert_true(model_smsc_receive(&chip.ethernet, frame, 60, 0));
    memcpy(frame, filter.groups[0], 6);
    assert_false(model_smsc_receive(&chip.ethernet, frame, 60, 0));
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(20 * BB_MSEC);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(frame, filter.groups[i], 6);
        assert_true(model_smsc_receive(&chip.ethernet, frame, 60, 0));
    }
    memcpy(frame, network.net->mac, 6);
    assert_true(model_smsc_receive(&chip.ethernet, frame, 60, 0));
    filter = (struct bb_net_filter){.all_multicast = true};
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(20 * BB_MSEC);
    memcpy(frame, (uint8_t[]){1, 2, 3, 4, 5, 6}, 6);
    assert_true(model_smsc_receive(&chip.ethernet, frame, 60, 0));
    frame[0] = 2;
    assert_false(model_smsc_receive(&chip.ethernet, frame, 60, 0));
    filter = (struct bb_net_filter){.promiscuous = true};
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(20 * BB_MSEC);
    assert_true(model_smsc_receive(&chip.ethernet, frame, 60, 0));
    network_close();
}

/* ---- Checksums ---- */

static uint32_t sum_of(const uint8_t *at, uint32_t length)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* A datagram of UDP with `size` bytes in all; its sum is right. */
static void make_datagram(uint8_t *frame, uint32_t size, bool six)
{
    uint32_t ip = six ? 40 : 20, length = size - 14;
    memset(frame, 0, size);
    memcpy(frame, network.net->mac, 6);
    frame[6] = 2;
    frame[12] = six ? 0x86 : 0x08;
    frame[13] = six ? 0xdd : 0x00;
    uint8_t *at = frame + 14, *udp = at + ip;
    if (six) {
        at[0] = 0x60;
        at[4] = (uint8_t)((length - ip) >> 8);
        at[5] = (uint8_t)(length - ip);
        at[6] = 17;
        at[8] = 0xfe, at[24] = 0xfd;
    } else {
        at[0] = 0x45;
        at[2] = (uint8_t)(length >> 8);
        at[3] = (uint8_t)length;
        at[9] = 17;
        at[12] = 10, at[16] = 10, at[19] = 15;
        uint32_t header = ~sum_of(at, 20);
        at[10] = (uint8_t)(header >> 8);
        at[11] = (uint8_t)header;
    }
    udp[1] = 9, udp[3] = 9;
    udp[4] = (uint8_t)((length - ip) >> 8);
    udp[5] = (uint8_t)(length - ip);
    for (uint32_t i = 8; i < length - ip; i++)
        udp[i] = (uint8_t)(i * 37 + size);
    uint32_t sum = sum_of(udp, length - ip) + 17 + (length - ip) +
                   (six ? sum_of(at + 8, 32) : sum_of(at + 12, 8));
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff ? ~sum : 0xffff;
    udp[6] = (uint8_t)(sum >> 8);
    udp[7] = (uint8_t)sum;
}

static bool come(const uint8_t *frame, uint32_t size)
{
    unsigned before = network.received;
    assert_true(model_smsc_receive(&chip.ethernet, frame, size, 0));
    network_run(5 * BB_MSEC);
    assert_int_equal(network.received, before + 1);
    return network.flags & BB_BUFFER_CHECKSUM_GOOD;
}

static void test_received_checksums(void **state)
{
    uint8_t frame[1514];
    (void)state;
    start();
    assert_true(network.net->features & BB_NET_CHECKS_CHECKSUM);
    network_open();
    for (uint32_t size = 70; size < 1500; size += 41)
        for (unsigned six = 0; six < 2; six++) {
            make_datagram(frame, size, six);
            assert_true(come(frame, size));
            frame[size - 1] ^= 1;
            assert_false(come(frame, size));
            frame[size - 1] ^= 1;
            frame[six ? 24 : 27] ^= 1; /* an address */
            assert_false(come(frame, size));
        }
    make_datagram(frame, 100, false);
    frame[20] = 0x20; /* a fragment */
    assert_false(come(frame, 100));
    make_datagram(frame, 100, false);
    frame[40] = frame[41] = 0; /* none was made */
    assert_false(come(frame, 100));
    make_datagram(frame, 100, false);
    frame[14] = 0x4f;
    assert_false(come(frame, 100));
    make_datagram(frame, 100, false);
    assert_false(come(frame, 110)); /* padded */
    network_close();
}

/* Its checksum, at `offset` of the transport's header, is left to the device. */
static void send_summed(const uint8_t *right, uint32_t size, uint16_t offset)
{
    struct bb_buffer *frame = bb_buffer_get();
    memcpy(frame->data, right, size);
    frame->length = size;
    frame->flags = BB_BUFFER_CHECKSUM_NEEDED;
    frame->checksum_start = 34;
    frame->checksum_offset = offset;
    uint32_t pseudo = sum_of(right + 26, 8) + right[23] + (size - 34);
    pseudo = (pseudo & 0xffff) + (pseudo >> 16);
    frame->data[34 + offset] = (uint8_t)(pseudo >> 8);
    frame->data[35 + offset] = (uint8_t)pseudo;
    unsigned before = wire.frames;
    assert_int_equal(bb_net_send(network.net, 0, &frame, 1), 1);
    for (unsigned i = 0; i < 20 && wire.frames == before; i++)
        network_run(BB_MSEC);
    assert_int_equal(wire.frames, before + 1);
    assert_memory_equal(wire.last.data, right, size);
}

static void test_sent_checksums(void **state)
{
    uint8_t right[1514];
    (void)state;
    start();
    wire.no_peer = true;
    network_open();
    for (uint32_t size = 43; size < 1500; size += size < 60 ? 1 : 53) {
        make_datagram(right, size, false);
        send_summed(right, size, 6);
    }
    network_close();
}

/* From an acknowledgement without data on: its checksum ends two bytes before the frame does. */
static void test_sent_checksums_of_tcp(void **state)
{
    uint8_t right[1514];
    (void)state;
    start();
    wire.no_peer = true;
    network_open();
    for (uint32_t size = 54; size < 1500; size += size < 80 ? 1 : 53) {
        make_datagram(right, size, false);
        right[23] = 6;
        right[46] = 0x50; /* the header's length */
        right[50] = right[51] = 0;
        uint32_t sum = sum_of(right + 34, size - 34) + sum_of(right + 26, 8) + 6 + (size - 34);
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        right[50] = (uint8_t)(~sum >> 8);
        right[51] = (uint8_t)~sum;
        send_summed(right, size, 16);
    }
    network_close();
}

/* ---- Trouble ---- */

static void refused(const char *step)
{
    assert_false(network_start(&chip.hub.usb));
    bb_sleep(5 * BB_SEC);
    must_fail(ETHERNET, -ETIMEDOUT, step);
}

static void test_a_reset_that_never_ends(void **state)
{
    (void)state;
    model_lan9514_init(&chip);
    chip.ethernet.never_resets = true;
    refused("reset");
}

static void test_mii_that_never_ends(void **state)
{
    (void)state;
    model_lan9514_init(&chip);
    chip.ethernet.mii_stuck = true;
    refused("PHY");
}

static void test_address_by_parameter(void **state)
{
    static const uint8_t mac[6] = {2, 3, 4, 5, 6, 7};
    (void)state;
    model_lan9514_init(&chip);
    network = (struct network_user){0};
    soft_host_prepare(1);
    usb_plug(&soft_host.sockets[0], &chip.hub.usb);
    boot("smsc95xx.mac=02:03:04:05:06:07");
    (void)bb_wait(network_is_there, NULL, 3 * BB_SEC);
    assert_non_null(network.net);
    assert_memory_equal(network.net->mac, mac, 6);
    assert_int_equal(*model_smsc_register(&chip.ethernet, SMSC_ADDRL), 0x05040302);
    assert_int_equal(*model_smsc_register(&chip.ethernet, SMSC_ADDRH), 0x0706);
}

static void test_address_of_the_tree(void **state)
{
    static const uint8_t mac[6] = {0xb8, 0x27, 0xeb, 1, 2, 3};
    (void)state;
    model_lan9514_init(&chip);
    network = (struct network_user){0};
    soft_host_prepare(1);
    tree_open("ethernet@1");
    tree_strings("compatible", "usb424,ec00");
    tree_bytes("local-mac-address", mac, 6);
    tree_close();
    usb_plug(&soft_host.sockets[0], &chip.hub.usb);
    boot(NULL);
    (void)bb_wait(network_is_there, NULL, 3 * BB_SEC);
    assert_non_null(network.net);
    assert_memory_equal(network.net->mac, mac, 6);
}

/* What failed was done again: the link is known, the filter set, frames come and go. */
static void all_is_well(enum usb_fault_kind kind, unsigned n)
{
    uint8_t frame[100];
    unsigned frames = wire.frames, received = network.received, tries = 0;
    if (!network.net->link_up)
        fail_msg("fault %u at %u: no link", kind, n);
    network_fill(frame, sizeof frame, n);
    memcpy(frame, network.net->mac, 6);
    if (!model_smsc_receive(&chip.ethernet, frame, sizeof frame, 0))
        fail_msg("fault %u at %u: the chip takes no frame", kind, n);
    frame[0] = 2, frame[1] = 2, frame[2] = 2;
    if (model_smsc_receive(&chip.ethernet, frame, sizeof frame, 0))
        fail_msg("fault %u at %u: the filter is open", kind, n);
    while ((network.received == received || wire.frames == frames) && tries++ < 4) {
        memcpy(frame, network.net->mac, 6); /* the fault may hit this very one */
        (void)model_smsc_receive(&chip.ethernet, frame, sizeof frame, 0);
        (void)network_send(100, 0, n);
        network_run(200 * BB_MSEC);
    }
    if (network.received == received || wire.frames == frames)
        fail_msg("fault %u at %u: no traffic", kind, n);
}

/* Pulled at each transaction from its first to its last frame, and each of them failing once. */
static void trouble(enum usb_fault_kind kind, unsigned count, unsigned step)
{
    struct usb_model *usb = &chip.ethernet.usb;
    unsigned ran = 0, struck = 0;
    start();
    wire.no_peer = true;
    for (unsigned n = 1; n < 560; n += step) {
        uint32_t applied = usb->applied;
        usb_unplug(usb);
        bb_sleep(11 * BB_SEC); /* after which the bus forgives a port */
        assert_null(bb_net_first());
        assert_int_equal(bb_buffer_free(), NETWORK_POOL);
        memset(usb->faults, 0, sizeof usb->faults);
        usb_fault(usb, USB_EVERY_PIPE, n, count, kind);
        usb_plug(&chip.hub.sockets[0], usb);
        (void)bb_wait(network_is_there, NULL, 5 * BB_SEC);
        if (!network.net || bb_net_open(network.net, &network.client) != 0)
            continue;
        for (unsigned i = 0; i < 5 && !network.net->failed; i++) {
            (void)network_send(100 + i, 0, i);
            network_run(2 * BB_MSEC);
        }
        network_run(CABLE_TIME * BB_SEC);
        if (kind != USB_FAULT_UNPLUG && !network.net->failed)
            all_is_well(kind, n);
        bb_net_close(network.net);
        bb_sleep(10 * BB_MSEC);
        struck += usb->applied > applied;
        ran++;
    }
    assert_in_range(ran, 20, 559); /* it began to work in some, and failed before in others */
    assert_true(struck > 20);
    usb_unplug(usb);
    bb_sleep(11 * BB_SEC);
    memset(usb->faults, 0, sizeof usb->faults);
    usb_plug(&chip.hub.sockets[0], usb);
    bb_sleep(CABLE_TIME * BB_SEC);
    assert_true(network_is_there(NULL));
    unsigned before = wire.frames;
    network_open();
    assert_int_equal(network_send(100, 0, 1), 1);
    network_run(10 * BB_MSEC);
    assert_int_equal(wire.frames, before + 1);
    network_close();
}

static void test_unplug_at_each_transaction(void **state)
{
    (void)state;
    trouble(USB_FAULT_UNPLUG, 1, 1);
}

static void test_silence_at_each_transaction(void **state)
{
    (void)state;
    trouble(USB_FAULT_SILENT, 3, 2);
}

static void test_stall_at_each_transaction(void **state)
{
    (void)state;
    trouble(USB_FAULT_STALL, 1, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance),
        cmocka_unit_test(test_every_length_received),
        cmocka_unit_test(test_every_length_sent),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_without_a_cable),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_received_checksums),
        cmocka_unit_test(test_sent_checksums),
        cmocka_unit_test(test_sent_checksums_of_tcp),
        cmocka_unit_test(test_a_reset_that_never_ends),
        cmocka_unit_test(test_mii_that_never_ends),
        cmocka_unit_test(test_address_by_parameter),
        cmocka_unit_test(test_address_of_the_tree),
        cmocka_unit_test(test_unplug_at_each_transaction),
        cmocka_unit_test(test_silence_at_each_transaction),
        cmocka_unit_test(test_stall_at_each_transaction),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
