/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files on block devices. An application names the file systems that it wants in its app.toml
 * (`modules = ["ext4", "fat"]`); which of them a device holds is found when it is mounted.
 *
 *     struct bb_file *file;
 *     error = bb_file_mount(bb_block_by_name("disk0p1"), "data", 0);
 *     error = bb_file_open("data:/log/today.txt", BB_FILE_WRITE | BB_FILE_CREATE, &file);
 *     count = bb_file_write(file, text, length);      // bytes, or a negative errno value
 *     error = bb_file_close(file);
 *     error = bb_file_unmount("data");                // all is on the medium
 *
 * A path is the mount's name, a colon, and a path from its root. Names are UTF-8, at most 255 bytes
 * long, a path at most BB_FILE_PATH with its end.
 *
 * Thread context, and every call may wait for the device. The calls do not nest: one that comes
 * from a timer or from queued work while another waits answers -EBUSY. A file has one writer or any
 * number of readers; whoever comes too late gets -EBUSY, as does who removes or renames an open
 * one.
 *
 * What is written is on the medium after bb_file_sync() or bb_file_unmount(); before, power loss
 * may leave a file system that wants checking, and its own checker is told so. Whatever a damaged
 * medium says ends in an error, and never in more reads than the device has blocks.
 *
 * Errors, besides those that a call names: -EIO the device failed, -ENODEV it is gone, -EPROTO the
 * file system is damaged, -ENOMEM its type's memory is used up, -ENOTSUP it uses what its type does
 * not know, -ENOENT no such mount, file or directory on the way, -EINVAL no such path can be.
 */
#ifndef BUSBAR_FILE_H
#define BUSBAR_FILE_H

#include <busbar/block.h>

#define BB_FILE_PATH 1024
#define BB_FILE_NAME 256
#define BB_FILE_MOUNTS 16

struct bb_file;
struct bb_file_type;

enum bb_file_kind { BB_FILE_REGULAR, BB_FILE_DIRECTORY, BB_FILE_LINK, BB_FILE_OTHER };

struct bb_file_info {
    enum bb_file_kind kind;
    uint64_t size;    /* bytes */
    int64_t modified; /* seconds since 1970 */
    char name[BB_FILE_NAME];
};

struct bb_file_space {
    const char *type; /* "ext4" */
    const char *name; /* of the mount */
    struct bb_block *block;
    uint64_t total, free; /* bytes */
    bool read_only;
    bool gone; /* its device or card was pulled out: unmount it; `total` and `free` are 0 */
};

/* ---- Mounts ---- */

enum { BB_FILE_READ_ONLY = 1 }; /* bb_file_mount() */

/* As bb_file_mount(), with the types given: up to a NULL. */
int bb_file_mount_types(const struct bb_file_type *const *types, struct bb_block *block,
                        const char *name, unsigned flags);

extern const struct bb_file_type bb_file_ext4, bb_file_fat;

/* Finds out what file system the device holds and makes it reachable as `name` (NULL: the device's
 * name). It is mounted read-only where the device is, and where writing would do harm: the log says
 * why. -ENXIO: none that is linked knows it; -EEXIST: the name or the device is in use; -ENOMEM:
 * also where BB_FILE_MOUNTS are mounted. */
static inline int bb_file_mount(struct bb_block *block, const char *name, unsigned flags)
{
    static const struct bb_file_type *const types[] = {
#if BB_MODULE_EXT4
        &bb_file_ext4,
#endif
#if BB_MODULE_FAT
        &bb_file_fat,
#endif
        NULL,
    };
    return bb_file_mount_types(types, block, name, flags);
}

/* Writes what is not yet written, and gives the name back even if that fails. -EBUSY while a file
 * is open. Of a device that is gone nothing more can be written: 0, and the log says what is lost.
 */
int bb_file_unmount(const char *name);
/* Every one of them, before the machine is reset or switched off. Where a file is open the mount
 * stays, and what is written so far is on the medium. What fails is logged and does not keep the
 * others from it; the first error, -EBUSY for an open file. */
int bb_file_unmount_all(void);
/* Everything written so far is on the medium. */
int bb_file_sync(const char *name);
/* Mount `index`, from 0; false past the last. `free` is what the medium says. */
bool bb_file_space(unsigned index, struct bb_file_space *space);

/* ---- Open files ---- */

enum { /* bb_file_open() */
       BB_FILE_READ = 1,
       BB_FILE_WRITE = 2,
       BB_FILE_CREATE = 4,    /* where it is not there */
       BB_FILE_EXCLUSIVE = 8, /* with CREATE: it must not be there, else -EEXIST */
       BB_FILE_TRUNCATE = 16, /* with WRITE: empty it */
       BB_FILE_APPEND = 32,   /* every write goes to the end */
};

/* A regular file. Symbolic links are followed. -EISDIR, -EROFS, -ENOSPC. */
int bb_file_open(const char *path, unsigned flags, struct bb_file **file);
/* Gives the handle back even if it fails. */
int bb_file_close(struct bb_file *file);
/* At the position, which moves on. Bytes; fewer than asked for only at the end of the file, 0
 * there.
 */
int bb_file_read(struct bb_file *file, void *data, size_t size);
/* Bytes; fewer than asked for when the medium is full or failed midway. -ENOSPC. */
int bb_file_write(struct bb_file *file, const void *data, size_t size);
/* From the start of the file. Beyond its end is fine: a write there leaves zeros in between. */
int bb_file_seek(struct bb_file *file, uint64_t position);
uint64_t bb_file_size(const struct bb_file *file);
/* Cuts, or adds zeros. Stays at its position. */
int bb_file_truncate(struct bb_file *file, uint64_t size);

/* ---- Names ---- */

int bb_file_stat(const char *path, struct bb_file_info *info);
/* Calls `each` for every entry of a directory but "." and ".."; a value other than 0 ends the list
 * and is returned. `each` must not call this API. -ENOTDIR. */
int bb_file_list(const char *path, int (*each)(const struct bb_file_info *info, void *context),
                 void *context);
int bb_file_make_directory(const char *path); /* -EEXIST, -EROFS, -ENOSPC */
/* A file, a symbolic link or an empty directory. -ENOTEMPTY, -EROFS. */
int bb_file_remove(const char *path);
/* Within one mount; a file at `to` is replaced. -EEXIST: a directory is there. -EINVAL: into
 * itself.
 */
int bb_file_rename(const char *from, const char *to);

#endif
