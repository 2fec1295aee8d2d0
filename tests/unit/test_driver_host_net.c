/* SPDX-License-Identifier: BSD-2-Clause */
/* net/host_net on libslirp: addresses asked for, the router pinged, a port forwarded. */
#define _GNU_SOURCE
#include "host_net.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <busbar/net.h>
#include <busbar/poll.h>
#include <busbar/time.h>

static const uint8_t nobody[4];

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static bool is_offer(const uint8_t *frame, size_t size)
{
    return is_ip(frame, size, UDP) && size > 290 && get16(frame + 36) == 68 && frame[42] == 2;
}

static bool is_echo_reply(const uint8_t *frame, size_t size)
{
    return is_ip(frame, size, ICMP) && frame[34] == 0 && get16(frame + 38) == 0x1234;
}

static void test_nothing_happens_before_open(void **state)
{
    (void)state;
    unsigned before = descriptors();
    start("host_net.forward=18080:80");
    assert_int_equal(descriptors(), before);
    struct bb_buffer *frame = NULL;
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), 0);
    assert_int_equal(bb_net_open(net, &client), 0);
    unsigned full = bb_buffer_free();
    find_router();
    bb_net_close(net);
    assert_int_equal(descriptors(), before);
    assert_int_equal(bb_buffer_free(), full + net->depth / 2);
    assert_int_equal(bb_net_open(net, &client), 0); /* and once more */
    find_router();
    must_remove("/net");
    assert_int_equal(descriptors(), before);
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), -ENODEV);
    bb_net_close(net);
}

static void test_dhcp(void **state)
{
    (void)state;
    uint8_t frame[400] = {0}, *udp = frame + 34, *message = udp + 8;
    size_t size = 8 + 250;
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    ip(frame, UDP, nobody, (const uint8_t *)"\xff\xff\xff\xff", size);
    put16(udp, 68);
    put16(udp + 2, 67);
    put16(udp + 4, (unsigned)size);
    memcpy(message,
           "\1\1\6\0"
           "abcd",
           8);
    memcpy(message + 28, net->mac, 6);
    memcpy(message + 236, "\x63\x82\x53\x63\x35\1\1\xff", 8); /* DISCOVER */
    give(frame, 34 + size, 0);
    assert_true(await(is_offer));
    assert_memory_equal(got + 42 + 16, self, 4);
    assert_true(net->stats.sent == 1 && net->stats.received >= 1);
    assert_int_equal(net->stats.sent_bytes, 34 + size);
    bb_net_close(net);
}

static void ping(size_t payload, size_t part)
{
    uint8_t frame[1514] = {0}, *icmp = frame + 34;
    ip(frame, ICMP, self, router, 8 + payload);
    icmp[0] = 8;
    put16(icmp + 4, 0x1234);
    for (size_t i = 0; i < payload; i++)
        icmp[8 + i] = (uint8_t)(i * 3);
    put16(icmp + 2, sum(icmp, 8 + payload));
    give(frame, 42 + payload, part);
    assert_true(await(is_echo_reply));
    assert_int_equal(got_size < 60 ? 60 : got_size, 42 + payload < 60 ? 60 : 42 + payload);
    assert_memory_equal(got + 42, icmp + 8, payload);
}

static void test_ping(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    find_router();
    ping(56, 0);
    ping(1472, 0);   /* the largest */
    ping(1472, 200); /* of 8 parts */
    ping(0, 7);
    for (unsigned i = 0; i < 1000; i++) /* more than there are buffers */
        ping(64, 0);
    assert_int_equal(net->stats.dropped, 0);
    assert_int_equal(net->stats.errors, 0);
    bb_net_close(net);
}

