/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Raspberry Pi 3B's LAN9514: a high-speed hub of five ports with an Ethernet controller in its
 * first one. Written from the LAN950x data sheet (Microchip DS00001875, the same Ethernet block)
 * alone; never compared with hardware. It has no EEPROM, so its address is all ones until the
 * driver sets one.
 *
 * Strict with its driver: besides illegal registers, lengths and reserved bits a test ends on MII
 * accesses while one is under way, on settings of a path that runs, on a receiver without an
 * address, on a frame sent while the transmitter is off, on TX commands that do not fit the data.
 *
 *     model_lan9514_init(&chip);
 *     usb_plug(&soft_host.sockets[0], &chip.hub.usb);
 *     model_smsc_cable(&chip.ethernet, true);
 *     chip.ethernet.transmitted = peer;
 */
#ifndef TESTS_MODELS_SMSC95XX_H
#define TESTS_MODELS_SMSC95XX_H

#include "usb_hub.h"

enum { SMSC_VENDOR = 0x0424, SMSC_ETHERNET = 0xec00, SMSC_HUB = 0x9514 };
enum { SMSC_FIFO = 20480, SMSC_FRAMES = 64, SMSC_FRAME = 2048, SMSC_STREAM = 4096 };
enum { SMSC_CONFIGURATION = 9 + 9 + 3 * 7, SMSC_REGISTERS = 0x134 / 4 };

enum { /* RX status word: what went wrong with a frame */
       SMSC_RX_CRC = 1 << 1,
       SMSC_RX_TOO_LONG = 1 << 7,
       SMSC_RX_RUNT = 1 << 11,
       SMSC_RX_LENGTH = 1 << 12,
       SMSC_RX_ERROR = 1 << 15, /* the summary */
};

struct model_smsc {
    struct usb_model usb;
    /* For tests, at any time. */
    void (*transmitted)(struct model_smsc *smsc, const uint8_t *frame, unsigned length);
    void *context;
    uint16_t partner;    /* what the other end of the cable advertises: register 5 of the PHY */
    uint64_t negotiates; /* ns, from the cable or a restart to the link */
    bool never_resets;   /* LRST and PHY_RST stay set */
    bool mii_stuck;      /* BUSY stays set */
    uint32_t id_rev;
    unsigned lie_length; /* the next frame's status word says this length; 0: the true one */

    /* To look at. */
    uint32_t registers[SMSC_REGISTERS];
    uint16_t phy[32];
    bool cable, link;
    unsigned resets, phy_resets;
    uint64_t sent, received, filtered, dropped, lost; /* frames; lost: sent without a link */
    /* The model's own. */
    uint64_t mii_until, reset_until, phy_until, eeprom_until;
    bool link_fell;
    struct world_event negotiated;
    uint8_t frames[SMSC_FRAMES][SMSC_FRAME + 16];
    uint16_t lengths[SMSC_FRAMES];
    unsigned first, count, fifo_used;
    uint8_t burst[65536]; /* the bulk IN transfer under way */
    uint32_t burst_size, burst_at;
    bool burst_zero;
    uint8_t stream[SMSC_STREAM]; /* of bulk OUT */
    uint32_t stream_size;
    uint8_t frame[SMSC_FRAME]; /* being put together */
    uint32_t frame_size, frame_command;
    bool frame_open;
    uint8_t device_descriptor[18], configuration[SMSC_CONFIGURATION];
    uint8_t slow_configuration[SMSC_CONFIGURATION];
};

struct model_lan9514 {
    struct model_hub hub;
    struct model_smsc ethernet;
};

void model_smsc_init(struct model_smsc *smsc);
/* The hub with the Ethernet controller in its first port. */
void model_lan9514_init(struct model_lan9514 *chip);
/* The cable goes in or out. */
void model_smsc_cable(struct model_smsc *smsc, bool in);
/* A frame without its FCS arrives from the cable; false when it was not taken: no link, receiver
 * off, filtered, no room. `errors` is 0, or bits of the RX status word. */
bool model_smsc_receive(struct model_smsc *smsc, const void *frame, unsigned length,
                        uint32_t errors);

/* ---- Between smsc95xx.c and smsc95xx_frames.c ---- */

enum { /* registers: DS00001875, chapter 7 */
       SMSC_INT_STS = 0x08,
       SMSC_TX_CFG = 0x10,
       SMSC_HW_CFG = 0x14,
       SMSC_BURST_CAP = 0x38,
       SMSC_INT_EP_CTL = 0x68,
       SMSC_MAC_CR = 0x100,
       SMSC_ADDRH = 0x104,
       SMSC_ADDRL = 0x108,
       SMSC_HASHH = 0x10c,
       SMSC_HASHL = 0x110,
       SMSC_COE_CR = 0x130,
};
enum { SMSC_TX_ON = 1 << 2, SMSC_TXEN = 1 << 3, SMSC_RXEN = 1 << 2 };
enum { SMSC_TX_COE = 1 << 16, SMSC_RX_COE = 1 << 0 };

static inline uint32_t *model_smsc_register(struct model_smsc *smsc, uint32_t offset)
{
    return &smsc->registers[offset / 4];
}
int model_smsc_in(struct usb_model *usb, unsigned endpoint, uint8_t *data);
int model_smsc_out(struct usb_model *usb, unsigned endpoint, const uint8_t *data, unsigned length);
void model_smsc_flush(struct model_smsc *smsc, bool receive, bool send);

#endif
