/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 auxiliary block (BCM2835 ARM Peripherals, section 2.1.1): one register enables the mini
 * UART (output 0), SPI1 (1) and SPI2 (2), which all run from the core clock.
 */
#include <busbar/clock.h>
#include <busbar/mmio.h>

enum {
    AUXENB = 0x04, /* bit n: output n; a block that is off has no registers */
    SIZE = 0x08,

    OUTPUTS = 3,
};

struct bcm2835_aux {
    struct bb_device device;
    struct bb_clock clock;
    struct bb_regs regs;
    struct bb_clock_input parent;
};

static int bcm2835_aux_rate(struct bb_clock *clock, uint32_t output, uint64_t *hz)
{
    struct bcm2835_aux *aux = bb_container_of(clock, struct bcm2835_aux, clock);

    return output < OUTPUTS ? bb_clock_rate(&aux->parent, hz) : -EINVAL;
}

static int bcm2835_aux_enable(struct bb_clock *clock, uint32_t output, bool on)
{
    struct bcm2835_aux *aux = bb_container_of(clock, struct bcm2835_aux, clock);

    if (output >= OUTPUTS)
        return -EINVAL;
    uint32_t enabled = bb_read32(&aux->regs, AUXENB) & ((1u << OUTPUTS) - 1);
    uint32_t bit = 1u << output;
    bb_write32(&aux->regs, AUXENB, on ? enabled | bit : enabled & ~bit);
    return 0;
}

static int bcm2835_aux_probe(struct bb_device *device)
{
    struct bcm2835_aux *aux = bb_container_of(device, struct bcm2835_aux, device);
    int error = bb_regs_get(device, 0, SIZE, &aux->regs);

    return error ? error : bb_clock_get(device, 0, &aux->parent);
}

const struct bb_clock_ops bb_ops_clock_bcm2835_aux = {
    .rate = bcm2835_aux_rate,
    .enable = bcm2835_aux_enable,
};

BB_DRIVER(clock, bcm2835_aux, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-aux"}),
          .needs = BB_CLASSES(&bb_class_clock), .probe = bcm2835_aux_probe);
