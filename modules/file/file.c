/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, mounts and open files; the file systems themselves are the types'. */
#include <string.h>

#include <busbar/log.h>

#include "mounts.h"

#define MOUNTS BB_FILE_MOUNTS
#define FILES 16

static struct bb_mount mounts[MOUNTS];
static struct bb_file files[FILES];
static bool busy; /* a call is at work, and waits for a device */

/* Without a state, a mount is still waiting for its device to say what it holds. */
static bool is_mounted(const struct bb_mount *mount)
{
    return mount->used && mount->state;
}

static struct bb_mount *find(const char *name, size_t length)
{
    for (size_t i = 0; i < MOUNTS; i++)
        if (is_mounted(&mounts[i]) && strlen(mounts[i].name) == length &&
            strncmp(mounts[i].name, name, length) == 0)
            return &mounts[i];
    return NULL;
}

/* Every call stands between one of these two and end(); on a mount that is gone only those that
 * give something back. */
static int begin_anyway(struct bb_mount *mount, size_t size)
{
    if (busy)
        return -EBUSY;
    busy = true;
    bb_mount_begin(mount, size);
    return 0;
}

static int begin(struct bb_mount *mount, size_t size)
{
    return mount->gone ? -ENODEV : begin_anyway(mount, size);
}

static int end(int result)
{
    busy = false;
    return result;
}

/* Begins a call on the mount that a path names; `rest` is the path from its root. */
static int begin_at(const char *path, bool write, struct bb_mount **mount, const char **rest)
{
    const char *colon = strchr(path, ':');
    if (!colon || strlen(path) >= BB_FILE_PATH)
        return -EINVAL;
    *mount = find(path, (size_t)(colon - path));
    if (!*mount)
        return -ENOENT;
    *rest = colon[1] ? colon + 1 : "/";
    if (**rest != '/')
        return -EINVAL;
    for (const char *at = *rest; *at;) {
        size_t length = strcspn(++at, "/");
        if (length >= BB_FILE_NAME)
            return -EINVAL;
        at += length;
    }
    if ((*mount)->gone)
        return -ENODEV;
    if (write && (*mount)->read_only)
        return -EROFS;
    return begin(*mount, 0);
}

/* ---- Mounts ---- */

static void disk_gone(struct bb_block *block)
{
    for (size_t i = 0; i < MOUNTS; i++) {
        struct bb_mount *mount = &mounts[i];
        if (mount->used && mount->block == block && !mount->gone) {
            mount->gone = true;
            if (is_mounted(mount))
                bb_print(BB_WARNING, "%s: its disk was pulled out", mount->name);
        }
    }
}

static void forget(struct bb_mount *mount)
{
    bb_file_free(mount->bounce);
    bb_face_put(&mount->block->face);
    *mount = (struct bb_mount){0};
}

static int recognise(struct bb_mount *mount, const struct bb_file_type *const *types)
{
    uint8_t *start = bb_file_malloc(BB_FILE_START);
    if (!start)
        return -ENOMEM;
    int error = bb_mount_read(mount, 0, start, BB_FILE_START);
    for (; !error && *types && !mount->type; types++)
        if ((*types)->recognises(start))
            mount->type = *types;
    bb_file_free(start);
    return error ? error : mount->type ? 0 : -ENXIO;
}

