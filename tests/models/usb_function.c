/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard requests and descriptors of a USB device (USB 2.0, chapter 9). */
#include "usb_device.h"

#include <string.h>

enum { QUALIFIER = 6, OTHER_SPEED = 7 };
enum { ENDPOINT_HALT = 0, REMOTE_WAKEUP = 1 };
enum { SET_DESCRIPTOR = 7, SYNCH_FRAME = 12 };
enum { SELF_POWERED = 0x40, WAKES = 0x20 }; /* bmAttributes of a configuration */

struct usb_bytes usb_model_configuration(const struct usb_model *device, unsigned index)
{
    bool slow = device->speed == BB_USB_HIGH && device->running != BB_USB_HIGH;

    if (index >= USB_MODEL_CONFIGURATIONS)
        return (struct usb_bytes){0};
    if (slow && device->slow_configurations[index].data)
        return device->slow_configurations[index];
    return device->configurations[index];
}

static struct usb_bytes by_number(const struct usb_model *device, unsigned number)
{
    for (unsigned i = 0; i < USB_MODEL_CONFIGURATIONS; i++) {
        struct usb_bytes bytes = usb_model_configuration(device, i);
        if (bytes.size >= 6 && bytes.data[5] == number)
            return bytes;
    }
    return (struct usb_bytes){0};
}

/* ---- Pipes ---- */

/* Tables 5-2 to 5-9: what a packet may be at each speed. */
static bool packet_fits(const struct usb_model *device, unsigned type, unsigned packet)
{
    bool power = packet && !(packet & (packet - 1));

    if (type == BB_USB_CONTROL)
        return device->running == BB_USB_LOW    ? packet == 8
               : device->running == BB_USB_HIGH ? packet == 64
                                                : power && packet >= 8 && packet <= 64;
    if (type == BB_USB_BULK)
        return device->running == BB_USB_LOW    ? false
               : device->running == BB_USB_HIGH ? packet == 512
                                                : power && packet >= 8 && packet <= 64;
    if (type == BB_USB_INTERRUPT)
        return packet >= 1 && packet <= (device->running == BB_USB_LOW    ? 8u
                                         : device->running == BB_USB_HIGH ? 1024u
                                                                          : 64u);
    return true;
}

static void open_pipe(struct usb_model *device, unsigned endpoint, unsigned type, unsigned packet,
                      unsigned interval, unsigned interface)
{
    struct usb_pipe *pipe = &device->pipes[endpoint >> 7 & 1][endpoint & 15];
    uint32_t count = pipe->count;

    usb_require(device, device->lenient || packet_fits(device, type, packet),
                "its descriptor of endpoint %#x has packets of %u", endpoint, packet);
    memset(pipe, 0, sizeof *pipe);
    pipe->exists = true;
    pipe->type = (uint8_t)type;
    pipe->packet = (uint16_t)(packet < USB_MODEL_PACKET ? packet : USB_MODEL_PACKET);
    pipe->interval = (uint8_t)interval;
    pipe->interface = (uint8_t)interface;
    pipe->count = count;
}

/* The endpoints of one interface's current setting, or of all. */
static void open_pipes(struct usb_model *device, int only)
{
    struct usb_bytes bytes = by_number(device, device->configuration);
    unsigned interface = 0;
    bool current = false;

    for (size_t at = 0; at + 2 <= bytes.size && bytes.data[at] >= 2; at += bytes.data[at]) {
        const uint8_t *text = bytes.data + at;
        if (at + text[0] > bytes.size)
            return;
        if (text[1] == BB_USB_INTERFACE_DESCRIPTOR && text[0] >= 9) {
            interface = text[2];
            current = interface < USB_MODEL_INTERFACES && text[3] == device->alternate[interface] &&
                      (only < 0 || (unsigned)only == interface);
        }
        if (text[1] == BB_USB_ENDPOINT_DESCRIPTOR && text[0] >= 7 && current && text[2] & 15)
            open_pipe(device, text[2], text[3] & 3u, bb_usb_u16(text + 4) & 0x7ffu, text[6],
                      interface);
    }
}

