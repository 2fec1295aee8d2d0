/* SPDX-License-Identifier: BSD-2-Clause */
/* The net subsystem, with a device that gets back what it sends. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include <busbar/log.h>
#include <busbar/mmio.h>
#include <busbar/net.h>
#include <busbar/poll.h>
#include <busbar/store.h>
#include <core/core.h>

extern int bb_fault_at;

enum { DEPTH = 8 };

struct list {
    struct bb_buffer *frames[64];
    unsigned count;
};

struct loop {
    struct bb_device device;
    struct bb_net net;
    struct list empty, done, sent;
    bool running;
    unsigned starts, stops;
};

static int start_error, probe_error;
static bool link_changes_in_probe;
static unsigned queue_count = 1;

static struct loop *of(struct bb_net *net)
{
    return bb_container_of(net, struct loop, net);
}

static int loop_start(struct bb_net *net)
{
    of(net)->starts++;
    of(net)->running = !start_error;
    return start_error;
}

static void loop_stop(struct bb_net *net)
{
    struct loop *loop = of(net);
    struct list *lists[] = {&loop->empty, &loop->done, &loop->sent};
    assert_true(loop->running);
    loop->running = false;
    loop->stops++;
    for (unsigned i = 0; i < 3; i++)
        while (lists[i]->count)
            bb_buffer_put(lists[i]->frames[--lists[i]->count]);
}

static int loop_send(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                     unsigned count)
{
    struct loop *loop = of(net);
    (void)queue;
    assert_true(loop->running);
    for (unsigned i = 0; i < count; i++) {
        loop->sent.frames[loop->sent.count++] = frames[i];
        if (loop->empty.count) {
            struct bb_buffer *to = loop->empty.frames[--loop->empty.count];
            memcpy(to->data, frames[i]->data, to->length = frames[i]->length);
            loop->done.frames[loop->done.count++] = to;
        }
    }
    return (int)count;
}

static int take(struct list *list, struct bb_buffer **frames, unsigned limit)
{
    unsigned count = 0;
    while (count < limit && list->count)
        frames[count++] = list->frames[--list->count];
    return (int)count;
}

static int loop_sent(struct bb_net *net, unsigned queue, struct bb_buffer **frames, unsigned limit)
{
    (void)queue;
    return take(&of(net)->sent, frames, limit);
}

static int loop_receive(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                        unsigned limit)
{
    (void)queue;
    return take(&of(net)->done, frames, limit);
}

static int loop_refill(struct bb_net *net, unsigned queue, struct bb_buffer *const *buffers,
                       unsigned count)
{
    struct loop *loop = of(net);
    unsigned i;
    (void)queue;
    for (i = 0; i < count && loop->empty.count < DEPTH * queue_count; i++)
        loop->empty.frames[loop->empty.count++] = buffers[i];
    return (int)i;
}

static bool loop_arm(struct bb_net *net, unsigned queue)
{
    (void)queue;
    return of(net)->done.count > 0;
}

static int loop_probe(struct bb_device *device)
{
    struct loop *loop = bb_container_of(device, struct loop, device);
    loop->net.mtu = 1500;
    loop->net.queues = (uint16_t)queue_count;
    loop->net.depth = DEPTH;
    loop->net.link_up = true;
    if (link_changes_in_probe) {
        bb_net_link(&loop->net, false); /* in an interrupt, while probe waits for something */
        bb_poll();
    }
    return probe_error ? probe_error : bb_net_default_mac(device, loop->net.mac);
}

static const struct bb_net_ops bb_ops_net_loop = {
    .start = loop_start,
    .stop = loop_stop,
    .send = loop_send,
    .sent = loop_sent,
    .receive = loop_receive,
    .refill = loop_refill,
    .arm = loop_arm,
};
BB_DRIVER(net, loop, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,loop"}), .probe = loop_probe,
          .hotplug = true);

static const struct bb_driver *const drivers[] = {&bb_driver_net_loop};

static void start(const char *command_line)
{
    boot_tree(command_line);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    bb_bind_all();
}

static void start_one(const char *command_line)
{
    tree_begin(1, 1);
    tree_device("loop", "test,loop");
    tree_close();
    start(command_line);
}

/* ---- A client that counts ---- */

static struct {
    struct bb_net_client client;
    unsigned ready, changed, last_queue;
} user;

static void user_ready(struct bb_net_client *client, unsigned queue)
{
    assert_ptr_equal(client, &user.client);
    user.ready++;
    user.last_queue = queue;
}

