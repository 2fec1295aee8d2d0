/* SPDX-License-Identifier: BSD-2-Clause */
/* A Linux process: its arguments are the command line, its tree stands in the program. */
#include <stdlib.h>
#include <string.h>

#include "../core.h"

extern const char bb_host_dtb[], bb_host_dtb_end[];

/* The arguments with a space between them; one with a space in it gets quotes. */
static char *join(int argc, char **argv)
{
    size_t size = 1;
    for (int i = 1; i < argc; i++)
        size += strlen(argv[i]) + 3;
    char *line = calloc(size, 1);
    for (int i = 1; line && i < argc; i++) {
        const char *quote = strchr(argv[i], ' ') ? "\"" : "";
        strcat(strcat(strcat(line, i > 1 ? " " : ""), quote), argv[i]);
        strcat(line, quote);
    }
    return line;
}

int main(int argc, char **argv)
{
    char *line = join(argc, argv);
    bb_bootinfo.protocol = "host";
    bb_bootinfo.tree = bb_host_dtb;
    bb_bootinfo.tree_size = (size_t)(bb_host_dtb_end - bb_host_dtb);
    bb_bootinfo.command_line = line ? line : "";
    bb_start();
    return 0;
}
