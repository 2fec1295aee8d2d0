/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 random number generator. */
#include "bcm2835.h"

#include <busbar/time.h>

enum { CTRL = 0x00, STATUS = 0x04, DATA = 0x08, THRESHOLD = 0x0c };

#define FIFO 4
#define WORD_NS 2000 /* it makes 16 to 20 Mbit/s */

static const struct model_register registers[] = {
    {"CTRL", CTRL, MODEL_RW, 3},
    {"STATUS", STATUS, MODEL_RW, 0xfffff},
    {"DATA", DATA, MODEL_R},
    {"THRESHOLD", THRESHOLD, MODEL_RW, 0xff},
    {NULL},
};

static uint64_t made(const struct model_bcm2835_rng *rng)
{
    uint64_t words = (world_now() - rng->started) / WORD_NS;
    uint64_t warm_up = rng->warm_up / 0x400; /* the first words are thrown away */

    return !(rng->control & 1) || rng->dead || words < warm_up ? 0 : words - warm_up;
}

static uint64_t available(struct model_bcm2835_rng *rng)
{
    uint64_t words = made(rng);

    if (words > rng->taken + FIFO)
        rng->taken = words - FIFO;
    return words - rng->taken;
}

static uint32_t rng_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_bcm2835_rng *rng = bb_container_of(model, struct model_bcm2835_rng, model);

    (void)width;
    switch (offset) {
    case CTRL:
        return rng->control;
    case STATUS:
        return (uint32_t)available(rng) << 24 | rng->warm_up;
    case DATA:
        model_require(model, available(rng) > 0, "DATA read while STATUS counts no word");
        rng->taken++;
        rng->seed = rng->seed * 1664525 + 1013904223;
        return rng->seed;
    default:
        return rng->threshold;
    }
}

static void rng_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_bcm2835_rng *rng = bb_container_of(model, struct model_bcm2835_rng, model);

    (void)width;
    switch (offset) {
    case CTRL:
        if (value & 1 && !(rng->control & 1)) {
            model_require(model, rng->warm_up != 0, "switched on without a warm-up count");
            rng->started = world_now();
            rng->taken = 0;
        }
        rng->control = value;
        break;
    case STATUS:
        model_require(model, !(rng->control & 1), "the warm-up count was changed while running");
        rng->warm_up = value;
        break;
    default:
        rng->threshold = value;
        break;
    }
}

void model_bcm2835_rng_map(struct model_bcm2835_rng *rng, uint64_t base)
{
    rng->model = (struct model){
        .name = "bcm2835 rng", .registers = registers, .read = rng_read, .write = rng_write};
    rng->seed = 20260101;
    model_map(&rng->model, base, 0x10);
}
