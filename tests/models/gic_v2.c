/* SPDX-License-Identifier: BSD-2-Clause */
/* Arm GICv2 without Security Extensions (ARM IHI 0048B), chapter 4. */
#include "gic.h"

enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IIDR = 0x008,
    GICD_IGROUPR = 0x080,
    GICD_IPRIORITYR = 0x400,
    GICD_ITARGETSR = 0x800,
    GICD_ICFGR = 0xc00,
    GICD_SGIR = 0xf00,
    GICD_ID = 0xfd0,
    GICC_CTLR = 0x00,
    GICC_PMR = 0x04,
    GICC_BPR = 0x08,
    GICC_IAR = 0x0c,
    GICC_EOIR = 0x10,
    GICC_RPR = 0x14,
    GICC_HPPIR = 0x18,
    GICC_IIDR = 0xfc,
};

#define WORDS (GIC_IDS / 32)

static const struct model_register distributor_registers[] = {
    {"GICD_CTLR", GICD_CTLR, MODEL_RW, 3},
    {"GICD_TYPER", GICD_TYPER, MODEL_R},
    {"GICD_IIDR", GICD_IIDR, MODEL_R},
    {"GICD_IGROUPR", 0x080, MODEL_RW, ~0u, WORDS},
    {"GICD_ISENABLER", 0x100, MODEL_RW, ~0u, WORDS},
    {"GICD_ICENABLER", 0x180, MODEL_RW, ~0u, WORDS},
    {"GICD_ISPENDR", 0x200, MODEL_RW, ~0u, WORDS},
    {"GICD_ICPENDR", 0x280, MODEL_RW, ~0u, WORDS},
    {"GICD_ISACTIVER", 0x300, MODEL_RW, ~0u, WORDS},
    {"GICD_ICACTIVER", 0x380, MODEL_RW, ~0u, WORDS},
    {"GICD_IPRIORITYR", GICD_IPRIORITYR, MODEL_RW | MODEL_BYTES, ~0u, GIC_IDS / 4},
    {"GICD_ITARGETSR", GICD_ITARGETSR, MODEL_RW | MODEL_BYTES, ~0u, GIC_IDS / 4},
    {"GICD_ICFGR", GICD_ICFGR, MODEL_RW, ~0u, GIC_IDS / 16},
    {"GICD_SGIR", GICD_SGIR, MODEL_W, 0x03ff800f},
    {"GICD_ID", GICD_ID, MODEL_R, 0, 12},
    {NULL},
};

static const struct model_register cpu_registers[] = {
    {"GICC_CTLR", GICC_CTLR, MODEL_RW, 0x7ff},
    {"GICC_PMR", GICC_PMR, MODEL_RW, 0xff},
    {"GICC_BPR", GICC_BPR, MODEL_RW, 7},
    {"GICC_IAR", GICC_IAR, MODEL_R},
    {"GICC_EOIR", GICC_EOIR, MODEL_W, 0x1fff},
    {"GICC_RPR", GICC_RPR, MODEL_R},
    {"GICC_HPPIR", GICC_HPPIR, MODEL_R},
    {"GICC_IIDR", GICC_IIDR, MODEL_R},
    {NULL},
};

static void update(struct model_gic_v2 *v2)
{
    uint32_t on = v2->distributor_control & v2->cpu_control;

    v2->gic.group0_on = on & 1;
    v2->gic.group1_on = on & 2 && v2->cpu_control & 4; /* AckCtl, where one IAR serves both */
    gic_update(&v2->gic);
}

/* IPRIORITYR and ITARGETSR: a byte for each interrupt. */
static uint8_t get_byte(struct model_gic_v2 *v2, uint32_t offset)
{
    if (offset < GICD_ITARGETSR)
        return v2->gic.priority[offset - GICD_IPRIORITYR];
    return offset - GICD_ITARGETSR < 32 ? 1 : v2->targets[offset - GICD_ITARGETSR];
}

static void set_byte(struct model_gic_v2 *v2, uint32_t offset, uint8_t value)
{
    if (offset < GICD_ITARGETSR) {
        v2->gic.priority[offset - GICD_IPRIORITYR] = value & 0xf8; /* 32 priorities */
        return;
    }
    unsigned id = offset - GICD_ITARGETSR;
    model_require(&v2->distributor, id >= 32, "ITARGETSR of an SGI or PPI is read-only");
    v2->targets[id] = value;
    v2->gic.routed[id] = value & 1;
}

