/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtqueues (Virtual I/O Device version 1.2, sections 2.7 and 2.8): split, with event index and
 * indirect descriptors, and packed, behind one interface. One producer and consumer: the driver, in
 * thread context; one core at a time for each ring.
 *
 *     bb_ring_post(ring, parts, 2, 1, request);    // two that the device reads, one that it writes
 *     bb_ring_kick(ring);                          // once for a batch
 *     ...
 *     while ((request = bb_ring_take(ring, &length)))
 *         ...
 *
 * take() checks all that the device wrote: an index that jumps, an id that is out of range or not
 * posted, a length beyond what it may write. Then ring->broken says what, and it answers NULL from
 * then on; the driver calls bb_virtio_fail().
 */
#ifndef BUSBAR_VIRTIO_RING_H
#define BUSBAR_VIRTIO_RING_H

#include <busbar/arch.h>
#include <busbar/base.h>

#define BB_RING_MAX_SIZE 32768

struct bb_ring_part {
    void *data;
    uint32_t length; /* bytes, not 0 */
};

struct bb_ring {
    const char *broken; /* what the device did wrong, or NULL */
    uint16_t size;      /* entries: a power of two when split */
    uint16_t room;      /* chains that can be posted now */
    bool packed;
    /* The rest is settled by bus/virtio/ring.c and this header's inline functions. */
};

/* Posts a chain: first `out` parts for the device to read, then `in` parts for it to write; `token`
 * (not NULL) comes back from take(). With indirect descriptors a chain takes one entry, else one
 * for each part. false: no room now. */
bool bb_ring_post(struct bb_ring *ring, const struct bb_ring_part *parts, unsigned out, unsigned in,
                  void *token);
/* Makes what was posted visible, and notifies the device unless it said that it needs none. */
void bb_ring_kick(struct bb_ring *ring);
/* The token of a chain that the device is done with, and how many bytes it wrote, which is never
 * more than the chain's `in` parts hold; NULL: none. `length` may be NULL. */
void *bb_ring_take(struct bb_ring *ring, uint32_t *length);
/* Asks for an interrupt at the next used chain. True when there is one already: then none comes. */
bool bb_ring_arm(struct bb_ring *ring);
/* No interrupts, which is also how a ring begins and what each interrupt leaves it at. */
void bb_ring_disarm(struct bb_ring *ring);
/* The token of a chain that the device still has, for those that end it: each once, then NULL. Only
 * after the device was reset. */
void *bb_ring_abandon(struct bb_ring *ring);

#endif
