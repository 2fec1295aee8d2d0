/* SPDX-License-Identifier: BSD-2-Clause */
/* LAN9514 Ethernet: registers by vendor requests, PHY, interrupts (DS00001875, 5.3, 5.6, 7). */
#include "smsc95xx.h"

#include <string.h>

#include <busbar/time.h>

enum { WRITE_REGISTER = 0xa0, READ_REGISTER = 0xa1, GET_STATISTICS = 0xa2 };
enum {
    ID_REV = 0x00,
    RX_CFG = 0x0c,
    RX_FIFO_INF = 0x18,
    TX_FIFO_INF = 0x1c,
    PM_CTRL = 0x20,
    E2P_CMD = 0x30,
    E2P_DATA = 0x34,
    STRAP_STATUS = 0x3c,
    BULK_IN_DLY = 0x6c,
    MII_ADDR = 0x114,
    MII_DATA = 0x118,
    WUFF = 0x128,
};
enum { LRST = 1 << 3, SRST = 1 << 0, PSEL = 1 << 2, PATH_BITS = 0x1622 /* BIR RXDOFF MEF BCE */ };
enum { PHY_RST = 1 << 4, DEV_RDY = 1 << 7 };
enum { TX_STOP = 1 << 1, FLUSH = 1 << 0 };
enum { INT_TX_STOP = 1 << 17, INT_RX_STOP = 1 << 16, INT_PHY = 1 << 15 };
enum { MII_BUSY = 1 << 0, MII_WRITE = 1 << 1, PHY_ADDRESS = 1 };
enum { PADSTR = 1 << 8 };
#define E2P_BUSY (1u << 31)
enum { E2P_TIMEOUT = 1 << 10 };

enum {
    BMCR,
    BMSR,
    PHY_ID1,
    PHY_ID2,
    ANAR,
    ANLPAR,
    ANER,
    MODE = 17,
    INT_SRC = 29,
    INT_MASK,
    SPECIAL
};
enum { BMCR_RESET = 1 << 15, BMCR_AUTO = 1 << 12, BMCR_OFF = 3 << 10, BMCR_RESTART = 1 << 9 };
enum { BMSR_FIXED = 0x7809, BMSR_DONE = 1 << 5, BMSR_LINK = 1 << 2 };
enum { SRC_ENERGY = 1 << 7, SRC_DONE = 1 << 6, SRC_DOWN = 1 << 4 };

#define MII_NS (30 * BB_USEC)
#define RESET_NS (500 * BB_USEC)
#define EEPROM_NS (30 * BB_MSEC)

/* `bits` may be written as 1. */
static const struct {
    uint16_t offset;
    bool writable;
    uint32_t bits, reset;
} registers[] = {
    {ID_REV, false, 0, 0},
    {SMSC_INT_STS, true, ~0u, 0},
    {RX_CFG, true, 0x1, 0},
    {SMSC_TX_CFG, true, 0x7, 0},
    {SMSC_HW_CFG, true, 0x1fff, 0},
    {RX_FIFO_INF, false, 0, 0},
    {TX_FIFO_INF, false, 0, 0},
    {PM_CTRL, true, 0x3ff, DEV_RDY},
    {0x24, true, 0x03330707, 0},
    {0x28, true, 0x1fffffff, 0},
    {0x2c, true, 0x00ffffff, 0},
    {E2P_CMD, true, 0xf00005ff, 0},
    {E2P_DATA, true, 0xff, 0},
    {SMSC_BURST_CAP, true, 0xff, 0},
    {STRAP_STATUS, false, 0, 0x31},
    {0x64, true, 0x07ff07ff, 0},
    {SMSC_INT_EP_CTL, true, 0x800fffff, 0},
    {BULK_IN_DLY, true, 0xffff, 0x800},
    {SMSC_MAC_CR, true, 0x80bfbdec, 0x00040000},
    {SMSC_ADDRH, true, 0xffff, 0xffff},
    {SMSC_ADDRL, true, ~0u, ~0u},
    {SMSC_HASHH, true, ~0u, 0},
    {SMSC_HASHL, true, ~0u, 0},
    {MII_ADDR, true, 0xffc3, 0},
    {MII_DATA, true, 0xffff, 0},
    {0x11c, true, 0xffff0007, 0},
    {0x120, true, 0xffff, 0xffff},
    {0x124, true, 0xffff, 0xffff},
    {WUFF, true, ~0u, 0},
    {0x12c, true, 0x80000266, 0},
    {SMSC_COE_CR, true, 0x00010003, 0},
};

