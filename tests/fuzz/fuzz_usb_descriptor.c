/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A USB device that libFuzzer thinks of: its descriptors, what each request comes to, and when it
 * is pulled out. Some of it may be made right, so that what lies behind is reached: then a driver
 * claims its interfaces, asks for everything, and sets every alternate setting. Whatever it says:
 * nothing of it is left when it is gone.
 *
 * Input: a byte of what is made right, a byte for the number of outcomes, these, 18 bytes of device
 * descriptor, a length and a string, the rest is the configuration. Run with -max_len=1024.
 */
#include "usb_machine.h"

enum {
    SPEED = 3,    /* of the first byte */
    DEVICE = 4,   /* the device descriptor is right, up to its class and names */
    LENGTHS = 8,  /* lengths and types of a configuration's head are right */
    TWO = 16,     /* there are two configurations, the same bytes for both */
    CHANGES = 32, /* a byte of a configuration is another one each time */
    MAX_OUTCOMES = 64,
};

static struct {
    uint8_t flags, asked;
    enum bb_usb_speed speed;
    uint8_t device[18];
    uint8_t string[256];
    size_t string_size;
    uint8_t configuration[1024];
    size_t configuration_size;
} now;

static void make_right(void)
{
    if (now.flags & DEVICE) {
        now.device[0] = 18, now.device[1] = BB_USB_DEVICE_DESCRIPTOR;
        now.device[7] = now.speed == BB_USB_LOW ? 8 : 64;
        now.device[17] = now.flags & TWO ? 2 : 1;
    }
    if (now.flags & LENGTHS && now.configuration_size >= 9) {
        now.configuration[0] = 9, now.configuration[1] = BB_USB_CONFIGURATION_DESCRIPTOR;
        now.configuration[2] = (uint8_t)now.configuration_size;
        now.configuration[3] = (uint8_t)(now.configuration_size >> 8);
        now.configuration[5] |= 1;
    }
}

static void give_descriptor(struct bb_usb_transfer *transfer)
{
    switch (transfer->setup.value >> 8) {
    case BB_USB_DEVICE_DESCRIPTOR:
        fill(transfer, now.device, sizeof(now.device));
        break;
    case BB_USB_CONFIGURATION_DESCRIPTOR:
        if (now.flags & CHANGES && now.configuration_size)
            now.configuration[now.asked++ % now.configuration_size]++;
        fill(transfer, now.configuration, now.configuration_size);
        break;
    default:
        fill(transfer, now.string, now.string_size);
        break;
    }
}

static int answer(struct bb_usb_transfer *transfer)
{
    static const int16_t outcomes[] = {-EPIPE, -EIO, -EOVERFLOW, 1, -ENODEV};
    uint8_t outcome = next_byte();
    transfer->actual = 0;
    if (outcome == 255)
        set_plugged(false, now.speed);
    if (outcome >= 256 - BB_ARRAY_SIZE(outcomes))
        return outcomes[outcome - (256 - BB_ARRAY_SIZE(outcomes))] == -ENODEV
                   ? 1
                   : outcomes[outcome - (256 - BB_ARRAY_SIZE(outcomes))];
    if (transfer->endpoint->type != BB_USB_CONTROL) {
        if (transfer->endpoint->address & BB_USB_IN)
            fill(transfer, now.string, now.string_size);
        else
            transfer->actual = transfer->length;
        return 0;
    }
    if (!(transfer->setup.request_type & BB_USB_IN)) {
        transfer->actual = transfer->length;
        return 0;
    }
    if (transfer->setup.request == BB_USB_GET_DESCRIPTOR)
        give_descriptor(transfer);
    else
        fill(transfer, now.string, now.string_size);
    if (outcome > 200)
        transfer->actual = transfer->actual * (outcome - 200u) / 64;
    return 0;
}

/* ---- A driver that asks for everything ---- */

struct greedy {
    struct bb_device device;
    struct bb_usb_interface *interface, *other;
};

