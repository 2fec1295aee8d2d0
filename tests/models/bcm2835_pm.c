/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 power management: watchdog, reset and halt. Each write carries a password. */
#include "bcm2835.h"

#include <busbar/time.h>

enum { RSTC = 0x1c, RSTS = 0x20, WDOG = 0x24 };

#define PASSWORD 0x5a000000u
#define RSTC_WRCFG 0x30u
#define RSTC_FULL_RESET 0x20u
#define RSTS_HALT 0x555u /* partition 63, spread over the even bits */
#define TICK_NS (BB_SEC / 65536)

static const struct model_register registers[] = {
    {"RSTC", RSTC, MODEL_RW, ~0u},
    {"RSTS", RSTS, MODEL_RW, ~0u},
    {"WDOG", WDOG, MODEL_RW, ~0u},
    {NULL},
};

static void expired(void *context)
{
    struct model_bcm2835_pm *pm = context;

    world_ends((pm->rsts & RSTS_HALT) == RSTS_HALT ? WORLD_OFF : WORLD_RESET, 0);
}

static uint32_t pm_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_bcm2835_pm *pm = bb_container_of(model, struct model_bcm2835_pm, model);

    (void)width;
    return offset == RSTC ? pm->rstc : offset == RSTS ? pm->rsts : pm->wdog;
}

static void pm_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_bcm2835_pm *pm = bb_container_of(model, struct model_bcm2835_pm, model);
    uint32_t bits = value & 0xffffff;

    (void)width;
    model_require(model, (value & 0xff000000) == PASSWORD, "write of %#x without the password",
                  value);
    if (offset == WDOG) {
        model_require(model, bits <= 0xfffff, "WDOG has 20 bits");
        pm->wdog = bits;
    } else if (offset == RSTS) {
        pm->rsts = bits;
    } else {
        model_require(model, (bits & ~RSTC_WRCFG) == (pm->rstc & ~RSTC_WRCFG),
                      "RSTC = %#x changes bits that are not the reset's", bits);
        pm->rstc = bits;
        if ((bits & RSTC_WRCFG) == RSTC_FULL_RESET) {
            model_require(model, pm->wdog != 0, "reset asked for while WDOG holds no time");
            if (!pm->dead)
                world_at(&pm->expires, world_now() + pm->wdog * TICK_NS);
        } else {
            world_cancel(&pm->expires);
        }
    }
}

void model_bcm2835_pm_map(struct model_bcm2835_pm *pm, uint64_t base)
{
    pm->model = (struct model){
        .name = "bcm2835 pm", .registers = registers, .read = pm_read, .write = pm_write};
    pm->rstc = 0x102;
    pm->rsts = 0x1000;
    pm->expires = (struct world_event){.run = expired, .context = pm};
    model_map(&pm->model, base, 0x114);
}