static uint32_t *at(struct model_smsc *smsc, uint32_t offset)
{
    return model_smsc_register(smsc, offset);
}

/* ---- The PHY ---- */

static void phy_event(struct model_smsc *smsc, uint16_t source)
{
    smsc->phy[INT_SRC] |= source;
    if (smsc->phy[INT_SRC] & smsc->phy[INT_MASK])
        *at(smsc, SMSC_INT_STS) |= INT_PHY;
}

static void link_down(struct model_smsc *smsc)
{
    world_cancel(&smsc->negotiated);
    if (!smsc->link)
        return;
    smsc->link = false;
    smsc->link_fell = true;
    phy_event(smsc, SRC_DOWN);
}

static void negotiated(void *context)
{
    static const struct {
        uint16_t ability, speed;
    } best[] = {{1 << 8, 6 << 2}, {1 << 7, 2 << 2}, {1 << 6, 5 << 2}, {1 << 5, 1 << 2}};
    struct model_smsc *smsc = context;
    uint16_t common = smsc->phy[ANAR] & smsc->partner;

    smsc->phy[ANLPAR] = smsc->partner | 1 << 14;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(best) && !smsc->link; i++) {
        if (!(common & best[i].ability))
            continue;
        smsc->phy[SPECIAL] = best[i].speed | 1 << 12;
        smsc->link = true;
        phy_event(smsc, SRC_DONE);
    }
}

static void negotiate(struct model_smsc *smsc)
{
    link_down(smsc);
    smsc->phy[SPECIAL] = 0;
    if (!smsc->cable || smsc->phy[BMCR] & BMCR_OFF || !(smsc->phy[BMCR] & BMCR_AUTO))
        return;
    world_at(&smsc->negotiated, world_now() + smsc->negotiates);
}

static void phy_reset(struct model_smsc *smsc)
{
    link_down(smsc);
    memset(smsc->phy, 0, sizeof smsc->phy);
    smsc->phy[BMCR] = 0x3100;
    smsc->phy[PHY_ID1] = 0x0007;
    smsc->phy[PHY_ID2] = 0xc0f1;
    smsc->phy[ANAR] = 0x01e1;
    smsc->phy_until = smsc->never_resets ? UINT64_MAX : world_now() + RESET_NS;
    smsc->phy_resets++;
    negotiate(smsc);
}

void model_smsc_cable(struct model_smsc *smsc, bool in)
{
    smsc->cable = in;
    if (in)
        phy_event(smsc, SRC_ENERGY);
    negotiate(smsc);
}

static uint16_t phy_read(struct model_smsc *smsc, unsigned number)
{
    uint16_t value = smsc->phy[number];

    switch (number) {
    case BMCR:
        return (uint16_t)(value | (world_now() < smsc->phy_until ? (unsigned)BMCR_RESET : 0));
    case BMSR: /* the link's fall is kept until it was read: IEEE 802.3, 22.2.4.2.13 */
        value = (uint16_t)(BMSR_FIXED | (smsc->link ? BMSR_DONE : 0) |
                           (smsc->link && !smsc->link_fell ? BMSR_LINK : 0));
        smsc->link_fell = false;
        return value;
    case INT_SRC:
        smsc->phy[INT_SRC] = 0;
        return value;
    default:
        return value;
    }
}

static void phy_write(struct model_smsc *smsc, unsigned number, uint16_t value)
{
    static const uint32_t writable = 1u << BMCR | 1u << ANAR | 1u << 16 | 1u << MODE | 1u << 18 |
                                     1u << 26 | 1u << 27 | 1u << INT_MASK | 1u << SPECIAL;

    usb_require(&smsc->usb, writable >> number & 1, "PHY register %u is written", number);
    if (number == BMCR && value & BMCR_RESET) {
        phy_reset(smsc);
        return;
    }
    smsc->phy[number] = number == BMCR ? (uint16_t)(value & ~(unsigned)BMCR_RESTART) : value;
    if (number == BMCR)
        negotiate(smsc);
    if (number == INT_MASK)
        phy_event(smsc, 0);
}

