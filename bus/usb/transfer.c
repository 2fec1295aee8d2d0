/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers: what may go to a controller, one owner at a time, and how each of them ends (Universal
 * Serial Bus Specification 2.0, chapters 5 and 8). A controller has one transfer of an endpoint;
 * the others wait in its queue.
 */
#include <string.h>

#include <busbar/hooks.h>
#include <busbar/log.h>

#include "internal.h"

enum {
    US_ENGLISH = 0x0409, /* where a device did not tell its languages */
    REQUEST_MS = 1000,   /* for a request's end */
    TURN_MS = 10000,     /* for the turn of a request that somebody waits for */
    STUCK_MS = 1000,     /* in which a controller must have ended what was cancelled */
};

static const struct bb_usb_host_ops *ops_of(const struct bb_usb_host *host)
{
    (void)host; /* where the image has one controller */
    return &BB_BOUND_USB_HOST;
}

const char *bb_usb_status_name(int status)
{
    switch (status) {
    case -EPIPE:
        return "it refused";
    case -EIO:
        return "no answer";
    case -EOVERFLOW:
        return "it sent too much";
    case -EPROTO:
        return "too short an answer";
    default:
        return bb_error_name(status);
    }
}

/* ---- Queues ---- */

static void link_up(struct bb_usb_transfer *transfer)
{
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    struct bb_usb_host *host = endpoint->device->host;
    transfer->next = NULL;
    *(endpoint->first ? &endpoint->last->next : &endpoint->first) = transfer;
    endpoint->last = transfer;
    transfer->previous_of_all = NULL;
    transfer->next_of_all = host->in_flight;
    if (host->in_flight)
        host->in_flight->previous_of_all = transfer;
    host->in_flight = transfer;
    bb_usb_of(endpoint->device)->in_flight++;
}

static void take_out(struct bb_usb_transfer *transfer)
{
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    struct bb_usb_host *host = endpoint->device->host;
    struct bb_usb_transfer *before = NULL;
    for (struct bb_usb_transfer *at = endpoint->first; at != transfer; at = at->next)
        before = at;
    *(before ? &before->next : &endpoint->first) = transfer->next;
    if (endpoint->last == transfer)
        endpoint->last = before;
    *(transfer->previous_of_all ? &transfer->previous_of_all->next_of_all : &host->in_flight) =
        transfer->next_of_all;
    if (transfer->next_of_all)
        transfer->next_of_all->previous_of_all = transfer->previous_of_all;
    bb_usb_of(endpoint->device)->in_flight--;
    transfer->started = false;
}

static void count(struct bb_usb_host_stats *stats, const struct bb_usb_transfer *transfer)
{
    if (!transfer->status) {
        stats->transfers++;
        stats->bytes += transfer->actual;
    } else if (transfer->status != -ECANCELED && transfer->status != -ENODEV) {
        stats->errors++;
        stats->timeouts += transfer->status == -ETIMEDOUT;
    }
}

static void call_done(struct bb_usb_transfer *transfer)
{
    const struct bb_usb_interface *interface = transfer->endpoint->interface;
    struct bb_device *owner = interface ? interface->owner : NULL;
    if (!owner) {
        transfer->done(transfer);
        return;
    }
    struct bb_device *previous = bb_device_enter(owner);
    owner->calls++;
    transfer->done(transfer);
    owner->calls--;
    bb_device_leave(previous);
}

static int start(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    int error = ops_of(host)->submit(host, transfer);
    transfer->started = !error;
    return error;
}

/* Gives the controller what stands first in the endpoint's queue. One that it refuses ends from the
 * engine: its done() may submit, and so on for ever. */
static void start_next(struct bb_usb_endpoint *endpoint)
{
    struct bb_usb_host *host = endpoint->device->host;
    struct bb_usb_transfer *first = endpoint->first;
    if (!first || first->started || first->cancelled || endpoint->halted || endpoint->held)
        return;
    first->cancelled = start(host, first);
    if (first->cancelled)
        bb_usb_wake(host);
}

void bb_usb_release_endpoint(struct bb_usb_endpoint *endpoint)
{
    if (endpoint->held && --endpoint->held == 0)
        start_next(endpoint);
}

/* It is in no queue any more. */
static void finish(struct bb_usb_transfer *transfer, int status)
{
    struct bb_usb_device *device = transfer->endpoint->device;
    if (status && transfer->cancelled)
        status = transfer->cancelled;
    if (status && device->gone)
        status = -ENODEV;
    transfer->status = status;
    count(&device->host->stats, transfer);
    if (device->gone)
        bb_usb_wake(device->host); /* its slot may wait for this */
    call_done(transfer);
}

void bb_usb_complete(struct bb_usb_transfer *transfer, int status)
{
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    if (transfer->status != -EINPROGRESS)
        return; /* abandoned */
    BB_ASSERT(endpoint->first == transfer);
    BB_ASSERT(transfer->actual <= transfer->length || status);
    take_out(transfer);
    if (status && status != -EPIPE)
        bb_usb_clear_translator(endpoint);
    if (status == -EPIPE && endpoint->type != BB_USB_CONTROL)
        endpoint->halted = true;
    start_next(endpoint);
    finish(transfer, status);
    while (endpoint->halted && endpoint->first) {
        transfer = endpoint->first;
        take_out(transfer);
        finish(transfer, -EPIPE);
    }
}

