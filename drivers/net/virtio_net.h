/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames of net/virtio_net. The device wants a header before each. It stands in the head room
 * of the frame's buffer, so that a frame is one entry of the ring; what is in several buffers goes
 * through a table of its slot.
 *
 * Plain frames, one buffer of the pool and nothing to say in the header, take the short path: loops
 * over a batch with the ring's state in registers. The rest goes one by one.
 */
#ifndef DRIVERS_NET_VIRTIO_NET_H
#define DRIVERS_NET_VIRTIO_NET_H

#include <string.h>

#include <busbar/net.h>
#include <busbar/virtio.h>

struct header {
    union {
        struct {
            uint8_t flags, gso_type;
        };
        uint16_t special; /* 0: neither */
    };
    uint16_t header_length, gso_size, checksum_start, checksum_offset;
    uint16_t buffers; /* not there in a legacy device without MRG_RXBUF */
};
enum { NEEDS_CSUM = 1, DATA_VALID = 2 };
_Static_assert(sizeof(struct header) == 12 && sizeof(struct header) <= BB_BUFFER_RESERVE, "");
_Static_assert(sizeof(struct header) <= sizeof(((struct bb_buffer *)0)->header), "");

enum {
    RING = 256,                      /* entries, where the device has as many */
    PARTS = BB_BUFFER_MAX_PARTS + 1, /* of a frame with its header */
};

/* All that one core touches on the short path. */
struct queue {
    struct bb_ring receive, send;
    struct bb_ring_entry (*tables)[PARTS]; /* of `send`, by slot */
    uint32_t most_plain;                   /* of what is received into one buffer, as `most` */
    uint32_t most;                         /* of a frame beyond its header's 14 bytes */
    uint32_t header;                       /* bytes of the device's own */
    bool open;                             /* buffers may be given to the device */
    bool plain_send, plain_refill;         /* open, and not posted_...: */
    bool plain_receive;                    /* that, and merges */
    bool posted_send, posted_receive;      /* by bb_ring_post(): see make_queue() */
    bool merges;                           /* a header says of how many buffers a frame is */
    bool armed;                            /* the client waits for a frame, */
    bool full;                             /* and for room to send */
};

struct virtio_net {
    struct bb_device device;
    struct bb_net net;
    struct bb_virtio *virtio;
    struct bb_virtio_client client;
    struct bb_work work;
    struct queue *queues;
    uint32_t pairs;              /* parameter: the most to use; 0: 1 */
    bool config_changed;         /* set in an interrupt */
    bool other_mac;              /* than the device would take by itself */
    struct bb_net_filter filter; /* the last one */
    struct bb_ring control;
    struct command {
        uint8_t class, command, ack;
        union {
            uint8_t on;
            uint16_t pairs;
            uint8_t mac[BB_MAC_SIZE];
            struct {
                uint32_t stations, count;
                uint8_t groups[BB_NET_MULTICAST][BB_MAC_SIZE];
            } table;
        };
    } command;
};

/* ---- Plain frames ----
 * Each of these goes through one run of the ring, up to what is not plain, and returns how many it
 * did. Four at once: what a loop costs beside its work is half of it here. */

/* A frame as the loop has it in registers. */
struct plain {
    struct bb_buffer *frame;
    uint8_t *data;
    uint64_t length; /* beyond the header's 14 bytes; more than any, where it is not plain */
};

BB_RING_INLINE struct plain plain_at(struct bb_buffer *frame)
{
    uint8_t *data = frame->data;
    uint64_t shape = frame->shape;
    __asm__("" : "+r"(data), "+r"(shape)); /* one load of a pair, and no other later */
    BB_ASSERT(frame->flags & BB_BUFFER_FOREIGN ||
              data >= bb_buffer_memory(frame) + BB_BUFFER_RESERVE);
    return (struct plain){frame, data, shape - BB_BUFFER_SHAPE(BB_NET_HEADER)};
}

/* Whether one of four has more than `most`. Together they have not, mostly: one compare for all. */
BB_RING_INLINE bool any_beyond(uint64_t most, struct plain a, struct plain b, struct plain c,
                               struct plain d)
{
    return (a.length | b.length | c.length | d.length) > most &&
           (a.length > most || b.length > most || c.length > most || d.length > most);
}

