/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports of hubs and of the root (Universal Serial Bus Specification 2.0, 7.1.7 and chapter 11):
 * power, debounce, reset, errors. A hub has one request under way at a time, and none is waited
 * for; a state whose request failed stays, so that it is asked again.
 */
#include <busbar/log.h>

#include "internal.h"

enum state {
    OFF,       /* to be switched on */
    CUTTING,   /* to be switched off: it draws too much */
    POWERING,  /* on; not good yet */
    EMPTY,     /* to be left alone until it changes, as FAILED and ENABLED */
    DEBOUNCE,  /* something is plugged in; it may still bounce */
    WAITING,   /* for its turn at address 0 */
    RESETTING, /* */
    RECOVERY,  /* a device may think before it has to answer */
    ENUMERATING,
    ENABLED,   /* */
    DISABLING, /* what is plugged in shall not hear anything any more */
    FAILED,    /* given up until it changes */
};

enum step { LOOK, CLEAR, POWER_ON, POWER_OFF, RESET, DISABLE };

enum {
    DEBOUNCE_MS = 100,
    RESET_LOOK_MS = 10,
    RESET_MOST_MS = 500,
    RECOVERY_MS = 10,
    REQUEST_MS = 500,
    RETRY_MS = 100,
    OVER_CURRENT_MS = 5000, /* until it is switched on again */
    CALM_MS = 10000,        /* after which a port's failures are forgotten */
    MOST_BACK_OFF = 5,      /* doublings of the debounce time */
    HUB_ERRORS = 3,         /* in a row: the hub begins anew */
    ALL_CHANGES = 0x1f,
};

static void enter(struct bb_usb_port *port, enum state state, uint64_t due)
{
    port->state = (uint8_t)state;
    port->since = bb_time();
    port->due = due;
}

static uint64_t after(unsigned ms)
{
    return bb_time() + ms * BB_MSEC;
}

static void say(const struct bb_usb_hub *hub, unsigned index, enum bb_level level, const char *what)
{
    char path[100];
    (void)bb_node_path(hub->node, path, sizeof(path));
    bb_print(level, "%s: port %u: %s", path, index + 1, what);
}

static void release_address_0(struct bb_usb_host *host, const struct bb_usb_port *port)
{
    if (host->default_state == port)
        host->default_state = NULL;
}

/* ---- Requests ---- */

static void request_done(struct bb_usb_request *request)
{
    struct bb_usb_hub *hub = bb_container_of(request, struct bb_usb_hub, request);
    if (!request->status && hub->step == LOOK && request->actual != 4)
        request->status = -EPROTO;
    bb_usb_wake(hub->host);
}

static void ask_root(struct bb_usb_hub *hub, int feature, bool set)
{
    struct bb_usb_host *host = hub->host;
    const struct bb_usb_host_ops *ops = &BB_BOUND_USB_HOST;
    unsigned port = hub->turn + 1u;
    hub->request.status =
        feature < 0 ? ops->port_status(host, port, &hub->answer)
                    : ops->port_feature(host, port, (enum bb_usb_port_feature)feature, set);
}

/* Feature -1: the status. */
static void ask(struct bb_usb_hub *hub, enum step step, int feature, bool set)
{
    hub->busy = true;
    hub->step = (uint8_t)step;
    if (!hub->device) {
        ask_root(hub, feature, set);
        return;
    }
    struct bb_usb_setup setup = {
        .request_type = BB_USB_CLASS | BB_USB_TO_OTHER,
        .request = set ? BB_USB_SET_FEATURE : BB_USB_CLEAR_FEATURE,
        .value = (uint16_t)feature,
        .index = (uint16_t)(hub->turn + 1),
    };
    if (feature < 0) {
        setup.request_type |= BB_USB_IN;
        setup.request = BB_USB_GET_STATUS;
        setup.value = 0;
        setup.length = sizeof(hub->answer);
    }
    hub->request = (struct bb_usb_request){.setup = setup,
                                           .data = &hub->answer,
                                           .timeout = REQUEST_MS * BB_MSEC,
                                           .done = request_done};
    bb_usb_request(hub->device, &hub->request);
}

/* ---- What a port shows ---- */

static void begin_debounce(struct bb_usb_port *port, unsigned doublings)
{
    enter(port, DEBOUNCE, after((unsigned)DEBOUNCE_MS << doublings));
}

static void connected(struct bb_usb_port *port)
{
    if (bb_time() - port->since > CALM_MS * BB_MSEC)
        port->failures = 0;
    port->tries = 0;
    port->fatal = port->starved = false;
    begin_debounce(port, port->failures < MOST_BACK_OFF ? port->failures : MOST_BACK_OFF);
}

