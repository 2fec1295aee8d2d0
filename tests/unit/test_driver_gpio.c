/* SPDX-License-Identifier: BSD-2-Clause */
/* gpio/pl061 and gpio/bcm2835_gpio on their models. */
#include "harness.h"

#include <stdio.h>

#include <busbar/gpio.h>
#include <busbar/irq.h>
#include <busbar/poll.h>
#include <drivers/gpio/bcm2835_gpio.h>

#include <tests/models/boards.h>

static void test_pl061(void **state)
{
    bool level, out;

    (void)state;
    virt_prepare(NULL);
    virt.pl061.dir = 0x80; /* firmware's output, high */
    virt.pl061.data = 0x80;
    virt.pl061.ie = 0xff;
    boot(NULL);
    struct bb_gpio *gpio = face_at(gpio, VIRT_PL061);

    assert_int_equal(gpio->lines, 8);
    assert_int_equal(virt.pl061.ie, 0);
    for (uint32_t line = 0; line < 7; line++) {
        model_pl061_input(&virt.pl061, line, true);
        assert_int_equal(bb_gpio_get(gpio, line, &level), 0);
        assert_true(level);
        model_pl061_input(&virt.pl061, line, false);
        assert_int_equal(bb_gpio_get(gpio, line, &level), 0);
        assert_false(level);
        assert_int_equal(bb_gpio_output(gpio, line, true), 0);
        assert_int_equal(virt.pl061.dir, 0x80 | 1u << line);
        assert_int_equal(virt.pl061.data & virt.pl061.dir, 0x80 | 1u << line);
        assert_int_equal(bb_gpio_input(gpio, line), 0);
    }
    virt.pl061.afsel = 6;
    assert_int_equal(bb_gpio_output(gpio, 2, true), 0); /* takes a pin from its function */
    assert_int_equal(virt.pl061.afsel, 2);
    assert_int_equal(bb_gpio_input(gpio, 2), 0);
    assert_int_equal(bb_gpio_direction(gpio, 1, &out), -EBUSY);
    assert_int_equal(bb_gpio_direction(gpio, 7, &out), 0);
    assert_true(out);
    assert_int_equal(bb_gpio_pull(gpio, 0, BB_PULL_UP), -ENOTSUP);
}

static struct bb_gpio *start(void)
{
    pi_prepare(NULL);
    boot(NULL);
    return face_at(gpio, PI_GPIO);
}

static void test_bcm2835_lines(void **state)
{
    struct bb_gpio *gpio = start();

    (void)state;
    assert_int_equal(gpio->lines, 54);
    for (uint32_t line = 0; line < 54; line++) {
        bool level, out;
        if (model_bcm2835_gpio_function(&pi.gpio, line) > 1) {
            assert_int_equal(bb_gpio_direction(gpio, line, &out), -EBUSY);
            continue;
        }
        pi.gpio.outside[line / 32] |= 1u << line % 32;
        assert_int_equal(bb_gpio_get(gpio, line, &level), 0);
        assert_true(level);
        pi.gpio.outside[line / 32] &= ~(1u << line % 32);
        assert_int_equal(bb_gpio_output(gpio, line, true), 0);
        assert_int_equal(model_bcm2835_gpio_function(&pi.gpio, line), 1);
        assert_int_equal(bb_gpio_get(gpio, line, &level), 0);
        assert_true(level);
        assert_int_equal(bb_gpio_set(gpio, line, false), 0);
        assert_int_equal(bb_gpio_get(gpio, line, &level), 0);
        assert_false(level);
        assert_int_equal(bb_gpio_input(gpio, line), 0);
    }
}

