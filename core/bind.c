/* SPDX-License-Identifier: BSD-2-Clause */
/* The binder: which driver takes a node, what must run before it, and why it does not run. */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/hooks.h>
#include <busbar/log.h>

#include "core.h"
#include "node.h"

#define MAX_NEEDS 16   /* providers of one device */
#define MAX_ENTRIES 64 /* of one phandle list */
#define MAX_PATH 128   /* characters of a node path in a message */
#define MAX_CHAIN 32   /* devices that each wait for the next */

struct bb_binder bb_binder;

/* The nodes whose providers are being brought up now, innermost first. */
struct chain {
    const struct bb_node *node;
    const struct chain *outer;
    unsigned depth; /* bounded: a hostile tree must not use up the stack */
};
static const struct chain *chain;

/* Every match entry of the binder's drivers, by compatible string and in the manifest's order, so
 * that matching costs the same for 5 drivers as for 50. */
struct entry {
    const struct entry *next;
    const struct bb_match *match;
    const struct bb_driver *driver;
};
static struct {
    const struct bb_driver *const *drivers; /* what the index was made of */
    const struct entry *buckets[64];
} matches;

static const struct entry **bucket_of(const char *compatible)
{
    uint32_t hash = 0;
    while (*compatible)
        hash = hash * 31 + (uint8_t)*compatible++;
    return &matches.buckets[hash % BB_ARRAY_SIZE(matches.buckets)];
}

static int index_matches(const struct bb_binder *binder)
{
    if (matches.drivers == binder->drivers)
        return 0;
    memset(&matches, 0, sizeof(matches));
    for (size_t i = binder->count; i-- > 0;) { /* from the last, as each goes before the others */
        const struct bb_match *match = binder->drivers[i]->match;
        for (; match && match->compatible; match++) {
            const struct entry **bucket = bucket_of(match->compatible);
            struct entry *entry = bb_arena_alloc(sizeof(*entry), _Alignof(struct entry));
            if (!entry)
                return -ENOMEM;
            *entry = (struct entry){*bucket, match, binder->drivers[i]};
            *bucket = entry;
        }
    }
    matches.drivers = binder->drivers;
    return 0;
}

static bool reaches(const struct bb_bus *bus, const struct bb_node *node)
{
    return bus && (node->bus ? node->bus == bus : bus->claims && bus->claims(node));
}

struct bb_choice bb_bind_choose(const struct bb_binder *binder, const struct bb_node *node)
{
    struct bb_choice choice = {0};
    const struct bb_property *list = node->compatible;
    if (!bb_binder.drivers) { /* nobody put others there */
        bb_binder.drivers = bb_drivers;
        bb_binder.count = bb_driver_count;
    }
    if (!list || index_matches(binder) < 0)
        return choice;
    const char *text = list->value, *end = text + list->length;
    for (; text < end; text += strlen(text) + 1)
        for (const struct entry *entry = *bucket_of(text); entry; entry = entry->next) {
            if (strcmp(entry->match->compatible, text) != 0)
                continue;
            if (reaches(entry->driver->bus, node))
                return (struct bb_choice){entry->driver, entry->match, false};
            choice.unreached = true;
        }
    return choice;
}

static int refuse(struct bb_node *node, enum bb_reason_code code, int error, const char *step,
                  const struct bb_node *culprit)
{
    node->state = BB_NODE_FAILED;
    node->reason = (struct bb_reason){code, error, step, culprit};
    return error;
}

static void print_chain(const struct bb_node *node)
{
    bb_node_print(BB_ERROR, node, "needs itself, by way of");
    for (const struct chain *link = chain; link && link->node != node; link = link->outer)
        bb_node_print(BB_ERROR, link->node, "which needs the one above");
}

int bb_class_lookup(const struct bb_class *class, const struct bb_node *node, size_t index,
                    struct bb_phandle_args *args)
{
    if (class->lookup)
        return class->lookup(node, index, args);
    if (!class->property || !bb_node_has(node, class->property))
        return -ERANGE;
    return bb_node_phandle_args(node, class->property, class->cells, index, args);
}

struct needs {
    struct bb_device *devices[MAX_NEEDS];
    uint16_t count;
};

static void remember(struct needs *needs, struct bb_device *device)
{
    for (uint16_t i = 0; i < needs->count; i++)
        if (needs->devices[i] == device)
            return;
    if (device && needs->count < MAX_NEEDS)
        needs->devices[needs->count++] = device;
}

/* Brings up every provider that `node` names of these classes. Those that are only wanted may fail.
 */
