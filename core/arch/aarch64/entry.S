/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the first instruction to C: the arm64 Image header (Linux, Documentation/arch/arm64/
 * booting.rst), then EL3 or EL2 down to EL1, relocation, page tables, caches, stacks, bss.
 *
 * Until the MMU is on: no unaligned access, no exclusives, no DC ZVA, and what was written here is
 * invalidated in the caches before they are used.
 *
 * x20 = x0 at entry, x21 = the counter at entry, x22 = exception level at entry,
 * x23 = how far from its link address the image runs
 */

    .equ SCTLR_OFF, 0x30d00800 /* RES1 or RES0: LSMAOE nTLSMD SPAN EIS TSCXT EOS */
    .equ SCTLR_ON, (1 << 0) | (1 << 2) | (1 << 3) | (1 << 12) | (1 << 19) /* M C SA I WXN */
    .equ TCR, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 /* T0SZ, write-back, inner, 4K, EPD1 */
    .equ MAIR, 0x44ff04 /* 0: device nGnRE, 1: normal write-back, 2: normal, not cached */
    .equ FIRST_STACK, 4096 /* as much of the thread stack as the page tables need to be built */
    .equ RELR, 0x524c4552 /* begins the packed list */

    .section .text.head, "ax"
    .globl _start
    .type _start, %function
_start:
    b entry
    .long 0
    .quad 0x80000                   /* text_offset from a 2 MiB boundary */
    .quad bb_image_end - _start     /* bss, stacks and arena included */
    .quad 0xa                       /* little endian, 4 KiB pages, anywhere in memory */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0
    .size _start, . - _start

link_address:
    .quad _start
claimed:
    .quad 0                         /* in a page that is never dirty in a cache */

entry:
    msr daifset, #0xf
    mrs x22, currentel
    lsr x22, x22, #2

    /* The first core to come is the one. The protocol sends one; should more come at once, the
     * first of a cluster goes ahead and the others look later. Reset sends all: only 0.0.0.0. */
    mrs x1, mpidr_el1
    ubfx x2, x1, #0, #24
    ubfx x3, x1, #32, #8
    orr x2, x2, x3
    cbz x2, 2f
    cmp x22, #3
    b.eq bb_secondary
    and x1, x1, #0xff
    add x1, x1, #1
    lsl x1, x1, #16
1:  subs x1, x1, #1
    b.ne 1b
2:  adr x1, claimed
    ldr w2, [x1]
    cbnz w2, bb_secondary
    mov w2, #1
    str w2, [x1]
    dsb sy

    mov x20, x0
    cmp x22, #2
    b.eq count_el2
    b.hi count_el3
    mrs x21, cntvct_el0
    b el1
count_el3:
    mrs x21, cntpct_el0
    b el3
count_el2:
    mrs x21, cntpct_el0
    b el2

    /* Nobody is above us, and nobody has handed the interrupt controller to the non-secure world:
     * secure EL1, where it is ours as reset left it. EL2 is out of the way there; SMC is undefined. */
el3:
    mrs x0, midr_el1
    lsr x1, x0, #24
    ubfx x0, x0, #4, #12
    cmp x1, #0x41
    mov x1, #0xd03                  /* Cortex-A53 (DDI 0500, 4.3.82): before any cache */
    ccmp x0, x1, #0, eq
    b.ne 1f
    mrs x0, s3_1_c15_c2_1           /* CPUECTLR_EL1 */
    orr x0, x0, #1 << 6             /* SMPEN */
    msr s3_1_c15_c2_1, x0
    isb
1:  mov x0, #0x5b1                  /* RW HCE SMD RES1 NS */
    msr scr_el3, x0
    isb
    msr cptr_el3, xzr
    msr mdcr_el3, xzr
    mrs x1, id_aa64pfr0_el1
    ubfx x0, x1, #8, #4
    cbz x0, 2f
    msr cntvoff_el2, xzr            /* only while NS is set */
