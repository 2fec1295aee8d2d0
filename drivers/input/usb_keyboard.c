/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB keyboards (HID 1.11): what the report descriptor says, or else the boot protocol (appendices
 * B.1 and F). `usb_keyboard.boot=1` takes the boot protocol at once.
 */
#include <busbar/usb_hid.h>

struct usb_keyboard {
    struct bb_device device;
    struct bb_input input;
    struct bb_hid hid;
};

#define LAMP(bit)                                                                                  \
    {                                                                                              \
        .output = true, .flags = BB_HID_VARIABLE, .bits = 1, .offset = (bit), .count = 1,          \
        .page = BB_HID_LEDS, .usage = (bit) + 1, .high = 1                                         \
    }

/* A byte of modifiers, a byte of nothing, the usages of six keys; three lamps. */
static const struct bb_hid_layout boot_layout = {
    .count = 5,
    .input_bytes = 8,
    .fields = {{.flags = BB_HID_VARIABLE,
                .bits = 1,
                .count = 8,
                .page = BB_HID_KEYS,
                .usage = BB_KEY_LEFT_CONTROL,
                .high = 1},
               {.bits = 8,
                .offset = 16,
                .count = 6,
                .page = BB_HID_KEYS,
                .last = UINT8_MAX,
                .high = UINT8_MAX},
               LAMP(0),
               LAMP(1),
               LAMP(2)},
};

static int usb_keyboard_set_leds(struct bb_input *input, uint32_t leds)
{
    return bb_hid_set_lamps(&bb_container_of(input, struct usb_keyboard, input)->hid, leds);
}

static int usb_keyboard_probe(struct bb_device *device)
{
    struct usb_keyboard *keyboard = bb_container_of(device, struct usb_keyboard, device);
    int error = bb_hid_open(device, &keyboard->input, &boot_layout, &keyboard->hid);
    return error ? error : bb_hid_start(&keyboard->hid);
}

static void usb_keyboard_remove(struct bb_device *device)
{
    bb_hid_stop(&bb_container_of(device, struct usb_keyboard, device)->hid);
}

const struct bb_input_ops bb_ops_input_usb_keyboard = {
    .set_leds = usb_keyboard_set_leds,
};

BB_DRIVER(input, usb_keyboard, .bus = &bb_usb_bus, .hotplug = true,
          .match = BB_MATCH({"usbif,class3.1.1"}),
          .params = BB_PARAMS({"boot", offsetof(struct usb_keyboard, hid.boot), BB_PARAM_BOOL}),
          .probe = usb_keyboard_probe, .remove = usb_keyboard_remove);
