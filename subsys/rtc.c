/* SPDX-License-Identifier: BSD-2-Clause */
/* Real-time clocks: alarms in thread context, wall time, calendar arithmetic. */
#include <busbar/rtc.h>

static struct bb_face_list rtcs;

static struct {
    int64_t seconds; /* wall time when bb_time() was `at` */
    uint64_t at;
    bool set;
} wall;

static int removed_get_time(struct bb_rtc *rtc, int64_t *seconds)
{
    (void)rtc, (void)seconds;
    return -ENODEV;
}

static int removed_set(struct bb_rtc *rtc, int64_t seconds)
{
    (void)rtc, (void)seconds;
    return -ENODEV;
}

static const struct bb_rtc_ops removed = {
    .get_time = removed_get_time,
    .set_time = removed_set,
    .set_alarm = removed_set,
};

int bb_rtc_set_alarm(struct bb_rtc *rtc, int64_t seconds,
                     void (*alarm)(struct bb_rtc *rtc, void *context), void *context)
{
    if (!BB_BOUND_RTC.set_alarm)
        return -ENOTSUP;
    /* The earlier alarm must be gone before its callback changes: it may go off right now. */
    int error = BB_BOUND_RTC.set_alarm(rtc, -1);
    bb_work_cancel(&rtc->alarm_work);
    rtc->alarm = NULL;
    if (error || !alarm)
        return error;
    rtc->alarm = alarm;
    rtc->alarm_context = context;
    error = BB_BOUND_RTC.set_alarm(rtc, seconds < 0 ? 0 : seconds);
    if (error)
        rtc->alarm = NULL;
    return error;
}

void bb_rtc_alarm_fired(struct bb_rtc *rtc)
{
    bb_work_queue(&rtc->alarm_work);
}

static void run_alarm(struct bb_work *work)
{
    struct bb_rtc *rtc = bb_container_of(work, struct bb_rtc, alarm_work);
    void (*alarm)(struct bb_rtc * rtc, void *context) = rtc->alarm;
    rtc->alarm = NULL;
    if (alarm)
        alarm(rtc, rtc->alarm_context);
}

int bb_wall_time(int64_t *seconds)
{
    struct bb_rtc *rtc = bb_rtc_first();
    int64_t now;
    if (!wall.set) {
        if (!rtc || bb_rtc_get_time(rtc, &now) < 0)
            return -ENODEV;
        bb_wall_set(now);
    }
    *seconds = (int64_t)((uint64_t)wall.seconds + (bb_time() - wall.at) / BB_SEC);
    return 0;
}

void bb_wall_set(int64_t seconds)
{
    wall.seconds = seconds;
    wall.at = bb_time();
    wall.set = true;
}

static int rtc_notify(struct bb_face *face, bool running)
{
    struct bb_rtc *rtc = bb_container_of(face, struct bb_rtc, face);
    rtc->alarm = NULL;
    if (running) {
        rtc->alarm_work.run = run_alarm; /* it may be queued already: an alarm from before */
        rtc->alarm_work.device = face->device;
    } else {
        bb_work_cancel(&rtc->alarm_work);
    }
    return 0;
}

const struct bb_class bb_class_rtc = {
    .name = "rtc",
    .removed = &removed,
    .list = &rtcs,
    .notify = rtc_notify,
};

enum {
    DAY = 86400,
    DAYS_IN_ERA = 146097, /* the calendar repeats after 400 years */
    EPOCH = 719468,       /* days from 0000-03-01 to 1970-01-01 */
};

/*
 * Years are counted from 1 March here: the leap day is then the last day of a year, and the months
 * before it follow one rule, 153 days in five months.
 */
void bb_date_from_seconds(int64_t seconds, struct bb_date *date)
{
    int64_t days = seconds / DAY;
    int32_t rest = (int32_t)(seconds % DAY);
    if (rest < 0) {
        rest += DAY;
        days--;
    }
    int32_t weekday = (int32_t)((days + 4) % 7); /* the first day was a Thursday */
    days += EPOCH;
    int64_t era = (days >= 0 ? days : days - (DAYS_IN_ERA - 1)) / DAYS_IN_ERA;
    int32_t day = (int32_t)(days - era * DAYS_IN_ERA); /* 0 to 146096 */
    int32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int32_t month = (5 * day + 2) / 153; /* 0: March */
    date->day = (uint8_t)(day - (153 * month + 2) / 5 + 1);
    date->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
    date->year = (int32_t)(era * 400) + year + (date->month <= 2);
    date->hour = (uint8_t)(rest / 3600);
    date->minute = (uint8_t)(rest / 60 % 60);
    date->second = (uint8_t)(rest % 60);
    date->weekday = (uint8_t)(weekday < 0 ? weekday + 7 : weekday);
}

static int days_in_month(int32_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int bb_date_to_seconds(const struct bb_date *date, int64_t *seconds)
{
    if (date->year < 1 || date->year > 9999 || date->month < 1 || date->month > 12 ||
        date->day < 1 || date->day > days_in_month(date->year, date->month) || date->hour > 23 ||
        date->minute > 59 || date->second > 59)
        return -EINVAL;
    int32_t year = date->year - (date->month <= 2);
    int32_t month = date->month > 2 ? date->month - 3 : date->month + 9;
    int32_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
                   date->day - 1 - EPOCH;
    *seconds = (int64_t)days * DAY + date->hour * 3600 + date->minute * 60 + date->second;
    return 0;
}
