/* SPDX-License-Identifier: BSD-2-Clause */
/* CLOCK_REALTIME of a Linux process, its alarm a timer descriptor (timerfd_create(2)). */
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <busbar/mmio.h>
#include <busbar/rtc.h>

#define MAX_SECONDS 253402300799 /* the end of the year 9999 */

struct host_rtc {
    struct bb_device device;
    struct bb_rtc rtc;
    struct bb_resource descriptor;
    int fd;
    int64_t offset; /* to the machine's clock, which is not ours to set */
    int64_t alarm;  /* below 0: none */
};

/* Not time(2), which may lag behind what the alarm goes by. */
static int64_t machine_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static int host_rtc_get_time(struct bb_rtc *rtc, int64_t *seconds)
{
    *seconds = machine_time() + bb_container_of(rtc, struct host_rtc, rtc)->offset;
    return 0;
}

static void host_rtc_expired(void *context)
{
    struct host_rtc *self = context;
    bb_host_unwatch(self->fd);
    self->alarm = -1;
    bb_rtc_alarm_fired(&self->rtc);
}

/* The descriptor is watched while armed only, so that a wait knows that nothing can end it. */
static int host_rtc_set_alarm(struct bb_rtc *rtc, int64_t seconds)
{
    struct host_rtc *self = bb_container_of(rtc, struct host_rtc, rtc);
    struct itimerspec when = {0};
    if (seconds > MAX_SECONDS)
        return -ERANGE;
    bb_host_unwatch(self->fd);
    self->alarm = seconds;
    if (seconds < 0)
        return 0;
    when.it_value.tv_sec = seconds > self->offset ? seconds - self->offset : 1;
    if (timerfd_settime(self->fd, TFD_TIMER_ABSTIME, &when, NULL))
        return -EIO;
    return bb_host_watch(self->fd, host_rtc_expired, self);
}

static int host_rtc_set_time(struct bb_rtc *rtc, int64_t seconds)
{
    struct host_rtc *self = bb_container_of(rtc, struct host_rtc, rtc);
    if (seconds < 0 || seconds > MAX_SECONDS)
        return -ERANGE;
    self->offset = seconds - machine_time();
    return host_rtc_set_alarm(rtc, self->alarm);
}

static void host_rtc_release(struct bb_resource *resource)
{
    struct host_rtc *self = bb_container_of(resource, struct host_rtc, descriptor);
    bb_host_unwatch(self->fd);
    close(self->fd);
}

static int host_rtc_probe(struct bb_device *device)
{
    struct host_rtc *self = (struct host_rtc *)device;
    self->alarm = -1;
    self->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (self->fd < 0)
        return bb_fail(device, "timer descriptor", -EIO);
    int error = bb_acquire(device, &self->descriptor, "timer descriptor", host_rtc_release);
    if (error)
        close(self->fd);
    return error;
}

const struct bb_rtc_ops bb_ops_rtc_host_rtc = {
    .get_time = host_rtc_get_time,
    .set_time = host_rtc_set_time,
    .set_alarm = host_rtc_set_alarm,
};

BB_DRIVER(rtc, host_rtc, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-rtc"}),
          .probe = host_rtc_probe);
