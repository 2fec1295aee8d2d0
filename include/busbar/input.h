/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input devices: keyboards, mice, tablets. A driver reports what happened in terms of the USB HID
 * Usage Tables (keys are usages of page 7); the subsystem remembers which keys are down, repeats
 * them, translates them to text by a layout and keeps the lock lights of all keyboards in step.
 *
 *     static void on_event(struct bb_input_listener *listener, const struct bb_input_event *event)
 *     {
 *         if (event->kind == BB_INPUT_KEY && event->code == BB_KEY_ESCAPE && event->action)
 *             ...
 *         if (event->text_length)                                  // what somebody typed, UTF-8
 *             bb_console_print(console, event->text, event->text_length);
 *     }
 *     static struct bb_input_listener listener;
 *     listener.event = on_event;
 *     bb_input_listen(&listener);
 *
 * Thread context throughout. Devices get the names keyboard0, mouse0 ... in binding order, and may
 * come and go at any time: what was down is then released, with an event for each key and button.
 *
 * The parameter `input.layout=us|uk|de|fr` chooses what the keys mean, us unless given.
 */
#ifndef BUSBAR_INPUT_H
#define BUSBAR_INPUT_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/name.h>
#include <busbar/poll.h>
#include <busbar/store.h>

#define BB_INPUT_KEYS 256   /* usages of page 7 that are reported: 4 to 0xe7, see the tables */
#define BB_INPUT_BUTTONS 32 /* 0: left, 1: right, 2: middle, and so on as HID's page 9 less one */
#define BB_INPUT_SPAN 32767 /* an absolute position is 0 to this, left to right and down */
#define BB_INPUT_TEXT 8     /* bytes that one key can type at most */

#define BB_INPUT_DELAY (500 * BB_MSEC)   /* from the press of a key to its first repeat */
#define BB_INPUT_INTERVAL (33 * BB_MSEC) /* from each repeat to the next */

enum { /* usages of HID page 7 that code may want to name; letters follow A, digits follow 1 */
       BB_KEY_A = 0x04,
       BB_KEY_1 = 0x1e,
       BB_KEY_0 = 0x27,
       BB_KEY_ENTER = 0x28,
       BB_KEY_ESCAPE = 0x29,
       BB_KEY_BACKSPACE = 0x2a,
       BB_KEY_TAB = 0x2b,
       BB_KEY_SPACE = 0x2c,
       BB_KEY_CAPS_LOCK = 0x39,
       BB_KEY_F1 = 0x3a,
       BB_KEY_F12 = 0x45,
       BB_KEY_SCROLL_LOCK = 0x47,
       BB_KEY_INSERT = 0x49,
       BB_KEY_HOME = 0x4a,
       BB_KEY_PAGE_UP = 0x4b,
       BB_KEY_DELETE = 0x4c,
       BB_KEY_END = 0x4d,
       BB_KEY_PAGE_DOWN = 0x4e,
       BB_KEY_RIGHT = 0x4f,
       BB_KEY_LEFT = 0x50,
       BB_KEY_DOWN = 0x51,
       BB_KEY_UP = 0x52,
       BB_KEY_NUM_LOCK = 0x53,
       BB_KEY_PAD_SLASH = 0x54,
       BB_KEY_PAD_ENTER = 0x58,
       BB_KEY_PAD_1 = 0x59,
       BB_KEY_PAD_0 = 0x62,
       BB_KEY_PAD_POINT = 0x63,
       BB_KEY_LEFT_CONTROL = 0xe0, /* this and the next seven: the first byte of a boot report */
       BB_KEY_LEFT_SHIFT = 0xe1,
       BB_KEY_LEFT_ALT = 0xe2,
       BB_KEY_LEFT_GUI = 0xe3,
       BB_KEY_RIGHT_CONTROL = 0xe4,
       BB_KEY_RIGHT_SHIFT = 0xe5,
       BB_KEY_RIGHT_ALT = 0xe6, /* AltGr where the layout has it */
       BB_KEY_RIGHT_GUI = 0xe7,
};

enum { /* bits of a keyboard's lights, in HID's order, and of bb_input_locks() */
       BB_INPUT_NUM_LOCK = 1,
       BB_INPUT_CAPS_LOCK = 2,
       BB_INPUT_SCROLL_LOCK = 4,
};

enum bb_input_kind {
    BB_INPUT_KEY,      /* code: usage of page 7 */
    BB_INPUT_BUTTON,   /* code: 0 to BB_INPUT_BUTTONS - 1 */
    BB_INPUT_MOVE,     /* x, y: how far since the last one; right and down count up */
    BB_INPUT_POSITION, /* x, y: where, 0 to BB_INPUT_SPAN */
    BB_INPUT_WHEEL,    /* y: notches away from the user, x: to the right */
};

enum bb_input_action { BB_INPUT_RELEASED, BB_INPUT_PRESSED, BB_INPUT_REPEATED };

