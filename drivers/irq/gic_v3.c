/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM Generic Interrupt Controller, architecture 3 and 4, without LPIs (ARM IHI 0069H). */
#include <busbar/irq.h>
#include <busbar/log.h>
#include <busbar/mmio.h>
#include <busbar/time.h>

#include "gic.h"

enum {
    GICD_CTLR = 0x0000,
    ENABLE_GRP1 = 1 << 1,  /* EnableGrp1A of the Non-secure view, EnableGrp1 where there is one */
    ENABLE_GRP1S = 1 << 2, /* of the Secure view; RES0 in the others */
    ARE = 1 << 4,
    GICD_TYPER = 0x0004, /* ITLinesNumber: bits 4:0 */
    GICD_IROUTER = 0x6000,
    GICR_CTLR = 0x0000,
    GICR_TYPER = 0x0008,
    VLPIS = 1 << 1,
    LAST = 1 << 4,
    GICR_WAKER = 0x0014,
    PROCESSOR_SLEEP = 1 << 1,
    CHILDREN_ASLEEP = 1 << 2,
    SGI_BASE = 0x10000,

    /* In the distributor for SPIs, in SGI_BASE for the lines of one CPU. */
    IGROUPR = 0x080,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    IPRIORITYR = 0x400, /* a byte for each line */
    ICFGR = 0xc00,      /* two bits for each line, the upper one: edge */
    IGRPMODR = 0xd00,

    FRAME = 0x20000, /* of one CPU; twice that with virtual LPIs */
    MAX_REGIONS = 4,
    SPECIAL = 1020, /* 1020 to 1023 are no interrupts */
    PRIORITY = 0xa0,
};

static const uint32_t gicd_rwp = 1u << 31, gicr_rwp = 1u << 3;

struct gic_v3 {
    struct bb_device device;
    struct bb_irq irq;
    struct bb_regs gicd, gicr[MAX_REGIONS];
    const struct bb_regs *own; /* the region with the redistributor of this CPU, and where in it */
    size_t frame;
    uint32_t lines;
    bool secure;       /* we are; then ours is Secure Group 1: group 0 would come as FIQ */
    uint32_t affinity; /* of this CPU: Aff3.Aff2.Aff1.Aff0 */
};

/* The registers that hold a line's settings, and where they begin. */
static const struct bb_regs *regs_of(const struct gic_v3 *gic, uint32_t line, size_t *base)
{
    *base = line < FIRST_SPI ? gic->frame + SGI_BASE : 0;
    return line < FIRST_SPI ? gic->own : &gic->gicd;
}

static int wait_for_writes(const struct gic_v3 *gic, uint32_t line)
{
    if (line < FIRST_SPI)
        return bb_read32_until(gic->own, gic->frame + GICR_CTLR, gicr_rwp, 0, BB_MSEC);
    return bb_read32_until(&gic->gicd, GICD_CTLR, gicd_rwp, 0, BB_MSEC);
}

static int gic_v3_translate(struct bb_irq *irq, const struct bb_phandle_args *args, uint32_t *line,
                            enum bb_trigger *trigger)
{
    struct gic_v3 *gic = bb_container_of(irq, struct gic_v3, irq);
    /* A fourth cell names the CPUs of a PPI. */
    return args->count >= 3 ? gic_translate(args, gic->lines, line, trigger) : -EINVAL;
}

static int gic_v3_enable(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger)
{
    struct gic_v3 *gic = bb_container_of(irq, struct gic_v3, irq);
    size_t base;
    const struct bb_regs *regs = regs_of(gic, line, &base);
    bb_write8(regs, base + IPRIORITYR + line, PRIORITY);
    if (line >= FIRST_SPI) {
        bb_write32(regs, GICD_IROUTER + 8 * line, gic->affinity & 0xffffff);
        bb_write32(regs, GICD_IROUTER + 8 * line + 4, gic->affinity >> 24);
    }
    /* How a PPI triggers is fixed by the chip. */
    if (line >= FIRST_SPI && trigger != BB_TRIGGER_DEFAULT) {
        uint32_t edge = 2u << line % 16 * 2;
        size_t offset = ICFGR + line / 16 * 4;
        uint32_t value = bb_read32(regs, offset);
        value = trigger == BB_TRIGGER_RISING ? value | edge : value & ~edge;
        bb_write32(regs, offset, value);
    }
    size_t enable = base + ISENABLER + line / 32 * 4;
    uintptr_t masked = bb_arch_irq_save(); /* a handler might disable it before the look */
    bb_write32(regs, enable, 1u << line % 32);
    bool stuck = !(bb_read32(regs, enable) >> line % 32 & 1);
    bb_arch_irq_restore(masked);
    if (stuck) {
        bb_print(BB_ERROR, "%s: line %u belongs to the secure world: start in EL2 or EL1",
                 gic->device.name, line);
        return -EPERM;
    }
    return 0;
}

static void gic_v3_disable(struct bb_irq *irq, uint32_t line)
{
    struct gic_v3 *gic = bb_container_of(irq, struct gic_v3, irq);
    size_t base;
    const struct bb_regs *regs = regs_of(gic, line, &base);
    bb_write32(regs, base + ICENABLER + line / 32 * 4, 1u << line % 32);
    (void)wait_for_writes(gic, line);
}

static void gic_v3_dispatch(struct bb_irq *irq)
{
    for (;;) {
        uint64_t line = bb_arch_gic_read(BB_ICC_IAR1) & 0xffffff;
        if (line >= SPECIAL)
            return;
        bb_irq_deliver(irq, (uint32_t)line);
        bb_arch_gic_write(BB_ICC_EOIR1, line);
    }
}

