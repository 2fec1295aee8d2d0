/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
static int run(int argc, char **argv)
{
    struct bb_file_space space;
    if (argc > 3)
        return -EINVAL;
    if (argc > 1) {
        struct bb_block *block = find_disk(argv[1]);
        return block ? mount_disk(block, argc == 3 ? argv[2] : NULL) : SAID;
    }
    for (unsigned i = 0; bb_file_space(i, &space); i++) {
        if (space.gone) {
            say("%-12s gone: its disk was pulled out; `umount %s`\n", space.name, space.name);
            continue;
        }
        say("%-12s %-8s on %-10s %s ", space.name, space.type, space.block->face.device->name,
            space.read_only ? "read-only" : "read, write");
        say_size(space.free);
        say(" free of ");
        say_size(space.total);
        say("\n");
    }
    if (!bb_file_space(0, &space))
        say("nothing is mounted; `mount DISK` takes one into use, `block` lists them\n");
    return 0;
}

const struct command command_mount = {
    "mount", "[DISK [NAME]]", "file systems in use; takes one into use", run, complete_block};
#endif
