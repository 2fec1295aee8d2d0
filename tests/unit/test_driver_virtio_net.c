/* SPDX-License-Identifier: BSD-2-Clause */
/* net/virtio_net on the model of its device: conformance, configuration, commands, its end. */
#include "virtio_net.h"

#include <tests/conformance/conformance.h>

/* ---- Conformance, over what can be negotiated ---- */

static const struct variant {
    const char *name;
    uint64_t features;
    bool legacy;
} variants[] = {
    {"modern split", NIC_USUAL | VIRTIO_SPLIT, false},
    {"modern packed", NIC_USUAL | VIRTIO_PACKED, false},
    {"legacy", NIC_USUAL | VIRTIO_SPLIT, true},
    {"no merging", WITHOUT(NIC_MRG_RXBUF) | VIRTIO_SPLIT, false},
    {"no merging, packed", WITHOUT(NIC_MRG_RXBUF) | VIRTIO_PACKED, false},
    {"legacy, no merging", WITHOUT(NIC_MRG_RXBUF) | VIRTIO_SPLIT, true},
    {"legacy, headers apart", WITHOUT(NIC_ANY_LAYOUT) | VIRTIO_SPLIT, true},
    {"legacy, nothing", 0, true},
    {"modern, nothing", 0, false},
    {"packed, nothing else", VIRTIO_BIT(VIRTIO_F_RING_PACKED), false},
    {"no tables", NIC_USUAL | VIRTIO_BIT(VIRTIO_F_EVENT_IDX), false},
    {"no event index", NIC_USUAL | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC), false},
    {"checksums", NIC_USUAL | VIRTIO_SPLIT | VIRTIO_BIT(NIC_CSUM) | VIRTIO_BIT(NIC_GUEST_CSUM),
     false},
};

static int conform_variant(void *context)
{
    const struct variant *variant = context;
    struct conformance run = {.suite = "net", .device = variant->name, .late = 20 * BB_MSEC};
    prepare(variant->legacy, variant->features);
    start(NULL);
    conformance_net.run(&run, &net->face);
    assert_int_equal(run.failed, 0);
    assert_true(run.passed > 40);
    assert_int_equal(bb_buffer_free(), BUFFERS);
    must_remove(NIC);
    return 0;
}

static void test_conformance(void **state)
{
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(variants); i++) {
        struct variant variant = variants[i];
        if (run_child(conform_variant, &variant))
            fail_msg("%s", variant.name);
    }
}

/* ---- Configuration ---- */

static void test_fields(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_SPLIT | VIRTIO_BIT(NIC_MTU) | VIRTIO_BIT(NIC_CSUM));
    nic.config.mtu = 9500;
    start(NULL);
    assert_string_equal(net->face.device->name, "net0");
    assert_memory_equal(net->mac, nic.config.mac, 6);
    assert_int_equal(net->mtu, BB_NET_MAX_MTU);
    assert_int_equal(net->queues, 1);
    assert_int_equal(net->depth, 64);
    assert_true(net->link_up);
    assert_int_equal(net->features, BB_NET_SENDS_CHECKSUM | BB_NET_TELLS_LINK);
}

static void test_mtu_of_one_buffer(void **state)
{
    (void)state;
    prepare(false, (WITHOUT(NIC_MRG_RXBUF)) | VIRTIO_BIT(NIC_MTU));
    nic.config.mtu = 9000;
    start(NULL);
    assert_int_equal(net->mtu, BB_BUFFER_SIZE - BB_NET_HEADER);
}

static void must_refuse(const char *step)
{
    boot(NULL);
    must_fail(NIC, -EINVAL, step);
    assert_int_equal(nic.device.status, 0);
    (void)device_at(VIRT_PL031); /* the rest goes on */
}

/* With headers apart, frames of several buffers are not told from others. */
static void test_mtu_of_one_legacy_buffer(void **state)
{
    (void)state;
    prepare(true, (WITHOUT(NIC_ANY_LAYOUT)) | VIRTIO_SPLIT | VIRTIO_BIT(NIC_MTU));
    nic.config.mtu = 9000;
    start(NULL);
    assert_int_equal(net->mtu, BB_BUFFER_SIZE - BB_NET_HEADER);
}

static void test_mtu_of_nothing(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_BIT(NIC_MTU));
    nic.config.mtu = 67;
    must_refuse("mtu");
}

