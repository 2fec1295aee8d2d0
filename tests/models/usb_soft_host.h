/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A USB host controller in software, for tests of the bus and of class drivers: it carries out
 * transfers on device models in model time, and is strict with those above it. A test ends on
 * memory of a transfer that is misaligned, or touched while in flight; a transfer that is handed
 * over twice, or for a device that is gone; packet sizes that its speed does not have; a port that
 * is reset too soon; anything in flight when the controller goes.
 *
 *     soft_host_prepare(1);                     // instead of virt_prepare(): one root port
 *     usb_plug(&soft_host.sockets[0], &keyboard.usb);
 *     boot(NULL);
 *     bb_wait(...)
 */
#ifndef TESTS_MODELS_USB_SOFT_HOST_H
#define TESTS_MODELS_USB_SOFT_HOST_H

#include "usb_device.h"

#include <busbar/usb_host.h>

enum { SOFT_HOST_PORTS = 4 };
#define SOFT_HOST "/usb"

struct soft_host {
    /* For tests, at any time. */
    struct usb_socket sockets[SOFT_HOST_PORTS];
    uint64_t cancel_delay; /* ns until a cancelled transfer is given back; at most 10 ms */
    bool refuses;          /* submit() answers -ENOMEM */
    bool deaf;             /* to cancel(): transfers go on as if nobody had asked */
    int fail_port;         /* port_status() and port_feature() answer this instead; 0: they work */
    /* Each transfer in flight, for a look at it in the middle; may be NULL. */
    void (*saw)(const struct bb_usb_transfer *transfer, enum usb_answer answer);

    /* To look at. */
    struct bb_usb_host *host;  /* NULL: the driver does not run */
    unsigned in_flight;        /* transfers */
    uint64_t transactions;     /* also NAKed ones and those that nobody answered */
    uint64_t submits, cancels; /* counted */
    uint64_t status_reads;     /* of root ports */
    unsigned resets;           /* of root ports */
    /* The controller's own. */
    unsigned ports;
    bool changed[SOFT_HOST_PORTS], reset_changed[SOFT_HOST_PORTS], enable_changed[SOFT_HOST_PORTS];
    bool over_current[SOFT_HOST_PORTS], over_changed[SOFT_HOST_PORTS];
    struct world_event reset_done[SOFT_HOST_PORTS];
    struct world_event tick;
    struct soft_transfer *transfers;
};
extern struct soft_host soft_host;

/* The virt board with a node for the controller, whose driver stands before all others. */
void soft_host_prepare(unsigned ports);
/* The same for a board that was prepared: only the node and the drivers. */
void soft_host_add(unsigned ports);
/* A root port draws too much, or no longer: its power is cut. */
void soft_host_over_current(unsigned port, bool on);
/* A root port is closed by its controller, as after babble. */
void soft_host_disable(unsigned port);

/* The half of it that is ports. */
void soft_ports_init(void);
void soft_ports_off(unsigned port);
int soft_port_status(struct bb_usb_host *host, unsigned port, uint32_t *status);
int soft_port_feature(struct bb_usb_host *host, unsigned port, enum bb_usb_port_feature feature,
                      bool set);

#endif
