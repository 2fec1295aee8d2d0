/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a flattened device tree (Devicetree Specification v0.4, chapter 5) into the node table. One
 * pass checks and remembers; afterwards nobody walks the blob again, and names and values stay
 * where they are in it. The tree is hostile until checked.
 *
 * libfdt checks the header and walks the structure. Memory reservations are read here, because its
 * reader of them brings 8 KiB of others along.
 */
#include <libfdt.h>

#include <busbar/arena.h>
#include <busbar/log.h>
#include <core/core.h>
#include <core/node.h>

static struct {
    const void *tree;
    size_t extent;
    size_t reservations;
} loaded;

struct pass {
    const void *tree;
    const char *structure;
    const char *strings;
    uint32_t strings_size;
    struct bb_node *open;   /* whose properties and children come next */
    struct bb_node *closed; /* the last child of `open` so far */
    unsigned depth;
    size_t arena; /* used before it */
};

static int refuse(const struct pass *pass, int offset, const char *why)
{
    char path[100] = "no node yet";
    if (pass->open)
        bb_node_path(pass->open, path, sizeof(path));
    bb_print(BB_ERROR, "device tree refused: %s, at 0x%x of its structure, in %s", why,
             (unsigned)offset, path);
    return -EINVAL;
}

static const struct fdt_reserve_entry *reservation(const void *tree, size_t index)
{
    const char *first = (const char *)tree + fdt_off_mem_rsvmap(tree);
    return (const struct fdt_reserve_entry *)(const void *)first + index;
}

/* How many come before the one of size 0 that ends them; -1: none ends them. */
static int count_reservations(const void *tree)
{
    size_t most = (fdt_totalsize(tree) - fdt_off_mem_rsvmap(tree)) / sizeof(*reservation(tree, 0));
    for (size_t i = 0; i < most; i++)
        if (!reservation(tree, i)->size)
            return (int)i;
    return -1;
}

/* What is wrong with all but the structure, or NULL. With every name checked and the last one
 * terminated, a property needs only a look at its name's offset. */
static const char *find_fault(const void *tree, size_t size)
{
    if (!tree || (uintptr_t)tree % 8 || size < FDT_V17_SIZE)
        return "no header aligned to 8 bytes";
    if (fdt_magic(tree) != FDT_MAGIC)
        return "it begins with another word than 0xd00dfeed";
    if (fdt_totalsize(tree) > size)
        return "it claims to be larger than it is";
    if (fdt_check_header(tree) || fdt_version(tree) < 17 || fdt_off_dt_struct(tree) % 4 ||
        fdt_off_mem_rsvmap(tree) % 8)
        return "its header is damaged, or older than version 17";
    if (count_reservations(tree) < 0)
        return "its memory reservations do not end";
    const char *c = (const char *)tree + fdt_off_dt_strings(tree);
    const char *end = c + fdt_size_dt_strings(tree);
    if (c < end && end[-1])
        return "its strings do not end";
    for (; c < end; c++)
        if (*c && (*c <= ' ' || *c > '~'))
            return "its strings are not printable";
    return NULL;
}

static int begin_node(struct pass *pass, int offset)
{
    const char *name = pass->structure + offset + FDT_TAGSIZE;
    if (pass->depth == BB_NODE_DEPTH)
        return refuse(pass, offset, "nodes are nested too deep");
    if (!pass->open && bb_node_root())
        return refuse(pass, offset, "there is a second root");
    if (!pass->open != !*name)
        return refuse(pass, offset, "a node has no name, or the root has one");
    uint32_t hash = bb_node_hash(pass->open, name);
    if (!hash)
        return refuse(pass, offset, "a node's name is not printable");
    struct bb_node *node = bb_node_new(pass->open, pass->closed, name, hash);
    if (!node)
        return -ENOMEM;
    pass->open = node;
    pass->closed = NULL;
    pass->depth++;
    return 0;
}

