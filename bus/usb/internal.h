/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the USB bus tell each other. One engine for each host, run from its work, moves
 * everything on: it never waits. Completions and timers only mark what there is to do. What may
 * wait, binding and unbinding, is work of its own.
 *
 *     transfer.c    transfers, deadlines, the control pipe
 *     translator.c  what hubs must forget
 *     ports.c       ports of hubs: power, debounce, reset, over-current
 *     enumerate.c   from a reset device to a configured one
 *     descriptor.c  checks descriptors, makes interfaces and endpoints of them
 *     interface.c   what drivers hold: interfaces, memory, hubs
 *     match.c       functions, their compatible strings, the choice of a configuration
 *     bind.c        nodes, drivers, slots: what comes and goes
 *     host.c        the class, the engine
 */
#ifndef BUSBAR_USB_INTERNAL_H
#define BUSBAR_USB_INTERNAL_H

#include <busbar/usb_host.h>

enum {
    BB_USB_TIERS = 6,
    BB_USB_SLOTS_MOST = 120,   /* there are 127 addresses */
    BB_USB_TRIES = 3,          /* of an enumeration */
    BB_USB_CONFIGURATIONS = 8, /* that are looked at */
    BB_USB_INTERFACES = 16,    /* of one configuration; more are refused */
    BB_USB_DESCRIPTORS = 4096, /* bytes of all configurations together */
    BB_USB_COMPATIBLE = 160,   /* bytes of the strings of one interface */
    BB_USB_UNIT = 100,         /* mA for each port of a hub without a supply of its own */
    BB_USB_SUPPLY = 500,       /* mA for each port of all others */
};

enum bb_usb_state {
    BB_USB_ENUMERATING,
    BB_USB_CONFIGURED, /* has no nodes yet */
    BB_USB_GIVEN_UP,   /* has no node yet */
    BB_USB_KNOWN,      /* has its node, or nodes, and whatever drivers they found */
    BB_USB_DISCARDED,  /* a try that failed: goes without a word */
};

struct bb_usb_configuration {
    const uint8_t *data;
    uint16_t length; /* as read and as wTotalLength says */
};

/* A device and all that the bus keeps of it: in its slot. */
struct bb_usb {
    struct bb_usb_device device;
    struct bb_slot *slot;
    uint8_t state, step;
    bool answered; /* the request of its step has ended */
    bool leaving;  /* unplugged, or discarded: its slot is to be given back */
    unsigned in_flight;
    uint64_t due;                  /* when its step goes on; BB_FOREVER: with the answer */
    struct bb_usb_request request; /* of its step */
    /* The control pipe: requests take turns. */
    struct bb_usb_request *first, *last;
    struct bb_usb_transfer control;
    void *buffer; /* BB_USB_CONTROL_MAX bytes */
    uint8_t descriptor[18], head[9];
    uint8_t string_index;  /* of those wanted, while they are read */
    uint8_t taken_address; /* 0: none yet */
    uint16_t language;
    uint16_t descriptor_bytes; /* of configurations, read or being read */
    uint8_t configuration_count;
    struct bb_usb_configuration configurations[BB_USB_CONFIGURATIONS];
    const struct bb_usb_configuration *chosen;
    char why[96];
};

static inline struct bb_usb *bb_usb_of(struct bb_usb_device *device)
{
    return bb_container_of(device, struct bb_usb, device);
}
static inline struct bb_usb_port *bb_usb_port_of(const struct bb_usb_device *device)
{
    return &device->hub->port[device->port - 1];
}

/* ---- transfer.c ---- */

/* Queues a request on the device's control pipe. */
void bb_usb_request(struct bb_usb_device *device, struct bb_usb_request *request);
/* Ends whatever is in flight on a device. */
void bb_usb_end_all(struct bb_usb_device *device, int status);
/* Ends one that the controller does not have: cancelled while it waited for its endpoint, or
 * refused when its turn came. False: there is none. */
bool bb_usb_end_waiting(struct bb_usb_host *host);
void bb_usb_deadlines(struct bb_timer_event *event);
/* Ends what the controller still had when its driver was removed: it is quiet now. */
void bb_usb_abandon(struct bb_usb_host *host);
/* What went wrong with a transfer, for a person. */
const char *bb_usb_status_name(int status);

/* For what ends and nobody has to be told. */
void bb_usb_tell_nobody(struct bb_usb_transfer *transfer);
/* The endpoint is held no longer: what waits there goes out. */
void bb_usb_release_endpoint(struct bb_usb_endpoint *endpoint);

/* ---- translator.c ---- */

