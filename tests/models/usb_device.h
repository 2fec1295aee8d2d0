/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB devices as the wire sees them (Universal Serial Bus Specification 2.0, chapters 8 and 9),
 * behind the software host controller and the DWC2's register model alike. A device is strict with
 * its host: a test ends on a data packet larger than the endpoint's, a token within the recovery
 * time of a reset, an OUT where PING is due, a data stage longer than wLength, an endpoint that
 * does not exist. What the specification gives to the device to answer, it answers: STALL to a
 * request that it does not know, an ACK and nothing else to a data packet with the wrong toggle.
 *
 * A class model is a table of descriptors and a few calls:
 *
 *     static const uint8_t device_descriptor[] = {USB_DEVICE(0, 0, 0, 64, 0x1209, 0x0001, 1)};
 *     static const uint8_t configuration[] = {
 *         USB_CONFIGURATION(9 + 9 + 7, 1, 1, 50), USB_INTERFACE(0, 0, 1, 3, 1, 1),
 *         USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 10)};
 *
 *     static int keyboard_in(struct usb_model *device, unsigned endpoint, uint8_t *data)
 *     {
 *         struct model_keyboard *keyboard = device->context;
 *         if (!keyboard->changed)
 *             return USB_WAIT;                            // NAK
 *         memcpy(data, keyboard->report, 8);
 *         return 8;                                       // one packet
 *     }
 *     ...
 *     keyboard->usb = (struct usb_model){.name = "keyboard", .speed = BB_USB_LOW,
 *         .device = USB_BYTES(device_descriptor), .configurations = {USB_BYTES(configuration)},
 *         .in = keyboard_in, .control = keyboard_control, .context = keyboard};
 *     usb_plug(&hub->sockets[0], &keyboard->usb);         // or soft_host.sockets, dwc2.socket
 */
#ifndef TESTS_MODELS_USB_DEVICE_H
#define TESTS_MODELS_USB_DEVICE_H

#include "world.h"

#include <busbar/usb.h>

/* What a device answers to a token, and what its class model does. */
enum usb_answer {
    USB_SILENCE, /* nothing, or with a bad CRC */
    USB_ACK,
    USB_NAK,
    USB_NYET, /* OUT at high speed: taken, and the next must PING first; a split: later */
    USB_STALL,
    USB_DATA,   /* IN: token->length bytes with token->toggle */
    USB_BABBLE, /* IN: more than token->room */
    USB_ERR,    /* a complete split: the device behind the hub did not answer */
};

enum {                 /* of struct usb_model's calls, instead of a count of bytes */
       USB_WAIT = -1,  /* nothing to send, or no room: NAK */
       USB_HALT = -2,  /* STALL; the endpoint stays halted, the control endpoint until a SETUP */
       USB_OTHER = -3, /* as if there were no such call: what the standard says */
};

enum usb_token_kind { USB_SETUP, USB_OUT, USB_IN, USB_PING };

/* One transaction, from its token to its handshake. */
struct usb_token {
    enum usb_token_kind kind;
    uint8_t address;
    uint8_t endpoint; /* 0 to 15, without direction */
    uint8_t speed;    /* enum bb_usb_speed that the host uses */
    uint8_t toggle;   /* of DATA0 and DATA1: OUT, given; IN, what came */
    uint8_t *data;
    uint32_t length; /* OUT and SETUP, given; IN, what came */
    uint32_t room;   /* IN: the largest packet that the host expects */
    /* Through this hub's transaction translator, as one piece; hub 0: directly. */
    uint8_t split_hub, split_port;
};

struct usb_bytes {
    const uint8_t *data;
    size_t size;
};
#define USB_BYTES(array) ((struct usb_bytes){(array), sizeof(array)})

/* A script: what goes wrong, and when. */
enum usb_fault_kind {
    USB_GOOD,
    USB_FAULT_STALL,  /* answers STALL, and halts the endpoint */
    USB_FAULT_SILENT, /* sees the token and answers nothing */
    USB_FAULT_NAK,
    USB_FAULT_BABBLE,   /* IN: sends without end; OUT: as silent */
    USB_FAULT_LOST_ACK, /* the handshake is lost: taken by one side and not known to the other */
    USB_FAULT_TOGGLE,   /* IN: sends with the wrong toggle; OUT: drops as if it had that */
    USB_FAULT_SHORT,    /* IN: an empty packet comes before the data that is due */
    USB_FAULT_UNPLUG,   /* is gone before it answers */
    USB_FAULT_UNPLUG_AFTER, /* answers, and is gone before the host looks at the answer */
};
enum { USB_EVERY_PIPE = 0, USB_CONTROL_PIPE = 0x10, USB_FOR_EVER = 0xffffffff, USB_FAULTS = 4 };

