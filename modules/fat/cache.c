/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's cache: a few pages of the volume, written back. It stands in for DiskCache.c, which
 * takes up to 4 MiB. What covers whole pages goes straight to the device.
 */
#include <string.h>

#include "fat.h"

#define PAGE 4096u
#define PAGES 16

struct page {
    UINT64 number;
    bool valid, dirty;
    uint64_t used; /* the newest use of all is the largest */
};

struct cache {
    struct page pages[PAGES];
    uint64_t uses;
    uint8_t data[PAGES][PAGE];
};

static struct cache *cache_of(FAT_VOLUME *volume)
{
    return (struct cache *)volume->CacheBuffer;
}

/* The volume may end within its last page. */
static EFI_STATUS move_page(FAT_VOLUME *volume, unsigned index, IO_MODE mode)
{
    struct cache *cache = cache_of(volume);
    UINT64 offset = cache->pages[index].number * PAGE;
    UINTN size = volume->VolumeSize - offset < PAGE ? (UINTN)(volume->VolumeSize - offset) : PAGE;
    return FatDiskIo(volume, mode, offset, size, cache->data[index], NULL);
}

static EFI_STATUS write_back(FAT_VOLUME *volume, unsigned index)
{
    struct page *page = &cache_of(volume)->pages[index];
    if (!page->valid || !page->dirty)
        return EFI_SUCCESS;
    EFI_STATUS status = move_page(volume, index, WriteDisk);
    page->dirty = EFI_ERROR(status);
    return status;
}

/* The page's index, read in when it is not there. */
static EFI_STATUS find(FAT_VOLUME *volume, UINT64 number, unsigned *index)
{
    struct cache *cache = cache_of(volume);
    unsigned oldest = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        if (cache->pages[i].valid && cache->pages[i].number == number) {
            *index = i;
            cache->pages[i].used = ++cache->uses;
            return EFI_SUCCESS;
        }
        if (cache->pages[i].used < cache->pages[oldest].used)
            oldest = i;
    }
    EFI_STATUS status = write_back(volume, oldest);
    if (EFI_ERROR(status))
        return status;
    cache->pages[oldest] = (struct page){.number = number, .used = ++cache->uses};
    status = move_page(volume, oldest, ReadDisk);
    cache->pages[oldest].valid = !EFI_ERROR(status);
    *index = oldest;
    return status;
}

/* Whole pages past the cache: what it has of them is newer than what is read, and older than what
 * is written. */
static EFI_STATUS move_pages(FAT_VOLUME *volume, IO_MODE mode, UINT64 first, UINTN count,
                             UINT8 *data)
{
    struct cache *cache = cache_of(volume);
    EFI_STATUS status = FatDiskIo(volume, mode, first * PAGE, count * PAGE, data, NULL);
    for (unsigned i = 0; i < PAGES && !EFI_ERROR(status); i++) {
        struct page *page = &cache->pages[i];
        if (!page->valid || page->number < first || page->number - first >= count)
            continue;
        UINT8 *there = data + (page->number - first) * PAGE;
        if (mode == ReadDisk)
            memcpy(there, cache->data[i], PAGE);
        else
            memcpy(cache->data[i], there, PAGE);
        page->dirty = page->dirty && mode == ReadDisk;
    }
    return status;
}

static EFI_STATUS move(FAT_VOLUME *volume, IO_MODE mode, UINT64 offset, UINTN size, UINT8 *data)
{
    while (size) {
        UINTN skip = (UINTN)(offset % PAGE), part = PAGE - skip < size ? PAGE - skip : size;
        EFI_STATUS status;
        if (part == PAGE) {
            part = size / PAGE * PAGE;
            status = move_pages(volume, mode, offset / PAGE, size / PAGE, data);
        } else {
            unsigned index;
            status = find(volume, offset / PAGE, &index);
            if (!EFI_ERROR(status) && mode == ReadDisk) {
                memcpy(data, cache_of(volume)->data[index] + skip, part);
            } else if (!EFI_ERROR(status)) {
                memcpy(cache_of(volume)->data[index] + skip, data, part);
                cache_of(volume)->pages[index].dirty = true;
            }
        }
        if (EFI_ERROR(status))
            return status;
        offset += part;
        data += part;
        size -= part;
    }
    return EFI_SUCCESS;
}

/* The allocation table is kept as often as the volume says. */
EFI_STATUS FatAccessCache(FAT_VOLUME *volume, CACHE_DATA_TYPE type, IO_MODE mode, UINT64 offset,
                          UINTN size, UINT8 *data, FAT_TASK *task)
{
    UINTN copies = type == CacheFat && mode == WriteDisk ? volume->NumFats : 1;
    EFI_STATUS status = EFI_SUCCESS;
    struct fat *fat = bb_container_of(volume->DiskIo, struct fat, disk);
    (void)task;
    int error = bb_mount_charge(fat->mount, size);
    if (error) {
        fat->error = fat->error ? fat->error : error;
        return EFI_VOLUME_CORRUPTED;
    }
    for (; copies && !EFI_ERROR(status); copies--, offset += volume->FatSize)
        status = offset > volume->VolumeSize || size > volume->VolumeSize - offset
                     ? EFI_VOLUME_CORRUPTED
                     : move(volume, mode, offset, size, data);
    return status;
}

EFI_STATUS FatVolumeFlushCache(FAT_VOLUME *volume, FAT_TASK *task)
{
    bool any = false;
    (void)task;
    for (unsigned i = 0; i < PAGES; i++) {
        any = any || cache_of(volume)->pages[i].dirty;
        EFI_STATUS status = write_back(volume, i);
        if (EFI_ERROR(status))
            return status;
    }
    return any ? volume->BlockIo->FlushBlocks(volume->BlockIo) : EFI_SUCCESS;
}

EFI_STATUS FatInitializeDiskCache(FAT_VOLUME *volume)
{
    volume->CacheBuffer = AllocateZeroPool(sizeof(struct cache));
    return volume->CacheBuffer ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
}
