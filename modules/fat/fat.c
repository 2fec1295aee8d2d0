/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FAT (Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03) through EDK
 * II's driver. After close, sync and unmount everything is on the device, and the volume marked as
 * sound.
 */
#include <string.h>

#include <busbar/log.h>

#include "fat.h"

/* The driver says nothing of what fails while it cleans up: closing a file always succeeds. */
static int bb_fat_error(struct fat *fat, EFI_STATUS status)
{
    int error = fat->error;
    fat->error = 0;
    if (error && status == EFI_SUCCESS && !fat->failed)
        fat->failed = error;
    if (error)
        return error;
    if (!EFI_ERROR(status))
        return status == EFI_WARN_DELETE_FAILURE ? -EPERM : 0;
    switch (status) {
    case EFI_NOT_FOUND:
        return -ENOENT;
    case EFI_VOLUME_FULL:
        return -ENOSPC;
    case EFI_OUT_OF_RESOURCES:
        return -ENOMEM;
    case EFI_WRITE_PROTECTED:
        return -EROFS;
    case EFI_ACCESS_DENIED:
        return -EPERM;
    case EFI_UNSUPPORTED:
        return -ENOTSUP;
    case EFI_INVALID_PARAMETER:
        return -EINVAL;
    default:
        return -EPROTO;
    }
}

/* ---- The device below ---- */

static EFI_STATUS remember(struct fat *fat, int error)
{
    if (error && !fat->error)
        fat->error = error;
    return error ? EFI_DEVICE_ERROR : EFI_SUCCESS;
}

static EFI_STATUS remember_write(struct fat *fat, int error)
{
    if (error && !fat->failed)
        fat->failed = error;
    return remember(fat, error);
}

static EFI_STATUS EFIAPI read_disk(EFI_DISK_IO_PROTOCOL *disk, UINT32 media, UINT64 offset,
                                   UINTN size, VOID *data)
{
    struct fat *fat = bb_container_of(disk, struct fat, disk);
    (void)media;
    return remember(fat, bb_mount_read(fat->mount, offset, data, size));
}

static EFI_STATUS EFIAPI write_disk(EFI_DISK_IO_PROTOCOL *disk, UINT32 media, UINT64 offset,
                                    UINTN size, VOID *data)
{
    struct fat *fat = bb_container_of(disk, struct fat, disk);
    (void)media;
    return remember_write(fat, bb_mount_write(fat->mount, offset, data, size));
}

static EFI_STATUS EFIAPI flush_disk(EFI_BLOCK_IO_PROTOCOL *block)
{
    struct fat *fat = bb_container_of(block, struct fat, block);
    return remember_write(fat, bb_mount_flush(fat->mount));
}

/* ---- Mounts ---- */

/* A jump at the start, and the mark of a sector that starts a machine; then what the driver checks.
 */
static bool recognises(const uint8_t *start)
{
    unsigned sector = start[11] | (unsigned)start[12] << 8;
    return (start[0] == 0xeb || start[0] == 0xe9) && start[510] == 0x55 && start[511] == 0xaa &&
           sector >= 512 && sector <= 4096 && start[13] && start[16];
}

static unsigned volumes; /* in use */

/* Frees everything; what went wrong with it. */
static int drop(struct fat *fat)
{
    if (fat->root)
        (void)fat->root->Close(fat->root);
    if (fat->volume)
        (void)FatAbandonVolume(fat->volume);
    int error = fat->error;
    bb_file_free(fat);
    if (--volumes == 0)
        bb_fat_free_rest();
    return error;
}

static int mount_fat(struct bb_mount *mount)
{
    struct fat *fat = bb_file_calloc(1, sizeof(*fat));
    if (!fat)
        return -ENOMEM;
    volumes++;
    fat->mount = mount;
    fat->media = (EFI_BLOCK_IO_MEDIA){.MediaPresent = TRUE, .ReadOnly = mount->read_only};
    fat->disk = (EFI_DISK_IO_PROTOCOL){.ReadDisk = read_disk, .WriteDisk = write_disk};
    fat->block = (EFI_BLOCK_IO_PROTOCOL){.Media = &fat->media, .FlushBlocks = flush_disk};
    bb_fat_installed = NULL;
    EFI_STATUS status = FatAllocateVolume(NULL, &fat->disk, NULL, &fat->block);
    if (!EFI_ERROR(status)) {
        fat->volume = bb_fat_installed;
        status = fat->volume->VolumeInterface.OpenVolume(&fat->volume->VolumeInterface, &fat->root);
    }
    int error = bb_fat_error(fat, status);
    if (!error && fat->volume->VolumeSize > bb_block_bytes(mount->block))
        error = -EPROTO;
    if (error) {
        (void)drop(fat);
        return error;
    }
    if (fat->volume->FatType != Fat12 && fat->volume->NotDirtyValue == fat->volume->DirtyValue)
        bb_print(BB_WARNING, "%s was not unmounted; check it when you can", mount->name);
    mount->state = fat;
    return 0;
}

