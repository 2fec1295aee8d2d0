/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that come later, go and come back: who starts them, and with what. */
#include <tests/unit/harness.h>

#include <busbar/tcpip.h>

#include "frames.h"

#define POOL 128

/* It comes by the way of the subsystem, as from a bus. */
static void plug(uint8_t last)
{
    fake_begin(0);
    fake.net.mac[5] = last;
    fake.node.name = "fake";
    bb_class_net.list->first = bb_class_net.list->last = &fake.net.face;
    assert_int_equal(bb_class_net.notify(&fake.net.face, true), 0);
    fake_run(50 * BB_MSEC);
}

static void unplug(void)
{
    bb_class_net.list->first = bb_class_net.list->last = NULL;
    fake.device.removed = true;
    bb_class_net.notify(&fake.net.face, false);
    while (fake.device.resources) {
        struct bb_resource *resource = fake.device.resources;
        fake.device.resources = resource->next;
        resource->release(resource);
    }
    fake_run(50 * BB_MSEC);
    assert_null(fake.net.client);
    assert_int_equal(fake.device.handles, 0);
    assert_int_equal(bb_buffer_free(), POOL);
}

static void begin(void)
{
    world_start(1000000000);
    assert_int_equal(bb_buffer_pool(POOL), 0);
}

/* Whether it has sent a DHCP DISCOVER: from port 68 to 67. */
static bool asks_by_dhcp(void)
{
    for (unsigned i = 0; i < fake.logged && i < FAKE_LOG; i++) {
        const uint8_t *data = fake.log[i].data;
        if (fake.log[i].length > 280 && data[12] == 8 && data[23] == 17 && data[35] == 68 &&
            data[37] == 67)
            return true;
    }
    return false;
}

static void test_one_that_comes_late_is_started(void **state)
{
    (void)state;
    begin();
    assert_int_equal(bb_tcpip_start_all(NULL), 0); /* there is none yet */
    assert_null(bb_tcpip_netif(NULL));
    plug(1);
    assert_non_null(bb_tcpip_netif(&fake.net));
    assert_non_null(fake.net.client);
    assert_true(asks_by_dhcp());
    unplug();
    assert_null(bb_tcpip_netif(NULL));
}

static void test_one_that_returns_is_as_before(void **state)
{
    static const struct bb_tcpip_config fixed = {.address = "10.0.2.15/24"};
    char text[BB_TCPIP_ADDRESSES];
    (void)state;
    begin();
    plug(1);
    assert_null(fake.net.client); /* nobody has asked for anything */
    assert_int_equal(bb_tcpip_start(&fake.net, &fixed), 0);
    for (unsigned i = 0; i < 3; i++) {
        bb_tcpip_addresses(&fake.net, text, sizeof text);
        assert_int_equal(strncmp(text, "10.0.2.15/24", 12), 0);
        assert_false(asks_by_dhcp());
        unplug();
        plug(1);
    }
    unplug();
    plug(2); /* another one */
    assert_non_null(fake.net.client);
    assert_true(asks_by_dhcp());
    unplug();
}

/* It was in trouble before it was pulled out. */
static void test_one_that_failed_is_as_before(void **state)
{
    static const struct bb_tcpip_config fixed = {.address = "10.0.2.15/24"};
    char text[BB_TCPIP_ADDRESSES];
    (void)state;
    begin();
    plug(1);
    assert_int_equal(bb_tcpip_start(&fake.net, &fixed), 0);
    bb_net_failed(&fake.net, "test", -EIO);
    fake_run(50 * BB_MSEC);
    assert_null(bb_tcpip_netif(NULL));
    unplug();
    plug(1);
    bb_tcpip_addresses(&fake.net, text, sizeof text);
    assert_int_equal(strncmp(text, "10.0.2.15/24", 12), 0);
    unplug();
}

/* ---- A second device, which does nothing but to be there ---- */

enum { OTHER_DEPTH = 4 };
static struct bb_buffer *other_ring[OTHER_DEPTH];

static int other_start(struct bb_net *net)
{
    (void)net;
    return 0;
}

static void other_stop(struct bb_net *net)
{
    (void)net;
    for (unsigned i = 0; i < OTHER_DEPTH; i++) {
        if (other_ring[i])
            bb_buffer_put(other_ring[i]);
        other_ring[i] = NULL;
    }
}

static int other_move(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                      unsigned count)
{
    (void)net, (void)queue, (void)frames, (void)count;
    return 0;
}

static int other_take(struct bb_net *net, unsigned queue, struct bb_buffer **frames, unsigned limit)
{
    (void)net, (void)queue, (void)frames, (void)limit;
    return 0;
}

static int other_refill(struct bb_net *net, unsigned queue, struct bb_buffer *const *buffers,
                        unsigned count)
{
    unsigned taken = 0;
    (void)net, (void)queue;
    for (unsigned i = 0; i < OTHER_DEPTH && taken < count; i++)
        if (!other_ring[i])
            other_ring[i] = buffers[taken++];
    return (int)taken;
}

static bool other_arm(struct bb_net *net, unsigned queue)
{
    (void)net, (void)queue;
    return false;
}

static const struct bb_net_ops other_ops = {.start = other_start,
                                            .stop = other_stop,
                                            .send = other_move,
                                            .sent = other_take,
                                            .receive = other_take,
                                            .refill = other_refill,
                                            .arm = other_arm};

