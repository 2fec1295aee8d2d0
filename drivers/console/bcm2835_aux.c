/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 mini UART (BCM2835 ARM Peripherals, section 2.2, with its errata): 8 bytes of FIFO each
 * way, 7 or 8 bits, no parity. Runs from the core clock; its enable is a gate of clock/bcm2835_aux.
 */
#include <busbar/clock.h>
#include <busbar/console.h>
#include <busbar/gpio.h>
#include <busbar/irq.h>
#include <busbar/mmio.h>

enum {
    AUX_MU_IO = 0x00,
    AUX_MU_IER = 0x04,
    AUX_MU_IIR = 0x08,
    AUX_MU_LCR = 0x0c,
    AUX_MU_MCR = 0x10,
    AUX_MU_LSR = 0x14,
    AUX_MU_CNTL = 0x20,
    AUX_MU_BAUD = 0x28,
    SIZE = 0x2c,

    IER_RECEIVE = 1 << 0 | 3 << 2, /* errata: bits 0 and 1 are swapped, 3:2 must be set */
    IIR_CLEAR_RECEIVE = 1 << 1,
    LCR_7_BITS = 2, /* errata: bit 1 must be set in both modes */
    LCR_8_BITS = 3,
    LSR_DATA_READY = 1 << 0,
    LSR_TRANSMIT_SPACE = 1 << 5,
    LSR_TRANSMIT_IDLE = 1 << 6,
    CNTL_RECEIVE = 1 << 0,
    CNTL_TRANSMIT = 1 << 1,

    INPUT_BATCH = 32,    /* bytes taken in one interrupt */
    EARLY_READS = 20000, /* more than a byte takes at 9600 baud */
};

struct bcm2835_aux {
    struct bb_device device;
    struct bb_console console;
    struct bb_regs regs;
    struct bb_clock_input clock;
    struct bb_interrupt interrupt;
    uint32_t baud; /* parameter */
};

static int bcm2835_aux_write(struct bb_console *console, const char *data, size_t size)
{
    struct bcm2835_aux *aux = bb_container_of(console, struct bcm2835_aux, console);
    size_t sent = 0;

    while (sent < size && bb_read32(&aux->regs, AUX_MU_LSR) & LSR_TRANSMIT_SPACE)
        bb_write32(&aux->regs, AUX_MU_IO, (uint8_t)data[sent++]);
    return (int)sent;
}

static void bcm2835_aux_interrupt(struct bb_interrupt *interrupt)
{
    struct bcm2835_aux *aux = bb_container_of(interrupt, struct bcm2835_aux, interrupt);

    /* Shared with SPI1 and SPI2. Whatever a wild line leaves behind raises it again. */
    for (int i = 0; i < INPUT_BATCH; i++) {
        if (!(bb_read32(&aux->regs, AUX_MU_LSR) & LSR_DATA_READY))
            return;
        bb_console_input(&aux->console, (char)bb_read32(&aux->regs, AUX_MU_IO));
    }
}

static int bcm2835_aux_set_line(struct bb_console *console, const struct bb_console_line *line)
{
    struct bcm2835_aux *aux = bb_container_of(console, struct bcm2835_aux, console);
    uint64_t hz, divider, actual;

    if (!aux->clock.clock)
        return -ENOTSUP;
    if (line->parity != BB_PARITY_NONE || line->stop_bits != 1 || line->data_bits < 7 ||
        line->data_bits > 8 || line->baud == 0)
        return -EINVAL;
    int error = bb_clock_rate(&aux->clock, &hz);
    if (error)
        return error;
    divider = (hz + 4ull * line->baud) / (8ull * line->baud);
    if (divider == 0 || divider > 0x10000)
        return -EINVAL;
    actual = hz / (8 * divider);
    if ((actual > line->baud ? actual - line->baud : line->baud - actual) * 100 > 3ull * line->baud)
        return -EINVAL;
    error = -ETIMEDOUT; /* a full FIFO at 300 baud leaves within 270 ms */
    for (int i = 0; i < 30 && error; i++)
        error = bb_read32_until(&aux->regs, AUX_MU_LSR, LSR_TRANSMIT_IDLE, LSR_TRANSMIT_IDLE,
                                10 * BB_MSEC);
    if (error)
        return error;
    bb_write32(&aux->regs, AUX_MU_CNTL, 0);
    bb_write32(&aux->regs, AUX_MU_LCR, line->data_bits == 8 ? LCR_8_BITS : LCR_7_BITS);
    bb_write32(&aux->regs, AUX_MU_BAUD, (uint32_t)divider - 1);
    bb_write32(&aux->regs, AUX_MU_CNTL, CNTL_RECEIVE | CNTL_TRANSMIT);
    return 0;
}

