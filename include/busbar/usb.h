/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB for class drivers (Universal Serial Bus Specification 2.0). The bus finds devices, chooses a
 * configuration and appends a node for each function of it; a driver has `.bus = &bb_usb_bus`,
 * `.hotplug = true`, and matches by class or by vendor and product, in the words of the Open
 * Firmware binding for USB, most particular first (numbers in hexadecimal without leading zeros):
 *
 *     "usbif403,6001.config1.0"   interface 0 in configuration 1 of vendor 0403, product 6001
 *     "usbif403,6001.classff"     any interface of that class there
 *     "usbif,class3.1.1"          class 3, subclass 1, protocol 1: a boot keyboard
 *     "usbif,class8.6"  "usbif,class9"
 *
 * It sees an interface, its endpoints and completions, and nothing of the host controller:
 *
 *     error = bb_usb_claim(device, &chip->interface);
 *     chip->in = bb_usb_endpoint(chip->interface, BB_USB_BULK, BB_USB_IN);
 *     chip->buffer = bb_usb_alloc(device, 2048);
 *     chip->transfer = (struct bb_usb_transfer){.endpoint = chip->in, .data = chip->buffer,
 *         .length = 2048, .timeout = BB_FOREVER, .done = received, .context = chip};
 *     error = bb_usb_submit(&chip->transfer);
 *
 * A transfer has one owner: from the submit that takes it until its done() is called it and its
 * memory are the bus's. A device may go at any moment: then all that it had in flight ends with
 * -ENODEV, what is submitted later is refused with -ENODEV, and the driver's remove() is called
 * with nothing in flight. Everything that a device says is hostile: its descriptors have been
 * checked to lie within what was read, and no more than that.
 *
 * Thread context, unless a call says otherwise. done() runs in thread context; it may submit and
 * cancel but not wait: what waits goes into work of the driver's own (<busbar/poll.h>).
 */
#ifndef BUSBAR_USB_H
#define BUSBAR_USB_H

#include <busbar/device.h>
#include <busbar/poll.h>
#include <busbar/time.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "USB's byte order is taken for granted");

extern const struct bb_bus bb_usb_bus;

enum bb_usb_speed { BB_USB_LOW, BB_USB_FULL, BB_USB_HIGH }; /* 1.5, 12, 480 Mb/s */
enum bb_usb_type { BB_USB_CONTROL, BB_USB_ISOCHRONOUS, BB_USB_BULK, BB_USB_INTERRUPT };
enum bb_usb_direction { BB_USB_OUT = 0, BB_USB_IN = 0x80 };

enum { /* bmRequestType: direction, then these */
       BB_USB_STANDARD = 0x00,
       BB_USB_CLASS = 0x20,
       BB_USB_VENDOR = 0x40,
       BB_USB_TO_DEVICE = 0x00,
       BB_USB_TO_INTERFACE = 0x01,
       BB_USB_TO_ENDPOINT = 0x02,
       BB_USB_TO_OTHER = 0x03, /* a port of a hub */
};
enum { /* bRequest, standard (table 9-4) */
       BB_USB_GET_STATUS = 0,
       BB_USB_CLEAR_FEATURE = 1,
       BB_USB_SET_FEATURE = 3,
       BB_USB_SET_ADDRESS = 5,
       BB_USB_GET_DESCRIPTOR = 6,
       BB_USB_GET_CONFIGURATION = 8,
       BB_USB_SET_CONFIGURATION = 9,
       BB_USB_GET_INTERFACE = 10,
       BB_USB_SET_INTERFACE = 11,
};
enum { /* bDescriptorType (table 9-5 and class specifications) */
       BB_USB_DEVICE_DESCRIPTOR = 1,
       BB_USB_CONFIGURATION_DESCRIPTOR = 2,
       BB_USB_STRING_DESCRIPTOR = 3,
       BB_USB_INTERFACE_DESCRIPTOR = 4,
       BB_USB_ENDPOINT_DESCRIPTOR = 5,
       BB_USB_ASSOCIATION_DESCRIPTOR = 11,
       BB_USB_HID_DESCRIPTOR = 0x21,
       BB_USB_CLASS_INTERFACE = 0x24, /* CDC functional descriptors */
       BB_USB_HUB_DESCRIPTOR = 0x29,
};

enum {
    BB_USB_ENDPOINTS = 8,  /* of one alternate setting; more are refused with a reason */
    BB_USB_TEXT = 64,      /* bytes of a string as UTF-8, its end included */
    BB_USB_ALIGNMENT = 64, /* of a transfer's memory, bytes: no cache line is shared */
};

/* A setup packet (9.3), in USB's byte order, which is that of every CPU that Busbar runs on. */
struct bb_usb_setup {
    uint8_t request_type;
    uint8_t request;
    uint16_t value, index;
    uint16_t length; /* of the data stage */
};
_Static_assert(sizeof(struct bb_usb_setup) == 8, "as on the wire");