static void test_bcm2835_pulls(void **state)
{
    struct bb_gpio *gpio = start();

    (void)state;
    /* What the tree's consumers asked for by pinctrl-0. */
    assert_int_equal(model_bcm2835_gpio_function(&pi.gpio, 32), 7);
    assert_int_equal(model_bcm2835_gpio_function(&pi.gpio, 33), 7);
    assert_int_equal(pi.gpio.pull[32], 0);
    assert_int_equal(pi.gpio.pull[33], 2);
    for (uint32_t line = 0; line < 54; line += 9) {
        assert_int_equal(bb_gpio_pull(gpio, line, BB_PULL_UP), 0);
        assert_int_equal(pi.gpio.pull[line], 2);
        assert_int_equal(bb_gpio_pull(gpio, line, BB_PULL_DOWN), 0);
        assert_int_equal(pi.gpio.pull[line], 1);
        assert_int_equal(bb_gpio_pull(gpio, line, BB_PULL_NONE), 0);
        assert_int_equal(pi.gpio.pull[line], 0);
        assert_int_equal(pi.gpio.pull[line + 1], line + 1 == 33 ? 2 : 3);
    }
    assert_int_equal(bb_gpio_pull(gpio, 0, (enum bb_pull)3), -EINVAL);
    assert_int_equal(pi.gpio.pud | pi.gpio.pudclk[0] | pi.gpio.pudclk[1], 0);
}

/* Configurations as a tree may give them: bytes that need not make sense. */
static void test_bcm2835_configurations(void **state)
{
    enum { ONE = 4, HALF = 6, TWO = 8, MOST = 8 };
    static const struct {
        uint8_t pins[MOST], pins_size, function[MOST], function_size, pull[MOST], pull_size;
        int result;
        unsigned after; /* pin 4's function */
    } cases[] = {
        {{0, 0, 0, 4}, ONE, {0, 0, 0, 4}, ONE, {0}, 0, 0, 4},
        {{0, 0, 0, 5, 0, 0, 0, 4}, TWO, {0, 0, 0, 4, 0, 0, 0, 7}, TWO, {0}, 0, 0, 7},
        {{0, 0, 0, 4}, ONE, {0}, 0, {0, 0, 0, 2}, ONE, 0, 0},
        {{0}, 0, {0, 0, 0, 4}, ONE, {0}, 0, -EINVAL, 0},
        {{0, 0, 0, 4}, ONE, {0}, 0, {0}, 0, -EINVAL, 0},
        {{0, 0, 0, 4, 0, 0, 0, 54}, TWO, {0, 0, 0, 4}, ONE, {0}, 0, -EINVAL, 0},
        {{0, 0, 0, 4}, ONE, {0, 0, 0, 8}, ONE, {0}, 0, -EINVAL, 0},
        {{0, 0, 0, 4}, ONE, {0, 0, 0, 4, 0, 0, 0, 4}, TWO, {0}, 0, -EINVAL, 0},
        {{0, 0, 0, 4}, ONE, {0, 0, 0, 4}, HALF, {0}, 0, -EINVAL, 0},
        {{0, 0, 0, 4}, HALF, {0, 0, 0, 4}, ONE, {0}, 0, -EINVAL, 0},
        {{0, 0, 0, 4}, ONE, {0, 0, 0, 4}, ONE, {0, 0, 0, 3}, ONE, -EINVAL, 0},
    };
    static struct bb_property properties[BB_ARRAY_SIZE(cases)][3];
    static char names[BB_ARRAY_SIZE(cases)][8];

    (void)state;
    start();
    struct bb_pins *pins = face_at(pins, PI_GPIO);
    const struct bb_pins_ops *ops = pins->face.ops;
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        struct bb_property *at = properties[i];
        struct bb_node *node;

        if (cases[i].pins_size)
            *at++ = (struct bb_property){"brcm,pins", cases[i].pins, cases[i].pins_size};
        if (cases[i].function_size)
            *at++ =
                (struct bb_property){"brcm,function", cases[i].function, cases[i].function_size};
        if (cases[i].pull_size)
            *at++ = (struct bb_property){"brcm,pull", cases[i].pull, cases[i].pull_size};
        snprintf(names[i], sizeof names[i], "case%zu", i);
        assert_int_equal(bb_node_append(pins->face.device->node, NULL, names[i], properties[i],
                                        (size_t)(at - properties[i]), &node),
                         0);
        pi.gpio.fsel[0] = 0;
        int result = ops->apply(pins, node);
        unsigned after = model_bcm2835_gpio_function(&pi.gpio, 4);
        if (result != cases[i].result || after != cases[i].after)
            fail_msg("case %zu: %d, function %u", i, result, after);
    }
}

