/* SPDX-License-Identifier: BSD-2-Clause */
/* The models of USB devices themselves: what they answer, and which hosts they refuse. */
#include "usb_wire.h"

#include <busbar/usb_host.h>

#include <tests/models/usb_hub.h>
#include <tests/models/usb_loop.h>

static struct model_loop loop;
static struct model_hub hub;

static void start(enum bb_usb_speed speed)
{
    start_wire();
    model_loop_init(&loop, "loop", speed);
    model_hub_init(&hub, "hub", BB_USB_HIGH, 4);
}

static void start_loop(enum bb_usb_speed speed)
{
    start(speed);
    usb_plug(&root, &loop.usb);
    reset_root();
    configure(&loop.usb, 5);
}

/* ---- Answers ---- */

static void test_enumeration(void **state)
{
    (void)state;
    start(BB_USB_FULL);
    usb_plug(&root, &loop.usb);
    reset_root();
    assert_int_equal(request(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x100, 0, 8), 8);
    assert_int_equal(packet[7], 64);
    give_address(&loop.usb, 9);
    assert_int_equal(request(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x100, 0, 18), 18);
    assert_int_equal(request(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x200, 0, 255),
                     LOOP_CONFIGURATION);
    assert_int_equal(request(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x302, 0x409, 255), 10);
    assert_memory_equal(packet, "\x0a\x03L\0o\0o\0p\0", 10);
    assert_int_equal(request(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x305, 0x409, 255),
                     -USB_STALL);
    assert_int_equal(request(&loop.usb, 0, BB_USB_SET_CONFIGURATION, 2, 0, 0), -USB_STALL);
    assert_false(usb_is_configured(&loop.usb));
    assert_int_equal(request(&loop.usb, 0, BB_USB_SET_CONFIGURATION, 1, 0, 0), 0);
    assert_true(usb_is_configured(&loop.usb));
    assert_int_equal(request(&loop.usb, 0x80, BB_USB_GET_CONFIGURATION, 0, 0, 1), 1);
    assert_int_equal(packet[0], 1);
    assert_int_equal(request(&loop.usb, 1, BB_USB_SET_INTERFACE, 1, 0, 0), -USB_STALL);
    usb_unplug(&loop.usb);
    assert_int_equal(usb_transact(&root, &last), USB_SILENCE);
}

static void test_toggles(void **state)
{
    (void)state;
    start_loop(BB_USB_FULL);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "ab", 2), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "ab", 2), USB_ACK); /* again: dropped */
    assert_int_equal(loop.usb.dropped, 1);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 1, "c", 1), USB_ACK);
    assert_int_equal(loop.received, 3);
    assert_int_equal(token(&loop.usb, USB_IN, 1, 0, NULL, 0), USB_DATA);
    assert_int_equal(last.toggle, 0);
    assert_int_equal(last.length, 2);
    usb_fault(&loop.usb, 0x81, 1, 1, USB_FAULT_LOST_ACK);
    for (unsigned i = 0; i < 2; i++) { /* the same again */
        assert_int_equal(token(&loop.usb, USB_IN, 1, 0, NULL, 0), USB_DATA);
        assert_int_equal(last.toggle, 1);
        assert_int_equal(packet[0], 'c');
    }
    assert_int_equal(token(&loop.usb, USB_IN, 1, 0, NULL, 0), USB_NAK);
}

static void test_halt(void **state)
{
    (void)state;
    start_loop(BB_USB_FULL);
    token(&loop.usb, USB_OUT, 1, 0, "a", 1);
    usb_fault(&loop.usb, 0x01, 1, 1, USB_FAULT_STALL);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(token(&loop.usb, USB_OUT, 1, 1, "b", 1), USB_STALL);
    assert_int_equal(request(&loop.usb, 0x82, BB_USB_GET_STATUS, 0, 1, 2), 2);
    assert_int_equal(packet[0], 1);
    assert_int_equal(request(&loop.usb, 2, BB_USB_CLEAR_FEATURE, 0, 1, 0), 0);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "b", 1), USB_ACK); /* DATA0 again */
    assert_int_equal(loop.received, 2);
    assert_int_equal(request(&loop.usb, 0, BB_USB_CLEAR_FEATURE, 7, 0, 0), -USB_STALL);
    assert_int_equal(request(&loop.usb, 0xc0, LOOP_READ, 0, 0, 8), 8); /* SETUP cures the halt */
}

