/* SPDX-License-Identifier: BSD-2-Clause */
/* Random reads of 4 KiB, one at a time and 32 at a time. */
#include <busbar/block.h>

#include "bench.h"
#include "hand.h"

enum { LENGTH = 4096, ROUNDS = 256, PAUSE = 100000 };
/* The disks are told apart by their sizes. */
#define SECTORS (2u << 20)
#define HAND_SECTORS (4u << 20)

static _Alignas(4096) uint8_t buffers[BATCH][LENGTH];
static struct bb_block_segment segments[BATCH];
static struct bb_block_request requests[BATCH], *batch[BATCH];

static uint64_t random_sector(void)
{
    return bench_random() % (SECTORS / 8) * 8;
}

static int read_framework(struct bb_block *disk, struct bench_costs *costs)
{
    unsigned depth = costs->operations;
    for (unsigned i = 0; i < depth; i++) {
        segments[i] = (struct bb_block_segment){buffers[i], LENGTH};
        requests[i] = (struct bb_block_request){.op = BB_BLOCK_READ,
                                                .block = random_sector(),
                                                .segments = &segments[i],
                                                .segment_count = 1};
        batch[i] = &requests[i];
    }
    uint64_t begin = bench_begin();
    int taken = bb_block_submit(disk, 0, batch, depth);
    uint64_t cost = bench_end(begin);
    if (taken != (int)depth)
        return taken < 0 ? taken : -EIO;
    for (unsigned left = depth; left > 0;) {
        bench_pause(PAUSE);
        begin = bench_begin();
        int count = bb_block_reap(disk, 0, left);
        uint64_t ticks = bench_end(begin);
        if (count < 0)
            return count;
        cost += count > 0 ? ticks : 0;
        left -= (unsigned)count;
    }
    for (unsigned i = 0; i < depth; i++)
        if (requests[i].status)
            return requests[i].status;
    bench_add(costs, cost);
    return 0;
}

static int read_hand(struct bench_costs *costs)
{
    unsigned depth = costs->operations;
    uint64_t sectors[BATCH];
    void *memory[BATCH];
    for (unsigned i = 0; i < depth; i++)
        sectors[i] = random_sector(), memory[i] = buffers[i];
    uint64_t begin = bench_begin();
    hand_block_submit(sectors, memory, depth);
    uint64_t cost = bench_end(begin);
    for (unsigned left = depth; left > 0;) {
        bench_pause(PAUSE);
        begin = bench_begin();
        int count = hand_block_reap();
        uint64_t ticks = bench_end(begin);
        if (count < 0)
            return -EIO;
        cost += count > 0 ? ticks : 0;
        left -= (unsigned)count;
    }
    bench_add(costs, cost);
    return 0;
}

static int compare(struct bb_block *disk, const char *figure, unsigned depth)
{
    static struct bench_costs framework, hand;
    framework.count = hand.count = 0;
    framework.operations = hand.operations = depth;
    for (unsigned round = 0; round < ROUNDS; round++) {
        int error = read_framework(disk, &framework);
        if (!error)
            error = read_hand(&hand);
        if (error)
            return error;
    }
    bench_report(figure, &framework, &hand);
    return 0;
}

int bench_block(void)
{
    struct bb_block *disk = bb_block_first();
    while (disk && disk->capacity != SECTORS)
        disk = bb_block_next(disk);
    if (!disk || !hand_block_begin(HAND_SECTORS))
        return -ENODEV;
    int error = compare(disk, "read1", 1);
    return error ? error : compare(disk, "read32", BATCH);
}
