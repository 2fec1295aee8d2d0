/* SPDX-License-Identifier: BSD-2-Clause */
/* Binding: the order of starts, needs and wants, circles, reasons, removal; with drivers made up
 * here. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include <busbar/arena.h>
#include <busbar/clock.h>
#include <busbar/mmio.h>
#include <busbar/store.h>

#include "core/core.h"

static char started[128]; /* node names in the order of their probes */
static int released, quiesced;

struct source { /* a clock that may itself need one */
    struct bb_device device;
    struct bb_clock clock;
    struct bb_resource resource;
    uint32_t fail;
    uint32_t level;
};

static int source_rate(struct bb_clock *clock, uint32_t output, uint64_t *hz)
{
    (void)clock;
    *hz = 1000 + output;
    return 0;
}

static void release(struct bb_resource *resource)
{
    (void)resource;
    released++;
}

static int source_probe(struct bb_device *device)
{
    struct source *source = (struct source *)device;
    strcat(strcat(started, device->node->name), " ");
    int error = bb_acquire(device, &source->resource, "resource", release);
    if (error == 0 && bb_node_has(device->node, "broken"))
        return bb_fail(device, "self-test", -EIO);
    return error;
}

static void source_remove(struct bb_device *device)
{
    (void)device;
    assert_int_equal(released, 0); /* the hardware is quiet before anything goes */
    quiesced++;
}

static const struct bb_clock_ops bb_ops_clock_source = {.rate = source_rate};
BB_DRIVER(clock, source, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,source"}),
          .needs = BB_CLASSES(&bb_class_clock), .probe = source_probe, .remove = source_remove,
          .params = BB_PARAMS({"level", offsetof(struct source, level), BB_PARAM_U32}));

struct lenient {
    struct bb_device device;
    struct bb_clock clock;
};

static int lenient_probe(struct bb_device *device)
{
    strcat(strcat(started, device->node->name), " ");
    return 0;
}

static const struct bb_clock_ops bb_ops_clock_lenient = {.rate = source_rate};
BB_DRIVER(clock, lenient, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,lenient"}, {"test,old"}),
          .wants = BB_CLASSES(&bb_class_clock), .probe = lenient_probe);

struct bb_picky { /* a class that takes nobody in */
    struct bb_face face;
};
struct bb_picky_ops {
    int nothing;
};

static int picky_notify(struct bb_face *face, bool running)
{
    (void)face;
    return running ? -EEXIST : 0;
}

static struct bb_face_list pickies;
static const struct bb_class bb_class_picky = {
    .name = "picky", .list = &pickies, .notify = picky_notify};

struct unwanted {
    struct bb_device device;
    struct bb_picky picky;
};

static const struct bb_picky_ops bb_ops_picky_unwanted = {0};
BB_DRIVER(picky, unwanted, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,unwanted"}),
          .remove = source_remove);

static const struct bb_driver *const drivers[] = {&bb_driver_clock_source, &bb_driver_clock_lenient,
                                                  &bb_driver_picky_unwanted};

static void open_clock(const char *name, const char *compatible, uint32_t phandle, uint32_t needs)
{
    tree_open(name);
    tree_bytes("compatible", compatible, strlen(compatible) + 1);
    tree_cells("phandle", phandle);
    tree_cells("#clock-cells", 0);
    if (needs)
        tree_cells("clocks", needs);
}

static void add_clock(const char *name, const char *compatible, uint32_t phandle, uint32_t needs)
{
    open_clock(name, compatible, phandle, needs);
    tree_close();
}

static void begin(void)
{
    started[0] = '\0';
    tree_begin(1, 1);
}

static void start(const char *command_line)
{
    boot_tree(command_line);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    bb_bind_all();
}

static const char *reason(const char *path)
{
    static char text[256];
    assert_non_null(bb_node_find(path));
    bb_node_reason(bb_node_find(path), text, sizeof text);
    return text;
}

static void test_providers_start_first(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 2);
    add_clock("b", "test,source", 2, 3);
    add_clock("c", "test,source", 3, 0);
    start(NULL);
    assert_string_equal(started, "c b a ");
    struct bb_device *a = device_at("/a");
    assert_int_equal(a->need_count, 1);
    assert_ptr_equal(a->needs[0], device_at("/b"));
    assert_string_equal(reason("/a"), "running");
}

