/* SPDX-License-Identifier: BSD-2-Clause */
/* USB Ethernet by the Ethernet Control Model (USB CDC 1.2; CDC Subclass Specification for Ethernet
 * Control Model Devices 1.2): a frame is a transfer. */
#include <string.h>

#include <busbar/usb_net.h>

enum { /* subtypes of functional descriptors (CDC 1.2, table 13) */
       UNION = 0x06,
       ETHERNET = 0x0f,
};
enum { /* requests (ECM 1.2, table 6) */
       SET_MULTICAST_FILTERS = 0x40,
       SET_PACKET_FILTER = 0x43,
};
enum { /* bits of the packet filter (ECM 1.2, table 8) */
       PROMISCUOUS = 1 << 0,
       ALL_MULTICAST = 1 << 1,
       DIRECTED = 1 << 2,
       BROADCAST = 1 << 3,
       MULTICAST = 1 << 4,
};
enum { /* notifications (CDC 1.2, table 20): a header of eight bytes, then wLength more */
       NOTIFICATION = 0xa1,
       NETWORK_CONNECTION = 0x00,
       SPEED_CHANGE = 0x2a,
       HEADER = 8,
       MOST_NOTICE = 16,
};

struct usb_cdc_ecm {
    struct bb_device device;
    union {
        struct bb_net net;
        struct bb_usb_net usb;
    };
    struct bb_usb_interface *control, *data;
    const uint8_t *function, *ethernet; /* functional descriptors */
    uint16_t filters;                   /* groups that the device sorts out */
    bool other_mac;                     /* than the device's own: it must pass every frame */
    uint32_t speed;                     /* bits a second, as last told; 0: never */
    struct bb_value speed_value;
    uint8_t notice[MOST_NOTICE];
    uint32_t noticed; /* bytes of it that have come */
};

static struct usb_cdc_ecm *of(struct bb_usb_net *usb)
{
    return bb_container_of(usb, struct usb_cdc_ecm, usb);
}

static int request(struct usb_cdc_ecm *chip, unsigned what, unsigned value, void *data,
                   unsigned length)
{
    return bb_usb_control(chip->usb.device, BB_USB_OUT | BB_USB_CLASS | BB_USB_TO_INTERFACE, what,
                          value, chip->control->number, data, length);
}

/* ---- The filter ---- */

/* What the device cannot sort out it passes. */
static unsigned filter_bits(struct usb_cdc_ecm *chip, const struct bb_net_filter *filter)
{
    unsigned bits = DIRECTED | BROADCAST;
    if (filter->promiscuous || chip->other_mac)
        return bits | PROMISCUOUS | ALL_MULTICAST;
    if (filter->all_multicast || filter->count > chip->filters)
        return bits | ALL_MULTICAST;
    if (!filter->count)
        return bits;
    uint8_t groups[BB_NET_MULTICAST][BB_MAC_SIZE];
    memcpy(groups, filter->groups, sizeof groups);
    int error = request(chip, SET_MULTICAST_FILTERS, filter->count, groups,
                        filter->count * (unsigned)BB_MAC_SIZE);
    return bits | (error < 0 ? ALL_MULTICAST : MULTICAST);
}

/* A device that knows no filter (some do not) passes what it likes: that is no failure. */
static void ecm_chores(struct bb_usb_net *usb)
{
    struct usb_cdc_ecm *chip = of(usb);
    if (!usb->filter_changed)
        return;
    usb->filter_changed = false;
    struct bb_net_filter filter = usb->filter;
    unsigned bits = usb->started ? filter_bits(chip, &filter) : 0;
    int error = request(chip, SET_PACKET_FILTER, bits, NULL, 0);
    usb->filter_changed |= error < 0 && error != -EPIPE;
}

/* ---- Notifications ---- */

static void look_at_notice(struct usb_cdc_ecm *chip)
{
    const uint8_t *notice = chip->notice;
    if (notice[0] != NOTIFICATION || bb_usb_u16(notice + 4) != chip->control->number)
        return;
    if (notice[1] == NETWORK_CONNECTION)
        bb_net_link(&chip->net, bb_usb_u16(notice + 2) != 0);
    else if (notice[1] == SPEED_CHANGE && chip->noticed >= HEADER + 8)
        chip->speed = bb_usb_u32(notice + HEADER); /* downstream */
}

/* One may come in several packets; the last of them is short, or ends where its header says. */
static void ecm_notice(struct bb_usb_net *usb, const uint8_t *data, uint32_t length)
{
    struct usb_cdc_ecm *chip = of(usb);
    bool ends = length < usb->listening.length;
    if (length > MOST_NOTICE - chip->noticed) {
        chip->noticed = 0; /* nothing that we know is so long */
        return;
    }
    memcpy(chip->notice + chip->noticed, data, length);
    chip->noticed += length;
    if (chip->noticed >= HEADER &&
        chip->noticed >= HEADER + (uint32_t)bb_usb_u16(chip->notice + 6)) {
        look_at_notice(chip);
        ends = true;
    }
    if (ends)
        chip->noticed = 0;
}

