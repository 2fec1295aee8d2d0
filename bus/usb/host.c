/* SPDX-License-Identifier: BSD-2-Clause */
/* USB hosts: the class, the engine that moves everything on, the slots of devices. */
#include <busbar/hooks.h>
#include <busbar/log.h>

#include "internal.h"

enum {
    SLOTS = 24,         /* devices, hubs included */
    SLOT_ROOM = 40960,  /* bytes of a slot beyond the states of its drivers: buffers, descriptors */
    SLOT_STATES = 2,    /* of the largest driver, in one slot */
    REFUSED = 8,        /* devices without a slot that still get a node */
    REFUSED_ROOM = 512, /* bytes of theirs for a node */
    STOP_MS = 2000,     /* for everything below a host that goes */
    ROUNDS = 64,        /* of the engine before it lets others run */
};

static struct bb_face_list hosts;

/* ---- A host that is gone ---- */

static int removed_submit(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    (void)host, (void)transfer;
    return -ENODEV;
}

static void removed_cancel(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    (void)host, (void)transfer;
}

static int removed_status(struct bb_usb_host *host, unsigned port, uint32_t *status)
{
    (void)host, (void)port, (void)status;
    return -ENODEV;
}

static int removed_feature(struct bb_usb_host *host, unsigned port,
                           enum bb_usb_port_feature feature, bool set)
{
    (void)host, (void)port, (void)feature, (void)set;
    return -ENODEV;
}

static const struct bb_usb_host_ops removed = {
    .submit = removed_submit,
    .cancel = removed_cancel,
    .port_status = removed_status,
    .port_feature = removed_feature,
};

/* ---- The engine ---- */

static bool run_once(struct bb_usb_host *host, uint64_t now)
{
    bool ran = bb_usb_end_waiting(host);
    if (host->root_changed) {
        host->root_changed = false;
        bb_usb_hub_changed(&host->root, 0);
    }
    for (struct bb_usb_device *at = host->devices; at; at = at->next)
        ran |= bb_usb_enumerate_step(bb_usb_of(at), now);
    for (struct bb_usb_hub *hub = host->hubs; hub; hub = hub->next)
        ran |= bb_usb_hub_run(hub, now);
    return ran;
}

static uint64_t next_due(const struct bb_usb_host *host)
{
    uint64_t due = host->bind_at;
    for (struct bb_usb_device *at = host->devices; at; at = at->next)
        if (bb_usb_of(at)->due < due && !at->gone)
            due = bb_usb_of(at)->due;
    for (const struct bb_usb_hub *hub = host->hubs; hub; hub = hub->next) {
        uint64_t of_hub = bb_usb_hub_due(hub);
        due = of_hub < due ? of_hub : due;
    }
    return due;
}

static void run(struct bb_work *work)
{
    struct bb_usb_host *host = bb_container_of(work, struct bb_usb_host, work);
    unsigned rounds = 0;
    if (!host->started)
        return;
    if (bb_slots_collect(&host->slots))
        bb_usb_ports_feed(host);
    while (rounds < ROUNDS && run_once(host, bb_time()))
        rounds++;
    if (rounds == ROUNDS)
        bb_usb_wake(host);
    if (host->bind_at <= bb_time())
        host->bind_at = BB_FOREVER;
    if (host->bind_at == BB_FOREVER && bb_usb_has_binding(host))
        bb_work_queue(&host->binding);
    uint64_t due = next_due(host);
    if (host->slots.leaving && due == BB_FOREVER)
        due = bb_time() + BB_SEC; /* nobody says when the last handle is put */
    if (due == BB_FOREVER)
        bb_timer_event_cancel(&host->ports_due);
    else
        bb_timer_event_at(&host->ports_due, due);
}

static void time_came(struct bb_timer_event *event)
{
    bb_usb_wake(bb_container_of(event, struct bb_usb_host, ports_due));
}

void bb_usb_root_changed(struct bb_usb_host *host)
{
    host->root_changed = true;
    bb_usb_wake(host);
}

/* ---- What was plugged in at start ---- */

bool bb_usb_is_starting(const struct bb_usb_host *host)
{
    for (const struct bb_usb_hub *hub = host->hubs; hub; hub = hub->next)
        if (bb_usb_hub_is_starting(hub))
            return true;
    return host->binding.running || bb_usb_has_binding(host);
}

static bool settling(void)
{
    for (struct bb_usb_host *host = bb_usb_host_first(); host; host = bb_usb_host_next(host))
        if (bb_usb_is_starting(host))
            return true;
    return false;
}

/* ---- Coming and going ---- */

static unsigned parameter(const char *name, unsigned fallback, unsigned most)
{
    const char *text = bb_param_get(name);
    unsigned value = 0;
    for (const char *at = text; at && *at; at++) {
        if (*at < '0' || *at > '9' || value > most) {
            value = 0;
            break;
        }
        value = value * 10 + (unsigned)(*at - '0');
    }
    if (text && (!value || value > most))
        bb_print(BB_WARNING, "%s=%s is no number from 1 to %u; it is %u", name, text, most,
                 fallback);
    return value && value <= most ? value : fallback;
}

