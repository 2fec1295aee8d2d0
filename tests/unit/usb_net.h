/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network functions behind the software host: what the tests of their drivers share. A test makes
 * its model, calls network_start(), and finds its device as `network.net`.
 */
#ifndef TESTS_UNIT_USB_NET_H
#define TESTS_UNIT_USB_NET_H

#include <string.h>

#include <busbar/net.h>
#include <busbar/poll.h>
#include <busbar/usb.h>

#include <tests/conformance/conformance.h>
#include <tests/models/boards.h>
#include <tests/models/usb_network.h>
#include <tests/models/usb_soft_host.h>

#include "harness.h"

#define NETWORK_POOL 128

static struct network_user {
    struct bb_net *net;
    struct bb_net_client client;
    unsigned ready, changed;
    unsigned received, sent;
    struct network_frame last; /* received */
    uint16_t flags;            /* of that */
} network;

static inline void network_ready(struct bb_net_client *client, unsigned queue)
{
    (void)client, (void)queue;
    network.ready++;
}

static inline void network_changed(struct bb_net_client *client)
{
    (void)client;
    network.changed++;
}

static bool network_is_there(void *context)
{
    (void)context;
    network.net = bb_net_first();
    return network.net;
}

/* Boots with the device in a root port; false: its driver does not run. */
static inline bool network_start(struct usb_model *device)
{
    network = (struct network_user){.client = {.ready = network_ready, .changed = network_changed}};
    soft_host_prepare(1);
    usb_plug(&soft_host.sockets[0], device);
    boot(NULL);
    (void)bb_buffer_pool(NETWORK_POOL);
    (void)bb_wait(network_is_there, NULL, 3 * BB_SEC);
    return network.net;
}

static inline void network_open(void)
{
    assert_int_equal(bb_net_open(network.net, &network.client), 0);
    bb_sleep(20 * BB_MSEC); /* its filter is set */
}

/* After which each buffer is back. */
static inline void network_close(void)
{
    bb_net_close(network.net);
    assert_int_equal(bb_buffer_free(), NETWORK_POOL);
}

/* Takes all that has come, gives as many buffers back. */
static inline void network_take(void)
{
    struct bb_buffer *frames[16];
    int count;
    while ((count = bb_net_sent(network.net, 0, frames, 16)) > 0)
        for (int i = 0; i < count; i++, network.sent++)
            bb_buffer_put(frames[i]);
    while ((count = bb_net_receive(network.net, 0, frames, 16)) > 0) {
        for (int i = 0; i < count; i++, network.received++) {
            network.last.length = bb_buffer_length(frames[i]);
            network.flags = frames[i]->flags;
            memcpy(network.last.data, frames[i]->data, frames[i]->length);
            if (bb_net_refill(network.net, 0, &frames[i], 1) != 1)
                bb_buffer_put(frames[i]);
        }
    }
}

static inline void network_run(uint64_t ns)
{
    uint64_t end = bb_time() + ns;
    while (bb_time() < end) {
        bb_sleep(BB_MSEC);
        network_take();
    }
}

static inline void network_fill(uint8_t *frame, uint32_t length, unsigned seed)
{
    static const uint8_t header[14] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 2,
                                       0,    0,    0, 0,    2,    0x88, 0xb5};
    for (uint32_t i = 0; i < length; i++)
        frame[i] = i < sizeof header ? header[i] : (uint8_t)(seed + i * 7 + (i >> 8));
}

/* Sends a frame of this length at an address that leaves `skew` over 64. */
static inline int network_send(uint32_t length, unsigned skew, unsigned seed)
{
    struct bb_buffer *frame = bb_buffer_get();
    assert_non_null(frame);
    frame->data += skew;
    frame->length = length;
    network_fill(frame->data, length, seed);
    int sent = bb_net_send(network.net, 0, &frame, 1);
    if (sent != 1)
        bb_buffer_put(frame);
    return sent;
}

static inline void network_conforms(const char *name)
{
    struct conformance run = {.suite = "net", .device = name, .late = 100 * BB_MSEC};
    conformance_net.run(&run, &network.net->face);
    if (run.failed)
        fail_msg("%s: %u passed, %u failed, %u skipped", name, run.passed, run.failed, run.skipped);
}

#endif
