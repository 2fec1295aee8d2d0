/* SPDX-License-Identifier: BSD-2-Clause */
/* net/usb_rndis on the model of its function: conformance, frames of every length, several in a
 * transfer, messages that lie, commands that fail. */
#include "usb_net.h"

static struct model_rndis rndis;

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

static void start(void)
{
    model_rndis_make(&rndis);
    assert_true(network_start(&rndis.usb));
    assert_string_equal(network.net->face.device->driver->name, "net/usb_rndis");
}

static void test_conformance(void **state)
{
    (void)state;
    start();
    network_conforms("rndis");
}

static void test_conformance_of_a_quiet_one(void **state)
{
    (void)state;
    rndis.untold = true;
    rndis.gather = 3;
    rndis.pad = 6;
    start();
    network_conforms("rndis that gathers");
}

static void test_every_length_received(void **state)
{
    uint8_t frame[2048];
    uint64_t errors = 0;
    rndis.endless = *state != NULL;
    start();
    network_open();
    for (uint32_t length = 0; length <= 2048; length++) {
        unsigned before = network.received;
        bool good = length >= 14 && length <= 1514;
        network_fill(frame, length, length);
        assert_true(usb_network_receive(&rndis.network, frame, length));
        while (rndis.network.count || rndis.in.length)
            network_run(BB_MSEC);
        network_run(BB_MSEC);
        assert_int_equal(network.received - before, good);
        errors += !good;
        assert_int_equal(network.net->stats.errors, errors);
        if (good) {
            assert_int_equal(network.last.length, length);
            assert_memory_equal(network.last.data, frame, length);
        }
    }
    network_close();
}

/* What is asked for first is as long as memory of transfers is aligned, however short packets are:
 * the rest goes right behind it. */
static void test_short_packets(void **state)
{
    static const uint8_t sizes[] = {8, 16, 32};
    static const uint32_t lengths[] = {14, 60, 84, 85, 100, 1514};
    uintptr_t at = (uintptr_t)*state;
    uint8_t frame[1514];
    rndis.packet = sizes[at / 2];
    rndis.endless = at % 2;
    start();
    network_open();
    for (unsigned i = 0; i < BB_ARRAY_SIZE(lengths); i++) {
        network_fill(frame, lengths[i], i);
        assert_true(usb_network_receive(&rndis.network, frame, lengths[i]));
        network_run(10 * BB_MSEC);
        assert_int_equal(network.received, i + 1);
        assert_int_equal(network.last.length, lengths[i]);
        assert_memory_equal(network.last.data, frame, lengths[i]);
    }
    assert_int_equal(network.net->stats.errors, 0);
    network_close();
}

static void test_every_length_sent(void **state)
{
    uint8_t frame[1514];
    unsigned sent = 0;
    (void)state;
    rndis.network.no_peer = true;
    start();
    network_open();
    for (uint32_t length = 0; length <= 1800; length++) {
        bool good = length >= 14 && length <= 1514;
        assert_int_equal(network_send(length, length % 8, length), good ? 1 : -EINVAL);
        sent += good;
        while (rndis.network.frames < sent)
            network_run(BB_MSEC);
        if (good) {
            network_fill(frame, length, length);
            assert_int_equal(rndis.network.last.length, length);
            assert_memory_equal(rndis.network.last.data, frame, length);
        }
    }
    network_run(BB_MSEC);
    assert_int_equal(network.sent, sent);
    network_close();
}

/* ---- Transfers that lie ---- */

enum { GOOD = 200 }; /* bytes of a frame that is right */

static uint32_t message(uint8_t *at, uint32_t type, uint32_t size, uint32_t offset, uint32_t length)
{
    memset(at, 0x11, 44 + GOOD);
    put32(at, type);
    put32(at + 4, size);
    put32(at + 8, offset);
    put32(at + 12, length);
    return 44 + GOOD;
}

static void raw(const uint8_t *data, uint32_t length)
{
    while (!model_rndis_raw(&rndis, data, length))
        network_run(BB_MSEC);
    while (rndis.in.length)
        network_run(BB_MSEC);
    network_run(2 * BB_MSEC);
}

