/* SPDX-License-Identifier: BSD-2-Clause */
/* A software host controller: what USB 2.0 asks of a host, on device models. */
#include "usb_soft_host.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/mmio.h>
#include <core/core.h>

#include <tests/unit/harness.h>

#include "boards.h"

#define MICROFRAME (125 * BB_USEC)
#define MAX_CANCEL (10 * BB_MSEC)
enum { RETRIES = 3, POISON = 0xa5, SOURCES = 200 };

enum stage { SETUP, DATA, STATUS, FINISHED };

/* One in flight, with what must not change meanwhile. */
struct soft_transfer {
    struct soft_transfer *next; /* in the order of submitting */
    struct bb_usb_transfer *transfer;
    struct bb_usb_transfer given; /* as it was handed over */
    uint8_t *shadow;              /* its memory as it should be */
    uint32_t room;
    enum stage stage;
    uint8_t toggle;  /* control: of the data stage */
    unsigned errors; /* in a row */
    bool sent;       /* OUT: some packet went, an empty one too */
    int status;
    uint64_t due;       /* periodic: not before */
    uint64_t cancel_at; /* 0: nobody wants it back */
};

struct soft {
    struct bb_device device;
    struct bb_usb_host usb_host;
    struct bb_work work;
};

struct soft_host soft_host;

static void require(bool condition, const char *what, uint64_t value)
{
    if (!condition)
        world_fail("soft host", "%s (%llu)", what, (unsigned long long)value);
}

/* ---- What is handed over ---- */

static bool is_control(const struct bb_usb_transfer *transfer)
{
    return transfer->endpoint->type == BB_USB_CONTROL;
}

static bool is_in(const struct bb_usb_transfer *transfer)
{
    return is_control(transfer) ? transfer->setup.request_type & BB_USB_IN
                                : transfer->endpoint->address & BB_USB_IN;
}

static void check_packet(const struct bb_usb_endpoint *endpoint)
{
    unsigned packet = endpoint->packet, speed = endpoint->device->speed;
    bool power = packet && !(packet & (packet - 1));
    bool fits = false;

    switch (endpoint->type) {
    case BB_USB_CONTROL:
        require((endpoint->address & 0x0f) == 0, "a control endpoint", endpoint->address);
        fits = speed == BB_USB_LOW    ? packet == 8
               : speed == BB_USB_HIGH ? packet == 64
                                      : power && packet >= 8 && packet <= 64;
        break;
    case BB_USB_BULK:
        fits = speed == BB_USB_HIGH   ? packet == 512
               : speed == BB_USB_FULL ? power && packet >= 8 && packet <= 64
                                      : false;
        break;
    case BB_USB_INTERRUPT:
        fits = packet && packet <= (speed == BB_USB_LOW ? 8 : speed == BB_USB_FULL ? 64 : 1024);
        require(endpoint->interval >= 125 && endpoint->interval <= 256000, "an interval",
                endpoint->interval);
        break;
    default:
        break;
    }
    require(fits, "packets that this type and speed do not have", packet);
}

static void check_transfer(const struct bb_usb_transfer *transfer)
{
    const struct bb_usb_device *device = transfer->endpoint->device;

    require(transfer->done, "a transfer without done()", 0);
    require(!device->gone, "a transfer for a device that is gone", device->address);
    require(device->address < 128 && device->speed <= BB_USB_HIGH, "address", device->address);
    require(!transfer->length || (uintptr_t)transfer->data % BB_USB_ALIGNMENT == 0,
            "memory that is not aligned", (uintptr_t)transfer->data);
    require(transfer->length <= 1u << 24, "length", transfer->length);
    if (is_control(transfer))
        require(transfer->setup.length == transfer->length, "wLength is not the length",
                transfer->setup.length);
    else
        require(transfer->endpoint->address & 0x0f, "endpoint", transfer->endpoint->address);
    check_packet(transfer->endpoint);
    for (const struct soft_transfer *soft = soft_host.transfers; soft; soft = soft->next) {
        require(soft->transfer != transfer, "a transfer that is in flight already", 0);
        require(soft->transfer->endpoint != transfer->endpoint,
                "a second transfer of an endpoint while it has one", transfer->endpoint->address);
    }
}

static struct soft_transfer *take(struct bb_usb_transfer *transfer)
{
    struct soft_transfer *soft = calloc(1, sizeof *soft);
    struct soft_transfer **at = &soft_host.transfers;