static void test_ping(void **state)
{
    (void)state;
    start_loop(BB_USB_HIGH);
    loop.room = 2;
    loop.nyet = true;
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "a", 1), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 1, "b", 1), USB_NYET);
    assert_int_equal(token(&loop.usb, USB_PING, 1, 0, NULL, 0), USB_NAK);
    assert_int_equal(token(&loop.usb, USB_IN, 1, 0, NULL, 0), USB_DATA);
    assert_int_equal(token(&loop.usb, USB_PING, 1, 0, NULL, 0), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "c", 1), USB_NYET);
}

static void test_data_stages(void **state)
{
    (void)state;
    start_loop(BB_USB_FULL);
    uint8_t bytes[100];

    memset(bytes, 7, sizeof bytes);
    assert_int_equal(setup(&loop.usb, 0x40, LOOP_WRITE, 3, 0, 100), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_OUT, 0, 1, bytes, 64), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_OUT, 0, 1, bytes, 64), USB_ACK); /* dropped */
    assert_int_equal(token(&loop.usb, USB_OUT, 0, 0, bytes, 36), USB_ACK);
    assert_int_equal(loop.memory[3], 0);
    assert_int_equal(token(&loop.usb, USB_IN, 0, 0, NULL, 0), USB_DATA);
    assert_int_equal(last.toggle, 1);
    assert_memory_equal(loop.memory + 3, bytes, 100);
    /* 128 bytes: two packets and no empty one, since wLength was reached. */
    assert_int_equal(setup(&loop.usb, 0xc0, LOOP_READ, 0, 0, 128), USB_ACK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(token(&loop.usb, USB_IN, 0, 0, NULL, 0), USB_DATA);
        assert_int_equal(last.length, 64);
        assert_int_equal(last.toggle, !i);
    }
    assert_int_equal(token(&loop.usb, USB_OUT, 0, 1, NULL, 0), USB_ACK);
    /* A request that is refused: only after its SETUP. */
    usb_fault(&loop.usb, USB_CONTROL_PIPE, 1, 1, USB_FAULT_STALL);
    assert_int_equal(setup(&loop.usb, 0xc0, LOOP_READ, 0, 0, 8), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_IN, 0, 0, NULL, 0), USB_STALL);
}

static void test_scripts(void **state)
{
    (void)state;
    start_loop(BB_USB_FULL);
    usb_fault(&loop.usb, 0x01, 2, 2, USB_FAULT_SILENT);
    usb_fault(&loop.usb, 0x81, 1, 1, USB_FAULT_BABBLE);
    usb_fault(&loop.usb, 0x81, 2, 1, USB_FAULT_TOGGLE);
    usb_fault(&loop.usb, 0x01, 5, 1, USB_FAULT_UNPLUG_AFTER);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "a", 1), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 1, "b", 1), USB_SILENCE);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 1, "b", 1), USB_SILENCE);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 1, "b", 1), USB_ACK);
    assert_int_equal(token(&loop.usb, USB_IN, 1, 0, NULL, 0), USB_BABBLE);
    assert_int_equal(token(&loop.usb, USB_IN, 1, 0, NULL, 0), USB_DATA);
    assert_int_equal(last.toggle, 1); /* the wrong one */
    assert_int_equal(token(&loop.usb, USB_IN, 1, 0, NULL, 0), USB_DATA);
    assert_int_equal(last.toggle, 0);
    assert_int_equal(packet[0], 'a');
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "c", 1), USB_ACK);
    assert_null(loop.usb.socket);
    assert_null(root.device);
}

/* ---- Hubs ---- */

static void start_hub(enum bb_usb_speed speed)
{
    start(speed);
    usb_plug(&root, &hub.usb);
    usb_plug(&hub.sockets[1], &loop.usb);
    reset_root();
    configure(&hub.usb, 1);
}

static unsigned port_status(unsigned port)
{
    assert_int_equal(request(&hub.usb, 0xa3, BB_USB_GET_STATUS, 0, port, 4), 4);
    return bb_usb_u32(packet);
}

static void port_feature(bool set, unsigned port, unsigned feature)
{
    assert_int_equal(
        request(&hub.usb, 0x23, set ? BB_USB_SET_FEATURE : BB_USB_CLEAR_FEATURE, feature, port, 0),
        0);
}

