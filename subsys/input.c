/* SPDX-License-Identifier: BSD-2-Clause */
/* Input devices: which keys are down, their repeats, locks and lamps, and who listens. */
#include <string.h>

#include <busbar/log.h>
#include <busbar/param.h>

#include "keymap.h"

enum { FIRST_KEY = 4, LAST_KEY = 0xdd, LAST_MODIFIER = 0xe7 };

static struct bb_face_list inputs;
static struct bb_input_listener *listeners;
static bool configured;
static uint32_t unlocked; /* the locks that differ from those at start */

static const struct bb_input_ops removed;

/* Num lock is on at start: what stands on the keys of the pad first of all is digits. */
uint32_t bb_input_locks(void)
{
    return unlocked ^ BB_INPUT_NUM_LOCK;
}

static void configure(void)
{
    const char *name = configured ? NULL : bb_param_get("input.layout");
    configured = true;
    if (name && bb_keymap_choose(name))
        bb_print(BB_WARNING, "input.layout=%s: no such layout, %s is used", name, bb_keymap_name());
}

const char *bb_input_layout(void)
{
    configure();
    return bb_keymap_name();
}

int bb_input_set_layout(const char *name)
{
    configured = true;
    return bb_keymap_choose(name);
}

const char *bb_input_layout_at(size_t index)
{
    return bb_keymap_name_at(index);
}

/* ---- Listeners ---- */

/* Who is told next, for each event that is under way: a listener may take itself out, or another,
 * or poll, and so bring on another event. */
struct cursor {
    struct bb_input_listener *next;
    struct cursor *outer;
};
static struct cursor *cursors;

void bb_input_listen(struct bb_input_listener *listener)
{
    struct bb_input_listener **at = &listeners;
    configure();
    while (*at && *at != listener)
        at = &(*at)->next;
    if (*at)
        return;
    listener->next = NULL;
    *at = listener;
}

void bb_input_unlisten(struct bb_input_listener *listener)
{
    for (struct bb_input_listener **at = &listeners; *at; at = &(*at)->next)
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    for (struct cursor *cursor = cursors; cursor; cursor = cursor->outer)
        if (cursor->next == listener)
            cursor->next = listener->next;
}

static void tell(struct bb_input *input, const struct bb_input_event *event)
{
    struct cursor cursor = {listeners, cursors};
    input->events++;
    cursors = &cursor;
    while (cursor.next) {
        struct bb_input_listener *listener = cursor.next;
        cursor.next = listener->next;
        listener->event(listener, event);
    }
    cursors = cursor.outer;
}

/* ---- Locks and lamps ---- */

static const struct bb_input_ops *ops_of(const struct bb_input *input)
{
    return input->face.ops;
}

static void show_locks(struct bb_work *work)
{
    struct bb_input *input = bb_container_of(work, struct bb_input, led_work);
    uint32_t locks = bb_input_locks();
    if (!ops_of(input)->set_leds || input->leds_shown == locks)
        return;
    input->leds_shown = locks;
    if (ops_of(input)->set_leds(input, locks) < 0)
        input->led_failures++;
}

void bb_input_set_locks(uint32_t locks)
{
    unlocked = (locks & (BB_INPUT_NUM_LOCK | BB_INPUT_CAPS_LOCK | BB_INPUT_SCROLL_LOCK)) ^
               BB_INPUT_NUM_LOCK;
    for (struct bb_input *input = bb_input_first(); input; input = bb_input_next(input))
        bb_work_queue(&input->led_work);
}

static uint32_t lock_of(uint32_t usage)
{
    return usage == BB_KEY_NUM_LOCK      ? BB_INPUT_NUM_LOCK
           : usage == BB_KEY_CAPS_LOCK   ? BB_INPUT_CAPS_LOCK
           : usage == BB_KEY_SCROLL_LOCK ? BB_INPUT_SCROLL_LOCK
                                         : 0;
}

/* ---- Keys ---- */

/* A shift key counts for all keyboards. */
static uint32_t modifiers(void)
{
    uint32_t held = 0;
    for (struct bb_input *input = bb_input_first(); input; input = bb_input_next(input))
        held |= input->keys[BB_KEY_LEFT_CONTROL / 32] & 0xff;
    return held;
}

static void tell_key(struct bb_input *input, uint32_t usage, enum bb_input_action action)
{
    struct bb_input_event event = {
        .input = input, .kind = BB_INPUT_KEY, .action = action, .code = usage};
    if (action != BB_INPUT_RELEASED)
        event.text_length =
            (uint8_t)bb_keymap_text(usage, modifiers(), bb_input_locks(), event.text);
    tell(input, &event);
}

static void repeat(struct bb_timer_event *timer)
{
    struct bb_input *input = bb_container_of(timer, struct bb_input, repeat);
    if (!input->repeating)
        return;
    bb_timer_event_at(timer,
                      bb_time() + BB_INPUT_INTERVAL); /* before a listener changes its mind */
    tell_key(input, input->repeating, BB_INPUT_REPEATED);
}

static void stop_repeating(struct bb_input *input)
{
    input->repeating = 0;
    bb_timer_event_cancel(&input->repeat);
}

static void press(struct bb_input *input, uint32_t usage)
{
    uint32_t lock = lock_of(usage);
    stop_repeating(input);
    if (!lock && usage < BB_KEY_LEFT_CONTROL) {
        input->repeating = usage;
        bb_timer_event_at(&input->repeat, bb_time() + BB_INPUT_DELAY);
    }
    tell_key(input, usage, BB_INPUT_PRESSED);
    if (lock)
        bb_input_set_locks(bb_input_locks() ^ lock);
}

