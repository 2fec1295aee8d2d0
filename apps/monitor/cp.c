/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "files.h"

#if BB_MODULE_FILE
static int copy(struct bb_file *from, struct bb_file *to, uint64_t *bytes)
{
    static char piece[32768];
    int count;
    while ((count = bb_file_read(from, piece, sizeof(piece))) > 0) {
        int written = bb_file_write(to, piece, (size_t)count);
        if (written != count)
            return written < 0 ? written : -ENOSPC;
        *bytes += (unsigned)count;
    }
    return count;
}

static int copy_path(const char *source, const char *target)
{
    struct bb_file *from, *to;
    uint64_t bytes = 0, start = bb_time();
    int error = bb_file_open(source, BB_FILE_READ, &from);
    if (error)
        return error;
    error = bb_file_open(target, BB_FILE_WRITE | BB_FILE_CREATE | BB_FILE_TRUNCATE, &to);
    if (!error) {
        error = copy(from, to, &bytes);
        int closed = bb_file_close(to);
        error = error ? error : closed;
    }
    (void)bb_file_close(from);
    if (!error)
        say("%llu bytes in %llu ms\n", (unsigned long long)bytes,
            (unsigned long long)((bb_time() - start) / BB_MSEC));
    return error;
}

static int run(int argc, char **argv)
{
    struct visit from, to;
    char target[256];
    if (argc != 3)
        return -EINVAL;
    size_t length = strlen(argv[2]);
    const char *name = length && argv[2][length - 1] == '/' ? last_name(argv[1]) : "";
    if (bb_format(target, sizeof(target), "%s%s", argv[2], name) >= sizeof(target))
        return -ERANGE;
    int error = visit_begin(&from, argv[1]);
    if (error)
        return error;
    error = visit_begin(&to, target);
    if (!error) {
        error = copy_path(argv[1], target);
        if (!error && !to.ours)
            error = bb_file_sync(to.name);
        error = visit_end(&to, error);
    }
    return visit_end(&from, error);
}

const struct command command_cp = {"cp", "DISK:FROM DISK:TO",
                                   "copies a file; a TO that ends with / keeps its name", run,
                                   complete_path};
#endif
