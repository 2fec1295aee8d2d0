/* SPDX-License-Identifier: BSD-2-Clause */
/* The mailbox bus: devices that are services of another processor, reached through a mailbox. */
#include <busbar/mailbox.h>

/* Children of a node that speaks over a mailbox, and nodes that name such a node as `firmware`. */
static bool mailbox_claims(const struct bb_node *node)
{
    struct bb_phandle_args args;
    if (bb_node_phandle_args(node, "firmware", NULL, 0, &args) == 0)
        return bb_node_has(args.node, "mboxes");
    return node->parent && bb_node_has(node->parent, "mboxes");
}

const struct bb_bus bb_mailbox_bus = {.name = "mailbox", .claims = mailbox_claims};
