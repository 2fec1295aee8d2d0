/* SPDX-License-Identifier: BSD-2-Clause */
/* DWC2's host channels with internal DMA (RM0090, 35.13.5, "Host programming model"). */
#include "dwc2_channel.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/time.h>

enum { HCCHAR = 0, HCSPLT = 4, HCINT = 8, HCINTMSK = 12, HCTSIZ = 16, HCDMA = 20 };
#define RETRY_NS (60 * BB_USEC) /* after a NAK */
#define START_NS (2 * BB_USEC)  /* from enable to the first token */

static void set_sizes(struct model_dwc2_channel *channel, uint32_t size, uint32_t packets,
                      unsigned pid)
{
    channel->hctsiz = (channel->hctsiz & DOPNG) | pid << PID_SHIFT | packets << PKTCNT_SHIFT | size;
}

bool model_dwc2_is_idle(const struct model_dwc2 *dwc2)
{
    for (unsigned i = 0; i < DWC2_CHANNELS; i++)
        if (dwc2->channels[i].enabled)
            return false;
    return true;
}

static void enable(struct model_dwc2 *dwc2, unsigned number)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];

    model_dwc2_check(dwc2, number);
    model_dwc2_take_memory(dwc2, number);
    channel->enabled = true;
    channel->disabling = channel->fetched = false;
    channel->ping = channel->hctsiz & DOPNG;
    channel->ready_at = world_now() + START_NS;
    if (is_periodic(channel) && model_dwc2_runs(dwc2)) {
        uint64_t frame = model_dwc2_frame(dwc2) + 1;
        bool odd = channel->hcchar & ODDFRM;
        frame += (frame & 1) != odd;
        uint64_t unit =
            dwc2->socket.device->running == BB_USB_HIGH ? DWC2_MICROFRAME : 8 * DWC2_MICROFRAME;
        channel->ready_at = dwc2->frames_from + frame * unit;
    }
    dwc2->idle_seen = false;
}

/* ---- The end of a channel's work ---- */

static void halt(struct model_dwc2 *dwc2, unsigned number, uint32_t why)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];

    channel->hcint |= DWC2_CHHLTD | why;
    channel->enabled = channel->disabling = false;
    channel->hcchar &= ~(CHENA | (uint32_t)CHDIS);
    channel->hctsiz &= ~DOPNG;
    model_dwc2_give_memory_back(dwc2, number);
}

void model_dwc2_channels_reset(struct model_dwc2 *dwc2)
{
    for (unsigned i = 0; i < DWC2_CHANNELS; i++) {
        free(dwc2->channels[i].before);
        dwc2->channels[i] = (struct model_dwc2_channel){0};
    }
    world_cancel(&dwc2->service);
}

/* ---- One transaction ---- */

/* OUT: from memory, as the core fetches it ahead; XFERSIZE tells what was fetched, not what the
 * device has (that is PKTCNT). */
static void fetch(struct model_dwc2 *dwc2, struct model_dwc2_channel *channel)
{
    uint32_t mps = channel->hcchar & MPS, size = size_left(channel);

    if (channel->fetched)
        return;
    channel->fetched_size = size < mps ? size : mps;
    if (channel->fetched_size)
        memcpy(channel->packet, dwc2->memory + (channel->hcdma - dwc2->bus_base),
               channel->fetched_size);
    channel->hcdma += channel->fetched_size;
    set_sizes(channel, size - channel->fetched_size, packets_left(channel), pid_of(channel));
    channel->fetched = true;
}

static void make_token(struct model_dwc2 *dwc2, struct model_dwc2_channel *channel,
                       struct usb_token *token)
{
    bool low = channel->hcchar & LSPDDEV;
    bool high = dwc2->socket.device && dwc2->socket.device->running == BB_USB_HIGH;

