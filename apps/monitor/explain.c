/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"

static void say_path(const struct bb_node *node)
{
    char path[512]; /* as much as say() shows */
    bb_node_path(node, path, sizeof(path));
    say(" %s", path);
}

static void say_resources(const struct bb_node *node)
{
    uint64_t address, size;
    struct bb_phandle_args args;
    for (size_t i = 0; bb_node_reg(node, i, &address, &size) == 0; i++)
        say("  registers   0x%llx, %llu bytes\n", (unsigned long long)address,
            (unsigned long long)size);
    for (size_t i = 0; bb_node_interrupt(node, i, &args) == 0; i++) {
        say("  interrupt   <");
        for (uint32_t cell = 0; cell < args.count; cell++)
            say(cell ? " %u" : "%u", (unsigned)args.cells[cell]);
        say("> of");
        say_path(args.node);
        say("\n");
    }
}

static void say_relations(const struct bb_device *device)
{
    for (uint16_t i = 0; i < device->need_count; i++) {
        say("  needs      ");
        say_path(device->needs[i]->node);
        say("\n");
    }
    bb_for_each_device (other)
        for (uint16_t i = 0; i < other->need_count; i++)
            if (other->needs[i] == device) {
                say("  serves     ");
                say_path(other->node);
                say("\n");
            }
}

static bool is_called(const struct bb_node *node, const char *name)
{
    return strcmp(node->name, name) == 0 || (node->alias && strcmp(node->alias, name) == 0);
}

/* By path, or by the alias or the last name of just one node; of none or several it says so. */
static const struct bb_node *find(const char *name)
{
    const struct bb_node *found = bb_node_find(name);
    unsigned count = 0;
    if (found)
        return found;
    bb_for_each_node (node)
        if (is_called(node, name)) {
            found = node;
            count++;
        }
    if (!count)
        say("explain: not there: see `devices`\n");
    if (count < 2)
        return found;
    say("%s: which of these?", name);
    bb_for_each_node (node)
        if (is_called(node, name))
            say_path(node);
    say("\n");
    return NULL;
}

static int run(int argc, char **argv)
{
    char reason[256];
    const char *text;
    if (argc != 2)
        return -EINVAL;
    const struct bb_node *node = find(argv[1]);
    if (!node)
        return 0;
    say_path(node);
    say("\n");
    for (size_t i = 0; bb_node_string_at(node, "compatible", i, &text) == 0; i++)
        say("  compatible  %s\n", text);
    node_reason(node, reason, sizeof(reason));
    say("  state       %s\n", reason);
    if (node->driver)
        say("  driver      %s on the %s bus\n", node->driver->name, node->driver->bus->name);
#if BB_MODULE_TCPIP
    explain_network(node);
#endif
    say_resources(node);
    if (node->device)
        say_relations(node->device);
    return 0;
}

const struct command command_explain = {
    "explain", "NODE", "what drives a node, its resources, who needs whom", run, complete_node};
