/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 random number generator (binding brcm,bcm2835-rng; no public data sheet: registers as the
 * vendor's own Linux driver names them).
 */
#include <string.h>

#include <busbar/entropy.h>
#include <busbar/mmio.h>

enum {
    RNG_CTRL = 0x00,
    RNG_STATUS = 0x04, /* bits 31:24: words ready; 19:0: words thrown away first, when written */
    RNG_DATA = 0x08,
    SIZE = 0x0c,

    CTRL_RBGEN = 1 << 0,
    STATUS_READY_SHIFT = 24,
    WARM_UP = 0x40000, /* the first ones are less random */
};

struct bcm2835_rng {
    struct bb_device device;
    struct bb_entropy entropy;
    struct bb_regs regs;
};

static int bcm2835_rng_read(struct bb_entropy *entropy, void *buffer, size_t size)
{
    struct bcm2835_rng *rng = bb_container_of(entropy, struct bcm2835_rng, entropy);
    size_t got = 0;

    while (got < size && bb_read32(&rng->regs, RNG_STATUS) >> STATUS_READY_SHIFT) {
        uint32_t word = bb_read32(&rng->regs, RNG_DATA);
        size_t part = size - got < sizeof word ? size - got : sizeof word;
        memcpy((char *)buffer + got, &word, part);
        got += part;
    }
    return (int)got;
}

static int bcm2835_rng_probe(struct bb_device *device)
{
    struct bcm2835_rng *rng = bb_container_of(device, struct bcm2835_rng, device);
    int error = bb_regs_get(device, 0, SIZE, &rng->regs);

    if (error)
        return error;
    if (!(bb_read32(&rng->regs, RNG_CTRL) & CTRL_RBGEN)) {
        bb_write32(&rng->regs, RNG_STATUS, WARM_UP);
        bb_write32(&rng->regs, RNG_CTRL, CTRL_RBGEN);
    }
    return 0;
}

static void bcm2835_rng_remove(struct bb_device *device)
{
    bb_write32(&bb_container_of(device, struct bcm2835_rng, device)->regs, RNG_CTRL, 0);
}

const struct bb_entropy_ops bb_ops_entropy_bcm2835_rng = {
    .read = bcm2835_rng_read,
};

BB_DRIVER(entropy, bcm2835_rng, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-rng"}),
          .probe = bcm2835_rng_probe, .remove = bcm2835_rng_remove);
