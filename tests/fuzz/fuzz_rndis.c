/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net/usb_rndis with a device that libFuzzer thinks of: what commands are answered, which fields of
 * right answers are wrong, what transfers with frames in them say, which of them fail, what it says
 * unasked. Whatever it does: every frame lies within what came, every buffer is back when the
 * device is closed, and nothing is left of it when it goes.
 *
 * Input: a byte of flags, the rest is what transfers come to. Run with -max_len=2048.
 */
#include "usb_machine.h"

#include <busbar/net.h>

enum { FAST = 1, HONEST = 2, EARLY = 4 }; /* flags: high speed; right commands; pulled while open */
enum { POOL = 64, PACKET = 1, HEADER = 44, MOST_ROUNDS = 400 };
#define ANSWER 0x80000000u

static struct {
    uint8_t flags;
    uint8_t configuration[62];
    uint32_t type, number, object; /* of the last command */
    bool commanded;                /* and its answer is not fetched */
    unsigned answers;
} now;

extern const struct bb_driver bb_driver_net_usb_rndis;

static uint32_t next_word(void)
{
    uint32_t word = 0;
    for (unsigned i = 0; i < 4; i++)
        word |= (uint32_t)next_byte() << 8 * i;
    return word;
}

static void put(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

/* A right answer to the last command; its length. */
static uint32_t right_answer(uint8_t *to)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    memset(to, 0, 64);
    put(to, now.type | ANSWER);
    put(to + 8, now.number);
    uint32_t length = 16;
    if (now.type == 2) {
        put(to + 36, 1580);
        length = 52;
    } else if (now.type == 4) {
        put(to + 16, now.object == 0x01010101 ? 6 : 4);
        put(to + 20, 16);
        memcpy(to + 24, mac, 6);
        if (now.object != 0x01010101)
            put(to + 24, now.object == 0x00010106 ? 1500 : 0);
        length = 30;
    }
    put(to + 4, length);
    return length;
}

/* Right, with a field that is not, or just bytes. */
static void answer_command(struct bb_usb_transfer *transfer)
{
    uint8_t message[256], how = now.flags & HONEST || fuzz.at >= fuzz.end ? 0 : next_byte();
    uint32_t length = right_answer(message);
    if (!now.commanded)
        length = 1;
    now.commanded = false;
    if (how >= 0xc0) {
        length = next_byte();
        for (uint32_t i = 0; i < length; i++)
            message[i] = next_byte();
    } else if (how >= 0x80) {
        put(message + (how & 15u) * 4, next_word());
    } else if (how >= 0x70) {
        length = length * (how & 15u) / 16;
    }
    fill(transfer, message, length);
}

static int control(struct bb_usb_transfer *transfer)
{
    static const uint8_t device[18] = {18, 1, 0, 2, 2, 0, 0, 64, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1};
    const struct bb_usb_setup *setup = &transfer->setup;
    const uint8_t *data = transfer->data;
    bool class = (setup->request_type & 0x60) == BB_USB_CLASS;
    if (class && !(setup->request_type & BB_USB_IN)) {
        must(transfer->length >= 12 && bb_usb_u32(data + 4) == transfer->length);
        now.type = bb_usb_u32(data);
        now.number = bb_usb_u32(data + 8);
        now.object = transfer->length >= 16 ? bb_usb_u32(data + 12) : 0;
        now.commanded = !(now.type & ANSWER);
    }
    transfer->actual = transfer->length;
    if (!(setup->request_type & BB_USB_IN))
        return 0;
    if (class)
        answer_command(transfer);
    else if (setup->request == BB_USB_GET_DESCRIPTOR &&
             setup->value >> 8 == BB_USB_DEVICE_DESCRIPTOR)
        fill(transfer, device, sizeof(device));
    else if (setup->request == BB_USB_GET_DESCRIPTOR &&
             setup->value >> 8 == BB_USB_CONFIGURATION_DESCRIPTOR)
        fill(transfer, now.configuration, sizeof(now.configuration));
    else {
        transfer->actual = 0;
        return -EPIPE;
    }
    return 0;
}

/* Messages one behind the other; of some a field of the header is wrong. */
static void give_frames(struct bb_usb_transfer *transfer)
{
    uint8_t bytes[4096];
    uint32_t used = 0;
    for (unsigned count = next_byte() % 8; count && used + HEADER + 1700 <= sizeof(bytes);
         count--) {
        uint8_t what = next_byte();
        uint32_t length = what & 0x40 ? 1400u + next_byte() : 14u + (what & 63u) * 3;
        memset(bytes + used, what, HEADER + length);
        put(bytes + used, PACKET);
        put(bytes + used + 4, HEADER + length);
        put(bytes + used + 8, HEADER - 8);
        put(bytes + used + 12, length);
        if (what & 0x80)
            put(bytes + used + (next_byte() & 3u) * 4, next_word());
        used += HEADER + length;
    }
    uint8_t cut = next_byte();
    fill(transfer, bytes, cut & 1 ? used * cut / 256 : used);
}

