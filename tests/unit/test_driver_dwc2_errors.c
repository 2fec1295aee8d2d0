/* SPDX-License-Identifier: BSD-2-Clause */
/* usb_host/dwc2 when things go wrong: every answer that a device may give, cancels and unplugs at
 * every moment. Nothing is written to memory that was given back. */
#include "dwc2.h"

static void begin(enum bb_usb_speed speed, bool behind_a_hub)
{
    start(speed, behind_a_hub);
    fill(users[0], ROOM, 5);
}

static void still_works(void)
{
    exchange(users[user_count - 1], 700, 77);
    exchange(users[user_count - 1], 64, 78);
}

/* A STALL ends the transfer; when it is cleared both sides begin with DATA0. */
static void stalls(enum bb_usb_speed speed, bool behind_a_hub)
{
    begin(speed, behind_a_hub);
    struct user *user = users[0];
    exchange(user, user->out->packet, 1); /* the next is DATA1 */
    usb_fault(&loops[0].usb, 0x01, 1, 1, USB_FAULT_STALL);
    assert_int_equal(run(user, user->out, user->there, 100, 0), -EPIPE);
    assert_int_equal(bb_usb_clear_halt(user->out), 0);
    usb_fault(&loops[0].usb, 0x81, 1, 1, USB_FAULT_STALL);
    assert_int_equal(run(user, user->in, user->back, 100, 0), -EPIPE);
    assert_int_equal(bb_usb_clear_halt(user->in), 0);
    still_works();
    assert_int_equal(bb_usb_control(user->interface->device, 0x40, 99, 0, 0, NULL, 0), -EPIPE);
    still_works();
}

static void test_stall(void **state)
{
    (void)state;
    stalls(BB_USB_HIGH, false);
}

static void test_stall_through_splits(void **state)
{
    (void)state;
    stalls(BB_USB_FULL, true);
}

/* Two errors in a row are mended, wherever they come; what is not an error does not count. */
static void is_mended(enum usb_fault_kind kind, unsigned pipe)
{
    struct user *user = users[0];
    for (uint32_t at = 1; at <= 4; at++) {
        for (uint32_t count = 1; count <= 2; count++) {
            memset(loops[0].usb.faults, 0, sizeof(loops[0].usb.faults));
            usb_fault(&loops[0].usb, pipe, at, count, kind);
            exchange(user, 3u * user->out->packet + 10, at * 3 + count);
        }
    }
    memset(loops[0].usb.faults, 0, sizeof(loops[0].usb.faults));
}

static void mends(enum bb_usb_speed speed, bool behind_a_hub)
{
    begin(speed, behind_a_hub);
    if (!behind_a_hub) { /* else the hub tries three times by itself, and says STALL */
        is_mended(USB_FAULT_SILENT, 0x01);
        is_mended(USB_FAULT_SILENT, 0x81);
        is_mended(USB_FAULT_LOST_ACK, 0x01);
        is_mended(USB_FAULT_TOGGLE, 0x01);
    }
    is_mended(USB_FAULT_LOST_ACK, 0x81);
    is_mended(USB_FAULT_NAK, 0x01);
    is_mended(USB_FAULT_NAK, 0x81);
    still_works();
}

static void test_two_errors(void **state)
{
    (void)state;
    mends(BB_USB_HIGH, false);
}

static void test_two_errors_at_full_speed(void **state)
{
    (void)state;
    mends(BB_USB_FULL, false);
}

static void test_two_errors_through_splits(void **state)
{
    (void)state;
    mends(BB_USB_FULL, true);
}

/* The third ends it, with what had arrived. */
static void test_three_errors(void **state)
{
    (void)state;
    begin(BB_USB_HIGH, false);
    struct user *user = users[0];
    usb_fault(&loops[0].usb, 0x01, 3, USB_FOR_EVER, USB_FAULT_SILENT);
    struct bb_usb_transfer transfer = {
        .endpoint = user->out, .data = user->there, .length = 2048, .timeout = BB_SEC};
    assert_int_equal(bb_usb_run(&transfer), -EIO);
    assert_int_equal(transfer.actual, 1024);
    memset(loops[0].usb.faults, 0, sizeof(loops[0].usb.faults));
    assert_int_equal(run(user, user->in, user->back, 1024, 0), 1024);
    assert_memory_equal(user->there, user->back, 1024);
    still_works();
}

