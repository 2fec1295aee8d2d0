/* SPDX-License-Identifier: BSD-2-Clause */
/* Input devices: what listeners hear, repeats, locks and lamps, layouts, devices that vanish. */
#include <string.h>

#include <busbar/input.h>
#include <busbar/mmio.h>
#include <core/core.h>

#include "harness.h"

struct fake {
    struct bb_device device;
    struct bb_input input;
    uint32_t leds;
    unsigned set;
    int error;
};

static int fake_set_leds(struct bb_input *input, uint32_t leds)
{
    struct fake *fake = bb_container_of(input, struct fake, input);
    fake->leds = leds;
    fake->set++;
    return fake->error;
}

static int fake_probe(struct bb_device *device)
{
    uint32_t features = BB_INPUT_HAS_KEYS;
    (void)bb_node_u32(device->node, "features", &features);
    bb_container_of(device, struct fake, device)->input.features = features;
    return 0;
}

const struct bb_input_ops bb_ops_input_fake = {.set_leds = fake_set_leds};
BB_DRIVER(input, fake, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,fake"}), .probe = fake_probe,
          .hotplug = true);

static const struct bb_driver *const drivers[] = {&bb_driver_input_fake};

struct ear {
    struct bb_input_listener listener;
    struct bb_input_event last;
    char typed[256];
    size_t length;
    unsigned events;
    struct ear *victim; /* taken off the list by an event; itself, perhaps */
};

static void hear(struct bb_input_listener *listener, const struct bb_input_event *event)
{
    struct ear *ear = bb_container_of(listener, struct ear, listener);
    ear->last = *event;
    ear->events++;
    assert_true(event->text_length <= BB_INPUT_TEXT);
    assert_true(ear->length + event->text_length < sizeof ear->typed);
    memcpy(ear->typed + ear->length, event->text, event->text_length);
    ear->length += event->text_length;
    if (ear->victim)
        bb_input_unlisten(&ear->victim->listener);
}

static struct ear ear = {.listener.event = hear};

static struct fake *fake_at(const char *path)
{
    return bb_container_of(device_at(path), struct fake, device);
}

static struct bb_input *start(const char *command_line)
{
    world_start(1000000000);
    tree_begin(1, 1);
    tree_device("one", "test,fake");
    tree_close();
    tree_device("two", "test,fake");
    tree_close();
    tree_device("pointer", "test,fake");
    tree_cells("features", BB_INPUT_HAS_BUTTONS | BB_INPUT_HAS_MOVES | BB_INPUT_HAS_POSITIONS);
    tree_close();
    tree_device("nothing", "test,fake");
    tree_cells("features", 0);
    tree_close();
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    boot(command_line);
    bb_poll();
    bb_input_listen(&ear.listener);
    return &fake_at("/one")->input;
}

/* What was typed since the last call. */
static const char *typed(void)
{
    ear.typed[ear.length] = '\0';
    ear.length = 0;
    return ear.typed;
}

static void tap(struct bb_input *input, uint32_t usage)
{
    bb_input_key(input, usage, true);
    bb_input_key(input, usage, false);
}

/* With modifiers held, given as bits from left control on. */
static const char *press(struct bb_input *input, uint32_t modifiers, uint32_t usage)
{
    for (uint32_t i = 0; i < 8; i++)
        if (modifiers >> i & 1)
            bb_input_key(input, BB_KEY_LEFT_CONTROL + i, true);
    tap(input, usage);
    for (uint32_t i = 0; i < 8; i++)
        bb_input_key(input, BB_KEY_LEFT_CONTROL + i, false);
    return typed();
}

enum { CTRL = 1, SHIFT = 2, ALT = 4, RIGHT_SHIFT = 0x20, ALTGR = 0x40 };
enum { KEY_Y = 0x1c, KEY_Z = 0x1d, KEY_E = 0x08, KEY_Q = 0x14, KEY_MINUS = 0x2d, KEY_GRAVE = 0x35 };

static void test_names(void **state)
{
    (void)state;
    start(NULL);
    assert_string_equal(device_at("/one")->name, "keyboard0");
    assert_string_equal(device_at("/two")->name, "keyboard1");
    assert_string_equal(device_at("/pointer")->name, "mouse0");
    assert_ptr_equal(bb_input_by_name("keyboard1"), &fake_at("/two")->input);
    must_fail("/nothing", -EINVAL, "input");
    must_remove("/one");
    assert_null(bb_input_by_name("keyboard0"));
}

