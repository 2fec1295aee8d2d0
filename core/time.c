/* SPDX-License-Identifier: BSD-2-Clause */
/* Monotonic time. Seconds and their rest are converted apart: exact, and within 64 bits. */
#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/time.h>

/* bb_time() was `ns` when the counter in use stood at `ticks`. */
static struct {
    uint64_t ns, ticks;
    bool started;
} base;

uint64_t bb_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
    return hz ? ticks / hz * BB_SEC + ticks % hz * BB_SEC / hz : 0;
}

uint64_t bb_ns_to_ticks(uint64_t ns, uint64_t hz)
{
    uint64_t whole, part = (ns % BB_SEC * hz + BB_SEC - 1) / BB_SEC;
    bool over = __builtin_mul_overflow(ns / BB_SEC, hz, &whole);
    return over || whole > UINT64_MAX - part ? UINT64_MAX : whole + part;
}

static uint64_t counter(uint64_t *hz)
{
    *hz = bb_hooks.counter ? bb_hooks.counter_hz : bb_arch_counter_hz();
    return bb_hooks.counter ? bb_hooks.counter() : bb_arch_counter();
}

uint64_t bb_time(void)
{
    uint64_t hz;
    uint64_t ticks = counter(&hz);
    if (!base.started) {
        base.ticks = ticks;
        base.started = true;
    }
    return base.ns + bb_ticks_to_ns(ticks - base.ticks, hz);
}

void bb_time_source(uint64_t (*source)(void), uint64_t hz)
{
    uintptr_t state = bb_arch_irq_save();
    base.ns = bb_time();
    bb_hooks.counter = source;
    bb_hooks.counter_hz = hz;
    base.ticks = counter(&hz);
    bb_arch_irq_restore(state);
}

void bb_delay(uint64_t ns)
{
    BB_ASSERT(ns <= 10 * BB_MSEC);
    uint64_t hz;
    uint64_t start = counter(&hz);
    uint64_t ticks = bb_ns_to_ticks(ns, hz) + 1; /* the first may be almost over */
    /* Without a counter: a barrier takes a nanosecond at the very least. */
    for (uint64_t i = 0; hz ? counter(&hz) - start < ticks : i < ns; i++)
        bb_arch_barrier();
}
