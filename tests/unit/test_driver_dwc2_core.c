/* SPDX-License-Identifier: BSD-2-Clause */
/* usb_host/dwc2 when its core does not obey: channels that do not halt, a bus that is never idle, a
 * reset that does not end. Every transfer ends, and then nothing is written to its memory. */
#include "dwc2.h"

#include <busbar/hooks.h>

/* A channel that is not halted in time: the core is reset, and everything comes back. */
static void test_a_channel_that_does_not_halt(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    struct user *user = users[0];
    unsigned resets = pi.dwc2.core_resets;
    assert_int_equal(submit(user, user->in, user->back, 512), 0);
    bb_sleep(BB_MSEC);
    pi.dwc2.never_halts = true;
    uint64_t before = world_now();
    bb_usb_cancel_wait(&user->transfer);
    assert_true(world_now() - before <= 15 * BB_MSEC); /* with a line of the log */
    assert_int_equal(user->transfer.status, -ECANCELED);
    assert_true(pi.dwc2.core_resets > resets);
    pi.dwc2.never_halts = false;
    user_count = 0;
    wait_for_users(1);
    exchange(users[0], 700, 77);
}

/* Two loops behind a hub, with a transfer each that waits. */
static void begin_two(void)
{
    start_many(BB_USB_HIGH, true, 2);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(submit(users[i], users[i]->in, users[i]->back, 512), 0);
    bb_sleep(BB_MSEC);
}

/* The first is cancelled, and both end; what the loops have to send then goes nowhere, and the
 * memory is the CPU's. */
static void all_has_ended(void)
{
    static uint8_t copy[512];
    bb_usb_cancel_wait(&users[0]->transfer);
    assert_int_equal(users[0]->transfer.status, -ECANCELED);
    assert_int_equal(bb_wait(is_done, &users[1]->transfer, BB_SEC), 0);
    assert_true(users[1]->transfer.status == -EIO || users[1]->transfer.status == -ENODEV);
    for (unsigned i = 0; i < 2; i++) {
        memset(users[i]->back, 0x5a, 512);
        loops[i].lengths[loops[i].first] = 100;
        loops[i].count = 1;
    }
    memset(copy, 0x5a, 512);
    bb_sleep(20 * BB_MSEC);
    for (unsigned i = 0; i < 2; i++) {
        assert_memory_equal(users[i]->back, copy, 512);
        assert_int_equal(loops[i].returned, 0);
    }
}

static void is_switched_off(void)
{
    assert_int_equal(logged("the core cannot be reset"), 1);
    assert_int_equal(pi.dwc2.gahbcfg, 0);
    assert_false(pi.dwc2.socket.powered);
    assert_false(pi.mailbox.power_on[3]);
}

/* A core whose bus is not idle is reset all the same, and everything comes back. */
static void test_a_core_that_is_not_idle(void **state)
{
    (void)state;
    begin_two();
    unsigned resets = pi.dwc2.core_resets;
    pi.dwc2.never_halts = true;
    pi.dwc2.idle_at = UINT64_MAX;
    all_has_ended();
    assert_true(pi.dwc2.core_resets > resets);
    pi.dwc2.never_halts = false;
    user_count = 0;
    wait_for_users(2);
    exchange(users[0], 700, 1);
    exchange(users[1], 700, 2);
}

/* Neither a channel nor the core itself obeys: it is switched off, and everything refused. */
static void test_a_core_that_is_beyond_help(void **state)
{
    (void)state;
    begin_two();
    pi.dwc2.never_halts = pi.dwc2.never_resets = true;
    all_has_ended();
    is_switched_off();
    int error = run(users[0], users[0]->out, users[0]->there, 10, 0);
    assert_true(error == -EIO || error == -ENODEV);
    must_remove(PI_USB);
}

/* Nor does its reset reach the channels, which run on. */
static void test_a_core_that_is_never_idle(void **state)
{
    (void)state;
    begin_two();
    pi.dwc2.never_halts = pi.dwc2.never_idle = true;
    all_has_ended();
    is_switched_off();
    must_remove(PI_USB);
}

