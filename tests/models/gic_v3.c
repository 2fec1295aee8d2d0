/* SPDX-License-Identifier: BSD-2-Clause */
/* Arm GICv3 with a single security state (ARM IHI 0069H), chapters 4 and 12. */
#include "gic.h"

#include <busbar/time.h>

enum {
    GICD_CTLR = 0x0000,
    CTLR_GRP0 = 1 << 0,
    CTLR_GRP1 = 1 << 1,
    CTLR_GRP1S = 1 << 2,
    CTLR_ARE = 1 << 4,
    CTLR_DS = 1 << 6,
    GICD_TYPER = 0x0004,
    GICD_IIDR = 0x0008,
    GICD_IPRIORITYR = 0x0400,
    GICD_ICFGR = 0x0c00,
    GICD_IGRPMODR = 0x0d00,
    GICD_IROUTER = 0x6000,
    GICD_ID = 0xffd0,
    GICR_CTLR = 0x0000,
    GICR_IIDR = 0x0004,
    GICR_TYPER = 0x0008,
    GICR_WAKER = 0x0014,
    WAKER_SLEEP = 1 << 1,
    WAKER_CHILDREN = 1 << 2,
    GICR_ID = 0xffd0,
    SGI = 0x10000,
};
#define RWP (1u << 31)
#define RWP_NS 500 /* a configuration write takes that long to be seen */
#define FRAME 0x20000

#define SPI_WORDS (GIC_IDS / 32 - 1)

/* With affinity routing the distributor holds SPIs only. */
static const struct model_register distributor_registers[] = {
    {"GICD_CTLR", GICD_CTLR, MODEL_RW, 0xd7},
    {"GICD_TYPER", GICD_TYPER, MODEL_R},
    {"GICD_IIDR", GICD_IIDR, MODEL_R},
    {"GICD_IGROUPR", 0x084, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_ISENABLER", 0x104, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_ICENABLER", 0x184, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_ISPENDR", 0x204, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_ICPENDR", 0x284, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_ISACTIVER", 0x304, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_ICACTIVER", 0x384, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_IPRIORITYR", 0x420, MODEL_RW | MODEL_BYTES, ~0u, GIC_IDS / 4 - 8},
    {"GICD_ICFGR", 0xc08, MODEL_RW, ~0u, GIC_IDS / 16 - 2},
    {"GICD_IGRPMODR", 0xd04, MODEL_RW, ~0u, SPI_WORDS},
    {"GICD_IROUTER", 0x6100, MODEL_RW, ~0u, (GIC_IDS - 32) * 2},
    {"GICD_ID", GICD_ID, MODEL_R, 0, 12},
    {NULL},
};

static const struct model_register redistributor_registers[] = {
    {"GICR_CTLR", GICR_CTLR, MODEL_RW, 0},
    {"GICR_IIDR", GICR_IIDR, MODEL_R},
    {"GICR_TYPER", GICR_TYPER, MODEL_R, 0, 2},
    {"GICR_WAKER", GICR_WAKER, MODEL_RW, WAKER_SLEEP | WAKER_CHILDREN},
    {"GICR_ID", GICR_ID, MODEL_R, 0, 12},
    {"GICR_IGROUPR0", SGI + 0x080, MODEL_RW, ~0u},
    {"GICR_ISENABLER0", SGI + 0x100, MODEL_RW, ~0u},
    {"GICR_ICENABLER0", SGI + 0x180, MODEL_RW, ~0u},
    {"GICR_ISPENDR0", SGI + 0x200, MODEL_RW, ~0u},
    {"GICR_ICPENDR0", SGI + 0x280, MODEL_RW, ~0u},
    {"GICR_ISACTIVER0", SGI + 0x300, MODEL_RW, ~0u},
    {"GICR_ICACTIVER0", SGI + 0x380, MODEL_RW, ~0u},
    {"GICR_IPRIORITYR", SGI + 0x400, MODEL_RW | MODEL_BYTES, ~0u, 8},
    {"GICR_ICFGR0", SGI + 0xc00, MODEL_R},
    {"GICR_ICFGR1", SGI + 0xc04, MODEL_RW, ~0u},
    {"GICR_IGRPMODR0", SGI + 0xd00, MODEL_RW, ~0u},
    {NULL},
};

static void update(struct model_gic_v3 *v3)
{
    v3->gic.group1_on = v3->icc_on && v3->control & CTLR_GRP1;
    v3->gic.group0_on = false; /* Group 0 is FIQ, which nobody takes */
    for (unsigned id = 32; id < GIC_IDS; id++)
        v3->gic.routed[id] = v3->router[id] == v3->cpu;
    gic_update(&v3->gic);
}

/* Registers with a byte or a bit pair for each interrupt, alike in both blocks. */
static uint32_t config_read(struct model_gic *gic, uint32_t offset, unsigned width)
{
    uint32_t value = 0;

    if (gic_bit_read(gic, offset, &value))
        return value;
    if (offset >= GICD_IPRIORITYR && offset < GICD_IPRIORITYR + GIC_IDS) {
        for (unsigned i = 0; i < width; i++)
            value |= (uint32_t)gic->priority[offset - GICD_IPRIORITYR + i] << 8 * i;
    } else if (offset >= GICD_ICFGR && offset < GICD_IGRPMODR) {
        for (unsigned i = 0; i < 16; i++)
            value |= (gic->edge[(offset - GICD_ICFGR) * 4 + i] ? 2u : 0) << 2 * i;
    }
    return value;
}

static void config_write(struct model_gic *gic, uint32_t offset, unsigned width, uint32_t value)
{
    if (gic_bit_write(gic, offset, value))
        return;
    if (offset >= GICD_IPRIORITYR && offset < GICD_IPRIORITYR + GIC_IDS) {
        for (unsigned i = 0; i < width; i++)
            gic->priority[offset - GICD_IPRIORITYR + i] = (uint8_t)(value >> 8 * i) & 0xf8;
    } else if (offset >= GICD_IGRPMODR) {
        if (value && !gic->two_states)
            world_fail(gic->name, "IGRPMODR is reserved where there is one security state");
    } else if (offset >= GICD_ICFGR) {
        for (unsigned i = 0; i < 16; i++) {
            unsigned id = (offset - GICD_ICFGR) * 4 + i;
            bool edge = value >> 2 * i & 2;
            if (edge != gic->edge[id] && gic->enabled[id])
                world_fail(gic->name, "the trigger of %u was changed while it is enabled", id);
            gic->edge[id] = edge;
        }
    }
}

static bool is_disable(uint32_t offset)
{
    return offset >= 0x180 && offset < 0x200;
}

static bool is_trigger(uint32_t offset)
{
    return offset >= GICD_ICFGR && offset < GICD_IGRPMODR;
}

static uint32_t distributor_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_gic_v3 *v3 = bb_container_of(model, struct model_gic_v3, distributor);

    if (offset >= GICD_IROUTER && offset < GICD_IROUTER + GIC_IDS * 8)
        return (uint32_t)(v3->router[(offset - GICD_IROUTER) / 8] >> offset % 8 * 8);
    switch (offset) {
    case GICD_CTLR:
        return v3->control | CTLR_DS | (world_now() < v3->busy_until ? RWP : 0);
    case GICD_TYPER:
        return GIC_IDS / 32 - 1;
    case GICD_IIDR:
        return 0x0300143b;
    case 0xffe8: /* PIDR2, which tells the architecture */
        return 0x3b;
    default:
        return config_read(&v3->gic, offset, width);
    }
}

