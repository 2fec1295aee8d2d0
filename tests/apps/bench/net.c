/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of 60 bytes, 32 at a time, to a peer that swallows them and from one that sends as many as
 * a frame asks for (tests/bench/peer.py). */
#include <string.h>

#include <busbar/net.h>

#include "bench.h"
#include "hand.h"

enum { LENGTH = 60, ROUNDS = 64, PAUSE = 200000 };
enum { ASK = 0xb5 }; /* local experimental ethertype 88b5: the peer answers with frames */
static const uint8_t own_mac[6] = {0x52, 0x54, 0, 0, 0, 1}, hand_mac[6] = {0x52, 0x54, 0, 1, 0, 2};

/* `ask`: how many frames the peer is to send back; 0: it swallows this one. */
static void fill(uint8_t *frame, const uint8_t *mac, uint8_t ask)
{
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    frame[12] = 0x88, frame[13] = ask ? ASK : 0xb6;
    frame[14] = ask;
    memset(frame + 15, 0, LENGTH - 15);
}

static int send_framework(struct bb_net *net, struct bb_buffer **frames, unsigned count,
                          uint64_t *cost)
{
    uint64_t begin = bench_begin();
    int taken = bb_net_send(net, 0, frames, count);
    *cost = bench_end(begin);
    if (taken != (int)count)
        return taken < 0 ? taken : -EIO;
    for (unsigned left = count; left > 0;) {
        bench_pause(PAUSE);
        begin = bench_begin();
        int back = bb_net_sent(net, 0, frames + count - left, left);
        uint64_t ticks = bench_end(begin);
        if (back < 0)
            return back;
        *cost += back > 0 ? ticks : 0;
        left -= (unsigned)back;
    }
    return 0;
}

static int receive_framework(struct bb_net *net, struct bench_costs *costs)
{
    struct bb_buffer *frames[BATCH], *ask = bb_buffer_get();
    uint64_t cost = 0, unused;
    if (!ask)
        return -ENOMEM;
    fill(ask->data, own_mac, BATCH);
    ask->length = LENGTH;
    int error = send_framework(net, &ask, 1, &unused);
    if (error)
        return error;
    bb_buffer_put(ask);
    for (unsigned left = BATCH; left > 0;) {
        bench_pause(10 * PAUSE);
        uint64_t begin = bench_begin();
        int count = bb_net_receive(net, 0, frames, left);
        int filled = count > 0 ? bb_net_refill(net, 0, frames, (unsigned)count) : 0;
        uint64_t ticks = bench_end(begin);
        if (count < 0 || filled != count)
            return -EIO;
        cost += count > 0 ? ticks : 0;
        left -= (unsigned)count;
    }
    bench_add(costs, cost);
    return 0;
}

static void send_hand(unsigned count, uint8_t ask, uint64_t *cost)
{
    uint32_t lengths[BATCH];
    for (unsigned i = 0; i < count; i++) {
        fill(hand_net_frame(i), hand_mac, ask);
        lengths[i] = LENGTH;
    }
    uint64_t begin = bench_begin();
    hand_net_send(lengths, count);
    *cost = bench_end(begin);
    for (unsigned left = count; left > 0;) {
        bench_pause(PAUSE);
        begin = bench_begin();
        unsigned back = hand_net_sent();
        uint64_t ticks = bench_end(begin);
        *cost += back > 0 ? ticks : 0;
        left -= back;
    }
}

static void receive_hand(struct bench_costs *costs)
{
    uint8_t *frames[BATCH];
    uint32_t lengths[BATCH];
    uint64_t cost = 0, unused;
    send_hand(1, BATCH, &unused);
    for (unsigned left = BATCH; left > 0;) {
        bench_pause(10 * PAUSE);
        uint64_t begin = bench_begin();
        unsigned count = hand_net_receive(frames, lengths, left);
        if (count > 0)
            hand_net_refill(count);
        uint64_t ticks = bench_end(begin);
        cost += count > 0 ? ticks : 0;
        left -= count;
    }
    bench_add(costs, cost);
}

static int compare(struct bb_net *net)
{
    static struct bench_costs framework = {.operations = BATCH}, hand = {.operations = BATCH};
    struct bb_buffer *frames[BATCH];
    uint64_t cost;
    for (unsigned i = 0; i < BATCH; i++) {
        frames[i] = bb_buffer_get();
        if (!frames[i])
            return -ENOMEM;
        fill(frames[i]->data, own_mac, 0);
        frames[i]->length = LENGTH;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        int error = send_framework(net, frames, BATCH, &cost);
        if (error)
            return error;
        bench_add(&framework, cost);
        send_hand(BATCH, 0, &cost);
        bench_add(&hand, cost);
    }
    bench_report("send", &framework, &hand);
    framework.count = hand.count = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        int error = receive_framework(net, &framework);
        if (error)
            return error;
        receive_hand(&hand);
    }
    bench_report("receive", &framework, &hand);
    for (unsigned i = 0; i < BATCH; i++)
        bb_buffer_put(frames[i]);
    return 0;
}

static void ignore(struct bb_net_client *client)
{
    (void)client;
}
static void ignore_queue(struct bb_net_client *client, unsigned queue)
{
    (void)client;
    (void)queue;
}

int bench_net(void)
{
    static struct bb_net_client client = {.ready = ignore_queue, .changed = ignore};
    struct bb_net *net = bb_net_first();
    while (net && memcmp(net->mac, own_mac, sizeof(own_mac)) != 0)
        net = bb_net_next(net);
    if (!net || !hand_net_begin(hand_mac))
        return -ENODEV;
    int error = bb_net_open(net, &client);
    if (!error) {
        error = compare(net);
        bb_net_close(net);
    }
    return error;
}
