/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
static int show(const struct bb_file_info *info, void *context)
{
    static const char kinds[] = {'-', 'd', 'l', '?'};
    (void)context;
    say("%c %12llu  ", kinds[info->kind], (unsigned long long)info->size);
    say_name(info->name);
    say("\n");
    return 0;
}

static int run(int argc, char **argv)
{
    struct visit visit;
    struct bb_file_info info;
    if (argc != 2)
        return -EINVAL;
    int error = visit_begin(&visit, argv[1]);
    if (error)
        return error;
    error = bb_file_list(argv[1], show, NULL);
    if (error == -ENOTDIR) {
        error = bb_file_stat(argv[1], &info);
        if (!error)
            error = show(&info, NULL);
    }
    return visit_end(&visit, error);
}

const struct command command_ls = {"ls", "DISK:PATH", "what a directory holds: kind, bytes, name",
                                   run, complete_path};
#endif