/* `next` is where libfdt goes on: not behind the value where offset and length wrapped around. */
static int add_property(struct pass *pass, int offset, int next)
{
    const struct fdt_property *property = (const void *)(pass->structure + offset);
    uint32_t length = fdt32_to_cpu(property->len);
    if (next - offset < (int64_t)sizeof(*property) + length)
        return refuse(pass, offset, "it is cut short or damaged");
    if (!pass->open || pass->closed)
        return refuse(pass, offset, "a property stands outside its node");
    uint32_t name = fdt32_to_cpu(property->nameoff);
    if (name >= pass->strings_size || !pass->strings[name])
        return refuse(pass, offset, "a property has no name");
    if (pass->open->property_count == UINT16_MAX)
        return refuse(pass, offset, "a node has too many properties");
    return bb_node_add(pass->open, pass->strings + name, property->data, length);
}

/* Trees of real boards take about twice their structure. */
static int no_room(const struct pass *pass, int offset)
{
    size_t rest = 2 * (size_t)(fdt_size_dt_struct(pass->tree) - (uint32_t)offset);
    bb_print(
        BB_ERROR,
        "device tree needs about %zu bytes of arena, %zu are free: raise arena in the manifest",
        bb_arena_used() - pass->arena + rest, bb_arena_size() - pass->arena);
    return -ENOMEM;
}

static int read_structure(struct pass *pass)
{
    int next, error = 0;
    for (int offset = 0; !error; offset = next) {
        uint32_t tag = fdt_next_tag(pass->tree, offset, &next);
        if (next < 0)
            return refuse(pass, offset, "it is cut short or damaged");
        if (bb_arena_size() - bb_arena_used() < BB_NODE_ROOM)
            return no_room(pass, offset);
        switch (tag) {
        case FDT_BEGIN_NODE:
            error = begin_node(pass, offset);
            break;
        case FDT_PROP:
            error = add_property(pass, offset, next);
            break;
        case FDT_END_NODE:
            if (!pass->open)
                return refuse(pass, offset, "a node ends that never began");
            pass->closed = pass->open;
            pass->open = pass->open->parent;
            pass->depth--;
            break;
        case FDT_END:
            if (!pass->open && bb_node_root())
                return 0;
            return refuse(pass, offset, "it ends inside a node");
        }
    }
    return error;
}

int bb_tree_load(const void *tree, size_t size)
{
    loaded.tree = NULL;
    loaded.extent = 0;
    const char *fault = find_fault(tree, size);
    if (fault) {
        bb_print(BB_ERROR, "device tree refused: %s (%zu bytes at %p)", fault, size, tree);
        return -EINVAL;
    }
    struct pass pass = {
        .tree = tree,
        .structure = (const char *)tree + fdt_off_dt_struct(tree),
        .strings = (const char *)tree + fdt_off_dt_strings(tree),
        .strings_size = fdt_size_dt_strings(tree),
        .arena = bb_arena_used(),
    };
    int error = read_structure(&pass);
    if (!error)
        error = bb_node_index();
    if (error) {
        bb_node_reset();
        bb_arena_reset(pass.arena);
        return error;
    }
    bb_node_learn_aliases();
    loaded.tree = tree;
    loaded.reservations = (size_t)count_reservations(tree);
    const size_t ends[] = {
        fdt_off_dt_struct(tree) + fdt_size_dt_struct(tree),
        fdt_off_dt_strings(tree) + pass.strings_size,
        (size_t)((const char *)reservation(tree, loaded.reservations + 1) - (const char *)tree),
    };
    for (size_t i = 0; i < BB_ARRAY_SIZE(ends); i++)
        loaded.extent = ends[i] > loaded.extent ? ends[i] : loaded.extent;
    return 0;
}

size_t bb_tree_extent(void)
{
    return loaded.extent;
}

bool bb_tree_reservation(size_t index, uint64_t *start, uint64_t *size)
{
    if (!loaded.tree || index >= loaded.reservations)
        return false;
    *start = fdt64_to_cpu(reservation(loaded.tree, index)->address);
    *size = fdt64_to_cpu(reservation(loaded.tree, index)->size);
    return true;
}