static void test_hub(void **state)
{
    (void)state;
    start_hub(BB_USB_LOW);
    assert_int_equal(request(&hub.usb, 0xa0, BB_USB_GET_DESCRIPTOR, 0x2900, 0, 64), 9);
    assert_int_equal(packet[2], 4);
    assert_int_equal(port_status(2), 0);
    port_feature(true, 2, BB_USB_FEATURE_POWER);
    assert_int_equal(port_status(2), BB_USB_PORT_POWER);
    assert_int_equal(token(&hub.usb, USB_IN, 1, 0, NULL, 0), USB_NAK);
    world_advance(100 * BB_MSEC);
    assert_int_equal(token(&hub.usb, USB_IN, 1, 0, NULL, 0), USB_DATA);
    assert_int_equal(last.length, 1);
    assert_int_equal(packet[0], 1 << 2);
    unsigned there = BB_USB_PORT_POWER | BB_USB_PORT_CONNECTION | BB_USB_PORT_LOW_SPEED;
    assert_int_equal(port_status(2), there | 1u << BB_USB_PORT_CHANGES);
    port_feature(false, 2, BB_USB_FEATURE_C_CONNECTION);
    assert_int_equal(token(&hub.usb, USB_IN, 1, 0, NULL, 0), USB_NAK);
    world_advance(100 * BB_MSEC);
    port_feature(true, 2, BB_USB_FEATURE_RESET);
    assert_int_equal(port_status(2), there | BB_USB_PORT_RESET);
    world_advance(30 * BB_MSEC);
    there |= BB_USB_PORT_ENABLE;
    assert_int_equal(port_status(2), there | (unsigned)BB_USB_PORT_RESET << BB_USB_PORT_CHANGES);
    port_feature(false, 2, BB_USB_FEATURE_C_RESET);
    configure(&loop.usb, 2); /* by splits */
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 0, "ab", 2), USB_ACK);
    model_hub_over_current(&hub, 2, true);
    assert_int_equal(port_status(2), BB_USB_PORT_OVER_CURRENT | (unsigned)BB_USB_PORT_OVER_CURRENT
                                                                    << BB_USB_PORT_CHANGES);
    assert_int_equal(token(&loop.usb, USB_OUT, 1, 1, "c", 1), USB_SILENCE);
}

static void test_unplug_behind_a_hub(void **state)
{
    (void)state;
    start_hub(BB_USB_HIGH);
    port_feature(true, 2, BB_USB_FEATURE_POWER);
    world_advance(200 * BB_MSEC);
    port_feature(false, 2, BB_USB_FEATURE_C_CONNECTION);
    port_feature(true, 2, BB_USB_FEATURE_RESET);
    usb_unplug(&loop.usb); /* during the reset */
    world_advance(100 * BB_MSEC);
    assert_int_equal(port_status(2), BB_USB_PORT_POWER | 1u << BB_USB_PORT_CHANGES);
    port_feature(false, 2, BB_USB_FEATURE_C_CONNECTION);
    usb_plug(&hub.sockets[1], &loop.usb);
    world_advance(200 * BB_MSEC);
    port_feature(true, 2, BB_USB_FEATURE_RESET);
    world_advance(30 * BB_MSEC);
    assert_true(port_status(2) & BB_USB_PORT_HIGH_SPEED);
    configure(&loop.usb, 3);
    usb_unplug(&hub.usb); /* with what is behind it */
    assert_int_equal(loop.usb.address, 0);
    assert_int_equal(usb_transact(&root, &last), USB_SILENCE);
    usb_unplug(&loop.usb);
}

/* ---- Splits ---- */

static struct usb_token split_token(enum usb_token_kind kind, unsigned endpoint, unsigned toggle,
                                    unsigned length)
{
    return (struct usb_token){.kind = kind,
                              .address = loop.usb.address,
                              .endpoint = (uint8_t)endpoint,
                              .speed = loop.usb.running,
                              .toggle = (uint8_t)toggle,
                              .data = packet,
                              .length = length,
                              .room = 64,
                              .split_hub = hub.usb.address,
                              .split_port = 2};
}

