/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PL031 real-time clock (ARM DDI 0224C), chapter 3. */
#include "pl031.h"

#include <busbar/time.h>

enum {
    DR = 0x00,
    MR = 0x04,
    LR = 0x08,
    CR = 0x0c,
    IMSC = 0x10,
    RIS = 0x14,
    MIS = 0x18,
    ICR = 0x1c,
    ID = 0xfe0,
};

static const struct model_register registers[] = {
    {"DR", DR, MODEL_R},         {"MR", MR, MODEL_RW, ~0u},
    {"LR", LR, MODEL_RW, ~0u},   {"CR", CR, MODEL_RW, 1},
    {"IMSC", IMSC, MODEL_RW, 1}, {"RIS", RIS, MODEL_R},
    {"MIS", MIS, MODEL_R},       {"ICR", ICR, MODEL_W, 1},
    {"ID", ID, MODEL_R, 0, 8},   {NULL},
};

static void update(struct model_pl031 *rtc)
{
    wire_set(&rtc->irq, rtc->ris & rtc->imsc);
}

static void tick(void *context)
{
    struct model_pl031 *rtc = context;

    world_at(&rtc->tick, world_now() + BB_SEC);
    if (!(rtc->control & 1))
        return;
    /* The match is an event of the 1 Hz clock: a match value already passed waits 136 years. */
    if (++rtc->count == rtc->match)
        rtc->ris = 1;
    update(rtc);
}

static uint32_t pl031_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_pl031 *rtc = bb_container_of(model, struct model_pl031, model);
    static const unsigned char id[] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    (void)width;
    switch (offset) {
    case DR:
        return rtc->count;
    case MR:
        return rtc->match;
    case LR:
        return rtc->load;
    case CR:
        return rtc->control;
    case IMSC:
        return rtc->imsc;
    case RIS:
        return rtc->ris;
    case MIS:
        return rtc->ris & rtc->imsc;
    default:
        return id[(offset - ID) / 4];
    }
}

static void pl031_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_pl031 *rtc = bb_container_of(model, struct model_pl031, model);

    (void)width;
    switch (offset) {
    case MR:
        rtc->match = value;
        break;
    case LR:
        rtc->load = rtc->count = value;
        break;
    case CR:
        rtc->control |= value; /* once started it runs until reset */
        break;
    case IMSC:
        rtc->imsc = value;
        break;
    default: /* ICR */
        rtc->ris &= ~value;
        break;
    }
    update(rtc);
}

void model_pl031_map(struct model_pl031 *rtc, uint64_t base, uint32_t seconds)
{
    rtc->model = (struct model){
        .name = "pl031", .registers = registers, .read = pl031_read, .write = pl031_write};
    rtc->count = seconds;
    rtc->tick = (struct world_event){.run = tick, .context = rtc};
    world_at(&rtc->tick, world_now() + BB_SEC / 2);
    model_map(&rtc->model, base, 0x1000);
}
