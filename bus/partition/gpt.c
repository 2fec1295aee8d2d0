/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GUID partition tables (UEFI 2.10, 5.3): a header in block 1 and its array of entries, each with a
 * CRC-32; a second copy of both ends the disk.
 */
#include <string.h>

#include <busbar/log.h>

#include "table.h"

enum { /* header */
       SIGNATURE = 0,
       REVISION = 8,
       HEADER_SIZE = 12,
       HEADER_CRC = 16,
       MY_BLOCK = 24,
       OTHER_BLOCK = 32,
       FIRST_USABLE = 40,
       LAST_USABLE = 48,
       ENTRIES_BLOCK = 72,
       ENTRY_COUNT = 80,
       ENTRY_SIZE = 84,
       ENTRIES_CRC = 88,
       HEADER_MINIMUM = 92,
};
enum { /* entry */
       TYPE = 0,
       UUID = 16,
       FIRST = 32,
       LAST = 40,
       NAME = 56,
       NAME_UNITS = 36,
       ENTRY_MINIMUM = 128,
};
#define MAX_ENTRIES_SIZE (1u << 20) /* bytes, more than anyone has; bounds the time */

struct gpt {
    uint64_t first_usable, last_usable, other, entries;
    uint32_t size, count, total, crc;
};

/* CRC-32 of IEEE 802.3, reflected; four bits at a time, for a table of 64 bytes. */
static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    for (; size; size--) {
        crc ^= *data++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

static bool is_entry_size(uint32_t size)
{
    return size >= ENTRY_MINIMUM && size <= BB_PARTITION_BUFFER && !(size & (size - 1));
}

/* NULL when the header in the buffer, read from block `at`, can be used; else why not. */
static const char *check_header(struct bb_partition_table *table, uint64_t at, struct gpt *gpt)
{
    uint8_t *header = table->buffer;
    uint32_t header_size = bb_le32(header + HEADER_SIZE), crc = bb_le32(header + HEADER_CRC);
    if (memcmp(header + SIGNATURE, "EFI PART", 8) != 0)
        return "it has no signature";
    if (bb_le16(header + REVISION + 2) != 1)
        return "its revision is unknown";
    if (header_size < HEADER_MINIMUM || header_size > table->block_size)
        return "its header has a wrong size";
    memset(header + HEADER_CRC, 0, 4);
    if (~crc32(UINT32_MAX, header, header_size) != crc)
        return "its header has a wrong CRC";
    if (bb_le64(header + MY_BLOCK) != at)
        return "its header names another block as its own";
    *gpt = (struct gpt){
        .first_usable = bb_le64(header + FIRST_USABLE),
        .last_usable = bb_le64(header + LAST_USABLE),
        .other = bb_le64(header + OTHER_BLOCK),
        .entries = bb_le64(header + ENTRIES_BLOCK),
        .size = bb_le32(header + ENTRY_SIZE),
        .count = bb_le32(header + ENTRY_COUNT),
        .crc = bb_le32(header + ENTRIES_CRC),
    };
    if (!is_entry_size(gpt->size))
        return "its entries have a wrong size";
    if (!gpt->count || gpt->count > MAX_ENTRIES_SIZE / gpt->size)
        return "it has no entries, or too many";
    gpt->total = gpt->count * gpt->size;
    uint32_t blocks = (gpt->total + table->block_size - 1) / table->block_size;
    if (gpt->entries < 2 || blocks > table->capacity || gpt->entries > table->capacity - blocks ||
        (at >= gpt->entries && at - gpt->entries < blocks))
        return "its entries are out of bounds";
    if (gpt->first_usable > gpt->last_usable || gpt->first_usable < 2 ||
        (gpt->entries <= gpt->last_usable && gpt->first_usable < gpt->entries + blocks))
        return "its room for partitions is wrong";
    return NULL;
}

/* UTF-16 to UTF-8. What would disturb a terminal or is no character becomes U+FFFD. */
static void copy_name(const uint8_t *from, char *to)
{
    for (unsigned i = 0; i < NAME_UNITS && bb_le16(from + 2 * i); i++) {
        uint32_t c = bb_le16(from + 2 * i), low = 0;
        if (c >= 0xd800 && c < 0xdc00 && i + 1 < NAME_UNITS)
            low = bb_le16(from + 2 * i + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
            i++;
        }
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000))
            c = 0xfffd;
        if (c < 0x80) {
            *to++ = (char)c;
        } else if (c < 0x800) {
            *to++ = (char)(0xc0 | c >> 6);
        } else if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
            *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
            *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        }
        if (c >= 0x80)
            *to++ = (char)(0x80 | (c & 0x3f));
    }
    *to = '\0';
}

