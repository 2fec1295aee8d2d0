/* SPDX-License-Identifier: BSD-2-Clause */
/* The first name of a kind that is free, for as long as the device is there. */
#include <string.h>

#include <busbar/log.h>
#include <busbar/name.h>

enum { MOST = 10000 };

static bool is_taken(const char *text)
{
    bb_for_each_device (other) {
        if (strcmp(other->name, text) == 0)
            return true;
    }
    return bb_node_find(text);
}

static void release(struct bb_resource *resource)
{
    const struct bb_name *name = bb_container_of(resource, struct bb_name, resource);
    name->device->node->alias = NULL; /* the memory of the text is used again */
    name->device->name = name->device->node->name;
}

void bb_name_device(struct bb_device *device, struct bb_name *name, const char *stem)
{
    unsigned i = 0;
    if (device->node->alias)
        return;
    do {
        if (i == MOST)
            return;
        (void)bb_format(name->text, sizeof(name->text), "%s%u", stem, i++);
    } while (is_taken(name->text));
    name->device = device;
    name->resource = (struct bb_resource){device->resources, release, "name"};
    device->resources = &name->resource;
    device->name = device->node->alias = name->text;
}
