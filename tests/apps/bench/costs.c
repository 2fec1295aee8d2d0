/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples of what something costs, and their median. */
#include "bench.h"

uint64_t bench_overhead;

void bench_calibrate(void)
{
    bench_overhead = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t begin = bb_arch_counter(), ticks = bb_arch_counter() - begin;
        if (ticks < bench_overhead)
            bench_overhead = ticks;
    }
}

void bench_pause(uint32_t ticks)
{
    for (uint64_t begin = bb_arch_counter(); bb_arch_counter() - begin < ticks;) {
    }
}

uint32_t bench_random(void)
{
    static uint32_t state = 2463534242;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

void bench_add(struct bench_costs *costs, uint64_t ticks)
{
    if (costs->count < sizeof(costs->samples) / sizeof(costs->samples[0]))
        costs->samples[costs->count++] = (uint32_t)ticks;
}

static void sort(uint32_t *values, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        for (unsigned at = i; at > 0 && values[at - 1] > values[at]; at--) {
            uint32_t value = values[at];
            values[at] = values[at - 1], values[at - 1] = value;
        }
}

static void print(const char *figure, const char *who, const struct bench_costs *costs)
{
    static struct bench_costs sorted;
    sorted = *costs;
    sort(sorted.samples, sorted.count);
    unsigned place[] = {sorted.count / 2, 0, sorted.count - 1};
    uint32_t hundredths[3];
    for (unsigned i = 0; i < 3; i++)
        hundredths[i] = (uint32_t)(sorted.samples[place[i]] * 100ull / sorted.operations);
    bb_print(BB_INFO, "bench %s %s %u %u %u of %u", figure, who, hundredths[0], hundredths[1],
             hundredths[2], sorted.count);
}

void bench_report(const char *figure, const struct bench_costs *framework,
                  const struct bench_costs *hand)
{
    print(figure, "framework", framework);
    if (hand)
        print(figure, "hand", hand);
}
