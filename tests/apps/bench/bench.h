/* SPDX-License-Identifier: BSD-2-Clause */
/* What the measurements share. One tick of the counter is one instruction under -icount shift=4. */
#ifndef BENCH_H
#define BENCH_H

#include <busbar/app.h>
#include <busbar/arch.h>

enum { BATCH = 32 };

/* What reading the counter twice costs by itself. */
extern uint64_t bench_overhead;

/* Costs of one figure, a sample for each round. */
struct bench_costs {
    const char *name;
    unsigned count, operations; /* samples so far; operations of each */
    uint32_t samples[512];
};

void bench_calibrate(void);

static inline __attribute__((always_inline)) uint64_t bench_begin(void)
{
    return bb_arch_counter();
}
static inline __attribute__((always_inline)) uint64_t bench_end(uint64_t begin)
{
    return bb_arch_counter() - begin - bench_overhead;
}

/* Lets the emulator's other threads work, so that a batch is done when it is looked at. */
void bench_pause(uint32_t ticks);
uint32_t bench_random(void);
void bench_add(struct bench_costs *costs, uint64_t ticks);
/* A line for each: name, median, least and most, in hundredths of an operation. `hand` may be
 * NULL. */
void bench_report(const char *figure, const struct bench_costs *framework,
                  const struct bench_costs *hand);

int bench_block(void);
int bench_net(void);

#endif
