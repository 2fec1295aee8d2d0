/* SPDX-License-Identifier: BSD-2-Clause */
/* CLOCK_MONOTONIC of a Linux process (clock_gettime(2)), in nanoseconds. */
#include <time.h>

#include <busbar/mmio.h>
#include <busbar/timer.h>

struct host {
    struct bb_device device;
    struct bb_timer timer;
    struct bb_resource wake;
};

static uint64_t host_count(struct bb_timer *timer)
{
    struct timespec now;
    (void)timer;
    bb_host_interrupts(); /* so a loop that only looks at the time is interrupted as well */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BB_SEC + (uint64_t)now.tv_nsec;
}

static void host_fired(void *context)
{
    bb_timer_fired(context);
}

static void host_arm(struct bb_timer *timer, uint64_t ticks)
{
    bb_host_wake_at(ticks, host_fired, timer);
}

static void host_release(struct bb_resource *resource)
{
    (void)resource;
    bb_host_wake_at(UINT64_MAX, NULL, NULL);
}

static int host_probe(struct bb_device *device)
{
    struct host *host = (struct host *)device;
    host->timer.hz = BB_SEC;
    return bb_acquire(device, &host->wake, "wake-up time", host_release);
}

const struct bb_timer_ops bb_ops_timer_host = {
    .count = host_count,
    .arm = host_arm,
};

BB_DRIVER(timer, host, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-timer"}),
          .probe = host_probe);
