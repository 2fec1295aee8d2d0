/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between architectures. core/arch/<arch>/ implements it; host models it. */
#ifndef BUSBAR_ARCH_H
#define BUSBAR_ARCH_H

#include <busbar/base.h>

/* The CPU interface of GICv3 (IHI 0069); only where its system registers exist. */
enum bb_gic_reg {
    BB_ICC_PMR,
    BB_ICC_IAR1,
    BB_ICC_EOIR1,
    BB_ICC_IGRPEN1,
    BB_ICC_SRE,
    BB_ICC_CTLR,
    BB_ICC_BPR1,
};

#if defined(BB_ARCH_AARCH64)
#include <busbar/arch_aarch64.h>
#elif defined(BB_ARCH_HOST)
#include <busbar/arch_host.h>
#else
#error "no architecture: the build defines BB_ARCH_AARCH64 or BB_ARCH_HOST"
#endif

/*
 * Each architecture header gives, inline or not:
 *
 *   uint32_t bb_arch_read32(uintptr_t address);     device registers, in program order
 *   void bb_arch_write32(uintptr_t address, uint32_t value);
 *   uint32_t bb_arch_read32_at(uintptr_t base, size_t offset);      the same of base + offset
 *   void bb_arch_write32_at(uintptr_t base, size_t offset, uint32_t value);
 *   uint16_t bb_arch_read16(uintptr_t address);
 *   void bb_arch_write16(uintptr_t address, uint16_t value);
 *   uint8_t bb_arch_read8(uintptr_t address);
 *   void bb_arch_write8(uintptr_t address, uint8_t value);
 *   void bb_arch_clear16(void *at);                  16 bytes of ordinary memory, any alignment
 *   uint32_t bb_arch_acquire16(const uint16_t *at);  an atomic load, with no widening after it
 *   uintptr_t bb_arch_irq_save(void);                masks interrupts, returns the old state
 *   void bb_arch_irq_restore(uintptr_t state);
 *   bool bb_arch_irq_masked(uintptr_t state);        whether they were masked in that old state
 *   void bb_arch_irq_enable(void);                   for the root controller, once
 *   bool bb_arch_in_interrupt(void);
 *   void bb_arch_wait(void);                         WFI; call with interrupts masked
 *   void bb_arch_barrier(void);                      full barrier, memory and devices
 *   uint64_t bb_arch_counter(void);                  time before any timer device
 *   uint64_t bb_arch_counter_hz(void);
 *
 *   aarch64 and its host model only, for drivers of system registers:
 *   void bb_arch_timer_compare(uint64_t ticks);      CNTV_CVAL_EL0
 *   void bb_arch_timer_control(uint32_t control);    CNTV_CTL_EL0: bit 0 enable, bit 1 mask
 *   uint32_t bb_arch_timer_status(void);             CNTV_CTL_EL0
 *   uint64_t bb_arch_mpidr(void);
 *   void bb_arch_gic_write(enum bb_gic_reg reg, uint64_t value);     ICC_* of GICv3
 *   uint64_t bb_arch_gic_read(enum bb_gic_reg reg);
 *   int64_t bb_arch_smccc(bool smc, uint32_t function, uint64_t a, uint64_t b, uint64_t c);
 *   bool bb_arch_random(uint64_t *value);            RNDR; false: none, or it ran dry
 *   bool bb_arch_has_random(void);
 *   void bb_arch_semihosting_exit(int status);       returns where nobody listens
 */

/* Maps device registers; returns the address to use. 0 on failure. Early and thread context. */
uintptr_t bb_arch_map_device(uint64_t address, uint64_t size);
/* Maps memory that a device reads all the time, such as a frame buffer: writes are combined and go
 * past the cache, reads are slow. Returns the address to use. 0 on failure. Early and thread
 * context. */
uintptr_t bb_arch_map_combining(uint64_t address, uint64_t size);
/* Maps ordinary memory, read and write, never executable, cached. 0, or a negative errno value. */
int bb_arch_map_memory(uint64_t address, uint64_t size);
size_t bb_arch_cache_line(void); /* bytes; 64 where there is nothing to do */
void bb_arch_cache_clean(const void *start, size_t size);
void bb_arch_cache_clean_invalidate(const void *start, size_t size);
void bb_arch_cache_invalidate(const void *start, size_t size);

/* A word of whatever is there, before and after any device: false when the access faulted. */
bool bb_arch_probe_read32(uintptr_t address, uint32_t *value);
bool bb_arch_probe_write32(uintptr_t address, uint32_t value);

/* Registers, faulting address and return addresses of where it happened, through bb_panic_print().
 */
void bb_arch_print_state(void);
/* Interrupts off, all cores at rest, for ever. On the host: exit(1). */
BB_NORETURN void bb_arch_halt(void);

#endif