    require(soft, "memory", 0);
    soft->transfer = transfer;
    soft->given = *transfer;
    soft->stage = is_control(transfer) ? SETUP : DATA;
    soft->toggle = 1;
    soft->status = -EINPROGRESS;
    soft->room =
        is_in(transfer) ? bb_usb_room(transfer->endpoint, transfer->length) : transfer->length;
    soft->shadow = malloc(soft->room + 1);
    require(soft->shadow, "memory", soft->room);
    if (soft->room && is_in(transfer))
        memset(transfer->data, POISON, soft->room);
    if (soft->room)
        memcpy(soft->shadow, transfer->data, soft->room);
    soft->due = world_now();
    if (transfer->endpoint->type == BB_USB_INTERRUPT && transfer->endpoint->host[0] > soft->due)
        soft->due = transfer->endpoint->host[0]; /* its interval goes on from one to the next */
    while (*at)
        at = &(*at)->next;
    *at = soft;
    soft_host.in_flight++;
    return soft;
}

static void check_untouched(const struct soft_transfer *soft)
{
    const struct bb_usb_transfer *now = soft->transfer, *then = &soft->given;

    require(now->endpoint == then->endpoint && now->data == then->data &&
                now->length == then->length && (now->done == then->done || soft_host.deaf) &&
                memcmp(&now->setup, &then->setup, sizeof then->setup) == 0,
            "a transfer was changed while in flight", 0);
    require(!soft->room || memcmp(now->data, soft->shadow, soft->room) == 0,
            "memory was touched while in flight", now->length);
}

static void give_back(struct soft_transfer *soft)
{
    struct bb_usb_transfer *transfer = soft->transfer;
    struct soft_transfer **at = &soft_host.transfers;
    int status = soft->status;

    check_untouched(soft);
    while (*at != soft)
        at = &(*at)->next;
    *at = soft->next;
    soft_host.in_flight--;
    free(soft->shadow);
    free(soft);
    bb_usb_complete(transfer, status);
}

/* ---- Transactions ---- */

static void finish(struct soft_transfer *soft, int status)
{
    soft->status = status;
    soft->stage = FINISHED;
}

static uint32_t packet_at(const struct bb_usb_transfer *transfer)
{
    uint32_t left = transfer->length - transfer->actual;
    return left < transfer->endpoint->packet ? left : transfer->endpoint->packet;
}

/* What comes after a good packet of the data stage. */
static void go_on(struct soft_transfer *soft, uint32_t moved)
{
    struct bb_usb_transfer *transfer = soft->transfer;
    uint32_t packet = transfer->endpoint->packet;
    bool ended = transfer->actual >= transfer->length || (is_in(transfer) && moved < packet);

    if (!is_in(transfer) && ended && transfer->flags & BB_USB_ZERO && moved == packet)
        ended = false;
    if (!ended)
        return;
    if (is_control(transfer))
        soft->stage = STATUS;
    else
        finish(soft, 0);
}

static void take_data(struct soft_transfer *soft, const struct usb_token *token, uint8_t *toggle)
{
    struct bb_usb_transfer *transfer = soft->transfer;

    if (token->toggle != *toggle)
        return; /* a packet that we have: acknowledged, and no more */
    *toggle ^= 1;
    if (soft->stage == STATUS) {
        finish(soft, token->length ? -EIO : 0);
        return;
    }
    memcpy((uint8_t *)transfer->data + transfer->actual, token->data, token->length);
    memcpy(soft->shadow + transfer->actual, token->data, token->length);
    transfer->actual += token->length;
    if (transfer->actual > transfer->length) { /* whole packets fit, but it was more than asked */
        transfer->actual = transfer->length;
        finish(soft, -EOVERFLOW);
        return;
    }
    go_on(soft, token->length);
}

static void sent_data(struct soft_transfer *soft, const struct usb_token *token, uint8_t *toggle)
{
    if (token->kind == USB_SETUP) {
        soft->stage = soft->transfer->length ? DATA : STATUS;
        return;
    }
    *toggle ^= 1;
    if (soft->stage == STATUS) {
        finish(soft, 0);
        return;
    }
    soft->transfer->actual += token->length;
    go_on(soft, token->length);
}

/* Builds the next token. */
static void make_token(struct soft_transfer *soft, struct usb_token *token, uint8_t *packet,
                       uint8_t toggle)
{
    struct bb_usb_transfer *transfer = soft->transfer;
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    const struct bb_usb_device *device = endpoint->device;
    bool in = soft->stage == STATUS ? !is_in(transfer) || !transfer->length : is_in(transfer);

    *token = (struct usb_token){
        .kind = soft->stage == SETUP ? USB_SETUP
                : in                 ? USB_IN
                                     : USB_OUT,
        .address = device->address,
        .endpoint = endpoint->address & 0x0f,
        .speed = device->speed,
        .data = packet,
        .toggle = toggle,
        .room = endpoint->packet,
        .split_hub = device->split_address,
        .split_port = device->split_port,
    };
    if (soft->stage == SETUP) {
        memcpy(packet, &transfer->setup, 8);
        token->length = 8;
        token->toggle = 0;
    } else if (!in && soft->stage == DATA) {
        token->length = packet_at(transfer);
        if (token->length)
            memcpy(packet, (uint8_t *)transfer->data + transfer->actual, token->length);
    }
    if (token->kind == USB_OUT && endpoint->ping && device->speed == BB_USB_HIGH) {
        token->kind = USB_PING;
        token->length = 0;
    }
}

