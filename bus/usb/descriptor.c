/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors (Universal Serial Bus Specification 2.0, 9.6): everything in a configuration is
 * checked once, before anyone looks at it; what is wrong is refused as a whole, and said.
 */
#include "internal.h"

enum { /* smallest lengths, and where things stand */
       CONFIGURATION_BYTES = 9,
       INTERFACE_BYTES = 9,
       ENDPOINT_BYTES = 7,
       NUMBER = 2,
       ALTERNATE = 3,
       ENDPOINT_COUNT = 4,
       ADDRESS = 2,
       ATTRIBUTES = 3,
       PACKET = 4,
       INTERVAL = 6,
};

/* ---- Endpoints ---- */

static uint16_t packet_of(const uint8_t *endpoint)
{
    return bb_usb_u16(endpoint + PACKET) & 0x7ff;
}

static unsigned multiple_of(const uint8_t *endpoint)
{
    return (bb_usb_u16(endpoint + PACKET) >> 11 & 3) + 1u;
}

static bool is_bulk_packet(unsigned packet, enum bb_usb_speed speed)
{
    if (speed == BB_USB_HIGH)
        return packet == 512;
    return packet == 8 || packet == 16 || packet == 32 || packet == 64;
}

/* Tables 5-5 to 5-9: what a packet may hold. */
static const char *check_packet(const uint8_t *endpoint, enum bb_usb_speed speed)
{
    static const uint16_t interrupt[] = {8, 64, 1024};
    unsigned packet = packet_of(endpoint), multiple = multiple_of(endpoint);
    bool sound = packet && packet <= interrupt[speed];
    switch (endpoint[ATTRIBUTES] & 3) {
    case BB_USB_CONTROL:
        return "it has a second control endpoint";
    case BB_USB_BULK:
        if (speed == BB_USB_LOW)
            return "it has a bulk endpoint at low speed";
        sound = is_bulk_packet(packet, speed);
        multiple = 1; /* the bits mean nothing there */
        break;
    case BB_USB_ISOCHRONOUS:
        if (speed == BB_USB_LOW)
            return "it has an isochronous endpoint at low speed";
        sound = packet <= (speed == BB_USB_HIGH ? 1024u : 1023u);
    }
    if (!sound || multiple > 3 || (speed != BB_USB_HIGH && multiple > 1))
        return "an endpoint has an impossible packet size";
    return NULL;
}

static const char *check_endpoint(const uint8_t *endpoint, enum bb_usb_speed speed)
{
    if (endpoint[0] < ENDPOINT_BYTES)
        return "an endpoint descriptor is too short";
    if (!(endpoint[ADDRESS] & 0xf) || endpoint[ADDRESS] & 0x70)
        return "an endpoint has an impossible address";
    return check_packet(endpoint, speed);
}

/* Microseconds (9.6.6); what says nothing sensible is asked as seldom as the bus allows. */
static uint32_t interval_of(const uint8_t *endpoint, enum bb_usb_speed speed)
{
    unsigned value = endpoint[INTERVAL];
    if (speed != BB_USB_HIGH)
        return value ? value * 1000u : 255000;
    return value && value <= 12 ? 125u << (value - 1) : 256000;
}

/* ---- A configuration ---- */

struct check {
    enum bb_usb_speed speed;
    struct bb_usb_layout *layout;
    struct bb_usb_part *part; /* the interface at hand; NULL: none */
    uint32_t settings[8];     /* bit n: the part has alternate setting n */
    uint32_t endpoints;       /* of the setting at hand: OUT in the lower half, IN above */
    uint32_t of_part, taken;  /* of the part; of those before it */
    unsigned expected;        /* endpoints of the setting still to come */
};

static const char *end_setting(const struct check *check)
{
    return check->expected ? "an interface has fewer endpoints than it says" : NULL;
}

static const char *end_part(struct check *check)
{
    if (!check->part)
        return NULL;
    if (!(check->settings[0] & 1))
        return "an interface has no alternate setting 0";
    if (check->of_part & check->taken)
        return "two interfaces have the same endpoint";
    check->taken |= check->of_part;
    check->part = NULL;
    return NULL;
}

