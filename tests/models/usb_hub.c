/* SPDX-License-Identifier: BSD-2-Clause */
/* A hub's ports and requests (USB 2.0, sections 11.5, 11.12, 11.13, 11.23 and 11.24). */
#include "usb_hub.h"

#include <string.h>

#include <busbar/time.h>
#include <busbar/usb_host.h>

enum { CLEAR_TT_BUFFER = 8, RESET_TT = 9, GET_TT_STATE = 10, STOP_TT = 11 };
enum { C_HUB_LOCAL_POWER = 0, C_HUB_OVER_CURRENT = 1 };
enum { PORT_TEST = 21, PORT_INDICATOR = 22 };
#define PORT_RESET_MINIMUM (10 * BB_MSEC) /* 7.1.7.5, TDRST */

static struct model_hub *hub_of(struct usb_model *usb)
{
    return usb->context;
}

static struct usb_socket *socket_of(struct model_hub *hub, unsigned port)
{
    return &hub->sockets[port - 1];
}

/* ---- Descriptors: 11.23 ---- */

static size_t configuration(uint8_t *at, struct model_hub *hub, bool fast)
{
    uint8_t size = (uint8_t)(hub->ports / 8 + 1);
    bool two = fast && hub->multiple;
    uint8_t total = two ? 41 : 25, attributes = hub->self_powered ? 0xe0 : 0xa0;
    const uint8_t head[] = {9, 2, total, 0, 1, 1, 0, attributes, hub->self_powered ? 0 : 50};
    const uint8_t rest[] = {USB_INTERFACE(0, 0, 1, 9, 0, two),
                            USB_ENDPOINT(0x81, BB_USB_INTERRUPT, size, fast ? 12 : 255)};

    memcpy(at, head, 9);
    memcpy(at + 9, rest, 16);
    if (two) {
        memcpy(at + 25, rest, 16);
        at[25 + 3] = 1; /* the alternate setting with a translator for each port: 11.23.1 */
        at[25 + 7] = 2;
    }
    return total;
}

/* By what was set since model_hub_init(). */
static void describe(struct model_hub *hub)
{
    struct usb_model *usb = &hub->usb;
    bool fast = usb->speed == BB_USB_HIGH;
    const uint8_t protocol = fast ? 1 + hub->multiple : 0;
    const uint8_t device[] = {USB_DEVICE(9, 0, protocol, 64, hub->vendor, hub->product, 1)};
    const uint8_t qualifier[] = {USB_QUALIFIER(9, 0, 0, 64, 1)};

    usb->socket_count = hub->ports;
    memcpy(hub->device_descriptor, device, sizeof device);
    memcpy(hub->qualifier, qualifier, sizeof qualifier);
    usb->configurations[0] = (struct usb_bytes){hub->configuration, 0};
    usb->configurations[0].size = configuration(hub->configuration, hub, fast);
    if (!fast)
        return;
    usb->slow_configurations[0] = (struct usb_bytes){hub->slow_configuration, 0};
    usb->slow_configurations[0].size = configuration(hub->slow_configuration, hub, false);
    usb->qualifier = USB_BYTES(hub->qualifier);
}

/* ---- Ports ---- */

static void power_done(void *context)
{
    struct usb_socket *socket = context;
    struct model_hub *hub = hub_of(socket->hub);

    hub->power_is_good[socket->number - 1] = true;
    if (socket->device)
        hub->change[socket->number] |= BB_USB_PORT_CONNECTION;
}

static void reset_done(void *context)
{
    struct usb_socket *socket = context;
    struct model_hub *hub = hub_of(socket->hub);

    if (hub->never_resets)
        return;
    usb_socket_reset_ends(socket, PORT_RESET_MINIMUM);
    hub->change[socket->number] |= BB_USB_PORT_RESET;
}

static void stop_reset(struct model_hub *hub, struct usb_socket *socket)
{
    world_cancel(&hub->reset_done[socket->number - 1]);
    socket->resetting = false;
}

