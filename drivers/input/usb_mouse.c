/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB mice, tablets, and what else has no boot protocol but keys, buttons or axes (HID 1.11): by
 * the report descriptor, or for mice the boot protocol (appendix B.2). `usb_mouse.boot=1` takes
 * that at once.
 */
#include <busbar/usb_hid.h>

struct usb_mouse {
    struct bb_device device;
    struct bb_input input;
    struct bb_hid hid;
};

#define AXIS(byte, usage_)                                                                         \
    {                                                                                              \
        .flags = BB_HID_VARIABLE | BB_HID_RELATIVE, .bits = 8, .offset = 8 * (byte), .count = 1,   \
        .page = BB_HID_DESKTOP, .usage = (usage_), .low = -127, .high = 127                        \
    }

/* Three buttons, and how far it moved. */
static const struct bb_hid_layout boot_layout = {
    .count = 3,
    .input_bytes = 3,
    .fields = {{.flags = BB_HID_VARIABLE,
                .bits = 1,
                .count = 3,
                .page = BB_HID_BUTTONS,
                .usage = 1,
                .high = 1},
               AXIS(1, BB_HID_X),
               AXIS(2, BB_HID_Y)},
};

static int usb_mouse_set_leds(struct bb_input *input, uint32_t leds)
{
    return bb_hid_set_lamps(&bb_container_of(input, struct usb_mouse, input)->hid, leds);
}

static int usb_mouse_probe(struct bb_device *device)
{
    struct usb_mouse *mouse = bb_container_of(device, struct usb_mouse, device);
    int error = bb_hid_open(device, &mouse->input, &boot_layout, &mouse->hid);
    return error ? error : bb_hid_start(&mouse->hid);
}

static void usb_mouse_remove(struct bb_device *device)
{
    bb_hid_stop(&bb_container_of(device, struct usb_mouse, device)->hid);
}

const struct bb_input_ops bb_ops_input_usb_mouse = {
    .set_leds = usb_mouse_set_leds,
};

BB_DRIVER(input, usb_mouse, .bus = &bb_usb_bus, .hotplug = true,
          .match = BB_MATCH({"usbif,class3.1.2"}, {"usbif,class3"}),
          .params = BB_PARAMS({"boot", offsetof(struct usb_mouse, hid.boot), BB_PARAM_BOOL}),
          .probe = usb_mouse_probe, .remove = usb_mouse_remove);