static void take_away(struct bb_usb_hub *hub, struct bb_usb_port *port)
{
    struct bb_usb_device *device = port->device;
    bool came_to_nothing = port->state >= DEBOUNCE && port->state != ENABLED;
    release_address_0(hub->host, port);
    port->device = NULL;
    if (came_to_nothing && port->failures < UINT8_MAX)
        port->failures++;
    if (device)
        bb_usb_gone(bb_usb_of(device));
}

static void over_current(struct bb_usb_hub *hub, struct bb_usb_port *port)
{
    if (!port->over_current)
        say(hub, hub->turn, BB_ERROR, "over-current: off for some seconds");
    take_away(hub, port);
    port->over_current = true;
    enter(port, CUTTING, 0);
}

static void reset_ended(struct bb_usb_hub *hub, struct bb_usb_port *port)
{
    if (hub->seen & BB_USB_PORT_RESET) {
        if (bb_time() - port->since < RESET_MOST_MS * BB_MSEC) {
            port->due = after(RESET_LOOK_MS);
            return;
        }
        port->why = "its reset does not end";
        port->fatal = true; /* another one must not begin before */
    } else if (hub->seen & BB_USB_PORT_ENABLE) {
        port->speed = hub->seen & BB_USB_PORT_LOW_SPEED    ? BB_USB_LOW
                      : hub->seen & BB_USB_PORT_HIGH_SPEED ? BB_USB_HIGH
                                                           : BB_USB_FULL;
        enter(port, RECOVERY, after(RECOVERY_MS));
        return;
    } else {
        port->why = "its port stays disabled after a reset";
    }
    enter(port, DISABLING, 0);
}

/* What was plugged in before has let go. */
static bool is_vacant(const struct bb_usb_hub *hub)
{
    for (const struct bb_usb_device *at = hub->host->devices; at; at = at->next)
        if (at->hub == hub && at->port == hub->turn + 1)
            return false;
    return true;
}

/* The port's status is known, and its changes are cleared. */
static void look_at(struct bb_usb_hub *hub)
{
    struct bb_usb_port *port = &hub->port[hub->turn];
    uint32_t now = hub->seen, changes = hub->seen >> BB_USB_PORT_CHANGES;
    bool there = now & BB_USB_PORT_CONNECTION, replaced = changes & BB_USB_PORT_CONNECTION;
    if (now & BB_USB_PORT_OVER_CURRENT) {
        over_current(hub, port);
        return;
    }
    if (!(now & BB_USB_PORT_POWER)) { /* the hub switched it off by itself, or reset itself */
        take_away(hub, port);
        if (port->tries < MOST_BACK_OFF)
            port->tries++;
        enter(port, OFF,
              after(port->over_current ? OVER_CURRENT_MS : (unsigned)RETRY_MS << port->tries));
        return;
    }
    if (port->over_current && port->state != OFF)
        say(hub, hub->turn, BB_WARNING, "on again after an over-current");
    port->over_current = false;
    if (!there) {
        if (port->state != EMPTY) {
            take_away(hub, port);
            enter(port, EMPTY, BB_FOREVER);
        }
        return;
    }
    switch ((enum state)port->state) {
    case OFF:
    case CUTTING:
    case POWERING:
    case EMPTY:
        connected(port);
        break;
    case DEBOUNCE:
        if (replaced)
            begin_debounce(port, port->failures < MOST_BACK_OFF ? port->failures : MOST_BACK_OFF);
        else if (port->due <= bb_time() && is_vacant(hub))
            enter(port, WAITING, BB_FOREVER);
        else if (port->due <= bb_time())
            begin_debounce(port, 0); /* others do not wait behind it */
        break;
    case RESETTING:
        reset_ended(hub, port);
        break;
    case WAITING:
    case RECOVERY:
    case ENUMERATING:
    case ENABLED:
    case DISABLING:
    case FAILED: {
        bool on = port->state == WAITING || port->state == DISABLING || port->state == FAILED;
        if (replaced || !(on || now & BB_USB_PORT_ENABLE)) {
            take_away(hub, port);
            connected(port);
        }
        break;
    }
    }
}

/* ---- What comes next ---- */

/* One after the other, those that wait longest first. */
static bool has_turn(const struct bb_usb_hub *hub, const struct bb_usb_port *port)
{
    const struct bb_usb_host *host = hub->host;
    if (host->default_state)
        return false;
    for (const struct bb_usb_hub *other = host->hubs; other; other = other->next)
        for (unsigned i = 0; other->running && i < other->ports; i++)
            if (other->port[i].state == WAITING && other->port[i].since < port->since)
                return false;
    return true;
}