/* A class driver that lies about packet sizes has read another descriptor than this device's. */
static void check_pipe(const struct bb_usb_endpoint *endpoint, const struct usb_token *token)
{
    const struct bb_usb_device *device = endpoint->device;
    struct usb_model *model = NULL;

    for (unsigned i = 0; i < soft_host.ports && !model; i++)
        model = usb_listener(&soft_host.sockets[i], token);
    if (!model || model->lenient || !device->address || !token->endpoint)
        return;
    const struct usb_pipe *pipe =
        usb_pipe_of(model, token->endpoint | (token->kind == USB_IN ? 0x80u : 0));
    usb_require(model, pipe, "endpoint %#x is not in configuration %u", endpoint->address,
                model->configuration);
    usb_require(model, pipe->packet == endpoint->packet && pipe->type == endpoint->type,
                "endpoint %#x has packets of %u, not %u", endpoint->address, pipe->packet,
                endpoint->packet);
}

static enum usb_answer send(struct usb_token *token)
{
    for (unsigned i = 0; i < soft_host.ports; i++) /* one bus: each root port hears it */
        if (usb_listener(&soft_host.sockets[i], token))
            return usb_transact(&soft_host.sockets[i], token);
    return USB_SILENCE;
}

static void failed(struct soft_transfer *soft)
{
    if (++soft->errors >= RETRIES)
        finish(soft, -EIO);
}

/* One transaction; false when the device asks for another time. */
static bool transact(struct soft_transfer *soft)
{
    static uint8_t packet[1024];
    struct bb_usb_transfer *transfer = soft->transfer;
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    struct usb_token token;
    uint8_t one = 1;
    uint8_t *toggle = soft->stage == STATUS  ? &one
                      : is_control(transfer) ? &soft->toggle
                                             : &endpoint->toggle;

    require(*toggle < 2, "toggle", *toggle);
    make_token(soft, &token, packet, *toggle);
    check_pipe(endpoint, &token);
    enum usb_answer answer = send(&token);
    soft_host.transactions++;
    if (answer != USB_SILENCE)
        soft->errors = 0;
    switch (answer) {
    case USB_NYET:
    case USB_ACK:
        endpoint->ping = answer == USB_NYET;
        if (token.kind != USB_PING)
            sent_data(soft, &token, toggle);
        break;
    case USB_DATA:
        take_data(soft, &token, toggle);
        break;
    case USB_NAK:
        endpoint->ping = token.kind != USB_IN && endpoint->device->speed == BB_USB_HIGH &&
                         endpoint->type != BB_USB_INTERRUPT;
        break;
    case USB_STALL:
        finish(soft, -EPIPE);
        break;
    case USB_BABBLE:
        finish(soft, -EOVERFLOW);
        break;
    default:
        failed(soft);
        break;
    }
    if (soft_host.saw)
        soft_host.saw(transfer, answer);
    return answer != USB_NAK && answer != USB_SILENCE;
}

/* ---- The schedule ---- */

/* Bus time of a transaction, ns: 5.11.3, roughly. */
static int64_t cost(const struct bb_usb_endpoint *endpoint)
{
    switch (endpoint->device->speed) {
    case BB_USB_HIGH:
        return 917 + endpoint->packet * 17;
    case BB_USB_FULL:
        return 9107 + endpoint->packet * 667;
    default:
        return 64060 + endpoint->packet * 5333;
    }
}

static void run_microframe(uint64_t now)
{
    int64_t budget = MICROFRAME;

    for (bool moved = true; moved && budget > 0;) {
        moved = false;
        for (struct soft_transfer *soft = soft_host.transfers; soft; soft = soft->next) {
            bool periodic = soft->transfer->endpoint->type == BB_USB_INTERRUPT;
            if (soft->stage == FINISHED || soft->due > now || budget <= 0)
                continue;
            budget -= cost(soft->transfer->endpoint);
            bool went = transact(soft);
            if (periodic)
                soft->due = soft->transfer->endpoint->host[0] =
                    now + soft->transfer->endpoint->interval * BB_USEC;
            else if (!went)
                soft->due = now + MICROFRAME;
            moved |= went && !periodic;
        }
    }
}

/* At the next moment at which anything can happen; soon again while results wait to be fetched, as
 * an interrupt that stays pending does. */
