/* SPDX-License-Identifier: BSD-2-Clause */
/* USB Ethernet by Remote NDIS (Microsoft, [MS-RNDIS] revision 5.0): commands in encapsulated
 * messages through the control endpoint, frames with a header through a pair of bulk endpoints. */
#include <string.h>

#include <busbar/usb_net.h>

enum { /* message types ([MS-RNDIS] 2.2.1); an answer has the top bit */
       PACKET = 1,
       INITIALIZE = 2,
       HALT = 3,
       QUERY = 4,
       SET = 5,
       INDICATE_STATUS = 7,
       KEEPALIVE = 8,
};
#define ANSWER 0x80000000u
enum { /* object identifiers ([MS-RNDIS] 2.2.9, [MS-RNDIS] appendix) */
       OID_MAXIMUM_FRAME_SIZE = 0x00010106,
       OID_PACKET_FILTER = 0x0001010e,
       OID_MEDIA_CONNECT_STATUS = 0x00010114,
       OID_PERMANENT_ADDRESS = 0x01010101,
       OID_MULTICAST_LIST = 0x01010103,
};
enum { /* bits of the packet filter */
       DIRECTED = 1 << 0,
       MULTICAST = 1 << 1,
       ALL_MULTICAST = 1 << 2,
       BROADCAST = 1 << 3,
       PROMISCUOUS = 1 << 5,
};
#define MEDIA_CONNECT 0x4001000bu
#define MEDIA_DISCONNECT 0x4001000cu
enum { SEND_ENCAPSULATED = 0, GET_ENCAPSULATED = 1 }; /* requests (CDC 1.2, 6.3.1 and 6.3.2) */

enum {
    UNION = 0x06, /* subtype of a functional descriptor */
    BASE = 8,     /* offsets in a message count from here: behind its type and length */
    PACKET_HEADER = 44,
    COMMAND = 28,      /* bytes of QUERY and SET before their information */
    ROOM = 256,        /* of a message in either direction */
    MESSAGES = 4096,   /* bytes of a transfer to receive */
    MOST_PACKETS = 64, /* in one transfer */
    PATIENCE = 2000,   /* ms for an answer */
    POLL = 20,         /* ms after which an answer is asked for, told of or not */
};
_Static_assert(PACKET_HEADER + BB_NET_HEADER + BB_USB_NET_MTU + 1 <= BB_USB_NET_MESSAGE, "it fits");

struct usb_rndis {
    struct bb_device device;
    union {
        struct bb_net net;
        struct bb_usb_net usb;
    };
    struct bb_usb_interface *control, *data;
    uint32_t number; /* of the last command */
    bool has_answer; /* the device told of one */
    bool busy;       /* a command is under way */
    bool other_mac;
    uint8_t message[ROOM], answer[ROOM];
    uint32_t answered; /* bytes of the answer */
};

