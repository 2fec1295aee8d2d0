/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this architecture share, and where the linker script put things. */
#ifndef BUSBAR_CORE_ARCH_AARCH64_H
#define BUSBAR_CORE_ARCH_AARCH64_H

#include <busbar/arch.h>

extern char bb_text_start[], bb_data_start[], bb_rodata_start[];
extern char bb_writable_start[], bb_writable_end[], bb_image_end[];
extern char bb_thread_stack[], bb_thread_stack_top[];
extern char bb_exception_stack[], bb_exception_stack_top[];
extern char bb_emergency_stack[], bb_emergency_stack_top[];

/* How far from its link address the image runs. */
extern uint64_t bb_moved;

/* As vectors.S saves it. */
struct bb_exception_frame {
    uint64_t x[31];
    uint64_t sp, elr, spsr, esr, far;
};

/* entry.S and vectors.S call and name these. */
uint64_t *bb_mmu_build(void);
void bb_exception(struct bb_exception_frame *frame, uint64_t kind);
void bb_boot_linux_arm64(uint64_t x0, uint64_t ticks, uint64_t exception_level);
BB_NORETURN void bb_secondary(void);
extern const char bb_vectors[], bb_probe_load[], bb_probe_store[];
extern const char bb_probe_failed[];
extern const char bb_semihosting_call[], bb_semihosting_failed[];

#endif
