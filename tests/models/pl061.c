/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PL061 GPIO (ARM DDI 0190B), chapter 3. */
#include "pl061.h"

enum {
    DATA = 0x000,
    DIR = 0x400,
    IS = 0x404,
    IBE = 0x408,
    IEV = 0x40c,
    IE = 0x410,
    RIS = 0x414,
    MIS = 0x418,
    IC = 0x41c,
    AFSEL = 0x420,
    ID = 0xfe0,
};

static const struct model_register registers[] = {
    {"DATA", DATA, MODEL_RW, 0xff, 256},
    {"DIR", DIR, MODEL_RW, 0xff},
    {"IS", IS, MODEL_RW, 0xff},
    {"IBE", IBE, MODEL_RW, 0xff},
    {"IEV", IEV, MODEL_RW, 0xff},
    {"IE", IE, MODEL_RW, 0xff},
    {"RIS", RIS, MODEL_R},
    {"MIS", MIS, MODEL_R},
    {"IC", IC, MODEL_W, 0xff},
    {"AFSEL", AFSEL, MODEL_RW, 0xff},
    {"ID", ID, MODEL_R, 0, 8},
    {NULL},
};

static uint8_t pins(const struct model_pl061 *gpio)
{
    return (uint8_t)((gpio->data & gpio->dir) | (gpio->outside & ~gpio->dir));
}

static void update(struct model_pl061 *gpio)
{
    uint8_t level = gpio->is;
    uint8_t active = (uint8_t) ~(pins(gpio) ^ gpio->iev); /* the level that IEV asks for */

    gpio->ris = (uint8_t)((gpio->ris & ~level) | (active & level));
    wire_set(&gpio->irq, (gpio->ris & gpio->ie) != 0);
}

static void edges(struct model_pl061 *gpio, uint8_t before)
{
    uint8_t now = pins(gpio);
    uint8_t changed = before ^ now;
    uint8_t wanted = (uint8_t)(gpio->ibe | ~(now ^ gpio->iev));

    gpio->ris |= (uint8_t)(changed & wanted & ~gpio->is);
    update(gpio);
}

void model_pl061_input(struct model_pl061 *gpio, unsigned line, bool level)
{
    uint8_t before = pins(gpio);

    gpio->outside = (uint8_t)((gpio->outside & ~(1u << line)) | (unsigned)level << line);
    edges(gpio, before);
}

static uint32_t pl061_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_pl061 *gpio = bb_container_of(model, struct model_pl061, model);
    static const unsigned char id[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    (void)width;
    if (offset < DIR) {
        model_require(model, offset != 0, "DATA read through an empty mask");
        return pins(gpio) & offset >> 2;
    }
    switch (offset) {
    case DIR:
        return gpio->dir;
    case IS:
        return gpio->is;
    case IBE:
        return gpio->ibe;
    case IEV:
        return gpio->iev;
    case IE:
        return gpio->ie;
    case RIS:
        return gpio->ris;
    case MIS:
        return gpio->ris & gpio->ie;
    case AFSEL:
        return gpio->afsel;
    default:
        return id[(offset - ID) / 4];
    }
}

static void pl061_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_pl061 *gpio = bb_container_of(model, struct model_pl061, model);
    uint8_t before = pins(gpio);
    uint8_t byte = (uint8_t)value;

    (void)width;
    if (offset < DIR) {
        /* Only pins that are outputs already take a value. */
        uint8_t mask = (uint8_t)(offset >> 2 & gpio->dir);
        model_require(model, offset != 0, "DATA written through an empty mask");
        gpio->data = (uint8_t)((gpio->data & ~mask) | (byte & mask));
        edges(gpio, before);
        return;
    }
    switch (offset) {
    case DIR:
        gpio->dir = byte;
        edges(gpio, before);
        return;
    case IS:
    case IBE:
    case IEV: {
        uint8_t *reg = offset == IS ? &gpio->is : offset == IBE ? &gpio->ibe : &gpio->iev;
        /* 2.2: a changed trigger may raise a false interrupt, so it must be masked. */
        model_require(model, !((*reg ^ byte) & gpio->ie), "a trigger was changed while enabled");
        *reg = byte;
        break;
    }
    case IE:
        gpio->ie = byte;
        break;
    case IC:
        gpio->ris &= (uint8_t)~byte;
        break;
    default: /* AFSEL */
        gpio->afsel = byte;
        break;
    }
    update(gpio);
}

void model_pl061_map(struct model_pl061 *gpio, uint64_t base)
{
    gpio->model = (struct model){
        .name = "pl061", .registers = registers, .read = pl061_read, .write = pl061_write};
    model_map(&gpio->model, base, 0x1000);
}
