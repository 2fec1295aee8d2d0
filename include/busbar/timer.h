/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware timers: a counter that never stops, and one compare interrupt. The first one that runs
 * (or the one that `timer=` names) becomes the source of bb_time() and wakes bb_wait(); programs
 * use <busbar/time.h> and <busbar/poll.h>.
 */
#ifndef BUSBAR_TIMER_H
#define BUSBAR_TIMER_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/time.h>

struct bb_timer {
    struct bb_face face;
    uint64_t hz; /* the driver sets it in probe: 1 to 10^10, constant */
    /* For a test or a second user: called in interrupt context when the compare fires. */
    void (*fired)(struct bb_timer *timer);
};

struct bb_timer_ops {
    uint64_t (*count)(struct bb_timer *timer); /* 64 bits, never goes back. Every context */
    /* Interrupt once when count() >= ticks (at once when it already is); UINT64_MAX disarms.
     * Replaces the earlier compare. A compare register narrower than 64 bits may fire early:
     * harmless. Every context. */
    void (*arm)(struct bb_timer *timer, uint64_t ticks);
};

BB_CLASS_FINDERS(timer)

#ifndef BB_BOUND_TIMER
#define BB_BOUND_TIMER (*(const struct bb_timer_ops *)timer->face.ops)
#endif

static inline uint64_t bb_timer_count(struct bb_timer *timer)
{
    return BB_BOUND_TIMER.count(timer);
}
static inline void bb_timer_arm(struct bb_timer *timer, uint64_t ticks)
{
    BB_BOUND_TIMER.arm(timer, ticks);
}

/* For drivers: the compare fired and is quiet now. Interrupt context. */
void bb_timer_fired(struct bb_timer *timer);

#endif
