/* SPDX-License-Identifier: BSD-2-Clause */
/* A USB network function by Remote NDIS ([MS-RNDIS]). */
#include "usb_network.h"

#include <string.h>

enum { NOTICES = 0x81, OUT = 0x02, IN = 0x82, BASE = 8, HEADER = 44 };
enum { PACKET = 1, INITIALIZE, HALT, QUERY, SET, RESET, STATUS, KEEPALIVE };
#define ANSWER 0x80000000u

static const uint8_t device_descriptor[] = {USB_DEVICE(2, 0, 0, 64, 0x1209, 0xec02, 1)};
static const uint8_t usual_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x57};

static struct model_rndis *of(struct usb_model *device)
{
    return device->context;
}

static void require(bool condition, const char *what, unsigned value)
{
    if (!condition)
        world_fail("usb rndis", "%s (%u)", what, value);
}

static uint32_t get(const uint8_t *at)
{
    return bb_usb_u32(at);
}

static void put(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

/* ---- Commands ---- */

void model_rndis_say(struct model_rndis *rndis, const void *message, uint32_t length)
{
    require(rndis->answer_count < 8, "nobody takes its answers", rndis->answer_count);
    unsigned at = (rndis->answer_first + rndis->answer_count++) % 8;
    require(length <= sizeof rndis->answers[at].data, "a long answer", length);
    memcpy(rndis->answers[at].data, message, length);
    rndis->answers[at].length = length;
    rndis->notices += !rndis->untold;
}

static void answer(struct model_rndis *rndis, uint8_t *message, uint32_t type, uint32_t number,
                   uint32_t length)
{
    if (rndis->mute)
        return;
    put(message, type | ANSWER);
    put(message + 4, length);
    put(message + 8, number);
    if (rndis->spoil)
        rndis->spoil(rndis, message, &length);
    model_rndis_say(rndis, message, length);
}

static void initialize(struct model_rndis *rndis, const uint8_t *message, uint32_t number)
{
    uint8_t reply[52] = {0};
    require(get(message + 4) == 24, "INITIALIZE's length", get(message + 4));
    require(get(message + 12) == 1 && get(message + 16) == 0, "its version", get(message + 12));
    rndis->host_room = get(message + 20);
    require(rndis->host_room >= HEADER + 1514, "room for no frame", rndis->host_room);
    rndis->initialized = true;
    put(reply + 16, 1);
    put(reply + 24, 1); /* connectionless */
    put(reply + 32, rndis->gather ? rndis->gather : 1);
    put(reply + 36, rndis->most ? rndis->most : 1580);
    answer(rndis, reply, INITIALIZE, number, sizeof reply);
}

static uint32_t object(struct model_rndis *rndis, uint32_t which, uint8_t *value)
{
    switch (which) {
    case 0x00010106:
        put(value, rndis->frame_size ? rndis->frame_size : 1500);
        return 4;
    case 0x00010114:
        put(value, rndis->disconnected);
        return 4;
    case 0x01010101:
        memcpy(value, memcmp(rndis->mac, "\0\0\0\0\0", 6) ? rndis->mac : usual_mac, 6);
        return 6;
    default:
        return 0;
    }
}

static void query(struct model_rndis *rndis, const uint8_t *message, uint32_t number)
{
    uint8_t reply[24 + 8] = {0};
    uint32_t which = get(message + 12), length = object(rndis, which, reply + 24);
    bool known = length && which != rndis->refuses;
    put(reply + 12, known ? 0 : 0xc00000bb); /* NOT_SUPPORTED */
    put(reply + 16, known ? length : 0);
    put(reply + 20, known ? 24 - BASE : 0);
    answer(rndis, reply, QUERY, number, 24 + (known ? length : 0));
}

static void set(struct model_rndis *rndis, const uint8_t *message, uint32_t number)
{
    uint8_t reply[16] = {0};
    uint32_t which = get(message + 12), length = get(message + 16), at = get(message + 20) + BASE;
    bool known = which == 0x0001010e || which == 0x01010103;
    require(at >= 28 && at + length == get(message + 4), "SET's information", at);
    if (which == 0x0001010e) {
        require(length == 4, "length of the filter", length);
        rndis->filter = get(message + at);
        require(!(rndis->filter & ~0x2fu), "bits of the filter", rndis->filter);
    } else if (which == 0x01010103 && which != rndis->refuses) {
        require(length % 6 == 0, "length of groups", length);
        rndis->groups = length / 6;
    }
    put(reply + 12, known && which != rndis->refuses ? 0 : 0xc00000bb);
    answer(rndis, reply, SET, number, sizeof reply);
}

static void obey(struct model_rndis *rndis, const uint8_t *message, uint32_t length)
{
    require(length >= 12 && get(message + 4) == length, "a message of another length", length);
    uint32_t type = get(message), number = get(message + 8);
    rndis->commands++;
    if (type == (KEEPALIVE | ANSWER)) {
        require(length == 16, "KEEPALIVE_CMPLT", length);
        rndis->keepalives++;
        return;
    }
    require(type == INITIALIZE || rndis->initialized, "before INITIALIZE", type);
    if (type == INITIALIZE)
        initialize(rndis, message, number);
    else if (type == QUERY && length >= 28)
        query(rndis, message, number);
    else if (type == SET && length >= 28)
        set(rndis, message, number);
    else if (type == HALT) {
        rndis->initialized = false;
        rndis->halts++;
    } else
        require(false, "a message that it does not have", type);
}

static int control(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_rndis *rndis = of(device);
    if ((setup->request_type & 0x60) != BB_USB_CLASS)
        return USB_OTHER;
    require((setup->request_type & 0x1f) == BB_USB_TO_INTERFACE && setup->index == 0 &&
                setup->value == 0,
            "recipient", setup->index);
    if (!(setup->request_type & BB_USB_IN)) {
        require(setup->request == 0, "a request that it does not have", setup->request);
        obey(rndis, data, setup->length);
        return 0;
    }
    require(setup->request == 1, "a request that it does not have", setup->request);
    if (!rndis->answer_count) {
        data[0] = 0;
        return 1;
    }
    unsigned at = rndis->answer_first++ % 8;
    rndis->answer_count--;
    memcpy(data, rndis->answers[at].data, rndis->answers[at].length);
    return (int)rndis->answers[at].length;
}

/* ---- Frames ---- */

/* Puts what waits into one transfer. */
static void gather(struct model_rndis *rndis)
{
    struct network_frame *frame;
    unsigned most = rndis->gather ? rndis->gather : 1;
    for (unsigned i = 0; i < most && (frame = usb_network_next(&rndis->network)); i++) {
        uint8_t *at = rndis->in.data + rndis->in.length;
        uint32_t size = HEADER + frame->length + rndis->pad;
        if (rndis->in.length + size > rndis->host_room)
            break;
        memset(at, 0, size);
        put(at, PACKET);
        put(at + 4, size);
        put(at + 8, HEADER - BASE);
        put(at + 12, frame->length);
        memcpy(at + HEADER, frame->data, frame->length);
        rndis->in.length += size;
        usb_network_drop(&rndis->network);
    }
}

bool model_rndis_raw(struct model_rndis *rndis, const void *data, uint32_t length)
{
    if (rndis->in.length || rndis->sent)
        return false;
    require(length <= NETWORK_MESSAGE, "a long transfer", length);
    memcpy(rndis->in.data, data, length);
    rndis->in.length = length;
    return true;
}

static int in(struct usb_model *device, unsigned endpoint, uint8_t *data)
{
    struct model_rndis *rndis = of(device);
    if (endpoint == NOTICES) {
        memcpy(data, "\1\0\0\0\0\0\0", 8);
        return rndis->notices ? 8 : USB_WAIT;
    }
    if (!rndis->in.length && rndis->filter)
        gather(rndis);
    if (!rndis->in.length)
        return USB_WAIT;
    uint32_t left = rndis->in.length - rndis->sent, packet = usb_pipe_of(device, endpoint)->packet;
    rndis->given = left < packet ? left : packet;
    memcpy(data, rndis->in.data + rndis->sent, rndis->given);
    return (int)rndis->given;
}

static void sent(struct usb_model *device, unsigned endpoint)
{
    struct model_rndis *rndis = of(device);
    if (endpoint == NOTICES) {
        rndis->notices--;
        return;
    }
    rndis->sent += rndis->given;
    if (rndis->given < usb_pipe_of(device, endpoint)->packet ||
        (rndis->endless && rndis->sent == rndis->in.length))
        rndis->in.length = rndis->sent = 0;
}

/* The host may leave out the empty packet where it adds a byte instead: a message's end is known.
 */
static int out(struct usb_model *device, unsigned endpoint, const uint8_t *data, unsigned length)
{
    struct model_rndis *rndis = of(device);
    require(rndis->filter != 0, "a frame before it has a filter", length);
    require(rndis->out.length + length <= NETWORK_MESSAGE, "a transfer without end", length);
    memcpy(rndis->out.data + rndis->out.length, data, length);
    rndis->out.length += length;
    if (length == usb_pipe_of(device, endpoint)->packet)
        return 0;
    const uint8_t *message = rndis->out.data;
    uint32_t all = rndis->out.length;
    rndis->out.length = 0;
    require(all >= HEADER && get(message) == PACKET && get(message + 4) == all, "a packet message",
            all);
    uint32_t offset = get(message + 8) + BASE, size = get(message + 12);
    require(offset >= HEADER && offset + size <= all && all - offset - size <= 1, "its data",
            offset);
    for (unsigned i = 16; i < HEADER; i += 4)
        require(get(message + i) == 0, "a field that must be zero", i);
    usb_network_send(&rndis->network, message + offset, size);
    return 0;
}

static void configured(struct usb_model *device)
{
    struct model_rndis *rndis = of(device);
    rndis->initialized = false;
    rndis->filter = 0;
    rndis->answer_count = rndis->notices = 0;
    rndis->in.length = rndis->out.length = rndis->sent = 0;
}

static void unhalted(struct usb_model *device, unsigned endpoint)
{
    if (endpoint == OUT)
        of(device)->out.length = 0;
}

void model_rndis_make(struct model_rndis *rndis)
{
    unsigned packet = rndis->packet ? rndis->packet : 64;
    const uint8_t bytes[] = {
        USB_CONFIGURATION(sizeof rndis->configuration, 2, 1, 50),
        USB_INTERFACE(0, 0, 1, 2, 2, 0xff),
        5,
        0x24,
        0x00,
        USB_WORD(0x0110),
        5,
        0x24,
        0x06,
        0,
        1,
        USB_ENDPOINT(NOTICES, BB_USB_INTERRUPT, 8, 8),
        9,
        4,
        1,
        0,
        2,
        10,
        0,
        0,
        0,
        USB_ENDPOINT(OUT, BB_USB_BULK, packet, 0),
        USB_ENDPOINT(IN, BB_USB_BULK, packet, 0),
        5,
        0x24,
        0x01,
        0,
        1, /* something that is no concern of ours */
        4,
        0x24,
        0x02,
        0,
    };
    _Static_assert(sizeof bytes == sizeof rndis->configuration, "total length");
    memcpy(rndis->configuration, bytes, sizeof bytes);
    rndis->usb = (struct usb_model){
        .name = "rndis",
        .speed = BB_USB_FULL,
        .device = USB_BYTES(device_descriptor),
        .configurations = {USB_BYTES(rndis->configuration)},
        .strings = {[1] = "Busbar", [2] = "RNDIS", [3] = "1"},
        .control = control,
        .in = in,
        .sent = sent,
        .out = out,
        .configured = configured,
        .unhalted = unhalted,
        .context = rndis,
    };
}

void model_rndis_link(struct model_rndis *rndis, bool up)
{
    uint8_t message[20] = {0};
    put(message, STATUS);
    put(message + 4, sizeof message);
    put(message + 8, up ? 0x4001000b : 0x4001000c);
    model_rndis_say(rndis, message, sizeof message);
}
