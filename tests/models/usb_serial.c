/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial ports: FTDI's requests (AN232B-05 for the baud rates), those of ACM, and bytes. */
#include "usb_serial.h"

#include <string.h>

enum { IN = 0x81, OUT = 0x02, NOTIFY = 0x83 };
enum { FTDI_PACKET = 64, STATUS = 2, INPUT = 4096 };

static const uint8_t ftdi_device[] = {
    18, 1, USB_WORD(0x0200), 0, 0, 0, 8, USB_WORD(0x0403), USB_WORD(0x6001), USB_WORD(0x0400), 1, 2,
    3,  1};
static const uint8_t ftdi_configuration[] = {
    USB_CONFIGURATION(32, 1, 1, 50), USB_INTERFACE(0, 0, 2, 0xff, 0xff, 0xff),
    USB_ENDPOINT(IN, BB_USB_BULK, FTDI_PACKET, 0), USB_ENDPOINT(OUT, BB_USB_BULK, FTDI_PACKET, 0)};
static const uint8_t acm_device[] = {USB_DEVICE(2, 0, 0, 64, 0x1209, 0x0004, 1)};
static const uint8_t acm_qualifier[] = {USB_QUALIFIER(2, 0, 0, 64, 1)};
static const uint8_t acm_configuration[] = {USB_CONFIGURATION(67, 2, 1, 50),
                                            USB_INTERFACE(0, 0, 1, 2, 2, 1),
                                            5,
                                            BB_USB_CLASS_INTERFACE,
                                            0x00,
                                            USB_WORD(0x0110),
                                            5,
                                            BB_USB_CLASS_INTERFACE,
                                            0x01,
                                            0,
                                            1,
                                            4,
                                            BB_USB_CLASS_INTERFACE,
                                            0x02,
                                            2,
                                            5,
                                            BB_USB_CLASS_INTERFACE,
                                            0x06,
                                            0,
                                            1,
                                            USB_ENDPOINT(NOTIFY, BB_USB_INTERRUPT, 16, 9),
                                            USB_INTERFACE(1, 0, 2, 10, 0, 0),
                                            USB_ENDPOINT(IN, BB_USB_BULK, 512, 0),
                                            USB_ENDPOINT(OUT, BB_USB_BULK, 512, 0)};

/* ---- FTDI ---- */

static void set_baud(struct model_usb_serial *serial, uint32_t value)
{
    static const uint8_t eighths[8] = {0, 4, 2, 1, 3, 5, 6, 7};
    uint32_t whole = value & 0x3fff, part = eighths[value >> 14 & 7];
    usb_require(&serial->usb, value >> 17 == 0, "divisor %#x", value);
    usb_require(&serial->usb, whole >= 2 || (whole < 2 && !part), "divisor %u and %u/8", whole,
                part);
    uint32_t divisor = whole == 0 ? 8 : whole == 1 ? 12 : whole * 8 + part;
    serial->baud = 24000000 / divisor;
}

static void set_data(struct model_usb_serial *serial, uint32_t value)
{
    serial->data_bits = (uint8_t)value;
    serial->parity = value >> 8 & 7;
    serial->stop_bits = (value >> 11 & 3) == 2 ? 2 : 1;
    usb_require(&serial->usb,
                (serial->data_bits == 7 || serial->data_bits == 8) && serial->parity <= 4 &&
                    (value >> 11 & 3) != 3 && value >> 15 == 0,
                "line format %#x", value);
    serial->line_settings++;
}

static int ftdi_control(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_usb_serial *serial = device->context;
    (void)data;
    if ((setup->request_type & 0x60) != BB_USB_VENDOR)
        return USB_OTHER;
    usb_require(device, setup->request_type == 0x40 && !setup->length, "vendor request %u",
                setup->request);
    usb_require(device, setup->request == 3 || !setup->index, "request %u of port %u",
                setup->request, setup->index);
    switch (setup->request) {
    case 0:
        usb_require(device, setup->value <= 2, "reset %u", setup->value);
        serial->resets++;
        return 0;
    case 1:
        if (setup->value & 0x100)
            serial->dtr = setup->value & 1;
        if (setup->value & 0x200)
            serial->rts = setup->value & 2;
        return 0;
    case 2:
        usb_require(device, setup->value == 0, "flow control characters without flow control");
        return 0;
    case 3:
        set_baud(serial, setup->value | (uint32_t)setup->index << 16);
        return 0;
    case 4:
        set_data(serial, setup->value);
        return 0;
    }
    world_fail(device->name, "request %u, which nobody needs", setup->request);
}

