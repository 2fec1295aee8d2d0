/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partition tables: MBR with extended partitions, and GPT with its backup (UEFI 2.10, chapter 5).
 * The reader knows no disk: blocks come from a callback, partitions go to another. Everything on
 * the disk is taken as hostile; what cannot be used is refused with a line that says why, and the
 * rest is read.
 *
 *     struct bb_partition_table table = {.read = read_blocks, .found = add, .say = warn,
 *                                        .capacity = 131072, .block_size = 512,
 *                                        .buffer = buffer, .buffer_size = 4096};
 *     error = bb_partition_read(&table);
 *     if (!error && table.scheme == BB_PARTITION_NONE)
 *         ...                                            // a disk without partitions
 */
#ifndef BUSBAR_PARTITION_H
#define BUSBAR_PARTITION_H

#include <busbar/base.h>

#define BB_PARTITION_MAX 128     /* partitions of one table; more are left out, and that is said */
#define BB_PARTITION_LABEL 109   /* 36 characters of three bytes, and an end */
#define BB_PARTITION_BUFFER 4096 /* bytes that the buffer has at least, or one block */

enum bb_partition_scheme { BB_PARTITION_NONE, BB_PARTITION_MBR, BB_PARTITION_GPT };

struct bb_partition {
    uint64_t first, count;          /* blocks of the disk */
    unsigned number;                /* from 1; 5 and up are an MBR's logical ones */
    char type[37];                  /* "83", or a GUID */
    char uuid[37];                  /* GPT: its GUID; MBR: "<disk signature>-<number>" or "" */
    char label[BB_PARTITION_LABEL]; /* UTF-8 without control characters; "" where it has none */
};

struct bb_partition_table {
    /* The caller sets these. */
    int (*read)(struct bb_partition_table *table, uint64_t block, uint32_t count, void *data);
    int (*found)(struct bb_partition_table *table, const struct bb_partition *partition);
    void (*say)(struct bb_partition_table *table, const char *text);
    uint64_t capacity; /* blocks */
    uint32_t block_size;
    uint32_t buffer_size; /* a power of two, BB_PARTITION_BUFFER or more, and a block or more */
    uint8_t *buffer;

    /* The answer. */
    enum bb_partition_scheme scheme;
    unsigned count;   /* partitions found */
    unsigned refused; /* and left out */
    bool backup;      /* a GPT's second copy was used */

    /* The reader's own: what is taken already, also by tables in between (number 0). */
    struct {
        uint64_t first, last;
        unsigned number;
    } taken[BB_PARTITION_MAX + 32];
    unsigned taken_count, said;
    struct bb_partition partition;
};

/* Reads the table and calls found() for each partition, in the table's order. 0 with the scheme
 * set; -EINVAL for a GPT of which neither copy is usable; else the error of read() or found(). */
int bb_partition_read(struct bb_partition_table *table);

#endif
