/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers: what is refused, who waits, how each ends; the control pipe; interfaces and memory. */
#include "usb.h"

static struct model_loop loop;
static struct probe *probe;
static struct bb_usb_device *device;
static struct bb_usb_endpoint *in, *out, *news;
static uint8_t *memory; /* of the device, 4096 bytes */

static int keep(struct probe *claimed)
{
    probe = claimed;
    memory = bb_usb_alloc(&claimed->device, 4096);
    return memory ? 0 : -ENOMEM;
}

static void begin(enum bb_usb_speed speed)
{
    boot_with_loop(&loop, speed, keep);
    assert_int_equal(prober.probes, 1);
    device = probe->interface->device;
    out = bb_usb_endpoint(probe->interface, BB_USB_BULK, BB_USB_OUT);
    in = bb_usb_endpoint(probe->interface, BB_USB_BULK, BB_USB_IN);
    news = bb_usb_endpoint(probe->interface, BB_USB_INTERRUPT, BB_USB_IN);
    assert_non_null(in);
    assert_non_null(out);
    assert_non_null(news);
}

/* ---- done() ---- */

static unsigned calls;
static struct bb_usb_transfer *order[16];

static void note(struct bb_usb_transfer *transfer)
{
    assert_int_not_equal(transfer->status, -EINPROGRESS);
    assert_ptr_equal(bb_device_current(), &probe->device);
    order[calls++ % 16] = transfer;
}

static struct bb_usb_transfer make(struct bb_usb_endpoint *endpoint, unsigned offset,
                                   uint32_t length)
{
    return (struct bb_usb_transfer){.endpoint = endpoint,
                                    .data = memory + offset,
                                    .length = length,
                                    .timeout = BB_SEC,
                                    .done = note};
}

static void send(uint32_t length)
{
    struct bb_usb_transfer transfer = make(out, 2048, length);
    assert_int_equal(bb_usb_run(&transfer), 0);
    assert_int_equal(transfer.actual, length);
}

/* ---- Submitting ---- */

static void test_there_and_back(void **state)
{
    (void)state;
    begin(BB_USB_HIGH);
    for (unsigned i = 0; i < 1200; i++)
        memory[2048 + i] = (uint8_t)(i * 7);
    send(1200);
    struct bb_usb_transfer transfer = make(in, 0, 1536);
    assert_int_equal(bb_usb_run(&transfer), 0);
    assert_int_equal(transfer.actual, 1200);
    assert_memory_equal(memory, memory + 2048, 1200);
    uint64_t bytes = soft_host.host->stats.bytes;
    assert_true(bytes >= 2400);
    must_remove(SOFT_HOST);
}

static void test_refuses(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    uint64_t submits = soft_host.submits;
    struct bb_usb_transfer transfer = make(in, 0, 64);
    transfer.done = NULL;
    assert_int_equal(bb_usb_submit(&transfer), -EINVAL);
    transfer = make(in, 0, 64);
    transfer.timeout = 0;
    assert_int_equal(bb_usb_submit(&transfer), -EINVAL);
    transfer = make(in, 0, 64);
    transfer.data = NULL;
    assert_int_equal(bb_usb_submit(&transfer), -EINVAL);
    transfer = make(in, 1, 64); /* not aligned */
    assert_int_equal(bb_usb_submit(&transfer), -EINVAL);
    transfer = make(NULL, 0, 64);
    assert_int_equal(bb_usb_submit(&transfer), -EINVAL);
    transfer = make(&device->control, 0, 64); /* the setup packet says 0 */
    assert_int_equal(bb_usb_submit(&transfer), -EINVAL);
    struct bb_usb_endpoint isochronous = *in;
    isochronous.type = BB_USB_ISOCHRONOUS;
    transfer = make(&isochronous, 0, 64);
    assert_int_equal(bb_usb_submit(&transfer), -EINVAL);
    transfer = make(in, 0, 64);
    transfer.timeout = BB_FOREVER;
    assert_int_equal(bb_usb_run(&transfer), -EINVAL);
    assert_int_equal(soft_host.submits, submits);
    transfer.done = note;
    assert_int_equal(bb_usb_submit(&transfer), 0);
    assert_int_equal(bb_usb_submit(&transfer), -EBUSY);
    bb_usb_cancel_wait(&transfer);
    assert_int_equal(transfer.status, -ECANCELED);
    soft_host.refuses = true; /* the controller cannot take it */
    assert_int_equal(bb_usb_submit(&transfer), -ENOMEM);
    assert_int_equal(transfer.status, -ENOMEM);
    soft_host.refuses = false;
    assert_int_equal(calls, 1);
    must_remove(SOFT_HOST);
}

