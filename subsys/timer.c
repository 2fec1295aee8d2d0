/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware timers: one of them is the source of time and wakes the program up. */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/log.h>
#include <busbar/poll.h>
#include <busbar/timer.h>

static struct bb_face_list timers;
static struct bb_timer *source;

static uint64_t removed_count(struct bb_timer *timer)
{
    (void)timer;
    return 0;
}

static void removed_arm(struct bb_timer *timer, uint64_t ticks)
{
    (void)timer, (void)ticks;
}

static const struct bb_timer_ops removed = {
    .count = removed_count,
    .arm = removed_arm,
};

void bb_timer_fired(struct bb_timer *timer)
{
    /* The interrupt itself ends the WFI of bb_wait(), which then looks at the time. */
    if (timer->fired)
        timer->fired(timer);
}

static uint64_t source_count(void)
{
    return bb_timer_count(source);
}

static void wake_at(uint64_t due)
{
    if (due == BB_FOREVER) {
        bb_timer_arm(source, UINT64_MAX);
        return;
    }
    /* Time is read before the count: the sum then never falls short of `due`. */
    uint64_t now = bb_time();
    uint64_t ticks = due > now ? bb_ns_to_ticks(due - now, source->hz) : 0;
    uint64_t count = bb_timer_count(source);
    bb_timer_arm(source, ticks < UINT64_MAX - count ? count + ticks : UINT64_MAX);
}

static bool has_source(void)
{
    struct bb_timer *timer = bb_timer_first();
    while (timer && timer != source)
        timer = bb_timer_next(timer);
    return timer;
}

static void use(struct bb_timer *timer)
{
    if (has_source())
        bb_timer_arm(source, UINT64_MAX);
    /* By way of the architecture's counter: source_count() cannot read the old one and the new. */
    if (bb_hooks.counter == source_count)
        bb_time_source(bb_arch_counter, bb_arch_counter_hz());
    source = timer;
    bb_time_source(source_count, timer->hz);
    bb_hooks.wake_at = wake_at;
}

static bool is_named(const struct bb_device *device)
{
    const char *name = bb_param_get("timer");
    return name && (strcmp(device->name, name) == 0 || bb_node_find(name) == device->node);
}

/* With the first poll, when all are there that the tree describes. */
static void tell_wrong_name(struct bb_work *work)
{
    struct bb_timer *timer = bb_timer_first();
    (void)work;
    while (timer && !is_named(timer->face.device))
        timer = bb_timer_next(timer);
    if (!timer)
        bb_print(BB_INFO, "timer=%s names no timer: %s is used", bb_param_get("timer"),
                 has_source() ? source->face.device->name : "none");
}
static struct bb_work wrong_name; /* all zero at start: an image then has no page of data */

static int timer_notify(struct bb_face *face, bool running)
{
    struct bb_timer *timer = bb_container_of(face, struct bb_timer, face);
    if (running) {
        if (timer->hz == 0 || timer->hz > 10000000000ull)
            return bb_fail(face->device, "frequency", -EINVAL);
        static bool told;
        wrong_name.run = tell_wrong_name;
        if (bb_param_get("timer") && !told)
            bb_work_queue(&wrong_name);
        told = true;
        if (!has_source() || timer == source || is_named(face->device))
            use(timer);
        return 0;
    }
    if (timer != source)
        return 0;
    if (bb_timer_first()) {
        use(bb_timer_first());
        return 0;
    }
    bb_hooks.wake_at = NULL;
    bb_time_source(bb_arch_counter, bb_arch_counter_hz());
    source = NULL;
    return 0;
}

const struct bb_class bb_class_timer = {
    .name = "timer",
    .removed = &removed,
    .list = &timers,
    .notify = timer_notify,
};
