/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop-back device of no class (USB 2.0, chapter 9). */
#include "usb_loop.h"

#include <string.h>

static int loop_control(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_loop *loop = usb->context;
    uint32_t end = (uint32_t)setup->value + setup->length;

    if ((setup->request_type & 0x60) != BB_USB_VENDOR)
        return USB_OTHER;
    if (end > sizeof loop->memory)
        return USB_HALT;
    if (setup->request == LOOP_READ && setup->request_type & BB_USB_IN) {
        memcpy(data, loop->memory + setup->value, setup->length);
        return setup->length;
    }
    if (setup->request != LOOP_WRITE || setup->request_type & BB_USB_IN)
        return USB_HALT;
    memcpy(loop->memory + setup->value, data, setup->length);
    return 0;
}

static int loop_in(struct usb_model *usb, unsigned endpoint, uint8_t *data)
{
    struct model_loop *loop = usb->context;

    if (endpoint == 0x82) {
        if (!loop->news)
            return USB_WAIT;
        memcpy(data, &loop->count, 4);
        return 4;
    }
    if (!loop->count || loop->silent)
        return USB_WAIT;
    memcpy(data, loop->packets[loop->first], loop->lengths[loop->first]);
    return loop->lengths[loop->first];
}

static void loop_sent(struct usb_model *usb, unsigned endpoint)
{
    struct model_loop *loop = usb->context;

    if (endpoint == 0x82) {
        loop->news--;
        return;
    }
    loop->returned += loop->lengths[loop->first];
    loop->first = (loop->first + 1) % MODEL_LOOP_PACKETS;
    loop->count--;
}

static int loop_out(struct usb_model *usb, unsigned endpoint, const uint8_t *data, unsigned length)
{
    struct model_loop *loop = usb->context;
    unsigned at = (loop->first + loop->count) % MODEL_LOOP_PACKETS;

    (void)endpoint;
    if (loop->count >= loop->room)
        return USB_WAIT;
    memcpy(loop->packets[at], data, length);
    loop->lengths[at] = (uint16_t)length;
    loop->received += length;
    loop->count++;
    return loop->nyet && loop->count == loop->room;
}

static bool loop_ready(struct usb_model *usb, unsigned endpoint)
{
    const struct model_loop *loop = usb->context;

    (void)endpoint;
    return loop->count < loop->room;
}

static void loop_was_reset(struct usb_model *usb)
{
    struct model_loop *loop = usb->context;

    loop->count = loop->first = 0;
}

/* What was sent into a configuration or a setting that goes is lost. */
static void loop_configured(struct usb_model *usb)
{
    loop_was_reset(usb);
}

/* Low speed has no bulk endpoints (5.8.3): interrupt ones take their place. */
static void describe(uint8_t *configuration, enum bb_usb_speed speed)
{
    bool fast = speed == BB_USB_HIGH, slow = speed == BB_USB_LOW;
    unsigned packet = fast ? 512 : slow ? 8 : 64;
    uint8_t type = slow ? BB_USB_INTERRUPT : BB_USB_BULK, interval = slow ? 10 : 0;
    const uint8_t bytes[LOOP_CONFIGURATION] = {
        USB_CONFIGURATION(LOOP_CONFIGURATION, 1, 1, 50),
        USB_INTERFACE(0, 0, 3, 0xff, 0, 0),
        USB_ENDPOINT(0x01, type, packet, interval),
        USB_ENDPOINT(0x81, type, packet, interval),
        USB_ENDPOINT(0x82, BB_USB_INTERRUPT, 8, fast ? 4 : 10),
    };

    memcpy(configuration, bytes, sizeof bytes);
}

void model_loop_init(struct model_loop *loop, const char *name, enum bb_usb_speed speed)
{
    uint8_t packet = speed == BB_USB_LOW ? 8 : 64;
    const uint8_t device[] = {USB_DEVICE(0, 0, 0, packet, LOOP_VENDOR, LOOP_PRODUCT, 1)};
    static const uint8_t qualifier[] = {USB_QUALIFIER(0, 0, 0, 64, 1)};

    *loop = (struct model_loop){.room = MODEL_LOOP_PACKETS};
    memcpy(loop->device_descriptor, device, sizeof device);
    describe(loop->configuration, speed);
    describe(loop->slow_configuration, BB_USB_FULL);
    loop->usb = (struct usb_model){
        .name = name,
        .speed = (uint8_t)speed,
        .device = USB_BYTES(loop->device_descriptor),
        .configurations = {USB_BYTES(loop->configuration)},
        .slow_configurations = {USB_BYTES(loop->slow_configuration)},
        .strings = {NULL, "Busbar", "Loop", "0001"},
        .control = loop_control,
        .in = loop_in,
        .sent = loop_sent,
        .out = loop_out,
        .ready = loop_ready,
        .configured = loop_configured,
        .was_reset = loop_was_reset,
        .context = loop,
    };
    if (speed == BB_USB_HIGH)
        loop->usb.qualifier = USB_BYTES(qualifier);
}