static void mii_access(struct model_smsc *smsc, uint32_t value)
{
    unsigned number = value >> 6 & 31;
    bool here = (value >> 11 & 31) == PHY_ADDRESS;

    usb_require(&smsc->usb, world_now() >= smsc->mii_until, "MII_ADDR while BUSY");
    usb_require(&smsc->usb, value & MII_BUSY, "MII_ADDR = %#x starts nothing", value);
    usb_require(&smsc->usb, world_now() >= smsc->phy_until || number == BMCR,
                "PHY register %u while the PHY resets", number);
    if (value & MII_WRITE) {
        if (here)
            phy_write(smsc, number, (uint16_t)*at(smsc, MII_DATA));
    } else {
        *at(smsc, MII_DATA) = here ? phy_read(smsc, number) : 0xffff;
    }
    smsc->mii_until = smsc->mii_stuck ? UINT64_MAX : world_now() + MII_NS;
}

/* ---- Registers ---- */

static void reset_registers(struct model_smsc *smsc)
{
    for (unsigned i = 0; i < BB_ARRAY_SIZE(registers); i++)
        *at(smsc, registers[i].offset) = registers[i].reset;
    model_smsc_flush(smsc, true, true);
    smsc->mii_until = smsc->eeprom_until = 0;
}

static uint32_t read_register(struct model_smsc *smsc, uint32_t offset)
{
    uint64_t now = world_now();
    uint32_t value = *at(smsc, offset);

    switch (offset) {
    case ID_REV:
        return smsc->id_rev;
    case SMSC_HW_CFG:
        return value | (now < smsc->reset_until ? (uint32_t)LRST : 0);
    case RX_FIFO_INF:
        return smsc->fifo_used;
    case TX_FIFO_INF:
        return 8192 - smsc->stream_size;
    case PM_CTRL:
        return value | (now < smsc->phy_until ? (uint32_t)PHY_RST : 0);
    case E2P_CMD: /* nobody answers on its wires: a time-out after 30 ms */
        return now < smsc->eeprom_until ? value | E2P_BUSY : value;
    case MII_ADDR:
        return (value & ~(uint32_t)MII_BUSY) | (now < smsc->mii_until ? (uint32_t)MII_BUSY : 0);
    case MII_DATA:
        usb_require(&smsc->usb, now >= smsc->mii_until, "MII_DATA is read while BUSY");
        return value;
    default:
        return value;
    }
}

static void write_hw_config(struct model_smsc *smsc, uint32_t value)
{
    uint32_t *config = at(smsc, SMSC_HW_CFG);

    usb_require(&smsc->usb, !(value & SRST), "HW_CFG.SRST takes it off the bus");
    usb_require(&smsc->usb, !(value & PSEL), "HW_CFG.PSEL: it has no external PHY");
    if (value & LRST) {
        reset_registers(smsc);
        smsc->resets++;
        smsc->reset_until = smsc->never_resets ? UINT64_MAX : world_now() + RESET_NS;
        return;
    }
    usb_require(&smsc->usb,
                !((value ^ *config) & PATH_BITS) || !(*at(smsc, SMSC_MAC_CR) & SMSC_RXEN),
                "HW_CFG = %#x changes how frames are received while they are", value);
    *config = value;
}

static void write_mac(struct model_smsc *smsc, uint32_t value)
{
    uint32_t *mac = at(smsc, SMSC_MAC_CR);

    usb_require(&smsc->usb,
                !(value & SMSC_RXEN) || *at(smsc, SMSC_ADDRL) != ~0u ||
                    *at(smsc, SMSC_ADDRH) != 0xffff,
                "the receiver is switched on before it has an address");
    usb_require(&smsc->usb, !(value & PADSTR) || !(*at(smsc, SMSC_COE_CR) & SMSC_RX_COE),
                "PADSTR together with RX checksums (5.5.7)");
    if (*mac & SMSC_RXEN && !(value & SMSC_RXEN))
        *at(smsc, SMSC_INT_STS) |= INT_RX_STOP;
    *mac = value;
}