struct bb_usb_host;
struct bb_usb_hub;
struct bb_usb_interface;
struct bb_usb_transfer;

struct bb_usb_endpoint {
    struct bb_usb_device *device;
    struct bb_usb_interface *interface; /* NULL: the control endpoint */
    uint8_t address;                    /* with BB_USB_IN in bit 7; 0 for the control endpoint */
    uint8_t type;                       /* enum bb_usb_type */
    uint8_t multiple;                   /* transactions in a microframe, 1 to 3 */
    uint16_t packet;   /* most bytes in one packet: 8 to 1024, checked against type and speed */
    uint32_t interval; /* interrupt: microseconds between polls, 125 to 256000 */
    bool halted;       /* it answered STALL: bb_usb_clear_halt() sets it going again */
    uint8_t held;      /* the bus's own: requests to a hub's translator that must end first */
    /* The controller's own. */
    uint8_t toggle; /* of the next packet: 0 DATA0, 1 DATA1; the bus zeroes it on a reset of it */
    bool ping;      /* high-speed OUT: ask before the next packet */
    uintptr_t host[4];
    /* The bus's own: the one that the controller has, and those that wait for it. */
    struct bb_usb_transfer *first, *last;
};

enum {                  /* bb_usb_transfer.flags */
       BB_USB_ZERO = 1, /* OUT: a length that divides by the packet is ended by an empty packet */
};

/* Zeroed before its first use; may be submitted again from its done(). */
struct bb_usb_transfer {
    struct bb_usb_endpoint *endpoint;
    struct bb_usb_setup setup; /* of a control transfer, its length included */
    void *data;                /* from bb_usb_alloc(), or aligned to BB_USB_ALIGNMENT */
    /* Bytes. IN: the memory has room for bb_usb_room(endpoint, length), and nothing else is in
     * there; a short packet ends the transfer, and is no error. */
    uint32_t length;
    uint32_t actual;  /* bytes moved, also when it ended with an error */
    uint64_t timeout; /* ns from the submit; BB_FOREVER: until it is cancelled or the device goes */
    uint8_t flags;
    /* -EINPROGRESS; then 0, -EPIPE (STALL: the endpoint is halted), -EIO (no answer, CRC, toggle:
     * three times in a row), -EOVERFLOW (babble: the device sent more than fits), -ETIMEDOUT,
     * -ECANCELED, -ENODEV (unplugged). */
    int status;
    void (*done)(struct bb_usb_transfer *transfer); /* not NULL */
    void *context;                                  /* the driver's own */
    /* The bus's own. */
    struct bb_usb_transfer *next;                          /* of the same endpoint */
    struct bb_usb_transfer *previous_of_all, *next_of_all; /* of the same host */
    uint64_t deadline;
    int cancelled;     /* the status that it shall end with, or 0 */
    bool started;      /* the controller has it */
    uintptr_t host[6]; /* the controller's own, while it has it */
};

/* One function of a device, as its driver sees it. */
struct bb_usb_interface {
    struct bb_usb_device *device;
    uint8_t number;
    uint8_t alternate;                 /* the current setting */
    uint8_t class, subclass, protocol; /* of that setting */
    uint8_t endpoint_count;
    bool closing; /* its driver goes: nothing is taken any more */
    /* Its descriptors, all alternate settings: whole ones, bLength and bDescriptorType checked. */
    const uint8_t *descriptors;
    uint16_t descriptors_length;                        /* bytes */
    struct bb_usb_endpoint endpoints[BB_USB_ENDPOINTS]; /* of the current setting */
    struct bb_device *owner;                            /* whose driver claimed it, or NULL */
    struct bb_resource resource;
    struct bb_node *node; /* NULL where it belongs to the function of another one */
};

struct bb_usb_device {
    struct bb_usb_host *host;
    struct bb_usb_hub *hub; /* that it is plugged into; the root's for a root port */
    uint8_t port;           /* there, from 1 */
    uint8_t tier;           /* 1: on a root port; at most 6, with 5 hubs in between */
    uint8_t address;        /* 1 to 127; 0 until it has one */
    uint8_t speed;          /* enum bb_usb_speed */
    /* Low or full speed behind a high-speed hub: that hub's address and port, for split
     * transactions; address 0 where there are none. */
    uint8_t split_address, split_port;
    bool split_multiple;               /* that hub has a translator for each port */
    uint16_t vendor, product, release; /* release: binary coded decimal */
    uint8_t class, subclass, protocol;
    uint8_t configuration; /* its number as SET_CONFIGURATION has it; 0: none */
    uint8_t interface_count;
    uint16_t power; /* mA that the configuration may draw */
    bool self_powered;
    bool gone; /* unplugged, or given up */
    char manufacturer[BB_USB_TEXT], model[BB_USB_TEXT], serial[BB_USB_TEXT]; /* UTF-8, or "" */
    struct bb_usb_interface *interfaces;
    struct bb_usb_endpoint control;
    struct bb_node *node;
    const char *why;            /* given up: the reason, for a person; else NULL */
    struct bb_usb_device *next; /* of the same host: the bus's own */
};

