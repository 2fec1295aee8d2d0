/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"

static int run(int argc, char **argv)
{
    bool found = false;
    for (size_t i = 0; commands[i]; i++) {
        if (argc > 1 && strcmp(argv[1], commands[i]->name) != 0)
            continue;
        found = true;
        size_t used = strlen(commands[i]->name) + 1 + strlen(commands[i]->usage);
        say("  %s %s%*s %s\n", commands[i]->name, commands[i]->usage,
            used < 34 ? (int)(34 - used) : 0, "", commands[i]->about);
    }
    return found ? 0 : -ENOENT;
}

static bool complete(size_t index, char *word, size_t size)
{
    size_t count = 0;
    while (commands[count])
        count++;
    if (index < count)
        bb_format(word, size, "%s", commands[index]->name);
    return index < count;
}

const struct command command_help = {"help", "[COMMAND]", "this list, or one line of it", run,
                                     complete};