static void enumerate(struct bb_usb_hub *hub, struct bb_usb_port *port)
{
    enter(port, ENUMERATING, BB_FOREVER);
    if (bb_usb_enumerate(hub, hub->turn + 1u, port->speed) == 0)
        return;
    port->why = "no slot left: raise `usb.slots`";
    port->starved = port->fatal = true;
    enter(port, DISABLING, 0);
}

/* The port cannot be talked to at the moment; whether to try again. */
static void disabled(struct bb_usb_hub *hub, struct bb_usb_port *port)
{
    struct bb_usb *usb = port->device ? bb_usb_of(port->device) : NULL;
    bool again = ++port->tries < BB_USB_TRIES && !port->fatal;
    release_address_0(hub->host, port);
    if (usb && (again || usb->state == BB_USB_KNOWN)) {
        port->device = NULL;
        usb->state = BB_USB_DISCARDED;
        bb_usb_gone(usb);
        usb = NULL;
    }
    if (again) {
        begin_debounce(port, port->tries);
        return;
    }
    enter(port, FAILED, BB_FOREVER);
    say(hub, hub->turn, BB_WARNING, port->why);
    if (usb)
        usb->state = BB_USB_GIVEN_UP;
    else
        bb_usb_refuse(hub, hub->turn + 1u, port->why);
}

/* The state's time has come. False: it has nothing to do. */
static bool go_on(struct bb_usb_hub *hub, struct bb_usb_port *port)
{
    switch ((enum state)port->state) {
    case OFF:
        ask(hub, POWER_ON, BB_USB_FEATURE_POWER, true);
        return true;
    case CUTTING:
        ask(hub, POWER_OFF, BB_USB_FEATURE_POWER, false);
        return true;
    case POWERING:
    case DEBOUNCE:
    case RESETTING:
        ask(hub, LOOK, -1, false);
        return true;
    case RECOVERY:
        enumerate(hub, port);
        return true;
    case DISABLING:
        ask(hub, DISABLE, BB_USB_FEATURE_ENABLE, false);
        return true;
    case EMPTY:
    case WAITING:
    case ENUMERATING:
    case ENABLED:
    case FAILED:
        port->due = BB_FOREVER;
        break;
    }
    return false;
}

static void finished(struct bb_usb_hub *hub)
{
    struct bb_usb_port *port = &hub->port[hub->turn];
    hub->errors = 0;
    switch ((enum step)hub->step) {
    case LOOK:
        hub->seen = hub->answer;
        hub->clear = hub->answer >> BB_USB_PORT_CHANGES & ALL_CHANGES;
        if (hub->told)
            hub->lies = hub->clear ? 0 : (uint8_t)(hub->lies + (hub->lies < UINT8_MAX));
        hub->told = false;
        break;
    case CLEAR:
        if (hub->clear & BB_USB_PORT_CONNECTION)
            port->changed = true; /* what came since that status told nobody */
        hub->clear &= hub->clear - 1;
        break;
    case POWER_ON:
        enter(port, POWERING, after(hub->power_delay));
        return;
    case RESET:
        enter(port, RESETTING, after(RESET_LOOK_MS));
        return;
    case DISABLE:
        disabled(hub, port);
        return;
    case POWER_OFF:
        enter(port, OFF, after(OVER_CURRENT_MS));
        return;
    }
    if (hub->clear)
        ask(hub, CLEAR, BB_USB_FEATURE_C_CONNECTION + __builtin_ctz(hub->clear), false);
    else
        look_at(hub);
}

/* A hub: its own port is disabled, and it is enumerated again with all that is plugged into it. */
static void start_over(struct bb_usb_hub *hub, const char *why)
{
    struct bb_usb_port *port = bb_usb_port_of(hub->device);
    if (bb_time() - port->since > CALM_MS * BB_MSEC)
        port->tries = 0;
    port->why = why;
    enter(port, DISABLING, 0);
    hub->running = false;
}

static void failed(struct bb_usb_hub *hub)
{
    static const char why[] = "its hub does not answer";
    struct bb_usb_port *port = &hub->port[hub->turn];
    hub->retry_at = after(RETRY_MS);
    if (hub->step == LOOK || hub->step == CLEAR)
        port->changed = true;
    if (hub->step == RESET) {
        release_address_0(hub->host, port);
        port->due = hub->retry_at;
    }
    if (++hub->errors != HUB_ERRORS)
        return; /* the root is asked for ever */
    say(hub, hub->turn, BB_ERROR, why);
    if (hub->device)
        start_over(hub, why);
}

