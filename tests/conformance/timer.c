/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers: the counter, and the one compare. The timer under test may be the source of bb_time(),
 * which arms it for every sleep; so nothing here sleeps while it is armed. */
#include "conformance.h"

#include <busbar/timer.h>

static volatile unsigned fired;

static void on_fired(struct bb_timer *timer)
{
    (void)timer;
    fired++;
}

static void spin(uint64_t ns)
{
    uint64_t end = bb_time() + ns;

    while (bb_time() < end && !fired)
        ;
}

static void check_count(struct conformance *run, struct bb_timer *timer)
{
    uint64_t previous = bb_timer_count(timer);
    bool back = false;

    for (unsigned i = 0; i < 5000; i++) {
        uint64_t count = bb_timer_count(timer);
        back |= count < previous;
        previous = count;
    }
    bb_check(run, !back, "the count never goes back");

    uint64_t time = bb_time(), first = bb_timer_count(timer);
    fired = 0;
    spin(50 * BB_MSEC);
    uint64_t ticks = bb_timer_count(timer) - first;
    uint64_t expected = bb_ns_to_ticks(bb_time() - time, timer->hz);
    bb_check(run, timer->hz >= 1 && timer->hz <= 10000000000ull, "its rate is sensible");
    bb_check(run, ticks + expected / 50 + 2 >= expected && ticks <= expected + expected / 50 + 2,
             "it counts at its rate");
}

/* Arms for 10 ms from now, and at once again for `ticks`. An emulator may be kept from running for
 * longer than that in between: then it is done again. */
static void rearm(struct bb_timer *timer, uint64_t ticks)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        uint64_t began = bb_time();
        bb_timer_arm(timer, bb_timer_count(timer) + timer->hz / 100);
        bb_timer_arm(timer, ticks);
        if (bb_time() - began < 5 * BB_MSEC)
            break;
    }
    fired = 0;
}

static void check_arm(struct conformance *run, struct bb_timer *timer)
{
    uint64_t late = conformance_late(run);

    fired = 0;
    bb_timer_arm(timer, bb_timer_count(timer));
    spin(late);
    bb_check(run, fired == 1, "a compare that is due fires at once");

    fired = 0;
    bb_timer_arm(timer, 0);
    spin(late);
    bb_check(run, fired == 1, "so does one long past");

    fired = 0;
    uint64_t due = bb_timer_count(timer) + timer->hz / 100;
    bb_timer_arm(timer, due);
    spin(late);
    bb_check(run, fired == 1 && bb_timer_count(timer) >= due, "one in 10 ms fires, and not early");
    fired = 0;
    spin(20 * BB_MSEC);
    bb_check(run, fired == 0, "and only once");

    rearm(timer, bb_timer_count(timer) + 10 * timer->hz);
    spin(30 * BB_MSEC);
    bb_check(run, fired == 0, "a new compare replaces the old one");

    rearm(timer, UINT64_MAX);
    spin(30 * BB_MSEC);
    bb_check(run, fired == 0, "a disarmed one does not fire");
}

static void run_timer(struct conformance *run, struct bb_face *face)
{
    struct bb_timer *timer = bb_container_of(face, struct bb_timer, face);
    void (*before)(struct bb_timer * timer) = timer->fired;

    check_count(run, timer);
    timer->fired = on_fired;
    check_arm(run, timer);
    timer->fired = before;
}

const struct conformance_suite conformance_timer = {"timer", &bb_class_timer, run_timer};
