/* SPDX-License-Identifier: BSD-2-Clause */
/* Arm semihosting: ends an emulator with an exit status. Nothing can tell whether anybody listens,
 * so its node comes from the command line: node=busbar,semihosting (ARM DUI 0471, SYS_EXIT). */
#include <busbar/mmio.h>
#include <busbar/power.h>

struct semihosting {
    struct bb_device device;
    struct bb_power power;
};

static int semihosting_exit(struct bb_power *power, int status)
{
    (void)power;
    bb_arch_semihosting_exit(status);
    return -ENOTSUP;
}

static int semihosting_off(struct bb_power *power)
{
    return semihosting_exit(power, 0);
}

const struct bb_power_ops bb_ops_power_semihosting = {
    .off = semihosting_off,
    .exit = semihosting_exit,
};

BB_DRIVER(power, semihosting, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,semihosting"}));
