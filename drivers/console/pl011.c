/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PrimeCell UART PL011 (ARM DDI 0183G). Without a clock firmware's speed stays. */
#include <busbar/clock.h>
#include <busbar/console.h>
#include <busbar/gpio.h>
#include <busbar/irq.h>
#include <busbar/mmio.h>

enum { UARTDR = 0x00, UARTFR = 0x18, UARTIBRD = 0x24, UARTFBRD = 0x28, UARTLCR_H = 0x2c };
enum { UARTCR = 0x30, UARTIMSC = 0x38, UARTMIS = 0x40, UARTICR = 0x44 };
enum { FE = 1 << 8, PE = 1 << 9, BE = 1 << 10, OE = 1 << 11 }; /* UARTDR, with each byte read */
enum { BUSY = 1 << 3, RXFE = 1 << 4, TXFF = 1 << 5 };          /* UARTFR */
enum { PEN = 1 << 1, EPS = 1 << 2, STP2 = 1 << 3, FEN = 1 << 4, WLEN_SHIFT = 5 }; /* UARTLCR_H */
enum { UARTEN = 1 << 0, TXE = 1 << 8, RXE = 1 << 9 };                             /* UARTCR */
enum { RX = 1 << 4, RT = 1 << 6, ALL = 0x7ff }; /* interrupt registers: received, time-out */

struct pl011 {
    struct bb_device device;
    struct bb_console console;
    struct bb_regs regs;
    struct bb_interrupt interrupt;
    struct bb_clock_input uartclk, apb_pclk;
    struct bb_value errors_value;
    uint64_t errors; /* bytes that arrived broken, or were overrun */
    uint32_t baud;   /* parameter */
};

static int pl011_write(struct bb_console *console, const char *data, size_t size)
{
    struct pl011 *pl011 = bb_container_of(console, struct pl011, console);
    size_t sent = 0;
    while (sent < size && sent < INT32_MAX && !(bb_read32(&pl011->regs, UARTFR) & TXFF))
        bb_write32(&pl011->regs, UARTDR, (uint8_t)data[sent++]);
    return (int)sent;
}

/* After the order of section 3.3.8: idle, off, FIFOs flushed, set, on. `divisor` (in 1/64) 0: keep
 * it. Writing LCR_H is what takes the divisor over. */
static int configure(struct pl011 *pl011, uint64_t divisor, uint32_t format)
{
    /* What stands in the FIFO of a UART that is off makes it busy, and never leaves. */
    bool busy = (bb_read32(&pl011->regs, UARTCR) & (UARTEN | TXE)) == (UARTEN | TXE);
    for (int tries = 0; busy && tries < 10; tries++)
        busy = bb_read32_until(&pl011->regs, UARTFR, BUSY, 0, 10 * BB_MSEC) != 0;
    if (busy)
        return bb_fail(&pl011->device, "BUSY", -ETIMEDOUT);
    bb_write32(&pl011->regs, UARTCR, 0);
    bb_write32(&pl011->regs, UARTLCR_H, 0);
    if (divisor) {
        bb_write32(&pl011->regs, UARTIBRD, (uint32_t)(divisor >> 6));
        bb_write32(&pl011->regs, UARTFBRD, (uint32_t)divisor & 0x3f);
    }
    bb_write32(&pl011->regs, UARTLCR_H, format | FEN);
    bb_write32(&pl011->regs, UARTCR, UARTEN | TXE | RXE);
    /* QEMU does not pass on what is typed after a byte that LCR_H flushed, until DR is read. */
    for (int left = 256; left > 0 && !(bb_read32(&pl011->regs, UARTFR) & RXFE); left--)
        (void)bb_read32(&pl011->regs, UARTDR);
    return 0;
}

static int pl011_set_line(struct bb_console *console, const struct bb_console_line *line)
{
    struct pl011 *pl011 = bb_container_of(console, struct pl011, console);
    uint64_t hz;
    if (!pl011->uartclk.clock)
        return -ENOTSUP;
    if (line->baud == 0 || line->data_bits < 5 || line->data_bits > 8 || line->stop_bits < 1 ||
        line->stop_bits > 2 || line->parity > BB_PARITY_EVEN)
        return -EINVAL;
    int error = bb_clock_rate(&pl011->uartclk, &hz);
    if (error)
        return error;
    /* From 1.0 up the nearest 1/64 is less than 0.8 % off, so this range is the whole check. */
    uint64_t divisor = hz <= UINT32_MAX ? (hz * 4 + line->baud / 2) / line->baud : 0;
    if (divisor < 1 << 6 || divisor > 0xffff << 6)
        return -EINVAL;
    uint32_t format = (uint32_t)(line->data_bits - 5) << WLEN_SHIFT;
    if (line->stop_bits == 2)
        format |= STP2;
    if (line->parity != BB_PARITY_NONE)
        format |= line->parity == BB_PARITY_EVEN ? PEN | EPS : PEN;
    return configure(pl011, divisor, format);
}

