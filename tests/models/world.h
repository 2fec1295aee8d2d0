/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world that register models live in: time that moves only when the code under test looks at it
 * or sleeps, one CPU with its timer, and the wires between chips. A test is the same on every run.
 */
#ifndef TESTS_MODELS_WORLD_H
#define TESTS_MODELS_WORLD_H

#include <busbar/arch.h>
#include <busbar/base.h>

/* A wire from a chip's output to somebody's input; all zero goes nowhere. */
struct wire {
    void (*set)(void *context, unsigned number, bool level);
    void *context;
    unsigned number;
};
void wire_set(const struct wire *wire, bool level);

/* Something that happens by itself at a moment. */
struct world_event {
    void (*run)(void *context);
    void *context;
    uint64_t due;
    struct world_event *next;
    bool armed;
};

/* Ends the test: prints who found what. */
BB_NORETURN void world_fail(const char *who, const char *format, ...) BB_PRINTF(2, 3);

/* Fills bb_host_cpu: a counter at `hz`, the virtual timer on world_timer, sleep that moves time. */
void world_start(uint64_t hz);
uint64_t world_now(void); /* nanoseconds */
void world_advance(uint64_t ns);
void world_at(struct world_event *event, uint64_t due);
void world_cancel(struct world_event *event);

/* The CPU's interrupt input, and the output of its generic timer. */
void world_interrupt(void *context, unsigned number, bool level);
extern struct wire world_timer;
bool world_timer_armed(void);

/* Where the machine went when it was switched off or reset: the wait that never returns ends. */
enum world_end { WORLD_RUNS, WORLD_OFF, WORLD_RESET, WORLD_EXIT };
/* Runs `body`, which must end the machine; returns how, and its status. */
enum world_end world_run_to_end(void (*body)(void *context), void *context, int *status);
BB_NORETURN void world_ends(enum world_end how, int status);

#endif
