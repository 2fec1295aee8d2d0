/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB hubs (Universal Serial Bus Specification 2.0, chapter 11): what a hub is, and its status
 * change endpoint. Its ports are the bus's matter. While the endpoint fails, all of them are asked.
 */
#include <busbar/log.h>
#include <busbar/usb_host.h>

enum { /* hub descriptor (table 11-13) */
       LENGTH = 0,
       TYPE = 1,
       PORTS = 2,
       POWER_ON_TO_GOOD = 5, /* 2 ms */
       SMALLEST = 7,
       LARGEST = 71, /* of a hub with 255 ports */
};
enum { /* hub status and changes (tables 11-19, 11-20); features bear the same numbers */
       LOCAL_POWER = 0,
       OVER_CURRENT = 1,
};
enum {
    MULTIPLE = 2,     /* bDeviceProtocol: a transaction translator for each port */
    SELF_POWERED = 1, /* of GET_STATUS(device) */
    ASK_US = 20000,   /* a hub that wants to be asked more often has nothing to say so fast */
    RETRY_MS = 100,   /* after an error, and as much more with each in a row, */
    MOST_ERRORS = 10, /* until it comes to a second */
    MOST_LIES = 8,    /* in a row, then it is asked more seldom */
    LIAR_MS = 1000,
};

struct hub {
    struct bb_device device;
    struct bb_usb_interface *interface;
    struct bb_usb_hub hub;
    struct bb_usb_transfer status;
    struct bb_work work; /* what waits */
    struct bb_timer_event again;
    uint8_t errors;
    bool changed; /* the hub itself */
};

static void listen_later(struct hub *hub, unsigned ms)
{
    bb_timer_event_at(&hub->again, bb_time() + ms * BB_MSEC);
}

/* Nobody hears what it has to say: so its ports are asked. One that does not even answer to that is
 * for the bus to reset. */
static void failed(struct hub *hub, int error)
{
    if (error == -ENODEV || error == -ECANCELED)
        return;
    if (hub->errors < MOST_ERRORS && ++hub->errors == MOST_ERRORS)
        bb_print(BB_WARNING, "%s: status endpoint fails; ports are asked", hub->device.name);
    bb_usb_hub_changed(&hub->hub, 0);
    listen_later(hub, (unsigned)RETRY_MS * hub->errors);
}

static void listen(struct hub *hub)
{
    int error = bb_usb_submit(&hub->status);
    if (error == -EPIPE)
        bb_work_queue(&hub->work);
    else if (error)
        failed(hub, error);
}

static void time_came(struct bb_timer_event *event)
{
    listen(bb_container_of(event, struct hub, again));
}

/* Bit n: port n changed; bit 0: the hub itself did. */
static void look_at(struct hub *hub, const uint8_t *bits, unsigned count)
{
    bool any = false;
    for (unsigned port = 1; port <= hub->hub.ports && port / 8 < count; port++)
        if (bits[port / 8] & 1 << port % 8) {
            bb_usb_hub_changed(&hub->hub, port);
            any = true;
        }
    hub->changed = count && bits[0] & 1;
    if (hub->changed)
        bb_work_queue(&hub->work);
    else if (!any && hub->hub.lies < UINT8_MAX)
        hub->hub.lies++;
    if (hub->hub.lies > MOST_LIES)
        listen_later(hub, LIAR_MS);
    else if (!hub->changed)
        listen(hub);
}

static void status_done(struct bb_usb_transfer *transfer)
{
    struct hub *hub = transfer->context;
    if (transfer->status) {
        failed(hub, transfer->status);
        return;
    }
    if (hub->errors) /* ports that were asked for nothing are no lies of the hub */
        hub->errors = hub->hub.lies = 0;
    look_at(hub, transfer->data, transfer->actual);
}

static int hub_request(struct hub *hub, unsigned type, unsigned request, unsigned value, void *data,
                       unsigned length)
{
    int got = bb_usb_control(hub->interface->device, type | BB_USB_TO_DEVICE, request, value, 0,
                             data, length);
    return got < 0 ? got : got == (int)length ? 0 : -EPROTO;
}

