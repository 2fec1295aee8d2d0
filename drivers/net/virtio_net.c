/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio network device (Virtual I/O Device version 1.2, section 5.1; legacy interface included):
 * from the bus to the first frame, the control queue, the link. How frames go is in virtio_net.h.
 */
#include "virtio_net.h"

#include <busbar/log.h>

enum { /* features, by number */
       NET_CSUM = 0,
       NET_GUEST_CSUM = 1,
       NET_MTU = 3,
       NET_MAC = 5,
       NET_MRG_RXBUF = 15,
       NET_STATUS = 16,
       NET_CTRL_VQ = 17,
       NET_CTRL_RX = 18,
       NET_MQ = 22,
       NET_CTRL_MAC_ADDR = 23,
};
#define BIT(number) BB_VIRTIO_BIT(number)
#define WANTED                                                                                     \
    (BIT(NET_CSUM) | BIT(NET_GUEST_CSUM) | BIT(NET_MTU) | BIT(NET_MAC) | BIT(NET_MRG_RXBUF) |      \
     BIT(NET_STATUS) | BIT(NET_CTRL_VQ) | BIT(NET_CTRL_RX) | BIT(NET_MQ) |                         \
     BIT(NET_CTRL_MAC_ADDR) | BIT(BB_VIRTIO_ANY_LAYOUT))

enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_PAIRS = 8, CONFIG_MTU = 10 };
enum { STATUS_LINK_UP = 1 };

enum { /* control commands: class << 8 | command */
       RX_PROMISC = 0x000,
       RX_ALLMULTI = 0x001,
       MAC_TABLE_SET = 0x100,
       MAC_ADDR_SET = 0x101,
       VQ_PAIRS_SET = 0x400,
       ACK_OK = 0,
};

enum {
    FITS = BB_BUFFER_SIZE - BB_NET_HEADER,
    MOST_PAIRS = 0x8000,     /* that the specification allows */
    CONTROL_PATIENCE = 1000, /* ms */
};

/* ---- Receiving what is not plain ---- */

/* Puts a frame that nobody shall see back where it came from. */
static void drop(struct virtio_net *chip, struct queue *queue, struct bb_buffer *frame)
{
    chip->net.stats.errors++;
    while (frame) {
        struct bb_buffer *more = frame->more;
        frame->more = NULL;
        frame->flags = 0;
        if (virtio_net_refill(&chip->net, (unsigned)(queue - chip->queues), &frame, 1) != 1)
            bb_buffer_put(frame);
        frame = more;
    }
}

/* Makes a frame of a buffer with its header, and of those that belong to it. `length`: as the
 * device says, header included. NULL: dropped, or the device failed. */
static BB_NOINLINE struct bb_buffer *receive_parts(struct virtio_net *chip, struct queue *queue,
                                                   struct bb_buffer *frame, uint32_t length)
{
    struct bb_ring *ring = &queue->receive;
    uint32_t header_size = queue->header, total = length - header_size;
    struct bb_buffer *last = frame;
    struct header header = {.buffers = 1};
    unsigned count = 1;
    frame->data = bb_buffer_memory(frame) + BB_BUFFER_HEADROOM;
    frame->shape = BB_BUFFER_SHAPE(total);
    frame->more = NULL;
    if (length < header_size || total > BB_BUFFER_SIZE) {
        bb_ring_bad(ring, "a frame's length beyond its buffer, or shorter than its header");
    } else {
        memcpy(&header, frame->data - header_size, header_size);
        if (!queue->merges)
            header.buffers = 1; /* whatever is written there */
        if (!header.buffers)
            bb_ring_bad(ring, "a frame of no buffers");
        if (header.gso_type)
            bb_ring_bad(ring, "a frame to be segmented, which was not asked for");
    }
    for (; !ring->broken && count < header.buffers; count++) {
        struct bb_buffer *part = take_any(ring, queue->posted_receive, &length);
        if (!part || length > header_size + BB_BUFFER_SIZE) {
            bb_ring_bad(ring, "a frame of more buffers than there are");
            if (part)
                bb_buffer_put(part);
            break;
        }
        part->data = bb_buffer_memory(part) + BB_BUFFER_HEADROOM - header_size;
        part->shape = BB_BUFFER_SHAPE(length);
        part->more = NULL;
        last = last->more = part;
        total += length;
    }
    if (ring->broken) {
        bb_buffer_put(frame);
        return NULL;
    }
    for (struct bb_buffer *part = frame; part; part = part->more)
        part->parts = (uint16_t)count--;
    bool checked = chip->net.features & BB_NET_CHECKS_CHECKSUM;
    if (total < BB_NET_HEADER || total - BB_NET_HEADER > queue->most ||
        frame->parts > BB_BUFFER_MAX_PARTS || !last->length ||
        ((header.flags & NEEDS_CSUM) &&
         (!checked || (uint32_t)header.checksum_start + header.checksum_offset + 2 > total))) {
        drop(chip, queue, frame);
        return NULL;
    }
    if (checked && (header.flags & (NEEDS_CSUM | DATA_VALID)))
        frame->flags = BB_BUFFER_CHECKSUM_GOOD;
    if (header.flags & NEEDS_CSUM) { /* never was on a wire; to be summed if it goes out again */
        frame->flags |= BB_BUFFER_CHECKSUM_NEEDED;
        frame->checksum_start = header.checksum_start;
        frame->checksum_offset = header.checksum_offset;
    }
    chip->net.stats.received++;
    chip->net.stats.received_bytes += total;
    return frame;
}