static void test_bcm2835_remove(void **state)
{
    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_GPIO);
    const struct bb_irq_ops *ops = irq->face.ops;

    assert_int_equal(ops->enable(irq, 54, BB_TRIGGER_RISING), -EINVAL);
    assert_int_equal(ops->enable(irq, 53, BB_TRIGGER_DEFAULT), -EINVAL);
    assert_int_equal(ops->enable(irq, 53, BB_TRIGGER_RISING), 0);
    must_remove(PI_SDHOST);
    must_remove(PI_PL011); /* they have their pins from it */
    must_remove(PI_MINI_UART);
    must_remove(PI_GPIO);
    assert_int_equal(pi.gpio.event_enable[0][1], 0);
    assert_int_equal(pi.gpio.events[1], 0);
    assert_int_equal(pi.armctrl.enabled[2] & 0xfu << 17, 0);
}

static void test_bcm2835_specifiers(void **state)
{
    static const struct {
        uint32_t count, line, flags;
        int result;
    } cases[] = {
        {2, 0, 1, 0},       {2, 53, 8, 0},      {2, 54, 1, -EINVAL}, {2, 4, 0, -EINVAL},
        {2, 4, 5, -EINVAL}, {2, 4, 9, -EINVAL}, {1, 4, 1, -EINVAL},  {3, 4, 1, -EINVAL},
        {2, 4, 3, 0},       {2, 4, 4, 0},
    };

    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_GPIO);
    const struct bb_irq_ops *ops = irq->face.ops;
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        struct bb_phandle_args args = {.count = cases[i].count,
                                       .cells = {cases[i].line, cases[i].flags}};
        enum bb_trigger trigger;
        uint32_t line;
        assert_int_equal(ops->translate(irq, &args, &line, &trigger), cases[i].result);
        if (cases[i].result == 0)
            assert_true(line == cases[i].line && trigger == (enum bb_trigger)cases[i].flags);
    }
}

/* Without an interrupt controller there are still pins. */
static void test_bcm2835_alone(void **state)
{
    (void)state;
    world_start(1000000);
    model_bcm2835_gpio_map(&pi.gpio, 0x1000);
    pi.gpio.events[0] = ~0u;
    tree_begin(1, 1);
    tree_device("gpio@1000", "brcm,bcm2835-gpio");
    tree_cells("reg", 0x1000, 0xb4);
    tree_close();
    boot(NULL);
    struct bb_irq *irq = face_at(irq, "/gpio@1000");
    const struct bb_irq_ops *ops = irq->face.ops;
    assert_int_equal(pi.gpio.events[0], 0);
    assert_int_equal(ops->enable(irq, 4, BB_TRIGGER_RISING), -ENXIO);
    assert_int_equal(bb_gpio_output(face_at(gpio, "/gpio@1000"), 4, true), 0);
}

static void test_bcm2835_functions(void **state)
{
    struct bb_gpio *gpio = start();
    enum bb_bcm2835_gpio_function function;

    (void)state;
    assert_int_equal(bb_bcm2835_gpio_set_function(gpio, 53, BB_BCM2835_GPIO_ALT0), 0);
    assert_int_equal(model_bcm2835_gpio_function(&pi.gpio, 53), 4);
    assert_int_equal(bb_bcm2835_gpio_get_function(gpio, 53, &function), 0);
    assert_int_equal(function, BB_BCM2835_GPIO_ALT0);
    assert_int_equal(bb_bcm2835_gpio_set_function(gpio, 54, BB_BCM2835_GPIO_ALT0), -EINVAL);
    assert_int_equal(bb_bcm2835_gpio_set_function(gpio, 1, (enum bb_bcm2835_gpio_function)8),
                     -EINVAL);
}

static void test_bcm2835_functions_of_another(void **state)
{
    (void)state;
    virt_prepare(NULL);
    boot(NULL);
    assert_int_equal(
        bb_bcm2835_gpio_set_function(face_at(gpio, VIRT_PL061), 1, BB_BCM2835_GPIO_ALT0), -ENODEV);
}

