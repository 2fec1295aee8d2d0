/* SPDX-License-Identifier: BSD-2-Clause */
/* input/usb_keyboard and input/usb_mouse on models of their devices, in ports of the software host.
 */
#include "usb_scripts.h"

#include <string.h>

#include <busbar/input.h>
#include <busbar/log.h>
#include <busbar/poll.h>

#include <tests/models/boards.h>
#include <tests/models/usb_hid.h>
#include <tests/models/usb_soft_host.h>

extern int bb_fault_at;

static struct model_usb_hid device;
static char typed[256];
static size_t typed_size;
static struct bb_input_event events[64];
static unsigned event_count;

static void hear(struct bb_input_listener *listener, const struct bb_input_event *event)
{
    (void)listener;
    if (event_count < BB_ARRAY_SIZE(events))
        events[event_count++] = *event;
    if (typed_size + event->text_length < sizeof typed)
        memcpy(typed + typed_size, event->text, event->text_length);
    typed_size += event->text_length;
}

static struct bb_input_listener listener = {.event = hear};

static struct bb_input *find(const char *driver)
{
    for (struct bb_input *input = bb_input_first(); input; input = bb_input_next(input))
        if (strcmp(input->face.device->driver->name, driver) == 0)
            return input;
    return NULL;
}

static bool is_there(void *context)
{
    return find(context);
}

static bool is_away(void *context)
{
    return !find(context);
}

static const char keyboard_driver[] = "input/usb_keyboard", mouse_driver[] = "input/usb_mouse";

static struct bb_input *plug(const char *driver)
{
    usb_plug(&soft_host.sockets[0], &device.usb);
    (void)bb_wait(is_there, (void *)(uintptr_t)driver, 20 * BB_SEC);
    bb_sleep(100 * BB_MSEC);
    return find(driver);
}

static void unplug(const char *driver)
{
    usb_unplug(&device.usb);
    assert_int_equal(bb_wait(is_away, (void *)(uintptr_t)driver, 10 * BB_SEC), 0);
}

static struct bb_input *prepare(void (*init)(struct model_usb_hid *hid), const char *driver,
                                const char *words)
{
    soft_host_prepare(1);
    init(&device);
    boot(words);
    struct bb_input *input = plug(driver);
    assert_non_null(input);
    bb_input_listen(&listener);
    event_count = 0;
    typed_size = 0;
    return input;
}

/* Long enough for a report, too short for a key to repeat. */
static void settle(void)
{
    bb_sleep(50 * BB_MSEC);
}

/* ---- Keyboards ---- */

static void type_hello(struct bb_input *keyboard)
{
    model_usb_keys(&device, 2, "\x0b", 1); /* shift and H */
    model_usb_keys(&device, 0, "\x0b\x0c", 2);
    model_usb_keys(&device, 0, "\x0c", 1);
    model_usb_keys(&device, 0, "", 0);
    model_usb_keys(&device, 0, "\x28", 1);
    model_usb_keys(&device, 0, "", 0);
    bb_sleep(200 * BB_MSEC);
    assert_int_equal(typed_size, 3);
    assert_memory_equal(typed, "Hi\r", 3);
    for (unsigned i = 0; i < BB_INPUT_KEYS / 32; i++)
        assert_int_equal(keyboard->keys[i], 0);
}

static void test_report_protocol(void **state)
{
    (void)state;
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    assert_int_equal(device.protocol, 1);
    assert_int_equal(device.idle, 0);
    assert_int_equal(device.idles, 1);
    assert_int_equal(keyboard->features, BB_INPUT_HAS_KEYS);
    assert_string_equal(keyboard->face.device->name, "keyboard0");
    type_hello(keyboard);
}

static void test_boot_protocol(void **state)
{
    (void)state;
    struct bb_input *keyboard =
        prepare(model_usb_keyboard_init, keyboard_driver, "usb_keyboard.boot=1");
    assert_int_equal(device.protocol, 0);
    type_hello(keyboard);
}

static void init_without_descriptor(struct model_usb_hid *hid)
{
    model_usb_keyboard_init(hid);
    hid->no_report_descriptor = hid->no_idle = true;
}

static void test_no_report_descriptor(void **state)
{
    (void)state;
    struct bb_input *keyboard = prepare(init_without_descriptor, keyboard_driver, NULL);
    assert_int_equal(device.protocol, 0);
    type_hello(keyboard);
}