static void user_changed(struct bb_net_client *client)
{
    assert_ptr_equal(client, &user.client);
    user.changed++;
}

static struct bb_net_client *client(void)
{
    user.client = (struct bb_net_client){user_ready, user_changed, NULL};
    return &user.client;
}

/* ---- Tests ---- */

static void test_names(void **state)
{
    (void)state;
    tree_begin(1, 1);
    tree_open("aliases");
    tree_strings("net1", "/second");
    tree_close();
    static const char *const names[] = {"first", "second", "third"};
    for (unsigned i = 0; i < 3; i++) {
        tree_device(names[i], "test,loop");
        tree_close();
    }
    start(NULL);
    assert_string_equal(device_at("/first")->name, "net0");
    assert_string_equal(device_at("/second")->name, "net1");
    assert_string_equal(device_at("/third")->name, "net2");
    assert_ptr_equal(bb_net_by_name("net2"), face_at(net, "/third"));
    assert_non_null(bb_value_find("net2.received"));
    struct bb_node *third = device_at("/third")->node;
    must_remove("/third");
    assert_null(third->alias);
    assert_null(bb_value_find("net2.received"));
}

static void test_open(void **state)
{
    struct bb_buffer *frames[4];

    (void)state;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");
    struct loop *loop = of(net);
    struct bb_net_client other = {0};

    bb_net_close(net); /* not open */
    assert_int_equal(bb_buffer_pool(40), 0);
    assert_int_equal(bb_net_open(net, client()), 0);
    assert_int_equal(loop->empty.count, DEPTH);
    assert_int_equal(bb_buffer_free(), 40 - DEPTH);
    assert_int_equal(bb_net_open(net, &other), -EBUSY);
    assert_int_equal(bb_net_open(net, &user.client), -EBUSY);

    struct bb_buffer *frame = bb_buffer_get();
    memcpy(frame->data, "hello", 5);
    frame->length = 60;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    assert_int_equal(bb_net_sent(net, 0, frames, 4), 1);
    bb_buffer_put(frames[0]);
    assert_true(bb_net_arm(net, 0));
    assert_int_equal(bb_net_receive(net, 0, frames, 4), 1);
    assert_int_equal(frames[0]->length, 60);
    assert_memory_equal(frames[0]->data, "hello", 5);
    assert_int_equal(bb_net_refill(net, 0, frames, 1), 1);
    assert_false(bb_net_arm(net, 0));

    bb_net_ready(net, 3);
    assert_int_equal(user.ready, 1);
    assert_int_equal(user.last_queue, 3);
    bb_net_close(net);
    assert_int_equal(loop->stops, 1);
    assert_int_equal(bb_buffer_free(), 40);
    bb_net_ready(net, 0); /* nobody listens */
    assert_int_equal(user.ready, 1);
    assert_int_equal(bb_net_open(net, &other), 0); /* no callbacks at all */
    bb_net_ready(net, 0);
    bb_net_link(net, false);
    bb_poll();
    bb_net_close(net);
}

static void test_few_buffers(void **state)
{
    (void)state;
    queue_count = 2;
    start_one("net.buffers=9");
    struct bb_net *net = face_at(net, "/loop");

    assert_int_equal(bb_net_open(net, client()), 0);
    assert_int_equal(of(net)->empty.count, 4); /* a quarter for each queue, half to send */
    assert_int_equal(bb_buffer_free(), 5);
    bb_net_close(net);
    assert_int_equal(bb_buffer_free(), 9);
}

static void test_no_buffers(void **state)
{
    (void)state;
    start_one("net.buffers=1");
    struct bb_net *net = face_at(net, "/loop");

    assert_int_equal(bb_net_open(net, client()), -ENOMEM);
    assert_int_equal(of(net)->stops, 1);
    assert_null(net->client);
    assert_int_equal(net->face.device->handles, 0);
    assert_int_equal(bb_buffer_free(), 1);
}

static void test_no_start(void **state)
{
    (void)state;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");

    bb_buffer_pool(32);
    start_error = -EIO;
    assert_int_equal(bb_net_open(net, client()), -EIO);
    assert_int_equal(bb_buffer_free(), 32);
    start_error = 0;
    assert_int_equal(bb_net_open(net, client()), 0);
}