/* Somebody behind a pin: a node of the tree that asks for its interrupt. */
static const struct bb_driver button_driver = {
    .name = "test/button",
    .wants = BB_CLASSES(&bb_class_irq),
};

static unsigned presses;

static void pressed(struct bb_interrupt *interrupt)
{
    presses++;
    if (interrupt->trigger == BB_TRIGGER_HIGH || interrupt->trigger == BB_TRIGGER_LOW)
        model_bcm2835_gpio_input(&pi.gpio, interrupt->line,
                                 interrupt->trigger == BB_TRIGGER_LOW); /* served */
}

static const struct {
    uint32_t pin;
    enum bb_trigger trigger;
    unsigned on_rise, on_fall;
} buttons[] = {
    {0, BB_TRIGGER_RISING, 1, 0}, {27, BB_TRIGGER_FALLING, 0, 1}, {28, BB_TRIGGER_BOTH, 1, 1},
    {45, BB_TRIGGER_HIGH, 1, 0},  {53, BB_TRIGGER_LOW, 0, 1},
};

static void start_button(size_t i, struct bb_device *device, struct bb_interrupt *interrupt)
{
    pi_prepare(NULL);
    tree_device("button", "test,button");
    tree_cells("interrupt-parent", PI_GPIO_PHANDLE);
    tree_cells("interrupts", buttons[i].pin, (uint32_t)buttons[i].trigger);
    tree_close();
    if (buttons[i].trigger == BB_TRIGGER_LOW)
        model_bcm2835_gpio_input(&pi.gpio, buttons[i].pin, true);
    boot(NULL);
    *device = (struct bb_device){
        .node = bb_node_find("/button"), .driver = &button_driver, .name = "button"};
    assert_int_equal(bb_interrupt_get(device, 0, pressed, interrupt), 0);
    presses = 0;
}

static void test_bcm2835_events(void **state)
{
    size_t i = (size_t)(uintptr_t)*state;
    struct bb_interrupt interrupt;
    struct bb_device device;

    start_button(i, &device, &interrupt);
    for (unsigned round = 0; round < 3; round++) {
        presses = 0;
        model_bcm2835_gpio_input(&pi.gpio, buttons[i].pin, true);
        assert_int_equal(presses, buttons[i].on_rise);
        presses = 0;
        model_bcm2835_gpio_input(&pi.gpio, buttons[i].pin, false);
        assert_int_equal(presses, buttons[i].on_fall);
    }
    bb_sleep(BB_MSEC); /* no storm */
    assert_int_equal(pi.gpio.events[0] | pi.gpio.events[1], 0);
    interrupt.resource.release(&interrupt.resource);
    for (unsigned e = 0; e < 6; e++)
        assert_int_equal(pi.gpio.event_enable[e][0] | pi.gpio.event_enable[e][1], 0);
}

static void test_bcm2835_unowned(void **state)
{
    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_GPIO);
    const struct bb_irq_ops *ops = irq->face.ops;

    assert_int_equal(ops->enable(irq, 45, BB_TRIGGER_HIGH), 0);
    model_bcm2835_gpio_input(&pi.gpio, 45, true);
    bb_sleep(BB_MSEC);
    assert_true(irq->unowned == 1);
    assert_int_equal(pi.gpio.event_enable[2][1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pl061),
        cmocka_unit_test(test_bcm2835_lines),
        cmocka_unit_test(test_bcm2835_pulls),
        cmocka_unit_test(test_bcm2835_configurations),
        cmocka_unit_test(test_bcm2835_functions),
        cmocka_unit_test(test_bcm2835_specifiers),
        cmocka_unit_test(test_bcm2835_remove),
        cmocka_unit_test(test_bcm2835_alone),
        cmocka_unit_test(test_bcm2835_functions_of_another),
        cmocka_unit_test(test_bcm2835_unowned),
        {"edge up", test_bcm2835_events, NULL, NULL, (void *)0},
        {"edge down", test_bcm2835_events, NULL, NULL, (void *)1},
        {"both edges", test_bcm2835_events, NULL, NULL, (void *)2},
        {"high level", test_bcm2835_events, NULL, NULL, (void *)3},
        {"low level", test_bcm2835_events, NULL, NULL, (void *)4},
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
