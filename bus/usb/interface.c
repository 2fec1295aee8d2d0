/* SPDX-License-Identifier: BSD-2-Clause */
/* What a driver holds of a device: interfaces, memory, a hub. */
#include <busbar/log.h>

#include "internal.h"

enum { END_MS = 2000 };

/* ---- Interfaces ---- */

static void release(struct bb_resource *resource)
{
    struct bb_usb_interface *interface =
        bb_container_of(resource, struct bb_usb_interface, resource);
    interface->closing = true;
    for (unsigned i = 0; i < interface->endpoint_count; i++) {
        struct bb_usb_endpoint *endpoint = &interface->endpoints[i];
        while (endpoint->first) {
            struct bb_usb_transfer *first = endpoint->first;
            for (struct bb_usb_transfer *at = first; at; at = at->next)
                bb_usb_cancel(at);
            bb_usb_cancel_wait(first);
            if (endpoint->first == first) {       /* the controller keeps it, and has said so */
                first->done = bb_usb_tell_nobody; /* the driver has gone when it ends */
                break;
            }
        }
    }
    interface->owner = NULL;
}

/* The one of this number, or that of the device's node. */
static int claim(struct bb_device *device, int number, struct bb_usb_interface **claimed)
{
    struct bb_usb_device *usb = bb_usb_device_of(device->node);
    for (unsigned i = 0; usb && !usb->gone && i < usb->interface_count; i++) {
        struct bb_usb_interface *interface = &usb->interfaces[i];
        if (number < 0 ? interface->node != device->node : interface->number != number)
            continue;
        *claimed = interface;
        if (interface->owner)
            return bb_fail(device, "interface", -EBUSY);
        int error = bb_acquire(device, &interface->resource, "interface", release);
        if (!error) {
            interface->owner = device;
            interface->closing = false;
        }
        return error;
    }
    return bb_fail(device, "interface", -ENODEV);
}

int bb_usb_claim(struct bb_device *device, struct bb_usb_interface **claimed)
{
    return claim(device, -1, claimed);
}

int bb_usb_claim_number(struct bb_device *device, unsigned number,
                        struct bb_usb_interface **claimed)
{
    return claim(device, (int)number, claimed);
}

int bb_usb_set_interface(struct bb_usb_interface *interface, unsigned alternate)
{
    struct bb_usb_device *device = interface->device;
    struct bb_usb_host *host = device->host;
    const struct bb_usb_host_ops *ops = &BB_BOUND_USB_HOST;
    if (alternate > UINT8_MAX || !bb_usb_has_setting(interface, alternate))
        return -ENOENT;
    for (unsigned i = 0; i < interface->endpoint_count; i++)
        if (interface->endpoints[i].first)
            return -EBUSY;
    int error = bb_usb_control(device, BB_USB_TO_INTERFACE, BB_USB_SET_INTERFACE, alternate,
                               interface->number, NULL, 0);
    if (error < 0)
        return error;
    for (unsigned i = 0; host->started && ops->forget && i < interface->endpoint_count; i++)
        ops->forget(host, &interface->endpoints[i]);
    return bb_usb_use_setting(interface, alternate);
}

void *bb_usb_alloc(struct bb_device *device, size_t size)
{
    struct bb_usb_device *usb = bb_usb_device_of(device->node);
    if (!usb || size > INT32_MAX)
        return NULL;
    size_t room = bb_usb_largest_room(bb_usb_of(usb), size);
    device->shared = true; /* a controller that does not let go may still write to it */
    return bb_device_alloc(device, (room + BB_USB_ALIGNMENT - 1) & ~(size_t)(BB_USB_ALIGNMENT - 1),
                           BB_USB_ALIGNMENT);
}

/* ---- Hubs ---- */

struct below {
    struct bb_usb_host *host;
    const struct bb_usb_hub *hub;
};

static bool is_empty(void *context)
{
    const struct below *below = context;
    for (const struct bb_usb_device *at = below->host->devices; at; at = at->next)
        if (at->hub == below->hub)
            return false;
    return true;
}

static void release_hub(struct bb_resource *resource)
{
    struct bb_usb_hub *hub = bb_container_of(resource, struct bb_usb_hub, resource);
    struct bb_usb_host *host = hub->host;
    struct below below = {host, hub};
    bb_usb_hub_end(hub);
    if (bb_wait(is_empty, &below, END_MS * BB_MSEC) < 0)
        bb_print(BB_ERROR, "%s: something that is plugged in does not let go", hub->owner->name);
    struct bb_usb_hub **at = &host->hubs;
    while (*at != hub)
        at = &(*at)->next;
    *at = hub->next;
}

int bb_usb_hub_start(struct bb_device *device, struct bb_usb_hub *hub)
{
    struct bb_usb_device *usb = bb_usb_device_of(device->node);
    if (!usb || usb->gone)
        return bb_fail(device, "interface", -ENODEV);
    if (!hub->ports || hub->ports > BB_USB_HUB_PORTS)
        return bb_fail(device, "number of ports", -ERANGE);
    if (usb->tier >= BB_USB_TIERS)
        return bb_fail(device, "sixth hub in a row", -ERANGE);
    int error = bb_acquire(device, &hub->resource, "hub", release_hub);
    if (error)
        return error;
    hub->host = usb->host;
    hub->device = usb;
    hub->node = device->node;
    hub->tier = usb->tier;
    hub->owner = device;
    hub->budget = usb->self_powered ? BB_USB_SUPPLY : BB_USB_UNIT;
    bb_usb_hub_begin(hub);
    return 0;
}