static void init_without_protocol(struct model_usb_hid *hid)
{
    model_usb_keyboard_init(hid);
    hid->no_protocol = true;
}

static void test_no_protocol_request(void **state)
{
    (void)state;
    type_hello(prepare(init_without_protocol, keyboard_driver, NULL));
}

static void test_lamps(void **state)
{
    (void)state;
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    assert_int_equal(device.outputs, 1);
    assert_int_equal(device.output[0], BB_INPUT_NUM_LOCK);
    model_usb_keys(&device, 0, "\x39", 1); /* caps lock */
    model_usb_keys(&device, 0, "", 0);
    settle();
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(device.outputs, 2);
    assert_int_equal(device.output[0], BB_INPUT_NUM_LOCK | BB_INPUT_CAPS_LOCK);
    assert_int_equal(keyboard->led_failures, 0);
    usb_fault(&device.usb, USB_CONTROL_PIPE, 1, 1, USB_FAULT_STALL);
    bb_input_set_locks(0);
    bb_sleep(100 * BB_MSEC);
    assert_int_equal(keyboard->led_failures, 1);
}

/* More keys than it can tell of: nothing is let go meanwhile. */
static void test_roll_over(void **state)
{
    (void)state;
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    model_usb_keys(&device, 0, "\x04\x05", 2);
    model_usb_keys(&device, 1, "\x01\x01\x01\x01\x01\x01", 6);
    settle();
    bb_sleep(50 * BB_MSEC);
    assert_true(bb_input_is_down(keyboard, 4) && bb_input_is_down(keyboard, 5));
    assert_false(bb_input_is_down(keyboard, BB_KEY_LEFT_CONTROL));
    model_usb_keys(&device, 0, "\x05", 1);
    settle();
    assert_false(bb_input_is_down(keyboard, 4));
    assert_true(bb_input_is_down(keyboard, 5));
}

/* A report that ends in the middle says nothing of keys. */
static void test_short_report(void **state)
{
    (void)state;
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    model_usb_keys(&device, 0, "\x04", 1);
    for (size_t length = 0; length < 8; length++)
        model_usb_hid_send(&device, "\x00\x00\x05\x06\x07\x08\x09\x0a", length);
    bb_sleep(200 * BB_MSEC);
    assert_true(bb_input_is_down(keyboard, 4));
    assert_false(bb_input_is_down(keyboard, 5));
}

static void test_unplug_with_keys_down(void **state)
{
    (void)state;
    (void)prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    model_usb_keys(&device, 2, "\x04", 1);
    settle();
    unplug(keyboard_driver);
    assert_int_equal(events[event_count - 1].action, BB_INPUT_RELEASED);
    assert_int_equal(events[event_count - 2].action, BB_INPUT_RELEASED);
    unsigned before = event_count;
    bb_sleep(2 * BB_SEC); /* and it does not repeat */
    assert_int_equal(event_count, before);
    model_usb_keyboard_init(&device);
    typed_size = 0;
    type_hello(plug(keyboard_driver));
}

/* ---- What goes wrong ---- */

static void test_halt_and_errors(void **state)
{
    static const enum usb_fault_kind kinds[] = {USB_FAULT_STALL, USB_FAULT_SILENT, USB_FAULT_BABBLE,
                                                USB_FAULT_LOST_ACK, USB_FAULT_TOGGLE};
    (void)state;
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(kinds); i++) {
        usb_fault(&device.usb, 0x81, 1, 3, kinds[i]);
        if (kinds[i] == USB_FAULT_STALL)
            device.usb.faults[0].count = 1;
        model_usb_keys(&device, 0, "\x04", 1);
        bb_sleep(300 * BB_MSEC);
        if (!bb_input_is_down(keyboard, 4))
            fail_msg("fault %u", kinds[i]);
        memset(device.usb.faults, 0, sizeof device.usb.faults);
        model_usb_keys(&device, 0, "", 0);
        settle();
        assert_false(bb_input_is_down(keyboard, 4));
    }
}

