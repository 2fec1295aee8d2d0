/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions: what happened in words, the registers, the way there. ESR_EL1 and its syndromes are
 * in the Arm ARM (DDI 0487), D17.2.37.
 */
#include <core/arch/aarch64/arch.h>

#include <busbar/hooks.h>

#define MAX_RETURNS 24

enum { SYNCHRONOUS, IRQ, FIQ, SERROR };

uint64_t bb_moved;

static const struct bb_exception_frame *current; /* the one that a panic is about */

/* As the linker made it: name size, text size, type, "GNU", the id. */
extern const uint8_t bb_build_id[16 + 20];

/* Those that an exception at EL1 from EL1 can have. */
static const struct {
    uint8_t class;
    char name[35];
} classes[] = {
    {0x00, "undefined instruction"},
    {0x07, "floating point is switched off"},
    {0x0e, "illegal execution state"},
    {0x15, "unexpected SVC"},
    {0x18, "system register access trapped"},
    {0x21, "jump to memory that holds no code"},
    {0x22, "jump to an unaligned address"},
    {0x25, "data abort"},
    {0x26, "stack pointer not aligned"},
    {0x2c, "floating-point exception"},
    {0x31, "breakpoint"},
    {0x33, "single step"},
    {0x35, "watchpoint"},
    {0x3c, "breakpoint instruction"},
};

/* In the page below a stack. */
static bool in_guard(uint64_t address, const char *stack)
{
    return address < (uintptr_t)stack && address >= (uintptr_t)stack - 4096;
}

static const char *data_abort(uint64_t esr, uint64_t far)
{
    bool write = esr >> 6 & 1;
    if (in_guard(far, bb_thread_stack))
        return "the stack is full: guard page hit";
    if (in_guard(far, bb_exception_stack))
        return "the interrupt stack is full: guard page hit";
    switch (esr >> 2 & 15) { /* DFSC without its level */
    case 1:
        return far < 4096 ? (write ? "write through a null pointer" : "read through a null pointer")
                          : (write ? "write to unmapped memory" : "read of unmapped memory");
    case 3:
        return write ? "write to read-only memory" : "read of protected memory";
    case 4:
        return write ? "no device took the write" : "no device answered the read";
    case 8:
        return "unaligned access";
    default:
        return "data abort";
    }
}

/* An instruction that may fault and the place to go on when it does. */
static bool fixed_up(struct bb_exception_frame *frame)
{
    if (frame->elr == (uintptr_t)bb_probe_load || frame->elr == (uintptr_t)bb_probe_store)
        frame->elr = (uintptr_t)bb_probe_failed;
    else if (frame->elr == (uintptr_t)bb_semihosting_call)
        frame->elr = (uintptr_t)bb_semihosting_failed;
    else
        return false;
    return true;
}

void bb_exception(struct bb_exception_frame *frame, uint64_t kind)
{
    unsigned class = frame->esr >> 26 & 63;
    if (kind == SYNCHRONOUS && fixed_up(frame))
        return;
    current = frame;
    if (kind != SYNCHRONOUS)
        bb_panic_exception(kind == SERROR ? "SError: a device or memory reported a failed access"
                           : kind == FIQ  ? "unexpected FIQ"
                                          : "interrupt inside an exception",
                           0, false);
    const char *what = "unknown exception";
    for (size_t i = 0; i < BB_ARRAY_SIZE(classes); i++)
        if (classes[i].class == class)
            what = classes[i].name;
    if (class == 0x25)
        what = data_abort(frame->esr, frame->far);
    else if (class == 0x21 && frame->far < 4096)
        what = "jump through a null pointer";
    bb_panic_exception(what, frame->far, class == 0x21 || class == 0x22 || class == 0x25);
}

/* The top of the stack that a frame record at `record` lies in; 0 when it lies in none. */
static uintptr_t stack_end(uint64_t record)
{
    const struct {
        const char *start, *end;
    } stacks[] = {
        {bb_thread_stack, bb_thread_stack_top},
        {bb_exception_stack, bb_exception_stack_top},
        {bb_emergency_stack, bb_emergency_stack_top},
    };
    for (size_t i = 0; i < BB_ARRAY_SIZE(stacks); i++)
        if (record >= (uintptr_t)stacks[i].start && record <= (uintptr_t)stacks[i].end - 16)
            return record & 7 ? 0 : (uintptr_t)stacks[i].end;
    return 0;
}

/* Addresses as the ELF file has them, so that tools find their lines. */
static void print_returns(uint64_t record)
{
    for (unsigned count = 0; count < MAX_RETURNS; count++) {
        uintptr_t end = stack_end(record);
        if (!end)
            return;
        const uint64_t *pair = (const uint64_t *)(uintptr_t)record;
        if (!pair[1])
            return;
        bb_panic_print("  at 0x%016llx\n", (unsigned long long)(pair[1] - bb_moved));
        if (stack_end(pair[0]) == end && pair[0] <= record)
            return; /* a chain only goes up, but to another stack */
        record = pair[0];
    }
}

static void print_build_id(void)
{
    char text[41];
    for (unsigned i = 0; i < 20; i++) {
        text[2 * i] = "0123456789abcdef"[bb_build_id[16 + i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bb_build_id[16 + i] & 15];
    }
    text[40] = '\0';
    bb_panic_print("build id %s\n", text);
}

static void print_frame(const struct bb_exception_frame *frame)
{
    for (unsigned i = 0; i < 31; i += 3)
        if (i + 2 < 31)
            bb_panic_print("x%-2u 0x%016llx  x%-2u 0x%016llx  x%-2u 0x%016llx\n", i,
                           (unsigned long long)frame->x[i], i + 1,
                           (unsigned long long)frame->x[i + 1], i + 2,
                           (unsigned long long)frame->x[i + 2]);
        else
            bb_panic_print("x%-2u 0x%016llx  sp  0x%016llx\n", i, (unsigned long long)frame->x[i],
                           (unsigned long long)frame->sp);
    bb_panic_print("esr 0x%08llx  spsr 0x%08llx  far 0x%016llx\n", (unsigned long long)frame->esr,
                   (unsigned long long)frame->spsr, (unsigned long long)frame->far);
}

void bb_arch_print_state(void)
{
    const struct bb_exception_frame *frame = current;
    if (frame)
        print_frame(frame);
    if (bb_moved)
        bb_panic_print("loaded at 0x%llx, the ELF file is for 0x%llx\n",
                       (unsigned long long)(uintptr_t)bb_text_start,
                       (unsigned long long)((uintptr_t)bb_text_start - bb_moved));
    print_build_id();
    if (frame) /* a function that calls none leaves its caller in the link register alone */
        bb_panic_print("elr 0x%016llx\nlr 0x%016llx\n", (unsigned long long)(frame->elr - bb_moved),
                       (unsigned long long)(frame->x[30] - bb_moved));
    print_returns(frame ? frame->x[29] : (uintptr_t)__builtin_frame_address(0));
}

void bb_arch_halt(void)
{
    bb_secondary();
}