2:  mov x0, #0x4b0                  /* RW SMD RES1 */
    msr scr_el3, x0
    ubfx x0, x1, #24, #4
    cbz x0, 3f
    mov x0, #0xf                    /* SRE DFB DIB Enable */
    msr s3_6_c12_c12_5, x0          /* ICC_SRE_EL3 */
3:  isb
    mov x0, #SCTLR_OFF & 0xffff
    movk x0, #SCTLR_OFF >> 16, lsl #16
    msr sctlr_el1, x0
    mov x0, #0x3c5                  /* EL1h, all masked */
    msr spsr_el3, x0
    adr x0, el1
    msr elr_el3, x0
    eret

    /* Nothing traps to EL2 and virtual time is physical time. */
el2:
    mov x0, #1 << 31                /* RW: EL1 is AArch64 */
    msr hcr_el2, x0
    isb
    mrs x0, cnthctl_el2
    orr x0, x0, #3                  /* EL1PCTEN EL1PCEN */
    msr cnthctl_el2, x0
    msr cntvoff_el2, xzr
    mrs x0, midr_el1
    msr vpidr_el2, x0
    mrs x0, mpidr_el1
    msr vmpidr_el2, x0
    mov x0, #0x33ff                 /* RES1, TZ: FP and trace do not trap, SVE does */
    msr cptr_el2, x0
    msr hstr_el2, xzr
    msr vttbr_el2, xzr
    mrs x0, id_aa64mmfr0_el1
    ubfx x0, x0, #56, #4
    cbz x0, 2f
    msr s3_4_c1_c1_4, xzr           /* HFGRTR_EL2 */
    msr s3_4_c1_c1_5, xzr           /* HFGWTR_EL2 */
    msr s3_4_c1_c1_6, xzr           /* HFGITR_EL2 */
    msr s3_4_c3_c1_4, xzr           /* HDFGRTR_EL2 */
    msr s3_4_c3_c1_5, xzr           /* HDFGWTR_EL2 */
2:  mrs x0, id_aa64pfr0_el1
    ubfx x0, x0, #24, #4
    cbz x0, 3f
    mrs x0, s3_4_c12_c9_5           /* ICC_SRE_EL2 */
    orr x0, x0, #1                  /* SRE */
    orr x0, x0, #8                  /* Enable */
    msr s3_4_c12_c9_5, x0
    isb
    mrs x0, s3_4_c12_c9_5
    tbz x0, #0, 3f                  /* firmware keeps the GICv2 interface */
    msr s3_4_c12_c11_0, xzr         /* ICH_HCR_EL2 */
3:  mov x0, #SCTLR_OFF & 0xffff
    movk x0, #SCTLR_OFF >> 16, lsl #16
    msr sctlr_el1, x0
    mov x0, #0x3c5                  /* EL1h, all masked */
    msr spsr_el2, x0
    adr x0, el1
    msr elr_el2, x0
    eret

el1:
    mov x0, #SCTLR_OFF & 0xffff
    movk x0, #SCTLR_OFF >> 16, lsl #16
    msr sctlr_el1, x0
    mov x0, #3 << 20                /* FPEN: libfdt is compiled with NEON */
    msr cpacr_el1, x0
    isb

    /* Pointers were linked for link_address. tools/busbarlib/relocations.py says where they are:
     * an even word is the offset of one, an odd word a bitmap of the 63 words after the last. */
    adr x6, _start
    ldr x23, link_address
    subs x23, x6, x23
    b.eq relocated
    adrp x0, bb_relocations
    add x0, x0, :lo12:bb_relocations
    ldp w1, w2, [x0], #8
    ldr w3, =RELR
    cmp w1, w3
    b.ne bb_secondary               /* an ELF file, loaded where it must not be */
    add x2, x0, x2, lsl #3
1:  cmp x0, x2
    b.hs relocated
    ldr x1, [x0], #8
    tbnz x1, #0, 2f
    add x3, x6, x1
    ldr x5, [x3]
    add x5, x5, x23
    str x5, [x3], #8
    b 1b
