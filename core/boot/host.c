/* SPDX-License-Identifier: BSD-2-Clause */
/* A Linux process: its arguments are the command line, its tree stands in the program. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../core.h"

#define MEMORY_SIZE (16u << 20)

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

/* Memory like a machine's, with the tree at its start. */
static void *make_memory(size_t tree_size)
{
    void *memory =
        mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    bb_bootinfo.regions[0] =
        (struct bb_region){(uintptr_t)memory, MEMORY_SIZE, BB_REGION_RAM, false};
    bb_bootinfo.region_count = 1;
    return memcpy(memory, bb_host_dtb, tree_size);
}

int main(int argc, char **argv)
{
    char *line = join(argc, argv);
    bb_bootinfo.protocol = "host";
    bb_bootinfo.tree_size = (size_t)(bb_host_dtb_end - bb_host_dtb);
    bb_bootinfo.tree = make_memory(bb_bootinfo.tree_size);
    bb_bootinfo.missing = "the process got no memory";
    bb_bootinfo.command_line = line ? line : "";
    bb_start();
    return 0;
}
