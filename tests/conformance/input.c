/* SPDX-License-Identifier: BSD-2-Clause */
/* Input devices: names, lamps, and that a key reported by the driver's own means reaches who
 * listens, once. Nobody presses a key here: the driver's call is made in its place. */
#include "conformance.h"

#include <string.h>

#include <busbar/input.h>

struct ear {
    struct bb_input_listener listener;
    const struct bb_input *input;
    unsigned pressed, released, repeated, moved, text;
};

static void hear(struct bb_input_listener *listener, const struct bb_input_event *event)
{
    struct ear *ear = bb_container_of(listener, struct ear, listener);
    if (event->input != ear->input)
        return;
    ear->pressed += event->kind == BB_INPUT_KEY && event->action == BB_INPUT_PRESSED;
    ear->released += event->kind == BB_INPUT_KEY && event->action == BB_INPUT_RELEASED;
    ear->repeated += event->kind == BB_INPUT_KEY && event->action == BB_INPUT_REPEATED;
    ear->moved += event->kind == BB_INPUT_MOVE;
    ear->text += event->text_length;
}

static void check_keys(struct conformance *run, struct bb_input *input, struct ear *ear)
{
    uint64_t ignored = input->ignored;
    if (!(input->features & BB_INPUT_HAS_KEYS)) {
        bb_skip(run, "it has no keys");
        return;
    }
    bb_input_key(input, BB_KEY_A, true);
    bb_input_key(input, BB_KEY_A, true);
    bb_check(run, ear->pressed == 1 && bb_input_is_down(input, BB_KEY_A), "a key goes down once");
    bb_check(run, ear->text == 1, "it types a character");
    bb_sleep(BB_INPUT_DELAY + 5 * BB_INPUT_INTERVAL);
    bb_check(run, ear->repeated >= 1, "it repeats");
    bb_input_key(input, BB_KEY_A, false);
    unsigned repeated = ear->repeated;
    bb_check(run, ear->released == 1 && !bb_input_is_down(input, BB_KEY_A), "it comes up");
    bb_sleep(BB_INPUT_DELAY + 5 * BB_INPUT_INTERVAL);
    bb_check(run, ear->repeated == repeated, "then it repeats no more");
    bb_input_key(input, 0, true);
    bb_input_key(input, BB_INPUT_KEYS, true);
    bb_input_key(input, UINT32_MAX, true);
    bb_check(run, ear->pressed == 1 && input->ignored == ignored + 3, "what is no key is ignored");
    bb_input_key(input, BB_KEY_LEFT_SHIFT, true);
    bb_input_release_all(input);
    bb_check(run, ear->released == 2, "all keys can be let go at once");
}

static void check_lamps(struct conformance *run, struct bb_input *input)
{
    uint32_t locks = bb_input_locks();
    const struct bb_input_ops *ops = input->face.ops;
    if (!ops->set_leds) {
        bb_skip(run, "it has no lamps");
        return;
    }
    uint64_t failures = input->led_failures;
    for (uint32_t i = 0; i < 8; i++) {
        bb_input_set_locks(i);
        bb_sleep(20 * BB_MSEC);
        bb_check(run, input->leds_shown == i, "its lamps follow the locks");
    }
    bb_input_set_locks(locks);
    bb_sleep(20 * BB_MSEC);
    bb_check(run, input->led_failures == failures, "and none of that failed");
}

static void run_input(struct conformance *run, struct bb_face *face)
{
    struct bb_input *input = bb_container_of(face, struct bb_input, face);
    struct ear ear = {.listener.event = hear, .input = input};

    bb_check(run, input->features != 0, "it says what it has");
    bb_check(run, bb_input_by_name(face->device->name) == input, "it is found by its name");
    bb_input_listen(&ear.listener);
    check_keys(run, input, &ear);
    if (input->features & BB_INPUT_HAS_MOVES) {
        bb_input_move(input, 0, 0);
        bb_input_move(input, 3, -4);
        bb_check(run, ear.moved == 1, "it moves, and standing still is no move");
    }
    bb_input_unlisten(&ear.listener);
    check_lamps(run, input);
}

const struct conformance_suite conformance_input = {"input", &bb_class_input, run_input};