static int bulk_in(struct bb_usb_transfer *transfer)
{
    uint8_t bytes[256], how = next_byte();
    if (how >= 250)
        return (int[]){-EPIPE, -EIO, -EOVERFLOW, -EIO, 1, 1}[how - 250];
    if (how & 1) {
        give_frames(transfer);
        return 0;
    }
    for (unsigned i = 0; i < how; i++)
        bytes[i] = next_byte();
    fill(transfer, bytes, how);
    return 0;
}

static int answer(struct bb_usb_transfer *transfer)
{
    static const uint8_t available[8] = {1};
    bool over = fuzz.at >= fuzz.end;
    const struct bb_usb_endpoint *endpoint = transfer->endpoint;
    transfer->actual = 0;
    must(now.answers++ < 100000);
    if (endpoint->type == BB_USB_CONTROL) {
        bool quiet = over || !now.configuration[0] || !endpoint->device->configuration;
        uint8_t outcome = quiet || now.flags & HONEST ? 0 : next_byte();
        if (outcome > 252)
            return (int[]){-EPIPE, -EIO, 1}[outcome - 253];
        return control(transfer);
    }
    if (!(endpoint->address & BB_USB_IN)) {
        const uint8_t *data = transfer->data;
        must(transfer->length >= HEADER + 14 && bb_usb_u32(data + 4) == transfer->length);
        transfer->actual = transfer->length;
        uint8_t outcome = next_byte();
        return outcome > 252 ? (int[]){-EPIPE, -EIO, 1}[outcome - 253] : 0;
    }
    if (over)
        return 1;
    if (endpoint->type == BB_USB_BULK)
        return bulk_in(transfer);
    uint8_t tells = next_byte();
    if (tells > 240)
        return tells > 248 ? -EPIPE : -EIO;
    if (tells & 3)
        return 1;
    now.commanded |= tells == 0x44; /* something unasked: the last answer again */
    fill(transfer, available, tells >> 4);
    return 0;
}

static void exchange(struct bb_net *net)
{
    struct bb_buffer *frames[8];
    int count = bb_net_receive(net, 0, frames, 8);
    for (int i = 0; i < count; i++) {
        must(frames[i]->length >= 14 && frames[i]->length <= net->mtu + 14u);
        uint8_t *copy = malloc(frames[i]->length);
        memcpy(copy, frames[i]->data, frames[i]->length);
        free(copy);
        if (bb_net_refill(net, 0, &frames[i], 1) != 1)
            bb_buffer_put(frames[i]);
    }
    count = bb_net_sent(net, 0, frames, 8);
    for (int i = 0; i < count; i++)
        bb_buffer_put(frames[i]);
    frames[0] = bb_buffer_get();
    if (!frames[0])
        return;
    frames[0]->length = 14 + now.answers * 31 % 1400;
    if (bb_net_send(net, 0, frames, 1) != 1)
        bb_buffer_put(frames[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bb_driver *const drivers[] = {&bb_driver_net_usb_rndis};
    static struct bb_net_client client;
    make_machine(drivers, BB_ARRAY_SIZE(drivers));
    must(bb_buffer_pool(POOL) == 0);
    memset(&now, 0, sizeof(now));
    fuzz.at = data, fuzz.end = data + size;
    now.flags = next_byte();
    uint16_t packet = now.flags & FAST ? 512 : 64;
    const uint8_t bytes[] = {USB_CONFIGURATION(sizeof(now.configuration), 2, 1, 0),
                             USB_INTERFACE(0, 0, 1, 2, 2, 0xff),
                             5,
                             0x24,
                             6,
                             0,
                             1,
                             USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 9),
                             USB_INTERFACE(1, 0, 2, 10, 0, 0),
                             USB_ENDPOINT(0x02, BB_USB_BULK, packet, 0),
                             USB_ENDPOINT(0x82, BB_USB_BULK, packet, 0),
                             5,
                             0x24,
                             0,
                             0x10,
                             1,
                             4,
                             0x24,
                             2,
                             0};
    _Static_assert(sizeof(bytes) == sizeof(now.configuration), "");
    memcpy(now.configuration, bytes, sizeof(bytes));
    set_plugged(true, now.flags & FAST ? BB_USB_HIGH : BB_USB_FULL);
    bb_sleep(10 * BB_SEC);
    struct bb_net *net = bb_net_first();
    if (net && bb_net_open(net, &client) == 0) {
        now.flags &= (uint8_t)~HONEST;
        for (unsigned i = 0; i < MOST_ROUNDS && fuzz.at < fuzz.end && !net->failed; i++) {
            exchange(net);
            if (i % 16 == 15)
                (void)bb_net_set_filter(net, &(struct bb_net_filter){.promiscuous = i & 16});
            bb_sleep(5 * BB_MSEC);
        }
        if (now.flags & EARLY) {
            set_plugged(false, BB_USB_LOW);
            bb_sleep(BB_SEC);
        }
        bb_net_close(net);
    }
    fuzz.at = fuzz.end;
    bb_sleep(BB_SEC);
    /* A handle that was put late keeps its slot until the next one is taken. */
    struct bb_slot *slot = bb_slot_take(&fuzz.host->usb_host.slots);
    must(slot && bb_slot_release(slot) == 0);
    must(bb_buffer_free() == POOL);
    pull_out();
    return 0;
}
