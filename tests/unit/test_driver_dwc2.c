/* SPDX-License-Identifier: BSD-2-Clause */
/* usb_host/dwc2 against the core's strict register model: transfers of every type and length, at
 * every speed, through splits; endpoints that are many; the core's start and its end. */
#include "dwc2.h"

static void exchange_all(struct user *user)
{
    static const uint32_t lengths[] = {1,   2,   7,   8,    9,    63,   64,   65,   127,  128,
                                       511, 512, 513, 1000, 1023, 1024, 1025, 1536, 1537, 2048};
    uint32_t packet = user->out->packet;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(lengths); i++)
        if (lengths[i] <= 60 * packet)
            exchange(user, lengths[i], i);
    exchange(user, 3 * packet, 100); /* an odd number of packets: toggles */
    exchange(user, packet, 101);
    assert_int_equal(loops[0].usb.dropped, 0);
}

static void test_bulk_at_high_speed(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    exchange_all(users[0]);
    exchange(users[0], ROOM, 3);
    assert_int_equal(pi.dwc2.splits, 0);
}

static void test_bulk_at_full_speed(void **state)
{
    (void)state;
    start(BB_USB_FULL, false);
    exchange_all(users[0]);
}

static void test_interrupt_at_low_speed(void **state)
{
    (void)state;
    start(BB_USB_LOW, false);
    exchange_all(users[0]);
}

static void test_bulk_through_splits(void **state)
{
    (void)state;
    start(BB_USB_FULL, true);
    exchange_all(users[0]);
    assert_true(hub.start_splits > 100);
    assert_int_equal(hub.stray_splits, 0);
}

static void test_interrupt_through_splits(void **state)
{
    (void)state;
    start(BB_USB_LOW, true);
    exchange_all(users[0]);
    assert_int_equal(hub.stray_splits, 0);
}

/* 16 KiB take one piece of a channel: a handful of interrupts, not one for each packet. */
static void test_a_long_transfer_is_one_piece(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    fill(users[0], ROOM, 0);
    uint64_t before = pi.dwc2.interrupts;
    assert_int_equal(run(users[0], users[0]->out, users[0]->there, ROOM, 0), ROOM);
    assert_int_equal(pi.dwc2.interrupts - before, 1);
}

static void test_empty_packets(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    struct user *user = users[0];
    fill(user, 1024, 1);
    assert_int_equal(run(user, user->out, user->there, 1024, BB_USB_ZERO), 1024);
    assert_int_equal(loops[0].count, 3);
    assert_int_equal(run(user, user->in, user->back, 4096, 0), 1024); /* ends with the empty one */
    assert_memory_equal(user->there, user->back, 1024);
    assert_int_equal(run(user, user->out, user->there, 100, BB_USB_ZERO), 100);
    assert_int_equal(loops[0].count, 1);
    assert_int_equal(run(user, user->in, user->back, 4096, 0), 100);
    assert_int_equal(run(user, user->out, NULL, 0, 0), 0);
    assert_int_equal(loops[0].count, 1);
    assert_int_equal(run(user, user->in, user->back, 512, 0), 0);
    assert_int_equal(loops[0].usb.dropped, 0);
}

/* Reports come once in an interval at most, the next one after the first. */
static void reports(void)
{
    struct user *user = users[0];
    uint64_t start = world_now(), interval = user->news->interval * BB_USEC;
    loops[0].news = 10;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(run(user, user->news, user->back, 4, 0), 4);
    assert_true(world_now() - start >= 9 * interval);
    assert_true(world_now() - start <= 12 * interval + 2 * BB_MSEC);
    assert_int_equal(loops[0].news, 0);
    assert_int_equal(submit(user, user->news, user->back, 4), 0);
    bb_sleep(20 * interval);
    assert_int_equal(user->transfer.status, -EINPROGRESS);
    loops[0].news = 1;
    bb_sleep(3 * interval + BB_MSEC);
    assert_int_equal(user->transfer.status, 0);
    assert_int_equal(user->transfer.actual, 4);
}

static void test_reports_at_high_speed(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    reports();
}

static void test_reports_at_full_speed(void **state)
{
    (void)state;
    start(BB_USB_FULL, false);
    reports();
}

static void test_reports_through_splits(void **state)
{
    (void)state;
    start(BB_USB_FULL, true);
    reports();
    assert_int_equal(hub.stray_splits, 0);
}