/* ---- ACM ---- */

static int acm_control(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_usb_serial *serial = device->context;
    if ((setup->request_type & 0x60) != BB_USB_CLASS)
        return USB_OTHER;
    usb_require(device, setup->request_type == 0x21 && setup->index == 0,
                "class request %u of type %#x to %u", setup->request, setup->request_type,
                setup->index);
    if (setup->request == 0x22) {
        usb_require(device, setup->value <= 3 && !setup->length, "SET_CONTROL_LINE_STATE %#x",
                    setup->value);
        serial->dtr = setup->value & 1;
        serial->rts = setup->value & 2;
        return 0;
    }
    usb_require(device, setup->request == 0x20 && setup->length == 7 && !setup->value,
                "class request %u of %u bytes", setup->request, setup->length);
    if (serial->no_line_coding)
        return USB_HALT;
    usb_require(device, data[4] <= 2 && data[5] <= 4 && data[6] >= 5 && data[6] <= 8,
                "line coding %u %u %u", data[4], data[5], data[6]);
    serial->baud = bb_usb_u32(data);
    serial->stop_bits = data[4] == 2 ? 2 : 1;
    serial->parity = data[5];
    serial->data_bits = data[6];
    serial->line_settings++;
    return 0;
}

/* ---- Bytes ---- */

static int give(struct usb_model *device, unsigned endpoint, uint8_t *data)
{
    struct model_usb_serial *serial = device->context;
    uint32_t front = serial->ftdi ? STATUS : 0,
             room = usb_pipe_of(device, endpoint)->packet - front;
    uint32_t waiting = serial->head - serial->tail;
    if (endpoint == NOTIFY || (!waiting && !serial->line_status))
        return USB_WAIT;
    serial->given = waiting < room ? waiting : room;
    if (front) {
        data[0] = 0x30; /* clear to send, data set ready */
        data[1] = serial->line_status;
    }
    for (uint32_t i = 0; i < serial->given; i++)
        data[front + i] = (uint8_t)serial->input[(serial->tail + i) % INPUT];
    return (int)(front + serial->given);
}

static void given(struct usb_model *device, unsigned endpoint)
{
    struct model_usb_serial *serial = device->context;
    (void)endpoint;
    serial->tail += serial->given;
    serial->line_status = 0;
}

static int take(struct usb_model *device, unsigned endpoint, const uint8_t *data, unsigned length)
{
    struct model_usb_serial *serial = device->context;
    (void)endpoint;
    if (serial->deaf)
        return USB_WAIT;
    usb_require(device, serial->sent_size + length <= sizeof serial->sent,
                "more output than the test has room for");
    memcpy(serial->sent + serial->sent_size, data, length);
    serial->sent_size += length;
    return 0;
}

void model_usb_serial_type(struct model_usb_serial *serial, const char *text, size_t size)
{
    for (size_t i = 0; i < size && serial->head - serial->tail < INPUT; i++)
        serial->input[serial->head++ % INPUT] = text[i];
}

void model_usb_ftdi_init(struct model_usb_serial *serial)
{
    *serial = (struct model_usb_serial){.ftdi = true};
    serial->usb = (struct usb_model){.name = "ftdi",
                                     .speed = BB_USB_FULL,
                                     .device = USB_BYTES(ftdi_device),
                                     .configurations = {USB_BYTES(ftdi_configuration)},
                                     .strings = {NULL, "FTDI", "USB <-> Serial", "A1"},
                                     .control = ftdi_control,
                                     .in = give,
                                     .sent = given,
                                     .out = take,
                                     .context = serial};
}

void model_usb_acm_init(struct model_usb_serial *serial)
{
    *serial = (struct model_usb_serial){.ftdi = false};
    serial->usb = (struct usb_model){.name = "acm",
                                     .speed = BB_USB_HIGH,
                                     .device = USB_BYTES(acm_device),
                                     .configurations = {USB_BYTES(acm_configuration)},
                                     .qualifier = USB_BYTES(acm_qualifier),
                                     .strings = {NULL, "Busbar", "Modem", "0003"},
                                     .control = acm_control,
                                     .in = give,
                                     .sent = given,
                                     .out = take,
                                     .context = serial};
}