static bool pl011_idle(struct bb_console *console)
{
    return !(bb_read32(&bb_container_of(console, struct pl011, console)->regs, UARTFR) & BUSY);
}

static void pl011_interrupt(struct bb_interrupt *interrupt)
{
    struct pl011 *pl011 = bb_container_of(interrupt, struct pl011, interrupt);
    bb_write32(&pl011->regs, UARTICR, bb_read32(&pl011->regs, UARTMIS));
    /* No FIFO is that deep: a bound, should the chip never say that it is empty. */
    for (int left = 256; left > 0 && !(bb_read32(&pl011->regs, UARTFR) & RXFE); left--) {
        uint32_t data = bb_read32(&pl011->regs, UARTDR);
        if (data & (OE | BE | PE | FE))
            pl011->errors++;
        if (!(data & (BE | PE | FE))) /* after an overrun this byte is good, a later one is lost */
            bb_console_input(&pl011->console, (char)data);
    }
}

static int pl011_probe(struct bb_device *device)
{
    struct pl011 *pl011 = bb_container_of(device, struct pl011, device);
    int error = bb_regs_get(device, 0, 0x48, &pl011->regs);
    if (error)
        return error;
    /* Any of these may be missing: the speed, the pins or input, but there is still a console. */
    int index = bb_clock_index(device, "uartclk");
    error = bb_clock_get(device, index < 0 ? 0 : (size_t)index, &pl011->uartclk);
    bb_console_goes_without(device, "clock", error);
    index = bb_clock_index(device, "apb_pclk");
    error = index < 0 ? index : bb_clock_get(device, (size_t)index, &pl011->apb_pclk);
    bb_console_goes_without(device, "bus clock", error);
    bb_console_goes_without(device, "pins", bb_pins_apply(device));
    bb_write32(&pl011->regs, UARTIMSC, 0);
    bb_write32(&pl011->regs, UARTICR, ALL);
    struct bb_console_line line = {bb_console_default_baud(device, pl011->baud), 8, 1};
    error = pl011->uartclk.clock ? pl011_set_line(&pl011->console, &line) : -ENOENT;
    if (error && error != -ETIMEDOUT) {
        bb_console_goes_without(device, "its speed", error);
        error = configure(pl011, 0, (8 - 5) << WLEN_SHIFT);
    }
    if (!error)
        error = bb_publish_u64(device, &pl011->errors_value, "errors", "bytes", &pl011->errors);
    if (error)
        return error;
    error = bb_interrupt_get(device, 0, pl011_interrupt, &pl011->interrupt);
    bb_console_goes_without(device, "interrupt", error);
    bb_write32(&pl011->regs, UARTIMSC, error ? 0 : RX | RT);
    return 0;
}

static void pl011_remove(struct bb_device *device)
{
    bb_write32(&bb_container_of(device, struct pl011, device)->regs, UARTIMSC, 0);
}

static void pl011_early_putc(uintptr_t base, char c)
{
    for (int tries = 0; tries < 1 << 20; tries++)
        if (!(bb_arch_read32(base + UARTFR) & TXFF)) {
            bb_arch_write32(base + UARTDR, (uint8_t)c);
            return;
        }
}

const struct bb_console_ops bb_ops_console_pl011 = {
    .write = pl011_write,
    .set_line = pl011_set_line,
    .idle = pl011_idle,
};

BB_DRIVER(console, pl011, .bus = &bb_mmio_bus, .match = BB_MATCH({"arm,pl011"}),
          .wants = BB_CLASSES(&bb_class_clock, &bb_class_irq, &bb_class_pins),
          .params = BB_PARAMS({"baud", offsetof(struct pl011, baud), BB_PARAM_U32}),
          .probe = pl011_probe, .remove = pl011_remove, .early_putc = pl011_early_putc);
