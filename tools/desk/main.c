/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binder at the desk: binds a device tree with a platform's drivers, everything but the probes,
 * and prints what came of it as JSON. `tools/busbar explain` and `drivers` format it; the schema
 * stands in docs/tools.md.
 *
 *     desk --drivers rtc/pl031,console/pl011 virt.dtb
 *     desk --list
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/app.h>
#include <busbar/hooks.h>

#include "core/core.h"

#define MAX_TREE (8u << 20)
#define MAX_DRIVERS 512

static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_path(const struct bb_node *node)
{
    char path[1024];
    bb_node_path(node, path, sizeof(path));
    print_string(path);
}

static void print_strings(const struct bb_node *node, const char *property)
{
    const char *text;
    putchar('[');
    for (size_t i = 0; bb_node_string_at(node, property, i, &text) == 0; i++) {
        if (i)
            putchar(',');
        print_string(text);
    }
    putchar(']');
}

static void print_resources(const struct bb_node *node)
{
    const char *separator = "";
    uint64_t address, size;
    struct bb_phandle_args args;
    printf(",\"resources\":[");
    for (size_t i = 0; bb_node_reg(node, i, &address, &size) == 0; i++, separator = ",")
        printf("%s{\"type\":\"reg\",\"index\":%zu,\"address\":%llu,\"size\":%llu}", separator, i,
               (unsigned long long)address, (unsigned long long)size);
    for (size_t i = 0; bb_node_interrupt(node, i, &args) == 0; i++, separator = ",") {
        printf("%s{\"type\":\"irq\",\"index\":%zu,\"controller\":", separator, i);
        print_path(args.node);
        printf(",\"cells\":[");
        for (uint32_t cell = 0; cell < args.count; cell++)
            printf("%s%u", cell ? "," : "", args.cells[cell]);
        printf("]}");
    }
    putchar(']');
}

/* What hangs off a USB controller is found by asking it, whatever the tree says of it. */
static bool is_found_by_bus(const struct bb_node *node)
{
    const struct bb_node *at = node->parent;
    while (at && !(at->driver && strncmp(at->driver->name, "usb_host/", 9) == 0))
        at = at->parent;
    return at;
}

static const char *reason_code(const struct bb_node *node, const struct bb_driver *left_out)
{
    switch (node->reason.code) {
    case BB_REASON_DISABLED:
        return "disabled";
    case BB_REASON_NO_BUS:
        return "no-bus";
    case BB_REASON_WAITING:
        return "waiting";
    case BB_REASON_CYCLE:
        return "cycle";
    case BB_REASON_PROBE_FAILED:
    case BB_REASON_NO_MEMORY:
        return "probe-failed";
    case BB_REASON_NONE:
    case BB_REASON_NO_DRIVER:
    case BB_REASON_ABSENT:
    case BB_REASON_BROKEN:
    case BB_REASON_REMOVED:
        break;
    }
    return left_out                ? "not-in-manifest"
           : bb_node_is_bus(node)  ? "bus"
           : is_found_by_bus(node) ? "found-by-bus"
                                   : "no-driver";
}

static const struct bb_driver *left_out(const struct bb_node *node, const struct bb_binder *all)
{
    return node->reason.code == BB_REASON_NO_DRIVER ? bb_bind_choose(all, node).driver : NULL;
}

/* As bb_node_reason(), but with all drivers in view: which the manifest could add. */
static void reason_text(const struct bb_node *node, const struct bb_binder *all, char *text,
                        size_t size)
{
    const struct bb_driver *driver = left_out(node, all);
    const struct bb_reason *reason = &node->reason;
    char path[256], why[512] = "it waits too";
    if (driver) {
        bb_format(text, size, "the manifest leaves out %s", driver->name);
    } else if (reason->code == BB_REASON_NO_DRIVER && !bb_node_is_bus(node)) {
        bb_format(text, size, "%s",
                  is_found_by_bus(node)
                      ? "a USB port's: what is plugged in there gets a node of its own"
                      : "no driver knows it");
    } else if (reason->code == BB_REASON_WAITING) {
        if (reason->culprit->reason.code != BB_REASON_WAITING)
            reason_text(reason->culprit, all, why, sizeof(why));
        bb_node_path(reason->culprit, path, sizeof(path));
        bb_format(text, size, "waiting for its %s %s (%s)", reason->step, path, why);
    } else {
        bb_node_reason(node, text, size);
    }
}

static void print_reason(const struct bb_node *node, const struct bb_binder *all)
{
    char text[1024];
    const struct bb_driver *driver = left_out(node, all);
    reason_text(node, all, text, sizeof(text));
    printf(",\"reason\":{\"code\":\"%s\",\"text\":", reason_code(node, driver));
    print_string(text);
    if (driver)
        printf(",\"driver\":\"%s\"", driver->name);
    if (node->reason.culprit) {
        printf(",\"node\":");
        print_path(node->reason.culprit);
    }
    putchar('}');
}

