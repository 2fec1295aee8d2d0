/* SPDX-License-Identifier: BSD-2-Clause */
/* GPIO: bounds, direction, and an output that reads back. Drives the first line that is an input,
 * so nothing may be wired to it. */
#include "conformance.h"

#include <busbar/gpio.h>

static void check_bounds(struct conformance *run, struct bb_gpio *gpio)
{
    static const uint32_t past[] = {0, 1, 1000, 0x7fffffff};
    bool level;

    for (size_t i = 0; i < BB_ARRAY_SIZE(past); i++) {
        uint32_t line = gpio->lines + past[i];
        bool refused = bb_gpio_get(gpio, line, &level) == -EINVAL &&
                       bb_gpio_set(gpio, line, true) == -EINVAL &&
                       bb_gpio_input(gpio, line) == -EINVAL &&
                       bb_gpio_output(gpio, line, true) == -EINVAL &&
                       bb_gpio_direction(gpio, line, &level) == -EINVAL &&
                       bb_gpio_pull(gpio, line, BB_PULL_UP) == -EINVAL;
        bb_check(run, refused, "a line past the last is refused");
    }
}

static void check_output(struct conformance *run, struct bb_gpio *gpio, uint32_t line)
{
    bool level = false, out = false;

    bb_check(run, bb_gpio_output(gpio, line, true) == 0, "a line can be an output");
    bb_check(run, bb_gpio_direction(gpio, line, &out) == 0 && out, "and says so");
    bb_check(run, bb_gpio_get(gpio, line, &level) == 0 && level, "what it drives reads back high");
    bb_check(run,
             bb_gpio_set(gpio, line, false) == 0 && bb_gpio_get(gpio, line, &level) == 0 && !level,
             "and low");
    bb_check(run,
             bb_gpio_output(gpio, line, true) == 0 && bb_gpio_get(gpio, line, &level) == 0 && level,
             "an output can be made output again, high");
    bb_check(run, bb_gpio_input(gpio, line) == 0, "a line can be an input");
    bb_check(run, bb_gpio_direction(gpio, line, &out) == 0 && !out, "and says so");
}

static void run_gpio(struct conformance *run, struct bb_face *face)
{
    struct bb_gpio *gpio = bb_container_of(face, struct bb_gpio, face);
    uint32_t free_line = gpio->lines;

    bb_check(run, gpio->lines > 0, "it has lines");
    check_bounds(run, gpio);
    for (uint32_t line = 0; line < gpio->lines; line++) {
        bool out, level;
        int error = bb_gpio_direction(gpio, line, &out);
        if (error != 0 && error != -EBUSY)
            bb_check(run, false, "each line has a direction, or serves a function");
        if (bb_gpio_get(gpio, line, &level) != 0)
            bb_check(run, false, "each line has a level");
        if (error == 0 && !out && free_line == gpio->lines)
            free_line = line;
    }
    if (free_line < gpio->lines)
        check_output(run, gpio, free_line);
    else
        bb_skip(run, "no line is free");
}

const struct conformance_suite conformance_gpio = {"gpio", &bb_class_gpio, run_gpio};
