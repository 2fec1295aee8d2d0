/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device without a class: what goes into its bulk endpoint 1 comes out of its bulk endpoint 81,
 * packet by packet; endpoint 82 gives a count of the packets by interrupt; a vendor's requests
 * write and read memory of it. For the bus, for host controllers and as an example of a model.
 *
 *     model_loop_init(&loop, "loop", BB_USB_HIGH);
 *     usb_plug(&soft_host.sockets[0], &loop.usb);
 */
#ifndef TESTS_MODELS_USB_LOOP_H
#define TESTS_MODELS_USB_LOOP_H

#include "usb_device.h"

enum { MODEL_LOOP_PACKETS = 64, MODEL_LOOP_MEMORY = 4096 };
enum { LOOP_WRITE = 1, LOOP_READ = 2 }; /* vendor requests to the device: `value` is the offset */
enum { LOOP_VENDOR = 0x1209, LOOP_PRODUCT = 0x0001, LOOP_CONFIGURATION = 9 + 9 + 3 * 7 };

struct model_loop {
    struct usb_model usb;
    /* For tests, at any time. */
    unsigned room; /* packets, up to MODEL_LOOP_PACKETS; a full one NAKs */
    bool nyet;     /* high speed: the packet that fills it is answered by NYET */
    bool silent;   /* nothing comes out: NAK */
    uint32_t news; /* reports that the interrupt endpoint has to send */

    /* To look at. */
    uint64_t received, returned; /* bytes */
    unsigned count;              /* packets that it has */
    uint8_t memory[MODEL_LOOP_MEMORY];
    /* The model's own. */
    unsigned first;
    uint16_t lengths[MODEL_LOOP_PACKETS];
    uint8_t packets[MODEL_LOOP_PACKETS][512];
    uint8_t device_descriptor[18];
    uint8_t configuration[LOOP_CONFIGURATION], slow_configuration[LOOP_CONFIGURATION];
};

void model_loop_init(struct model_loop *loop, const char *name, enum bb_usb_speed speed);

#endif