BB_RING_INLINE void put_plain(struct bb_ring_run *run, enum bb_ring_kind kind, struct plain plain,
                              uint64_t header, uint64_t *bytes)
{
    bb_arch_clear16(plain.data - BB_BUFFER_RESERVE); /* the header, and what is before it */
    bb_ring_run_put_entry(run, kind, (uintptr_t)plain.data - header,
                          plain.length + header + BB_NET_HEADER, 0);
    *bytes += plain.length;
    __asm__("" : "+r"(*bytes)); /* one after the other: a sum of them all wants a register more */
}

/* `beyond`: bytes that they have beyond the header's 14, all together. */
BB_RING_INLINE void count_frames(uint64_t *frames, uint64_t *bytes, unsigned more, uint64_t beyond)
{
    uint64_t number = *frames, sum = *bytes;
    __asm__("" : "+r"(number), "+r"(sum)); /* a load, and a store, of a pair */
    *frames = number + more;
    *bytes = sum + beyond + (uint64_t)more * BB_NET_HEADER;
}

BB_RING_INLINE unsigned send_plain(struct virtio_net *chip, struct queue *queue,
                                   struct bb_buffer *const *frames, unsigned count,
                                   enum bb_ring_kind kind)
{
    struct bb_ring_run run = bb_ring_run_post(&queue->send, kind, count);
    uint64_t most = queue->most, header = queue->header, bytes = 0;
    unsigned fours = run.left / 4;
    if (fours)
        do {
            struct bb_buffer *first = frames[0], *second = frames[1], *third = frames[2],
                             *fourth = frames[3];
            bb_ring_run_keep_four(&run, first, second, third, fourth);
            struct plain a = plain_at(first), b = plain_at(second), c = plain_at(third),
                         d = plain_at(fourth);
            if (__builtin_expect(any_beyond(most, a, b, c, d), 0))
                break;
            run.token += 4;
            put_plain(&run, kind, a, header, &bytes);
            put_plain(&run, kind, b, header, &bytes);
            put_plain(&run, kind, c, header, &bytes);
            put_plain(&run, kind, d, header, &bytes);
            frames += 4;
        } while (--fours);
    run.left = run.left % 4 + 4 * fours;
    if (run.left)
        do {
            struct plain a = plain_at(*frames++);
            if (__builtin_expect(a.length > most, 0))
                break;
            *run.token++ = a.frame;
            put_plain(&run, kind, a, header, &bytes);
        } while (--run.left);
    unsigned done = bb_ring_run_posted(&queue->send, kind, &run);
    count_frames(&chip->net.stats.sent, &chip->net.stats.sent_bytes, done, bytes);
    return done;
}

BB_RING_INLINE unsigned sent_plain(struct bb_ring *ring, struct bb_buffer **frames, unsigned limit,
                                   enum bb_ring_kind kind)
{
    struct bb_ring_run run = bb_ring_run_look(ring, kind, limit);
    unsigned fours = kind == BB_RING_SPLIT ? run.left / 4 : 0;
    run.left -= 4 * fours;
    if (fours)
        do {
            if (!bb_ring_run_take_four(&run, (void **)frames))
                break;
            frames += 4;
        } while (--fours);
    run.left += 4 * fours;
    if (__builtin_expect(run.left > 0, 0))
        do {
            if (bb_ring_run_peek(&run, kind) > UINT32_MAX)
                break;
            *frames++ = bb_ring_run_take(&run, kind);
        } while (--run.left);
    return bb_ring_run_taken(ring, kind, &run);
}

BB_RING_INLINE unsigned refill_plain(struct queue *queue, struct bb_buffer *const *buffers,
                                     unsigned count, enum bb_ring_kind kind)
{
    struct bb_ring_run run = bb_ring_run_post(&queue->receive, kind, count);
    uint64_t offset = BB_BUFFER_FIELDS + BB_BUFFER_HEADROOM - queue->header;
    uint64_t length = queue->header + BB_BUFFER_SIZE;
    if (run.left >= 4)
        do {
            struct bb_buffer *a = buffers[0], *b = buffers[1], *c = buffers[2], *d = buffers[3];
            bb_ring_run_keep_four(&run, a, b, c, d);
            run.token += 4;
            bb_ring_run_put_entry(&run, kind, (uintptr_t)a + offset, length, BB_RING_WRITE);
            bb_ring_run_put_entry(&run, kind, (uintptr_t)b + offset, length, BB_RING_WRITE);
            bb_ring_run_put_entry(&run, kind, (uintptr_t)c + offset, length, BB_RING_WRITE);
            bb_ring_run_put_entry(&run, kind, (uintptr_t)d + offset, length, BB_RING_WRITE);
            buffers += 4;
            run.left -= 4;
        } while (run.left >= 4);
    for (; run.left; run.left--) {
        struct bb_buffer *a = *buffers++;
        bb_ring_run_put(&run, kind, (uintptr_t)a + offset, length, BB_RING_WRITE, a);
    }
    return bb_ring_run_posted(&queue->receive, kind, &run);
}