    model_require(&dwc2->model, !is_split(channel) || high, "a split on a bus without high speed");
    *token = (struct usb_token){
        .kind = is_in(channel)             ? USB_IN
                : pid_of(channel) == SETUP ? USB_SETUP
                                           : USB_OUT,
        .address = channel->hcchar >> 22 & 0x7f,
        .endpoint = channel->hcchar >> 11 & 15,
        .speed = low                          ? BB_USB_LOW
                 : high && !is_split(channel) ? BB_USB_HIGH
                                              : BB_USB_FULL,
        .toggle = pid_of(channel) == DATA1,
        .data = channel->packet,
        .room = channel->hcchar & MPS,
    };
    if (is_split(channel)) {
        token->split_hub = channel->hcsplt >> 7 & 0x7f;
        token->split_port = channel->hcsplt & 0x7f;
    }
    if (token->kind == USB_OUT && channel->ping && token->speed == BB_USB_HIGH)
        token->kind = USB_PING;
    else if (token->kind != USB_IN) {
        fetch(dwc2, channel);
        token->length = channel->fetched_size;
    }
}

/* Data of an IN: whole words go to memory. */
static void store(struct model_dwc2 *dwc2, unsigned number, const struct usb_token *token)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];
    uint32_t left = size_left(channel), whole = (token->length + 3) & ~3u;

    if (!token->length)
        return;
    uint8_t *at = dwc2->memory + (channel->hcdma - dwc2->bus_base);
    memset(at, 0xee, whole < left ? whole : left);
    memcpy(at, token->data, token->length);
    channel->hcdma += whole;
}

static unsigned next_pid(unsigned pid)
{
    return pid == DATA0 || pid == SETUP ? DATA1 : DATA0;
}

static void received(struct model_dwc2 *dwc2, unsigned number, const struct usb_token *token)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];
    uint32_t size = size_left(channel), packets = packets_left(channel);

    if (token->toggle != (pid_of(channel) == DATA1)) { /* acknowledged and dropped */
        channel->hcint |= DWC2_DATATGLERR;
        channel->ready_at = world_now() + RETRY_NS;
        if (is_periodic(channel) || is_split(channel))
            halt(dwc2, number, 0);
        return;
    }
    if (token->length > size) {
        halt(dwc2, number, DWC2_BBLERR);
        return;
    }
    store(dwc2, number, token);
    packets--;
    set_sizes(channel, size - token->length, packets, next_pid(pid_of(channel)));
    channel->hcint |= DWC2_ACK;
    if (!packets || token->length < (channel->hcchar & MPS))
        halt(dwc2, number, DWC2_XFERCOMPL);
}

static void sent(struct model_dwc2 *dwc2, unsigned number)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];
    uint32_t packets = packets_left(channel) - 1;

    channel->fetched = false;
    set_sizes(channel, size_left(channel), packets, next_pid(pid_of(channel)));
    channel->hcint |= DWC2_ACK;
    if (!packets)
        halt(dwc2, number, DWC2_XFERCOMPL);
}

/* NAK and NYET of an OUT: with DMA the core goes on by itself, with PING at high speed. */
static void not_now(struct model_dwc2 *dwc2, unsigned number, uint32_t why)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];

    channel->hcint |= why;
    if (is_periodic(channel) || (!is_in(channel) && dwc2->out_nak_halts)) {
        halt(dwc2, number, why);
        return;
    }
    channel->ping = !is_in(channel) && dwc2->socket.device &&
                    dwc2->socket.device->running == BB_USB_HIGH && !is_split(channel);
    channel->ready_at = world_now() + (why == DWC2_NAK ? RETRY_NS : 0);
}

static void answer_plain(struct model_dwc2 *dwc2, unsigned number, const struct usb_token *token,
                         enum usb_answer answer)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];

    switch (answer) {
    case USB_DATA:
        received(dwc2, number, token);
        break;
    case USB_ACK:
        channel->ping = false;
        channel->hcint |= DWC2_ACK;
        if (token->kind != USB_PING)
            sent(dwc2, number);
        break;
    case USB_NYET:
        sent(dwc2, number);
        if (channel->enabled)
            not_now(dwc2, number, DWC2_NYET);
        else
            channel->hcint |= DWC2_NYET;
        break;
    case USB_NAK:
        not_now(dwc2, number, DWC2_NAK);
        break;
    case USB_STALL:
        halt(dwc2, number, DWC2_STALL);
        break;
    case USB_BABBLE:
        halt(dwc2, number, DWC2_BBLERR);
        break;
    default:
        halt(dwc2, number, DWC2_XACTERR);
        break;
    }
}

static bool is_mute(struct model_dwc2 *dwc2)
{
    if (dwc2->mute_at > 1)
        dwc2->mute_at--;
    else if (dwc2->mute_at && dwc2->mutes)
        return dwc2->mutes--;
    return false;
}