static const char *begin_part(struct check *check, const uint8_t *interface, size_t at)
{
    struct bb_usb_layout *layout = check->layout;
    const char *wrong = end_part(check);
    if (wrong)
        return wrong;
    for (unsigned i = 0; i < layout->count; i++)
        if (layout->parts[i].number == interface[NUMBER])
            return "the settings of an interface stand apart";
    if (layout->count == BB_USB_INTERFACES)
        return "it has more interfaces than Busbar takes";
    check->part = &layout->parts[layout->count];
    *check->part = (struct bb_usb_part){
        .number = interface[NUMBER], .owner = layout->count, .at = (uint16_t)at};
    layout->count++;
    for (unsigned i = 0; i < 8; i++)
        check->settings[i] = 0;
    check->of_part = 0;
    return NULL;
}

static const char *take_interface(struct check *check, const uint8_t *interface, size_t at)
{
    const char *wrong = end_setting(check);
    if (wrong)
        return wrong;
    if (interface[0] < INTERFACE_BYTES)
        return "an interface descriptor is too short";
    if (!check->part || check->part->number != interface[NUMBER])
        wrong = begin_part(check, interface, at);
    if (wrong)
        return wrong;
    unsigned alternate = interface[ALTERNATE];
    if (check->settings[alternate / 32] & 1u << alternate % 32)
        return "an alternate setting stands there twice";
    check->settings[alternate / 32] |= 1u << alternate % 32;
    if (interface[ENDPOINT_COUNT] > BB_USB_ENDPOINTS)
        return "an interface has more endpoints than Busbar takes";
    check->expected = interface[ENDPOINT_COUNT];
    check->endpoints = 0;
    if (!alternate) {
        check->part->class = interface[5];
        check->part->subclass = interface[6];
        check->part->protocol = interface[7];
    }
    return NULL;
}

static const char *take_endpoint(struct check *check, const uint8_t *endpoint)
{
    const char *wrong = check_endpoint(endpoint, check->speed);
    if (wrong)
        return wrong;
    if (!check->part || !check->expected)
        return "an endpoint belongs to no interface";
    unsigned bit = (endpoint[ADDRESS] & 0xfu) + (endpoint[ADDRESS] & BB_USB_IN ? 16u : 0u);
    if (check->endpoints & 1u << bit)
        return "an interface has the same endpoint twice";
    check->endpoints |= 1u << bit;
    check->of_part |= 1u << bit;
    check->expected--;
    return NULL;
}

static const char *take(struct check *check, const uint8_t *at, size_t offset)
{
    const char *wrong = NULL;
    switch (at[1]) {
    case BB_USB_INTERFACE_DESCRIPTOR:
        return take_interface(check, at, offset);
    case BB_USB_ENDPOINT_DESCRIPTOR:
        return take_endpoint(check, at);
    case BB_USB_DEVICE_DESCRIPTOR:
    case BB_USB_CONFIGURATION_DESCRIPTOR:
        return "a descriptor of a device stands inside a configuration";
    case BB_USB_ASSOCIATION_DESCRIPTOR:
        wrong = end_setting(check);
        return wrong ? wrong : end_part(check);
    }
    return NULL;
}

const char *bb_usb_check(const uint8_t *data, size_t length, enum bb_usb_speed speed,
                         struct bb_usb_layout *layout)
{
    struct check check = {.speed = speed, .layout = layout};
    const char *wrong = NULL;
    layout->count = 0;
    if (length < CONFIGURATION_BYTES || data[0] < CONFIGURATION_BYTES || data[0] > length ||
        data[1] != BB_USB_CONFIGURATION_DESCRIPTOR || bb_usb_u16(data + 2) != length)
        return "a configuration's descriptor is malformed";
    if (!data[5])
        return "a configuration has the number 0";
    for (size_t at = data[0]; at < length && !wrong; at += data[at]) {
        if (length - at < 2 || data[at] < 2 || data[at] > length - at)
            return "a descriptor does not end where it says";
        wrong = take(&check, data + at, at);
        if (!wrong && check.part)
            check.part->length = (uint16_t)(at + data[at] - check.part->at);
    }
    wrong = wrong ? wrong : end_setting(&check);
    wrong = wrong ? wrong : end_part(&check);
    if (!wrong && layout->count != data[4])
        wrong = "it has not as many interfaces as it says";
    if (!wrong)
        bb_usb_group(data, length, layout);
    return wrong;
}

