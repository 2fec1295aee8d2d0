/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames as the other side of the wire writes them, from the RFCs and not from lwIP's headers. */
#ifndef MODULES_TCPIP_TESTS_FRAMES_H
#define MODULES_TCPIP_TESTS_FRAMES_H

#include "fake_net.h"

#include <busbar/tcpip.h>

enum { ETH = 14, IP4 = 20, UDP = 8, TCP = 20, FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static const uint8_t own_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static const uint8_t peer_mac[6] = {0x52, 0x55, 0, 0, 2, 2};
static const uint8_t own_ip[4] = {10, 0, 2, 15}, peer_ip[4] = {10, 0, 2, 2};

struct frame {
    uint8_t data[1514];
    unsigned length;
};

static inline void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8), at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16), put16(at + 2, value & 0xffff);
}

static inline unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static inline uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* The sum over `size` bytes on top of `sum`, folded, not inverted. */
static inline unsigned sum16(const uint8_t *at, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i++)
        sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Of TCP or UDP in an IPv4 frame, with its pseudo header: 0xffff when the checksum is right. */
static inline unsigned transport_sum(const uint8_t *frame, unsigned length)
{
    return sum16(frame + ETH + IP4, length - ETH - IP4,
                 sum16(frame + ETH + 12, 8, frame[ETH + 9] + length - ETH - IP4));
}

static inline void make_arp(struct frame *frame, unsigned operation)
{
    static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0};
    memset(frame, 0, sizeof *frame);
    memset(frame->data, 0xff, 6);
    memcpy(frame->data + 6, peer_mac, 6);
    put16(frame->data + 12, 0x806);
    memcpy(frame->data + ETH, fixed, sizeof fixed);
    frame->data[ETH + 7] = (uint8_t)operation;
    memcpy(frame->data + ETH + 8, peer_mac, 6);
    memcpy(frame->data + ETH + 14, peer_ip, 4);
    memcpy(frame->data + ETH + 18, own_mac, 6);
    memcpy(frame->data + ETH + 24, own_ip, 4);
    frame->length = ETH + 28;
}

static inline void make_ip(struct frame *frame, unsigned protocol, const void *payload, size_t size)
{
    uint8_t *ip = frame->data + ETH;
    memset(frame->data, 0, ETH + IP4);
    memcpy(frame->data, own_mac, 6);
    memcpy(frame->data + 6, peer_mac, 6);
    put16(frame->data + 12, 0x800);
    ip[0] = 0x45, ip[8] = 64, ip[9] = (uint8_t)protocol;
    put16(ip + 2, (unsigned)(IP4 + size));
    memcpy(ip + 12, peer_ip, 4);
    memcpy(ip + 16, own_ip, 4);
    put16(ip + 10, ~sum16(ip, IP4, 0) & 0xffff);
    memcpy(ip + IP4, payload, size);
    frame->length = (unsigned)(ETH + IP4 + size);
}

static inline void make_echo(struct frame *frame, const void *data, size_t size)
{
    uint8_t icmp[1480] = {8, 0, 0, 0, 0, 1, 0, 1};
    memcpy(icmp + 8, data, size);
    put16(icmp + 2, ~sum16(icmp, 8 + size, 0) & 0xffff);
    make_ip(frame, 1, icmp, 8 + size);
}

static inline void make_udp(struct frame *frame, unsigned from, unsigned to, const void *data,
                            size_t size)
{
    uint8_t udp[1480] = {0};
    put16(udp, from), put16(udp + 2, to), put16(udp + 4, (unsigned)(UDP + size));
    memcpy(udp + UDP, data, size);
    make_ip(frame, 17, udp, UDP + size);
    put16(frame->data + ETH + IP4 + 6, ~transport_sum(frame->data, frame->length) & 0xffff);
}

static inline void make_tcp(struct frame *frame, unsigned from, unsigned to, uint32_t sequence,
                            uint32_t acknowledged, unsigned flags, const void *data, size_t size)
{
    uint8_t tcp[1480] = {0};
    put16(tcp, from), put16(tcp + 2, to);
    put32(tcp + 4, sequence), put32(tcp + 8, acknowledged);
    tcp[12] = TCP / 4 << 4, tcp[13] = (uint8_t)flags;
    put16(tcp + 14, 8192);
    if (size)
        memcpy(tcp + TCP, data, size);
    make_ip(frame, 6, tcp, TCP + size);
    put16(frame->data + ETH + IP4 + 16, ~transport_sum(frame->data, frame->length) & 0xffff);
}

static inline bool give(const struct frame *frame, uint16_t flags)
{
    return fake_give(frame->data, frame->length, flags);
}

/* The newest frame sent of this IPv4 protocol, or NULL. */
static inline const struct fake_frame *sent_ip(unsigned protocol)
{
    for (unsigned i = 1; i <= FAKE_LOG && i <= fake.logged; i++) {
        const struct fake_frame *frame = &fake.log[(fake.logged - i) % FAKE_LOG];
        if (get16(frame->data + 12) == 0x800 && frame->data[ETH + 9] == protocol)
            return frame;
    }
    return NULL;
}

static inline unsigned sent_count(unsigned protocol)
{
    unsigned count = 0;
    for (unsigned i = 1; i <= FAKE_LOG && i <= fake.logged; i++) {
        const struct fake_frame *frame = &fake.log[(fake.logged - i) % FAKE_LOG];
        count += get16(frame->data + 12) == 0x800 && frame->data[ETH + 9] == protocol;
    }
    return count;
}

/* TCP/IP on the fake device with a pool of `buffers`, and a peer that it knows. For cmocka. */
#define fake_tcpip_begin(buffers, features, config)                                                \
    do {                                                                                           \
        struct frame peer;                                                                         \
        world_start(1000000000);                                                                   \
        assert_int_equal(bb_buffer_pool(buffers), 0);                                              \
        fake_begin(features);                                                                      \
        assert_int_equal(bb_tcpip_start(&fake.net, config), 0);                                    \
        fake_run(50 * BB_MSEC);                                                                    \
        make_arp(&peer, 2);                                                                        \
        assert_true(give(&peer, 0));                                                               \
        fake_run(10 * BB_MSEC);                                                                    \
        fake.logged = 0;                                                                           \
    } while (0)

#endif
