/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's property interface, as its wiki describes it; lengths are checked to the byte. */
#include "vc_mailbox.h"

enum { CODE_REQUEST = 0, HEADER = 2, TAG_HEADER = 3 };
#define SUCCESS 0x80000000u
#define FAILURE 0x80000001u
#define RESPONSE 0x80000000u

#define UNKNOWN (-1)

static bool is_new(uint32_t tag)
{
    static const uint32_t tags[] = {0x10001, 0x10003, 0x10004, 0x3000a, 0x30030, 0x38030};

    for (size_t i = 0; i < BB_ARRAY_SIZE(tags); i++) {
        if (tags[i] == tag)
            return true;
    }
    return false;
}

/* Reads, or sets and reads, a switch: bit 0 says on, bit 1 that there is no such thing. */
static uint32_t switch_of(const struct model_vc_mailbox *mailbox, bool *switches, uint32_t count,
                          uint32_t id, const uint32_t *wanted)
{
    if (id >= count || mailbox->absent)
        return 2;
    if (wanted)
        switches[id] = *wanted & 1;
    return switches[id];
}

/* Answers one tag in place; returns the response's length, or UNKNOWN. */
static int answer(struct model_vc_mailbox *mailbox, uint32_t tag, uint32_t *value)
{
    struct model *model = &mailbox->model;
    uint32_t id = value[0];

    if (mailbox->old && is_new(tag))
        return UNKNOWN;
    switch (tag) {
    case 0x00001: /* firmware revision */
        value[0] = 0x61f0d1c2;
        return 4;
    case 0x10001: /* model */
        value[0] = 0;
        return 4;
    case 0x10002: /* revision: Pi 3 Model B */
        value[0] = 0xa02082;
        return 4;
    case 0x10003: /* MAC */
        value[0] = 0x12eb27b8;
        value[1] = 0x00005634;
        return 6;
    case 0x10004: /* serial */
        value[0] = 0x89abcdef;
        value[1] = 0x00000001;
        return 8;
    case 0x10005: /* memory of the CPU */
        value[0] = 0;
        value[1] = 0x3c000000;
        return 8;
    case 0x10006: /* and of the GPU */
        value[0] = 0x3c000000;
        value[1] = 0x04000000;
        return 8;
    case 0x20001: /* power state */
        value[1] = switch_of(mailbox, mailbox->power_on, VC_POWERS, id, NULL);
        return 8;
    case 0x28001:
        model_require(model, value[1] <= 3, "power state %#x sets reserved bits", value[1]);
        value[1] = switch_of(mailbox, mailbox->power_on, VC_POWERS, id, &value[1]);
        return 8;
    case 0x30030: /* domain state */
        value[1] = switch_of(mailbox, mailbox->domain_on, VC_DOMAINS, id, NULL);
        return 8;
    case 0x38030:
        model_require(model, value[1] <= 1, "domain state %#x sets reserved bits", value[1]);
        value[1] = switch_of(mailbox, mailbox->domain_on, VC_DOMAINS, id, &value[1]);
        return 8;
    case 0x30001: /* clock state */
        value[1] = switch_of(mailbox, mailbox->clock_on, VC_CLOCKS, id, NULL);
        return 8;
    case 0x38001:
        model_require(model, value[1] <= 3, "clock state %#x sets reserved bits", value[1]);
        value[1] = switch_of(mailbox, mailbox->clock_on, VC_CLOCKS, id, &value[1]);
        return 8;
    case 0x30002: /* clock rate */
    case 0x30047: /* measured */
        value[1] = id < VC_CLOCKS && !mailbox->absent ? mailbox->clock_rate[id] : 0;
        return 8;
    case 0x38002:
        if (id && id < VC_CLOCKS)
            mailbox->clock_rate[id] = value[1];
        value[1] = id < VC_CLOCKS && !mailbox->absent ? mailbox->clock_rate[id] : 0;
        return 8;
    case 0x30004:
    case 0x30007:
        value[1] = tag == 0x30004 ? 1200000000 : 600000000;
        return 8;
    case 0x30006: /* temperature */
    case 0x3000a: /* and where it throttles */
        model_require(model, id == 0, "temperature id %u", id);
        value[1] = tag == 0x30006 ? mailbox->temperature : 85000;
        return 8;
    default:
        return vc_display_answer(mailbox, tag, value);
    }
}

static uint32_t wrong_length(enum vc_mode mode, uint32_t room, uint32_t length)
{
    switch (mode) {
    case VC_LONG:
        return room + 4;
    case VC_SHORT:
        return 0;
    case VC_ODD:
        return 3;
    default:
        return length;
    }
}

void vc_firmware(struct model_vc_mailbox *mailbox, uint32_t *buffer)
{
    struct model *model = &mailbox->model;
    uint32_t size = buffer[0];
    size_t words = size / 4, at = HEADER;

    model_require(model, size % 4 == 0 && words >= HEADER + 1, "a buffer of %u bytes", size);
    model_require(model, buffer[1] == CODE_REQUEST, "the request code is %#x", buffer[1]);
    if (mailbox->mode == VC_ERROR) {
        buffer[1] = FAILURE;
        return;
    }
    mailbox->display.set = 0;
    while (at < words && buffer[at] != 0) {
        model_require(model, at + TAG_HEADER < words, "a tag's header leaves the buffer");
        uint32_t tag = buffer[at], room = buffer[at + 1], code = buffer[at + 2];
        model_require(model, room % 4 == 0 && room / 4 <= words - at - TAG_HEADER,
                      "tag %#x: a value buffer of %u bytes leaves the buffer", tag, room);
        model_require(model, !(code & RESPONSE) && code <= room, "tag %#x: request code %#x", tag,
                      code);
        /* The answer goes to a copy first: the program's room may be smaller than it. */
        uint32_t value[64] = {0};
        for (size_t i = 0; i < room / 4 && i < BB_ARRAY_SIZE(value); i++)
            value[i] = buffer[at + TAG_HEADER + i];
        int length = answer(mailbox, tag, value);
        if (mailbox->mode == VC_WRONG_ID)
            value[0]++;
        if (length != UNKNOWN) {
            for (size_t i = 0; i < room / 4 && i < BB_ARRAY_SIZE(value); i++)
                buffer[at + TAG_HEADER + i] = value[i];
            buffer[at + 2] = RESPONSE | wrong_length(mailbox->mode, room, (uint32_t)length);
        }
        at += TAG_HEADER + room / 4;
    }
    model_require(model, at < words, "there is no end tag");
    buffer[1] = SUCCESS;
}
