/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

static int run(int argc, char **argv)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    struct bb_log_entry entry;
    (void)argv;
    if (argc != 1)
        return -EINVAL;
    for (uint32_t sequence = 0; bb_log_read(sequence, &entry); sequence = entry.sequence + 1)
        say("[%5llu.%06llu] %-7s %s\n", (unsigned long long)(entry.time / BB_SEC),
            (unsigned long long)(entry.time % BB_SEC / BB_USEC), levels[entry.level], entry.text);
    return 0;
}

const struct command command_log = {"log", "", "the newest messages, with level and time", run,
                                    NULL};