2:  mov x7, x3
3:  lsr x1, x1, #1
    cbz x1, 5f
    tbz x1, #0, 4f
    ldr x5, [x7]
    add x5, x5, x23
    str x5, [x7]
4:  add x7, x7, #8
    b 3b
5:  add x3, x3, #63 * 8
    b 1b
relocated:

    /* Page tables. Lines that firmware left in the caches must not be written over them. */
    adrp x19, bb_thread_stack_top
    add x19, x19, :lo12:bb_thread_stack_top
    sub x0, x19, #FIRST_STACK
    mov x1, x19
    bl invalidate
    msr spsel, #0
    mov sp, x19
    mov x29, #0
    mov x30, #0
    bl bb_mmu_build
    mov x24, x0                     /* the root table */
    mov x0, x24
    adrp x1, bb_table_next
    ldr x1, [x1, :lo12:bb_table_next]
    bl invalidate
    adrp x0, bb_noinit_start
    add x0, x0, :lo12:bb_noinit_start
    adrp x1, bb_noinit_end
    add x1, x1, :lo12:bb_noinit_end
    bl invalidate
    sub x0, x19, #FIRST_STACK
    mov x1, x19
    bl invalidate
    cbz x23, 1f
    adr x0, _start
    adrp x1, bb_writable_start
    bl invalidate

1:  ic iallu
    tlbi vmalle1
    ldr w0, =MAIR
    msr mair_el1, x0
    ldr w0, =TCR
    mrs x1, id_aa64mmfr0_el1
    and x1, x1, #0xf                /* PARange; 48 bits are all that 4 KiB pages describe */
    mov x2, #5
    cmp x1, x2
    csel x1, x1, x2, lo
    bfi x0, x1, #32, #3
    msr tcr_el1, x0
    msr ttbr0_el1, x24
    adrp x0, bb_vectors
    add x0, x0, :lo12:bb_vectors
    msr vbar_el1, x0
    dsb sy
    isb
    ldr w0, =SCTLR_OFF | SCTLR_ON
    msr sctlr_el1, x0
    isb

    /* bss, by whole lines of DC ZVA where the CPU has it; the script aligns its ends to 64. */
    adrp x0, bb_bss_start
    add x0, x0, :lo12:bb_bss_start
    adrp x1, bb_bss_end
    add x1, x1, :lo12:bb_bss_end
    mrs x2, dczid_el0
    cmp x2, #4                      /* allowed, and 64 bytes */
    b.ne 3f
2:  cmp x0, x1
    b.hs 4f
    dc zva, x0
    add x0, x0, #64
    b 2b
3:  cmp x0, x1
    b.hs 4f
    stp xzr, xzr, [x0], #16
    b 3b

4:  msr spsel, #1
    adrp x0, bb_exception_stack_top
    add x0, x0, :lo12:bb_exception_stack_top
    mov sp, x0
    msr spsel, #0
    adrp x0, bb_moved
    str x23, [x0, :lo12:bb_moved]
    msr daifclr, #4                 /* SError has somewhere to go now */
    mov x0, x20
    mov x1, x21
    mov x2, x22
    bl bb_boot_linux_arm64
    b bb_secondary
    .ltorg

    /* Invalidates the data cache lines of [x0, x1); changes x2 and x3. */
invalidate:
    mrs x2, ctr_el0
    ubfx x2, x2, #16, #4
    mov x3, #4
    lsl x3, x3, x2
    sub x2, x3, #1
    bic x0, x0, x2
1:  dc ivac, x0
    add x0, x0, x3
    cmp x0, x1
    b.lo 1b
    dsb sy
    ret

    /* Where cores rest that have nothing to do here: any level, no stack, MMU as it comes. */
    .globl bb_secondary
    .type bb_secondary, %function
bb_secondary:
    msr daifset, #0xf
1:  wfi
    b 1b
    .size bb_secondary, . - bb_secondary
