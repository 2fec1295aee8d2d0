/* SPDX-License-Identifier: BSD-2-Clause */
/* rtc/pl031 on its model. */
#include "harness.h"

#include <busbar/rtc.h>

#include <tests/models/boards.h>

static void test_time(void **state)
{
    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    struct bb_rtc *rtc = face_at(rtc, VIRT_PL031);
    int64_t now;

    assert_true(virt.pl031.control & 1);
    virt.pl031.count = 0xfffffffe; /* past 2038, and near the end */
    assert_int_equal(bb_rtc_get_time(rtc, &now), 0);
    assert_true(now == 0xfffffffe);
    assert_int_equal(bb_rtc_set_time(rtc, 0xffffffff), 0);
    assert_int_equal(virt.pl031.count, 0xffffffff);
    assert_int_equal(bb_rtc_set_time(rtc, 0x100000000), -ERANGE);
    assert_int_equal(bb_rtc_set_time(rtc, -1), -ERANGE);
    assert_int_equal(virt.pl031.count, 0xffffffff);
}

static void count_call(struct bb_rtc *rtc, void *context)
{
    (void)rtc;
    ++*(unsigned *)context;
}

static void test_time_set_past_the_alarm(void **state)
{
    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    struct bb_rtc *rtc = face_at(rtc, VIRT_PL031);
    unsigned calls = 0;

    assert_int_equal(bb_rtc_set_time(rtc, 1000), 0);
    assert_int_equal(bb_rtc_set_alarm(rtc, 2000, count_call, &calls), 0);
    assert_int_equal(bb_rtc_set_time(rtc, 1990), 0);
    bb_poll();
    assert_int_equal(calls, 0);
    assert_int_equal(bb_rtc_set_time(rtc, 3000), 0); /* the chip never sees 2000 */
    bb_poll();
    assert_int_equal(calls, 1);
    assert_int_equal(bb_rtc_set_time(rtc, 1999), 0);
    bb_sleep(3 * BB_SEC);
    assert_int_equal(calls, 1);
    assert_int_equal(bb_rtc_set_alarm(rtc, 4000, count_call, &calls), 0);
    assert_int_equal(bb_rtc_set_alarm(rtc, 0, NULL, NULL), 0);
    assert_int_equal(bb_rtc_set_time(rtc, 5000), 0); /* disarmed */
    bb_poll();
    assert_int_equal(calls, 1);
}

static void test_alarm_at_its_edges(void **state)
{
    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    struct bb_rtc *rtc = face_at(rtc, VIRT_PL031);
    const struct bb_rtc_ops *ops = rtc->face.ops;
    unsigned calls = 0;

    virt.pl031.count = 1000;
    for (int64_t at = 999; at <= 1000; at++) { /* past, and now: the chip itself would wait */
        assert_int_equal(bb_rtc_set_alarm(rtc, at, count_call, &calls), 0);
        bb_poll();
    }
    assert_int_equal(calls, 2);
    assert_int_equal(bb_rtc_set_alarm(rtc, 1002, count_call, &calls), 0);
    bb_sleep(1900 * BB_MSEC);
    assert_int_equal(calls, 3);
    assert_int_equal(virt.pl031.imsc | virt.pl031.ris, 0); /* the chip is quiet again */
    assert_int_equal(ops->set_alarm(rtc, UINT32_MAX), 0);
    assert_int_equal(virt.pl031.imsc, 1);
    assert_int_equal(ops->set_alarm(rtc, UINT32_MAX + 1ll), -ERANGE);
    assert_int_equal(ops->set_alarm(rtc, 0), 0);
    assert_int_equal(virt.pl031.imsc, 1);
    assert_int_equal(ops->set_alarm(rtc, -1), 0);
    assert_int_equal(virt.pl031.imsc, 0);
    assert_int_equal(bb_rtc_set_time(rtc, 0), 0);
    assert_int_equal(virt.pl031.count, 0);
}

static void test_without_interrupt(void **state)
{
    (void)state;
    world_start(1000000);
    model_pl031_map(&virt.pl031, 0x1000, 1000);
    tree_begin(1, 1);
    tree_device("rtc@1000", "arm,pl031");
    tree_cells("reg", 0x1000, 0x1000);
    tree_close();
    boot(NULL);
    struct bb_rtc *rtc = face_at(rtc, "/rtc@1000");
    unsigned calls = 0;

    assert_int_equal(bb_rtc_set_alarm(rtc, 1, count_call, &calls), -ENOTSUP);
    assert_int_equal(bb_rtc_set_time(rtc, 5), 0);
    assert_int_equal(virt.pl031.imsc, 0);
}

static void test_stale_alarm(void **state)
{
    (void)state;
    virt_prepare(NULL);
    /* What a boot loader left: the alarm went off long ago, and its interrupt is on. */
    virt.pl031.ris = virt.pl031.imsc = 1;
    boot(NULL);
    struct bb_rtc *rtc = face_at(rtc, VIRT_PL031);
    unsigned calls = 0;

    assert_int_equal(bb_rtc_set_alarm(rtc, virt.pl031.count + 100, count_call, &calls), 0);
    bb_sleep(50 * BB_SEC);
    assert_int_equal(calls, 0);
    bb_sleep(51 * BB_SEC);
    assert_int_equal(calls, 1);
    assert_int_equal(virt.pl031.ris & virt.pl031.imsc, 0);
}

static void test_remove(void **state)
{
    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    struct bb_rtc *rtc = face_at(rtc, VIRT_PL031);
    unsigned calls = 0;
    int64_t now;

    assert_int_equal(bb_rtc_set_alarm(rtc, virt.pl031.count + 2, count_call, &calls), 0);
    bb_face_get(&rtc->face);
    must_remove(VIRT_PL031);
    assert_int_equal(virt.pl031.imsc, 0);
    assert_false(virt.gic->enabled[32 + VIRT_SPI_PL031]);
    assert_int_equal(bb_rtc_get_time(rtc, &now), -ENODEV);
    assert_int_equal(bb_rtc_set_time(rtc, 1), -ENODEV);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(calls, 0);
    bb_face_put(&rtc->face);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_set_past_the_alarm),
        cmocka_unit_test(test_alarm_at_its_edges),
        cmocka_unit_test(test_without_interrupt),
        cmocka_unit_test(test_stale_alarm),
        cmocka_unit_test(test_remove),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
