/* SPDX-License-Identifier: BSD-2-Clause */
/* The mmio bus: devices with registers in the CPU's address space, and those that need none. */
#include <busbar/mailbox.h>
#include <busbar/mmio.h>
#include <busbar/time.h>

/* Buses that only forward addresses, and need no driver of their own. */
static bool is_simple_bus(const struct bb_node *node)
{
    static const char *const names[] = {"simple-bus", "simple-mfd", "simple-pm-bus",
                                        "arm,amba-bus"};
    for (size_t i = 0; i < BB_ARRAY_SIZE(names); i++)
        if (bb_node_compatible(node, names[i]))
            return true;
    return false;
}

/* Children of the root, of a simple bus, or of a folder such as /clocks, which names no device. */
static bool mmio_claims(const struct bb_node *node)
{
    const struct bb_node *parent = node->parent;
    if (!parent || bb_mailbox_bus.claims(node))
        return false;
    return !parent->parent || !bb_node_has(parent, "compatible") || is_simple_bus(parent);
}

const struct bb_bus bb_mmio_bus = {
    .name = "mmio",
    .claims = mmio_claims,
};

/* The mapping stays: it is part of the identity map, and another device may share the page. */
static void release(struct bb_resource *resource)
{
    struct bb_regs *regs = bb_container_of(resource, struct bb_regs, resource);
    regs->base = 0;
    regs->size = 0;
}

int bb_regs_get(struct bb_device *device, size_t index, size_t minimum, struct bb_regs *regs)
{
    uint64_t address, size;
    int error = bb_node_reg(device->node, index, &address, &size);
    if (error)
        return bb_fail(device, "reg", error);
    if (size < minimum || size > SIZE_MAX || address > UINTPTR_MAX - size)
        return bb_fail(device, "reg", -EINVAL);
    uintptr_t base = bb_arch_map_device(address, size);
    if (!base)
        return bb_fail(device, "reg", -ENOMEM);
    regs->base = base;
    regs->size = (size_t)size;
    return bb_acquire(device, &regs->resource, "reg", release);
}

int bb_read32_until(const struct bb_regs *regs, size_t offset, uint32_t mask, uint32_t wanted,
                    uint64_t timeout)
{
    BB_ASSERT(timeout <= 10 * BB_MSEC);
    uint64_t start = bb_time();
    /* A second bound, for a machine whose time stands still: a read takes 10 ns or more. */
    for (uint64_t reads = 0; reads <= timeout / 10; reads++) {
        /* The time comes first: what an interrupt delayed is still looked at once. */
        bool late = bb_time() - start >= timeout;
        if ((bb_read32(regs, offset) & mask) == wanted)
            return 0;
        if (late)
            break;
    }
    return -ETIMEDOUT;
}
