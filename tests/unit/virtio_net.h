/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of net/virtio_net share: its device, opened; frames out and in; how it fails. */
#ifndef TESTS_UNIT_VIRTIO_NET_H
#define TESTS_UNIT_VIRTIO_NET_H

#include "harness.h"

#include <string.h>

#include <busbar/log.h>
#include <busbar/net.h>
#include <busbar/poll.h>
#include <busbar/rtc.h>
#include <core/core.h>

#include <tests/models/boards.h>
#include <tests/models/virtio_nic.h>

#define UNUSED __attribute__((unused))

#define NIC VIRT_VIRTIO(0) "/network"

enum { BUFFERS = 400 };

static struct model_nic nic;
static struct bb_net *net;
static unsigned ready, changed;

static UNUSED void count_ready(struct bb_net_client *client, unsigned queue)
{
    (void)client, (void)queue;
    ready++;
}

static UNUSED void count_changed(struct bb_net_client *client)
{
    (void)client;
    changed++;
}

static struct bb_net_client client = {count_ready, count_changed, NULL};

static UNUSED void prepare(bool legacy, uint64_t features)
{
    virt_prepare(NULL);
    nic.device.legacy = legacy;
    nic.device.features = features;
    model_nic_attach(&nic, 0);
}

static UNUSED void start(const char *command_line)
{
    boot(command_line);
    net = face_at(net, NIC);
    assert_int_equal(bb_buffer_pool(BUFFERS), 0);
}

static UNUSED void open_nic(bool legacy, uint64_t features)
{
    prepare(legacy, features);
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
}

/* All buffers are back, whatever happened. */
static UNUSED void close_nic(void)
{
    bb_net_close(net);
    assert_int_equal(bb_buffer_free(), BUFFERS);
}

static UNUSED struct bb_buffer *new_frame(uint32_t length)
{
    struct bb_buffer *frame = bb_buffer_get();
    assert_non_null(frame);
    memset(frame->data, 0x5a, length);
    frame->length = length;
    return frame;
}

static UNUSED void put_sent(unsigned count)
{
    struct bb_buffer *frames[64];
    assert_int_equal(bb_net_sent(net, 0, frames, 64), count);
    for (unsigned i = 0; i < count; i++)
        bb_buffer_put(frames[i]);
}

static UNUSED void send_one(uint32_t length)
{
    struct bb_buffer *frame = new_frame(length);
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    put_sent(1);
}

/* A frame comes, is received as it was, and its buffers go back. */
static UNUSED void receive_one(uint32_t length, unsigned parts)
{
    static uint8_t bytes[9100];
    struct bb_buffer *frame, *more;
    uint32_t at = 0;
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 3 + i / 256);
    assert_true(model_nic_receive(&nic, 0, bytes, length));
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), 1);
    assert_int_equal(bb_buffer_length(frame), length);
    assert_int_equal(frame->parts, parts);
    for (; frame; frame = more) {
        more = frame->more;
        assert_int_equal(frame->parts, parts--);
        assert_memory_equal(frame->data, bytes + at, frame->length);
        at += frame->length;
        frame->more = NULL;
        assert_int_equal(bb_net_refill(net, 0, &frame, 1), 1);
    }
}

#define WITHOUT(...) (NIC_USUAL & ~(VIRTIO_BIT(__VA_ARGS__)))

static UNUSED void must_have_failed(const char *why)
{
    struct bb_buffer *frame = new_frame(60), *none;
    char reason[200];
    assert_true(net->failed);
    bb_node_reason(net->face.device->node, reason, sizeof reason);
    if (!strstr(reason, why))
        fail_msg("\"%s\" is not in \"%s\"", why, reason);
    assert_int_equal(nic.device.status, 0);
    assert_int_equal(bb_net_send(net, 0, &frame, 1), -EIO);
    assert_int_equal(bb_net_refill(net, 0, &frame, 1), -EIO);
    assert_int_equal(bb_net_receive(net, 0, &none, 1), -EIO);
    assert_int_equal(bb_net_sent(net, 0, &none, 1), -EIO);
    assert_false(bb_net_arm(net, 0));
    bb_buffer_put(frame);
    bb_poll();
    assert_int_equal(changed, 1);
    close_nic();
    assert_int_equal(bb_net_open(net, &client), -EIO);
    int64_t now; /* the rest goes on */
    assert_int_equal(bb_rtc_get_time(face_at(rtc, VIRT_PL031), &now), 0);
}

#endif