/* The frame `ahead` in the run; its length as in plain_at(), with what the header says above it. */
BB_RING_INLINE struct plain received_at(const struct bb_ring_run *run, enum bb_ring_kind kind,
                                        unsigned ahead)
{
    uint64_t length = bb_ring_run_peek_at(run, kind, ahead) - sizeof(struct header) - BB_NET_HEADER;
    struct bb_buffer *frame = run->token[ahead];
    uint8_t *data = bb_buffer_memory(frame) + BB_BUFFER_HEADROOM;
    const struct header *header = (const void *)(data - sizeof *header);
    uint64_t special = header->special, buffers = header->buffers;
    return (struct plain){frame, data, length | special << 32 | (buffers ^ 1) << 48};
}

BB_RING_INLINE void take_plain(struct plain plain)
{
    plain.frame->data = plain.data;
    plain.frame->shape = BB_BUFFER_SHAPE(BB_NET_HEADER) + plain.length;
    plain.frame->more = NULL;
}

BB_RING_INLINE unsigned receive_plain(struct virtio_net *chip, struct queue *queue,
                                      struct bb_buffer **frames, unsigned limit,
                                      enum bb_ring_kind kind)
{
    struct bb_ring_run run = bb_ring_run_look(&queue->receive, kind, limit);
    uint64_t most = queue->most_plain, bytes = 0;
    if (run.left >= 4)
        do {
            struct plain a = received_at(&run, kind, 0), b = received_at(&run, kind, 1),
                         c = received_at(&run, kind, 2), d = received_at(&run, kind, 3);
            if (__builtin_expect(any_beyond(most, a, b, c, d), 0))
                break;
            take_plain(a);
            take_plain(b);
            take_plain(c);
            take_plain(d);
            frames[0] = a.frame, frames[1] = b.frame, frames[2] = c.frame, frames[3] = d.frame;
            bytes += a.length + b.length + c.length + d.length;
            frames += 4;
            bb_ring_run_pass(&run, kind, 4);
            run.left -= 4;
        } while (run.left >= 4);
    for (; run.left; run.left--) {
        struct plain a = received_at(&run, kind, 0);
        if (__builtin_expect(a.length > most, 0))
            break;
        take_plain(a);
        bytes += a.length;
        *frames++ = a.frame;
        bb_ring_run_pass(&run, kind, 1);
    }
    unsigned done = bb_ring_run_taken(&queue->receive, kind, &run);
    count_frames(&chip->net.stats.received, &chip->net.stats.received_bytes, done, bytes);
    return done;
}

static struct virtio_net *of(struct bb_net *net)
{
    return bb_container_of(net, struct virtio_net, net);
}

/* Why a call got nothing: 0 when there just is nothing. */
static BB_NOINLINE int why_nothing(struct virtio_net *chip, const struct queue *queue,
                                   const struct bb_ring *ring)
{
    if (chip->net.failed)
        return chip->device.removed ? -ENODEV : -EIO;
    if (ring->broken)
        return bb_virtio_fail(chip->virtio, ring->broken, -EIO);
    return queue->open ? 0 : -ENODEV;
}

/* ---- Sending ---- */

/* A frame that is not simply one buffer with head room: checks it, and writes its header and parts.
 * Returns how many parts, or 0. */
