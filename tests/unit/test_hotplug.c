/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots: taken, filled, given back; handles that outlive a device; slots inside slots. */
#include "harness.h"

#include <string.h>

#include <busbar/arena.h>
#include <busbar/clock.h>
#include <busbar/hotplug.h>
#include <busbar/poll.h>
#include <busbar/store.h>
#include <core/core.h>

/* ---- A bus of the test's own, and a driver on it ---- */

static const struct bb_bus test_bus = {.name = "test"};
static struct bb_slots slots;
static int removed, order[8];

struct thing {
    struct bb_device device;
    struct bb_clock clock;
    struct bb_value value;
    uint64_t count;
    struct bb_work work;
    int number;
};

static int thing_rate(struct bb_clock *clock, uint32_t output, uint64_t *hz)
{
    (void)clock, (void)output;
    *hz = 42;
    return 0;
}

static void try_to_go(struct bb_work *work);

static int thing_probe(struct bb_device *device)
{
    struct thing *thing = (struct thing *)device;
    char *memory = bb_device_alloc(device, 100, 8);
    for (unsigned i = 0; memory && i < 100; i++)
        assert_int_equal(memory[i], 0); /* nothing of whoever was here before */
    if (memory)
        memset(memory, 0xff, 100);
    thing->work = (struct bb_work){.run = try_to_go, .device = device};
    thing->number = device->node->name[5] - '0';
    return memory ? bb_publish_u64(device, &thing->value, "count", "", &thing->count) : -ENOMEM;
}

static void thing_remove(struct bb_device *device)
{
    order[removed++ % 8] = ((struct thing *)device)->number;
}

static const struct bb_clock_ops bb_ops_clock_thing = {.rate = thing_rate};
BB_DRIVER(clock, thing, .bus = &test_bus, .match = BB_MATCH({"test,thing"}), .probe = thing_probe,
          .remove = thing_remove, .hotplug = true);

static const struct bb_driver *const drivers[] = {&bb_driver_clock_thing};
static const struct bb_property property = {"compatible", "test,thing", sizeof("test,thing")};

/* The owner of the slots is any device: here one without a driver's help. */
static const struct bb_driver owner_driver = {.name = "test/owner"};
static struct bb_device owner = {.driver = &owner_driver, .name = "owner"};

static void begin(unsigned count, size_t size)
{
    tree_begin(1, 1);
    tree_open("bus");
    tree_close();
    boot_tree(NULL);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    owner.node = bb_node_find("/bus");
    assert_int_equal(bb_slots_make(&owner, "test.slot", count, size, &slots), 0);
    assert_int_equal(slots.count, count);
}

static struct bb_slot *plug(struct bb_node *parent, const char *name, struct bb_node **node)
{
    struct bb_slot *slot = bb_slot_take(&slots);
    assert_non_null(slot);
    assert_int_equal(bb_slot_append(slot, parent, &test_bus, name, &property, 1, node), 0);
    assert_int_equal(bb_bind(*node), 0);
    return slot;
}

static int rate_of(struct bb_clock *clock, uint64_t *hz)
{
    return ((const struct bb_clock_ops *)clock->face.ops)->rate(clock, 0, hz);
}

/* ---- Tests ---- */

static void test_taken_and_given_back(void **state)
{
    struct bb_node *node;
    (void)state;
    begin(3, 2048);
    struct bb_slot *first = bb_slot_take(&slots), *second = bb_slot_take(&slots);
    struct bb_slot *third = bb_slot_take(&slots);
    assert_true(first && second && third && first != second && second != third);
    assert_null(bb_slot_take(&slots));
    assert_int_equal(slots.taken, 3);
    assert_int_equal(bb_slot_release(second), 0); /* with nothing in it */
    assert_int_equal(slots.taken, 2);
    assert_ptr_equal(bb_slot_take(&slots), second);
    assert_int_equal(bb_slot_append(first, owner.node, &test_bus, "thing0", &property, 1, &node),
                     0);
    assert_ptr_equal(bb_node_find("/bus/thing0"), node);
    assert_int_equal(bb_slot_release(first), 0);
    assert_null(bb_node_find("/bus/thing0"));
    assert_int_equal(slots.taken, 2);
}

static void test_memory_is_the_slots(void **state)
{
    struct bb_node *node;
    (void)state;
    begin(2, 2048);
    assert_int_equal(bb_slot_release(plug(owner.node, "thing0", &node)), 0); /* core's own index */
    size_t used = bb_arena_used();
    struct bb_slot *slot = plug(owner.node, "thing0", &node);
    assert_int_equal(bb_arena_used(), used);
    char *memory = bb_slot_alloc(slot, 64, 64);
    assert_non_null(memory);
    assert_true((char *)node->device > slot->arena.memory &&
                (char *)node->device < slot->arena.memory + slot->arena.size);
    assert_null(bb_slot_alloc(slot, 4096, 1));
    assert_int_equal(logged("the test.slot is too small"), 1);
    assert_null(bb_slot_alloc(slot, 4096, 1));
    assert_int_equal(logged("the test.slot is too small"), 1); /* said once */
    assert_non_null(bb_value_find("thing0.count"));
    assert_int_equal(bb_slot_release(slot), 0);
    assert_null(bb_value_find("thing0.count"));
    assert_int_equal(removed, 2);
    assert_int_equal(bb_arena_used(), used);
}

