/* SPDX-License-Identifier: BSD-2-Clause */
#include <busbar/power.h>

#include "files.h"

static int run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return -EINVAL;
    leave_files();
    bb_power_off();
}

const struct command command_poweroff = {"poweroff", "", "switches the machine off", run, NULL};