static int pull(struct bb_node *node, const struct bb_class *const *classes, bool required,
                struct needs *needs)
{
    for (; classes && *classes; classes++) {
        for (size_t index = 0; index < MAX_ENTRIES; index++) {
            struct bb_phandle_args args;
            int error = bb_class_lookup(*classes, node, index, &args);
            if (error == -ERANGE || (error == -ENOENT && (*classes)->lookup))
                break;
            if (error == -ENOENT || (error == 0 && args.node == node))
                continue; /* an empty entry, or the device itself */
            if (error < 0) {
                if (required)
                    return refuse(node, BB_REASON_PROBE_FAILED, error, (*classes)->name, NULL);
                break;
            }
            if (args.node->state == BB_NODE_BINDING) {
                if (!required)
                    continue;
                print_chain(args.node);
                return refuse(node, BB_REASON_CYCLE, -ELOOP, (*classes)->name, args.node);
            }
            error = bb_bind(args.node);
            if (error < 0 && required)
                return refuse(node, BB_REASON_WAITING, -ENODEV, (*classes)->name, args.node);
            if (error == 0)
                remember(needs, args.node->device);
        }
    }
    return 0;
}

static struct bb_device *create(struct bb_node *node, const struct bb_driver *driver,
                                const struct bb_match *match, const struct needs *needs)
{
    struct bb_device *device =
        bb_arena_take(node->arena, driver->state_size, _Alignof(max_align_t));
    if (!device)
        return NULL;
    device->node = node;
    device->driver = driver;
    device->name = node->alias ? node->alias : node->name;
    device->data = match->data;
    device->bytes = driver->state_size;
    bb_for_each_face (face, info, device) {
        face->class = info->class;
        face->device = device;
        face->ops = info->ops;
    }
    if (needs->count) {
        device->needs = bb_device_alloc(device, needs->count * sizeof(struct bb_device *),
                                        _Alignof(struct bb_device *));
        if (!device->needs)
            return NULL;
        memcpy(device->needs, needs->devices, needs->count * sizeof(struct bb_device *));
        device->need_count = needs->count;
    }
    return device;
}

static int probe(struct bb_device *device)
{
    int error = 0;
    bb_param_apply(device->driver, device);
    if (!bb_binder.dry && device->driver->probe) {
        struct bb_device *previous = bb_device_enter(device);
        error = device->driver->probe(device);
        bb_device_leave(previous);
    }
    return error < 0 ? error : bb_device_start(device);
}

static int bring_up(struct bb_node *node, const struct bb_match *match)
{
    struct needs needs = {.count = 0};
    int error = pull(node, node->driver->needs, true, &needs);
    if (error == 0)
        error = pull(node, node->driver->wants, false, &needs);
    if (error < 0)
        return error;
    size_t mark = node->arena->used;
    const struct bb_node *last = bb_node_last();
    const struct bb_device *newest = bb_device_newest();
    struct bb_device *device = create(node, node->driver, match, &needs);
    if (!device) {
        node->arena->used = mark;
        return refuse(node, BB_REASON_NO_MEMORY, -ENOMEM, NULL, NULL);
    }
    error = probe(device);
    if (error == 0) {
        node->state = BB_NODE_RUNNING;
        return 0;
    }
    const char *step = device->step;
    bb_device_release(device);
    if (bb_node_last() == last && bb_device_newest() == newest && !device->shared)
        node->arena->used = mark; /* nothing that stays was allocated after it */
    bool absent = error == -ENOSYS;
    return refuse(node, absent ? BB_REASON_ABSENT : BB_REASON_PROBE_FAILED, error, step, NULL);
}

static void report(const struct bb_node *node)
{
    char reason[200];
    bb_node_reason(node, reason, sizeof(reason));
    bb_node_print(BB_WARNING, node, "%s", reason);
}

void bb_device_broken(struct bb_device *device, const char *why, int error)
{
    device->step = why; /* which a probe's reason names */
    if (device->node->state == BB_NODE_RUNNING) {
        refuse(device->node, BB_REASON_BROKEN, error, why, NULL);
        report(device->node);
    }
}

/* Notes which driver takes the node, or why none does; returns the match. */
static const struct bb_match *match_node(struct bb_node *node)
{
    struct bb_choice choice = bb_bind_choose(&bb_binder, node);
    node->driver = choice.driver;
    if (choice.driver)
        node->bus = choice.driver->bus;
    else
        refuse(node, choice.unreached ? BB_REASON_NO_BUS : BB_REASON_NO_DRIVER, -ENODEV, NULL,
               NULL);
    return choice.match;
}

int bb_bind(struct bb_node *node)
{
    if (node->state != BB_NODE_UNBOUND) /* an error of 0: it runs */
        return node->state == BB_NODE_BINDING ? -ELOOP : node->reason.error;
    if (!node->enabled)
        return refuse(node, BB_REASON_DISABLED, -ENODEV, NULL, NULL);
    const struct bb_match *match = match_node(node);
    if (!match)
        return -ENODEV;
    const struct chain link = {node, chain, chain ? chain->depth + 1 : 0};
    if (link.depth >= MAX_CHAIN)
        return refuse(node, BB_REASON_PROBE_FAILED, -ELOOP, "too long a chain of needs", NULL);
    chain = &link;
    node->state = BB_NODE_BINDING;
    int error = bring_up(node, match);
    chain = link.outer;
    if (error < 0 && node->reason.code != BB_REASON_ABSENT && !bb_binder.dry)
        report(node);
    return error;
}

