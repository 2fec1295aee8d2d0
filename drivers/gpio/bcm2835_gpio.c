/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 GPIO (BCM2835 ARM Peripherals, chapter 6): 54 pins with levels, functions, pulls and
 * event interrupts. Configuration nodes as in the binding brcm,bcm2835-gpio.
 */
#include <drivers/gpio/bcm2835_gpio.h>

#include <busbar/irq.h>
#include <busbar/log.h>
#include <busbar/mmio.h>
#include <busbar/time.h>

enum {
    GPFSEL0 = 0x00, /* 10 pins a register, 3 bits each; all below: 32 pins a register */
    GPSET0 = 0x1c,
    GPCLR0 = 0x28,
    GPLEV0 = 0x34,
    GPEDS0 = 0x40, /* events, write 1 to clear */
    GPREN0 = 0x4c, /* rising, falling, high, low */
    GPFEN0 = 0x58,
    GPHEN0 = 0x64,
    GPLEN0 = 0x70,
    GPPUD = 0x94,
    GPPUDCLK0 = 0x98,
    SIZE = 0xa0,

    LINES = 54,
    BANKS = 2,
    PARENTS = 3, /* an interrupt each for pins 0-27, 28-45, 46-53; a fourth repeats them all */
    FUNCTIONS = 8,
    PULLS = 3,
};
#define PULL_SETUP (5 * BB_USEC) /* 150 cycles of the core clock, at its slowest */

struct bcm2835_gpio {
    struct bb_device device;
    struct bb_gpio gpio;
    struct bb_pins pins;
    struct bb_irq irq;
    struct bb_regs regs;
    struct bb_interrupt parents[PARENTS];
    unsigned parent_count;
    uint32_t enabled[BANKS]; /* lines with an interrupt */
    uint32_t levels[BANKS];  /* of these, the level-triggered ones */
};

static size_t bank(uint32_t line)
{
    return line / 32 * 4;
}

static uint32_t bit(uint32_t line)
{
    return 1u << line % 32;
}

static uint32_t function(const struct bb_regs *regs, uint32_t line)
{
    return bb_read32(regs, GPFSEL0 + line / 10 * 4) >> line % 10 * 3 & 7;
}

static void set_function(const struct bb_regs *regs, uint32_t line, uint32_t value)
{
    size_t offset = GPFSEL0 + line / 10 * 4;
    unsigned shift = line % 10 * 3;

    bb_write32(regs, offset, (bb_read32(regs, offset) & ~(7u << shift)) | value << shift);
}

static int bcm2835_gpio_get(struct bb_gpio *gpio, uint32_t line, bool *level)
{
    struct bcm2835_gpio *state = bb_container_of(gpio, struct bcm2835_gpio, gpio);

    *level = bb_read32(&state->regs, GPLEV0 + bank(line)) & bit(line);
    return 0;
}

static int bcm2835_gpio_set(struct bb_gpio *gpio, uint32_t line, bool level)
{
    struct bcm2835_gpio *state = bb_container_of(gpio, struct bcm2835_gpio, gpio);

    bb_write32(&state->regs, (level ? GPSET0 : GPCLR0) + bank(line), bit(line));
    return 0;
}

static int bcm2835_gpio_input(struct bb_gpio *gpio, uint32_t line)
{
    set_function(&bb_container_of(gpio, struct bcm2835_gpio, gpio)->regs, line,
                 BB_BCM2835_GPIO_INPUT);
    return 0;
}

static int bcm2835_gpio_output(struct bb_gpio *gpio, uint32_t line, bool level)
{
    bcm2835_gpio_set(gpio, line, level); /* the level first, so that the pin starts with it */
    set_function(&bb_container_of(gpio, struct bcm2835_gpio, gpio)->regs, line,
                 BB_BCM2835_GPIO_OUTPUT);
    return 0;
}

static int bcm2835_gpio_direction(struct bb_gpio *gpio, uint32_t line, bool *out)
{
    uint32_t now = function(&bb_container_of(gpio, struct bcm2835_gpio, gpio)->regs, line);

    if (now > BB_BCM2835_GPIO_OUTPUT)
        return -EBUSY;
    *out = now == BB_BCM2835_GPIO_OUTPUT;
    return 0;
}

static int bcm2835_gpio_pull(struct bb_gpio *gpio, uint32_t line, enum bb_pull pull)
{
    struct bcm2835_gpio *state = bb_container_of(gpio, struct bcm2835_gpio, gpio);

    if (pull > BB_PULL_UP)
        return -EINVAL;
    /* The sequence of section 6.1, GPPUDCLKn; the values of GPPUD are those of enum bb_pull. */
    bb_write32(&state->regs, GPPUD, pull);
    bb_delay(PULL_SETUP);
    bb_write32(&state->regs, GPPUDCLK0 + bank(line), bit(line));
    bb_delay(PULL_SETUP);
    bb_write32(&state->regs, GPPUD, 0);
    bb_write32(&state->regs, GPPUDCLK0 + bank(line), 0);
    return 0;
}