/* Every field of the header with every value that could matter, before and behind a right one. */
static void test_lying_packets(void **state)
{
    static const uint32_t values[] = {0,          1,          7,          8,          11,
                                      12,         35,         36,         37,         43,
                                      44,         45,         GOOD - 1,   GOOD,       GOOD + 1,
                                      GOOD + 43,  GOOD + 44,  GOOD + 45,  GOOD + 243, 2 * GOOD + 88,
                                      4095,       4096,       0x7fffffff, 0x80000000, 0xfffffff0,
                                      0xfffffff7, 0xfffffff8, 0xffffffff};
    uint8_t data[1024];
    unsigned good = 0;
    (void)state;
    start();
    network_open();
    for (unsigned field = 0; field < 4; field++)
        for (size_t i = 0; i < BB_ARRAY_SIZE(values); i++) {
            uint32_t size = message(data, 1, 44 + GOOD, 36, GOOD);
            size += message(data + size, 1, 44 + GOOD, 36, GOOD);
            put32(data + 44 + GOOD + field * 4, values[i]);
            unsigned before = network.received;
            uint64_t errors = network.net->stats.errors;
            raw(data, size);
            assert_in_range(network.received - before, 1, 2);
            /* One is lost, or it is right after all: shorter, or with its data elsewhere. */
            assert_true(network.net->stats.errors > errors || network.received - before == 2);
            good++;
        }
    assert_int_equal(good, 4 * BB_ARRAY_SIZE(values));
    network_close();
}

/* A right message cut at every length, and one behind whose end something follows. */
static void test_cut_packets(void **state)
{
    uint8_t data[1024];
    (void)state;
    start();
    network_open();
    for (uint32_t length = 1; length < 2 * (44 + GOOD); length++) {
        message(data, 1, 44 + GOOD, 36, GOOD);
        message(data + 44 + GOOD, 1, 44 + GOOD, 36, GOOD);
        unsigned before = network.received;
        raw(data, length);
        assert_int_equal(network.received - before, length / (44 + GOOD));
    }
    assert_int_equal(network_send(100, 0, 1), 1);
    network_run(10 * BB_MSEC);
    assert_int_equal(rndis.network.frames, 1);
    network_close();
}

/* As many frames as a transfer takes, and more than there are buffers for. */
static void test_many_in_one(void **state)
{
    uint8_t data[4096] = {0}, frame[14] = {2};
    (void)state;
    start();
    network_open();
    uint32_t count = 0;
    for (; (count + 1) * 58 <= sizeof data; count++) {
        uint8_t *at = data + count * 58;
        put32(at, 1);
        put32(at + 4, 58);
        put32(at + 8, 36);
        put32(at + 12, 14);
        memcpy(at + 44, frame, 14);
    }
    assert_true(model_rndis_raw(&rndis, data, count * 58));
    bb_sleep(50 * BB_MSEC);
    network_take();
    assert_int_equal(network.received, 32);
    assert_int_equal(network.net->stats.dropped, 64 - 32);
    network_run(10 * BB_MSEC);
    network_close();
}

/* ---- Commands ---- */

static void test_filter(void **state)
{
    struct bb_net_filter filter = {.count = 2, .groups = {{1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 1}}};
    (void)state;
    start();
    network_open();
    assert_int_equal(rndis.filter, 0x09);
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(100 * BB_MSEC);
    assert_int_equal(rndis.filter, 0x0b);
    assert_int_equal(rndis.groups, 2);
    rndis.refuses = 0x01010103;
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(100 * BB_MSEC);
    assert_int_equal(rndis.filter, 0x0d);
    filter = (struct bb_net_filter){.promiscuous = true};
    assert_int_equal(bb_net_set_filter(network.net, &filter), 0);
    network_run(100 * BB_MSEC);
    assert_int_equal(rndis.filter, 0x2d);
    network_close();
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(rndis.filter, 0);
}

static void test_link(void **state)
{
    uint8_t keepalive[12] = {8, 0, 0, 0, 12, 0, 0, 0, 77, 0, 0, 0};
    (void)state;
    rndis.disconnected = true;
    start();
    assert_false(network.net->link_up);
    network_open();
    model_rndis_link(&rndis, true);
    network_run(50 * BB_MSEC);
    assert_true(network.net->link_up);
    model_rndis_link(&rndis, false);
    model_rndis_say(&rndis, keepalive, sizeof keepalive);
    network_run(100 * BB_MSEC);
    assert_false(network.net->link_up);
    assert_int_equal(rndis.keepalives, 1);
    uint8_t status[20] = {7, 0, 0, 0, 12}; /* a status without one */
    model_rndis_say(&rndis, status, 20);
    model_rndis_say(&rndis, status, 3);
    model_rndis_link(&rndis, true);
    network_run(100 * BB_MSEC);
    assert_true(network.net->link_up);
    network_close();
}

static void refused(const char *step)
{
    model_rndis_make(&rndis);
    assert_false(network_start(&rndis.usb));
    must_fail("/usb/device@1/interface@0", 0, step);
}

