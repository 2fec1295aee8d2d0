/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serial ports on USB: FTDI's FT232BM, and a modem of the communications class (CDC 1.2, ACM).
 * Strict: a test ends on a request that the chip does not have, a divisor that stands for nothing,
 * reserved bits, a line coding of another length.
 *
 *     static struct model_usb_serial serial;
 *     model_usb_ftdi_init(&serial);                  // or model_usb_acm_init()
 *     usb_plug(&soft_host.sockets[0], &serial.usb);
 *     model_usb_serial_type(&serial, "hello", 5);
 */
#ifndef TESTS_MODELS_USB_SERIAL_H
#define TESTS_MODELS_USB_SERIAL_H

#include "usb_device.h"

struct model_usb_serial {
    struct usb_model usb;
    /* For tests, at any time. */
    bool deaf;           /* takes no output */
    uint8_t line_status; /* FTDI: of the next packet */
    bool no_line_coding; /* ACM: stalls it */
    /* To look at. */
    uint32_t baud;
    uint8_t data_bits, stop_bits, parity; /* 0 none, 1 odd, 2 even */
    bool dtr, rts;
    unsigned resets, line_settings;
    char sent[65536]; /* by the host */
    size_t sent_size;
    /* The model's own. */
    bool ftdi;
    char input[4096];
    unsigned head, tail;
    uint32_t given;
};

void model_usb_ftdi_init(struct model_usb_serial *serial);
void model_usb_acm_init(struct model_usb_serial *serial);
void model_usb_serial_type(struct model_usb_serial *serial, const char *text, size_t size);

#endif
