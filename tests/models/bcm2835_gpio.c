/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 GPIO (BCM2835 ARM Peripherals, chapter 6). */
#include "bcm2835.h"

#include <string.h>

enum {
    GPFSEL = 0x00,
    GPSET = 0x1c,
    GPCLR = 0x28,
    GPLEV = 0x34,
    GPEDS = 0x40,
    GPREN = 0x4c,
    GPPUD = 0x94,
    GPPUDCLK = 0x98,
};

#define PINS 54
#define HIGH_BITS 0x003fffff /* pins 32 to 53 */
#define PUD_NS 600           /* 150 cycles of the 250 MHz core clock */

#define BANKS(name, offset, access)                                                                \
    {name "0", offset, access, ~0u},                                                               \
    {                                                                                              \
        name "1", offset + 4, access, HIGH_BITS                                                    \
    }

static const struct model_register registers[] = {
    {"GPFSEL", GPFSEL, MODEL_RW, 0x3fffffff, 5},
    {"GPFSEL5", 0x14, MODEL_RW, 0xfff},
    BANKS("GPSET", GPSET, MODEL_W),
    BANKS("GPCLR", GPCLR, MODEL_W),
    BANKS("GPLEV", GPLEV, MODEL_R),
    BANKS("GPEDS", GPEDS, MODEL_RW),
    BANKS("GPREN", 0x4c, MODEL_RW),
    BANKS("GPFEN", 0x58, MODEL_RW),
    BANKS("GPHEN", 0x64, MODEL_RW),
    BANKS("GPLEN", 0x70, MODEL_RW),
    BANKS("GPAREN", 0x7c, MODEL_RW),
    BANKS("GPAFEN", 0x88, MODEL_RW),
    {"GPPUD", GPPUD, MODEL_RW, 3},
    BANKS("GPPUDCLK", GPPUDCLK, MODEL_RW),
    {NULL},
};

unsigned model_bcm2835_gpio_function(const struct model_bcm2835_gpio *gpio, unsigned pin)
{
    return gpio->fsel[pin / 10] >> pin % 10 * 3 & 7;
}

static uint32_t levels(const struct model_bcm2835_gpio *gpio, unsigned bank)
{
    uint32_t value = gpio->outside[bank];

    for (unsigned i = 0; i < 32 && bank * 32 + i < PINS; i++) {
        if (model_bcm2835_gpio_function(gpio, bank * 32 + i) == 1)
            value = (value & ~(1u << i)) | (gpio->latch[bank] & 1u << i);
    }
    return value;
}

enum { RISING, FALLING, HIGH, LOW, ASYNC_RISING, ASYNC_FALLING };

/* Edges are latched when they come; a level latches again for as long as it stands. */
static void update(struct model_bcm2835_gpio *gpio)
{
    static const unsigned char first[] = {0, 28, 46, PINS};
    bool pending[3] = {false};

    for (unsigned bank = 0; bank < 2; bank++) {
        uint32_t level = levels(gpio, bank);
        gpio->events[bank] |= level & gpio->event_enable[HIGH][bank];
        gpio->events[bank] |= ~level & gpio->event_enable[LOW][bank];
    }
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned pin = first[i]; pin < first[i + 1]; pin++)
            pending[i] |= gpio->events[pin / 32] >> pin % 32 & 1;
        wire_set(&gpio->irq[i], pending[i]);
    }
}

void model_bcm2835_gpio_input(struct model_bcm2835_gpio *gpio, unsigned pin, bool level)
{
    unsigned bank = pin / 32;
    uint32_t bit = 1u << pin % 32;

    if (level != !!(gpio->outside[bank] & bit)) {
        uint32_t(*enable)[2] = gpio->event_enable;
        gpio->outside[bank] ^= bit;
        gpio->events[bank] |= bit & (level ? enable[RISING][bank] | enable[ASYNC_RISING][bank]
                                           : enable[FALLING][bank] | enable[ASYNC_FALLING][bank]);
    }
    update(gpio);
}

static uint32_t gpio_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_bcm2835_gpio *gpio = bb_container_of(model, struct model_bcm2835_gpio, model);

    (void)width;
    if (offset < GPSET)
        return gpio->fsel[offset / 4];
    if (offset < GPEDS)
        return levels(gpio, (offset - GPLEV) / 4);
    if (offset < GPREN)
        return gpio->events[(offset - GPEDS) / 4];
    if (offset < GPPUD)
        return gpio->event_enable[(offset - GPREN) / 12][(offset - GPREN) % 12 / 4];
    return offset == GPPUD ? gpio->pud : gpio->pudclk[(offset - GPPUDCLK) / 4];
}

/* 6.1: write GPPUD, wait 150 cycles, clock the pins, wait 150 cycles, take both away. */
static void write_clock(struct model_bcm2835_gpio *gpio, unsigned bank, uint32_t value)
{
    struct model *model = &gpio->model;
    bool waited = world_now() - gpio->pud_time >= PUD_NS;

    if (value == gpio->pudclk[bank])
        return;
    model_require(model, waited, "GPPUDCLK changed less than 150 cycles after the last step");
    for (unsigned i = 0; i < 32 && bank * 32 + i < PINS; i++) {
        if (gpio->pudclk[bank] & ~value & 1u << i)
            gpio->pull[bank * 32 + i] = (uint8_t)gpio->pud;
    }
    gpio->pudclk[bank] = value;
    gpio->pud_time = value ? world_now() : gpio->pud_time;
}

static void gpio_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_bcm2835_gpio *gpio = bb_container_of(model, struct model_bcm2835_gpio, model);

    (void)width;
    if (offset < GPSET) {
        gpio->fsel[offset / 4] = value;
    } else if (offset < GPCLR) {
        gpio->latch[(offset - GPSET) / 4] |= value;
    } else if (offset < GPLEV) {
        gpio->latch[(offset - GPCLR) / 4] &= ~value;
    } else if (offset < GPREN) {
        gpio->events[(offset - GPEDS) / 4] &= ~value;
        update(gpio);
    } else if (offset < GPPUD) {
        gpio->event_enable[(offset - GPREN) / 12][(offset - GPREN) % 12 / 4] = value;
        update(gpio);
    } else if (offset == GPPUD) {
        model_require(model, value != 3, "GPPUD = 3 is reserved");
        /* Taking the value away while clocked is the datasheet's own order, after its wait. */
        model_require(
            model, !(gpio->pudclk[0] | gpio->pudclk[1]) || world_now() - gpio->pud_time >= PUD_NS,
            "GPPUD changed less than 150 cycles after GPPUDCLK");
        if (gpio->pudclk[0] | gpio->pudclk[1]) {
            model_require(model, value == 0, "GPPUD changed while pins are clocked");
            return; /* what the pins took over stays */
        }
        gpio->pud = value;
        gpio->pud_time = world_now();
    } else {
        write_clock(gpio, (offset - GPPUDCLK) / 4, value);
    }
}

void model_bcm2835_gpio_map(struct model_bcm2835_gpio *gpio, uint64_t base)
{
    gpio->model = (struct model){
        .name = "bcm2835 gpio", .registers = registers, .read = gpio_read, .write = gpio_write};
    memset(gpio->pull, 3, sizeof gpio->pull);
    model_map(&gpio->model, base, 0xb4);
}
