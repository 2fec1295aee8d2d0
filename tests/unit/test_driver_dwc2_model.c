/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole chain on the Pi's board of models: a loop-back device at each speed, plugged in by
 * itself or behind a high-speed hub, the bus, usb_host/dwc2, and the core's strict register model.
 */
#include "usb.h"

#include <tests/models/boards.h>

enum { SIZE = 8192 };

static struct model_loop loop;
static struct model_hub hub;
static uint8_t *out_memory, *in_memory, *news_memory;
static struct bb_usb_transfer out, in, news;
static unsigned ended;

struct place {
    const char *name;
    enum bb_usb_speed speed;
    bool behind_a_hub;
};
static const struct place places[] = {
    {"high speed", BB_USB_HIGH, false},
    {"full speed", BB_USB_FULL, false},
    {"low speed", BB_USB_LOW, false},
    {"high speed behind a hub", BB_USB_HIGH, true},
    {"full speed behind a hub", BB_USB_FULL, true},
    {"low speed behind a hub", BB_USB_LOW, true},
};

/* ---- The machine ---- */

static int take_memory(struct probe *probe)
{
    out_memory = bb_usb_alloc(&probe->device, SIZE);
    in_memory = bb_usb_alloc(&probe->device, SIZE);
    news_memory = bb_usb_alloc(&probe->device, 64);
    return out_memory && in_memory && news_memory ? 0 : -ENOMEM;
}

static void prepare_board(void)
{
    static const struct bb_driver *drivers[200];

    pi_prepare(NULL);
    drivers[0] = &bb_driver_test_probe;
    for (size_t i = 0; i < bb_driver_count && i + 1 < BB_ARRAY_SIZE(drivers); i++)
        drivers[i + 1] = bb_drivers[i];
    bb_binder.drivers = drivers;
    bb_binder.count = bb_driver_count + 1;
    memset(&prober, 0, sizeof prober);
    prober.probe = take_memory;
}

static void plug(const struct place *place)
{
    model_loop_init(&loop, "loop", place->speed);
    model_hub_init(&hub, "hub", BB_USB_HIGH, 4);
    hub.multiple = place->speed == BB_USB_LOW;
    if (place->behind_a_hub) {
        usb_plug(&hub.sockets[1], &loop.usb);
        usb_plug(&pi.dwc2.socket, &hub.usb);
    } else {
        usb_plug(&pi.dwc2.socket, &loop.usb);
    }
}

static bool is_probed(void *context)
{
    (void)context;
    return prober.probes > prober.removes;
}

static void wait_for_driver(void)
{
    assert_int_equal(bb_wait(is_probed, NULL, 10 * BB_SEC), 0);
}

static void start(const struct place *place)
{
    prepare_board();
    plug(place);
    boot(NULL);
    device_at(PI_USB);
    wait_for_driver();
}

static struct bb_usb_endpoint *endpoint(unsigned address)
{
    struct bb_usb_interface *interface = prober.last->interface;

    for (unsigned i = 0; i < interface->endpoint_count; i++)
        if (interface->endpoints[i].address == address)
            return &interface->endpoints[i];
    fail_msg("no endpoint %#x", address);
    return NULL;
}

static void count_end(struct bb_usb_transfer *transfer)
{
    (void)transfer;
    ended++;
}

static struct bb_usb_transfer make_transfer(unsigned address, void *data, uint32_t length)
{
    return (struct bb_usb_transfer){.endpoint = endpoint(address),
                                    .data = data,
                                    .length = length,
                                    .timeout = 5 * BB_SEC,
                                    .flags = address & BB_USB_IN ? 0 : BB_USB_ZERO,
                                    .done = count_end};
}

static bool both_ended(void *context)
{
    (void)context;
    return ended == 2;
}

/* ---- What goes there and comes back ---- */

static void exchange_control(unsigned size)
{
    static uint8_t there[1024], back[1024];
    struct bb_usb_device *device = prober.last->interface->device;

    for (unsigned i = 0; i < size; i++)
        there[i] = (uint8_t)(i * 7 + size);
    memset(back, 0, sizeof back);
    assert_int_equal(bb_usb_control(device, 0x40, LOOP_WRITE, 5, 0, there, size), (int)size);
    assert_int_equal(bb_usb_control(device, 0xc0, LOOP_READ, 5, 0, back, size), (int)size);
    assert_memory_equal(there, back, size);
}