static void append_named_node(const char *compatible)
{
    struct bb_property *property = bb_arena_alloc(sizeof(*property), _Alignof(max_align_t));
    const char *comma = strchr(compatible, ',');
    if (!property)
        return;
    *property = (struct bb_property){"compatible", compatible, (uint32_t)strlen(compatible) + 1};
    if (bb_node_append(bb_node_root(), NULL, comma ? comma + 1 : compatible, property, 1, NULL) < 0)
        bb_print(BB_WARNING, "node=%s makes no node: it wants `vendor,device`", compatible);
}

/* Hardware that no tree describes: from the manifest, and `node=busbar,semihosting` words. */
static void append_named_nodes(void)
{
    const char *compatible;
    for (size_t i = 0; bb_platform_nodes[i]; i++)
        append_named_node(bb_platform_nodes[i]);
    for (size_t i = 0; (compatible = bb_param_get_at("node", i)); i++)
        append_named_node(compatible);
}

/* The manifest's order decides between independent devices; what they need comes first anyway. */
void bb_bind_all(void)
{
    struct bb_node *first = bb_node_root();
    if (!first)
        return;
    append_named_nodes();
    first = first->next; /* the root is the machine, not a device */
    while (first) {
        const struct bb_node *last = bb_node_last();
        /* Match first, so that each driver's turn is one look at a pointer for every node. */
        for (struct bb_node *node = first; node; node = node->next)
            if (node->state == BB_NODE_UNBOUND && node->enabled && node->compatible)
                match_node(node);
        for (size_t i = 0; i < bb_binder.count; i++)
            for (struct bb_node *node = first; node; node = node->next)
                if (node->driver == bb_binder.drivers[i] && node->state == BB_NODE_UNBOUND)
                    bb_bind(node);
        first = last->next; /* what drivers appended meanwhile */
    }
}

bool bb_bind_is_busy(void)
{
    return chain;
}

bool bb_node_is_bus(const struct bb_node *node)
{
    bb_for_each_child (child, node)
        if (child->bus)
            return true;
    return false;
}

size_t bb_node_reason(const struct bb_node *node, char *buffer, size_t size)
{
    static const char *const plain[] = {
        [BB_REASON_NONE] = "not bound",
        [BB_REASON_DISABLED] = "disabled by the tree",
        [BB_REASON_NO_DRIVER] = "no driver in this image knows it",
        [BB_REASON_NO_BUS] = "a driver knows it, but its parent is no bus of that driver",
        [BB_REASON_ABSENT] = "not in this machine",
        [BB_REASON_BROKEN] = "stopped",
        [BB_REASON_REMOVED] = "removed",
    };
    const struct bb_reason *reason = &node->reason;
    const char *text = plain[reason->code];
    char path[MAX_PATH] = "", why[200] = "it waits too";
    if (reason->culprit)
        bb_node_path(reason->culprit, path, sizeof(path));
    if (reason->code == BB_REASON_WAITING) {
        if (reason->culprit->reason.code != BB_REASON_WAITING)
            bb_node_reason(reason->culprit, why, sizeof(why));
        return bb_format(buffer, size, "waiting for its %s %s (%s)", reason->step, path, why);
    }
    if (reason->code == BB_REASON_CYCLE)
        return bb_format(buffer, size, "in a circle: its %s %s needs it in turn", reason->step,
                         path);
    if (reason->code == BB_REASON_NO_MEMORY)
        return bb_format(buffer, size, "the %s is full: raise `%s`", node->arena->what,
                         node->arena->what);
    if (reason->code == BB_REASON_PROBE_FAILED)
        return bb_format(buffer, size, "probe of %s failed at %s: %s",
                         node->driver ? node->driver->name : "its driver",
                         reason->step ? reason->step : "its start", bb_error_name(reason->error));
    if (reason->code == BB_REASON_BROKEN || reason->code == BB_REASON_ABSENT)
        return bb_format(buffer, size, "%s: %s", text, reason->step ? reason->step : "its probe");
    if (reason->code == BB_REASON_NONE && (node->state == BB_NODE_RUNNING || !node->enabled))
        text = node->enabled ? "running" : plain[BB_REASON_DISABLED];
    else if (reason->code == BB_REASON_NO_DRIVER && bb_node_is_bus(node))
        text = "a bus; its children are the devices";
    return bb_format(buffer, size, "%s", text);
}

void bb_bind_reset(void)
{
    memset(&matches, 0, sizeof(matches));
    memset(&bb_binder, 0, sizeof(bb_binder));
    chain = NULL;
}