/* ---- Deadlines ---- */

static void watch(struct bb_usb_host *host, uint64_t deadline)
{
    struct bb_timer_event *event = &host->deadlines;
    if (deadline != BB_FOREVER && (!event->armed || deadline < event->due))
        bb_timer_event_at(event, deadline);
}

static void end(struct bb_usb_transfer *transfer, int status)
{
    struct bb_usb_host *host = transfer->endpoint->device->host;
    if (transfer->status != -EINPROGRESS || transfer->cancelled)
        return;
    transfer->cancelled = status;
    if (transfer->started)
        ops_of(host)->cancel(host, transfer);
    else
        bb_usb_wake(host);
}

void bb_usb_deadlines(struct bb_timer_event *event)
{
    struct bb_usb_host *host = bb_container_of(event, struct bb_usb_host, deadlines);
    uint64_t now = bb_time(), next = BB_FOREVER;
    for (struct bb_usb_transfer *at = host->in_flight; at; at = at->next_of_all) {
        if (at->cancelled)
            continue;
        if (at->deadline <= now)
            end(at, -ETIMEDOUT);
        else if (at->deadline < next)
            next = at->deadline;
    }
    watch(host, next);
}

bool bb_usb_end_waiting(struct bb_usb_host *host)
{
    struct bb_usb_transfer *at = host->in_flight;
    while (at && (!at->cancelled || at->started))
        at = at->next_of_all;
    if (!at)
        return false;
    take_out(at);
    start_next(at->endpoint);
    finish(at, at->cancelled);
    return true;
}

void bb_usb_end_all(struct bb_usb_device *device, int status)
{
    struct bb_usb_host *host = device->host;
    for (struct bb_usb_transfer *at = host->in_flight; at; at = at->next_of_all)
        if (at->endpoint->device == device)
            end(at, status);
}

void bb_usb_abandon(struct bb_usb_host *host)
{
    while (host->in_flight) {
        struct bb_usb_transfer *transfer = host->in_flight;
        take_out(transfer);
        transfer->cancelled = -ENODEV;
        finish(transfer, -ENODEV);
    }
}

/* ---- What drivers call ---- */

static int refuse(const struct bb_usb_transfer *transfer)
{
    const struct bb_usb_endpoint *endpoint = transfer->endpoint;
    if (!endpoint || !transfer->done || !transfer->timeout ||
        endpoint->type == BB_USB_ISOCHRONOUS || (transfer->length && !transfer->data) ||
        ((uintptr_t)transfer->data & (BB_USB_ALIGNMENT - 1)) || !endpoint->packet)
        return -EINVAL;
    if (endpoint->type == BB_USB_CONTROL && transfer->setup.length != transfer->length)
        return -EINVAL;
    if (endpoint->device->gone || (endpoint->interface && endpoint->interface->closing))
        return -ENODEV;
    if (transfer->status == -EINPROGRESS)
        return -EBUSY;
    return endpoint->halted ? -EPIPE : 0;
}

int bb_usb_submit(struct bb_usb_transfer *transfer)
{
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    int error = refuse(transfer);
    if (error)
        return error;
    struct bb_usb_host *host = endpoint->device->host;
    transfer->actual = 0;
    transfer->cancelled = 0;
    transfer->started = false;
    transfer->status = -EINPROGRESS;
    transfer->deadline = BB_FOREVER;
    if (transfer->timeout != BB_FOREVER)
        transfer->deadline = bb_time() + transfer->timeout;
    bool alone = !endpoint->first && !endpoint->held;
    link_up(transfer);
    error = alone ? start(host, transfer) : 0;
    if (error) {
        take_out(transfer);
        transfer->status = error;
        return error;
    }
    watch(host, transfer->deadline);
    return 0;
}

void bb_usb_cancel(struct bb_usb_transfer *transfer)
{
    end(transfer, -ECANCELED);
}

static bool has_ended(void *context)
{
    const struct bb_usb_transfer *transfer = context;
    return transfer->status != -EINPROGRESS;
}

/* It has been cancelled, or has a deadline. */
static void wait_for_end(struct bb_usb_transfer *transfer, uint64_t most)
{
    if (bb_wait(has_ended, transfer, most + STUCK_MS * BB_MSEC) < 0)
        bb_print(BB_ERROR, "%s: does not give a transfer back",
                 transfer->endpoint->device->host->face.device->name);
}

void bb_usb_cancel_wait(struct bb_usb_transfer *transfer)
{
    if (transfer->status != -EINPROGRESS)
        return;
    bb_usb_cancel(transfer);
    wait_for_end(transfer, 0);
}

void bb_usb_tell_nobody(struct bb_usb_transfer *transfer)
{
    (void)transfer;
}

