/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a flattened device tree (Devicetree Specification v0.4, chapter 5) into the node table. One
 * pass checks and remembers; afterwards nobody walks the blob again, and names and values stay
 * where they are in it.
 *
 * The tree is hostile until checked. fdt_next_tag() keeps each step inside the structure block;
 * what it leaves open (lengths that wrap, name offsets, nesting, order, names) is checked here.
 */
#include <libfdt.h>

#include <busbar/arena.h>
#include <busbar/log.h>
#include <core/core.h>
#include <core/node.h>

static struct {
    const void *tree;
    size_t extent;
} loaded;

struct pass {
    const char *structure;
    uint32_t structure_size;
    const char *strings;
    uint32_t strings_size;
    struct bb_node *open;   /* whose properties and children come next */
    struct bb_node *closed; /* the last child of `open` so far */
    struct bb_property *property;
    unsigned depth;
    size_t arena_used;
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

static int check_header(const void *tree, size_t size)
{
    if (!tree || (uintptr_t)tree % 8 || size < FDT_V17_SIZE) {
        bb_print(BB_ERROR, "device tree refused: %zu bytes at %p hold no aligned header", size,
                 tree);
        return -EINVAL;
    }
    if (fdt_magic(tree) != FDT_MAGIC) {
        bb_print(BB_ERROR, "device tree refused: %p holds 0x%08x, not 0x%08x", tree,
                 (unsigned)fdt_magic(tree), FDT_MAGIC);
        return -EINVAL;
    }
    if (fdt_totalsize(tree) > size) {
        bb_print(BB_ERROR, "device tree refused: it claims %u bytes, there are %zu",
                 (unsigned)fdt_totalsize(tree), size);
        return -EINVAL;
    }
    int error = fdt_check_header(tree);
    if (error || fdt_version(tree) < 17 || fdt_off_dt_struct(tree) % 4 ||
        fdt_off_mem_rsvmap(tree) % 8) {
        bb_print(BB_ERROR, "device tree refused: its header is damaged (version %u, libfdt %d)",
                 (unsigned)fdt_version(tree), error);
        return -EINVAL;
    }
    return 0;
}

/* With every name checked and the last one terminated, a property needs only a look at its name's
 * offset. */
static int check_strings(const struct pass *pass)
{
    const char *end = pass->strings + pass->strings_size;
    for (const char *c = pass->strings; c < end; c++) {
        if (*c && (*c <= ' ' || *c > '~')) {
            bb_print(BB_ERROR, "device tree refused: byte 0x%x of its strings is 0x%02x",
                     (unsigned)(c - pass->strings), (unsigned char)*c);
            return -EINVAL;
        }
    }
    if (pass->strings_size && end[-1]) {
        bb_print(BB_ERROR, "device tree refused: its strings do not end");
        return -EINVAL;
    }
    return 0;
}

/* How many properties stand at `offset`. Never reads outside; whether they are sound is for the
 * pass to say. */
static size_t count_properties(const struct pass *pass, uint32_t offset)
{
    size_t count = 0;
    while (offset + sizeof(struct fdt_property) <= pass->structure_size) {
        uint32_t tag = bb_cell(pass->structure + offset, 0);
        if (tag == FDT_PROP) {
            uint32_t length = bb_cell(pass->structure + offset, 1);
            if (length > pass->structure_size)
                break;
            offset += (uint32_t)sizeof(struct fdt_property) + ((length + 3) & ~3u);
            count++;
        } else if (tag == FDT_NOP) {
            offset += FDT_TAGSIZE;
        } else {
            break;
        }
    }
    return count;
}

static int begin_node(struct pass *pass, int offset, int next)
{
    const char *name = pass->structure + offset + FDT_TAGSIZE;
    if (pass->depth == BB_NODE_DEPTH)
        return refuse(pass, offset, "nodes are nested too deep");
    if (!pass->open && bb_node_root())
        return refuse(pass, offset, "there is a second root");
    if (!pass->open)
        name = ""; /* old trees call the root "/" */
    else if (!*name)
        return refuse(pass, offset, "a node has no name");
    uint32_t hash = bb_node_hash(pass->open, name);
    if (!hash)
        return refuse(pass, offset, "a node's name is not printable");
    size_t count = count_properties(pass, (uint32_t)next);
    if (count > UINT16_MAX)
        return refuse(pass, offset, "a node has too many properties");

    struct bb_node *node = NULL;
    size_t room = bb_arena_size() - bb_arena_used();
    if (room >= bb_node_bytes(count))
        node = bb_node_new(pass->open, pass->closed, name, hash, count, &pass->property);
    if (!node) {
        /* Trees of real boards take about twice their structure. */
        size_t used = bb_arena_used() - pass->arena_used + bb_node_bytes(count);
        bb_print(BB_ERROR,
                 "device tree needs about %zu bytes of arena, %zu are free: raise arena in the "
                 "manifest",
                 used + 2 * (pass->structure_size - (size_t)next),
                 bb_arena_size() - pass->arena_used);
        return -ENOMEM;
    }
    pass->open = node;
    pass->closed = NULL;
    pass->depth++;
    return 0;
}

static int add_property(struct pass *pass, int offset, int next)
{
    uint32_t length = bb_cell(pass->structure + offset, 1);
    uint32_t name = bb_cell(pass->structure + offset, 2);
    if (!pass->open || pass->closed)
        return refuse(pass, offset, "a property stands outside its node");
    /* A length near 4 GiB wraps inside libfdt and arrives here as a short step. */
    if (sizeof(struct fdt_property) + (size_t)length > (size_t)(next - offset))
        return refuse(pass, offset, "a property is longer than the tree");
    if (name >= pass->strings_size || !pass->strings[name])
        return refuse(pass, offset, "a property has no name");
    struct bb_property *property = pass->property++;
    property->name = pass->strings + name;
    property->value = pass->structure + offset + sizeof(struct fdt_property);
    property->length = length;
    bb_node_learn(pass->open, property);
    return 0;
}

static int read_structure(struct pass *pass, const void *tree)
{
    int offset = 0;
    for (;;) {
        int next, error = 0;
        uint32_t tag = fdt_next_tag(tree, offset, &next);
        if (next <= offset)
            return refuse(pass, offset, "it is cut short or damaged");
        switch (tag) {
        case FDT_BEGIN_NODE:
            error = begin_node(pass, offset, next);
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
            return pass->open || !bb_node_root() ? refuse(pass, offset, "it ends inside a node")
                                                 : 0;
        default: /* FDT_NOP */
            break;
        }
        if (error)
            return error;
        offset = next;
    }
}

static size_t later(size_t a, size_t b)
{
    return a > b ? a : b;
}

int bb_tree_load(const void *tree, size_t size)
{
    loaded.tree = NULL;
    loaded.extent = 0;
    int error = check_header(tree, size);
    if (error)
        return error;
    size_t mark = bb_arena_mark();
    struct pass pass = {
        .structure = (const char *)tree + fdt_off_dt_struct(tree),
        .structure_size = fdt_size_dt_struct(tree),
        .strings = (const char *)tree + fdt_off_dt_strings(tree),
        .strings_size = fdt_size_dt_strings(tree),
        .arena_used = bb_arena_used(),
    };
    error = check_strings(&pass);
    if (!error)
        error = read_structure(&pass, tree);
    if (!error)
        error = bb_node_index();
    if (error) {
        bb_node_reset();
        bb_arena_reset(mark);
        return error;
    }
    int reservations = fdt_num_mem_rsv(tree);
    if (reservations < 0)
        bb_print(BB_WARNING, "device tree: its memory reservations do not end");
    loaded.tree = tree;
    loaded.extent = later(fdt_off_dt_struct(tree) + pass.structure_size,
                          fdt_off_dt_strings(tree) + pass.strings_size);
    loaded.extent = later(loaded.extent, fdt_off_mem_rsvmap(tree) +
                                             sizeof(struct fdt_reserve_entry) *
                                                 (size_t)(reservations < 0 ? 0 : reservations + 1));
    return 0;
}

size_t bb_tree_extent(void)
{
    return loaded.extent;
}

bool bb_tree_reservation(size_t index, uint64_t *start, uint64_t *size)
{
    return loaded.tree && !fdt_get_mem_rsv(loaded.tree, (int)index, start, size) && *size;
}