void bb_input_key(struct bb_input *input, uint32_t usage, bool down)
{
    if (usage < FIRST_KEY || usage > LAST_MODIFIER ||
        (usage > LAST_KEY && usage < BB_KEY_LEFT_CONTROL)) {
        input->ignored++;
        return;
    }
    if (bb_input_is_down(input, usage) == down)
        return;
    input->keys[usage / 32] ^= 1u << usage % 32;
    if (down) {
        press(input, usage);
        return;
    }
    if (usage == input->repeating)
        stop_repeating(input);
    tell_key(input, usage, BB_INPUT_RELEASED);
}

/* The lowest usage whose bit differs and is now `down`; BB_INPUT_KEYS when there is none. */
static uint32_t find_change(const struct bb_input *input, const uint32_t keys[BB_INPUT_KEYS / 32],
                            bool down, size_t from)
{
    for (size_t i = from; i < BB_INPUT_KEYS / 32; i++) {
        uint32_t changed = (input->keys[i] ^ keys[i]) & (down ? keys[i] : ~keys[i]);
        if (changed)
            return (uint32_t)(i * 32) + (uint32_t)__builtin_ctz(changed);
    }
    return BB_INPUT_KEYS;
}

void bb_input_set_keys(struct bb_input *input, const uint32_t keys[BB_INPUT_KEYS / 32])
{
    uint32_t wanted[BB_INPUT_KEYS / 32], usage;
    memcpy(wanted, keys, sizeof(wanted));
    for (usage = 0; usage < BB_INPUT_KEYS; usage++) {
        bool valid = (usage >= FIRST_KEY && usage <= LAST_KEY) ||
                     (usage >= BB_KEY_LEFT_CONTROL && usage <= LAST_MODIFIER);
        uint32_t bit = 1u << usage % 32;
        if (!valid && wanted[usage / 32] & bit) {
            input->ignored++;
            wanted[usage / 32] &= ~bit;
        }
    }
    while ((usage = find_change(input, wanted, false, 0)) < BB_INPUT_KEYS)
        bb_input_key(input, usage, false);
    /* Shift and its like first: they go for what comes in the same report. */
    while ((usage = find_change(input, wanted, true, BB_KEY_LEFT_CONTROL / 32)) < BB_INPUT_KEYS)
        bb_input_key(input, usage, true);
    while ((usage = find_change(input, wanted, true, 0)) < BB_INPUT_KEYS)
        bb_input_key(input, usage, true);
}

/* ---- The rest ---- */

void bb_input_button(struct bb_input *input, uint32_t button, bool down)
{
    struct bb_input_event event = {.input = input,
                                   .kind = BB_INPUT_BUTTON,
                                   .action = down ? BB_INPUT_PRESSED : BB_INPUT_RELEASED,
                                   .code = button};
    if (button >= BB_INPUT_BUTTONS) {
        input->ignored++;
        return;
    }
    if ((input->buttons >> button & 1) == down)
        return;
    input->buttons ^= 1u << button;
    tell(input, &event);
}

void bb_input_set_buttons(struct bb_input *input, uint32_t buttons)
{
    for (uint32_t button = 0; button < BB_INPUT_BUTTONS; button++)
        bb_input_button(input, button, buttons >> button & 1);
}

static void tell_place(struct bb_input *input, enum bb_input_kind kind, int32_t x, int32_t y)
{
    struct bb_input_event event = {.input = input, .kind = kind, .x = x, .y = y};
    tell(input, &event);
}

void bb_input_move(struct bb_input *input, int32_t x, int32_t y)
{
    if (x || y)
        tell_place(input, BB_INPUT_MOVE, x, y);
}

void bb_input_wheel(struct bb_input *input, int32_t x, int32_t y)
{
    if (x || y)
        tell_place(input, BB_INPUT_WHEEL, x, y);
}

void bb_input_position(struct bb_input *input, uint32_t x, uint32_t y)
{
    if (x > BB_INPUT_SPAN || y > BB_INPUT_SPAN) {
        input->ignored++;
        return;
    }
    if (x == input->x && y == input->y)
        return;
    input->x = x;
    input->y = y;
    tell_place(input, BB_INPUT_POSITION, (int32_t)x, (int32_t)y);
}

void bb_input_release_all(struct bb_input *input)
{
    static const uint32_t none[BB_INPUT_KEYS / 32];
    bb_input_set_keys(input, none);
    bb_input_set_buttons(input, 0);
}

/* ---- Coming and going ---- */

static void leave(struct bb_input *input)
{
    bb_input_release_all(input);
    bb_timer_event_cancel(&input->repeat);
    bb_work_cancel(&input->led_work);
}

static int input_notify(struct bb_face *face, bool running)
{
    struct bb_input *input = bb_container_of(face, struct bb_input, face);
    struct bb_device *device = face->device;
    if (!running) {
        leave(input);
        return 0;
    }
    if (!input->features)
        return bb_fail(device, "features", -EINVAL);
    configure();
    input->repeat.run = repeat;
    input->repeat.device = device;
    input->led_work.run = show_locks;
    input->led_work.device = device;
    input->leds_shown = UINT32_MAX;
    int error = bb_publish_u64(device, &input->values[0], "events", "", &input->events);
    if (!error)
        error = bb_publish_u64(device, &input->values[1], "ignored", "reports", &input->ignored);
    if (!error)
        error = bb_publish_u64(device, &input->values[2], "led_failures", "", &input->led_failures);
    if (error)
        return error;
    bb_name_device(face->device, &input->name,
                   input->features & BB_INPUT_HAS_KEYS ? "keyboard" : "mouse");
    bb_work_queue(&input->led_work);
    return 0;
}

const struct bb_class bb_class_input = {
    .name = "input",
    .removed = &removed,
    .list = &inputs,
    .notify = input_notify,
};