static void test_keys(void **state)
{
    (void)state;
    struct bb_input *input = start(NULL);
    bb_input_key(input, BB_KEY_A, true);
    assert_int_equal(ear.events, 1);
    assert_int_equal(ear.last.action, BB_INPUT_PRESSED);
    assert_int_equal(ear.last.code, BB_KEY_A);
    bb_input_key(input, BB_KEY_A, true);
    assert_int_equal(ear.events, 1);
    bb_input_key(input, BB_KEY_A, false);
    assert_int_equal(ear.last.action, BB_INPUT_RELEASED);
    assert_int_equal(ear.last.text_length, 0);
    assert_string_equal(typed(), "a");
    static const uint32_t no_keys[] = {0, 1, 3, 0xde, 0xdf, 0xe8, 0xff, 0x100, 0x10004, UINT32_MAX};
    unsigned events = ear.events;
    for (size_t i = 0; i < BB_ARRAY_SIZE(no_keys); i++)
        bb_input_key(input, no_keys[i], true);
    assert_int_equal(ear.events, events);
    assert_true(input->ignored == BB_ARRAY_SIZE(no_keys));
}

/* Reports that list all that is down: releases first, then modifiers. */
static void test_sets_of_keys(void **state)
{
    uint32_t keys[BB_INPUT_KEYS / 32] = {0};
    (void)state;
    struct bb_input *input = start(NULL);
    bb_input_mark_key(keys, BB_KEY_A);
    bb_input_mark_key(keys, BB_KEY_LEFT_SHIFT);
    bb_input_set_keys(input, keys);
    assert_string_equal(typed(), "A");
    keys[0] = 0;
    bb_input_mark_key(keys, BB_KEY_A + 1);
    bb_input_mark_key(keys, 1); /* rolled over: no key */
    bb_input_mark_key(keys, 0xff);
    bb_input_mark_key(keys, 4000);
    bb_input_set_keys(input, keys);
    assert_string_equal(typed(), "B");
    assert_false(bb_input_is_down(input, BB_KEY_A));
    assert_false(bb_input_is_down(input, 1));
    assert_true(input->ignored == 2);
    bb_input_release_all(input);
    for (size_t i = 0; i < BB_ARRAY_SIZE(keys); i++)
        assert_int_equal(input->keys[i], 0);
}

static void test_repeat(void **state)
{
    (void)state;
    struct bb_input *input = start(NULL);
    bb_input_key(input, BB_KEY_A, true);
    bb_sleep(BB_INPUT_DELAY - BB_MSEC);
    assert_string_equal(typed(), "a");
    bb_sleep(2 * BB_MSEC);
    assert_string_equal(typed(), "a");
    assert_int_equal(ear.last.action, BB_INPUT_REPEATED);
    bb_sleep(10 * BB_INPUT_INTERVAL);
    size_t repeats = strlen(typed());
    assert_in_range(repeats, 8, 11);
    bb_input_key(input, BB_KEY_A + 1, true);      /* the newest key repeats */
    bb_input_key(input, BB_KEY_LEFT_SHIFT, true); /* and a shift ends that */
    typed();
    bb_sleep(2 * BB_INPUT_DELAY);
    assert_string_equal(typed(), "");
    bb_input_key(input, BB_KEY_A + 2, true);
    bb_input_key(input, BB_KEY_A, false); /* another one than what repeats */
    typed();
    bb_sleep(BB_INPUT_DELAY + BB_MSEC);
    assert_string_equal(typed(), "C");
    bb_input_key(input, BB_KEY_A + 2, false);
    bb_sleep(2 * BB_INPUT_DELAY);
    assert_string_equal(typed(), "");
}

