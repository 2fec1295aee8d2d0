/* SPDX-License-Identifier: BSD-2-Clause */
/* Displays: their memory, their modes. What was on the screen is lost. */
#include "conformance.h"

#include <busbar/display.h>

static void check_shape(struct conformance *run, const struct bb_display *display)
{
    bb_check(run,
             display->width >= BB_DISPLAY_MIN_WIDTH && display->width <= BB_DISPLAY_MAX &&
                 display->height >= BB_DISPLAY_MIN_HEIGHT && display->height <= BB_DISPLAY_MAX,
             "it has a size");
    bb_check(run, display->stride % 8 == 0 && display->stride / 4 >= display->width,
             "a row takes whole words, and holds all of its pixels");
    bb_check(run, display->memory && (uintptr_t)display->memory % 8 == 0, "its memory is aligned");
    bb_check(run, bb_display_pixel(display, 0, 0xff, 0) == 0xff00, "green is green in any order");
    bb_check(run,
             (bb_display_pixel(display, 1, 2, 3) | bb_display_pixel(display, 3, 2, 1)) == 0x030203,
             "and the others are at its ends");
}

/* Every row takes what is written, and none is another one's. */
static void check_memory(struct conformance *run, struct bb_display *display)
{
    bool kept = true;
    for (uint32_t y = 0; y < display->height; y++) {
        volatile uint32_t *row =
            (volatile uint32_t *)(void *)(display->memory + (size_t)y * display->stride);
        row[0] = y;
        row[display->width - 1] = ~y;
    }
    bb_display_flush(display);
    for (uint32_t y = 0; y < display->height; y++) {
        volatile uint32_t *row =
            (volatile uint32_t *)(void *)(display->memory + (size_t)y * display->stride);
        kept &= row[0] == y && row[display->width - 1] == ~y;
    }
    bb_check(run, kept, "each row keeps what was written to its ends");
}

static void check_modes(struct conformance *run, struct bb_display *display)
{
    static const uint32_t modes[][2] = {{640, 480}, {1024, 768}, {800, 600}};
    uint32_t width = display->width, height = display->height;

    if (bb_display_set_mode(display, width, height) == -ENOTSUP) {
        bb_skip(run, "its mode is fixed");
        return;
    }
    for (size_t i = 0; i < BB_ARRAY_SIZE(modes); i++) {
        int error = bb_display_set_mode(display, modes[i][0], modes[i][1]);
        bb_check(run, error == 0, "a usual mode can be set");
        check_shape(run, display);
        check_memory(run, display);
    }
    bb_check(run, bb_display_set_mode(display, 0, 0) == -EINVAL, "a size of nothing is refused");
    bb_check(run, bb_display_set_mode(display, 640, UINT32_MAX) == -EINVAL, "so is a huge one");
    bb_check(run, display->width && display->height, "which leaves it as it was");
    bb_check(run, bb_display_set_mode(display, width, height) == 0, "the old mode can be set");
    bb_check(run, display->width == width && display->height == height, "and is back");
}

static void check_blank(struct conformance *run, struct bb_display *display)
{
    int error = bb_display_blank(display, true);
    if (error == -ENOTSUP) {
        bb_skip(run, "it cannot go dark");
        return;
    }
    bb_check(run, error == 0, "it goes dark");
    bb_check(run, bb_display_blank(display, false) == 0, "and comes back");
}

static void run_display(struct conformance *run, struct bb_face *face)
{
    struct bb_display *display = bb_container_of(face, struct bb_display, face);

    check_shape(run, display);
    check_memory(run, display);
    check_modes(run, display);
    check_blank(run, display);
}

const struct conformance_suite conformance_display = {"display", &bb_class_display, run_display};
