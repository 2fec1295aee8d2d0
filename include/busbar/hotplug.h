/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots: the memory of what comes and goes. A hot-plug bus cuts a fixed number of equal slots from
 * the arena at start; a thing that is plugged in takes one, and its nodes, its devices and all that
 * these allocate live there. When it is gone the slot is used again, so a year of plugging takes no
 * more memory than the first hour. For buses, not for drivers; early and thread context.
 *
 *     error = bb_slots_make(device, "usb.slot", 16, 32768, &slots);
 *     struct bb_slot *slot = bb_slot_take(&slots);                  // NULL: all are taken
 *     error = bb_slot_append(slot, hub, &bb_usb_bus, "device@1", properties, count, &node);
 *     ...
 *     error = bb_slot_release(slot);                                // -EBUSY: again, later
 */
#ifndef BUSBAR_HOTPLUG_H
#define BUSBAR_HOTPLUG_H

#include <busbar/arena.h>
#include <busbar/device.h>

struct bb_slot {
    struct bb_arena arena;
    struct bb_slots *slots;
    struct bb_slot *next;   /* of those that are free, or that leave */
    struct bb_node *node;   /* the topmost one, or NULL */
    struct bb_device *held; /* devices that are gone, and somebody still holds a face of them */
};

struct bb_slots {
    struct bb_slot *free;
    struct bb_slot *leaving; /* given back; some handle is not put yet */
    unsigned count;
    uint64_t taken; /* now, those that leave included */
};

/* Cuts `count` slots of `size` bytes. `what` names the parameter that makes them larger. -ENOMEM.
 */
int bb_slots_make(struct bb_device *owner, const char *what, unsigned count, size_t size,
                  struct bb_slots *slots);
/* Frees those whose last handle was put since they were given back, as take and release do;
 * whether there were any. */
bool bb_slots_collect(struct bb_slots *slots);
/* An empty slot, or NULL when every one is taken or waits for a handle to be put. */
struct bb_slot *bb_slot_take(struct bb_slots *slots);
/* Memory of the slot, zeroed; NULL when it is full. Lives until the release. */
static inline void *bb_slot_alloc(struct bb_slot *slot, size_t size, size_t alignment)
{
    return bb_arena_take(&slot->arena, size, alignment);
}
/* The slot's topmost node, once. What is appended below it follows into the slot. */
int bb_slot_append(struct bb_slot *slot, struct bb_node *parent, const struct bb_bus *bus,
                   const char *name, const struct bb_property *properties, size_t count,
                   struct bb_node **node);
/* Removes the slot's devices, children first, and its nodes, and gives it back. -EBUSY while a
 * callback of one of them or some bind is under way: nothing is lost, call again a little later.
 * Slots of other things below its nodes are released before. */
int bb_slot_release(struct bb_slot *slot);

#endif