static FAT_OFILE *file_of(EFI_FILE_PROTOCOL *handle)
{
    return IFILE_FROM_FHAND(handle)->OFile;
}

/* The driver's own flush writes no entry of an open file below the one that it is told of. */
static EFI_STATUS flush_open(FAT_OFILE *file)
{
    EFI_STATUS first = FatOFileFlush(file);
    LIST_ENTRY *head = &file->ChildHead;
    for (LIST_ENTRY *link = head->ForwardLink; link != head; link = link->ForwardLink) {
        EFI_STATUS status = flush_open(OFILE_FROM_CHILDLINK(link));
        first = EFI_ERROR(first) ? first : status;
    }
    return first;
}

static int sync_fat(struct bb_mount *mount)
{
    struct fat *fat = mount->state;
    EFI_STATUS entries = flush_open(file_of(fat->root));
    EFI_STATUS status = fat->root->Flush(fat->root);
    (void)flush_disk(&fat->block);
    int error = bb_fat_error(fat, EFI_ERROR(entries) ? entries : status);
    return fat->failed ? fat->failed : error;
}

static int unmount_fat(struct bb_mount *mount)
{
    int error = mount->read_only ? 0 : sync_fat(mount);
    int dropped = drop(mount->state);
    return error || mount->read_only ? error : dropped;
}

static int space_fat(struct bb_mount *mount, uint64_t *total, uint64_t *free)
{
    struct fat *fat = mount->state;
    union {
        EFI_FILE_SYSTEM_INFO info;
        uint8_t bytes[sizeof(EFI_FILE_SYSTEM_INFO) + 64];
    } answer;
    UINTN size = sizeof(answer);
    int error =
        bb_fat_error(fat, fat->root->GetInfo(fat->root, &gEfiFileSystemInfoGuid, &size, &answer));
    *total = error ? 0 : answer.info.VolumeSize;
    *free = error ? 0 : answer.info.FreeSpace;
    return error;
}

/* ---- Names ---- */

/* What the driver says of a file, and room for its name. */
union about {
    EFI_FILE_INFO info;
    uint8_t bytes[sizeof(EFI_FILE_INFO) + 2 * 260];
};

/* Opens what is there, as a file or directory, or makes it when the mode says so. */
static int open_at(struct fat *fat, const char *path, UINT64 mode, UINT64 attributes,
                   EFI_FILE_PROTOCOL **handle)
{
    CHAR16 *text = bb_file_malloc(FAT_PATH * sizeof(*text));
    if (!text)
        return -ENOMEM;
    int error = bb_fat_path(path, text);
    if (!error) {
        EFI_STATUS status = fat->root->Open(fat->root, handle, text, mode, attributes);
        error = bb_fat_error(fat, status);
        if (error && !EFI_ERROR(status)) { /* it is open, and yet something failed */
            (void)(*handle)->Close(*handle);
            (void)bb_fat_error(fat, EFI_SUCCESS);
        }
    }
    bb_file_free(text);
    return error;
}

static bool is_directory(EFI_FILE_PROTOCOL *handle)
{
    return file_of(handle)->ODir != NULL;
}

static int close_at(struct fat *fat, EFI_FILE_PROTOCOL *handle, int error)
{
    int closed = bb_fat_error(fat, handle->Close(handle));
    return error ? error : closed;
}

static void describe(const EFI_FILE_INFO *about, struct bb_file_info *info)
{
    info->kind = about->Attribute & EFI_FILE_DIRECTORY ? BB_FILE_DIRECTORY : BB_FILE_REGULAR;
    info->size = about->FileSize;
    info->modified = bb_fat_time(&about->ModificationTime);
    bb_fat_name(about->FileName, info->name);
}

static int stat_fat(struct bb_mount *mount, const char *path, struct bb_file_info *info)
{
    struct fat *fat = mount->state;
    EFI_FILE_PROTOCOL *handle;
    union about about;
    UINTN size = sizeof(about);
    int error = open_at(fat, path, EFI_FILE_MODE_READ, 0, &handle);
    if (error)
        return error;
    error = bb_fat_error(fat, handle->GetInfo(handle, &gEfiFileInfoGuid, &size, &about));
    if (!error)
        describe(&about.info, info);
    return close_at(fat, handle, error);
}

