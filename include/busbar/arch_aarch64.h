/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 64-bit Arm architecture (Arm ARM, DDI 0487): what <busbar/arch.h> lists, mostly inline.
 * Threads run in EL1 on SP_EL0; exceptions and interrupts on SP_EL1.
 */
#ifndef BUSBAR_ARCH_AARCH64_H
#define BUSBAR_ARCH_AARCH64_H

#include <busbar/base.h>

/* One load or store of exactly this width, in an addressing mode that a hypervisor can emulate. */
static inline uint32_t bb_arch_read32(uintptr_t address)
{
    uint32_t value;
    __asm__ volatile("ldr %w0, %1" : "=r"(value) : "m"(*(const volatile uint32_t *)address));
    return value;
}
static inline void bb_arch_write32(uintptr_t address, uint32_t value)
{
    __asm__ volatile("str %w1, %0" : "=m"(*(volatile uint32_t *)address) : "rZ"(value));
}
#ifdef __clang__ /* which puts no offset into an operand of memory: an addition for each access */
/* Only what is known before link-time optimisation goes into the instruction: "ri" would take what
 * becomes constant later, and may be too large for it. */
#define BB_ARCH_FITS(offset)                                                                       \
    (__builtin_constant_p(offset) && (offset) % 4 == 0 && (offset) < 4096 * 4)
static inline uint32_t bb_arch_read32_at(uintptr_t base, size_t offset)
{
    uint32_t value;
    if (BB_ARCH_FITS(offset))
        __asm__ volatile("ldr %w0, [%1, %2]" : "=r"(value) : "r"(base), "i"(offset));
    else
        __asm__ volatile("ldr %w0, [%1, %2]" : "=r"(value) : "r"(base), "r"(offset));
    return value;
}
static inline void bb_arch_write32_at(uintptr_t base, size_t offset, uint32_t value)
{
    if (BB_ARCH_FITS(offset))
        __asm__ volatile("str %w2, [%0, %1]" : : "r"(base), "i"(offset), "rZ"(value));
    else
        __asm__ volatile("str %w2, [%0, %1]" : : "r"(base), "r"(offset), "rZ"(value));
}
#else
static inline uint32_t bb_arch_read32_at(uintptr_t base, size_t offset)
{
    return bb_arch_read32(base + offset);
}
static inline void bb_arch_write32_at(uintptr_t base, size_t offset, uint32_t value)
{
    bb_arch_write32(base + offset, value);
}
#endif
static inline uint16_t bb_arch_read16(uintptr_t address)
{
    uint32_t value;
    __asm__ volatile("ldrh %w0, %1" : "=r"(value) : "m"(*(const volatile uint16_t *)address));
    return (uint16_t)value;
}
static inline void bb_arch_write16(uintptr_t address, uint16_t value)
{
    __asm__ volatile("strh %w1, %0" : "=m"(*(volatile uint16_t *)address) : "rZ"(value));
}
static inline uint8_t bb_arch_read8(uintptr_t address)
{
    uint32_t value;
    __asm__ volatile("ldrb %w0, %1" : "=r"(value) : "m"(*(const volatile uint8_t *)address));
    return (uint8_t)value;
}
static inline void bb_arch_write8(uintptr_t address, uint8_t value)
{
    __asm__ volatile("strb %w1, %0" : "=m"(*(volatile uint8_t *)address) : "rZ"(value));
}

/* The CPU stores at any alignment in ordinary memory; what is compiled for strict alignment would
 * do so by bytes. */
static inline void bb_arch_clear16(void *at)
{
    __asm__("stp xzr, xzr, %0" : "=m"(*(unsigned __int128 *)at));
}
static inline uint32_t bb_arch_acquire16(const uint16_t *at)
{
    uint32_t value;
    __asm__ volatile("ldarh %w0, %1" : "=r"(value) : "Q"(*at) : "memory");
    return value;
}