static void close_pipes(struct usb_model *device, int only)
{
    for (unsigned in = 0; in < 2; in++)
        for (unsigned i = 1; i < USB_MODEL_ENDPOINTS; i++)
            if (only < 0 || device->pipes[in][i].interface == only)
                device->pipes[in][i].exists = false;
}

void usb_model_configure(struct usb_model *device)
{
    unsigned packet = device->device.size >= 8 ? device->device.data[7] : 8;

    for (unsigned in = 0; in < 2; in++)
        open_pipe(device, in << 7, BB_USB_CONTROL, packet, 0, USB_MODEL_INTERFACES);
    close_pipes(device, -1);
    if (device->configuration)
        open_pipes(device, -1);
}

/* ---- Descriptors ---- */

static int copy(uint8_t *data, struct usb_bytes bytes)
{
    size_t size = bytes.size < USB_MODEL_CONTROL ? bytes.size : USB_MODEL_CONTROL;

    if (!bytes.data)
        return USB_HALT;
    memcpy(data, bytes.data, size);
    return (int)size;
}

static int string(const struct usb_model *device, unsigned index, unsigned language, uint8_t *data)
{
    static const uint8_t languages[] = {4, BB_USB_STRING_DESCRIPTOR, USB_WORD(0x0409)};

    if (index == 0)
        return copy(data, USB_BYTES(languages));
    if (index >= USB_MODEL_STRINGS || !device->strings[index])
        return USB_HALT;
    usb_require(device, language == 0x0409, "a string in language %#x", language);
    size_t count = strlen(device->strings[index]);
    data[0] = (uint8_t)(2 + 2 * count);
    data[1] = BB_USB_STRING_DESCRIPTOR;
    for (size_t i = 0; i < count; i++) {
        data[2 + 2 * i] = (uint8_t)device->strings[index][i];
        data[3 + 2 * i] = 0;
    }
    return data[0];
}

static int descriptor(const struct usb_model *device, const struct bb_usb_setup *setup,
                      uint8_t *data)
{
    unsigned index = setup->value & 0xff;

    switch (setup->value >> 8) {
    case BB_USB_DEVICE_DESCRIPTOR:
        usb_require(device, index == 0 && setup->index == 0, "device descriptor %u", index);
        return copy(data, device->device);
    case BB_USB_CONFIGURATION_DESCRIPTOR:
        usb_require(device, setup->index == 0, "a configuration in language %#x", setup->index);
        return copy(data, usb_model_configuration(device, index));
    case BB_USB_STRING_DESCRIPTOR:
        return string(device, index, setup->index, data);
    case QUALIFIER:
        return copy(data, device->qualifier);
    default:
        return USB_HALT;
    }
}

/* ---- Requests ---- */

static bool has_setting(const struct usb_model *device, unsigned interface, unsigned alternate)
{
    struct usb_bytes bytes = by_number(device, device->configuration);

    for (size_t at = 0; at + 2 <= bytes.size && bytes.data[at] >= 2; at += bytes.data[at])
        if (at + 9 <= bytes.size && bytes.data[at + 1] == BB_USB_INTERFACE_DESCRIPTOR &&
            bytes.data[at + 2] == interface && bytes.data[at + 3] == alternate)
            return true;
    return false;
}

static unsigned attributes(const struct usb_model *device)
{
    unsigned number = device->configuration;
    struct usb_bytes bytes =
        number ? by_number(device, number) : usb_model_configuration(device, 0);
    return bytes.size >= 8 ? bytes.data[7] : 0;
}

static int get_status(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data)
{
    const struct usb_pipe *pipe;

    usb_require(device, setup->value == 0 && setup->length == 2, "GET_STATUS with %#x, %u bytes",
                setup->value, setup->length);
    data[0] = data[1] = 0;
    switch (setup->request_type & 3) {
    case BB_USB_TO_DEVICE:
        data[0] = (uint8_t)((attributes(device) & SELF_POWERED ? 1 : 0) |
                            (device->remote_wakeup ? 2 : 0));
        return 2;
    case BB_USB_TO_ENDPOINT:
        pipe = usb_pipe_of(device, setup->index);
        if (!pipe)
            return USB_HALT;
        data[0] = pipe->halted;
        return 2;
    default:
        return device->configuration && has_setting(device, setup->index, 0) ? 2 : USB_HALT;
    }
}