static int list_open(struct fat *fat, EFI_FILE_PROTOCOL *handle,
                     int (*each)(const struct bb_file_info *info, void *context), void *context)
{
    struct bb_file_info info;
    union about about;
    if (!is_directory(handle))
        return -ENOTDIR;
    for (;;) {
        UINTN size = sizeof(about);
        int error = bb_fat_error(fat, handle->Read(handle, &size, &about));
        if (error || !size)
            return error;
        describe(&about.info, &info);
        if (strcmp(info.name, ".") != 0 && strcmp(info.name, "..") != 0)
            error = each(&info, context);
        if (error)
            return error;
    }
}

static int list_fat(struct bb_mount *mount, const char *path,
                    int (*each)(const struct bb_file_info *info, void *context), void *context)
{
    struct fat *fat = mount->state;
    EFI_FILE_PROTOCOL *handle;
    int error = open_at(fat, path, EFI_FILE_MODE_READ, 0, &handle);
    return error ? error : close_at(fat, handle, list_open(fat, handle, each, context));
}

static int make_directory_fat(struct bb_mount *mount, const char *path)
{
    struct fat *fat = mount->state;
    EFI_FILE_PROTOCOL *handle;
    int error = open_at(fat, path, EFI_FILE_MODE_READ, 0, &handle);
    if (!error)
        return close_at(fat, handle, -EEXIST);
    if (error != -ENOENT)
        return error;
    error = open_at(fat, path, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE | EFI_FILE_MODE_CREATE,
                    EFI_FILE_DIRECTORY, &handle);
    return error ? error : close_at(fat, handle, 0);
}

static int refuse_any(const struct bb_file_info *info, void *context)
{
    (void)info, (void)context;
    return -ENOTEMPTY;
}

static int remove_open(struct bb_mount *mount, EFI_FILE_PROTOCOL *handle)
{
    struct fat *fat = mount->state;
    FAT_OFILE *file = file_of(handle);
    int error = !file->Parent ? -EINVAL : bb_file_conflict(mount, (uintptr_t)file, 0);
    if (!error && is_directory(handle))
        error = list_open(fat, handle, refuse_any, NULL);
    return error ? close_at(fat, handle, error) : bb_fat_error(fat, handle->Delete(handle));
}

static int remove_fat(struct bb_mount *mount, const char *path)
{
    struct fat *fat = mount->state;
    EFI_FILE_PROTOCOL *handle;
    int error = open_at(fat, path, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE, 0, &handle);
    return error ? error : remove_open(mount, handle);
}

/* What stands where something is to be moved: the same thing is fine, a file goes. */
static int make_way(struct bb_mount *mount, EFI_FILE_PROTOCOL *handle, const char *to)
{
    struct fat *fat = mount->state;
    EFI_FILE_PROTOCOL *there;
    int error = open_at(fat, to, EFI_FILE_MODE_READ, 0, &there);
    if (error)
        return error == -ENOENT ? 0 : error;
    bool same = file_of(there) == file_of(handle);
    bool file = !is_directory(there) && !is_directory(handle);
    error = close_at(fat, there, 0);
    if (error || same)
        return error;
    return file ? remove_fat(mount, to) : -EEXIST;
}

static int rename_open(struct bb_mount *mount, EFI_FILE_PROTOCOL *handle, const char *to)
{
    struct fat *fat = mount->state;
    FAT_OFILE *file = file_of(handle);
    UINTN size = sizeof(EFI_FILE_INFO) + FAT_PATH * sizeof(CHAR16);
    if (!file->Parent)
        return -EINVAL;
    int error = bb_file_conflict(mount, (uintptr_t)file, 0);
    if (!error)
        error = make_way(mount, handle, to);
    EFI_FILE_INFO *info = error ? NULL : bb_file_calloc(1, size);
    if (!info)
        return error ? error : -ENOMEM;
    info->Size = size;
    info->FileSize = file->FileSize;
    info->Attribute = file->DirEnt->Entry.Attributes & EFI_FILE_VALID_ATTR;
    error = bb_fat_path(to, info->FileName);
    if (!error)
        error = bb_fat_error(fat, handle->SetInfo(handle, &gEfiFileInfoGuid, size, info));
    bb_file_free(info);
    return error;
}

/* Whether `path` leads into `directory`: the driver would go in circles over it. */
static bool leads_into(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    while (length > 1 && directory[length - 1] == '/')
        length--;
    return strncmp(path, directory, length) == 0 && path[length] == '/' && path[length + 1];
}