struct usb_fault {
    enum usb_fault_kind kind;
    /* USB_EVERY_PIPE, USB_CONTROL_PIPE or an endpoint's address, 0x81 for example. */
    uint8_t pipe;
    uint32_t at;    /* from this one of the pipe's transactions on, from 1; a NAK counts as none */
    uint32_t count; /* this many of them; 0 is 1 */
};

enum {
    USB_MODEL_ENDPOINTS = 16,
    USB_MODEL_CONFIGURATIONS = 3,
    USB_MODEL_INTERFACES = 8,
    USB_MODEL_STRINGS = 16,
    USB_MODEL_CONTROL = 4096, /* bytes of a data stage */
    USB_MODEL_PACKET = 1024,
};

/* An endpoint as the current configuration and alternate settings have it. */
struct usb_pipe {
    bool exists;
    uint8_t type; /* enum bb_usb_type */
    uint8_t interval;
    uint16_t packet;
    uint8_t interface;
    uint8_t toggle; /* of the next packet */
    bool halted;
    bool ping;      /* high-speed OUT: the host must ask before it sends */
    bool unacked;   /* IN: what is in `data` goes again */
    uint32_t count; /* transactions that were not NAKed */
    uint32_t length;
    uint8_t data[USB_MODEL_PACKET];
};

struct usb_socket;

struct usb_model {
    /* Set before it is plugged in. */
    const char *name;
    uint8_t speed;           /* enum bb_usb_speed: the fastest that it knows */
    struct usb_bytes device; /* its descriptor: what is really sent */
    struct usb_bytes configurations[USB_MODEL_CONFIGURATIONS];
    struct usb_bytes slow_configurations[USB_MODEL_CONFIGURATIONS]; /* of a high-speed device that
                                                                     * runs at full speed */
    struct usb_bytes qualifier;                                     /* none: STALL */
    /* ASCII, by index from 1; index 0 is the language table, US English. */
    const char *strings[USB_MODEL_STRINGS];
    /* Descriptors that lie: endpoints are what the wire says, packets of any size are taken. */
    bool lenient;

    /* Calls, each may be NULL. Endpoints have their direction in bit 7. */
    /* A request of any kind, before the standard ones are looked at. Direction OUT: `data` has
     * setup->length bytes. IN: up to USB_MODEL_CONTROL bytes go into it; returns how many, which
     * is cut to setup->length. 0 for the others. Or USB_WAIT, USB_HALT, USB_OTHER; NULL: all are
     * USB_OTHER, and of these class and vendor requests are stalled. */
    int (*control)(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data);
    /* The next packet, up to the endpoint's size: its length, USB_WAIT or USB_HALT. */
    int (*in)(struct usb_model *device, unsigned endpoint, uint8_t *data);
    /* The host has the packet that in() gave. */
    void (*sent)(struct usb_model *device, unsigned endpoint);
    /* A packet: 0, USB_WAIT (not taken), USB_HALT (not taken), or 1: taken and NYET, the host must
     * PING before the next (high speed; else the same as 0). */
    int (*out)(struct usb_model *device, unsigned endpoint, const uint8_t *data, unsigned length);
    /* PING: whether out() would take a packet. NULL: yes. */
    bool (*ready)(struct usb_model *device, unsigned endpoint);
    void (*configured)(struct usb_model *device); /* configuration or an alternate setting */
    void (*unhalted)(struct usb_model *device, unsigned endpoint);
    void (*was_reset)(struct usb_model *device); /* on the bus, and when it is plugged in */
    void *context;                               /* the class model's own */

    /* For tests, at any time. */
    struct usb_fault faults[USB_FAULTS];

    /* To look at. */
    struct usb_socket *socket; /* that it is plugged into, or NULL */
    uint8_t running;           /* enum bb_usb_speed since the last reset */
    uint8_t address, configuration;
    uint8_t alternate[USB_MODEL_INTERFACES];
    bool remote_wakeup;
    uint32_t transactions; /* not NAKed, of all endpoints */
    uint32_t resets, requests, stalls, dropped /* by toggle */;
    uint32_t applied; /* transactions that a script spoiled; one that it left as it was is none */
    struct usb_pipe pipes[2][USB_MODEL_ENDPOINTS]; /* OUT, IN; number 0: the control endpoint */

    /* A hub's ports, or NULL. */
    struct usb_socket *sockets;
    unsigned socket_count;

    /* The model's own. */
    struct bb_usb_setup setup;
    uint8_t stage, new_address;
    bool refused;         /* the request in hand is stalled */
    bool prepared;        /* it was carried out */
    uint32_t moved, size; /* of the data stage */
    uint64_t quiet_until; /* recovery from a reset or a new address */
    const char *quiet_why;
    uint8_t buffer[USB_MODEL_CONTROL];
};

