/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network device that a test plays: it gives frames to the stack and looks at what comes back.
 * Owns nothing but what the contract of <busbar/net.h> gives it, and checks that.
 */
#ifndef MODULES_TCPIP_TESTS_FAKE_NET_H
#define MODULES_TCPIP_TESTS_FAKE_NET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/arch.h>
#include <busbar/net.h>
#include <busbar/poll.h>
#include <tests/models/world.h>

#define FAKE_DEPTH 64
#define FAKE_LOG 128

struct fake_frame {
    unsigned length, parts;
    uint16_t flags, checksum_start, checksum_offset;
    uint8_t data[2048];
};

static struct fake {
    struct bb_net net;
    struct bb_device device;
    struct bb_node node;
    struct bb_buffer *ring[FAKE_DEPTH]; /* empty, to receive into */
    unsigned empty;
    struct bb_buffer *full[FAKE_DEPTH]; /* received, not yet taken */
    unsigned received;
    struct bb_buffer *sending[FAKE_DEPTH]; /* taken, not yet sent */
    unsigned taken;
    struct bb_buffer *sent[FAKE_DEPTH]; /* sent, not yet given back */
    unsigned done;
    struct fake_frame log[FAKE_LOG]; /* what was sent */
    unsigned logged;
    unsigned limit; /* frames it takes before it is full */
    bool hold;      /* what it takes, it keeps */
    bool started, armed;
    bool never_armed;                             /* arm() says that there is more, always */
    int error;                                    /* what send() answers */
    int refuses;                                  /* what start() answers */
    void (*peer)(const struct fake_frame *frame); /* sees what is sent; may answer */
    struct bb_net_filter filter;
    struct bb_work work;
} fake;

static inline void fake_check(bool well, const char *what)
{
    if (!well) {
        fprintf(stderr, "fake_net: %s\n", what);
        abort();
    }
}

static int fake_start(struct bb_net *net)
{
    (void)net;
    fake.started = !fake.refuses;
    return fake.refuses;
}

static void fake_put_all(struct bb_buffer **list, unsigned *count)
{
    for (unsigned i = 0; i < *count; i++)
        bb_buffer_put(list[i]);
    *count = 0;
}

static void fake_stop(struct bb_net *net)
{
    (void)net;
    fake.started = false;
    fake_put_all(fake.ring, &fake.empty);
    fake_put_all(fake.full, &fake.received);
    fake_put_all(fake.sending, &fake.taken);
    fake_put_all(fake.sent, &fake.done);
}

static void fake_note(const struct bb_buffer *frame)
{
    struct fake_frame *to = &fake.log[fake.logged % FAKE_LOG];
    *to = (struct fake_frame){.flags = frame->flags,
                              .parts = frame->parts,
                              .checksum_start = frame->checksum_start,
                              .checksum_offset = frame->checksum_offset};
    fake_check(bb_buffer_length(frame) <= sizeof to->data, "a frame is longer than the MTU");
    fake_check(bb_buffer_length(frame) >= BB_NET_HEADER, "a frame is shorter than its header");
    unsigned parts = 0;
    for (const struct bb_buffer *part = frame; part; part = part->more, parts++) {
        fake_check(part->parts == frame->parts - parts, "parts are counted wrong");
        memcpy(to->data + to->length, part->data, part->length);
        to->length += part->length;
    }
    fake_check(parts == frame->parts && parts <= BB_BUFFER_MAX_PARTS, "too many parts");
    fake.logged++;
    if (fake.peer)
        fake.peer(to);
}

static int fake_send(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                     unsigned count)
{
    unsigned n = 0;
    (void)net;
    fake_check(queue == 0, "no such queue");
    if (fake.error)
        return fake.error;
    for (; n < count && fake.started && fake.taken + fake.done < fake.limit; n++) {
        fake_note(frames[n]);
        fake.sending[fake.taken++] = frames[n];
    }
    for (unsigned i = 0; !fake.hold && i < fake.taken; i++)
        fake.sent[fake.done++] = fake.sending[i];
    if (!fake.hold)
        fake.taken = 0;
    return (int)n;
}

