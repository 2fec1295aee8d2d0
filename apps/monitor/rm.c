/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
static int run(int argc, char **argv)
{
    return argc == 2 ? visit_for(argv[1], bb_file_remove) : -EINVAL;
}

const struct command command_rm = {"rm", "DISK:PATH", "removes a file or an empty directory", run,
                                   complete_path};
#endif
