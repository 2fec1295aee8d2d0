/* SPDX-License-Identifier: BSD-2-Clause */
/* What is plugged in: the tree of devices, and what one of them says of itself (Universal Serial
 * Bus Specification 2.0, chapters 9 and 11; CDC 1.2, 5.2.3; HID 1.11, 6.2.1). */
#include "command.h"

#ifdef BB_FACE_USB_HOST
#include <string.h>

#include <busbar/usb_host.h>

enum { HID = 3, HUB = 9, TIERS = 6 };

static const char *const speeds[] = {"1.5 Mb/s", "12 Mb/s", "480 Mb/s"};

static const char *class_name(unsigned class)
{
    static const struct {
        uint8_t class;
        const char *name;
    } names[] = {
        {0x00, "by interface"}, {0x01, "audio"},   {0x02, "communication"}, {0x03, "HID"},
        {0x05, "physical"},     {0x06, "image"},   {0x07, "printer"},       {0x08, "storage"},
        {0x09, "hub"},          {0x0a, "data"},    {0x0b, "smart card"},    {0x0e, "video"},
        {0xe0, "wireless"},     {0xef, "several"}, {0xfe, "application"},   {0xff, "vendor's own"}};
    for (size_t i = 0; i < BB_ARRAY_SIZE(names); i++)
        if (names[i].class == class)
            return names[i].name;
    return "unknown class";
}

static void say_class(unsigned class, unsigned subclass, unsigned protocol)
{
    say("%s (%02x.%02x.%02x)", class_name(class), class, subclass, protocol);
}

/* ---- The tree ---- */

static void say_drivers(const struct bb_usb_device *device)
{
    for (unsigned i = 0; i < device->interface_count; i++) {
        const struct bb_node *node = device->interfaces[i].node;
        if (!node)
            continue;
        if (node->state == BB_NODE_RUNNING)
            say(", %s", node->driver->name);
        else
            say(", class %s, no driver", class_name(device->interfaces[i].class));
    }
}

static void say_strings(const struct bb_usb_device *device)
{
    const char *const strings[] = {device->manufacturer, device->model, device->serial};
    for (size_t i = 0; i < BB_ARRAY_SIZE(strings); i++)
        if (*strings[i])
            say(" %s%s", i == 2 ? "#" : "", strings[i]);
}

static void say_device(const struct bb_usb_device *device)
{
    say("%*sport %u: ", 2 * device->tier, "", device->port);
    if (device->vendor || device->product)
        say("%04x:%04x", device->vendor, device->product);
    if (device->why) {
        say(" refused: %s\n", device->why);
        return;
    }
    if (!device->configuration) {
        say(" on its way\n");
        return;
    }
    say_strings(device);
    say(", %s, address %u, %u mA%s", speeds[device->speed], device->address, device->power,
        device->self_powered ? " and its own supply" : "");
    say_drivers(device);
    say("\n");
}

static void say_below(const struct bb_usb_host *host, const struct bb_usb_device *hub)
{
    for (const struct bb_usb_device *at = bb_usb_next(NULL); at; at = bb_usb_next(at)) {
        if (at->host != host || at->hub->device != hub)
            continue;
        say_device(at);
        if (at->tier < TIERS)
            say_below(host, at);
    }
}

static int list(void)
{
    if (!bb_usb_host_first())
        return -ENODEV;
    for (const struct bb_usb_host *host = bb_usb_host_first(); host;
         host = bb_usb_host_next(host)) {
        const struct bb_usb_host_stats *stats = &host->stats;
        say("%s: %u port%s, %llu of %u slots taken\n", host->face.device->name, host->ports,
            host->ports == 1 ? "" : "s", (unsigned long long)host->slots.taken, host->slots.count);
        say_below(host, NULL);
        say("  %llu transfers, %llu bytes, %llu errors, %llu of these time-outs\n",
            (unsigned long long)stats->transfers, (unsigned long long)stats->bytes,
            (unsigned long long)stats->errors, (unsigned long long)stats->timeouts);
    }
    return 0;
}

/* ---- One device ---- */

static void say_bytes(const uint8_t *at, const uint8_t *end)
{
    for (; at < end; at++)
        say(" %02x", *at);
    say("\n");
}

static void say_configuration(const uint8_t *at)
{
    say("  configuration %u: %u interface%s, %s, %u mA\n", at[5], at[4], at[4] == 1 ? "" : "s",
        at[7] & 0x40 ? "own supply" : "bus powered", at[8] * 2u);
}

static void say_interface(const uint8_t *at)
{
    say("    interface %u, setting %u: ", at[2], at[3]);
    say_class(at[5], at[6], at[7]);
    say("\n");
}

static void say_endpoint(const uint8_t *at)
{
    static const char *const types[] = {"control", "isochronous", "bulk", "interrupt"};
    unsigned packet = bb_usb_u16(at + 4);
    say("      endpoint %02x: %s %s, %u bytes", at[2], types[at[3] & 3],
        at[2] & BB_USB_IN ? "in" : "out", packet & 0x7ff);
    if (packet >> 11 & 3)
        say(", %u in a microframe", (packet >> 11 & 3) + 1);
    if ((at[3] & 3) == BB_USB_INTERRUPT)
        say(", interval %u", at[6]);
    say("\n");
}

static void say_hid(const uint8_t *at)
{
    say("      HID %x.%02x, country %u", at[3], at[2], at[4]);
    for (unsigned i = 0; i < at[5] && 6u + 3 * i + 3 <= at[0]; i++)
        say(", %u bytes of type %02x", bb_usb_u16(at + 7 + 3 * i), at[6 + 3 * i]);
    say("\n");
}