static void set_power(struct model_hub *hub, struct usb_socket *socket, bool on)
{
    unsigned i = socket->number - 1;

    if (on == socket->powered || (on && (hub->over_current[i + 1] || hub->over_current[0])))
        return;
    stop_reset(hub, socket);
    hub->power_is_good[i] = false;
    if (!on)
        hub->change[i + 1] &= BB_USB_PORT_OVER_CURRENT;
    usb_socket_power(socket, on);
    if (on)
        world_at(&hub->power_done[i], world_now() + hub->power_good * 2 * BB_MSEC);
    else
        world_cancel(&hub->power_done[i]);
}

static void set_power_of_all(struct model_hub *hub, bool on)
{
    for (unsigned port = 1; port <= hub->ports; port++)
        set_power(hub, socket_of(hub, port), on);
}

static void socket_changed(struct usb_socket *socket)
{
    struct model_hub *hub = hub_of(socket->hub);

    if (!socket->powered || !hub->power_is_good[socket->number - 1])
        return;
    hub->change[socket->number] |= BB_USB_PORT_CONNECTION;
    if (socket->device)
        return;
    stop_reset(hub, socket);
    model_hub_clear_splits(hub, socket->number);
}

static void hub_was_reset(struct usb_model *usb)
{
    struct model_hub *hub = hub_of(usb);

    describe(hub);
    set_power_of_all(hub, false);
    memset(hub->change, 0, sizeof hub->change);
    model_hub_clear_splits(hub, 0);
}

/* Power of the ports goes with the configuration: 11.13. */
static void hub_configured(struct usb_model *usb)
{
    if (!usb->configuration)
        hub_was_reset(usb);
}

static void put_status(struct model_hub *hub, unsigned port, uint8_t *data)
{
    struct usb_socket *socket = socket_of(hub, port);
    bool good = hub->power_is_good[port - 1];
    const struct usb_model *device = good ? socket->device : NULL;
    unsigned status = 0;

    socket->seen = good;
    if (device)
        status |= BB_USB_PORT_CONNECTION |
                  (device->running == BB_USB_LOW ? BB_USB_PORT_LOW_SPEED : 0u) |
                  (socket->enabled && device->running == BB_USB_HIGH ? BB_USB_PORT_HIGH_SPEED : 0u);
    status |= (socket->enabled ? BB_USB_PORT_ENABLE : 0u) |
              (socket->suspended ? BB_USB_PORT_SUSPEND : 0u) |
              (hub->over_current[port] ? BB_USB_PORT_OVER_CURRENT : 0u) |
              (socket->resetting ? BB_USB_PORT_RESET : 0u) |
              (socket->powered ? BB_USB_PORT_POWER : 0u);
    data[0] = (uint8_t)status;
    data[1] = (uint8_t)(status >> 8);
    data[2] = (uint8_t)hub->change[port];
    data[3] = (uint8_t)(hub->change[port] >> 8);
}

void model_hub_over_current(struct model_hub *hub, unsigned port, bool on)
{
    hub->over_current[port] = on;
    if (!hub->usb.configuration)
        return;
    hub->change[port] |= port ? BB_USB_PORT_OVER_CURRENT : 1u << C_HUB_OVER_CURRENT;
    if (!on)
        return;
    if (port)
        set_power(hub, socket_of(hub, port), false);
    else
        set_power_of_all(hub, false);
}

void model_hub_disable(struct model_hub *hub, unsigned port)
{
    struct usb_socket *socket = socket_of(hub, port);

    if (!socket->enabled)
        return;
    socket->enabled = false;
    hub->change[port] |= BB_USB_PORT_ENABLE;
}

/* ---- Requests ---- */

static void check_port(struct model_hub *hub, const struct bb_usb_setup *setup)
{
    struct usb_model *usb = &hub->usb;
    unsigned port = setup->index & 0xff;

    usb_require(usb, usb->configuration, "a request to port %u before it is configured", port);
    usb_require(usb, port >= 1 && (port <= hub->ports || hub->says_ports), "port %u, of %u", port,
                hub->ports);
}

