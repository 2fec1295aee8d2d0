/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual time, one CPU with its generic timer (ARM DDI 0487, D11), and wires. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <busbar/time.h>

enum { ENABLE = 1, IMASK = 2, ISTATUS = 4 };

/* Between two looks at the counter a real CPU takes time too; so a polling loop ends. */
#define LOOK_NS 200
#define MAX_STORM 1000
/* A sleep with nothing to wake it would be for ever. */
#define MAX_SLEEP (3600 * BB_SEC)

static struct {
    uint64_t now;
    uint64_t hz;
    uint64_t compare;
    uint32_t control;
    bool line, timer_line;
    unsigned storm;             /* interrupts taken since the line was last down */
    struct world_event *events; /* by due time */
    jmp_buf end;
    bool ending;
    enum world_end how;
    int status;
} world;

struct wire world_timer;

void wire_set(const struct wire *wire, bool level)
{
    if (wire->set)
        wire->set(wire->context, wire->number, level);
}

void world_fail(const char *who, const char *format, ...)
{
    char text[300];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fail_msg("%s: %s", who, text);
    __builtin_unreachable();
}

static uint64_t ticks(void)
{
    return (uint64_t)((unsigned __int128)world.now * world.hz / BB_SEC);
}

static uint64_t ns_of_tick(uint64_t tick)
{
    unsigned __int128 ns = ((unsigned __int128)tick * BB_SEC + world.hz - 1) / world.hz;
    return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

static void timer_update(void)
{
    bool level = (world.control & (ENABLE | IMASK)) == ENABLE && ticks() >= world.compare;
    if (level != world.timer_line) {
        world.timer_line = level;
        wire_set(&world_timer, level);
    }
}

/* The next moment at which something happens by itself. */
static uint64_t next_due(void)
{
    uint64_t due = world.events ? world.events->due : UINT64_MAX;
    if ((world.control & (ENABLE | IMASK)) == ENABLE && !world.timer_line) {
        uint64_t fires = ns_of_tick(world.compare);
        due = fires < due ? fires : due;
    }
    return due;
}

void world_advance(uint64_t ns)
{
    uint64_t target = world.now + ns;

    while (next_due() <= target) {
        uint64_t due = next_due();
        if (due > world.now)
            world.now = due;
        timer_update();
        if (world.events && world.events->due <= world.now) {
            struct world_event *event = world.events;
            world.events = event->next;
            event->armed = false;
            event->run(event->context);
        }
    }
    if (target > world.now)
        world.now = target;
    timer_update();
}

uint64_t world_now(void)
{
    return world.now;
}

void world_cancel(struct world_event *event)
{
    for (struct world_event **at = &world.events; event->armed && *at; at = &(*at)->next) {
        if (*at == event) {
            *at = event->next;
            event->armed = false;
            return;
        }
    }
}

void world_at(struct world_event *event, uint64_t due)
{
    struct world_event **at = &world.events;

    world_cancel(event);
    while (*at && (*at)->due <= due)
        at = &(*at)->next;
    event->due = due;
    event->next = *at;
    event->armed = true;
    *at = event;
}

/* The line is a level: while it is up and nothing masks it, the CPU takes interrupts. */
static void take_interrupts(void)
{
    uintptr_t masked = bb_arch_irq_save();

    if (!masked && world.line && !bb_arch_in_interrupt()) {
        if (++world.storm > MAX_STORM)
            world_fail("cpu", "an interrupt comes again and again: its cause is never cleared");
        bb_host_raise_interrupt(); /* taken by what follows */
    }
    bb_arch_irq_restore(masked);
}

void world_interrupt(void *context, unsigned number, bool level)
{
    (void)context;
    (void)number;
    bool rises = level && !world.line;
    world.line = level;
    if (!level)
        world.storm = 0;
    if (rises)
        bb_host_raise_interrupt();
}

static uint64_t cpu_counter(void *context)
{
    (void)context;
    world_advance(LOOK_NS);
    uint64_t now = ticks(); /* an interrupt comes before or after, not in between */
    take_interrupts();
    return now;
}

static void cpu_timer_compare(void *context, uint64_t compare)
{
    (void)context;
    world.compare = compare;
    timer_update();
}

static void cpu_timer_control(void *context, uint32_t control)
{
    (void)context;
    if (control & ~(uint32_t)(ENABLE | IMASK))
        world_fail("timer", "CNTV_CTL_EL0 = %#x sets bits that cannot be written", control);
    world.control = control;
    timer_update();
}

static uint32_t cpu_timer_status(void *context)
{
    (void)context;
    if (!(world.control & ENABLE))
        return world.control; /* ISTATUS is unknown while the timer is off; 0 is one value of it */
    return world.control | (ticks() >= world.compare ? ISTATUS : 0);
}

static void cpu_wait(void *context)
{
    (void)context;
    if (!world.line) {
        uint64_t due = next_due();
        if (due == UINT64_MAX)
            due = world.now + MAX_SLEEP;
        world_advance(due > world.now ? due - world.now : LOOK_NS);
    }
    if (world.line)
        bb_host_raise_interrupt();
}

static void cpu_semihosting_exit(void *context, int status)
{
    (void)context;
    world_ends(WORLD_EXIT, status);
}

bool world_timer_armed(void)
{
    return (world.control & (ENABLE | IMASK)) == ENABLE && world.compare != UINT64_MAX;
}

void world_start(uint64_t hz)
{
    world.now = 1000 * BB_SEC; /* not 0: nobody may think that time starts with the program */
    world.hz = hz;
    world.compare = 0;
    bb_host_cpu.counter = cpu_counter;
    bb_host_cpu.counter_hz = hz;
    bb_host_cpu.timer_compare = cpu_timer_compare;
    bb_host_cpu.timer_control = cpu_timer_control;
    bb_host_cpu.timer_status = cpu_timer_status;
    bb_host_cpu.semihosting_exit = cpu_semihosting_exit;
    bb_host_cpu.wait = cpu_wait;
    bb_host_cpu.mpidr = 0x80000000;
}

enum world_end world_run_to_end(void (*body)(void *context), void *context, int *status)
{
    world.how = WORLD_RUNS;
    world.ending = true;
    if (setjmp(world.end) == 0)
        body(context);
    world.ending = false;
    if (status)
        *status = world.status;
    return world.how;
}

void world_ends(enum world_end how, int status)
{
    if (!world.ending)
        world_fail("machine", "it was switched off or reset unasked");
    world.how = how;
    world.status = status;
    longjmp(world.end, 1);
}