/* After `done` frames: any frame, from any ring. */
static BB_NOINLINE int receive_rest(struct virtio_net *chip, struct queue *queue,
                                    struct bb_buffer **frames, unsigned limit, unsigned done)
{
    struct bb_ring *ring = &queue->receive;
    /* A frame that is dropped is posted again: bounded, however fast bad ones come. */
    for (unsigned tries = 0; queue->open && done < limit && tries < RING; tries++) {
        unsigned more = 0;
        uint32_t length;
        if (queue->plain_receive && ring->kind == BB_RING_SPLIT)
            more = receive_plain(chip, queue, frames + done, limit - done, BB_RING_SPLIT);
        else if (queue->plain_receive && ring->kind == BB_RING_PACKED)
            more = receive_plain(chip, queue, frames + done, limit - done, BB_RING_PACKED);
        done += more;
        if (more)
            continue;
        struct bb_buffer *frame = take_any(ring, queue->posted_receive, &length);
        if (!frame)
            break;
        frames[done] = receive_parts(chip, queue, frame, length);
        done += frames[done] != NULL;
    }
    return done ? (int)done : why_nothing(chip, queue, ring);
}

static int virtio_net_receive(struct bb_net *net, unsigned number, struct bb_buffer **frames,
                              unsigned limit)
{
    struct virtio_net *chip = of(net);
    if (number >= net->queues)
        return -EINVAL;
    struct queue *queue = &chip->queues[number];
    unsigned done = 0;
    if (queue->plain_receive && queue->receive.kind == BB_RING_SPLIT)
        done = receive_plain(chip, queue, frames, limit, BB_RING_SPLIT);
    return done == limit ? (int)done : receive_rest(chip, queue, frames, limit, done);
}

static void set_open(struct virtio_net *chip, bool open)
{
    for (unsigned i = 0; i < chip->net.queues; i++) {
        struct queue *queue = &chip->queues[i];
        queue->open = open;
        queue->plain_send = open && !queue->posted_send;
        queue->plain_refill = open && !queue->posted_receive;
        queue->plain_receive = queue->plain_refill && queue->merges;
        queue->armed = queue->full = false;
    }
}

/* ---- Waiting ---- */

static bool virtio_net_arm(struct bb_net *net, unsigned number)
{
    struct virtio_net *chip = of(net);
    if (number >= net->queues || net->failed || !chip->queues[number].open)
        return false;
    struct queue *queue = &chip->queues[number];
    queue->armed = !bb_ring_arm(&queue->receive);
    if (queue->armed && queue->full)
        queue->armed = !bb_ring_arm(&queue->send);
    return !queue->armed;
}

