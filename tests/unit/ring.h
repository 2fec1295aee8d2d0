/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring and the model of a device behind it, for the tests of rings. */
#ifndef TESTS_UNIT_RING_H
#define TESTS_UNIT_RING_H

#include <stdlib.h>
#include <string.h>

#include <bus/virtio/ring.h>
#include <tests/models/virtio_device.h>
#include <tests/models/virtio_queue.h>

#include "harness.h"

#define BASE 0xa000000
#define NOTIFY (BASE + 0x50)

static struct model_virtio device;
static struct bb_ring ring;
static char *shared, *own;
static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

/* A ring and a device that looks at it, as they are after DRIVER_OK. */
static void begin(struct bb_ring_format format)
{
    world_start(62500000);
    device.queue_max[0] = format.size;
    device.legacy = format.legacy;
    model_virtio_map(&device, BASE);
    device.status = 15;
    device.driver_features = (format.packed ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0) |
                             (format.event ? VIRTIO_BIT(VIRTIO_F_EVENT_IDX) : 0) |
                             (format.indirect ? VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) : 0);
    assert_int_equal(bb_ring_check(&format), 0);
    size_t bytes = bb_ring_shared_bytes(&format);
    assert_int_equal(posix_memalign((void **)&shared, 4096, bytes), 0); /* ends where it ends */
    memset(shared, 0x5a, bytes);
    own = malloc(bb_ring_own_bytes(&format));
    memset(own, 0x5a, bb_ring_own_bytes(&format));
    bb_ring_begin_in(&ring, &format, shared, own);
    ring.notify = NOTIFY;
    struct model_virtio_queue *queue = &device.queues[0];
    queue->size = format.size;
    queue->desc = (uintptr_t)ring.entries;
    queue->driver = format.packed ? (uintptr_t)ring.driver_event : (uintptr_t)ring.available;
    queue->device = format.packed ? (uintptr_t)ring.device_event : (uintptr_t)ring.used;
    virtio_queue_start(&device, 0);
}

static void end(void)
{
    virtio_queue_reset(&device, 0);
    bb_host_unmap(&device.region);
    free(shared);
    free(own);
    device = (struct model_virtio){0};
}

#endif
