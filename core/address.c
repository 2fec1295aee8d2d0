/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: reg, and the windows of ranges and dma-ranges between a bus and the one above. */
#include <busbar/log.h>
#include <core/core.h>
#include <core/node.h>

#define SPACE_MASK 0x03000000u /* of the first of three cells, IEEE 1275 */

static bool cells_known(const struct bb_node *bus)
{
    return bus->address_cells <= BB_NODE_CELLS && bus->size_cells <= BB_NODE_CELLS;
}

/* Takes `count` cells at *at. */
static struct bb_local_address take(const char **at, unsigned count)
{
    struct bb_local_address address = {0};
    for (unsigned i = 0; i < count; i++) {
        uint32_t cell = bb_cell(*at, i);
        if (i + 2 < count)
            address.space |= cell;
        else
            address.value = address.value << 32 | cell;
    }
    *at += 4 * count;
    return address;
}

int bb_node_reg_local(const struct bb_node *node, size_t index, struct bb_local_address *address,
                      uint64_t *size)
{
    const struct bb_node *bus = node->parent;
    const struct bb_property *reg = bb_node_property(node, "reg");
    if (!reg || !bus)
        return -ENOENT;
    size_t entry = 4 * ((size_t)bus->address_cells + bus->size_cells);
    if (!cells_known(bus) || !entry || !reg->length || reg->length % entry)
        return bb_property_bad(node, reg, "entries of the parent's #address-cells and #size-cells");
    if (index >= reg->length / entry)
        return -ERANGE;
    const char *at = (const char *)reg->value + index * entry;
    *address = take(&at, bus->address_cells);
    struct bb_local_address length = take(&at, bus->size_cells);
    if (length.space || address->value > UINT64_MAX - length.value)
        return bb_property_bad(node, reg, "regions inside 64 bits of address");
    *size = length.value;
    return 0;
}

/* Moves [address, address + size) through the windows of `bus`: up from its children to the bus
 * above, or down. -ENOENT without the property; an empty one changes nothing. */
static int move(const struct bb_node *bus, const char *name, bool up,
                struct bb_local_address *address, uint64_t size)
{
    const struct bb_property *ranges = bb_node_property(bus, name);
    if (!ranges)
        return -ENOENT;
    if (!ranges->length)
        return 0;
    const struct bb_node *above = bus->parent;
    size_t entry = 4 * ((size_t)bus->address_cells + above->address_cells + bus->size_cells);
    if (!cells_known(bus) || !cells_known(above) || !entry || ranges->length % entry)
        return bb_property_bad(bus, ranges, "entries of child address, parent address and size");
    const char *at = ranges->value, *end = at + ranges->length;
    while (at < end) {
        struct bb_local_address child = take(&at, bus->address_cells);
        struct bb_local_address parent = take(&at, above->address_cells);
        uint64_t length = take(&at, bus->size_cells).value;
        const struct bb_local_address *from = up ? &child : &parent, *to = up ? &parent : &child;
        uint64_t offset = address->value - from->value;
        if (address->value < from->value || offset >= length || size > length - offset ||
            (up && bus->address_cells > 2 && (from->space ^ address->space) & SPACE_MASK))
            continue;
        if (to->value > UINT64_MAX - offset - size)
            return bb_property_bad(bus, ranges, "windows inside 64 bits of address");
        address->space = to->space;
        address->value = to->value + offset;
        return 0;
    }
    return -ENXIO;
}

int bb_node_reg(const struct bb_node *node, size_t index, uint64_t *address, uint64_t *size)
{
    struct bb_local_address local;
    int error = bb_node_reg_local(node, index, &local, size);
    if (error)
        return error;
    for (const struct bb_node *bus = node->parent; bus->parent; bus = bus->parent) {
        error = move(bus, "ranges", true, &local, *size);
        if (error)
            return error == -ENOENT ? -ENXIO : error;
    }
    *address = local.value;
    return 0;
}

/* From the root down to `bus`; the table bounds the depth. A bus without dma-ranges passes
 * addresses as they are. */
static int move_down(const struct bb_node *bus, struct bb_local_address *address, uint64_t size)
{
    if (!bus || !bus->parent)
        return 0;
    int error = move_down(bus->parent, address, size);
    if (error)
        return error;
    error = move(bus, "dma-ranges", false, address, size);
    return error == -ENOENT ? 0 : error;
}

int bb_node_dma_address(const struct bb_node *node, uint64_t address, uint64_t size,
                        uint64_t *device_address)
{
    struct bb_local_address moving = {.value = address};
    int error = move_down(node->parent, &moving, size);
    if (!error)
        *device_address = moving.value;
    return error;
}
