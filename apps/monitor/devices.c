/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

#include <string.h>

#ifdef BB_FACE_USB_HOST
#include <busbar/usb_host.h>
#endif

static bool with_absent;

void node_reason(const struct bb_node *node, char *buffer, size_t size)
{
    bb_node_reason(node, buffer, size);
#ifdef BB_FACE_USB_HOST
    /* What is plugged in has nodes of its own, on the bus; the tree's are on none. */
    if (node->reason.code != BB_REASON_NO_DRIVER || node->bus || bb_node_is_bus(node))
        return;
    while ((node = node->parent))
        if (node->driver && node->driver->faces && node->driver->faces->class == &bb_class_usb_host)
            bb_format(buffer, size, "USB port: see `usb`");
#endif
}

static bool names_device(const struct bb_node *node)
{
    return node->parent && node->enabled && bb_node_has(node, "compatible") &&
           (with_absent || node->reason.code != BB_REASON_ABSENT);
}

static bool is_shown(const struct bb_node *node)
{
    if (names_device(node))
        return true;
    bb_for_each_child (child, node)
        if (is_shown(child))
            return true;
    return false;
}

static void show(const struct bb_node *node, int depth)
{
    char name[64], reason[256];
    const struct bb_device *device = node->device;
    bb_format(name, sizeof(name), "%*s%s", 2 * depth, "", node->name[0] ? node->name : "/");
    if (device && node->state == BB_NODE_RUNNING)
        say("%-34s %-26s running %7zu B\n", name, device->driver->name, device->bytes);
    else if (!names_device(node))
        say("%s\n", name);
    else {
        node_reason(node, reason, sizeof(reason));
        say("%-34s %s\n", name, reason);
    }
    bb_for_each_child (child, node)
        if (is_shown(child))
            show(child, depth + 1);
}

static int run(int argc, char **argv)
{
    unsigned absent = 0;
    with_absent = argc == 2 && strcmp(argv[1], "all") == 0;
    if (argc != 1 && !with_absent)
        return -EINVAL;
    if (!bb_node_root())
        return -ENODEV;
    show(bb_node_root(), 0);
    bb_for_each_node (node)
        absent += node->reason.code == BB_REASON_ABSENT;
    if (absent && !with_absent)
        say("%u more that could be in this machine and are not: `devices all`\n", absent);
    return 0;
}

const struct command command_devices = {"devices", "[all]",
                                        "the tree: driver, state or reason, memory", run, NULL};
