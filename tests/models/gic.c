/* SPDX-License-Identifier: BSD-2-Clause */
/* What GICv2 and GICv3 have in common: pending, active, priorities, acknowledge and end. */
#include "gic.h"

enum {
    IGROUPR = 0x080,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    ISPENDR = 0x200,
    ICPENDR = 0x280,
    ISACTIVER = 0x300,
    ICACTIVER = 0x380,
    IPRIORITYR = 0x400,
};

static bool pending(const struct model_gic *gic, unsigned id)
{
    return gic->latched[id] || (gic->level[id] && !gic->edge[id]);
}

/* The interrupt that the CPU should take now. */
static unsigned best(const struct model_gic *gic)
{
    unsigned found = GIC_SPURIOUS;
    unsigned limit = gic->priority_mask;

    if (gic->running_count) {
        unsigned running = gic->priority[gic->running[gic->running_count - 1]];
        limit = running < limit ? running : limit;
    }
    for (unsigned id = 0; id < GIC_IDS; id++) {
        bool on = gic->group1[id] ? gic->group1_on : gic->group0_on;
        if (on && gic->enabled[id] && gic->routed[id] && !gic->active[id] && pending(gic, id) &&
            gic->priority[id] < limit) {
            found = id;
            limit = gic->priority[id];
        }
    }
    return found;
}

void gic_update(struct model_gic *gic)
{
    wire_set(&gic->irq, best(gic) != GIC_SPURIOUS);
}

void model_gic_line(void *context, unsigned id, bool level)
{
    struct model_gic *gic = context;

    if (level && !gic->level[id] && gic->edge[id])
        gic->latched[id] = true;
    gic->level[id] = level;
    gic_update(gic);
}

struct wire model_gic_wire(struct model_gic *gic, unsigned id)
{
    return (struct wire){.set = model_gic_line, .context = gic, .number = id};
}

unsigned gic_acknowledge(struct model_gic *gic)
{
    unsigned id = best(gic);

    if (id == GIC_SPURIOUS) {
        gic->spurious++;
        return id;
    }
    gic->acknowledged++;
    gic->active[id] = true;
    gic->latched[id] = false;
    gic->running[gic->running_count++] = id;
    gic_update(gic);
    return id;
}

void gic_end(struct model_gic *gic, uint64_t id)
{
    if (gic->running_count == 0 || gic->running[gic->running_count - 1] != id)
        world_fail(gic->name, "EOI of %llu, which is not the last interrupt acknowledged",
                   (unsigned long long)id);
    gic->running_count--;
    gic->active[id] = false;
    gic_update(gic);
}

bool gic_bit_read(struct model_gic *gic, uint32_t offset, uint32_t *value)
{
    unsigned first = offset % 0x80 / 4 * 32;

    if (offset < IGROUPR || offset >= IPRIORITYR)
        return false;
    *value = 0;
    for (unsigned i = 0; i < 32; i++) {
        unsigned id = first + i;
        uint32_t base = offset & ~0x7fu;
        bool bit = base == IGROUPR                          ? gic->group1[id]
                   : base == ISENABLER || base == ICENABLER ? gic->enabled[id]
                   : base == ISPENDR || base == ICPENDR     ? pending(gic, id)
                                                            : gic->active[id];
        *value |= (uint32_t)bit << i;
    }
    return true;
}

bool gic_bit_write(struct model_gic *gic, uint32_t offset, uint32_t value)
{
    unsigned first = offset % 0x80 / 4 * 32;
    uint32_t base = offset & ~0x7fu;

    if (offset < IGROUPR || offset >= IPRIORITYR)
        return false;
    for (unsigned i = 0; i < 32; i++) {
        unsigned id = first + i;
        bool bit = value >> i & 1;
        if (gic->foreign[id])
            continue;
        if (base == IGROUPR)
            gic->group1[id] = bit;
        if (!bit)
            continue;
        if (base == ISENABLER || base == ICENABLER)
            gic->enabled[id] = base == ISENABLER;
        else if (base == ISPENDR || base == ICPENDR)
            gic->latched[id] = base == ISPENDR;
        else if (base == ISACTIVER || base == ICACTIVER)
            gic->active[id] = base == ISACTIVER;
    }
    gic_update(gic);
    return true;
}
