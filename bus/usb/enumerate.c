/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a device that was just reset to a configured one (Universal Serial Bus Specification 2.0,
 * 9.1.2): one request at a time, each step taken when the one before was answered. A step that
 * fails ends the try; the port decides whether there is another.
 */
#include <string.h>

#include <busbar/log.h>

#include "internal.h"

enum step { FIRST, ADDRESS, DEVICE, HEAD, WHOLE, LANGUAGES, STRING, CONFIGURE };

enum {
    FIRST_MS = 500,   /* for an answer at address 0, which others wait for */
    ANSWER_MS = 1000, /* and at its own */
    SETTLE_MS = 10,   /* after SET_ADDRESS, before the device must hear the new one */
    FIRST_BYTES = 8,  /* of the device descriptor: up to the packet size */
    DEVICE_BYTES = 18,
    HEAD_BYTES = 9,
    STRINGS = 3,
    STRING_INDEX = 14, /* in the device descriptor, of the first of them */
    ADDRESSES = 128,
};

static void begin_step(struct bb_usb *usb, enum step step);

/* ---- Requests ---- */

static void answered(struct bb_usb_request *request)
{
    struct bb_usb *usb = bb_container_of(request, struct bb_usb, request);
    usb->answered = true;
    bb_usb_wake(usb->device.host);
}

static void ask(struct bb_usb *usb, struct bb_usb_setup setup, void *data)
{
    usb->answered = false;
    usb->due = BB_FOREVER;
    usb->request = (struct bb_usb_request){
        .setup = setup,
        .data = data,
        .direct = data == usb->buffer || setup.length > BB_USB_CONTROL_MAX,
        .timeout = (usb->device.address ? ANSWER_MS : FIRST_MS) * BB_MSEC,
        .done = answered,
    };
    bb_usb_request(&usb->device, &usb->request);
}

static void ask_descriptor(struct bb_usb *usb, unsigned type, unsigned index, unsigned language,
                           void *data, unsigned length)
{
    ask(usb,
        (struct bb_usb_setup){BB_USB_IN, BB_USB_GET_DESCRIPTOR, (uint16_t)(type << 8 | index),
                              (uint16_t)language, (uint16_t)length},
        data);
}

static void tell(struct bb_usb *usb, unsigned request, unsigned value)
{
    ask(usb, (struct bb_usb_setup){0, (uint8_t)request, (uint16_t)value, 0, 0}, NULL);
}

/* ---- Failure ---- */

static void fail_as(struct bb_usb *usb, bool fatal, const char *why)
{
    if (usb->device.gone)
        return;
    if (why != usb->why)
        (void)bb_format(usb->why, sizeof(usb->why), "%s", why);
    usb->device.why = usb->why;
    usb->device.gone = true;
    bb_usb_port_failed(usb, fatal);
}

static void fail(struct bb_usb *usb, const char *why)
{
    fail_as(usb, false, why);
}

static void fail_at(struct bb_usb *usb, const char *what)
{
    int status = usb->request.status;
    (void)bb_format(usb->why, sizeof(usb->why), "%s: %s", what,
                    bb_usb_status_name(status ? status : -EPROTO));
    fail(usb, usb->why);
}

/* ---- Device descriptor and address ---- */

static unsigned packet_of(const struct bb_usb *usb)
{
    unsigned packet = usb->descriptor[7];
    bool power = packet == 8 || packet == 16 || packet == 32 || packet == 64;
    if (usb->device.speed == BB_USB_LOW)
        return packet == 8 ? packet : 0;
    if (usb->device.speed == BB_USB_HIGH)
        return packet == 64 ? packet : 0;
    return power ? packet : 0;
}

/* From one that answers with more than it may at its address, nothing is to be expected. */
static bool is_device(const struct bb_usb *usb)
{
    return usb->descriptor[0] >= DEVICE_BYTES && usb->descriptor[1] == BB_USB_DEVICE_DESCRIPTOR;
}

static void forget_endpoint(struct bb_usb *usb)
{
    struct bb_usb_host *host = usb->device.host;
    const struct bb_usb_host_ops *ops = &BB_BOUND_USB_HOST;
    if (host->started && ops->forget)
        ops->forget(host, &usb->device.control);
}

static uint8_t take_address(struct bb_usb *usb)
{
    struct bb_usb_host *host = usb->device.host;
    for (unsigned address = 1; address < ADDRESSES; address++) {
        uint32_t *word = &host->addresses[address / 32], bit = 1u << address % 32;
        if (*word & bit)
            continue;
        *word |= bit;
        usb->taken_address = (uint8_t)address;
        break; /* there are more addresses than slots */
    }
    return usb->taken_address;
}

