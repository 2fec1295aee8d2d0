/* SPDX-License-Identifier: BSD-2-Clause */
/* Deferred work, timers, waiting: order, once each, no re-entry, no lost wake-up. */
#include "harness.h"

#include <string.h>
#include <unistd.h>

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/poll.h>
#include <core/core.h>

struct item {
    struct bb_work work;
    struct bb_timer_event event;
    char letter;
    void (*then)(struct item *item);
};

static char trace[64];
static struct item a, b, c;
static struct bb_device device;

static void ran(struct item *item)
{
    size_t length = strlen(trace);
    assert_true(length < sizeof(trace) - 1);
    trace[length] = item->letter;
    if (item->then)
        item->then(item);
}

static void run_work(struct bb_work *work)
{
    ran(bb_container_of(work, struct item, work));
}

static void run_event(struct bb_timer_event *event)
{
    ran(bb_container_of(event, struct item, event));
}

static void expect_trace(const char *expected)
{
    assert_string_equal(trace, expected);
    memset(trace, 0, sizeof(trace));
}

static void set_up(void)
{
    static const struct item item = {.work.run = run_work, .event.run = run_event};
    a = b = c = item;
    a.letter = 'a', b.letter = 'b', c.letter = 'c';
    world_start(BB_SEC);
}

static void queue_all(void)
{
    bb_work_queue(&a.work);
    bb_work_queue(&b.work);
    bb_work_queue(&c.work);
}

static void test_work_runs_once_in_order(void **state)
{
    (void)state;
    set_up();
    assert_false(bb_poll());
    bb_work_queue(&b.work);
    bb_work_queue(&a.work);
    bb_work_queue(&b.work);
    assert_true(bb_poll());
    expect_trace("ba");
    assert_false(bb_poll());
    bb_work_queue(&b.work);
    bb_poll();
    expect_trace("b");
}

static void queue_again(struct item *item)
{
    bb_work_queue(&item->work);
}

static void test_work_that_queues_itself_waits_its_turn(void **state)
{
    (void)state;
    set_up();
    a.then = queue_again;
    queue_all();
    bb_poll();
    expect_trace("abc");
    bb_poll();
    bb_poll();
    expect_trace("aa");
}

static void test_work_is_cancelled_wherever_it_stands(void **state)
{
    (void)state;
    struct item *const items[] = {&a, &b, &c};
    static const char *const rest[] = {"bc", "ac", "ab"};
    set_up();
    for (size_t i = 0; i < 3; i++) {
        queue_all();
        bb_work_cancel(&items[i]->work);
        bb_work_cancel(&items[i]->work);
        bb_poll();
        expect_trace(rest[i]);
    }
    queue_all();
    bb_work_cancel(&c.work);
    bb_work_queue(&c.work); /* the queue's end is right again */
    bb_poll();
    expect_trace("abc");
}

static void cancel_b(struct item *item)
{
    (void)item;
    bb_work_cancel(&b.work);
    bb_timer_event_cancel(&b.event);
}

static void test_work_cancels_other_work(void **state)
{
    (void)state;
    set_up();
    a.then = cancel_b;
    queue_all();
    bb_poll();
    expect_trace("ac");
}

static void poll_inside(struct item *item)
{
    bb_work_queue(&item->work); /* its own second run must wait */
    bb_timer_event_at(&item->event, bb_time());
    for (unsigned i = 0; i < 3; i++)
        bb_poll();
}

static void test_a_poll_inside_runs_the_others_only(void **state)
{
    (void)state;
    set_up();
    a.then = poll_inside;
    queue_all();
    bb_poll();
    assert_memory_equal(trace, "abc", 3); /* b and c inside a; a never inside itself */
    assert_true(a.work.queued);
    a.then = NULL;
    memset(trace, 0, sizeof(trace));
    bb_poll();
    assert_true(strchr(trace, 'a') != NULL);
}

static void look_at_device(struct item *item)
{
    (void)item;
    assert_ptr_equal(bb_device_current(), &device);
    assert_int_equal(device.calls, 1);
}

static void test_the_device_at_work_is_known(void **state)
{
    (void)state;
    set_up();
    a.work.device = a.event.device = &device;
    a.then = look_at_device;
    bb_work_queue(&a.work);
    bb_timer_event_at(&a.event, 0);
    bb_poll();
    expect_trace("aa");
    assert_int_equal(device.calls, 0);
    assert_null(bb_device_current());
}

static void test_timers_run_in_the_order_of_time(void **state)
{
    (void)state;
    set_up();
    uint64_t now = bb_time();
    bb_timer_event_at(&c.event, now + 3 * BB_MSEC);
    bb_timer_event_at(&a.event, now + BB_MSEC);
    bb_timer_event_at(&b.event, now + 2 * BB_MSEC);
    bb_poll();
    expect_trace("");
    world_advance(BB_MSEC);
    bb_poll();
    expect_trace("a");
    world_advance(5 * BB_MSEC);
    bb_poll();
    expect_trace("bc");
    bb_timer_event_at(&a.event, now + 20 * BB_MSEC);
    bb_timer_event_at(&b.event, now + 20 * BB_MSEC); /* the same time: first come */
    bb_timer_event_at(&c.event, now + 30 * BB_MSEC);
    bb_timer_event_at(&c.event, now + 10 * BB_MSEC); /* moved */
    bb_timer_event_cancel(&b.event);
    bb_timer_event_cancel(&b.event);
    world_advance(30 * BB_MSEC);
    bb_poll();
    expect_trace("ca");
}

