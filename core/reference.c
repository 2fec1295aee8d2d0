/* SPDX-License-Identifier: BSD-2-Clause */
/* References from node to node: phandle lists, and interrupts with their nexus nodes (Devicetree
 * Specification v0.4, chapter 2.4). */

#include <core/core.h>
#include <core/node.h>

static int copy_cells(struct bb_phandle_args *args, const char *at, uint32_t count)
{
    args->count = count;
    for (uint32_t i = 0; i < count; i++)
        args->cells[i] = bb_cell(at, i);
    return 0;
}

int bb_node_phandle_args(const struct bb_node *node, const char *list, const char *cells_name,
                         size_t index, struct bb_phandle_args *args)
{
    const struct bb_property *property = bb_node_property(node, list);
    if (!property)
        return -ENOENT;
    if (property->length % 4)
        return bb_property_bad(node, property, "whole cells");
    const char *at = property->value, *end = at + property->length;
    for (; at < end; index--) {
        uint32_t phandle = bb_cell(at, 0), count = 0;
        struct bb_node *provider = bb_node_by_phandle(phandle);
        at += 4;
        if (phandle && !provider)
            return bb_property_bad(node, property, "phandles that some node has");
        if (provider && cells_name &&
            (bb_node_u32(provider, cells_name, &count) || count > BB_MAX_CELLS))
            return bb_property_bad(node, property, "providers with 0 to 8 cells");
        if (count > (size_t)(end - at) / 4)
            return bb_property_bad(node, property, "all cells of its last entry");
        if (!index) {
            args->node = args->reference = provider;
            return provider ? copy_cells(args, at, count) : -ENOENT;
        }
        at += 4 * count;
    }
    return -ERANGE;
}

/* ---- Interrupts ---- */

/* The nearest of the node's interrupt parents that has specifiers: by interrupt-parent where that
 * stands, else the node above. */
static struct bb_node *interrupt_parent(const struct bb_node *node)
{
    unsigned hops = 0;
    while (node && hops < BB_INTERRUPT_HOPS) {
        uint32_t phandle;
        int error = bb_node_u32(node, "interrupt-parent", &phandle);
        struct bb_node *parent = node->parent;
        if (error == -EINVAL)
            return NULL;
        if (!error) {
            parent = bb_node_by_phandle(phandle);
            hops++;
        }
        if (parent && bb_node_has(parent, "#interrupt-cells"))
            return parent;
        node = parent;
    }
    return NULL;
}

/* One step through the map of args->node. `unit` is the unit address of who asks, and then that of
 * the new args. */
static int through_map(struct bb_phandle_args *args, const struct bb_property *map, uint32_t *unit)
{
    const struct bb_node *nexus = args->node;
    const struct bb_property *mask = bb_node_property(nexus, "interrupt-map-mask");
    uint32_t unit_cells = nexus->address_cells, key = unit_cells + args->count;
    if (unit_cells > BB_NODE_CELLS || map->length % 4)
        return bb_property_bad(nexus, map, "whole entries");
    if (mask && mask->length != 4 * key)
        return bb_property_bad(nexus, mask, "one cell for each of address and interrupt");
    const char *at = map->value, *end = at + map->length;
    while (at < end) {
        size_t left = (size_t)(end - at) / 4;
        struct bb_node *parent = left > key ? bb_node_by_phandle(bb_cell(at, key)) : NULL;
        uint32_t address = 0, count;
        if (!parent || bb_node_u32(parent, "#interrupt-cells", &count) || count > BB_MAX_CELLS ||
            bb_node_u32(parent, "#address-cells", &address) == -EINVAL || address > BB_NODE_CELLS ||
            left - key - 1 < address + count)
            return bb_property_bad(nexus, map, "whole entries, for parents with known cells");
        bool match = true;
        for (uint32_t i = 0; i < key; i++) {
            uint32_t cell = i < unit_cells ? unit[i] : args->cells[i - unit_cells];
            if ((cell ^ bb_cell(at, i)) & (mask ? bb_cell(mask->value, i) : UINT32_MAX))
                match = false;
        }
        at += 4 * (key + 1);
        if (match) {
            for (uint32_t i = 0; i < BB_NODE_CELLS; i++)
                unit[i] = i < address ? bb_cell(at, i) : 0;
            args->node = args->reference = parent;
            return copy_cells(args, at + 4 * address, count);
        }
        at += 4 * (address + count);
    }
    return -ENXIO;
}

int bb_node_interrupt(const struct bb_node *node, size_t index, struct bb_phandle_args *args)
{
    int error = bb_node_phandle_args(node, "interrupts-extended", "#interrupt-cells", index, args);
    const struct bb_property *list = bb_node_property(node, "interrupts");
    if (error == -ENOENT && list && !bb_node_has(node, "interrupts-extended")) {
        uint32_t count;
        args->node = args->reference = interrupt_parent(node);
        if (!args->node)
            return bb_property_bad(node, list, "an interrupt parent");
        if (bb_node_u32(args->node, "#interrupt-cells", &count) || !count || count > BB_MAX_CELLS ||
            list->length % (4 * count))
            return bb_property_bad(node, list, "entries of the interrupt parent's cells");
        if (index >= list->length / (4 * count))
            return -ERANGE;
        error = copy_cells(args, (const char *)list->value + 4 * count * index, count);
    }
    if (error)
        return error;

    /* The unit address as the node's own reg states it, zeros where there is none. */
    uint32_t unit[BB_NODE_CELLS] = {0};
    const struct bb_property *reg = bb_node_property(node, "reg");
    for (unsigned i = 0; reg && i < BB_NODE_CELLS && i < reg->length / 4; i++)
        unit[i] = bb_cell(reg->value, i);
    for (unsigned hops = 0;; hops++) {
        const struct bb_property *map = bb_node_property(args->node, "interrupt-map");
        if (!map || bb_node_has(args->node, "interrupt-controller"))
            return 0;
        if (hops == BB_INTERRUPT_HOPS)
            return bb_property_bad(args->node, map, "a way that ends at a controller");
        error = through_map(args, map, unit);
        if (error)
            return error;
    }
}
