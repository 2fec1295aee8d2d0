/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock of one fixed rate: an oscillator (Devicetree binding fixed-clock). */
#include <busbar/clock.h>
#include <busbar/mmio.h>

struct fixed {
    struct bb_device device;
    struct bb_clock clock;
    uint32_t hz;
};

static int fixed_rate(struct bb_clock *clock, uint32_t output, uint64_t *hz)
{
    if (output != 0)
        return -EINVAL;
    *hz = bb_container_of(clock, struct fixed, clock)->hz;
    return 0;
}

static int fixed_probe(struct bb_device *device)
{
    struct fixed *fixed = bb_container_of(device, struct fixed, device);
    int error = bb_node_u32(device->node, "clock-frequency", &fixed->hz);
    if (!error && fixed->hz == 0)
        error = -EINVAL;
    return error ? bb_fail(device, "clock-frequency", error) : 0;
}

const struct bb_clock_ops bb_ops_clock_fixed = {.rate = fixed_rate};

BB_DRIVER(clock, fixed, .bus = &bb_mmio_bus, .match = BB_MATCH({"fixed-clock"}),
          .probe = fixed_probe);
