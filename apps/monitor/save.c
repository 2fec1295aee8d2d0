/* SPDX-License-Identifier: BSD-2-Clause */
/* Text from the command line into a file: settings, notes, a script. */
#include <string.h>

#include "files.h"
#include "line.h"

#if BB_MODULE_FILE
enum { MOST_WORDS = 15 }; /* after the command's own: what follows never comes here */

/* The words with a space between them and a new line after the last. */
static int put_words(struct bb_file *file, int argc, char **argv)
{
    char text[LINE_SIZE]; /* the words come from a line */
    size_t size = 0;
    for (int i = 2; i < argc; i++)
        size += bb_format(text + size, sizeof(text) - size, i > 2 ? " %s" : "%s", argv[i]);
    text[size++] = '\n';
    int written = bb_file_write(file, text, size);
    return written < 0 ? written : (size_t)written == size ? 0 : -ENOSPC;
}

static int run(int argc, char **argv)
{
    struct visit visit;
    struct bb_file *file;
    unsigned how = strcmp(argv[0], "append") == 0 ? BB_FILE_APPEND : BB_FILE_TRUNCATE;
    if (argc < 3)
        return -EINVAL;
    if (argc > MOST_WORDS) {
        say("too many words: put the text in quotes\n");
        return -E2BIG;
    }
    int error = visit_begin(&visit, argv[1]);
    if (error)
        return error;
    error = bb_file_open(argv[1], BB_FILE_WRITE | BB_FILE_CREATE | how, &file);
    if (!error) {
        error = put_words(file, argc, argv);
        int closed = bb_file_close(file);
        error = error ? error : closed;
    }
    return visit_end_written(&visit, error);
}

const struct command command_save = {
    "save", "DISK:FILE TEXT...", "a file with that line of text, and no other", run, complete_path};
const struct command command_append = {"append", "DISK:FILE TEXT...",
                                       "a line of text at the end of a file", run, complete_path};
#endif
