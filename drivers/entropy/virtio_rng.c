/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio entropy device (Virtual I/O Device version 1.2, section 5.4): one queue, no configuration.
 * A buffer is always with the device or on its way out, so that reading never waits. */
#include <string.h>

#include <busbar/entropy.h>
#include <busbar/virtio.h>

struct virtio_rng {
    struct bb_device device;
    struct bb_entropy entropy;
    struct bb_virtio_client client;
    struct bb_virtio *virtio;
    struct bb_ring ring;
    uint32_t have, given; /* bytes of the buffer that the device filled, and that were read */
    uint8_t buffer[128];
};

/* Hands the buffer to the device. */
static void ask(struct virtio_rng *rng)
{
    const struct bb_ring_part part = {rng->buffer, sizeof(rng->buffer)};
    rng->have = rng->given = 0;
    memset(rng->buffer, 0, sizeof(rng->buffer)); /* given once, to one */
    if (bb_ring_post(&rng->ring, &part, 0, 1, rng))
        bb_ring_kick(&rng->ring);
}

static int virtio_rng_read(struct bb_entropy *entropy, void *buffer, size_t size)
{
    struct virtio_rng *rng = bb_container_of(entropy, struct virtio_rng, entropy);
    if (rng->virtio->failed)
        return -EIO;
    if (!size)
        return 0;
    if (!rng->have && bb_ring_take(&rng->ring, &rng->have) && !rng->have)
        ask(rng); /* nothing in it: again */
    if (rng->ring.broken)
        return bb_virtio_fail(rng->virtio, rng->ring.broken, -EIO);
    size_t left = rng->have - rng->given, count = size < left ? size : left;
    if (!count)
        return 0;
    memcpy(buffer, rng->buffer + rng->given, count);
    rng->given += (uint32_t)count;
    if (rng->given == rng->have)
        ask(rng);
    return (int)count;
}

/* What was on its way is lost; nobody waits for it. */
static int virtio_rng_needs_reset(struct bb_virtio_client *client)
{
    struct virtio_rng *rng = bb_container_of(client, struct virtio_rng, client);
    int error = bb_virtio_restart(rng->virtio);
    if (!error)
        ask(rng);
    return error;
}

static int virtio_rng_probe(struct bb_device *device)
{
    struct virtio_rng *rng = bb_container_of(device, struct virtio_rng, device);
    rng->client.needs_reset = virtio_rng_needs_reset;
    int error = bb_virtio_open(device, 0, 0, &rng->client, &rng->virtio);
    if (!error)
        error = bb_virtio_ring(rng->virtio, 0, 2, &rng->ring);
    if (!error)
        error = bb_virtio_start(rng->virtio);
    if (!error)
        ask(rng);
    return error;
}

const struct bb_entropy_ops bb_ops_entropy_virtio_rng = {.read = virtio_rng_read};

BB_DRIVER(entropy, virtio_rng, .bus = &bb_virtio_bus, .match = BB_MATCH({"virtio,device4"}),
          .probe = virtio_rng_probe);