static void schedule(void)
{
    uint64_t now = world_now(), due = UINT64_MAX;

    for (const struct soft_transfer *soft = soft_host.transfers; soft; soft = soft->next) {
        uint64_t at = soft->due > now ? soft->due : now + MICROFRAME;
        if (soft->cancel_at && soft->cancel_at < at)
            at = soft->cancel_at;
        if (soft->stage == FINISHED)
            at = now + 10 * BB_USEC;
        due = at < due ? at : due;
    }
    if (due != UINT64_MAX)
        world_at(&soft_host.tick, due > now ? due : now + 1);
}

static struct soft *soft_of(struct bb_usb_host *host)
{
    return bb_container_of(host, struct soft, usb_host);
}

static void tick(void *context)
{
    struct soft *soft_device = soft_of(soft_host.host);
    uint64_t now = world_now();

    (void)context;
    run_microframe(now);
    for (struct soft_transfer *soft = soft_host.transfers; soft; soft = soft->next) {
        if (soft->cancel_at && soft->cancel_at <= now && soft->stage != FINISHED)
            finish(soft, -ECANCELED);
        if (soft->stage == FINISHED)
            bb_work_queue(&soft_device->work);
    }
    schedule();
}

static void complete(struct bb_work *work)
{
    struct soft_transfer *soft = soft_host.transfers;

    (void)work;
    while (soft) {
        if (soft->stage != FINISHED) {
            soft = soft->next;
            continue;
        }
        give_back(soft);
        soft = soft_host.transfers; /* done() may have submitted and cancelled others */
    }
}

static int soft_submit(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    (void)host;
    soft_host.submits++;
    if (soft_host.refuses)
        return -ENOMEM;
    check_transfer(transfer);
    transfer->actual = 0;
    take(transfer);
    schedule();
    return 0;
}

static void soft_cancel(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    struct soft_transfer *soft = soft_host.transfers;

    (void)host;
    soft_host.cancels++;
    while (soft && soft->transfer != transfer)
        soft = soft->next;
    require(soft, "a transfer is cancelled that is not in flight", 0);
    require(soft_host.cancel_delay <= MAX_CANCEL, "cancel_delay", soft_host.cancel_delay);
    if (!soft->cancel_at && !soft_host.deaf)
        soft->cancel_at = world_now() + soft_host.cancel_delay;
    schedule();
}

static void soft_forget(struct bb_usb_host *host, struct bb_usb_endpoint *endpoint)
{
    (void)host;
    for (const struct soft_transfer *soft = soft_host.transfers; soft; soft = soft->next)
        require(soft->transfer->endpoint != endpoint, "an endpoint is forgotten while in use",
                endpoint->address);
    endpoint->host[0] = 0;
}

/* ---- The driver ---- */

static int soft_probe(struct bb_device *device)
{
    struct soft *soft = bb_container_of(device, struct soft, device);

    require(!soft_host.host, "there is one soft host", 2);
    soft->work = (struct bb_work){.run = complete, .device = device};
    soft->usb_host.ports = (uint8_t)soft_host.ports;
    soft_host.host = &soft->usb_host;
    int error = bb_usb_host_start(&soft->usb_host);
    if (error < 0)
        soft_host.host = NULL;
    return error;
}

static void soft_remove(struct bb_device *device)
{
    (void)device;
    for (struct soft_transfer *soft; soft_host.deaf && (soft = soft_host.transfers);) {
        soft_host.transfers = soft->next;
        soft_host.in_flight--;
        free(soft->shadow);
        free(soft);
    }
    require(!soft_host.in_flight, "transfers are in flight when the controller goes",
            soft_host.in_flight);
    for (unsigned i = 0; i < soft_host.ports; i++)
        soft_ports_off(i + 1);
    world_cancel(&soft_host.tick);
    soft_host.host = NULL;
}

static const struct bb_usb_host_ops bb_ops_usb_host_soft = {
    .submit = soft_submit,
    .cancel = soft_cancel,
    .forget = soft_forget,
    .port_status = soft_port_status,
    .port_feature = soft_port_feature,
};

BB_DRIVER(usb_host, soft, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,usb-host"}),
          .probe = soft_probe, .remove = soft_remove);

void soft_host_add(unsigned ports)
{
    static const struct bb_driver *drivers[SOURCES];

    require(ports >= 1 && ports <= SOFT_HOST_PORTS, "root ports", ports);
    require(bb_driver_count < SOURCES, "drivers", bb_driver_count);
    soft_host = (struct soft_host){.ports = ports, .cancel_delay = BB_MSEC};
    soft_host.tick.run = tick;
    soft_ports_init();
    tree_device("usb", "test,usb-host");
    tree_close();
    drivers[0] = &bb_driver_usb_host_soft;
    for (size_t i = 0; i < bb_driver_count; i++)
        drivers[i + 1] = bb_drivers[i];
    bb_binder.drivers = drivers;
    bb_binder.count = bb_driver_count + 1;
}

void soft_host_prepare(unsigned ports)
{
    virt_prepare(NULL);
    soft_host_add(ports);
}