static void start_split(enum bb_usb_speed speed)
{
    start_hub(speed);
    port_feature(true, 2, BB_USB_FEATURE_POWER);
    world_advance(200 * BB_MSEC);
    port_feature(true, 2, BB_USB_FEATURE_RESET);
    world_advance(40 * BB_MSEC);
    configure(&loop.usb, 2);
}

static void test_bulk_splits(void **state)
{
    (void)state;
    start_split(BB_USB_FULL);
    struct usb_token out = split_token(USB_OUT, 1, 0, 3);

    memcpy(packet, "abc", 3);
    assert_int_equal(model_hub_start_split(&root, &out, BB_USB_BULK, 0), USB_ACK);
    packet[0] = 'x'; /* the hub has the data now */
    assert_int_equal(model_hub_complete_split(&root, &out, BB_USB_BULK, 1), USB_NYET);
    assert_int_equal(loop.received, 0);
    world_advance(BB_MSEC);
    assert_int_equal(model_hub_complete_split(&root, &out, BB_USB_BULK, 9), USB_ACK);
    assert_int_equal(loop.received, 3);
    assert_int_equal(loop.packets[0][0], 'a');

    struct usb_token in = split_token(USB_IN, 1, 0, 0);
    assert_int_equal(model_hub_start_split(&root, &in, BB_USB_BULK, 16), USB_ACK);
    world_advance(BB_MSEC);
    assert_int_equal(model_hub_complete_split(&root, &in, BB_USB_BULK, 25), USB_DATA);
    assert_int_equal(in.length, 3);
    assert_memory_equal(packet, "abc", 3);

    usb_unplug(&loop.usb);
    assert_int_equal(model_hub_start_split(&root, &in, BB_USB_BULK, 32), USB_ACK);
    world_advance(BB_MSEC);
    assert_int_equal(model_hub_complete_split(&root, &in, BB_USB_BULK, 41), USB_STALL);
}

static void test_interrupt_splits(void **state)
{
    (void)state;
    start_split(BB_USB_FULL);
    struct usb_token in = split_token(USB_IN, 2, 0, 0);

    loop.news = 1;
    assert_int_equal(model_hub_start_split(&root, &in, BB_USB_INTERRUPT, 80), USB_ACK);
    world_advance(250 * BB_USEC);
    assert_int_equal(model_hub_complete_split(&root, &in, BB_USB_INTERRUPT, 82), USB_DATA);
    assert_int_equal(in.length, 4);
    /* A result that nobody fetched in time is gone (11.18.6). */
    loop.news = 1;
    assert_int_equal(model_hub_start_split(&root, &in, BB_USB_INTERRUPT, 160), USB_ACK);
    world_advance(10 * BB_MSEC);
    assert_int_equal(model_hub_complete_split(&root, &in, BB_USB_INTERRUPT, 240), USB_NYET);
    assert_int_equal(hub.stray_splits, 1);
}

/* ---- Hosts that are refused ---- */

static int refused(void *context)
{
    void (*body)(void) = (void (*)(void))(uintptr_t)context;

    body();
    return 0;
}

static void must_refuse(void (*body)(void))
{
    assert_int_equal(run_child(refused, (void *)(uintptr_t)body), 255);
}

static void too_soon_after_reset(void)
{
    start(BB_USB_FULL);
    usb_plug(&root, &loop.usb);
    world_advance(100 * BB_MSEC);
    usb_socket_reset_begins(&root);
    world_advance(50 * BB_MSEC);
    usb_socket_reset_ends(&root, 50 * BB_MSEC);
    world_advance(9 * BB_MSEC);
    setup(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x100, 0, 8);
}

static void reset_too_short(void)
{
    start(BB_USB_FULL);
    usb_plug(&root, &loop.usb);
    world_advance(100 * BB_MSEC);
    usb_socket_reset_begins(&root);
    world_advance(49 * BB_MSEC);
    usb_socket_reset_ends(&root, 50 * BB_MSEC);
}

static void reset_too_soon(void)
{
    start(BB_USB_FULL);
    usb_plug(&root, &loop.usb);
    root.seen = true;
    world_advance(99 * BB_MSEC);
    usb_socket_reset_begins(&root);
}

