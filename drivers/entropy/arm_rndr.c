/* SPDX-License-Identifier: BSD-2-Clause */
/* The RNDR register of Arm CPUs with FEAT_RNG (ARM DDI 0487, D17.2). No tree names it: a manifest
 * does, with nodes = ["busbar,arm-rndr"]. */
#include <string.h>

#include <busbar/entropy.h>
#include <busbar/mmio.h>

struct arm_rndr {
    struct bb_device device;
    struct bb_entropy entropy;
};

static int arm_rndr_read(struct bb_entropy *entropy, void *buffer, size_t size)
{
    uint8_t *bytes = buffer;
    size_t got = 0;
    uint64_t value;
    (void)entropy;
    while (got < size && got < 4096 && bb_arch_random(&value)) {
        size_t count = size - got < sizeof value ? size - got : sizeof value;
        memcpy(bytes + got, &value, count);
        got += count;
    }
    return (int)got;
}

static int arm_rndr_probe(struct bb_device *device)
{
    return bb_arch_has_random() ? 0 : bb_fail(device, "FEAT_RNG", -ENOSYS);
}

const struct bb_entropy_ops bb_ops_entropy_arm_rndr = {.read = arm_rndr_read};

BB_DRIVER(entropy, arm_rndr, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,arm-rndr"}),
          .probe = arm_rndr_probe);