static void test_in_order(void **state)
{
    static struct bb_usb_transfer transfers[8];
    (void)state;
    begin(BB_USB_FULL);
    for (unsigned i = 0; i < 8; i++) {
        transfers[i] = make(in, i * 64, 64);
        assert_int_equal(bb_usb_submit(&transfers[i]), 0);
    }
    assert_int_equal(soft_host.in_flight, 1); /* one of an endpoint */
    send(64 * 8);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(calls, 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_ptr_equal(order[i], &transfers[i]);
        assert_int_equal(transfers[i].status, 0);
        assert_int_equal(transfers[i].actual, 64);
    }
    must_remove(SOFT_HOST);
}

static unsigned again;

static void once_more(struct bb_usb_transfer *transfer)
{
    if (transfer->status || ++again == 20)
        return;
    assert_int_equal(bb_usb_submit(transfer), 0);
}

static void test_again_from_done(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    struct bb_usb_transfer transfer = make(in, 0, 64);
    transfer.done = once_more;
    assert_int_equal(bb_usb_submit(&transfer), 0);
    for (unsigned i = 0; i < 20; i++)
        send(1);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(again, 20);
    assert_int_equal(transfer.status, 0);
    must_remove(SOFT_HOST);
}

/* ---- Time and cancelling ---- */

static void test_times_out(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    struct bb_usb_transfer transfers[3] = {make(in, 0, 64), make(in, 64, 64), make(news, 128, 8)};
    uint64_t start = bb_time();
    transfers[0].timeout = 300 * BB_MSEC;
    transfers[1].timeout = 100 * BB_MSEC; /* it ends before the one that it waits for */
    transfers[2].timeout = BB_FOREVER;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_usb_submit(&transfers[i]), 0);
    while (calls < 1)
        bb_sleep(BB_MSEC);
    assert_ptr_equal(order[0], &transfers[1]);
    assert_int_equal(transfers[1].status, -ETIMEDOUT);
    assert_true(bb_time() - start >= 100 * BB_MSEC && bb_time() - start < 120 * BB_MSEC);
    while (calls < 2)
        bb_sleep(BB_MSEC);
    assert_int_equal(transfers[0].status, -ETIMEDOUT);
    assert_true(bb_time() - start >= 300 * BB_MSEC && bb_time() - start < 330 * BB_MSEC);
    bb_sleep(100 * BB_SEC);
    assert_int_equal(transfers[2].status, -EINPROGRESS);
    assert_int_equal(soft_host.host->stats.timeouts, 2);
    assert_false(soft_host.host->deadlines.armed); /* nobody has one */
    loop.news = 1;
    bb_sleep(BB_SEC);
    assert_int_equal(transfers[2].status, 0);
    must_remove(SOFT_HOST);
}

