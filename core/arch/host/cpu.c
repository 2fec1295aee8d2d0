/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's CPU: a counter from the kernel's clock, and system registers from a test's model. */
#include <execinfo.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/time.h>

#include <core/core.h>

struct bb_host_cpu bb_host_cpu;

static void need(bool there, const char *what)
{
    if (there)
        return;
    fprintf(stderr, "%s: no CPU model answers\n", what);
    abort();
}

uint64_t bb_arch_counter(void)
{
    struct timespec now;
    if (bb_host_cpu.counter)
        return bb_host_cpu.counter(bb_host_cpu.context);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BB_SEC + (uint64_t)now.tv_nsec;
}

uint64_t bb_arch_counter_hz(void)
{
    return bb_host_cpu.counter ? bb_host_cpu.counter_hz : BB_SEC;
}

void bb_arch_barrier(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

void bb_arch_timer_compare(uint64_t ticks)
{
    need(bb_host_cpu.timer_compare, "timer compare");
    bb_host_cpu.timer_compare(bb_host_cpu.context, ticks);
}

void bb_arch_timer_control(uint32_t control)
{
    need(bb_host_cpu.timer_control, "timer control");
    bb_host_cpu.timer_control(bb_host_cpu.context, control);
}

uint32_t bb_arch_timer_status(void)
{
    need(bb_host_cpu.timer_status, "timer status");
    return bb_host_cpu.timer_status(bb_host_cpu.context);
}

uint64_t bb_arch_mpidr(void)
{
    return bb_host_cpu.mpidr;
}

void bb_arch_gic_write(enum bb_gic_reg reg, uint64_t value)
{
    need(bb_host_cpu.gic_write, "GIC register write");
    bb_host_cpu.gic_write(bb_host_cpu.context, reg, value);
}

uint64_t bb_arch_gic_read(enum bb_gic_reg reg)
{
    need(bb_host_cpu.gic_read, "GIC register read");
    return bb_host_cpu.gic_read(bb_host_cpu.context, reg);
}

int64_t bb_arch_smccc(bool smc, uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
    need(bb_host_cpu.smccc, "firmware call");
    return bb_host_cpu.smccc(bb_host_cpu.context, smc, function, a, b, c);
}

bool bb_arch_random(uint64_t *value)
{
    need(bb_host_cpu.random, "random number");
    return bb_host_cpu.random(bb_host_cpu.context, value);
}

bool bb_arch_has_random(void)
{
    return bb_host_cpu.random;
}

void bb_arch_semihosting_exit(int status)
{
    if (bb_host_cpu.semihosting_exit)
        bb_host_cpu.semihosting_exit(bb_host_cpu.context, status);
}

void bb_arch_park_cores(void)
{
    /* Threads there are none. */
}

void bb_arch_print_state(void)
{
    void *frames[32];
    int count = backtrace(frames, BB_ARRAY_SIZE(frames));
    char **names = backtrace_symbols(frames, count);
    for (int i = 0; i < count; i++)
        bb_panic_print("  %p %s\n", frames[i], names ? names[i] : "");
    free(names);
}

void bb_arch_halt(void)
{
    exit(1);
}