static uint32_t distributor_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_gic_v2 *v2 = bb_container_of(model, struct model_gic_v2, distributor);
    uint32_t value = 0;

    if (gic_bit_read(&v2->gic, offset, &value))
        return value;
    if (offset >= GICD_IPRIORITYR && offset < GICD_ICFGR) {
        for (unsigned i = 0; i < width; i++)
            value |= (uint32_t)get_byte(v2, offset + i) << 8 * i;
        return value;
    }
    if (offset >= GICD_ICFGR && offset < GICD_SGIR) {
        unsigned first = (offset - GICD_ICFGR) * 4;
        for (unsigned i = 0; i < 16; i++)
            value |= (first < 16 || v2->gic.edge[first + i] ? 2u : 0) << 2 * i;
        return value;
    }
    switch (offset) {
    case GICD_CTLR:
        return v2->distributor_control;
    case GICD_TYPER:
        return 1u << 5 | (WORDS - 1);
    case GICD_IIDR:
        return 0x0200143b;
    default: /* PIDR2, which tells the architecture */
        return offset == 0xfe8 ? 0x2b : 0;
    }
}

static void distributor_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_gic_v2 *v2 = bb_container_of(model, struct model_gic_v2, distributor);

    if (gic_bit_write(&v2->gic, offset, value))
        return;
    if (offset >= GICD_IPRIORITYR && offset < GICD_ICFGR) {
        for (unsigned i = 0; i < width; i++)
            set_byte(v2, offset + i, (uint8_t)(value >> 8 * i));
    } else if (offset >= GICD_ICFGR && offset < GICD_SGIR) {
        unsigned first = (offset - GICD_ICFGR) * 4;
        model_require(model, first >= 16, "ICFGR0 is read-only");
        for (unsigned i = 0; i < 16; i++) {
            bool edge = value >> 2 * i & 2;
            model_require(model, edge == v2->gic.edge[first + i] || !v2->gic.enabled[first + i],
                          "the trigger of %u was changed while it is enabled", first + i);
            v2->gic.edge[first + i] = edge;
        }
    } else if (offset == GICD_CTLR) {
        v2->distributor_control = value;
    } else { /* GICD_SGIR */
        if ((value >> 24 & 3) == 2 || ((value >> 24 & 3) == 0 && value >> 16 & 1))
            v2->gic.latched[value & 15] = true;
    }
    update(v2);
}

static uint32_t cpu_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_gic_v2 *v2 = bb_container_of(model, struct model_gic_v2, cpu);

    (void)width;
    switch (offset) {
    case GICC_CTLR:
        return v2->cpu_control;
    case GICC_PMR:
        return v2->gic.priority_mask;
    case GICC_BPR:
        return v2->bpr;
    case GICC_IAR:
        model_require(model, v2->cpu_control & 3, "IAR read while the CPU interface is off");
        return gic_acknowledge(&v2->gic);
    case GICC_IIDR:
        return 0x0202143b;
    default:
        return 0;
    }
}

static void cpu_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_gic_v2 *v2 = bb_container_of(model, struct model_gic_v2, cpu);

    (void)width;
    switch (offset) {
    case GICC_CTLR:
        v2->cpu_control = value;
        break;
    case GICC_PMR:
        v2->gic.priority_mask = value & 0xf8;
        break;
    case GICC_BPR:
        v2->bpr = value;
        break;
    default: /* GICC_EOIR */
        gic_end(&v2->gic, value);
        break;
    }
    update(v2);
}

void model_gic_v2_map(struct model_gic_v2 *v2, uint64_t distributor, uint64_t cpu)
{
    v2->gic.name = "gic_v2";
    v2->distributor = (struct model){.name = "gic_v2 distributor",
                                     .registers = distributor_registers,
                                     .read = distributor_read,
                                     .write = distributor_write};
    v2->cpu = (struct model){.name = "gic_v2 cpu interface",
                             .registers = cpu_registers,
                             .read = cpu_read,
                             .write = cpu_write};
    for (unsigned id = 0; id < 32; id++)
        v2->gic.routed[id] = true;
    for (unsigned id = 0; id < 16; id++)
        v2->gic.enabled[id] = v2->gic.edge[id] = true;
    model_map(&v2->distributor, distributor, 0x1000);
    model_map(&v2->cpu, cpu, 0x2000);
}
