/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

static int run(int argc, char **argv)
{
    uint64_t now = bb_time();
    (void)argv;
    if (argc != 1)
        return -EINVAL;
    say("up %llu.%06llu s\n", (unsigned long long)(now / BB_SEC),
        (unsigned long long)(now % BB_SEC / BB_USEC));
    return 0;
}

const struct command command_uptime = {"uptime", "", "time since start", run, NULL};