static void distributor_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_gic_v3 *v3 = bb_container_of(model, struct model_gic_v3, distributor);
    bool busy = world_now() < v3->busy_until;

    if (offset == GICD_CTLR) {
        uint32_t changed = (value ^ v3->control) & CTLR_ARE;
        model_require(model, !changed || !(v3->control & (CTLR_GRP0 | CTLR_GRP1)),
                      "ARE was changed while groups are enabled");
        model_require(model, !busy, "CTLR was written while RWP is set");
        v3->control = value & ~(uint32_t)(CTLR_DS | CTLR_GRP1S);
        v3->busy_until = world_now() + RWP_NS;
        update(v3);
        return;
    }
    if (offset >= GICD_IROUTER && offset < GICD_IROUTER + GIC_IDS * 8) {
        uint64_t *router = &v3->router[(offset - GICD_IROUTER) / 8];
        unsigned shift = offset % 8 * 8;
        model_require(model, v3->control & CTLR_ARE, "IROUTER written without ARE");
        model_require(model, shift ? value <= 0xff : !(value & 0x7f000000),
                      "IROUTER = %#x sets reserved bits", value);
        *router = (*router & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
    } else {
        model_require(model, !busy || !is_trigger(offset),
                      "a trigger was changed before the disable was seen (RWP)");
        config_write(&v3->gic, offset, width, value);
        if (is_disable(offset))
            v3->busy_until = world_now() + RWP_NS;
    }
    update(v3);
}

static uint32_t redistributor_read(struct model *model, uint32_t offset, unsigned width)
{
    struct gic_v3_frame *frame = bb_container_of(model, struct gic_v3_frame, model);

    switch (offset) {
    case GICR_CTLR:
        return world_now() < frame->busy_until ? 1u << 3 : 0;
    case GICR_IIDR:
        return 0x0300143b;
    case GICR_TYPER:
        return frame->cpu << 8 | (frame->is_last ? 1u << 4 : 0);
    case GICR_TYPER + 4:
        return frame->cpu;
    case GICR_WAKER:
        return frame->asleep ? WAKER_SLEEP | WAKER_CHILDREN
                             : (world_now() < frame->wakes_at ? WAKER_CHILDREN : 0);
    case 0xffe8: /* PIDR2 */
        return 0x3b;
    default:
        return offset >= SGI ? config_read(&frame->gic->gic, offset - SGI, width) : 0;
    }
}