static void exchange_bulk(uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        out_memory[i] = (uint8_t)(i * 5 + i / 251 + size);
    memset(in_memory, 0xaa, SIZE);
    out = make_transfer(0x01, out_memory, size);
    in = make_transfer(0x81, in_memory, SIZE);
    ended = 0;
    assert_int_equal(bb_usb_submit(&in), 0);
    assert_int_equal(bb_usb_submit(&out), 0);
    assert_int_equal(bb_wait(both_ended, NULL, 20 * BB_SEC), 0);
    assert_int_equal(out.status, 0);
    assert_int_equal(in.status, 0);
    assert_int_equal(out.actual, size);
    assert_int_equal(in.actual, size);
    assert_memory_equal(in_memory, out_memory, size);
}

static void exchange_news(void)
{
    loop.news = 3;
    for (unsigned i = 0; i < 3; i++) {
        news = make_transfer(0x82, news_memory, 8);
        news.timeout = BB_SEC;
        assert_int_equal(bb_usb_run(&news), 0);
        assert_int_equal(news.actual, 4);
    }
    assert_int_equal(loop.news, 0);
    assert_int_equal(bb_usb_run(&news), -ETIMEDOUT);
}

static void exchange(void)
{
    static const uint16_t sizes[] = {0, 1, 8, 63, 64, 65, 250, 511, 512, 513, 1000};

    for (unsigned i = 0; i < BB_ARRAY_SIZE(sizes); i++) {
        exchange_control(sizes[i]);
        exchange_bulk(sizes[i]);
    }
    exchange_news();
    assert_int_equal(bb_usb_control(prober.last->interface->device, 0x40, 77, 0, 0, NULL, 0),
                     -EPIPE);
    exchange_control(3);
}

static int run_at(void *context)
{
    const struct place *place = context;

    start(place);
    exchange();
    assert_int_equal(hub.stray_splits, 0);
    assert_true(place->behind_a_hub == (hub.usb.transactions > 0));
    assert_true((place->behind_a_hub && place->speed != BB_USB_HIGH) == (hub.start_splits > 0));
    must_remove(PI_USB);
    assert_false(pi.dwc2.socket.powered);
    return 0;
}

static void everywhere(int (*body)(void *context))
{
    for (unsigned i = 0; i < BB_ARRAY_SIZE(places); i++)
        if (run_child(body, (void *)(uintptr_t)&places[i]) != 0)
            fail_msg("at %s", places[i].name);
}

static void test_at_each_speed(void **state)
{
    (void)state;
    everywhere(run_at);
}

static int run_full(void *context)
{
    start(context);
    loop.room = 1;
    loop.nyet = true;
    exchange_bulk(1000);
    exchange_bulk(1024);
    loop.room = 3;
    exchange_bulk(loop.usb.speed == BB_USB_LOW ? 1500 : 5000); /* 8 bytes each 10 ms */
    return 0;
}

/* NAK, NYET and PING. */
static void test_a_device_that_is_full(void **state)
{
    (void)state;
    everywhere(run_full);
}

static int run_full_on_an_old_core(void *context)
{
    start(context);
    pi.dwc2.out_nak_halts = true;
    loop.room = 1;
    loop.nyet = true;
    exchange_bulk(1000);
    exchange_bulk(3000);
    exchange_control(600);
    return 0;
}

static void test_a_full_device_on_an_old_core(void **state)
{
    (void)state;
    everywhere(run_full_on_an_old_core);
}

/* ---- What goes wrong ---- */

static int run_flaws(void *context)
{
    static const enum usb_fault_kind kinds[] = {USB_FAULT_SILENT, USB_FAULT_LOST_ACK,
                                                USB_FAULT_TOGGLE, USB_FAULT_NAK};
    static const unsigned pipes[] = {USB_CONTROL_PIPE, 0x01, 0x81};

    start(context);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(kinds); i++)
        for (unsigned j = 0; j < BB_ARRAY_SIZE(pipes); j++)
            for (unsigned at = 1; at < 8; at++) {
                memset(loop.usb.faults, 0, sizeof loop.usb.faults);
                usb_fault(&loop.usb, pipes[j], at, 2, kinds[i]);
                exchange_bulk(300);
                exchange_control(200);
            }
    return 0;
}

/* Twice in a row, which nobody above sees. */
static void test_flaws_on_the_wire(void **state)
{
    (void)state;
    everywhere(run_flaws);
}

