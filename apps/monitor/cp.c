/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A copy grows under another name and takes the target's at its end: what stood there before stays
 * until then, and what is cut off midway never looks like the whole.
 */
#include <string.h>

#include "files.h"

#if BB_MODULE_FILE
#define GROWING ".part"

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
    return count ? count : *bytes == bb_file_size(from) ? 0 : -EIO;
}

/* Whether a file may stand at `target`, while its source is open: it may be that itself. */
static int try_target(const char *source, const char *target, bool *old)
{
    struct bb_file *file;
    int error = bb_file_open(target, BB_FILE_WRITE, &file);
    *old = !error;
    if (!error)
        return bb_file_close(file);
    if (error == -ENOENT)
        return 0;
    if (error != -EBUSY)
        return error;
    say("%s and %s are one file\n", source, target);
    return SAID;
}

/* Ends a copy that failed: nothing of it stays, or it says what does. */
static void give_up(const char *part, bool old, int error, uint64_t bytes, uint64_t size)
{
    const char *name = last_name(part);
    if (error == -ENOSPC && old)
        say("the old file stays: there is no room for both; `rm` it first\n");
    if (bb_file_remove(part))
        say("%s is incomplete: %llu of %llu bytes; `rm` it\n", name, (unsigned long long)bytes,
            (unsigned long long)size);
}

static int copy_open(struct bb_file *from, const char *source, const char *target)
{
    char part[256 + sizeof(GROWING)];
    struct bb_file *to;
    uint64_t bytes = 0, start = bb_time();
    bool old;
    int error = try_target(source, target, &old);
    if (error)
        return error;
    bb_format(part, sizeof(part), "%s" GROWING, target);
    error = bb_file_open(part, BB_FILE_WRITE | BB_FILE_CREATE | BB_FILE_EXCLUSIVE, &to);
    if (error == -EEXIST) {
        say("%s is in the way, the rest of a copy that was cut off: `rm` it\n", part);
        return SAID;
    }
    if (error)
        return error;
    error = copy(from, to, &bytes);
    int closed = bb_file_close(to);
    error = error ? error : closed;
    if (!error)
        error = bb_file_rename(part, target);
    if (error)
        give_up(part, old, error, bytes, bb_file_size(from));
    else
        say("%llu bytes in %llu ms\n", (unsigned long long)bytes,
            (unsigned long long)((bb_time() - start) / BB_MSEC));
    return error;
}

static int run(int argc, char **argv)
{
    struct visit from, to;
    struct bb_file *file;
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
    error = bb_file_open(argv[1], BB_FILE_READ, &file);
    if (error)
        return visit_end(&from, error);
    error = visit_begin(&to, target);
    if (!error)
        error = visit_end_written(&to, copy_open(file, argv[1], target));
    int closed = bb_file_close(file);
    return visit_end(&from, error ? error : closed);
}

const struct command command_cp = {"cp", "DISK:FROM DISK:TO",
                                   "copies a file; a TO that ends with / keeps its name", run,
                                   complete_path};
#endif
