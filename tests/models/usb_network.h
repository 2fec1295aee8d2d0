/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB network functions: by the Ethernet Control Model (CDC 1.2, ECM 1.2) and by Remote NDIS
 * ([MS-RNDIS]), with the peer 10.0.2.2 on their wire, which answers ARP and ICMP echo. Strict: a
 * test ends on a request or a message that the specification forbids.
 */
#ifndef TESTS_MODELS_USB_NETWORK_H
#define TESTS_MODELS_USB_NETWORK_H

#include "usb_device.h"

enum {
    NETWORK_FRAME = 2304, /* bytes of the longest frame, a lie included */
    NETWORK_QUEUE = 24,
    NETWORK_MESSAGE = 4096,
};

struct network_frame {
    uint32_t length;
    uint8_t data[NETWORK_FRAME];
};

/* The wire: what waits to go to the host, and what came from there. */
struct usb_network {
    bool no_peer;              /* what is sent goes nowhere */
    unsigned frames, lost;     /* from the host; for the host, with no room */
    struct network_frame last; /* that the host has sent */
    struct network_frame queue[NETWORK_QUEUE];
    unsigned first, count;
};
/* A frame comes by the wire; false: it is lost. */
bool usb_network_receive(struct usb_network *network, const void *frame, uint32_t length);
/* The host has sent one: the peer may answer. */
void usb_network_send(struct usb_network *network, const uint8_t *frame, uint32_t length);
/* What goes to the host next, which is the caller's to take out. NULL: nothing. */
struct network_frame *usb_network_next(struct usb_network *network);
void usb_network_drop(struct usb_network *network);

/* What comes in packets, and ends with a short one. */
struct usb_gathered {
    uint8_t data[NETWORK_MESSAGE];
    uint32_t length;
};

struct model_ecm {
    struct usb_model usb;
    struct usb_network network;
    /* Set before it is plugged in. */
    const char *mac;    /* its string; NULL: one that is right */
    uint16_t segment;   /* 0: 1514 */
    uint16_t filters;   /* groups that it sorts out */
    bool stalls_filter; /* it knows no packet filter */
    bool quick;         /* high speed */
    uint8_t configuration[80];
    /* To look at. */
    unsigned filter_requests;
    uint16_t filter;
    uint8_t groups[64][6];
    unsigned group_count;
    /* Its own. */
    struct usb_gathered out;
    uint32_t sent; /* bytes of the next frame that the host has */
    uint32_t given;
    uint8_t notices[4][16];
    uint8_t notice_sizes[4];
    unsigned notice_first, notice_count;
    uint8_t notice_sent, notice_given;
};

/* Fills in `usb`, and `configuration`, which a test may change then. */
void model_ecm_make(struct model_ecm *ecm);
void model_ecm_link(struct model_ecm *ecm, bool up);
void model_ecm_speed(struct model_ecm *ecm, uint32_t up, uint32_t down);

struct model_rndis {
    struct usb_model usb;
    struct usb_network network;
    /* Set at any time. */
    bool mute;           /* commands are taken and never answered */
    bool untold;         /* answers are there, and no notification tells */
    uint32_t refuses;    /* this object: with a status */
    unsigned gather;     /* messages in one transfer, at most; 0: 1 */
    bool endless;        /* no empty packet after a full one, as QEMU has it */
    uint32_t pad;        /* bytes behind each message, in its length */
    uint8_t packet;      /* of its bulk endpoints; 0: 64. Before it is made */
    uint32_t most;       /* transfer size that it tells; 0: 1580 */
    uint32_t frame_size; /* that it tells; 0: 1500 */
    uint8_t mac[6];      /* zeros: one that is right */
    bool disconnected;   /* what it says when asked */
    /* Each answer before it is queued; may change it. NULL: none. */
    void (*spoil)(struct model_rndis *rndis, uint8_t *answer, uint32_t *length);
    void *context;
    /* To look at. */
    bool initialized;
    unsigned commands, halts, keepalives; /* keepalives that the host has answered */
    uint32_t filter;
    unsigned groups;
    uint32_t host_room; /* bytes that the host takes in one transfer */
    uint8_t configuration[67];
    /* Its own. */
    struct usb_gathered out, in;
    uint32_t sent, given;
    struct {
        uint8_t data[512];
        uint32_t length;
    } answers[8];
    unsigned answer_first, answer_count;
    unsigned notices; /* not yet fetched */
};

void model_rndis_make(struct model_rndis *rndis);
/* Says something unasked. */
void model_rndis_say(struct model_rndis *rndis, const void *message, uint32_t length);
void model_rndis_link(struct model_rndis *rndis, bool up);
/* One whole transfer to the host, as it is. False: another is under way. */
bool model_rndis_raw(struct model_rndis *rndis, const void *data, uint32_t length);

#endif