static void test_a_thousand_times(void **state)
{
    struct bb_node *node;
    (void)state;
    begin(1, 2048);
    size_t used = 0;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(bb_slot_release(plug(owner.node, "thing0", &node)), 0);
        used = used ? used : bb_arena_used();
    }
    assert_int_equal(removed, 1000);
    assert_int_equal(slots.taken, 0);
    assert_int_equal(bb_arena_used(), used);
    assert_null(bb_clock_first());
}

static void test_too_small_for_the_driver(void **state)
{
    struct bb_node *node;
    char text[100];
    (void)state;
    begin(1, 256);
    struct bb_slot *slot = bb_slot_take(&slots);
    int error = bb_slot_append(slot, owner.node, &test_bus, "thing0", &property, 1, &node);
    assert_int_equal(error, 0);
    assert_int_equal(bb_bind(node), -ENOMEM);
    bb_node_reason(node, text, sizeof(text));
    assert_string_equal(text, "the test.slot is full: raise `test.slot`");
    assert_int_equal(bb_slot_release(slot), 0);
    assert_int_equal(slots.taken, 0);
}

/* A handle that somebody holds: it answers, and its memory is not used again before it is put. */
static void test_handle_held(void **state)
{
    struct bb_node *node;
    uint64_t hz;
    (void)state;
    begin(2, 2048);
    struct bb_slot *slot = plug(owner.node, "thing0", &node);
    struct bb_clock *clock = bb_clock_first();
    assert_non_null(clock);
    assert_ptr_equal(clock->face.device->node, node);
    assert_int_equal(rate_of(clock, &hz), 0);
    bb_face_get(&clock->face);
    bb_face_get(&clock->face);
    assert_int_equal(bb_slot_release(slot), 0);
    assert_null(bb_clock_first());
    assert_null(bb_node_find("/bus/thing0"));
    assert_int_equal(rate_of(clock, &hz), -ENODEV);
    assert_int_equal(slots.taken, 1);
    struct bb_slot *other = bb_slot_take(&slots);
    assert_ptr_not_equal(other, slot);
    assert_null(bb_slot_take(&slots));
    bb_face_put(&clock->face);
    assert_null(bb_slot_take(&slots)); /* the other still has it */
    assert_int_equal(rate_of(clock, &hz), -ENODEV);
    bb_face_put(&clock->face);
    assert_ptr_equal(bb_slot_take(&slots), slot);
    assert_int_equal(slots.taken, 2);
}

static void test_put_before_release(void **state)
{
    struct bb_node *node;
    (void)state;
    begin(1, 2048);
    struct bb_slot *slot = plug(owner.node, "thing0", &node);
    struct bb_clock *clock = bb_clock_first();
    bb_face_get(&clock->face);
    bb_face_put(&clock->face);
    assert_int_equal(bb_slot_release(slot), 0);
    assert_int_equal(slots.taken, 0);
    assert_ptr_equal(bb_slot_take(&slots), slot);
}

/* Nodes in nodes of one slot: the deepest goes first. */
static void test_several_devices_in_a_slot(void **state)
{
    struct bb_node *top, *middle, *leaf, *sibling;
    (void)state;
    begin(1, 8192);
    struct bb_slot *slot = plug(owner.node, "thing0", &top);
    assert_int_equal(bb_node_append(top, &test_bus, "thing1", &property, 1, &middle), 0);
    assert_int_equal(bb_node_append(middle, &test_bus, "thing2", &property, 1, &leaf), 0);
    assert_int_equal(bb_node_append(top, &test_bus, "thing3", &property, 1, &sibling), 0);
    assert_ptr_equal(leaf->arena, &slot->arena);
    assert_int_equal(bb_bind(leaf), 0);
    assert_int_equal(bb_bind(middle), 0);
    assert_int_equal(bb_bind(sibling), 0);
    struct bb_clock *held = NULL;
    for (struct bb_clock *clock = bb_clock_first(); clock; clock = bb_clock_next(clock))
        if (clock->face.device->node == leaf)
            held = clock;
    bb_face_get(&held->face);
    assert_int_equal(bb_slot_release(slot), 0);
    assert_int_equal(removed, 4);
    int place[4];
    for (int i = 0; i < 4; i++)
        place[order[i]] = i;
    assert_true(place[2] < place[1] && place[1] < place[0] && place[3] < place[0]);
    assert_null(bb_node_find("/bus/thing0"));
    assert_int_equal(slots.taken, 1);
    bb_face_put(&held->face);
    assert_true(bb_slots_collect(&slots));
    assert_false(bb_slots_collect(&slots));
    assert_int_equal(slots.taken, 0);
    assert_ptr_equal(bb_slot_take(&slots), slot);
}

