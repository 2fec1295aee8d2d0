/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exception vectors, and the few calls that may fault. Threads run on SP_EL0, so an exception from
 * one lands on SP_EL1 and finds a good stack even when the thread's is full. A fault inside an
 * exception moves on to the emergency stack for the same reason.
 */

    .equ FRAME, 36 * 8 /* struct bb_exception_frame: x0..x30 sp elr spsr esr far */
    .equ EMERGENCY, 8192 /* as in image.ld */
    .equ EMERGENCY_LEAST, 1024

    /* A slot of 128 bytes; .org refuses to go back where the one before is too large. */
    .macro slot number
    .org bb_vectors + 128 * (\number)
    .endm

    /* Kinds as in exception.c: 0 synchronous, 1 IRQ, 2 FIQ, 3 SError. */
    .macro from_thread kind
    slot \kind
    sub sp, sp, #FRAME
    stp x0, x1, [sp]
    mrs x0, sp_el0
    mov x1, #\kind
    b save
    .endm

    .macro from_exception kind
    slot \kind + 4
    msr tpidr_el1, x0
    msr tpidrro_el0, x1
    mov x1, #\kind
    msr contextidr_el1, x1
    b nested
    .endm

    /* Only from a thread: exceptions run with interrupts masked. The pair at sp + 16 is a frame
     * record, so that a panic in a handler shows what it interrupted. As large as a slot may be. */
    .macro interrupt
    stp x0, x1, [sp, #-192]!
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x29, x0, [sp, #16]
    add x29, sp, #16
    stp x2, x3, [sp, #32]
    stp x4, x5, [sp, #48]
    stp x6, x7, [sp, #64]
    stp x8, x9, [sp, #80]
    stp x10, x11, [sp, #96]
    stp x12, x13, [sp, #112]
    stp x14, x15, [sp, #128]
    stp x16, x17, [sp, #144]
    stp x18, x30, [sp, #160]
    str x1, [sp, #176]
    bl bb_interrupt_entry
    ldr x1, [sp, #176]
    ldp x29, x0, [sp, #16]
    msr elr_el1, x0
    msr spsr_el1, x1
    ldp x2, x3, [sp, #32]
    ldp x4, x5, [sp, #48]
    ldp x6, x7, [sp, #64]
    ldp x8, x9, [sp, #80]
    ldp x10, x11, [sp, #96]
    ldp x12, x13, [sp, #112]
    ldp x14, x15, [sp, #128]
    ldp x16, x17, [sp, #144]
    ldp x18, x30, [sp, #160]
    ldp x0, x1, [sp], #192
    eret
    .endm

    .section .text.vectors, "ax"
    .balign 2048
    .globl bb_vectors
    .type bb_vectors, %function
bb_vectors:
    from_thread 0

    /* What slots branch to stands in the room that they leave. Here x0 is the sp of where it
     * happened, x1 the kind; both registers are saved. */
save:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    stp x30, x0, [sp, #240]
    mrs x2, elr_el1
    mrs x3, spsr_el1
    stp x2, x3, [sp, #256]
    mrs x2, esr_el1
    mrs x3, far_el1
    stp x2, x3, [sp, #272]
    mov x0, sp
    bl bb_exception
    b restore

    slot 1
    interrupt

    from_thread 2
restore:
    ldp x2, x3, [sp, #256]
    msr elr_el1, x2
    msr spsr_el1, x3
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldr x30, [sp, #240]
    mrs x0, spsr_el1
    tbnz x0, #0, restore_nested /* it happened on SP_EL1 */
    ldp x0, x1, [sp], #FRAME
    eret

    from_thread 3
restore_nested:
    ldp x0, x1, [sp]
    msr tpidr_el1, x0
    ldr x0, [sp, #248]
    mov sp, x0
    mrs x0, tpidr_el1
    eret

    /* No register is free here but those that nothing else uses: TPIDR_EL1 and TPIDRRO_EL0 keep x0
     * and x1, CONTEXTIDR_EL1 the kind. Out of emergency stack, there is nothing left to say. */
    from_exception 0
nested:
    adrp x0, bb_emergency_stack
    add x0, x0, :lo12:bb_emergency_stack
    sub x0, sp, x0
    mov x1, sp
    cmn x0, #1, lsl #12             /* in the guard page below it */
    b.hs bb_secondary
    cmp x0, #EMERGENCY
    b.hs 1f
    cmp x0, #EMERGENCY_LEAST
    b.lo bb_secondary
    b 2f
1:  adrp x0, bb_emergency_stack + EMERGENCY
    add x0, x0, :lo12:bb_emergency_stack + EMERGENCY
    mov sp, x0
2:  sub sp, sp, #FRAME
    mrs x0, tpidr_el1
    str x0, [sp]
    mrs x0, tpidrro_el0
    str x0, [sp, #8]
    mov x0, x1
    mrs x1, contextidr_el1
    b save

    from_exception 1
    from_exception 2
    from_exception 3
    /* The other eight are for exceptions from EL0, where nothing runs. */
    .size bb_vectors, . - bb_vectors

    /* bool bb_arch_probe_read32(uintptr_t address, uint32_t *value): exception.c goes on at
     * bb_probe_failed when the load faults. */
    .section .text.bb_arch_probe_read32, "ax"
    .globl bb_arch_probe_read32, bb_probe_load, bb_probe_failed
    .type bb_arch_probe_read32, %function
bb_arch_probe_read32:
bb_probe_load:
    ldr w2, [x0]
    str w2, [x1]
    mov w0, #1
    ret
bb_probe_failed:
    mov w0, #0
    ret
    .size bb_arch_probe_read32, . - bb_arch_probe_read32

    /* bool bb_arch_probe_write32(uintptr_t address, uint32_t value): the same. The barrier waits
     * for the device's answer. */
    .section .text.bb_arch_probe_write32, "ax"
    .globl bb_arch_probe_write32, bb_probe_store
    .type bb_arch_probe_write32, %function
bb_arch_probe_write32:
bb_probe_store:
    str w1, [x0]
    dsb sy
    mov w0, #1
    ret
    .size bb_arch_probe_write32, . - bb_arch_probe_write32

    /* void bb_arch_semihosting_exit(int status): SYS_EXIT (0x18) with ADP_Stopped_ApplicationExit.
     * The instruction is undefined where no emulator or debugger listens: then it is skipped. */
    .section .text.bb_arch_semihosting_exit, "ax"
    .globl bb_arch_semihosting_exit, bb_semihosting_call, bb_semihosting_failed
    .type bb_arch_semihosting_exit, %function
bb_arch_semihosting_exit:
    sxtw x2, w0
    mov x1, #0x26
    movk x1, #2, lsl #16
    stp x1, x2, [sp, #-16]!
    mov x0, #0x18
    mov x1, sp
bb_semihosting_call:
    hlt #0xf000
bb_semihosting_failed:
    add sp, sp, #16
    ret
    .size bb_arch_semihosting_exit, . - bb_arch_semihosting_exit

    /* int64_t bb_arch_smccc(bool smc, uint32_t function, uint64_t a, uint64_t b, uint64_t c) */
    .section .text.bb_arch_smccc, "ax"
    .globl bb_arch_smccc
    .type bb_arch_smccc, %function
bb_arch_smccc:
    mov w5, w0
    mov w0, w1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    cbz w5, 1f
    mov x4, xzr
    mov x5, xzr
    mov x6, xzr
    mov x7, xzr
    smc #0
    ret
1:  mov x4, xzr
    mov x5, xzr
    mov x6, xzr
    mov x7, xzr
    hvc #0
    ret
    .size bb_arch_smccc, . - bb_arch_smccc
