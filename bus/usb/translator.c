/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transaction translators (Universal Serial Bus Specification 2.0, 11.24.2.3): a control or bulk
 * transfer that was given up may leave its last transaction in the hub, which must forget it before
 * the endpoint is of use again.
 */
#include "internal.h"

enum { CLEAR_TT_BUFFER = 8, REQUEST_MS = 500, IN = 0x8000 };

static struct bb_usb_hub *hub_of(const struct bb_usb_device *device)
{
    struct bb_usb_hub *hub = device->hub;
    while (hub->device && hub->device->address != device->split_address)
        hub = hub->device->hub;
    return hub->device && !hub->device->gone && hub->running ? hub : NULL;
}

static void ask_next(struct bb_usb_hub *hub);

static void cleared(struct bb_usb_request *request)
{
    struct bb_usb_hub *hub = bb_container_of(request, struct bb_usb_hub, translator);
    struct bb_usb_endpoint *endpoint = hub->stale[0].endpoint;
    hub->stale_count--;
    for (unsigned i = 0; i < hub->stale_count; i++)
        hub->stale[i] = hub->stale[i + 1];
    if (hub->stale_count)
        ask_next(hub);
    if (endpoint)
        bb_usb_release_endpoint(endpoint);
}

static void ask_next(struct bb_usb_hub *hub)
{
    hub->translator = (struct bb_usb_request){
        .setup = {BB_USB_CLASS | BB_USB_TO_OTHER, CLEAR_TT_BUFFER, hub->stale[0].value,
                  hub->stale[0].port, 0},
        .timeout = REQUEST_MS * BB_MSEC,
        .done = cleared,
    };
    bb_usb_request(hub->device, &hub->translator);
}

/* One too many is left to the hub, which gives up by itself in the end. */
static void add(struct bb_usb_hub *hub, struct bb_usb_endpoint *endpoint, uint16_t value,
                uint16_t port)
{
    for (unsigned i = 0; i < hub->stale_count; i++)
        if (hub->stale[i].value == value && hub->stale[i].port == port && i)
            return;
    if (hub->stale_count == BB_ARRAY_SIZE(hub->stale))
        return;
    hub->stale[hub->stale_count].value = value;
    hub->stale[hub->stale_count].port = port;
    hub->stale[hub->stale_count].endpoint = endpoint;
    endpoint->held++;
    if (hub->stale_count++ == 0)
        ask_next(hub);
}

void bb_usb_clear_translator(struct bb_usb_endpoint *endpoint)
{
    const struct bb_usb_device *device = endpoint->device;
    bool control = endpoint->type == BB_USB_CONTROL;
    if (!device->split_address || !(control || endpoint->type == BB_USB_BULK))
        return;
    struct bb_usb_hub *hub = hub_of(device);
    if (!hub)
        return;
    unsigned value = (endpoint->address & 0xfu) | (unsigned)device->address << 4 |
                     (unsigned)endpoint->type << 11;
    uint16_t port = device->split_multiple ? device->split_port : 1;
    if (control || !(endpoint->address & BB_USB_IN))
        add(hub, endpoint, (uint16_t)value, port);
    if (control || endpoint->address & BB_USB_IN)
        add(hub, endpoint, (uint16_t)(value | IN), port);
}

void bb_usb_leave_translator(const struct bb_usb_device *device)
{
    for (struct bb_usb_hub *hub = device->host->hubs; hub; hub = hub->next)
        for (unsigned i = 0; i < hub->stale_count; i++)
            if (hub->stale[i].endpoint && hub->stale[i].endpoint->device == device)
                hub->stale[i].endpoint = NULL;
}