/* What a device is plugged into: a root port or a hub's port. Its owner sets power, reset and
 * enable as USB's rules for ports say. */
struct usb_socket {
    const char *name;
    unsigned number;          /* from 1 */
    struct usb_model *hub;    /* whose port it is; NULL: a root port */
    struct usb_model *device; /* NULL: nothing is plugged in */
    bool slow;                /* a root port without high speed */
    bool powered, enabled, suspended, resetting;
    bool seen;                                  /* the host has read its status since the plug */
    uint64_t plugged_at, powered_at, reset_at;  /* world time */
    void (*changed)(struct usb_socket *socket); /* plugged or unplugged */
    void *context;
};

/* ---- For tests ---- */

void usb_plug(struct usb_socket *socket, struct usb_model *device);
/* Does nothing for one that is not plugged in. What is plugged into it goes with it, and stays
 * plugged into it. */
void usb_unplug(struct usb_model *device);
static inline bool usb_is_configured(const struct usb_model *device)
{
    return device->socket && device->configuration;
}
/* The first of the scripts that is unused: this goes wrong at that transaction, counted from now.
 */
void usb_fault(struct usb_model *device, unsigned pipe, uint32_t at, uint32_t count,
               enum usb_fault_kind kind);

/* ---- For hosts and hubs ---- */

/* Sends a token out of a root port: to the device that has the address, through hubs whose ports
 * are enabled, and with a split through a transaction translator. Two devices at one address end
 * the test; so does a token at a speed that its device does not have. */
enum usb_answer usb_transact(struct usb_socket *root, struct usb_token *token);
/* Who would answer, or NULL. */
struct usb_model *usb_listener(struct usb_socket *root, const struct usb_token *token);
/* The same for a device whose port is known to be open. */
enum usb_answer usb_model_transact(struct usb_model *device, struct usb_token *token);
/* The end of a reset on the bus: default state, address 0. */
void usb_model_reset(struct usb_model *device);
/* The socket's power went, or its device was unplugged: state is lost, ports behind it close. */
void usb_model_unpowered(struct usb_model *device);
/* A port is powered, or not: what is plugged in starts anew. */
void usb_socket_power(struct usb_socket *socket, bool on);
/* A reset begins: 100 ms after the plug at the soonest (7.1.7.3), and closes the port; it ends
 * after `minimum` ns or more, and opens it to the device, which has its default state then. */
void usb_socket_reset_begins(struct usb_socket *socket);
void usb_socket_reset_ends(struct usb_socket *socket, uint64_t minimum);
/* An endpoint that the device has now, by address; NULL: none. */
struct usb_pipe *usb_pipe_of(struct usb_model *device, unsigned endpoint);

/* The device's own requests of chapter 9: like usb_model.control, and with no USB_OTHER. */
int usb_model_standard(struct usb_model *device, const struct bb_usb_setup *setup, uint8_t *data);
/* Makes the pipes that the configuration and the alternate settings describe. */
void usb_model_configure(struct usb_model *device);
/* The descriptor of the configuration `index`, from 0, at its speed; data NULL: none. */
struct usb_bytes usb_model_configuration(const struct usb_model *device, unsigned index);

/* Ends the test unless `condition` holds. */
#define usb_require(device, condition, ...)                                                        \
    do {                                                                                           \
        if (!(condition))                                                                          \
            world_fail((device)->name, __VA_ARGS__);                                               \
    } while (0)

/* ---- Descriptors, as bytes of an array ---- */

#define USB_WORD(value) (uint8_t)((value)&0xff), (uint8_t)((value) >> 8 & 0xff)
/* Strings 1, 2 and 3 are manufacturer, product and serial number; one configuration. */
#define USB_DEVICE(class, subclass, protocol, packet, vendor, product, configurations)             \
    18, 1, USB_WORD(0x0200), class, subclass, protocol, packet, USB_WORD(vendor),                  \
        USB_WORD(product), USB_WORD(0x0100), 1, 2, 3, configurations
#define USB_QUALIFIER(class, subclass, protocol, packet, configurations)                           \
    10, 6, USB_WORD(0x0200), class, subclass, protocol, packet, configurations, 0
/* Bus powered; `power` in units of 2 mA. */
#define USB_CONFIGURATION(total, interfaces, number, power)                                        \
    9, 2, USB_WORD(total), interfaces, number, 0, 0x80, power
#define USB_INTERFACE(number, alternate, endpoints, class, subclass, protocol)                     \
    9, 4, number, alternate, endpoints, class, subclass, protocol, 0
#define USB_ENDPOINT(address, type, packet, interval)                                              \
    7, 5, address, type, USB_WORD(packet), interval

#endif
