/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes in the middle of something else: done() that submits and cancels while others end,
 * drivers and controllers that go while somebody waits or a transfer is stuck. */
#include "usb.h"

static struct model_loop loop;
static struct probe *probe;
static struct bb_usb_device *device;
static struct bb_usb_endpoint *in, *out;
static uint8_t *memory; /* of the device, 4096 bytes */

static int keep(struct probe *claimed)
{
    probe = claimed;
    memory = bb_usb_alloc(&claimed->device, 4096);
    return memory ? 0 : -ENOMEM;
}

static void begin(void)
{
    boot_with_loop(&loop, BB_USB_FULL, keep);
    assert_int_equal(prober.probes, 1);
    device = probe->interface->device;
    out = bb_usb_endpoint(probe->interface, BB_USB_BULK, BB_USB_OUT);
    in = bb_usb_endpoint(probe->interface, BB_USB_BULK, BB_USB_IN);
}

static struct bb_usb_transfer make(struct bb_usb_endpoint *endpoint, unsigned offset,
                                   void (*done)(struct bb_usb_transfer *transfer))
{
    return (struct bb_usb_transfer){.endpoint = endpoint,
                                    .data = memory + offset,
                                    .length = 64,
                                    .timeout = BB_FOREVER,
                                    .done = done};
}

static void send(void)
{
    struct bb_usb_transfer transfer = make(out, 2048, NULL);
    transfer.length = 10;
    transfer.timeout = BB_SEC;
    assert_int_equal(bb_usb_run(&transfer), 0);
}

static unsigned calls;

static void note(struct bb_usb_transfer *transfer)
{
    (void)transfer;
    calls++;
}

/* ---- Others end ---- */

/* A transfer that the controller refuses when its turn comes, and that done() submits again: what
 * the controller took then, it must not be given twice. */
static void refused_and_again(struct bb_usb_transfer *transfer)
{
    calls++;
    soft_host.refuses = false;
    if (transfer->status == -ENOMEM)
        assert_int_equal(bb_usb_submit(transfer), 0);
}

static void test_refused_in_turn(void **state)
{
    (void)state;
    begin();
    struct bb_usb_transfer first = make(in, 0, note);
    struct bb_usb_transfer second = make(in, 64, refused_and_again);
    assert_int_equal(bb_usb_submit(&first), 0);
    assert_int_equal(bb_usb_submit(&second), 0);
    uint64_t submits = soft_host.submits;
    soft_host.refuses = true;
    bb_usb_cancel(&first);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(first.status, -ECANCELED);
    assert_int_equal(calls, 2);
    assert_int_equal(soft_host.submits, submits + 2); /* refused, taken */
    assert_int_equal(soft_host.in_flight, 1);
    send();
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(calls, 3);
    assert_int_equal(second.status, 0);
    assert_int_equal(second.actual, 10);
    must_remove(SOFT_HOST);
}

static void insist(struct bb_usb_transfer *transfer)
{
    if (++calls > 10000)
        fail_msg("there is no end");
    if (transfer->status == -ENOMEM)
        assert_int_equal(bb_usb_submit(transfer), 0);
}

static bool timer_ran;

static void run_timer(struct bb_timer_event *event)
{
    (void)event;
    timer_ran = true;
}

/* Two that wait for one endpoint, both refused when their turn comes: each is submitted again
 * behind the other. Everybody else goes on meanwhile. */
static void test_two_refused_for_ever(void **state)
{
    struct bb_timer_event timer = {.run = run_timer};
    (void)state;
    begin();
    struct bb_usb_transfer first = make(in, 0, note);
    struct bb_usb_transfer others[2] = {make(in, 64, insist), make(in, 128, insist)};
    assert_int_equal(bb_usb_submit(&first), 0);
    assert_int_equal(bb_usb_submit(&others[0]), 0);
    assert_int_equal(bb_usb_submit(&others[1]), 0);
    bb_usb_cancel(&first);
    soft_host.refuses = true;
    while (calls < 20)
        bb_wait(NULL, NULL, BB_MSEC / 10);
    bb_timer_event_at(&timer, bb_time());
    bb_poll();
    bb_poll();
    assert_true(timer_ran);
    assert_true(calls < 1000);
    soft_host.refuses = false;
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(first.status, -ECANCELED);
    for (unsigned i = 0; i < 2; i++) {
        unsigned before = calls;
        send();
        bb_sleep(100 * BB_MSEC);
        assert_int_equal(calls, before + 1);
    }
    assert_int_equal(others[0].status, 0);
    assert_int_equal(others[1].status, 0);
    must_remove(SOFT_HOST);
}

static struct bb_usb_transfer *other;

static void cancel_other(struct bb_usb_transfer *transfer)
{
    assert_int_equal(transfer->status, -ENOMEM);
    assert_int_equal(other->status, 0);
    bb_usb_cancel(other);
    calls++;
}

static void refuse_next(const struct bb_usb_transfer *transfer, enum usb_answer answer)
{
    if (transfer == other && answer == USB_DATA)
        soft_host.refuses = true;
}

/* The next one of the endpoint is refused while one ends, which its done() wants to cancel. */
static void test_cancels_one_that_ends(void **state)
{
    (void)state;
    begin();
    struct bb_usb_transfer first = make(in, 0, note), second = make(in, 64, cancel_other);
    other = &first;
    soft_host.saw = refuse_next;
    assert_int_equal(bb_usb_submit(&first), 0);
    assert_int_equal(bb_usb_submit(&second), 0);
    send();
    bb_sleep(100 * BB_MSEC);
    assert_true(soft_host.refuses);
    assert_int_equal(calls, 2);
    assert_int_equal(soft_host.cancels, 0);
    soft_host.refuses = false;
    must_remove(SOFT_HOST);
}

