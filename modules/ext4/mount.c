/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext2, ext3 and ext4 (the layout: Linux, Documentation/filesystems/ext4) through libext2fs.
 *
 * Nothing is journaled. From the first change to the next sync the superblock lacks its mark of a
 * sound file system, so that after a power loss every system checks it before it is used.
 */
#include <string.h>

#include <busbar/log.h>

#include "ext4.h"

int bb_ext4_error(errcode_t error)
{
    if (error > 0 && error < 4096)
        return (int)-error;
    switch (error) {
    case 0:
        return 0;
    case EXT2_ET_NO_MEMORY:
        return -ENOMEM;
    case EXT2_ET_FILE_NOT_FOUND:
        return -ENOENT;
    case EXT2_ET_NO_DIRECTORY:
        return -ENOTDIR;
    case EXT2_ET_FILE_EXISTS:
    case EXT2_ET_DIR_EXISTS:
        return -EEXIST;
    case EXT2_ET_BLOCK_ALLOC_FAIL:
    case EXT2_ET_INODE_ALLOC_FAIL:
    case EXT2_ET_FILE_TOO_BIG:
    case EXT2_ET_DIR_NO_SPACE:
        return -ENOSPC;
    case EXT2_ET_RO_FILSYS:
        return -EROFS;
    case EXT2_ET_SYMLINK_LOOP:
        return -ELOOP;
    case EXT2_ET_UNSUPP_FEATURE:
    case EXT2_ET_RO_UNSUPP_FEATURE:
    case EXT2_ET_REV_TOO_HIGH:
    case EXT2_ET_OP_NOT_SUPPORTED:
        return -ENOTSUP;
    }
    return -EPROTO; /* what the medium says cannot be */
}

static bool recognises(const uint8_t *start)
{
    return start[1024 + 56] == 0x53 && start[1024 + 57] == 0xef;
}

#define MEND "; `e2fsck -f` on a Linux machine mends it"

/* Why it must not be written, or NULL. */
static const char *unfit(const struct ext2_super_block *super)
{
    if (ext2fs_has_feature_journal_needs_recovery((struct ext2_super_block *)super))
        return "its journal was not replayed" MEND;
    if (!(super->s_state & EXT2_VALID_FS))
        return "it was not unmounted" MEND;
    if (super->s_state & EXT2_ERROR_FS)
        return "it has errors" MEND;
    if (super->s_last_orphan)
        return "it has files to be cleaned up" MEND;
    if (super->s_feature_ro_compat & ~(unsigned)EXT2_LIB_FEATURE_RO_COMPAT_SUPP ||
        super->s_feature_ro_compat &
            (EXT4_FEATURE_RO_COMPAT_QUOTA | EXT4_FEATURE_RO_COMPAT_PROJECT |
             EXT4_FEATURE_RO_COMPAT_VERITY | EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT |
             EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS) ||
        super->s_feature_incompat &
            (EXT4_FEATURE_INCOMPAT_INLINE_DATA | EXT4_FEATURE_INCOMPAT_CASEFOLD |
             EXT4_FEATURE_INCOMPAT_MMP | EXT4_FEATURE_INCOMPAT_EA_INODE))
        return "it uses features that can only be read";
    return NULL;
}

static int open_fs(struct bb_mount *mount, int flags, ext2_filsys *fs)
{
    bb_ext4_io_for(mount);
    int error = bb_ext4_error(
        ext2fs_open2(mount->name, NULL, flags | EXT2_FLAG_64BITS, 0, 0, &bb_ext4_io_manager, fs));
    bb_ext4_io_for(NULL);
    return error;
}

/* What libext2fs trusts in an inode. It takes memory for as many levels as the head of the tree
 * names, and does not look whether it got it: no tree has more than 5. It reads as much of a
 * symbolic link as its size says: no link is longer than a block. */
static errcode_t read_checked_inode(ext2_filsys fs, ext2_ino_t number, struct ext2_inode *inode)
{
    fs->read_inode = NULL;
    errcode_t error = ext2fs_read_inode(fs, number, inode);
    fs->read_inode = read_checked_inode;
    const struct ext3_extent_header *tree = (const void *)inode->i_block;
    if (!error && inode->i_flags & EXT4_EXTENTS_FL && tree->eh_depth > 5)
        return EXT2_ET_EXTENT_HEADER_BAD;
    if (!error && LINUX_S_ISLNK(inode->i_mode) && inode->i_size > fs->blocksize)
        return EXT2_ET_INODE_CORRUPTED;
    return error;
}

