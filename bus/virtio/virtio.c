/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio bus (Virtual I/O Device version 1.2): from a reset device to a running one and back
 * (section 3.1), for any transport.
 */
#include <string.h>

#include <bus/virtio/ring.h>
#include <busbar/log.h>
#include <busbar/time.h>
#include <busbar/virtio.h>

enum { /* device status (2.1) */
       ACKNOWLEDGE = 1,
       DRIVER = 2,
       DRIVER_OK = 4,
       FEATURES_OK = 8,
       NEEDS_RESET = 64,
       FAILED = 128,
};
enum {
    RESET_MS = 100,
    MAX_LOOKS = 100000, /* ends a wait where time stands still */
    CONFIG_TRIES = 100, /* reads of a configuration that changes meanwhile */
    MAX_NUMBER = 8,     /* bytes of the largest one there */
};

static struct bb_face_list transports;

static const struct bb_virtio_ops removed; /* a driver on top goes before its transport */

const struct bb_bus bb_virtio_bus = {.name = "virtio"};

const struct bb_class bb_class_virtio = {
    .name = "virtio",
    .removed = &removed,
    .list = &transports,
};

static const struct bb_virtio_ops *ops_of(const struct bb_virtio *virtio)
{
    return virtio->face.ops;
}

static void add_status(struct bb_virtio *virtio, uint8_t bits)
{
    ops_of(virtio)->set_status(virtio, ops_of(virtio)->status(virtio) | bits);
}

static int reset(struct bb_virtio *virtio)
{
    uint64_t start = bb_time();
    ops_of(virtio)->set_status(virtio, 0);
    virtio->unreset = true;
    for (unsigned looks = 0; ops_of(virtio)->status(virtio); looks++)
        if (looks == MAX_LOOKS || bb_time() - start > RESET_MS * BB_MSEC)
            return -ETIMEDOUT;
    virtio->unreset = false;
    return 0;
}

/* ---- What the driver on top does ---- */

/* Takes `features` as they are; the specification's first seven steps. */
static int negotiate(struct bb_virtio *virtio, uint64_t features)
{
    ops_of(virtio)->set_features(virtio, features);
    if (virtio->legacy)
        return 0;
    add_status(virtio, FEATURES_OK);
    return ops_of(virtio)->status(virtio) & FEATURES_OK ? 0 : -ENOTSUP;
}

static int begin(struct bb_virtio *virtio)
{
    int error = reset(virtio);
    if (!error) {
        add_status(virtio, ACKNOWLEDGE);
        add_status(virtio, DRIVER);
    }
    return error;
}

static void release(struct bb_resource *resource)
{
    struct bb_virtio *virtio = bb_container_of(resource, struct bb_virtio, resource);
    bb_work_cancel(&virtio->work);
    if (reset(virtio))
        virtio->device->shared = true; /* it may still write to its rings */
    virtio->device = NULL;
    virtio->client = NULL;
    virtio->rings = NULL;
}

static struct bb_virtio *transport_of(const struct bb_device *device)
{
    const struct bb_node *parent = device->node->parent;
    for (struct bb_virtio *virtio = bb_virtio_first(); virtio; virtio = bb_virtio_next(virtio))
        if (virtio->face.device->node == parent)
            return virtio;
    return NULL;
}

static void look_at_status(struct bb_work *work)
{
    struct bb_virtio *virtio = bb_container_of(work, struct bb_virtio, work);
    if (!virtio->client || virtio->failed || !(ops_of(virtio)->status(virtio) & NEEDS_RESET))
        return;
    bb_print(BB_WARNING, "%s: asks to be reset", virtio->device->name);
    if (virtio->client->needs_reset)
        (void)virtio->client->needs_reset(virtio->client);
    else
        (void)bb_virtio_fail(virtio, "the device asked to be reset", -EIO);
}