/* ---- A driver goes ---- */

static void remove_driver(struct bb_work *work)
{
    (void)work;
    must_remove(ROOT_DEVICE "/interface@0");
}

static struct bb_work removal = {.run = remove_driver};

static void remove_before_it_is_told(const struct bb_usb_transfer *transfer, enum usb_answer answer)
{
    if (transfer == other && answer == USB_DATA)
        bb_work_queue(&removal); /* before the controller's own work */
}

static void again(struct bb_usb_transfer *transfer)
{
    assert_int_equal(prober.removes, 1);
    assert_ptr_equal(probe->interface->owner, &probe->device);
    calls++;
    if (!transfer->status)
        assert_int_equal(bb_usb_submit(transfer), -ENODEV);
}

/* A report has come and its driver goes before it is told: what done() submits then is not taken,
 * and done() is not called when the driver is gone. */
static void test_submits_while_driver_goes(void **state)
{
    (void)state;
    begin();
    struct bb_usb_transfer first = make(in, 0, again);
    other = &first;
    soft_host.saw = remove_before_it_is_told;
    assert_int_equal(bb_usb_submit(&first), 0);
    send();
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(calls, 1);
    assert_int_equal(first.status, 0);
    assert_null(in->first);
    assert_int_equal(soft_host.in_flight, 0);
    assert_false(logged("does not give a transfer back"));
    struct bb_node *node = bb_node_find(ROOT_DEVICE "/interface@0");
    node->state = BB_NODE_UNBOUND;
    node->reason = (struct bb_reason){0};
    assert_int_equal(bb_bind(node), 0); /* the next driver may submit */
    first = make(in, 0, note);
    assert_int_equal(bb_usb_submit(&first), 0);
    must_remove(SOFT_HOST);
}

/* ---- A controller goes ---- */

static int removed_with;

static void remove_host(struct bb_timer_event *event)
{
    (void)event;
    removed_with = bb_device_remove(bb_node_find(SOFT_HOST)->device);
}

static void ask(struct bb_work *work)
{
    uint8_t byte;
    (void)work;
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 0, 0, &byte, 1),
                     -ETIMEDOUT);
    calls++;
}

static void rest(struct bb_work *work)
{
    (void)work;
    bb_sleep(BB_SEC);
    calls++;
}

/* A driver waits, and what runs meanwhile removes the controller under it: not now. */
static void test_controller_stays_for_one_that_waits(void **state)
{
    static void (*const waits[])(struct bb_work * work) = {ask, rest};
    (void)state;
    begin();
    usb_fault(&loop.usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, USB_FAULT_NAK);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(waits); i++) {
        struct bb_work work = {.run = waits[i], .device = &probe->device};
        struct bb_timer_event timer = {.run = remove_host};
        removed_with = 0;
        bb_work_queue(&work);
        bb_timer_event_at(&timer, bb_time() + 100 * BB_MSEC);
        bb_sleep(BB_SEC + 200 * BB_MSEC);
        assert_int_equal(removed_with, -EBUSY);
        assert_int_equal(calls, i + 1);
        assert_int_equal(prober.removes, 0);
    }
    must_remove(SOFT_HOST);
    assert_int_equal(prober.removes, 1);
    assert_false(logged("does not let go"));
}

static void note_quiet(struct bb_usb_transfer *transfer)
{
    assert_int_equal(transfer->status, -ENODEV);
    assert_null(soft_host.host); /* it was removed, and its hardware is quiet */
    calls++;
}

/* The memory of what the controller does not give back is the bus's until its driver is gone; what
 * is below goes then. */
static void test_controller_goes_with_a_stuck_one(void **state)
{
    static struct bb_usb_transfer stuck;
    (void)state;
    begin();
    stuck = make(in, 0, note_quiet);
    assert_int_equal(bb_usb_submit(&stuck), 0);
    soft_host.deaf = true;
    must_remove(SOFT_HOST);
    assert_true(logged("something below does not let go"));
    assert_int_equal(calls, 1);
    assert_int_equal(prober.removes, 1);
    assert_null(bb_node_find(ROOT_DEVICE));
    bb_usb_complete(&stuck, 0); /* too late: nobody cares */
    assert_int_equal(calls, 1);
    assert_int_equal(stuck.status, -ENODEV);
    bb_sleep(BB_SEC);
}

/* ---- A controller that is stuck ---- */

static void test_run_does_not_come_back(void **state)
{
    static struct bb_usb_transfer stuck;
    (void)state;
    begin();
    soft_host.deaf = true;
    stuck = make(in, 0, NULL);
    stuck.timeout = 100 * BB_MSEC;
    uint64_t start = bb_time();
    assert_int_equal(bb_usb_run(&stuck), -EINPROGRESS);
    assert_true(bb_time() - start < 1200 * BB_MSEC);
    assert_true(logged("does not give a transfer back"));
    struct bb_usb_transfer behind = make(in, 64, NULL); /* the controller never had it */
    behind.timeout = 100 * BB_MSEC;
    assert_int_equal(bb_usb_run(&behind), -ETIMEDOUT);
    assert_ptr_equal(in->last, &stuck);
    send();
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(stuck.status, 0);
    assert_null(in->first);
    must_remove(SOFT_HOST);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_in_turn),
        cmocka_unit_test(test_two_refused_for_ever),
        cmocka_unit_test(test_cancels_one_that_ends),
        cmocka_unit_test(test_submits_while_driver_goes),
        cmocka_unit_test(test_controller_stays_for_one_that_waits),
        cmocka_unit_test(test_controller_goes_with_a_stuck_one),
        cmocka_unit_test(test_run_does_not_come_back),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
