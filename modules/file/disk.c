/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of a block device, with a bound on how many one call may move. */
#include <string.h>

#include <busbar/file_type.h>

#include "mounts.h"

/* A sound file system reads each of its blocks at most once for a call, but for a few. */
void bb_mount_begin(struct bb_mount *mount, size_t size)
{
    uint64_t bytes = bb_block_bytes(mount->block);
    if (__builtin_add_overflow(bytes, BB_MOUNT_SLACK + 8 * (uint64_t)size, &mount->budget))
        mount->budget = UINT64_MAX;
}

int bb_mount_charge(struct bb_mount *mount, size_t size)
{
    if (size > mount->budget)
        return -EIO;
    mount->budget -= size;
    return 0;
}

static int refuse(struct bb_mount *mount, uint64_t offset, size_t size)
{
    uint64_t bytes = bb_block_bytes(mount->block);
    if (mount->gone)
        return -ENODEV; /* what the device has now is another medium's */
    if (offset > bytes || size > bytes - offset)
        return -EPROTO; /* the file system is larger than the device */
    return bb_mount_charge(mount, size);
}

/* One piece at a time: whole blocks straight from or to the caller's memory, others through the
 * bounce block. */
static int move(struct bb_mount *mount, uint64_t offset, char *data, size_t size, bool write)
{
    struct bb_block *block = mount->block;
    int error = refuse(mount, offset, size);
    while (!error && size) {
        uint64_t first = offset / block->block_size;
        size_t skip = (size_t)(offset % block->block_size), part = size;
        if (!skip && size >= block->block_size) {
            size_t blocks = size / block->block_size;
            uint32_t count = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX;
            part = (size_t)count * block->block_size;
            error = write ? bb_block_write(block, first, count, data)
                          : bb_block_read(block, first, count, data);
        } else {
            if (part > block->block_size - skip)
                part = block->block_size - skip;
            error = bb_block_read(block, first, 1, mount->bounce);
            if (!error && !write)
                memcpy(data, (char *)mount->bounce + skip, part);
            if (!error && write) {
                memcpy((char *)mount->bounce + skip, data, part);
                error = bb_block_write(block, first, 1, mount->bounce);
            }
        }
        offset += part;
        data += part;
        size -= part;
    }
    return error;
}

int bb_mount_read(struct bb_mount *mount, uint64_t offset, void *data, size_t size)
{
    return move(mount, offset, data, size, false);
}

int bb_mount_write(struct bb_mount *mount, uint64_t offset, const void *data, size_t size)
{
    if (mount->read_only)
        return -EROFS;
    mount->unwritten = true;
    return move(mount, offset, (char *)(uintptr_t)data, size, true);
}

int bb_mount_flush(struct bb_mount *mount)
{
    int error = mount->gone ? -ENODEV : mount->read_only ? 0 : bb_block_flush(mount->block);
    mount->unwritten = mount->unwritten && error;
    return error;
}
