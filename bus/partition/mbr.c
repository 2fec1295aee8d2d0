/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MBR's table (UEFI 2.10, 5.2.1): four entries of 16 bytes at 446, numbers little endian, in
 * blocks. One of them may be an extended partition: a chain of such tables, each with one logical
 * partition (relative to that table) and a link (relative to the extended partition).
 */
#include <string.h>

#include <busbar/log.h>

#include "table.h"

enum { DISK_ID = 440, ENTRIES = 446, ENTRY_SIZE = 16, SIGNATURE = 510, FIRST_LOGICAL = 5 };

struct entry {
    uint8_t type;
    uint32_t start, count;
};

static struct entry entry_at(const uint8_t *sector, unsigned index)
{
    const uint8_t *entry = sector + ENTRIES + index * ENTRY_SIZE;
    return (struct entry){entry[4], bb_le32(entry + 8), bb_le32(entry + 12)};
}

static bool is_extended(const struct entry *entry)
{
    return entry->type == 0x05 || entry->type == 0x0f || entry->type == 0x85;
}

static int add(struct bb_partition_table *table, uint32_t disk_id, unsigned number, uint8_t type,
               uint64_t first, uint32_t count)
{
    struct bb_partition *partition = &table->partition;
    *partition = (struct bb_partition){.first = first, .count = count, .number = number};
    bb_format(partition->type, sizeof(partition->type), "%02x", type);
    if (disk_id) /* as Linux has it; 0 is none */
        bb_format(partition->uuid, sizeof(partition->uuid), "%08x-%02x", disk_id, number);
    return bb_partition_add(table);
}

/* Every table of the chain takes its block, so that a chain that bites its tail ends there. */
static int read_logical(struct bb_partition_table *table, uint32_t disk_id,
                        const struct entry *extended)
{
    uint64_t base = extended->start, at = base;
    for (unsigned number = FIRST_LOGICAL;;) {
        if (at - base >= extended->count || at >= table->capacity) {
            bb_partition_say(table, "logical partitions end: the link to table %u is out of bounds",
                             number);
            return 0;
        }
        if (!bb_partition_reserve(table, at)) {
            bb_partition_say(
                table, "logical partitions end: table %u is in a circle or in a partition", number);
            return 0;
        }
        int error = table->read(table, at, 1, table->buffer);
        if (error)
            return error;
        if (bb_le16(table->buffer + SIGNATURE) != 0xaa55) {
            bb_partition_say(table, "logical partitions end: table %u has no signature", number);
            return 0;
        }
        struct entry own = entry_at(table->buffer, 0), link = entry_at(table->buffer, 1);
        if (own.type && own.count && !is_extended(&own)) {
            uint64_t from = at - base + own.start;
            if (from > extended->count || own.count > extended->count - from)
                bb_partition_refuse(table, number, "it is not within the extended partition");
            else
                error = add(table, disk_id, number, own.type, at + own.start, own.count);
            number++;
        }
        if (error || !is_extended(&link) || !link.count)
            return error;
        at = base + link.start;
    }
}

int bb_partition_read_mbr(struct bb_partition_table *table, const uint8_t *sector)
{
    uint32_t disk_id = bb_le32(sector + DISK_ID);
    struct entry extended = {0};
    (void)bb_partition_reserve(table, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct entry entry = entry_at(sector, i);
        int error = 0;
        if (!entry.type || !entry.count)
            continue;
        if (!is_extended(&entry))
            error = add(table, disk_id, i + 1, entry.type, entry.start, entry.count);
        else if (extended.count)
            bb_partition_refuse(table, i + 1, "there is an extended partition already");
        else
            extended = entry;
        if (error)
            return error;
    }
    return extended.count ? read_logical(table, disk_id, &extended) : 0;
}