static struct usb_rndis *of(struct bb_usb_net *usb)
{
    return bb_container_of(usb, struct usb_rndis, usb);
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* ---- Commands ---- */

static int transfer(struct usb_rndis *chip, unsigned direction, unsigned request, void *data,
                    uint32_t length)
{
    return bb_usb_control(chip->usb.device, direction | BB_USB_CLASS | BB_USB_TO_INTERFACE, request,
                          0, chip->control->number, data, length);
}

/* Begins a message: type, length and a number that the answer repeats. */
static void begin(struct usb_rndis *chip, uint32_t type, uint32_t length)
{
    memset(chip->message, 0, sizeof chip->message);
    put32(chip->message, type);
    put32(chip->message + 4, length);
    put32(chip->message + 8, ++chip->number);
}

static int send_message(struct usb_rndis *chip)
{
    int moved =
        transfer(chip, BB_USB_OUT, SEND_ENCAPSULATED, chip->message, bb_usb_u32(chip->message + 4));
    return moved < 0 ? moved : 0;
}

/* What a device sends unasked: its link, or whether we are alive. */
static void look_at_unasked(struct usb_rndis *chip, const uint8_t *message, uint32_t length)
{
    uint32_t type = bb_usb_u32(message);
    if (type == INDICATE_STATUS && length >= 20) {
        uint32_t status = bb_usb_u32(message + 8);
        if (status == MEDIA_CONNECT || status == MEDIA_DISCONNECT)
            bb_net_link(&chip->net, status == MEDIA_CONNECT);
    } else if (type == KEEPALIVE && length >= 12) {
        uint8_t reply[16];
        put32(reply, KEEPALIVE | ANSWER);
        put32(reply + 4, sizeof reply);
        memcpy(reply + 8, message + 8, 4);
        put32(reply + 12, 0);
        (void)transfer(chip, BB_USB_OUT, SEND_ENCAPSULATED, reply, sizeof reply);
    }
}

/* Fetches one message, which says itself how long it is: that length, or 0 where that is wrong.
 * -EAGAIN: there is none. */
static int fetch(struct usb_rndis *chip)
{
    chip->has_answer = false;
    int moved = transfer(chip, BB_USB_IN, GET_ENCAPSULATED, chip->answer, ROOM);
    if (moved < 0)
        return moved == -EPIPE ? -EAGAIN : moved;
    if (moved <= 1) /* some have an empty answer, some a byte */
        return -EAGAIN;
    if (moved < 12)
        return 0;
    uint32_t length = bb_usb_u32(chip->answer + 4);
    return length < 12 || length > (uint32_t)moved ? 0 : (int)length;
}

static bool has_answer(void *context)
{
    const struct usb_rndis *chip = context;
    return chip->has_answer || chip->usb.gone;
}

/* Whether the message is the answer to the command that waits. */
static bool is_answer(const struct usb_rndis *chip, uint32_t length)
{
    return length >= 16 && bb_usb_u32(chip->answer) == (bb_usb_u32(chip->message) | ANSWER) &&
           bb_usb_u32(chip->answer + 8) == chip->number;
}

/* Sends the message and waits for its answer, at most PATIENCE; what comes in between is looked at.
 * -EIO: the device says no. */
static int command(struct usb_rndis *chip)
{
    uint64_t start = bb_time();
    chip->busy = true;
    int error = send_message(chip);
    while (!error) {
        (void)bb_wait(has_answer, chip, POLL * BB_MSEC);
        int length = chip->usb.gone ? -ENODEV : fetch(chip);
        if (length > 0 && is_answer(chip, (uint32_t)length)) {
            chip->answered = (uint32_t)length;
            error = bb_usb_u32(chip->answer + 12) ? -EIO : 0; /* its status */
            break;
        }
        if (length > 0)
            look_at_unasked(chip, chip->answer, (uint32_t)length);
        if (length < 0 && length != -EAGAIN)
            error = length;
        else if (bb_time() - start > PATIENCE * BB_MSEC)
            error = -ETIMEDOUT;
    }
    chip->busy = false;
    return error;
}

/* Asks for an object; at least `least` bytes, of which `value` gets so many. Some devices want a
 * request to have the room that they answer with. */
static int query(struct usb_rndis *chip, uint32_t object, void *value, uint32_t least)
{
    enum { ROOM_ASKED = 48 };
    begin(chip, QUERY, COMMAND + ROOM_ASKED);
    put32(chip->message + 12, object);
    put32(chip->message + 16, ROOM_ASKED);
    put32(chip->message + 20, COMMAND - BASE);
    int error = command(chip);
    if (error)
        return error;
    if (chip->answered < 24)
        return -EPROTO;
    uint32_t length = bb_usb_u32(chip->answer + 16), offset = bb_usb_u32(chip->answer + 20);
    if (length < least || offset > chip->answered - BASE || length > chip->answered - BASE - offset)
        return -EPROTO;
    memcpy(value, chip->answer + BASE + offset, least);
    return 0;
}

static int set(struct usb_rndis *chip, uint32_t object, const void *value, uint32_t length)
{
    begin(chip, SET, COMMAND + length);
    put32(chip->message + 12, object);
    put32(chip->message + 16, length);
    put32(chip->message + 20, COMMAND - BASE);
    memcpy(chip->message + COMMAND, value, length);
    return command(chip);
}
_Static_assert(COMMAND + BB_NET_MULTICAST * BB_MAC_SIZE <= ROOM, "all groups fit");

/* ---- Chores ---- */

static int set_filter(struct usb_rndis *chip)
{
    struct bb_net_filter filter = chip->usb.filter;
    uint32_t bits = DIRECTED | BROADCAST;
    if (!chip->usb.started)
        bits = 0; /* the device stops */
    else if (filter.promiscuous || chip->other_mac)
        bits |= PROMISCUOUS | ALL_MULTICAST;
    else if (filter.all_multicast)
        bits |= ALL_MULTICAST;
    else if (filter.count) {
        int error =
            set(chip, OID_MULTICAST_LIST, filter.groups, filter.count * (uint32_t)BB_MAC_SIZE);
        bits |= error ? ALL_MULTICAST : MULTICAST;
    }
    return set(chip, OID_PACKET_FILTER, &bits, sizeof bits);
}

static void rndis_chores(struct bb_usb_net *usb)
{
    struct usb_rndis *chip = of(usb);
    if (chip->busy)
        return; /* probe has the device; it looks at what comes by itself */
    if (usb->filter_changed) {
        usb->filter_changed = false;
        int error = set_filter(chip);
        usb->filter_changed |= error < 0 && error != -EIO;
    }
    if (!chip->has_answer)
        return;
    int length = 0; /* all there are: notifications may have come together */
    for (unsigned i = 0; length >= 0 && !usb->gone && i < MOST_PACKETS; i++) {
        length = fetch(chip);
        if (length > 0)
            look_at_unasked(chip, chip->answer, (uint32_t)length);
    }
}

/* RESPONSE_AVAILABLE: one word, and nothing else is ever said. */
static void rndis_notice(struct bb_usb_net *usb, const uint8_t *data, uint32_t length)
{
    struct usb_rndis *chip = of(usb);
    if (length < 4 || bb_usb_u32(data) != 1)
        return;
    chip->has_answer = true;
    if (!chip->busy)
        bb_usb_net_work(usb);
}

/* ---- Frames ---- */

/* A message that ends with a packet would have to be ended by an empty one; many devices want none,
 * so that it is a byte longer then. */
static uint32_t rndis_wrap(struct bb_usb_net *usb, const struct bb_buffer *frame, uint32_t length,
                           uint8_t *message)
{
    uint32_t size = PACKET_HEADER + length;
    memset(message, 0, PACKET_HEADER);
    if (size % usb->out->packet == 0)
        message[size++] = 0;
    put32(message, PACKET);
    put32(message + 4, size);
    put32(message + 8, PACKET_HEADER - BASE);
    put32(message + 12, length);
    bb_usb_net_copy(frame, message + PACKET_HEADER);
    return size;
}

/* Messages follow each other; the last may be followed by a byte or a few that mean nothing. One
 * that lies ends the transfer: nobody knows where the next begins. */
static void rndis_unwrap(struct bb_usb_net *usb, const uint8_t *data, uint32_t left)
{
    for (unsigned i = 0; left >= PACKET_HEADER && i < MOST_PACKETS; i++) {
        uint32_t size = bb_usb_u32(data + 4);
        uint32_t offset = bb_usb_u32(data + 8), length = bb_usb_u32(data + 12);
        if (bb_usb_u32(data) != PACKET || size < PACKET_HEADER || size > left ||
            offset < PACKET_HEADER - BASE || offset > size - BASE ||
            length > size - BASE - offset) {
            usb->net.stats.errors++;
            return;
        }
        bb_usb_net_received(usb, data + BASE + offset, length, 0);
        data += size;
        left -= size;
    }
    usb->net.stats.errors += left >= BASE;
}

/* The end of the last message that has begun. */
static uint32_t rndis_missing(struct bb_usb_net *usb, const uint8_t *data, uint32_t length)
{
    uint32_t end = 0;
    (void)usb;
    while (end < length) {
        if (length - end < BASE)
            return BASE - (length - end); /* or a few bytes that mean nothing */
        uint32_t size = bb_usb_u32(data + end + 4);
        if (bb_usb_u32(data + end) != PACKET || size < PACKET_HEADER || size > MESSAGES - end)
            return UINT32_MAX;
        end += size;
    }
    return end - length;
}

/* ---- Probe ---- */

static int initialize(struct usb_rndis *chip)
{
    begin(chip, INITIALIZE, 24);
    put32(chip->message + 12, 1); /* version 1.0 */
    put32(chip->message + 20, MESSAGES);
    int error = command(chip);
    if (error)
        return bb_fail(&chip->device, "INITIALIZE", error);
    if (chip->answered < 44)
        return bb_fail(&chip->device, "INITIALIZE: a short answer", -EPROTO);
    if (bb_usb_u32(chip->answer + 28) != 0) /* 802.3 */
        return bb_fail(&chip->device, "INITIALIZE: no Ethernet", -ENOTSUP);
    uint32_t most = bb_usb_u32(chip->answer + 36);
    if (most < PACKET_HEADER + BB_NET_HEADER + BB_NET_MIN_MTU)
        return bb_fail(&chip->device, "INITIALIZE: transfers too small for IP", -EINVAL);
    most -= PACKET_HEADER + BB_NET_HEADER;
    chip->net.mtu = (uint16_t)(most < BB_USB_NET_MTU ? most : BB_USB_NET_MTU);
    return 0;
}

static int read_facts(struct usb_rndis *chip)
{
    uint8_t own[BB_MAC_SIZE];
    uint32_t most, state;
    int error = query(chip, OID_PERMANENT_ADDRESS, own, sizeof own);
    if (error)
        return bb_fail(&chip->device, "MAC address", error);
    if (!bb_mac_is_station(own))
        return bb_fail(&chip->device, "MAC address: of no station", -EINVAL);
    memcpy(chip->net.mac, own, sizeof own);
    (void)bb_net_default_mac(&chip->device, chip->net.mac);
    chip->other_mac = memcmp(chip->net.mac, own, sizeof own) != 0;
    error = query(chip, OID_MAXIMUM_FRAME_SIZE, &most, sizeof most);
    if (error)
        return bb_fail(&chip->device, "frame size", error);
    if (most < BB_NET_MIN_MTU)
        return bb_fail(&chip->device, "frame size: too small for IP", -EINVAL);
    if (most < chip->net.mtu)
        chip->net.mtu = (uint16_t)most;
    error = query(chip, OID_MEDIA_CONNECT_STATUS, &state, sizeof state);
    chip->net.link_up = error || state == 0; /* 0: connected; who cannot say is taken to be */
    return error == -ENODEV ? error : 0;
}

/* By its union descriptor; without one it is the next interface. */
static unsigned data_number(const struct bb_usb_interface *control)
{
    const uint8_t *at = control->descriptors, *end = at + control->descriptors_length;
    for (; at < end; at += at[0])
        if (at[1] == BB_USB_CLASS_INTERFACE && at[0] >= 5 && at[2] == UNION)
            return at[4];
    return control->number + 1u;
}

static const struct bb_usb_net_format format = {
    .wrap = rndis_wrap,
    .unwrap = rndis_unwrap,
    .room = MESSAGES,
    .missing = rndis_missing,
    .notice = rndis_notice,
    .chores = rndis_chores,
};

static int usb_rndis_probe(struct bb_device *device)
{
    struct usb_rndis *chip = bb_container_of(device, struct usb_rndis, device);
    int error = bb_usb_claim(device, &chip->control);
    if (error)
        return error;
    error = bb_usb_claim_number(device, data_number(chip->control), &chip->data);
    if (error)
        return bb_fail(device, "data interface", error);
    error = bb_usb_net_prepare(&chip->usb, &format, chip->data);
    if (error)
        return error;
    struct bb_usb_endpoint *notices = bb_usb_endpoint(chip->control, BB_USB_INTERRUPT, BB_USB_IN);
    if (!notices)
        return bb_fail(device, "interrupt endpoint", -ENOENT);
    error = bb_usb_net_listen(&chip->usb, notices);
    if (!error)
        error = initialize(chip);
    if (!error)
        error = read_facts(chip);
    chip->net.features = BB_NET_TELLS_LINK;
    return error;
}

/* So that the next driver of it begins anew; nobody waits for an answer to this. */
static void usb_rndis_remove(struct bb_device *device)
{
    struct usb_rndis *chip = bb_container_of(device, struct usb_rndis, device);
    if (chip->usb.gone)
        return;
    begin(chip, HALT, 12);
    (void)send_message(chip);
}

const struct bb_net_ops bb_ops_net_usb_rndis = BB_USB_NET_OPS;

/* As communication device, as wireless controller, as miscellaneous device. */
BB_DRIVER(net, usb_rndis, .bus = &bb_usb_bus,
          .match = BB_MATCH({"usbif,class2.2.ff"}, {"usbif,classe0.1.3"}, {"usbif,classef.4.1"}),
          .probe = usb_rndis_probe, .remove = usb_rndis_remove, .hotplug = true);
