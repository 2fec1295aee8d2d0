/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of file systems: a pool of fixed size, from the arena when it is first wanted. */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/file_type.h>

#include "pool.h"

#define POOL_SIZE (1536 * 1024) /* as many FAT as may be mounted, and half a MiB */

/* The last of it is for small pieces: libraries look less carefully whether they got those. */
#define SMALL 1024
#define RESERVE (16 * 1024)

static struct bb_pool pool;

void *bb_file_malloc(size_t size)
{
    if (!pool.size) {
        void *memory = bb_arena_alloc(POOL_SIZE, 16);
        if (!memory)
            return NULL;
        bb_pool_start(&pool, memory, POOL_SIZE);
    }
    if (size > SMALL && (size > pool.size || pool.size - pool.used < size + RESERVE))
        return NULL;
    return bb_pool_alloc(&pool, size);
}

void *bb_file_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *memory = bb_file_malloc(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *bb_file_realloc(void *memory, size_t size)
{
    if (memory && bb_pool_length(memory) >= size)
        return memory;
    void *larger = bb_file_malloc(size);
    if (larger && memory) {
        memcpy(larger, memory, bb_pool_length(memory));
        bb_pool_free(&pool, memory);
    }
    return larger;
}

void bb_file_free(void *memory)
{
    bb_pool_free(&pool, memory);
}
