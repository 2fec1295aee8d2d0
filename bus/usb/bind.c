/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes and goes: nodes of devices and interfaces, their drivers, and slots that are used
 * again. Runs in work of its own, since probes may wait; one thing at a time, and never while
 * anything else binds.
 */
#include <string.h>

#include <busbar/log.h>

#include "internal.h"

enum { AGAIN_MS = 10 };

const struct bb_bus bb_usb_bus = {.name = "usb"};

/* ---- Nodes ---- */

struct names {
    struct bb_property property;
    char name[16];
    char compatible[];
};

static struct names *make_names(struct bb_usb *usb, const char *compatible, size_t length)
{
    struct names *names = bb_slot_alloc(usb->slot, sizeof(*names) + length, _Alignof(struct names));
    if (!names)
        return NULL;
    memcpy(names->compatible, compatible, length);
    names->property = (struct bb_property){"compatible", names->compatible, (uint32_t)length};
    return names;
}

static int make_device_node(struct bb_usb *usb)
{
    struct bb_usb_device *device = &usb->device;
    char compatible[40];
    size_t length =
        bb_format(compatible, sizeof(compatible), "usb%x,%x", device->vendor, device->product);
    length += bb_format(compatible + length + 1, sizeof(compatible) - length - 1, "usb,device") + 2;
    struct names *names = make_names(usb, compatible, length);
    if (!names)
        return -ENOMEM;
    (void)bb_format(names->name, sizeof(names->name), "device@%x", (unsigned)device->port);
    return bb_slot_append(usb->slot, device->hub->node, &bb_usb_bus, names->name, &names->property,
                          1, &device->node);
}

static int make_interface_node(struct bb_usb *usb, struct bb_usb_interface *interface,
                               const struct bb_usb_part *part)
{
    char compatible[BB_USB_COMPATIBLE];
    size_t length = bb_usb_compatible(&usb->device, usb->device.configuration, part, compatible,
                                      sizeof(compatible));
    struct names *names = make_names(usb, compatible, length);
    if (!names)
        return -ENOMEM;
    (void)bb_format(names->name, sizeof(names->name), "interface@%x", (unsigned)interface->number);
    return bb_node_append(usb->device.node, &bb_usb_bus, names->name, &names->property, 1,
                          &interface->node);
}

static void note(struct bb_node *node, int error, const char *why)
{
    node->state = BB_NODE_FAILED;
    node->reason = (struct bb_reason){.code = BB_REASON_BROKEN, .error = error, .step = why};
}

static void introduce(const struct bb_usb *usb)
{
    static const char *const speeds[] = {"low", "full", "high"};
    const struct bb_usb_device *device = &usb->device;
    char path[120];
    (void)bb_node_path(device->node, path, sizeof(path));
    bb_print(BB_INFO, "%s: %x:%x%s%s%s%s, %s speed", path, device->vendor, device->product,
             *device->manufacturer ? " " : "", device->manufacturer, *device->model ? " " : "",
             device->model, speeds[device->speed]);
}

/* All nodes first, then their drivers: a driver finds its siblings. */
static void make_nodes(struct bb_usb *usb)
{
    struct bb_usb_layout layout;
    const struct bb_usb_configuration *at = usb->chosen;
    int error = make_device_node(usb);
    if (!error && usb->state == BB_USB_CONFIGURED) {
        introduce(usb);
        (void)bb_usb_check(at->data, at->length, usb->device.speed, &layout);
        for (unsigned i = 0; i < layout.count && !error; i++)
            if (layout.parts[i].owner == i)
                error = make_interface_node(usb, &usb->device.interfaces[i], &layout.parts[i]);
    }
    if (error)
        bb_print(BB_ERROR, "port %u of %s: its slot is full: raise `usb.slot`", usb->device.port,
                 usb->device.hub->node->name);
}

static void bind_all(struct bb_usb *usb)
{
    struct bb_usb_device *device = &usb->device;
    enum bb_usb_state was = usb->state;
    make_nodes(usb);
    usb->state = BB_USB_KNOWN;
    if (!device->node)
        return;
    if (was == BB_USB_GIVEN_UP) {
        note(device->node, -EIO, usb->why);
        return;
    }
    (void)bb_bind(device->node);
    for (unsigned i = 0; i < device->interface_count && !usb->leaving; i++)
        if (device->interfaces[i].node)
            (void)bb_bind(device->interfaces[i].node);
}

