/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 ARM interrupt controller, "armctrl" (BCM2835 ARM Peripherals, chapter 7). The root on
 * Raspberry Pi 1; behind the local controller (irq/bcm2836) on Pi 2 and 3. Specifier: bank (0 ARM,
 * 1 and 2 GPU) and number in it. A line is 32 * bank + number.
 */
#include <busbar/irq.h>
#include <busbar/mmio.h>

enum {
    IRQ_BASIC_PENDING = 0x00,
    IRQ_PENDING_1 = 0x04,
    IRQ_PENDING_2 = 0x08,
    FIQ_CONTROL = 0x0c,
    ENABLE_IRQS_1 = 0x10,
    ENABLE_IRQS_2 = 0x14,
    ENABLE_BASIC_IRQS = 0x18,
    DISABLE_IRQS_1 = 0x1c,
    DISABLE_IRQS_2 = 0x20,
    DISABLE_BASIC_IRQS = 0x24,
    SIZE = 0x28,

    /* Basic pending: bits 8 and 9 say that the GPU registers hold more, but not for the interrupts
     * that have a bit of their own here. */
    BASIC_LINES = 8,
    BASIC_BANK_1 = 1 << 8 | 0x1f << 10, /* GPU 7, 9, 10, 18, 19 */
    BASIC_BANK_2 = 1 << 9 | 0x3f << 15, /* GPU 53 to 57, 62 */
};

struct bcm2835 {
    struct bb_device device;
    struct bb_irq irq;
    struct bb_regs regs;
    struct bb_interrupt parent;
};

static int bcm2835_translate(struct bb_irq *irq, const struct bb_phandle_args *args, uint32_t *line,
                             enum bb_trigger *trigger)
{
    (void)irq;
    if (args->count != 2 || args->cells[0] > 2)
        return -EINVAL;
    if (args->cells[1] >= (args->cells[0] == 0 ? BASIC_LINES : 32))
        return -EINVAL;
    *line = 32 * args->cells[0] + args->cells[1];
    *trigger = BB_TRIGGER_HIGH;
    return 0;
}

static int bcm2835_enable(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger)
{
    static const uint8_t enable[] = {ENABLE_BASIC_IRQS, ENABLE_IRQS_1, ENABLE_IRQS_2};
    struct bcm2835 *bcm2835 = bb_container_of(irq, struct bcm2835, irq);

    (void)trigger;
    if (line >= 96)
        return -EINVAL;
    bb_write32(&bcm2835->regs, enable[line / 32], 1u << line % 32);
    return 0;
}

static void bcm2835_disable(struct bb_irq *irq, uint32_t line)
{
    static const uint8_t disable[] = {DISABLE_BASIC_IRQS, DISABLE_IRQS_1, DISABLE_IRQS_2};
    struct bcm2835 *bcm2835 = bb_container_of(irq, struct bcm2835, irq);

    if (line < 96)
        bb_write32(&bcm2835->regs, disable[line / 32], 1u << line % 32);
}

static void deliver(struct bb_irq *irq, uint32_t pending, uint32_t first)
{
    for (; pending; pending &= pending - 1)
        bb_irq_deliver(irq, first + (uint32_t)__builtin_ctz(pending));
}

static void bcm2835_dispatch(struct bb_irq *irq)
{
    struct bcm2835 *bcm2835 = bb_container_of(irq, struct bcm2835, irq);
    uint32_t basic = bb_read32(&bcm2835->regs, IRQ_BASIC_PENDING);

    deliver(irq, basic & ((1u << BASIC_LINES) - 1), 0);
    if (basic & BASIC_BANK_1)
        deliver(irq, bb_read32(&bcm2835->regs, IRQ_PENDING_1), 32);
    if (basic & BASIC_BANK_2)
        deliver(irq, bb_read32(&bcm2835->regs, IRQ_PENDING_2), 64);
}

static void bcm2835_interrupt(struct bb_interrupt *interrupt)
{
    bcm2835_dispatch(&bb_container_of(interrupt, struct bcm2835, parent)->irq);
}

static void bcm2835_quiet(struct bcm2835 *bcm2835)
{
    bb_write32(&bcm2835->regs, FIQ_CONTROL, 0);
    bb_write32(&bcm2835->regs, DISABLE_IRQS_1, UINT32_MAX);
    bb_write32(&bcm2835->regs, DISABLE_IRQS_2, UINT32_MAX);
    bb_write32(&bcm2835->regs, DISABLE_BASIC_IRQS, (1u << BASIC_LINES) - 1);
}

static int bcm2835_probe(struct bb_device *device)
{
    struct bcm2835 *bcm2835 = bb_container_of(device, struct bcm2835, device);
    int error = bb_regs_get(device, 0, SIZE, &bcm2835->regs);

    if (error)
        return error;
    bcm2835_quiet(bcm2835);
    error = bb_interrupt_get(device, 0, bcm2835_interrupt, &bcm2835->parent);
    return error == -ENOENT ? bb_irq_set_root(&bcm2835->irq) : error;
}

static void bcm2835_remove(struct bb_device *device)
{
    bcm2835_quiet(bb_container_of(device, struct bcm2835, device));
}

const struct bb_irq_ops bb_ops_irq_bcm2835 = {
    .translate = bcm2835_translate,
    .enable = bcm2835_enable,
    .disable = bcm2835_disable,
    .dispatch = bcm2835_dispatch,
};

BB_DRIVER(irq, bcm2835, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"brcm,bcm2836-armctrl-ic"}, {"brcm,bcm2835-armctrl-ic"}),
          .needs = BB_CLASSES(&bb_class_irq), .probe = bcm2835_probe, .remove = bcm2835_remove);
