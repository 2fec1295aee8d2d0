/* SPDX-License-Identifier: BSD-2-Clause */
/* What the readers of partition tables share. */
#ifndef BUS_PARTITION_TABLE_H
#define BUS_PARTITION_TABLE_H

#include <busbar/partition.h>

static inline uint16_t bb_le16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}
static inline uint32_t bb_le32(const uint8_t *at)
{
    return bb_le16(at) | (uint32_t)bb_le16(at + 2) << 16;
}
static inline uint64_t bb_le64(const uint8_t *at)
{
    return bb_le32(at) | (uint64_t)bb_le32(at + 4) << 32;
}

/* Says what is wrong; after a few lines only counts. */
void bb_partition_say(struct bb_partition_table *table, const char *format, ...) BB_PRINTF(2, 3);
void bb_partition_refuse(struct bb_partition_table *table, unsigned number, const char *why);
/* Takes blocks for a table of the disk itself. False when they are taken already, or too many are.
 */
bool bb_partition_reserve(struct bb_partition_table *table, uint64_t block);
/* Checks table->partition against the disk and what was found before, then hands it on or says why
 * not. Negative only when found() wants no more. */
int bb_partition_add(struct bb_partition_table *table);

/* `sector` is the first block of the disk, a copy of 512 bytes. */
int bb_partition_read_mbr(struct bb_partition_table *table, const uint8_t *sector);
int bb_partition_read_gpt(struct bb_partition_table *table);

#endif
