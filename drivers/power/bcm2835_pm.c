/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 power management: reset and halt by its watchdog (binding brcm,bcm2835-pm; the register
 * block PM of the BCM2835 ARM peripherals header, which the data sheet leaves out). The boot ROM
 * reads the partition to start from in RSTS, spread over the even bits; 63 means stay halted.
 */
#include <busbar/mmio.h>
#include <busbar/power.h>
#include <busbar/time.h>

enum {
    RSTC = 0x1c,
    RSTS = 0x20,
    WDOG = 0x24,
    SIZE = 0x28,

    PASSWORD = 0x5a000000,
    READABLE = 0x00ffffff, /* the password reads as anything */
    RSTC_WRCFG = 0x30,
    RSTC_WRCFG_FULL_RESET = 0x20,
    RSTS_PARTITION = 0x555,
    WDOG_SOON = 10, /* of 16 microseconds */
};

struct bcm2835_pm {
    struct bb_device device;
    struct bb_power power;
    struct bb_regs regs;
};

static void change(const struct bb_regs *regs, size_t offset, uint32_t clear, uint32_t set)
{
    uint32_t kept = bb_read32(regs, offset) & READABLE & ~clear;

    bb_write32(regs, offset, PASSWORD | kept | set);
}

static int restart(struct bb_power *power, uint32_t partition)
{
    const struct bb_regs *regs = &bb_container_of(power, struct bcm2835_pm, power)->regs;

    change(regs, RSTS, RSTS_PARTITION, partition);
    bb_write32(regs, WDOG, PASSWORD | WDOG_SOON);
    change(regs, RSTC, RSTC_WRCFG, RSTC_WRCFG_FULL_RESET);
    bb_delay(10 * BB_MSEC);
    return -ETIMEDOUT;
}

static int bcm2835_pm_off(struct bb_power *power)
{
    return restart(power, RSTS_PARTITION);
}

static int bcm2835_pm_reset(struct bb_power *power)
{
    return restart(power, 0);
}

static int bcm2835_pm_probe(struct bb_device *device)
{
    return bb_regs_get(device, 0, SIZE, &bb_container_of(device, struct bcm2835_pm, device)->regs);
}

const struct bb_power_ops bb_ops_power_bcm2835_pm = {
    .off = bcm2835_pm_off,
    .reset = bcm2835_pm_reset,
};

BB_DRIVER(power, bcm2835_pm, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"brcm,bcm2835-pm"}, {"brcm,bcm2835-pm-wdt"}),
          .probe = bcm2835_pm_probe);
