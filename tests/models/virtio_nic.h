/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio network card (Virtual I/O Device version 1.2, section 5.1; legacy too), and the peer
 * 10.0.2.2 on its wire, which answers ARP and ICMP echo. Strict: a test ends where the driver sends
 * a header or a command that the specification forbids.
 */
#ifndef TESTS_MODELS_VIRTIO_NIC_H
#define TESTS_MODELS_VIRTIO_NIC_H

#include "virtio_device.h"

enum { /* features, by number */
       NIC_CSUM = 0,
       NIC_GUEST_CSUM = 1,
       NIC_MTU = 3,
       NIC_MAC = 5,
       NIC_MRG_RXBUF = 15,
       NIC_STATUS = 16,
       NIC_CTRL_VQ = 17,
       NIC_CTRL_RX = 18,
       NIC_MQ = 22,
       NIC_CTRL_MAC_ADDR = 23,
       NIC_ANY_LAYOUT = 27,
};
/* What an emulator's card usually has. */
#define NIC_USUAL                                                                                  \
    (VIRTIO_BIT(NIC_MAC) | VIRTIO_BIT(NIC_STATUS) | VIRTIO_BIT(NIC_MRG_RXBUF) |                    \
     VIRTIO_BIT(NIC_CTRL_VQ) | VIRTIO_BIT(NIC_CTRL_RX) | VIRTIO_BIT(NIC_CTRL_MAC_ADDR) |           \
     VIRTIO_BIT(NIC_ANY_LAYOUT))

struct nic_header {
    uint8_t flags, gso_type;
    uint16_t header_length, gso_size, checksum_start, checksum_offset, buffers;
};

struct model_nic {
    struct model_virtio device;
    struct {
        uint8_t mac[6];
        uint16_t status, pairs, mtu;
    } config;
    /* Set at any time. */
    bool no_peer;              /* what is sent goes nowhere */
    bool hold_sent;            /* frames that are sent stay with the device */
    uint32_t piece;            /* bytes put into one buffer; 0: as many as fit */
    struct nic_header special; /* of the next frames to be received; buffers 0: right ones */
    bool no_buffers;           /* the number of buffers says 0 */
    uint32_t length_of_first;  /* what the device claims to have written; 0: the truth */
    bool silent;               /* answers no command */
    uint8_t ack;               /* what it answers */

    /* For tests to look at. */
    unsigned frames, lost; /* sent; to be received, with no buffer there */
    struct nic_header header;
    uint8_t frame[9100]; /* the last one that was sent */
    uint32_t length;
    unsigned commands;
    bool promiscuous, all_multicast;
    uint32_t groups;
    uint8_t group[16][6], mac[6];
    uint16_t pairs; /* in use */
};

/* Fills in all but the features, which the caller has set, and puts it in a slot. */
void model_nic_attach(struct model_nic *nic, unsigned slot);
/* A frame comes by the wire to a receiving queue; false: no buffers for it. */
bool model_nic_receive(struct model_nic *nic, unsigned pair, const void *frame, uint32_t length);
void model_nic_link(struct model_nic *nic, bool up);

#endif
