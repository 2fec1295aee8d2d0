/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running deferred work and timers, and sleeping in between. Each bb_poll() is a round, and runs
 * what was queued before it began: so each runs once, however often it queues itself again. A
 * bb_poll() inside a callback is a later round, which passes over what runs at that moment.
 */
#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/poll.h>

#include "core.h"

struct bb_hooks bb_hooks;
uint64_t bb_asleep;

static struct bb_work *queue, **queue_end; /* its last link, while there is any work */
static struct bb_timer_event *timers;      /* by time due */
static uint32_t rounds;

void bb_work_queue(struct bb_work *work)
{
    uintptr_t state = bb_arch_irq_save();
    if (!work->queued) {
        work->queued = true;
        work->round = rounds;
        work->next = NULL;
        *(queue ? queue_end : &queue) = work;
        queue_end = &work->next;
    }
    bb_arch_irq_restore(state);
}

static void unlink_work(struct bb_work **at)
{
    struct bb_work *work = *at;
    *at = work->next;
    work->queued = false;
    if (queue_end == &work->next)
        queue_end = at;
}

static void drop_work(const struct bb_work *work, const struct bb_device *device)
{
    uintptr_t state = bb_arch_irq_save();
    for (struct bb_work **at = &queue; *at;) {
        if (*at == work || (device && (*at)->device == device))
            unlink_work(at);
        else
            at = &(*at)->next;
    }
    bb_arch_irq_restore(state);
}

static void drop_timers(const struct bb_timer_event *event, const struct bb_device *device)
{
    for (struct bb_timer_event **at = &timers; *at;) {
        bool drop = *at == event || (device && (*at)->device == device);
        (*at)->armed = !drop;
        if (drop)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

void bb_work_cancel(struct bb_work *work)
{
    if (work->queued)
        drop_work(work, NULL);
}

void bb_timer_event_cancel(struct bb_timer_event *event)
{
    if (event->armed)
        drop_timers(event, NULL);
}

void bb_poll_forget(const struct bb_device *device)
{
    drop_work(NULL, device);
    drop_timers(NULL, device);
}

void bb_timer_event_at(struct bb_timer_event *event, uint64_t due)
{
    bb_timer_event_cancel(event);
    struct bb_timer_event **at = &timers;
    while (*at && (*at)->due <= due)
        at = &(*at)->next;
    event->due = due;
    event->armed = true;
    event->round = rounds;
    event->next = *at;
    *at = event;
}

/* In this round or one inside it. Only rounds that run now are compared: wrapping does no harm. */
static bool is_new(uint32_t queued, uint32_t round)
{
    return queued - round <= rounds - round;
}

/* Takes the oldest work of an earlier round, passing over what runs now. */
static struct bb_work *take_work(uint32_t round)
{
    uintptr_t state = bb_arch_irq_save();
    struct bb_work **at = &queue;
    while (*at && ((*at)->running || is_new((*at)->round, round)))
        at = &(*at)->next;
    struct bb_work *work = *at;
    if (work)
        unlink_work(at);
    bb_arch_irq_restore(state);
    return work;
}

static struct bb_timer_event *take_timer(uint32_t round, uint64_t now)
{
    struct bb_timer_event *event = timers;
    while (event && (event->running || is_new(event->round, round)))
        event = event->next;
    if (!event || event->due > now)
        return NULL;
    bb_timer_event_cancel(event);
    return event;
}

#define RUN(item)                                                                                  \
    do {                                                                                           \
        struct bb_device *device = (item)->device, *previous = bb_device_enter(device);            \
        uint16_t none = 0, *calls = device ? &device->calls : &none;                               \
        (*calls)++, (item)->running = true;                                                        \
        (item)->run(item);                                                                         \
        (*calls)--, (item)->running = false;                                                       \
        bb_device_leave(previous);                                                                 \
    } while (0)

bool bb_poll(void)
{
    BB_ASSERT(!bb_arch_in_interrupt());
    bool ran = false;
    uint32_t round = ++rounds;
    uint64_t now = timers ? bb_time() : 0;
    bb_log_show();
    for (struct bb_work *work; (work = take_work(round)); ran = true)
        RUN(work);
    for (struct bb_timer_event *event; (event = take_timer(round, now)); ran = true)
        RUN(event);
    return ran;
}

/* The test comes with interrupts masked, and a masked interrupt still ends the wait: so whatever
 * an interrupt does after the test also wakes. True when the condition held: it may have taken what
 * it found, and is not asked again. */
static bool idle(bool (*done)(void *context), void *context, uint64_t deadline)
{
    uintptr_t state = bb_arch_irq_save();
    const struct bb_work *work = queue;
    while (work && work->running)
        work = work->next;
    const struct bb_timer_event *event = timers;
    while (event && event->running)
        event = event->next;
    uint64_t due = event && event->due < deadline ? event->due : deadline;
    bool held = !work && done && done(context);
    if (!work && !held && due > bb_time()) {
        if (bb_hooks.wake_at)
            bb_hooks.wake_at(due);
        uint64_t before = bb_arch_counter();
        if (bb_hooks.wake_at || due == BB_FOREVER)
            bb_arch_wait();
        bb_asleep += bb_arch_counter() - before;
    }
    bb_arch_irq_restore(state);
    return held;
}

int bb_wait(bool (*done)(void *context), void *context, uint64_t timeout)
{
    uint64_t now = bb_time();
    uint64_t deadline = timeout < BB_FOREVER - now ? now + timeout : BB_FOREVER;
    for (;;) {
        bb_poll();
        if (done && done(context))
            return 0;
        if (deadline != BB_FOREVER && bb_time() >= deadline)
            return done ? -ETIMEDOUT : 0;
        if (idle(done, context, deadline))
            return 0;
    }
}

void bb_interrupt_entry(void)
{
    if (!bb_hooks.interrupt) /* nothing could make it quiet again */
        bb_panic("an interrupt came, and no interrupt controller runs");
    bb_hooks.interrupt();
}