static int rename_fat(struct bb_mount *mount, const char *from, const char *to)
{
    struct fat *fat = mount->state;
    EFI_FILE_PROTOCOL *handle;
    if (leads_into(to, from))
        return -EINVAL;
    int error = open_at(fat, from, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE, 0, &handle);
    return error ? error : close_at(fat, handle, rename_open(mount, handle, to));
}

/* ---- Open files ---- */

static int set_size(struct bb_file *file, uint64_t size)
{
    struct fat *fat = file->mount->state;
    EFI_FILE_PROTOCOL *handle = file->state;
    union about about;
    UINTN room = sizeof(about);
    int error = bb_fat_error(fat, handle->GetInfo(handle, &gEfiFileInfoGuid, &room, &about));
    if (error)
        return error;
    if (size > UINT32_MAX)
        return -ENOSPC;
    memset(&about.info.CreateTime, 0, sizeof(about.info.CreateTime)); /* stay, or become now */
    memset(&about.info.ModificationTime, 0, sizeof(about.info.ModificationTime));
    about.info.FileSize = size;
    error = bb_fat_error(fat, handle->SetInfo(handle, &gEfiFileInfoGuid, room, &about));
    file->size = file_of(handle)->FileSize;
    return error;
}

static int open_fat(struct bb_file *file, const char *path)
{
    struct fat *fat = file->mount->state;
    UINT64 mode = EFI_FILE_MODE_READ | (file->flags & BB_FILE_WRITE ? EFI_FILE_MODE_WRITE : 0);
    EFI_FILE_PROTOCOL *handle = NULL;
    size_t length = strlen(path);
    int error = open_at(fat, path, EFI_FILE_MODE_READ, 0, &handle);
    if (!error) { /* looked at first: opening for writing says less of why not */
        error = file->flags & BB_FILE_EXCLUSIVE && file->flags & BB_FILE_CREATE ? -EEXIST
                : is_directory(handle)
                    ? -EISDIR
                    : bb_file_conflict(file->mount, (uintptr_t)file_of(handle), file->flags);
        error = close_at(fat, handle, error);
    } else if (error == -ENOENT && file->flags & BB_FILE_CREATE) {
        mode |= EFI_FILE_MODE_CREATE;
        error = path[length - 1] == '/' ? -EINVAL : 0;
    }
    if (!error)
        error = open_at(fat, path, mode, 0, &handle);
    if (error)
        return error;
    file->state = handle;
    file->id = (uintptr_t)file_of(handle);
    file->size = file_of(handle)->FileSize;
    if (file->flags & BB_FILE_TRUNCATE && file->size)
        error = set_size(file, 0);
    return error ? close_at(fat, handle, error) : 0;
}

static int close_fat(struct bb_file *file)
{
    return close_at(file->mount->state, file->state, 0);
}

static int read_fat(struct bb_file *file, uint64_t at, void *data, size_t size)
{
    struct fat *fat = file->mount->state;
    EFI_FILE_PROTOCOL *handle = file->state;
    UINTN count = size;
    EFI_STATUS status = handle->SetPosition(handle, at);
    if (!EFI_ERROR(status))
        status = handle->Read(handle, &count, data);
    int error = bb_fat_error(fat, status);
    return error ? error : (int)count;
}

static int write_fat(struct bb_file *file, uint64_t at, const void *data, size_t size)
{
    struct fat *fat = file->mount->state;
    EFI_FILE_PROTOCOL *handle = file->state;
    UINTN count = size;
    if (at + size > UINT32_MAX)
        return -ENOSPC;
    if (at > file->size) { /* zeros in between */
        int error = set_size(file, at);
        if (error)
            return error;
    }
    EFI_STATUS status = handle->SetPosition(handle, at);
    if (!EFI_ERROR(status))
        status = handle->Write(handle, &count, (void *)(uintptr_t)data);
    int error = bb_fat_error(fat, status);
    file->size = file_of(handle)->FileSize;
    return error ? error : (int)count;
}

const struct bb_file_type bb_file_fat = {
    .name = "fat",
    .recognises = recognises,
    .mount = mount_fat,
    .unmount = unmount_fat,
    .sync = sync_fat,
    .space = space_fat,
    .open = open_fat,
    .close = close_fat,
    .read = read_fat,
    .write = write_fat,
    .truncate = set_size,
    .stat = stat_fat,
    .list = list_fat,
    .make_directory = make_directory_fat,
    .remove = remove_fat,
    .rename = rename_fat,
};
