/* SPDX-License-Identifier: BSD-2-Clause */
/* The data path of usb_host/dwc2: how a piece of a transfer is started, and what its end means. */
#ifndef DRIVERS_USB_HOST_DWC2_PIECE_H
#define DRIVERS_USB_HOST_DWC2_PIECE_H

#include "dwc2.h"

enum { TRIES = 3, MOST_NYETS = 64 };
enum { LEAST_PAUSE = 125 * BB_USEC, MOST_PAUSE = 2 * BB_MSEC }; /* after a NAK that halts */
enum { SMALL = 1536 }; /* bytes: an emulator serves so much packet by packet, and slowly */
enum { FRAMES = 0x3fff, LAST_COMPLETE = 4 }; /* microframes */

/* What judge() says beside the status that ends a transfer. */
enum { PIECE_DONE = 0, PIECE_AGAIN = 1, PIECE_LATER = 2 };

static inline bool data_is_in(const struct bb_usb_transfer *transfer)
{
    uint8_t from = transfer->endpoint->type == BB_USB_CONTROL ? transfer->setup.request_type
                                                              : transfer->endpoint->address;
    return from & BB_USB_IN;
}

static inline bool is_periodic(const struct bb_usb_transfer *transfer)
{
    return transfer->endpoint->type == BB_USB_INTERRUPT;
}

static inline void enable(struct dwc2 *chip, struct channel *channel, unsigned frame)
{
    uint32_t character = channel->character | CHAR_ENABLE;
    put_channel(chip, channel, HCCHAR, frame & 1 ? character | CHAR_ODD : character);
}

static inline void show_split(struct dwc2 *chip, struct channel *channel)
{
    uint32_t split = channel->completing ? channel->split | SPLIT_COMPLETE : channel->split;
    if (channel->shown != split)
        put_channel(chip, channel, HCSPLT, split);
    channel->shown = split;
}

/* What goes into HCCHAR and HCSPLT for this endpoint. */
static inline void address(const struct dwc2 *chip, struct channel *channel,
                           const struct bb_usb_endpoint *endpoint, bool in)
{
    const struct bb_usb_device *device = endpoint->device;
    uint32_t multiple = endpoint->type == BB_USB_INTERRUPT ? endpoint->multiple : 1u;
    uint32_t type = endpoint->type;
    if (chip->emulated && type == BB_USB_BULK)
        type = BB_USB_INTERRUPT;
    channel->split = 0;
    if (device->split_address) {
        channel->split =
            SPLIT_ENABLE | SPLIT_ALL | (uint32_t)device->split_address << 7 | device->split_port;
        multiple = endpoint->type == BB_USB_INTERRUPT ? 3 : 1; /* the core's own tries */
    }
    channel->character = endpoint->packet | (endpoint->address & 0xfu) << CHAR_ENDPOINT |
                         (in ? CHAR_IN : 0u) | (device->speed == BB_USB_LOW ? CHAR_LOW_SPEED : 0u) |
                         type << CHAR_TYPE | multiple << CHAR_MULTIPLE |
                         (uint32_t)device->address << CHAR_ADDRESS;
}

static inline uint32_t most_packets(const struct dwc2 *chip, const struct bb_usb_endpoint *endpoint,
                                    uint32_t left)
{
    if (endpoint->device->split_address || (chip->emulated && left <= SMALL))
        return 1;
    if (endpoint->type == BB_USB_INTERRUPT)
        return endpoint->multiple;
    uint32_t packets = chip->most_bytes / endpoint->packet;
    return packets < chip->most_packets ? packets : chip->most_packets;
}

/* Whether there is somebody to answer an emulated core: an IN that has room for nothing takes
 * nothing away. */