static int mount_ext4(struct bb_mount *mount)
{
    ext2_filsys fs;
    int error = open_fs(mount, EXT2_FLAG_SKIP_MMP, &fs);
    if (error)
        return error;
    if (ext2fs_blocks_count(fs->super) > bb_block_bytes(mount->block) / fs->blocksize) {
        bb_print(BB_WARNING, "%s: the file system is larger than the device", mount->name);
        ext2fs_free(fs);
        return -EPROTO;
    }
    const char *why = mount->read_only ? NULL : unfit(fs->super);
    if (why) {
        bb_print(BB_WARNING, "%s is read-only: %s", mount->name, why);
        mount->read_only = true;
    }
    if (!mount->read_only)
        fs->flags |= EXT2_FLAG_RW;
    struct ext4 *ext4 = bb_file_calloc(1, sizeof(*ext4));
    if (!ext4) {
        ext2fs_free(fs);
        return -ENOMEM;
    }
    fs->read_inode = read_checked_inode;
    /* One bit for each block: the other kind gives up the program when memory runs out. */
    fs->default_bitmap_type = EXT2FS_BMAP64_BITARRAY;
    ext4->fs = fs;
    mount->state = ext4;
    return 0;
}

int bb_ext4_begin_write(struct bb_mount *mount)
{
    struct ext4 *ext4 = mount->state;
    ext2_filsys fs = ext4->fs;
    errcode_t error = 0;
    fs->now = bb_ext4_now(fs);
    if (ext4->dirty)
        return 0;
    if (!fs->block_map || !fs->inode_map)
        error = ext2fs_read_bitmaps(fs);
    if (error)
        return bb_ext4_error(error);
    fs->super->s_state &= (uint16_t)~EXT2_VALID_FS;
    ext2fs_mark_super_dirty(fs);
    error = ext2fs_flush2(fs, 0);
    ext4->dirty = !error;
    return bb_ext4_error(error);
}

static int sync_ext4(struct bb_mount *mount)
{
    struct ext4 *ext4 = mount->state;
    ext2_filsys fs = ext4->fs;
    if (!ext4->dirty)
        return ext4->failed;
    fs->now = bb_ext4_now(fs);
    errcode_t error = ext2fs_write_bitmaps(fs);
    if (!error)
        error = ext2fs_flush2(fs, 0); /* all is there before it is said to be sound */
    if (error || ext4->failed)
        return ext4->failed ? ext4->failed : bb_ext4_error(error);
    fs->super->s_state |= EXT2_VALID_FS;
    ext2fs_mark_super_dirty(fs);
    error = ext2fs_flush2(fs, 0);
    if (error) /* it is not said again by accident */
        fs->super->s_state &= (uint16_t)~EXT2_VALID_FS;
    ext4->dirty = error;
    return bb_ext4_error(error);
}

static int unmount_ext4(struct bb_mount *mount)
{
    struct ext4 *ext4 = mount->state;
    int error = mount->read_only ? 0 : sync_ext4(mount);
    ext2fs_free(ext4->fs);
    bb_file_free(ext4);
    return error;
}

static int space_ext4(struct bb_mount *mount, uint64_t *total, uint64_t *free)
{
    ext2_filsys fs = ext4_fs(mount);
    *total = ext2fs_blocks_count(fs->super) * fs->blocksize;
    *free = ext2fs_free_blocks_count(fs->super) * fs->blocksize;
    return 0;
}

const struct bb_file_type bb_file_ext4 = {
    .name = "ext4",
    .recognises = recognises,
    .mount = mount_ext4,
    .unmount = unmount_ext4,
    .sync = sync_ext4,
    .space = space_ext4,
    .open = bb_ext4_open,
    .close = bb_ext4_close,
    .read = bb_ext4_read,
    .write = bb_ext4_write,
    .truncate = bb_ext4_truncate,
    .stat = bb_ext4_stat,
    .list = bb_ext4_list,
    .make_directory = bb_ext4_make_directory,
    .remove = bb_ext4_remove,
    .rename = bb_ext4_rename,
};
