/* SPDX-License-Identifier: BSD-2-Clause */
/* Real-time clocks: reading, setting, the one alarm. */
#include "conformance.h"

#include <busbar/rtc.h>

struct alarm {
    struct bb_rtc *rtc;
    unsigned calls;
};

static void alarm_called(struct bb_rtc *rtc, void *context)
{
    struct alarm *alarm = context;
    alarm->calls += alarm->rtc == rtc;
}

static bool was_called(void *context)
{
    const struct alarm *alarm = context;
    return alarm->calls > 0;
}

static int64_t now_of(struct bb_rtc *rtc)
{
    int64_t now = -1;
    return bb_rtc_get_time(rtc, &now) == 0 ? now : -1;
}

static void check_get(struct conformance *run, struct bb_rtc *rtc)
{
    int64_t first = now_of(rtc);
    bb_check(run, first >= 0, "the time can be read");
    bb_sleep(1100 * BB_MSEC);
    int64_t later = now_of(rtc);
    bb_check(run, later > first && later <= first + 3, "a second later it is a second later");
}

static void check_set(struct conformance *run, struct bb_rtc *rtc)
{
    static const int64_t times[] = {1, 86399, 951782400, 2147483647};
    int64_t before = now_of(rtc);
    uint64_t started = bb_time();

    if (bb_rtc_set_time(rtc, before) == -ENOTSUP) {
        bb_skip(run, "it cannot be set");
        return;
    }
    for (size_t i = 0; i < BB_ARRAY_SIZE(times); i++) {
        bb_check(run, bb_rtc_set_time(rtc, times[i]) == 0, "the time can be set");
        int64_t now = now_of(rtc);
        bb_check(run, now >= times[i] && now <= times[i] + 2, "what was set is read back");
    }
    bb_check(run, bb_rtc_set_time(rtc, INT64_MAX) == -ERANGE, "the end of time is out of range");
    bb_check(run, bb_rtc_set_time(rtc, INT64_MIN) == -ERANGE, "so is its beginning");
    int64_t passed = (int64_t)((bb_time() - started) / BB_SEC);
    bb_check(run, bb_rtc_set_time(rtc, before + passed) == 0, "the old time can be set again");
}

static void check_alarm(struct conformance *run, struct bb_rtc *rtc)
{
    struct alarm alarm = {.rtc = rtc};
    int64_t at = now_of(rtc) + 2;
    int error = bb_rtc_set_alarm(rtc, at, alarm_called, &alarm);

    if (error == -ENOTSUP) {
        bb_skip(run, "it has no alarm");
        return;
    }
    bb_check(run, error == 0, "an alarm can be set");
    bb_check(run, bb_wait(was_called, &alarm, 4 * BB_SEC) == 0, "it goes off");
    bb_check(run, now_of(rtc) >= at, "it does not go off early");
    bb_sleep(1500 * BB_MSEC);
    bb_check(run, alarm.calls == 1, "it goes off once");

    bb_check(run, bb_rtc_set_alarm(rtc, now_of(rtc) + 2, alarm_called, &alarm) == 0,
             "another one can be set");
    bb_check(run, bb_rtc_set_alarm(rtc, 0, NULL, NULL) == 0, "and disarmed");
    bb_sleep(3 * BB_SEC);
    bb_check(run, alarm.calls == 1, "a disarmed alarm stays quiet");
    bb_check(run, bb_rtc_set_alarm(rtc, INT64_MAX, alarm_called, &alarm) == -ERANGE,
             "an alarm at the end of time is out of range");
    (void)bb_rtc_set_alarm(rtc, 0, NULL, NULL);
}

static void check_jump(struct conformance *run, struct bb_rtc *rtc)
{
    struct alarm alarm = {.rtc = rtc};
    int64_t before = now_of(rtc);
    uint64_t started = bb_time();

    if (bb_rtc_set_time(rtc, before) == -ENOTSUP ||
        bb_rtc_set_alarm(rtc, before + 100, alarm_called, &alarm) == -ENOTSUP) {
        bb_skip(run, "it cannot be set, or has no alarm");
        return;
    }
    bb_check(run, bb_rtc_set_time(rtc, before + 50) == 0, "the time can be set below the alarm");
    bb_poll();
    bb_check(run, alarm.calls == 0, "that does not set the alarm off");
    bb_check(run, bb_rtc_set_time(rtc, before + 200) == 0, "the time can be set past the alarm");
    bb_check(run, bb_wait(was_called, &alarm, 2 * BB_SEC) == 0, "that sets the alarm off");
    bb_sleep(1100 * BB_MSEC);
    bb_check(run, alarm.calls == 1, "and once only");
    (void)bb_rtc_set_alarm(rtc, 0, NULL, NULL);
    (void)bb_rtc_set_time(rtc, before + (int64_t)((bb_time() - started) / BB_SEC));
}

static void run_rtc(struct conformance *run, struct bb_face *face)
{
    struct bb_rtc *rtc = bb_container_of(face, struct bb_rtc, face);

    check_get(run, rtc);
    check_set(run, rtc);
    check_alarm(run, rtc);
    check_jump(run, rtc);
}

const struct conformance_suite conformance_rtc = {"rtc", &bb_class_rtc, run_rtc};