static void virtio_net_used(struct bb_virtio_client *client)
{
    bb_work_queue(&bb_container_of(client, struct virtio_net, client)->work);
}

static void virtio_net_changed(struct bb_virtio_client *client)
{
    struct virtio_net *chip = bb_container_of(client, struct virtio_net, client);
    __atomic_store_n(&chip->config_changed, true, __ATOMIC_RELAXED);
    bb_work_queue(&chip->work);
}

static void virtio_net_failed(struct bb_virtio_client *client, int error)
{
    struct virtio_net *chip = bb_container_of(client, struct virtio_net, client);
    set_open(chip, false);
    bb_net_failed(&chip->net, "the device failed", error);
}

static int read_link(struct virtio_net *chip, bool *up)
{
    uint16_t status = STATUS_LINK_UP;
    int error = 0;
    if (bb_virtio_has(chip->virtio, NET_STATUS))
        error = bb_virtio_config_u16(chip->virtio, CONFIG_STATUS, &status);
    *up = status & STATUS_LINK_UP;
    return error;
}

/* After an interrupt: the link, and clients of queues that have something. */
static void run_work(struct bb_work *work)
{
    struct virtio_net *chip = bb_container_of(work, struct virtio_net, work);
    if (chip->net.failed)
        return;
    if (__atomic_exchange_n(&chip->config_changed, false, __ATOMIC_RELAXED)) {
        bool up;
        int error = read_link(chip, &up);
        if (error)
            (void)bb_virtio_fail(chip->virtio, "its configuration never comes to rest", error);
        else
            bb_net_link(&chip->net, up);
    }
    for (unsigned i = 0; i < chip->net.queues; i++) {
        struct queue *queue = &chip->queues[i];
        if (!queue->armed ||
            !(bb_ring_pending(&queue->receive) || (queue->full && bb_ring_pending(&queue->send))))
            continue;
        queue->armed = false;
        bb_ring_disarm(&queue->receive);
        bb_ring_disarm(&queue->send);
        bb_net_ready(&chip->net, i);
    }
}

/* ---- Control ---- */

static bool has_command(const struct virtio_net *chip, unsigned feature)
{
    return bb_virtio_has(chip->virtio, NET_CTRL_VQ) && bb_virtio_has(chip->virtio, feature);
}

/* Does one command with `size` bytes of chip->command. -EIO: the device refuses. */
static int control(struct virtio_net *chip, unsigned what, size_t size)
{
    struct command *command = &chip->command;
    command->class = (uint8_t)(what >> 8);
    command->command = (uint8_t)what;
    command->ack = 0xff;
    struct bb_ring_part parts[] = {
        {&command->class, 2}, {&command->on, (uint32_t)size}, {&command->ack, 1}};
    if (!bb_ring_post(&chip->control, parts, 2, 1, command))
        return -EIO;
    bb_ring_kick(&chip->control);
    uint64_t start = bb_time();
    while (!bb_ring_take(&chip->control, NULL)) {
        if (chip->control.broken)
            return bb_virtio_fail(chip->virtio, chip->control.broken, -EIO);
        if (bb_time() - start > CONTROL_PATIENCE * BB_MSEC)
            return bb_virtio_fail(chip->virtio, "no answer to a control command", -ETIMEDOUT);
        bb_delay(10 * BB_USEC);
    }
    return command->ack == ACK_OK ? 0 : -EIO;
}

static int control_on(struct virtio_net *chip, unsigned what, bool on)
{
    chip->command.on = on;
    return control(chip, what, 1);
}

static int set_groups(struct virtio_net *chip, const struct bb_net_filter *filter)
{
    chip->command.table.stations = 0;
    chip->command.table.count = filter->count;
    memcpy(chip->command.table.groups, filter->groups, sizeof filter->groups);
    return control(chip, MAC_TABLE_SET, 8 + (size_t)filter->count * BB_MAC_SIZE);
}

/* It has another address than the device can be told of. */
static bool must_pass_all(const struct virtio_net *chip)
{
    return chip->other_mac && !chip->virtio->legacy && !has_command(chip, NET_CTRL_MAC_ADDR);
}

/* What the device cannot sort out by itself it passes: a client gets too much rather than too
 * little. */
