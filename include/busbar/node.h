/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node table: every piece of hardware as a tree of nodes with properties, after the Devicetree
 * Specification v0.4. One checked pass over the firmware's tree fills it before anything is bound;
 * buses and drivers append to it (firmware services, virtio or USB devices).
 *
 * Nodes and their strings live until power-off, those of a hot-plug bus until they are unplugged.
 * Reading is allowed in every context; appending only in early and thread context.
 *
 *     uint64_t address, size;
 *     int error = bb_node_reg(node, 0, &address, &size);
 */
#ifndef BUSBAR_NODE_H
#define BUSBAR_NODE_H

#include <busbar/base.h>

struct bb_arena;
struct bb_bus;
struct bb_device;
struct bb_driver;

struct bb_property {
    const char *name;
    const void *value; /* big endian cells, strings or bytes, as the specification says */
    uint32_t length;   /* in bytes */
};

enum bb_node_state {
    BB_NODE_UNBOUND,
    BB_NODE_BINDING, /* its probe, or the search for its providers, is under way */
    BB_NODE_RUNNING,
    BB_NODE_FAILED, /* `reason` says why */
};

enum bb_reason_code {
    BB_REASON_NONE,
    BB_REASON_DISABLED,     /* status is neither "okay" nor absent */
    BB_REASON_NO_DRIVER,    /* no linked driver knows any of its compatible strings */
    BB_REASON_NO_BUS,       /* its parent is no bus, so nothing can reach it */
    BB_REASON_WAITING,      /* the provider `culprit` is not running */
    BB_REASON_CYCLE,        /* it needs itself; the log has the chain */
    BB_REASON_PROBE_FAILED, /* `error` at `step` */
    BB_REASON_ABSENT,       /* this machine lacks `step` */
    BB_REASON_NO_MEMORY,    /* the arena is too small; the log says how much was needed */
    BB_REASON_BROKEN, /* it ran, and was given up: `step` says why, `error` what its calls answer */
    BB_REASON_REMOVED,
};

struct bb_reason {
    enum bb_reason_code code;
    int error;                     /* a negative errno value, or 0 */
    const char *step;              /* what was asked for when it failed: "clocks", "reg" */
    const struct bb_node *culprit; /* the node waited for, or NULL */
};

struct bb_node {
    const char *alias; /* "serial0", or NULL */
    const char *name;  /* with unit address: "serial@9000000"; "" for the root */
    struct bb_node *parent;
    struct bb_node *child;   /* first child */
    struct bb_node *sibling; /* next child of the same parent */
    struct bb_node *next;    /* next node of the table, parents first */
    const struct bb_property *properties;
    const struct bb_property *compatible; /* strings, each ended; NULL: none, or malformed */
    uint16_t property_count;
    uint8_t address_cells; /* of this node's children, 0..4 */
    uint8_t size_cells;
    uint8_t state;                  /* enum bb_node_state */
    bool enabled;                   /* its status and that of its ancestors */
    uint32_t phandle;               /* 0: none */
    struct bb_arena *arena;         /* its memory, its children's and that of their devices */
    const struct bb_bus *bus;       /* the bus that gives it its resources, or NULL */
    struct bb_device *device;       /* while running */
    const struct bb_driver *driver; /* the one that was chosen, also when its probe failed */
    struct bb_reason reason;
};

struct bb_node *bb_node_root(void); /* NULL before the table exists */
#define bb_for_each_node(node) for (struct bb_node *node = bb_node_root(); node; node = node->next)
#define bb_for_each_child(child_, parent_)                                                         \
    for (struct bb_node *child_ = (parent_)->child; child_; child_ = child_->sibling)

/* Finds a node by full path ("/soc/serial@7e201000"; a unit address may be left out where it is not
 * needed), by alias ("serial0"), with a "path:options" tail ignored. NULL when there is none. */
struct bb_node *bb_node_find(const char *path);
struct bb_node *bb_node_by_phandle(uint32_t phandle);
/* Writes the full path, always terminated. Returns its length; size or more when it was cut. */
size_t bb_node_path(const struct bb_node *node, char *buffer, size_t size);
/* The node that chosen/stdout-path names, or NULL. */
struct bb_node *bb_node_stdout(void);

/* Appends a node. `properties` must stay valid. -ENOMEM when the arena of its parent is full. */
int bb_node_append(struct bb_node *parent, const struct bb_bus *bus, const char *name,
                   const struct bb_property *properties, size_t count, struct bb_node **node);
/* Takes a node without children and device out of the table: see <busbar/hotplug.h>. Nobody may
 * refer to it any more, and no bind be under way. Thread context. */
void bb_node_unlink(struct bb_node *node);

/*
 * Typed property readers. They return 0 (or a count), -ENOENT when the property is absent, and
 * -EINVAL when its length or cell count is wrong: the bad property is then named in the log once.
 */
const struct bb_property *bb_node_property(const struct bb_node *node, const char *name);
static inline bool bb_node_has(const struct bb_node *node, const char *name)
{
    return bb_node_property(node, name) != NULL;
}
int bb_node_u32(const struct bb_node *node, const char *name, uint32_t *value);
int bb_node_u32_at(const struct bb_node *node, const char *name, size_t index, uint32_t *value);
int bb_node_u64(const struct bb_node *node, const char *name, uint64_t *value); /* 1 or 2 cells */
/* Entry `index` of a string list; -ERANGE past its end. */
int bb_node_string_at(const struct bb_node *node, const char *name, size_t index,
                      const char **value);
static inline int bb_node_string(const struct bb_node *node, const char *name, const char **value)
{
    return bb_node_string_at(node, name, 0, value);
}
/* The index of `text` in a string list, -ENOENT when it is not there. */
int bb_node_string_index(const struct bb_node *node, const char *name, const char *text);
static inline bool bb_node_compatible(const struct bb_node *node, const char *compatible)
{
    return bb_node_string_index(node, "compatible", compatible) >= 0;
}
/* The first enabled node with this compatible string, or NULL. */
static inline struct bb_node *bb_node_by_compatible(const char *compatible)
{
    bb_for_each_node (node)
        if (node->enabled && bb_node_compatible(node, compatible))
            return node;
    return NULL;
}

/* Region `index` of reg, translated to a CPU address through every `ranges` above. -ERANGE past the
 * end; -ENXIO where a bus above has no mapping for it. */
int bb_node_reg(const struct bb_node *node, size_t index, uint64_t *address, uint64_t *size);
/* A CPU (physical) address as the device sees it, through dma-ranges; -ENXIO when not all of
 * [address, address + size) is reachable. */
int bb_node_dma_address(const struct bb_node *node, uint64_t address, uint64_t size,
                        uint64_t *device_address);

#define BB_MAX_CELLS 8

/* One entry of a phandle list: the provider and the cells that follow its phandle. */
struct bb_phandle_args {
    struct bb_node *node;      /* the provider */
    struct bb_node *reference; /* what the phandle names: the provider, or for pins a child of it */
    uint32_t count;
    uint32_t cells[BB_MAX_CELLS];
};

/* Entry `index` of a list such as clocks (cells_name "#clock-cells"; NULL means no cells). A zero
 * phandle is an empty entry: -ENOENT. -ERANGE past the end. */
int bb_node_phandle_args(const struct bb_node *node, const char *list, const char *cells_name,
                         size_t index, struct bb_phandle_args *args);
/* Interrupt `index`, from interrupts-extended, or interrupts with the inherited interrupt-parent,
 * through any interrupt-map: args->node is the controller, args->cells its specifier. */
int bb_node_interrupt(const struct bb_node *node, size_t index, struct bb_phandle_args *args);

#endif