struct bb_input;

struct bb_input_event {
    struct bb_input *input;
    enum bb_input_kind kind;
    enum bb_input_action action; /* of keys and buttons */
    uint32_t code;
    int32_t x, y;
    uint8_t text_length;      /* 0: this types nothing */
    char text[BB_INPUT_TEXT]; /* by the layout, UTF-8, not terminated; arrows and the like as the
                                 escape sequences of a terminal */
};

/* Somebody who wants to know. Embedded in its owner's state. */
struct bb_input_listener {
    /* Called with each event, from within the driver's report: it must not wait for the device. It
     * may add and remove listeners, itself too. */
    void (*event)(struct bb_input_listener *listener, const struct bb_input_event *event);
    struct bb_input_listener *next; /* the subsystem's */
};

enum { /* bb_input.features: what the device has; names it for people */
       BB_INPUT_HAS_KEYS = 1,
       BB_INPUT_HAS_BUTTONS = 2,
       BB_INPUT_HAS_MOVES = 4,
       BB_INPUT_HAS_POSITIONS = 8,
       BB_INPUT_HAS_WHEEL = 16,
};

struct bb_input {
    struct bb_face face;
    uint32_t features; /* the driver sets it in probe: BB_INPUT_HAS_KEYS and so on; not 0 */
    /* The rest is the subsystem's; everyone may read it. */
    uint32_t keys[BB_INPUT_KEYS / 32]; /* a bit for each that is down */
    uint32_t buttons;
    uint32_t x, y;         /* last position */
    uint32_t repeating;    /* usage of the key that repeats, 0: none */
    uint32_t leds_shown;   /* as set_leds() was last told */
    uint64_t events;       /* that listeners were told of */
    uint64_t ignored;      /* reports out of range */
    uint64_t led_failures; /* errors of set_leds() */
    struct bb_value values[3];
    struct bb_timer_event repeat;
    struct bb_work led_work;
    struct bb_name name; /* "keyboard0", where the tree has no alias */
};

struct bb_input_ops {
    /* Lights these lamps (BB_INPUT_NUM_LOCK and so on) and no others. Thread context, from queued
     * work of the device: it may wait, bounded. It is called once after the device started, and
     * after each change. NULL: the device has none. */
    int (*set_leds)(struct bb_input *input, uint32_t leds);
};

BB_CLASS_FINDERS(input)

/* No BB_BOUND_INPUT: input devices are hot-pluggable, and nobody calls them often. */

/* Adds one to the end of the list; nothing happens when it is on it. */
void bb_input_listen(struct bb_input_listener *listener);
/* Takes it off; nothing happens when it is not on the list. */
void bb_input_unlisten(struct bb_input_listener *listener);

/* What is locked now, for all keyboards. */
uint32_t bb_input_locks(void);
void bb_input_set_locks(uint32_t locks);
/* "us". */
const char *bb_input_layout(void);
/* -EINVAL when there is no such layout; then the old one stays. */
int bb_input_set_layout(const char *name);
/* Name of layout `index`, NULL past the last one. */
const char *bb_input_layout_at(size_t index);
static inline bool bb_input_is_down(const struct bb_input *input, uint32_t usage)
{
    return usage < BB_INPUT_KEYS && input->keys[usage / 32] >> usage % 32 & 1;
}

/*
 * ---- For drivers ----
 *
 * From probe on, in thread context (a completion), as reports come in. Listeners run before the
 * call returns. What changes nothing (a key reported down twice) is dropped; what is out of range
 * is counted in `ignored` and dropped. Nothing needs undoing when the device goes: keys and buttons
 * that are down are released then.
 */

/* A key of page 7 went down or up: 4 to 0xdd, 0xe0 to 0xe7; others (1 to 3 are errors of the
 * keyboard, not keys) are ignored. */
void bb_input_key(struct bb_input *input, uint32_t usage, bool down);
/* Exactly these keys are down, a bit for each usage: reports what changed, releases first. For
 * reports that list all keys, such as the boot protocol's. */
void bb_input_set_keys(struct bb_input *input, const uint32_t keys[BB_INPUT_KEYS / 32]);
static inline void bb_input_mark_key(uint32_t keys[BB_INPUT_KEYS / 32], uint32_t usage)
{
    if (usage < BB_INPUT_KEYS)
        keys[usage / 32] |= 1u << usage % 32;
}
void bb_input_button(struct bb_input *input, uint32_t button, bool down);
/* Exactly these buttons are down, a bit for each. */
void bb_input_set_buttons(struct bb_input *input, uint32_t buttons);
void bb_input_move(struct bb_input *input, int32_t x, int32_t y);
void bb_input_position(struct bb_input *input, uint32_t x, uint32_t y);
void bb_input_wheel(struct bb_input *input, int32_t x, int32_t y);
/* Everything is up: the device was reset, or lost track. */
void bb_input_release_all(struct bb_input *input);

#endif
