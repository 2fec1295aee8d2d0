/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in memory for tests of partition tables: what the reader asks for is checked and what it
 * finds is kept; and tables are sealed with CRCs of the tests' own.
 */
#ifndef TESTS_UNIT_PARTITION_DISK_H
#define TESTS_UNIT_PARTITION_DISK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/partition.h>

struct disk {
    struct bb_partition_table table;
    uint8_t *bytes;
    uint64_t blocks;     /* that bytes has; capacity may be another */
    uint64_t bad, reads; /* a block that cannot be read; reads so far */
    unsigned said;       /* lines */
    char text[1200];     /* the lines */
    unsigned count, end; /* partitions; found() fails at this one, 0: never */
    struct bb_partition found[BB_PARTITION_MAX];
};

#define DISK_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline int disk_read(struct bb_partition_table *table, uint64_t block, uint32_t count,
                            void *data)
{
    struct disk *disk = bb_container_of(table, struct disk, table);
    size_t size = table->block_size;
    disk->reads++;
    DISK_CHECK(count && (uint64_t)count * size <= table->buffer_size);
    DISK_CHECK(block < table->capacity && count <= table->capacity - block);
    for (uint32_t i = 0; i < count; i++) {
        if (disk->bad && block + i == disk->bad)
            return -EIO;
        if (block + i < disk->blocks)
            memcpy((uint8_t *)data + i * size, disk->bytes + (block + i) * size, size);
        else
            memset((uint8_t *)data + i * size, 0, size);
    }
    return 0;
}

/* UTF-8, and nothing that moves a terminal's cursor. */
static inline void check_label(const char *label)
{
    const uint8_t *at = (const uint8_t *)label;
    DISK_CHECK(strlen(label) < BB_PARTITION_LABEL);
    while (*at) {
        unsigned more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        DISK_CHECK(*at >= 0x20 && *at != 0x7f && *at < 0xf5 && (*at < 0x80 || *at >= 0xc2));
        for (at++; more; more--, at++)
            DISK_CHECK((*at & 0xc0) == 0x80);
    }
}

static inline int disk_found(struct bb_partition_table *table, const struct bb_partition *found)
{
    struct disk *disk = bb_container_of(table, struct disk, table);
    DISK_CHECK(disk->count < BB_PARTITION_MAX);
    DISK_CHECK(found->number && found->first && found->count);
    DISK_CHECK(found->first < table->capacity && found->count <= table->capacity - found->first);
    for (unsigned i = 0; i < disk->count; i++) {
        const struct bb_partition *other = &disk->found[i];
        DISK_CHECK(other->number != found->number);
        DISK_CHECK(other->first >= found->first + found->count ||
                   found->first >= other->first + other->count);
    }
    DISK_CHECK(strlen(found->type) < sizeof(found->type));
    DISK_CHECK(strlen(found->uuid) < sizeof(found->uuid));
    check_label(found->label);
    disk->found[disk->count++] = *found;
    return disk->count == disk->end ? -ENOMEM : 0;
}

static inline void disk_say(struct bb_partition_table *table, const char *text)
{
    struct disk *disk = bb_container_of(table, struct disk, table);
    DISK_CHECK(strlen(disk->text) + strlen(text) + 2 < sizeof(disk->text));
    strcat(strcat(disk->text, text), "\n");
    disk->said++;
}

/* Reads the disk's table anew. */
static inline int disk_scan(struct disk *disk, uint64_t capacity, uint32_t block_size)
{
    uint32_t size = block_size > BB_PARTITION_BUFFER ? block_size : BB_PARTITION_BUFFER;
    uint8_t *buffer = malloc(size);
    disk->count = disk->said = 0;
    disk->reads = 0;
    disk->text[0] = '\0';
    disk->table = (struct bb_partition_table){
        .read = disk_read,
        .found = disk_found,
        .say = disk_say,
        .capacity = capacity,
        .block_size = block_size,
        .buffer = buffer,
        .buffer_size = size,
    };
    int error = bb_partition_read(&disk->table);
    DISK_CHECK(disk->count == disk->table.count && disk->said <= 9);
    DISK_CHECK(!error || disk->table.scheme == BB_PARTITION_NONE);
    free(buffer);
    return error;
}

static inline void put_le(uint8_t *at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t get_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* A bit at a time, as the standard has it. */
static inline uint32_t disk_crc(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (; size; size--) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Puts right CRCs into the GPT header at block `at`, as far as its numbers make sense. */
static inline void disk_seal(struct disk *disk, uint64_t at, uint32_t block_size)
{
    if (at >= disk->blocks)
        return;
    uint8_t *header = disk->bytes + at * block_size;
    uint64_t entries = get_le(header + 72, 8), room = disk->blocks * block_size;
    uint64_t total = get_le(header + 80, 4) * get_le(header + 84, 4);
    uint64_t size = get_le(header + 12, 4);
    if (entries <= disk->blocks && total <= room - entries * block_size)
        put_le(header + 88, 4, disk_crc(disk->bytes + entries * block_size, (size_t)total));
    put_le(header + 16, 4, 0);
    if (size <= block_size)
        put_le(header + 16, 4, disk_crc(header, (size_t)size));
}

#endif