static int fake_take(struct bb_buffer **from, unsigned *there, struct bb_buffer **to,
                     unsigned limit)
{
    unsigned count = *there < limit ? *there : limit;
    memcpy(to, from, count * sizeof *to);
    memmove(from, from + count, (*there - count) * sizeof *from);
    *there -= count;
    return (int)count;
}

static int fake_sent(struct bb_net *net, unsigned queue, struct bb_buffer **frames, unsigned limit)
{
    (void)net, (void)queue;
    return fake.error ? fake.error : fake_take(fake.sent, &fake.done, frames, limit);
}

static int fake_receive(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                        unsigned limit)
{
    (void)net, (void)queue;
    return fake.error ? fake.error : fake_take(fake.full, &fake.received, frames, limit);
}

static int fake_refill(struct bb_net *net, unsigned queue, struct bb_buffer *const *buffers,
                       unsigned count)
{
    unsigned n = 0;
    (void)net, (void)queue;
    for (; n < count && fake.started && fake.empty < FAKE_DEPTH; n++) {
        fake_check(buffers[n]->parts == 1 && !buffers[n]->more && !buffers[n]->put,
                   "a buffer to receive into is no empty one of the pool");
        fake.ring[fake.empty++] = buffers[n];
    }
    return (int)n;
}

static bool fake_arm(struct bb_net *net, unsigned queue)
{
    (void)net, (void)queue;
    if (fake.never_armed || (fake.received && !fake.error))
        return true;
    fake.armed = true;
    return false;
}

static int fake_set_filter(struct bb_net *net, const struct bb_net_filter *filter)
{
    (void)net;
    fake.filter = *filter;
    return 0;
}

static const struct bb_net_ops fake_ops = {
    .start = fake_start,
    .stop = fake_stop,
    .send = fake_send,
    .sent = fake_sent,
    .receive = fake_receive,
    .refill = fake_refill,
    .arm = fake_arm,
    .set_filter = fake_set_filter,
};

static void fake_work(struct bb_work *work)
{
    (void)work;
    bb_net_ready(&fake.net, 0);
}

static inline void fake_begin(unsigned features)
{
    static const struct bb_driver driver = {.name = "net/fake"};
    fake = (struct fake){
        .net = {.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
                .mtu = 1500,
                .queues = 1,
                .depth = FAKE_DEPTH,
                .features = (uint16_t)features,
                .link_up = true,
                .link_told = true},
        .device = {.node = &fake.node, .driver = &driver, .name = "net0"},
        .limit = FAKE_DEPTH,
        .work = {.run = fake_work},
    };
    fake.net.face =
        (struct bb_face){.class = &bb_class_net, .device = &fake.device, .ops = &fake_ops};
}

/* A frame comes in: false when the ring has no room, so that it is lost. */
static inline bool fake_give(const void *data, unsigned length, uint16_t flags)
{
    if (!fake.empty || fake.received == FAKE_DEPTH || length > BB_BUFFER_SIZE)
        return false;
    struct bb_buffer *buffer = fake.ring[--fake.empty];
    buffer->data = bb_buffer_memory(buffer) + BB_BUFFER_HEADROOM;
    memcpy(buffer->data, data, length);
    buffer->length = length;
    buffer->flags = flags;
    fake.full[fake.received++] = buffer;
    if (fake.armed) {
        fake.armed = false;
        bb_work_queue(&fake.work);
    }
    return true;
}

/* Runs what is due, for so long. */
static inline void fake_run(uint64_t ns)
{
    uint64_t end = world_now() + ns, step = ns > BB_SEC ? 50 * BB_MSEC : 5 * BB_MSEC;
    for (;;) {
        for (unsigned i = 0; bb_poll(); i++)
            fake_check(i < 10000, "it never comes to rest");
        uint64_t now = world_now();
        if (now >= end)
            return;
        world_advance(end - now < step ? end - now : step);
    }
}

#endif
