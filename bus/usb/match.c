/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From interfaces to functions, and from these to drivers: which interfaces belong together (USB
 * Class Definitions for Communication Devices 1.2, 5.2.3.2; Interface Association Descriptor ECN),
 * by what names a driver may know them (Open Firmware, Universal Serial Bus binding), and which
 * configuration is of most use here.
 */
#include <string.h>

#include <busbar/log.h>

#include "internal.h"

enum {
    UNION = 6, /* subtype of a CDC functional descriptor */
    COMMUNICATION = 2,
};

/* ---- Functions ---- */

static struct bb_usb_part *part_of(struct bb_usb_layout *layout, unsigned number)
{
    for (unsigned i = 0; i < layout->count; i++)
        if (layout->parts[i].number == number)
            return &layout->parts[i];
    return NULL;
}

static uint8_t index_of(const struct bb_usb_layout *layout, const struct bb_usb_part *part)
{
    return (uint8_t)(part - layout->parts);
}

/* One that belongs to somebody, or has others, stays as it is: so there are no circles. */
static void give(struct bb_usb_layout *layout, struct bb_usb_part *part, struct bb_usb_part *to)
{
    uint8_t own = part ? index_of(layout, part) : 0;
    if (!part || !to || part == to || part->owner != own || to->owner != index_of(layout, to))
        return;
    for (unsigned i = 0; i < layout->count; i++)
        if (i != own && layout->parts[i].owner == own)
            return;
    part->owner = index_of(layout, to);
}

static void take_union(const uint8_t *descriptor, struct bb_usb_layout *layout,
                       struct bb_usb_part *within)
{
    struct bb_usb_part *control = part_of(layout, descriptor[3]);
    if (control != within || control->class != COMMUNICATION)
        return;
    for (unsigned i = 4; i < descriptor[0]; i++)
        give(layout, part_of(layout, descriptor[i]), control);
}

static void take_association(const uint8_t *descriptor, struct bb_usb_layout *layout)
{
    struct bb_usb_part *first = part_of(layout, descriptor[2]);
    for (unsigned i = 1; i < descriptor[3]; i++)
        give(layout, part_of(layout, descriptor[2] + i), first);
}

void bb_usb_group(const uint8_t *data, size_t length, struct bb_usb_layout *layout)
{
    for (size_t at = data[0]; at < length; at += data[at])
        if (data[at + 1] == BB_USB_ASSOCIATION_DESCRIPTOR && data[at] >= 8)
            take_association(data + at, layout);
    for (unsigned i = 0; i < layout->count; i++) {
        struct bb_usb_part *part = &layout->parts[i];
        const uint8_t *at = data + part->at, *end = at + part->length;
        for (; at < end; at += at[0])
            if (at[1] == BB_USB_CLASS_INTERFACE && at[0] >= 5 && at[2] == UNION)
                take_union(at, layout, part);
    }
}

/* ---- Names ---- */

struct names {
    char *text;
    size_t size, used;
};

static void add(struct names *names, const char *format, ...) BB_PRINTF(2, 3);
static void add(struct names *names, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = names->size - names->used;
    size_t length = bb_vformat(names->text + names->used, room, format, arguments);
    va_end(arguments);
    if (length < room)
        names->used += length + 1;
}

size_t bb_usb_compatible(const struct bb_usb_device *device, unsigned configuration,
                         const struct bb_usb_part *part, char *text, size_t size)
{
    struct names names = {text, size, 0};
    unsigned vendor = device->vendor, product = device->product, class = part->class;
    unsigned subclass = part->subclass, protocol = part->protocol;
    add(&names, "usbif%x,%x.config%x.%x", vendor, product, configuration, part->number);
    add(&names, "usbif%x,%x.class%x.%x.%x", vendor, product, class, subclass, protocol);
    add(&names, "usbif%x,%x.class%x", vendor, product, class);
    add(&names, "usbif,class%x.%x.%x", class, subclass, protocol);
    add(&names, "usbif,class%x.%x", class, subclass);
    add(&names, "usbif,class%x", class);
    return names.used;
}

/* ---- The choice ---- */

static bool knows(const struct bb_driver *driver, const char *names, size_t length)
{
    for (const struct bb_match *match = driver->match; match && match->compatible; match++)
        for (size_t at = 0; at < length; at += strlen(names + at) + 1)
            if (strcmp(names + at, match->compatible) == 0)
                return true;
    return false;
}

/* The place in the manifest of the first driver that knows it; bb_driver_count: nobody does. */
static size_t find_driver(const char *names, size_t length)
{
    size_t i = 0;
    while (i < bb_driver_count &&
           (bb_drivers[i]->bus != &bb_usb_bus || !knows(bb_drivers[i], names, length)))
        i++;
    return i;
}

struct merit {
    unsigned functions; /* that a driver takes */
    size_t first;       /* the place of the first of these drivers */
};

static struct merit judge(const struct bb_usb *usb, const struct bb_usb_configuration *at,
                          const struct bb_usb_layout *layout)
{
    struct merit merit = {0, bb_driver_count};
    for (unsigned i = 0; i < layout->count; i++) {
        const struct bb_usb_part *part = &layout->parts[i];
        char names[BB_USB_COMPATIBLE];
        if (part->owner != i)
            continue;
        size_t length = bb_usb_compatible(&usb->device, at->data[5], part, names, sizeof(names));
        size_t place = find_driver(names, length);
        merit.functions += place < bb_driver_count;
        merit.first = place < merit.first ? place : merit.first;
    }
    return merit;
}

const struct bb_usb_configuration *bb_usb_choose(struct bb_usb *usb, struct bb_usb_layout *layout,
                                                 const char **why)
{
    const struct bb_usb_configuration *best = NULL;
    struct merit most = {0, 0};
    *why = "it has no configuration";
    for (unsigned i = 0; i < usb->configuration_count; i++) {
        const struct bb_usb_configuration *at = &usb->configurations[i];
        const char *wrong = bb_usb_check(at->data, at->length, usb->device.speed, layout);
        if (!wrong && at->data[8] * 2 > usb->device.hub->budget)
            wrong = "it draws more power than its hub can give";
        if (wrong) {
            *why = wrong;
            continue;
        }
        struct merit merit = judge(usb, at, layout);
        if (best && (merit.functions < most.functions ||
                     (merit.functions == most.functions && merit.first >= most.first)))
            continue;
        best = at;
        most = merit;
    }
    if (best)
        (void)bb_usb_check(best->data, best->length, usb->device.speed, layout);
    return best;
}

size_t bb_usb_largest_state(void)
{
    size_t largest = 0;
    for (size_t i = 0; i < bb_driver_count; i++)
        if (bb_drivers[i]->bus == &bb_usb_bus && bb_drivers[i]->state_size > largest)
            largest = bb_drivers[i]->state_size;
    return largest;
}