static bool bcm2835_aux_idle(struct bb_console *console)
{
    struct bcm2835_aux *aux = bb_container_of(console, struct bcm2835_aux, console);
    return bb_read32(&aux->regs, AUX_MU_LSR) & LSR_TRANSMIT_IDLE;
}

static int bcm2835_aux_probe(struct bb_device *device)
{
    struct bcm2835_aux *aux = bb_container_of(device, struct bcm2835_aux, device);
    struct bb_console_line line = {.data_bits = 8, .stop_bits = 1};
    int error = bb_regs_get(device, 0, SIZE, &aux->regs);

    if (error)
        return error;
    error = bb_clock_get(device, 0, &aux->clock);
    if (error && !bb_read32(&aux->regs, AUX_MU_LSR))
        return bb_fail(device, "clock", error); /* it is off: registers read as 0 */
    /* A console is worth having as the firmware left it, so none of the rest is fatal. */
    bb_console_goes_without(device, "clock", error);
    bb_console_goes_without(device, "pins", bb_pins_apply(device));
    bb_write32(&aux->regs, AUX_MU_IER, 0);
    bb_write32(&aux->regs, AUX_MU_MCR, 0);
    line.baud = bb_console_default_baud(device, aux->baud);
    error = aux->clock.clock ? bcm2835_aux_set_line(&aux->console, &line) : -ENOENT;
    bb_console_goes_without(device, "its speed", error);
    bb_write32(&aux->regs, AUX_MU_IIR, IIR_CLEAR_RECEIVE);
    error = bb_interrupt_get(device, 0, bcm2835_aux_interrupt, &aux->interrupt);
    bb_console_goes_without(device, "interrupt", error);
    if (!error)
        bb_write32(&aux->regs, AUX_MU_IER, IER_RECEIVE);
    return 0;
}

static void bcm2835_aux_remove(struct bb_device *device)
{
    bb_write32(&bb_container_of(device, struct bcm2835_aux, device)->regs, AUX_MU_IER, 0);
}

static void bcm2835_aux_early_putc(uintptr_t base, char c)
{
    int reads = EARLY_READS;
    while (reads && !(bb_arch_read32(base + AUX_MU_LSR) & LSR_TRANSMIT_SPACE))
        reads--;
    if (reads)
        bb_arch_write32(base + AUX_MU_IO, (uint8_t)c);
}

const struct bb_console_ops bb_ops_console_bcm2835_aux = {
    .write = bcm2835_aux_write,
    .set_line = bcm2835_aux_set_line,
    .idle = bcm2835_aux_idle,
};

BB_DRIVER(console, bcm2835_aux, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-aux-uart"}),
          .wants = BB_CLASSES(&bb_class_clock, &bb_class_pins, &bb_class_irq),
          .params = BB_PARAMS({"baud", offsetof(struct bcm2835_aux, baud), BB_PARAM_U32}),
          .probe = bcm2835_aux_probe, .remove = bcm2835_aux_remove,
          .early_putc = bcm2835_aux_early_putc);
