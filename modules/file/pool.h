/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool: memory of any size out of one fixed block, given back in any order. First fit on a list
 * that is sorted by address, so that neighbours join when they are freed.
 */
#ifndef FILE_POOL_H
#define FILE_POOL_H

#include <busbar/base.h>

struct bb_pool_piece;

struct bb_pool {
    struct bb_pool_piece *free; /* by address */
    size_t size, used, most;    /* bytes, with what keeping them costs */
};

/* `memory` is aligned to 16 bytes. */
void bb_pool_start(struct bb_pool *pool, void *memory, size_t size);
void *bb_pool_alloc(struct bb_pool *pool, size_t size); /* aligned to 16 bytes; NULL: full */
void bb_pool_free(struct bb_pool *pool, void *memory);  /* NULL: nothing */
size_t bb_pool_length(const void *memory);              /* bytes that may be used there */

#endif
