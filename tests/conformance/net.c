/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network devices: frames to a peer and back. The peer is 10.0.2.2 on the emulator's own network,
 * or a model that does the same: it answers ARP, and returns what is sent to it by ICMP echo.
 */
#include "conformance.h"

#include <string.h>

#include <busbar/net.h>

enum {
    BATCH = 16,
    BUFFERS = 128,
    ECHOES = 200,
    ARP_SIZE = 42,
    IP = BB_NET_HEADER,
    ICMP = IP + 20,
    DATA = ICMP + 8, /* where an echo's own bytes begin */
};

static const uint8_t own_ip[4] = {10, 0, 2, 15}, peer_ip[4] = {10, 0, 2, 2};

struct exchange {
    struct bb_net_client client;
    struct conformance *run;
    struct bb_net *net;
    uint8_t peer[BB_MAC_SIZE];
    bool found;
    uint16_t sequence;        /* of the echo awaited */
    uint32_t size;            /* its bytes */
    unsigned returned, wrong; /* echoes */
    unsigned ready, changed;
    unsigned sent, given_back;
};

static void is_ready(struct bb_net_client *client, unsigned queue)
{
    struct exchange *exchange = bb_container_of(client, struct exchange, client);
    exchange->ready += queue < exchange->net->queues;
}

static void has_changed(struct bb_net_client *client)
{
    bb_container_of(client, struct exchange, client)->changed++;
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)(at[0] << 8 | at[1]);
}

static unsigned checksum(const uint8_t *at, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(sum + (sum >> 16)) & 0xffff;
}

/* ---- Frames ---- */

static void ethernet(const struct exchange *exchange, uint8_t *at, const uint8_t *to, unsigned type)
{
    memcpy(at, to, BB_MAC_SIZE);
    memcpy(at + BB_MAC_SIZE, exchange->net->mac, BB_MAC_SIZE);
    put16(at + 12, type);
}

