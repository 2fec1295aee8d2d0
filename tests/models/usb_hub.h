/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hub (USB 2.0, chapter 11): ports with power, reset, change bits and over-current, the interrupt
 * endpoint, and at high speed transaction translators for what is slower.
 *
 *     model_hub_init(&hub, "hub", BB_USB_HIGH, 4);
 *     hub.multiple = true;                                  // changes before it is plugged in
 *     usb_plug(&soft_host.sockets[0], &hub.usb);
 *     usb_plug(&hub.sockets[1], &keyboard.usb);             // port 2
 */
#ifndef TESTS_MODELS_USB_HUB_H
#define TESTS_MODELS_USB_HUB_H

#include "usb_device.h"

enum { MODEL_HUB_PORTS = 15, MODEL_TT_BUFFERS = 2, MODEL_TT_PERIODIC = 16 };

/* A transaction that a translator has in hand: 11.17, 11.18. */
struct usb_split {
    enum { TT_FREE, TT_PENDING, TT_READY, TT_OLD } state;
    uint8_t type; /* enum bb_usb_type */
    struct model_hub *hub;
    struct usb_token token;
    enum usb_answer answer;
    uint64_t started; /* the microframe of the start split */
    struct world_event run;
    uint8_t data[USB_MODEL_PACKET];
};

struct model_hub {
    struct usb_model usb;
    struct usb_socket sockets[MODEL_HUB_PORTS];
    /* Set between model_hub_init() and the plug. */
    unsigned ports;
    uint16_t vendor, product;
    bool multiple;             /* a translator for each port: alternate setting 1 has it */
    bool ganged;               /* power of all ports together */
    bool self_powered;         /* else each port gives 100 mA */
    uint8_t power_good;        /* 2 ms each, from power on */
    uint64_t reset_time;       /* ns, 10 to 20 ms */
    uint8_t says_ports;        /* in its descriptor: another number than `ports`; 0: the true one */
    uint8_t descriptor_length; /* what its descriptor really has; 0: all */
    bool never_resets;         /* a reset of a port does not end */
    bool busy;                 /* start splits but periodic ones: one lost, the next refused, ... */
    /* Status changes: what the interrupt endpoint sends instead; length 0: the true bits. */
    uint8_t lie[8];
    unsigned lie_length;

    /* To look at. */
    unsigned resets;                      /* of ports */
    uint16_t change[MODEL_HUB_PORTS + 1]; /* wPortChange, by port; 0: wHubChange */
    bool over_current[MODEL_HUB_PORTS + 1];
    uint32_t port_requests;
    uint32_t start_splits, complete_splits, stray_splits /* complete, and never started */;
    /* The model's own. */
    uint8_t device_descriptor[18], configuration[64], slow_configuration[64], qualifier[10];
    struct world_event power_done[MODEL_HUB_PORTS], reset_done[MODEL_HUB_PORTS];
    bool power_is_good[MODEL_HUB_PORTS];
    /* A translator for each port, of which only the first is used unless there are several. */
    struct usb_split splits[MODEL_HUB_PORTS][MODEL_TT_BUFFERS + MODEL_TT_PERIODIC];
};

void model_hub_init(struct model_hub *hub, const char *name, enum bb_usb_speed speed,
                    unsigned ports);
/* A port draws too much, or no longer; port 0: the hub as a whole. Its power is cut. */
void model_hub_over_current(struct model_hub *hub, unsigned port, bool on);
/* The hub closes a port, as after babble on it. */
void model_hub_disable(struct model_hub *hub, unsigned port);

/* ---- Transaction translators, for host controllers that speak split transactions ---- */

/* The hub behind `usb`, which must be one; ends the test where it is not. */
struct model_hub *model_hub_of(struct usb_model *usb);
/* SSPLIT: USB_ACK or USB_NAK of a bulk or control endpoint; of an interrupt endpoint, to which no
 * hub answers, USB_ACK too; USB_SILENCE where no hub is. The hub takes a copy of the data.
 * `microframe` counts from any beginning; its low 3 bits are Y0 to Y7. */
enum usb_answer model_hub_start_split(struct usb_socket *root, const struct usb_token *token,
                                      enum bb_usb_type type, uint64_t microframe);
/* CSPLIT: USB_NYET while there is no result (of an interrupt endpoint also when it was never
 * started, or its result is forgotten: 4 microframes later); then that of the device; USB_ERR where
 * an interrupt endpoint did not answer, USB_STALL where another did not three times. */
enum usb_answer model_hub_complete_split(struct usb_socket *root, struct usb_token *token,
                                         enum bb_usb_type type, uint64_t microframe);
/* Forgets what it has of a port; 0: of all. */
void model_hub_clear_splits(struct model_hub *hub, unsigned port);
/* CLEAR_TT_BUFFER: the one of this endpoint alone, as wValue of table 11-17 names it. */
void model_hub_clear_split(struct model_hub *hub, unsigned translator, unsigned value);

#endif
