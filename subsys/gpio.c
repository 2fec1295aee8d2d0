/* SPDX-License-Identifier: BSD-2-Clause */
/* General-purpose pins, and which function a pin serves. */
#include <string.h>

#include <busbar/gpio.h>

static struct bb_face_list gpios;
static struct bb_face_list pin_controllers;

static int removed_get(struct bb_gpio *gpio, uint32_t line, bool *level)
{
    (void)gpio, (void)line, (void)level;
    return -ENODEV;
}

static int removed_set(struct bb_gpio *gpio, uint32_t line, bool level)
{
    (void)gpio, (void)line, (void)level;
    return -ENODEV;
}

static int removed_input(struct bb_gpio *gpio, uint32_t line)
{
    (void)gpio, (void)line;
    return -ENODEV;
}

static int removed_pull(struct bb_gpio *gpio, uint32_t line, enum bb_pull pull)
{
    (void)gpio, (void)line, (void)pull;
    return -ENODEV;
}

static const struct bb_gpio_ops removed = {
    .get = removed_get,
    .set = removed_set,
    .input = removed_input,
    .output = removed_set,
    .direction = removed_get,
    .pull = removed_pull,
};

const struct bb_class bb_class_gpio = {
    .name = "gpio",
    .property = "gpios",
    .cells = "#gpio-cells",
    .removed = &removed,
    .list = &gpios,
};

static int removed_apply(struct bb_pins *pins, const struct bb_node *configuration)
{
    (void)pins, (void)configuration;
    return -ENODEV;
}

static const struct bb_pins_ops removed_pins = {.apply = removed_apply};

static struct bb_node *controller_of(const struct bb_node *configuration)
{
    struct bb_node *controller = configuration->parent;
    while (controller && !bb_node_has(controller, "compatible"))
        controller = controller->parent;
    return controller;
}

/* pinctrl-0 names configurations; their controller is the nearest device above each. */
static int pins_lookup(const struct bb_node *node, size_t index, struct bb_phandle_args *args)
{
    int error = bb_node_phandle_args(node, "pinctrl-0", NULL, index, args);
    if (error)
        return error;
    struct bb_node *controller = controller_of(args->reference);
    if (!controller)
        return -EINVAL;
    args->node = controller;
    return 0;
}

const struct bb_class bb_class_pins = {
    .name = "pins",
    .property = "pinctrl-0",
    .removed = &removed_pins,
    .list = &pin_controllers,
    .lookup = pins_lookup,
};

int bb_pins_apply(struct bb_device *device)
{
    for (size_t index = 0;; index++) {
        struct bb_face *face;
        struct bb_phandle_args args;
        int error = bb_provider(device, &bb_class_pins, index, &face, &args);
        if (error == -ENOENT || error == -ERANGE)
            return 0;
        if (error)
            return error;
        const struct bb_pins_ops *ops = face->ops;
        error = ops->apply(bb_container_of(face, struct bb_pins, face), args.reference);
        if (error)
            return bb_fail(device, "pinctrl-0", error);
    }
}

int bb_pins_apply_named(struct bb_device *device, const char *name)
{
    const struct bb_node *found = bb_node_find(name);
    if (!found)
        bb_for_each_node (node)
            if (!found && strcmp(node->name, name) == 0)
                found = node;
    struct bb_node *controller = found ? controller_of(found) : NULL;
    if (!controller || bb_bind(controller) || !controller->device)
        return bb_fail(device, name, -ENOENT);
    for (struct bb_face *face = pin_controllers.first; face; face = face->next)
        if (face->device == controller->device) {
            const struct bb_pins_ops *ops = face->ops;
            int error = ops->apply(bb_container_of(face, struct bb_pins, face), found);
            return error ? bb_fail(device, name, error) : 0;
        }
    return bb_fail(device, name, -ENOENT);
}