/* The first three fields are little endian. */
static void copy_guid(const uint8_t *from, char to[37])
{
    bb_format(to, 37, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", bb_le32(from),
              bb_le16(from + 4), bb_le16(from + 6), from[8], from[9], from[10], from[11], from[12],
              from[13], from[14], from[15]);
}

static int add(struct bb_partition_table *table, const struct gpt *gpt, const uint8_t *entry,
               unsigned number)
{
    static const uint8_t unused[16];
    struct bb_partition *partition = &table->partition;
    uint64_t first = bb_le64(entry + FIRST), last = bb_le64(entry + LAST);
    if (memcmp(entry + TYPE, unused, sizeof(unused)) == 0)
        return 0;
    if (first > last) {
        bb_partition_refuse(table, number, "it ends before it begins");
        return 0;
    }
    if (first < gpt->first_usable || last > gpt->last_usable) {
        bb_partition_refuse(table, number, "it is beyond the blocks that the table may give away");
        return 0;
    }
    *partition = (struct bb_partition){.first = first, .count = last - first + 1, .number = number};
    copy_guid(entry + TYPE, partition->type);
    copy_guid(entry + UUID, partition->uuid);
    copy_name(entry + NAME, partition->label);
    return bb_partition_add(table);
}

/* Goes through the entries, a buffer at a time: their CRC, or (`crc` NULL) the partitions. */
static int walk(struct bb_partition_table *table, const struct gpt *gpt, uint32_t *crc)
{
    for (uint32_t done = 0; done < gpt->total; done += table->buffer_size) {
        uint32_t left = gpt->total - done;
        uint32_t size = left < table->buffer_size ? left : table->buffer_size;
        uint32_t blocks = (size + table->block_size - 1) / table->block_size;
        int error =
            table->read(table, gpt->entries + done / table->block_size, blocks, table->buffer);
        if (!error && crc)
            *crc = crc32(*crc, table->buffer, size);
        for (uint32_t at = 0; !crc && !error && at < size; at += gpt->size)
            error = add(table, gpt, table->buffer + at, (done + at) / gpt->size + 1);
        if (error)
            return error;
    }
    return 0;
}

/* NULL when the copy at block `at` is whole; else why not. */
static const char *check_copy(struct bb_partition_table *table, uint64_t at, struct gpt *gpt)
{
    uint32_t crc = UINT32_MAX;
    if (table->read(table, at, 1, table->buffer))
        return "it cannot be read";
    const char *wrong = check_header(table, at, gpt);
    if (wrong)
        return wrong;
    if (walk(table, gpt, &crc))
        return "its entries cannot be read";
    return ~crc == gpt->crc ? NULL : "its entries have a wrong CRC";
}

int bb_partition_read_gpt(struct bb_partition_table *table)
{
    struct gpt gpt = {0};
    uint64_t end = table->capacity - 1;
    const char *wrong = check_copy(table, 1, &gpt);
    if (wrong) {
        bb_partition_say(table, "GPT: the first copy is refused: %s", wrong);
        /* The last block, unless a sound header (the entries were wrong) names another: the disk
         * may have grown. */
        uint64_t hint = gpt.other;
        wrong = "there is no room for it";
        if (end > 1)
            wrong = check_copy(table, end, &gpt);
        if (wrong && hint > 1 && hint < end)
            wrong = check_copy(table, hint, &gpt);
        if (wrong) {
            bb_partition_say(table, "GPT: the backup is refused: %s", wrong);
            return -EINVAL;
        }
        bb_partition_say(table, "GPT: the backup is used");
        table->backup = true;
    }
    if (gpt.last_usable > end)
        bb_partition_say(table, "GPT: the table is of a larger disk");
    return walk(table, &gpt, NULL);
}
