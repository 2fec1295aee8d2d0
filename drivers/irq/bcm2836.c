/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2836/BCM2837 local interrupt controller, the root on Raspberry Pi 2 and 3 (BCM2836 ARM-local
 * peripherals, "QA7", rev 3.4). A line is a bit of the core's interrupt source register: 0-3 the
 * core's timers, 4-7 its mailboxes, 8 the GPU (irq/bcm2835), 9 its PMU, 11 the local timer.
 */
#include <busbar/irq.h>
#include <busbar/mmio.h>

enum {
    GPU_ROUTING = 0x0c,     /* bits 1:0: the core that takes GPU interrupts */
    PMU_ROUTING_SET = 0x10, /* bit n: core n, IRQ; bit n + 4: FIQ */
    PMU_ROUTING_CLR = 0x14,
    LOCAL_ROUTING = 0x24,   /* bits 2:0: core of the local timer, IRQ */
    AXI_INTERRUPT = 0x30,   /* bit 20: interrupt enable */
    LOCAL_TIMER = 0x34,     /* bit 29: interrupt enable */
    TIMER_CONTROL = 0x40,   /* + 4 * core; bits 3:0 IRQ, 7:4 FIQ */
    MAILBOX_CONTROL = 0x50, /* + 4 * core; bits 3:0 IRQ, 7:4 FIQ */
    IRQ_SOURCE = 0x60,      /* + 4 * core */
    SIZE = 0x80,

    LINE_MAILBOX = 4,
    LINE_GPU = 8,
    LINE_PMU = 9,
    LINE_AXI = 10,
    LINE_LOCAL_TIMER = 11,
    LINES = 12,
    LOCAL_TIMER_IRQ_ENABLE = 1 << 29,
};

struct bcm2836 {
    struct bb_device device;
    struct bb_irq irq;
    struct bb_regs regs;
    uint32_t core; /* the one that runs Busbar */
};

static void change(struct bcm2836 *bcm2836, size_t offset, uint32_t clear, uint32_t set)
{
    bb_write32(&bcm2836->regs, offset, (bb_read32(&bcm2836->regs, offset) & ~clear) | set);
}

static int bcm2836_translate(struct bb_irq *irq, const struct bb_phandle_args *args, uint32_t *line,
                             enum bb_trigger *trigger)
{
    (void)irq;
    if (args->count < 1 || args->count > 2)
        return -EINVAL;
    if (args->cells[0] >= LINES || args->cells[0] == LINE_AXI)
        return -EINVAL;
    *line = args->cells[0];
    *trigger = BB_TRIGGER_HIGH; /* every source is a level, whatever the tree says */
    return 0;
}

static int bcm2836_enable(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger)
{
    struct bcm2836 *bcm2836 = bb_container_of(irq, struct bcm2836, irq);
    size_t own = 4 * bcm2836->core;

    (void)trigger;
    if (line < LINE_MAILBOX)
        change(bcm2836, TIMER_CONTROL + own, 0, 1u << line);
    else if (line < LINE_GPU)
        change(bcm2836, MAILBOX_CONTROL + own, 0, 1u << (line - LINE_MAILBOX));
    else if (line == LINE_GPU)
        change(bcm2836, GPU_ROUTING, 3, bcm2836->core);
    else if (line == LINE_PMU)
        bb_write32(&bcm2836->regs, PMU_ROUTING_SET, 1u << bcm2836->core);
    else if (line == LINE_LOCAL_TIMER)
        change(bcm2836, LOCAL_ROUTING, 7, bcm2836->core); /* its driver enables it at the timer */
    else
        return -EINVAL;
    return 0;
}

static void bcm2836_disable(struct bb_irq *irq, uint32_t line)
{
    struct bcm2836 *bcm2836 = bb_container_of(irq, struct bcm2836, irq);
    size_t own = 4 * bcm2836->core;

    if (line < LINE_MAILBOX)
        change(bcm2836, TIMER_CONTROL + own, 1u << line, 0);
    else if (line < LINE_GPU)
        change(bcm2836, MAILBOX_CONTROL + own, 1u << (line - LINE_MAILBOX), 0);
    /* There is no mask here. irq/bcm2835 masks its own lines when it goes, so this is for what
     * firmware left on and nobody owns: it must not come back to this core for ever. The core that
     * gets it waits in firmware's spin table with interrupts masked, where they do not end WFE. */
    else if (line == LINE_GPU)
        change(bcm2836, GPU_ROUTING, 3, (bcm2836->core + 1) & 3);
    else if (line == LINE_PMU)
        bb_write32(&bcm2836->regs, PMU_ROUTING_CLR, 1u << bcm2836->core);
    else if (line == LINE_AXI)
        bb_write32(&bcm2836->regs, AXI_INTERRUPT, 0);
    else if (line == LINE_LOCAL_TIMER)
        change(bcm2836, LOCAL_TIMER, LOCAL_TIMER_IRQ_ENABLE, 0);
}

static void bcm2836_dispatch(struct bb_irq *irq)
{
    struct bcm2836 *bcm2836 = bb_container_of(irq, struct bcm2836, irq);
    uint32_t pending = bb_read32(&bcm2836->regs, IRQ_SOURCE + 4 * bcm2836->core);

    /* One pass: what is still high raises the CPU's interrupt again. */
    for (pending &= (1u << LINES) - 1; pending; pending &= pending - 1)
        bb_irq_deliver(irq, (uint32_t)__builtin_ctz(pending));
}

static int bcm2836_probe(struct bb_device *device)
{
    struct bcm2836 *bcm2836 = bb_container_of(device, struct bcm2836, device);
    int error = bb_regs_get(device, 0, SIZE, &bcm2836->regs);

    if (error)
        return error;
    bcm2836->core = (uint32_t)bb_arch_mpidr() & 3;
    bb_write32(&bcm2836->regs, TIMER_CONTROL + 4 * bcm2836->core, 0);
    bb_write32(&bcm2836->regs, MAILBOX_CONTROL + 4 * bcm2836->core, 0);
    bb_write32(&bcm2836->regs, PMU_ROUTING_CLR, 0x11u << bcm2836->core);
    return bb_irq_set_root(&bcm2836->irq);
}

const struct bb_irq_ops bb_ops_irq_bcm2836 = {
    .translate = bcm2836_translate,
    .enable = bcm2836_enable,
    .disable = bcm2836_disable,
    .dispatch = bcm2836_dispatch,
};

BB_DRIVER(irq, bcm2836, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2836-l1-intc"}),
          .probe = bcm2836_probe);
