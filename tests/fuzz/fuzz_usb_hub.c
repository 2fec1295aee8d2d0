/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A USB hub that libFuzzer thinks of: its hub descriptor, what it says of itself and of its ports,
 * which changes it tells of, and which of its requests fail. What is plugged into it is another
 * such hub. Whatever it says: it is left alone in the end, and nothing is left of it when it goes.
 *
 * Input: a byte of flags, a byte for the length of the hub descriptor, that descriptor, the rest is
 * what requests come to. Run with -max_len=512.
 */
#include "usb_machine.h"

enum { PORTS = 1, FAST = 2 }; /* flags: the number of ports is right; high speed */

static struct {
    uint8_t descriptor[71];
    size_t descriptor_size;
    uint8_t configuration[25];
    unsigned answers;
} now;

extern const struct bb_driver bb_driver_usb_hub;

/* Statuses that a port may have, so that one leads to another; or any. */
static void give_status(struct bb_usb_transfer *transfer)
{
    uint8_t byte = next_byte(), status[4] = {0, 1, 0, 0};
    switch (byte & 3) {
    case 0: /* nothing new */
        status[0] = byte & 0x80 ? 3 : 0;
        break;
    case 1: /* something is plugged in, was reset, works */
        status[0] = 3;
        status[1] = (uint8_t)(1 | (byte >> 2 & 6));
        status[2] = byte >> 5;
        break;
    case 2: /* was pulled out, or draws too much */
        status[0] = byte >> 4 & 8;
        status[2] = (uint8_t)(1 | (byte >> 4 & 8));
        status[1] = byte >> 4 & 1;
        break;
    default:
        for (unsigned i = 0; i < 4; i++)
            status[i] = next_byte();
    }
    fill(transfer, status, 4);
}

static int control(struct bb_usb_transfer *transfer)
{
    static const uint8_t device[18] = {18, 1, 0, 2, 9, 0, 2, 64, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1};
    const struct bb_usb_setup *setup = &transfer->setup;
    if (!(setup->request_type & BB_USB_IN)) {
        transfer->actual = transfer->length;
        return 0;
    }
    if (setup->request == BB_USB_GET_DESCRIPTOR && setup->value >> 8 == BB_USB_DEVICE_DESCRIPTOR)
        fill(transfer, device, sizeof(device));
    else if (setup->request == BB_USB_GET_DESCRIPTOR &&
             setup->value >> 8 == BB_USB_CONFIGURATION_DESCRIPTOR)
        fill(transfer, now.configuration, sizeof(now.configuration));
    else if (setup->request == BB_USB_GET_DESCRIPTOR)
        fill(transfer, now.descriptor, now.descriptor_size);
    else if (setup->request == BB_USB_GET_STATUS)
        give_status(transfer);
    else
        return -EPIPE;
    return 0;
}

/* When nothing more is to come, ports show nothing and no change is told of. */
static int answer(struct bb_usb_transfer *transfer)
{
    uint8_t bits[2];
    transfer->actual = 0;
    bool over = fuzz.at >= fuzz.end;
    must(now.answers++ < 100000);
    if (transfer->endpoint->type == BB_USB_CONTROL) {
        uint8_t outcome = over || !transfer->endpoint->device->address ? 0 : next_byte();
        if (outcome > 252)
            return (int[]){-EPIPE, -EIO, 1}[outcome - 253];
        return control(transfer);
    }
    if (over)
        return 1;
    uint8_t count = next_byte();
    if (count > 250)
        return (int[]){-EPIPE, -EIO, -EOVERFLOW, 1, 1}[count - 251];
    bits[0] = next_byte(), bits[1] = next_byte();
    fill(transfer, bits, count % 3);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bb_driver *const drivers[] = {&bb_driver_usb_hub};
    make_machine(drivers, BB_ARRAY_SIZE(drivers));
    memset(&now, 0, sizeof(now));
    fuzz.at = data, fuzz.end = data + size;
    uint8_t flags = next_byte();
    now.descriptor_size = next_byte() % (sizeof(now.descriptor) + 1);
    for (size_t i = 0; i < now.descriptor_size; i++)
        now.descriptor[i] = next_byte();
    if (flags & PORTS) {
        now.descriptor_size = sizeof(now.descriptor);
        now.descriptor[0] = 9, now.descriptor[1] = BB_USB_HUB_DESCRIPTOR;
        now.descriptor[2] = (uint8_t)(now.descriptor[2] % BB_USB_HUB_PORTS + 1);
    }
    const uint8_t configuration[25] = {USB_CONFIGURATION(25, 1, 1, 0),
                                       USB_INTERFACE(0, 0, 1, 9, 0, 0),
                                       USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 2, 12)};
    memcpy(now.configuration, configuration, sizeof(configuration));
    set_plugged(true, flags & FAST ? BB_USB_HIGH : BB_USB_FULL);
    bb_sleep(60 * BB_SEC);
    fuzz.at = fuzz.end;
    bb_sleep(10 * BB_SEC);
    pull_out();
    return 0;
}