static int hub_changed(struct hub *hub)
{
    uint8_t status[4];
    int error =
        hub_request(hub, BB_USB_IN | BB_USB_CLASS, BB_USB_GET_STATUS, 0, status, sizeof(status));
    if (error)
        return error;
    if (status[2] & 1 << LOCAL_POWER) {
        bool lost = status[0] & 1 << LOCAL_POWER;
        bb_print(BB_WARNING, "%s: its own supply %s", hub->device.name,
                 lost ? "is lost" : "is there again");
        error = hub_request(hub, BB_USB_CLASS, BB_USB_CLEAR_FEATURE, LOCAL_POWER, NULL, 0);
    }
    if (!error && status[2] & 1 << OVER_CURRENT) {
        bb_print(BB_ERROR, "%s: over-current %s", hub->device.name,
                 status[0] & 1 << OVER_CURRENT ? "of all ports" : "is over");
        error = hub_request(hub, BB_USB_CLASS, BB_USB_CLEAR_FEATURE, OVER_CURRENT, NULL, 0);
    }
    bb_usb_hub_changed(&hub->hub, 0); /* their power may be gone */
    return error;
}

static void work(struct bb_work *work)
{
    struct hub *hub = bb_container_of(work, struct hub, work);
    int error = 0;
    if (hub->status.endpoint->halted)
        error = bb_usb_clear_halt(hub->status.endpoint);
    if (!error && hub->changed)
        error = hub_changed(hub);
    hub->changed = false;
    if (hub->status.status == -EINPROGRESS || hub->again.armed)
        return;
    if (error)
        failed(hub, error);
    else
        listen(hub);
}

static int read_descriptor(struct hub *hub)
{
    struct bb_device *device = &hub->device;
    uint8_t data[LARGEST] = {0};
    int got =
        bb_usb_control(hub->interface->device, BB_USB_IN | BB_USB_CLASS, BB_USB_GET_DESCRIPTOR,
                       BB_USB_HUB_DESCRIPTOR << 8, 0, data, sizeof(data));
    if (got < 0)
        return bb_fail(device, "its descriptor", got);
    if (got < SMALLEST || data[TYPE] != BB_USB_HUB_DESCRIPTOR || data[LENGTH] < SMALLEST)
        return bb_fail(device, "its descriptor", -EPROTO);
    if (!data[PORTS] || data[PORTS] > BB_USB_HUB_PORTS)
        return bb_fail(device, "its number of ports", -ERANGE);
    hub->hub.ports = data[PORTS];
    hub->hub.power_delay = (uint16_t)(data[POWER_ON_TO_GOOD] * 2);
    return 0;
}

/* Whether it has its supply: the configuration says only that it can have one. */
static int read_power(struct hub *hub)
{
    struct bb_usb_device *device = hub->interface->device;
    uint8_t status[2];
    if (!device->self_powered)
        return 0;
    int error = hub_request(hub, BB_USB_IN, BB_USB_GET_STATUS, 0, status, sizeof(status));
    if (error)
        return bb_fail(&hub->device, "its status", error);
    device->self_powered = status[0] & SELF_POWERED;
    return 0;
}

static int start_listening(struct hub *hub)
{
    struct bb_usb_endpoint *in = bb_usb_endpoint(hub->interface, BB_USB_INTERRUPT, BB_USB_IN);
    if (!in)
        return bb_fail(&hub->device, "its status endpoint", -ENOENT);
    if (in->interval < ASK_US)
        in->interval = ASK_US;
    hub->status = (struct bb_usb_transfer){
        .endpoint = in,
        .data = bb_usb_alloc(&hub->device, in->packet),
        .length = in->packet,
        .timeout = BB_FOREVER,
        .done = status_done,
        .context = hub,
    };
    if (!hub->status.data)
        return -ENOMEM;
    int error = bb_usb_submit(&hub->status);
    return error ? bb_fail(&hub->device, "its status endpoint", error) : 0;
}

static int hub_probe(struct bb_device *device)
{
    struct hub *hub = (struct hub *)device;
    hub->work = (struct bb_work){.run = work, .device = device};
    hub->again = (struct bb_timer_event){.run = time_came, .device = device};
    int error = bb_usb_claim(device, &hub->interface);
    if (!error)
        error = read_descriptor(hub);
    if (!error)
        error = read_power(hub);
    if (error)
        return error;
    const struct bb_usb_device *usb = hub->interface->device;
    hub->hub.multiple = usb->speed == BB_USB_HIGH && usb->protocol == MULTIPLE &&
                        bb_usb_set_interface(hub->interface, 1) == 0;
    error = bb_usb_hub_start(device, &hub->hub);
    return error ? error : start_listening(hub);
}

BB_DRIVER_FACELESS(usb, hub, .bus = &bb_usb_bus, .match = BB_MATCH({"usbif,class9"}),
                   .probe = hub_probe, .hotplug = true);