static int virtio_net_set_filter(struct bb_net *net, const struct bb_net_filter *filter)
{
    struct virtio_net *chip = of(net);
    if (net->failed)
        return -EIO;
    if (!has_command(chip, NET_CTRL_RX))
        return -ENOTSUP;
    chip->filter = *filter;
    int error = set_groups(chip, filter);
    if (error && net->failed)
        return -EIO;
    error = control_on(chip, RX_ALLMULTI, filter->all_multicast || error);
    if (error)
        return error;
    return control_on(chip, RX_PROMISC, filter->promiscuous || must_pass_all(chip));
}

static int set_mac(struct virtio_net *chip)
{
    if (!chip->other_mac)
        return 0;
    memcpy(chip->command.mac, chip->net.mac, BB_MAC_SIZE);
    if (has_command(chip, NET_CTRL_MAC_ADDR))
        return control(chip, MAC_ADDR_SET, BB_MAC_SIZE);
    if (chip->virtio->legacy)
        return bb_virtio_config_write(chip->virtio, CONFIG_MAC, chip->net.mac, BB_MAC_SIZE);
    return 0;
}

/* ---- Start and stop ---- */

/* Tables for frames in parts: only who opens the device pays for them. */
static int make_tables(struct virtio_net *chip)
{
    for (unsigned i = 0; i < chip->net.queues; i++) {
        struct queue *queue = &chip->queues[i];
        if (queue->tables || queue->posted_send)
            continue;
        queue->tables = bb_device_alloc(&chip->device, queue->send.size * sizeof *queue->tables,
                                        sizeof(struct bb_ring_entry));
        if (!queue->tables)
            return -ENOMEM;
    }
    return 0;
}

/* Tells a device that was just reset what it has to know. */
static int set_going(struct virtio_net *chip, const struct bb_net_filter *filter)
{
    int error = 0;
    if (chip->net.queues > 1) {
        chip->command.pairs = chip->net.queues;
        error = control(chip, VQ_PAIRS_SET, 2);
    }
    if (!error)
        error = virtio_net_set_filter(&chip->net, filter);
    return !error || error == -ENOTSUP ? set_mac(chip) : error;
}

static int virtio_net_start(struct bb_net *net)
{
    static const struct bb_net_filter none;
    struct virtio_net *chip = of(net);
    int error = make_tables(chip);
    if (!error)
        error = set_going(chip, &none);
    if (!error)
        set_open(chip, true);
    return error;
}

static void give_back(struct bb_ring *ring)
{
    struct bb_buffer *frame;
    while ((frame = bb_ring_abandon(ring)))
        bb_buffer_put(frame);
}

/* Nobody else's any more: a device that was not reset may write there. */
static unsigned leave_behind(struct bb_ring *ring)
{
    unsigned count = 0;
    while (bb_ring_abandon(ring))
        count++;
    return count;
}

/* Only a reset takes buffers from a device. It is set going again at once, to tell of its link. */
static void virtio_net_stop(struct bb_net *net)
{
    struct virtio_net *chip = of(net);
    unsigned lost = 0;
    set_open(chip, false);
    (void)bb_virtio_stop(chip->virtio);
    for (unsigned i = 0; i < net->queues; i++) {
        if (chip->virtio->unreset)
            lost += leave_behind(&chip->queues[i].receive);
        else
            give_back(&chip->queues[i].receive);
        give_back(&chip->queues[i].send); /* is only read */
    }
    if (lost)
        bb_print(BB_WARNING, "%s: its reset never ended, it keeps %u buffers for good",
                 chip->device.name, lost);
    if (!net->failed && !chip->device.removed)
        (void)bb_virtio_restart(chip->virtio);
}

/* ---- A reset on demand ---- */

/* Puts what a ring held at the end of a list; returns the new end. */
static struct bb_buffer **set_aside(struct bb_ring *ring, struct bb_buffer **end)
{
    struct bb_buffer *frame;
    while ((frame = bb_ring_abandon(ring))) {
        frame->slot = ring->index;
        frame->next = NULL;
        *end = frame;
        end = &frame->next;
    }
    return end;
}