static void test_link(void **state)
{
    (void)state;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");

    assert_int_equal(bb_net_open(net, client()), 0);
    bb_net_link(net, true); /* as it was */
    bb_poll();
    assert_int_equal(user.changed, 0);
    bb_net_link(net, false);
    assert_false(net->link_up);
    assert_int_equal(user.changed, 0); /* perhaps in an interrupt */
    bb_poll();
    assert_int_equal(user.changed, 1);
    assert_int_equal(logged("net0: the link is down"), 1);
    bb_net_link(net, true);
    bb_net_link(net, false); /* back before anybody looked */
    bb_poll();
    assert_int_equal(user.changed, 2);
    assert_int_equal(logged("net0: the link is"), 1);
    bb_net_link(net, true);
    bb_poll();
    assert_int_equal(logged("net0: the link is up"), 1);
}

static void test_link_in_probe(void **state)
{
    (void)state;
    link_changes_in_probe = true;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");
    assert_false(net->link_up);
    assert_int_equal(bb_net_open(net, client()), 0);
    bb_poll();
    assert_int_equal(user.changed, 0); /* as it was when it was opened */
    bb_net_link(net, true);
    bb_poll();
    assert_int_equal(user.changed, 1);
    assert_int_equal(logged("net0: the link is up"), 1);
}

static void test_link_in_probe_that_fails(void **state)
{
    (void)state;
    link_changes_in_probe = true;
    probe_error = -EIO;
    start_one(NULL);
    must_fail("/loop", -EIO, NULL);
    bb_poll(); /* nothing of it is queued */
}

static void test_failure(void **state)
{
    (void)state;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");
    char reason[200];

    bb_buffer_pool(32);
    assert_int_equal(bb_net_open(net, client()), 0);
    bb_net_failed(net, "it smokes", -EIO);
    bb_net_failed(net, "it burns", -EIO);
    assert_true(net->failed);
    assert_false(net->link_up);
    bb_net_link(net, true);
    assert_false(net->link_up);
    bb_poll();
    assert_int_equal(user.changed, 1);
    bb_node_reason(net->face.device->node, reason, sizeof reason);
    assert_non_null(strstr(reason, "it smokes"));
    bb_net_close(net);
    assert_int_equal(bb_buffer_free(), 32);
    assert_int_equal(bb_net_open(net, client()), -EIO);
}

static void test_removal(void **state)
{
    struct bb_buffer *frames[4];
    struct bb_net_filter filter = {.promiscuous = true};

    (void)state;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");

    bb_buffer_pool(32);
    assert_int_equal(bb_net_open(net, client()), 0);
    bb_net_link(net, false); /* its work is pending */
    must_remove("/loop");
    assert_int_equal(user.changed, 1);
    assert_true(net->failed);
    assert_int_equal(bb_buffer_free(), 32);
    bb_poll();
    assert_int_equal(user.changed, 1);
    frames[0] = bb_buffer_get();
    assert_int_equal(bb_net_send(net, 0, frames, 1), -ENODEV);
    assert_int_equal(bb_net_refill(net, 0, frames, 1), -ENODEV);
    assert_int_equal(bb_net_sent(net, 0, frames, 4), -ENODEV);
    assert_int_equal(bb_net_receive(net, 0, frames, 4), -ENODEV);
    assert_int_equal(bb_net_set_filter(net, &filter), -ENODEV);
    assert_false(bb_net_arm(net, 0));
    assert_int_equal(of(net)->stops, 1);
    bb_net_close(net);
    assert_int_equal(of(net)->stops, 1);
    assert_int_equal(net->face.device->handles, 0);
    assert_int_equal(bb_net_open(net, client()), -ENODEV);
}

static void close_at_once(struct bb_net_client *at)
{
    user.changed++;
    bb_net_close(at->context);
}

/* The client gives the device up in the very call that tells of its end. */
static void test_close_when_told(void **state)
{
    (void)state;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");
    struct bb_net_client eager = {NULL, close_at_once, net};

    bb_buffer_pool(32);
    assert_int_equal(bb_net_open(net, &eager), 0);
    must_remove("/loop");
    assert_int_equal(user.changed, 1);
    assert_null(net->client);
    assert_int_equal(net->face.device->handles, 0);
    assert_int_equal(bb_buffer_free(), 32);
}

static void test_filter(void **state)
{
    struct bb_net_filter filter = {.count = 1, .groups = {{1, 0, 0x5e, 0, 0, 1}}};

    (void)state;
    start_one(NULL);
    struct bb_net *net = face_at(net, "/loop");
    assert_int_equal(bb_net_set_filter(net, &filter), -ENOTSUP);
    filter.groups[0][0] = 2;
    assert_int_equal(bb_net_set_filter(net, &filter), -EINVAL);
    filter.count = BB_NET_MULTICAST + 1;
    assert_int_equal(bb_net_set_filter(net, &filter), -EINVAL);
}

