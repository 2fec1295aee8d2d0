/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keyboards, mice and tablets on USB (HID 1.11). Strict with the host: a test ends on a request
 * with a wrong interface, report type or length, on a protocol that does not exist, and on a report
 * descriptor that is asked for with a wrong recipient.
 *
 *     static struct model_usb_hid keyboard;
 *     model_usb_keyboard_init(&keyboard);
 *     usb_plug(&soft_host.sockets[0], &keyboard.usb);
 *     model_usb_keys(&keyboard, 2, "\x04", 1);             // shift and A
 */
#ifndef TESTS_MODELS_USB_HID_H
#define TESTS_MODELS_USB_HID_H

#include "usb_device.h"

enum { HID_QUEUE = 64, HID_REPORT = 64, HID_CONFIGURATION = 34 };

struct model_usb_hid {
    struct usb_model usb;
    /* For tests, before it is plugged in. */
    struct usb_bytes report_descriptor;
    bool no_idle, no_protocol, no_report_descriptor; /* these requests are stalled */
    uint16_t said_length;                            /* of the report descriptor; 0: the truth */
    uint8_t output_report, output_length;            /* number and bytes of the lamps' report */
    /* To look at. */
    uint8_t protocol; /* 0: boot */
    uint8_t idle;
    uint8_t output[HID_REPORT]; /* the last one, and how many there were */
    unsigned outputs, idles;
    /* The model's own. */
    uint8_t configuration[HID_CONFIGURATION], subclass, boot_protocol;
    uint8_t queue[HID_QUEUE][HID_REPORT], lengths[HID_QUEUE];
    unsigned head, tail;
};

/* A boot keyboard of six keys and five lamps; a mouse of five buttons and a wheel with the boot
 * protocol; a tablet without. */
void model_usb_keyboard_init(struct model_usb_hid *hid);
void model_usb_mouse_init(struct model_usb_hid *hid);
void model_usb_tablet_init(struct model_usb_hid *hid);
/* Anything: no boot protocol where `protocol` is 0, 1: keyboard, 2: mouse. */
void model_usb_hid_init(struct model_usb_hid *hid, const char *name, enum bb_usb_speed speed,
                        unsigned protocol, struct usb_bytes report_descriptor, unsigned packet);
/* A report that the host will be given. */
void model_usb_hid_send(struct model_usb_hid *hid, const void *report, size_t length);
/* The keyboard's: modifiers, and the usages of up to six keys. */
void model_usb_keys(struct model_usb_hid *hid, unsigned modifiers, const char *usages,
                    unsigned count);

#endif