void bb_usb_free_address(struct bb_usb *usb)
{
    unsigned address = usb->taken_address;
    if (address) /* 0 stays taken for ever */
        usb->device.host->addresses[address / 32] &= ~(1u << address % 32);
}

static void first_answered(struct bb_usb *usb)
{
    unsigned packet = packet_of(usb);
    if (usb->request.status || usb->request.actual < FIRST_BYTES) {
        fail_at(usb, "its device descriptor");
    } else if (!is_device(usb)) {
        fail(usb, "its device descriptor is malformed");
    } else if (!packet) {
        fail(usb, "its control endpoint has an impossible packet size");
    } else {
        forget_endpoint(usb);
        usb->device.control.packet = (uint16_t)packet;
        begin_step(usb, ADDRESS);
    }
}

static void address_answered(struct bb_usb *usb)
{
    struct bb_usb_device *device = &usb->device;
    if (usb->request.status) {
        fail_at(usb, "SET_ADDRESS");
        return;
    }
    forget_endpoint(usb);
    device->address = (uint8_t)usb->request.setup.value;
    bb_usb_port_addressed(usb);
    usb->step = DEVICE; /* begins when the device has had time to take its address */
    usb->due = bb_time() + SETTLE_MS * BB_MSEC;
}

static void device_answered(struct bb_usb *usb)
{
    struct bb_usb_device *device = &usb->device;
    const uint8_t *now = usb->buffer;
    if (usb->request.status || usb->request.actual < DEVICE_BYTES) {
        fail_at(usb, "its device descriptor");
        return;
    }
    if (memcmp(now, usb->descriptor, FIRST_BYTES) != 0) {
        fail(usb, "its device descriptor changes while it is read");
        return;
    }
    memcpy(usb->descriptor, now, DEVICE_BYTES);
    device->class = now[4];
    device->subclass = now[5];
    device->protocol = now[6];
    device->vendor = bb_usb_u16(now + 8);
    device->product = bb_usb_u16(now + 10);
    device->release = bb_usb_u16(now + 12);
    if (!now[17]) {
        fail(usb, "it has no configuration");
        return;
    }
    begin_step(usb, HEAD);
}

/* ---- Configurations ---- */

static unsigned configurations_wanted(const struct bb_usb *usb)
{
    unsigned count = usb->descriptor[17];
    return count < BB_USB_CONFIGURATIONS ? count : BB_USB_CONFIGURATIONS;
}

/* Read in whole packets, which must not write past it. */
static void head_answered(struct bb_usb *usb)
{
    unsigned length = bb_usb_u16(usb->head + 2);
    if (usb->request.status || usb->request.actual < HEAD_BYTES) {
        fail_at(usb, "a configuration's descriptor");
        return;
    }
    if (usb->head[0] < HEAD_BYTES || usb->head[1] != BB_USB_CONFIGURATION_DESCRIPTOR ||
        length < HEAD_BYTES) {
        fail(usb, "a configuration's descriptor is malformed");
        return;
    }
    if (length > (unsigned)(BB_USB_DESCRIPTORS - usb->descriptor_bytes)) {
        fail_as(usb, true, "its configurations are longer than Busbar takes");
        return;
    }
    struct bb_usb_configuration *at = &usb->configurations[usb->configuration_count];
    at->data =
        bb_slot_alloc(usb->slot, bb_usb_room(&usb->device.control, length), BB_USB_ALIGNMENT);
    at->length = (uint16_t)length;
    if (!at->data) {
        fail_as(usb, true, "its slot is full: raise `usb.slot`");
        return;
    }
    usb->descriptor_bytes = (uint16_t)(usb->descriptor_bytes + length);
    begin_step(usb, WHOLE);
}

static void whole_answered(struct bb_usb *usb)
{
    const struct bb_usb_configuration *at = &usb->configurations[usb->configuration_count];
    if (usb->request.status) {
        fail_at(usb, "a configuration");
        return;
    }
    if (usb->request.actual < at->length) {
        fail(usb, "a configuration is shorter than it says");
        return;
    }
    if (memcmp(at->data, usb->head, HEAD_BYTES) != 0) {
        fail(usb, "a configuration changes while it is read");
        return;
    }
    usb->configuration_count++;
    begin_step(usb, usb->configuration_count < configurations_wanted(usb) ? HEAD : LANGUAGES);
}

/* ---- Strings ---- */

