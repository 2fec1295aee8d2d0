/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: the one fixed block that everything found at boot lives in. Its size stands in the
 * manifest. Memory is zeroed and, but for the newest piece, never given back. Early and thread
 * context.
 */
#ifndef BUSBAR_ARENA_H
#define BUSBAR_ARENA_H

#include <busbar/base.h>

/* NULL when it does not fit; the log then says how much was needed and which manifest key to raise.
 */
void *bb_arena_alloc(size_t size, size_t alignment);
size_t bb_arena_size(void);
size_t bb_arena_used(void);
/* Gives back everything allocated since so much was used; nothing of it may stay. */
void bb_arena_reset(size_t used);

#endif