static void test_removal_releases(void **state)
{
    (void)state;
    struct bb_input *input = start(NULL), *pointer = &fake_at("/pointer")->input;
    bb_input_key(input, BB_KEY_A, true);
    bb_input_key(input, BB_KEY_LEFT_SHIFT, true);
    bb_input_button(pointer, 2, true);
    unsigned events = ear.events;
    assert_string_equal(typed(), "a");
    must_remove("/one");
    assert_int_equal(ear.events, events + 2);
    assert_int_equal(ear.last.action, BB_INPUT_RELEASED);
    must_remove("/pointer");
    assert_int_equal(ear.events, events + 3);
    assert_int_equal(ear.last.kind, BB_INPUT_BUTTON);
    events = ear.events;
    bb_sleep(3 * BB_INPUT_DELAY);
    assert_int_equal(ear.events, events);
    tap(&fake_at("/two")->input, BB_KEY_A); /* nobody holds shift any more */
    assert_string_equal(typed(), "a");
}

static void test_locks(void **state)
{
    (void)state;
    struct bb_input *input = start(NULL);
    struct fake *one = fake_at("/one"), *two = fake_at("/two");
    assert_int_equal(one->leds, BB_INPUT_NUM_LOCK);
    assert_int_equal(two->leds, BB_INPUT_NUM_LOCK);
    two->error = -EIO;
    tap(input, BB_KEY_CAPS_LOCK);
    bb_poll();
    assert_int_equal(one->leds, BB_INPUT_NUM_LOCK | BB_INPUT_CAPS_LOCK);
    assert_int_equal(two->leds, BB_INPUT_NUM_LOCK | BB_INPUT_CAPS_LOCK);
    assert_int_equal(two->set, 2);
    assert_true(two->input.led_failures == 1 && one->input.led_failures == 0);
    tap(&two->input, BB_KEY_A); /* locked for all */
    assert_string_equal(typed(), "A");
    assert_string_equal(press(input, SHIFT, BB_KEY_A), "a");
    tap(input, BB_KEY_1);
    assert_string_equal(typed(), "1");
    assert_string_equal(press(input, 0, BB_KEY_PAD_1), "1");
    assert_string_equal(press(input, SHIFT, BB_KEY_PAD_1), "\x1b[F");
    tap(input, BB_KEY_NUM_LOCK);
    assert_string_equal(press(input, 0, BB_KEY_PAD_1 + 7), "\x1b[A");
    assert_string_equal(press(input, 0, BB_KEY_PAD_1 + 4), "");
    assert_string_equal(press(input, 0, BB_KEY_PAD_POINT), "\x1b[3~");
    assert_string_equal(press(input, 0, BB_KEY_PAD_SLASH), "/");
    bb_input_set_locks(UINT32_MAX);
    assert_int_equal(bb_input_locks(), 7);
    bb_poll();
    assert_int_equal(one->leds, 7);
}

static void test_listeners(void **state)
{
    static struct ear second = {.listener.event = hear}, third = {.listener.event = hear};
    (void)state;
    struct bb_input *input = start(NULL);
    bb_input_listen(&second.listener);
    bb_input_listen(&third.listener);
    bb_input_listen(&second.listener); /* is on the list already */
    tap(input, BB_KEY_A);
    assert_int_equal(second.events, 2);
    ear.victim = &second; /* the next one */
    second.events = third.events = 0;
    bb_input_key(input, BB_KEY_A, true);
    assert_int_equal(second.events, 0);
    assert_int_equal(third.events, 1);
    ear.victim = &ear; /* itself */
    bb_input_key(input, BB_KEY_A, false);
    assert_int_equal(third.events, 2);
    unsigned events = ear.events;
    tap(input, BB_KEY_A);
    assert_int_equal(ear.events, events);
    assert_int_equal(third.events, 4);
    bb_input_unlisten(&ear.listener); /* is not there */
}