/* PING after NYET, and with a core that halts on NAK. */
static void slow_reader(bool halts)
{
    start(BB_USB_HIGH, false);
    struct user *user = users[0];
    pi.dwc2.out_nak_halts = halts;
    loops[0].nyet = true;
    loops[0].room = 3;
    fill(user, 4096, 9);
    assert_int_equal(submit(user, user->out, user->there, 4096), 0);
    for (unsigned at = 0; at < 4096; at += 512)
        assert_int_equal(run(user, user->in, user->back + at, 512, 0), 512);
    assert_int_equal(bb_wait(is_done, &user->transfer, BB_SEC), 0);
    assert_int_equal(user->transfer.status, 0);
    assert_int_equal(user->transfer.actual, 4096);
    assert_memory_equal(user->there, user->back, 4096);
    assert_int_equal(loops[0].usb.dropped, 0);
}

static void test_a_slow_reader(void **state)
{
    (void)state;
    slow_reader(false);
}

static void test_a_slow_reader_and_an_old_core(void **state)
{
    (void)state;
    slow_reader(true);
}

/* More endpoints wait than there are channels: each has its turn, and others go on. */
static void crowd(enum bb_usb_speed speed)
{
    start_many(speed, true, 12);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(submit(users[i], users[i]->in, users[i]->back, 64), 0);
    bb_sleep(50 * BB_MSEC);
    for (unsigned i = 0; i < 12; i++) {
        uint64_t before = world_now();
        fill(users[i], 64, i);
        assert_int_equal(run(users[i], users[i]->out, users[i]->there, 64, 0), 64);
        assert_int_equal(bb_wait(is_done, &users[i]->transfer, BB_SEC), 0);
        assert_int_equal(users[i]->transfer.status, 0);
        assert_true(world_now() - before < 100 * BB_MSEC);
        assert_int_equal(users[i]->transfer.actual, 64);
        assert_memory_equal(users[i]->there, users[i]->back, 64);
        assert_int_equal(submit(users[i], users[i]->in, users[i]->back, 64), 0);
    }
    for (unsigned i = 0; i < 12; i++)
        bb_usb_cancel_wait(&users[i]->transfer);
    bb_sleep(300 * BB_MSEC);
    assert_true(channels_busy() <= 1); /* the hub's */
}

static void test_more_endpoints_than_channels(void **state)
{
    (void)state;
    crowd(BB_USB_HIGH);
}

static void test_more_splits_than_channels(void **state)
{
    (void)state;
    crowd(BB_USB_FULL);
}

static void test_quiet_with_nothing_plugged(void **state)
{
    (void)state;
    prepare();
    boot("log=error");
    bb_sleep(BB_SEC);
    uint64_t before = pi.dwc2.interrupts;
    bb_sleep(10 * BB_SEC);
    assert_int_equal(pi.dwc2.interrupts - before, 0);
}

static void test_a_core_that_must_be_forced(void **state)
{
    (void)state;
    prepare();
    pi.dwc2.b_device = true;
    model_loop_init(&loops[0], "loop", BB_USB_HIGH);
    usb_plug(&pi.dwc2.socket, &loops[0].usb);
    boot("log=error usb.slot=65536");
    wait_for_users(1);
    exchange(users[0], 1000, 1);
}

static void test_a_core_that_does_not_reset(void **state)
{
    (void)state;
    prepare();
    pi.dwc2.never_resets = true;
    boot("log=error");
    must_fail(PI_USB, -ETIMEDOUT, "reset of the core");
}

static void test_removal(void **state)
{
    (void)state;
    start(BB_USB_HIGH, false);
    loops[0].silent = true;
    assert_int_equal(submit(users[0], users[0]->in, users[0]->back, ROOM), 0);
    bb_sleep(BB_MSEC);
    must_remove(PI_USB);
    assert_int_equal(channels_busy(), 0);
    assert_false(pi.dwc2.socket.powered);
    assert_int_equal(pi.dwc2.gahbcfg & 1, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_at_high_speed),
        cmocka_unit_test(test_bulk_at_full_speed),
        cmocka_unit_test(test_interrupt_at_low_speed),
        cmocka_unit_test(test_bulk_through_splits),
        cmocka_unit_test(test_interrupt_through_splits),
        cmocka_unit_test(test_a_long_transfer_is_one_piece),
        cmocka_unit_test(test_empty_packets),
        cmocka_unit_test(test_reports_at_high_speed),
        cmocka_unit_test(test_reports_at_full_speed),
        cmocka_unit_test(test_reports_through_splits),
        cmocka_unit_test(test_a_slow_reader),
        cmocka_unit_test(test_a_slow_reader_and_an_old_core),
        cmocka_unit_test(test_more_endpoints_than_channels),
        cmocka_unit_test(test_more_splits_than_channels),
        cmocka_unit_test(test_quiet_with_nothing_plugged),
        cmocka_unit_test(test_a_core_that_must_be_forced),
        cmocka_unit_test(test_a_core_that_does_not_reset),
        cmocka_unit_test(test_removal),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
