/* SPDX-License-Identifier: BSD-2-Clause */
/* A USB network function by the Ethernet Control Model (USB CDC 1.2, ECM 1.2). */
#include "usb_network.h"

#include <string.h>

enum { NOTICES = 0x81, OUT = 0x02, IN = 0x82, DATA = 1 };
enum { SET_MULTICAST_FILTERS = 0x40, SET_PACKET_FILTER = 0x43 };

static const uint8_t device_descriptor[] = {USB_DEVICE(2, 0, 0, 64, 0x1209, 0xec01, 1)};
static const uint8_t qualifier[] = {USB_QUALIFIER(2, 0, 0, 64, 1)};

static struct model_ecm *of(struct usb_model *device)
{
    return device->context;
}

static void require(bool condition, const char *what, unsigned value)
{
    if (!condition)
        world_fail("usb ecm", "%s (%u)", what, value);
}

static int control(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_ecm *ecm = of(device);
    if ((setup->request_type & 0x60) != BB_USB_CLASS)
        return USB_OTHER;
    require(setup->request_type == (BB_USB_CLASS | BB_USB_TO_INTERFACE), "direction or recipient",
            setup->request_type);
    require(setup->index == 0, "to the control interface", setup->index);
    require(device->configuration == 1, "before it is configured", setup->request);
    if (ecm->stalls_filter)
        return USB_HALT;
    if (setup->request == SET_PACKET_FILTER) {
        require(setup->length == 0, "a filter with data", setup->length);
        require(!(setup->value & ~0x1fu), "reserved bits of the filter", setup->value);
        ecm->filter = setup->value;
        ecm->filter_requests++;
        return 0;
    }
    require(setup->request == SET_MULTICAST_FILTERS, "a request that it does not have",
            setup->request);
    require(setup->length == setup->value * 6, "groups and length", setup->length);
    require(setup->value <= ecm->filters, "more groups than it has", setup->value);
    memcpy(ecm->groups, data, setup->length);
    ecm->group_count = setup->value;
    return 0;
}

static int in_notice(struct model_ecm *ecm, uint8_t *data)
{
    if (!ecm->notice_count)
        return USB_WAIT;
    unsigned at = ecm->notice_first % 4, left = ecm->notice_sizes[at] - ecm->notice_sent;
    unsigned packet = usb_pipe_of(&ecm->usb, NOTICES)->packet;
    ecm->notice_given = (uint8_t)(left < packet ? left : packet);
    memcpy(data, ecm->notices[at] + ecm->notice_sent, ecm->notice_given);
    return ecm->notice_given;
}

static int in(struct usb_model *device, unsigned endpoint, uint8_t *data)
{
    struct model_ecm *ecm = of(device);
    if (endpoint == NOTICES)
        return in_notice(ecm, data);
    struct network_frame *frame = usb_network_next(&ecm->network);
    if (!frame)
        return USB_WAIT;
    uint32_t left = frame->length - ecm->sent, packet = usb_pipe_of(device, endpoint)->packet;
    ecm->given = left < packet ? left : packet;
    memcpy(data, frame->data + ecm->sent, ecm->given);
    return (int)ecm->given;
}

static void sent(struct usb_model *device, unsigned endpoint)
{
    struct model_ecm *ecm = of(device);
    if (endpoint == NOTICES) {
        ecm->notice_sent = (uint8_t)(ecm->notice_sent + ecm->notice_given);
        if (ecm->notice_sent < ecm->notice_sizes[ecm->notice_first % 4])
            return;
        ecm->notice_sent = 0;
        ecm->notice_first++;
        ecm->notice_count--;
        return;
    }
    ecm->sent += ecm->given;
    if (ecm->given == usb_pipe_of(device, endpoint)->packet)
        return; /* a short packet ends the frame, an empty one too */
    ecm->sent = 0;
    usb_network_drop(&ecm->network);
}

static int out(struct usb_model *device, unsigned endpoint, const uint8_t *data, unsigned length)
{
    struct model_ecm *ecm = of(device);
    require(ecm->out.length + length <= NETWORK_FRAME, "a frame without an end", ecm->out.length);
    memcpy(ecm->out.data + ecm->out.length, data, length);
    ecm->out.length += length;
    if (length < usb_pipe_of(device, endpoint)->packet) {
        usb_network_send(&ecm->network, ecm->out.data, ecm->out.length);
        ecm->out.length = 0;
    }
    return 0;
}

static void configured(struct usb_model *device)
{
    struct model_ecm *ecm = of(device);
    ecm->out.length = ecm->sent = ecm->given = 0;
    ecm->filter = 0;
}

/* A transfer that was cut off is not gone on with. */
static void unhalted(struct usb_model *device, unsigned endpoint)
{
    struct model_ecm *ecm = of(device);
    if (endpoint == OUT)
        ecm->out.length = 0;
}

void model_ecm_make(struct model_ecm *ecm)
{
    uint16_t segment = ecm->segment ? ecm->segment : 1514, packet = ecm->quick ? 512 : 64;
    const uint8_t bytes[] = {
        USB_CONFIGURATION(sizeof ecm->configuration, 2, 1, 50),
        USB_INTERFACE(0, 0, 1, 2, 6, 0),
        5,
        0x24,
        0x00,
        USB_WORD(0x0120),
        5,
        0x24,
        0x06,
        0,
        DATA,
        13,
        0x24,
        0x0f,
        4,
        0,
        0,
        0,
        0,
        USB_WORD(segment),
        USB_WORD(ecm->filters),
        0,
        USB_ENDPOINT(NOTICES, BB_USB_INTERRUPT, 8, 8),
        USB_INTERFACE(DATA, 0, 0, 10, 0, 0),
        USB_INTERFACE(DATA, 1, 2, 10, 0, 0),
        USB_ENDPOINT(OUT, BB_USB_BULK, packet, 0),
        USB_ENDPOINT(IN, BB_USB_BULK, packet, 0),
    };
    _Static_assert(sizeof bytes == sizeof ecm->configuration, "total length");
    memcpy(ecm->configuration, bytes, sizeof bytes);
    ecm->usb = (struct usb_model){
        .name = "ecm",
        .speed = ecm->quick ? BB_USB_HIGH : BB_USB_FULL,
        .device = USB_BYTES(device_descriptor),
        .configurations = {USB_BYTES(ecm->configuration)},
        .qualifier = ecm->quick ? USB_BYTES(qualifier) : (struct usb_bytes){0},
        .strings =
            {[1] = "Busbar", [2] = "ECM", [3] = "1", [4] = ecm->mac ? ecm->mac : "525400123456"},
        .control = control,
        .in = in,
        .sent = sent,
        .out = out,
        .configured = configured,
        .unhalted = unhalted,
        .context = ecm,
    };
}

static uint8_t *notice(struct model_ecm *ecm, uint8_t size)
{
    if (ecm->notice_count == 4)
        world_fail("usb ecm", "nobody takes its notifications");
    unsigned at = (ecm->notice_first + ecm->notice_count++) % 4;
    memset(ecm->notices[at], 0, 16);
    ecm->notice_sizes[at] = size;
    ecm->notices[at][0] = 0xa1;
    return ecm->notices[at];
}

void model_ecm_link(struct model_ecm *ecm, bool up)
{
    notice(ecm, 8)[2] = up;
}

void model_ecm_speed(struct model_ecm *ecm, uint32_t up, uint32_t down)
{
    uint8_t *at = notice(ecm, 16);
    at[1] = 0x2a;
    at[6] = 8;
    memcpy(at + 8, &down, 4);
    memcpy(at + 12, &up, 4);
}
