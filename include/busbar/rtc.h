/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real-time clocks: seconds since 1970-01-01 00:00:00 UTC, and calendar arithmetic (proleptic
 * Gregorian, no leap seconds, as POSIX time).
 *
 *     struct bb_rtc *rtc = bb_rtc_first(); // NULL: this machine has none
 *     int64_t now;
 *     if (rtc && bb_rtc_get_time(rtc, &now) == 0) ...
 */
#ifndef BUSBAR_RTC_H
#define BUSBAR_RTC_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/poll.h>

struct bb_rtc {
    struct bb_face face;
    struct bb_work alarm_work; /* belongs to the subsystem */
    void (*alarm)(struct bb_rtc *rtc, void *context);
    void *alarm_context;
};

struct bb_rtc_ops {
    /* -EIO when the hardware does not answer. Thread context. */
    int (*get_time)(struct bb_rtc *rtc, int64_t *seconds);
    /* -ERANGE for a time that the chip cannot hold. Thread context. NULL: read-only clock. */
    int (*set_time)(struct bb_rtc *rtc, int64_t seconds);
    /* Arms the one alarm, or disarms it with `seconds` < 0; the driver calls bb_rtc_alarm_fired().
     * -ERANGE as above. NULL: the chip has none. */
    int (*set_alarm)(struct bb_rtc *rtc, int64_t seconds);
};

BB_CLASS_FINDERS(rtc)

#ifndef BB_BOUND_RTC
#define BB_BOUND_RTC (*(const struct bb_rtc_ops *)rtc->face.ops)
#endif

static inline int bb_rtc_get_time(struct bb_rtc *rtc, int64_t *seconds)
{
    return BB_BOUND_RTC.get_time(rtc, seconds);
}
static inline int bb_rtc_set_time(struct bb_rtc *rtc, int64_t seconds)
{
    return BB_BOUND_RTC.set_time ? BB_BOUND_RTC.set_time(rtc, seconds) : -ENOTSUP;
}

/* Calls `alarm` once from bb_poll(), at `seconds` or just after; replaces an earlier alarm. NULL
 * disarms. -ENOTSUP where the chip has none. */
int bb_rtc_set_alarm(struct bb_rtc *rtc, int64_t seconds,
                     void (*alarm)(struct bb_rtc *rtc, void *context), void *context);
/* Wall time: seconds since 1970-01-01 UTC, from the first RTC when first asked, and monotonic time
 * from there on. -ENODEV when neither an RTC nor bb_wall_set() has told it. Setting it (from SNTP,
 * by hand) does not write the RTC. Thread context. */
int bb_wall_time(int64_t *seconds);
void bb_wall_set(int64_t seconds);

/* For drivers: the alarm went off. Interrupt context. */
void bb_rtc_alarm_fired(struct bb_rtc *rtc);

struct bb_date {
    int32_t year;    /* 1970 = 1970 */
    uint8_t month;   /* 1 to 12 */
    uint8_t day;     /* 1 to 31 */
    uint8_t hour;    /* 0 to 23 */
    uint8_t minute;  /* 0 to 59 */
    uint8_t second;  /* 0 to 59 */
    uint8_t weekday; /* 0 = Sunday; ignored by bb_date_to_seconds() */
};

/* Exact for the years 1 to 9999. Every context. */
void bb_date_from_seconds(int64_t seconds, struct bb_date *date);
/* -EINVAL for a date that the calendar does not have. */
int bb_date_to_seconds(const struct bb_date *date, int64_t *seconds);

#endif