static void test_pointer(void **state)
{
    (void)state;
    start(NULL);
    struct bb_input *input = &fake_at("/pointer")->input;
    bb_input_move(input, 0, 0);
    assert_int_equal(ear.events, 0);
    bb_input_move(input, -3, 4);
    assert_int_equal(ear.last.kind, BB_INPUT_MOVE);
    assert_true(ear.last.x == -3 && ear.last.y == 4);
    bb_input_position(input, BB_INPUT_SPAN, 5);
    assert_int_equal(ear.last.kind, BB_INPUT_POSITION);
    assert_true(ear.last.x == BB_INPUT_SPAN && ear.last.y == 5);
    bb_input_position(input, BB_INPUT_SPAN, 5);
    assert_int_equal(ear.events, 2);
    bb_input_position(input, BB_INPUT_SPAN + 1, 0);
    bb_input_position(input, 0, UINT32_MAX);
    bb_input_button(input, 32, true);
    bb_input_button(input, UINT32_MAX, true);
    assert_int_equal(ear.events, 2);
    assert_true(input->ignored == 4);
    bb_input_wheel(input, 0, -1);
    assert_int_equal(ear.last.kind, BB_INPUT_WHEEL);
    assert_true(ear.last.y == -1);
    bb_input_set_buttons(input, 1u << 31 | 1);
    assert_int_equal(ear.events, 5);
    assert_int_equal(ear.last.code, 31);
    bb_input_set_buttons(input, 1);
    assert_int_equal(ear.last.action, BB_INPUT_RELEASED);
}

static void test_us(void **state)
{
    (void)state;
    struct bb_input *input = start(NULL);
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz1234567890";
    static const char shifted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()";
    for (uint32_t i = 0; i < sizeof plain - 1; i++)
        tap(input, BB_KEY_A + i);
    assert_string_equal(typed(), plain);
    bb_input_key(input, BB_KEY_LEFT_SHIFT + 4, true);
    for (uint32_t i = 0; i < sizeof plain - 1; i++)
        tap(input, BB_KEY_A + i);
    bb_input_release_all(input);
    assert_string_equal(typed(), shifted);
    for (uint32_t usage = KEY_MINUS; usage <= 0x38; usage++)
        tap(input, usage);
    assert_string_equal(typed(), "-=[]\\\\;'`,./");
    static const struct {
        uint32_t modifiers, usage;
        const char *text;
    } cases[] = {
        {0, BB_KEY_ENTER, "\r"},
        {0, BB_KEY_ESCAPE, "\x1b"},
        {0, BB_KEY_BACKSPACE, "\x7f"},
        {0, BB_KEY_TAB, "\t"},
        {SHIFT, BB_KEY_TAB, "\x1b[Z"},
        {0, BB_KEY_SPACE, " "},
        {CTRL, BB_KEY_A + 2, "\x03"},
        {CTRL | SHIFT, BB_KEY_A + 2, "\x03"},
        {CTRL, 0x2f, "\x1b"},
        {CTRL, BB_KEY_1 + 7, "\x7f"},
        {CTRL, BB_KEY_1, ""},
        {ALT, BB_KEY_A,
         "\x1b"
         "a"},
        {ALTGR, BB_KEY_A,
         "\x1b"
         "a"},
        {0, BB_KEY_UP, "\x1b[A"},
        {0, BB_KEY_LEFT, "\x1b[D"},
        {CTRL, BB_KEY_LEFT, "\x1b[1;5D"},
        {SHIFT, BB_KEY_F1, "\x1b[1;2P"},
        {0, BB_KEY_F1, "\x1bOP"},
        {0, BB_KEY_F12, "\x1b[24~"},
        {ALT | CTRL | SHIFT, BB_KEY_F12, "\x1b[24;8~"},
        {0, BB_KEY_DELETE, "\x1b[3~"},
        {0, BB_KEY_PAGE_UP, "\x1b[5~"},
        {0, BB_KEY_HOME, "\x1b[H"},
        {0, BB_KEY_END, "\x1b[F"},
        {0, 0x46, ""},
        {0, 0x65, ""},
        {0, BB_KEY_PAD_ENTER, "\r"},
        {0, BB_KEY_PAD_POINT, "."},
    };
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++)
        assert_string_equal(press(input, cases[i].modifiers, cases[i].usage), cases[i].text);
}

