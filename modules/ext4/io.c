/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device below libext2fs: an io_manager over the mount's bytes. Single blocks are metadata,
 * which the library reads again and again: the newest few are kept, and written through.
 */
#include <string.h>

#include "ext4.h"

#define CACHE_BYTES 65536
#define CACHE_BLOCKS 16

struct channel {
    struct struct_io_channel io; /* first */
    struct bb_mount *mount;
    unsigned kept, next; /* how many blocks fit; the next to give up */
    blk64_t blocks[CACHE_BLOCKS];
    bool valid[CACHE_BLOCKS];
    char *data;
};

static struct bb_mount *opening;

void bb_ext4_io_for(struct bb_mount *mount)
{
    opening = mount;
}

static errcode_t set_block_size(io_channel io, int size)
{
    struct channel *channel = (struct channel *)io;
    if (size < 512 || size > 65536)
        return EXT2_ET_INVALID_ARGUMENT;
    unsigned kept = CACHE_BYTES / (unsigned)size;
    if (kept > CACHE_BLOCKS)
        kept = CACHE_BLOCKS;
    bb_file_free(channel->data);
    memset(channel->valid, 0, sizeof(channel->valid));
    channel->data = bb_file_malloc(kept * (size_t)size);
    if (!channel->data)
        return EXT2_ET_NO_MEMORY;
    channel->kept = kept;
    channel->next = 0;
    io->block_size = size;
    return 0;
}

static errcode_t open_channel(const char *name, int flags, io_channel *io)
{
    (void)name, (void)flags;
    struct channel *channel = bb_file_calloc(1, sizeof(*channel));
    if (!channel)
        return EXT2_ET_NO_MEMORY;
    channel->io.magic = EXT2_ET_MAGIC_IO_CHANNEL;
    channel->io.manager = &bb_ext4_io_manager;
    channel->io.refcount = 1;
    channel->mount = opening;
    errcode_t error = set_block_size(&channel->io, 1024);
    if (error) {
        bb_file_free(channel);
        return error;
    }
    *io = &channel->io;
    return 0;
}

static errcode_t close_channel(io_channel io)
{
    struct channel *channel = (struct channel *)io;
    if (--io->refcount > 0)
        return 0;
    bb_file_free(channel->data);
    bb_file_free(channel);
    return 0;
}

/* Where a block of the file system is; false when no such place can be. A negative count is bytes.
 */
static bool place(io_channel io, blk64_t block, int count, uint64_t *offset, size_t *size)
{
    *size = count < 0 ? -(size_t)count : (size_t)count * (size_t)io->block_size;
    return !__builtin_mul_overflow(block, (uint64_t)io->block_size, offset);
}

static char *cached(struct channel *channel, blk64_t block)
{
    for (unsigned i = 0; i < channel->kept; i++)
        if (channel->valid[i] && channel->blocks[i] == block)
            return channel->data + (size_t)i * (size_t)channel->io.block_size;
    return NULL;
}

static void forget(struct channel *channel, blk64_t block, uint64_t count)
{
    for (unsigned i = 0; i < channel->kept; i++)
        if (channel->blocks[i] >= block && channel->blocks[i] - block < count)
            channel->valid[i] = false;
}

static void keep(struct channel *channel, blk64_t block, const void *data)
{
    char *at = cached(channel, block);
    if (!at) {
        channel->blocks[channel->next] = block;
        channel->valid[channel->next] = true;
        at = channel->data + (size_t)channel->next * (size_t)channel->io.block_size;
        channel->next = (channel->next + 1) % channel->kept;
    }
    memcpy(at, data, (size_t)channel->io.block_size);
}

static errcode_t read_blocks(io_channel io, unsigned long long block, int count, void *data)
{
    struct channel *channel = (struct channel *)io;
    uint64_t offset;
    size_t size;
    if (!place(io, block, count, &offset, &size))
        return EXT2_ET_BAD_BLOCK_NUM;
    const char *at = count == 1 ? cached(channel, block) : NULL;
    if (at) {
        memcpy(data, at, size);
        return -bb_mount_charge(channel->mount, size);
    }
    int error = bb_mount_read(channel->mount, offset, data, size);
    if (!error && count == 1)
        keep(channel, block, data);
    return -error;
}

/* What failed is not forgotten: the medium may be half changed, and stays marked as in use. */
static int remember(struct bb_mount *mount, int error)
{
    struct ext4 *ext4 = mount->state;
    if (error && ext4 && !ext4->failed)
        ext4->failed = error;
    return error;
}

static errcode_t write_blocks(io_channel io, unsigned long long block, int count, const void *data)
{
    struct channel *channel = (struct channel *)io;
    uint64_t offset;
    size_t size;
    if (!place(io, block, count, &offset, &size))
        return EXT2_ET_BAD_BLOCK_NUM;
    forget(channel, block, size / (size_t)io->block_size + 1);
    int error = remember(channel->mount, bb_mount_write(channel->mount, offset, data, size));
    if (!error && count == 1)
        keep(channel, block, data);
    return -error;
}

static errcode_t read_blocks_32(io_channel io, unsigned long block, int count, void *data)
{
    return read_blocks(io, block, count, data);
}

static errcode_t write_blocks_32(io_channel io, unsigned long block, int count, const void *data)
{
    return write_blocks(io, block, count, data);
}

static errcode_t flush(io_channel io)
{
    struct bb_mount *mount = ((struct channel *)io)->mount;
    return -remember(mount, bb_mount_flush(mount));
}

/* Without this the library takes a buffer of 4 MiB to write zeros from. */
static errcode_t zero_out(io_channel io, unsigned long long block, unsigned long long count)
{
    void *zeros = bb_file_calloc(1, (size_t)io->block_size);
    errcode_t error = zeros ? 0 : EXT2_ET_NO_MEMORY;
    for (; !error && count; block++, count--)
        error = write_blocks(io, block, 1, zeros);
    bb_file_free(zeros);
    return error;
}

struct struct_io_manager bb_ext4_io_manager = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "block device",
    .open = open_channel,
    .close = close_channel,
    .set_blksize = set_block_size,
    .read_blk = read_blocks_32,
    .write_blk = write_blocks_32,
    .flush = flush,
    .read_blk64 = read_blocks,
    .write_blk64 = write_blocks,
    .zeroout = zero_out,
};

int bb_ext4_read_blocks(ext2_filsys fs, blk64_t block, uint32_t count, void *data)
{
    uint64_t offset;
    if (__builtin_mul_overflow(block, (uint64_t)fs->blocksize, &offset))
        return -EPROTO;
    return bb_mount_read(((struct channel *)fs->io)->mount, offset, data,
                         (size_t)count * fs->blocksize);
}

int bb_ext4_write_blocks(ext2_filsys fs, blk64_t block, uint32_t count, const void *data)
{
    uint64_t offset;
    if (__builtin_mul_overflow(block, (uint64_t)fs->blocksize, &offset))
        return -EPROTO;
    forget((struct channel *)fs->io, block, count);
    struct bb_mount *mount = ((struct channel *)fs->io)->mount;
    return remember(mount, bb_mount_write(mount, offset, data, (size_t)count * fs->blocksize));
}
