/* SPDX-License-Identifier: BSD-2-Clause */
#include <busbar/power.h>

#include "files.h"

static int run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return -EINVAL;
    leave_files();
    bb_power_reset();
}

const struct command command_reboot = {"reboot", "", "starts the machine again", run, NULL};