static void say_communication(const uint8_t *at)
{
    static const char *const names[] = {[0] = "header", [1] = "call management", [2] = "ACM",
                                        [6] = "union",  [7] = "country",         [15] = "Ethernet"};
    unsigned subtype = at[2];
    if (subtype == 0 && at[0] >= 5)
        say("      CDC %x.%02x\n", at[4], at[3]);
    else if (subtype == 6 && at[0] >= 5) {
        say("      CDC union: interface %u has", at[3]);
        for (unsigned i = 4; i < at[0]; i++)
            say(" %u", at[i]);
        say("\n");
    } else if (subtype == 15 && at[0] >= 13) {
        say("      CDC Ethernet: MAC in string %u, frames of %u bytes\n", at[3],
            bb_usb_u16(at + 8));
    } else {
        bool known = subtype < BB_ARRAY_SIZE(names) && names[subtype];
        say("      CDC %s:", known ? names[subtype] : "function");
        say_bytes(at + 2, at + at[0]);
    }
}

static void say_association(const uint8_t *at)
{
    say("    interfaces %u to %u together: ", at[2], at[2] + at[3] - 1u);
    say_class(at[4], at[5], at[6]);
    say("\n");
}

/* All of a configuration was checked; this only looks at what has the length for it. */
static void say_descriptor(const uint8_t *at, unsigned class)
{
    unsigned length = at[0];
    if (at[1] == BB_USB_CONFIGURATION_DESCRIPTOR && length >= 9)
        say_configuration(at);
    else if (at[1] == BB_USB_INTERFACE_DESCRIPTOR && length >= 9)
        say_interface(at);
    else if (at[1] == BB_USB_ENDPOINT_DESCRIPTOR && length >= 7)
        say_endpoint(at);
    else if (at[1] == BB_USB_ASSOCIATION_DESCRIPTOR && length >= 8)
        say_association(at);
    else if (at[1] == BB_USB_HID_DESCRIPTOR && class == HID && length >= 6)
        say_hid(at);
    else if (at[1] == BB_USB_CLASS_INTERFACE && (class == 2 || class == 10) && length >= 3)
        say_communication(at);
    else {
        say("      type %02x:", at[1]);
        say_bytes(at + 2, at + length);
    }
}

static void say_hub(struct bb_usb_device *device)
{
    static const char *const power[] = {"all ports together", "each port", "not", "not"};
    static const char *const current[] = {"of all ports", "of each port", "not", "not"};
    uint8_t data[16];
    int got = bb_usb_control(device, BB_USB_IN | BB_USB_CLASS, BB_USB_GET_DESCRIPTOR,
                             BB_USB_HUB_DESCRIPTOR << 8, 0, data, sizeof(data));
    if (got < 7 || data[1] != BB_USB_HUB_DESCRIPTOR)
        return;
    say("  hub: %u ports, power switched: %s, over-current noticed: %s, power good after %u ms, "
        "itself %u mA\n",
        data[2], power[data[3] & 3], current[data[3] >> 3 & 3], data[5] * 2u, data[6]);
}

static int show(struct bb_usb_device *device)
{
    char path[512]; /* as much as say() shows */
    size_t length;
    const uint8_t *data = bb_usb_configuration(device, &length);
    if (device->node)
        (void)bb_node_path(device->node, path, sizeof(path));
    say("%s\n  %04x:%04x, release %x.%02x, ", device->node ? path : "no node yet", device->vendor,
        device->product, device->release >> 8, device->release & 0xff);
    say_class(device->class, device->subclass, device->protocol);
    say(", %s, port %u, tier %u, address %u\n", speeds[device->speed], device->port, device->tier,
        device->address);
    if (device->split_address)
        say("  by split transactions of hub %u, port %u\n", device->split_address,
            device->split_port);
    say("  manufacturer \"%s\", product \"%s\", serial number \"%s\"\n", device->manufacturer,
        device->model, device->serial);
    if (device->why)
        say("  refused: %s\n", device->why);
    unsigned class = 0;
    for (size_t at = 0; length - at >= 2 && data[at] >= 2 && data[at] <= length - at;
         at += data[at]) {
        if (data[at + 1] == BB_USB_INTERFACE_DESCRIPTOR && data[at] >= 9)
            class = data[at + 5];
        say_descriptor(data + at, class);
    }
    if (device->class == HUB && !device->gone)
        say_hub(device);
    return 0;
}

static void format_ids(const struct bb_usb_device *device, char *text, size_t size)
{
    (void)bb_format(text, size, "%04x:%04x", device->vendor, device->product);
}

/* By the path of its node or an interface's, by address, or as vendor:product. */
static struct bb_usb_device *find(const char *text)
{
    uint64_t address;
    const struct bb_node *node = *text == '/' ? bb_node_find(text) : NULL;
    if (node)
        return bb_usb_device_of(node);
    bool number = parse_number(text, 127, &address);
    for (struct bb_usb_device *at = bb_usb_next(NULL); at; at = bb_usb_next(at)) {
        char ids[10];
        format_ids(at, ids, sizeof(ids));
        if (strcmp(ids, text) == 0 || (number && at->address == address))
            return at;
    }
    return NULL;
}

static int run(int argc, char **argv)
{
    if (argc == 1)
        return list();
    if (argc != 2)
        return -EINVAL;
    struct bb_usb_device *device = find(argv[1]);
    return device ? show(device) : -ENOENT;
}

static bool complete(size_t index, char *word, size_t size)
{
    for (struct bb_usb_device *at = bb_usb_next(NULL); at; at = bb_usb_next(at))
        if (index-- == 0) {
            format_ids(at, word, size);
            return true;
        }
    return false;
}

const struct command command_usb = {"usb", "[PATH | ADDRESS | VENDOR:PRODUCT]",
                                    "what is plugged in; all that one device says of itself", run,
                                    complete};
#endif