static int feature(struct usb_model *device, const struct bb_usb_setup *setup, bool set)
{
    unsigned endpoint = setup->index & 0xff;
    struct usb_pipe *pipe = usb_pipe_of(device, endpoint);

    usb_require(device, setup->length == 0, "a feature with %u bytes", setup->length);
    if ((setup->request_type & 3) == BB_USB_TO_DEVICE && setup->value == REMOTE_WAKEUP &&
        attributes(device) & WAKES) {
        device->remote_wakeup = set;
        return 0;
    }
    if ((setup->request_type & 3) != BB_USB_TO_ENDPOINT || setup->value != ENDPOINT_HALT || !pipe)
        return USB_HALT;
    if (!(endpoint & 15))
        return 0;
    pipe->halted = set;
    if (!set) { /* 9.4.5 */
        pipe->toggle = 0;
        pipe->unacked = pipe->ping = false;
        if (device->unhalted)
            device->unhalted(device, endpoint);
    }
    return 0;
}

static int set_address(struct usb_model *device, const struct bb_usb_setup *setup)
{
    usb_require(device, setup->value < 128 && !setup->index && !setup->length,
                "SET_ADDRESS %u, index %u, %u bytes", setup->value, setup->index, setup->length);
    usb_require(device, !device->configuration, "SET_ADDRESS while it is configured (9.4.6)");
    device->new_address = (uint8_t)(setup->value | 0x80); /* from the status stage on */
    return 0;
}

static int set_configuration(struct usb_model *device, const struct bb_usb_setup *setup)
{
    usb_require(device, !setup->index && !setup->length && !(setup->value >> 8),
                "SET_CONFIGURATION %#x, index %u, %u bytes", setup->value, setup->index,
                setup->length);
    if (setup->value && !by_number(device, setup->value).data)
        return USB_HALT;
    device->configuration = (uint8_t)setup->value;
    memset(device->alternate, 0, sizeof device->alternate);
    usb_model_configure(device);
    if (device->configured)
        device->configured(device);
    return 0;
}

static int set_interface(struct usb_model *device, const struct bb_usb_setup *setup)
{
    if (!device->configuration || setup->index >= USB_MODEL_INTERFACES ||
        !has_setting(device, setup->index, setup->value))
        return USB_HALT;
    device->alternate[setup->index] = (uint8_t)setup->value;
    close_pipes(device, setup->index);
    open_pipes(device, setup->index);
    if (device->configured)
        device->configured(device);
    return 0;
}

int usb_model_standard(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data)
{
    bool to_host = setup->request_type & BB_USB_IN;

    if ((setup->request_type & 0x60) != BB_USB_STANDARD)
        return USB_HALT;
    usb_require(device,
                device->address || setup->request == BB_USB_GET_DESCRIPTOR ||
                    setup->request == BB_USB_SET_ADDRESS,
                "request %u before it has an address (9.4)", setup->request);
    usb_require(device, !setup->length || to_host || setup->request == SET_DESCRIPTOR,
                "request %u with a data stage OUT", setup->request);
    switch (setup->request) {
    case BB_USB_GET_STATUS:
        return to_host ? get_status(device, setup, data) : USB_HALT;
    case BB_USB_CLEAR_FEATURE:
    case BB_USB_SET_FEATURE:
        return feature(device, setup, setup->request == BB_USB_SET_FEATURE);
    case BB_USB_SET_ADDRESS:
        return set_address(device, setup);
    case BB_USB_GET_DESCRIPTOR:
        return to_host ? descriptor(device, setup, data) : USB_HALT;
    case BB_USB_GET_CONFIGURATION:
        data[0] = device->configuration;
        return 1;
    case BB_USB_SET_CONFIGURATION:
        return set_configuration(device, setup);
    case BB_USB_GET_INTERFACE:
        if (!device->configuration || setup->index >= USB_MODEL_INTERFACES ||
            !has_setting(device, setup->index, 0))
            return USB_HALT;
        data[0] = device->alternate[setup->index];
        return 1;
    case BB_USB_SET_INTERFACE:
        return set_interface(device, setup);
    default:
        return USB_HALT;
    }
}
