/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM Generic Interrupt Controller, architecture 1 and 2 (ARM IHI 0048B). */
#include <busbar/irq.h>
#include <busbar/log.h>
#include <busbar/mmio.h>

#include "gic.h"

enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004, /* ITLinesNumber: bits 4:0 */
    GICD_IGROUPR = 0x080,
    GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180,
    GICD_IPRIORITYR = 0x400, /* a byte for each line */
    GICD_ITARGETSR = 0x800,  /* a byte for each line */
    GICD_ICFGR = 0xc00,      /* two bits for each line, the upper one: edge */
    GICC_CTLR = 0x00,
    GICC_PMR = 0x04,
    GICC_IAR = 0x0c,
    GICC_EOIR = 0x10,

    SPECIAL = 1020, /* 1020 to 1023 are no interrupts */
    PRIORITY = 0xa0,
};

struct gic_v2 {
    struct bb_device device;
    struct bb_irq irq;
    struct bb_regs gicd, gicc;
    uint32_t lines;
    uint8_t target; /* this CPU, as GICD_ITARGETSR has it */
};

static int gic_v2_translate(struct bb_irq *irq, const struct bb_phandle_args *args, uint32_t *line,
                            enum bb_trigger *trigger)
{
    struct gic_v2 *gic = bb_container_of(irq, struct gic_v2, irq);
    return args->count == 3 ? gic_translate(args, gic->lines, line, trigger) : -EINVAL;
}

static int gic_v2_enable(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger)
{
    struct gic_v2 *gic = bb_container_of(irq, struct gic_v2, irq);
    bb_write8(&gic->gicd, GICD_IPRIORITYR + line, PRIORITY);
    if (line >= FIRST_SPI)
        bb_write8(&gic->gicd, GICD_ITARGETSR + line, gic->target);
    /* How a PPI triggers is fixed by the chip. */
    if (line >= FIRST_SPI && trigger != BB_TRIGGER_DEFAULT) {
        uint32_t edge = 2u << line % 16 * 2;
        size_t offset = GICD_ICFGR + line / 16 * 4;
        uint32_t value = bb_read32(&gic->gicd, offset);
        value = trigger == BB_TRIGGER_RISING ? value | edge : value & ~edge;
        bb_write32(&gic->gicd, offset, value);
    }
    size_t enable = GICD_ISENABLER + line / 32 * 4;
    uintptr_t masked = bb_arch_irq_save(); /* a handler might disable it before the look */
    bb_write32(&gic->gicd, enable, 1u << line % 32);
    bool stuck = !(bb_read32(&gic->gicd, enable) >> line % 32 & 1);
    bb_arch_irq_restore(masked);
    if (stuck) {
        bb_print(BB_ERROR, "%s: line %u belongs to the secure world: start in EL2 or EL1",
                 gic->device.name, line);
        return -EPERM;
    }
    return 0;
}

static void gic_v2_disable(struct bb_irq *irq, uint32_t line)
{
    struct gic_v2 *gic = bb_container_of(irq, struct gic_v2, irq);
    bb_write32(&gic->gicd, GICD_ICENABLER + line / 32 * 4, 1u << line % 32);
}

static void gic_v2_dispatch(struct bb_irq *irq)
{
    struct gic_v2 *gic = bb_container_of(irq, struct gic_v2, irq);
    for (;;) {
        uint32_t acknowledged = bb_read32(&gic->gicc, GICC_IAR);
        uint32_t line = acknowledged & 0x3ff;
        if (line >= SPECIAL)
            return;
        bb_irq_deliver(irq, line);
        bb_write32(&gic->gicc, GICC_EOIR, acknowledged);
    }
}

static int gic_v2_probe(struct bb_device *device)
{
    struct gic_v2 *gic = bb_container_of(device, struct gic_v2, device);
    int error = bb_regs_get(device, 0, 0x1000, &gic->gicd);
    if (!error)
        error = bb_regs_get(device, 1, 0x100, &gic->gicc);
    if (error)
        return error;
    bb_write32(&gic->gicd, GICD_CTLR, 0);
    uint32_t words = (bb_read32(&gic->gicd, GICD_TYPER) & 0x1f) + 1;
    gic->lines = words * 32 < SPECIAL ? words * 32 : SPECIAL;
    /* Group 0: all there are for the secure world, which gets them as IRQs (FIQEn is 0). The
     * non-secure world sees only group 1, and its writes to the groups do nothing. */
    for (uint32_t word = 0; word < words; word++) {
        bb_write32(&gic->gicd, GICD_ICENABLER + word * 4, UINT32_MAX);
        bb_write32(&gic->gicd, GICD_IGROUPR + word * 4, 0);
    }
    /* The targets of lines 0 to 31 read as the CPU that asks; as 0 where there is only one. */
    gic->target = (uint8_t)bb_read32(&gic->gicd, GICD_ITARGETSR);
    if (gic->target == 0)
        gic->target = 1;
    bb_write32(&gic->gicd, GICD_CTLR, 1);
    bb_write32(&gic->gicc, GICC_PMR, 0xff);
    bb_write32(&gic->gicc, GICC_CTLR, 1);
    return bb_irq_set_root(&gic->irq);
}

static void gic_v2_remove(struct bb_device *device)
{
    struct gic_v2 *gic = bb_container_of(device, struct gic_v2, device);
    bb_write32(&gic->gicc, GICC_CTLR, 0);
    bb_write32(&gic->gicd, GICD_CTLR, 0);
}

const struct bb_irq_ops bb_ops_irq_gic_v2 = {
    .translate = gic_v2_translate,
    .enable = gic_v2_enable,
    .disable = gic_v2_disable,
    .dispatch = gic_v2_dispatch,
};

BB_DRIVER(irq, gic_v2, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"arm,gic-400"}, {"arm,cortex-a15-gic"}, {"arm,cortex-a9-gic"},
                            {"arm,cortex-a7-gic"}, {"arm,cortex-a5-gic"}, {"arm,pl390"}),
          .probe = gic_v2_probe, .remove = gic_v2_remove);