/* One character from UTF-16; what stands alone is replaced. */
static uint32_t next_character(const uint8_t *from, size_t count, size_t *at)
{
    uint32_t unit = bb_usb_u16(from + *at);
    *at += 2;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || count - *at < 2)
        return 0xfffd;
    uint32_t low = bb_usb_u16(from + *at);
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *at += 2;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static size_t put_character(uint32_t character, char *to)
{
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    size_t count = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = count - 1; i > 0; i--, character >>= 6)
        to[i] = (char)(0x80 | (character & 0x3f));
    to[0] = (char)(lead[count] | character);
    return count;
}

size_t bb_usb_utf8(const uint8_t *from, size_t count, char *to, size_t size)
{
    size_t used = 0;
    count &= ~(size_t)1; /* half a character is none */
    for (size_t at = 0; at < count;) {
        char character[4];
        uint32_t code = next_character(from, count, &at);
        if (!code)
            break;
        if (code < ' ' || (code >= 0x7f && code < 0xa0))
            code = '?';
        size_t length = put_character(code, character);
        if (length >= size - used)
            break;
        memcpy(to + used, character, length);
        used += length;
    }
    while (used && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
    return used;
}

static char *string_of(struct bb_usb_device *device, unsigned which)
{
    char *const strings[STRINGS] = {device->manufacturer, device->model, device->serial};
    return strings[which];
}

/* Bytes that a string descriptor really has; 0 where it is none. */
static size_t string_bytes(const struct bb_usb *usb)
{
    const uint8_t *data = usb->buffer;
    size_t count = usb->request.actual;
    if (usb->request.status || count < 2 || data[0] < 2 || data[1] != BB_USB_STRING_DESCRIPTOR)
        return 0;
    return data[0] < count ? data[0] : count;
}

/* The next one that the device names, or what follows the strings. */
static void next_string(struct bb_usb *usb, unsigned which)
{
    while (which < STRINGS && !usb->descriptor[STRING_INDEX + which])
        which++;
    usb->string_index = (uint8_t)which;
    begin_step(usb, which < STRINGS ? STRING : CONFIGURE);
}

/* A device may do without; one that says nothing at all is not asked again. */
static void languages_answered(struct bb_usb *usb)
{
    const uint8_t *data = usb->buffer;
    if (string_bytes(usb) < 4) {
        begin_step(usb, CONFIGURE);
        return;
    }
    usb->language = bb_usb_u16(data + 2);
    next_string(usb, 0);
}

static void string_answered(struct bb_usb *usb)
{
    const uint8_t *data = usb->buffer;
    size_t count = string_bytes(usb);
    if (count)
        (void)bb_usb_utf8(data + 2, count - 2, string_of(&usb->device, usb->string_index),
                          BB_USB_TEXT);
    if (usb->request.status == -ETIMEDOUT)
        begin_step(usb, CONFIGURE);
    else
        next_string(usb, usb->string_index + 1u);
}

/* ---- The choice ---- */

static void configure(struct bb_usb *usb)
{
    struct bb_usb_device *device = &usb->device;
    struct bb_usb_layout layout;
    const char *why;
    usb->chosen = bb_usb_choose(usb, &layout, &why);
    if (!usb->chosen) {
        fail_as(usb, true, why);
        return;
    }
    const uint8_t *data = usb->chosen->data;
    device->interfaces = bb_slot_alloc(usb->slot, layout.count * sizeof(struct bb_usb_interface),
                                       _Alignof(struct bb_usb_interface));
    if (!device->interfaces) {
        fail_as(usb, true, "its slot is full: raise `usb.slot`");
        return;
    }
    device->interface_count = layout.count;
    for (unsigned i = 0; i < layout.count; i++)
        bb_usb_interface_begin(&device->interfaces[i], device, data, &layout.parts[i]);
    device->self_powered = data[7] & 0x40;
    device->power = (uint16_t)(data[8] * 2);
    tell(usb, BB_USB_SET_CONFIGURATION, data[5]);
}

static void configure_answered(struct bb_usb *usb)
{
    if (usb->request.status) {
        fail_at(usb, "SET_CONFIGURATION");
        return;
    }
    usb->device.configuration = usb->chosen->data[5];
    usb->state = BB_USB_CONFIGURED;
    bb_usb_port_succeeded(usb);
    usb->device.host->stats.plugged++;
}

/* ---- Steps ---- */

static void begin_step(struct bb_usb *usb, enum step step)
{
    uint8_t *descriptor = usb->descriptor;
    unsigned index = usb->configuration_count;
    usb->step = (uint8_t)step;
    switch (step) {
    case FIRST:
        ask_descriptor(usb, BB_USB_DEVICE_DESCRIPTOR, 0, 0, descriptor, FIRST_BYTES);
        break;
    case ADDRESS:
        tell(usb, BB_USB_SET_ADDRESS, take_address(usb));
        break;
    case DEVICE:
        ask_descriptor(usb, BB_USB_DEVICE_DESCRIPTOR, 0, 0, usb->buffer, DEVICE_BYTES);
        break;
    case HEAD:
        ask_descriptor(usb, BB_USB_CONFIGURATION_DESCRIPTOR, index, 0, usb->head, HEAD_BYTES);
        break;
    case WHOLE:
        ask_descriptor(usb, BB_USB_CONFIGURATION_DESCRIPTOR, index, 0,
                       (void *)(uintptr_t)usb->configurations[index].data,
                       usb->configurations[index].length);
        break;
    case LANGUAGES:
        ask_descriptor(usb, BB_USB_STRING_DESCRIPTOR, 0, 0, usb->buffer, 255);
        break;
    case STRING:
        ask_descriptor(usb, BB_USB_STRING_DESCRIPTOR, descriptor[STRING_INDEX + usb->string_index],
                       usb->language, usb->buffer, 255);
        break;
    case CONFIGURE:
        configure(usb);
        break;
    }
}

bool bb_usb_enumerate_step(struct bb_usb *usb, uint64_t now)
{
    static void (*const steps[])(struct bb_usb * usb) = {
        [FIRST] = first_answered,   [ADDRESS] = address_answered,
        [DEVICE] = device_answered, [HEAD] = head_answered,
        [WHOLE] = whole_answered,   [LANGUAGES] = languages_answered,
        [STRING] = string_answered, [CONFIGURE] = configure_answered,
    };
    if (usb->state != BB_USB_ENUMERATING || usb->device.gone)
        return false;
    if (usb->answered) {
        usb->answered = false;
        steps[usb->step](usb);
        return true;
    }
    if (usb->due > now)
        return false;
    usb->due = BB_FOREVER;
    begin_step(usb, (enum step)usb->step);
    return true;
}

/* ---- The beginning ---- */

static struct bb_usb *take_slot(struct bb_slots *slots, struct bb_usb_hub *hub, unsigned port)
{
    struct bb_slot *slot = bb_slot_take(slots);
    if (!slot)
        return NULL;
    struct bb_usb *usb = bb_slot_alloc(slot, sizeof(*usb), BB_USB_ALIGNMENT);
    usb->slot = slot;
    usb->due = BB_FOREVER;
    struct bb_usb_device *device = &usb->device, **at = &hub->host->devices;
    device->host = hub->host;
    device->hub = hub;
    device->port = (uint8_t)port;
    device->tier = (uint8_t)(hub->tier + 1);
    while (*at)
        at = &(*at)->next;
    *at = device;
    hub->port[port - 1].device = device;
    return usb;
}

static void find_translator(struct bb_usb_device *device)
{
    const struct bb_usb_hub *hub = device->hub;
    const struct bb_usb_device *above = hub->device;
    if (device->speed == BB_USB_HIGH || !above)
        return;
    if (above->speed == BB_USB_HIGH) {
        device->split_address = above->address;
        device->split_port = device->port;
        device->split_multiple = hub->multiple;
    } else {
        device->split_address = above->split_address;
        device->split_port = above->split_port;
        device->split_multiple = above->split_multiple;
    }
}

int bb_usb_enumerate(struct bb_usb_hub *hub, unsigned port, enum bb_usb_speed speed)
{
    struct bb_usb *usb = take_slot(&hub->host->slots, hub, port);
    if (!usb)
        return -ENOSPC;
    usb->device.speed = (uint8_t)speed;
    find_translator(&usb->device);
    usb->device.control = (struct bb_usb_endpoint){
        .device = &usb->device,
        .type = BB_USB_CONTROL,
        .multiple = 1,
        .packet = speed == BB_USB_HIGH ? 64 : 8,
    };
    usb->buffer = bb_slot_alloc(usb->slot, BB_USB_CONTROL_MAX, BB_USB_ALIGNMENT);
    begin_step(usb, FIRST);
    return 0;
}

void bb_usb_refuse(struct bb_usb_hub *hub, unsigned port, const char *why)
{
    struct bb_usb *usb = take_slot(&hub->host->refused, hub, port);
    if (!usb)
        return; /* the log has it */
    usb->device.speed = hub->port[port - 1].speed;
    usb->device.gone = true;
    usb->state = BB_USB_GIVEN_UP;
    (void)bb_format(usb->why, sizeof(usb->why), "%s", why);
    usb->device.why = usb->why;
}
