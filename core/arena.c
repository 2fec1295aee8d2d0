/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena: a pointer that moves through one static block. */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/config.h>
#include <busbar/log.h>

/* Not zeroed at start, which would cost every image the whole block: each piece is, when taken.
 * The name says `bss` so that no compiler gives it room in a file. */
__attribute__((section(".bss.bb_arena"), aligned(4096))) static char memory[BB_ARENA_SIZE];

static size_t used;
static size_t reported; /* the largest need that a message has named */

void *bb_arena_alloc(size_t size, size_t alignment)
{
    BB_ASSERT(alignment && (alignment & (alignment - 1)) == 0 && alignment <= 4096);
    size_t start = (used + alignment - 1) & ~(alignment - 1);
    if (start > sizeof(memory) || size > sizeof(memory) - start) {
        size_t needed = start > SIZE_MAX - size ? SIZE_MAX : start + size;
        if (needed > reported) {
            reported = needed;
            bb_print(BB_ERROR, "the arena is too small: %zu bytes needed, %zu there: raise `arena`",
                     needed, sizeof(memory));
        }
        return NULL;
    }
    used = start + size;
    return memset(memory + start, 0, size);
}

void bb_arena_reset(size_t before)
{
    BB_ASSERT(before <= used);
    used = before;
}

size_t bb_arena_size(void)
{
    return sizeof(memory);
}

size_t bb_arena_used(void)
{
    return used;
}
