/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 system timer (BCM2835 ARM Peripherals, chapter 12): a 64-bit counter at 1 MHz and four
 * compares of its low word. The firmware uses compares 0 and 2; this driver uses 3.
 */
#include <busbar/irq.h>
#include <busbar/mmio.h>
#include <busbar/timer.h>

enum {
    CS = 0x00, /* bit n: compare n matched; write 1 to clear */
    CLO = 0x04,
    CHI = 0x08,
    C3 = 0x18,
    SIZE = 0x1c,

    COMPARE = 3,
    CS_M3 = 1 << COMPARE,
};

struct bcm2835_system_timer {
    struct bb_device device;
    struct bb_timer timer;
    struct bb_regs regs;
    struct bb_interrupt interrupt;
    uint64_t due; /* UINT64_MAX: disarmed */
};

static uint64_t count(const struct bb_regs *regs)
{
    uint32_t high = bb_read32(regs, CHI);
    uint32_t low = bb_read32(regs, CLO);
    uint32_t again = bb_read32(regs, CHI);

    if (again != high) /* the low word wrapped in between; not again for 71 minutes */
        low = bb_read32(regs, CLO);
    return (uint64_t)again << 32 | low;
}

static uint64_t bcm2835_system_timer_count(struct bb_timer *timer)
{
    return count(&bb_container_of(timer, struct bcm2835_system_timer, timer)->regs);
}

static void bcm2835_system_timer_arm(struct bb_timer *timer, uint64_t ticks)
{
    struct bcm2835_system_timer *state = bb_container_of(timer, struct bcm2835_system_timer, timer);
    uintptr_t masked = bb_arch_irq_save();

    state->due = ticks;
    bb_write32(&state->regs, CS, CS_M3);
    /* The compare matches on equality alone: one that the counter has passed would fire 71 minutes
     * late. Step ahead until the match has happened or is certainly still to come. */
    for (uint64_t ahead = 2; ticks != UINT64_MAX; ahead *= 2) {
        bb_write32(&state->regs, C3, (uint32_t)ticks);
        uint64_t now = count(&state->regs);
        if (now < ticks || bb_read32(&state->regs, CS) & CS_M3)
            break;
        ticks = now + ahead;
    }
    bb_arch_irq_restore(masked);
}

static void bcm2835_system_timer_interrupt(struct bb_interrupt *interrupt)
{
    struct bcm2835_system_timer *state =
        bb_container_of(interrupt, struct bcm2835_system_timer, interrupt);

    if (!(bb_read32(&state->regs, CS) & CS_M3))
        return;
    bb_write32(&state->regs, CS, CS_M3);
    /* The low word matches every 71 minutes, armed or not; only one of these matches is meant. */
    if (count(&state->regs) < state->due)
        return;
    state->due = UINT64_MAX;
    bb_timer_fired(&state->timer);
}

static int bcm2835_system_timer_probe(struct bb_device *device)
{
    struct bcm2835_system_timer *state =
        bb_container_of(device, struct bcm2835_system_timer, device);
    uint32_t hz = 1000000;
    int error = bb_regs_get(device, 0, SIZE, &state->regs);

    if (error)
        return error;
    error = bb_node_u32(device->node, "clock-frequency", &hz);
    if ((error && error != -ENOENT) || hz == 0)
        return bb_fail(device, "clock-frequency", -EINVAL);
    state->timer.hz = hz;
    state->due = UINT64_MAX;
    bb_write32(&state->regs, CS, CS_M3);
    return bb_interrupt_get(device, COMPARE, bcm2835_system_timer_interrupt, &state->interrupt);
}

const struct bb_timer_ops bb_ops_timer_bcm2835_system_timer = {
    .count = bcm2835_system_timer_count,
    .arm = bcm2835_system_timer_arm,
};

BB_DRIVER(timer, bcm2835_system_timer, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"brcm,bcm2835-system-timer"}), .needs = BB_CLASSES(&bb_class_irq),
          .probe = bcm2835_system_timer_probe);
