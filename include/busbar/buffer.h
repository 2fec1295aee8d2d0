/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet buffers: one pool of them, in memory that devices reach. A buffer has one owner at a time:
 * the pool, a program, a protocol stack, or a device from bb_net_send() or bb_net_refill() until
 * bb_net_sent() or bb_net_receive() gives it back.
 *
 *     struct bb_buffer *frame = bb_buffer_get();
 *     memcpy(frame->data, bytes, size);
 *     frame->length = size;
 *
 * A frame that does not fit one buffer is a chain by `more`; its owner owns them all. Thread
 * context.
 */
#ifndef BUSBAR_BUFFER_H
#define BUSBAR_BUFFER_H

#include <busbar/base.h>

#define BB_BUFFER_HEADROOM 64 /* bytes before `data` of a fresh buffer: for a device's own header  \
                               */
#define BB_BUFFER_SIZE 1920   /* bytes from there on */

enum { /* bb_buffer.flags */
       /* Sending: the device fills in the 16-bit ones' complement sum over [checksum_start, end of
        * frame) at checksum_start + checksum_offset, where the sum of the pseudo header stands. */
       BB_BUFFER_CHECKSUM_NEEDED = 1,
       BB_BUFFER_CHECKSUM_GOOD = 2, /* received: the device has checked the transport's sum */
};

struct bb_buffer {
    uint8_t *data;   /* the first byte of the frame, or of this part of it */
    uint32_t length; /* bytes there */
    uint16_t flags;  /* of the whole frame, in its first buffer */
    uint16_t checksum_start, checksum_offset;
    uint16_t parts;         /* of the chain that begins here; 1: no more */
    struct bb_buffer *more; /* the rest of the frame, or NULL */
    struct bb_buffer *next; /* for the owner's lists */
    /* What `data` points at belongs to somebody else (a protocol stack's own memory): called
     * instead of giving the buffer back to the pool. NULL: the pool's. */
    void (*put)(struct bb_buffer *buffer);
    void *context; /* the owner's */
    uint32_t slot; /* the driver's while it has the buffer */
};

/* Makes the pool, once, of `count` buffers from the arena (2 KiB each); the parameter `net.buffers`
 * overrules it. 0 also when it is there already, -ENOMEM. bb_net_open() does it with 256. */
int bb_buffer_pool(unsigned count);
/* A buffer with data at its head room, length 0, one part; NULL when all are out. */
struct bb_buffer *bb_buffer_get(void);
/* Gives back a buffer, or a whole chain. */
void bb_buffer_put(struct bb_buffer *buffer);
unsigned bb_buffer_free(void); /* how many the pool has left */

/* The start of the memory that a buffer of the pool has, head room included. */
static inline uint8_t *bb_buffer_memory(struct bb_buffer *buffer)
{
    return (uint8_t *)(buffer + 1);
}

_Static_assert(sizeof(struct bb_buffer) <= 64, "a buffer's own fields fill one cache line");

#endif