static void test_cancel(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    struct bb_usb_transfer transfers[3] = {make(in, 0, 64), make(in, 64, 64), make(in, 128, 64)};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_usb_submit(&transfers[i]), 0);
    bb_usb_cancel(&transfers[1]);
    assert_int_equal(calls, 0); /* not from within */
    bb_usb_cancel_wait(&transfers[1]);
    assert_int_equal(transfers[1].status, -ECANCELED);
    assert_int_equal(calls, 1);
    bb_usb_cancel_wait(&transfers[0]);
    assert_int_equal(transfers[0].status, -ECANCELED);
    bb_usb_cancel(&transfers[0]); /* ended already: nothing */
    bb_usb_cancel_wait(&transfers[0]);
    assert_int_equal(calls, 2);
    send(10); /* the third had its turn */
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(transfers[2].status, 0);
    assert_int_equal(transfers[2].actual, 10);
    must_remove(SOFT_HOST);
}

/* What was moved before it is known. */
static void test_cancelled_half_way(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    struct bb_usb_transfer transfer = make(in, 0, 1024);
    assert_int_equal(bb_usb_submit(&transfer), 0);
    send(128);
    bb_sleep(100 * BB_MSEC);
    bb_usb_cancel_wait(&transfer);
    assert_int_equal(transfer.status, -ECANCELED);
    assert_int_equal(transfer.actual, 128);
    must_remove(SOFT_HOST);
}

static void test_unplugged(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    struct bb_usb_transfer transfers[3] = {make(in, 0, 64), make(in, 64, 64), make(news, 128, 8)};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_usb_submit(&transfers[i]), 0);
    bb_face_get(&soft_host.host->face);
    usb_unplug(&loop.usb);
    while (calls < 3)
        bb_sleep(BB_MSEC / 4);
    for (unsigned i = 0; i < 3; i++)
        assert_true(transfers[i].status == -ENODEV);
    settle();
    must_be_empty();
    bb_face_put(&soft_host.host->face);
    must_remove(SOFT_HOST);
}

static void refuse_after(struct probe *gone)
{
    struct bb_usb_transfer transfer = {
        .endpoint = in, .data = memory, .length = 64, .timeout = BB_SEC, .done = note};
    uint8_t byte;
    assert_ptr_equal(gone, probe);
    assert_null(in->first); /* nothing is in flight */
    assert_int_equal(bb_usb_submit(&transfer), -ENODEV);
    assert_int_equal(bb_usb_control(device, BB_USB_IN, BB_USB_GET_STATUS, 0, 0, &byte, 1), -ENODEV);
    assert_int_equal(bb_usb_set_interface(gone->interface, 0), -ENODEV);
    assert_int_equal(bb_usb_clear_halt(in), -ENODEV);
}

static void test_refused_when_gone(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    struct bb_usb_transfer transfer = make(in, 0, 64);
    assert_int_equal(bb_usb_submit(&transfer), 0);
    prober.remove = refuse_after;
    usb_unplug(&loop.usb);
    settle();
    assert_int_equal(prober.removes, 1);
    assert_int_equal(transfer.status, -ENODEV);
    must_be_empty();
    must_remove(SOFT_HOST);
}

/* The driver goes and its device stays: what it had is taken back, and it may come again. */
static void test_driver_goes_with_transfers(void **state)
{
    static struct bb_usb_transfer transfers[2];
    (void)state;
    begin(BB_USB_FULL);
    transfers[0] = make(in, 0, 64);
    transfers[1] = make(in, 64, 64);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(bb_usb_submit(&transfers[i]), 0);
    must_remove(ROOT_DEVICE "/interface@0");
    assert_int_equal(calls, 2);
    assert_int_equal(transfers[0].status, -ECANCELED);
    assert_int_equal(transfers[1].status, -ECANCELED);
    struct bb_node *node = bb_node_find(ROOT_DEVICE "/interface@0");
    node->state = BB_NODE_UNBOUND;
    node->reason = (struct bb_reason){0};
    assert_int_equal(bb_bind(node), 0);
    assert_int_equal(prober.probes, 2);
    must_remove(SOFT_HOST);
}

/* ---- Halts ---- */

