/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mailboxes: words to and from another processor, on numbered channels. And the mailbox bus:
 * devices that are reached through one, the Raspberry Pi's firmware services first (see
 * firmware.h).
 */
#ifndef BUSBAR_MAILBOX_H
#define BUSBAR_MAILBOX_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/time.h>

struct bb_mailbox {
    struct bb_face face;
    uint32_t channels; /* the driver sets it: channels are 0 to channels - 1 */
};

struct bb_mailbox_ops {
    /* Sends one word. -EINVAL for a value that the hardware cannot carry, -ETIMEDOUT when it stayed
     * full for `timeout` ns. Thread context. */
    int (*send)(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value, uint64_t timeout);
    /* Takes one word for `channel`. -EAGAIN when there is none. Thread context. */
    int (*receive)(struct bb_mailbox *mailbox, uint32_t channel, uint32_t *value);
    /* Sends and waits for the reply on the same channel; replies to others are kept or counted,
     * never mistaken for it. Stale words on this channel are dropped first. */
    int (*call)(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value, uint64_t timeout,
                uint32_t *reply);
};

BB_CLASS_FINDERS(mailbox)

#ifndef BB_BOUND_MAILBOX
#define BB_BOUND_MAILBOX (*(const struct bb_mailbox_ops *)mailbox->face.ops)
#endif

static inline int bb_mailbox_send(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                                  uint64_t timeout)
{
    return BB_BOUND_MAILBOX.send(mailbox, channel, value, timeout);
}
static inline int bb_mailbox_receive(struct bb_mailbox *mailbox, uint32_t channel, uint32_t *value)
{
    return BB_BOUND_MAILBOX.receive(mailbox, channel, value);
}
static inline int bb_mailbox_call(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                                  uint64_t timeout, uint32_t *reply)
{
    return BB_BOUND_MAILBOX.call(mailbox, channel, value, timeout, reply);
}

/* Entry `index` of the device's mboxes: which mailbox, and which channel (the first cell, where the
 * mailbox has cells). Held until the device goes. */
struct bb_mailbox_channel {
    struct bb_resource resource;
    struct bb_mailbox *mailbox;
    uint32_t cell; /* 0 without cells */
};
int bb_mailbox_get(struct bb_device *device, size_t index, struct bb_mailbox_channel *channel);

/* The mailbox bus: claims children of a node that speaks over a mailbox (it has mboxes), and nodes
 * that name such a node as their `firmware`. */
extern const struct bb_bus bb_mailbox_bus;

#endif