static void too_soon_after_address(void)
{
    start(BB_USB_FULL);
    usb_plug(&root, &loop.usb);
    reset_root();
    request(&loop.usb, 0, BB_USB_SET_ADDRESS, 3, 0, 0);
    world_advance(BB_MSEC);
    setup(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x100, 0, 8);
}

static void not_configured(void)
{
    start(BB_USB_FULL);
    usb_plug(&root, &loop.usb);
    reset_root();
    give_address(&loop.usb, 3);
    token(&loop.usb, USB_OUT, 1, 0, "a", 1);
}

static void packet_too_long(void)
{
    start_loop(BB_USB_FULL);
    token(&loop.usb, USB_OUT, 1, 0, packet, 65);
}

static void no_ping(void)
{
    start_loop(BB_USB_HIGH);
    loop.room = 1;
    token(&loop.usb, USB_OUT, 1, 0, "a", 1);
    token(&loop.usb, USB_OUT, 1, 1, "b", 1);
    token(&loop.usb, USB_OUT, 1, 1, "b", 1);
}

static void data_stage_too_long(void)
{
    start_loop(BB_USB_FULL);
    setup(&loop.usb, 0x40, LOOP_WRITE, 0, 0, 10);
    token(&loop.usb, USB_OUT, 0, 1, packet, 11);
}

static void status_with_data0(void)
{
    start_loop(BB_USB_FULL);
    setup(&loop.usb, 0xc0, LOOP_READ, 0, 0, 8);
    token(&loop.usb, USB_IN, 0, 0, NULL, 0);
    token(&loop.usb, USB_OUT, 0, 0, NULL, 0);
}

static void wrong_speed(void)
{
    start_loop(BB_USB_FULL);
    last.kind = USB_SETUP;
    last.speed = BB_USB_LOW;
    usb_transact(&root, &last);
}

static void two_at_address_0(void)
{
    start_hub(BB_USB_HIGH);
    static struct model_loop second;
    model_loop_init(&second, "second", BB_USB_HIGH);
    usb_plug(&hub.sockets[2], &second.usb);
    port_feature(true, 2, BB_USB_FEATURE_POWER);
    port_feature(true, 3, BB_USB_FEATURE_POWER);
    world_advance(200 * BB_MSEC);
    port_feature(true, 2, BB_USB_FEATURE_RESET);
    port_feature(true, 3, BB_USB_FEATURE_RESET);
    world_advance(40 * BB_MSEC);
    setup(&loop.usb, 0x80, BB_USB_GET_DESCRIPTOR, 0x100, 0, 8);
}

static void no_split(void)
{
    start_split(BB_USB_FULL);
    last = (struct usb_token){
        .kind = USB_SETUP, .address = 2, .speed = BB_USB_FULL, .data = packet, .length = 8};
    usb_transact(&root, &last);
}

static void port_without_power(void)
{
    start_hub(BB_USB_HIGH);
    port_feature(true, 2, BB_USB_FEATURE_RESET);
}

static void complete_at_once(void)
{
    start_split(BB_USB_FULL);
    struct usb_token in = split_token(USB_IN, 2, 0, 0);
    model_hub_start_split(&root, &in, BB_USB_INTERRUPT, 80);
    model_hub_complete_split(&root, &in, BB_USB_INTERRUPT, 80);
}

static void periodic_start_too_late(void)
{
    start_split(BB_USB_FULL);
    struct usb_token in = split_token(USB_IN, 2, 0, 0);
    model_hub_start_split(&root, &in, BB_USB_INTERRUPT, 86);
}

static void test_hosts_that_are_refused(void **state)
{
    static void (*const bodies[])(void) = {
        too_soon_after_reset,
        reset_too_short,
        reset_too_soon,
        too_soon_after_address,
        not_configured,
        packet_too_long,
        no_ping,
        data_stage_too_long,
        status_with_data0,
        wrong_speed,
        two_at_address_0,
        no_split,
        port_without_power,
        complete_at_once,
        periodic_start_too_late,
    };
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(bodies); i++)
        must_refuse(bodies[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enumeration),
        cmocka_unit_test(test_toggles),
        cmocka_unit_test(test_halt),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_data_stages),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_hub),
        cmocka_unit_test(test_unplug_behind_a_hub),
        cmocka_unit_test(test_bulk_splits),
        cmocka_unit_test(test_interrupt_splits),
        cmocka_unit_test(test_hosts_that_are_refused),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
