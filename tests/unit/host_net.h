/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of net/host_net share: the machine at 10.0.2.15, which writes its frames by hand.
 */
#ifndef TESTS_UNIT_HOST_NET_H
#define TESTS_UNIT_HOST_NET_H

#include "harness.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <busbar/net.h>
#include <busbar/poll.h>
#include <busbar/time.h>

enum { ARP = 0x0806, IP = 0x0800, ICMP = 1, TCP = 6, UDP = 17 };

static const uint8_t router[] = {10, 0, 2, 2}, self[] = {10, 0, 2, 15};
static struct bb_net *net;
static uint8_t router_mac[6];
static unsigned readies;

static inline void ready(struct bb_net_client *client, unsigned queue)
{
    (void)client, (void)queue;
    readies++;
}

static struct bb_net_client client = {.ready = ready};

static inline void start(const char *line)
{
    tree_begin(2, 2);
    tree_device("timer", "busbar,host-timer");
    tree_close();
    tree_device("net", "busbar,host-net");
    tree_close();
    boot(line);
    net = face_at(net, "/net");
}

static inline void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static inline uint16_t sum(const uint8_t *at, size_t size)
{
    uint32_t total = 0;
    for (size_t i = 0; i < size; i += 2)
        total += (uint32_t)at[i] << 8 | (i + 1 < size ? at[i + 1] : 0);
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

/* A frame with room for `payload` bytes, split in parts of `part` bytes (0: one). */
static inline void give(const uint8_t *frame, size_t size, size_t part)
{
    struct bb_buffer *first = NULL;
    for (size_t end = size, begin; end; end = begin) {
        begin = part ? (end - 1) / part * part : 0;
        struct bb_buffer *buffer = bb_buffer_get();
        assert_non_null(buffer);
        memcpy(buffer->data, frame + begin, end - begin);
        buffer->length = (uint32_t)(end - begin);
        if (first)
            bb_buffer_chain(buffer, first);
        first = buffer;
    }
    struct bb_buffer *back = NULL;
    assert_int_equal(bb_net_send(net, 0, &first, 1), 1);
    assert_int_equal(bb_net_sent(net, 0, &back, 1), 1);
    assert_ptr_equal(back, first);
    bb_buffer_put(back);
}

static inline size_t ethernet(uint8_t *frame, const uint8_t *to, unsigned type)
{
    memcpy(frame, to ? to : (const uint8_t *)"\xff\xff\xff\xff\xff\xff", 6);
    memcpy(frame + 6, net->mac, 6);
    put16(frame + 12, type);
    return 14;
}

static inline size_t ip(uint8_t *frame, uint8_t protocol, const uint8_t *from, const uint8_t *to,
                        size_t payload)
{
    uint8_t *header = frame + ethernet(frame, protocol == UDP ? NULL : router_mac, IP);
    memset(header, 0, 20);
    header[0] = 0x45;
    put16(header + 2, (unsigned)(20 + payload));
    header[8] = 64;
    header[9] = protocol;
    memcpy(header + 12, from, 4);
    memcpy(header + 16, to, 4);
    put16(header + 10, sum(header, 20));
    return 34;
}

static uint8_t got[1600];
static size_t got_size;

/* A frame that `wanted` takes, within two seconds; sleeps in between, as a program does. */
static inline bool await(bool (*wanted)(const uint8_t *frame, size_t size))
{
    uint64_t end = bb_time() + 2 * BB_SEC;
    do {
        struct bb_buffer *frame;
        bool found = false;
        while (!found && bb_net_receive(net, 0, &frame, 1) == 1) {
            assert_true(frame->length >= 14 && frame->length <= sizeof(got));
            assert_int_equal(frame->parts, 1);
            memcpy(got, frame->data, got_size = frame->length);
            found = wanted(got, got_size);
            assert_int_equal(bb_net_refill(net, 0, &frame, 1), 1);
        }
        if (found)
            return true;
        if (!bb_net_arm(net, 0))
            bb_sleep(20 * BB_MSEC);
    } while (bb_time() < end);
    return false;
}

static inline bool is_arp_reply(const uint8_t *frame, size_t size)
{
    return size >= 42 && get16(frame + 12) == ARP && get16(frame + 20) == 2 &&
           memcmp(frame + 28, router, 4) == 0;
}

static inline bool is_arp_request(const uint8_t *frame, size_t size)
{
    return size >= 42 && get16(frame + 12) == ARP && get16(frame + 20) == 1 &&
           memcmp(frame + 38, self, 4) == 0;
}

static inline bool is_ip(const uint8_t *frame, size_t size, uint8_t protocol)
{
    return size >= 42 && get16(frame + 12) == IP && frame[14] == 0x45 && frame[23] == protocol;
}

static inline bool is_syn(const uint8_t *frame, size_t size)
{
    return is_ip(frame, size, TCP) && get16(frame + 36) == 80 && (frame[47] & 0x12) == 2;
}

static inline bool is_request_or_syn(const uint8_t *frame, size_t size)
{
    return is_arp_request(frame, size) || is_syn(frame, size);
}

static inline void arp(unsigned operation, const uint8_t *to_mac, const uint8_t *to)
{
    uint8_t frame[64] = {0}, *at = frame + ethernet(frame, to_mac, ARP);
    memcpy(at, "\0\1\10\0\6\4", 6);
    put16(at + 6, operation);
    memcpy(at + 8, net->mac, 6);
    memcpy(at + 14, self, 4);
    if (to_mac)
        memcpy(at + 18, to_mac, 6);
    memcpy(at + 24, to, 4);
    give(frame, 42, 0);
}

static inline void find_router(void)
{
    arp(1, NULL, router);
    assert_true(await(is_arp_reply));
    memcpy(router_mac, got + 22, 6);
}

/* The beginning of what the driver has. */
struct parameters {
    struct bb_device device;
    struct bb_net net;
    const char *forward;
};

static inline struct parameters *parameters(void)
{
    return (struct parameters *)net->face.device;
}

static inline uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline int connect_to(uint32_t host, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(host), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

#endif