static void test_manifest_order_decides_between_independent_devices(void **state)
{
    (void)state;
    begin();
    add_clock("late", "test,lenient", 1, 0);
    add_clock("early", "test,source", 2, 0);
    start(NULL);
    assert_string_equal(started, "early late ");
}

static void test_first_compatible_string_that_is_known_wins(void **state)
{
    (void)state;
    begin();
    tree_open("n");
    tree_strings("compatible", "test,new\0test,old\0test,source");
    tree_close();
    start(NULL);
    assert_string_equal(device_at("/n")->driver->name, "clock/lenient");
}

static void test_a_circle_of_needs_fails_and_is_named(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 2);
    add_clock("b", "test,source", 2, 3);
    add_clock("c", "test,source", 3, 1);
    add_clock("d", "test,source", 4, 0);
    start(NULL);
    assert_string_equal(started, "d ");
    assert_non_null(strstr(reason("/c"), "circle"));
    assert_non_null(strstr(reason("/c"), "/a"));
    assert_non_null(strstr(reason("/a"), "waiting for its clock /b"));
}

static void test_a_chain_without_end_is_refused(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 1; i <= 60; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", (unsigned)i);
        add_clock(name, "test,source", i, i < 60 ? i + 1 : 0);
    }
    start(NULL);
    must_fail("/n33", -ELOOP, "too long a chain of needs");
    assert_non_null(strstr(reason("/n32"), "waiting for its clock /n33"));
}

static void test_a_wanted_circle_harms_nobody(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,lenient", 1, 2);
    add_clock("b", "test,lenient", 2, 1);
    start(NULL);
    assert_string_equal(started, "b a ");
}

static void test_needing_oneself_is_no_circle(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 1);
    start(NULL);
    assert_string_equal(started, "a ");
}

static void test_reasons(void **state)
{
    (void)state;
    begin();
    add_clock("unknown", "acme,nothing", 1, 0);
    add_clock("waits", "test,source", 2, 1);
    add_clock("waits-too", "test,source", 3, 2);
    open_clock("broken", "test,source", 4, 0);
    tree_flag("broken");
    tree_close();
    open_clock("off", "test,source", 5, 0);
    tree_strings("status", "disabled");
    tree_close();
    add_clock("dangling", "test,source", 6, 99);
    start(NULL);
    assert_string_equal(reason("/unknown"), "no driver in this image knows it");
    assert_string_equal(reason("/waits"),
                        "waiting for its clock /unknown (no driver in this image knows it)");
    assert_string_equal(reason("/waits-too"), "waiting for its clock /waits (it waits too)");
    assert_string_equal(reason("/broken"),
                        "probe of clock/source failed at self-test: input/output error");
    assert_string_equal(reason("/off"), "disabled by the tree");
    must_fail("/dangling", 0, "clock");
    assert_int_equal(released, 1);
    released = 0;
}

static void test_a_failed_probe_gives_its_memory_back(void **state)
{
    (void)state;
    begin();
    open_clock("broken", "test,source", 1, 0);
    tree_flag("broken");
    tree_close();
    boot_tree(NULL);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    assert_non_null(bb_bind_choose(&bb_binder, bb_node_find("/broken")).driver);
    size_t before = bb_arena_used();
    bb_bind_all();
    assert_int_equal(bb_arena_used(), before);
    released = 0;
}

static void test_removal(void **state)
{
    (void)state;
    uint64_t hz;
    begin();
    add_clock("a", "test,source", 1, 2);
    add_clock("b", "test,source", 2, 0);
    start(NULL);
    struct bb_clock *clock = face_at(clock, "/a");
    assert_int_equal(bb_device_remove(device_at("/b")), -EBUSY); /* a needs it */
    struct bb_device *a = device_at("/a");
    bb_face_get(&clock->face);
    assert_int_equal(bb_device_remove(a), 0);
    assert_int_equal(quiesced, 1);
    assert_int_equal(released, 1);
    assert_int_equal(((const struct bb_clock_ops *)clock->face.ops)->rate(clock, 0, &hz), -ENODEV);
    assert_int_equal(bb_device_remove(a), -ENODEV);
    bb_face_put(&clock->face);
    assert_string_equal(reason("/a"), "removed");
    assert_int_equal(bb_node_find("/a")->device == NULL, 1);
    released = 0;
    assert_int_equal(bb_device_remove(device_at("/b")), 0);
    assert_null(bb_device_first());
    assert_null(bb_clock_first());
}

