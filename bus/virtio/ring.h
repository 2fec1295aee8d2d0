/* SPDX-License-Identifier: BSD-2-Clause */
/* How a ring is laid out and begun: for bus/virtio, and for its tests. */
#ifndef BUS_VIRTIO_RING_H
#define BUS_VIRTIO_RING_H

#include <busbar/virtio_ring.h>

#define BB_RING_ALIGN 64          /* of each part that the device sees */
#define BB_RING_LEGACY_ALIGN 4096 /* the same: pages */

struct bb_ring_format {
    uint16_t size; /* entries */
    uint16_t parts;
    bool packed;
    bool legacy;
    bool event;
    bool indirect;
};

/* Whether a ring of this format can be: -EINVAL for a size that the specification forbids, or that
 * holds no chain. */
int bb_ring_check(const struct bb_ring_format *format);
/* The memory that the device sees, to be aligned, and the driver's own. */
size_t bb_ring_shared_bytes(const struct bb_ring_format *format);
size_t bb_ring_own_bytes(const struct bb_ring_format *format);
/* Makes an empty ring in that memory. */
void bb_ring_begin_in(struct bb_ring *ring, const struct bb_ring_format *format, void *shared,
                      void *own);
/* Empties it, for a device that was reset. */
void bb_ring_empty(struct bb_ring *ring);

#endif