static void run_split(struct model_dwc2 *dwc2, unsigned number, struct usb_token *token)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];
    uint64_t frame = model_dwc2_frame(dwc2);
    enum usb_answer answer;

    dwc2->splits++;
    if (!(channel->hcsplt & COMPSPLT)) {
        answer = model_hub_start_split(&dwc2->socket, token, type_of(channel), frame);
        halt(dwc2, number,
             answer == USB_ACK   ? DWC2_ACK
             : answer == USB_NAK ? DWC2_NAK
                                 : DWC2_XACTERR);
        return;
    }
    bool mute = is_mute(dwc2);
    answer = mute && dwc2->mute_token
                 ? USB_SILENCE
                 : model_hub_complete_split(&dwc2->socket, token, type_of(channel), frame);
    switch (mute ? USB_SILENCE : answer) {
    case USB_SILENCE:
        halt(dwc2, number, DWC2_XACTERR);
        break;
    case USB_NYET:
        halt(dwc2, number, DWC2_NYET);
        break;
    case USB_NAK:
        halt(dwc2, number, DWC2_NAK);
        break;
    default:
        answer_plain(dwc2, number, token, answer);
        break;
    }
}

/* Bus time, ns. */
static uint64_t cost(const struct usb_token *token)
{
    uint64_t bytes = token->kind == USB_IN ? token->room : token->length;

    if (token->speed == BB_USB_HIGH || token->split_hub)
        return 917 + bytes * 17;
    return token->speed == BB_USB_FULL ? 9107 + bytes * 667 : 64060 + bytes * 5333;
}

static void transact(struct model_dwc2 *dwc2, unsigned number)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];
    struct usb_token token;

    if (is_periodic(channel) && dwc2->overrun_at && !--dwc2->overrun_at) {
        halt(dwc2, number, DWC2_FRMOVRUN);
        return;
    }
    make_token(dwc2, channel, &token);
    dwc2->transactions++;
    dwc2->bus_free_at = world_now() + cost(&token);
    channel->ready_at = dwc2->bus_free_at;
    if (is_split(channel))
        run_split(dwc2, number, &token);
    else
        answer_plain(dwc2, number, &token, usb_transact(&dwc2->socket, &token));
}

/* ---- The schedule ---- */

static bool has_memory(const struct model_dwc2 *dwc2)
{
    return model_dwc2_has_power(dwc2) && world_now() < dwc2->dma_until;
}

/* Channels that run have it no longer, and stand still. */
static void lose_memory(struct model_dwc2 *dwc2)
{
    if (!model_dwc2_has_power(dwc2))
        model_dwc2_channels_reset(dwc2);
    for (unsigned i = 0; i < DWC2_CHANNELS; i++)
        model_dwc2_give_memory_back(dwc2, i);
}

static bool is_due(const struct model_dwc2 *dwc2, const struct model_dwc2_channel *channel)
{
    return channel->enabled && has_memory(dwc2) && model_dwc2_runs(dwc2) &&
           !dwc2->socket.suspended && channel->ready_at <= world_now();
}

static void finish_disabling(struct model_dwc2 *dwc2)
{
    for (unsigned i = 0; i < DWC2_CHANNELS; i++) {
        struct model_dwc2_channel *channel = &dwc2->channels[i];
        if (channel->disabling && channel->disabled_at <= world_now() && !dwc2->never_halts)
            halt(dwc2, i, 0);
    }
}

/* Periodic channels first, each in its frame; then one transaction of the others, in turn. */
static void serve(void *context)
{
    struct model_dwc2 *dwc2 = context;

    if (!has_memory(dwc2))
        lose_memory(dwc2);
    finish_disabling(dwc2);
    for (unsigned i = 0; i < DWC2_CHANNELS; i++)
        if (is_periodic(&dwc2->channels[i]) && is_due(dwc2, &dwc2->channels[i]))
            transact(dwc2, i);
    for (unsigned i = 1; i <= DWC2_CHANNELS && world_now() >= dwc2->bus_free_at; i++) {
        unsigned number = (dwc2->turn + i) % DWC2_CHANNELS;
        if (is_periodic(&dwc2->channels[number]) || !is_due(dwc2, &dwc2->channels[number]))
            continue;
        dwc2->turn = number;
        transact(dwc2, number);
        break;
    }
    model_dwc2_update(dwc2);
    model_dwc2_schedule(dwc2);
}

