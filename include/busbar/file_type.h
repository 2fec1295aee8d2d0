/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For modules that bring a type of file system: what <busbar/file.h> calls, and what it gives them:
 * bytes of the device, memory of a fixed size, and the time. One call at a time comes in.
 */
#ifndef BUSBAR_FILE_TYPE_H
#define BUSBAR_FILE_TYPE_H

#include <busbar/file.h>

#define BB_FILE_START 4096 /* bytes of the device that `recognises` sees */

struct bb_mount {
    const struct bb_file_type *type;
    struct bb_block *block;
    void *state;     /* the type's */
    void *bounce;    /* one block of the device */
    uint64_t budget; /* bytes that the call at work may still move */
    bool read_only;
    bool unwritten; /* something was to be written since the device was last flushed */
    bool used;
    bool gone; /* its device or the medium in it, for good */
    char name[32];
};

struct bb_file {
    struct bb_mount *mount;
    void *state; /* the type's; NULL: the slot is free */
    uint64_t position, size;
    uint64_t id; /* the type's: the same for all who open the same file */
    unsigned flags;
};

/* Paths come without the mount's name and begin with a slash. Calls that write come only where the
 * mount is not read-only. */
struct bb_file_type {
    const char *name;
    bool (*recognises)(const uint8_t *start);
    /* Sets mount->state; may set mount->read_only, and then logs why. */
    int (*mount)(struct bb_mount *mount);
    /* Writes everything and frees everything, whatever fails. */
    int (*unmount)(struct bb_mount *mount);
    int (*sync)(struct bb_mount *mount);
    int (*space)(struct bb_mount *mount, uint64_t *total, uint64_t *free);
    /* Sets file->state, id and size. Asks bb_file_conflict() before it changes anything. */
    int (*open)(struct bb_file *file, const char *path);
    int (*close)(struct bb_file *file);
    int (*read)(struct bb_file *file, uint64_t at, void *data, size_t size); /* not past `size` */
    int (*write)(struct bb_file *file, uint64_t at, const void *data, size_t size);
    int (*truncate)(struct bb_file *file, uint64_t size);
    int (*stat)(struct bb_mount *mount, const char *path, struct bb_file_info *info);
    int (*list)(struct bb_mount *mount, const char *path,
                int (*each)(const struct bb_file_info *info, void *context), void *context);
    int (*make_directory)(struct bb_mount *mount, const char *path);
    int (*remove)(struct bb_mount *mount, const char *path);
    int (*rename)(struct bb_mount *mount, const char *from, const char *to);
};

/* Bytes at any offset. -EIO when a call has moved more than the device holds: what it reads goes in
 * circles. */
int bb_mount_read(struct bb_mount *mount, uint64_t offset, void *data, size_t size);
int bb_mount_write(struct bb_mount *mount, uint64_t offset, const void *data, size_t size);
int bb_mount_flush(struct bb_mount *mount);
/* Counts against the budget what comes from a cache. */
int bb_mount_charge(struct bb_mount *mount, size_t size);

/* -EBUSY when the file is open in a way that forbids these flags; 0 forbids any. */
int bb_file_conflict(const struct bb_mount *mount, uint64_t id, unsigned flags);

/* Memory of the file systems: one block of the arena, taken at the first mount. As in C. */
void *bb_file_malloc(size_t size);
void *bb_file_calloc(size_t count, size_t size);
void *bb_file_realloc(void *memory, size_t size);
void bb_file_free(void *memory);

#endif