static unsigned prepare(const struct virtio_net *chip, const struct queue *queue,
                        struct bb_buffer *frame, struct bb_ring_part parts[PARTS])
{
    uint32_t header_size = queue->header, total = 0;
    unsigned count = 0;
    struct header header = {0};
    bool inside = !(frame->flags & BB_BUFFER_FOREIGN) && !queue->posted_send;
    uint8_t *at = inside ? frame->data - header_size : (uint8_t *)frame->header;
    BB_ASSERT(!inside || frame->data >= bb_buffer_memory(frame) + BB_BUFFER_RESERVE);
    if (!inside)
        parts[count++] = (struct bb_ring_part){at, header_size};
    for (struct bb_buffer *part = frame; part; part = part->more) {
        if (count - !inside == BB_BUFFER_MAX_PARTS || !part->length ||
            part->length > BB_NET_MAX_MTU + BB_NET_HEADER)
            return 0;
        total += part->length;
        parts[count++] = (struct bb_ring_part){part->data, part->length};
    }
    if (inside)
        parts[0] = (struct bb_ring_part){at, frame->length + header_size};
    if (total < BB_NET_HEADER || total - BB_NET_HEADER > queue->most)
        return 0;
    if (frame->flags & BB_BUFFER_CHECKSUM_NEEDED) {
        if (!(chip->net.features & BB_NET_SENDS_CHECKSUM) ||
            (uint32_t)frame->checksum_start + frame->checksum_offset + 2 > total)
            return 0;
        header.flags = NEEDS_CSUM;
        header.checksum_start = frame->checksum_start;
        header.checksum_offset = frame->checksum_offset;
    }
    memcpy(at, &header, header_size);
    return count;
}

/* Writes the table of a slot, or gives the one part as it is. */
static struct bb_ring_part tabulate(struct queue *queue, unsigned slot,
                                    const struct bb_ring_part *parts, unsigned count,
                                    uint16_t *flags)
{
    struct bb_ring_entry *table = queue->tables[slot];
    bool packed = queue->send.packed;
    *flags = count > 1 ? BB_RING_INDIRECT : 0;
    if (count == 1)
        return parts[0];
    for (unsigned i = 0; i < count; i++) {
        table[i].address = (uintptr_t)parts[i].data;
        table[i].rest = parts[i].length;
        if (!packed && i + 1 < count) {
            table[i].split.flags = BB_RING_NEXT;
            table[i].split.next = (uint16_t)(i + 1);
        }
    }
    return (struct bb_ring_part){table, count * (uint32_t)sizeof table[0]};
}

/* The slow path: any frame, into any ring. */
static bool send_one(struct virtio_net *chip, struct queue *queue, struct bb_buffer *frame)
{
    struct bb_ring_part parts[PARTS], entry;
    struct bb_ring *ring = &queue->send;
    unsigned count = prepare(chip, queue, frame, parts);
    uint16_t flags;
    if (!count)
        return false;
    if (queue->posted_send)
        return bb_ring_post(ring, parts, count, 0, frame);
    unsigned slot = bb_ring_any_slot(ring);
    entry = tabulate(queue, slot, parts, count, &flags);
    bb_ring_any_put(ring, slot, (uintptr_t)entry.data, entry.length, flags, frame);
    return true;
}

/* From frame `done` on, in a batch of which all before are posted: what the short path left. */
static BB_NOINLINE int send_rest(struct bb_net *net, struct queue *queue,
                                 struct bb_buffer *const *frames, unsigned count, unsigned done)
{
    struct virtio_net *chip = of(net);
    struct bb_ring *ring = &queue->send;
    while (queue->open && done < count && ring->room) {
        unsigned more = 0;
        if (queue->plain_send && ring->kind == BB_RING_SPLIT)
            more = send_plain(chip, queue, frames + done, count - done, BB_RING_SPLIT);
        else if (queue->plain_send && ring->kind == BB_RING_PACKED)
            more = send_plain(chip, queue, frames + done, count - done, BB_RING_PACKED);
        done += more;
        if (more)
            continue;
        if (!send_one(chip, queue, frames[done]))
            break;
        chip->net.stats.sent++;
        chip->net.stats.sent_bytes += bb_buffer_length(frames[done++]);
    }
    if (done)
        bb_ring_kick(ring);
    if (done || !count)
        return (int)done;
    if (queue->open && ring->room)
        return -EINVAL;
    queue->full = true;
    return why_nothing(chip, queue, ring);
}

static int virtio_net_send(struct bb_net *net, unsigned number, struct bb_buffer *const *frames,
                           unsigned count)
{
    struct virtio_net *chip = of(net);
    if (number >= net->queues)
        return -EINVAL;
    struct queue *queue = &chip->queues[number];
    if (!queue->plain_send || queue->send.kind != BB_RING_SPLIT)
        return send_rest(net, queue, frames, count, 0);
    unsigned done = send_plain(chip, queue, frames, count, BB_RING_SPLIT);
    if (__builtin_expect(done < count, 0))
        return send_rest(net, queue, frames, count, done);
    bb_ring_show(&queue->send, queue->send.head, done);
    return (int)done;
}

