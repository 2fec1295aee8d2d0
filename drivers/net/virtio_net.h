/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short path of net/virtio_net: one frame after the other into a ring and out of it, with the
 * state of the batch in registers. Frames that are not simply one buffer go through the functions
 * of virtio_net.c that are declared here.
 */
#ifndef DRIVERS_NET_VIRTIO_NET_H
#define DRIVERS_NET_VIRTIO_NET_H

#include <string.h>

#include <busbar/net.h>
#include <busbar/virtio.h>

struct header {
    uint8_t flags, gso_type;
    uint16_t header_length, gso_size, checksum_start, checksum_offset;
    uint16_t buffers; /* not there in a legacy device without MRG_RXBUF */
};
enum { NEEDS_CSUM = 1, DATA_VALID = 2 };
_Static_assert(sizeof(struct header) == 12 && sizeof(struct header) <= BB_BUFFER_RESERVE, "");
_Static_assert(sizeof(struct header) <= sizeof(((struct bb_buffer *)0)->header), "");

enum { PARTS = BB_BUFFER_MAX_PARTS + 1 /* of a frame with its header */ };

/* All that one core touches on the short path. */
struct queue {
    struct bb_ring receive, send;
    struct bb_ring_entry (*tables)[PARTS]; /* of `send`, by slot */
    uint32_t most;                         /* of a frame beyond its header's 14 bytes */
    uint32_t header;                       /* bytes of one */
    bool open;                             /* buffers may be given to the device */
    bool posted_send, posted_receive;      /* by bb_ring_post(): see virtio_net.c */
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
    uint32_t pairs;      /* parameter: the most to use; 0: 1 */
    bool config_changed; /* set in an interrupt */
    bool other_mac;      /* than the device would take by itself */
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

/* Frames in several buffers, foreign ones, with a checksum to fill in: checks the frame, and gives
 * the entry for its slot. False: it cannot be sent. */
bool bb_virtio_net_parts(struct virtio_net *chip, struct queue *queue, unsigned slot,
                         struct bb_buffer *frame, struct bb_ring_part *entry, uint16_t *flags);

BB_RING_INLINE int send_as(struct virtio_net *chip, struct queue *queue,
                           struct bb_buffer *const *frames, unsigned count, enum bb_ring_kind kind)
{
    struct bb_ring *ring = &queue->send;
    struct bb_ring_batch batch = bb_ring_begin(ring, kind);
    uint64_t most = queue->most, bytes = 0;
    uint32_t header = queue->header;
    unsigned room = ring->room < count ? ring->room : count, i;
    for (i = 0; i < room; i++) {
        struct bb_buffer *frame = frames[i];
        unsigned slot = bb_ring_slot(&batch, kind);
        uint64_t beyond = frame->shape - BB_BUFFER_SHAPE(BB_NET_HEADER);
        uint8_t *data = frame->data;
        if (__builtin_expect(beyond <= most && !((uintptr_t)data & 3), 1)) {
            BB_ASSERT(data >= bb_buffer_memory(frame) + BB_BUFFER_RESERVE);
            memset(__builtin_assume_aligned(data - sizeof(struct header), 4), 0,
                   sizeof(struct header));
            bb_ring_put(&batch, kind, slot, (uintptr_t)data - header, frame->length + header, 0,
                        frame);
            bytes += beyond;
            continue;
        }
        struct bb_ring_part entry;
        uint16_t flags;
        if (!bb_virtio_net_parts(chip, queue, slot, frame, &entry, &flags))
            break;
        bb_ring_put(&batch, kind, slot, (uintptr_t)entry.data, entry.length, flags, frame);
        bytes += bb_buffer_length(frame) - BB_NET_HEADER;
    }
    if (i)
        bb_ring_end(&batch, kind);
    else if (room)
        return -EINVAL;
    chip->net.stats.sent += i;
    chip->net.stats.sent_bytes += bytes + (uint64_t)i * BB_NET_HEADER;
    return (int)i;
}

BB_RING_INLINE unsigned sent_as(struct queue *queue, struct bb_buffer **frames, unsigned limit,
                                enum bb_ring_kind kind)
{
    struct bb_ring_batch batch = bb_ring_look(&queue->send, kind);
    unsigned count = 0, slot;
    uint32_t length;
    while (count < limit && (frames[count] = bb_ring_next(&batch, kind, &slot, &length)))
        count++;
    bb_ring_taken(&batch, kind);
    return count;
}

BB_RING_INLINE int refill_as(struct queue *queue, struct bb_buffer *const *buffers, unsigned count,
                             enum bb_ring_kind kind)
{
    struct bb_ring *ring = &queue->receive;
    struct bb_ring_batch batch = bb_ring_begin(ring, kind);
    uint32_t header = queue->header;
    unsigned room = ring->room < count ? ring->room : count;
    for (unsigned i = 0; i < room; i++) {
        struct bb_buffer *buffer = buffers[i];
        uintptr_t data = (uintptr_t)bb_buffer_memory(buffer) + BB_BUFFER_HEADROOM - header;
        BB_ASSERT(!buffer->more && !(buffer->flags & BB_BUFFER_FOREIGN));
        bb_ring_put(&batch, kind, bb_ring_slot(&batch, kind), data, header + BB_BUFFER_SIZE,
                    BB_RING_WRITE, buffer);
    }
    if (room)
        bb_ring_end(&batch, kind);
    return (int)room;
}

/* Frames of one buffer with nothing said in their header, up to the first other one, which comes
 * back in `odd` with its length. */
BB_RING_INLINE unsigned receive_as(struct virtio_net *chip, struct queue *queue,
                                   struct bb_buffer **frames, unsigned limit,
                                   struct bb_buffer **odd, uint32_t *odd_length,
                                   enum bb_ring_kind kind)
{
    struct bb_ring_batch batch = bb_ring_look(&queue->receive, kind);
    uint32_t fits = BB_BUFFER_SIZE - BB_NET_HEADER, most = queue->most < fits ? queue->most : fits;
    uint64_t bytes = 0;
    unsigned count = 0, slot;
    uint32_t length;
    struct bb_buffer *frame;
    while (count < limit && (frame = bb_ring_next(&batch, kind, &slot, &length))) {
        uint8_t *data = bb_buffer_memory(frame) + BB_BUFFER_HEADROOM;
        const struct header *header = (const void *)(data - sizeof *header);
        uint32_t beyond = length - (uint32_t)sizeof *header - BB_NET_HEADER;
        if (__builtin_expect(
                beyond > most || (header->flags | header->gso_type | (header->buffers ^ 1)), 0)) {
            *odd = frame;
            *odd_length = length;
            break;
        }
        frame->data = data;
        frame->shape = BB_BUFFER_SHAPE(BB_NET_HEADER) + beyond;
        frame->more = NULL;
        bytes += beyond;
        frames[count++] = frame;
    }
    bb_ring_taken(&batch, kind);
    chip->net.stats.received += count;
    chip->net.stats.received_bytes += bytes + (uint64_t)count * BB_NET_HEADER;
    return count;
}

#endif
