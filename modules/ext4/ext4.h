/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of this module. */
#ifndef EXT4_EXT4_H
#define EXT4_EXT4_H

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>

#include <busbar/file_type.h>

struct ext4 {
    ext2_filsys fs;
    bool dirty; /* the medium says that it is in use */
    int failed; /* the first write that did: libext2fs cannot undo what it was part of */
};

static inline ext2_filsys ext4_fs(const struct bb_mount *mount)
{
    return ((struct ext4 *)mount->state)->fs;
}

/* ---- io.c: the device below libext2fs ---- */

extern struct struct_io_manager bb_ext4_io_manager;
/* The mount that the next open of the manager is for. */
void bb_ext4_io_for(struct bb_mount *mount);
/* Whole blocks of the file system, past the cache. */
int bb_ext4_read_blocks(ext2_filsys fs, blk64_t block, uint32_t count, void *data);
int bb_ext4_write_blocks(ext2_filsys fs, blk64_t block, uint32_t count, const void *data);

/* ---- mount.c ---- */

/* An error of libext2fs as a negative errno value; 0 is 0. */
int bb_ext4_error(errcode_t error);
/* Before anything is changed: bitmaps are there, and the medium says that it is in use. */
int bb_ext4_begin_write(struct bb_mount *mount);

/* ---- libc.c ---- */

uint32_t bb_ext4_now(ext2_filsys fs);

/* ---- data.c ---- */

int bb_ext4_read(struct bb_file *file, uint64_t at, void *data, size_t size);
int bb_ext4_write(struct bb_file *file, uint64_t at, const void *data, size_t size);
int bb_ext4_truncate(struct bb_file *file, uint64_t size);

/* Frees the blocks of a file from `first` on. */
errcode_t bb_ext4_punch(ext2_filsys fs, ext2_ino_t number, struct ext2_inode *inode, blk64_t first);

/* ---- names.c ---- */

int bb_ext4_open(struct bb_file *file, const char *path);
int bb_ext4_close(struct bb_file *file);
int bb_ext4_stat(struct bb_mount *mount, const char *path, struct bb_file_info *info);
int bb_ext4_list(struct bb_mount *mount, const char *path,
                 int (*each)(const struct bb_file_info *info, void *context), void *context);
int bb_ext4_make_directory(struct bb_mount *mount, const char *path);
int bb_ext4_remove(struct bb_mount *mount, const char *path);
int bb_ext4_rename(struct bb_mount *mount, const char *from, const char *to);

/* An open file. */
struct ext4_file {
    ext2_ino_t number;
    struct ext2_inode inode;
};

#endif
