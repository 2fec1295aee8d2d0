/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * General-purpose pins, and pin control: which function a pin serves, applied from pinctrl-0.
 *
 *     struct bb_gpio *gpio = bb_gpio_first();
 *     bb_gpio_output(gpio, 16, true);
 */
#ifndef BUSBAR_GPIO_H
#define BUSBAR_GPIO_H

#include <busbar/bind.h>
#include <busbar/device.h>

enum bb_pull { BB_PULL_NONE, BB_PULL_DOWN, BB_PULL_UP };

struct bb_gpio {
    struct bb_face face;
    uint32_t lines; /* the driver sets it: pins are 0 to lines - 1 */
};

struct bb_gpio_ops {
    /* Levels are electrical: true is high. -EINVAL past the last line (the inline calls check). */
    int (*get)(struct bb_gpio *gpio, uint32_t line, bool *level);   /* every context */
    int (*set)(struct bb_gpio *gpio, uint32_t line, bool level);    /* every context */
    int (*input)(struct bb_gpio *gpio, uint32_t line);              /* thread context */
    int (*output)(struct bb_gpio *gpio, uint32_t line, bool level); /* no glitch; thread context */
    int (*direction)(struct bb_gpio *gpio, uint32_t line,
                     bool *out); /* -EBUSY: serves a function */
    int (*pull)(struct bb_gpio *gpio, uint32_t line, enum bb_pull pull); /* NULL: has none */
};

BB_CLASS_FINDERS(gpio)

#ifndef BB_BOUND_GPIO
#define BB_BOUND_GPIO (*(const struct bb_gpio_ops *)gpio->face.ops)
#endif

static inline int bb_gpio_get(struct bb_gpio *gpio, uint32_t line, bool *level)
{
    return line < gpio->lines ? BB_BOUND_GPIO.get(gpio, line, level) : -EINVAL;
}
static inline int bb_gpio_set(struct bb_gpio *gpio, uint32_t line, bool level)
{
    return line < gpio->lines ? BB_BOUND_GPIO.set(gpio, line, level) : -EINVAL;
}
static inline int bb_gpio_input(struct bb_gpio *gpio, uint32_t line)
{
    return line < gpio->lines ? BB_BOUND_GPIO.input(gpio, line) : -EINVAL;
}
static inline int bb_gpio_output(struct bb_gpio *gpio, uint32_t line, bool level)
{
    return line < gpio->lines ? BB_BOUND_GPIO.output(gpio, line, level) : -EINVAL;
}
static inline int bb_gpio_direction(struct bb_gpio *gpio, uint32_t line, bool *out)
{
    return line < gpio->lines ? BB_BOUND_GPIO.direction(gpio, line, out) : -EINVAL;
}
static inline int bb_gpio_pull(struct bb_gpio *gpio, uint32_t line, enum bb_pull pull)
{
    if (line >= gpio->lines)
        return -EINVAL;
    return BB_BOUND_GPIO.pull ? BB_BOUND_GPIO.pull(gpio, line, pull) : -ENOTSUP;
}

/* Pin control. Consumers name configurations, children of the pin controller, in pinctrl-0. */
struct bb_pins {
    struct bb_face face;
};

struct bb_pins_ops {
    /* Applies one configuration node; -EINVAL, and nothing changed, when it is malformed. */
    int (*apply)(struct bb_pins *pins, const struct bb_node *configuration);
};

BB_CLASS_FINDERS(pins)

/* Applies every configuration of the device's pinctrl-0. 0 also when it has none. Thread context.
 */
int bb_pins_apply(struct bb_device *device);
/* Applies a configuration by its node's name or path, where a device is to have other pins than the
 * tree gives it: "emmc_gpio48". -ENOENT when no pin controller has one of that name. */
int bb_pins_apply_named(struct bb_device *device, const char *name);

#endif