/* ---- Probe ---- */

static int find_descriptors(struct usb_cdc_ecm *chip)
{
    const uint8_t *at = chip->control->descriptors;
    const uint8_t *end = at + chip->control->descriptors_length;
    for (; at < end; at += at[0]) {
        if (at[1] != BB_USB_CLASS_INTERFACE || at[0] < 5)
            continue;
        if (at[2] == UNION && !chip->function)
            chip->function = at;
        if (at[2] == ETHERNET && at[0] >= 13 && !chip->ethernet)
            chip->ethernet = at;
    }
    if (!chip->function)
        return bb_fail(&chip->device, "union descriptor", -ENOENT);
    return chip->ethernet ? 0 : bb_fail(&chip->device, "Ethernet descriptor", -ENOENT);
}

/* Exactly twelve hexadecimal digits, and the address of a station (ECM 1.2, table 3). */
static bool parse_mac(const char *text, uint8_t mac[BB_MAC_SIZE])
{
    for (unsigned i = 0; i < 2 * BB_MAC_SIZE; i++) {
        unsigned digit = (unsigned char)text[i], letter = (digit | 0x20u) - (unsigned)'a';
        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if (letter < 6)
            digit = letter + 10;
        else
            return false; /* its end, too */
        mac[i / 2] = (uint8_t)((unsigned)mac[i / 2] << 4 | digit);
    }
    return !text[2 * BB_MAC_SIZE] && bb_mac_is_station(mac);
}

static int read_mac(struct usb_cdc_ecm *chip)
{
    char text[BB_USB_TEXT];
    uint8_t own[BB_MAC_SIZE] = {0};
    int length = bb_usb_string(chip->usb.device, chip->ethernet[3], text, sizeof text);
    if (length < 0)
        return bb_fail(&chip->device, "MAC address", length);
    if (!parse_mac(text, own))
        return bb_fail(&chip->device, "MAC address: not twelve digits of a station", -EINVAL);
    memcpy(chip->net.mac, own, BB_MAC_SIZE);
    (void)bb_net_default_mac(&chip->device, chip->net.mac);
    chip->other_mac = memcmp(chip->net.mac, own, BB_MAC_SIZE) != 0;
    return 0;
}

static int read_sizes(struct usb_cdc_ecm *chip)
{
    unsigned segment = bb_usb_u16(chip->ethernet + 8);
    if (segment < BB_NET_HEADER + BB_NET_MIN_MTU)
        return bb_fail(&chip->device, "segment size: too small for IP", -EINVAL);
    segment -= BB_NET_HEADER;
    chip->net.mtu = (uint16_t)(segment < BB_USB_NET_MTU ? segment : BB_USB_NET_MTU);
    chip->filters = bb_usb_u16(chip->ethernet + 10) & 0x7fff;
    return 0;
}

/* The first setting that has endpoints: setting 0 has none, and no frames move in it. */
static int open_data(struct usb_cdc_ecm *chip)
{
    const struct bb_usb_interface *data = chip->data;
    const uint8_t *at = data->descriptors, *end = at + data->descriptors_length;
    for (; at < end; at += at[0])
        if (at[1] == BB_USB_INTERFACE_DESCRIPTOR && at[0] >= 9 && at[4] >= 2)
            return bb_usb_set_interface(chip->data, at[3]);
    return -ENOENT;
}

static const struct bb_usb_net_format format = {.notice = ecm_notice, .chores = ecm_chores};

static int usb_cdc_ecm_probe(struct bb_device *device)
{
    struct usb_cdc_ecm *chip = bb_container_of(device, struct usb_cdc_ecm, device);
    struct bb_usb_endpoint *notices;
    int error = bb_usb_claim(device, &chip->control);
    if (error)
        return error;
    chip->usb.device = chip->control->device;
    error = find_descriptors(chip);
    if (!error)
        error = read_mac(chip);
    if (!error)
        error = read_sizes(chip);
    if (error)
        return error;
    error = bb_usb_claim_number(device, chip->function[4], &chip->data);
    if (error)
        return bb_fail(device, "data interface", error);
    error = open_data(chip);
    if (error)
        return bb_fail(device, "setting of the data interface", error);
    error = bb_usb_net_prepare(&chip->usb, &format, chip->data);
    if (!error)
        error = bb_publish_u32(device, &chip->speed_value, "speed", "b/s", &chip->speed);
    if (error)
        return error;
    chip->net.link_up = true; /* until it says otherwise: many never say anything */
    notices = bb_usb_endpoint(chip->control, BB_USB_INTERRUPT, BB_USB_IN);
    if (!notices)
        return 0;
    chip->net.features = BB_NET_TELLS_LINK;
    return bb_usb_net_listen(&chip->usb, notices);
}

const struct bb_net_ops bb_ops_net_usb_cdc_ecm = BB_USB_NET_OPS;

BB_DRIVER(net, usb_cdc_ecm, .bus = &bb_usb_bus, .match = BB_MATCH({"usbif,class2.6"}),
          .probe = usb_cdc_ecm_probe, .hotplug = true);
