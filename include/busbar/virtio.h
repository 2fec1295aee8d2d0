/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio bus (Virtual I/O Device version 1.2, OASIS; legacy interface included): a transport is
 * a device with the face `virtio` that appends a node for what it found; a virtio driver has
 * `.bus = &bb_virtio_bus` and matches "virtio,device2", the number being the device type.
 *
 *     error = bb_virtio_open(device, FEATURES, REQUIRED, &client, &virtio);   // up to FEATURES_OK
 *     error = bb_virtio_ring(virtio, 0, 256, &chip->ring);                    // for each queue
 *     error = bb_virtio_start(virtio);                                        // DRIVER_OK
 *
 * All of a device's memory accesses are coherent and by CPU address, as the specification says of
 * devices without ACCESS_PLATFORM, which is not taken.
 *
 * What the device writes is hostile. Whoever finds something wrong calls bb_virtio_fail(): the
 * device is reset and stays failed, with the reason in its node; the rest of the system goes on.
 */
#ifndef BUSBAR_VIRTIO_H
#define BUSBAR_VIRTIO_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/poll.h>
#include <busbar/virtio_ring.h>

extern const struct bb_bus bb_virtio_bus;

enum { /* feature bits of every device (section 6), by number */
       BB_VIRTIO_NOTIFY_ON_EMPTY = 24,
       BB_VIRTIO_ANY_LAYOUT = 27,
       BB_VIRTIO_INDIRECT_DESC = 28,
       BB_VIRTIO_EVENT_IDX = 29,
       BB_VIRTIO_VERSION_1 = 32,
       BB_VIRTIO_ACCESS_PLATFORM = 33,
       BB_VIRTIO_RING_PACKED = 34,
};
#define BB_VIRTIO_BIT(number) (1ull << (number))

struct bb_virtio;

/* What a virtio driver is told. */
struct bb_virtio_client {
    /* Some ring was used. Interrupt context: mark, queue work. */
    void (*used)(struct bb_virtio_client *client);
    /* The configuration changed. Interrupt context. NULL: nothing to do. */
    void (*changed)(struct bb_virtio_client *client);
    /* The device failed, and was reset: nothing of it moves any more, unless it is `unreset`.
     * Thread context. May be NULL. */
    void (*failed)(struct bb_virtio_client *client, int error);
    /* The device says that it must be reset to go on. Returns what bb_virtio_restart() did. Thread
     * context. NULL: it is failed then. */
    int (*needs_reset)(struct bb_virtio_client *client);
};

/* What a transport does. Each call is bounded in time. Thread context. */
struct bb_virtio_ops {
    uint8_t (*status)(struct bb_virtio *virtio);
    void (*set_status)(struct bb_virtio *virtio, uint8_t status); /* 0 resets */
    uint64_t (*features)(struct bb_virtio *virtio);
    void (*set_features)(struct bb_virtio *virtio, uint64_t features);
    uint16_t (*ring_max)(struct bb_virtio *virtio, unsigned index); /* 0: no such queue */
    /* Tells the device where the ring is, and sets ring->notify and ring->notify_value. */
    int (*ring_enable)(struct bb_virtio *virtio, unsigned index, struct bb_ring *ring);
    uint32_t (*config_generation)(struct bb_virtio *virtio);
    void (*config_read)(struct bb_virtio *virtio, size_t offset, void *data, size_t size);
    void (*config_write)(struct bb_virtio *virtio, size_t offset, const void *data, size_t size);
};

struct bb_virtio {
    struct bb_face face;
    /* Set by the transport. */
    uint32_t type;      /* 2: block */
    bool legacy;        /* no VERSION_1: fields in the CPU's byte order, rings by page number */
    size_t config_size; /* bytes of configuration that can be reached */
    /* The bus's own. */
    struct bb_device *device; /* of the driver on top, or NULL */
    struct bb_virtio_client *client;
    uint64_t features; /* negotiated */
    struct bb_ring *rings;
    struct bb_resource resource; /* of the driver on top: that it has the device */
    struct bb_work work;         /* looks whether the device needs a reset */
    bool failed;
    /* The last reset never ended: the device may still write to whatever it was given, and its
     * driver keeps that for good. */
    bool unreset;
};

BB_CLASS_FINDERS(virtio)

/* Resets the device below `device`'s node and negotiates: takes what of `wanted` it offers (the
 * ring's own features are the bus's matter), refuses with -ENOTSUP where one of `required` is
 * missing. -EBUSY when somebody has it. Released with the device: reset, rings forgotten. */
int bb_virtio_open(struct bb_device *device, uint64_t wanted, uint64_t required,
                   struct bb_virtio_client *client, struct bb_virtio **virtio);
static inline bool bb_virtio_has(const struct bb_virtio *virtio, unsigned feature)
{
    return virtio->features >> feature & 1;
}
/* Allocates and enables queue `index`: the device's size, at most `size`, for chains of up to
 * ring->parts. -ENOENT: no such queue; -EINVAL: a size that the specification forbids, or too small
 * a queue for such chains. Before bb_virtio_start(). */
int bb_virtio_ring(struct bb_virtio *virtio, unsigned index, unsigned size, struct bb_ring *ring);
int bb_virtio_start(struct bb_virtio *virtio);
/* Resets a device that does not answer; nothing of it moves any more, and bb_ring_abandon() tells
 * what its rings held. Negative: it is failed for good, and may be `unreset`. */
int bb_virtio_stop(struct bb_virtio *virtio);
/* Stops it, negotiates the same features, enables the same rings anew, empty and disarmed, and sets
 * it going. What was in the rings is the caller's to complete. Negative: it is failed for good. */
int bb_virtio_restart(struct bb_virtio *virtio);
/* Notes why and resets; the device is failed for good, and the client is told by failed(). During
 * probe it only notes. Returns `error`. Thread context. */
int bb_virtio_fail(struct bb_virtio *virtio, const char *why, int error);

/* Configuration, in the CPU's byte order where it is a number: `size` bytes at `offset`, whole even
 * while the device changes it. 2, 4 and 8 bytes that are aligned are read as numbers, else byte by
 * byte. -ERANGE beyond its end, -EIO when it never comes to rest. */
int bb_virtio_config(struct bb_virtio *virtio, size_t offset, void *data, size_t size);
int bb_virtio_config_u16(struct bb_virtio *virtio, size_t offset, uint16_t *value);
int bb_virtio_config_u32(struct bb_virtio *virtio, size_t offset, uint32_t *value);
int bb_virtio_config_u64(struct bb_virtio *virtio, size_t offset, uint64_t *value);
int bb_virtio_config_write(struct bb_virtio *virtio, size_t offset, const void *data, size_t size);

/* ---- For transports ---- */

/* Appends the node of what was found; type 0 is an empty slot: -ENOSYS. */
int bb_virtio_found(struct bb_device *device, struct bb_virtio *virtio);
/* The device's interrupt: rings were used, the configuration changed. Disarms the rings that have
 * something to take. Interrupt context. */
void bb_virtio_interrupt(struct bb_virtio *virtio, bool used, bool changed);

#endif