static void write_checksums(struct model_smsc *smsc, uint32_t value)
{
    uint32_t *coe = at(smsc, SMSC_COE_CR), changed = *coe ^ value;
    uint32_t mac = *at(smsc, SMSC_MAC_CR);

    usb_require(&smsc->usb, !(changed & 3) || !(mac & SMSC_RXEN),
                "RX checksums change while the receiver runs (5.5.7)");
    usb_require(&smsc->usb,
                !(changed & SMSC_TX_COE) ||
                    !(mac & SMSC_TXEN && *at(smsc, SMSC_TX_CFG) & SMSC_TX_ON),
                "TX checksums change while the transmitter runs (5.5.8)");
    usb_require(&smsc->usb, !(value & SMSC_RX_COE) || !(mac & PADSTR),
                "PADSTR together with RX checksums (5.5.7)");
    *coe = value;
}

static void write_tx_config(struct model_smsc *smsc, uint32_t value)
{
    uint32_t *config = at(smsc, SMSC_TX_CFG);

    if (value & FLUSH) {
        usb_require(&smsc->usb, !(*config & SMSC_TX_ON), "the TX FIFO is flushed while it runs");
        model_smsc_flush(smsc, false, true);
    }
    if (value & TX_STOP && *config & SMSC_TX_ON)
        *at(smsc, SMSC_INT_STS) |= INT_TX_STOP;
    *config = value & TX_STOP ? 0 : value & SMSC_TX_ON;
}

static void write_register(struct model_smsc *smsc, uint32_t offset, uint32_t value)
{
    bool runs = *at(smsc, SMSC_MAC_CR) & SMSC_RXEN;

    switch (offset) {
    case SMSC_INT_STS:
        *at(smsc, SMSC_INT_STS) &= ~value;
        break;
    case RX_CFG:
        usb_require(&smsc->usb, !runs, "the RX FIFO is flushed while the receiver runs");
        if (value & FLUSH)
            model_smsc_flush(smsc, true, false);
        break;
    case SMSC_TX_CFG:
        write_tx_config(smsc, value);
        break;
    case SMSC_HW_CFG:
        write_hw_config(smsc, value);
        break;
    case PM_CTRL:
        if (value & PHY_RST)
            phy_reset(smsc);
        *at(smsc, PM_CTRL) = (value & ~(uint32_t)(PHY_RST | 3)) | DEV_RDY;
        break;
    case E2P_CMD:
        usb_require(&smsc->usb, world_now() >= smsc->eeprom_until, "E2P_CMD while BUSY");
        *at(smsc, E2P_CMD) = (value & 0x700001ff) | (value & E2P_BUSY ? (uint32_t)E2P_TIMEOUT : 0);
        smsc->eeprom_until = value & E2P_BUSY ? world_now() + EEPROM_NS : 0;
        break;
    case SMSC_BURST_CAP:
    case BULK_IN_DLY:
        usb_require(&smsc->usb, !runs, "register %#x while the receiver runs", offset);
        *at(smsc, offset) = value;
        break;
    case SMSC_MAC_CR:
        write_mac(smsc, value);
        break;
    case MII_ADDR:
        *at(smsc, MII_ADDR) = value;
        mii_access(smsc, value);
        break;
    case MII_DATA:
        usb_require(&smsc->usb, world_now() >= smsc->mii_until, "MII_DATA is written while BUSY");
        *at(smsc, MII_DATA) = value;
        break;
    case SMSC_COE_CR:
        write_checksums(smsc, value);
        break;
    default:
        *at(smsc, offset) = value;
        break;
    }
}

static unsigned find_register(struct model_smsc *smsc, uint32_t offset)
{
    for (unsigned i = 0; i < BB_ARRAY_SIZE(registers); i++)
        if (registers[i].offset == offset)
            return i;
    world_fail(smsc->usb.name, "there is no register at %#x", offset);
}

/* 5.3.1.7: of the receiver, then of the transmitter. */
static int statistics(struct model_smsc *smsc, const struct bb_usb_setup *setup, uint8_t *data)
{
    uint32_t good = (uint32_t)(setup->index ? smsc->sent : smsc->received);
    unsigned size = setup->index ? 40 : 32;

    usb_require(&smsc->usb, setup->index <= 1 && setup->length == size, "statistics %u, %u bytes",
                setup->index, setup->length);
    memset(data, 0, size);
    memcpy(data, &good, 4);
    return (int)size;
}