static int make_slots(struct bb_usb_host *host)
{
    unsigned room = (unsigned)(SLOT_ROOM + SLOT_STATES * bb_usb_largest_state());
    unsigned count = parameter("usb.slots", SLOTS, BB_USB_SLOTS_MOST);
    unsigned size = parameter("usb.slot", room, 1 << 24);
    if (size < sizeof(struct bb_usb) + BB_USB_CONTROL_MAX + BB_USB_ALIGNMENT)
        size = room;
    int error = bb_slots_make(host->face.device, "usb.slot", count, size & ~63u, &host->slots);
    return error ? error
                 : bb_slots_make(host->face.device, "usb.refused", REFUSED,
                                 sizeof(struct bb_usb) + REFUSED_ROOM, &host->refused);
}

static int publish(struct bb_usb_host *host)
{
    const struct bb_usb_host_stats *stats = &host->stats;
    const struct {
        const char *name, *unit;
        const uint64_t *value;
    } items[] = {
        {"transfers", "", &stats->transfers},    {"bytes", "bytes", &stats->bytes},
        {"errors", "transfers", &stats->errors}, {"timeouts", "transfers", &stats->timeouts},
        {"plugged", "devices", &stats->plugged}, {"unplugged", "devices", &stats->unplugged},
        {"slots", "taken", &host->slots.taken},
    };
    _Static_assert(BB_ARRAY_SIZE(items) <= BB_ARRAY_SIZE(host->values), "too many values");
    int error = 0;
    for (size_t i = 0; i < BB_ARRAY_SIZE(items) && !error; i++)
        error = bb_publish_u64(host->face.device, &host->values[i], items[i].name, items[i].unit,
                               items[i].value);
    return error;
}

static bool is_empty(void *context)
{
    const struct bb_usb_host *host = context;
    return !host->devices;
}

/* The driver still works: what is below it goes in good order. What the controller does not give
 * back ends after the driver's remove(), when the hardware is quiet. */
static void stop(struct bb_usb_host *host)
{
    if (!host->started || host->stopping)
        return;
    host->stopping = true;
    bb_usb_hub_end(&host->root);
    if (bb_wait(is_empty, host, STOP_MS * BB_MSEC) < 0)
        bb_print(BB_ERROR, "%s: something below does not let go", host->face.device->name);
}

static void release(struct bb_resource *resource)
{
    struct bb_usb_host *host = bb_container_of(resource, struct bb_usb_host, resource);
    host->started = false;
    bb_usb_abandon(host);
    bb_usb_bind_work(&host->binding); /* what waited for that goes now */
    bb_work_cancel(&host->work);
    bb_work_cancel(&host->binding);
    bb_timer_event_cancel(&host->ports_due);
    bb_timer_event_cancel(&host->deadlines);
}

int bb_usb_host_start(struct bb_usb_host *host)
{
    struct bb_device *device = host->face.device;
    if (!host->ports || host->ports > BB_USB_HUB_PORTS)
        return bb_fail(device, "ports", -EINVAL);
    int error = bb_acquire(device, &host->resource, "usb", release);
    if (!error)
        error = make_slots(host);
    if (!error)
        error = publish(host);
    if (error)
        return error;
    host->work = (struct bb_work){.run = run, .device = device};
    host->binding = (struct bb_work){.run = bb_usb_bind_work, .device = device};
    host->ports_due = (struct bb_timer_event){.run = time_came, .device = device};
    host->deadlines = (struct bb_timer_event){.run = bb_usb_deadlines, .device = device};
    host->bind_at = BB_FOREVER;
    host->addresses[0] = 1;
    host->root.host = host;
    host->root.node = device->node;
    host->root.ports = host->ports;
    host->root.budget = BB_USB_SUPPLY;
    host->started = true;
    bb_hooks.settling = settling;
    bb_usb_hub_begin(&host->root);
    return 0;
}

static int host_notify(struct bb_face *face, bool running)
{
    if (!running)
        stop(bb_container_of(face, struct bb_usb_host, face));
    return 0;
}

const struct bb_class bb_class_usb_host = {
    .name = "usb_host",
    .removed = &removed,
    .list = &hosts,
    .notify = host_notify,
};

/* ---- For those who show it ---- */

struct bb_usb_device *bb_usb_next(const struct bb_usb_device *after)
{
    if (after && after->next)
        return after->next;
    struct bb_usb_host *host = after ? bb_usb_host_next(after->host) : bb_usb_host_first();
    while (host && !host->devices)
        host = bb_usb_host_next(host);
    return host ? host->devices : NULL;
}

struct bb_usb_device *bb_usb_device_of(const struct bb_node *node)
{
    for (struct bb_usb_device *at = bb_usb_next(NULL); at; at = bb_usb_next(at))
        if (at->node && (at->node == node || at->node == node->parent))
            return at;
    return NULL;
}

const uint8_t *bb_usb_configuration(const struct bb_usb_device *device, size_t *length)
{
    const struct bb_usb *usb = bb_usb_of((struct bb_usb_device *)(uintptr_t)device);
    const struct bb_usb_configuration *at = usb->chosen;
    if (!at && usb->configuration_count)
        at = &usb->configurations[0];
    *length = at ? at->length : 0;
    return at ? at->data : NULL;
}