/* What the bus hands out lies within what was read. */
static void look_at(const struct bb_usb_interface *interface)
{
    size_t length;
    const uint8_t *all = bb_usb_configuration(interface->device, &length);
    must(interface->descriptors >= all && length >= interface->descriptors_length &&
         interface->descriptors + interface->descriptors_length <= all + length);
    must(interface->endpoint_count <= BB_USB_ENDPOINTS);
    for (unsigned i = 0; i < interface->endpoint_count; i++) {
        const struct bb_usb_endpoint *endpoint = &interface->endpoints[i];
        must(endpoint->address & 15 && !(endpoint->address & 0x70) && endpoint->packet <= 1024);
        must(endpoint->packet || endpoint->type == BB_USB_ISOCHRONOUS);
        must(endpoint->interval >= 125 && endpoint->interval <= 256000);
        must(endpoint->multiple >= 1 && endpoint->multiple <= 3);
    }
    for (unsigned type = 0; type < 256; type++) {
        const uint8_t *found = bb_usb_descriptor(interface, type, (int)type % 16 - 1, 3);
        must(!found || (found[0] >= 3 && found + found[0] <= all + length));
    }
}

static void nothing(struct bb_usb_transfer *transfer)
{
    (void)transfer;
}

static int use(struct greedy *greedy, struct bb_usb_endpoint *endpoint)
{
    static struct bb_usb_transfer transfer;
    transfer = (struct bb_usb_transfer){.endpoint = endpoint,
                                        .data = bb_usb_alloc(&greedy->device, 100),
                                        .length = 100,
                                        .timeout = 10 * BB_MSEC,
                                        .done = nothing};
    return transfer.data ? bb_usb_run(&transfer) : -ENOMEM;
}

static int greedy_probe(struct bb_device *device)
{
    struct greedy *greedy = (struct greedy *)device;
    int error = bb_usb_claim(device, &greedy->interface);
    if (error)
        return error;
    const struct bb_usb_device *usb = greedy->interface->device;
    for (unsigned alternate = 0; alternate < 6; alternate++) {
        if (bb_usb_set_interface(greedy->interface, alternate) == 0)
            look_at(greedy->interface);
        for (unsigned i = 0; i < greedy->interface->endpoint_count; i++)
            if (use(greedy, &greedy->interface->endpoints[i]) == -EPIPE)
                (void)bb_usb_clear_halt(&greedy->interface->endpoints[i]);
    }
    for (unsigned i = 0; i < usb->interface_count; i++)
        if (bb_usb_claim_number(device, usb->interfaces[i].number, &greedy->other) == 0)
            look_at(greedy->other);
    return 0;
}

BB_DRIVER_FACELESS(test, greedy, .bus = &bb_usb_bus,
                   .match = BB_MATCH({"usbif,class0"}, {"usbif,class2"}, {"usbif,class3"},
                                     {"usbif,class8"}, {"usbif,class9"}, {"usbif,classa"},
                                     {"usbif,classff"}),
                   .probe = greedy_probe, .hotplug = true);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bb_driver *const drivers[] = {&bb_driver_test_greedy};
    make_machine(drivers, BB_ARRAY_SIZE(drivers));
    memset(&now, 0, sizeof(now));
    fuzz.at = data, fuzz.end = data + size;
    now.flags = next_byte();
    now.speed = (enum bb_usb_speed)((now.flags & SPEED) % 3);
    unsigned outcomes = next_byte() % MAX_OUTCOMES;
    const uint8_t *begin = fuzz.at;
    fuzz.at = begin + outcomes < fuzz.end ? begin + outcomes : fuzz.end;
    for (unsigned i = 0; i < sizeof(now.device); i++)
        now.device[i] = next_byte();
    now.string_size = next_byte();
    for (unsigned i = 0; i < now.string_size; i++)
        now.string[i] = next_byte();
    while (fuzz.at < fuzz.end && now.configuration_size < sizeof(now.configuration))
        now.configuration[now.configuration_size++] = next_byte();
    make_right();
    fuzz.at = begin;
    fuzz.end = begin + outcomes < fuzz.end ? begin + outcomes : fuzz.end;
    set_plugged(true, now.speed);
    bb_sleep(30 * BB_SEC);
    pull_out();
    return 0;
}