static void redistributor_write(struct model *model, uint32_t offset, unsigned width,
                                uint32_t value)
{
    struct gic_v3_frame *frame = bb_container_of(model, struct gic_v3_frame, model);

    model_require(model, frame->cpu == frame->gic->cpu, "this is another CPU's redistributor");
    if (offset == GICR_WAKER) {
        frame->asleep = value & WAKER_SLEEP;
        frame->wakes_at = world_now() + RWP_NS;
        return;
    }
    if (offset < SGI)
        return;
    model_require(model, world_now() >= frame->busy_until || !is_trigger(offset - SGI),
                  "a trigger was changed before the disable was seen (RWP)");
    config_write(&frame->gic->gic, offset - SGI, width, value);
    if (is_disable(offset - SGI))
        frame->busy_until = world_now() + RWP_NS;
    update(frame->gic);
}

static void check_icc(const struct model_gic_v3 *v3, enum bb_gic_reg reg)
{
    const struct gic_v3_frame *frame = &v3->redistributors[v3->cpu];

    if (reg == BB_ICC_SRE)
        return;
    if (!v3->sre)
        world_fail(v3->gic.name, "an ICC register was used before ICC_SRE_EL1.SRE was set");
    if (frame->asleep || world_now() < frame->wakes_at)
        world_fail(v3->gic.name, "an ICC register was used while the redistributor sleeps");
}

static void icc_write(void *context, enum bb_gic_reg reg, uint64_t value)
{
    struct model_gic_v3 *v3 = context;

    check_icc(v3, reg);
    switch (reg) {
    case BB_ICC_SRE:
        if (value & ~7ull)
            world_fail(v3->gic.name, "ICC_SRE_EL1 = %#llx sets reserved bits",
                       (unsigned long long)value);
        v3->sre = value & 1;
        break;
    case BB_ICC_PMR:
        v3->gic.priority_mask = value & 0xf8;
        break;
    case BB_ICC_EOIR1:
        gic_end(&v3->gic, value);
        break;
    case BB_ICC_IGRPEN1:
        v3->icc_on = value & 1;
        break;
    case BB_ICC_CTLR:
        if (value & 2)
            world_fail(v3->gic.name, "EOImode 1 needs ICC_DIR_EL1, which nobody writes");
        v3->icc_control = (uint32_t)value;
        break;
    case BB_ICC_BPR1:
        break;
    case BB_ICC_IAR1:
        world_fail(v3->gic.name, "ICC_IAR1_EL1 is read-only");
    }
    update(v3);
}

static uint64_t icc_read(void *context, enum bb_gic_reg reg)
{
    struct model_gic_v3 *v3 = context;

    check_icc(v3, reg);
    switch (reg) {
    case BB_ICC_SRE:
        return v3->sre ? 7 : 0;
    case BB_ICC_PMR:
        return v3->gic.priority_mask;
    case BB_ICC_IAR1:
        if (!v3->icc_on)
            world_fail(v3->gic.name, "ICC_IAR1_EL1 read while group 1 is off");
        return gic_acknowledge(&v3->gic);
    case BB_ICC_IGRPEN1:
        return v3->icc_on;
    case BB_ICC_CTLR:
        return v3->icc_control | 4u << 8; /* 5 priority bits */
    case BB_ICC_BPR1:
        return 3;
    case BB_ICC_EOIR1:
        world_fail(v3->gic.name, "ICC_EOIR1_EL1 is write-only");
    }
    return 0;
}

void model_gic_v3_map(struct model_gic_v3 *v3, uint64_t distributor, uint64_t redistributors,
                      unsigned cpu)
{
    v3->gic.name = "gic_v3";
    v3->cpu = cpu;
    v3->distributor = (struct model){.name = "gic_v3 distributor",
                                     .registers = distributor_registers,
                                     .read = distributor_read,
                                     .write = distributor_write};
    /* What reset leaves unknown must be written before it is trusted. */
    for (unsigned id = 0; id < GIC_IDS; id++) {
        v3->router[id] = 0x8000ff00;
        v3->gic.priority[id] = id < 16 ? 0 : 0xf8;
        v3->gic.routed[id] = id < 32;
        v3->gic.edge[id] = id < 16;
    }
    v3->icc_on = false;
    bb_host_cpu.mpidr = 0x80000000 | cpu;
    bb_host_cpu.gic_read = icc_read;
    bb_host_cpu.gic_write = icc_write;
    bb_host_cpu.context = v3;
    model_map(&v3->distributor, distributor, 0x10000);
    for (unsigned i = 0; i < GIC_V3_CPUS; i++) {
        struct gic_v3_frame *frame = &v3->redistributors[i];
        *frame = (struct gic_v3_frame){.gic = v3,
                                       .cpu = i,
                                       .asleep = true,
                                       .is_last = i == GIC_V3_CPUS - 1,
                                       .model = {.name = "gic_v3 redistributor",
                                                 .registers = redistributor_registers,
                                                 .read = redistributor_read,
                                                 .write = redistributor_write}};
        model_map(&frame->model, redistributors + (uint64_t)i * FRAME, FRAME);
    }
}