/* Errors with NAKs in between are no errors in a row: however many, they end nothing. Behind a hub
 * it is the host that does not hear a complete split. */
static void endures(struct bb_usb_endpoint *endpoint, uint32_t length, bool mute)
{
    struct user *user = users[0];
    uint64_t pause = 2 * endpoint->interval * BB_USEC + 3 * BB_MSEC;
    loops[0].room = 0;
    loops[0].silent = true;
    assert_int_equal(submit(user, endpoint, user->there, length), 0);
    for (unsigned i = 0; i < 6; i++) {
        uint64_t applied = loops[0].usb.applied;
        bb_sleep(pause);
        if (mute) {
            pi.dwc2.mute_at = pi.dwc2.mutes = 1;
            pi.dwc2.mute_token = i % 2;
        } else {
            usb_fault(&loops[0].usb, endpoint->address, 1, 1, USB_FAULT_SILENT);
        }
        bb_sleep(pause);
        assert_int_equal(pi.dwc2.mutes, 0);
        assert_int_equal(loops[0].usb.applied - applied, !mute);
        memset(loops[0].usb.faults, 0, sizeof(loops[0].usb.faults));
        assert_int_equal(user->transfer.status, -EINPROGRESS);
    }
    loops[0].room = MODEL_LOOP_PACKETS;
    loops[0].silent = false;
    loops[0].news = endpoint == user->news;
    assert_int_equal(bb_wait(is_done, &user->transfer, BB_SEC), 0);
    assert_int_equal(user->transfer.status, 0);
}

static void errors_apart(enum bb_usb_speed speed, bool behind_a_hub, bool old)
{
    begin(speed, behind_a_hub);
    pi.dwc2.out_nak_halts = old;
    endures(users[0]->news, 4, false);
    if (behind_a_hub)
        endures(users[0]->news, 4, true);
    endures(users[0]->out, 64, behind_a_hub);
    endures(users[0]->in, 64, behind_a_hub);
    still_works();
}

/* What the hub refuses says nothing of the device, nor of what was lost on the way to the hub. */
static void test_errors_apart_by_a_busy_hub(void **state)
{
    (void)state;
    begin(BB_USB_FULL, true);
    struct user *user = users[0];
    hub.busy = true;
    assert_int_equal(run(user, user->out, user->there, 64, 0), -EIO);
    hub.busy = false;
    still_works();
}

static void test_errors_apart(void **state)
{
    (void)state;
    errors_apart(BB_USB_HIGH, false, false);
}

static void test_errors_apart_on_an_old_core(void **state)
{
    (void)state;
    errors_apart(BB_USB_HIGH, false, true);
}

static void test_errors_apart_at_full_speed(void **state)
{
    (void)state;
    errors_apart(BB_USB_FULL, false, false);
}

static void test_errors_apart_through_splits(void **state)
{
    (void)state;
    errors_apart(BB_USB_FULL, true, false);
}

static void test_babble(void **state)
{
    (void)state;
    begin(BB_USB_HIGH, false);
    struct user *user = users[0];
    assert_int_equal(run(user, user->out, user->there, 512, 0), 512);
    usb_fault(&loops[0].usb, 0x81, 1, 1, USB_FAULT_BABBLE);
    assert_int_equal(run(user, user->in, user->back, 512, 0), -EOVERFLOW);
}

/* More than was asked for, in a packet that is no larger than may be. */
static void test_more_than_asked(void **state)
{
    (void)state;
    begin(BB_USB_HIGH, false);
    struct user *user = users[0];
    assert_int_equal(run(user, user->out, user->there, 300, 0), 300);
    struct bb_usb_transfer transfer = {
        .endpoint = user->in, .data = user->back, .length = 100, .timeout = BB_SEC};
    assert_int_equal(bb_usb_run(&transfer), -EOVERFLOW);
    assert_int_equal(transfer.actual, 100);
    still_works();
}

static void test_overruns(void **state)
{
    (void)state;
    begin(BB_USB_HIGH, false);
    for (uint32_t at = 1; at < 6; at++) {
        pi.dwc2.overrun_at = at;
        loops[0].news = 3;
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(run(users[0], users[0]->news, users[0]->back, 4, 0), 4);
    }
    still_works();
}