static void write_arp(const struct exchange *exchange, struct bb_buffer *frame)
{
    static const uint8_t all[BB_MAC_SIZE] = {255, 255, 255, 255, 255, 255};
    static const uint8_t request[] = {0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t *at = frame->data;
    memset(at, 0, ARP_SIZE);
    ethernet(exchange, at, all, 0x806);
    memcpy(at + 14, request, sizeof request);
    memcpy(at + 22, exchange->net->mac, BB_MAC_SIZE);
    memcpy(at + 28, own_ip, 4);
    memcpy(at + 38, peer_ip, 4);
    frame->length = ARP_SIZE;
}

static uint8_t pattern(unsigned sequence, unsigned at)
{
    return (uint8_t)(sequence * 31 + at * 7 + (at >> 8));
}

/* An echo request of `size` bytes of data; the whole frame in one piece at `at`. */
static uint32_t write_echo(const struct exchange *exchange, uint8_t *at, unsigned sequence,
                           uint32_t size)
{
    static const uint8_t version[] = {0x45, 0}, lifetime[] = {64, 1};
    memset(at, 0, DATA);
    ethernet(exchange, at, exchange->peer, 0x800);
    memcpy(at + IP, version, 2);
    put16(at + IP + 2, DATA - IP + size);
    memcpy(at + IP + 8, lifetime, 2);
    memcpy(at + IP + 12, own_ip, 4);
    memcpy(at + IP + 16, peer_ip, 4);
    put16(at + IP + 10, checksum(at + IP, 20));
    at[ICMP] = 8;
    put16(at + ICMP + 4, 0xbb);
    put16(at + ICMP + 6, sequence);
    for (uint32_t i = 0; i < size; i++)
        at[DATA + i] = pattern(sequence, i);
    put16(at + ICMP + 2, checksum(at + ICMP, 8 + size));
    return DATA + size;
}

/* A frame may be padded, and come in several buffers. */
static uint8_t byte_at(const struct bb_buffer *frame, uint32_t offset)
{
    while (offset >= frame->length) {
        offset -= frame->length;
        frame = frame->more;
    }
    return frame->data[offset];
}

static bool is_right_echo(const struct exchange *exchange, const struct bb_buffer *frame)
{
    uint32_t size = exchange->size;
    if (bb_buffer_length(frame) < DATA + size || get16(frame->data + IP + 2) != DATA - IP + size)
        return false;
    for (uint32_t i = 0; i < size; i++)
        if (byte_at(frame, DATA + i) != pattern(exchange->sequence, i))
            return false;
    return true;
}

/* Looks at a received frame. Others may come too: a network talks by itself. */
static void look(struct exchange *exchange, const struct bb_buffer *frame)
{
    const uint8_t *at = frame->data;
    if (frame->length >= ARP_SIZE && get16(at + 12) == 0x806 && get16(at + 20) == 2 &&
        !memcmp(at + 28, peer_ip, 4)) {
        memcpy(exchange->peer, at + 22, BB_MAC_SIZE);
        exchange->found = true;
    }
    if (frame->length >= DATA && get16(at + 12) == 0x800 && at[IP + 9] == 1 && at[ICMP] == 0 &&
        get16(at + ICMP + 4) == 0xbb && get16(at + ICMP + 6) == exchange->sequence) {
        bool right = is_right_echo(exchange, frame);
        exchange->returned += right;
        exchange->wrong += !right;
    }
}

static void take_sent(struct exchange *exchange, unsigned queue)
{
    struct bb_buffer *frames[BATCH];
    int count;
    while ((count = bb_net_sent(exchange->net, queue, frames, BATCH)) > 0)
        for (int i = 0; i < count; i++, exchange->given_back++)
            bb_buffer_put(frames[i]);
}

/* Takes what was received, gives as many buffers back. */
static void take_received(struct exchange *exchange, unsigned queue)
{
    struct bb_buffer *frames[BATCH], *more;
    int count;
    while ((count = bb_net_receive(exchange->net, queue, frames, BATCH)) > 0) {
        for (int i = 0; i < count; i++) {
            look(exchange, frames[i]);
            for (; frames[i]; frames[i] = more) {
                more = frames[i]->more;
                frames[i]->more = NULL;
                if (bb_net_refill(exchange->net, queue, &frames[i], 1) != 1)
                    bb_buffer_put(frames[i]);
            }
        }
    }
}

/* Takes all there is, and leaves every queue armed. */
static void pump(struct exchange *exchange)
{
    for (unsigned queue = 0; queue < exchange->net->queues; queue++) {
        take_sent(exchange, queue);
        do
            take_received(exchange, queue);
        while (bb_net_arm(exchange->net, queue));
    }
}

static bool send(struct exchange *exchange, struct bb_buffer *frame)
{
    if (bb_net_send(exchange->net, 0, &frame, 1) == 1) {
        exchange->sent++;
        return true;
    }
    bb_buffer_put(frame);
    return false;
}

static bool is_found(void *context)
{
    struct exchange *exchange = context;
    pump(exchange);
    return exchange->found;
}

static bool is_back(void *context)
{
    struct exchange *exchange = context;
    pump(exchange);
    return exchange->returned + exchange->wrong > 0;
}

/* No interrupt tells of frames that were sent, as long as there is room. */
static bool all_back(struct exchange *exchange)
{
    uint64_t start = bb_time();
    for (;;) {
        pump(exchange);
        if (exchange->given_back == exchange->sent)
            return true;
        if (bb_time() - start > conformance_late(exchange->run))
            return false;
        bb_sleep(BB_MSEC);
    }
}

static bool was_ready(void *context)
{
    const struct exchange *exchange = context;
    return exchange->ready > 0;
}

static bool link_is_up(void *context)
{
    const struct exchange *exchange = context;
    return exchange->net->link_up;
}

static bool find_peer(struct exchange *exchange)
{
    exchange->found = false;
    for (unsigned tries = 0; tries < 3 && !exchange->found; tries++) {
        struct bb_buffer *frame = bb_buffer_get();
        if (!frame)
            break;
        write_arp(exchange, frame);
        if (send(exchange, frame))
            (void)bb_wait(is_found, exchange, conformance_late(exchange->run));
    }
    return exchange->found;
}

/* ---- What must hold ---- */

static void check_fields(struct conformance *run, const struct bb_net *net)
{
    bb_check(run, bb_mac_is_station(net->mac), "its address is a station's");
    bb_check(run, net->mtu >= BB_NET_MIN_MTU && net->mtu <= BB_NET_MAX_MTU, "its MTU is sensible");
    bb_check(run, net->queues && net->depth, "it has queues");
    bb_check(run, !net->failed && !net->client, "nobody has it");
}

static void check_refusals(struct exchange *exchange)
{
    struct conformance *run = exchange->run;
    struct bb_net *net = exchange->net;
    struct bb_net_client other = {0};
    struct bb_buffer *frame = bb_buffer_get(), *foreign = bb_buffer_get(), *none[1];

    bb_check(run, bb_net_open(net, &other) == -EBUSY, "it is open once");
    if (!bb_check(run, frame && foreign, "there are buffers"))
        return;
    write_arp(exchange, frame);
    frame->length = BB_NET_HEADER - 1;
    bb_check(run, bb_net_send(net, 0, &frame, 1) == -EINVAL, "a frame shorter than its header");
    frame->length = net->mtu + BB_NET_HEADER + 1u;
    bb_check(run, bb_net_send(net, 0, &frame, 1) == -EINVAL, "a frame that is too long");
    frame->length = ARP_SIZE;
    bb_check(run, bb_net_send(net, net->queues, &frame, 1) == -EINVAL, "a queue that is not there");
    bb_check(run, bb_net_receive(net, net->queues, none, 1) == -EINVAL, "nor to receive from");
    bb_check(run, bb_net_sent(net, net->queues, none, 1) == -EINVAL, "nor to get back from");
    bb_check(run, bb_net_refill(net, net->queues, &frame, 1) == -EINVAL, "nor to fill");
    bb_check(run, !bb_net_arm(net, net->queues), "nor to arm");
    bb_check(run, bb_net_send(net, 0, &frame, 0) == 0, "nothing is sent of nothing");
    frame->flags = BB_BUFFER_CHECKSUM_NEEDED;
    frame->checksum_start = ARP_SIZE - 2;
    frame->checksum_offset = 2;
    bb_check(run, bb_net_send(net, 0, &frame, 1) == -EINVAL, "a sum beyond the frame's end");
    bb_buffer_put(frame);
    bb_buffer_put(foreign);
}

/* One echo of so many bytes, in so many buffers. */
static bool echo(struct exchange *exchange, uint32_t size, unsigned parts)
{
    static uint8_t whole[DATA + BB_NET_MAX_MTU];
    uint32_t left = write_echo(exchange, whole, ++exchange->sequence, size), at = 0;
    struct bb_buffer *frame = NULL, **last = &frame;
    exchange->size = size;
    exchange->returned = exchange->wrong = 0;
    for (unsigned i = parts; i > 0; i--) {
        struct bb_buffer *part = bb_buffer_get();
        if (!part)
            break;
        part->length = i == 1 ? left : left / i;
        part->parts = (uint16_t)i;
        memcpy(part->data, whole + at, part->length);
        at += part->length;
        left -= part->length;
        *last = part;
        last = &part->more;
    }
    return !left && send(exchange, frame) &&
           bb_wait(is_back, exchange, conformance_late(exchange->run)) == 0 && !exchange->wrong;
}

static void check_echoes(struct exchange *exchange)
{
    struct conformance *run = exchange->run;
    uint32_t most = exchange->net->mtu < 1500u ? exchange->net->mtu : 1500;
    unsigned good = 0;

    most -= DATA - IP;
    for (unsigned i = 0; i < ECHOES; i++)
        good += echo(exchange, i * 7919 % (most + 1), 1);
    bb_check(run, good == ECHOES, "echoes of all sizes come back as they were");
    bb_check(run, echo(exchange, most, 1), "the largest one does");
    good = 0;
    for (unsigned parts = 2; parts <= BB_BUFFER_MAX_PARTS; parts++)
        good += echo(exchange, most, parts) && echo(exchange, 2 * parts, parts);
    bb_check(run, good == BB_BUFFER_MAX_PARTS - 1, "so do frames in several buffers");
}

/* As many as the queue takes, at once, some of them not at the start of a buffer's data. */
static void check_batches(struct exchange *exchange)
{
    struct conformance *run = exchange->run;
    struct bb_net *net = exchange->net;
    uint64_t before = net->stats.sent, bytes = net->stats.sent_bytes;
    unsigned count = bb_buffer_free() < 48 ? bb_buffer_free() : 48, sent = 0;
    struct bb_buffer *frames[48];

    for (unsigned i = 0; i < count; i++) {
        frames[i] = bb_buffer_get();
        frames[i]->data += i % 8;
        write_arp(exchange, frames[i]);
    }
    while (sent < count) {
        int taken = bb_net_send(net, 0, frames + sent, count - sent);
        if (!bb_check(run, taken >= 0, "a batch can be sent"))
            break;
        sent += (unsigned)taken;
        exchange->sent += (unsigned)taken;
        if (!taken && !all_back(exchange))
            break;
    }
    for (unsigned i = sent; i < count; i++)
        bb_buffer_put(frames[i]);
    bb_check(run, sent == count, "all of it");
    bb_check(run,
             net->stats.sent - before == sent &&
                 net->stats.sent_bytes - bytes == (uint64_t)sent * ARP_SIZE,
             "and is counted");
    bb_check(run, all_back(exchange), "every buffer that was sent comes back");
}

static void check_arm(struct exchange *exchange)
{
    struct conformance *run = exchange->run;
    struct bb_buffer *frame = bb_buffer_get();
    uint64_t before = exchange->net->stats.received;

    if (!bb_check(run, frame, "there is a buffer"))
        return;
    pump(exchange);
    exchange->ready = 0;
    write_arp(exchange, frame);
    bb_check(run, send(exchange, frame), "a frame can be sent");
    bb_check(run, bb_wait(was_ready, exchange, conformance_late(run)) == 0,
             "an armed queue tells of the answer");
    bb_check(run, exchange->ready == 1, "once");
    bb_check(run, bb_net_arm(exchange->net, 0), "what is there is seen when it is armed again");
    pump(exchange);
    bb_check(run, exchange->net->stats.received > before, "and received");
}

static void check_filter(struct exchange *exchange)
{
    struct conformance *run = exchange->run;
    struct bb_net_filter filter = {.count = 1, .groups = {{1, 0, 0x5e, 0, 0, 1}}};
    int error = bb_net_set_filter(exchange->net, &filter);

    if (error == -ENOTSUP) {
        bb_skip(run, "it cannot filter");
        return;
    }
    bb_check(run, error == 0, "a group can be asked for");
    bb_check(run, find_peer(exchange), "its own frames still come");
    filter = (struct bb_net_filter){.promiscuous = true, .all_multicast = true};
    bb_check(run, bb_net_set_filter(exchange->net, &filter) == 0, "so can everything");
    bb_check(run, find_peer(exchange), "which has its own frames in it");
    filter = (struct bb_net_filter){.count = 1, .groups = {{2}}};
    bb_check(run, bb_net_set_filter(exchange->net, &filter) == -EINVAL, "no station is a group");
    bb_check(run, bb_net_set_filter(exchange->net, &(struct bb_net_filter){0}) == 0, "nor nothing");
}

static void run_net(struct conformance *run, struct bb_face *face)
{
    struct bb_net *net = bb_container_of(face, struct bb_net, face);
    struct exchange exchange = {.client = {is_ready, has_changed, NULL}, .run = run, .net = net};

    check_fields(run, net);
    if (!bb_check(run, bb_buffer_pool(BUFFERS) == 0, "there is a pool"))
        return;
    unsigned before = bb_buffer_free();
    for (unsigned round = 0; round < 2; round++) {
        if (!bb_check(run, bb_net_open(net, &exchange.client) == 0, "it can be opened"))
            return;
        bb_check(run, bb_wait(link_is_up, &exchange, conformance_late(run)) == 0, "its link is up");
        if (bb_check(run, find_peer(&exchange), "a peer answers")) {
            check_refusals(&exchange);
            check_echoes(&exchange);
            check_batches(&exchange);
            check_arm(&exchange);
            check_filter(&exchange);
        }
        bb_check(run, !net->failed, "it still works");
        bb_net_close(net);
        bb_check(run, bb_buffer_free() == before, "closed, it has no buffer any more");
    }
}

const struct conformance_suite conformance_net = {"net", &bb_class_net, run_net};