int bb_file_mount_types(const struct bb_file_type *const *types, struct bb_block *block,
                        const char *name, unsigned flags)
{
    struct bb_mount *mount = NULL;
    if (!block)
        return -ENODEV;
    if (!name)
        name = block->face.device->name;
    if (!*name || strlen(name) >= sizeof(mount->name) || strchr(name, ':') ||
        bb_block_bytes(block) < BB_FILE_START)
        return -EINVAL;
    for (size_t i = 0; i < MOUNTS; i++) {
        if (!mounts[i].used)
            mount = &mounts[i];
        else if ((mounts[i].block == block && !mounts[i].gone) || strcmp(mounts[i].name, name) == 0)
            return -EEXIST;
    }
    if (!mount)
        return -ENOMEM;
    if (busy)
        return -EBUSY;
    *mount = (struct bb_mount){
        .block = block,
        .used = true,
        .read_only = flags & BB_FILE_READ_ONLY || block->features & BB_BLOCK_READ_ONLY,
        .bounce = bb_file_malloc(block->block_size),
    };
    memcpy(mount->name, name, strlen(name));
    bb_face_get(&block->face);
    block->gone = disk_gone;
    int error = mount->bounce ? begin(mount, 0) : -ENOMEM;
    if (!error) {
        error = recognise(mount, types);
        if (!error)
            error = mount->type->mount(mount);
        (void)end(0);
    }
    if (error)
        forget(mount);
    return error;
}

static bool has_open(const struct bb_mount *mount)
{
    for (size_t i = 0; i < FILES; i++)
        if (files[i].state && files[i].mount == mount)
            return true;
    return false;
}

int bb_file_unmount(const char *name)
{
    struct bb_mount *mount = find(name, strlen(name));
    if (!mount)
        return -ENOENT;
    int error = has_open(mount) ? -EBUSY : begin_anyway(mount, 0);
    if (error)
        return error;
    error = mount->type->unmount(mount);
    if (mount->gone) {
        error = 0;
        if (mount->unwritten)
            bb_print(BB_WARNING, "%s: what was not yet written to its disk is lost", name);
    }
    forget(mount);
    return end(error);
}

int bb_file_unmount_all(void)
{
    int first = 0;
    for (size_t i = 0; i < MOUNTS; i++) {
        struct bb_mount *mount = &mounts[i];
        if (!is_mounted(mount))
            continue;
        char name[sizeof(mount->name)];
        memcpy(name, mount->name, sizeof(name));
        int error = bb_file_unmount(name);
        int synced = error == -EBUSY ? bb_file_sync(name) : 0;
        if (error == -EBUSY && !synced)
            bb_print(BB_WARNING, "%s stays mounted, a file is open; all so far is written", name);
        else if (error)
            bb_print(BB_ERROR, "%s: not all was written: %s", name,
                     bb_error_name(synced ? synced : error));
        first = first ? first : synced ? synced : error;
    }
    return first;
}

int bb_file_sync(const char *name)
{
    struct bb_mount *mount = find(name, strlen(name));
    if (!mount)
        return -ENOENT;
    int error = begin(mount, 0);
    return error ? error : end(mount->read_only ? 0 : mount->type->sync(mount));
}

bool bb_file_space(unsigned index, struct bb_file_space *space)
{
    for (size_t i = 0; i < MOUNTS; i++) {
        struct bb_mount *mount = &mounts[i];
        if (!is_mounted(mount) || index--)
            continue;
        *space = (struct bb_file_space){.type = mount->type->name,
                                        .name = mount->name,
                                        .block = mount->block,
                                        .read_only = mount->read_only,
                                        .gone = mount->gone};
        if (!space->gone && begin(mount, 0) == 0)
            (void)end(mount->type->space(mount, &space->total, &space->free));
        return true;
    }
    return false;
}

/* ---- Open files ---- */

int bb_file_conflict(const struct bb_mount *mount, uint64_t id, unsigned flags)
{
    for (size_t i = 0; i < FILES; i++)
        if (files[i].state && files[i].mount == mount && files[i].id == id &&
            (!flags || (files[i].flags | flags) & BB_FILE_WRITE))
            return -EBUSY;
    return 0;
}

