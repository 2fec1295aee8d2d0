/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running: everything that is not an interrupt handler happens in bb_poll(), in thread context.
 * An interrupt handler acknowledges its hardware and queues work; bb_poll() runs queued work and
 * timers that are due; bb_wait() polls until a condition holds and sleeps (WFI) in between.
 *
 * Work and timers are embedded in their owner's state. One that runs now is never re-entered.
 */
#ifndef BUSBAR_POLL_H
#define BUSBAR_POLL_H

#include <busbar/device.h>
#include <busbar/time.h>

struct bb_work {
    void (*run)(struct bb_work *work);
    struct bb_device *device; /* named by a panic, kept from removal while it runs; may be NULL */
    struct bb_work *next;
    bool queued;
    bool running;
    uint32_t round; /* of bb_poll() in which it was queued: it runs in a later one */
};

/* Queues work once; a second call before it ran does nothing. Every context. */
void bb_work_queue(struct bb_work *work);
/* Takes it out again if it is still queued. Thread context. */
void bb_work_cancel(struct bb_work *work);

struct bb_timer_event {
    void (*run)(struct bb_timer_event *event);
    struct bb_device *device; /* as above */
    uint64_t due;             /* bb_time() at which it runs */
    struct bb_timer_event *next;
    bool armed;
    bool running;
    uint32_t round; /* as above */
};

/* Runs `event` at or after `due`. Arming an armed one moves it. Thread context. */
void bb_timer_event_at(struct bb_timer_event *event, uint64_t due);
void bb_timer_event_cancel(struct bb_timer_event *event);

/* Runs what is due now, each once. True when something ran. */
bool bb_poll(void);
/* Polls until done(context) is true or `timeout` nanoseconds passed (BB_FOREVER: no bound),
 * sleeping in between. 0, or -ETIMEDOUT. `done` may be NULL to wait for the time alone. Thread
 * context. */
int bb_wait(bool (*done)(void *context), void *context, uint64_t timeout);
static inline void bb_sleep(uint64_t ns)
{
    (void)bb_wait(NULL, NULL, ns);
}

#endif
