/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PrimeCell GPIO PL061: eight lines (ARM DDI 0190B). */
#include <busbar/gpio.h>
#include <busbar/mmio.h>

enum {
    GPIODATA = 0x000, /* bits 9:2 of the address choose the lines that an access sees */
    GPIODIR = 0x400,
    GPIOIE = 0x410,
    GPIOAFSEL = 0x420,
    LINES = 8,
};

struct pl061 {
    struct bb_device device;
    struct bb_gpio gpio;
    struct bb_regs regs;
};

static struct pl061 *pl061_of(struct bb_gpio *gpio)
{
    return bb_container_of(gpio, struct pl061, gpio);
}

static void change(struct pl061 *pl061, size_t offset, uint32_t line, bool on)
{
    uint32_t value = bb_read32(&pl061->regs, offset) & 0xff;
    bb_write32(&pl061->regs, offset, on ? value | 1u << line : value & ~(1u << line));
}

static int pl061_get(struct bb_gpio *gpio, uint32_t line, bool *level)
{
    *level = bb_read32(&pl061_of(gpio)->regs, GPIODATA + (4u << line)) & 1u << line;
    return 0;
}

static int pl061_set(struct bb_gpio *gpio, uint32_t line, bool level)
{
    bb_write32(&pl061_of(gpio)->regs, GPIODATA + (4u << line), level ? 1u << line : 0);
    return 0;
}

static int pl061_input(struct bb_gpio *gpio, uint32_t line)
{
    change(pl061_of(gpio), GPIODIR, line, false);
    change(pl061_of(gpio), GPIOAFSEL, line, false);
    return 0;
}

static int pl061_output(struct bb_gpio *gpio, uint32_t line, bool level)
{
    /* Some versions keep what is written to an input, some only what is written to an output. */
    pl061_set(gpio, line, level);
    change(pl061_of(gpio), GPIODIR, line, true);
    pl061_set(gpio, line, level);
    change(pl061_of(gpio), GPIOAFSEL, line, false);
    return 0;
}

static int pl061_direction(struct bb_gpio *gpio, uint32_t line, bool *out)
{
    if (bb_read32(&pl061_of(gpio)->regs, GPIOAFSEL) & 1u << line)
        return -EBUSY;
    *out = bb_read32(&pl061_of(gpio)->regs, GPIODIR) & 1u << line;
    return 0;
}

static int pl061_probe(struct bb_device *device)
{
    struct pl061 *pl061 = bb_container_of(device, struct pl061, device);
    int error = bb_regs_get(device, 0, 0x424, &pl061->regs);
    if (error)
        return error;
    bb_write32(&pl061->regs, GPIOIE, 0);
    pl061->gpio.lines = LINES;
    return 0;
}

const struct bb_gpio_ops bb_ops_gpio_pl061 = {
    .get = pl061_get,
    .set = pl061_set,
    .input = pl061_input,
    .output = pl061_output,
    .direction = pl061_direction,
};

BB_DRIVER(gpio, pl061, .bus = &bb_mmio_bus, .match = BB_MATCH({"arm,pl061"}), .probe = pl061_probe);