static void arm_in_the_past(struct item *item)
{
    bb_timer_event_at(&item->event, 0);
}

static void test_a_timer_runs_once_in_a_poll(void **state)
{
    (void)state;
    set_up();
    a.then = arm_in_the_past;
    bb_timer_event_at(&a.event, 0);
    bb_poll();
    bb_poll();
    expect_trace("aa");
    b.then = cancel_b;
    c.then = NULL;
    a.then = cancel_b;
    bb_timer_event_at(&b.event, 1);
    bb_poll();
    expect_trace("a");
}

/* ---- Waiting ---- */

static bool flag;
static uint64_t woken_at;

static bool is_set(void *context)
{
    (void)context;
    return flag;
}

static void wake_at(uint64_t due)
{
    woken_at = due;
}

/* A sleep that ends when the wake-up is due, or at once where an interrupt is under way. */
static void sleep_until_due(void *context)
{
    (void)context;
    assert_true(woken_at != BB_FOREVER);
    if (woken_at > bb_time())
        world_advance(woken_at - bb_time());
}

static void set_up_wait(void)
{
    set_up();
    bb_host_cpu.wait = sleep_until_due;
    bb_hooks.wake_at = wake_at;
    flag = false;
}

static void set_flag(struct item *item)
{
    (void)item;
    flag = true;
}

static void test_wait_ends_in_time(void **state)
{
    (void)state;
    set_up_wait();
    uint64_t start = bb_time();
    assert_int_equal(bb_wait(is_set, NULL, BB_MSEC), -ETIMEDOUT);
    assert_true(bb_time() - start >= BB_MSEC && bb_time() - start < 2 * BB_MSEC);
    start = bb_time();
    bb_sleep(BB_SEC);
    assert_true(bb_time() - start >= BB_SEC && bb_time() - start < BB_SEC + BB_MSEC);
    assert_int_equal(bb_wait(is_set, NULL, 0), -ETIMEDOUT);
    flag = true;
    assert_int_equal(bb_wait(is_set, NULL, 0), 0);
    assert_int_equal(bb_wait(NULL, NULL, 0), 0);
}

static void test_wait_runs_timers_and_sleeps_until_the_next(void **state)
{
    (void)state;
    set_up_wait();
    uint64_t start = bb_time();
    bb_timer_event_at(&a.event, start + BB_MSEC);
    bb_timer_event_at(&b.event, start + 2 * BB_MSEC);
    b.then = set_flag;
    assert_int_equal(bb_wait(is_set, NULL, BB_FOREVER), 0);
    expect_trace("ab");
    assert_true(bb_time() - start >= 2 * BB_MSEC && bb_time() - start < 3 * BB_MSEC);
}

static void queue_work_with_flag(void)
{
    a.then = set_flag;
    bb_work_queue(&a.work);
}

static void raise_while_asleep(void *context)
{
    (void)context;
    assert_false(bb_arch_in_interrupt());
    bb_host_raise_interrupt(); /* masked now: taken when the wait is over */
    assert_false(a.work.queued);
}

static void test_an_interrupt_ends_the_sleep(void **state)
{
    (void)state;
    set_up_wait();
    bb_hooks.interrupt = queue_work_with_flag;
    bb_host_cpu.wait = raise_while_asleep;
    assert_int_equal(bb_wait(is_set, NULL, BB_FOREVER), 0);
    expect_trace("a");
}

static unsigned looks;

/* The interrupt comes at the worst moment: after the condition was found false. */
static bool look_then_interrupt(void *context)
{
    (void)context;
    bool found = flag;
    if (++looks == 1)
        bb_host_raise_interrupt();
    return found;
}

static void set_flag_directly(void)
{
    flag = true;
}

static void never(void *context)
{
    (void)context;
    fail_msg("slept, though all was there");
}

static void test_no_wake_up_is_lost(void **state)
{
    (void)state;
    set_up_wait();
    bb_hooks.interrupt = set_flag_directly;
    bb_host_cpu.wait = never;
    assert_int_equal(bb_wait(look_then_interrupt, NULL, BB_FOREVER), 0);
    flag = false;
    looks = 0;
    bb_hooks.interrupt = queue_work_with_flag;
    assert_int_equal(bb_wait(look_then_interrupt, NULL, BB_FOREVER), 0);
}

/* Something arrives between the two looks, and looking takes it. */
static bool take_what_came(void *context)
{
    (void)context;
    return ++looks == 2;
}

