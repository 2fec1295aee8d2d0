/* SPDX-License-Identifier: BSD-2-Clause */
/* The node table: its nodes, the finders and the plain property readers. */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/log.h>
#include <core/core.h>
#include <core/node.h>

/* A node, and what only the table needs to know of it. */
struct entry {
    struct bb_node node;
    uint32_t hash; /* of the full path */
    uint32_t
        reported; /* bit i: property i was named in the log; the last bit stands for the rest */
    struct bb_property properties[];
};

static struct {
    struct bb_node *root;
    struct bb_node *last;
    struct bb_node **slots; /* the tree's nodes by name and by phandle, open-addressed */
    unsigned bits;          /* there are 2^bits slots, of which at most half are taken */
} table;

static struct entry *entry_of(const struct bb_node *node)
{
    return bb_container_of((struct bb_node *)(uintptr_t)node, struct entry, node);
}

/* ---- Building ---- */

uint32_t bb_node_hash(const struct bb_node *parent, const char *name)
{
    uint32_t hash = parent ? entry_of(parent)->hash : 2166136261u;
    for (const char *c = name; *c; c++) {
        if (*c <= ' ' || *c > '~' || *c == '/')
            return 0;
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    hash = (hash ^ '/') * 16777619u;
    return hash ? hash : 1;
}

struct bb_node *bb_node_new(struct bb_node *parent, struct bb_node *previous, const char *name,
                            uint32_t hash)
{
    _Static_assert(sizeof(struct entry) <= BB_NODE_ROOM, "a node takes more than is checked");
    struct bb_arena *arena = parent ? parent->arena : &bb_arena;
    struct entry *entry = bb_arena_take(arena, sizeof(*entry), _Alignof(struct entry));
    if (!entry)
        return NULL;
    struct bb_node *node = &entry->node;
    entry->hash = hash;
    node->name = name;
    node->parent = parent;
    node->arena = arena;
    node->properties = entry->properties;
    node->address_cells = 2; /* the specification's defaults */
    node->size_cells = 1;
    node->enabled = !parent || parent->enabled;
    if (previous)
        previous->sibling = node;
    else if (parent)
        parent->child = node;
    if (table.last)
        table.last->next = node;
    else
        table.root = node;
    table.last = node;
    return node;
}

/* Else it is named in the log, and no string functions may touch it. */
static bool strings_ended(const struct bb_node *node, const struct bb_property *property)
{
    const char *end = (const char *)property->value + property->length;
    return (property->length && !end[-1]) ||
           !bb_property_bad(node, property, "strings, each ended by a zero byte");
}

void bb_node_learn(struct bb_node *node, const struct bb_property *property)
{
    const char *name = property->name;
    uint32_t cell = property->length == 4 ? bb_cell(property->value, 0) : UINT32_MAX;
    if (name[0] == '#' && (!strcmp(name, "#address-cells") || !strcmp(name, "#size-cells"))) {
        if (cell > BB_NODE_CELLS) {
            bb_property_bad(node, property, "a cell of 0 to 4");
            cell = BB_BAD_CELLS;
        }
        *(name[1] == 'a' ? &node->address_cells : &node->size_cells) = (uint8_t)cell;
    } else if (name[0] == 'c' && !strcmp(name, "compatible")) {
        if (strings_ended(node, property))
            node->compatible = property;
    } else if (name[0] == 's' && !strcmp(name, "status")) {
        const char *status = property->value;
        if (!strings_ended(node, property) || (strcmp(status, "okay") && strcmp(status, "ok")))
            node->enabled = false;
    } else if ((name[0] == 'p' && !strcmp(name, "phandle")) ||
               (name[0] == 'l' && !strcmp(name, "linux,phandle"))) {
        if (cell && cell != UINT32_MAX)
            node->phandle = cell;
        else
            bb_property_bad(node, property, "a cell, neither 0 nor 0xffffffff");
    }
}

int bb_node_add(struct bb_node *node, const char *name, const void *value, uint32_t length)
{
    struct bb_property *property = bb_arena_alloc(sizeof(*property), _Alignof(struct bb_property));
    if (!property)
        return -ENOMEM;
    *property = (struct bb_property){name, value, length};
    node->property_count++;
    bb_node_learn(node, property);
    return 0;
}

/* The slot that holds a node with this phandle, or with the same parent and name as `named`; if
 * there is none, the empty slot where it belongs. */
static struct bb_node **find_slot(uint32_t phandle, const struct bb_node *named)
{
    uint32_t key = named ? entry_of(named)->hash : phandle;
    size_t i = key * 2654435769u >> (32 - table.bits);
    for (;; i = (i + 1) & (((size_t)1 << table.bits) - 1)) {
        const struct bb_node *node = table.slots[i];
        if (!node || (named ? entry_of(node)->hash == key && node->parent == named->parent &&
                                  !strcmp(node->name, named->name)
                            : node->phandle == phandle))
            return &table.slots[i];
    }
}

int bb_node_index(void)
{
    static const char what[][8] = {"phandle", "name"};
    const struct bb_node *twice[2] = {NULL};
    unsigned count[2] = {0};
    size_t keys = 0;
    bb_for_each_node (node)
        keys += node->phandle ? 2 : 1;
    for (table.bits = 1; (size_t)1 << table.bits < 2 * keys;)
        table.bits++;
    table.slots = bb_arena_alloc(sizeof(struct bb_node *) << table.bits, sizeof(void *));
    if (!table.slots)
        return -ENOMEM;
    bb_for_each_node (node) {
        for (unsigned i = node->phandle ? 0 : 1; i < 2; i++) {
            struct bb_node **slot = find_slot(node->phandle, i ? node : NULL);
            if (!*slot)
                *slot = node;
            else if (*slot != node && !count[i]++)
                twice[i] = node;
        }
    }
    for (unsigned i = 0; i < 2; i++)
        if (twice[i])
            bb_node_print(BB_WARNING, twice[i], "has the %s of an earlier node (%u such)", what[i],
                          count[i]);
    return 0;
}

int bb_node_append(struct bb_node *parent, const struct bb_bus *bus, const char *name,
                   const struct bb_property *properties, size_t count, struct bb_node **node)
{
    struct bb_node *previous = parent ? parent->child : NULL;
    unsigned depth = 1;
    for (const struct bb_node *above = parent; above; above = above->parent)
        depth++;
    uint32_t hash = bb_node_hash(parent, name);
    if (!hash || !parent != !table.root || !*name != !parent || depth > BB_NODE_DEPTH ||
        count > UINT16_MAX)
        return -EINVAL;
    while (previous && previous->sibling)
        previous = previous->sibling;
    struct bb_node *new = bb_node_new(parent, previous, name, hash);
    if (!new)
        return -ENOMEM;
    new->bus = bus;
    new->properties = properties;
    new->property_count = (uint16_t)count;
    for (size_t i = 0; i < count; i++)
        bb_node_learn(new, &properties[i]);
    if (node)
        *node = new;
    return 0;
}

void bb_node_unlink(struct bb_node *node)
{
    struct bb_node **link = &node->parent->child, *before = table.root;
    while (*link != node)
        link = &(*link)->sibling;
    *link = node->sibling;
    while (before->next != node)
        before = before->next;
    before->next = node->next;
    if (table.last == node)
        table.last = before;
}

void bb_node_reset(void)
{
    memset(&table, 0, sizeof(table));
}

/* ---- Finding ---- */

struct bb_node *bb_node_root(void)
{
    return table.root;
}

struct bb_node *bb_node_last(void)
{
    return table.last;
}

struct bb_node *bb_node_by_phandle(uint32_t phandle)
{
    return table.slots && phandle ? *find_slot(phandle, NULL) : NULL;
}

/* The length of a path's next name, which ends at '/', ':' or the end. */
static size_t name_length(const char *path)
{
    size_t length = 0;
    while (path[length] && path[length] != '/' && path[length] != ':')
        length++;
    return length;
}

/* The child called `name`; a name without unit address also finds the only child that has one. */
static struct bb_node *find_child(const struct bb_node *parent, const char *name, size_t length)
{
    struct bb_node *found = NULL;
    bool several = false;
    bb_for_each_child (child, parent) {
        if (*child->name != *name || strncmp(child->name, name, length))
            continue;
        if (!child->name[length])
            return child;
        if (child->name[length] == '@') {
            several = found;
            found = child;
        }
    }
    return several ? NULL : found;
}

static struct bb_node *find_below(struct bb_node *node, const char *path)
{
    while (node) {
        while (*path == '/')
            path++;
        size_t length = name_length(path);
        if (!length)
            break;
        node = find_child(node, path, length);
        path += length;
    }
    return node;
}

struct bb_node *bb_node_find(const char *path)
{
    if (*path == '/')
        return find_below(table.root, path);
    size_t length = name_length(path);
    const struct bb_node *aliases = find_below(table.root, "aliases");
    for (size_t i = 0; aliases && i < aliases->property_count; i++) {
        const char *name = aliases->properties[i].name, *target;
        if (!strncmp(name, path, length) && !name[length] &&
            !bb_node_string(aliases, name, &target) && *target == '/')
            return find_below(find_below(table.root, target), path + length);
    }
    return NULL;
}

struct bb_node *bb_node_stdout(void)
{
    const struct bb_node *chosen = find_below(table.root, "chosen");
    const char *path;
    if (!chosen || (bb_node_string(chosen, "stdout-path", &path) &&
                    bb_node_string(chosen, "linux,stdout-path", &path)))
        return NULL;
    return bb_node_find(path);
}

void bb_node_learn_aliases(void)
{
    const struct bb_node *aliases = find_below(table.root, "aliases");
    for (size_t i = 0; aliases && i < aliases->property_count; i++) {
        const struct bb_property *alias = &aliases->properties[i];
        const char *path = alias->value;
        if (!alias->length || path[0] != '/' || path[alias->length - 1])
            continue; /* reported when somebody asks for it */
        struct bb_node *node = find_below(table.root, path);
        if (node && !node->alias)
            node->alias = alias->name;
    }
}

size_t bb_node_path(const struct bb_node *node, char *buffer, size_t size)
{
    size_t above =
        node->parent && node->parent->parent ? bb_node_path(node->parent, buffer, size) : 0;
    size_t used = above < size ? above : size;
    return above + bb_format(buffer + used, size - used, "/%s", node->name);
}

void bb_node_print(enum bb_level level, const struct bb_node *node, const char *format, ...)
{
    char path[100], text[200];
    va_list arguments;
    bb_node_path(node, path, sizeof(path));
    va_start(arguments, format);
    (void)bb_vformat(text, sizeof(text), format, arguments);
    va_end(arguments);
    bb_print(level, "%s: %s", path, text);
}

/* ---- Properties ---- */

const struct bb_property *bb_node_property(const struct bb_node *node, const char *name)
{
    const struct bb_property *end = node->properties + node->property_count;
    for (const struct bb_property *property = node->properties; property < end; property++)
        if (*property->name == *name && !strcmp(property->name, name))
            return property;
    return NULL;
}

int bb_property_bad(const struct bb_node *node, const struct bb_property *property,
                    const char *expected)
{
    size_t index = (size_t)(property - node->properties);
    uint32_t bit = 1u << (index < 31 ? index : 31);
    if (!(entry_of(node)->reported & bit)) {
        entry_of(node)->reported |= bit;
        bb_node_print(BB_WARNING, node, "%s (%u bytes) is malformed: expected %s", property->name,
                      (unsigned)property->length, expected);
    }
    return -EINVAL;
}

int bb_node_u32(const struct bb_node *node, const char *name, uint32_t *value)
{
    const struct bb_property *property = bb_node_property(node, name);
    if (property && property->length != 4)
        return bb_property_bad(node, property, "one cell");
    return bb_node_u32_at(node, name, 0, value);
}

int bb_node_u32_at(const struct bb_node *node, const char *name, size_t index, uint32_t *value)
{
    const struct bb_property *property = bb_node_property(node, name);
    if (property && property->length % 4)
        return bb_property_bad(node, property, "whole cells");
    if (property && index >= property->length / 4)
        return -ERANGE;
    if (property)
        *value = bb_cell(property->value, index);
    return property ? 0 : -ENOENT;
}

int bb_node_u64(const struct bb_node *node, const char *name, uint64_t *value)
{
    const struct bb_property *property = bb_node_property(node, name);
    if (property && property->length != 4 && property->length != 8)
        return bb_property_bad(node, property, "one cell or two");
    if (property)
        *value = (property->length == 8 ? (uint64_t)bb_cell(property->value, 0) << 32 : 0) |
                 bb_cell(property->value, property->length / 4 - 1);
    return property ? 0 : -ENOENT;
}

/* Goes through a string list up to `index`, or up to the string that equals `wanted`. */
static int find_string(const struct bb_node *node, const char *name, size_t index,
                       const char *wanted, const char **value)
{
    const struct bb_property *property = bb_node_property(node, name);
    if (!property)
        return -ENOENT;
    const char *text = property->value, *end = text + property->length;
    if (!strings_ended(node, property))
        return -EINVAL;
    for (int i = 0; text < end; i++, text += strlen(text) + 1) {
        if (wanted ? *text == *wanted && !strcmp(text, wanted) : (size_t)i == index) {
            *value = text;
            return i;
        }
    }
    return wanted ? -ENOENT : -ERANGE;
}

int bb_node_string_at(const struct bb_node *node, const char *name, size_t index,
                      const char **value)
{
    int found = find_string(node, name, index, NULL, value);
    return found < 0 ? found : 0;
}

int bb_node_string_index(const struct bb_node *node, const char *name, const char *text)
{
    const char *value;
    return find_string(node, name, 0, text, &value);
}
