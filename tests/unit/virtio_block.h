/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of block/virtio_block share: its device, started; requests; how it fails. */
#ifndef TESTS_UNIT_VIRTIO_BLOCK_H
#define TESTS_UNIT_VIRTIO_BLOCK_H

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/arena.h>
#include <busbar/block.h>
#include <core/core.h>
#include <tests/models/boards.h>
#include <tests/models/virtio_disk.h>

#define UNUSED __attribute__((unused))

#define DISK VIRT_VIRTIO(3) "/block"
#define NO_INDIRECT VIRTIO_BIT(VIRTIO_F_EVENT_IDX)

enum { MANY = 40 };

static struct virtio_disk disk;
static struct bb_block_request requests[MANY], *list[MANY];
static struct bb_block_segment segments[MANY];
static uint8_t data[MANY][512];

static UNUSED void prepare(bool legacy, uint64_t rings)
{
    virt_prepare(NULL);
    virtio_disk_begin(&disk, legacy, rings);
    for (size_t i = 0; i < sizeof disk.memory; i++)
        disk.memory[i] = (uint8_t)(i / 512 + i);
}

static UNUSED struct bb_block *start(const char *command_line)
{
    virtio_disk_attach(&disk, 3);
    boot(command_line);
    return face_at(block, DISK);
}

/* What hangs below a disk goes first. */
static UNUSED void remove_disk(void)
{
    struct bb_node *table = bb_node_find(DISK "/partitions");
    if (table && table->device)
        assert_int_equal(bb_device_remove(table->device), 0);
    must_remove(DISK);
}

static UNUSED int submit_reads(struct bb_block *block, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        segments[i] = (struct bb_block_segment){data[i], 512};
        requests[i] = (struct bb_block_request){
            .block = 100 + i, .segments = &segments[i], .segment_count = 1};
        list[i] = &requests[i];
    }
    return bb_block_submit(block, 0, list, count);
}

static UNUSED void finish_one(void *context)
{
    (void)context;
    virtio_disk_finish(&disk, model_virtio_held(&disk.virtio, 0));
}

static UNUSED const char *reason_of(const struct bb_block *block)
{
    static char text[200];
    bb_node_reason(block->face.device->node, text, sizeof text);
    return text;
}

static UNUSED void must_be_broken(struct bb_block *block, const char *why)
{
    if (!strstr(reason_of(block), why))
        fail_msg("the reason is: %s", reason_of(block));
    assert_true(block->broken);
    assert_int_equal(bb_block_read(block, 0, 1, data[0]), -EIO);
    assert_int_equal(bb_block_write(block, 0, 1, data[0]), -EIO);
    assert_int_equal(bb_block_flush(block), -EIO);
    assert_int_equal(bb_block_reap(block, 0, 1), -EIO);
    struct bb_block_request request = {.op = BB_BLOCK_FLUSH}, *one[] = {&request};
    assert_int_equal(bb_block_submit(block, 0, one, 1), -EIO);
    assert_non_null(device_at(VIRT_PL031)); /* the rest goes on */
}

#endif