static inline bool try_in(struct dwc2 *chip, struct channel *channel, uint32_t size)
{
    put_channel(chip, channel, HCINTMSK, 0);
    put_channel(chip, channel, HCTSIZ, size & ~(uint32_t)TSIZ_BYTES_MASK);
    enable(chip, channel, 0);
    uint32_t events = get_channel(chip, channel, HCINT);
    if (!(events & EVENT_HALTED))
        put_channel(chip, channel, HCCHAR, channel->character | CHAR_ENABLE | CHAR_DISABLE);
    put_channel(chip, channel, HCTSIZ, size);
    put_channel(chip, channel, HCINT, EVENTS);
    put_channel(chip, channel, HCINTMSK, EVENT_HALTED | EVENT_AHB_ERROR);
    return events & EVENT_HALTED;
}

/* An emulated core says nothing of a device that is gone, and would keep the channel for good: what
 * it has not done at once is what the device did not answer, but for a stick that reads or writes
 * its disk. */
static inline void note_silence(struct dwc2 *chip, struct channel *channel,
                                const struct bb_usb_transfer *transfer, bool in)
{
    bool may_wait = transfer->endpoint->type == BB_USB_BULK && (channel->answered || !in);
    if (may_wait || get_channel(chip, channel, HCINT) & EVENT_HALTED)
        return;
    channel->events |= EVENT_ERROR;
    put_channel(chip, channel, HCCHAR, channel->character | CHAR_ENABLE | CHAR_DISABLE);
}

/* HCTSIZ of a split's one packet: of an OUT, nothing is left for the complete split. */
static inline uint32_t split_size(const struct channel *channel)
{
    bool nothing = channel->completing && !(channel->character & CHAR_IN);
    return channel->pid << TSIZ_PID | 1u << TSIZ_PACKETS | (nothing ? 0 : channel->bytes);
}

static inline void start(struct dwc2 *chip, struct channel *channel,
                         struct bb_usb_transfer *transfer)
{
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    struct job *job = job_of(transfer);
    bool in = data_is_in(transfer);
    uint32_t pid = endpoint->toggle ? TSIZ_DATA1 : TSIZ_DATA0, left = 0;
    uint64_t memory = chip->spare.device;
    if (job->stage == SETUP) {
        uint8_t *line = (uint8_t *)chip->setups.cpu + channel->number * (size_t)SETUP_LINE;
        __builtin_memcpy(line, &transfer->setup, sizeof(transfer->setup));
        bb_dma_lend(line, sizeof(transfer->setup));
        memory = chip->setups.device + channel->number * (size_t)SETUP_LINE;
        in = false;
        pid = TSIZ_SETUP;
        left = sizeof(transfer->setup);
    } else if (job->stage == STATUS) {
        in = !in || !transfer->setup.length;
        pid = TSIZ_DATA1;
    } else if (job->stage == DATA) {
        left = transfer->length - transfer->actual;
        if (left)
            memory = job->address + transfer->actual;
    }

    uint32_t packets = (left + endpoint->packet - 1u) / endpoint->packet;
    uint32_t most = most_packets(chip, endpoint, left);
    packets = packets > most ? most : packets ? packets : 1;
    uint32_t room = packets * endpoint->packet;
    channel->bytes = in || room < left ? room : left;
    channel->packets = packets;
    channel->transfer = transfer;
    channel->state = RUNNING;
    channel->nyets = 0;
    channel->completing = job->completing;
    channel->answered = false;
    channel->since = BB_FOREVER;
    chip->free &= ~(1u << channel->number);
    chip->free_count--;
    job->channel = channel;
    job->state = ACTIVE;
    job->completing = false;

