/* SPDX-License-Identifier: BSD-2-Clause */
/* Microchip (SMSC) LAN9514 and LAN9500 USB 2.0 Ethernet (datasheet DS00002306A; the registers are
 * those of the LAN9500, DS00001875C): registers by vendor requests, a PHY behind MII, frames with
 * command and status words. The LAN9514 is what the Raspberry Pi 3 Model B has on board. Never run
 * on hardware: the tests' model is written from the datasheet. */
#include <string.h>

#include <busbar/board.h>
#include <busbar/usb_net.h>

enum { WRITE_REGISTER = 0xa0, READ_REGISTER = 0xa1 }; /* vendor requests */
enum {                                                /* registers */
       INT_STS = 0x08,
       TX_CFG = 0x10,
       HW_CFG = 0x14,
       PM_CTRL = 0x20,
       LED_GPIO_CFG = 0x24,
       AFC_CFG = 0x2c,
       BURST_CAP = 0x38,
       INT_EP_CTL = 0x68,
       BULK_IN_DLY = 0x6c,
       MAC_CR = 0x100,
       ADDRH = 0x104,
       ADDRL = 0x108,
       HASHH = 0x10c,
       HASHL = 0x110,
       MII_ACCESS = 0x114,
       MII_DATA = 0x118,
       FLOW = 0x11c,
       VLAN1 = 0x120,
       COE_CR = 0x130,
};
enum {
    TX_CFG_ON = 1 << 2,
    HW_CFG_BIR = 1 << 12, /* NAK, and no empty packet, where there is no frame */
    HW_CFG_MEF = 1 << 5,  /* several frames in a transfer */
    HW_CFG_LRST = 1 << 3,
    HW_CFG_BCE = 1 << 1, /* BURST_CAP counts */
    PM_CTRL_PHY_RST = 1 << 4,
    LED_PINS = 1 << 24 | 1 << 20 | 1 << 16,
    PHY_INT = 1 << 15, /* of INT_STS, INT_EP_CTL and the interrupt endpoint's word */
    MAC_CR_RCVOWN = 1 << 23,
    MAC_CR_FDPX = 1 << 20,
    MAC_CR_MCPAS = 1 << 19,
    MAC_CR_PRMS = 1 << 18,
    MAC_CR_HPFILT = 1 << 13,
    MAC_CR_TXEN = 1 << 3,
    MAC_CR_RXEN = 1 << 2,
    MII_WRITE = 1 << 1,
    MII_BUSY = 1 << 0,
    FLOW_FCEN = 1 << 1,
    COE_TX = 1 << 16,
    COE_RX = 1 << 0,
};
#define FLOW_PAUSE 0xffff0000u
/* Back pressure and pause at 32 and 4 KiB of the receive FIFO's fill, as its reset value hints. */
#define AFC_USUAL 0x00f830a0u
#define AFC_PAUSE 0x0000000fu

enum { /* the PHY: address on MII, registers (IEEE 802.3, clause 22), its own from 29 on */
       PHY = 1,
       BMCR = 0,
       BMSR = 1,
       ANAR = 4,
       ANLPAR = 5,
       PHY_SOURCE = 29,
       PHY_MASK = 30,
       BMCR_RESET = 1 << 15,
       BMCR_NEGOTIATE = 1 << 12,
       BMCR_RESTART = 1 << 9,
       BMSR_NEGOTIATED = 1 << 5,
       BMSR_LINK = 1 << 2,
       PAUSE = 1 << 10,
       FULL_100 = 1 << 8,
       HALF_100 = 1 << 7,
       FULL_10 = 1 << 6,
       HALF_10 = 1 << 5,
       IEEE_802_3 = 1,
       SOURCE_NEGOTIATED = 1 << 6,
       SOURCE_LINK_DOWN = 1 << 4,
};
enum { /* words around frames */
       TX_A_FIRST = 1 << 13,
       TX_A_LAST = 1 << 12,
       TX_B_SUM = 1 << 14,
       RX_ERRORS = 1 << 15,
       RX_LENGTH = 16, /* shift, of 14 bits */
};
enum {
    STATUS = 4,      /* bytes of the word before a received frame */
    CHECK = 4,       /* and of the frame's check sequence behind it */
    SUM = 2,         /* and of the sum of its payload behind that */
    SMALL = 45,      /* bytes up to which the chip cannot sum what it sends */
    TAIL = 4,        /* the last bytes of a frame, where it cannot put a sum */
    MESSAGES = 6144, /* bytes of a transfer to receive */
    PATIENCE = 1000, /* ms, for a reset */
    MII_PATIENCE = 100,
    IPV4 = 20,
    IPV6 = 40,
    TCP = 6,
    UDP = 17,
};

