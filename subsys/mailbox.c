/* SPDX-License-Identifier: BSD-2-Clause */
/* Mailboxes: which one, and which channel of it, a device speaks over. */
#include <busbar/mailbox.h>

static struct bb_face_list mailboxes;

static int removed_send(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                        uint64_t timeout)
{
    (void)mailbox, (void)channel, (void)value, (void)timeout;
    return -ENODEV;
}

static int removed_receive(struct bb_mailbox *mailbox, uint32_t channel, uint32_t *value)
{
    (void)mailbox, (void)channel, (void)value;
    return -ENODEV;
}

static int removed_call(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                        uint64_t timeout, uint32_t *reply)
{
    (void)mailbox, (void)channel, (void)value, (void)timeout, (void)reply;
    return -ENODEV;
}

static const struct bb_mailbox_ops removed = {
    .send = removed_send,
    .receive = removed_receive,
    .call = removed_call,
};

const struct bb_class bb_class_mailbox = {
    .name = "mailbox",
    .property = "mboxes",
    .cells = "#mbox-cells",
    .removed = &removed,
    .list = &mailboxes,
};

static void release(struct bb_resource *resource)
{
    bb_container_of(resource, struct bb_mailbox_channel, resource)->mailbox = NULL;
}

int bb_mailbox_get(struct bb_device *device, size_t index, struct bb_mailbox_channel *channel)
{
    struct bb_face *face;
    struct bb_phandle_args args;
    int error = bb_provider(device, &bb_class_mailbox, index, &face, &args);
    if (error)
        return error;
    *channel = (struct bb_mailbox_channel){
        .mailbox = bb_container_of(face, struct bb_mailbox, face),
        .cell = args.count > 0 ? args.cells[0] : 0,
    };
    return bb_acquire(device, &channel->resource, "mailbox", release);
}