/* The next chain that is used, whatever the ring's kind. */
static BB_NOINLINE void *take_any(struct bb_ring *ring, bool posted, uint32_t *length)
{
    unsigned slot;
    if (posted)
        return bb_ring_take(ring, length);
    for (;;) {
        enum bb_ring_kind kind = (enum bb_ring_kind)ring->kind;
        struct bb_ring_batch batch = bb_ring_look(ring, kind);
        void *token = bb_ring_next(&batch, kind, &slot, length);
        bb_ring_taken(&batch, kind);
        if (token || kind == (enum bb_ring_kind)ring->kind)
            return token;
    }
}

static BB_NOINLINE int sent_rest(struct bb_net *net, struct queue *queue, struct bb_buffer **frames,
                                 unsigned limit, unsigned done)
{
    struct virtio_net *chip = of(net);
    struct bb_ring *ring = &queue->send;
    uint32_t length;
    for (unsigned more = 1; queue->open && more && done < limit; done += more) {
        more = 0;
        if (queue->plain_send && ring->kind == BB_RING_SPLIT)
            more = sent_plain(ring, frames + done, limit - done, BB_RING_SPLIT);
        else if (queue->plain_send && ring->kind == BB_RING_PACKED)
            more = sent_plain(ring, frames + done, limit - done, BB_RING_PACKED);
        if (!more && (frames[done] = take_any(ring, queue->posted_send, &length)))
            more = 1;
    }
    queue->full &= !done;
    return done ? (int)done : why_nothing(chip, queue, ring);
}

static int virtio_net_sent(struct bb_net *net, unsigned number, struct bb_buffer **frames,
                           unsigned limit)
{
    struct virtio_net *chip = of(net);
    if (number >= net->queues)
        return -EINVAL;
    struct queue *queue = &chip->queues[number];
    unsigned done = 0;
    if (queue->plain_send && queue->send.kind == BB_RING_SPLIT)
        done = sent_plain(&queue->send, frames, limit, BB_RING_SPLIT);
    if (__builtin_expect(done < limit, 0))
        return sent_rest(net, queue, frames, limit, done);
    queue->full = false;
    return (int)done;
}

/* ---- Receiving ---- */

/* From buffer `done` on, of which all before are posted. */
static BB_NOINLINE int refill_rest(struct virtio_net *chip, struct queue *queue,
                                   struct bb_buffer *const *buffers, unsigned count, unsigned done)
{
    struct bb_ring *ring = &queue->receive;
    uint32_t header = queue->header;
    while (queue->open && done < count && ring->room) {
        uint8_t *data = bb_buffer_memory(buffers[done]) + BB_BUFFER_HEADROOM;
        if (queue->posted_receive) {
            struct bb_ring_part parts[] = {{data - header, header}, {data, BB_BUFFER_SIZE}};
            if (!bb_ring_post(ring, parts, 0, 2, buffers[done]))
                break;
            done++;
        } else if (ring->kind == BB_RING_SPLIT) {
            done += refill_plain(queue, buffers + done, count - done, BB_RING_SPLIT);
        } else if (ring->kind == BB_RING_PACKED) {
            done += refill_plain(queue, buffers + done, count - done, BB_RING_PACKED);
        } else {
            bb_ring_any_put(ring, bb_ring_any_slot(ring), (uintptr_t)(data - header),
                            header + BB_BUFFER_SIZE, BB_RING_WRITE, buffers[done]);
            done++;
        }
    }
    if (done)
        bb_ring_kick(ring);
    return done || !count ? (int)done : why_nothing(chip, queue, ring);
}

static int virtio_net_refill(struct bb_net *net, unsigned number, struct bb_buffer *const *buffers,
                             unsigned count)
{
    struct virtio_net *chip = of(net);
    if (number >= net->queues)
        return -EINVAL;
    struct queue *queue = &chip->queues[number];
    if (!queue->plain_refill || queue->receive.kind != BB_RING_SPLIT)
        return refill_rest(chip, queue, buffers, count, 0);
    unsigned done = refill_plain(queue, buffers, count, BB_RING_SPLIT);
    if (__builtin_expect(done < count, 0))
        return refill_rest(chip, queue, buffers, count, done);
    bb_ring_show(&queue->receive, queue->receive.head, done);
    return (int)done;
}

#endif
