/* SPDX-License-Identifier: BSD-2-Clause */
/* The root ports of the software host controller (USB 2.0, 7.1.7 and 11.24.2.7). */
#include "usb_soft_host.h"

#include <busbar/time.h>

#define ROOT_RESET (50 * BB_MSEC) /* 7.1.7.5, TDRSTR */

static void require(bool condition, const char *what, uint64_t value)
{
    if (!condition)
        world_fail("soft host", "%s (%llu)", what, (unsigned long long)value);
}

static struct usb_socket *socket_of(unsigned port)
{
    require(port >= 1 && port <= soft_host.ports, "there is no root port", port);
    return &soft_host.sockets[port - 1];
}

static void notify(void)
{
    if (soft_host.host)
        bb_usb_root_changed(soft_host.host);
}

static void socket_changed(struct usb_socket *socket)
{
    unsigned i = socket->number - 1;

    if (!socket->powered)
        return;
    soft_host.changed[i] = true;
    if (!socket->device && socket->resetting) {
        socket->resetting = false;
        world_cancel(&soft_host.reset_done[i]);
    }
    notify();
}

static void reset_done(void *context)
{
    struct usb_socket *socket = context;

    usb_socket_reset_ends(socket, ROOT_RESET);
    soft_host.reset_changed[socket->number - 1] = true;
    notify();
}

int soft_port_status(struct bb_usb_host *host, unsigned port, uint32_t *status)
{
    struct usb_socket *socket = socket_of(port);
    unsigned i = port - 1;

    (void)host;
    soft_host.status_reads++;
    if (soft_host.fail_port)
        return soft_host.fail_port;
    socket->seen = socket->powered;
    *status = 0;
    if (socket->powered) {
        *status |= BB_USB_PORT_POWER;
        if (socket->device)
            *status |=
                BB_USB_PORT_CONNECTION |
                (socket->device->running == BB_USB_LOW ? BB_USB_PORT_LOW_SPEED : 0u) |
                (socket->enabled && socket->device->running == BB_USB_HIGH ? BB_USB_PORT_HIGH_SPEED
                                                                           : 0u);
    }
    *status |= (socket->enabled ? BB_USB_PORT_ENABLE : 0u) |
               (socket->suspended ? BB_USB_PORT_SUSPEND : 0u) |
               (socket->resetting ? BB_USB_PORT_RESET : 0u) |
               (soft_host.over_current[i] ? BB_USB_PORT_OVER_CURRENT : 0u);
    *status |= ((soft_host.changed[i] ? BB_USB_PORT_CONNECTION : 0u) |
                (soft_host.enable_changed[i] ? BB_USB_PORT_ENABLE : 0u) |
                (soft_host.over_changed[i] ? BB_USB_PORT_OVER_CURRENT : 0u) |
                (soft_host.reset_changed[i] ? BB_USB_PORT_RESET : 0u))
               << BB_USB_PORT_CHANGES;
    return 0;
}

static void set_power(struct usb_socket *socket, bool on)
{
    bool was = socket->powered;

    if (on && soft_host.over_current[socket->number - 1])
        return;
    world_cancel(&soft_host.reset_done[socket->number - 1]);
    usb_socket_power(socket, on);
    if (on && !was && socket->device) {
        soft_host.changed[socket->number - 1] = true;
        notify();
    }
}

static void set_reset(struct usb_socket *socket, bool set)
{
    require(set, "a reset of a root port is cleared", socket->number);
    if (!socket->device || !socket->powered)
        return; /* it was just unplugged */
    usb_socket_reset_begins(socket);
    soft_host.resets++;
    world_at(&soft_host.reset_done[socket->number - 1], world_now() + ROOT_RESET);
}

int soft_port_feature(struct bb_usb_host *host, unsigned port, enum bb_usb_port_feature feature,
                      bool set)
{
    struct usb_socket *socket = socket_of(port);

    (void)host;
    if (soft_host.fail_port)
        return soft_host.fail_port;
    require(!set || feature < BB_USB_FEATURE_C_CONNECTION, "a change is set", feature);
    switch (feature) {
    case BB_USB_FEATURE_POWER:
        set_power(socket, set);
        break;
    case BB_USB_FEATURE_RESET:
        set_reset(socket, set);
        break;
    case BB_USB_FEATURE_ENABLE:
        require(!set, "a port is enabled by a reset alone", port);
        socket->enabled = false;
        break;
    case BB_USB_FEATURE_SUSPEND:
        socket->suspended = set && socket->enabled;
        break;
    case BB_USB_FEATURE_C_CONNECTION:
        soft_host.changed[port - 1] = false;
        break;
    case BB_USB_FEATURE_C_ENABLE:
        soft_host.enable_changed[port - 1] = false;
        break;
    case BB_USB_FEATURE_C_OVER_CURRENT:
        soft_host.over_changed[port - 1] = false;
        break;
    case BB_USB_FEATURE_C_RESET:
        soft_host.reset_changed[port - 1] = false;
        break;
    case BB_USB_FEATURE_C_SUSPEND:
        break;
    default:
        require(false, "no feature of a port", feature);
    }
    return 0;
}

void soft_host_over_current(unsigned port, bool on)
{
    struct usb_socket *socket = socket_of(port);

    soft_host.over_current[port - 1] = on;
    soft_host.over_changed[port - 1] = true;
    if (on) {
        bool was = socket->powered && socket->device;
        set_power(socket, false);
        soft_host.changed[port - 1] |= was;
    }
    notify();
}

void soft_host_disable(unsigned port)
{
    struct usb_socket *socket = socket_of(port);

    if (!socket->enabled)
        return;
    socket->enabled = false;
    soft_host.enable_changed[port - 1] = true;
    notify();
}

void soft_ports_init(void)
{
    for (unsigned i = 0; i < soft_host.ports; i++) {
        soft_host.sockets[i] =
            (struct usb_socket){.name = "root", .number = i + 1, .changed = socket_changed};
        soft_host.reset_done[i].run = reset_done;
        soft_host.reset_done[i].context = &soft_host.sockets[i];
    }
}

void soft_ports_off(unsigned port)
{
    set_power(socket_of(port), false);
}
