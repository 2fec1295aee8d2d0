/* SPDX-License-Identifier: BSD-2-Clause */
/* Firmware services, and which firmware serves a device. */
#include <busbar/firmware.h>

static struct bb_face_list firmwares;

static int removed_call(struct bb_firmware *firmware, struct bb_firmware_tag *tags, size_t count)
{
    (void)firmware, (void)tags, (void)count;
    return -ENODEV;
}

static const struct bb_firmware_ops removed = {.call = removed_call};

static bool offers_firmware(const struct bb_driver *driver)
{
    for (const struct bb_face_info *face = driver->faces; face && face->class; face++)
        if (face->class == &bb_class_firmware)
            return true;
    return false;
}

/* Nearest of the ancestors that this driver knows, else the first such node of the table. */
static struct bb_node *find_firmware(const struct bb_node *node, const struct bb_driver *driver)
{
    for (struct bb_node *parent = node->parent; parent; parent = parent->parent)
        for (const struct bb_match *match = driver->match; match->compatible; match++)
            if (bb_node_compatible(parent, match->compatible))
                return parent;
    for (const struct bb_match *match = driver->match; match->compatible; match++) {
        struct bb_node *found = bb_node_by_compatible(match->compatible);
        if (found)
            return found;
    }
    return NULL;
}

static int firmware_lookup(const struct bb_node *node, size_t index, struct bb_phandle_args *args)
{
    if (index > 0)
        return -ERANGE;
    if (bb_node_has(node, "firmware"))
        return bb_node_phandle_args(node, "firmware", NULL, 0, args);
    for (size_t i = 0; i < bb_driver_count; i++) {
        if (!offers_firmware(bb_drivers[i]) || !bb_drivers[i]->match)
            continue;
        struct bb_node *found = find_firmware(node, bb_drivers[i]);
        if (found && found != node) {
            *args = (struct bb_phandle_args){.node = found, .reference = found};
            return 0;
        }
    }
    return -ENOENT;
}

const struct bb_class bb_class_firmware = {
    .name = "firmware",
    .property = "firmware",
    .removed = &removed,
    .list = &firmwares,
    .lookup = firmware_lookup,
};

int bb_firmware_get(struct bb_device *device, struct bb_firmware **firmware)
{
    struct bb_face *face;
    struct bb_phandle_args args;
    int error = bb_provider(device, &bb_class_firmware, 0, &face, &args);
    if (!error)
        *firmware = bb_container_of(face, struct bb_firmware, face);
    return error;
}

int bb_firmware_call(struct bb_firmware *firmware, uint32_t tag, void *buffer, size_t request,
                     size_t capacity)
{
    struct bb_firmware_tag one = {.tag = tag, .buffer = buffer};
    if (request > BB_FIRMWARE_MAX || capacity > BB_FIRMWARE_MAX)
        return -EINVAL;
    one.request = (uint16_t)request;
    one.capacity = (uint16_t)capacity;
    int error = bb_firmware_call_all(firmware, &one, 1);
    return error ? error : one.result;
}
