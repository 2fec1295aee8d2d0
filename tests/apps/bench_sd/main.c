/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a block of a sequential read costs through the public API, in requests of 64 KiB, by DMA and
 * by PIO, and by a bare register loop on the same controller (hand.h). One tick of the counter is
 * one instruction under -icount shift=4; interrupts, completions and commands are all counted.
 */
#include <string.h>

#include <busbar/app.h>
#include <busbar/arch.h>
#include <busbar/arena.h>
#include <busbar/block.h>
#include <busbar/log.h>

#include "hand.h"

enum { BLOCKS = 128, ROUNDS = 16, BYTES = BLOCKS * 512 };
#define BYTE_ADDRESSED (1024 * 2048ull) /* blocks; QEMU's larger cards are SDHC */

static struct bb_block *disk;
static uintptr_t base;

static uint64_t by_framework(uint32_t *memory, uint64_t block)
{
    const struct bb_block_segment segment = {memory, BYTES};
    struct bb_block_request request = {.block = block, .segments = &segment, .segment_count = 1},
                            *batch[] = {&request};
    uint64_t begin = bb_arch_counter();
    if (bb_block_submit(disk, 0, batch, 1) != 1)
        return 0;
    while (request.status == -EINPROGRESS)
        (void)bb_block_reap(disk, 0, 1);
    uint64_t ticks = bb_arch_counter() - begin;
    return request.status ? 0 : ticks;
}

static uint64_t by_hand(uint32_t *memory, uint64_t block)
{
    uint32_t address = (uint32_t)(disk->capacity > BYTE_ADDRESSED ? block : block * 512);
    bool arasan = strcmp(disk->face.device->driver->name, "block/sdhci") == 0;
    uintptr_t state = bb_arch_irq_save();
    uint64_t begin = bb_arch_counter();
    (arasan ? hand_arasan : hand_sdhost)(base, address, BLOCKS, memory);
    uint64_t ticks = bb_arch_counter() - begin;
    bb_arch_irq_restore(state);
    return ticks;
}

/* The median is the same on every run; the first round is not. */
static bool measure(const char *figure, const char *who, uint32_t *memory,
                    uint64_t (*read)(uint32_t *memory, uint64_t block))
{
    uint64_t least = UINT64_MAX, most = 0, sum = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t ticks = read(memory, (uint64_t)i * BLOCKS);
        for (unsigned block = 0; block < BLOCKS; block++)
            if (memory[block * 128] != i * BLOCKS + block)
                ticks = 0;
        if (!ticks)
            return false;
        least = ticks < least ? ticks : least;
        most = ticks > most ? ticks : most;
        sum += ticks;
        memset(memory, 0, BYTES);
    }
    bb_print(BB_INFO, "bench %s %s %u %u %u of %u", figure, who,
             (unsigned)(sum * 100 / ROUNDS / BLOCKS), (unsigned)(least * 100 / BLOCKS),
             (unsigned)(most * 100 / BLOCKS), (unsigned)ROUNDS);
    return true;
}

int bb_main(void)
{
    uint64_t address, size;
    char *memory = bb_arena_alloc(BYTES + 64, 64);
    disk = bb_block_by_name("disk0");
    if (!disk || !memory || bb_node_reg(disk->face.device->node, 0, &address, &size))
        return 1;
    base = (uintptr_t)address;
    uint32_t *aligned = (uint32_t *)(void *)memory, *odd = aligned + 1;
    bool good = measure("card", "framework", aligned, by_framework) &&
                measure("card", "hand", aligned, by_hand) &&
                measure("card_pio", "framework", odd, by_framework) &&
                measure("card_pio", "hand", odd, by_hand);
    return good ? 0 : 2;
}