/* A transfer of this endpoint was given up: the hub that speaks for it forgets it. */
void bb_usb_clear_translator(struct bb_usb_endpoint *endpoint);
/* A device goes: no translator speaks of it any more. */
void bb_usb_leave_translator(const struct bb_usb_device *device);

/* ---- host.c ---- */

static inline void bb_usb_wake(struct bb_usb_host *host)
{
    bb_work_queue(&host->work);
}
bool bb_usb_is_starting(const struct bb_usb_host *host);

/* ---- ports.c ---- */

void bb_usb_hub_begin(struct bb_usb_hub *hub);
/* Does the next thing there is to do. False: nothing, now. */
bool bb_usb_hub_run(struct bb_usb_hub *hub, uint64_t now);
/* When there is something to do by time alone. */
uint64_t bb_usb_hub_due(const struct bb_usb_hub *hub);
/* Whether something that is plugged in is on its way. */
bool bb_usb_hub_is_starting(const struct bb_usb_hub *hub);
/* A device failed to enumerate; `fatal`: trying again would not help. */
void bb_usb_port_failed(struct bb_usb *usb, bool fatal);
void bb_usb_port_succeeded(struct bb_usb *usb);
/* The device is no longer at address 0. */
void bb_usb_port_addressed(struct bb_usb *usb);
/* A slot is free again. */
void bb_usb_ports_feed(struct bb_usb_host *host);
/* It is gone itself: nothing is asked of it any more, and address 0 is not its ports' any more. */
void bb_usb_hub_gone(struct bb_usb_hub *hub);
/* Everything that is plugged into it is gone. */
void bb_usb_hub_end(struct bb_usb_hub *hub);

/* ---- enumerate.c ---- */

/* A device has been reset and answers at address 0. -ENOSPC: no slot left. */
int bb_usb_enumerate(struct bb_usb_hub *hub, unsigned port, enum bb_usb_speed speed);
/* A device that nothing can be done with, for its node's sake. */
void bb_usb_refuse(struct bb_usb_hub *hub, unsigned port, const char *why);
/* Goes on when there is an answer or its time has come. False: nothing to do. */
bool bb_usb_enumerate_step(struct bb_usb *usb, uint64_t now);
/* Its address may be given to another one. */
void bb_usb_free_address(struct bb_usb *usb);
/* UTF-16, little endian, `count` bytes, as UTF-8 without control characters. Returns its length. */
size_t bb_usb_utf8(const uint8_t *from, size_t count, char *to, size_t size);

/* ---- descriptor.c ---- */

/* An interface of a configuration that was checked. */
struct bb_usb_part {
    uint8_t number, class, subclass, protocol; /* of its alternate setting 0 */
    uint8_t owner;                             /* index of that whose function it belongs to */
    uint16_t at, length;                       /* of its descriptors */
};
struct bb_usb_layout {
    uint8_t count;
    struct bb_usb_part parts[BB_USB_INTERFACES];
};
/* Checks all of a configuration. NULL when it is sound; else what is wrong with it. */
const char *bb_usb_check(const uint8_t *data, size_t length, enum bb_usb_speed speed,
                         struct bb_usb_layout *layout);
/* Makes the interface of `part`, with its alternate setting 0. */
void bb_usb_interface_begin(struct bb_usb_interface *interface, struct bb_usb_device *device,
                            const uint8_t *data, const struct bb_usb_part *part);
bool bb_usb_has_setting(const struct bb_usb_interface *interface, unsigned alternate);
/* The endpoints of an alternate setting. -ENOENT. */
int bb_usb_use_setting(struct bb_usb_interface *interface, unsigned alternate);
/* Bytes that hold `size` of any endpoint of the device, in whole packets. */
size_t bb_usb_largest_room(const struct bb_usb *usb, size_t size);

/* ---- match.c ---- */

/* Which interfaces belong to the function of another one. */
void bb_usb_group(const uint8_t *data, size_t length, struct bb_usb_layout *layout);
/* The compatible strings of an interface, each ended; returns their bytes. */
size_t bb_usb_compatible(const struct bb_usb_device *device, unsigned configuration,
                         const struct bb_usb_part *part, char *text, size_t size);
/* Chooses a configuration and fills its layout; NULL when there is none, and why. */
const struct bb_usb_configuration *bb_usb_choose(struct bb_usb *usb, struct bb_usb_layout *layout,
                                                 const char **why);
/* The largest state of the drivers of this bus. */
size_t bb_usb_largest_state(void);

/* ---- bind.c ---- */

void bb_usb_bind_work(struct bb_work *work);
/* Whether nodes are still to be made or slots to be given back. */
bool bb_usb_has_binding(const struct bb_usb_host *host);
/* It is gone, and all that is plugged into it. */
void bb_usb_gone(struct bb_usb *usb);

#endif