static int smsc_control(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    struct model_smsc *smsc = usb->context;
    bool to_host = setup->request_type & BB_USB_IN;
    uint32_t value;

    if ((setup->request_type & 0x60) != BB_USB_VENDOR)
        return USB_OTHER;
    usb_require(usb, (setup->request_type & 0x1f) == BB_USB_TO_DEVICE && setup->value == 0,
                "request %#x of type %#x, value %#x", setup->request, setup->request_type,
                setup->value);
    if (setup->request == GET_STATISTICS && to_host)
        return statistics(smsc, setup, data);
    if (setup->request != (to_host ? READ_REGISTER : WRITE_REGISTER))
        return USB_HALT;
    usb_require(usb, setup->length == 4, "a register of %u bytes", setup->length);
    unsigned i = find_register(smsc, setup->index);
    usb_require(usb, world_now() >= smsc->reset_until || setup->index == SMSC_HW_CFG,
                "register %#x while it resets", setup->index);
    if (to_host) {
        value = read_register(smsc, setup->index);
        memcpy(data, &value, 4);
        return 4;
    }
    memcpy(&value, data, 4);
    usb_require(usb, registers[i].writable, "register %#x is read-only", setup->index);
    usb_require(usb, !(value & ~registers[i].bits), "register %#x = %#x sets reserved bits %#x",
                setup->index, value, value & ~registers[i].bits);
    write_register(smsc, setup->index, value);
    return 0;
}

static void smsc_was_reset(struct usb_model *usb)
{
    struct model_smsc *smsc = usb->context;

    reset_registers(smsc);
    smsc->reset_until = 0;
    phy_reset(smsc);
    smsc->phy_until = 0;
}

/* ---- Making one ---- */

static void describe(uint8_t *bytes, bool fast)
{
    const uint16_t packet = fast ? 512 : 64;
    const uint8_t all[SMSC_CONFIGURATION] = {
        9,
        2,
        SMSC_CONFIGURATION,
        0,
        1,
        1,
        0,
        0xe0,
        1,
        USB_INTERFACE(0, 0, 3, 0xff, 0, 0xff),
        USB_ENDPOINT(0x81, BB_USB_BULK, packet, 0),
        USB_ENDPOINT(0x02, BB_USB_BULK, packet, 0),
        USB_ENDPOINT(0x83, BB_USB_INTERRUPT, 16, fast ? 4 : 1),
    };

    memcpy(bytes, all, sizeof all);
}

void model_smsc_init(struct model_smsc *smsc)
{
    static const uint8_t device[] = {18,
                                     1,
                                     USB_WORD(0x0200),
                                     0xff,
                                     0,
                                     1,
                                     64,
                                     USB_WORD(SMSC_VENDOR),
                                     USB_WORD(SMSC_ETHERNET),
                                     USB_WORD(0x0200),
                                     0,
                                     0,
                                     0,
                                     1};
    static const uint8_t qualifier[] = {USB_QUALIFIER(0xff, 0, 1, 64, 1)};

    *smsc =
        (struct model_smsc){.partner = 0x05e1, .negotiates = 1500 * BB_MSEC, .id_rev = 0xec000002};
    memcpy(smsc->device_descriptor, device, sizeof device);
    describe(smsc->configuration, true);
    describe(smsc->slow_configuration, false);
    smsc->negotiated = (struct world_event){.run = negotiated, .context = smsc};
    smsc->usb = (struct usb_model){
        .name = "smsc95xx",
        .speed = BB_USB_HIGH,
        .device = USB_BYTES(smsc->device_descriptor),
        .configurations = {USB_BYTES(smsc->configuration)},
        .slow_configurations = {USB_BYTES(smsc->slow_configuration)},
        .qualifier = USB_BYTES(qualifier),
        .control = smsc_control,
        .in = model_smsc_in,
        .out = model_smsc_out,
        .was_reset = smsc_was_reset,
        .context = smsc,
    };
}

void model_lan9514_init(struct model_lan9514 *chip)
{
    model_hub_init(&chip->hub, "lan9514", BB_USB_HIGH, 5);
    chip->hub.vendor = SMSC_VENDOR;
    chip->hub.product = SMSC_HUB;
    chip->hub.multiple = true;
    model_smsc_init(&chip->ethernet);
    usb_plug(&chip->hub.sockets[0], &chip->ethernet.usb);
}