static int run_refusals(void *context)
{
    const struct place *place = context;
    bool split = place->behind_a_hub && place->speed != BB_USB_HIGH;
    bool bulk = place->speed != BB_USB_LOW;

    start(place);
    usb_fault(&loop.usb, 0x01, 3, 1, USB_FAULT_STALL);
    out = make_transfer(0x01, out_memory, 2000);
    assert_int_equal(bb_usb_run(&out), -EPIPE);
    assert_int_equal(out.actual, 2 * out.endpoint->packet);
    assert_int_equal(bb_usb_clear_halt(out.endpoint), 0);
    in = make_transfer(0x81, in_memory, 2 * out.endpoint->packet);
    assert_int_equal(bb_usb_run(&in), 0);
    exchange_bulk(700);
    memset(loop.usb.faults, 0, sizeof loop.usb.faults);
    usb_fault(&loop.usb, 0x81, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    in = make_transfer(0x81, in_memory, 512);
    /* A translator that has tried three times says so by STALL (USB 2.0, 11.17). */
    assert_int_equal(bb_usb_run(&in), split && bulk ? -EPIPE : -EIO);
    memset(loop.usb.faults, 0, sizeof loop.usb.faults);
    if (!split) {
        usb_fault(&loop.usb, 0x81, 1, 1, USB_FAULT_BABBLE);
        assert_int_equal(bb_usb_run(&in), -EOVERFLOW);
    }
    exchange_control(100);
    return 0;
}

static void test_stall_silence_babble(void **state)
{
    (void)state;
    everywhere(run_refusals);
}

static int run_waits(void *context)
{
    start(context);
    for (unsigned i = 0; i < 20; i++) {
        loop.silent = true;
        in = make_transfer(0x81, in_memory, 512);
        in.timeout = 30 * BB_MSEC + i * 37 * BB_USEC;
        assert_int_equal(bb_usb_run(&in), -ETIMEDOUT);
        uint64_t before = bb_time();
        in.timeout = BB_FOREVER;
        assert_int_equal(bb_usb_submit(&in), 0);
        bb_sleep(i * 111 * BB_USEC);
        bb_usb_cancel_wait(&in);
        assert_int_equal(in.status, -ECANCELED);
        assert_true(bb_time() - before < 20 * BB_MSEC + i * 111 * BB_USEC);
        loop.silent = false;
        exchange_bulk(100 + i);
    }
    assert_true(model_dwc2_is_idle(&pi.dwc2));
    return 0;
}

static void test_timeouts_and_cancels(void **state)
{
    (void)state;
    everywhere(run_waits);
}

/* What is given up between its start and its complete split must not keep the translator's two
 * buffers (USB 2.0, 11.17.5). */
static int run_abandoned(void *context)
{
    start(context);
    for (unsigned i = 0; i < 60; i++) {
        loop.silent = true;
        loop.room = loop.count;
        in = make_transfer(0x81, in_memory, 512);
        out = make_transfer(0x01, out_memory, 100);
        assert_int_equal(bb_usb_submit(&in), 0);
        assert_int_equal(bb_usb_submit(&out), 0);
        bb_sleep(BB_MSEC + i * 29 * BB_USEC);
        bb_usb_cancel(&in);
        bb_usb_cancel_wait(&out);
        bb_usb_cancel_wait(&in);
        exchange_control(20);
    }
    loop.silent = false;
    loop.room = 10;
    exchange_bulk(300);
    return 0;
}

static void test_abandoned_splits(void **state)
{
    (void)state;
    everywhere(run_abandoned);
}

static int run_overruns(void *context)
{
    start(context);
    for (unsigned i = 1; i < 8; i++) {
        pi.dwc2.overrun_at = i;
        if (!hub.start_splits) {
            exchange_news();
            continue;
        }
        /* What the translator had when its complete split was missed is lost, for the device has
         * its ACK; and so is the next, whose toggle is not the one that is due. */
        unsigned got = 0;
        loop.news = 4;
        for (unsigned j = 0; j < 4; j++) {
            news = make_transfer(0x82, news_memory, 8);
            news.timeout = 200 * BB_MSEC;
            got += bb_usb_run(&news) == 0;
        }
        assert_int_equal(loop.news, 0);
        assert_in_range(got, 2, 4);
        exchange_news();
    }
    return 0;
}

static void test_frame_overrun(void **state)
{
    (void)state;
    everywhere(run_overruns);
}

static int run_unplug(void *context)
{
    const struct place *place = context;
    enum usb_fault_kind kind = USB_FAULT_UNPLUG;
    unsigned whole = 0;

    prepare_board();
    boot(NULL);
    for (uint32_t n = 1; whole < 2; n += n < 40 ? 1 : 7) {
        assert_true(n < 2000);
        plug(place);
        loop.usb.faults[0] = (struct usb_fault){kind, 0, n, 1};
        kind = kind == USB_FAULT_UNPLUG ? USB_FAULT_UNPLUG_AFTER : USB_FAULT_UNPLUG;
        (void)bb_wait(is_probed, NULL, 3 * BB_SEC);
        if (is_probed(NULL)) {
            ended = 0;
            out = make_transfer(0x01, out_memory, 1000);
            in = make_transfer(0x81, in_memory, SIZE);
            in.timeout = BB_FOREVER;
            bool submitted = !bb_usb_submit(&in) && !bb_usb_submit(&out);
            (void)bb_wait(both_ended, NULL, 2 * BB_SEC);
            assert_true(!submitted || ended);
        }
        whole += loop.usb.socket != NULL;
        usb_unplug(&loop.usb);
        usb_unplug(&hub.usb);
        bb_sleep(BB_SEC);
        assert_false(is_probed(NULL));
        assert_null(bb_usb_next(NULL));
        assert_true(model_dwc2_is_idle(&pi.dwc2));
    }
    return 0;
}

static void test_unplug_at_each_transaction(void **state)
{
    (void)state;
    everywhere(run_unplug);
}

/* ---- The core ---- */

static void test_device_by_its_pin(void **state)
{
    (void)state;
    prepare_board();
    pi.dwc2.b_device = true;
    plug(&places[0]);
    boot(NULL);
    wait_for_driver();
    exchange_bulk(1000);
}

static void test_a_reset_that_does_not_end(void **state)
{
    (void)state;
    prepare_board();
    pi.dwc2.never_resets = true;
    boot(NULL);
    must_fail(PI_USB, -ETIMEDOUT, NULL);
    assert_false(pi.mailbox.power_on[3]);
}

static void test_a_channel_that_does_not_halt(void **state)
{
    (void)state;
    start(&places[0]);
    loop.silent = true;
    in = make_transfer(0x81, in_memory, 512);
    in.timeout = BB_FOREVER;
    assert_int_equal(bb_usb_submit(&in), 0);
    bb_sleep(BB_MSEC);
    pi.dwc2.never_halts = true;
    uint64_t before = bb_time();
    bb_usb_cancel_wait(&in);
    assert_int_equal(in.status, -ECANCELED);
    assert_true(bb_time() - before < 20 * BB_MSEC);
    pi.dwc2.never_halts = loop.silent = false;
    bb_sleep(5 * BB_SEC);
    wait_for_driver();
    exchange_bulk(100);
}

static void test_over_current(void **state)
{
    (void)state;
    start(&places[1]);
    model_dwc2_over_current(&pi.dwc2, true);
    bb_sleep(2 * BB_SEC);
    assert_false(is_probed(NULL));
    model_dwc2_over_current(&pi.dwc2, false);
    bb_sleep(5 * BB_SEC);
    wait_for_driver();
    exchange_bulk(100);
}

static void test_quiet_while_idle(void **state)
{
    (void)state;
    prepare_board();
    boot(NULL);
    bb_sleep(BB_SEC);
    uint64_t before = pi.dwc2.interrupts, accesses = pi.dwc2.model.accesses;
    bb_sleep(10 * BB_SEC);
    assert_true(pi.dwc2.interrupts - before < 10);
    assert_true(pi.dwc2.model.accesses - accesses < 100);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_each_speed),
        cmocka_unit_test(test_a_device_that_is_full),
        cmocka_unit_test(test_a_full_device_on_an_old_core),
        cmocka_unit_test(test_flaws_on_the_wire),
        cmocka_unit_test(test_stall_silence_babble),
        cmocka_unit_test(test_timeouts_and_cancels),
        cmocka_unit_test(test_abandoned_splits),
        cmocka_unit_test(test_frame_overrun),
        cmocka_unit_test(test_unplug_at_each_transaction),
        cmocka_unit_test(test_device_by_its_pin),
        cmocka_unit_test(test_a_reset_that_does_not_end),
        cmocka_unit_test(test_a_channel_that_does_not_halt),
        cmocka_unit_test(test_over_current),
        cmocka_unit_test(test_quiet_while_idle),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
