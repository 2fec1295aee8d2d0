/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's memory: one block of the arena, cut into lists of equal pieces. It stands in for lwIP's
 * memp.c, whose arrays are part of every image that links it, and for malloc(): what has no type of
 * its own (packets to send, mostly) comes from three sizes.
 */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/log.h>
#include <busbar/store.h>

#include <lwip/etharp.h>
#include <lwip/igmp.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/memp.h>
#include <lwip/mld6.h>
#include <lwip/priv/nd6_priv.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/raw.h>
#include <lwip/timeouts.h>
#include <netif/ppp/ppp_opts.h> /* for the number of timers */

#include "glue.h"

enum { SMALL, MIDDLE, LARGE, SIZES };

/* A header alone; a short message; a full segment with headers and lwIP's own bytes. */
static const struct {
    uint16_t size, count;
} sizes[SIZES] = {{128, 256}, {384, 64}, {1664, 160}};

static const struct {
    uint16_t size, count;
} types[MEMP_MAX] = {
#define LWIP_MEMPOOL(name, num, size, text) {LWIP_MEM_ALIGN_SIZE(size), num},
#include <lwip/priv/memp_std.h>
};

struct piece {
    struct piece *next;
};

static struct pool {
    struct piece *free;
    uint8_t *start;
    uint32_t size, count, used;
} pools[MEMP_MAX + SIZES];

static uint64_t memory, refused;
static struct bb_value memory_value, refused_value;

static size_t fill_in_sizes(void)
{
    size_t total = 0;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(pools); i++) {
        struct pool *pool = &pools[i];
        pool->size = i < MEMP_MAX ? types[i].size : sizes[i - MEMP_MAX].size;
        pool->count = i < MEMP_MAX ? types[i].count : sizes[i - MEMP_MAX].count;
        total += (size_t)pool->size * pool->count;
    }
    return total;
}

int bb_tcpip_pools(void)
{
    if (memory)
        return 0;
    size_t total = fill_in_sizes();
    uint8_t *at = (uint8_t *)bb_arena_alloc(total, 64);
    if (!at)
        return -ENOMEM;
    memory = total;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(pools); i++) {
        struct pool *pool = &pools[i];
        pool->start = at;
        at += (size_t)pool->size * pool->count;
        for (uint8_t *piece = at; piece > pool->start;) {
            piece -= pool->size;
            ((struct piece *)(void *)piece)->next = pool->free;
            pool->free = (struct piece *)(void *)piece;
        }
    }
    int error = bb_publish_u64(NULL, &memory_value, "tcpip_memory", "bytes", &memory);
    return error ? error
                 : bb_publish_u64(NULL, &refused_value, "tcpip_out_of_memory", "", &refused);
}

static void *take(struct pool *pool)
{
    struct piece *piece = pool->free;
    if (piece) {
        pool->free = piece->next;
        pool->used++;
    }
    return piece;
}

static void give(struct pool *pool, void *memory_)
{
    struct piece *piece = (struct piece *)memory_;
    BB_ASSERT(pool->used > 0);
    pool->used--;
    piece->next = pool->free;
    pool->free = piece;
}

void memp_init(void)
{
}

void *memp_malloc(memp_t type)
{
    void *piece = take(&pools[type]);
    if (!piece)
        refused++;
    return piece;
}

void memp_free(memp_t type, void *mem)
{
    if (mem)
        give(&pools[type], mem);
}

void *bb_tcpip_alloc(size_t size)
{
    for (unsigned i = 0; i < SIZES; i++) {
        void *piece = size <= sizes[i].size ? take(&pools[MEMP_MAX + i]) : NULL;
        if (piece)
            return piece;
    }
    refused++;
    return NULL;
}

unsigned bb_tcpip_used(unsigned pool)
{
    return pool < BB_ARRAY_SIZE(pools) ? pools[pool].used : 0;
}

void *bb_tcpip_piece_of(const void *byte)
{
    for (struct pool *pool = &pools[MEMP_MAX]; pool < pools + BB_ARRAY_SIZE(pools); pool++) {
        uintptr_t offset = (uintptr_t)byte - (uintptr_t)pool->start;
        if (offset < (uintptr_t)pool->size * pool->count)
            return pool->start + offset / pool->size * pool->size;
    }
    return NULL;
}

void bb_tcpip_free(void *piece)
{
    uint8_t *at = (uint8_t *)piece;
    unsigned i = MEMP_MAX + SIZES - 1;
    while (i > MEMP_MAX && at < pools[i].start)
        i--;
    give(&pools[i], piece);
}