/* ---- Internal API ---- */

static struct bcm2835_gpio *own(struct bb_gpio *gpio)
{
    extern const struct bb_gpio_ops bb_ops_gpio_bcm2835_gpio;

    return gpio->face.ops == &bb_ops_gpio_bcm2835_gpio
               ? bb_container_of(gpio, struct bcm2835_gpio, gpio)
               : NULL;
}

int bb_bcm2835_gpio_set_function(struct bb_gpio *gpio, uint32_t line,
                                 enum bb_bcm2835_gpio_function value)
{
    struct bcm2835_gpio *state = own(gpio);

    if (!state)
        return -ENODEV;
    if (line >= LINES || value > BB_BCM2835_GPIO_ALT3)
        return -EINVAL;
    set_function(&state->regs, line, value);
    return 0;
}

int bb_bcm2835_gpio_get_function(struct bb_gpio *gpio, uint32_t line,
                                 enum bb_bcm2835_gpio_function *value)
{
    struct bcm2835_gpio *state = own(gpio);

    if (!state)
        return -ENODEV;
    if (line >= LINES)
        return -EINVAL;
    *value = (enum bb_bcm2835_gpio_function)function(&state->regs, line);
    return 0;
}

/* ---- Pin control ---- */

/* brcm,function and brcm,pull hold one value for all pins or one for each. 0 when absent. */
static int values(const struct bb_node *node, const char *name, size_t pins, uint32_t end,
                  size_t *count)
{
    const struct bb_property *property = bb_node_property(node, name);
    uint32_t value;

    *count = property ? property->length / 4 : 0;
    if (!property)
        return 0;
    if (property->length % 4 || (*count != 1 && *count != pins))
        return -EINVAL;
    for (size_t i = 0; i < *count; i++)
        if (bb_node_u32_at(node, name, i, &value) || value >= end)
            return -EINVAL;
    return 0;
}

static int bcm2835_gpio_apply(struct bb_pins *pins, const struct bb_node *configuration)
{
    struct bcm2835_gpio *state = bb_container_of(pins, struct bcm2835_gpio, pins);
    const struct bb_property *list = bb_node_property(configuration, "brcm,pins");
    size_t count = list ? list->length / 4 : 0;
    size_t functions, pulls;
    uint32_t pin, value;

    if (count == 0 || count > LINES || list->length % 4)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (bb_node_u32_at(configuration, "brcm,pins", i, &pin) || pin >= LINES)
            return -EINVAL;
    if (values(configuration, "brcm,function", count, FUNCTIONS, &functions) ||
        values(configuration, "brcm,pull", count, PULLS, &pulls) || functions + pulls == 0)
        return -EINVAL;

    for (size_t i = 0; i < count; i++) {
        bb_node_u32_at(configuration, "brcm,pins", i, &pin);
        if (pulls) {
            bb_node_u32_at(configuration, "brcm,pull", pulls == 1 ? 0 : i, &value);
            bcm2835_gpio_pull(&state->gpio, pin, (enum bb_pull)value);
        }
        if (functions) {
            bb_node_u32_at(configuration, "brcm,function", functions == 1 ? 0 : i, &value);
            set_function(&state->regs, pin, value);
        }
    }
    return 0;
}

/* ---- Interrupts ---- */

static void change(const struct bb_regs *regs, size_t offset, uint32_t line, bool on)
{
    uint32_t value = bb_read32(regs, offset + bank(line));

    bb_write32(regs, offset + bank(line), on ? value | bit(line) : value & ~bit(line));
}

static int bcm2835_gpio_translate(struct bb_irq *irq, const struct bb_phandle_args *args,
                                  uint32_t *line, enum bb_trigger *trigger)
{
    (void)irq;
    if (args->count != 2 || args->cells[0] >= LINES)
        return -EINVAL;
    uint32_t flags = args->cells[1];
    if (flags == 0 || (flags > BB_TRIGGER_HIGH && flags != BB_TRIGGER_LOW))
        return -EINVAL;
    *line = args->cells[0];
    *trigger = (enum bb_trigger)flags;
    return 0;
}

static void bcm2835_gpio_disable(struct bb_irq *irq, uint32_t line)
{
    struct bcm2835_gpio *state = bb_container_of(irq, struct bcm2835_gpio, irq);

    if (line >= LINES)
        return;
    state->enabled[line / 32] &= ~bit(line);
    state->levels[line / 32] &= ~bit(line);
    change(&state->regs, GPREN0, line, false);
    change(&state->regs, GPFEN0, line, false);
    change(&state->regs, GPHEN0, line, false);
    change(&state->regs, GPLEN0, line, false);
    bb_write32(&state->regs, GPEDS0 + bank(line), bit(line));
}