/* What the driver wants and does without, since its provider has no driver. */
static void print_without(const struct bb_node *node, const struct bb_binder *all)
{
    const char *separator = "";
    printf(",\"without\":[");
    for (const struct bb_class *const *wants = node->driver->wants; wants && *wants; wants++) {
        struct bb_phandle_args args;
        const struct bb_node *last = node;
        for (size_t i = 0; bb_class_lookup(*wants, node, i, &args) == 0; i++) {
            char text[1024];
            if (args.node->state == BB_NODE_RUNNING || args.node == last)
                continue;
            last = args.node;
            reason_text(args.node, all, text, sizeof(text));
            printf("%s{\"class\":\"%s\",\"node\":", separator, (*wants)->name);
            print_path(args.node);
            printf(",\"text\":");
            print_string(text);
            putchar('}');
            separator = ",";
        }
    }
    putchar(']');
}

static void print_node(const struct bb_node *node, const struct bb_binder *all)
{
    bool bound = node->state == BB_NODE_RUNNING; /* as far as the desk goes: nothing was probed */
    printf("{\"path\":");
    print_path(node);
    printf(",\"compatible\":");
    print_strings(node, "compatible");
    printf(",\"status\":\"okay\",\"bus\":");
    if (node->bus)
        print_string(node->bus->name);
    else
        printf("null");
    printf(",\"driver\":");
    if (node->driver)
        print_string(node->driver->name);
    else
        printf("null");
    printf(",\"state\":\"%s\"", bound ? "bound" : "unbound");
    if (bound)
        printf(",\"reason\":null");
    else
        print_reason(node, all);
    print_resources(node);
    printf(",\"depends\":[");
    for (uint16_t i = 0; bound && i < node->device->need_count; i++) {
        if (i)
            putchar(',');
        print_path(node->device->needs[i]->node);
    }
    putchar(']');
    if (bound)
        print_without(node, all);
    putchar('}');
}

static void print_driver(const struct bb_driver *driver)
{
    printf("{\"name\":\"%s\",\"bus\":\"%s\",\"compatible\":[", driver->name,
           driver->bus ? driver->bus->name : "");
    for (const struct bb_match *match = driver->match; match && match->compatible; match++) {
        if (match != driver->match)
            putchar(',');
        print_string(match->compatible);
    }
    printf("],\"faces\":[");
    for (const struct bb_face_info *info = driver->faces; info && info->class; info++)
        printf("%s\"%s\"", info == driver->faces ? "" : ",", info->class->name);
    printf("]}");
}

static void print_drivers(const struct bb_binder *binder)
{
    printf("\"drivers\":[");
    for (size_t i = 0; i < binder->count; i++) {
        if (i)
            putchar(',');
        print_driver(binder->drivers[i]);
    }
    putchar(']');
}

static void *read_tree(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    void *tree = malloc(MAX_TREE);
    if (!file || !tree) {
        fprintf(stderr, "desk: cannot open %s: %s\n", path, strerror(errno));
        exit(1);
    }
    *size = fread(tree, 1, MAX_TREE, file);
    if (ferror(file) || !feof(file)) {
        fprintf(stderr, "desk: %s: not readable, or larger than %u bytes\n", path, MAX_TREE);
        exit(1);
    }
    fclose(file);
    return tree;
}

/* The named drivers in the order given; those that are not linked end the program. */
static size_t select_drivers(char *names, const struct bb_driver **chosen)
{
    size_t count = 0;
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
        size_t i = 0;
        while (i < bb_driver_count && strcmp(bb_drivers[i]->name, name) != 0)
            i++;
        if (i == bb_driver_count || count == MAX_DRIVERS) {
            fprintf(stderr, "desk: there is no driver %s\n", name);
            exit(1);
        }
        chosen[count++] = bb_drivers[i];
    }
    return count;
}

static void log_to_stderr(const char *text, size_t length)
{
    fwrite(text, 1, length, stderr);
}

static void explain(const char *path, const struct bb_binder *all)
{
    size_t size;
    void *tree = read_tree(path, &size);
    const char *model = "", *separator = "";
    if (bb_tree_load(tree, size) < 0)
        exit(1);
    bb_bind_all();
    bb_node_string(bb_node_root(), "model", &model);
    printf("{\"model\":");
    print_string(model);
    printf(",\"compatible\":");
    print_strings(bb_node_root(), "compatible");
    printf(",\"nodes\":[");
    bb_for_each_node (node) {
        if (!node->parent || !node->enabled || !bb_node_has(node, "compatible"))
            continue;
        printf("%s\n", separator);
        print_node(node, all);
        separator = ",";
    }
    printf("],\n");
    print_drivers(all);
    printf("}\n");
    free(tree);
}

/* What core would start, if this were an image: the linker wants one. */
int bb_main(void)
{
    return 0;
}

int main(int argc, char **argv)
{
    static const struct bb_driver *chosen[MAX_DRIVERS];
    const struct bb_binder all = {bb_drivers, bb_driver_count, true};
    bb_hooks.console_write = log_to_stderr;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        putchar('{');
        print_drivers(&all);
        printf("}\n");
        return 0;
    }
    if (argc != 4 || strcmp(argv[1], "--drivers") != 0) {
        fprintf(stderr, "usage: desk --drivers NAME,NAME,... TREE.dtb\n       desk --list\n");
        return 2;
    }
    bb_binder = (struct bb_binder){chosen, select_drivers(argv[2], chosen), true};
    explain(argv[3], &all);
    return 0;
}