/* Nobody receives: answers are kept as long as the pool has buffers, and then counted. */
static void test_answers_have_room(void **state)
{
    (void)state;
    struct bb_buffer *frame, *back;
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    find_router();
    frame = bb_buffer_get();
    for (unsigned i = 0; i < 300; i++) {
        memcpy(frame->data, got, frame->length = 42);
        memset(frame->data, 0xff, 6);
        put16(frame->data + 20, 1);
        memcpy(frame->data + 6, net->mac, 6);
        memcpy(frame->data + 22, net->mac, 6);
        memcpy(frame->data + 28, self, 4);
        memcpy(frame->data + 38, router, 4);
        assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
        assert_int_equal(bb_net_sent(net, 0, &back, 1), 1);
    }
    assert_int_equal(bb_buffer_free(), 0);
    assert_int_equal(net->stats.dropped, 300 - 255);
    for (unsigned i = 0; i < 255; i++)
        assert_int_equal(bb_net_receive(net, 0, &back, 1), 1), bb_buffer_put(back);
    assert_int_equal(bb_net_receive(net, 0, &back, 1), 0);
    bb_buffer_put(frame);
    bb_net_close(net);
    assert_int_equal(bb_buffer_free(), 256);
}

static void test_frames_that_are_refused(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    struct bb_buffer *frame = bb_buffer_get();
    static const uint32_t wrong[] = {0, 13, 1515, 1900};
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++) {
        frame->length = wrong[i];
        assert_int_equal(bb_net_send(net, 0, &frame, 1), -EINVAL);
    }
    frame->length = 60;
    memset(frame->data, 0, 60);
    assert_int_equal(bb_net_send(net, 1, &frame, 1), -EINVAL);
    frame->flags = BB_BUFFER_CHECKSUM_NEEDED;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), -EINVAL);
    frame->flags = 0;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    bb_net_close(net); /* with the frame */
    assert_int_equal(bb_buffer_free(), 256);
}

/* Whatever is in a frame, nothing but answers comes of it. */
static void test_garbage(void **state)
{
    (void)state;
    uint8_t frame[1514];
    uint64_t random = 88172645463325252u;
    start("host_net.restricted=yes");
    assert_int_equal(bb_net_open(net, &client), 0);
    find_router();
    for (unsigned round = 0; round < 3000; round++) {
        size_t size = 14 + random % 1500;
        for (size_t i = 0; i < size; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            frame[i] = (uint8_t)random;
        }
        if (round % 3 == 1)
            ip(frame, (uint8_t)(round % 2 ? ICMP : 99), self, router, size % 64);
        else if (round % 3 == 2)
            ethernet(frame, NULL, ARP);
        give(frame, size, 0);
        struct bb_buffer *answer;
        while (bb_net_receive(net, 0, &answer, 1) == 1)
            assert_int_equal(bb_net_refill(net, 0, &answer, 1), 1);
    }
    find_router();
    bb_net_close(net);
}

static void test_forward(void **state)
{
    (void)state;
    static char line[80];
    uint16_t port = free_port();
    snprintf(line, sizeof(line), "host_net.forward=udp:%u:7,tcp:%u:80", port, port);
    (void)signal(SIGPIPE, SIG_DFL);
    start(line);
    assert_true(connect_to(INADDR_LOOPBACK, port) < 0);
    assert_int_equal(bb_net_open(net, &client), 0);
    find_router();
    assert_true(connect_to(INADDR_LOOPBACK + 1, port) < 0); /* 127.0.0.1 and no other address */
    int fd = connect_to(INADDR_LOOPBACK, port);
    assert_true(fd >= 0); /* by libslirp; now it is our turn */
    readies = 0;
    assert_false(bb_net_arm(net, 0));
    bb_sleep(300 * BB_MSEC);
    assert_int_equal(readies, 1);
    assert_true(await(is_request_or_syn));
    if (is_arp_request(got, got_size)) {
        arp(2, router_mac, router);
        assert_true(await(is_syn));
    }
    close(fd);
    raise(SIGPIPE); /* as when libslirp writes to a connection that is gone */
    bb_net_close(net);
    assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
}