static void test_halt(void **state)
{
    (void)state;
    begin(BB_USB_FULL);
    send(10);
    usb_fault(&loop.usb, 0x81, 1, 1, USB_FAULT_STALL);
    struct bb_usb_transfer transfers[3] = {make(in, 0, 64), make(in, 64, 64), make(in, 128, 64)};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_usb_submit(&transfers[i]), 0);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(calls, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_ptr_equal(order[i], &transfers[i]);
        assert_int_equal(transfers[i].status, -EPIPE);
    }
    assert_true(in->halted);
    assert_int_equal(bb_usb_submit(&transfers[0]), -EPIPE);
    assert_int_equal(bb_usb_clear_halt(in), 0);
    assert_false(in->halted);
    assert_int_equal(bb_usb_run(&transfers[0]), 0);
    assert_int_equal(transfers[0].actual, 10);
    transfers[1] = make(in, 64, 64);
    assert_int_equal(bb_usb_submit(&transfers[1]), 0);
    assert_int_equal(bb_usb_clear_halt(in), -EBUSY);
    must_remove(SOFT_HOST);
}

/* ---- The control pipe ---- */

static void test_control(void **state)
{
    static uint8_t there[BB_USB_CONTROL_MAX + 1], back[BB_USB_CONTROL_MAX + 1];
    (void)state;
    begin(BB_USB_FULL);
    for (unsigned i = 0; i < sizeof(there); i++)
        there[i] = (uint8_t)(i * 11);
    assert_int_equal(
        bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 1, 0, there + 1, BB_USB_CONTROL_MAX),
        BB_USB_CONTROL_MAX); /* from any address */
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 1, 0, back + 1,
                                    BB_USB_CONTROL_MAX),
                     BB_USB_CONTROL_MAX);
    assert_memory_equal(there + 1, back + 1, BB_USB_CONTROL_MAX);
    assert_int_equal(
        bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 0, 0, there, BB_USB_CONTROL_MAX + 1),
        -EINVAL);
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 0, 0, NULL, 1), -EINVAL);
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR, 99, 0, 0, NULL, 0), -EPIPE);
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 0, 0, back, 1),
                     1);
    usb_fault(&loop.usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, USB_FAULT_NAK); /* no SETUP */
    uint64_t start = bb_time();
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 0, 0, there, 1), -ETIMEDOUT);
    assert_true(bb_time() - start < 1100 * BB_MSEC);
    loop.usb.faults[0].kind = USB_GOOD;
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 0, 0, there, 1), 1);
    must_remove(SOFT_HOST);
}

/* Two that wait at the same time, one inside the other; each gets its own answer. */
static struct bb_timer_event meanwhile;
static int inner_status;
static uint8_t inner_data[4];

static void ask_inside(struct bb_timer_event *event)
{
    (void)event;
    inner_status = bb_usb_control(device, BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 100, 0, inner_data,
                                  sizeof(inner_data));
}

static int slow_control(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    static unsigned waits;
    (void)usb;
    if (setup->request != LOOP_READ)
        return USB_OTHER;
    if (setup->value == 0 && waits++ < 100)
        return USB_WAIT;
    memset(data, setup->value + 1, setup->length);
    return setup->length;
}

static void test_control_inside_control(void **state)
{
    uint8_t data[2];
    (void)state;
    begin(BB_USB_FULL);
    loop.usb.control = slow_control;
    meanwhile.run = ask_inside;
    bb_timer_event_at(&meanwhile, bb_time() + BB_MSEC);
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 0, 0, data, 2),
                     2);
    assert_int_equal(inner_status, 4);
    assert_int_equal(data[0], 1);
    assert_int_equal(inner_data[0], 101);
    must_remove(SOFT_HOST);
}