/* ---- Going ---- */

void bb_usb_gone(struct bb_usb *usb)
{
    struct bb_usb_host *host = usb->device.host;
    usb->leaving = true;
    usb->device.gone = true;
    for (struct bb_usb_device *at = &usb->device; at; at = at->next) { /* hubs come first */
        struct bb_usb *other = bb_usb_of(at);
        if (at->hub->device && bb_usb_of(at->hub->device)->leaving)
            other->leaving = at->gone = true;
        if (other->leaving)
            bb_usb_end_all(at, -ENODEV);
    }
    for (struct bb_usb_hub *hub = host->hubs; hub; hub = hub->next)
        if (hub->device && hub->device->gone)
            bb_usb_hub_gone(hub);
    bb_usb_wake(host);
}

static bool has_children(const struct bb_usb_device *device)
{
    for (const struct bb_usb_device *at = device->next; at; at = at->next)
        if (at->hub->device == device)
            return true;
    return false;
}

static bool may_go(const struct bb_usb *usb)
{
    return usb->leaving && !usb->in_flight && !usb->first && !has_children(&usb->device);
}

/* Its memory is used again only when somebody takes the slot. */
static int let_go(struct bb_usb *usb)
{
    struct bb_usb_host *host = usb->device.host;
    struct bb_usb_device **at = &host->devices;
    const struct bb_usb_host_ops *ops = &BB_BOUND_USB_HOST;
    bool was_here = usb->device.configuration;
    char path[120];
    path[0] = '\0';
    if (usb->device.node)
        (void)bb_node_path(usb->device.node, path, sizeof(path));
    int error = bb_slot_release(usb->slot);
    if (error)
        return error;
    if (*path)
        bb_print(BB_INFO, "%s: unplugged", path);
    bb_usb_leave_translator(&usb->device);
    for (unsigned i = 0; host->started && ops->forget && i < usb->device.interface_count; i++)
        for (unsigned j = 0; j < usb->device.interfaces[i].endpoint_count; j++)
            ops->forget(host, &usb->device.interfaces[i].endpoints[j]);
    if (host->started && ops->forget)
        ops->forget(host, &usb->device.control);
    bb_usb_free_address(usb);
    while (*at != &usb->device)
        at = &(*at)->next;
    *at = usb->device.next;
    host->stats.unplugged += was_here;
    bb_usb_ports_feed(host);
    return 0;
}

/* ---- The work ---- */

/* Whether the node of the device that was there before is still in the way. */
static bool is_blocked(const struct bb_usb *usb)
{
    const struct bb_usb_device *device = &usb->device;
    for (const struct bb_usb_device *at = device->host->devices; at; at = at->next)
        if (at != device && at->hub == device->hub && at->port == device->port)
            return true;
    return false;
}

static bool may_come(const struct bb_usb *usb)
{
    bool ready = usb->state == BB_USB_CONFIGURED || usb->state == BB_USB_GIVEN_UP;
    return ready && !usb->leaving && !is_blocked(usb);
}

bool bb_usb_has_binding(const struct bb_usb_host *host)
{
    for (struct bb_usb_device *at = host->devices; at; at = at->next)
        if (may_go(bb_usb_of(at)) || may_come(bb_usb_of(at)))
            return true;
    return false;
}

/* One thing. -EBUSY: later; false in `*more`: there is nothing to do. */
static int do_one(struct bb_usb_host *host, bool *more)
{
    struct bb_usb *coming = NULL;
    int error = 0;
    for (struct bb_usb_device *at = host->devices; at; at = at->next) {
        struct bb_usb *usb = bb_usb_of(at);
        if (may_go(usb)) {
            int result = let_go(usb);
            if (!result)
                return 0;
            error = result; /* others may well go */
        } else if (!coming && may_come(usb)) {
            coming = usb;
        }
    }
    *more = coming;
    if (coming)
        bind_all(coming);
    return error;
}

void bb_usb_bind_work(struct bb_work *work)
{
    struct bb_usb_host *host = bb_container_of(work, struct bb_usb_host, binding);
    bool more = true;
    int error = 0;
    host->bind_at = BB_FOREVER;
    while (more && !bb_bind_is_busy())
        error = do_one(host, &more);
    if (more || error)
        host->bind_at = bb_time() + AGAIN_MS * BB_MSEC;
    bb_usb_wake(host);
}