/* A slot below a node of another one goes first, by itself; the other stays. */
static void test_nested_slots(void **state)
{
    struct bb_node *hub, *device, *second;
    (void)state;
    begin(3, 2048);
    struct bb_slot *outer = plug(owner.node, "thing0", &hub);
    struct bb_slot *inner = plug(hub, "thing1", &device);
    struct bb_slot *other = plug(hub, "thing2", &second);
    assert_ptr_equal(device->arena, &inner->arena);
    assert_ptr_equal(hub->arena, &outer->arena);
    assert_ptr_equal(bb_node_find("/bus/thing0/thing1"), device);
    assert_int_equal(bb_slot_release(inner), 0);
    assert_null(bb_node_find("/bus/thing0/thing1"));
    assert_ptr_equal(bb_node_find("/bus/thing0/thing2"), second);
    inner = plug(hub, "thing3", &device);
    assert_int_equal(bb_slot_release(other), 0);
    assert_int_equal(bb_slot_release(inner), 0);
    assert_int_equal(bb_slot_release(outer), 0);
    assert_int_equal(removed, 4);
    assert_int_equal(slots.taken, 0);
}

/* The table's other nodes, before and behind, keep their order and are found. */
static void test_node_table_stays_whole(void **state)
{
    struct bb_node *nodes[3], *late;
    struct bb_slot *taken[3];
    (void)state;
    begin(3, 2048);
    for (int i = 0; i < 3; i++) {
        char *name = bb_arena_alloc(8, 1);
        memcpy(name, "thing0", 7);
        name[5] = (char)('0' + i);
        taken[i] = plug(owner.node, name, &nodes[i]);
    }
    assert_int_equal(bb_node_append(bb_node_root(), NULL, "late", NULL, 0, &late), 0);
    assert_int_equal(bb_slot_release(taken[1]), 0);
    assert_int_equal(bb_slot_release(taken[0]), 0);
    unsigned count = 0;
    bb_for_each_node (node)
        count++;
    assert_int_equal(count, 4); /* root, bus, thing2, late */
    assert_ptr_equal(bb_node_find("/late"), late);
    assert_ptr_equal(bb_node_find("/bus/thing2"), nodes[2]);
    assert_ptr_equal(bb_node_last(), late);
    assert_int_equal(bb_slot_release(taken[2]), 0);
    assert_null(owner.node->child);
    taken[0] = plug(owner.node, "thing0", &nodes[0]);
    assert_ptr_equal(bb_node_last(), nodes[0]);
    assert_int_equal(bb_slot_release(taken[0]), 0);
    assert_ptr_equal(bb_node_last(), late);
}

/* While a callback of the device runs, and while something binds: later, and nothing is lost. */
static struct bb_slot *going;
static int from_within;

static void try_to_go(struct bb_work *work)
{
    (void)work;
    from_within = bb_slot_release(going);
}

static void test_busy(void **state)
{
    struct bb_node *node;
    (void)state;
    begin(1, 2048);
    going = plug(owner.node, "thing0", &node);
    bb_work_queue(&((struct thing *)node->device)->work);
    bb_poll();
    assert_int_equal(from_within, -EBUSY);
    assert_int_equal(node->state, BB_NODE_RUNNING);
    assert_int_equal(removed, 0);
    assert_int_equal(bb_slot_release(going), 0);
    assert_int_equal(slots.taken, 0);
}

static void test_no_room_for_slots(void **state)
{
    (void)state;
    tree_begin(1, 1);
    tree_open("bus");
    tree_close();
    boot_tree(NULL);
    owner.node = bb_node_find("/bus");
    assert_int_equal(bb_slots_make(&owner, "test.slot", 4, bb_arena_size(), &slots), -ENOMEM);
    extern int bb_fault_at;
    for (int i = 1; i <= 3; i++) {
        bb_fault_at = i;
        assert_int_equal(bb_slots_make(&owner, "test.slot", 2, 64, &slots), -ENOMEM);
    }
    bb_fault_at = 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_and_given_back),
        cmocka_unit_test(test_memory_is_the_slots),
        cmocka_unit_test(test_a_thousand_times),
        cmocka_unit_test(test_too_small_for_the_driver),
        cmocka_unit_test(test_handle_held),
        cmocka_unit_test(test_put_before_release),
        cmocka_unit_test(test_several_devices_in_a_slot),
        cmocka_unit_test(test_nested_slots),
        cmocka_unit_test(test_node_table_stays_whole),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_no_room_for_slots),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
