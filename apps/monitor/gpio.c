/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <busbar/gpio.h>

#include "command.h"

static void show(struct bb_gpio *gpio)
{
    say("%s: %u lines\n", gpio->face.device->name, gpio->lines);
    for (uint32_t line = 0; line < gpio->lines; line++) {
        bool out = false, level = false;
        int error = bb_gpio_direction(gpio, line, &out);
        if (bb_gpio_get(gpio, line, &level) < 0)
            continue;
        say("  %2u %-8s %s%s", line,
            error < 0 ? "function"
            : out     ? "output"
                      : "input",
            level ? "high" : "low ", line % 3 == 2 ? "\n" : "  ");
    }
    say("\n");
}

static int run(int argc, char **argv)
{
    uint64_t line;
    if (argc == 1) {
        for (struct bb_gpio *gpio = bb_gpio_first(); gpio; gpio = bb_gpio_next(gpio))
            show(gpio);
        return bb_gpio_first() ? 0 : -ENODEV;
    }
    struct bb_gpio *gpio = bb_gpio_first();
    if (!gpio)
        return -ENODEV;
    if (argc != 3 || !parse_number(argv[1], UINT32_MAX, &line))
        return -EINVAL;
    if (strcmp(argv[2], "high") == 0 || strcmp(argv[2], "low") == 0)
        return bb_gpio_output(gpio, (uint32_t)line, argv[2][0] == 'h');
    return strcmp(argv[2], "input") == 0 ? bb_gpio_input(gpio, (uint32_t)line) : -EINVAL;
}

const struct command command_gpio = {"gpio", "[LINE high|low|input]",
                                     "every pin; drive one of the first controller", run, NULL};
