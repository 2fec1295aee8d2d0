/* SPDX-License-Identifier: BSD-2-Clause */
/* Which kind of table a disk has (UEFI 2.10, 5.2), and what holds for partitions of every kind. */
#include <stdarg.h>
#include <string.h>

#include <busbar/log.h>

#include "table.h"

#define MAX_SAID 8 /* lines about one disk */

enum { SECTOR = 512, ENTRIES = 446, ENTRY = 16, TYPE = 4, START = 8, SIGNATURE = 510 };

void bb_partition_say(struct bb_partition_table *table, const char *format, ...)
{
    char text[120];
    va_list arguments;
    if (table->said++ >= MAX_SAID)
        return;
    va_start(arguments, format);
    bb_vformat(text, sizeof(text), format, arguments);
    va_end(arguments);
    table->say(table, text);
}

void bb_partition_refuse(struct bb_partition_table *table, unsigned number, const char *why)
{
    table->refused++;
    bb_partition_say(table, "partition %u refused: %s", number, why);
}

static int find_taken(const struct bb_partition_table *table, uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < table->taken_count; i++)
        if (first <= table->taken[i].last && table->taken[i].first <= last)
            return (int)i;
    return -1;
}

static bool take(struct bb_partition_table *table, uint64_t first, uint64_t last, unsigned number)
{
    if (table->taken_count == BB_ARRAY_SIZE(table->taken))
        return false;
    table->taken[table->taken_count].first = first;
    table->taken[table->taken_count].last = last;
    table->taken[table->taken_count++].number = number;
    return true;
}

bool bb_partition_reserve(struct bb_partition_table *table, uint64_t block)
{
    return find_taken(table, block, block) < 0 && take(table, block, block, 0);
}

int bb_partition_add(struct bb_partition_table *table)
{
    const struct bb_partition *partition = &table->partition;
    char why[48];
    if (partition->first >= table->capacity ||
        partition->count > table->capacity - partition->first) {
        bb_partition_refuse(table, partition->number, "it ends beyond the end of the disk");
        return 0;
    }
    uint64_t last = partition->first + partition->count - 1;
    int other = find_taken(table, partition->first, last);
    if (other >= 0) {
        if (table->taken[other].number)
            bb_format(why, sizeof(why), "it overlaps partition %u", table->taken[other].number);
        else
            bb_format(why, sizeof(why), "it overlaps the partition table");
        bb_partition_refuse(table, partition->number, why);
        return 0;
    }
    if (table->count == BB_PARTITION_MAX ||
        !take(table, partition->first, last, partition->number)) {
        bb_partition_refuse(table, partition->number, "there are too many");
        return 0;
    }
    table->count++;
    return table->found(table, partition);
}

/* A file system right on the disk has the same signature; FAT says what it is. */
static bool is_fat(const uint8_t *sector)
{
    return memcmp(sector + 54, "FAT1", 4) == 0 || memcmp(sector + 82, "FAT32", 5) == 0;
}

/* 0 no table, else the scheme. Whoever writes a table writes 0 or 0x80 as status. */
static enum bb_partition_scheme scheme_of(const uint8_t *sector)
{
    enum bb_partition_scheme scheme = BB_PARTITION_MBR;
    if (bb_le16(sector + SIGNATURE) != 0xaa55 || is_fat(sector))
        return BB_PARTITION_NONE;
    for (const uint8_t *entry = sector + ENTRIES; entry < sector + SIGNATURE; entry += ENTRY) {
        if (entry[0] & 0x7f)
            return BB_PARTITION_NONE;
        if (entry[TYPE] == 0xee && bb_le32(entry + START) == 1)
            scheme = BB_PARTITION_GPT;
    }
    return scheme;
}

int bb_partition_read(struct bb_partition_table *table)
{
    uint8_t sector[SECTOR];
    table->scheme = BB_PARTITION_NONE;
    table->count = table->refused = table->taken_count = table->said = 0;
    table->backup = false;
    if (table->capacity < 2)
        return 0;
    int error = table->read(table, 0, 1, table->buffer);
    if (error)
        return error;
    memcpy(sector, table->buffer, sizeof(sector));
    enum bb_partition_scheme scheme = scheme_of(sector);
    if (scheme == BB_PARTITION_GPT)
        error = bb_partition_read_gpt(table);
    else if (scheme == BB_PARTITION_MBR)
        error = bb_partition_read_mbr(table, sector);
    if (table->said > MAX_SAID) {
        table->said = 0;
        bb_partition_say(table, "the table has more faults: %u partitions refused", table->refused);
    }
    if (!error)
        table->scheme = scheme;
    return error;
}