static int reset_port(struct model_hub *hub, struct usb_socket *socket)
{
    unsigned i = socket->number - 1;

    usb_require(&hub->usb, socket->powered || hub->over_current[i + 1] || hub->over_current[0],
                "port %u is reset without power", i + 1);
    usb_require(&hub->usb, !socket->powered || hub->power_is_good[i],
                "port %u is reset before its power is good", i + 1);
    if (!socket->device || !socket->powered)
        return 0; /* it was just unplugged: 11.24.2.13 */
    usb_socket_reset_begins(socket);
    hub->resets++;
    world_at(&hub->reset_done[i], world_now() + hub->reset_time);
    return 0;
}

static int set_feature(struct model_hub *hub, struct usb_socket *socket, unsigned feature)
{
    switch (feature) {
    case BB_USB_FEATURE_RESET:
        return reset_port(hub, socket);
    case BB_USB_FEATURE_SUSPEND:
        socket->suspended = socket->enabled;
        return 0;
    case BB_USB_FEATURE_POWER:
        if (hub->ganged)
            set_power_of_all(hub, true);
        else
            set_power(hub, socket, true);
        return 0;
    case PORT_TEST:
    case PORT_INDICATOR:
        return 0;
    default:
        return USB_HALT;
    }
}

static int clear_feature(struct model_hub *hub, struct usb_socket *socket, unsigned feature)
{
    switch (feature) {
    case BB_USB_FEATURE_ENABLE:
        socket->enabled = false;
        return 0;
    case BB_USB_FEATURE_SUSPEND:
        if (socket->suspended)
            hub->change[socket->number] |= BB_USB_PORT_SUSPEND;
        socket->suspended = false;
        return 0;
    case BB_USB_FEATURE_POWER:
        if (hub->ganged)
            set_power_of_all(hub, false);
        else
            set_power(hub, socket, false);
        return 0;
    case PORT_INDICATOR:
        return 0;
    case BB_USB_FEATURE_C_CONNECTION:
    case BB_USB_FEATURE_C_ENABLE:
    case BB_USB_FEATURE_C_SUSPEND:
    case BB_USB_FEATURE_C_OVER_CURRENT:
    case BB_USB_FEATURE_C_RESET:
        hub->change[socket->number] &= (uint16_t) ~(1u << (feature - BB_USB_FEATURE_C_CONNECTION));
        return 0;
    default:
        return USB_HALT;
    }
}

static int port_request(struct model_hub *hub, const struct bb_usb_setup *setup, uint8_t *data)
{
    bool to_host = setup->request_type & BB_USB_IN;
    unsigned port = setup->index & 0xff;

    hub->port_requests++;
    if (setup->request == RESET_TT || setup->request == CLEAR_TT_BUFFER) {
        bool several = hub->multiple && hub->usb.alternate[0] == 1;
        usb_require(&hub->usb,
                    hub->usb.running == BB_USB_HIGH && !to_host && setup->length == 0 &&
                        (several ? port >= 1 && port <= hub->ports : port == 1),
                    "request %u to translator %u", setup->request, port);
        if (setup->request == RESET_TT)
            model_hub_clear_splits(hub, 0);
        else
            model_hub_clear_split(hub, port, setup->value);
        return 0;
    }
    check_port(hub, setup);
    if (port > hub->ports)
        return USB_HALT;
    if (setup->request == BB_USB_GET_STATUS && to_host) {
        usb_require(&hub->usb, setup->value == 0 && setup->length == 4,
                    "GET_STATUS of a port with %u bytes", setup->length);
        put_status(hub, port, data);
        return 4;
    }
    usb_require(&hub->usb, !to_host && setup->length == 0, "request %u to a port", setup->request);
    if (setup->request == BB_USB_SET_FEATURE)
        return set_feature(hub, socket_of(hub, port), setup->value);
    if (setup->request == BB_USB_CLEAR_FEATURE)
        return clear_feature(hub, socket_of(hub, port), setup->value);
    return USB_HALT;
}

static int put_descriptor(struct model_hub *hub, uint8_t *data)
{
    unsigned ports = hub->says_ports ? hub->says_ports : hub->ports;
    unsigned bytes = ports / 8 + 1; /* of DeviceRemovable, and of PortPwrCtrlMask */

    data[0] = (uint8_t)(7 + 2 * bytes);
    data[1] = BB_USB_HUB_DESCRIPTOR;
    data[2] = (uint8_t)ports;
    data[3] = (uint8_t)((hub->ganged ? 0 : 1) | 1 << 3);
    data[4] = 0;
    data[5] = hub->power_good;
    data[6] = 100;
    memset(data + 7, 0, bytes);
    memset(data + 7 + bytes, 0xff, bytes);
    return hub->descriptor_length ? hub->descriptor_length : data[0];
}