int bb_virtio_open(struct bb_device *device, uint64_t wanted, uint64_t required,
                   struct bb_virtio_client *client, struct bb_virtio **opened)
{
    struct bb_virtio *virtio = transport_of(device);
    if (!virtio)
        return bb_fail(device, "transport", -ENODEV);
    if (virtio->device)
        return bb_fail(device, "transport", -EBUSY);
    int error = bb_acquire(device, &virtio->resource, "transport", release);
    if (error)
        return error;
    virtio->device = device;
    virtio->client = client;
    virtio->rings = NULL;
    virtio->failed = false;
    virtio->work.run = look_at_status;
    virtio->work.device = virtio->face.device;
    error = begin(virtio);
    if (error)
        return bb_fail(device, "reset", error);
    uint64_t offered = ops_of(virtio)->features(virtio);
    wanted |=
        required | BB_VIRTIO_BIT(BB_VIRTIO_INDIRECT_DESC) | BB_VIRTIO_BIT(BB_VIRTIO_EVENT_IDX);
    if (virtio->legacy) {
        offered &= UINT32_MAX;
    } else {
        required |= BB_VIRTIO_BIT(BB_VIRTIO_VERSION_1);
        wanted |= required | BB_VIRTIO_BIT(BB_VIRTIO_RING_PACKED);
    }
    virtio->features = offered & wanted;
    if (required & ~offered)
        return bb_fail(device, "features", -ENOTSUP);
    error = negotiate(virtio, virtio->features);
    *opened = virtio;
    return error ? bb_fail(device, "features", error) : 0;
}

static int enable(struct bb_virtio *virtio, struct bb_ring *ring)
{
    return ops_of(virtio)->ring_enable(virtio, ring->index, ring);
}

int bb_virtio_ring(struct bb_virtio *virtio, unsigned index, unsigned size, struct bb_ring *ring)
{
    struct bb_device *device = virtio->device;
    unsigned most = ops_of(virtio)->ring_max(virtio, index);
    if (!most)
        return bb_fail(device, "queue", -ENOENT);
    struct bb_ring_format format = {
        .size = (uint16_t)most,
        .parts = ring->parts,
        .packed = bb_virtio_has(virtio, BB_VIRTIO_RING_PACKED),
        .legacy = virtio->legacy,
        .event = bb_virtio_has(virtio, BB_VIRTIO_EVENT_IDX),
        .indirect = bb_virtio_has(virtio, BB_VIRTIO_INDIRECT_DESC),
    };
    int error = bb_ring_check(&format);
    if (error)
        return bb_fail(device, "queue size", error);
    if (size < most) {
        format.size = 1;
        while (format.size * 2u <= size)
            format.size = (uint16_t)(format.size * 2);
        error = bb_ring_check(&format);
        if (error)
            return bb_fail(device, "queue size", error);
    }
    void *shared = bb_device_alloc(device, bb_ring_shared_bytes(&format),
                                   virtio->legacy ? BB_RING_LEGACY_ALIGN : BB_RING_ALIGN);
    void *own = bb_device_alloc(device, bb_ring_own_bytes(&format), _Alignof(max_align_t));
    if (!shared || !own)
        return -ENOMEM;
    bb_ring_begin_in(ring, &format, shared, own);
    ring->index = (uint16_t)index;
    error = enable(virtio, ring);
    if (error)
        return bb_fail(device, "queue", error);
    ring->next = virtio->rings;
    virtio->rings = ring;
    return 0;
}

int bb_virtio_start(struct bb_virtio *virtio)
{
    add_status(virtio, DRIVER_OK);
    if (ops_of(virtio)->status(virtio) & NEEDS_RESET)
        return bb_virtio_fail(virtio, "the device refused to start", -EIO);
    return 0;
}

int bb_virtio_stop(struct bb_virtio *virtio)
{
    if (virtio->failed)
        return -EIO;
    return reset(virtio) ? bb_virtio_fail(virtio, "no end of reset", -ETIMEDOUT) : 0;
}

int bb_virtio_restart(struct bb_virtio *virtio)
{
    if (virtio->failed)
        return -EIO;
    if (begin(virtio))
        return bb_virtio_fail(virtio, "no end of reset", -ETIMEDOUT);
    if (virtio->features & ~ops_of(virtio)->features(virtio) || negotiate(virtio, virtio->features))
        return bb_virtio_fail(virtio, "other features after a reset", -EIO);
    for (struct bb_ring *ring = virtio->rings; ring; ring = ring->next) {
        bb_ring_empty(ring);
        if (ops_of(virtio)->ring_max(virtio, ring->index) < ring->size || enable(virtio, ring))
            return bb_virtio_fail(virtio, "other queues after a reset", -EIO);
    }
    return bb_virtio_start(virtio);
}

