/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 armctrl (BCM2835 ARM Peripherals, chapter 7.5). */
#include "bcm2836.h"

enum {
    BASIC_PENDING = 0x00,
    PENDING = 0x04,
    FIQ_CONTROL = 0x0c,
    ENABLE = 0x10,
    DISABLE = 0x1c,
};

static const struct model_register registers[] = {
    {"BASIC_PENDING", BASIC_PENDING, MODEL_R},      {"PENDING", PENDING, MODEL_R, 0, 2},
    {"FIQ_CONTROL", FIQ_CONTROL, MODEL_RW, 0xff},   {"ENABLE", ENABLE, MODEL_RW, ~0u, 2},
    {"ENABLE_BASIC", ENABLE + 8, MODEL_RW, 0xff},   {"DISABLE", DISABLE, MODEL_RW, ~0u, 2},
    {"DISABLE_BASIC", DISABLE + 8, MODEL_RW, 0xff}, {NULL},
};

/* Bits 10 to 20 of the basic register are these lines of banks 1 and 2, which then do not count for
 * its bits 8 and 9. */
static const unsigned char shortcut[] = {7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62};

static uint32_t pending(const struct model_armctrl *armctrl, unsigned bank)
{
    return armctrl->level[bank] & armctrl->enabled[bank];
}

static uint32_t basic_pending(const struct model_armctrl *armctrl)
{
    uint32_t rest[2] = {pending(armctrl, 1), pending(armctrl, 2)};
    uint32_t value = pending(armctrl, 0);

    for (unsigned i = 0; i < BB_ARRAY_SIZE(shortcut); i++) {
        uint32_t *word = &rest[shortcut[i] / 32];
        uint32_t bit = 1u << shortcut[i] % 32;
        if (*word & bit)
            value |= 1u << (10 + i);
        *word &= ~bit;
    }
    return value | (rest[0] ? 1u << 8 : 0) | (rest[1] ? 1u << 9 : 0);
}

static void update(struct model_armctrl *armctrl)
{
    wire_set(&armctrl->irq, basic_pending(armctrl) != 0);
}

static void set_line(void *context, unsigned number, bool level)
{
    struct model_armctrl *armctrl = context;
    uint32_t *word = &armctrl->level[number / 32];

    *word = (*word & ~(1u << number % 32)) | (uint32_t)level << number % 32;
    update(armctrl);
}

struct wire model_armctrl_wire(struct model_armctrl *armctrl, unsigned bank, unsigned line)
{
    return (struct wire){.set = set_line, .context = armctrl, .number = bank * 32 + line};
}

/* The enable and disable registers stand in the order 1, 2, basic. */
static unsigned bank_of(uint32_t offset, uint32_t first)
{
    return ((offset - first) / 4 + 1) % 3;
}

static uint32_t armctrl_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_armctrl *armctrl = bb_container_of(model, struct model_armctrl, model);

    (void)width;
    if (offset == BASIC_PENDING)
        return basic_pending(armctrl);
    if (offset < FIQ_CONTROL)
        return pending(armctrl, 1 + (offset - PENDING) / 4);
    if (offset == FIQ_CONTROL)
        return armctrl->fiq;
    return armctrl->enabled[bank_of(offset, offset < DISABLE ? ENABLE : DISABLE)];
}

static void armctrl_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_armctrl *armctrl = bb_container_of(model, struct model_armctrl, model);

    (void)width;
    if (offset == FIQ_CONTROL)
        armctrl->fiq = value;
    else if (offset < DISABLE)
        armctrl->enabled[bank_of(offset, ENABLE)] |= value;
    else
        armctrl->enabled[bank_of(offset, DISABLE)] &= ~value;
    update(armctrl);
}

void model_armctrl_map(struct model_armctrl *armctrl, uint64_t base)
{
    armctrl->model = (struct model){
        .name = "armctrl", .registers = registers, .read = armctrl_read, .write = armctrl_write};
    model_map(&armctrl->model, base, 0x200);
}