int bb_usb_run(struct bb_usb_transfer *transfer)
{
    transfer->done = bb_usb_tell_nobody;
    int error = transfer->timeout == BB_FOREVER ? -EINVAL : bb_usb_submit(transfer);
    if (error)
        return error;
    wait_for_end(transfer, transfer->timeout);
    return transfer->status;
}

/* ---- The control pipe ---- */

static void pipe_next(struct bb_usb *usb);

static void request_done(struct bb_usb *usb, int status)
{
    struct bb_usb_request *request = usb->first;
    usb->first = request->next;
    request->status = status;
    if (request->done)
        request->done(request);
}

static void pipe_done(struct bb_usb_transfer *transfer)
{
    struct bb_usb *usb = bb_container_of(transfer, struct bb_usb, control);
    struct bb_usb_request *request = usb->first;
    if (request && transfer->context == request) { /* else nobody waits for it any more */
        request->actual = transfer->actual;
        if (!request->direct && request->setup.request_type & BB_USB_IN && transfer->actual)
            memcpy(request->data, usb->buffer, transfer->actual);
        request_done(usb, transfer->status);
    }
    pipe_next(usb);
}

/* Those that cannot be started at all end here, in turn. */
static void pipe_next(struct bb_usb *usb)
{
    while (usb->first && usb->control.status != -EINPROGRESS) {
        struct bb_usb_request *request = usb->first;
        void *data = request->direct ? request->data : usb->buffer;
        uint16_t length = request->setup.length;
        if (length && !request->direct && !(request->setup.request_type & BB_USB_IN))
            memcpy(data, request->data, length);
        usb->control.endpoint = &usb->device.control;
        usb->control.setup = request->setup;
        usb->control.data = length ? data : NULL;
        usb->control.length = length;
        usb->control.timeout = request->timeout;
        usb->control.done = pipe_done;
        usb->control.context = request;
        int error = bb_usb_submit(&usb->control);
        if (error)
            request_done(usb, error);
    }
}

void bb_usb_request(struct bb_usb_device *device, struct bb_usb_request *request)
{
    struct bb_usb *usb = bb_usb_of(device);
    request->status = -EINPROGRESS;
    request->actual = 0;
    request->next = NULL;
    *(usb->first ? &usb->last->next : &usb->first) = request;
    usb->last = request;
    pipe_next(usb);
}

static bool is_answered(void *context)
{
    const struct bb_usb_request *request = context;
    return request->status != -EINPROGRESS;
}

/* Its turn never came, or its end: it must not be found in the queue. */
static void forget(struct bb_usb *usb, const struct bb_usb_request *request)
{
    struct bb_usb_request *before = NULL;
    for (struct bb_usb_request *at = usb->first; at && at != request; at = at->next)
        before = at;
    *(before ? &before->next : &usb->first) = request->next;
    if (usb->last == request)
        usb->last = before;
    if (usb->control.context == request) {
        usb->control.context = NULL;
        bb_usb_cancel(&usb->control);
    }
}

int bb_usb_control(struct bb_usb_device *device, unsigned request_type, unsigned request,
                   unsigned value, unsigned index, void *data, unsigned length)
{
    struct bb_usb_request own = {
        .setup = {(uint8_t)request_type, (uint8_t)request, (uint16_t)value, (uint16_t)index,
                  (uint16_t)length},
        .data = data,
        .timeout = REQUEST_MS * BB_MSEC,
    };
    if (length > BB_USB_CONTROL_MAX || (length && !data))
        return -EINVAL;
    if (device->gone)
        return -ENODEV;
    bb_usb_request(device, &own);
    if (bb_wait(is_answered, &own, TURN_MS * BB_MSEC) < 0) {
        forget(bb_usb_of(device), &own);
        return -ETIMEDOUT;
    }
    return own.status ? own.status : (int)own.actual;
}

int bb_usb_clear_halt(struct bb_usb_endpoint *endpoint)
{
    if (endpoint->first)
        return -EBUSY;
    int error = bb_usb_control(endpoint->device, BB_USB_TO_ENDPOINT, BB_USB_CLEAR_FEATURE, 0,
                               endpoint->address, NULL, 0);
    if (error < 0)
        return error;
    endpoint->halted = false;
    endpoint->toggle = 0;
    endpoint->ping = false;
    return 0;
}

int bb_usb_string(struct bb_usb_device *device, unsigned index, char *text, size_t size)
{
    uint8_t data[255];
    unsigned language = bb_usb_of(device)->language;
    *text = '\0';
    if (!index)
        return 0;
    int got = bb_usb_control(device, BB_USB_IN, BB_USB_GET_DESCRIPTOR,
                             BB_USB_STRING_DESCRIPTOR << 8 | (index & 0xff),
                             language ? language : US_ENGLISH, data, sizeof(data));
    if (got < 0)
        return got;
    if (got < 2 || data[0] < 2 || data[1] != BB_USB_STRING_DESCRIPTOR)
        return -EPROTO;
    size_t count = (size_t)got < data[0] ? (size_t)got : data[0];
    return (int)bb_usb_utf8(data + 2, count - 2, text, size);
}