int bb_virtio_fail(struct bb_virtio *virtio, const char *why, int error)
{
    struct bb_device *device = virtio->device;
    if (device->node->device != device)
        return bb_fail(device, why, error); /* during probe, which ends with this */
    if (virtio->failed)
        return error;
    virtio->failed = true;
    for (struct bb_ring *ring = virtio->rings; ring; ring = ring->next)
        bb_ring_bad(ring, why); /* takes and gives no more */
    if (reset(virtio)) {
        device->shared = true;
        add_status(virtio, FAILED);
    }
    bb_device_broken(device, why, error);
    if (virtio->client->failed)
        virtio->client->failed(virtio->client, error);
    return error;
}

/* ---- Configuration ---- */

static int check_range(const struct bb_virtio *virtio, size_t offset, size_t size)
{
    return offset > virtio->config_size || size > virtio->config_size - offset ? -ERANGE : 0;
}

int bb_virtio_config(struct bb_virtio *virtio, size_t offset, void *data, size_t size)
{
    const struct bb_virtio_ops *ops = ops_of(virtio);
    int error = check_range(virtio, offset, size);
    if (error)
        return error;
    /* Legacy devices count no generations: what reads twice the same has not changed. */
    for (unsigned tries = 0; tries < CONFIG_TRIES; tries++) {
        uint32_t before = virtio->legacy ? 0 : ops->config_generation(virtio);
        ops->config_read(virtio, offset, data, size);
        if (!virtio->legacy) {
            if (ops->config_generation(virtio) == before)
                return 0;
            continue;
        }
        bool same = true;
        for (size_t at = 0; at < size; at += MAX_NUMBER) {
            uint8_t again[MAX_NUMBER];
            size_t count = size - at < MAX_NUMBER ? size - at : MAX_NUMBER;
            ops->config_read(virtio, offset + at, again, count);
            same = same && !memcmp(again, (const uint8_t *)data + at, count);
        }
        if (same)
            return 0;
    }
    return -EIO;
}

int bb_virtio_config_u16(struct bb_virtio *virtio, size_t offset, uint16_t *value)
{
    return bb_virtio_config(virtio, offset, value, sizeof(*value));
}

int bb_virtio_config_u32(struct bb_virtio *virtio, size_t offset, uint32_t *value)
{
    return bb_virtio_config(virtio, offset, value, sizeof(*value));
}

int bb_virtio_config_u64(struct bb_virtio *virtio, size_t offset, uint64_t *value)
{
    return bb_virtio_config(virtio, offset, value, sizeof(*value));
}

int bb_virtio_config_write(struct bb_virtio *virtio, size_t offset, const void *data, size_t size)
{
    int error = check_range(virtio, offset, size);
    if (!error)
        ops_of(virtio)->config_write(virtio, offset, data, size);
    return error;
}

/* ---- Transports ---- */

struct found {
    struct bb_property property;
    char compatible[24], name[16];
};

int bb_virtio_found(struct bb_device *device, struct bb_virtio *virtio)
{
    static const char *const names[] = {
        [1] = "network", [2] = "block", [3] = "console", [4] = "entropy"};
    if (!virtio->type)
        return bb_fail(device, "empty slot", -ENOSYS);
    struct found *found = bb_device_alloc(device, sizeof(*found), _Alignof(struct found));
    if (!found)
        return -ENOMEM;
    size_t length = bb_format(found->compatible, sizeof(found->compatible), "virtio,device%u",
                              (unsigned)virtio->type);
    found->property = (struct bb_property){"compatible", found->compatible, (uint32_t)length + 1};
    if (virtio->type < BB_ARRAY_SIZE(names))
        (void)bb_format(found->name, sizeof(found->name), "%s", names[virtio->type]);
    else
        (void)bb_format(found->name, sizeof(found->name), "device%u", (unsigned)virtio->type);
    int error =
        bb_node_append(device->node, &bb_virtio_bus, found->name, &found->property, 1, NULL);
    return error ? bb_fail(device, "node", error) : 0;
}

void bb_virtio_interrupt(struct bb_virtio *virtio, bool used, bool changed)
{
    struct bb_virtio_client *client = virtio->client;
    if (!client || virtio->failed)
        return;
    if (used) {
        for (struct bb_ring *ring = virtio->rings; ring; ring = ring->next)
            if (bb_ring_pending(ring))
                bb_ring_disarm(ring);
        if (client->used)
            client->used(client);
    }
    if (changed) {
        bb_work_queue(&virtio->work);
        if (client->changed)
            client->changed(client);
    }
}