struct smsc95xx {
    struct bb_device device;
    union {
        struct bb_net net;
        struct bb_usb_net usb;
    };
    struct bb_usb_interface *interface;
    uint32_t mac_cr; /* as written last */
};

static struct smsc95xx *of(struct bb_usb_net *usb)
{
    return bb_container_of(usb, struct smsc95xx, usb);
}

/* ---- Registers ---- */

static int read_register(struct smsc95xx *chip, unsigned offset, uint32_t *value)
{
    int moved = bb_usb_control(chip->usb.device, BB_USB_IN | BB_USB_VENDOR, READ_REGISTER, 0,
                               offset, value, sizeof *value);
    return moved < 0 ? moved : moved == sizeof *value ? 0 : -EPROTO;
}

static int write_register(struct smsc95xx *chip, unsigned offset, uint32_t value)
{
    int moved = bb_usb_control(chip->usb.device, BB_USB_OUT | BB_USB_VENDOR, WRITE_REGISTER, 0,
                               offset, &value, sizeof value);
    return moved < 0 ? moved : 0;
}

static int set_bits(struct smsc95xx *chip, unsigned offset, uint32_t bits)
{
    uint32_t value;
    int error = read_register(chip, offset, &value);
    return error ? error : write_register(chip, offset, value | bits);
}

/* Waits until these bits have cleared themselves. */
static int wait_clear(struct smsc95xx *chip, unsigned offset, uint32_t bits, unsigned patience)
{
    uint64_t start = bb_time();
    for (;;) {
        uint32_t value;
        bool late = bb_time() - start > patience * BB_MSEC;
        int error = read_register(chip, offset, &value);
        if (error || !(value & bits))
            return error;
        if (late)
            return -ETIMEDOUT;
        bb_sleep(BB_MSEC);
    }
}

static int mii_access(struct smsc95xx *chip, unsigned number, unsigned direction)
{
    int error = write_register(chip, MII_ACCESS, PHY << 11 | number << 6 | direction | MII_BUSY);
    return error ? error : wait_clear(chip, MII_ACCESS, MII_BUSY, MII_PATIENCE);
}

static int mii_read(struct smsc95xx *chip, unsigned number, uint32_t *value)
{
    int error = wait_clear(chip, MII_ACCESS, MII_BUSY, MII_PATIENCE);
    if (!error)
        error = mii_access(chip, number, 0);
    if (!error)
        error = read_register(chip, MII_DATA, value);
    if (!error)
        *value &= 0xffff;
    return error;
}

static int mii_write(struct smsc95xx *chip, unsigned number, uint32_t value)
{
    int error = wait_clear(chip, MII_ACCESS, MII_BUSY, MII_PATIENCE);
    if (!error)
        error = write_register(chip, MII_DATA, value);
    return error ? error : mii_access(chip, number, MII_WRITE);
}

static int set_mac_cr(struct smsc95xx *chip, uint32_t clear, uint32_t set)
{
    uint32_t value = (chip->mac_cr & ~clear) | set;
    int error = write_register(chip, MAC_CR, value);
    if (!error)
        chip->mac_cr = value;
    return error;
}

/* ---- The filter ---- */

/* The upper six bits of the address's CRC-32 choose one of 64. */
static unsigned hash(const uint8_t *mac)
{
    uint32_t crc = 0xffffffff;
    for (unsigned i = 0; i < 8 * BB_MAC_SIZE; i++) {
        uint32_t bit = (crc >> 31) ^ ((uint32_t)mac[i / 8] >> i % 8 & 1u);
        crc = crc << 1 ^ (bit ? 0x04c11db7u : 0);
    }
    return crc >> 26;
}

static int set_filter(struct smsc95xx *chip)
{
    const uint32_t all = MAC_CR_PRMS | MAC_CR_MCPAS | MAC_CR_HPFILT;
    struct bb_net_filter filter = chip->usb.filter;
    uint32_t table[2] = {0}, bits = 0;
    if (filter.promiscuous)
        bits = MAC_CR_PRMS;
    else if (filter.all_multicast)
        bits = MAC_CR_MCPAS;
    else if (filter.count)
        bits = MAC_CR_HPFILT;
    for (unsigned i = 0; i < filter.count; i++) {
        unsigned bit = hash(filter.groups[i]);
        table[bit / 32] |= 1u << bit % 32;
    }
    int error = write_register(chip, HASHH, table[1]);
    if (!error)
        error = write_register(chip, HASHL, table[0]);
    uint32_t receive = chip->usb.started ? MAC_CR_RXEN : 0;
    return error ? error : set_mac_cr(chip, all | MAC_CR_RXEN, bits | receive);
}

