/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena: a pointer that moves through one static block. */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/config.h>
#include <busbar/log.h>

/* Not zeroed at start, which would cost every image the whole block: each piece is, when taken.
 * The name says `bss` so that no compiler gives it room in a file. */
__attribute__((section(".bss.bb_arena"), aligned(4096))) static char memory[BB_ARENA_SIZE];

struct bb_arena bb_arena; /* as all zero as what else begins: no page of the image for it */

void *bb_arena_take(struct bb_arena *arena, size_t size, size_t alignment)
{
    BB_ASSERT(alignment && (alignment & (alignment - 1)) == 0 && alignment <= 4096);
    if (!bb_arena.memory)
        bb_arena = (struct bb_arena){.memory = memory, .size = sizeof(memory), .what = "arena"};
    uintptr_t base = (uintptr_t)arena->memory, mask = alignment - 1;
    size_t start = ((base + arena->used + mask) & ~mask) - base;
    if (start > arena->size || size > arena->size - start) {
        size_t needed = start > SIZE_MAX - size ? SIZE_MAX : start + size;
        if (needed > arena->reported) {
            arena->reported = needed;
            bb_print(BB_ERROR, "the %s is too small: %zu bytes needed, %zu there: raise `%s`",
                     arena->what, needed, arena->size, arena->what);
        }
        return NULL;
    }
    arena->used = start + size;
    return memset(arena->memory + start, 0, size);
}

size_t bb_arena_size(void)
{
    return sizeof(memory);
}

void bb_arena_reset(size_t used)
{
    BB_ASSERT(used <= bb_arena.used);
    bb_arena.used = used;
}
