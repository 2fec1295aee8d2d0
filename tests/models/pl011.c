/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PL011 UART (ARM DDI 0183G), chapter 3. */
#include "pl011.h"

#include <string.h>

#include <busbar/time.h>

enum {
    DR = 0x00,
    RSR = 0x04,
    FR = 0x18,
    ILPR = 0x20,
    IBRD = 0x24,
    FBRD = 0x28,
    LCR_H = 0x2c,
    LCR_H_FEN = 1 << 4,
    LCR_H_WLEN = 3 << 5,
    CR = 0x30,
    CR_UARTEN = 1 << 0,
    CR_LBE = 1 << 7,
    CR_TXE = 1 << 8,
    CR_RXE = 1 << 9,
    IFLS = 0x34,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44,
    INT_RX = 1 << 4,
    INT_TX = 1 << 5,
    INT_RT = 1 << 6,
    INT_OE = 1 << 10,
    DR_OE = 1 << 11,
    DMACR = 0x48,
    ID = 0xfe0,
};

static const struct model_register registers[] = {
    {"DR", DR, MODEL_RW, 0xff},
    {"RSR", RSR, MODEL_RW, 0xff},
    {"FR", FR, MODEL_R},
    {"ILPR", ILPR, MODEL_RW, 0xff},
    {"IBRD", IBRD, MODEL_RW, 0xffff},
    {"FBRD", FBRD, MODEL_RW, 0x3f},
    {"LCR_H", LCR_H, MODEL_RW, 0xff},
    {"CR", CR, MODEL_RW, 0xff87},
    {"IFLS", IFLS, MODEL_RW, 0x3f},
    {"IMSC", IMSC, MODEL_RW, 0x7ff},
    {"RIS", RIS, MODEL_R},
    {"MIS", MIS, MODEL_R},
    {"ICR", ICR, MODEL_W, 0x7ff},
    {"DMACR", DMACR, MODEL_RW, 7},
    {"ID", ID, MODEL_R, 0, 8},
    {NULL},
};

static unsigned depth(const struct model_pl011 *uart)
{
    return uart->lcrh & LCR_H_FEN ? PL011_FIFO : 1;
}

static void update(struct model_pl011 *uart)
{
    wire_set(&uart->irq, (uart->ris & uart->imsc) != 0);
}

uint64_t model_pl011_baud(const struct model_pl011 *uart)
{
    uint64_t divisor = (uint64_t)uart->latched_ibrd * 64 + uart->latched_fbrd;
    return divisor ? uart->clock * 4 / divisor : 0;
}

static uint64_t character_ns(const struct model_pl011 *uart)
{
    uint64_t baud = model_pl011_baud(uart);
    return baud ? 10 * BB_SEC / baud : 0;
}

/* IFLS: eighths of the FIFO. */
static unsigned trigger(const struct model_pl011 *uart, unsigned select)
{
    static const unsigned char sixteenths[] = {2, 4, 8, 12, 14};
    return depth(uart) == 1 ? 1 : sixteenths[select];
}

static void shift_next(struct model_pl011 *uart)
{
    bool on = (uart->cr & (CR_UARTEN | CR_TXE)) == (CR_UARTEN | CR_TXE);
    if (uart->shifting || !uart->tx_count || !on || uart->stuck || !character_ns(uart))
        return;
    uart->shift = uart->tx[0];
    memmove(uart->tx, uart->tx + 1, --uart->tx_count);
    uart->shifting = true;
    world_at(&uart->sent_event, world_now() + character_ns(uart));
    /* The interrupt is for the moment at which the level passes, not for being below it. */
    if (depth(uart) == 1 || uart->tx_count == trigger(uart, uart->ifls & 7))
        uart->ris |= INT_TX;
    update(uart);
}

static void sent(void *context)
{
    struct model_pl011 *uart = context;

    uart->shifting = false;
    if (uart->output_size < sizeof uart->output)
        uart->output[uart->output_size++] = uart->shift;
    if (uart->cr & CR_LBE)
        model_pl011_input(uart, uart->shift);
    shift_next(uart);
}

static void timed_out(void *context)
{
    struct model_pl011 *uart = context;

    if (uart->rx_count)
        uart->ris |= INT_RT;
    update(uart);
}

void model_pl011_input(struct model_pl011 *uart, char c)
{
    model_pl011_broken(uart, (uint8_t)c);
}

void model_pl011_broken(struct model_pl011 *uart, uint16_t entry)
{
    if ((uart->cr & (CR_UARTEN | CR_RXE)) != (CR_UARTEN | CR_RXE)) {
        model_require(&uart->model, uart->muted, "input while the receiver is off");
        return;
    }
    if (uart->rx_count == depth(uart)) {
        uart->ris |= INT_OE;
        uart->overrun = true;
    } else {
        uart->rx[uart->rx_count++] = entry;
        if (uart->rx_count >= trigger(uart, uart->ifls >> 3 & 7))
            uart->ris |= INT_RX;
        world_at(&uart->timeout_event, world_now() + character_ns(uart) * 32 / 10);
    }
    update(uart);
}

