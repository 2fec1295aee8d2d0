/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a Linux process (exit(3)). */
#include <stdlib.h>

#include <busbar/mmio.h>
#include <busbar/power.h>

struct host {
    struct bb_device device;
    struct bb_power power;
};

static int host_exit(struct bb_power *power, int status)
{
    (void)power;
    exit(status);
}

static int host_off(struct bb_power *power)
{
    return host_exit(power, 0);
}

const struct bb_power_ops bb_ops_power_host = {
    .off = host_off,
    .exit = host_exit,
};

BB_DRIVER(power, host, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-power"}));
