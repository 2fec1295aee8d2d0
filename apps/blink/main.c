/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blinks a LED that is wired to GPIO 21 (header pin 40), ten times, and gives the pin its old
 * function back. <busbar/gpio.h> would do for the blinking; what a pin's function was, only the
 * driver's internal API tells, which `internal = true` in app.toml opens.
 */
#include <busbar/app.h>
#include <drivers/gpio/bcm2835_gpio.h>

enum { PIN = 21, TIMES = 10 };

int bb_main(void)
{
    enum bb_bcm2835_gpio_function before;
    struct bb_gpio *gpio = bb_gpio_first();
    int error = gpio ? bb_bcm2835_gpio_get_function(gpio, PIN, &before) : -ENODEV;
    for (int i = 0; i < 2 * TIMES && error == 0; i++) {
        bool level = false;
        error = bb_gpio_output(gpio, PIN, i % 2 == 0);
        bb_sleep(100 * BB_MSEC);
        if (error == 0)
            error = bb_gpio_get(gpio, PIN, &level);
        bb_print(BB_INFO, "pin %d is %s", PIN, level ? "high" : "low");
    }
    if (error == 0)
        error = bb_bcm2835_gpio_set_function(gpio, PIN, before);
    if (error < 0)
        bb_print(BB_ERROR, "blink: %s", bb_error_name(error));
    return error < 0;
}
