/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PrimeCell real-time clock PL031: a 32-bit counter of seconds since 1970 (ARM DDI 0224C). */
#include <busbar/irq.h>
#include <busbar/mmio.h>
#include <busbar/rtc.h>

enum { DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0c, IMSC = 0x10, MIS = 0x18, ICR = 0x1c };

struct pl031 {
    struct bb_device device;
    struct bb_rtc rtc;
    struct bb_regs regs;
    struct bb_interrupt interrupt;
};

static int pl031_get_time(struct bb_rtc *rtc, int64_t *seconds)
{
    *seconds = bb_read32(&bb_container_of(rtc, struct pl031, rtc)->regs, DR);
    return 0;
}

static int pl031_set_time(struct bb_rtc *rtc, int64_t seconds)
{
    struct pl031 *pl031 = bb_container_of(rtc, struct pl031, rtc);
    if (seconds < 0 || seconds > UINT32_MAX)
        return -ERANGE;
    bb_write32(&pl031->regs, LR, (uint32_t)seconds);
    if (bb_read32(&pl031->regs, IMSC) && bb_read32(&pl031->regs, MR) <= seconds)
        bb_rtc_alarm_fired(rtc); /* jumped over: the chip compares for equality */
    return 0;
}

static int pl031_set_alarm(struct bb_rtc *rtc, int64_t seconds)
{
    struct pl031 *pl031 = bb_container_of(rtc, struct pl031, rtc);
    if (!pl031->interrupt.irq)
        return -ENOTSUP;
    if (seconds > UINT32_MAX)
        return -ERANGE;
    bb_write32(&pl031->regs, IMSC, 0);
    bb_write32(&pl031->regs, MR, (uint32_t)seconds);
    bb_write32(&pl031->regs, ICR, 1);
    bb_write32(&pl031->regs, IMSC, seconds >= 0);
    if (seconds >= 0 && bb_read32(&pl031->regs, DR) >= seconds)
        bb_rtc_alarm_fired(rtc); /* past already */
    return 0;
}

static void pl031_interrupt(struct bb_interrupt *interrupt)
{
    struct pl031 *pl031 = bb_container_of(interrupt, struct pl031, interrupt);
    if (bb_read32(&pl031->regs, MIS)) {
        (void)pl031_set_alarm(&pl031->rtc, -1);
        bb_rtc_alarm_fired(&pl031->rtc);
    }
}

static int pl031_probe(struct bb_device *device)
{
    struct pl031 *pl031 = bb_container_of(device, struct pl031, device);
    int error = bb_regs_get(device, 0, 0x20, &pl031->regs);
    if (error)
        return error;
    bb_write32(&pl031->regs, IMSC, 0);
    bb_write32(&pl031->regs, CR, 1);
    (void)bb_interrupt_get(device, 0, pl031_interrupt, &pl031->interrupt); /* else no alarm */
    return 0;
}

static void pl031_remove(struct bb_device *device)
{
    bb_write32(&bb_container_of(device, struct pl031, device)->regs, IMSC, 0);
}

const struct bb_rtc_ops bb_ops_rtc_pl031 = {pl031_get_time, pl031_set_time, pl031_set_alarm};

BB_DRIVER(rtc, pl031, .bus = &bb_mmio_bus, .match = BB_MATCH({"arm,pl031"}),
          .wants = BB_CLASSES(&bb_class_irq), .probe = pl031_probe, .remove = pl031_remove);