static void given_up(enum usb_fault_kind kind)
{
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    model_usb_keys(&device, 0, "\x04", 1);
    settle();
    usb_fault(&device.usb, 0x81, 1, USB_FOR_EVER, kind);
    model_usb_keys(&device, 0, "", 0);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(logged("its reports cannot be read"), 1);
    assert_false(bb_input_is_down(keyboard, 4)); /* lest it repeats for ever */
    uint64_t before = soft_host.transactions;
    bb_sleep(BB_SEC);
    assert_int_equal(soft_host.transactions, before);
    memset(device.usb.faults, 0, sizeof device.usb.faults);
    unplug(keyboard_driver);
    model_usb_keyboard_init(&device);
    typed_size = 0;
    type_hello(plug(keyboard_driver));
}

static void test_stalls_for_ever(void **state)
{
    (void)state;
    given_up(USB_FAULT_STALL);
}

static void test_silent_for_ever(void **state)
{
    (void)state;
    given_up(USB_FAULT_SILENT);
}

/* What clears a halt is lost, in three ways: it is asked again. */
static void test_repair_fails(void **state)
{
    static const enum usb_fault_kind kinds[] = {USB_FAULT_STALL, USB_FAULT_SILENT, USB_FAULT_NAK};
    (void)state;
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(kinds); i++) {
        usb_fault(&device.usb, 0x81, 1, 1, USB_FAULT_STALL);
        usb_fault(&device.usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, kinds[i]);
        model_usb_keys(&device, 0, "\x04", 1);
        bb_sleep(500 * BB_MSEC);
        assert_true(device.usb.applied);
        assert_false(bb_input_is_down(keyboard, 4));
        memset(device.usb.faults, 0, sizeof device.usb.faults);
        bb_sleep(1500 * BB_MSEC); /* one that is under way may have to time out */
        assert_true(bb_input_is_down(keyboard, 4));
        model_usb_keys(&device, 0, "", 0);
        settle();
        assert_false(bb_input_is_down(keyboard, 4));
    }
}

static void test_repair_fails_for_ever(void **state)
{
    (void)state;
    (void)prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    usb_fault(&device.usb, 0x81, 1, 1, USB_FAULT_STALL);
    usb_fault(&device.usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, USB_FAULT_NAK);
    model_usb_keys(&device, 0, "\x04", 1);
    bb_sleep(BB_SEC + 400 * BB_MSEC); /* the first times out */
    assert_int_equal(logged("its reports cannot be read"), 0);
    bb_sleep(4 * BB_SEC); /* to the others it does not answer */
    assert_int_equal(logged("its reports cannot be read"), 1);
}

/* An error now and then, while nobody presses a key, ends nothing. */
static void test_stray_errors(void **state)
{
    (void)state;
    struct bb_input *keyboard = prepare(model_usb_keyboard_init, keyboard_driver, NULL);
    for (unsigned i = 0; i < 50; i++) {
        memset(device.usb.faults, 0, sizeof device.usb.faults);
        usb_fault(&device.usb, 0x81, 1, 3, USB_FAULT_SILENT);
        bb_sleep(15 * BB_SEC);
    }
    memset(device.usb.faults, 0, sizeof device.usb.faults);
    model_usb_keys(&device, 0, "\x04", 1);
    settle();
    assert_true(bb_input_is_down(keyboard, 4));
}

static int run_script(void *context)
{
    const struct usb_script *script = context;
    soft_host_prepare(1);
    model_usb_keyboard_init(&device);
    boot(NULL);
    bb_input_listen(&listener);
    usb_script_write(script, &device.usb);
    struct bb_input *keyboard = plug(keyboard_driver);
    if (keyboard && device.usb.socket) {
        model_usb_keys(&device, 0, "\x04", 1);
        bb_sleep(500 * BB_MSEC);
        if (device.usb.socket && !bb_input_is_down(keyboard, 4))
            return 99;
    }
    int result = usb_script_result(script, &device.usb);
    usb_unplug(&device.usb);
    bb_sleep(2 * BB_SEC);
    if (find(keyboard_driver) || soft_host.in_flight)
        return 98;
    model_usb_keyboard_init(&device);
    keyboard = plug(keyboard_driver);
    if (!keyboard)
        return 97;
    model_usb_keys(&device, 0, "\x05", 1);
    bb_sleep(100 * BB_MSEC);
    return !bb_input_is_down(keyboard, 5) ? 96 : result;
}

