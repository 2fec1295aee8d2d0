/* SPDX-License-Identifier: BSD-2-Clause */
/* Transaction translators of a high-speed hub (USB 2.0, 11.14 to 11.22). */
#include "usb_hub.h"

#include <string.h>

#include <busbar/time.h>

#define MICROFRAME (125 * BB_USEC)
enum { STRIKES = 3, FORGOTTEN = 5 /* microframes from the start split */, NO_START = 6 /* Y6 */ };

static bool is_periodic(unsigned type)
{
    return type == BB_USB_INTERRUPT;
}

/* The hub that a split is for, or NULL: it is gone, as is what was in its hands. */
static struct model_hub *find_hub(struct usb_socket *root, const struct usb_token *token)
{
    struct usb_token to_hub = {.address = token->split_hub, .speed = BB_USB_HIGH};
    struct usb_model *usb = usb_listener(root, &to_hub);

    if (!usb)
        return NULL;
    struct model_hub *hub = model_hub_of(usb);
    usb_require(usb, usb->running == BB_USB_HIGH && usb->configuration,
                "a split, and it is no configured high-speed hub");
    usb_require(usb, token->split_port >= 1 && token->split_port <= hub->ports,
                "a split to port %u, of %u", token->split_port, hub->ports);
    usb_require(usb, token->speed != BB_USB_HIGH, "a split at high speed");
    return hub;
}

static struct usb_split *splits_of(struct model_hub *hub, const struct usb_token *token)
{
    bool several = hub->multiple && hub->usb.alternate[0] == 1;
    return hub->splits[several ? token->split_port - 1 : 0];
}

static bool is_same(const struct usb_split *split, const struct usb_token *token, unsigned type)
{
    const struct usb_token *other = &split->token;
    bool in = token->kind == USB_IN, other_in = other->kind == USB_IN;

    return split->state != TT_FREE && split->type == type && other->address == token->address &&
           other->endpoint == token->endpoint && other->split_port == token->split_port &&
           (in == other_in || type == BB_USB_CONTROL);
}

static struct usb_split *find_split(struct model_hub *hub, const struct usb_token *token,
                                    unsigned type)
{
    struct usb_split *splits = splits_of(hub, token);

    for (unsigned i = 0; i < MODEL_TT_BUFFERS + MODEL_TT_PERIODIC; i++)
        if (is_same(&splits[i], token, type))
            return &splits[i];
    return NULL;
}

/* A place for a new one; NULL when every buffer of its kind is taken. */
static struct usb_split *find_room(struct model_hub *hub, const struct usb_token *token,
                                   unsigned type, uint64_t microframe)
{
    struct usb_split *splits = splits_of(hub, token);
    unsigned first = is_periodic(type) ? MODEL_TT_BUFFERS : 0;
    unsigned count = is_periodic(type) ? MODEL_TT_PERIODIC : MODEL_TT_BUFFERS;

    for (unsigned i = first; i < first + count; i++) {
        const struct usb_split *split = &splits[i];
        bool late = is_periodic(type) && microframe > split->started + FORGOTTEN;
        if (split->state == TT_FREE || split->state == TT_OLD || late)
            return &splits[i];
    }
    return NULL;
}

static struct usb_model *device_of(struct usb_split *split)
{
    struct usb_socket *socket = &split->hub->sockets[split->token.split_port - 1];
    struct usb_token token = split->token;

    if (!split->hub->usb.socket)
        return NULL;
    token.split_hub = 0; /* from here on it is an ordinary bus */
    return usb_listener(socket, &token);
}

/* On the bus behind the hub. */
static void run(void *context)
{
    struct usb_split *split = context;
    struct usb_token *token = &split->token;
    enum usb_answer answer = USB_SILENCE;

    token->data = split->data;
    for (unsigned i = 0; i < (is_periodic(split->type) ? 1 : STRIKES); i++) {
        struct usb_model *device = device_of(split);
        answer = device ? usb_model_transact(device, token) : USB_SILENCE;
        if (answer != USB_SILENCE && answer != USB_BABBLE)
            break;
    }
    if (answer == USB_SILENCE || answer == USB_BABBLE)
        answer = is_periodic(split->type) ? USB_ERR : USB_STALL;
    split->answer = answer;
    split->state = TT_READY;
}

/* How long the bus behind the hub is busy with it: 5.11.3. */
static uint64_t duration(const struct usb_token *token)
{
    uint64_t bytes = token->kind == USB_IN ? token->room : token->length;
    return token->speed == BB_USB_LOW ? 64060 + bytes * 5333 : 9107 + bytes * 667;
}

