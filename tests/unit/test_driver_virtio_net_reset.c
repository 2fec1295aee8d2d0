/* SPDX-License-Identifier: BSD-2-Clause */
/* net/virtio_net on the model of its device: resets that it asks for, and such as never end. */
#include "virtio_net.h"

/* ---- A device that asks to be reset ---- */

static void ask_for_reset(void)
{
    model_virtio_break(&nic.device);
    bb_poll();
    bb_poll();
}

/* It goes on as before: filter, buffers, what was to be sent, and who waits. */
static int reset_on_demand(void *context)
{
    static const uint8_t bytes[60];
    const bool *legacy = context;
    struct bb_net_filter filter = {.count = 1, .groups = {{1, 0, 0x5e, 0, 0, 1}}};
    struct bb_buffer *frames[2], *back;
    open_nic(*legacy, (*legacy ? 0 : NIC_USUAL) | VIRTIO_SPLIT);
    if (!*legacy)
        assert_int_equal(bb_net_set_filter(net, &filter), 0);
    nic.hold_sent = true;
    for (unsigned i = 0; i < 2; i++)
        frames[i] = new_frame(60 + i);
    bb_buffer_chain(frames[0], new_frame(10));
    assert_int_equal(bb_net_send(net, 0, frames, 2), 2);
    nic.frames = 0;
    nic.hold_sent = false;
    assert_false(bb_net_arm(net, 0));
    ask_for_reset();
    assert_false(net->failed);
    assert_int_equal(changed, 0);
    assert_int_equal(nic.frames, 2);
    if (!*legacy) {
        assert_int_equal(nic.groups, 1);
        assert_false(nic.promiscuous);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(bb_net_sent(net, 0, &back, 1), 1);
        assert_true(back == frames[0] || back == frames[1]);
        bb_buffer_put(back);
    }
    assert_int_equal(bb_buffer_free(), BUFFERS - net->depth);
    assert_int_equal(ready, 0);
    assert_true(model_nic_receive(&nic, 0, bytes, sizeof bytes));
    bb_poll(); /* it still waited */
    assert_int_equal(ready, 1);
    assert_int_equal(bb_net_receive(net, 0, &back, 1), 1);
    bb_buffer_put(back);
    receive_one(60, 1);
    close_nic();
    ask_for_reset(); /* closed, it goes on too */
    assert_false(net->failed);
    assert_int_equal(bb_net_open(net, &client), 0);
    send_one(60);
    receive_one(60, 1);
    close_nic();
    return 0;
}

static void test_needs_reset(void **state)
{
    (void)state;
    bool legacy = false;
    if (run_child(reset_on_demand, &legacy))
        fail_msg("modern");
    legacy = true;
    if (run_child(reset_on_demand, &legacy))
        fail_msg("legacy");
}

/* What came just before is lost, as on a wire; frames that were sent come back all the same. */
static void test_needs_reset_when_full(void **state)
{
    struct bb_buffer *frames[64];
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_PACKED);
    nic.hold_sent = true;
    for (unsigned i = 0; i < 64; i++)
        frames[i] = new_frame(60);
    assert_int_equal(bb_net_send(net, 0, frames, 64), 64);
    frames[0] = new_frame(60);
    assert_int_equal(bb_net_send(net, 0, frames, 1), 0);
    bb_buffer_put(frames[0]);
    assert_false(bb_net_arm(net, 0));
    nic.hold_sent = false;
    ask_for_reset();
    assert_int_equal(ready, 1); /* there is room */
    put_sent(64);
    close_nic();
}

static void test_needs_reset_and_stays_silent(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    struct bb_buffer *frame = new_frame(60);
    nic.hold_sent = nic.silent = true;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    ask_for_reset();
    must_have_failed("no answer");
}

static void test_needs_reset_without_end(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.device.never_resets = true;
    ask_for_reset();
    assert_true(net->failed);
    bb_net_close(net);
    assert_int_equal(bb_buffer_free(), BUFFERS - net->depth);
}

/* ---- Interrupts during probe, which waits for a random address ---- */

static void (*interrupt)(void);

static void run_interrupt(struct bb_timer_event *event)
{
    (void)event;
    interrupt();
}

static struct bb_timer_event event = {.run = run_interrupt};

static uint32_t hold(struct model_virtio *device, struct virtio_chain *chain)
{
    (void)device, (void)chain;
    bb_timer_event_at(&event, 0);
    return VIRTIO_HOLD;
}

static void boot_with_interrupt(void (*what)(void))
{
    static struct model_virtio rng = {
        .type = 4, .features = VIRTIO_SPLIT, .queue_max = {8}, .handle = hold};
    interrupt = what;
    virt_prepare(NULL);
    nic.device.features = (WITHOUT(NIC_MAC)) | VIRTIO_SPLIT;
    model_virtio_attach(&rng, 1);
    model_nic_attach(&nic, 0);
    boot(NULL);
    bb_poll();
}

static void ask_in_probe(void)
{
    model_virtio_break(&nic.device);
}

static void test_needs_reset_in_probe(void **state)
{
    (void)state;
    boot_with_interrupt(ask_in_probe);
    must_fail(NIC, -EIO, NULL);
    assert_int_equal(logged("asks to be reset"), 1);
}

static void lose_link(void)
{
    nic.config.status = 0;
    nic.device.generation++;
    nic.device.interrupt_status |= 2;
    wire_set(&nic.device.irq, true);
}

static void test_link_in_probe(void **state)
{
    (void)state;
    boot_with_interrupt(lose_link);
    net = face_at(net, NIC);
    assert_false(net->link_up);
    assert_int_equal(nic.device.interrupt_status, 0);
}

/* ---- No end of a reset ---- */

/* What it may still write to is nobody else's any more. */
static void test_no_end_of_reset(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.hold_sent = true;
    struct bb_buffer *frame = new_frame(60);
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    nic.device.never_resets = true;
    bb_net_close(net);
    assert_true(net->failed);
    assert_int_equal(bb_buffer_free(), BUFFERS - net->depth);
    assert_int_equal(logged("64 buffers"), 1);
    assert_int_equal(bb_net_open(net, &client), -EIO);
}

static void test_failed_without_end_of_reset(void **state)
{
    uint8_t bytes[60] = {1};
    struct bb_buffer *frame;
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.device.never_resets = true;
    nic.no_buffers = true;
    assert_true(model_nic_receive(&nic, 0, bytes, sizeof bytes));
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), -EIO);
    assert_int_equal(bb_buffer_free(), BUFFERS - net->depth + 1); /* the one came back */
    bb_net_close(net);
    assert_int_equal(bb_buffer_free(), BUFFERS - net->depth + 1);
    assert_int_equal(logged("63 buffers"), 1);
}

static void test_removed_without_end_of_reset(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.device.never_resets = true;
    must_remove(NIC);
    assert_int_equal(bb_buffer_free(), BUFFERS - 64);
    bb_net_close(net);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needs_reset),
        cmocka_unit_test(test_needs_reset_when_full),
        cmocka_unit_test(test_needs_reset_and_stays_silent),
        cmocka_unit_test(test_needs_reset_without_end),
        cmocka_unit_test(test_needs_reset_in_probe),
        cmocka_unit_test(test_link_in_probe),
        cmocka_unit_test(test_no_end_of_reset),
        cmocka_unit_test(test_failed_without_end_of_reset),
        cmocka_unit_test(test_removed_without_end_of_reset),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
