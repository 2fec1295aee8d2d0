/* SPDX-License-Identifier: BSD-2-Clause */
/* timer/arm_generic and timer/bcm2835_system_timer on their models. */
#include "harness.h"

#include <busbar/poll.h>
#include <busbar/timer.h>

#include <core/core.h>
#include <tests/models/boards.h>

static unsigned fired;

static void count_fired(struct bb_timer *timer)
{
    (void)timer;
    fired++;
}

/* Lets virtual time pass without sleeping, which would arm the timer. */
static void pass(uint64_t ns)
{
    for (uint64_t end = world_now() + ns; world_now() < end && !fired;)
        (void)bb_time();
}

static void test_generic_remove(void **state)
{
    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    struct bb_timer *timer = face_at(timer, VIRT_TIMER);

    assert_true(timer->hz == 62500000);
    bb_timer_arm(timer, bb_timer_count(timer) + 1000000);
    assert_true(world_timer_armed());
    bb_face_get(&timer->face);
    must_remove(VIRT_TIMER);
    assert_false(world_timer_armed());
    assert_false(virt.gic->enabled[16 + VIRT_PPI_TIMER]);
    uint64_t before = bb_time();
    assert_true(bb_time() >= before); /* time goes on, by the CPU's counter */
    bb_face_put(&timer->face);
}

static void test_generic_without_interrupts(void **state)
{
    (void)state;
    world_start(62500000);
    tree_begin(2, 2);
    tree_device("timer", "arm,armv8-timer");
    tree_close();
    boot(NULL);
    must_fail("/timer", 0, NULL);
}

static void test_generic_wrong_frequency(void **state)
{
    (void)state;
    world_start(0);
    tree_begin(2, 2);
    tree_device("timer", "arm,armv8-timer");
    tree_close();
    boot(NULL);
    must_fail("/timer", 0, NULL);
}

/* A boot loader's timer, armed and due. */
static void test_generic_left_by_firmware(void **state)
{
    (void)state;
    virt_prepare(NULL);
    bb_arch_timer_compare(0);
    bb_arch_timer_control(1);
    boot(NULL);
    assert_false(world_timer_armed());
    assert_true(bb_timer_first()->hz == 62500000);
}

static void write_system_timer(const uint32_t *hz)
{
    pi_prepare(NULL);
    tree_open("soc2");
    tree_strings("compatible", "simple-bus");
    tree_cells("#address-cells", 1);
    tree_cells("#size-cells", 1);
    tree_cells("ranges", 0, 0, 0, 0x10000);
    tree_device("timer@1000", "brcm,bcm2835-system-timer");
    tree_cells("reg", 0x1000, 0x1000);
    tree_cells("interrupts", 1, 4, 1, 5, 1, 6, 1, 7);
    if (hz)
        tree_cells("clock-frequency", *hz);
    tree_close();
    tree_close();
    static struct model_system_timer second;
    model_system_timer_map(&second, 0x1000);
    boot(NULL);
}

static void test_system_without_frequency(void **state)
{
    (void)state;
    write_system_timer(NULL);
    assert_true(face_at(timer, "/soc2/timer@1000")->hz == 1000000);
}

static void test_system_at_0(void **state)
{
    (void)state;
    write_system_timer(&(uint32_t){0});
    must_fail("/soc2/timer@1000", -EINVAL, "clock-frequency");
}

static struct bb_timer *start_system_timer(uint64_t offset)
{
    pi_prepare(&(struct pi_options){.no_generic_timer = true});
    pi.system_timer.offset = offset - world_now() / BB_USEC;
    boot(NULL);
    struct bb_timer *timer = face_at(timer, PI_SYSTEM_TIMER);
    assert_true(timer->hz == 1000000);
    timer->fired = count_fired;
    return timer;
}

static void test_system_roll_over(void **state)
{
    struct bb_timer *timer = start_system_timer(0x1ffff0000);
    uint64_t previous = bb_timer_count(timer);

    (void)state;
    pi.system_timer.offset += 0x2ffffffe0 - previous;
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t count = bb_timer_count(timer);
        assert_true(count >= previous);
        previous = count;
    }
    assert_true(previous >= 0x300000000 && previous < 0x300010000);
}

static void test_system_far(void **state)
{
    struct bb_timer *timer = start_system_timer(0x500000000);

    (void)state;
    /* Farther than the compare register reaches: the low word matches many times before. */
    uint64_t due = bb_timer_count(timer) + 0x300000040;
    bb_timer_arm(timer, due);
    for (unsigned hour = 0; hour < 3; hour++)
        world_advance(3600 * BB_SEC);
    bb_host_interrupts();
    assert_int_equal(fired, 0);
    world_advance(0x300000080 * BB_USEC - 3 * 3600 * BB_SEC);
    bb_host_interrupts();
    assert_int_equal(fired, 1);
    world_advance(2 * 3600 * BB_SEC);
    assert_int_equal(fired, 1);
}

static void test_system_near(void **state)
{
    struct bb_timer *timer = start_system_timer(0x2fffffff0);

    (void)state;
    for (int64_t ahead = -3; ahead < 40; ahead++) {
        fired = 0;
        uint64_t due = bb_timer_count(timer) + (uint64_t)ahead;
        bb_timer_arm(timer, due);
        pass(BB_MSEC);
        assert_int_equal(fired, 1);
        assert_true(bb_timer_count(timer) >= due);
    }
}

static void test_system_stale_match(void **state)
{
    (void)state;
    pi_prepare(&(struct pi_options){.no_generic_timer = true});
    pi.system_timer.status = 0xf; /* and those of the firmware are not touched */
    boot(NULL);
    (void)device_at(PI_SYSTEM_TIMER);
    assert_int_equal(pi.system_timer.status & 5, 5);
    assert_int_equal(pi.system_timer.status & 8, 0);
}

static int wrong_name(void *context)
{
    const char *command_line = context;
    pi_prepare(NULL);
    boot(command_line);
    bb_poll();
    bb_param_report_unknown();
    return (int)(logged("timer=nosuch names no timer") + 10 * logged("unknown parameters"));
}

static void test_timer_parameter(void **state)
{
    char wrong[] = "timer=nosuch", right[] = "timer=timer@7e003000", none[] = "";
    (void)state;
    assert_int_equal(run_child(wrong_name, wrong), 1);
    assert_int_equal(run_child(wrong_name, right), 0);
    assert_int_equal(run_child(wrong_name, none), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generic_remove),
        cmocka_unit_test(test_generic_without_interrupts),
        cmocka_unit_test(test_generic_wrong_frequency),
        cmocka_unit_test(test_generic_left_by_firmware),
        cmocka_unit_test(test_system_without_frequency),
        cmocka_unit_test(test_system_at_0),
        cmocka_unit_test(test_system_roll_over),
        cmocka_unit_test(test_system_far),
        cmocka_unit_test(test_system_near),
        cmocka_unit_test(test_system_stale_match),
        cmocka_unit_test(test_timer_parameter),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
