/* SPDX-License-Identifier: BSD-2-Clause */
#include "hand.h"

enum { WORDS = 128 /* of a block */ };

static inline uint32_t get(uintptr_t address)
{
    return *(volatile const uint32_t *)address;
}

static inline void put(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline uint32_t *take(uintptr_t port, uint32_t *memory)
{
    uint32_t a = get(port), b = get(port), c = get(port), d = get(port);
    uint32_t e = get(port), f = get(port), g = get(port), h = get(port);
    memory[0] = a, memory[1] = b, memory[2] = c, memory[3] = d;
    memory[4] = e, memory[5] = f, memory[6] = g, memory[7] = h;
    return memory + 8;
}

void hand_sdhost(uintptr_t base, uint32_t address, uint32_t blocks, uint32_t *memory)
{
    enum { CMD = 0, ARG = 4, STATUS = 0x20, EDM = 0x34, BYTES = 0x3c, DATA = 0x40, COUNT = 0x50 };
    enum { NEW = 1 << 15, READ = 1 << 6, FORCE_DATA_MODE = 1 << 19 };
    uint32_t *end = memory + blocks * WORDS;
    put(base + BYTES, 512);
    put(base + COUNT, blocks);
    put(base + STATUS, 0x7f8);
    put(base + ARG, address);
    put(base + CMD, NEW | READ | 18);
    while (get(base + CMD) & NEW) {
    }
    while (memory != end) {
        while ((get(base + EDM) >> 4 & 0x1f) < 8) {
        }
        memory = take(base + DATA, memory);
    }
    put(base + EDM, get(base + EDM) | FORCE_DATA_MODE);
    put(base + CMD, NEW | 12);
    while (get(base + CMD) & NEW) {
    }
}

void hand_arasan(uintptr_t base, uint32_t address, uint32_t blocks, uint32_t *memory)
{
    enum { BLOCKS = 4, ARG = 8, CMD = 0xc, DATA = 0x20, INTERRUPT = 0x30 };
    enum { DONE = 1, MOVED = 2, READY = 0x20 };
    put(base + INTERRUPT, ~0u);
    put(base + BLOCKS, blocks << 16 | 512);
    put(base + ARG, address);
    put(base + CMD, 18u << 24 | 0x3a << 16 | 0x32);
    while (!(get(base + INTERRUPT) & DONE)) {
    }
    for (uint32_t block = 0; block < blocks; block++) {
        while (!(get(base + INTERRUPT) & READY)) {
        }
        put(base + INTERRUPT, READY);
        for (unsigned i = 0; i < WORDS; i += 8)
            memory = take(base + DATA, memory);
    }
    while (!(get(base + INTERRUPT) & MOVED)) {
    }
    put(base + INTERRUPT, ~0u);
    put(base + CMD, 12u << 24 | 0xda << 16);
    while (!(get(base + INTERRUPT) & DONE)) {
    }
    put(base + INTERRUPT, ~0u);
}
