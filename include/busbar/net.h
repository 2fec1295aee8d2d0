/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network devices: Ethernet frames in batches, without a copy. A device is used by one client at a
 * time (a protocol stack, a bridge, a test), which opens it.
 *
 *     error = bb_net_open(net, &client);
 *     ...
 *     count = bb_net_receive(net, 0, frames, 32);      // each frame is the caller's now
 *     ...
 *     bb_net_refill(net, 0, empty, count);             // and as many buffers the device's
 *
 * To wait without losing a wake-up, arm and then look again:
 *
 *     do
 *         while ((count = bb_net_receive(net, 0, frames, 32)) > 0)
 *             handle(frames, count);
 *     while (bb_net_arm(net, 0));                      // false: client->ready() tells of more
 *
 * A frame is destination (6 bytes), source (6), type (2) and payload, without the check sequence:
 * 14 to mtu + 14 bytes; the device pads short ones. Devices get the names net0, net1 ... in binding
 * order, unless the tree has an alias.
 *
 * Thread context, and one core at a time for a whole device and the pool of buffers: the state of a
 * queue is apart from every other's, but the device's counters and the pool are plain memory.
 */
#ifndef BUSBAR_NET_H
#define BUSBAR_NET_H

#include <busbar/bind.h>
#include <busbar/buffer.h>
#include <busbar/device.h>
#include <busbar/name.h>
#include <busbar/poll.h>
#include <busbar/store.h>

#define BB_MAC_SIZE 6
#define BB_NET_HEADER 14 /* bytes before the payload */
#define BB_NET_MIN_MTU 68
#define BB_NET_MAX_MTU 9000
#define BB_NET_MULTICAST 16 /* groups that a filter may name */

struct bb_net;

struct bb_net_client {
    /* An armed queue has frames to receive, or has sent some. */
    void (*ready)(struct bb_net_client *client, unsigned queue);
    /* The link came or went (see net->link_up), or the device failed or was removed (net->failed).
     */
    void (*changed)(struct bb_net_client *client);
    void *context;
};

struct bb_net_filter {
    bool promiscuous;   /* every frame */
    bool all_multicast; /* every multicast frame */
    uint8_t count;      /* groups that follow; broadcast and the own address always come */
    uint8_t groups[BB_NET_MULTICAST][BB_MAC_SIZE];
};

enum {                             /* bb_net.features */
       BB_NET_SENDS_CHECKSUM = 1,  /* takes BB_BUFFER_CHECKSUM_NEEDED */
       BB_NET_CHECKS_CHECKSUM = 2, /* may give BB_BUFFER_CHECKSUM_GOOD */
       BB_NET_TELLS_LINK = 4,      /* else link_up is always true */
};

struct bb_net_stats {
    uint64_t sent, sent_bytes; /* frames, bytes of them */
    uint64_t received, received_bytes;
    uint64_t dropped; /* received and lost for want of buffers, where known */
    uint64_t errors;  /* frames that were malformed or not sent */
};

struct bb_net {
    struct bb_face face;
    /* Set by the driver in probe; read by everyone. */
    uint8_t mac[BB_MAC_SIZE];
    uint16_t mtu;      /* payload bytes: BB_NET_MIN_MTU to BB_NET_MAX_MTU */
    uint16_t queues;   /* pairs of a sending and a receiving queue; not 0 */
    uint16_t depth;    /* frames that one receiving queue holds; it is kept full */
    uint16_t features; /* BB_NET_SENDS_CHECKSUM and so on */
    bool link_up;
    bool failed; /* for good: every call answers -EIO, or -ENODEV when it was removed */
    /* For the driver to count, once for a batch; the rest is the subsystem's. */
    struct bb_net_stats stats;
    struct bb_net_client *client; /* who has it open, or NULL */
    struct bb_value values[6], link_value;
    struct bb_work changed_work;
    struct bb_name name; /* "net0", where it is not the tree's */
    bool link_told;      /* what the log said last */
};

