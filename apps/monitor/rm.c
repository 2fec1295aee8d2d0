/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
static int run(int argc, char **argv)
{
    struct visit visit;
    if (argc != 2)
        return -EINVAL;
    int error = visit_begin(&visit, argv[1]);
    return error ? error : visit_end(&visit, bb_file_remove(argv[1]));
}

const struct command command_rm = {"rm", "DISK:PATH", "removes a file or an empty directory", run,
                                   complete_path};
#endif
