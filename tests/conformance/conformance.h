/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conformance: what every driver of a subsystem must do, whatever its chip. The same source runs in
 * a unit test on register models and, as the application `conformance`, on emulated or real
 * hardware. A suite leaves its device as it found it.
 *
 *     static void check_get(struct conformance *run, struct bb_rtc *rtc)
 *     {
 *         int64_t now;
 *         bb_check(run, bb_rtc_get_time(rtc, &now) == 0, "the time can be read");
 *     }
 */
#ifndef TESTS_CONFORMANCE_CONFORMANCE_H
#define TESTS_CONFORMANCE_CONFORMANCE_H

#include <busbar/device.h>

struct conformance {
    unsigned passed, failed, skipped;
    const char *suite;  /* "rtc" */
    const char *device; /* the one under test */
    uint64_t late; /* ns after which an interrupt will not come any more; 0: 1 s, as an emulator on
                    * a busy machine stands still for a while */
    /* What only a model can do; NULL elsewhere, and then skipped. */
    void (*type)(void *context, const struct bb_face *console, char c);
    void *context;
};

/* Counts, and prints a line when the condition does not hold. Returns the condition. */
bool bb_check(struct conformance *run, bool condition, const char *text);
/* The hardware cannot do this part. */
void bb_skip(struct conformance *run, const char *text);

/* One suite: all that a face of the class must do. */
struct conformance_suite {
    const char *name;
    const struct bb_class *class;
    void (*run)(struct conformance *run, struct bb_face *face);
};

extern const struct conformance_suite conformance_block, conformance_board, conformance_clock,
    conformance_console, conformance_display, conformance_entropy, conformance_firmware,
    conformance_gpio, conformance_input, conformance_irq, conformance_mailbox, conformance_net,
    conformance_power_domain, conformance_rtc, conformance_thermal, conformance_timer;

uint64_t conformance_late(const struct conformance *run);

/* Runs every suite on every face that is there, and adds to the counts. */
void conformance_run(struct conformance *run);

#endif
