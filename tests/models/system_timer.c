/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 system timer (BCM2835 ARM Peripherals, chapter 12). */
#include "bcm2835.h"

#include <busbar/time.h>

enum { CS = 0x00, CLO = 0x04, CHI = 0x08, C0 = 0x0c };

static const struct model_register registers[] = {
    {"CS", CS, MODEL_RW, 0xf},      {"CLO", CLO, MODEL_R},
    {"CHI", CHI, MODEL_R},          {"C0", C0, MODEL_R},
    {"C1", C0 + 4, MODEL_RW, ~0u},  {"C2", C0 + 8, MODEL_R},
    {"C3", C0 + 12, MODEL_RW, ~0u}, {NULL},
};

static uint64_t count(const struct model_system_timer *timer)
{
    return world_now() / BB_USEC + timer->offset;
}

static void update(struct model_system_timer *timer)
{
    for (unsigned i = 0; i < 4; i++)
        wire_set(&timer->irq[i], timer->status >> i & 1);
}

/* Equality only: a compare in the past matches when the low word comes round, after 71 minutes. */
static void schedule(struct model_system_timer *timer, unsigned i)
{
    uint64_t now = count(timer);
    uint64_t ahead = (uint32_t)(timer->compare[i] - (uint32_t)now);

    if (ahead == 0)
        ahead = 1ull << 32;
    world_at(&timer->match[i], (world_now() / BB_USEC + ahead) * BB_USEC);
}

static void matched(struct model_system_timer *timer, unsigned i)
{
    timer->status |= 1u << i;
    schedule(timer, i);
    update(timer);
}

static void matched_1(void *context)
{
    matched(context, 1);
}

static void matched_3(void *context)
{
    matched(context, 3);
}

static uint32_t timer_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_system_timer *timer = bb_container_of(model, struct model_system_timer, model);

    (void)width;
    switch (offset) {
    case CS:
        return timer->status;
    case CLO:
        return (uint32_t)count(timer);
    case CHI:
        return (uint32_t)(count(timer) >> 32);
    default:
        return timer->compare[(offset - C0) / 4];
    }
}

static void timer_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_system_timer *timer = bb_container_of(model, struct model_system_timer, model);

    (void)width;
    if (offset == CS) {
        model_require(model, !(value & 5), "channels 0 and 2 belong to the firmware");
        timer->status &= ~value;
    } else {
        timer->compare[(offset - C0) / 4] = value;
        schedule(timer, (offset - C0) / 4);
    }
    update(timer);
}

void model_system_timer_map(struct model_system_timer *timer, uint64_t base)
{
    timer->model = (struct model){.name = "bcm2835 system timer",
                                  .registers = registers,
                                  .read = timer_read,
                                  .write = timer_write};
    timer->match[1] = (struct world_event){.run = matched_1, .context = timer};
    timer->match[3] = (struct world_event){.run = matched_3, .context = timer};
    model_map(&timer->model, base, 0x1000);
}
