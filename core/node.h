/* SPDX-License-Identifier: BSD-2-Clause */
/* What the readers of the node table share: fdt.c, node.c, address.c, reference.c,
 * boot/common/regions.c. */
#ifndef BUSBAR_CORE_NODE_H
#define BUSBAR_CORE_NODE_H

#include <busbar/log.h>
#include <busbar/node.h>

enum {
    BB_NODE_DEPTH = 64,    /* deeper nodes are refused, so that walks up and down stay bounded */
    BB_NODE_CELLS = 4,     /* most cells of an address or a size */
    BB_BAD_CELLS = 0xff,   /* address_cells or size_cells of a node whose property is unusable */
    BB_NODE_ROOM = 256,    /* of arena, enough for a node or a property */
    BB_INTERRUPT_HOPS = 16 /* most interrupt parents and nexus nodes on one way to a controller */
};

/* Words of a tree are big endian, and those of appended nodes need not be aligned. */
static inline uint32_t bb_cell(const void *value, size_t index)
{
    /* By bytes: appended properties need not be aligned, and a call to memcpy() costs more. */
    const uint8_t *cell = (const uint8_t *)value + 4 * index;
    return (uint32_t)cell[0] << 24 | (uint32_t)cell[1] << 16 | (uint32_t)cell[2] << 8 | cell[3];
}

/* A new node after all others. `previous` is the parent's last child so far, or NULL. `hash` comes
 * from bb_node_hash(). NULL when the arena is full. */
struct bb_node *bb_node_new(struct bb_node *parent, struct bb_node *previous, const char *name,
                            uint32_t hash);
/* Adds a property to the newest node, before anything else is taken from the arena. */
int bb_node_add(struct bb_node *node, const char *name, const void *value, uint32_t length);
/* Tells the node's name from its siblings'; 0 when it holds what no name may. */
uint32_t bb_node_hash(const struct bb_node *parent, const char *name);
/* Remembers what the table itself needs: cell counts, status, phandle. */
void bb_node_learn(struct bb_node *node, const struct bb_property *property);
/* After the last node of a tree: makes the phandle index and reports what appears twice. */
int bb_node_index(void);
/* And writes each alias into its node; the first of several counts. */
void bb_node_learn_aliases(void);

/* Logs a message that begins with the node's path. */
void bb_node_print(enum bb_level level, const struct bb_node *node, const char *format, ...)
    BB_PRINTF(3, 4);
/* Names a malformed property in the log, once; always -EINVAL. */
int bb_property_bad(const struct bb_node *node, const struct bb_property *property,
                    const char *expected);
/* Region `index` of reg as it stands there, not translated. Where an address has three cells (PCI),
 * the first one names a space; addresses of different spaces never meet. */
struct bb_local_address {
    uint32_t space;
    uint64_t value;
};
int bb_node_reg_local(const struct bb_node *node, size_t index, struct bb_local_address *address,
                      uint64_t *size);

/* Of the tree that was loaded last: how many bytes it fills, and its memory reservations (false
 * past the last). */
size_t bb_tree_extent(void);
bool bb_tree_reservation(size_t index, uint64_t *start, uint64_t *size);

#endif
