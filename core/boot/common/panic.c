/* SPDX-License-Identifier: BSD-2-Clause */
/* The end, when it was not meant to come: a message, the state, power off. */
#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/log.h>

#include <core/core.h>

static unsigned depth;      /* a panic inside a panic uses the early console */
static const char *message; /* of the first, should it not come out */

void bb_panic_print(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    size_t length = bb_vformat(line, sizeof(line), format, arguments);
    va_end(arguments);
    length = length < sizeof(line) ? length : sizeof(line) - 1;
    if (bb_hooks.console_write && depth < 2)
        bb_hooks.console_write(line, length);
    else
        (void)bb_early_write(line, length);
}

void bb_end(int status)
{
    static unsigned step; /* what was called may be what fails now */
    (void)bb_arch_irq_save();
    if (++step < 2 && bb_hooks.power_off)
        bb_hooks.power_off(status);
    if (step < 3)
        bb_arch_semihosting_exit(status);
    bb_arch_halt();
}

static void begin(const char *text)
{
    (void)bb_arch_irq_save();
    if (++depth > 2) /* nothing works any more */
        bb_end(1);
    if (depth == 1)
        message = text;
    else
        bb_panic_print("\npanic: %s\n", message);
    bb_panic_print(depth == 1 ? "\npanic: %s" : "and while telling so: %s", text);
}

static BB_NORETURN void end(void)
{
    char path[128];
    struct bb_device *device = bb_device_current();
    if (device) {
        bb_node_path(device->node, path, sizeof(path));
        bb_panic_print("at work: %s (%s, %s)\n", device->name, device->driver->name, path);
    }
    bb_arch_print_state();
    bb_end(1);
}

void bb_panic(const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    (void)bb_vformat(text, sizeof(text), format, arguments);
    va_end(arguments);
    begin(text);
    bb_panic_print("\n");
    end();
}

void bb_panic_exception(const char *what, uint64_t fault_address, bool has_address)
{
    begin(what);
    if (has_address)
        bb_panic_print(" at 0x%llx", (unsigned long long)fault_address);
    bb_panic_print("\n");
    end();
}

void bb_assert_failed(const char *expression, const char *file, int line)
{
    bb_panic("%s:%d: assertion failed: %s", file, line, expression);
}
