/* SPDX-License-Identifier: BSD-2-Clause */
/* unsigned bb_test_registers_lost(uintptr_t address, uint32_t *value): a number in each register
 * that bb_arch_probe_read32() leaves alone, that load, and how many are others afterwards. */
#if BB_ARCH_AARCH64
    .section .text.bb_test_registers_lost, "ax"
    .globl bb_test_registers_lost
    .type bb_test_registers_lost, %function
bb_test_registers_lost:
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    mov x29, sp
    .irp n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28
    mov x\n, #\n
    .endr
    bl bb_arch_probe_read32
    mov x0, #0
    mov x1, sp
    cmp x29, x1
    cinc x0, x0, ne
    .irp n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28
    cmp x\n, #\n
    cinc x0, x0, ne
    .endr
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    ret
    .size bb_test_registers_lost, . - bb_test_registers_lost
#endif
