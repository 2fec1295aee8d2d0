/* SPDX-License-Identifier: BSD-2-Clause */
/* A stick in a port of the software host, for the tests of block/usb_storage. */
#ifndef TESTS_UNIT_USB_STORAGE_H
#define TESTS_UNIT_USB_STORAGE_H

#include "harness.h"

#include <string.h>

#include <busbar/block.h>
#include <busbar/log.h>
#include <busbar/poll.h>

#include <tests/models/boards.h>
#include <tests/models/usb_soft_host.h>
#include <tests/models/usb_storage.h>

enum { BLOCKS = 2048, MOST_BLOCK = 4096 };

static _Alignas(64) uint8_t medium[BLOCKS * 512];
static _Alignas(64) uint8_t memory[128 * 1024];
static struct model_usb_storage stick;

static inline uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 7 + at / 251 + at / 512);
}

static inline void make_stick(enum bb_usb_speed speed, uint32_t block_size)
{
    for (size_t i = 0; i < sizeof medium; i++)
        medium[i] = pattern(i);
    model_usb_storage_init(&stick, speed, medium, sizeof medium / block_size, block_size);
}

static inline bool is_settled(void *context)
{
    struct bb_block *disk = bb_block_by_name("disk0");
    (void)context;
    if (disk)
        return true;
    bb_for_each_node (node) {
        if (node->state == BB_NODE_FAILED && node->driver &&
            strcmp(node->driver->name, "block/usb_storage") == 0)
            return true;
    }
    return false;
}

static inline bool is_away(void *context)
{
    (void)context;
    return !bb_block_by_name("disk0");
}

/* The disk that comes of it, or NULL with the reason in the log. */
static inline struct bb_block *plug(void)
{
    usb_plug(&soft_host.sockets[0], &stick.usb);
    (void)bb_wait(is_settled, NULL, 120 * BB_SEC);
    bb_sleep(100 * BB_MSEC); /* it is looked at for partitions */
    return bb_block_by_name("disk0");
}

static inline struct bb_block *prepare(enum bb_usb_speed speed, uint32_t block_size)
{
    soft_host_prepare(1);
    make_stick(speed, block_size);
    boot("conformance.scratch=disk0");
    struct bb_block *disk = plug();
    assert_non_null(disk);
    return disk;
}

static inline void unplug(void)
{
    usb_unplug(&stick.usb);
    assert_int_equal(bb_wait(is_away, NULL, 10 * BB_SEC), 0);
}

/* Blocks of the medium as they were made. */
static inline bool is_pattern(const struct bb_block *disk, const uint8_t *data, uint64_t first,
                              uint32_t count)
{
    for (uint64_t i = 0; i < (uint64_t)count * disk->block_size; i++)
        if (data[i] != pattern(first * disk->block_size + i))
            return false;
    return true;
}

static inline void reads_well(struct bb_block *disk)
{
    memset(memory, 0, 8 * disk->block_size);
    assert_int_equal(bb_block_read(disk, 3, 8, memory), 0);
    assert_true(is_pattern(disk, memory, 3, 8));
}

/* All that a stick is used for, after it was plugged in. */
static inline int use(struct bb_block *disk)
{
    static uint8_t text[2048] __attribute__((aligned(64)));
    memset(memory, 0, 4096);
    int error = bb_block_read(disk, 3, 8, memory);
    if (!error && !is_pattern(disk, memory, 3, 8))
        fail_msg("what was read is wrong");
    if (error)
        return error;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 3);
    error = bb_block_write(disk, 1000, 4, text);
    if (!error)
        error = bb_block_flush(disk);
    if (!error && memcmp(medium + 1000 * 512, text, sizeof text) != 0)
        fail_msg("what was written is wrong");
    return error;
}

#endif
