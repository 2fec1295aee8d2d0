/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots of hot-plug buses: memory that is used again once nobody refers to it. */
#include <busbar/hotplug.h>

static void push(struct bb_slot **list, struct bb_slot *slot)
{
    slot->next = *list;
    *list = slot;
}

int bb_slots_make(struct bb_device *owner, const char *what, unsigned count, size_t size,
                  struct bb_slots *slots)
{
    struct bb_slot *all = bb_device_alloc(owner, count * sizeof(*all), _Alignof(struct bb_slot));
    *slots = (struct bb_slots){.count = count};
    if (!all)
        return -ENOMEM;
    for (unsigned i = count; i-- > 0;) { /* the first is the next to be taken */
        char *memory = bb_device_alloc(owner, size, 64);
        if (!memory)
            return -ENOMEM;
        all[i] = (struct bb_slot){.arena = {.memory = memory, .size = size, .what = what},
                                  .slots = slots};
        push(&slots->free, &all[i]);
    }
    return 0;
}

static bool is_held(struct bb_slot *slot)
{
    while (slot->held && !slot->held->handles)
        slot->held = slot->held->next;
    return slot->held;
}

static void give_back(struct bb_slot *slot)
{
    slot->arena.used = 0;
    slot->slots->taken--;
    push(&slot->slots->free, slot);
}

/* Those whose last handle was put meanwhile are free now. */
bool bb_slots_collect(struct bb_slots *slots)
{
    bool any = false;
    for (struct bb_slot **link = &slots->leaving; *link;) {
        struct bb_slot *slot = *link;
        if (is_held(slot)) {
            link = &slot->next;
            continue;
        }
        *link = slot->next;
        give_back(slot);
        any = true;
    }
    return any;
}

struct bb_slot *bb_slot_take(struct bb_slots *slots)
{
    (void)bb_slots_collect(slots);
    struct bb_slot *slot = slots->free;
    if (!slot)
        return NULL;
    slots->free = slot->next;
    slots->taken++;
    slot->node = NULL;
    slot->arena.reported = 0;
    return slot;
}

int bb_slot_append(struct bb_slot *slot, struct bb_node *parent, const struct bb_bus *bus,
                   const char *name, const struct bb_property *properties, size_t count,
                   struct bb_node **node)
{
    BB_ASSERT(!slot->node);
    struct bb_arena *outer = parent->arena;
    parent->arena = &slot->arena; /* a node's memory is its parent's: for this one, the slot's */
    int error = bb_node_append(parent, bus, name, properties, count, &slot->node);
    parent->arena = outer;
    if (!error)
        *node = slot->node;
    return error;
}

/* The last of the table below `top`, which has no children then, or `top`. */
static struct bb_node *last_below(struct bb_node *top)
{
    struct bb_node *last = top;
    for (struct bb_node *node = top; node; node = node->next)
        for (const struct bb_node *above = node->parent; above; above = above->parent)
            if (above == top)
                last = node;
    return last;
}

static int take_out(struct bb_slot *slot, struct bb_node *node)
{
    struct bb_device *device = node->device;
    BB_ASSERT(node->arena == &slot->arena);
    if (device) {
        int error = bb_device_remove(device);
        if (error)
            return error;
        device->next = slot->held; /* it is in no other list now */
        slot->held = device;
    }
    bb_node_unlink(node);
    return 0;
}

int bb_slot_release(struct bb_slot *slot)
{
    if (bb_bind_is_busy())
        return -EBUSY;
    while (slot->node) {
        struct bb_node *node = last_below(slot->node);
        int error = take_out(slot, node);
        if (error)
            return error;
        if (node == slot->node)
            slot->node = NULL;
    }
    push(&slot->slots->leaving, slot);
    (void)bb_slots_collect(slot->slots);
    return 0;
}