/* PSTATE.I; FIQ stays masked for good, SError is taken as soon as there are vectors. */
static inline uintptr_t bb_arch_irq_save(void)
{
    uintptr_t state;
    __asm__ volatile("mrs %0, daif\n\tmsr daifset, #2" : "=r"(state) : : "memory");
    return state;
}
static inline void bb_arch_irq_restore(uintptr_t state)
{
    __asm__ volatile("msr daif, %0" : : "r"(state) : "memory");
}
static inline bool bb_arch_irq_masked(uintptr_t state)
{
    return state & 1 << 7; /* DAIF.I */
}
static inline void bb_arch_irq_enable(void)
{
    __asm__ volatile("msr daifclr, #2" : : : "memory");
}
static inline bool bb_arch_in_interrupt(void)
{
    uintptr_t selected;
    __asm__ volatile("mrs %0, spsel" : "=r"(selected));
    return selected & 1;
}
static inline void bb_arch_wait(void)
{
    __asm__ volatile("dsb sy\n\twfi" : : : "memory");
}
static inline void bb_arch_barrier(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

static inline uint64_t bb_arch_counter(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
    return ticks;
}
/* Never 0: firmware that forgot CNTFRQ_EL0 leaves us with wrong time, not with a division by 0. */
static inline uint64_t bb_arch_counter_hz(void)
{
    uint64_t hz;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return hz ? hz : 1000000;
}
static inline void bb_arch_timer_compare(uint64_t ticks)
{
    __asm__ volatile("msr cntv_cval_el0, %0\n\tisb" : : "r"(ticks) : "memory");
}
static inline void bb_arch_timer_control(uint32_t control)
{
    __asm__ volatile("msr cntv_ctl_el0, %0\n\tisb" : : "r"((uint64_t)control) : "memory");
}
static inline uint32_t bb_arch_timer_status(void)
{
    uint64_t status;
    __asm__ volatile("mrs %0, cntv_ctl_el0" : "=r"(status) : : "memory");
    return (uint32_t)status;
}
static inline uint64_t bb_arch_mpidr(void)
{
    uint64_t mpidr;
    __asm__ volatile("mrs %0, mpidr_el1" : "=r"(mpidr));
    return mpidr;
}

static inline void bb_arch_gic_write(enum bb_gic_reg reg, uint64_t value)
{
    switch (reg) {
    case BB_ICC_PMR:
        __asm__ volatile("msr s3_0_c4_c6_0, %0" : : "r"(value) : "memory");
        break;
    case BB_ICC_EOIR1:
        __asm__ volatile("msr s3_0_c12_c12_1, %0" : : "r"(value) : "memory");
        break;
    case BB_ICC_IGRPEN1:
        __asm__ volatile("msr s3_0_c12_c12_7, %0" : : "r"(value) : "memory");
        break;
    case BB_ICC_SRE:
        __asm__ volatile("msr s3_0_c12_c12_5, %0" : : "r"(value) : "memory");
        break;
    case BB_ICC_CTLR:
        __asm__ volatile("msr s3_0_c12_c12_4, %0" : : "r"(value) : "memory");
        break;
    case BB_ICC_BPR1:
        __asm__ volatile("msr s3_0_c12_c12_3, %0" : : "r"(value) : "memory");
        break;
    case BB_ICC_IAR1: /* read only */
        break;
    }
    __asm__ volatile("isb" : : : "memory");
}
static inline uint64_t bb_arch_gic_read(enum bb_gic_reg reg)
{
    uint64_t value = 0;
    switch (reg) {
    case BB_ICC_PMR:
        __asm__ volatile("mrs %0, s3_0_c4_c6_0" : "=r"(value) : : "memory");
        break;
    case BB_ICC_IAR1:
        __asm__ volatile("mrs %0, s3_0_c12_c12_0\n\tdsb sy" : "=r"(value) : : "memory");
        break;
    case BB_ICC_IGRPEN1:
        __asm__ volatile("mrs %0, s3_0_c12_c12_7" : "=r"(value) : : "memory");
        break;
    case BB_ICC_SRE:
        __asm__ volatile("mrs %0, s3_0_c12_c12_5" : "=r"(value) : : "memory");
        break;
    case BB_ICC_CTLR:
        __asm__ volatile("mrs %0, s3_0_c12_c12_4" : "=r"(value) : : "memory");
        break;
    case BB_ICC_BPR1:
        __asm__ volatile("mrs %0, s3_0_c12_c12_3" : "=r"(value) : : "memory");
        break;
    case BB_ICC_EOIR1: /* write only */
        break;
    }
    return value;
}

/* A call to firmware after the SMC Calling Convention (DEN 0028), by SMC or HVC. */
int64_t bb_arch_smccc(bool smc, uint32_t function, uint64_t a, uint64_t b, uint64_t c);

/* RNDR of FEAT_RNG. */
static inline bool bb_arch_has_random(void)
{
    uint64_t features;
    __asm__("mrs %0, id_aa64isar0_el1" : "=r"(features));
    return features >> 60;
}
static inline bool bb_arch_random(uint64_t *value)
{
    uint64_t ok;
    if (!bb_arch_has_random())
        return false;
    __asm__ volatile("mrs %0, s3_3_c2_c4_0\n\tcset %1, ne" : "=r"(*value), "=r"(ok) : : "cc");
    return ok;
}
void bb_arch_semihosting_exit(int status);

#endif
