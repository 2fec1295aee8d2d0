/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
static int run(int argc, char **argv)
{
    if (argc != 2)
        return -EINVAL;
    int error = bb_file_unmount(argv[1]);
    if (!error || error == -EBUSY)
        return error;
    say(error == -ENOENT ? "%s: nothing is mounted by this name; `mount` lists what is\n"
                         : "%s is not in use any more, but not all was written; `log` says why\n",
        argv[1]);
    return SAID;
}

static bool complete(size_t index, char *word, size_t size)
{
    struct bb_file_space space;
    if (!bb_file_space((unsigned)index, &space))
        return false;
    bb_format(word, size, "%s", space.name);
    return true;
}

const struct command command_umount = {"umount", "NAME",
                                       "writes all to the medium and ends its use", run, complete};
#endif
