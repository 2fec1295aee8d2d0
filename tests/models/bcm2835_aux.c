/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 AUX and mini UART (BCM2835 ARM Peripherals, chapter 2, with the errata for IER and LCR).
 */
#include "bcm2835.h"

#include <string.h>

#include <busbar/time.h>

enum {
    AUX_IRQ = 0x00,
    AUX_ENABLES = 0x04,
    IO = 0x00,
    IER = 0x04,
    IER_RX = 1 << 0,
    IER_TX = 1 << 1,
    IIR = 0x08,
    LCR = 0x0c,
    LCR_8BIT = 3,
    MCR = 0x10,
    LSR = 0x14,
    MSR = 0x18,
    SCRATCH = 0x1c,
    CNTL = 0x20,
    CNTL_RX = 1 << 0,
    CNTL_TX = 1 << 1,
    STAT = 0x24,
    BAUD = 0x28,
};

static const struct model_register aux_registers[] = {
    {"AUX_IRQ", AUX_IRQ, MODEL_R}, {"AUX_ENABLES", AUX_ENABLES, MODEL_RW, 7}, {NULL}};

static const struct model_register uart_registers[] = {
    {"IO", IO, MODEL_RW, 0xff},
    {"IER", IER, MODEL_RW, 0xf},
    {"IIR", IIR, MODEL_RW, 0x6},
    {"LCR", LCR, MODEL_RW, 0x43},
    {"MCR", MCR, MODEL_RW, 2},
    {"LSR", LSR, MODEL_R},
    {"MSR", MSR, MODEL_R},
    {"SCRATCH", SCRATCH, MODEL_RW, 0xff},
    {"CNTL", CNTL, MODEL_RW, 0xff},
    {"STAT", STAT, MODEL_R},
    {"BAUD", BAUD, MODEL_RW, 0xffff},
    {NULL},
};

static bool rx_pending(const struct model_bcm2835_aux *aux)
{
    return aux->ier & IER_RX && aux->rx_count;
}

static bool tx_pending(const struct model_bcm2835_aux *aux)
{
    return aux->ier & IER_TX && aux->tx_count == 0;
}

static void update(struct model_bcm2835_aux *aux)
{
    wire_set(&aux->irq, rx_pending(aux) || tx_pending(aux));
}

uint64_t model_bcm2835_aux_baud(const struct model_bcm2835_aux *aux)
{
    return aux->clock / (8 * ((uint64_t)aux->baud + 1));
}

static void shift_next(struct model_bcm2835_aux *aux)
{
    if (aux->shifting || !aux->tx_count || !(aux->cntl & CNTL_TX) || aux->stuck)
        return;
    aux->shift = aux->tx[0];
    memmove(aux->tx, aux->tx + 1, --aux->tx_count);
    aux->shifting = true;
    world_at(&aux->sent_event, world_now() + 10 * BB_SEC / (model_bcm2835_aux_baud(aux) + 1));
    update(aux);
}

static void sent(void *context)
{
    struct model_bcm2835_aux *aux = context;

    aux->shifting = false;
    model_require(&aux->uart, (aux->lcr & LCR_8BIT) == LCR_8BIT || aux->output_size == 0,
                  "7-bit output; 8 bits need both low bits of LCR");
    if (aux->output_size < sizeof aux->output)
        aux->output[aux->output_size++] = aux->shift;
    shift_next(aux);
}

void model_bcm2835_aux_input(struct model_bcm2835_aux *aux, char c)
{
    model_require(&aux->uart, aux->enables & 1 && aux->cntl & CNTL_RX,
                  "input while the receiver is off");
    if (aux->rx_count == AUX_FIFO)
        aux->overrun = true;
    else
        aux->rx[aux->rx_count++] = c;
    update(aux);
}

static uint32_t aux_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_bcm2835_aux *aux = bb_container_of(model, struct model_bcm2835_aux, aux);

    (void)width;
    if (offset == AUX_ENABLES)
        return aux->enables;
    return rx_pending(aux) || tx_pending(aux);
}

