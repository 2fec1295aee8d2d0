/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "files.h"

#if BB_MODULE_FILE
#define ROW 16
#define MAX_READ 64 /* blocks */

/* The copy's and the dump's: as large as the largest block. */
static char buffer[65536];

static int list(void)
{
    for (struct bb_block *block = bb_block_first(); block; block = bb_block_next(block)) {
        say("%-10s ", block->face.device->name);
        say_size(bb_block_bytes(block));
        say(", %llu blocks of %u%s", (unsigned long long)block->capacity, block->block_size,
            block->features & BB_BLOCK_READ_ONLY ? ", read-only" : "");
        if (block->face.device->node->state != BB_NODE_RUNNING)
            say(", gone");
        if (*block->label) {
            say(", ");
            say_name(block->label);
        }
        say("\n");
    }
    return 0;
}

static int partitions(const char *name)
{
    const struct bb_block *disk = find_disk(name);
    bool found = false;
    if (!disk)
        return -ENODEV;
    for (struct bb_block *block = bb_block_first(); block; block = bb_block_next(block)) {
        if (block->parent != disk)
            continue;
        found = true;
        say("%-10s from %-10llu ", block->face.device->name, (unsigned long long)block->first);
        say_size(bb_block_bytes(block));
        say("  %s  ", block->uuid);
        say_name(block->label);
        say("\n");
    }
    if (!found)
        say("%s has no partition table that could be read; `log` says what was wrong with one\n",
            name);
    return 0;
}

static void dump_row(uint64_t address, const unsigned char *bytes)
{
    char text[ROW + 1];
    say("%08llx ", (unsigned long long)address);
    for (size_t i = 0; i < ROW; i++) {
        say(" %02x", bytes[i]);
        text[i] = bytes[i] < ' ' || bytes[i] > '~' ? '.' : (char)bytes[i];
    }
    text[ROW] = '\0';
    say("  %s\n", text);
}

static int dump(const char *name, const char *first_text, const char *count_text)
{
    struct bb_block *block = find_disk(name);
    uint64_t first, count = 1;
    if (!block)
        return -ENODEV;
    if (!parse_number(first_text, UINT64_MAX, &first) ||
        (count_text && !parse_number(count_text, MAX_READ, &count)))
        return -EINVAL;
    if (first >= block->capacity || count > block->capacity - first) {
        say("%s ends with block %llu\n", name, (unsigned long long)block->capacity - 1);
        return -ERANGE;
    }
    for (; count; first++, count--) {
        int error = bb_block_read(block, first, 1, buffer);
        if (error)
            return error;
        for (size_t at = 0; at < block->block_size; at += ROW)
            dump_row(first * block->block_size + at, (const unsigned char *)buffer + at);
    }
    return 0;
}

/* A disk is in use when it, the disk around it or a partition of it is mounted. */
static bool in_use(const struct bb_block *block)
{
    struct bb_file_space space;
    for (unsigned i = 0; bb_file_space(i, &space); i++)
        if (space.block == block || space.block->parent == block || block->parent == space.block)
            return true;
    return false;
}

static int copy(const char *from_name, const char *to_name)
{
    struct bb_block *from = find_disk(from_name), *to = from ? find_disk(to_name) : NULL;
    if (!to)
        return -ENODEV;
    const char *why = from == to || from->parent == to     ? "it would be copied onto itself"
                      : from->block_size != to->block_size ? "their blocks differ in size"
                      : to->capacity < from->capacity      ? "it is smaller than that"
                      : in_use(to)                         ? "it is mounted: `umount` it first"
                                                           : NULL;
    if (why) {
        say("%s cannot be copied to %s: %s\n", from_name, to_name, why);
        return -EPERM;
    }
    uint32_t most = sizeof(buffer) / from->block_size;
    for (uint64_t at = 0; at < from->capacity; at += most) {
        uint32_t count = from->capacity - at < most ? (uint32_t)(from->capacity - at) : most;
        int error = bb_block_read(from, at, count, buffer);
        if (!error)
            error = bb_block_write(to, at, count, buffer);
        if (error)
            return error;
    }
    int error = bb_block_flush(to);
    if (!error)
        say("%llu blocks copied to %s\n", (unsigned long long)from->capacity, to_name);
    return error;
}

static int run(int argc, char **argv)
{
    if (argc == 1)
        return list();
    if (argc == 3 && strcmp(argv[1], "partitions") == 0)
        return partitions(argv[2]);
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "read") == 0)
        return dump(argv[2], argv[3], argv[4]);
    if (argc == 5 && strcmp(argv[1], "copy") == 0 && strcmp(argv[4], "overwrite") == 0)
        return copy(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "copy") == 0) {
        say("what %s holds would be lost: say `block copy %s %s overwrite`\n", argv[3], argv[2],
            argv[3]);
        return 0;
    }
    say("block                             disks and partitions\n"
        "block partitions DISK             where they lie, with UUID and name\n"
        "block read DISK FIRST [COUNT]     bytes of up to %u blocks\n"
        "block copy FROM TO overwrite      every block of FROM; what TO holds is lost\n",
        MAX_READ);
    return -EINVAL;
}

const struct command command_block = {"block", "[partitions|read|copy ...]",
                                      "disks: list, partition table, bytes, copy", run,
                                      complete_block};
#endif