/* ---- The link ---- */

/* Duplex and pause, as both sides can do them. */
static int set_mode(struct smsc95xx *chip, uint32_t common)
{
    bool full = common & FULL_100 || (!(common & HALF_100) && common & FULL_10);
    bool pause = full && common & PAUSE;
    int error = set_mac_cr(chip, MAC_CR_FDPX | MAC_CR_RCVOWN, full ? MAC_CR_FDPX : MAC_CR_RCVOWN);
    if (!error)
        error = write_register(chip, FLOW, pause ? FLOW_PAUSE | FLOW_FCEN : 0);
    return error ? error
                 : write_register(chip, AFC_CFG, AFC_USUAL | (full && !pause ? 0 : AFC_PAUSE));
}

/* BMSR keeps a loss of the link until it is read: the second reading is of now. */
static int look_at_link(struct smsc95xx *chip)
{
    uint32_t source, status, own = 0, partner = 0;
    int error = mii_read(chip, PHY_SOURCE, &source); /* reading clears it */
    if (!error)
        error = write_register(chip, INT_STS, PHY_INT);
    if (!error)
        error = mii_read(chip, BMSR, &status);
    if (!error)
        error = mii_read(chip, BMSR, &status);
    if (error)
        return error;
    bool up = status & BMSR_LINK && status & BMSR_NEGOTIATED;
    if (up) {
        error = mii_read(chip, ANAR, &own);
        if (!error)
            error = mii_read(chip, ANLPAR, &partner);
        if (!error)
            error = set_mode(chip, own & partner);
    }
    if (!error)
        bb_net_link(&chip->net, up);
    return error;
}

static void smsc95xx_notice(struct bb_usb_net *usb, const uint8_t *data, uint32_t length)
{
    if (length < 4 || !(bb_usb_u32(data) & PHY_INT))
        return;
    usb->unfinished = true;
    bb_usb_net_work(usb);
}

static void smsc95xx_chores(struct bb_usb_net *usb)
{
    struct smsc95xx *chip = of(usb);
    if (usb->unfinished) { /* the link */
        usb->unfinished = false;
        usb->unfinished |= look_at_link(chip) < 0;
    }
    if (usb->filter_changed) {
        usb->filter_changed = false;
        usb->filter_changed |= set_filter(chip) < 0;
    }
}

/* ---- Sending ---- */

static uint32_t add_sum(const uint8_t *at, uint32_t length)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
    return sum;
}

