/* SPDX-License-Identifier: BSD-2-Clause */
#include <busbar/arena.h>
#include <busbar/boot.h>

#include "command.h"

static int run(int argc, char **argv)
{
    static const char *const kinds[] = {"RAM", "reserved", "image", "tree", "initrd"};
    (void)argv;
    if (argc != 1)
        return -EINVAL;
    for (size_t i = 0; i < bb_bootinfo.region_count; i++) {
        const struct bb_region *region = &bb_bootinfo.regions[i];
        say("0x%010llx - 0x%010llx  %8llu KiB  %s%s\n", (unsigned long long)region->start,
            (unsigned long long)(region->start + region->size - 1),
            (unsigned long long)((region->size + 1023) / 1024), kinds[region->kind],
            region->no_map ? ", not mapped" : "");
    }
    say("arena: %zu of %zu bytes used\n", bb_arena_used(), bb_arena_size());
    return 0;
}

const struct command command_memory = {"memory", "", "regions, and how full the arena is", run,
                                       NULL};
