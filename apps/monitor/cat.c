/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
/* Text of a file; what a terminal would obey is shown as a dot. */
static void show(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
            text[i] = '.';
    }
    bb_console_print(NULL, text, size);
}

static int run(int argc, char **argv)
{
    struct visit visit;
    struct bb_file *file;
    char text[512];
    int count, last = '\n';
    if (argc != 2)
        return -EINVAL;
    int error = visit_begin(&visit, argv[1]);
    if (error)
        return error;
    error = bb_file_open(argv[1], BB_FILE_READ, &file);
    if (error)
        return visit_end(&visit, error);
    while ((count = bb_file_read(file, text, sizeof(text))) > 0) {
        show(text, (size_t)count);
        last = text[count - 1];
    }
    if (last != '\n')
        say("\n");
    error = bb_file_close(file);
    return visit_end(&visit, count ? count : error);
}

const struct command command_cat = {"cat", "DISK:FILE", "the text of a file", run, complete_path};
#endif
