/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <busbar/store.h>

#include "command.h"

static int run(int argc, char **argv)
{
    char name[96], text[128];
    bool found = false;
    if (argc > 2)
        return -EINVAL;
    for (const struct bb_value *value = bb_value_first(); value; value = value->next) {
        bb_value_name(value, name, sizeof(name));
        if (argc == 2 && strncmp(name, argv[1], strlen(argv[1])) != 0)
            continue;
        found = true;
        bb_value_text(value, text, sizeof(text));
        say("%-40s %s %s\n", name, text, value->unit);
    }
    return found ? 0 : -ENOENT;
}

static bool complete(size_t index, char *word, size_t size)
{
    const struct bb_value *value = bb_value_first();
    while (value && index--)
        value = value->next;
    if (value)
        bb_value_name(value, word, size);
    return value;
}

const struct command command_store = {"store", "[NAME]", "values that devices publish", run,
                                      complete};
