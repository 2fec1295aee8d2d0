/* SPDX-License-Identifier: BSD-2-Clause */
/* LAN9514 Ethernet: frames in bulk transfers, filters, checksums (DS00001875, 5.3 to 5.5). */
#include "smsc95xx.h"

#include <string.h>

enum { BIR = 1 << 12, MEF = 1 << 5, BCE = 1 << 1, DRP = 1 << 6 };
enum {
    MCPAS = 1 << 19,
    PRMS = 1 << 18,
    PASSBAD = 1 << 16,
    HFILT = 1 << 15,
    HPFILT = 1 << 13,
    NO_BROADCAST = 1 << 11,
};
#define INVFILT (1u << 17)
#define RXALL (1u << 31)
enum { INT_RXDF = 1 << 11 };
enum { FIRST = 1 << 13, LAST = 1 << 12, SIZE = 0x7ff };
enum { CK = 1 << 14, NO_CRC = 1 << 13, NO_PADDING = 1 << 12, COMMAND_B = 0x77ff };
enum { HEADER = 8, SHORTEST = 60, LONGEST = 1518, ETHERNET = 14, PREAMBLE = 4, FCS = 4 };

static uint32_t get(struct model_smsc *smsc, uint32_t offset)
{
    return *model_smsc_register(smsc, offset);
}

