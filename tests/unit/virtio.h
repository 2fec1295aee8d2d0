/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of the virtio bus and its MMIO transport share: a driver of their own. */
#ifndef TESTS_UNIT_VIRTIO_H
#define TESTS_UNIT_VIRTIO_H

#include "harness.h"

#include <busbar/entropy.h>
#include <busbar/virtio.h>
#include <core/core.h>
#include <tests/models/boards.h>
#include <tests/models/virtio_device.h>

#define SLOT VIRT_VIRTIO(0)
#define DEVICE SLOT "/device42"

/* ---- A driver that does as it is told ---- */

struct any {
    struct bb_device device;
    struct bb_entropy entropy;
    struct bb_virtio_client client;
    struct bb_virtio *virtio;
    struct bb_ring rings[2];
};

static struct {
    uint64_t wanted, required;
    unsigned size, rings;
    uint16_t parts;
    int (*needs_reset)(struct bb_virtio_client *client);
    int fault; /* in bb_virtio_open() */
} plan;
extern int bb_fault_at;
/* A test of one call. */
#define CASE(name, call)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        call;                                                                                      \
    }

static struct any *any;
static unsigned used, changed, failed;

static void count_used(struct bb_virtio_client *client)
{
    (void)client;
    used++;
}

static void count_changed(struct bb_virtio_client *client)
{
    (void)client;
    changed++;
}

static void count_failed(struct bb_virtio_client *client, int error)
{
    (void)client;
    assert_true(error < 0);
    failed++;
}

static int any_read(struct bb_entropy *entropy, void *buffer, size_t size)
{
    (void)entropy, (void)buffer, (void)size;
    return 0;
}

static int any_probe(struct bb_device *device)
{
    any = bb_container_of(device, struct any, device);
    any->client =
        (struct bb_virtio_client){count_used, count_changed, count_failed, plan.needs_reset};
    bb_fault_at = plan.fault;
    int error = bb_virtio_open(device, plan.wanted, plan.required, &any->client, &any->virtio);
    for (unsigned i = 0; i < plan.rings && !error; i++) {
        any->rings[i].parts = plan.parts;
        error = bb_virtio_ring(any->virtio, i, plan.size, &any->rings[i]);
    }
    return error ? error : bb_virtio_start(any->virtio);
}

static const struct bb_entropy_ops bb_ops_entropy_any = {.read = any_read};
BB_DRIVER(entropy, any, .bus = &bb_virtio_bus, .match = BB_MATCH({"virtio,device42"}),
          .probe = any_probe);

extern const struct bb_driver bb_driver_virtio_virtio_mmio, bb_driver_irq_gic_v2,
    bb_driver_timer_arm_generic, bb_driver_clock_fixed;
static const struct bb_driver *const drivers[] = {
    &bb_driver_irq_gic_v2, &bb_driver_timer_arm_generic, &bb_driver_virtio_virtio_mmio,
    &bb_driver_entropy_any};

static uint8_t config[64];
static struct model_virtio model;

static inline void prepare(bool legacy, uint64_t features)
{
    virt_prepare(NULL);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    model = (struct model_virtio){.type = 42,
                                  .legacy = legacy,
                                  .features = features,
                                  .queue_max = {8, 16},
                                  .config = config,
                                  .config_size = sizeof config};
    plan.rings = 1;
    plan.size = 256;
    model_virtio_attach(&model, 0);
}

static inline void post_one(unsigned ring)
{
    static uint8_t byte;
    const struct bb_ring_part part = {&byte, 1};
    assert_true(bb_ring_post(&any->rings[ring], &part, 0, 1, &byte));
    bb_ring_kick(&any->rings[ring]);
}

#endif
