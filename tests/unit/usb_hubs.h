/* SPDX-License-Identifier: BSD-2-Clause */
/* Hubs and what is plugged into them, for the tests of hubs. */
#ifndef TESTS_UNIT_USB_HUBS_H
#define TESTS_UNIT_USB_HUBS_H

#include "usb.h"

static struct model_hub hubs[7];
static struct model_loop loops[16];

#define HUB ROOT_DEVICE "/interface@0"

static inline void plug_hub(struct usb_socket *socket, unsigned which, enum bb_usb_speed speed,
                            unsigned ports)
{
    model_hub_init(&hubs[which], "hub", speed, ports);
    usb_plug(socket, &hubs[which].usb);
}

static inline void plug_loop(struct usb_socket *socket, unsigned which, enum bb_usb_speed speed)
{
    model_loop_init(&loops[which], "loop", speed);
    usb_plug(socket, &loops[which].usb);
}

static inline void all_out(void)
{
    usb_unplug(&hubs[0].usb);
    bb_sleep(10 * BB_SEC);
    must_be_empty();
    assert_int_equal(prober.removes, prober.probes);
    must_remove(SOFT_HOST);
}

static inline const char *reason_of(const char *path)
{
    static char text[200];
    const struct bb_node *node = bb_node_find(path);
    if (!node)
        fail_msg("no node %s", path);
    bb_node_reason(node, text, sizeof(text));
    return text;
}

/* Hub in hub, each with a device beside the next hub. */
static inline void plug_chain(unsigned count, enum bb_usb_speed speed)
{
    struct usb_socket *socket = &soft_host.sockets[0];
    for (unsigned i = 0; i < count; i++) {
        plug_hub(socket, i, speed, 4);
        plug_loop(&hubs[i].sockets[1], i, BB_USB_FULL);
        socket = &hubs[i].sockets[0];
    }
}

#endif
