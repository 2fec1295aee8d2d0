/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
static int run(int argc, char **argv)
{
    struct visit visit;
    if (argc != 2)
        return -EINVAL;
    int error = visit_begin(&visit, argv[1]);
    return error ? error : visit_end(&visit, bb_file_make_directory(argv[1]));
}

const struct command command_mkdir = {"mkdir", "DISK:PATH", "makes a directory", run,
                                      complete_path};
#endif