static void test_overruns_of_splits(void **state)
{
    (void)state;
    begin(BB_USB_FULL, true);
    for (uint32_t at = 1; at < 10; at++) {
        pi.dwc2.overrun_at = at;
        loops[0].news = 3;
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(run(users[0], users[0]->news, users[0]->back, 4, 0), 4);
    }
    still_works();
}

/* Noise between the hub and the host at any complete split: the hub still has what the device has
 * sent and was acknowledged for, and twice in a row costs nothing. */
static void test_complete_splits_unheard(void **state)
{
    (void)state;
    begin(BB_USB_FULL, true);
    struct user *user = users[0];
    for (uint32_t at = 1; at <= 40; at++) {
        for (uint32_t how = 0; how < 4; how++) {
            pi.dwc2.mute_at = at;
            pi.dwc2.mutes = 1 + how / 2;
            pi.dwc2.mute_token = how % 2;
            exchange(user, 3u * user->out->packet + 10, at * 4 + how);
            assert_int_equal(pi.dwc2.mutes, 0);
            assert_int_equal(hub.stray_splits, 0);
        }
    }
}

/* The third ends it. */
static void test_complete_splits_never_heard(void **state)
{
    (void)state;
    begin(BB_USB_FULL, true);
    struct user *user = users[0];
    pi.dwc2.mute_at = 2;
    pi.dwc2.mutes = 3;
    assert_int_equal(run(user, user->out, user->there, 10, 0), -EIO);
    assert_int_equal(pi.dwc2.mutes, 0);
    still_works();
}

/* Reports have one frame: what is not heard within it is lost, and the next ones come. */
static void test_reports_unheard(void **state)
{
    (void)state;
    begin(BB_USB_FULL, true);
    for (uint32_t at = 1; at < 12; at++) {
        pi.dwc2.mute_at = at;
        pi.dwc2.mutes = 1;
        pi.dwc2.mute_token = at % 2;
        loops[0].news = 6;
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(run(users[0], users[0]->news, users[0]->back, 4, 0), 4);
        pi.dwc2.mutes = 0;
    }
    still_works();
}

/* A cancel after every time from 0 on: it ends within 10 ms, and then memory is left alone. */
static void cancel_at(uint64_t time, bool in, uint32_t length)
{
    struct user *user = users[0];
    static uint8_t copy[ROOM];
    if (in)
        fill(user, length, (unsigned)time);
    else
        loops[0].room = 4;
    memset(user->back, 0x5a, ROOM);
    assert_int_equal(submit(user, in ? user->in : user->out, in ? user->back : user->there, length),
                     0);
    bb_sleep(time);
    uint64_t before = world_now();
    bb_usb_cancel_wait(&user->transfer);
    assert_true(world_now() - before <= 10 * BB_MSEC);
    int status = user->transfer.status;
    assert_true(status == -ECANCELED || status == 0);
    assert_true(status || user->transfer.actual == length);
    memcpy(copy, user->back, ROOM);
    bb_sleep(3 * BB_MSEC);
    assert_memory_equal(copy, user->back, ROOM);
    loops[0].room = MODEL_LOOP_PACKETS;
}

static void cancel_everywhere(enum bb_usb_speed speed, bool behind_a_hub, uint64_t step)
{
    begin(speed, behind_a_hub);
    struct user *user = users[0];
    uint32_t length = 8u * user->out->packet;
    for (uint64_t time = 0; time < 60 * step; time += step) {
        cancel_at(time, false, length); /* some arrives, the rest is NAKed */
        cancel_at(time, true, length);
    }
    assert_true(channels_busy() <= 1);
    /* What is in the loop is whole packets: nothing was doubled and nothing lost in between. */
    loops[0].count = loops[0].first = 0;
    still_works();
}

static void test_cancel(void **state)
{
    (void)state;
    cancel_everywhere(BB_USB_HIGH, false, 7 * BB_USEC);
}

static void test_cancel_at_full_speed(void **state)
{
    (void)state;
    cancel_everywhere(BB_USB_FULL, false, 31 * BB_USEC);
}

static void test_cancel_splits(void **state)
{
    (void)state;
    cancel_everywhere(BB_USB_FULL, true, 31 * BB_USEC);
}