static uint64_t due_of(const struct model_dwc2 *dwc2, const struct model_dwc2_channel *channel)
{
    uint64_t due = UINT64_MAX;

    if (channel->disabling && !dwc2->never_halts)
        due = channel->disabled_at;
    if (!channel->enabled || !has_memory(dwc2) || !dwc2->socket.enabled || dwc2->socket.suspended)
        return due;
    uint64_t at = channel->ready_at > dwc2->enabled_at ? channel->ready_at : dwc2->enabled_at;
    if (!is_periodic(channel) && at < dwc2->bus_free_at)
        at = dwc2->bus_free_at;
    return at < due ? at : due;
}

void model_dwc2_schedule(struct model_dwc2 *dwc2)
{
    uint64_t due = UINT64_MAX, now = world_now();

    for (unsigned i = 0; i < DWC2_CHANNELS; i++) {
        uint64_t at = due_of(dwc2, &dwc2->channels[i]);
        due = at < due ? at : due;
    }
    if (dwc2->gintmsk & 1 << 3 && dwc2->socket.enabled) { /* SOF is wanted */
        uint64_t next = now - now % DWC2_MICROFRAME + DWC2_MICROFRAME;
        due = next < due ? next : due;
    }
    if (!has_memory(dwc2))
        lose_memory(dwc2);
    else if (dwc2->dma_until < due)
        due = dwc2->dma_until;
    dwc2->service.run = serve;
    dwc2->service.context = dwc2;
    if (due == UINT64_MAX)
        world_cancel(&dwc2->service);
    else
        world_at(&dwc2->service, due > now ? due : now);
}

/* ---- Registers ---- */

static void write_characteristics(struct model_dwc2 *dwc2, unsigned number, uint32_t value)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];
    bool enables = value & CHENA, disables = value & (uint32_t)CHDIS;

    if (channel->enabled) {
        model_require(&dwc2->model, enables && disables,
                      "channel %u: HCCHAR = %#x while it is enabled", number, value);
        if (!channel->disabling) {
            channel->disabling = true;
            channel->disabled_at = world_now() + dwc2->disable_time;
        }
        return;
    }
    channel->hcchar = value & ~(CHENA | (uint32_t)CHDIS);
    if (enables && disables) { /* it has halted by itself meanwhile, or never ran */
        if (!(channel->hcint & DWC2_CHHLTD)) {
            channel->disabling = true;
            channel->disabled_at = world_now() + dwc2->disable_time;
        }
    } else if (enables) {
        model_require(&dwc2->model, !channel->disabling, "channel %u is enabled while it halts",
                      number);
        channel->hcchar |= CHENA;
        enable(dwc2, number);
    }
}

uint32_t model_dwc2_channel_read(struct model_dwc2 *dwc2, unsigned number, uint32_t offset)
{
    const struct model_dwc2_channel *channel = &dwc2->channels[number];

    switch (offset) {
    case HCCHAR:
        return channel->hcchar | (channel->disabling ? CHENA | (uint32_t)CHDIS : 0);
    case HCSPLT:
        return channel->hcsplt;
    case HCINT:
        return channel->hcint;
    case HCINTMSK:
        return channel->hcintmsk;
    case HCTSIZ:
        return channel->hctsiz;
    default:
        return channel->hcdma;
    }
}

void model_dwc2_channel_write(struct model_dwc2 *dwc2, unsigned number, uint32_t offset,
                              uint32_t value)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];

    model_require(&dwc2->model,
                  !(channel->enabled || channel->disabling) || offset == HCCHAR ||
                      offset == HCINT || offset == HCINTMSK,
                  "channel %u: register %#x is written while it is enabled", number, offset);
    switch (offset) {
    case HCCHAR:
        write_characteristics(dwc2, number, value);
        break;
    case HCSPLT:
        channel->hcsplt = value;
        break;
    case HCINT:
        channel->hcint &= ~value;
        break;
    case HCINTMSK:
        channel->hcintmsk = value;
        break;
    case HCTSIZ:
        channel->hctsiz = value;
        break;
    default:
        channel->hcdma = value;
        break;
    }
}