static int hears_of_connection(void *context)
{
    static char line[80];
    uint16_t port = free_port();
    snprintf(line, sizeof(line), "net.buffers=%s host_net.forward=tcp:%u:80", (const char *)context,
             port);
    start(line);
    assert_int_equal(bb_net_open(net, &client), 0);
    int fd = connect_to(INADDR_LOOPBACK, port);
    assert_true(fd >= 0);
    assert_true(await(is_request_or_syn));
    close(fd);
    bb_net_close(net);
    return 0;
}

/* A small pool gives the device fewer buffers than it likes to have. */
static void test_few_buffers(void **state)
{
    static const char *const counts[] = {"64", "16", "2"};
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(counts); i++)
        if (run_child(hears_of_connection, (void *)(uintptr_t)counts[i]))
            fail_msg("%s buffers", counts[i]);
}

/* Whoever takes frames until arm() is false must not do so for ever. */
static void test_arm_after_failure(void **state)
{
    (void)state;
    struct bb_buffer *frame;
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    assert_false(bb_net_arm(net, 1));
    arp(1, NULL, router);
    while (!net->stats.received)
        bb_sleep(BB_MSEC);
    assert_true(bb_net_arm(net, 0));
    bb_net_failed(net, "test", -EIO); /* with the answer in hand */
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), -EIO);
    assert_false(bb_net_arm(net, 0));
    bb_net_close(net);
}

static void test_forwards_that_are_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {"80",  "80:",    ":80",   "0:80", "80:0",  "65536:80",
                                        "a:b", "80:80;", "-1:80", "tcp:", "udp::", "8080 :80"};
    static char line[80];
    uint16_t port = free_port();
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(taken, 1), 0);
    snprintf(line, sizeof(line), "host_net.forward=%u:80", port);
    start(line);
    assert_int_equal(bb_net_open(net, &client), 0);
    assert_int_equal(logged("cannot be had"), 1);
    find_router(); /* the rest works */
    bb_net_close(net);
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++) {
        parameters()->forward = wrong[i];
        assert_int_equal(bb_net_open(net, &client), 0);
        bb_net_close(net);
        assert_int_equal(logged("is not HOST:GUEST"), i + 1);
    }
    close(taken);
}

static void test_tap(void **state)
{
    (void)state;
    start("host_net.tap=bbtest0");
    int error = bb_net_open(net, &client);
    if (error) {
        assert_true(error == -EPERM || error == -ENXIO);
        assert_int_equal(logged("no TAP device bbtest0"), 1);
        print_message("no rights to make a TAP device\n");
        skip();
    }
    if (system("ip link set bbtest0 up 2>/dev/null && ip addr add 10.0.2.2/24 dev bbtest0") == 0) {
        find_router();
        ping(1000, 200);
        assert_int_equal(system("ip link del bbtest0"), 0);
        bb_sleep(50 * BB_MSEC);
        assert_true(net->failed);
        assert_int_equal(logged("the TAP device is gone"), 1);
        struct bb_buffer *frame;
        assert_int_equal(bb_net_receive(net, 0, &frame, 1), -EIO);
    } else {
        bb_net_close(net);
        print_message("no `ip` to set a TAP device up\n");
        skip();
    }
    bb_net_close(net);
}

static void test_tap_name(void **state)
{
    (void)state;
    start("host_net.tap=a-name-that-is-too-long-for-linux");
    assert_int_equal(bb_net_open(net, &client), -EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_happens_before_open),
        cmocka_unit_test(test_dhcp),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_answers_have_room),
        cmocka_unit_test(test_frames_that_are_refused),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_few_buffers),
        cmocka_unit_test(test_arm_after_failure),
        cmocka_unit_test(test_forwards_that_are_wrong),
        cmocka_unit_test(test_tap),
        cmocka_unit_test(test_tap_name),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