static void test_no_pairs(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_BIT(NIC_MQ));
    nic.config.pairs = 0;
    must_refuse("max_virtqueue_pairs");
}

static void test_too_many_pairs(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_BIT(NIC_MQ));
    nic.config.pairs = 65535;
    must_refuse("max_virtqueue_pairs");
}

/* Where the control queue should be, there is none. */
static void test_pairs_without_queues(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_BIT(NIC_MQ));
    nic.config.pairs = 100;
    boot(NULL);
    must_fail(NIC, -ENOENT, "queue");
}

static void test_mac_of_a_group(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.config.mac[0] = 0x53;
    start(NULL);
    assert_true(bb_mac_is_station(net->mac));
    assert_int_equal(bb_net_open(net, &client), 0);
    assert_memory_equal(nic.mac, net->mac, 6); /* the device was told */
    close_nic();
}

static void test_mac_of_parameter(void **state)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    (void)state;
    prepare(false, NIC_USUAL);
    start("virtio_net.mac=02:00:00:00:00:09");
    assert_memory_equal(net->mac, mac, 6);
    assert_int_equal(bb_net_open(net, &client), 0);
    assert_memory_equal(nic.mac, mac, 6);
    close_nic();
}

static void test_mac_of_legacy(void **state)
{
    (void)state;
    prepare(true, 0);
    start("virtio_net.mac=02:00:00:00:00:09");
    assert_int_equal(bb_net_open(net, &client), 0);
    assert_int_equal(nic.config.mac[5], 9); /* by its configuration */
    close_nic();
}

static void test_link(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    model_nic_link(&nic, false);
    assert_int_equal(changed, 0);
    bb_poll();
    bb_poll();
    assert_int_equal(changed, 1);
    assert_false(net->link_up);
    nic.config.status = 0xffff; /* bits that nobody knows */
    model_virtio_config_changed(&nic.device);
    bb_poll();
    bb_poll();
    assert_int_equal(changed, 2);
    assert_true(net->link_up);
    close_nic();
    model_nic_link(&nic, false); /* closed, it is known all the same */
    bb_poll();
    bb_poll();
    assert_false(net->link_up);
}

static void test_restless_configuration(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.device.restless = true;
    model_nic_link(&nic, false);
    bb_poll();
    bb_poll();
    must_have_failed("never comes to rest");
}

/* ---- Commands ---- */

static void test_filter(void **state)
{
    struct bb_net_filter filter = {
        .all_multicast = true, .count = 2, .groups = {{1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33}}};

    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    assert_false(nic.promiscuous);
    assert_int_equal(bb_net_set_filter(net, &filter), 0);
    assert_true(nic.all_multicast);
    assert_int_equal(nic.groups, 2);
    assert_memory_equal(nic.group, filter.groups, 12);
    filter = (struct bb_net_filter){.promiscuous = true};
    assert_int_equal(bb_net_set_filter(net, &filter), 0);
    assert_true(nic.promiscuous);
    assert_false(nic.all_multicast);
    assert_int_equal(nic.groups, 0);
    bb_net_close(net);
    assert_int_equal(bb_net_open(net, &client), 0); /* as after reset */
    assert_false(nic.promiscuous);
    nic.ack = 1;
    assert_int_equal(bb_net_set_filter(net, &filter), -EIO);
    nic.ack = 0xa5; /* neither yes nor no */
    assert_int_equal(bb_net_set_filter(net, &filter), -EIO);
    assert_false(net->failed);
    nic.ack = 0;
    assert_int_equal(bb_net_set_filter(net, &filter), 0);
    nic.silent = true;
    assert_int_equal(bb_net_set_filter(net, &filter), -EIO);
    must_have_failed("no answer");
}

/* A device that cannot be told of another address passes everything, whatever the filter says. */
static void test_filter_with_other_mac(void **state)
{
    struct bb_net_filter filter = {.count = 1, .groups = {{0x33, 0x33, 0, 0, 0, 1}}};
    (void)state;
    prepare(false, (WITHOUT(NIC_CTRL_MAC_ADDR)) | VIRTIO_SPLIT);
    start("virtio_net.mac=02:00:00:00:00:09");
    assert_int_equal(bb_net_open(net, &client), 0);
    assert_true(nic.promiscuous);
    assert_int_equal(bb_net_set_filter(net, &filter), 0);
    assert_true(nic.promiscuous);
    assert_int_equal(nic.groups, 1);
    close_nic();
}

