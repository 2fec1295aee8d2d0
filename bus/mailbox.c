/* SPDX-License-Identifier: BSD-2-Clause */
/* The mailbox bus: devices that are services of another processor, reached through a mailbox. */
#include <busbar/mailbox.h>

/* Children of a node that speaks over a mailbox, and nodes that name such a node as `firmware`. */
static bool mailbox_claims(const struct bb_node *node)
{
    struct bb_phandle_args firmware;
    if (node->parent && bb_node_has(node->parent, "mboxes"))
        return true;
    return bb_node_has(node, "firmware") &&
           bb_node_phandle_args(node, "firmware", NULL, 0, &firmware) == 0 &&
           bb_node_has(firmware.node, "mboxes");
}

const struct bb_bus bb_mailbox_bus = {
    .name = "mailbox",
    .claims = mailbox_claims,
};