/* Cancelled from all states of a control transfer, and while it waits for a channel. */
static void test_cancel_reports(void **state)
{
    (void)state;
    begin(BB_USB_FULL, true);
    for (uint64_t time = 0; time < 12 * BB_MSEC; time += 173 * BB_USEC) {
        assert_int_equal(submit(users[0], users[0]->news, users[0]->back, 4), 0);
        bb_sleep(time);
        bb_usb_cancel_wait(&users[0]->transfer);
        assert_int_equal(users[0]->transfer.status, -ECANCELED);
    }
    still_works();
}

/* Unplugged after every time: what was in flight ends, and it works again when it is back. */
static void unplug_everywhere(enum bb_usb_speed speed, bool behind_a_hub, uint64_t step)
{
    begin(speed, behind_a_hub);
    struct usb_socket *socket = behind_a_hub ? &hub.sockets[0] : &pi.dwc2.socket;
    for (uint64_t time = 0; time < 11 * step; time += step) {
        struct user *user = users[user_count - 1];
        static struct bb_usb_transfer transfer;
        static uint8_t *memory;
        memory = user->back;
        transfer = (struct bb_usb_transfer){.endpoint = user->in,
                                            .data = memory,
                                            .length = ROOM / 2,
                                            .timeout = BB_FOREVER,
                                            .done = ended,
                                            .context = user};
        assert_int_equal(bb_usb_submit(&transfer), 0);
        bb_sleep(time);
        usb_unplug(&loops[0].usb);
        assert_int_equal(bb_wait(is_done, &transfer, BB_SEC), 0);
        /* A hub that gets no answer says STALL (11.17.1). */
        assert_true(transfer.status == -ENODEV || transfer.status == -EIO ||
                    (behind_a_hub && transfer.status == -EPIPE));
        bb_sleep(500 * BB_MSEC);
        assert_true(channels_busy() <= 1);
        user_count = 0;
        usb_plug(socket, &loops[0].usb);
        wait_for_users(1);
        still_works();
    }
}

static void test_unplug(void **state)
{
    (void)state;
    unplug_everywhere(BB_USB_HIGH, false, 13 * BB_USEC);
}

static void test_unplug_behind_a_hub(void **state)
{
    (void)state;
    unplug_everywhere(BB_USB_FULL, true, 41 * BB_USEC);
}

static void memory_error(void)
{
    assert_int_equal(submit(users[0], users[0]->in, users[0]->back, 512), 0);
    bb_sleep(BB_MSEC);
    for (unsigned i = 0; i < DWC2_CHANNELS; i++)
        if (pi.dwc2.channels[i].enabled)
            pi.dwc2.channels[i].hcint |= DWC2_AHBERR;
    model_dwc2_update(&pi.dwc2);
}

/* Memory that the core does not reach ends the transfer, and no other one. */
static void test_memory_error(void **state)
{
    (void)state;
    begin(BB_USB_HIGH, false);
    memory_error();
    assert_int_equal(bb_wait(is_done, &users[0]->transfer, BB_SEC), 0);
    assert_int_equal(users[0]->transfer.status, -EIO);
    assert_int_equal(logged("could not reach memory"), 1);
    still_works();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_stall_through_splits),
        cmocka_unit_test(test_two_errors),
        cmocka_unit_test(test_two_errors_at_full_speed),
        cmocka_unit_test(test_two_errors_through_splits),
        cmocka_unit_test(test_three_errors),
        cmocka_unit_test(test_errors_apart_by_a_busy_hub),
        cmocka_unit_test(test_errors_apart),
        cmocka_unit_test(test_errors_apart_on_an_old_core),
        cmocka_unit_test(test_errors_apart_at_full_speed),
        cmocka_unit_test(test_errors_apart_through_splits),
        cmocka_unit_test(test_babble),
        cmocka_unit_test(test_more_than_asked),
        cmocka_unit_test(test_overruns),
        cmocka_unit_test(test_overruns_of_splits),
        cmocka_unit_test(test_complete_splits_unheard),
        cmocka_unit_test(test_complete_splits_never_heard),
        cmocka_unit_test(test_reports_unheard),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_at_full_speed),
        cmocka_unit_test(test_cancel_splits),
        cmocka_unit_test(test_cancel_reports),
        cmocka_unit_test(test_unplug),
        cmocka_unit_test(test_unplug_behind_a_hub),
        cmocka_unit_test(test_memory_error),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
