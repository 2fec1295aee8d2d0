/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a boot protocol hands over. Every protocol under core/boot/ fills this one structure; the
 * regions are completed from the node table (memory, reserved-memory) by core.
 */
#ifndef BUSBAR_BOOT_H
#define BUSBAR_BOOT_H

#include <busbar/base.h>

enum bb_region_kind {
    BB_REGION_RAM,      /* free for use */
    BB_REGION_RESERVED, /* RAM that firmware or the tree keeps */
    BB_REGION_IMAGE,    /* this program, its stacks and arena */
    BB_REGION_TREE,
    BB_REGION_INITRD,
};

struct bb_region {
    uint64_t start;
    uint64_t size; /* bytes, never 0 */
    enum bb_region_kind kind;
    bool no_map; /* must not be mapped at all */
};

#define BB_MAX_REGIONS 48

struct bb_bootinfo {
    const char *protocol; /* "linux-arm64" */
    const void *tree;     /* flattened device tree, or NULL */
    size_t tree_size;     /* how much of it is readable; its own header is checked against it */
    const char *missing;  /* why there is no tree, for the message: "x0 points at ATAGs" */
    uint64_t initrd_start;
    uint64_t initrd_size;
    const char *command_line; /* never NULL once core runs */
    unsigned exception_level; /* at entry, where the architecture has levels */
    size_t region_count;
    struct bb_region regions[BB_MAX_REGIONS]; /* sorted by start, never overlapping */
};

extern struct bb_bootinfo bb_bootinfo;

#endif