static void run_scripts(enum usb_fault_kind kind)
{
    struct usb_script script = {.kind = kind};
    usb_script_each(run_script, &script, 20);
}

static void test_unplug_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_UNPLUG);
    run_scripts(USB_FAULT_UNPLUG_AFTER);
}

static void test_fails_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_STALL);
    run_scripts(USB_FAULT_SILENT);
}

static int run_fault(void *context)
{
    const struct usb_script *script = context;
    soft_host_prepare(1);
    model_usb_keyboard_init(&device);
    boot(NULL);
    bb_fault_at = (int)script->at;
    (void)plug(keyboard_driver);
    bool hit = bb_fault_at == 0;
    bb_fault_at = 0;
    usb_unplug(&device.usb);
    bb_sleep(2 * BB_SEC);
    model_usb_keyboard_init(&device);
    if (soft_host.in_flight || !plug(keyboard_driver))
        return 99;
    return hit ? USB_SCRIPT_HIT : USB_SCRIPT_PAST;
}

static void test_acquisitions(void **state)
{
    (void)state;
    struct usb_script script = {0};
    usb_script_each(run_fault, &script, 5);
}

/* ---- Mice and tablets ---- */

static void move_it(const void *report, size_t length)
{
    event_count = 0;
    model_usb_hid_send(&device, report, length);
    settle();
}

static void test_mouse(void **state)
{
    (void)state;
    struct bb_input *mouse = prepare(model_usb_mouse_init, mouse_driver, NULL);
    assert_int_equal(mouse->features,
                     BB_INPUT_HAS_BUTTONS | BB_INPUT_HAS_MOVES | BB_INPUT_HAS_WHEEL);
    assert_string_equal(mouse->face.device->name, "mouse0");
    move_it("\x05\x03\xfe\x00", 4);
    assert_int_equal(event_count, 3);
    assert_int_equal(events[0].kind, BB_INPUT_MOVE);
    assert_int_equal(events[0].x, 3);
    assert_int_equal(events[0].y, -2);
    assert_int_equal(mouse->buttons, 5);
    move_it("\x00\x81\x7f\xff", 4);
    assert_int_equal(events[0].x, -127);
    assert_int_equal(events[0].y, 127);
    assert_int_equal(events[event_count - 1].kind, BB_INPUT_WHEEL);
    assert_int_equal(events[event_count - 1].y, -1);
    assert_int_equal(mouse->buttons, 0);
}

static void test_boot_mouse(void **state)
{
    (void)state;
    struct bb_input *mouse = prepare(model_usb_mouse_init, mouse_driver, "usb_mouse.boot=1");
    assert_int_equal(device.protocol, 0);
    assert_int_equal(mouse->features, BB_INPUT_HAS_BUTTONS | BB_INPUT_HAS_MOVES);
    move_it("\x02\xff\x01", 3);
    assert_int_equal(events[0].x, -1);
    assert_int_equal(events[0].y, 1);
    assert_int_equal(mouse->buttons, 2);
}

static void test_tablet(void **state)
{
    (void)state;
    struct bb_input *tablet = prepare(model_usb_tablet_init, mouse_driver, NULL);
    assert_int_equal(tablet->features,
                     BB_INPUT_HAS_BUTTONS | BB_INPUT_HAS_POSITIONS | BB_INPUT_HAS_WHEEL);
    move_it("\x01\xff\x0f\x00\x08\x00\x00", 7);
    assert_int_equal(events[0].kind, BB_INPUT_POSITION);
    assert_int_equal(events[0].x, BB_INPUT_SPAN);
    assert_int_equal(events[0].y, (0x800 * BB_INPUT_SPAN + 2047) / 4095);
    assert_int_equal(tablet->buttons, 1);
    move_it("\x00\x00\x00\xff\xff\x02\xfd", 7); /* beyond its own maximum */
    assert_int_equal(events[0].x, 0);
    assert_int_equal(events[0].y, BB_INPUT_SPAN);
    assert_int_equal(events[event_count - 1].kind, BB_INPUT_WHEEL);
    assert_int_equal(events[event_count - 1].y, 2);
    assert_int_equal(events[event_count - 1].x, -3);
    assert_int_equal(tablet->ignored, 0);
}

