/* SPDX-License-Identifier: BSD-2-Clause */
/* Phandle lists, and interrupts on their way to a controller. */
#include "tree.h"

static struct bb_phandle_args args;

static void interrupt_is(const char *path, size_t index, const char *controller, uint32_t count,
                         uint32_t first, uint32_t last)
{
    ok(bb_node_interrupt(at(path), index, &args));
    assert_ptr_equal(args.node, at(controller));
    assert_ptr_equal(args.reference, args.node);
    assert_int_equal(args.count, count);
    assert_int_equal(args.cells[0], first);
    assert_int_equal(args.cells[count - 1], last);
}

static int interrupt(const char *path, size_t index)
{
    return bb_node_interrupt(at(path), index, &args);
}

static void controller(const char *name, uint32_t phandle, uint32_t cells)
{
    open_node(name);
    cells("phandle", phandle);
    cells("#interrupt-cells", cells);
    flag("interrupt-controller");
    close_node();
}

static void test_phandle_lists(void **state)
{
    (void)state;
    open_tree(1, 1);
    open_node("zero");
    cells("phandle", 1);
    cells("#clock-cells", 0);
    close_node();
    open_node("two");
    cells("phandle", 2);
    cells("#clock-cells", 2);
    close_node();
    open_node("nine");
    cells("phandle", 3);
    cells("#clock-cells", 9);
    close_node();
    open_node("eight");
    cells("phandle", 4);
    cells("#clock-cells", 8);
    close_node();
    open_node("user");
    cells("clocks", 2, 7, 8, 0, 1, 2, 9, 10);
    cells("eight", 4, 1, 2, 3, 4, 5, 6, 7, 8);
    cells("plain", 1, 0, 2);
    cells("cut", 1, 2, 7);
    cells("unknown", 1, 77);
    cells("many", 3, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    cells("huge", 4, 1);
    bytes("odd", "abcde", 5);
    flag("empty");
    close_node();
    ok(load_tree());
    struct bb_node *user = at("/user");
    ok(bb_node_phandle_args(user, "clocks", "#clock-cells", 0, &args));
    assert_ptr_equal(args.node, at("/two"));
    assert_ptr_equal(args.reference, at("/two"));
    assert_int_equal(args.count, 2);
    assert_int_equal(args.cells[0], 7);
    assert_int_equal(args.cells[1], 8);
    assert_int_equal(bb_node_phandle_args(user, "clocks", "#clock-cells", 1, &args), -ENOENT);
    ok(bb_node_phandle_args(user, "clocks", "#clock-cells", 2, &args));
    assert_ptr_equal(args.node, at("/zero"));
    assert_int_equal(args.count, 0);
    ok(bb_node_phandle_args(user, "clocks", "#clock-cells", 3, &args));
    assert_int_equal(args.cells[1], 10);
    assert_int_equal(bb_node_phandle_args(user, "clocks", "#clock-cells", 4, &args), -ERANGE);
    ok(bb_node_phandle_args(user, "eight", "#clock-cells", 0, &args));
    assert_int_equal(args.cells[7], 8);
    ok(bb_node_phandle_args(user, "plain", NULL, 2, &args));
    assert_ptr_equal(args.node, at("/two"));
    assert_int_equal(args.count, 0);
    assert_int_equal(bb_node_phandle_args(user, "none", NULL, 0, &args), -ENOENT);
    assert_int_equal(bb_node_phandle_args(user, "empty", NULL, 0, &args), -ERANGE);
    ok(bb_node_phandle_args(user, "cut", "#clock-cells", 0, &args));
    assert_int_equal(log_lines, 0);
    assert_int_equal(bb_node_phandle_args(user, "cut", "#clock-cells", 1, &args), -EINVAL);
    log_one("/user: cut (12 bytes)");
    assert_int_equal(bb_node_phandle_args(user, "unknown", "#clock-cells", 1, &args), -EINVAL);
    log_one("/user: unknown");
    assert_int_equal(bb_node_phandle_args(user, "many", "#clock-cells", 0, &args), -EINVAL);
    log_one("/user: many");
    assert_int_equal(bb_node_phandle_args(user, "huge", "#clock-cells", 0, &args), -EINVAL);
    log_one("/user: huge");
    assert_int_equal(bb_node_phandle_args(user, "odd", "#clock-cells", 0, &args), -EINVAL);
    log_one("/user: odd (5 bytes)");
    assert_int_equal(bb_node_phandle_args(user, "clocks", "#other-cells", 0, &args), -EINVAL);
    log_one("/user: clocks");
}

static void test_interrupt_parents(void **state)
{
    (void)state;
    open_tree(1, 1);
    cells("interrupt-parent", 1);
    controller("gic", 1, 3);
    controller("local", 2, 1);
    open_node("inherits");
    cells("interrupts", 0, 1, 4, 0, 2, 8);
    close_node();
    open_node("soc");
    cells("interrupt-parent", 2);
    open_node("child");
    cells("interrupts", 5);
    close_node();
    open_node("own");
    cells("interrupt-parent", 1);
    cells("interrupts", 0, 3, 4);
    close_node();
    open_node("expander");
    cells("#interrupt-cells", 2);
    flag("interrupt-controller");
    open_node("key");
    cells("interrupts", 6, 1);
    close_node();
    close_node();
    open_node("extended");
    cells("interrupts-extended", 2, 9, 1, 0, 4, 1, 0);
    cells("interrupts", 1, 2);
    close_node();
    close_node();
    open_node("none");
    close_node();
    open_node("short");
    cells("interrupts", 1, 2);
    close_node();
    open_node("lost");
    cells("interrupt-parent", 99);
    cells("interrupts", 1);
    close_node();
    open_node("long");
    cells("interrupt-parent", 1, 1);
    cells("interrupts", 1);
    close_node();
    ok(load_tree());
    interrupt_is("/inherits", 0, "/gic", 3, 0, 4);
    interrupt_is("/inherits", 1, "/gic", 3, 0, 8);
    assert_int_equal(interrupt("/inherits", 2), -ERANGE);
    interrupt_is("/soc/child", 0, "/local", 1, 5, 5);
    interrupt_is("/soc/own", 0, "/gic", 3, 0, 4);
    interrupt_is("/soc/expander/key", 0, "/soc/expander", 2, 6, 1);
    interrupt_is("/soc/extended", 0, "/local", 1, 9, 9);
    interrupt_is("/soc/extended", 1, "/gic", 3, 0, 1);
    assert_int_equal(args.cells[1], 4);
    assert_int_equal(interrupt("/soc/extended", 2), -ENOENT);
    assert_int_equal(interrupt("/soc/extended", 3), -ERANGE);
    assert_int_equal(interrupt("/none", 0), -ENOENT);
    assert_int_equal(log_lines, 0);
    assert_int_equal(interrupt("/short", 0), -EINVAL);
    log_one("/short: interrupts (8 bytes)");
    assert_int_equal(interrupt("/lost", 0), -EINVAL);
    log_one("/lost: interrupts");
    assert_int_equal(interrupt("/long", 0), -EINVAL);
    assert_int_equal(log_lines, 2);
}

static void test_no_or_cyclic_parents(void **state)
{
    (void)state;
    open_tree(1, 1);
    open_node("alone");
    cells("interrupts", 1);
    close_node();
    open_node("a");
    cells("phandle", 1);
    cells("interrupt-parent", 2);
    cells("interrupts", 1);
    close_node();
    open_node("b");
    cells("phandle", 2);
    cells("interrupt-parent", 1);
    close_node();
    open_node("self");
    cells("phandle", 3);
    cells("interrupt-parent", 3);
    cells("interrupts", 1);
    close_node();
    open_node("wide");
    cells("phandle", 4);
    cells("#interrupt-cells", 9);
    open_node("x");
    cells("interrupts", 1, 2, 3, 4, 5, 6, 7, 8, 9);
    close_node();
    close_node();
    open_node("narrow");
    cells("#interrupt-cells", 0);
    open_node("x");
    cells("interrupts", 1);
    close_node();
    close_node();
    ok(load_tree());
    static const char *const paths[] = {"/alone", "/a", "/self", "/wide/x", "/narrow/x"};
    for (size_t i = 0; i < BB_ARRAY_SIZE(paths); i++) {
        assert_int_equal(interrupt(paths[i], 0), -EINVAL);
        log_one(": interrupts (");
    }
}

/* As on QEMU's virt: four slots, four pins each, swizzled onto the GIC, whose parent addresses have
 * two cells. */
static void test_interrupt_map(void **state)
{
    (void)state;
    open_tree(2, 2);
    open_node("gic");
    cells("phandle", 1);
    cells("#interrupt-cells", 3);
    cells("#address-cells", 2);
    flag("interrupt-controller");
    close_node();
    open_node("pcie");
    cells("#address-cells", 3);
    cells("#size-cells", 2);
    cells("#interrupt-cells", 1);
    cells("interrupt-map-mask", 0x1800, 0, 0, 7);
    cells("interrupt-map", 0, 0, 0, 1, 1, 0, 0, 0, 3, 4, 0, 0, 0, 2, 1, 0, 0, 0, 4, 4, 0x800, 0, 0,
          1, 1, 0, 0, 0, 4, 4, 0x800, 0, 0, 2, 1, 0, 0, 0, 5, 4);
    open_node("one@8,0");
    cells("reg", 0x10800, 0, 0, 0, 0);
    cells("interrupts", 2);
    close_node();
    open_node("zero@0,0");
    cells("reg", 0, 0, 0, 0, 0);
    cells("interrupts", 1, 3);
    close_node();
    open_node("no-reg");
    cells("interrupts", 2);
    close_node();
    close_node();
    ok(load_tree());
    interrupt_is("/pcie/one", 0, "/gic", 3, 0, 4);
    assert_int_equal(args.cells[1], 5);
    interrupt_is("/pcie/zero", 0, "/gic", 3, 0, 4);
    assert_int_equal(args.cells[1], 3);
    assert_int_equal(interrupt("/pcie/zero", 1), -ENXIO);
    interrupt_is("/pcie/no-reg", 0, "/gic", 3, 0, 4);
    assert_int_equal(args.cells[1], 4);
    assert_int_equal(log_lines, 0);
}

/* `hops` nexus nodes in a row, or in a ring, and a device that asks the first. */
static void chain(uint32_t hops, bool ring)
{
    char name[20];
    open_tree(1, 1);
    controller("end", 100, 1);
    for (uint32_t i = 1; i <= hops; i++) {
        snprintf(name, sizeof(name), "nexus%u", (unsigned)i);
        open_node(name);
        cells("phandle", i);
        cells("#address-cells", 0);
        cells("#interrupt-cells", 1);
        cells("interrupt-map", i, i < hops ? i + 1 : ring ? 1 : 100, ring && i == hops ? 1 : i + 1);
        close_node();
    }
    open_node("device");
    cells("interrupt-parent", 1);
    cells("interrupts", 1);
    close_node();
    ok(load_tree());
}

static void test_chains(void **state)
{
    (void)state;
    chain(15, false);
    interrupt_is("/device", 0, "/end", 1, 16, 16);
    chain(40, false);
    assert_int_equal(interrupt("/device", 0), -EINVAL);
    log_one("expected a way that ends at a controller");
    chain(2, true);
    assert_int_equal(interrupt("/device", 0), -EINVAL);
    log_one("a way that ends");
}

/* The parent's unit address in the map becomes the key of the next nexus. */
static void test_address_passes_on(void **state)
{
    (void)state;
    open_tree(1, 1);
    controller("end", 100, 2);
    open_node("outer");
    cells("phandle", 1);
    cells("#address-cells", 1);
    cells("#interrupt-cells", 1);
    cells("interrupt-map", 5, 1, 100, 50, 51, 6, 1, 100, 60, 61);
    close_node();
    open_node("inner");
    cells("#address-cells", 1);
    cells("#interrupt-cells", 1);
    cells("interrupt-map", 0x10, 3, 1, 6, 1);
    open_node("device@10");
    cells("reg", 0x10, 1);
    cells("interrupts", 3);
    close_node();
    open_node("other@11");
    cells("reg", 0x11, 1);
    cells("interrupts", 3);
    close_node();
    close_node();
    ok(load_tree());
    interrupt_is("/inner/device", 0, "/end", 2, 60, 61);
    assert_int_equal(interrupt("/inner/other", 0), -ENXIO);
}

static void nexus(const uint32_t *map, size_t map_count, const uint32_t *mask, size_t mask_count)
{
    open_tree(1, 1);
    controller("end", 100, 1);
    controller("wide", 101, 9);
    open_node("bare");
    cells("phandle", 102);
    close_node();
    open_node("nexus");
    cells("#address-cells", 1);
    cells("#interrupt-cells", 1);
    cells_("interrupt-map", map, map_count);
    if (mask)
        cells_("interrupt-map-mask", mask, mask_count);
    open_node("device");
    cells("reg", 1, 1);
    cells("interrupts", 1);
    close_node();
    close_node();
    ok(load_tree());
}

static void test_bad_maps(void **state)
{
    (void)state;
    static const uint32_t map[] = {0, 0, 100, 7, 1, 1, 100, 8};
    static const uint32_t mask[] = {0xff, 0xff, 0xff};
    for (size_t count = 0; count < BB_ARRAY_SIZE(map); count++) {
        nexus(map, count, NULL, 0);
        assert_int_equal(interrupt("/nexus/device", 0), count % 4 ? -EINVAL : -ENXIO);
        if (count % 4)
            log_one("/nexus: interrupt-map (");
    }
    nexus(map, 8, NULL, 0);
    interrupt_is("/nexus/device", 0, "/end", 1, 8, 8);
    nexus(map, 8, mask, 2);
    interrupt_is("/nexus/device", 0, "/end", 1, 8, 8);
    nexus(map, 8, mask, 1);
    assert_int_equal(interrupt("/nexus/device", 0), -EINVAL);
    log_one("/nexus: interrupt-map-mask (4 bytes)");
    nexus(map, 8, mask, 3);
    assert_int_equal(interrupt("/nexus/device", 0), -EINVAL);
    log_one("/nexus: interrupt-map-mask (12 bytes)");
    for (uint32_t phandle = 99; phandle <= 103; phandle++) {
        if (phandle == 100)
            continue;
        const uint32_t bad[] = {1, 1, phandle, 7};
        nexus(bad, 4, NULL, 0);
        assert_int_equal(interrupt("/nexus/device", 0), -EINVAL);
        log_one("/nexus: interrupt-map (16 bytes)");
    }
}

static void test_real_trees(void **state)
{
    (void)state;
    size_t size;
    void *content = read_file("build/dtbs/bcm2837-rpi-3-b.dtb", &size);
    if (!content)
        skip();
    ok(load_bytes(content, size));
    free(content);
    interrupt_is("serial0", 0, "/soc/interrupt-controller@7e00b200", 2, 2, 25);
    interrupt_is("serial1", 0, "/soc/interrupt-controller@7e00b200", 2, 1, 29);
    interrupt_is("/soc/interrupt-controller@7e00b200", 0, "/soc/local_intc", 2, 8, 4);
    interrupt_is("/timer", 1, "/soc/local_intc", 2, 1, 4);
    ok(bb_node_phandle_args(at("serial0"), "clocks", "#clock-cells", 0, &args));
    assert_ptr_equal(args.node, at("/soc/cprman"));
    assert_int_equal(args.cells[0], 19);
    assert_int_equal(log_lines, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phandle_lists),
        cmocka_unit_test(test_interrupt_parents),
        cmocka_unit_test(test_no_or_cyclic_parents),
        cmocka_unit_test(test_interrupt_map),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_address_passes_on),
        cmocka_unit_test(test_bad_maps),
        cmocka_unit_test(test_real_trees),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(tree_block);
    return failed;
}