/* Nor is there a power domain that could be asked. */
static void test_a_core_that_keeps_its_power(void **state)
{
    (void)state;
    begin_two();
    pi.dwc2.never_halts = pi.dwc2.never_idle = true;
    pi.dwc2.power = NULL;
    all_has_ended();
    assert_int_equal(channels_busy(), 2); /* they stand still */
    is_switched_off();
}

/* A channel that runs, though nobody has asked for it, and does not halt when its core goes. */
static void test_removal_of_a_core_that_is_never_idle(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    struct user *user = users[0];
    struct model_dwc2_channel stray = {0};
    assert_int_equal(submit(user, user->in, user->back, 512), 0);
    bb_sleep(BB_MSEC);
    for (unsigned i = 0; i < DWC2_CHANNELS; i++)
        if (pi.dwc2.channels[i].enabled)
            stray = pi.dwc2.channels[i];
    bb_usb_cancel_wait(&user->transfer);
    assert_true(stray.enabled);
    stray.before = NULL;
    pi.dwc2.channels[DWC2_CHANNELS - 1] = stray;
    pi.dwc2.never_halts = pi.dwc2.never_idle = true;
    pi.dwc2.power = NULL;
    unsigned resets = pi.dwc2.core_resets;
    must_remove(PI_USB);
    assert_int_equal(pi.dwc2.core_resets - resets, 1);
    assert_int_equal(channels_busy(), 1);
    assert_int_equal(pi.dwc2.gahbcfg, 0);
    assert_false(pi.dwc2.socket.powered);
}

static void (*wake_at)(uint64_t due);
static unsigned wakes;

static void count_wakes(uint64_t due)
{
    wakes++;
    wake_at(due);
}

/* Whoever waits then, for a channel or for its time, ends too; all is gone, and nothing is due. */
static void test_what_waits_for_a_core_that_is_beyond_help(void **state)
{
    (void)state;
    static struct bb_usb_transfer waiting[MOST_LOOPS], reports[MOST_LOOPS];
    start_many(BB_USB_HIGH, true, MOST_LOOPS);
    for (unsigned i = 0; i < MOST_LOOPS; i++) {
        waiting[i] = (struct bb_usb_transfer){.endpoint = users[i]->in,
                                              .data = users[i]->back,
                                              .length = 512,
                                              .timeout = BB_FOREVER,
                                              .done = ended,
                                              .context = users[i]};
        reports[i] = waiting[i];
        reports[i].endpoint = users[i]->news;
        reports[i].data = users[i]->there;
        reports[i].length = 4;
        assert_int_equal(bb_usb_submit(&waiting[i]), 0);
        assert_int_equal(bb_usb_submit(&reports[i]), 0);
    }
    bb_sleep(BB_MSEC);
    pi.dwc2.never_halts = pi.dwc2.never_resets = true;
    bb_sleep(BB_SEC); /* one that was to make room for others does not halt */
    assert_int_equal(logged("the core cannot be reset"), 1);
    for (unsigned i = 0; i < MOST_LOOPS; i++) {
        assert_true(waiting[i].status == -EIO || waiting[i].status == -ENODEV);
        assert_true(reports[i].status == -EIO || reports[i].status == -ENODEV);
    }
    assert_null(bb_usb_next(NULL));
    wakes = 0;
    wake_at = bb_hooks.wake_at;
    bb_hooks.wake_at = count_wakes;
    bb_sleep(BB_SEC);
    bb_hooks.wake_at = wake_at;
    assert_in_range(wakes, 1, 10);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_channel_that_does_not_halt),
        cmocka_unit_test(test_a_core_that_is_not_idle),
        cmocka_unit_test(test_a_core_that_is_beyond_help),
        cmocka_unit_test(test_a_core_that_is_never_idle),
        cmocka_unit_test(test_a_core_that_keeps_its_power),
        cmocka_unit_test(test_removal_of_a_core_that_is_never_idle),
        cmocka_unit_test(test_what_waits_for_a_core_that_is_beyond_help),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