static uint16_t folded(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* Two words, and where the chip is to sum, a third that says where from and where to. */
static uint32_t smsc95xx_wrap(struct bb_usb_net *usb, const struct bb_buffer *frame,
                              uint32_t length, uint8_t *message)
{
    uint32_t start = frame->checksum_start, to = start + frame->checksum_offset;
    bool sum = frame->flags & BB_BUFFER_CHECKSUM_NEEDED;
    bool chip_sums = sum && length > SMALL && to + SUM + TAIL <= length;
    uint8_t *at = message + 8;
    (void)usb;
    if (chip_sums) {
        put32(at, to << 16 | start);
        at += 4;
    }
    bb_usb_net_copy(frame, at);
    if (sum && !chip_sums) {
        uint16_t value = (uint16_t)~folded(add_sum(at + start, length - start));
        at[to] = (uint8_t)(value >> 8);
        at[to + 1] = (uint8_t)value;
    }
    uint32_t size = length + (chip_sums ? 4 : 0);
    put32(message, size | TX_A_FIRST | TX_A_LAST);
    put32(message + 4, size | (chip_sums ? TX_B_SUM : 0));
    return 8 + size;
}
_Static_assert(12 + BB_NET_HEADER + BB_USB_NET_MTU <= BB_USB_NET_MESSAGE, "it fits");

/* ---- Receiving ---- */

/* The chip has summed all behind the Ethernet header; what is left when that of the IP header is
 * taken out and the pseudo header's put in tells whether the transport's checksum is right. Only
 * whole datagrams of TCP and UDP without padding. */
static bool is_sum_good(const uint8_t *frame, uint32_t length, uint32_t sum)
{
    const uint8_t *ip = frame + BB_NET_HEADER;
    uint32_t header, size, addresses, protocol;
    length -= BB_NET_HEADER;
    if (frame[12] == 0x08 && frame[13] == 0x00 && length >= IPV4) {
        header = (ip[0] & 15u) * 4;
        size = (uint32_t)ip[2] << 8 | ip[3];
        protocol = ip[9];
        addresses = add_sum(ip + 12, 8);
        if (ip[0] >> 4 != 4 || header < IPV4 || (ip[6] & 0x3f) || ip[7])
            return false;
    } else if (frame[12] == 0x86 && frame[13] == 0xdd && length >= IPV6) {
        header = IPV6;
        size = IPV6 + ((uint32_t)ip[4] << 8 | ip[5]);
        protocol = ip[6];
        addresses = add_sum(ip + 8, 32);
        if (ip[0] >> 4 != 6)
            return false;
    } else {
        return false;
    }
    if (size != length || header + 8 > size || (protocol != TCP && protocol != UDP) ||
        (protocol == UDP && !ip[header + 6] && !ip[header + 7]))
        return false;
    sum += 0xffffu - folded(add_sum(ip, header));
    return folded(sum + addresses + protocol + (size - header)) == 0xffff;
}

/* Status word, frame, check sequence, sum; each begins at a multiple of four. */
static void smsc95xx_unwrap(struct bb_usb_net *usb, const uint8_t *data, uint32_t left)
{
    const uint32_t behind = CHECK + SUM;
    while (left >= STATUS) {
        uint32_t status = bb_usb_u32(data), size = status >> RX_LENGTH & 0x3fff;
        if (size > left - STATUS || size < behind) {
            usb->net.stats.errors++;
            return;
        }
        const uint8_t *frame = data + STATUS;
        uint32_t length = size - behind, step = STATUS + ((size + 3) & ~3u);
        if (status & RX_ERRORS || length < BB_NET_HEADER) {
            usb->net.stats.errors++;
        } else {
            uint32_t sum = (uint32_t)frame[size - 2] << 8 | frame[size - 1];
            bool good = is_sum_good(frame, length, sum);
            bb_usb_net_received(usb, frame, length, good ? BB_BUFFER_CHECKSUM_GOOD : 0);
        }
        if (step >= left)
            return;
        data += step;
        left -= step;
    }
}

/* ---- Probe ---- */

/* From its EEPROM, where there is one: the reset has loaded it. Else the address that the tree has
 * for it, or the board's: bb_net_default_mac() has the last word. */
static int read_mac(struct smsc95xx *chip)
{
    uint8_t *mac = chip->net.mac;
    uint32_t low, high;
    struct bb_board_identity identity;
    int error = read_register(chip, ADDRL, &low);
    if (!error)
        error = read_register(chip, ADDRH, &high);
    if (error)
        return bb_fail(&chip->device, "MAC address", error);
    put32(mac, low);
    mac[4] = (uint8_t)high;
    mac[5] = (uint8_t)(high >> 8);
    const struct bb_node *node = bb_node_by_compatible("usb424,ec00");
    const struct bb_property *own = node ? bb_node_property(node, "local-mac-address") : NULL;
    if (!bb_mac_is_station(mac) && own && own->length == BB_MAC_SIZE)
        memcpy(mac, own->value, BB_MAC_SIZE);
    struct bb_board *board = bb_board_first();
    if (!bb_mac_is_station(mac) && board && bb_board_identity(board, &identity) == 0)
        memcpy(mac, identity.mac, BB_MAC_SIZE);
    (void)bb_net_default_mac(&chip->device, mac);
    error = write_register(chip, ADDRL, bb_usb_u32(mac));
    return error ? error : write_register(chip, ADDRH, bb_usb_u16(mac + 4));
}

static int reset(struct smsc95xx *chip)
{
    int error = set_bits(chip, HW_CFG, HW_CFG_LRST);
    if (!error)
        error = wait_clear(chip, HW_CFG, HW_CFG_LRST, PATIENCE);
    if (error)
        return bb_fail(&chip->device, "reset", error);
    error = set_bits(chip, PM_CTRL, PM_CTRL_PHY_RST);
    if (!error)
        error = wait_clear(chip, PM_CTRL, PM_CTRL_PHY_RST, PATIENCE);
    return error ? bb_fail(&chip->device, "PHY reset", error) : 0;
}

/* What the chip gathers into one transfer fits ours; how long it waits for more is as after reset.
 */
static int set_up(struct smsc95xx *chip)
{
    const struct {
        unsigned offset;
        uint32_t value;
    } table[] = {
        {BURST_CAP, MESSAGES / (chip->usb.in->packet == 512 ? 512u : 64u)},
        {BULK_IN_DLY, 0x2000},
        {INT_STS, 0xffffffff},
        {LED_GPIO_CFG, LED_PINS},
        {FLOW, 0},
        {AFC_CFG, AFC_USUAL | AFC_PAUSE},
        {VLAN1, 0x8100},
        {COE_CR, COE_TX | COE_RX},
    };
    int error = set_bits(chip, HW_CFG, HW_CFG_BIR | HW_CFG_MEF | HW_CFG_BCE);
    for (unsigned i = 0; !error && i < BB_ARRAY_SIZE(table); i++)
        error = write_register(chip, table[i].offset, table[i].value);
    if (!error)
        error = read_register(chip, MAC_CR, &chip->mac_cr);
    return error ? bb_fail(&chip->device, "registers", error) : 0;
}

static int start_phy(struct smsc95xx *chip)
{
    uint32_t value = BMCR_RESET, source;
    uint64_t start = bb_time();
    int error = mii_write(chip, BMCR, BMCR_RESET);
    while (!error && value & BMCR_RESET) {
        error = mii_read(chip, BMCR, &value);
        if (!error && value & BMCR_RESET && bb_time() - start > PATIENCE * BB_MSEC)
            error = -ETIMEDOUT;
    }
    if (!error)
        error = mii_write(chip, ANAR, FULL_100 | HALF_100 | FULL_10 | HALF_10 | PAUSE | IEEE_802_3);
    if (!error)
        error = mii_read(chip, PHY_SOURCE, &source);
    if (!error)
        error = mii_write(chip, PHY_MASK, SOURCE_NEGOTIATED | SOURCE_LINK_DOWN);
    if (!error)
        error = mii_write(chip, BMCR, BMCR_NEGOTIATE | BMCR_RESTART);
    return error ? bb_fail(&chip->device, "PHY", error) : 0;
}

/* Sends from now on; it receives once somebody has opened it. */
static int set_going(struct smsc95xx *chip)
{
    int error = set_bits(chip, INT_EP_CTL, PHY_INT);
    if (!error)
        error = set_mac_cr(chip, 0, MAC_CR_TXEN);
    if (!error)
        error = write_register(chip, TX_CFG, TX_CFG_ON);
    return error ? bb_fail(&chip->device, "start", error) : 0;
}

static const struct bb_usb_net_format format = {
    .wrap = smsc95xx_wrap,
    .unwrap = smsc95xx_unwrap,
    .room = MESSAGES,
    .notice = smsc95xx_notice,
    .chores = smsc95xx_chores,
};

static int smsc95xx_probe(struct bb_device *device)
{
    struct smsc95xx *chip = bb_container_of(device, struct smsc95xx, device);
    int error = bb_usb_claim(device, &chip->interface);
    if (error)
        return error;
    struct bb_usb_endpoint *notices = bb_usb_endpoint(chip->interface, BB_USB_INTERRUPT, BB_USB_IN);
    if (!notices)
        return bb_fail(device, "interrupt endpoint", -ENOENT);
    error = bb_usb_net_prepare(&chip->usb, &format, chip->interface);
    if (!error)
        error = reset(chip);
    if (!error)
        error = read_mac(chip);
    if (!error)
        error = set_up(chip);
    if (!error)
        error = start_phy(chip);
    if (!error)
        error = set_going(chip);
    if (error)
        return error;
    chip->net.features = BB_NET_SENDS_CHECKSUM | BB_NET_CHECKS_CHECKSUM | BB_NET_TELLS_LINK;
    chip->usb.unfinished = true;
    bb_usb_net_work(&chip->usb);
    return bb_usb_net_listen(&chip->usb, notices);
}

const struct bb_net_ops bb_ops_net_smsc95xx = BB_USB_NET_OPS;

/* Alone, and in the hub LAN9512 and LAN9514. */
BB_DRIVER(net, smsc95xx, .bus = &bb_usb_bus,
          .match = BB_MATCH({"usbif424,ec00.config1.0"}, {"usbif424,9500.config1.0"}),
          .probe = smsc95xx_probe, .hotplug = true);
