/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of SD cards share: a Pi whose card belongs to either controller. */
#ifndef TESTS_UNIT_SD_H
#define TESTS_UNIT_SD_H

#include "harness.h"

#include <string.h>

#include <busbar/arena.h>
#include <busbar/block.h>
#include <busbar/poll.h>

#include <tests/models/boards.h>

enum { SDHOST, ARASAN, HOSTS };
enum { SMALL = 16 * 2048 /* blocks */ };

static inline const struct pi_options *sd_options(unsigned host)
{
    static const struct pi_options options[] = {
        [SDHOST] = {.arasan = false}, [ARASAN] = {.arasan = true}};
    return &options[host];
}

static inline const char *sd_path(unsigned host)
{
    return host == ARASAN ? PI_SDHCI : PI_SDHOST;
}

static inline void sd_prepare(unsigned host, enum sd_card_kind kind, uint64_t blocks)
{
    pi_prepare(sd_options(host));
    sd_card_make(&pi.card, kind, blocks);
}

static inline struct bb_block *sd_boot(unsigned host)
{
    boot(NULL);
    return face_at(block, sd_path(host));
}

/* Memory that DMA reaches; `odd` bytes off a cache line. */
static inline uint8_t *sd_memory(size_t size, unsigned odd)
{
    uint8_t *memory = bb_arena_alloc(size + 64, 64);
    assert_non_null(memory);
    return memory + odd;
}

static inline void sd_pattern(uint8_t *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + seed);
}

static inline uint8_t *sd_at(uint64_t block)
{
    return pi.card.memory + block * 512;
}

#endif
