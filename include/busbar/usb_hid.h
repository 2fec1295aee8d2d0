/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB keyboards, mice and tablets, for their drivers (Device Class Definition for Human Interface
 * Devices, HID 1.11). What a device sends is described by its report descriptor: which bits are
 * which key, button or axis. This reads the descriptor, keeps a transfer under way for the reports
 * and turns each into calls of <busbar/input.h>.
 *
 *     static const struct bb_hid_layout boot = {...};            // where the descriptor is
 * unusable
 *
 *     error = bb_hid_open(device, &mouse->input, &boot, &mouse->hid);
 *     return error ? error : bb_hid_start(&mouse->hid);
 *
 * Thread context. Everything that a device says is hostile: fields are checked to lie within the
 * report before they are kept, and a report within what came before a field is read.
 */
#ifndef BUSBAR_USB_HID_H
#define BUSBAR_USB_HID_H

#include <busbar/input.h>
#include <busbar/poll.h>
#include <busbar/usb.h>

enum { /* usage pages (HID Usage Tables) */
       BB_HID_DESKTOP = 0x01,
       BB_HID_KEYS = 0x07,
       BB_HID_LEDS = 0x08,
       BB_HID_BUTTONS = 0x09,
       BB_HID_CONSUMER = 0x0c,
};
enum { /* usages of the desktop page, and one of the consumer page */
       BB_HID_POINTER = 0x01,
       BB_HID_MOUSE = 0x02,
       BB_HID_KEYBOARD = 0x06,
       BB_HID_KEYPAD = 0x07,
       BB_HID_X = 0x30,
       BB_HID_Y = 0x31,
       BB_HID_WHEEL = 0x38,
       BB_HID_PAN = 0x238,
};
enum { /* bits of an input or output item (6.2.2.5) */
       BB_HID_CONSTANT = 1,
       BB_HID_VARIABLE = 2, /* a value for each usage; else an array: numbers of usages */
       BB_HID_RELATIVE = 4,
};
enum {
    BB_HID_FIELDS = 24,      /* that are kept of one descriptor; more are left out */
    BB_HID_REPORT = 64,      /* bytes of the longest report that is read, its number included */
    BB_HID_DESCRIPTOR = 512, /* bytes of a report descriptor that are looked at */
};

/* Values next to each other in a report, all of one size. */
struct bb_hid_field {
    uint8_t report; /* its number; 0: the device has one report, without a number */
    bool output;
    uint8_t flags;
    uint8_t bits;      /* of one value, 1 to 32 */
    uint16_t offset;   /* of the first value, in bits from the report's begin */
    uint16_t count;    /* values */
    uint16_t page;     /* of the usages */
    uint16_t usage;    /* of the first value, or of the array's value `low` */
    uint16_t last;     /* an array: its last usage */
    int32_t low, high; /* logical minimum and maximum */
};

/* What a report descriptor says, as far as it is about keys, lights, buttons and axes. */
struct bb_hid_layout {
    uint8_t count;
    bool numbered;        /* every report begins with its number */
    uint16_t input_bytes; /* of the longest input report, its number included */
    struct bb_hid_field fields[BB_HID_FIELDS];
};

/* Reads a report descriptor. -EINVAL for one that breaks the rules, -E2BIG where a report is longer
 * than BB_HID_REPORT; what is unknown is skipped. */
int bb_hid_parse(const uint8_t *descriptor, size_t length, struct bb_hid_layout *layout);
/* BB_INPUT_HAS_KEYS and so on: what it can tell. */
uint32_t bb_hid_features(const struct bb_hid_layout *layout);
/* Tells the input subsystem what a report says. Values that do not lie within `length` bytes are
 * left alone; a report of a number that is unknown says nothing. */
void bb_hid_report(const struct bb_hid_layout *layout, const uint8_t *report, size_t length,
                   struct bb_input *input);
/* The output report number `report` that lights these lamps (BB_INPUT_NUM_LOCK and so on), its
 * number included where the device has them. Its length, 0 where no lamp is in it. */
size_t bb_hid_lamps(const struct bb_hid_layout *layout, uint8_t report, uint32_t leds,
                    uint8_t data[BB_HID_REPORT]);

/* The device's half. */
struct bb_hid {
    struct bb_input *input;
    struct bb_usb_interface *interface;
    struct bb_usb_transfer transfer;
    struct bb_work repair;       /* clears a halt, and reads on */
    struct bb_timer_event again; /* after an error */
    struct bb_hid_layout layout;
    uint8_t *reports;
    uint64_t since;    /* that the transfer is under way */
    uint16_t failures; /* in a row */
    bool boot;         /* speaks the boot protocol */
    bool stopped;
    uint64_t reports_read, errors;
    struct bb_value values[2];
};

/* Claims the interface, reads its report descriptor and sets `input->features`. Where the
 * descriptor is unusable and the interface has the boot protocol, that and its layout are taken.
 * Waits, bounded. For probe. */
int bb_hid_open(struct bb_device *device, struct bb_input *input, const struct bb_hid_layout *boot,
                struct bb_hid *hid);
/* Reads reports from now on. */
int bb_hid_start(struct bb_hid *hid);
/* For remove(): nothing more is reported. */
void bb_hid_stop(struct bb_hid *hid);
/* Lights these lamps; 0 where it has none. Waits, bounded. */
int bb_hid_set_lamps(struct bb_hid *hid, uint32_t leds);

#endif
