/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire of a USB network function, and the peer 10.0.2.2 (RFC 826, RFC 792). */
#include "usb_network.h"

#include <string.h>

enum { ETHERNET = 14, ICMP = 34, ARP_SIZE = 42 };

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2}, peer_ip[4] = {10, 0, 2, 2};

bool usb_network_receive(struct usb_network *network, const void *frame, uint32_t length)
{
    if (network->count == NETWORK_QUEUE) {
        network->lost++;
        return false;
    }
    struct network_frame *to = &network->queue[(network->first + network->count++) % NETWORK_QUEUE];
    if (length > sizeof to->data)
        world_fail("usb network", "a frame of %u bytes", length);
    to->length = length;
    memcpy(to->data, frame, length);
    return true;
}

struct network_frame *usb_network_next(struct usb_network *network)
{
    return network->count ? &network->queue[network->first] : NULL;
}

void usb_network_drop(struct usb_network *network)
{
    network->first = (network->first + 1) % NETWORK_QUEUE;
    network->count--;
}

static void answer_arp(struct usb_network *network, const uint8_t *frame)
{
    uint8_t reply[ARP_SIZE];
    if (memcmp(frame + 38, peer_ip, 4) != 0)
        return;
    memcpy(reply, frame, ARP_SIZE);
    memcpy(reply, frame + 6, 6);
    memcpy(reply + 6, peer_mac, 6);
    reply[21] = 2;
    memcpy(reply + 22, peer_mac, 6);
    memcpy(reply + 28, peer_ip, 4);
    memcpy(reply + 32, frame + 22, 10);
    usb_network_receive(network, reply, ARP_SIZE);
}

/* An echo's sum changes with its type alone. */
static void answer_echo(struct usb_network *network, const uint8_t *frame, uint32_t length)
{
    uint8_t reply[NETWORK_FRAME];
    memcpy(reply, frame, length);
    memcpy(reply, frame + 6, 6);
    memcpy(reply + 6, peer_mac, 6);
    memcpy(reply + 26, frame + 30, 4);
    memcpy(reply + 30, frame + 26, 4);
    reply[ICMP] = 0;
    unsigned sum = (unsigned)(reply[ICMP + 2] << 8 | reply[ICMP + 3]) + 0x800;
    sum = (sum & 0xffff) + (sum >> 16);
    reply[ICMP + 2] = (uint8_t)(sum >> 8);
    reply[ICMP + 3] = (uint8_t)sum;
    usb_network_receive(network, reply, length);
}

void usb_network_send(struct usb_network *network, const uint8_t *frame, uint32_t length)
{
    if (length < ETHERNET || length > 1514)
        world_fail("usb network", "the host sends a frame of %u bytes", length);
    network->frames++;
    network->last.length = length;
    memcpy(network->last.data, frame, length);
    if (network->no_peer)
        return;
    if (length >= ARP_SIZE && frame[12] == 8 && frame[13] == 6 && frame[21] == 1)
        answer_arp(network, frame);
    else if (length >= ICMP + 8 && frame[12] == 8 && frame[13] == 0 && frame[ICMP] == 8)
        answer_echo(network, frame, length);
}
