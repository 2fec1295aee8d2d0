/* SPDX-License-Identifier: BSD-2-Clause */
/* What libext2fs calls of a C library, and of parts of its own that are left out. */
#include <config.h>

#include <busbar/rtc.h>

#include "ext4.h"

time_t bb_ext4_time(time_t *now)
{
    int64_t seconds = 0;
    if (bb_wall_time(&seconds) || seconds < 0)
        seconds = 0;
    if (now)
        *now = (time_t)seconds;
    return (time_t)seconds;
}

/* Without a clock, the time of the last write that the medium knows of: never back, never 0. */
uint32_t bb_ext4_now(ext2_filsys fs)
{
    int64_t now = bb_ext4_time(NULL);
    return now > 0 && now <= UINT32_MAX ? (uint32_t)now : fs->super->s_wtime;
}

/* Stands in for that of mkjournal.c, which takes 4 MiB to write zeros from and a Unix to make
 * journals. */
errcode_t ext2fs_zero_blocks2(ext2_filsys fs, blk64_t block, int count, blk64_t *bad_block,
                              int *bad_count)
{
    errcode_t error = fs ? io_channel_zeroout(fs->io, block, (unsigned)count) : 0;
    if (error && bad_block)
        *bad_block = block;
    if (error && bad_count)
        *bad_count = count;
    return error;
}

/* Maps of equal blocks, for images that share them: nobody here asks for one. */
uint32_t ext2fs_djb2_hash(const void *text, size_t size)
{
    (void)text, (void)size;
    return 0;
}

struct ext2fs_hashmap *ext2fs_hashmap_create(uint32_t (*hash)(const void *, size_t),
                                             void (*release)(void *), size_t size)
{
    (void)hash, (void)release, (void)size;
    return NULL;
}

int ext2fs_hashmap_add(struct ext2fs_hashmap *map, void *data, const void *key, size_t size)
{
    (void)map, (void)data, (void)key, (void)size;
    return -1;
}

void *ext2fs_hashmap_lookup(struct ext2fs_hashmap *map, const void *key, size_t size)
{
    (void)map, (void)key, (void)size;
    return NULL;
}

void ext2fs_hashmap_free(struct ext2fs_hashmap *map)
{
    (void)map;
}

/* 64 KiB of tables for names without case. Directories that have such are only read, as they are.
 */
const struct ext2fs_nls_table *ext2fs_load_nls_table(int encoding)
{
    (void)encoding;
    return NULL;
}

/* ---- The C library ---- */

static void swap(char *a, char *b, size_t size)
{
    while (size--) {
        char kept = *a;
        *a++ = *b;
        *b++ = kept;
    }
}

/* Lets element `at` sink to its place in a heap of `count`. */
static void sink(char *base, size_t at, size_t count, size_t size,
                 int (*compare)(const void *, const void *))
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + at * size, base + child * size) >= 0)
            return;
        swap(base + at * size, base + child * size, size);
    }
}

/* Heap sort (Knuth, The Art of Computer Programming, 5.2.3): no memory, and no bad case. */
void bb_ext4_qsort(void *data, size_t count, size_t size,
                   int (*compare)(const void *, const void *))
{
    char *base = data;
    for (size_t at = count / 2; at-- > 0;)
        sink(base, at, count, size, compare);
    for (size_t left = count; left-- > 1;) {
        swap(base, base + left * size, size);
        sink(base, 0, left, size, compare);
    }
}

char *bb_ext4_strcpy(char *to, const char *from)
{
    return memcpy(to, from, strlen(from) + 1);
}

char *bb_ext4_strcat(char *to, const char *from)
{
    (void)bb_ext4_strcpy(to + strlen(to), from);
    return to;
}

char *bb_ext4_strncpy(char *to, const char *from, size_t size)
{
    size_t length = strnlen(from, size);
    memcpy(to, from, length);
    memset(to + length, 0, size - length);
    return to;
}

char *bb_ext4_getenv(const char *name)
{
    (void)name;
    return NULL;
}

_Noreturn void bb_ext4_abort(void)
{
    bb_panic("libext2fs gave up");
}
