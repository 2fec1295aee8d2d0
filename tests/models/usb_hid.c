/* SPDX-License-Identifier: BSD-2-Clause */
/* Human interface devices: their requests, and reports that wait in a queue. */
#include "usb_hid.h"

#include <string.h>

enum { IN = 0x81, REPORT_DESCRIPTOR = 0x22, OUTPUT_REPORT = 2 };
enum { SET_REPORT = 9, SET_IDLE = 10, SET_PROTOCOL = 11 };

static const uint8_t device_descriptor[] = {USB_DEVICE(0, 0, 0, 8, 0x1209, 0x0003, 1)};

/* Appendix B.1, the keys' last usage raised as keyboards of today do. */
static const uint8_t keyboard_descriptor[] = {
    0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x75, 0x01, 0x95, 0x08, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7,
    0x15, 0x00, 0x25, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x08, 0x81, 0x01, 0x95, 0x05, 0x75, 0x01,
    0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01, 0x95, 0x06,
    0x75, 0x08, 0x15, 0x00, 0x26, 0xff, 0x00, 0x05, 0x07, 0x19, 0x00, 0x29, 0xff, 0x81, 0x00, 0xc0};
static const uint8_t mouse_descriptor[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, 0x05, 0x09, 0x19,
    0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01, 0x81, 0x02,
    0x95, 0x01, 0x75, 0x03, 0x81, 0x01, 0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09,
    0x38, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06, 0xc0, 0xc0};
/* X and Y from 0 to 4095 in 16 bits, and a wheel for each direction. */
static const uint8_t tablet_descriptor[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, 0x05, 0x09, 0x19, 0x01,
    0x29, 0x03, 0x15, 0x00, 0x25, 0x01, 0x95, 0x03, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01,
    0x75, 0x05, 0x81, 0x01, 0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff,
    0x0f, 0x75, 0x10, 0x95, 0x02, 0x81, 0x02, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x75,
    0x08, 0x95, 0x01, 0x81, 0x06, 0x05, 0x0c, 0x0a, 0x38, 0x02, 0x81, 0x06, 0xc0, 0xc0};

static int answer(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_usb_hid *hid = device->context;
    if (setup->request_type == 0x81 && setup->request == BB_USB_GET_DESCRIPTOR) {
        usb_require(device, setup->value == REPORT_DESCRIPTOR << 8 && setup->index == 0,
                    "descriptor %#x of interface %u", setup->value, setup->index);
        if (hid->no_report_descriptor)
            return USB_HALT;
        memcpy(data, hid->report_descriptor.data, hid->report_descriptor.size);
        return (int)hid->report_descriptor.size;
    }
    if ((setup->request_type & 0x60) != BB_USB_CLASS)
        return USB_OTHER;
    usb_require(device, setup->request_type == 0x21 && setup->index == 0,
                "class request %u of type %#x to %u", setup->request, setup->request_type,
                setup->index);
    switch (setup->request) {
    case SET_IDLE:
        usb_require(device, !setup->length && !(setup->value & 0xff), "SET_IDLE (7.2.4)");
        hid->idle = (uint8_t)(setup->value >> 8);
        hid->idles++;
        return hid->no_idle ? USB_HALT : 0;
    case SET_PROTOCOL:
        usb_require(device, hid->subclass == 1 && setup->value <= 1 && !setup->length,
                    "SET_PROTOCOL %u (7.2.6)", setup->value);
        if (hid->no_protocol)
            return USB_HALT;
        hid->protocol = (uint8_t)setup->value;
        return 0;
    case SET_REPORT:
        usb_require(device,
                    setup->value == (OUTPUT_REPORT << 8 | hid->output_report) &&
                        setup->length == hid->output_length && hid->output_length,
                    "SET_REPORT %#x of %u bytes (7.2.2)", setup->value, setup->length);
        memcpy(hid->output, data, setup->length);
        hid->outputs++;
        return 0;
    }
    return USB_HALT;
}

static int next_report(struct usb_model *device, unsigned endpoint, uint8_t *data)
{
    struct model_usb_hid *hid = device->context;
    (void)endpoint;
    if (hid->head == hid->tail)
        return USB_WAIT;
    memcpy(data, hid->queue[hid->tail % HID_QUEUE], hid->lengths[hid->tail % HID_QUEUE]);
    return hid->lengths[hid->tail % HID_QUEUE];
}

static void was_sent(struct usb_model *device, unsigned endpoint)
{
    struct model_usb_hid *hid = device->context;
    (void)endpoint;
    hid->tail++;
}

static void was_reset(struct usb_model *device)
{
    struct model_usb_hid *hid = device->context;
    uint16_t length = hid->said_length ? hid->said_length : (uint16_t)hid->report_descriptor.size;
    hid->protocol = 1;
    hid->head = hid->tail = 0;
    hid->configuration[25] = (uint8_t)length;
    hid->configuration[26] = (uint8_t)(length >> 8);
}

void model_usb_hid_init(struct model_usb_hid *hid, const char *name, enum bb_usb_speed speed,
                        unsigned protocol, struct usb_bytes report_descriptor, unsigned packet)
{
    const uint8_t configuration[HID_CONFIGURATION] = {
        USB_CONFIGURATION(HID_CONFIGURATION, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 3, protocol ? 1 : 0, (uint8_t)protocol),
        9,
        BB_USB_HID_DESCRIPTOR,
        USB_WORD(0x0111),
        0,
        1,
        REPORT_DESCRIPTOR,
        0,
        0,
        USB_ENDPOINT(IN, BB_USB_INTERRUPT, packet, 10)};
    *hid = (struct model_usb_hid){.report_descriptor = report_descriptor,
                                  .subclass = protocol ? 1 : 0,
                                  .boot_protocol = (uint8_t)protocol};
    memcpy(hid->configuration, configuration, sizeof configuration);
    hid->usb = (struct usb_model){.name = name,
                                  .speed = (uint8_t)speed,
                                  .device = USB_BYTES(device_descriptor),
                                  .configurations = {{hid->configuration, HID_CONFIGURATION}},
                                  .strings = {NULL, "Busbar", name, "0002"},
                                  .control = answer,
                                  .in = next_report,
                                  .sent = was_sent,
                                  .was_reset = was_reset,
                                  .context = hid};
}

void model_usb_keyboard_init(struct model_usb_hid *hid)
{
    model_usb_hid_init(hid, "keyboard", BB_USB_LOW, 1, USB_BYTES(keyboard_descriptor), 8);
    hid->output_length = 1;
}

void model_usb_mouse_init(struct model_usb_hid *hid)
{
    model_usb_hid_init(hid, "mouse", BB_USB_LOW, 2, USB_BYTES(mouse_descriptor), 4);
}

void model_usb_tablet_init(struct model_usb_hid *hid)
{
    model_usb_hid_init(hid, "tablet", BB_USB_FULL, 0, USB_BYTES(tablet_descriptor), 8);
}

void model_usb_hid_send(struct model_usb_hid *hid, const void *report, size_t length)
{
    usb_require(&hid->usb, hid->head - hid->tail < HID_QUEUE && length <= HID_REPORT,
                "the test sends too much");
    memcpy(hid->queue[hid->head % HID_QUEUE], report, length);
    hid->lengths[hid->head++ % HID_QUEUE] = (uint8_t)length;
}

void model_usb_keys(struct model_usb_hid *hid, unsigned modifiers, const char *usages,
                    unsigned count)
{
    uint8_t report[8] = {(uint8_t)modifiers};
    memcpy(report + 2, usages, count < 6 ? count : 6);
    model_usb_hid_send(hid, report, sizeof report);
}
