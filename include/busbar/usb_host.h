/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB host controllers, and hubs: what stands below the USB bus. A controller moves transfers and
 * has root ports; enumeration, addresses, time-outs and hubs are the bus's matter.
 *
 *     dwc2->host.ports = 1;
 *     return bb_usb_host_start(&dwc2->host);             // at the end of probe
 *
 * The driver gets each transfer with its endpoint: address and speed of the device, split_address
 * and split_port, packet size, interval. It keeps the data toggle in endpoint->toggle. It does what
 * a host does on the wire: NAK is tried again (bulk, control: soon; interrupt: in the next
 * interval), no answer or a bad CRC three times in a row ends the transfer with -EIO, STALL with
 * -EPIPE.
 */
#ifndef BUSBAR_USB_HOST_H
#define BUSBAR_USB_HOST_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/hotplug.h>
#include <busbar/poll.h>
#include <busbar/store.h>
#include <busbar/usb.h>

enum { /* bits of a port's status, as GET_STATUS of a hub has them (table 11-21) */
       BB_USB_PORT_CONNECTION = 1 << 0,
       BB_USB_PORT_ENABLE = 1 << 1,
       BB_USB_PORT_SUSPEND = 1 << 2,
       BB_USB_PORT_OVER_CURRENT = 1 << 3,
       BB_USB_PORT_RESET = 1 << 4,
       BB_USB_PORT_POWER = 1 << 8,
       BB_USB_PORT_LOW_SPEED = 1 << 9,
       BB_USB_PORT_HIGH_SPEED = 1 << 10,
       BB_USB_PORT_CHANGES = 16, /* shift: the same low five bits, as changes (table 11-22) */
};
enum bb_usb_port_feature { /* table 11-17 */
                           BB_USB_FEATURE_ENABLE = 1,
                           BB_USB_FEATURE_SUSPEND = 2,
                           BB_USB_FEATURE_RESET = 4,
                           BB_USB_FEATURE_POWER = 8,
                           BB_USB_FEATURE_C_CONNECTION = 16,
                           BB_USB_FEATURE_C_ENABLE = 17,
                           BB_USB_FEATURE_C_SUSPEND = 18,
                           BB_USB_FEATURE_C_OVER_CURRENT = 19,
                           BB_USB_FEATURE_C_RESET = 20,
};

struct bb_usb_host_stats {
    uint64_t transfers; /* ended without error */
    uint64_t bytes;     /* moved by these, both directions */
    uint64_t errors;    /* ended with any other status but -ECANCELED and -ENODEV */
    uint64_t timeouts;
    uint64_t plugged, unplugged; /* devices */
};

enum { BB_USB_HUB_PORTS = 15 }; /* of one hub; a hub that claims more is given up with a reason */

/* A control request of the bus itself, which nobody waits for. The bus's own. */
struct bb_usb_request {
    struct bb_usb_setup setup;
    void *data;
    bool direct;     /* `data` is memory for transfers; else it goes through the device's buffer */
    int status;      /* -EINPROGRESS while it is under way */
    uint32_t actual; /* bytes */
    uint64_t timeout;
    void (*done)(struct bb_usb_request *request); /* must not wait; may be NULL */
    struct bb_usb_request *next;
};

/* The bus's state of one port: see bus/usb/ports.c. */
struct bb_usb_port {
    struct bb_usb_device *device; /* enumerated or on the way; NULL: none */
    uint8_t state;
    uint8_t speed;    /* enum bb_usb_speed, after its reset */
    uint8_t tries;    /* with what is plugged in now */
    uint8_t failures; /* connections in a row that came to nothing: the next has to wait longer */
    bool changed;     /* the hub says that there is news */
    bool over_current;
    bool starved;    /* what is plugged in found no slot */
    bool fatal;      /* trying again would not help */
    uint64_t due;    /* when its state goes on; BB_FOREVER: not by itself */
    uint64_t since;  /* when its state began */
    const char *why; /* what went wrong last */
};

/* A controller's root ports, or a hub that a driver runs: the bus speaks to its ports by the
 * requests of the specification's chapter 11. */