/* IEEE 802.3, 3.2.9, as its bits are sent. */
static uint32_t crc_of(const uint8_t *data, unsigned length)
{
    uint32_t crc = ~0u;

    for (unsigned i = 0; i < length; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* 5.5.7.1: [B1, B0] + ..., the carries added in. */
static uint16_t sum_of(const uint8_t *data, unsigned length)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < length; i++) {
        sum += i & 1 ? (uint32_t)data[i] << 8 : data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

void model_smsc_flush(struct model_smsc *smsc, bool receive, bool send)
{
    if (receive) {
        smsc->first = smsc->count = smsc->fifo_used = 0;
        smsc->burst_size = smsc->burst_at = 0;
        smsc->burst_zero = false;
    }
    if (send) {
        smsc->stream_size = smsc->frame_size = 0;
        smsc->frame_open = false;
    }
}

/* ---- Receiving ---- */

/* 5.5.4: the upper 6 bits of the CRC as the hardware shifts it. */
static bool in_hash(struct model_smsc *smsc, const uint8_t *address)
{
    uint32_t crc = ~crc_of(address, 6), bits = 0;

    for (unsigned i = 0; i < 6; i++)
        bits |= (crc >> i & 1) << (5 - i);
    return get(smsc, bits & 32 ? SMSC_HASHH : SMSC_HASHL) >> (bits & 31) & 1;
}

static bool is_mine(struct model_smsc *smsc, const uint8_t *address)
{
    uint8_t own[6];
    uint32_t low = get(smsc, SMSC_ADDRL), high = get(smsc, SMSC_ADDRH);

    memcpy(own, &low, 4);
    memcpy(own + 4, &high, 2);
    return memcmp(address, own, 6) == 0;
}

static bool passes(struct model_smsc *smsc, const uint8_t *address)
{
    static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
    uint32_t mac = get(smsc, SMSC_MAC_CR);
    bool group = address[0] & 1;

    if (mac & (PRMS | RXALL))
        return true;
    if (memcmp(address, everybody, 6) == 0)
        return !(mac & NO_BROADCAST);
    if (group)
        return mac & MCPAS || (mac & (HPFILT | HFILT) && in_hash(smsc, address));
    if (mac & HFILT)
        return in_hash(smsc, address);
    return is_mine(smsc, address) != !!(mac & INVFILT);
}

/* Status word, offset, frame, FCS, checksum. */
static unsigned encapsulate(struct model_smsc *smsc, uint8_t *at, const uint8_t *frame,
                            unsigned length, uint32_t errors)
{
    unsigned offset = get(smsc, SMSC_HW_CFG) >> 9 & 3;
    uint8_t *data = at + 4 + offset;
    unsigned size = length < SHORTEST && !(errors & SMSC_RX_RUNT) ? SHORTEST : length;

    memset(at, 0xdd, 4 + offset);
    memset(data, 0, size);
    memcpy(data, frame, length);
    uint32_t fcs = crc_of(data, size) ^ (errors & SMSC_RX_CRC ? 0xffu : 0);
    memcpy(data + size, &fcs, 4);
    unsigned total = size + FCS;
    if (get(smsc, SMSC_COE_CR) & SMSC_RX_COE) {
        uint16_t sum = size > ETHERNET ? sum_of(data + ETHERNET, size - ETHERNET) : 0;
        memcpy(data + total, &sum, 2);
        total += 2;
    }
    uint32_t said = smsc->lie_length ? smsc->lie_length : total;
    uint32_t status = said << 16 | errors;
    smsc->lie_length = 0;
    if (errors & (SMSC_RX_CRC | SMSC_RX_TOO_LONG | SMSC_RX_RUNT | 1u << 6))
        status |= SMSC_RX_ERROR;
    if (frame[0] & 1)
        status |= frame[1] == 255 ? 1u << 13 : 1u << 10;
    memcpy(at, &status, 4);
    return 4 + offset + total;
}

bool model_smsc_receive(struct model_smsc *smsc, const void *frame, unsigned length,
                        uint32_t errors)
{
    uint32_t mac = get(smsc, SMSC_MAC_CR);
    unsigned slot = (smsc->first + smsc->count) % SMSC_FRAMES;

    usb_require(&smsc->usb, length >= ETHERNET && length <= SMSC_FRAME - 32,
                "the test sends a frame of %u bytes", length);
    if (!smsc->link || !(mac & SMSC_RXEN))
        return false;
    if (!passes(smsc, frame)) {
        smsc->filtered++;
        return false;
    }
    if (errors && (get(smsc, SMSC_HW_CFG) & DRP || !(mac & (PASSBAD | RXALL)))) {
        smsc->dropped++;
        return false;
    }
    if (smsc->count == SMSC_FRAMES || smsc->fifo_used + length + 16 > SMSC_FIFO) {
        smsc->dropped++;
        *model_smsc_register(smsc, SMSC_INT_STS) |= INT_RXDF;
        return false;
    }
    unsigned size = encapsulate(smsc, smsc->frames[slot], frame, length, errors);
    smsc->lengths[slot] = (uint16_t)size;
    smsc->fifo_used += (size + 3) & ~3u;
    smsc->count++;
    smsc->received++;
    return true;
}

static uint32_t packet_size(const struct model_smsc *smsc)
{
    return smsc->usb.pipes[1][1].packet;
}

/* As many whole frames as go into one transfer. */
static void gather(struct model_smsc *smsc)
{
    uint32_t config = get(smsc, SMSC_HW_CFG);
    uint32_t cap = config & BCE ? get(smsc, SMSC_BURST_CAP) * packet_size(smsc) : 0;

    smsc->burst_size = smsc->burst_at = 0;
    while (smsc->count) {
        uint32_t start = (smsc->burst_size + 3) & ~3u, size = smsc->lengths[smsc->first];
        if (smsc->burst_size && (!(config & MEF) || (cap && start + size > cap)))
            break;
        usb_require(&smsc->usb, !cap || size <= cap, "BURST_CAP is %u bytes, and a frame takes %u",
                    cap, size);
        memset(smsc->burst + smsc->burst_size, 0xdd, start - smsc->burst_size);
        memcpy(smsc->burst + start, smsc->frames[smsc->first], size);
        smsc->burst_size = start + size;
        smsc->fifo_used -= (size + 3) & ~3u;
        smsc->first = (smsc->first + 1) % SMSC_FRAMES;
        smsc->count--;
    }
    smsc->burst_zero = smsc->burst_size % packet_size(smsc) == 0 && smsc->burst_size != cap;
}

static int bulk_in(struct model_smsc *smsc, uint8_t *data)
{
    uint32_t packet = packet_size(smsc);

    if (smsc->burst_at == smsc->burst_size) {
        if (smsc->burst_zero) {
            smsc->burst_zero = false;
            smsc->burst_at = smsc->burst_size = 0;
            return 0;
        }
        if (!smsc->count) /* an empty FIFO: HW_CFG.BIR says NAK, else an empty packet */
            return get(smsc, SMSC_HW_CFG) & BIR ? USB_WAIT : 0;
        gather(smsc);
    }
    uint32_t left = smsc->burst_size - smsc->burst_at, size = left < packet ? left : packet;
    memcpy(data, smsc->burst + smsc->burst_at, size);
    smsc->burst_at += size;
    return (int)size;
}

/* The status, when something of it is wanted here: 5.3.1.3. */
static int interrupt_in(struct model_smsc *smsc, uint8_t *data)
{
    uint32_t control = get(smsc, SMSC_INT_EP_CTL), status = get(smsc, SMSC_INT_STS);

    if (!(control & status & 0x7fffffff) && !(control >> 31))
        return USB_WAIT;
    memcpy(data, &status, 4);
    return 4;
}

int model_smsc_in(struct usb_model *usb, unsigned endpoint, uint8_t *data)
{
    return endpoint == 0x81 ? bulk_in(usb->context, data) : interrupt_in(usb->context, data);
}

/* ---- Sending ---- */

/* 5.5.8: the first four bytes say where the sum begins and where it goes. */
static void put_checksum(struct model_smsc *smsc)
{
    uint8_t *frame = smsc->frame + PREAMBLE;
    uint32_t length = smsc->frame_size - PREAMBLE, preamble;

    memcpy(&preamble, smsc->frame, 4);
    uint32_t start = preamble & 0xfff, place = preamble >> 16 & 0xfff;
    usb_require(&smsc->usb, !(preamble & 0xf000f000), "TX checksum preamble = %#x", preamble);
    usb_require(&smsc->usb, start >= ETHERNET && start + 4 <= length,
                "a checksum from byte %u on of %u", start, length);
    usb_require(&smsc->usb, place >= ETHERNET && place + 2 + 4 <= length,
                "a checksum at byte %u of %u", place, length);
    uint16_t sum = (uint16_t)~sum_of(frame + start, length - start);
    memcpy(frame + place, &sum, 2);
}

static void transmit(struct model_smsc *smsc)
{
    bool sums = smsc->frame_command & CK;
    struct usb_model *usb = &smsc->usb;

    usb_require(usb, (smsc->frame_command & SIZE) == smsc->frame_size,
                "TX command B says %u bytes, and there are %u", smsc->frame_command & SIZE,
                smsc->frame_size);
    usb_require(usb, get(smsc, SMSC_TX_CFG) & SMSC_TX_ON && get(smsc, SMSC_MAC_CR) & SMSC_TXEN,
                "a frame while the transmitter is off");
    usb_require(usb, !sums || get(smsc, SMSC_COE_CR) & SMSC_TX_COE,
                "a TX checksum, and the engine is off");
    usb_require(usb, !(smsc->frame_command & NO_CRC), "a frame without an FCS");
    if (sums)
        put_checksum(smsc);
    uint8_t *frame = smsc->frame + (sums ? PREAMBLE : 0);
    uint32_t length = smsc->frame_size - (sums ? PREAMBLE : 0);
    usb_require(usb, length >= ETHERNET && length <= LONGEST, "a frame of %u bytes", length);
    usb_require(usb, length >= SHORTEST || !(smsc->frame_command & NO_PADDING),
                "a frame of %u bytes, and no padding", length);
    smsc->frame_open = false;
    smsc->frame_size = 0;
    if (!smsc->link) {
        smsc->lost++;
        return;
    }
    if (length < SHORTEST) {
        memset(frame + length, 0, SHORTEST - length);
        length = SHORTEST;
    }
    smsc->sent++;
    if (smsc->transmitted)
        smsc->transmitted(smsc, frame, length);
}

/* One buffer of the stream, with its commands; 0 while it is not whole. */
static uint32_t take_buffer(struct model_smsc *smsc, const uint8_t *at, uint32_t size)
{
    struct usb_model *usb = &smsc->usb;
    uint32_t a, b;

    if (size < HEADER)
        return 0;
    memcpy(&a, at, 4);
    memcpy(&b, at + 4, 4);
    uint32_t offset = a >> 16 & 3, length = a & SIZE;
    usb_require(usb, !(a & ~(uint32_t)(3 << 16 | FIRST | LAST | SIZE)), "TX command A = %#x", a);
    usb_require(usb, !(b & ~(uint32_t)COMMAND_B), "TX command B = %#x", b);
    usb_require(usb, length, "a TX buffer of 0 bytes");
    usb_require(usb, !!(a & FIRST) == !smsc->frame_open, "TX command A = %#x: FIRST is wrong", a);
    usb_require(usb, a & FIRST || ((b ^ smsc->frame_command) & ~(uint32_t)CK) == 0,
                "TX command B differs within a frame");
    usb_require(usb, !(a & FIRST && b & CK) || offset == 0,
                "the TX checksum preamble is not aligned");
    if (size < HEADER + offset + length)
        return 0;
    if (a & FIRST) {
        smsc->frame_size = 0;
        smsc->frame_command = b;
    }
    usb_require(usb, smsc->frame_size + length <= SMSC_FRAME, "a frame of more than %u bytes",
                SMSC_FRAME);
    memcpy(smsc->frame + smsc->frame_size, at + HEADER + offset, length);
    smsc->frame_size += length;
    smsc->frame_open = true;
    if (a & LAST)
        transmit(smsc);
    return HEADER + offset + length;
}

/* Buffers begin at DWORDs of a transfer, which a packet shorter than the endpoint's ends. */
int model_smsc_out(struct usb_model *usb, unsigned endpoint, const uint8_t *data, unsigned length)
{
    struct model_smsc *smsc = usb->context;
    uint32_t at = 0, taken;

    (void)endpoint;
    usb_require(usb, smsc->stream_size + length <= SMSC_STREAM, "a TX buffer without end");
    memcpy(smsc->stream + smsc->stream_size, data, length);
    smsc->stream_size += length;
    while (at < smsc->stream_size &&
           (taken = take_buffer(smsc, smsc->stream + at, smsc->stream_size - at)))
        at = (at + taken + 3) & ~3u;
    at = at < smsc->stream_size ? at : smsc->stream_size;
    smsc->stream_size -= at;
    memmove(smsc->stream, smsc->stream + at, smsc->stream_size);
    if (length < usb->pipes[0][2].packet) {
        usb_require(usb, !smsc->stream_size && !smsc->frame_open,
                    "a transfer ends %u bytes into a TX buffer", smsc->stream_size);
        smsc->stream_size = 0;
    }
    return 0;
}