static void test_de(void **state)
{
    (void)state;
    struct bb_input *input = start("input.layout=de");
    assert_string_equal(bb_input_layout(), "de");
    assert_string_equal(press(input, 0, KEY_Y), "z");
    assert_string_equal(press(input, SHIFT, KEY_Z), "Y");
    assert_string_equal(press(input, 0, 0x2f), "ü");
    assert_string_equal(press(input, 0, KEY_MINUS), "ß");
    assert_string_equal(press(input, ALTGR, KEY_E), "€");
    assert_string_equal(press(input, ALTGR, KEY_Q), "@");
    assert_string_equal(press(input, ALTGR, BB_KEY_A), "");
    assert_string_equal(press(input, ALTGR | CTRL, KEY_MINUS), "\x1c");
    assert_string_equal(press(input, 0, 0x64), "<");
    assert_string_equal(press(input, 0, 0x31), "#");
    assert_string_equal(press(input, 0, 0x32), "#");
    assert_string_equal(press(input, 0, BB_KEY_PAD_POINT), ",");
    tap(input, BB_KEY_CAPS_LOCK);
    assert_string_equal(press(input, 0, 0x2f), "Ü");
    assert_string_equal(press(input, 0, KEY_MINUS), "ß"); /* no letter with an upper case */
    tap(input, BB_KEY_CAPS_LOCK);
    /* Dead keys: a circumflex on a letter, alone, before what takes none, before another. */
    assert_string_equal(press(input, 0, KEY_GRAVE), "");
    assert_string_equal(press(input, SHIFT, BB_KEY_A), "Â");
    tap(input, KEY_GRAVE);
    assert_string_equal(press(input, 0, BB_KEY_SPACE), "^");
    tap(input, KEY_GRAVE);
    assert_string_equal(press(input, 0, BB_KEY_A + 1), "^b");
    tap(input, KEY_GRAVE);
    assert_string_equal(press(input, 0, KEY_GRAVE), "^");
    tap(input, KEY_GRAVE);
    assert_string_equal(press(input, 0, 0x2e), "^"); /* acute, which now waits */
    assert_string_equal(press(input, 0, KEY_E), "é");
    tap(input, KEY_GRAVE);
    assert_string_equal(press(input, 0, BB_KEY_LEFT), "\x1b[D");
    assert_string_equal(press(input, 0, BB_KEY_A), "a");
}

static void test_fr_and_uk(void **state)
{
    (void)state;
    struct bb_input *input = start("input.layout=fr");
    assert_string_equal(press(input, 0, BB_KEY_A), "q");
    assert_string_equal(press(input, 0, KEY_Q), "a");
    assert_string_equal(press(input, 0, BB_KEY_1 + 1), "é");
    assert_string_equal(press(input, SHIFT, BB_KEY_1 + 1), "2");
    assert_string_equal(press(input, ALTGR, BB_KEY_0), "@");
    assert_string_equal(press(input, 0, 0x33), "m");
    assert_string_equal(press(input, 0, 0x2f), "");
    assert_string_equal(press(input, 0, KEY_E), "ê");
    assert_int_equal(bb_input_set_layout("nowhere"), -EINVAL);
    assert_string_equal(bb_input_layout(), "fr");
    assert_int_equal(bb_input_set_layout("uk"), 0);
    assert_string_equal(press(input, SHIFT, BB_KEY_1 + 2), "£");
    assert_string_equal(press(input, SHIFT, KEY_GRAVE), "¬");
    assert_string_equal(press(input, ALTGR, KEY_E), "é");
    assert_string_equal(press(input, 0, 0x32), "#");
    size_t count = 0;
    while (bb_input_layout_at(count))
        count++;
    assert_int_equal(count, 4);
}

static void test_wrong_layout(void **state)
{
    (void)state;
    start("input.layout=klingon");
    assert_string_equal(bb_input_layout(), "us");
    assert_int_equal(logged("input.layout=klingon"), 1);
}

/* Every key of every layout, with every modifier: short, and whole characters. */
static void test_all(void **state)
{
    (void)state;
    struct bb_input *input = start(NULL);
    for (size_t i = 0; bb_input_layout_at(i); i++) {
        assert_int_equal(bb_input_set_layout(bb_input_layout_at(i)), 0);
        for (uint32_t modifiers = 0; modifiers < 256; modifiers++)
            for (uint32_t usage = 4; usage < 0xde; usage++) {
                const char *text = press(input, modifiers, usage);
                for (const char *at = text; *at; at++)
                    assert_false((*at & 0xc0) == 0x80 && (at == text || !(at[-1] & 0x80)));
            }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_sets_of_keys),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_removal_releases),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_us),
        cmocka_unit_test(test_de),
        cmocka_unit_test(test_fr_and_uk),
        cmocka_unit_test(test_wrong_layout),
        cmocka_unit_test(test_all),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
