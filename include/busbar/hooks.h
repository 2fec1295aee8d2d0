/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What core asks of the layers above it. Subsystems fill these in when their first device runs;
 * core works, with less comfort, while they are empty. For subsystems, not for applications.
 */
#ifndef BUSBAR_HOOKS_H
#define BUSBAR_HOOKS_H

#include <busbar/base.h>

struct bb_hooks {
    void (*interrupt)(void);                                /* the root interrupt controller */
    void (*console_write)(const char *text, size_t length); /* log sink; must not log */
    uint64_t (*counter)(void); /* a better time source than the arch's */
    uint64_t counter_hz;
    void (*wake_at)(uint64_t due); /* an interrupt at bb_time() >= due; BB_FOREVER: none */
    void (*power_off)(int status); /* status 0: all is well; returns where it cannot */
    bool (*settling)(void); /* a bus still looks at what was plugged in when the machine started */
};
extern struct bb_hooks bb_hooks;

/* The time source changes: keeps bb_time() monotonic across the switch. */
void bb_time_source(uint64_t (*counter)(void), uint64_t hz);
/* Called by the arch's exception entry with interrupts masked. */
void bb_interrupt_entry(void);
/* Sets the device at work, for panics; returns the one before, to be set again after. */
struct bb_device *bb_device_enter(struct bb_device *device);
static inline void bb_device_leave(struct bb_device *previous)
{
    (void)bb_device_enter(previous);
}
/* Writes to the consoles, or the early console where there are none. Never to the log. */
void bb_panic_print(const char *format, ...) BB_PRINTF(1, 2);
/* Exceptions end here after a message; prints state, then powers off. Re-entered, it halts. */
BB_NORETURN void bb_panic_exception(const char *what, uint64_t fault_address, bool has_address);

#endif
