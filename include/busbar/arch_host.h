/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host architecture: an ordinary process. Device registers are models: a test maps a region and
 * answers reads and writes; an access where no region is ends the test. Interrupts are file
 * descriptors and a software line, delivered from bb_arch_wait() and bb_host_interrupts().
 */
#ifndef BUSBAR_ARCH_HOST_H
#define BUSBAR_ARCH_HOST_H

#include <busbar/base.h>

/* ---- Register models ---- */

struct bb_host_region {
    uint64_t base;
    uint64_t size;
    uint64_t (*read)(void *context, size_t offset, unsigned width); /* width in bytes */
    void (*write)(void *context, size_t offset, unsigned width, uint64_t value);
    void *context;
    struct bb_host_region *next;
};
void bb_host_map(struct bb_host_region *region);
void bb_host_unmap(struct bb_host_region *region);

/* What system registers and calls a CPU model answers; NULL entries end the test when used. */
struct bb_host_cpu {
    uint64_t (*counter)(void *context); /* NULL: CLOCK_MONOTONIC in nanoseconds */
    uint64_t counter_hz;                /* used with counter */
    void (*timer_compare)(void *context, uint64_t ticks);
    void (*timer_control)(void *context, uint32_t control);
    uint32_t (*timer_status)(void *context);
    uint64_t mpidr;
    void (*gic_write)(void *context, enum bb_gic_reg reg, uint64_t value);
    uint64_t (*gic_read)(void *context, enum bb_gic_reg reg);
    int64_t (*smccc)(void *context, bool smc, uint32_t function, uint64_t a, uint64_t b,
                     uint64_t c);
    bool (*random)(void *context, uint64_t *value);
    void (*semihosting_exit)(void *context, int status);
    /* Whole cache lines: what the CPU wrote goes out to memory, then what memory holds comes in. */
    void (*cache)(void *context, void *start, size_t size, bool clean, bool invalidate);
    void (*wait)(void *context); /* NULL: sleep until a watched descriptor or the wake-up time */
    void *context;
};
extern struct bb_host_cpu bb_host_cpu; /* all zero unless a test fills it */

/* ---- Interrupts of the process ---- */

/* Calls ready(context), as an interrupt, whenever `fd` can be read. Negative errno when full (16).
 */
int bb_host_watch(int fd, void (*ready)(void *context), void *context);
void bb_host_unwatch(int fd);

/* Something whose descriptors change all the time, or that waits to write: it lists them, as
 * poll(2) wants them, before every sleep and now and then between sleeps. */
struct pollfd;
struct bb_host_source {
    /* Writes up to `room` entries and returns how many; may set source->deadline, the
     * CLOCK_MONOTONIC time by which ready() is called in any case. With interrupts masked. */
    unsigned (*list)(struct bb_host_source *source, struct pollfd *list, unsigned room);
    /* One of them is ready, or the deadline has come. As an interrupt. */
    void (*ready)(struct bb_host_source *source);
    uint64_t deadline;
    unsigned listed;
    struct bb_host_source *next;
};
void bb_host_source_add(struct bb_host_source *source);
void bb_host_source_remove(struct bb_host_source *source);

/* Wakes bb_arch_wait() at this CLOCK_MONOTONIC time and calls fired(context); UINT64_MAX: never. */
void bb_host_wake_at(uint64_t monotonic_ns, void (*fired)(void *context), void *context);
/* Delivers whatever is pending, unless masked. bb_poll() calls it through bb_arch_irq_restore(). */
void bb_host_interrupts(void);
/* For tests: runs bb_interrupt_entry() as if the CPU's interrupt line had been raised. */
void bb_host_raise_interrupt(void);

/* Gives each key at once and unechoed, where `fd` is a terminal, until the process ends; the keys
 * that interrupt or stop a process keep their meaning. */
void bb_host_terminal_raw(int fd);
void bb_host_terminal_restore(void); /* for a program that becomes another one */

/* ---- The calls that <busbar/arch.h> lists ---- */

uint32_t bb_arch_read32(uintptr_t address);
void bb_arch_write32(uintptr_t address, uint32_t value);
static inline uint32_t bb_arch_read32_at(uintptr_t base, size_t offset)
{
    return bb_arch_read32(base + offset);
}
static inline void bb_arch_write32_at(uintptr_t base, size_t offset, uint32_t value)
{
    bb_arch_write32(base + offset, value);
}
uint16_t bb_arch_read16(uintptr_t address);
void bb_arch_write16(uintptr_t address, uint16_t value);
uint8_t bb_arch_read8(uintptr_t address);
void bb_arch_write8(uintptr_t address, uint8_t value);
uintptr_t bb_arch_irq_save(void);
static inline void bb_arch_clear16(void *at)
{
    __builtin_memset(at, 0, 16);
}
static inline uint32_t bb_arch_acquire16(const uint16_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}
void bb_arch_irq_restore(uintptr_t state); /* 0: not masked */
static inline bool bb_arch_irq_masked(uintptr_t state)
{
    return state;
}
static inline void bb_arch_irq_enable(void)
{
    bb_arch_irq_restore(0);
}
bool bb_arch_in_interrupt(void);
void bb_arch_wait(void);
void bb_arch_barrier(void);
uint64_t bb_arch_counter(void);
uint64_t bb_arch_counter_hz(void);
void bb_arch_timer_compare(uint64_t ticks);
void bb_arch_timer_control(uint32_t control);
uint32_t bb_arch_timer_status(void);
uint64_t bb_arch_mpidr(void);
void bb_arch_gic_write(enum bb_gic_reg reg, uint64_t value);
uint64_t bb_arch_gic_read(enum bb_gic_reg reg);
int64_t bb_arch_smccc(bool smc, uint32_t function, uint64_t a, uint64_t b, uint64_t c);
bool bb_arch_random(uint64_t *value);
bool bb_arch_has_random(void);
void bb_arch_semihosting_exit(int status);

#endif