static uint32_t pl011_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_pl011 *uart = bb_container_of(model, struct model_pl011, model);
    static const unsigned char id[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    uint32_t value;

    (void)width;
    switch (offset) {
    case DR:
        model_require(model, uart->rx_count > 0, "DR read while RXFE is set");
        value = uart->rx[0] | (uart->overrun ? DR_OE : 0);
        uart->overrun = false;
        memmove(uart->rx, uart->rx + 1, --uart->rx_count * sizeof *uart->rx);
        if (uart->rx_count < trigger(uart, uart->ifls >> 3 & 7))
            uart->ris &= ~(uint32_t)INT_RX;
        if (uart->rx_count)
            world_at(&uart->timeout_event, world_now() + character_ns(uart) * 32 / 10);
        else
            uart->ris &= ~(uint32_t)INT_RT;
        update(uart);
        return value;
    case RSR:
        return uart->errors;
    case FR:
        return (uart->shifting || uart->tx_count ? 1u << 3 : 0) |
               (uart->rx_count == 0 ? 1u << 4 : 0) | (uart->tx_count == depth(uart) ? 1u << 5 : 0) |
               (uart->rx_count == depth(uart) ? 1u << 6 : 0) | (uart->tx_count == 0 ? 1u << 7 : 0);
    case IBRD:
        return uart->ibrd;
    case FBRD:
        return uart->fbrd;
    case LCR_H:
        return uart->lcrh;
    case CR:
        return uart->cr;
    case IFLS:
        return uart->ifls;
    case IMSC:
        return uart->imsc;
    case RIS:
        return uart->ris;
    case MIS:
        return uart->ris & uart->imsc;
    case DMACR:
        return uart->dmacr;
    default:
        return offset >= ID ? id[(offset - ID) / 4] : 0;
    }
}

/* 3.3.6: the divisor 0, and 65535 with a fraction, are illegal. */
static void check_enable(struct model_pl011 *uart, uint32_t value)
{
    struct model *model = &uart->model;

    if (value & CR_UARTEN && !(uart->cr & CR_UARTEN)) {
        model_require(model, uart->latched_ibrd == uart->ibrd && uart->latched_fbrd == uart->fbrd,
                      "IBRD or FBRD was written and no LCR_H after it took them over");
        model_require(model, uart->ibrd != 0 || !uart->divisor_written, "enabled with IBRD 0");
        model_require(model, uart->ibrd != 0xffff || uart->fbrd == 0, "divisor out of range");
        model_require(model, (uart->lcrh & LCR_H_WLEN) != 0 || uart->muted,
                      "enabled with 5-bit words");
    }
}

static void pl011_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_pl011 *uart = bb_container_of(model, struct model_pl011, model);
    bool running = uart->cr & CR_UARTEN;

    (void)width;
    switch (offset) {
    case DR:
        model_require(model, uart->tx_count < depth(uart), "DR written while TXFF is set");
        uart->tx[uart->tx_count++] = (char)value;
        if (uart->tx_count > trigger(uart, uart->ifls & 7))
            uart->ris &= ~(uint32_t)INT_TX;
        shift_next(uart);
        break;
    case RSR:
        uart->errors = 0;
        break;
    case IBRD:
    case FBRD:
        model_require(model, !running && !uart->shifting, "the divisor was changed while enabled");
        *(offset == IBRD ? &uart->ibrd : &uart->fbrd) = value;
        uart->divisor_written = true;
        break;
    case LCR_H:
        model_require(model, !running && !uart->shifting, "LCR_H was changed while enabled");
        if (!(value & LCR_H_FEN) && uart->lcrh & LCR_H_FEN)
            uart->tx_count = uart->rx_count = 0;
        uart->lcrh = value;
        uart->latched_ibrd = uart->ibrd;
        uart->latched_fbrd = uart->fbrd;
        break;
    case CR:
        model_require(model,
                      !(value & CR_UARTEN) || !running ||
                          !((value ^ uart->cr) & ~(uint32_t)(CR_TXE | CR_RXE | 0xfc00)),
                      "CR's modes were changed while enabled");
        check_enable(uart, value);
        uart->cr = value;
        shift_next(uart);
        break;
    case IFLS:
        model_require(model, (value & 7) <= 4 && (value >> 3) <= 4, "IFLS = %#x is reserved",
                      value);
        uart->ifls = value;
        break;
    case IMSC:
        uart->imsc = value;
        break;
    case ICR:
        uart->ris &= ~value;
        break;
    case DMACR:
        uart->dmacr = value;
        break;
    default: /* ILPR: IrDA is not used */
        break;
    }
    update(uart);
}

void model_pl011_map(struct model_pl011 *uart, uint64_t base, uint64_t clock)
{
    uart->model = (struct model){
        .name = "pl011", .registers = registers, .read = pl011_read, .write = pl011_write};
    uart->clock = clock;
    uart->cr = CR_TXE | CR_RXE; /* the reset values of 3.2 */
    uart->ifls = 0x12;
    uart->sent_event = (struct world_event){.run = sent, .context = uart};
    uart->timeout_event = (struct world_event){.run = timed_out, .context = uart};
    model_map(&uart->model, base, 0x1000);
}