/* One that cannot be opened is named, waits, and comes up when another one has made room. */
static void test_one_that_does_not_start_is_tried_again(void **state)
{
    static struct bb_node node = {.name = "other"};
    static struct bb_device device = {.node = &node, .name = "net1"};
    static struct bb_net other;
    (void)state;
    begin();
    fake_begin(0);
    device.driver = fake.device.driver;
    other = (struct bb_net){.mac = {2, 2, 2, 2, 2, 2},
                            .mtu = 1500,
                            .queues = 1,
                            .depth = OTHER_DEPTH,
                            .face = {.class = &bb_class_net, .device = &device, .ops = &other_ops}};
    fake.node.name = "fake";
    fake.refuses = -EIO;
    fake.net.face.next = &other.face;
    bb_class_net.list->first = &fake.net.face;
    bb_class_net.list->last = &other.face;
    assert_int_equal(bb_class_net.notify(&fake.net.face, true), 0);
    assert_int_equal(bb_class_net.notify(&other.face, true), 0);
    assert_int_equal(bb_tcpip_start_all(NULL), 0); /* the other one runs */
    assert_int_equal(bb_tcpip_start_all(NULL), 0); /* as it does already */
    assert_int_equal(bb_tcpip_error(&fake.net), -EIO);
    assert_int_equal(bb_tcpip_error(&other), 0);
    assert_int_equal(logged("TCP/IP does not start: input/output error"), 2);
    fake.refuses = 0;
    fake_run(BB_SEC);
    assert_null(fake.net.client); /* nothing has changed that it could know of */
    bb_net_failed(&other, "test", -EIO);
    fake_run(50 * BB_MSEC);
    assert_null(other.client);
    assert_non_null(fake.net.client);
    assert_int_equal(bb_tcpip_error(&fake.net), 0);
    fake.net.face.next = NULL;
    unplug();
}

static void test_all_have_the_same_settings(void **state)
{
    static const struct bb_tcpip_config fixed = {.address = "10.0.2.15/24"};
    char text[BB_TCPIP_ADDRESSES];
    (void)state;
    begin();
    plug(1);
    assert_int_equal(bb_tcpip_start_all(&fixed), 0);
    for (uint8_t i = 2; i < 20; i++) { /* more than are remembered */
        bb_tcpip_addresses(&fake.net, text, sizeof text);
        assert_int_equal(strncmp(text, "10.0.2.15/24", 12), 0);
        unplug();
        plug(i);
    }
    unplug();
    assert_int_equal(bb_tcpip_start_all(&(struct bb_tcpip_config){.address = "10"}), -EINVAL);
}

static void test_who_has_stopped_it_wants_none(void **state)
{
    (void)state;
    begin();
    plug(1);
    assert_int_equal(bb_tcpip_start(&fake.net, NULL), 0);
    bb_tcpip_stop(NULL);
    unplug();
    plug(1);
    assert_null(fake.net.client);
    assert_int_equal(bb_tcpip_start_all(NULL), 0);
    assert_non_null(fake.net.client);
    unplug();
}

/* It is gone before its turn to be started; or somebody else has it. */
static void test_one_that_is_not_to_be_had_is_left_alone(void **state)
{
    static struct bb_net_client other;
    (void)state;
    begin();
    assert_int_equal(bb_tcpip_start_all(NULL), 0);
    fake_begin(0);
    fake.node.name = "fake";
    bb_class_net.list->first = bb_class_net.list->last = &fake.net.face;
    assert_int_equal(bb_class_net.notify(&fake.net.face, true), 0);
    unplug();
    fake_begin(0);
    fake.node.name = "fake";
    bb_class_net.list->first = bb_class_net.list->last = &fake.net.face;
    assert_int_equal(bb_class_net.notify(&fake.net.face, true), 0);
    assert_int_equal(bb_net_open(&fake.net, &other), 0);
    fake_run(50 * BB_MSEC);
    assert_ptr_equal(fake.net.client, &other);
    assert_null(bb_tcpip_netif(NULL));
    bb_net_close(&fake.net);
    unplug();
}

/* With a connection open and frames on the way, over and over: nothing is left. */
static void test_many_times(void **state)
{
    (void)state;
    begin();
    assert_int_equal(bb_tcpip_start_all(NULL), 0);
    for (unsigned i = 0; i < 200; i++) {
        plug(1);
        fake.hold = i % 2;
        struct udp_pcb *pcb = udp_new();
        ip_addr_t to;
        IP_ADDR4(&to, 255, 255, 255, 255);
        ip_set_option(pcb, SOF_BROADCAST);
        struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 100, PBUF_RAM);
        (void)udp_sendto_if(pcb, p, &to, 9, bb_tcpip_netif(NULL));
        pbuf_free(p);
        unplug();
        udp_remove(pcb);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_comes_late_is_started),
        cmocka_unit_test(test_one_that_returns_is_as_before),
        cmocka_unit_test(test_one_that_failed_is_as_before),
        cmocka_unit_test(test_one_that_does_not_start_is_tried_again),
        cmocka_unit_test(test_all_have_the_same_settings),
        cmocka_unit_test(test_who_has_stopped_it_wants_none),
        cmocka_unit_test(test_one_that_is_not_to_be_had_is_left_alone),
        cmocka_unit_test(test_many_times),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
