/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
static int run(int argc, char **argv)
{
    return argc == 2 ? visit_for(argv[1], bb_file_make_directory) : -EINVAL;
}

const struct command command_mkdir = {"mkdir", "DISK:PATH", "makes a directory", run,
                                      complete_path};
#endif
