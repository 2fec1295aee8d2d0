/* SPDX-License-Identifier: BSD-2-Clause */
/* net/host_net's sockets: connections that are refused or reset, and more of them than are usual.
 */
#define _GNU_SOURCE
#include "host_net.h"

#include <stdio.h>
#include <time.h>

enum { SYN = 2, RST = 4, ACK = 16, SEGMENT = 1024 };

static uint16_t own_port, peer_port;
static uint32_t own_next, peer_next, acked, window;

static void tcp(uint8_t flags, uint32_t sequence, size_t payload)
{
    uint8_t frame[34 + 24 + SEGMENT] = {0}, *at = frame + 34, pseudo[12 + 24 + SEGMENT];
    size_t header = flags & SYN ? 24 : 20;
    ip(frame, TCP, self, router, header + payload);
    put16(at, own_port);
    put16(at + 2, peer_port);
    put16(at + 4, sequence >> 16);
    put16(at + 6, sequence & 0xffff);
    put16(at + 8, peer_next >> 16);
    put16(at + 10, peer_next & 0xffff);
    at[12] = (uint8_t)(header << 2);
    at[13] = flags;
    put16(at + 14, 0xffff);
    if (flags & SYN)
        memcpy(at + 20, "\2\4\4\0", 4); /* SEGMENT */
    memcpy(pseudo, self, 4);
    memcpy(pseudo + 4, router, 4);
    put16(pseudo + 8, TCP);
    put16(pseudo + 10, (unsigned)(header + payload));
    memcpy(pseudo + 12, at, header + payload);
    put16(at + 16, sum(pseudo, 12 + header + payload));
    give(frame, 34 + header + payload, 0);
}

static bool is_tcp(const uint8_t *frame, size_t size)
{
    if (!is_ip(frame, size, TCP) || get16(frame + 36) != own_port)
        return false;
    peer_port = (uint16_t)get16(frame + 34);
    acked = get16(frame + 42) << 16 | get16(frame + 44);
    window = get16(frame + 48);
    return true;
}

static bool is_reset(const uint8_t *frame, size_t size)
{
    return is_tcp(frame, size) && frame[47] & RST;
}

static void test_refused_connection(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    find_router();
    own_port = 4000;
    peer_port = free_port();
    tcp(SYN, 1000, 0);
    assert_true(await(is_reset));
    bb_net_close(net);
}

/* Takes the connection that a client made to the forwarded port 80. */
static void accept_connection(void)
{
    own_port = 80;
    own_next = 1000;
    assert_true(await(is_request_or_syn));
    if (is_arp_request(got, got_size)) {
        arp(2, router_mac, router);
        assert_true(await(is_syn));
    }
    assert_true(is_tcp(got, got_size));
    peer_next = (get16(got + 38) << 16 | get16(got + 40)) + 1;
    tcp(SYN | ACK, own_next++, 0);
    assert_true(await(is_tcp));
}

/* Sends until nothing is acknowledged any more, as the client does not read. */
static void send_until_full(void)
{
    uint32_t last;
    do {
        last = acked;
        for (uint32_t sent = 0; sent + SEGMENT <= window; sent += SEGMENT)
            tcp(ACK, acked + sent, SEGMENT);
        for (unsigned i = 0; i < 50 && acked == last; i++) {
            struct bb_buffer *frame;
            bb_sleep(2 * BB_MSEC);
            while (bb_net_receive(net, 0, &frame, 1) == 1) {
                (void)is_tcp(frame->data, frame->length);
                assert_int_equal(bb_net_refill(net, 0, &frame, 1), 1);
            }
        }
    } while (acked != last);
}

/* A client that does not read, to a peer that does not acknowledge: libslirp's buffers are full
 * both ways, and it asks for nothing but to write. It must not hear of an end that it cannot read.
 */
static void test_reset_of_a_full_connection(void **state)
{
    (void)state;
    static char line[80];
    static const uint8_t much[1 << 18];
    const struct linger reset = {1, 0};
    uint16_t port = free_port();
    snprintf(line, sizeof(line), "host_net.forward=%u:80", port);
    start(line);
    assert_int_equal(bb_net_open(net, &client), 0);
    find_router();
    int fd = connect_to(INADDR_LOOPBACK, port);
    assert_true(fd >= 0);
    accept_connection();
    assert_int_equal(send(fd, much, 60 * SEGMENT, 0), 60 * SEGMENT); /* less than half of it */
    bb_sleep(20 * BB_MSEC);
    while (send(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
        continue;
    send_until_full();
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(fd);
    bb_sleep(100 * BB_MSEC);
    clock_t before = clock();
    bb_sleep(300 * BB_MSEC);
    assert_true(clock() - before < CLOCKS_PER_SEC / 10); /* it slept */
    find_router();
    bb_net_close(net);
}

static bool is_datagram(const uint8_t *frame, size_t size)
{
    return is_ip(frame, size, UDP) && get16(frame + 36) == 7;
}

/* More sockets than fit a small list: the first forward comes last in it. */
static void test_many_forwards(void **state)
{
    (void)state;
    enum { MANY = 700 };
    static char line[MANY * 16];
    int fds[MANY], length = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    uint16_t first = 0;
    for (unsigned i = 0; i < MANY; i++) {
        address.sin_port = 0;
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(bind(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(getsockname(fds[i], (struct sockaddr *)&address, &size), 0);
        first = i ? first : ntohs(address.sin_port);
        length += snprintf(line + length, sizeof(line) - (size_t)length, "%sudp:%u:7", i ? "," : "",
                           ntohs(address.sin_port));
    }
    for (unsigned i = 0; i < MANY; i++)
        close(fds[i]);
    start(NULL);
    parameters()->forward = line;
    assert_int_equal(bb_net_open(net, &client), 0);
    find_router();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    address.sin_port = htons(first);
    assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, size), 5);
    assert_true(await(is_datagram));
    close(fd);
    bb_net_close(net);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_connection),
        cmocka_unit_test(test_reset_of_a_full_connection),
        cmocka_unit_test(test_many_forwards),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