static bool is_due(const struct bb_usb_hub *hub, const struct bb_usb_port *port, uint64_t now)
{
    return port->changed || port->due <= now || (port->state == WAITING && has_turn(hub, port));
}

bool bb_usb_hub_run(struct bb_usb_hub *hub, uint64_t now)
{
    if (!hub->running)
        return false;
    if (hub->busy) {
        if (hub->request.status == -EINPROGRESS)
            return false;
        hub->busy = false;
        if (hub->request.status)
            failed(hub);
        else
            finished(hub);
        return true;
    }
    if (hub->retry_at > now)
        return false;
    for (unsigned i = 1; i <= hub->ports; i++) {
        unsigned index = (hub->turn + i) % hub->ports;
        struct bb_usb_port *port = &hub->port[index];
        if (!is_due(hub, port, now))
            continue;
        hub->turn = (uint8_t)index;
        if (port->changed && port->state != OFF) {
            port->changed = false;
            hub->told = true;
            ask(hub, LOOK, -1, false);
            return true;
        }
        port->changed = false;
        if (port->state == WAITING && has_turn(hub, port)) {
            hub->host->default_state = port;
            ask(hub, RESET, BB_USB_FEATURE_RESET, true);
            return true;
        }
        if (port->due <= now && go_on(hub, port))
            return true;
    }
    return false;
}

uint64_t bb_usb_hub_due(const struct bb_usb_hub *hub)
{
    uint64_t due = BB_FOREVER;
    if (!hub->running || hub->busy)
        return due;
    for (unsigned i = 0; i < hub->ports; i++)
        if (hub->port[i].due < due)
            due = hub->port[i].due;
    for (unsigned i = 0; i < hub->ports; i++)
        if (hub->port[i].changed)
            due = 0;
    return due < hub->retry_at ? hub->retry_at : due;
}

bool bb_usb_hub_is_starting(const struct bb_usb_hub *hub)
{
    for (unsigned i = 0; hub->running && i < hub->ports; i++) {
        const struct bb_usb_port *port = &hub->port[i];
        bool settled = port->state == EMPTY || port->state == ENABLED || port->state == FAILED;
        if (!settled && !port->over_current && !port->failures)
            return true;
    }
    return false;
}

/* ---- What happens to devices ---- */

void bb_usb_port_addressed(struct bb_usb *usb)
{
    release_address_0(usb->device.host, bb_usb_port_of(&usb->device));
}

void bb_usb_port_failed(struct bb_usb *usb, bool fatal)
{
    struct bb_usb_port *port = bb_usb_port_of(&usb->device);
    if (port->device != &usb->device)
        return; /* it was taken away meanwhile */
    port->why = usb->why;
    port->fatal = fatal;
    enter(port, DISABLING, 0);
}

void bb_usb_port_succeeded(struct bb_usb *usb)
{
    struct bb_usb_port *port = bb_usb_port_of(&usb->device);
    port->failures = 0;
    enter(port, ENABLED, BB_FOREVER);
}

void bb_usb_ports_feed(struct bb_usb_host *host)
{
    for (struct bb_usb_hub *hub = host->hubs; hub; hub = hub->next)
        for (unsigned i = 0; hub->running && i < hub->ports; i++) {
            struct bb_usb_port *port = &hub->port[i];
            if (!port->starved || port->state != FAILED)
                continue;
            take_away(hub, port);
            connected(port);
        }
}

/* ---- Hubs ---- */

void bb_usb_hub_begin(struct bb_usb_hub *hub)
{
    struct bb_usb_host *host = hub->host;
    struct bb_usb_hub **at = &host->hubs;
    hub->running = true;
    hub->turn = (uint8_t)(hub->ports - 1);
    while (*at)
        at = &(*at)->next;
    hub->next = NULL;
    *at = hub;
    bb_usb_wake(host);
}

void bb_usb_hub_gone(struct bb_usb_hub *hub)
{
    struct bb_usb_port **holder = &hub->host->default_state;
    hub->running = false;
    if ((uintptr_t)*holder - (uintptr_t)hub->port < sizeof(hub->port))
        *holder = NULL;
}

void bb_usb_hub_end(struct bb_usb_hub *hub)
{
    for (unsigned i = 0; i < hub->ports; i++) {
        take_away(hub, &hub->port[i]);
        enter(&hub->port[i], EMPTY, BB_FOREVER);
    }
    hub->running = false;
}

void bb_usb_hub_changed(struct bb_usb_hub *hub, unsigned port)
{
    if (port > hub->ports)
        return;
    for (unsigned i = 0; i < hub->ports; i++)
        if (!port || port == i + 1)
            hub->port[i].changed = true;
    bb_usb_wake(hub->host);
}