static void aux_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_bcm2835_aux *aux = bb_container_of(model, struct model_bcm2835_aux, aux);

    (void)offset;
    (void)width;
    aux->enables = value;
}

static uint32_t uart_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_bcm2835_aux *aux = bb_container_of(model, struct model_bcm2835_aux, uart);
    uint32_t value;

    (void)width;
    /* Without its clock's driver nobody can tell whether it is on but by this. */
    if (offset == LSR && !(aux->enables & 1))
        return 0;
    model_require(model, aux->enables & 1, "read at %#x while AUX_ENABLES keeps it off", offset);
    switch (offset) {
    case IO:
        model_require(model, aux->rx_count > 0, "IO read while there is no data");
        value = (unsigned char)aux->rx[0];
        memmove(aux->rx, aux->rx + 1, --aux->rx_count);
        update(aux);
        return value;
    case IER:
        return aux->ier;
    case IIR:
        return rx_pending(aux) ? 0xc4 : tx_pending(aux) ? 0xc2 : 0xc1;
    case LCR:
        return aux->lcr;
    case MCR:
        return aux->mcr;
    case LSR:
        value = (aux->rx_count ? 1u : 0) | (aux->overrun ? 2u : 0) |
                (aux->tx_count < AUX_FIFO ? 0x20u : 0) |
                (aux->tx_count == 0 && !aux->shifting ? 0x40u : 0);
        aux->overrun = false;
        return value;
    case MSR:
        return 0x20;
    case SCRATCH:
        return aux->scratch;
    case CNTL:
        return aux->cntl;
    case STAT:
        return (aux->rx_count ? 1u : 0) | (aux->tx_count < AUX_FIFO ? 2u : 0) |
               (aux->tx_count == AUX_FIFO ? 1u << 5 : 0) | (aux->tx_count == 0 ? 1u << 8 : 0) |
               (aux->tx_count == 0 && !aux->shifting ? 1u << 9 : 0) | aux->rx_count << 16 |
               aux->tx_count << 24;
    default: /* BAUD */
        return aux->baud;
    }
}

static void uart_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_bcm2835_aux *aux = bb_container_of(model, struct model_bcm2835_aux, uart);

    (void)width;
    model_require(model, aux->enables & 1, "write at %#x while AUX_ENABLES keeps it off", offset);
    switch (offset) {
    case IO:
        model_require(model, aux->tx_count < AUX_FIFO, "IO written while the FIFO is full");
        aux->tx[aux->tx_count++] = (char)value;
        shift_next(aux);
        break;
    case IER:
        /* The errata: bits 2 and 3 are needed for interrupts to be made at all. */
        model_require(model, !(value & 3) || (value & 0xc) == 0xc,
                      "IER = %#x asks for interrupts without bits 2 and 3", value);
        aux->ier = value;
        break;
    case IIR:
        aux->rx_count = value & 2 ? 0 : aux->rx_count;
        aux->tx_count = value & 4 ? 0 : aux->tx_count;
        break;
    case LCR:
    case BAUD:
        model_require(model, !aux->shifting && !aux->tx_count, "line changed while it is sending");
        *(offset == LCR ? &aux->lcr : &aux->baud) = value;
        break;
    case MCR:
        aux->mcr = value;
        break;
    case SCRATCH:
        aux->scratch = value;
        break;
    default: /* CNTL */
        aux->cntl = value;
        shift_next(aux);
        break;
    }
    update(aux);
}

void model_bcm2835_aux_map(struct model_bcm2835_aux *aux, uint64_t base, uint64_t clock)
{
    aux->aux = (struct model){
        .name = "bcm2835 aux", .registers = aux_registers, .read = aux_read, .write = aux_write};
    aux->uart = (struct model){.name = "bcm2835 mini uart",
                               .registers = uart_registers,
                               .read = uart_read,
                               .write = uart_write};
    aux->clock = clock;
    aux->cntl = CNTL_RX | CNTL_TX;
    aux->sent_event = (struct world_event){.run = sent, .context = aux};
    model_map(&aux->aux, base, 8);
    model_map(&aux->uart, base + 0x40, 0x40);
}