struct bb_usb_hub {
    struct bb_usb_host *host;
    struct bb_usb_device *device; /* NULL: the root */
    struct bb_node *node;         /* below which the devices' nodes are appended */
    uint8_t ports;                /* 1 to BB_USB_HUB_PORTS */
    uint8_t tier;                 /* 0: the root */
    uint16_t power_delay;         /* ms from power on until the port's power is good */
    bool multiple;                /* high speed: a transaction translator for each port */
    /* The bus's own. */
    struct bb_device *owner; /* the driver's */
    struct bb_resource resource;
    bool running;
    bool busy; /* a request is under way */
    uint8_t turn;
    uint8_t errors; /* of requests, in a row */
    uint8_t lies;   /* changes that it told of, and that were none: in a row */
    bool told;      /* it told of the port that is looked at */
    uint8_t step;
    uint16_t budget;      /* mA for each port */
    uint64_t retry_at;    /* after a request that failed */
    uint32_t clear, seen; /* changes of the port at hand still to be cleared; what was seen */
    uint32_t answer;      /* status of a port, as it came */
    struct bb_usb_request request;
    struct bb_usb_request translator; /* what it shall forget: bus/usb/translator.c */
    struct {
        uint16_t value, port;
        struct bb_usb_endpoint *endpoint; /* that waits for it; NULL: it is gone */
    } stale[8];
    uint8_t stale_count;
    struct bb_usb_hub *next; /* of the same host */
    struct bb_usb_port port[BB_USB_HUB_PORTS];
};

/* A host controller. Its driver sets in probe: ports, and root.power_delay where power takes time.
 * The rest is the bus's. */
struct bb_usb_host {
    struct bb_face face;
    uint8_t ports; /* root ports, 1 to BB_USB_HUB_PORTS */
    struct bb_usb_hub root;
    struct bb_usb_hub *hubs;
    struct bb_usb_device *devices;     /* hubs before what is plugged into them */
    struct bb_usb_port *default_state; /* the port whose device has address 0 */
    struct bb_slots slots;
    struct bb_slots refused; /* small ones, for the nodes of what found no slot */
    struct bb_usb_transfer *in_flight;
    struct bb_timer_event deadlines; /* of transfers */
    struct bb_timer_event ports_due; /* of ports */
    struct bb_work work;
    struct bb_work binding;
    struct bb_resource resource;
    uint32_t addresses[4]; /* bit n: address n is taken */
    uint64_t bind_at;      /* when binding goes on; BB_FOREVER: not by itself */
    bool started, stopping, root_changed;
    struct bb_usb_host_stats stats;
    struct bb_value values[8];
};

struct bb_usb_host_ops {
    /* Takes a transfer that the bus has checked; ends it by bb_usb_complete(), later, never from
     * within. Queues what it has no channel for. It has one transfer of an endpoint at a time: the
     * next follows from within bb_usb_complete(). Negative: it could not be taken at all. */
    int (*submit)(struct bb_usb_host *host, struct bb_usb_transfer *transfer);
    /* Stops it, whether it waits or runs: bb_usb_complete() follows from bb_poll(), within 10 ms
     * where the hardware stops when told to. One that does not takes longer: as long as its driver
     * needs to make sure, by a reset for instance, that nothing is written to the transfer's memory
     * any more, which is so when bb_usb_complete() is called. */
    void (*cancel)(struct bb_usb_host *host, struct bb_usb_transfer *transfer);
    /* Nothing of the endpoint is in flight, and it is not used again as it is: forget its host[].
     * May be NULL. */
    void (*forget)(struct bb_usb_host *host, struct bb_usb_endpoint *endpoint);
    /* Status of a root port, from 1, with the changes since they were last cleared in the upper
     * half. Does not wait. */
    int (*port_status)(struct bb_usb_host *host, unsigned port, uint32_t *status);
    /* Sets or clears a feature of a root port. A reset takes as long as it takes, and ends by
     * itself with C_RESET and, where something is plugged in, ENABLE and its speed. Does not wait.
     */
    int (*port_feature)(struct bb_usb_host *host, unsigned port, enum bb_usb_port_feature feature,
                        bool set);
};

BB_CLASS_FINDERS(usb_host)

#ifndef BB_BOUND_USB_HOST
#define BB_BOUND_USB_HOST (*(const struct bb_usb_host_ops *)host->face.ops)
#endif

/* ---- For controllers ---- */

/* Powers the root ports and looks at them from bb_poll() on. Released with the device: every device
 * below is gone, every transfer is ended, then the driver's remove() is called; what the controller
 * has not given back in two seconds ends after that: remove() must make sure that nothing is
 * written to its memory any more, and bb_usb_complete() does nothing for it. */
int bb_usb_host_start(struct bb_usb_host *host);
/* A transfer has ended; its `actual` is set. Thread context (from work of the driver's). */
void bb_usb_complete(struct bb_usb_transfer *transfer, int status);
/* A root port changed. Every context. */
void bb_usb_root_changed(struct bb_usb_host *host);

/* ---- For hub drivers ---- */

/* Takes a hub whose ports, power_delay and multiple are set, all else zero: powers its ports, looks
 * after them. It is the USB device that `device`'s interface belongs to. Released with `device`:
 * all that is plugged into it is gone first. -ERANGE for too many ports, or a sixth hub in a row.
 */
int bb_usb_hub_start(struct bb_device *device, struct bb_usb_hub *hub);
/* Port `port` changed; 0: any may have. Thread context. */
void bb_usb_hub_changed(struct bb_usb_hub *hub, unsigned port);

#endif
