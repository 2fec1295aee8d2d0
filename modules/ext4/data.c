/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in files. libext2fs says where the blocks are; whole ones go straight between the device
 * and the caller's memory, as many at once as lie side by side.
 */
#include <string.h>

#include "ext4.h"

#define MAX_RUN 4096u /* blocks that one allocation asks for */

/* Blocks of a file that lie side by side. */
struct run {
    blk64_t block; /* the first on the medium; 0: nothing is there, it reads as zeros */
    uint32_t count;
    bool unwritten; /* there is room on the medium, which reads as zeros */
};

static int find_in_extents(ext2_filsys fs, struct ext4_file *open, blk64_t at, struct run *run)
{
    ext2_extent_handle_t handle;
    struct ext2fs_extent extent;
    errcode_t error = ext2fs_extent_open2(fs, open->number, &open->inode, &handle);
    if (error)
        return bb_ext4_error(error);
    error = ext2fs_extent_goto(handle, at);
    if (!error)
        error = ext2fs_extent_get(handle, EXT2_EXTENT_CURRENT, &extent);
    ext2fs_extent_free(handle);
    if (error == EXT2_ET_EXTENT_NOT_FOUND)
        return 0;
    if (error)
        return bb_ext4_error(error);
    if (at < extent.e_lblk || at - extent.e_lblk >= extent.e_len)
        return -EPROTO;
    run->block = extent.e_pblk + (at - extent.e_lblk);
    run->count = extent.e_len - (uint32_t)(at - extent.e_lblk);
    run->unwritten = extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT;
    return run->block ? 0 : -EPROTO;
}

/* What is at block `at` of the file, and at most `limit` after it. A run of nothing is 1 long. */
static int find_run(ext2_filsys fs, struct ext4_file *open, blk64_t at, uint32_t limit,
                    struct run *run)
{
    *run = (struct run){.count = 1};
    int error = 0;
    if (open->inode.i_flags & EXT4_EXTENTS_FL) {
        error = find_in_extents(fs, open, at, run);
    } else {
        blk64_t next;
        error = bb_ext4_error(
            ext2fs_bmap2(fs, open->number, &open->inode, NULL, 0, at, NULL, &run->block));
        while (!error && run->block && run->count < limit) {
            error = bb_ext4_error(ext2fs_bmap2(fs, open->number, &open->inode, NULL, 0,
                                               at + run->count, NULL, &next));
            if (error || next != run->block + run->count)
                break;
            run->count++;
        }
    }
    if (run->count > limit)
        run->count = limit;
    return error;
}

/* A file inside its inode, which libext2fs itself reads. */
static int read_inline(ext2_filsys fs, struct ext4_file *open, uint64_t at, void *data, size_t size)
{
    ext2_file_t handle;
    unsigned got = 0;
    errcode_t error = ext2fs_file_open2(fs, open->number, &open->inode, 0, &handle);
    if (error)
        return bb_ext4_error(error);
    error = ext2fs_file_llseek(handle, at, EXT2_SEEK_SET, NULL);
    if (!error)
        error = ext2fs_file_read(handle, data, (unsigned)size, &got);
    (void)ext2fs_file_close(handle);
    return error ? bb_ext4_error(error) : (int)got;
}

/* Part of one block, through memory of its own. */
static int read_part(ext2_filsys fs, blk64_t block, size_t skip, void *data, size_t size)
{
    char *whole = bb_file_malloc(fs->blocksize);
    if (!whole)
        return -ENOMEM;
    int error = bb_ext4_error(io_channel_read_blk64(fs->io, block, 1, whole));
    if (!error)
        memcpy(data, whole + skip, size);
    bb_file_free(whole);
    return error;
}

int bb_ext4_read(struct bb_file *file, uint64_t at, void *data, size_t size)
{
    struct ext4_file *open = file->state;
    ext2_filsys fs = ext4_fs(file->mount);
    size_t done = 0;
    int error = 0;
    if (open->inode.i_flags & EXT4_INLINE_DATA_FL)
        return read_inline(fs, open, at, data, size);
    while (!error && done < size) {
        uint64_t position = at + done;
        size_t skip = (size_t)(position % fs->blocksize), part = size - done;
        size_t blocks = (skip + part + fs->blocksize - 1) / fs->blocksize;
        char *to = (char *)data + done;
        struct run run;
        error = find_run(fs, open, position / fs->blocksize, (uint32_t)blocks, &run);
        if (error)
            break;
        if (!run.block || run.unwritten) {
            size_t zeros = (size_t)run.count * fs->blocksize - skip;
            part = part < zeros ? part : zeros;
            memset(to, 0, part);
        } else if (skip || part < fs->blocksize) {
            part = part < fs->blocksize - skip ? part : fs->blocksize - skip;
            error = read_part(fs, run.block, skip, to, part);
        } else {
            if (run.count > part / fs->blocksize)
                run.count = (uint32_t)(part / fs->blocksize);
            part = (size_t)run.count * fs->blocksize;
            error = bb_ext4_read_blocks(fs, run.block, run.count, to);
        }
        done += error ? 0 : part;
    }
    return done ? (int)done : error;
}

/* libext2fs 1.47.0 will not free a run that ends with the last block of the file system: for it to
 * do so, that has one more meanwhile. */
static void stretch(ext2_filsys fs, bool on)
{
    ext2fs_blocks_count_set(fs->super, ext2fs_blocks_count(fs->super) + (on ? 1 : -1ull));
}

errcode_t bb_ext4_punch(ext2_filsys fs, ext2_ino_t number, struct ext2_inode *inode, blk64_t first)
{
    stretch(fs, true);
    errcode_t error = ext2fs_punch(fs, number, inode, NULL, first, ~0ull);
    stretch(fs, false);
    return error;
}