static void test_mute(void **state)
{
    (void)state;
    rndis.mute = true;
    refused("INITIALIZE");
    assert_true(bb_time() < 10 * BB_SEC);
}

static void test_small_transfers(void **state)
{
    (void)state;
    rndis.most = 125;
    refused("INITIALIZE: transfers too small for IP");
}

static void test_small_frames(void **state)
{
    (void)state;
    rndis.frame_size = 67;
    refused("frame size: too small for IP");
}

static void test_no_mac(void **state)
{
    (void)state;
    rndis.refuses = 0x01010101;
    refused("MAC address");
}

static void test_group_as_mac(void **state)
{
    (void)state;
    rndis.mac[0] = 1;
    refused("MAC address: of no station");
}

static void test_sizes(void **state)
{
    (void)state;
    rndis.most = 1358;
    rndis.frame_size = 1400;
    start();
    assert_int_equal(network.net->mtu, 1300);
}

/* ---- Answers that lie ---- */

static struct spoil {
    uint32_t type; /* of the answers that are spoiled */
    unsigned field;
    uint32_t value;
    uint32_t cut; /* to this length; 0: not */
} spoil;

static void spoil_answer(struct model_rndis *model, uint8_t *answer, uint32_t *length)
{
    (void)model;
    if (bb_usb_u32(answer) != spoil.type)
        return;
    if (spoil.cut)
        *length = spoil.cut;
    else
        put32(answer + 4 * spoil.field, spoil.value);
}

/* Whatever a field says: the device works, or is refused, within the time that commands have. */
static void answers_lie(uint32_t type, unsigned fields)
{
    static const uint32_t values[] = {0,  1,  4,  8,  12, 15, 16,         20,         24,
                                      32, 47, 52, 53, 64, 96, 0x7fffffff, 0xfffffff8, 0xffffffff};
    spoil.type = type;
    model_rndis_make(&rndis);
    rndis.spoil = spoil_answer;
    assert_in_range(network_start(&rndis.usb), 0, 1);
    for (spoil.field = 0; spoil.field < fields; spoil.field++)
        for (size_t i = 0; i < BB_ARRAY_SIZE(values); i++) {
            usb_unplug(&rndis.usb);
            bb_sleep(500 * BB_MSEC);
            assert_null(bb_net_first());
            spoil.value = values[i];
            usb_plug(&soft_host.sockets[0], &rndis.usb);
            bb_sleep(6 * BB_SEC);
            const struct bb_node *node = bb_node_find("/usb/device@1/interface@0");
            assert_non_null(node);
            assert_true(node->device || node->reason.code == BB_REASON_PROBE_FAILED);
        }
    spoil.field = 99;
    for (spoil.cut = 1; spoil.cut < 4 * fields; spoil.cut += 3) {
        usb_unplug(&rndis.usb);
        bb_sleep(500 * BB_MSEC);
        usb_plug(&soft_host.sockets[0], &rndis.usb);
        bb_sleep(6 * BB_SEC);
        assert_non_null(bb_node_find("/usb/device@1/interface@0"));
    }
    spoil.type = 0;
    usb_unplug(&rndis.usb);
    bb_sleep(500 * BB_MSEC);
    usb_plug(&soft_host.sockets[0], &rndis.usb);
    bb_sleep(3 * BB_SEC);
    assert_non_null(bb_net_first());
}

static void test_initialize_lies(void **state)
{
    (void)state;
    answers_lie(0x80000002, 13);
}

static void test_query_lies(void **state)
{
    (void)state;
    answers_lie(0x80000004, 6);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance),
        cmocka_unit_test(test_conformance_of_a_quiet_one),
        cmocka_unit_test(test_every_length_received),
        cmocka_unit_test_prestate(test_every_length_received, (void *)1),
        cmocka_unit_test_prestate(test_short_packets, (void *)0),
        cmocka_unit_test_prestate(test_short_packets, (void *)1),
        cmocka_unit_test_prestate(test_short_packets, (void *)2),
        cmocka_unit_test_prestate(test_short_packets, (void *)5),
        cmocka_unit_test(test_every_length_sent),
        cmocka_unit_test(test_lying_packets),
        cmocka_unit_test(test_cut_packets),
        cmocka_unit_test(test_many_in_one),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_small_transfers),
        cmocka_unit_test(test_small_frames),
        cmocka_unit_test(test_no_mac),
        cmocka_unit_test(test_group_as_mac),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_initialize_lies),
        cmocka_unit_test(test_query_lies),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