enum usb_answer model_hub_start_split(struct usb_socket *root, const struct usb_token *token,
                                      enum bb_usb_type type, uint64_t microframe)
{
    struct model_hub *hub = find_hub(root, token);

    if (!hub)
        return USB_SILENCE;
    hub->start_splits++;
    usb_require(&hub->usb, token->length <= 64, "a start split with %u bytes", token->length);
    usb_require(&hub->usb, !is_periodic(type) || microframe % 8 != NO_START,
                "a periodic start split in Y6 (11.18.4)");
    usb_require(&hub->usb, token->kind != USB_PING, "a PING in a split (11.17)");
    if (hub->busy && !is_periodic(type))
        return hub->start_splits % 2 ? USB_SILENCE : USB_NAK;
    struct usb_split *split = find_split(hub, token, type);
    if (split && split->state == TT_PENDING && !is_periodic(type))
        return USB_ACK; /* the host did not hear our first ACK: 11.17.1 */
    if (!split)
        split = find_room(hub, token, type, microframe);
    if (!split) /* 11.17.4 */
        return is_periodic(type) ? USB_ACK : USB_NAK;
    world_cancel(&split->run);
    split->run = (struct world_event){.run = run, .context = split};
    split->hub = hub;
    split->type = (uint8_t)type;
    split->token = *token;
    split->started = microframe;
    split->state = TT_PENDING;
    if (token->kind != USB_IN && token->length)
        memcpy(split->data, token->data, token->length);
    /* A periodic one goes out in the next microframe: 11.18.4. */
    uint64_t start = is_periodic(type) ? MICROFRAME - world_now() % MICROFRAME : 0;
    world_at(&split->run, world_now() + start + duration(token));
    return USB_ACK;
}

static enum usb_answer hand_over(struct usb_split *split, struct usb_token *token)
{
    if (split->answer == USB_DATA) {
        token->toggle = split->token.toggle;
        token->length = split->token.length < token->room ? split->token.length : token->room;
        memcpy(token->data, split->data, token->length);
    }
    split->state = is_periodic(split->type) ? TT_FREE : TT_OLD;
    return split->answer;
}

enum usb_answer model_hub_complete_split(struct usb_socket *root, struct usb_token *token,
                                         enum bb_usb_type type, uint64_t microframe)
{
    struct model_hub *hub = find_hub(root, token);

    if (!hub)
        return USB_SILENCE;
    hub->complete_splits++;
    struct usb_split *split = find_split(hub, token, type);
    if (split && is_periodic(type) && microframe > split->started + FORGOTTEN) {
        world_cancel(&split->run);
        split->state = TT_FREE;
        split = NULL;
    }
    if (!split || split->state == TT_FREE) {
        hub->stray_splits++;
        return is_periodic(type) ? USB_NYET : USB_STALL;
    }
    usb_require(&hub->usb, token->kind == split->token.kind,
                "a complete split of another token than its start split");
    usb_require(&hub->usb, microframe > split->started || !is_periodic(type),
                "a complete split in the microframe of its start split (11.18.4)");
    if (split->state == TT_PENDING)
        return USB_NYET;
    return hand_over(split, token);
}

void model_hub_clear_splits(struct model_hub *hub, unsigned port)
{
    for (unsigned i = 0; i < MODEL_HUB_PORTS; i++) {
        for (unsigned j = 0; j < MODEL_TT_BUFFERS + MODEL_TT_PERIODIC; j++) {
            struct usb_split *split = &hub->splits[i][j];
            if (port && split->token.split_port != port)
                continue;
            world_cancel(&split->run);
            split->state = TT_FREE;
        }
    }
}

/* 11.24.2.3: bits 3:0 the endpoint, 10:4 the address, 12:11 its type, 15 its direction. */
void model_hub_clear_split(struct model_hub *hub, unsigned translator, unsigned value)
{
    unsigned type = value >> 11 & 3;

    usb_require(&hub->usb, !(value & 0x6000) && !is_periodic(type),
                "CLEAR_TT_BUFFER of %#x, which is for control and bulk", value);
    for (unsigned i = 0; i < MODEL_TT_BUFFERS; i++) {
        struct usb_split *split = &hub->splits[translator - 1][i];
        bool in = split->token.kind == USB_IN;
        if (split->state == TT_FREE || split->type != type ||
            split->token.address != (value >> 4 & 0x7f) || split->token.endpoint != (value & 15) ||
            (type != BB_USB_CONTROL && in != (value >> 15 & 1)))
            continue;
        world_cancel(&split->run);
        split->state = TT_FREE;
    }
}
