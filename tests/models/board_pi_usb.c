/* SPDX-License-Identifier: BSD-2-Clause */
/* What is plugged into a Raspberry Pi 3B: its own LAN9514, and a device of each class behind it. */
#include "boards.h"

#include <string.h>

struct pi_usb pi_usb;

/* The peer at the other end of the cable. */
static void transmitted(struct model_smsc *smsc, const uint8_t *frame, unsigned length)
{
    struct network_frame *next;

    usb_network_send(&pi_usb.wire, frame, length);
    while ((next = usb_network_next(&pi_usb.wire))) {
        model_smsc_receive(smsc, next->data, next->length, 0);
        usb_network_drop(&pi_usb.wire);
    }
}

void pi_usb_plug(void)
{
    struct usb_socket *sockets = pi_usb.lan.hub.sockets;

    model_lan9514_init(&pi_usb.lan);
    pi_usb.lan.ethernet.transmitted = transmitted;
    model_usb_keyboard_init(&pi_usb.keyboard); /* low speed */
    model_usb_storage_init(&pi_usb.stick, BB_USB_HIGH, pi_usb.medium, sizeof pi_usb.medium / 512,
                           512);
    model_usb_ftdi_init(&pi_usb.serial); /* full speed */
    model_usb_mouse_init(&pi_usb.mouse);
    model_ecm_make(&pi_usb.ecm);
    model_hub_init(&pi_usb.hub, "old hub", BB_USB_FULL, 4);
    usb_plug(&sockets[1], &pi_usb.keyboard.usb);
    usb_plug(&sockets[2], &pi_usb.stick.usb);
    usb_plug(&sockets[3], &pi_usb.serial.usb);
    usb_plug(&sockets[4], &pi_usb.hub.usb);
    usb_plug(&pi_usb.hub.sockets[0], &pi_usb.mouse.usb);
    usb_plug(&pi_usb.hub.sockets[2], &pi_usb.ecm.usb);
    usb_plug(&pi.dwc2.socket, &pi_usb.lan.hub.usb);
    model_smsc_cable(&pi_usb.lan.ethernet, true);
}
