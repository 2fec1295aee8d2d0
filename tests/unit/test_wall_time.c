/* SPDX-License-Identifier: BSD-2-Clause */
/* Wall time: from the first RTC, once, and from monotonic time after that. */
#include "harness.h"

#include <busbar/hooks.h>
#include <busbar/rtc.h>

static uint64_t ticks;

static uint64_t tick_counter(void)
{
    return ticks;
}

static int answer;

static int get_time(struct bb_rtc *rtc, int64_t *seconds)
{
    (void)rtc;
    *seconds = 1700000000;
    return answer;
}

static void test_wall_time(void **state)
{
    static const struct bb_rtc_ops ops = {.get_time = get_time};
    static struct bb_rtc rtc = {.face = {.class = &bb_class_rtc, .ops = &ops}};
    const int64_t years = 10ll * 365 * 24 * 3600;
    int64_t now;
    (void)state;
    bb_time_source(tick_counter, 1000000);
    assert_int_equal(bb_wall_time(&now), -ENODEV);
    *bb_class_rtc.list = (struct bb_face_list){&rtc.face, &rtc.face};
    answer = -EIO;
    assert_int_equal(bb_wall_time(&now), -ENODEV);
    answer = 0;
    assert_int_equal(bb_wall_time(&now), 0);
    assert_true(now == 1700000000);
    ticks += 1000000 * (uint64_t)years;
    assert_int_equal(bb_wall_time(&now), 0);
    assert_true(now == 1700000000 + years); /* the RTC is not asked again */
    bb_wall_set(-5);
    ticks += 6000000;
    assert_int_equal(bb_wall_time(&now), 0);
    assert_true(now == 1);
    bb_wall_set(INT64_MAX);
    ticks += 6000000;
    assert_int_equal(bb_wall_time(&now), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_wall_time)};
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