/* Room for a block that has none, and for those after it where nothing can be yet. */
static int allocate(ext2_filsys fs, struct ext4_file *open, blk64_t at, uint32_t count,
                    struct run *run)
{
    blk64_t block = run->block;
    blk64_t end = (EXT2_I_SIZE(&open->inode) + fs->blocksize - 1) / fs->blocksize;
    if (open->inode.i_flags & EXT4_EXTENTS_FL && at >= end && count > 1 &&
        ext2fs_fallocate(fs, EXT2_FALLOCATE_FORCE_INIT | EXT2_FALLOCATE_INIT_BEYOND_EOF,
                         open->number, &open->inode, ~0ull, at, count) == 0)
        return find_run(fs, open, at, count, run);
    errcode_t error = ext2fs_bmap2(fs, open->number, &open->inode, NULL,
                                   BMAP_ALLOC | (block ? BMAP_SET : 0), at, NULL, &block);
    *run = (struct run){block, 1, false};
    return error ? bb_ext4_error(error) : block ? 0 : -EPROTO;
}

static int write_part(ext2_filsys fs, const struct run *run, bool fresh, size_t skip,
                      const void *data, size_t size)
{
    char *whole = bb_file_calloc(1, fs->blocksize);
    if (!whole)
        return -ENOMEM;
    int error = fresh ? 0 : bb_ext4_error(io_channel_read_blk64(fs->io, run->block, 1, whole));
    if (!error) {
        memcpy(whole + skip, data, size);
        error = bb_ext4_error(io_channel_write_blk64(fs->io, run->block, 1, whole));
    }
    bb_file_free(whole);
    return error;
}

/* What fits into the run at `position`; returns its bytes. */
static int write_run(struct bb_file *file, uint64_t position, const char *from, size_t size)
{
    struct ext4_file *open = file->state;
    ext2_filsys fs = ext4_fs(file->mount);
    size_t skip = (size_t)(position % fs->blocksize);
    size_t blocks = (skip + size + fs->blocksize - 1) / fs->blocksize;
    uint32_t limit = blocks < MAX_RUN ? (uint32_t)blocks : MAX_RUN;
    struct run run;
    int error = find_run(fs, open, position / fs->blocksize, limit, &run);
    /* What lies beyond the end was never written, whatever a block there holds. */
    bool fresh = !run.block || run.unwritten || position - skip >= file->size;
    if (!error && (!run.block || run.unwritten))
        error = allocate(fs, open, position / fs->blocksize, limit, &run);
    if (error)
        return error;
    if (skip || size < fs->blocksize) {
        size = size < fs->blocksize - skip ? size : fs->blocksize - skip;
        error = write_part(fs, &run, fresh, skip, from, size);
    } else {
        if (run.count > size / fs->blocksize)
            run.count = (uint32_t)(size / fs->blocksize);
        size = (size_t)run.count * fs->blocksize;
        error = bb_ext4_write_blocks(fs, run.block, run.count, from);
    }
    return error ? error : (int)size;
}

/* Blocks that a file of this kind can have. */
static uint64_t most_blocks(ext2_filsys fs, const struct ext2_inode *inode)
{
    uint64_t pointers = fs->blocksize / 4;
    if (inode->i_flags & EXT4_EXTENTS_FL)
        return UINT32_MAX;
    uint64_t most = EXT2_NDIR_BLOCKS + pointers + pointers * pointers * (1 + pointers);
    return most < UINT32_MAX ? most : UINT32_MAX;
}

int bb_ext4_write(struct bb_file *file, uint64_t at, const void *data, size_t size)
{
    struct ext4_file *open = file->state;
    ext2_filsys fs = ext4_fs(file->mount);
    size_t done = 0;
    int error = bb_ext4_begin_write(file->mount);
    if (error)
        return error;
    if ((at + size - 1) / fs->blocksize >= most_blocks(fs, &open->inode))
        return -ENOSPC;
    while (done < size) {
        int count = write_run(file, at + done, (const char *)data + done, size - done);
        if (count < 0) {
            error = count;
            break;
        }
        done += (size_t)count;
        if (at + done > file->size) {
            file->size = at + done;
            error =
                bb_ext4_error(ext2fs_inode_size_set(fs, &open->inode, (ext2_off64_t)file->size));
            if (error)
                break;
        }
    }
    /* What was taken and not filled would look like a size that is wrong. */
    if (error)
        (void)bb_ext4_punch(fs, open->number, &open->inode,
                            (file->size + fs->blocksize - 1) / fs->blocksize);
    open->inode.i_mtime = open->inode.i_ctime = bb_ext4_now(fs);
    int written = bb_ext4_error(ext2fs_write_inode(fs, open->number, &open->inode));
    return done && !written ? (int)done : error ? error : written;
}

int bb_ext4_truncate(struct bb_file *file, uint64_t size)
{
    struct ext4_file *open = file->state;
    ext2_filsys fs = ext4_fs(file->mount);
    ext2_file_t handle;
    int error = bb_ext4_begin_write(file->mount);
    if (error)
        return error;
    open->inode.i_mtime = open->inode.i_ctime = bb_ext4_now(fs);
    error =
        bb_ext4_error(ext2fs_file_open2(fs, open->number, &open->inode, EXT2_FILE_WRITE, &handle));
    if (error)
        return error;
    stretch(fs, true);
    error = bb_ext4_error(ext2fs_file_set_size2(handle, (ext2_off64_t)size));
    stretch(fs, false);
    open->inode = *ext2fs_file_get_inode(handle);
    file->size = EXT2_I_SIZE(&open->inode);
    int closed = bb_ext4_error(ext2fs_file_close(handle));
    return error ? error : closed;
}