/* To the rings it was in; what they do not take goes back where it came from. */
static void give_again(struct bb_net *net, struct bb_buffer *list)
{
    while (list) {
        struct bb_buffer *frame = list;
        unsigned pair = frame->slot / 2;
        list = list->next;
        if ((frame->slot % 2 ? virtio_net_send : virtio_net_refill)(net, pair, &frame, 1) != 1)
            bb_buffer_put(frame);
    }
}

/* It goes on with the same filter and buffers. Frames to be sent are sent again, some of them
 * perhaps for the second time; what was received and not taken yet is lost: as on any network. */
static int virtio_net_needs_reset(struct bb_virtio_client *client)
{
    struct virtio_net *chip = bb_container_of(client, struct virtio_net, client);
    struct bb_net *net = &chip->net;
    struct bb_buffer *list = NULL, **end = &list;
    int error = bb_virtio_stop(chip->virtio);
    if (error)
        return error; /* the buffers are stop()'s matter */
    for (unsigned i = 0; i < net->queues; i++)
        end = set_aside(&chip->queues[i].send, set_aside(&chip->queues[i].receive, end));
    error = bb_virtio_restart(chip->virtio);
    if (!error && chip->queues[0].open && (error = set_going(chip, &chip->filter)))
        (void)bb_virtio_fail(chip->virtio, "refuses what it took before its reset", error);
    give_again(net, list);
    for (unsigned i = 0; i < net->queues; i++)
        if (chip->queues[i].armed && virtio_net_arm(net, i))
            bb_net_ready(net, i);
    virtio_net_changed(client); /* the link may have */
    return error;
}

/* ---- Probe ---- */

static int read_mac(struct virtio_net *chip)
{
    struct bb_net *net = &chip->net;
    uint8_t own[BB_MAC_SIZE] = {0};
    int error = 0;
    if (bb_virtio_has(chip->virtio, NET_MAC))
        error = bb_virtio_config(chip->virtio, CONFIG_MAC, own, sizeof own);
    if (error)
        return bb_fail(&chip->device, "mac", error);
    memcpy(net->mac, own, sizeof own);
    error = bb_net_default_mac(&chip->device, net->mac);
    chip->other_mac = memcmp(own, net->mac, sizeof own) != 0;
    return error;
}

/* A legacy device without ANY_LAYOUT wants the header in an entry of its own. */
static bool has_headers_apart(const struct virtio_net *chip)
{
    return !bb_virtio_has(chip->virtio, BB_VIRTIO_VERSION_1) &&
           !bb_virtio_has(chip->virtio, BB_VIRTIO_ANY_LAYOUT);
}

/* Whether a received frame may be in several buffers; else it has to fit one. */
static bool merges(const struct virtio_net *chip)
{
    return bb_virtio_has(chip->virtio, NET_MRG_RXBUF) && !has_headers_apart(chip);
}

static int read_mtu(struct virtio_net *chip)
{
    uint16_t mtu = 1500, most = merges(chip) ? BB_NET_MAX_MTU : BB_BUFFER_SIZE - BB_NET_HEADER;
    int error = 0;
    if (bb_virtio_has(chip->virtio, NET_MTU))
        error = bb_virtio_config_u16(chip->virtio, CONFIG_MTU, &mtu);
    if (error || mtu < BB_NET_MIN_MTU)
        return bb_fail(&chip->device, "mtu", error ? error : -EINVAL);
    chip->net.mtu = mtu < most ? mtu : most;
    return 0;
}

/* How many pairs the device has; chip->net.queues: how many are used. */
static int read_pairs(struct virtio_net *chip, uint16_t *pairs)
{
    int error = 0;
    *pairs = 1;
    if (has_command(chip, NET_MQ))
        error = bb_virtio_config_u16(chip->virtio, CONFIG_PAIRS, pairs);
    if (error || !*pairs || *pairs > MOST_PAIRS)
        return bb_fail(&chip->device, "max_virtqueue_pairs", error ? error : -EINVAL);
    uint32_t wanted = chip->pairs ? chip->pairs : 1;
    chip->net.queues = wanted < *pairs ? (uint16_t)wanted : *pairs;
    return 0;
}

