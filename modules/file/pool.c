/* SPDX-License-Identifier: BSD-2-Clause */
/* First fit with joining of neighbours (Knuth, The Art of Computer Programming, 2.5 A and B). */
#include "pool.h"

#define UNIT sizeof(struct bb_pool_piece)

struct bb_pool_piece {
    size_t size; /* with this header, a multiple of it */
    struct bb_pool_piece *next;
};
_Static_assert(sizeof(struct bb_pool_piece) == 16, "pieces keep the alignment of the pool");

static char *end_of(struct bb_pool_piece *piece)
{
    return (char *)piece + piece->size;
}

void bb_pool_start(struct bb_pool *pool, void *memory, size_t size)
{
    size -= size % UNIT;
    *pool = (struct bb_pool){.free = memory, .size = size};
    *pool->free = (struct bb_pool_piece){.size = size};
}

void *bb_pool_alloc(struct bb_pool *pool, size_t size)
{
    if (size > pool->size)
        return NULL;
    size_t need = (size + 2 * UNIT - 1) / UNIT * UNIT;
    for (struct bb_pool_piece **link = &pool->free; *link; link = &(*link)->next) {
        struct bb_pool_piece *piece = *link;
        if (piece->size < need)
            continue;
        if (piece->size - need < 2 * UNIT) {
            *link = piece->next; /* the rest could hold nothing */
        } else {
            struct bb_pool_piece *rest = (struct bb_pool_piece *)(void *)((char *)piece + need);
            *rest = (struct bb_pool_piece){piece->size - need, piece->next};
            piece->size = need;
            *link = rest;
        }
        pool->used += piece->size;
        if (pool->used > pool->most)
            pool->most = pool->used;
        return piece + 1;
    }
    return NULL;
}

void bb_pool_free(struct bb_pool *pool, void *memory)
{
    if (!memory)
        return;
    struct bb_pool_piece *piece = (struct bb_pool_piece *)memory - 1, *before = NULL;
    struct bb_pool_piece *after = pool->free;
    pool->used -= piece->size;
    for (; after && after < piece; after = after->next)
        before = after;
    BB_ASSERT(after != piece && (!before || end_of(before) <= (char *)piece));
    piece->next = after;
    if (after && end_of(piece) == (char *)after) {
        piece->size += after->size;
        piece->next = after->next;
    }
    if (!before) {
        pool->free = piece;
    } else if (end_of(before) == (char *)piece) {
        before->size += piece->size;
        before->next = piece->next;
    } else {
        before->next = piece;
    }
}

size_t bb_pool_length(const void *memory)
{
    return ((const struct bb_pool_piece *)memory - 1)->size - UNIT;
}
