/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the BCM2835's pins can do beyond <busbar/gpio.h>, for applications with `internal = true`.
 *
 *     bb_bcm2835_gpio_set_function(bb_gpio_first(), 14, BB_BCM2835_GPIO_ALT5);
 */
#ifndef DRIVERS_GPIO_BCM2835_GPIO_H
#define DRIVERS_GPIO_BCM2835_GPIO_H

#include <busbar/gpio.h>

/* Values of the GPFSELn fields, and of the tree's brcm,function. */
enum bb_bcm2835_gpio_function {
    BB_BCM2835_GPIO_INPUT = 0,
    BB_BCM2835_GPIO_OUTPUT = 1,
    BB_BCM2835_GPIO_ALT0 = 4,
    BB_BCM2835_GPIO_ALT1 = 5,
    BB_BCM2835_GPIO_ALT2 = 6,
    BB_BCM2835_GPIO_ALT3 = 7,
    BB_BCM2835_GPIO_ALT4 = 3,
    BB_BCM2835_GPIO_ALT5 = 2,
};

/* -ENODEV when `gpio` is not of this driver, -EINVAL past its last line. Thread context. */
int bb_bcm2835_gpio_set_function(struct bb_gpio *gpio, uint32_t line,
                                 enum bb_bcm2835_gpio_function function);
int bb_bcm2835_gpio_get_function(struct bb_gpio *gpio, uint32_t line,
                                 enum bb_bcm2835_gpio_function *function);

#endif