/* A driver's own transfers on the control endpoint take their turn among the bus's. */
static void test_own_control_transfer(void **state)
{
    uint8_t byte = 7;
    (void)state;
    begin(BB_USB_FULL);
    struct bb_usb_transfer transfer = {
        .endpoint = &device->control,
        .setup = {BB_USB_VENDOR | BB_USB_IN, LOOP_READ, 5, 0, 1},
        .data = memory,
        .length = 1,
        .timeout = BB_SEC,
    };
    assert_int_equal(bb_usb_control(device, BB_USB_VENDOR, LOOP_WRITE, 5, 0, &byte, 1), 1);
    assert_int_equal(bb_usb_run(&transfer), 0);
    assert_int_equal(memory[0], 7);
    must_remove(SOFT_HOST);
}

/* ---- Interfaces ---- */

static const uint8_t two_settings_device[] = {USB_DEVICE(0, 0, 0, 64, 0x1234, 5, 1)};
static const uint8_t two_settings[] = {
    USB_CONFIGURATION(9 + 9 + 9 + 7 + 7 + 5 + 9 + 7, 2, 1, 50),
    USB_INTERFACE(0, 0, 0, 0xff, 1, 1),
    USB_INTERFACE(0, 1, 2, 0xff, 2, 2),
    USB_ENDPOINT(0x82, BB_USB_BULK, 512, 0),
    USB_ENDPOINT(0x01, BB_USB_INTERRUPT, 1024 | 2 << 11, 4),
    5,
    BB_USB_CLASS_INTERFACE,
    15,
    1,
    2,
    USB_INTERFACE(7, 0, 1, 0xfe, 3, 3),
    USB_ENDPOINT(0x83, BB_USB_INTERRUPT, 3, 16),
};
static struct usb_model model;

static void begin_two_settings(void)
{
    prepare(1);
    prober.probe = keep;
    make_device(&model, BB_USB_HIGH, USB_BYTES(two_settings_device), USB_BYTES(two_settings));
    usb_plug(&soft_host.sockets[0], &model);
    boot(NULL);
    settle();
    assert_int_equal(prober.probes, 1);
    device = probe->interface->device;
}

static void test_settings(void **state)
{
    (void)state;
    begin_two_settings();
    struct bb_usb_interface *interface = probe->interface;
    assert_int_equal(interface->number, 0);
    assert_int_equal(interface->endpoint_count, 0);
    assert_int_equal(interface->subclass, 1);
    assert_null(bb_usb_endpoint(interface, BB_USB_BULK, BB_USB_IN));
    assert_null(bb_usb_descriptor(interface, BB_USB_CLASS_INTERFACE, 15, 5));
    assert_int_equal(bb_usb_set_interface(interface, 2), -ENOENT);
    assert_int_equal(bb_usb_set_interface(interface, 256), -ENOENT);
    assert_int_equal(bb_usb_set_interface(interface, 1), 0);
    assert_int_equal(model.alternate[0], 1);
    assert_int_equal(interface->alternate, 1);
    assert_int_equal(interface->subclass, 2);
    in = bb_usb_endpoint(interface, BB_USB_BULK, BB_USB_IN);
    assert_int_equal(in->packet, 512);
    assert_int_equal(in->multiple, 1);
    out = bb_usb_endpoint(interface, BB_USB_INTERRUPT, BB_USB_OUT);
    assert_int_equal(out->packet, 1024);
    assert_int_equal(out->multiple, 3);
    assert_int_equal(out->interval, 1000);
    assert_null(bb_usb_endpoint(interface, BB_USB_BULK, BB_USB_OUT));
    const uint8_t *descriptor = bb_usb_descriptor(interface, BB_USB_CLASS_INTERFACE, 15, 5);
    assert_non_null(descriptor);
    assert_ptr_equal(bb_usb_descriptor(interface, BB_USB_CLASS_INTERFACE, -1, 2), descriptor);
    assert_null(bb_usb_descriptor(interface, BB_USB_CLASS_INTERFACE, 15, 6));
    assert_null(bb_usb_descriptor(interface, BB_USB_CLASS_INTERFACE, 6, 2));
    struct bb_usb_transfer transfer = make(in, 0, 512);
    assert_int_equal(bb_usb_submit(&transfer), 0);
    assert_int_equal(bb_usb_set_interface(interface, 0), -EBUSY);
    bb_usb_cancel_wait(&transfer);
    assert_int_equal(bb_usb_set_interface(interface, 0), 0);
    assert_int_equal(interface->endpoint_count, 0);
    must_remove(SOFT_HOST);
}