int bb_file_open(const char *path, unsigned flags, struct bb_file **file)
{
    struct bb_file *slot = NULL;
    struct bb_mount *mount;
    const char *rest;
    *file = NULL;
    if (!(flags & (BB_FILE_READ | BB_FILE_WRITE)) ||
        (flags & (BB_FILE_CREATE | BB_FILE_TRUNCATE | BB_FILE_APPEND) && !(flags & BB_FILE_WRITE)))
        return -EINVAL;
    for (size_t i = 0; i < FILES && !slot; i++)
        if (!files[i].state)
            slot = &files[i];
    if (!slot)
        return -ENOMEM;
    int error = begin_at(path, flags & BB_FILE_WRITE, &mount, &rest);
    if (error)
        return error;
    *slot = (struct bb_file){.mount = mount, .flags = flags};
    error = mount->type->open(slot, rest);
    if (error)
        slot->state = NULL;
    else
        *file = slot;
    return end(error);
}

int bb_file_close(struct bb_file *file)
{
    int error = begin_anyway(file->mount, 0);
    if (error)
        return error;
    error = file->mount->type->close(file);
    file->state = NULL;
    return end(error);
}

int bb_file_read(struct bb_file *file, void *data, size_t size)
{
    if (!(file->flags & BB_FILE_READ))
        return -EINVAL;
    if (file->position >= file->size)
        return 0;
    if (size > INT32_MAX)
        size = INT32_MAX;
    if (size > file->size - file->position)
        size = (size_t)(file->size - file->position);
    int result = size ? begin(file->mount, size) : 0;
    if (result || !size)
        return result;
    result = file->mount->type->read(file, file->position, data, size);
    if (result > 0)
        file->position += (unsigned)result;
    return end(result);
}

int bb_file_write(struct bb_file *file, const void *data, size_t size)
{
    if (!(file->flags & BB_FILE_WRITE))
        return -EINVAL;
    if (size > INT32_MAX)
        size = INT32_MAX;
    int result = size ? begin(file->mount, size) : 0;
    if (result || !size)
        return result;
    if (file->flags & BB_FILE_APPEND)
        file->position = file->size;
    result = file->position > INT64_MAX - size
                 ? -ENOSPC
                 : file->mount->type->write(file, file->position, data, size);
    if (result > 0)
        file->position += (unsigned)result;
    return end(result);
}

int bb_file_seek(struct bb_file *file, uint64_t position)
{
    if (position > INT64_MAX)
        return -EINVAL;
    file->position = position;
    return 0;
}

uint64_t bb_file_size(const struct bb_file *file)
{
    return file->size;
}

int bb_file_truncate(struct bb_file *file, uint64_t size)
{
    if (!(file->flags & BB_FILE_WRITE) || size > INT64_MAX)
        return -EINVAL;
    int error = begin(file->mount, 0);
    return error ? error : end(file->mount->type->truncate(file, size));
}

/* ---- Names ---- */

int bb_file_stat(const char *path, struct bb_file_info *info)
{
    struct bb_mount *mount;
    const char *rest;
    int error = begin_at(path, false, &mount, &rest);
    if (error)
        return error;
    *info = (struct bb_file_info){0};
    return end(mount->type->stat(mount, rest, info));
}

int bb_file_list(const char *path, int (*each)(const struct bb_file_info *info, void *context),
                 void *context)
{
    struct bb_mount *mount;
    const char *rest;
    int error = begin_at(path, false, &mount, &rest);
    return error ? error : end(mount->type->list(mount, rest, each, context));
}

int bb_file_make_directory(const char *path)
{
    struct bb_mount *mount;
    const char *rest;
    int error = begin_at(path, true, &mount, &rest);
    return error ? error : end(mount->type->make_directory(mount, rest));
}

int bb_file_remove(const char *path)
{
    struct bb_mount *mount;
    const char *rest;
    int error = begin_at(path, true, &mount, &rest);
    return error ? error : end(mount->type->remove(mount, rest));
}

int bb_file_rename(const char *from, const char *to)
{
    struct bb_mount *mount, *other;
    const char *rest, *target;
    int error = begin_at(to, true, &other, &target);
    if (error)
        return error;
    (void)end(0);
    error = begin_at(from, true, &mount, &rest);
    if (error)
        return error;
    return end(mount == other ? mount->type->rename(mount, rest, target) : -EINVAL);
}