    address(chip, channel, endpoint, in);
    show_split(chip, channel);
    channel->pid = pid;
    uint32_t size = pid << TSIZ_PID | packets << TSIZ_PACKETS | channel->bytes;
    if (channel->split)
        size = split_size(channel);
    if (endpoint->ping && !in && pid != TSIZ_SETUP && !is_periodic(transfer))
        size |= TSIZ_PING;
    if (!in && pid != TSIZ_SETUP)
        endpoint->ping = false;
    put_channel(chip, channel, HCTSIZ, size);
    put_channel(chip, channel, HCDMA, (uint32_t)memory);
    bool behind_hub = endpoint->device->tier > 1;
    if (chip->emulated && behind_hub && in && endpoint->type == BB_USB_BULK)
        channel->answered = try_in(chip, channel, size);
    uintptr_t state = bb_arch_irq_save(); /* its interrupt would take the events away */
    channel->events = 0;                  /* what is left in `halted` means nothing then */
    unsigned frame = 0;
    if (is_periodic(transfer))
        frame = (get(chip, HFNUM) + 1) & FRAMES;
    channel->frame = (uint16_t)frame;
    enable(chip, channel, frame);
    if (chip->emulated && !behind_hub)
        channel->answered = get(chip, HPRT) & PORT_ENABLED;
    if (chip->emulated)
        note_silence(chip, channel, transfer, in);
    bb_arch_irq_restore(state);
}

/* A split goes on at once, or its moment is over. Whether it did; the interrupt's and, for the
 * first complete split of a job, the thread's. A complete split that came to nothing is repeated:
 * the hub still holds what the device has sent and may forget it with the next start split. */
static inline bool go_on_with_split(struct dwc2 *chip, struct channel *channel, uint32_t events)
{
    const uint32_t ends =
        EVENT_DONE | EVENT_AHB_ERROR | EVENT_STALL | EVENT_NAK | EVENT_BABBLE | EVENT_TOGGLE;
    const uint32_t again = EVENT_NYET | EVENT_OVERRUN | EVENT_ERROR;
    struct job *job = job_of(channel->transfer);
    bool failed = events & EVENT_ERROR;
    bool periodic = is_periodic(channel->transfer);
    unsigned frame = 0;
    if (events & ends || (failed && job->errors + 1 >= TRIES))
        return false;
    if (channel->completing ? !(events & again) || ++channel->nyets > MOST_NYETS
                            : failed || !(events & EVENT_ACK))
        return false;
    if (periodic) {
        unsigned now = get(chip, HFNUM) & FRAMES;
        unsigned next = (now + 1 - channel->frame) & FRAMES;
        if (next > LAST_COMPLETE)
            return false;
        frame = channel->frame + (next < 2 ? 2 : next);
    }
    if (failed)
        job->errors++;
    channel->completing = true;
    show_split(chip, channel);
    put_channel(chip, channel, HCTSIZ, split_size(channel));
    enable(chip, channel, frame);
    return true;
}

static inline void set_free(struct dwc2 *chip, struct channel *channel)
{
    channel->state = FREE;
    chip->free |= 1u << channel->number;
    chip->free_count++;
    chip->unsettled &= ~(1u << channel->number);
}

/* What an emulator's channel has asked for cannot be called back, and nobody says whether it is
 * still under way: then another use would be the emulator's end. What comes late is written
 * nowhere, since the registers speak of an OUT by then. */
static inline void set_lost(struct dwc2 *chip, struct channel *channel)
{
    put_channel(chip, channel, HCTSIZ, 0);
    put_channel(chip, channel, HCCHAR, channel->character & ~(uint32_t)CHAR_IN);
    channel->state = LOST;
    chip->lost++;
    chip->unsettled &= ~(1u << channel->number);
}

/* When an endpoint that has just answered NAK, and halted by that, is asked again. */
static inline uint64_t after_nak(struct bb_usb_endpoint *endpoint)
{
    uintptr_t pause = endpoint->host[1] * 2;
    pause = pause < LEAST_PAUSE ? LEAST_PAUSE : pause > MOST_PAUSE ? MOST_PAUSE : pause;
    endpoint->host[1] = pause;
    return bb_time() + pause;
}

/* The next microframe in which an interrupt endpoint is asked, in ns. */
BB_NOINLINE static uint64_t next_interval(struct bb_usb_endpoint *endpoint)
{
    uint64_t now = bb_time(), interval = endpoint->interval * BB_USEC;
    uint64_t next = endpoint->host[0] + interval;
    if (next <= now || next > now + interval)
        next = now + interval;
    endpoint->host[0] = (uintptr_t)next;
    return next;
}

