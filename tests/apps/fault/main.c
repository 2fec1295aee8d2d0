/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goes wrong in the way that the parameter `fault=NAME` names, so that boot tests can look at the
 * message. Without a name it lists them. Returns only from probes and `exit`.
 */
#include <string.h>

#include <busbar/app.h>
#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/param.h>

int bb_test_recurse(int depth);
void bb_test_scribble(volatile char *at);

static volatile uintptr_t address; /* keeps compilers from seeing what is wrong */
static const char constant[16] = "read only";

__attribute__((noinline)) void bb_test_scribble(volatile char *at)
{
    *at = 1;
}

__attribute__((noinline)) int bb_test_recurse(int depth)
{
    volatile char buffer[512];
    buffer[depth & 511] = (char)depth;
    return depth < 1 << 20 ? bb_test_recurse(depth + 1) + buffer[0] : 0;
}

static void null(void)
{
    bb_test_scribble((volatile char *)address);
}

static void read(void)
{
    address = 0x7000000000;
    (void)*(volatile uint32_t *)address;
}

static void write(void)
{
    bb_test_scribble((volatile char *)(uintptr_t)constant);
}

static void code(void)
{
    address = (uintptr_t)(void (*)(void))null;
    bb_test_scribble((volatile char *)address);
}

static void jump(void)
{
    static char data[64];
    address = (uintptr_t)data;
    ((void (*)(void))address)();
}

static void stack(void)
{
    (void)bb_test_recurse(0);
}

static void undefined(void)
{
    __builtin_trap();
}

static void panic(void)
{
    bb_panic("asked for: %d", 42);
}

static void assertion(void)
{
    bb_assert_failed("1 + 1 == 3", "main.c", 1);
}

static void wait_with(void (*handler)(void))
{
    bb_hooks.interrupt = handler;
    bb_sleep(BB_MSEC);
}

/* On the interrupt stack, so that the report needs another one. */
static void interrupt(void)
{
    wait_with(null);
}

static void interrupt_stack(void)
{
    wait_with(stack);
}

/* The report itself goes wrong. */
static void bad_console(const char *text, size_t size)
{
    (void)text, (void)size;
    null();
}

static void twice(void)
{
    bb_hooks.console_write = bad_console;
    bb_panic("the console is broken");
}

/* What cannot be written is told, not fatal. */
static void probe_write(void)
{
    static uint32_t word;
    bool bad = bb_arch_probe_write32(0x7000000000, 1);
    bool fixed = bb_arch_probe_write32((uintptr_t)constant & ~(uintptr_t)3, 1);
    bool good = bb_arch_probe_write32((uintptr_t)&word, 1);
    bb_print(BB_INFO, "probe: unmapped %s, constant %s, mapped %s", bad ? "written" : "faulted",
             fixed ? "written" : "faulted", good && word == 1 ? "written" : "faulted");
}

/* How many registers are not as they were after a load that faulted; registers.S. */
unsigned bb_test_registers_lost(uintptr_t address, uint32_t *value);
#if !BB_ARCH_AARCH64
unsigned bb_test_registers_lost(uintptr_t place, uint32_t *value)
{
    (void)place, (void)value;
    return 0; /* no fault is survived there */
}
#endif

/* An address that faults is told, not fatal. */
static void probe(void)
{
    uint32_t value = 0;
    bool bad = bb_arch_probe_read32(0x7000000000, &value);
    unsigned lost = bb_test_registers_lost(0x7000000000, &value);
    bool good = bb_arch_probe_read32((uintptr_t)constant & ~(uintptr_t)3, &value);
    bb_print(BB_INFO, "probe: unmapped %s, mapped %s, %u registers lost", bad ? "read" : "faulted",
             good ? "read" : "faulted", lost);
}

/* In an interrupt too, whose registers and stack are then as before. */
static void (*usual_handler)(void);

static void probe_once(void)
{
    probe();
    bb_hooks.interrupt = usual_handler;
}

static void probe_interrupt(void)
{
    usual_handler = bb_hooks.interrupt;
    wait_with(probe_once);
}

static const struct {
    const char *name;
    void (*run)(void);
} faults[] = {
    {"null", null},
    {"read", read},
    {"write", write},
    {"code", code},
    {"jump", jump},
    {"stack", stack},
    {"undefined", undefined},
    {"panic", panic},
    {"assertion", assertion},
    {"probe", probe},
    {"interrupt", interrupt},
    {"interrupt_stack", interrupt_stack},
    {"twice", twice},
    {"probe_write", probe_write},
    {"probe_interrupt", probe_interrupt},
};

int bb_main(void)
{
    const char *name = bb_param_get("fault");
    for (size_t i = 0; i < BB_ARRAY_SIZE(faults); i++) {
        if (!name)
            bb_print(BB_INFO, "fault=%s", faults[i].name);
        else if (strcmp(name, faults[i].name) == 0)
            faults[i].run();
    }
    return name && strcmp(name, "exit") == 0 ? 3 : 0;
}