static int hub_request(struct model_hub *hub, const struct bb_usb_setup *setup, uint8_t *data)
{
    bool to_host = setup->request_type & BB_USB_IN;

    if (setup->request == BB_USB_GET_DESCRIPTOR && to_host)
        return setup->value >> 8 == BB_USB_HUB_DESCRIPTOR ? put_descriptor(hub, data) : USB_HALT;
    usb_require(&hub->usb, hub->usb.configuration, "request %u before it is configured",
                setup->request);
    if (setup->request == BB_USB_GET_STATUS && to_host) {
        usb_require(&hub->usb, setup->length == 4, "GET_STATUS with %u bytes", setup->length);
        memset(data, 0, 4);
        data[0] = (uint8_t)(hub->over_current[0] << C_HUB_OVER_CURRENT);
        data[2] = (uint8_t)hub->change[0];
        return 4;
    }
    if (setup->request == BB_USB_CLEAR_FEATURE && !to_host && setup->value <= C_HUB_OVER_CURRENT) {
        hub->change[0] &= (uint16_t) ~(1u << setup->value);
        return 0;
    }
    return USB_HALT;
}

static int hub_control(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_hub *hub = hub_of(usb);

    if ((setup->request_type & 0x60) != BB_USB_CLASS)
        return USB_OTHER;
    if ((setup->request_type & 0x1f) == BB_USB_TO_OTHER)
        return port_request(hub, setup, data);
    return (setup->request_type & 0x1f) == BB_USB_TO_DEVICE ? hub_request(hub, setup, data)
                                                            : USB_HALT;
}

/* 11.12.4: a bit for the hub and for each port, whole bytes; nothing new is a NAK. */
static int hub_in(struct usb_model *usb, unsigned endpoint, uint8_t *data)
{
    struct model_hub *hub = hub_of(usb);
    unsigned size = hub->ports / 8 + 1;
    bool any = false;

    (void)endpoint;
    memset(data, 0, size);
    for (unsigned i = 0; i <= hub->ports; i++) {
        if (!hub->change[i])
            continue;
        data[i / 8] |= (uint8_t)(1u << i % 8);
        any = true;
    }
    if (any && hub->lie_length) {
        memcpy(data, hub->lie, hub->lie_length);
        return (int)hub->lie_length;
    }
    return any ? (int)size : USB_WAIT;
}

/* ---- Making one ---- */

void model_hub_init(struct model_hub *hub, const char *name, enum bb_usb_speed speed,
                    unsigned ports)
{
    *hub = (struct model_hub){.ports = ports,
                              .vendor = 0x1209,
                              .product = 0x0009,
                              .self_powered = true,
                              .power_good = 50,
                              .reset_time = 15 * BB_MSEC};
    hub->usb = (struct usb_model){
        .name = name,
        .speed = (uint8_t)speed,
        .device = USB_BYTES(hub->device_descriptor),
        .strings = {NULL, "Busbar", "Hub", "0001"},
        .control = hub_control,
        .in = hub_in,
        .configured = hub_configured,
        .was_reset = hub_was_reset,
        .context = hub,
        .sockets = hub->sockets,
    };
    for (unsigned i = 0; i < ports; i++) {
        hub->sockets[i] = (struct usb_socket){
            .name = name, .number = i + 1, .hub = &hub->usb, .changed = socket_changed};
        hub->power_done[i] = (struct world_event){.run = power_done, .context = &hub->sockets[i]};
        hub->reset_done[i] = (struct world_event){.run = reset_done, .context = &hub->sockets[i]};
    }
    describe(hub);
}

struct model_hub *model_hub_of(struct usb_model *usb)
{
    usb_require(usb, usb->control == hub_control, "it is no hub and is sent split transactions");
    return hub_of(usb);
}