/* ---- Addresses ---- */

static void test_mac_text(void **state)
{
    static const char *const wrong[] = {
        "",
        "52:54:00:12:34",
        "52:54:00:12:34:5",
        "52:54:00:12:34:567",
        "52-54-00-12-34-56",
        "52:54:00:12:34:5g",
        "52:54:00:12:34:56:78",
        ":2:54:00:12:34:56",
    };
    uint8_t mac[BB_MAC_SIZE] = {1};
    char text[BB_MAC_TEXT];

    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++)
        assert_int_equal(bb_mac_parse(wrong[i], mac), -EINVAL);
    assert_int_equal(mac[0], 1);
    assert_int_equal(bb_mac_parse("52:54:00:Ab:cD:ef", mac), 0);
    bb_mac_format(mac, text);
    assert_string_equal(text, "52:54:00:ab:cd:ef");
    assert_true(bb_mac_is_station(mac));
    assert_false(bb_mac_is_station((const uint8_t[]){0, 0, 0, 0, 0, 0}));
    assert_false(bb_mac_is_station((const uint8_t[]){1, 0, 0, 0, 0, 1}));
}

static void mac_is(const char *expected)
{
    char text[BB_MAC_TEXT];
    bb_mac_format(face_at(net, "/loop")->mac, text);
    assert_string_equal(text, expected);
}

static void start_with_macs(const char *command_line, const char *local, const char *other)
{
    tree_begin(1, 1);
    tree_device("loop", "test,loop");
    tree_bytes("local-mac-address", local, 6);
    tree_bytes("mac-address", other, 6);
    tree_close();
    start(command_line);
}

static void test_mac_of_tree(void **state)
{
    (void)state;
    start_with_macs(NULL, "\2\1\2\3\4\5", "\2\0\0\0\0\1");
    mac_is("02:01:02:03:04:05");
}

static void test_mac_of_tree_second(void **state)
{
    (void)state;
    start_with_macs("loop.mac=03:00:00:00:00:01", "\0\0\0\0\0", "\2\0\0\0\0\1");
    mac_is("02:00:00:00:00:01");
    assert_int_equal(logged("loop.mac=03:00:00:00:00:01: no station's address"), 1);
}

static void test_mac_of_parameter(void **state)
{
    (void)state;
    start_with_macs("loop.mac=02:00:00:00:00:07", "\2\1\2\3\4\5", "\2\0\0\0\0\1");
    mac_is("02:00:00:00:00:07");
}

static void test_mac_by_chance(void **state)
{
    (void)state;
    start_with_macs(NULL, "\1\1\2\3\4\5", "\0\0\0\0\0");
    const struct bb_net *net = face_at(net, "/loop");
    assert_true(bb_mac_is_station(net->mac));
    assert_int_equal(net->mac[0] & 3, 2);
}

/* Each acquisition fails once: the name is free again each time. */
static void test_faults(void **state)
{
    (void)state;
    tree_begin(1, 1);
    char name[16];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "loop%u", i);
        tree_device(name, "test,loop");
        tree_close();
    }
    boot_tree(NULL);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    unsigned failed = 0, ran = 0;
    for (unsigned i = 0; i < 20 && !ran; i++) {
        snprintf(name, sizeof name, "/loop%u", i);
        bb_fault_at = (int)i + 1;
        struct bb_node *node = bb_node_find(name);
        if (bb_bind(node) == 0) {
            assert_string_equal(node->device->name, "net0");
            ran++;
        } else {
            must_fail(name, -ENOMEM, NULL);
            assert_null(node->alias);
            failed++;
        }
    }
    assert_int_equal(ran, 1);
    assert_int_equal(failed, 7); /* the values in the store */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_few_buffers),
        cmocka_unit_test(test_no_buffers),
        cmocka_unit_test(test_no_start),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_link_in_probe),
        cmocka_unit_test(test_link_in_probe_that_fails),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_close_when_told),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_mac_text),
        cmocka_unit_test(test_mac_of_tree),
        cmocka_unit_test(test_mac_of_tree_second),
        cmocka_unit_test(test_mac_of_parameter),
        cmocka_unit_test(test_mac_by_chance),
        cmocka_unit_test(test_faults),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