static void test_silent_from_the_start(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_SPLIT);
    start(NULL);
    nic.silent = true;
    assert_int_equal(bb_net_open(net, &client), -EIO);
    assert_true(net->failed);
    assert_int_equal(bb_buffer_free(), BUFFERS);
}

static void test_pairs(void **state)
{
    uint8_t bytes[60] = {1};
    struct bb_buffer *frame;

    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_SPLIT | VIRTIO_BIT(NIC_MQ));
    nic.config.pairs = 3;
    start("virtio_net.queues=8");
    assert_int_equal(net->queues, 3);
    assert_int_equal(bb_net_open(net, &client), 0);
    assert_int_equal(nic.pairs, 3);
    for (unsigned queue = 0; queue < 3; queue++) {
        frame = new_frame(60 + queue);
        assert_int_equal(bb_net_send(net, queue, &frame, 1), 1);
        assert_int_equal(nic.device.queues[2 * queue + 1].chains, 1);
        assert_int_equal(bb_net_sent(net, queue, &frame, 1), 1);
        bb_buffer_put(frame);
        bytes[0] = (uint8_t)queue;
        assert_false(bb_net_arm(net, queue));
        assert_true(model_nic_receive(&nic, queue, bytes, 60));
        bb_poll();
        assert_int_equal(ready, queue + 1);
        assert_int_equal(bb_net_receive(net, queue, &frame, 1), 1);
        assert_int_equal(frame->data[0], queue);
        bb_buffer_put(frame);
    }
    assert_int_equal(bb_net_receive(net, 3, &frame, 1), -EINVAL);
    close_nic();
}

static void test_one_pair_of_many(void **state)
{
    (void)state;
    prepare(false, NIC_USUAL | VIRTIO_SPLIT | VIRTIO_BIT(NIC_MQ));
    nic.config.pairs = 3;
    start(NULL);
    assert_int_equal(net->queues, 1);
    assert_int_equal(bb_net_open(net, &client), 0); /* commands go to queue 6 */
    assert_int_equal(nic.pairs, 1);
    close_nic();
}

/* ---- Ends ---- */

static void test_removal(void **state)
{
    struct bb_buffer *frames[2];

    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.hold_sent = true;
    frames[0] = new_frame(60);
    assert_int_equal(bb_net_send(net, 0, frames, 1), 1);
    must_remove(NIC);
    assert_int_equal(nic.device.status, 0);
    assert_int_equal(bb_buffer_free(), BUFFERS);
    assert_int_equal(changed, 1);
    frames[0] = new_frame(60);
    assert_int_equal(bb_net_send(net, 0, frames, 1), -ENODEV);
    bb_buffer_put(frames[0]);
    close_nic();
    must_remove(VIRT_VIRTIO(0));
}

/* Calls that a release build binds straight to the driver reach it while it is closed. */
static void test_closed(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    close_nic();
    struct bb_buffer *frame = new_frame(60), *none;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), -ENODEV);
    assert_int_equal(bb_net_refill(net, 0, &frame, 1), -ENODEV);
    assert_int_equal(bb_net_receive(net, 0, &none, 1), -ENODEV);
    assert_int_equal(bb_net_sent(net, 0, &none, 1), -ENODEV);
    assert_false(bb_net_arm(net, 0));
    bb_buffer_put(frame);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bb_net_open(net, &client), 0);
        send_one(60);
        receive_one(60, 1);
        close_nic();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_mtu_of_one_buffer),
        cmocka_unit_test(test_mtu_of_one_legacy_buffer),
        cmocka_unit_test(test_mtu_of_nothing),
        cmocka_unit_test(test_no_pairs),
        cmocka_unit_test(test_too_many_pairs),
        cmocka_unit_test(test_pairs_without_queues),
        cmocka_unit_test(test_mac_of_a_group),
        cmocka_unit_test(test_mac_of_parameter),
        cmocka_unit_test(test_mac_of_legacy),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_restless_configuration),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_filter_with_other_mac),
        cmocka_unit_test(test_silent_from_the_start),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_one_pair_of_many),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_closed),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
