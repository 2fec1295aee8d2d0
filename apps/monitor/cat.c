/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "files.h"

#if BB_MODULE_FILE
/* Text of a file, of which it shows what is whole; returns how much that is. */
static size_t show(char *text, size_t size, bool last)
{
    size_t done = 0, length;
    while (done < size && (length = plain_text(text + done, size - done, last)) > 0)
        done += length;
    bb_console_print(NULL, text, done);
    return done;
}

static int run(int argc, char **argv)
{
    struct visit visit;
    struct bb_file *file;
    char text[512];
    size_t kept = 0; /* the start of a character that the next piece ends */
    int count, last = '\n';
    if (argc != 2)
        return -EINVAL;
    int error = visit_begin(&visit, argv[1]);
    if (error)
        return error;
    error = bb_file_open(argv[1], BB_FILE_READ, &file);
    if (error)
        return visit_end(&visit, error);
    while ((count = bb_file_read(file, text + kept, sizeof(text) - kept)) > 0) {
        size_t size = kept + (size_t)count;
        last = text[size - 1];
        kept = size - show(text, size, false);
        memmove(text, text + size - kept, kept);
    }
    (void)show(text, kept, true);
    if (last != '\n')
        say("\n");
    error = bb_file_close(file);
    return visit_end(&visit, count ? count : error);
}

const struct command command_cat = {"cat", "DISK:FILE", "the text of a file", run, complete_path};
#endif