static int make_queue(struct virtio_net *chip, unsigned index)
{
    const struct bb_virtio *virtio = chip->virtio;
    struct queue *queue = &chip->queues[index];
    bool modern = bb_virtio_has(virtio, BB_VIRTIO_VERSION_1);
    /* Rings with headers apart are posted to entry by entry, and so are those of a device without
     * indirect descriptors, which knows no tables. */
    bool apart = has_headers_apart(chip);
    queue->most = chip->net.mtu;
    queue->most_plain = queue->most < FITS ? queue->most : FITS;
    queue->header = modern || bb_virtio_has(virtio, NET_MRG_RXBUF)
                        ? sizeof(struct header)
                        : offsetof(struct header, buffers);
    queue->posted_receive = apart;
    queue->merges = merges(chip);
    queue->receive.parts = apart ? 2 : 1;
    queue->posted_send = apart || !bb_virtio_has(virtio, BB_VIRTIO_INDIRECT_DESC);
    queue->send.parts = queue->posted_send ? PARTS : 1;
    int error = bb_virtio_ring(chip->virtio, 2 * index, RING, &queue->receive);
    return error ? error : bb_virtio_ring(chip->virtio, 2 * index + 1, RING, &queue->send);
}

static int make_queues(struct virtio_net *chip, unsigned pairs)
{
    struct bb_net *net = &chip->net;
    int error = 0;
    chip->queues =
        bb_device_alloc(&chip->device, net->queues * sizeof *chip->queues, _Alignof(struct queue));
    if (!chip->queues)
        return -ENOMEM;
    for (unsigned i = 0; !error && i < net->queues; i++)
        error = make_queue(chip, i);
    chip->control.parts = 3;
    if (!error && bb_virtio_has(chip->virtio, NET_CTRL_VQ))
        error = bb_virtio_ring(chip->virtio, 2 * pairs, 16, &chip->control);
    net->depth = chip->queues[0].receive.room;
    return error;
}

static int virtio_net_probe(struct bb_device *device)
{
    struct virtio_net *chip = bb_container_of(device, struct virtio_net, device);
    uint16_t pairs = 1;
    chip->client = (struct bb_virtio_client){
        .used = virtio_net_used, .changed = virtio_net_changed, .failed = virtio_net_failed};
    chip->work.run = run_work;
    chip->work.device = device;
    int error = bb_virtio_open(device, WANTED, 0, &chip->client, &chip->virtio);
    if (!error)
        error = read_mac(chip);
    if (!error)
        error = read_mtu(chip);
    if (!error)
        error = read_pairs(chip, &pairs);
    if (!error)
        error = make_queues(chip, pairs);
    if (!error)
        error = bb_virtio_start(chip->virtio);
    if (error)
        return error;
    bool status = bb_virtio_has(chip->virtio, NET_STATUS);
    chip->net.features =
        (uint16_t)((bb_virtio_has(chip->virtio, NET_CSUM) ? BB_NET_SENDS_CHECKSUM : 0) |
                   (bb_virtio_has(chip->virtio, NET_GUEST_CSUM) ? BB_NET_CHECKS_CHECKSUM : 0) |
                   (status ? BB_NET_TELLS_LINK : 0));
    chip->client.needs_reset = virtio_net_needs_reset; /* before, it just fails */
    error = read_link(chip, &chip->net.link_up);
    return error ? bb_fail(device, "status", error) : 0;
}

const struct bb_net_ops bb_ops_net_virtio_net = {
    .start = virtio_net_start,
    .stop = virtio_net_stop,
    .send = virtio_net_send,
    .sent = virtio_net_sent,
    .receive = virtio_net_receive,
    .refill = virtio_net_refill,
    .arm = virtio_net_arm,
    .set_filter = virtio_net_set_filter,
};

BB_DRIVER(net, virtio_net, .bus = &bb_virtio_bus, .match = BB_MATCH({"virtio,device1"}),
          .params = BB_PARAMS({"queues", offsetof(struct virtio_net, pairs), BB_PARAM_U32}),
          .probe = virtio_net_probe);