/* ---- Interfaces ---- */

/* The interface descriptor of an alternate setting, or NULL. What follows ends at `*end`. */
static const uint8_t *find_setting(const struct bb_usb_interface *interface, unsigned alternate,
                                   const uint8_t **end)
{
    const uint8_t *found = NULL, *at = interface->descriptors;
    *end = at + interface->descriptors_length;
    for (; at < *end; at += at[0]) {
        if (at[1] != BB_USB_INTERFACE_DESCRIPTOR)
            continue;
        if (found)
            *end = at;
        else if (at[ALTERNATE] == alternate)
            found = at;
    }
    return found;
}

void bb_usb_interface_begin(struct bb_usb_interface *interface, struct bb_usb_device *device,
                            const uint8_t *data, const struct bb_usb_part *part)
{
    interface->device = device;
    interface->number = part->number;
    interface->descriptors = data + part->at;
    interface->descriptors_length = part->length;
    (void)bb_usb_use_setting(interface, 0);
}

bool bb_usb_has_setting(const struct bb_usb_interface *interface, unsigned alternate)
{
    const uint8_t *end;
    return find_setting(interface, alternate, &end);
}

static void make_endpoint(struct bb_usb_endpoint *endpoint, struct bb_usb_interface *interface,
                          const uint8_t *at)
{
    struct bb_usb_device *device = interface->device;
    *endpoint = (struct bb_usb_endpoint){
        .device = device,
        .interface = interface,
        .address = at[ADDRESS],
        .type = at[ATTRIBUTES] & 3,
        .multiple = 1,
        .packet = packet_of(at),
        .interval = interval_of(at, device->speed),
    };
    if (endpoint->type == BB_USB_INTERRUPT || endpoint->type == BB_USB_ISOCHRONOUS)
        endpoint->multiple = (uint8_t)multiple_of(at);
}

int bb_usb_use_setting(struct bb_usb_interface *interface, unsigned alternate)
{
    const uint8_t *end, *at = find_setting(interface, alternate, &end);
    if (!at)
        return -ENOENT;
    interface->alternate = (uint8_t)alternate;
    interface->class = at[5];
    interface->subclass = at[6];
    interface->protocol = at[7];
    interface->endpoint_count = 0;
    for (at += at[0]; at < end; at += at[0])
        if (at[1] == BB_USB_ENDPOINT_DESCRIPTOR)
            make_endpoint(&interface->endpoints[interface->endpoint_count++], interface, at);
    return 0;
}

struct bb_usb_endpoint *bb_usb_endpoint(struct bb_usb_interface *interface, enum bb_usb_type type,
                                        enum bb_usb_direction direction)
{
    for (unsigned i = 0; i < interface->endpoint_count; i++) {
        struct bb_usb_endpoint *endpoint = &interface->endpoints[i];
        if (endpoint->type == type && (endpoint->address & BB_USB_IN) == direction)
            return endpoint;
    }
    return NULL;
}

const uint8_t *bb_usb_descriptor(const struct bb_usb_interface *interface, unsigned type,
                                 int subtype, size_t minimum)
{
    const uint8_t *end, *at = find_setting(interface, interface->alternate, &end);
    for (; at && at < end; at += at[0])
        if (at[1] == type && at[0] >= minimum && (subtype < 0 || (at[0] >= 3 && at[2] == subtype)))
            return at;
    return NULL;
}

size_t bb_usb_largest_room(const struct bb_usb *usb, size_t size)
{
    size_t largest = (size + 63) / 64 * 64;
    for (size_t at = 0; usb->chosen && at < usb->chosen->length; at += usb->chosen->data[at]) {
        const uint8_t *endpoint = usb->chosen->data + at;
        size_t packet = endpoint[1] == BB_USB_ENDPOINT_DESCRIPTOR ? packet_of(endpoint) : 0;
        size_t room = packet ? (size + packet - 1) / packet * packet : 0;
        largest = room > largest ? room : largest;
    }
    return largest;
}
