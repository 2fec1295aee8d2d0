/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PL011 UART (ARM DDI 0183G). */
#ifndef TESTS_MODELS_PL011_H
#define TESTS_MODELS_PL011_H

#include "model.h"

#define PL011_FIFO 16

struct model_pl011 {
    struct model model;
    struct wire irq;
    uint64_t clock; /* UARTCLK in Hz */
    bool stuck;     /* the transmitter never sends: flow control, or no clock */
    bool muted;     /* input fails if it could not be received; set: drop it as a wire does */

    uint32_t ibrd, fbrd, lcrh, cr, ifls, imsc, ris, dmacr, errors;
    uint32_t latched_ibrd, latched_fbrd; /* taken over by the write to LCR_H */
    char tx[PL011_FIFO];
    uint16_t rx[PL011_FIFO]; /* with the error bits of DR */
    bool overrun;            /* shown by the next read of DR */
    unsigned tx_count, rx_count;
    bool shifting;
    char shift;
    struct world_event sent_event, timeout_event;
    bool divisor_written;
    char output[4096]; /* the first that left the wire */
    size_t output_size;
};

void model_pl011_map(struct model_pl011 *uart, uint64_t base, uint64_t clock);
/* A character arrives on the wire; or a broken one, with error bits of DR. */
void model_pl011_input(struct model_pl011 *uart, char c);
void model_pl011_broken(struct model_pl011 *uart, uint16_t entry);
/* What the line is set to: bits per second as the divisor makes them. */
uint64_t model_pl011_baud(const struct model_pl011 *uart);

#endif