static void test_claims(void **state)
{
    struct bb_usb_interface *other;
    (void)state;
    begin_two_settings();
    assert_int_equal(bb_usb_claim(&probe->device, &other), -EBUSY);
    assert_int_equal(bb_usb_claim_number(&probe->device, 0, &other), -EBUSY);
    assert_int_equal(bb_usb_claim_number(&probe->device, 1, &other), -ENODEV);
    assert_int_equal(bb_usb_claim_number(&probe->device, 7, &other), 0);
    assert_int_equal(other->number, 7);
    assert_int_equal(other->class, 0xfe);
    assert_int_equal(other->endpoints[0].interval, 256000); /* 2^15 microframes are too long */
    assert_ptr_equal(other->owner, &probe->device);
    must_remove(ROOT_DEVICE "/interface@0");
    assert_null(other->owner);
    must_remove(SOFT_HOST);
}

/* Whole packets of any endpoint fit: 3 and 1024 bytes here. */
static void test_memory(void **state)
{
    (void)state;
    begin_two_settings();
    uint8_t *first = bb_usb_alloc(&probe->device, 1), *second = bb_usb_alloc(&probe->device, 1025);
    uint8_t *third = bb_usb_alloc(&probe->device, 64);
    assert_int_equal((uintptr_t)first % BB_USB_ALIGNMENT, 0);
    assert_true(second - first >= 1024);
    assert_true(third - second >= 2048);
    assert_null(bb_usb_alloc(&probe->device, 1 << 20));
    assert_null(bb_usb_alloc(&probe->device, SIZE_MAX));
    assert_null(bb_usb_alloc(&probe->device, SIZE_MAX / 2 + 1));
    assert_true(logged("the usb.slot is too small"));
    must_remove(SOFT_HOST);
}

/* Every acquisition of a probe fails once; what it had is released. */
static int fault_in_probe(void *context)
{
    extern int bb_fault_at;
    prepare(1);
    prober.probe = keep;
    make_device(&model, BB_USB_HIGH, USB_BYTES(two_settings_device), USB_BYTES(two_settings));
    usb_plug(&soft_host.sockets[0], &model);
    boot(NULL);
    bb_fault_at = *(const int *)context;
    settle();
    bool hit = !bb_fault_at;
    bb_fault_at = 0;
    const struct bb_node *node = bb_node_find(ROOT_DEVICE "/interface@0");
    assert_non_null(node);
    assert_int_equal(node->state, hit ? BB_NODE_FAILED : BB_NODE_RUNNING);
    assert_int_equal(!device_of(ROOT_DEVICE)->interfaces[0].owner, hit);
    usb_unplug(&model);
    settle();
    must_be_empty();
    must_remove(SOFT_HOST);
    return hit;
}

static void test_faults_of_a_probe(void **state)
{
    int at = 1;
    (void)state;
    while (run_child(fault_in_probe, &at) == 1)
        at++;
    assert_int_equal(at, 3); /* the claim, the memory */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_again_from_done),
        cmocka_unit_test(test_times_out),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancelled_half_way),
        cmocka_unit_test(test_unplugged),
        cmocka_unit_test(test_refused_when_gone),
        cmocka_unit_test(test_driver_goes_with_transfers),
        cmocka_unit_test(test_halt),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_control_inside_control),
        cmocka_unit_test(test_own_control_transfer),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_faults_of_a_probe),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
