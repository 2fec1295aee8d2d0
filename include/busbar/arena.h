/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: the one fixed block that everything found at boot lives in. Its size stands in the
 * manifest. Memory is zeroed and, but for the newest piece, never given back. What comes and goes
 * lives in a smaller arena of its own, cut from it: see <busbar/hotplug.h>. Early and thread
 * context.
 */
#ifndef BUSBAR_ARENA_H
#define BUSBAR_ARENA_H

#include <busbar/base.h>

struct bb_arena {
    char *memory;
    size_t size, used; /* bytes */
    const char *what;  /* "the arena", for the message when it is full */
    size_t reported;   /* the largest need that a message has named */
};
extern struct bb_arena bb_arena;

/* NULL when it does not fit; the log then says how much was needed and which manifest key to raise.
 */
void *bb_arena_take(struct bb_arena *arena, size_t size, size_t alignment);
static inline void *bb_arena_alloc(size_t size, size_t alignment)
{
    return bb_arena_take(&bb_arena, size, alignment);
}
size_t bb_arena_size(void);
static inline size_t bb_arena_used(void)
{
    return bb_arena.used;
}
/* Gives back everything allocated since so much was used; nothing of it may stay. */
void bb_arena_reset(size_t used);

#endif