/* ---- Interfaces and endpoints ---- */

/* The interface of the device's node, for its driver alone. Released with the device: what is in
 * flight on its endpoints is cancelled and waited for. -EBUSY, -ENODEV. */
int bb_usb_claim(struct bb_device *device, struct bb_usb_interface **interface);
/* Interface `number` of the same USB device, where a function has several. */
int bb_usb_claim_number(struct bb_device *device, unsigned number,
                        struct bb_usb_interface **interface);
/* Makes this alternate setting the current one, whose endpoints start anew. Waits, bounded. Nothing
 * may be in flight on the old ones. -ENOENT: it has no such setting. */
int bb_usb_set_interface(struct bb_usb_interface *interface, unsigned alternate);
/* The first endpoint of this type and direction in the current setting, or NULL. */
struct bb_usb_endpoint *bb_usb_endpoint(struct bb_usb_interface *interface, enum bb_usb_type type,
                                        enum bb_usb_direction direction);
/* A descriptor of the current setting, `minimum` bytes or longer: of this type, and where `subtype`
 * is not negative with that as its third byte. NULL when there is none. */
const uint8_t *bb_usb_descriptor(const struct bb_usb_interface *interface, unsigned type,
                                 int subtype, size_t minimum);

/* ---- Transfers ---- */

static inline uint32_t bb_usb_room(const struct bb_usb_endpoint *endpoint, uint32_t length)
{
    uint32_t packets = (length + endpoint->packet - 1u) / endpoint->packet;
    return packets * endpoint->packet;
}
/* Zeroed memory for transfers of up to `size` bytes in either direction, the device's; NULL when
 * its slot is full. Every driver allocates in probe, and a bounded amount. */
void *bb_usb_alloc(struct bb_device *device, size_t size);
/* Hands a transfer over. 0; -EINVAL (direction, length, memory), -EBUSY (it is in flight), -EPIPE
 * (the endpoint is halted), -ENODEV (the device is gone, or the driver's interface is released).
 * Transfers of one endpoint run in order. */
int bb_usb_submit(struct bb_usb_transfer *transfer);
/* Asks for it to end: done() follows soon, with -ECANCELED unless it had ended otherwise. Does
 * nothing for one that is not in flight. */
void bb_usb_cancel(struct bb_usb_transfer *transfer);
/* The same, and waits until done() was called. Not from a done(). */
void bb_usb_cancel_wait(struct bb_usb_transfer *transfer);
/* Submits and waits; done and context are the bus's meanwhile. Returns its status; -EINPROGRESS, a
 * second after its time: the controller does not give it back, so that it and its memory must stay
 * as they are (in a driver's state, not on the stack). `timeout` must not be BB_FOREVER. Not from a
 * done(). */
int bb_usb_run(struct bb_usb_transfer *transfer);

/* One control request, waited for: at most a second for its end, and its turn among others of the
 * device. The data goes through a buffer of the bus, so any memory will do; at most
 * BB_USB_CONTROL_MAX bytes. Returns the bytes moved, or a negative status as above. */
#define BB_USB_CONTROL_MAX 1024
int bb_usb_control(struct bb_usb_device *device, unsigned request_type, unsigned request,
                   unsigned value, unsigned index, void *data, unsigned length);
/* CLEAR_FEATURE(ENDPOINT_HALT) and DATA0 next. Waits. */
int bb_usb_clear_halt(struct bb_usb_endpoint *endpoint);
/* String `index` in the device's first language, as UTF-8, always terminated. Its length; 0 for
 * index 0. Waits. */
int bb_usb_string(struct bb_usb_device *device, unsigned index, char *text, size_t size);

/* ---- For those who show it ---- */

/* Every device of every host, hubs before what is plugged into them; NULL at the end. Valid until
 * the next bb_poll(). */
struct bb_usb_device *bb_usb_next(const struct bb_usb_device *after);
/* The device that this node, or the interface that it stands for, belongs to; NULL: none. */
struct bb_usb_device *bb_usb_device_of(const struct bb_node *node);
/* Its configuration descriptor with all that follows, as it was read. */
const uint8_t *bb_usb_configuration(const struct bb_usb_device *device, size_t *length);

static inline uint16_t bb_usb_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}
static inline uint32_t bb_usb_u32(const uint8_t *at)
{
    return bb_usb_u16(at) | (uint32_t)bb_usb_u16(at + 2) << 16;
}

#endif