/* Takes 32 lines for the group that reaches us as IRQ. */
static void set_group(const struct gic_v3 *gic, const struct bb_regs *regs, size_t at)
{
    bb_write32(regs, at + IGROUPR, gic->secure ? 0 : UINT32_MAX);
    if (gic->secure)
        bb_write32(regs, at + IGRPMODR, UINT32_MAX);
}

/* Finds the redistributor whose affinity is that of this CPU. */
static int find_redistributor(struct gic_v3 *gic)
{
    uint32_t regions = 1, stride = 0;
    (void)bb_node_u32(gic->device.node, "#redistributor-regions", &regions);
    (void)bb_node_u32(gic->device.node, "redistributor-stride", &stride);
    for (uint32_t i = 0; i < regions && i < MAX_REGIONS; i++) {
        const struct bb_regs *regs = &gic->gicr[i];
        int error = bb_regs_get(&gic->device, i + 1, FRAME, &gic->gicr[i]);
        if (error)
            return error;
        for (size_t frame = 0; frame <= regs->size - FRAME;) {
            uint32_t type = bb_read32(regs, frame + GICR_TYPER);
            if (bb_read32(regs, frame + GICR_TYPER + 4) == gic->affinity) {
                gic->own = regs;
                gic->frame = frame;
                return 0;
            }
            if (type & LAST)
                break;
            frame += stride >= FRAME ? stride : type & VLPIS ? 2 * FRAME : FRAME;
        }
    }
    return bb_fail(&gic->device, "redistributor of this CPU", -ENODEV);
}

static int start_redistributor(struct gic_v3 *gic)
{
    int error = find_redistributor(gic);
    if (error)
        return error;
    uint32_t waker = bb_read32(gic->own, gic->frame + GICR_WAKER);
    bb_write32(gic->own, gic->frame + GICR_WAKER, waker & ~(uint32_t)PROCESSOR_SLEEP);
    error = bb_read32_until(gic->own, gic->frame + GICR_WAKER, CHILDREN_ASLEEP, 0, 10 * BB_MSEC);
    if (error)
        return bb_fail(&gic->device, "GICR_WAKER", error);
    bb_write32(gic->own, gic->frame + SGI_BASE + ICENABLER, UINT32_MAX);
    set_group(gic, gic->own, gic->frame + SGI_BASE);
    return wait_for_writes(gic, 0);
}

static int start_distributor(struct gic_v3 *gic)
{
    bb_write32(&gic->gicd, GICD_CTLR, 0);
    int error = wait_for_writes(gic, FIRST_SPI);
    if (error)
        return error;
    bb_write32(&gic->gicd, GICD_CTLR, ARE | ENABLE_GRP1S);
    gic->secure = bb_read32(&gic->gicd, GICD_CTLR) & ENABLE_GRP1S;
    uint32_t words = (bb_read32(&gic->gicd, GICD_TYPER) & 0x1f) + 1;
    gic->lines = words * 32 < SPECIAL ? words * 32 : SPECIAL;
    for (uint32_t word = 1; word < words; word++) {
        bb_write32(&gic->gicd, ICENABLER + word * 4, UINT32_MAX);
        set_group(gic, &gic->gicd, word * 4);
    }
    error = wait_for_writes(gic, FIRST_SPI);
    bb_write32(&gic->gicd, GICD_CTLR, ARE | (gic->secure ? ENABLE_GRP1S : ENABLE_GRP1));
    return error;
}

static int gic_v3_probe(struct bb_device *device)
{
    struct gic_v3 *gic = bb_container_of(device, struct gic_v3, device);
    uint64_t mpidr = bb_arch_mpidr();
    gic->affinity = (uint32_t)((mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24);
    int error = bb_regs_get(device, 0, 0x10000, &gic->gicd);
    if (error)
        return error;
    bb_arch_gic_write(BB_ICC_SRE, bb_arch_gic_read(BB_ICC_SRE) | 1);
    if (!(bb_arch_gic_read(BB_ICC_SRE) & 1))
        return bb_fail(device, "ICC_SRE_EL1", -ENOTSUP);
    error = start_distributor(gic);
    if (error)
        return bb_fail(device, "GICD_CTLR.RWP", error);
    error = start_redistributor(gic);
    if (error)
        return error;
    bb_arch_gic_write(BB_ICC_PMR, 0xff);
    bb_arch_gic_write(BB_ICC_BPR1, 0);
    bb_arch_gic_write(BB_ICC_CTLR, 0); /* EOI also deactivates */
    bb_arch_gic_write(BB_ICC_IGRPEN1, 1);
    return bb_irq_set_root(&gic->irq);
}

static void gic_v3_remove(struct bb_device *device)
{
    bb_arch_gic_write(BB_ICC_IGRPEN1, 0);
    bb_write32(&bb_container_of(device, struct gic_v3, device)->gicd, GICD_CTLR, ARE);
}

const struct bb_irq_ops bb_ops_irq_gic_v3 = {
    .translate = gic_v3_translate,
    .enable = gic_v3_enable,
    .disable = gic_v3_disable,
    .dispatch = gic_v3_dispatch,
};

BB_DRIVER(irq, gic_v3, .bus = &bb_mmio_bus, .match = BB_MATCH({"arm,gic-v3"}),
          .probe = gic_v3_probe, .remove = gic_v3_remove);