static void test_a_device_under_another_keeps_it(void **state)
{
    static const struct bb_property compatible = {"compatible", "test,lenient", 13};
    struct bb_node *child;
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 0);
    start(NULL);
    assert_int_equal(
        bb_node_append(bb_node_find("/a"), &bb_mmio_bus, "under", &compatible, 1, &child), 0);
    assert_int_equal(bb_bind(child), 0);
    assert_int_equal(bb_device_remove(device_at("/a")), -EBUSY);
    assert_int_equal(bb_device_remove(child->device), 0);
    assert_int_equal(bb_device_remove(device_at("/a")), 0);
    released = 0;
}

static void test_a_device_that_its_class_refuses_is_quiesced(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,unwanted", 1, 0);
    start(NULL);
    assert_int_equal(quiesced, 1);
    assert_null(bb_node_find("/a")->device);
    assert_null(bb_face_first(&bb_class_picky));
    assert_string_equal(reason("/a"), "probe of picky/unwanted failed at picky: exists already");
}

static void test_a_broken_device_stays_with_its_reason(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 0);
    start(NULL);
    bb_device_broken(device_at("/a"), "its index jumped", -EIO);
    bb_device_broken(device_at("/a"), "only the first reason counts", -EINVAL);
    assert_string_equal(reason("/a"), "stopped: its index jumped");
    assert_int_equal(logged("/a: stopped: its index jumped"), 1);
    assert_int_equal(logged("only the first"), 0);
    assert_int_equal(bb_bind(bb_node_find("/a")), -EIO); /* nobody new may need it */
    assert_int_equal(bb_device_remove(device_at("/a")), 0);
    assert_int_equal(released, 1);
    released = 0;
}

static void test_a_busy_device_stays(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 0);
    start(NULL);
    device_at("/a")->calls = 1;
    assert_int_equal(bb_device_remove(device_at("/a")), -EBUSY);
}

static void test_parameters_reach_the_state_before_probe(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 0);
    start("source.level=77");
    assert_int_equal(((struct source *)device_at("/a"))->level, 77);
}

static void test_named_nodes_are_appended(void **state)
{
    (void)state;
    begin();
    start("node=test,source node=test,lenient");
    assert_string_equal(started, "source lenient ");
    assert_non_null(device_at("/source"));
}

static void test_the_desk_binds_without_probing(void **state)
{
    (void)state;
    begin();
    add_clock("a", "test,source", 1, 2);
    add_clock("b", "test,source", 2, 0);
    boot_tree(NULL);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), true};
    bb_bind_all();
    assert_string_equal(started, "");
    assert_int_equal(device_at("/a")->need_count, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_providers_start_first),
        cmocka_unit_test(test_manifest_order_decides_between_independent_devices),
        cmocka_unit_test(test_first_compatible_string_that_is_known_wins),
        cmocka_unit_test(test_a_circle_of_needs_fails_and_is_named),
        cmocka_unit_test(test_a_chain_without_end_is_refused),
        cmocka_unit_test(test_a_wanted_circle_harms_nobody),
        cmocka_unit_test(test_needing_oneself_is_no_circle),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_a_failed_probe_gives_its_memory_back),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_a_device_under_another_keeps_it),
        cmocka_unit_test(test_a_device_that_its_class_refuses_is_quiesced),
        cmocka_unit_test(test_a_broken_device_stays_with_its_reason),
        cmocka_unit_test(test_a_busy_device_stays),
        cmocka_unit_test(test_parameters_reach_the_state_before_probe),
        cmocka_unit_test(test_named_nodes_are_appended),
        cmocka_unit_test(test_the_desk_binds_without_probing),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
