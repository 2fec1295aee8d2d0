/* SPDX-License-Identifier: BSD-2-Clause */
/* Calendar arithmetic, against the C library's. */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <busbar/rtc.h>

#include <cmocka.h>

enum { DAY = 86400 };

static int64_t start_of(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return timegm(&tm);
}

static void same_as_libc(int64_t seconds)
{
    struct tm tm;
    struct bb_date date;
    time_t libc_seconds = seconds;
    int64_t back;
    assert_non_null(gmtime_r(&libc_seconds, &tm));
    bb_date_from_seconds(seconds, &date);
    assert_int_equal(date.year, tm.tm_year + 1900);
    assert_int_equal(date.month, tm.tm_mon + 1);
    assert_int_equal(date.day, tm.tm_mday);
    assert_int_equal(date.hour, tm.tm_hour);
    assert_int_equal(date.minute, tm.tm_min);
    assert_int_equal(date.second, tm.tm_sec);
    assert_int_equal(date.weekday, tm.tm_wday);
    assert_int_equal(bb_date_to_seconds(&date, &back), 0);
    assert_int_equal(back, timegm(&tm));
    assert_int_equal(back, seconds);
}

/* The first second and the last of each day, and one in between that moves along. */
static void every_day(int first_year, int end_year)
{
    int64_t end = start_of(end_year, 1, 1);
    int64_t inside = 0;
    for (int64_t day = start_of(first_year, 1, 1); day < end; day += DAY) {
        same_as_libc(day);
        same_as_libc(day + DAY - 1);
        inside = (inside + 7919) % DAY;
        same_as_libc(day + inside);
    }
}

static void test_every_day_from_1970_to_2200(void **state)
{
    (void)state;
    every_day(1970, 2201);
}

static void test_before_1970(void **state)
{
    (void)state;
    every_day(1890, 1970);
    same_as_libc(-1);
    same_as_libc(-DAY);
    same_as_libc(-DAY - 1);
}

static void test_first_and_last_years(void **state)
{
    (void)state;
    every_day(1, 9);
    every_day(9992, 10000);
    every_day(398, 402);
}

static void test_seconds_of_a_day(void **state)
{
    (void)state;
    int64_t day = start_of(2024, 2, 29);
    for (int64_t second = 0; second < DAY; second++)
        same_as_libc(day + second);
}

static void refused(struct bb_date date)
{
    int64_t seconds = 42;
    assert_int_equal(bb_date_to_seconds(&date, &seconds), -EINVAL);
    assert_int_equal(seconds, 42);
}

static void test_dates_that_do_not_exist(void **state)
{
    (void)state;
    refused((struct bb_date){2023, 2, 29, 0, 0, 0, 0});
    refused((struct bb_date){2100, 2, 29, 0, 0, 0, 0});
    refused((struct bb_date){2024, 2, 30, 0, 0, 0, 0});
    refused((struct bb_date){2024, 4, 31, 0, 0, 0, 0});
    refused((struct bb_date){2024, 0, 1, 0, 0, 0, 0});
    refused((struct bb_date){2024, 13, 1, 0, 0, 0, 0});
    refused((struct bb_date){2024, 255, 1, 0, 0, 0, 0});
    refused((struct bb_date){2024, 1, 0, 0, 0, 0, 0});
    refused((struct bb_date){2024, 1, 32, 0, 0, 0, 0});
    refused((struct bb_date){2024, 1, 1, 24, 0, 0, 0});
    refused((struct bb_date){2024, 1, 1, 0, 60, 0, 0});
    refused((struct bb_date){2024, 1, 1, 0, 0, 60, 0});
    refused((struct bb_date){0, 1, 1, 0, 0, 0, 0});
    refused((struct bb_date){-1, 1, 1, 0, 0, 0, 0});
    refused((struct bb_date){10000, 1, 1, 0, 0, 0, 0});
    refused((struct bb_date){INT32_MAX, 1, 1, 0, 0, 0, 0});
}

static void test_weekday_is_ignored(void **state)
{
    (void)state;
    struct bb_date date = {2000, 2, 29, 12, 0, 0, 200};
    int64_t seconds;
    assert_int_equal(bb_date_to_seconds(&date, &seconds), 0);
    assert_int_equal(seconds, start_of(2000, 2, 29) + DAY / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_from_1970_to_2200),
        cmocka_unit_test(test_before_1970),
        cmocka_unit_test(test_first_and_last_years),
        cmocka_unit_test(test_seconds_of_a_day),
        cmocka_unit_test(test_dates_that_do_not_exist),
        cmocka_unit_test(test_weekday_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