static int bcm2835_gpio_enable(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger)
{
    struct bcm2835_gpio *state = bb_container_of(irq, struct bcm2835_gpio, irq);

    if (line >= LINES || trigger == BB_TRIGGER_DEFAULT)
        return -EINVAL;
    if (state->parent_count == 0)
        return -ENXIO;
    bcm2835_gpio_disable(irq, line);
    state->enabled[line / 32] |= bit(line);
    if (trigger & (BB_TRIGGER_HIGH | BB_TRIGGER_LOW))
        state->levels[line / 32] |= bit(line);
    change(&state->regs, GPREN0, line, trigger & BB_TRIGGER_RISING);
    change(&state->regs, GPFEN0, line, trigger & BB_TRIGGER_FALLING);
    change(&state->regs, GPHEN0, line, trigger & BB_TRIGGER_HIGH);
    change(&state->regs, GPLEN0, line, trigger & BB_TRIGGER_LOW);
    return 0;
}

static void bcm2835_gpio_dispatch(struct bb_irq *irq)
{
    struct bcm2835_gpio *state = bb_container_of(irq, struct bcm2835_gpio, irq);

    for (uint32_t i = 0; i < BANKS; i++) {
        uint32_t pending = bb_read32(&state->regs, GPEDS0 + 4 * i) & state->enabled[i];
        uint32_t levels = pending & state->levels[i];

        /* An edge is cleared before its handler runs, so that the next one is not lost; a level
         * after, because the bit comes back for as long as the level stands. */
        if (pending & ~levels)
            bb_write32(&state->regs, GPEDS0 + 4 * i, pending & ~levels);
        for (uint32_t left = pending; left; left &= left - 1)
            bb_irq_deliver(irq, 32 * i + (uint32_t)__builtin_ctz(left));
        if (levels)
            bb_write32(&state->regs, GPEDS0 + 4 * i, levels);
    }
}

static void bcm2835_gpio_interrupt(struct bb_interrupt *interrupt)
{
    struct bcm2835_gpio *state = (struct bcm2835_gpio *)interrupt->device;

    bcm2835_gpio_dispatch(&state->irq);
}

static void bcm2835_gpio_quiet(struct bcm2835_gpio *state)
{
    static const uint8_t detectors[] = {GPREN0, GPFEN0, GPHEN0, GPLEN0};

    for (size_t i = 0; i < BANKS; i++) {
        for (size_t d = 0; d < BB_ARRAY_SIZE(detectors); d++)
            bb_write32(&state->regs, detectors[d] + 4 * i, 0);
        bb_write32(&state->regs, GPEDS0 + 4 * i, i == 0 ? UINT32_MAX : bit(LINES) - 1);
    }
}

static int bcm2835_gpio_probe(struct bb_device *device)
{
    struct bcm2835_gpio *state = bb_container_of(device, struct bcm2835_gpio, device);
    int error = bb_regs_get(device, 0, SIZE, &state->regs);

    if (error)
        return error;
    state->gpio.lines = LINES;
    bcm2835_gpio_quiet(state);
    /* Pins work without interrupts: a board whose controller has no driver still gets its UART. */
    while (state->parent_count < PARENTS &&
           bb_interrupt_get(device, state->parent_count, bcm2835_gpio_interrupt,
                            &state->parents[state->parent_count]) == 0)
        state->parent_count++;
    return 0;
}

static void bcm2835_gpio_remove(struct bb_device *device)
{
    bcm2835_gpio_quiet(bb_container_of(device, struct bcm2835_gpio, device));
}

const struct bb_gpio_ops bb_ops_gpio_bcm2835_gpio = {
    .get = bcm2835_gpio_get,
    .set = bcm2835_gpio_set,
    .input = bcm2835_gpio_input,
    .output = bcm2835_gpio_output,
    .direction = bcm2835_gpio_direction,
    .pull = bcm2835_gpio_pull,
};
const struct bb_pins_ops bb_ops_pins_bcm2835_gpio = {
    .apply = bcm2835_gpio_apply,
};
const struct bb_irq_ops bb_ops_irq_bcm2835_gpio = {
    .translate = bcm2835_gpio_translate,
    .enable = bcm2835_gpio_enable,
    .disable = bcm2835_gpio_disable,
    .dispatch = bcm2835_gpio_dispatch,
};

BB_DRIVER(gpio, bcm2835_gpio, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-gpio"}),
          .faces = BB_FACES(bcm2835_gpio, gpio, pins, irq), .wants = BB_CLASSES(&bb_class_irq),
          .probe = bcm2835_gpio_probe, .remove = bcm2835_gpio_remove);