static void test_a_condition_that_held_is_not_asked_again(void **state)
{
    (void)state;
    set_up_wait();
    looks = 0;
    assert_int_equal(bb_wait(take_what_came, NULL, BB_SEC), 0);
    assert_int_equal(looks, 2);
}

static void wait_inside(struct item *item)
{
    bb_work_queue(&item->work); /* cannot run until this returns, and must not keep it awake */
    assert_int_equal(bb_wait(is_set, NULL, BB_MSEC), -ETIMEDOUT);
    item->then = NULL;
}

static void test_wait_inside_a_callback_sleeps(void **state)
{
    (void)state;
    set_up_wait();
    a.then = wait_inside;
    bb_work_queue(&a.work);
    assert_int_equal(bb_wait(is_set, NULL, 5 * BB_MSEC), -ETIMEDOUT);
    expect_trace("aa");
}

static void test_without_a_timer_it_does_not_sleep(void **state)
{
    (void)state;
    set_up_wait();
    bb_hooks.wake_at = NULL;
    bb_host_cpu.wait = never;
    assert_int_equal(bb_wait(is_set, NULL, 100 * BB_USEC), -ETIMEDOUT);
}

/* ---- The host's own interrupts ---- */

static int ends[2];

static void readable(void *context)
{
    char byte;
    assert_true(bb_arch_in_interrupt());
    assert_int_equal(read(ends[0], &byte, 1), 1);
    *(char *)context = byte;
    bb_work_queue(&a.work);
}

static void fired(void *context)
{
    (void)context;
    assert_int_equal(write(ends[1], "x", 1), 1);
}

static void test_descriptors_and_wake_up_times(void **state)
{
    char got = 0;
    (void)state;
    set_up();
    memset(&bb_host_cpu, 0, sizeof(bb_host_cpu));
    a.then = set_flag;
    flag = false;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(bb_host_watch(ends[0], readable, &got), 0);
    uintptr_t irq = bb_arch_irq_save();
    assert_int_equal(write(ends[1], "y", 1), 1);
    bb_host_interrupts();
    assert_int_equal(got, 0); /* masked */
    bb_arch_irq_restore(irq);
    assert_int_equal(got, 'y');
    bb_poll();
    expect_trace("a");
    flag = false;
    bb_host_wake_at(bb_arch_counter() + 2 * BB_MSEC, fired, NULL);
    assert_int_equal(bb_wait(is_set, NULL, BB_FOREVER), 0);
    assert_int_equal(got, 'x');
    bb_host_unwatch(ends[0]);
    got = 0;
    fired(NULL);
    bb_host_interrupts();
    assert_int_equal(got, 0);
}

static int wait_for_nothing(void *context)
{
    (void)context;
    memset(&bb_host_cpu, 0, sizeof(bb_host_cpu));
    flag = false;
    return bb_wait(is_set, NULL, BB_FOREVER);
}

static void test_a_wait_for_nothing_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(run_child(wait_for_nothing, NULL), 1);
}

static void test_a_device_that_goes_is_forgotten(void **state)
{
    static struct bb_device other;
    (void)state;
    set_up();
    a.work.device = b.work.device = a.event.device = b.event.device = &device;
    c.work.device = c.event.device = &other;
    queue_all();
    bb_timer_event_at(&a.event, bb_time());
    bb_timer_event_at(&c.event, bb_time());
    bb_timer_event_at(&b.event, bb_time());
    bb_poll_forget(&device);
    bb_poll();
    expect_trace("cc");
    bb_work_queue(&b.work); /* the queue's end is whole */
    bb_work_queue(&a.work);
    bb_timer_event_at(&b.event, bb_time());
    bb_poll();
    expect_trace("bab");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_runs_once_in_order),
        cmocka_unit_test(test_work_that_queues_itself_waits_its_turn),
        cmocka_unit_test(test_work_is_cancelled_wherever_it_stands),
        cmocka_unit_test(test_work_cancels_other_work),
        cmocka_unit_test(test_a_poll_inside_runs_the_others_only),
        cmocka_unit_test(test_the_device_at_work_is_known),
        cmocka_unit_test(test_timers_run_in_the_order_of_time),
        cmocka_unit_test(test_a_timer_runs_once_in_a_poll),
        cmocka_unit_test(test_wait_ends_in_time),
        cmocka_unit_test(test_wait_runs_timers_and_sleeps_until_the_next),
        cmocka_unit_test(test_an_interrupt_ends_the_sleep),
        cmocka_unit_test(test_no_wake_up_is_lost),
        cmocka_unit_test(test_a_condition_that_held_is_not_asked_again),
        cmocka_unit_test(test_wait_inside_a_callback_sleeps),
        cmocka_unit_test(test_without_a_timer_it_does_not_sleep),
        cmocka_unit_test(test_descriptors_and_wake_up_times),
        cmocka_unit_test(test_a_wait_for_nothing_ends_the_process),
        cmocka_unit_test(test_a_device_that_goes_is_forgotten),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