/* What the halt of a running channel means: a PIECE_ value, or the status that ends the transfer.
 */
static inline int judge(struct channel *channel, struct bb_usb_transfer *transfer, uint32_t events,
                        uint64_t *due)
{
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    struct job *job = job_of(transfer);
    bool fast_out = !(channel->character & CHAR_IN) && endpoint->device->speed == BB_USB_HIGH;
    if (events & EVENT_AHB_ERROR)
        return -EIO;
    if (events & EVENT_DONE) {
        endpoint->ping = fast_out && events & EVENT_NYET;
        job->errors = 0;
        return PIECE_DONE;
    }
    if (events & EVENT_STALL)
        return -EPIPE;
    if (events & EVENT_BABBLE)
        return -EOVERFLOW;
    if (events & (EVENT_ERROR | EVENT_TOGGLE)) {
        endpoint->ping = fast_out;
        return ++job->errors < TRIES ? PIECE_AGAIN : -EIO;
    }
    if (events & EVENT_NYET && !channel->split) {
        endpoint->ping = fast_out;
        return PIECE_AGAIN;
    }
    if (is_periodic(transfer)) {
        /* Else its frame was over before its turn came. */
        bool over = events & EVENT_NAK || channel->completing;
        *due = over ? next_interval(endpoint) : bb_time();
        return PIECE_LATER;
    }
    if (channel->split || events & EVENT_NAK) {
        job->completing = channel->completing && events & EVENT_NYET;
        endpoint->ping = fast_out;
        *due = after_nak(endpoint);
        return PIECE_LATER;
    }
    return ++job->errors < TRIES ? PIECE_AGAIN : -EIO;
}

/* Counts what a piece has moved, by the packets that are left where it did not end well: bytes that
 * are left have perhaps been fetched, and never sent. Whether it ended with a short packet. */
static inline bool count(struct dwc2 *chip, struct channel *channel,
                         struct bb_usb_transfer *transfer, bool done)
{
    uint32_t size = get_channel(chip, channel, HCTSIZ);
    uint32_t left = size & TSIZ_BYTES_MASK;
    uint32_t packets = size >> TSIZ_PACKETS & TSIZ_PACKETS_MASK;
    uint32_t moved = channel->bytes;
    bool in = channel->character & CHAR_IN;
    enum stage stage = (enum stage)job_of(transfer)->stage;
    if (stage == DATA || stage == ZERO)
        transfer->endpoint->toggle = (size >> TSIZ_PID & 3) == TSIZ_DATA1;
    if (stage != DATA)
        return false;
    if (done && in)
        moved = left <= channel->bytes ? channel->bytes - left : 0;
    else if (!done)
        moved = packets <= channel->packets
                    ? (channel->packets - packets) * transfer->endpoint->packet
                    : 0;
    if (moved > channel->bytes)
        moved = channel->bytes;
    if (moved) {
        job_of(transfer)->errors = 0;
        transfer->endpoint->host[1] = 0;
    }
    transfer->actual += moved;
    return done && in && moved < channel->bytes;
}

/* A piece is done: the next stage. Whether the transfer is done with that. */
static inline bool advance(struct bb_usb_transfer *transfer, bool is_short)
{
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    struct job *job = job_of(transfer);
    bool control = endpoint->type == BB_USB_CONTROL;
    if (job->stage == SETUP) {
        job->stage = transfer->setup.length ? DATA : STATUS;
        endpoint->toggle = 1;
        return false;
    }
    if (job->stage != DATA)
        return true;
    if (!is_short && transfer->actual < transfer->length)
        return false;
    if (control) {
        job->stage = STATUS;
        return false;
    }
    bool empty = !data_is_in(transfer) && transfer->flags & BB_USB_ZERO && transfer->length &&
                 transfer->length % endpoint->packet == 0;
    job->stage = ZERO;
    return !empty;
}
#endif