static void init_stick_for_games(struct model_usb_hid *hid)
{
    static const uint8_t descriptor[] = {0x05, 0x01, 0x09, 0x04, 0xa1, 0x01, 0x09,
                                         0x30, 0x09, 0x31, 0x15, 0x81, 0x25, 0x7f,
                                         0x75, 0x08, 0x95, 0x02, 0x81, 0x02, 0xc0};
    model_usb_hid_init(hid, "games", BB_USB_FULL, 0, USB_BYTES(descriptor), 8);
}

static void test_neither(void **state)
{
    (void)state;
    soft_host_prepare(1);
    init_stick_for_games(&device);
    boot(NULL);
    assert_null(plug(mouse_driver));
    must_fail("/usb/device@1/interface@0", -ENOTSUP, "report descriptor");
}

/* A keyboard without the boot protocol: a bit for each key, with a report number, beside a mouse of
 * another number. */
static void init_bitmap(struct model_usb_hid *hid)
{
    static const uint8_t descriptor[] = {
        0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x85, 0x02, 0x05, 0x07, 0x15, 0x00, 0x25, 0x01, 0x75,
        0x01, 0x19, 0xe0, 0x29, 0xe7, 0x95, 0x08, 0x81, 0x02, 0x19, 0x00, 0x29, 0x77, 0x95, 0x78,
        0x81, 0x02, 0x05, 0x08, 0x19, 0x01, 0x29, 0x03, 0x95, 0x03, 0x91, 0x02, 0x95, 0x05, 0x91,
        0x01, 0xc0, 0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x85, 0x01, 0x09, 0x30, 0x09, 0x31, 0x16,
        0x00, 0x80, 0x26, 0xff, 0x7f, 0x75, 0x10, 0x95, 0x02, 0x81, 0x06, 0xc0};
    model_usb_hid_init(hid, "bitmap", BB_USB_FULL, 0, USB_BYTES(descriptor), 64);
    hid->output_report = hid->output_length = 2;
}

static void test_bitmap(void **state)
{
    (void)state;
    struct bb_input *both = prepare(init_bitmap, mouse_driver, NULL);
    uint8_t report[17] = {2, 0x01};
    assert_int_equal(both->features, BB_INPUT_HAS_KEYS | BB_INPUT_HAS_MOVES);
    assert_int_equal(device.output[0], 2);
    assert_int_equal(device.output[1], BB_INPUT_NUM_LOCK);
    memset(report + 2, 0xf0, 15); /* every other four of them */
    move_it(report, sizeof report);
    unsigned down = 0;
    for (uint32_t usage = 4; usage < 0x78; usage++)
        down += bb_input_is_down(both, usage);
    assert_int_equal(down, 60);
    assert_true(bb_input_is_down(both, 4) && bb_input_is_down(both, BB_KEY_LEFT_CONTROL));
    assert_false(bb_input_is_down(both, 8));
    move_it("\x01\x00\x80\xff\x7f", 5);
    assert_int_equal(events[0].kind, BB_INPUT_MOVE);
    assert_int_equal(events[0].x, -32768);
    assert_int_equal(events[0].y, 32767);
    assert_true(bb_input_is_down(both, 4)); /* the mouse's report says nothing of keys */
    move_it("\x07\xff\xff", 3);
    assert_int_equal(event_count, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_protocol),
        cmocka_unit_test(test_boot_protocol),
        cmocka_unit_test(test_no_report_descriptor),
        cmocka_unit_test(test_no_protocol_request),
        cmocka_unit_test(test_lamps),
        cmocka_unit_test(test_roll_over),
        cmocka_unit_test(test_short_report),
        cmocka_unit_test(test_unplug_with_keys_down),
        cmocka_unit_test(test_halt_and_errors),
        cmocka_unit_test(test_repair_fails),
        cmocka_unit_test(test_repair_fails_for_ever),
        cmocka_unit_test(test_stray_errors),
        cmocka_unit_test(test_stalls_for_ever),
        cmocka_unit_test(test_silent_for_ever),
        cmocka_unit_test(test_unplug_at_each),
        cmocka_unit_test(test_fails_at_each),
        cmocka_unit_test(test_acquisitions),
        cmocka_unit_test(test_mouse),
        cmocka_unit_test(test_boot_mouse),
        cmocka_unit_test(test_tablet),
        cmocka_unit_test(test_neither),
        cmocka_unit_test(test_bitmap),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