struct bb_net_ops {
    /* Begins: queues empty, filter as after reset (own address and broadcast). */
    int (*start)(struct bb_net *net);
    /* Ends: no frame moves any more, and every buffer that the device had has gone back by
     * bb_buffer_put(). After it, until the next start(), send() and refill() take nothing. */
    void (*stop)(struct bb_net *net);
    /* Takes frames from the front of `frames`, at most `count`; they are the device's until sent()
     * gives them back. Returns how many, 0 when the queue is full; where the very first cannot be
     * taken at all, -EINVAL (too short, too long, too many parts, a checksum outside of it, or no
     * such queue), -EIO or -ENODEV. A wrong one further on ends the batch before it. */
    int (*send)(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                unsigned count);
    /* Gives back up to `limit` frames that were sent. Returns how many, or a negative errno. */
    int (*sent)(struct bb_net *net, unsigned queue, struct bb_buffer **frames, unsigned limit);
    /* Gives up to `limit` received frames. Returns how many, or a negative errno value. */
    int (*receive)(struct bb_net *net, unsigned queue, struct bb_buffer **frames, unsigned limit);
    /* Takes empty buffers of the pool to receive into, one part each, wherever their `data` is.
     * Returns how many fitted, or a negative errno value. */
    int (*refill)(struct bb_net *net, unsigned queue, struct bb_buffer *const *buffers,
                  unsigned count);
    /* Asks for an interrupt when this queue receives a frame and, where send() found it full, when
     * it has sent some; client->ready() then runs once, in bb_poll(). True when there is one
     * already: then no interrupt comes. False, and none comes either, once the device failed or was
     * removed, and for a queue that is not there. */
    bool (*arm)(struct bb_net *net, unsigned queue);
    /* NULL: cannot; the device then passes every frame. */
    int (*set_filter)(struct bb_net *net, const struct bb_net_filter *filter);
};

BB_CLASS_FINDERS(net)

#ifndef BB_BOUND_NET
#define BB_BOUND_NET (*(const struct bb_net_ops *)net->face.ops)
#endif

static inline int bb_net_send(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                              unsigned count)
{
    return BB_BOUND_NET.send(net, queue, frames, count);
}
static inline int bb_net_sent(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                              unsigned limit)
{
    return BB_BOUND_NET.sent(net, queue, frames, limit);
}
static inline int bb_net_receive(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                                 unsigned limit)
{
    return BB_BOUND_NET.receive(net, queue, frames, limit);
}
static inline int bb_net_refill(struct bb_net *net, unsigned queue,
                                struct bb_buffer *const *buffers, unsigned count)
{
    return BB_BOUND_NET.refill(net, queue, buffers, count);
}
static inline bool bb_net_arm(struct bb_net *net, unsigned queue)
{
    return BB_BOUND_NET.arm(net, queue);
}
/* -EINVAL: more groups than BB_NET_MULTICAST, or an address that is no group's. -ENOTSUP: it cannot
 * filter, and passes every frame. */
int bb_net_set_filter(struct bb_net *net, const struct bb_net_filter *filter);

/* Starts the device for this client and fills its receiving queues, with at most half of what the
 * pool has: the rest is for sending. -EBUSY when it is open, -ENOMEM without a buffer, -EIO when it
 * failed for good, -ENODEV. The handle holds until bb_net_close(), also beyond removal. */
int bb_net_open(struct bb_net *net, struct bb_net_client *client);
/* Stops it; what the device had goes back to the pool. Does nothing when it is not open. */
void bb_net_close(struct bb_net *net);

/* Told of every device that comes after bb_net_watch(): plugged in, or bound late. Belongs to the
 * caller. It is told inside the device's probe: it remembers, and opens it from work of its own, if
 * it is still there then. */
struct bb_net_watch {
    void (*came)(struct bb_net_watch *watch, struct bb_net *net);
    struct bb_net_watch *next;
};
void bb_net_watch(struct bb_net_watch *watch);
void bb_net_unwatch(struct bb_net_watch *watch);

/* "52:54:00:12:34:56" */
#define BB_MAC_TEXT 18
void bb_mac_format(const uint8_t mac[BB_MAC_SIZE], char text[BB_MAC_TEXT]);
/* -EINVAL unless the whole text is an address: six pairs of digits with `:` in between. */
int bb_mac_parse(const char *text, uint8_t mac[BB_MAC_SIZE]);
/* Whether an address can be a station's own: no group's, and not all zeros. */
static inline bool bb_mac_is_station(const uint8_t mac[BB_MAC_SIZE])
{
    return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/* ---- For drivers ---- */

/* The address to begin with: the driver's parameter `<chip>.mac`; what `mac` holds already, where
 * that is a station's (from the hardware itself; else zeros); the node's local-mac-address or
 * mac-address; else a locally administered one made from randomness. Always 0. */
int bb_net_default_mac(struct bb_device *device, uint8_t mac[BB_MAC_SIZE]);
/* An armed queue has something. Thread context. */
void bb_net_ready(struct bb_net *net, unsigned queue);
/* The link came or went. Every context; the client hears of it in bb_poll(). */
void bb_net_link(struct bb_net *net, bool up);
/* The device is beyond help: notes why in its node's reason, tells the client in bb_poll(). `why`
 * must stay valid. Thread context. */
void bb_net_failed(struct bb_net *net, const char *why, int error);

#endif
