/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map, from every source and with every kind of overlap. */
#include "tree.h"
#include "walk.h"

static struct bb_bootinfo info;

/* The regions, one after the other, as "ram 0..1000, reserved 1000..2000". */
static void map_is(const char *expected)
{
    static const char *const kinds[] = {"ram", "reserved", "image", "tree", "initrd"};
    char found[2000] = "";
    check_regions(&info);
    for (size_t i = 0; i < info.region_count; i++) {
        const struct bb_region *region = &info.regions[i];
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s%s %llx..%llx",
                 i ? ", " : "", kinds[region->kind], region->no_map ? "!" : "",
                 (unsigned long long)region->start,
                 (unsigned long long)(region->start + region->size));
    }
    assert_string_equal(found, expected);
}

static void begin(void)
{
    memset(&info, 0, sizeof(info));
    open_tree(1, 1);
}

static void image(uint64_t start, uint64_t end)
{
    info.regions[info.region_count++] =
        (struct bb_region){start, end - start, BB_REGION_IMAGE, false};
}

static void memory(uint32_t start, uint32_t end)
{
    char name[30];
    snprintf(name, sizeof(name), "memory@%x", (unsigned)start);
    open_node(name);
    cells("reg", start, end - start);
    close_node();
}

static void reserve(uint32_t start, uint32_t end, bool no_map)
{
    char name[30];
    snprintf(name, sizeof(name), "keep@%x", (unsigned)start);
    open_node(name);
    cells("reg", start, end - start);
    if (no_map)
        flag("no-map");
    close_node();
}

static void open_reserved(void)
{
    open_node("reserved-memory");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    flag("ranges");
}

static int build(void)
{
    ok(load_tree());
    return bb_regions_build(&info);
}

static void test_plain(void **state)
{
    (void)state;
    begin();
    image(0x80000, 0x90000);
    memory(0, 0x1000000);
    ok(build());
    map_is("ram 0..80000, image 80000..90000, ram 90000..1000000");
    assert_int_equal(log_lines, 0);
}

static void test_banks_and_cells(void **state)
{
    (void)state;
    memset(&info, 0, sizeof(info));
    open_tree(2, 2);
    open_node("memory@800000000");
    text("device_type", "memory");
    cells("reg", 8, 0, 1, 0);
    close_node();
    open_node("memory");
    cells("reg", 0, 0x1000, 0, 0x1000, 0, 0x2000, 0, 0x1000, 0, 0x9000, 0, 0);
    close_node();
    open_node("memory@c00000000");
    cells("reg", 0xc, 0, 0, 0x1000);
    text("status", "disabled");
    close_node();
    open_node("memory-controller@5");
    cells("reg", 0, 0x5000, 0, 0x1000);
    close_node();
    ok(build());
    map_is("ram 1000..3000, ram 800000000..900000000");
    open_tree(2, 1);
    open_node("memory@1");
    cells("reg", 1, 0, 0x1000);
    close_node();
    memset(&info, 0, sizeof(info));
    ok(build());
    map_is("ram 100000000..100001000");
    assert_int_equal(log_lines, 0);
}

static void test_reserved(void **state)
{
    (void)state;
    begin();
    memory(0x1000, 0x10000);
    memory(0x20000, 0x30000);
    open_reserved();
    reserve(0x2000, 0x3000, false);
    reserve(0x2800, 0x4000, false); /* twice reserved is reserved */
    reserve(0x3800, 0x3900, true);
    reserve(0xf000, 0x21000, false);  /* across the hole */
    reserve(0x50000, 0x60000, false); /* not memory */
    open_node("pool");
    cells("size", 0x1000);
    flag("reusable");
    close_node();
    open_node("off@6000");
    cells("reg", 0x6000, 0x1000);
    text("status", "disabled");
    close_node();
    close_node();
    ok(build());
    map_is("ram 1000..2000, reserved 2000..3800, reserved! 3800..3900, reserved 3900..4000, "
           "ram 4000..f000, reserved f000..10000, reserved 20000..21000, ram 21000..30000");
    assert_int_equal(log_lines, 0);
}

static void test_forgotten_ranges(void **state)
{
    (void)state;
    begin();
    memory(0, 0x10000);
    open_node("reserved-memory");
    cells("#address-cells", 2);
    cells("#size-cells", 1);
    open_node("keep@1000");
    cells("reg", 0, 0x1000, 0x1000);
    close_node();
    close_node();
    ok(build());
    map_is("ram 0..1000, reserved 1000..2000, ram 2000..10000");
}

static void test_reservation_block_and_tree(void **state)
{
    (void)state;
    memset(&info, 0, sizeof(info));
    ok(fdt_create(tree_blob, sizeof(tree_blob)));
    ok(fdt_add_reservemap_entry(tree_blob, 0x0, 0x1000));
    ok(fdt_add_reservemap_entry(tree_blob, 0x5000, 0x1000));
    ok(fdt_finish_reservemap(tree_blob));
    open_node("");
    cells("#address-cells", 2);
    cells("#size-cells", 2);
    open_node("memory");
    cells("reg", 0, 0, 0xffff0000, 0);
    close_node();
    ok(load_tree());
    info.tree = tree_block;
    ok(bb_regions_build(&info));
    assert_int_equal(info.region_count, 6);
    assert_int_equal(info.regions[0].kind, BB_REGION_RESERVED);
    assert_int_equal(info.regions[2].start, 0x5000);
    assert_int_equal(info.regions[4].kind, BB_REGION_TREE);
    assert_int_equal(info.regions[4].start, (uintptr_t)tree_block);
    assert_int_equal(info.regions[4].size, bb_tree_extent());
    assert_int_equal(log_lines, 0);
}

static void initrd(bool wide, uint32_t start, uint32_t end)
{
    begin();
    memory(0, 0x10000);
    open_node("chosen");
    if (wide) {
        cells("linux,initrd-start", 0, start);
        cells("linux,initrd-end", 0, end);
    } else {
        cells("linux,initrd-start", start);
        cells("linux,initrd-end", end);
    }
    close_node();
}

static void test_initrd(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        initrd(wide, 0x4000, 0x5000);
        ok(build());
        assert_int_equal(info.initrd_start, 0x4000);
        assert_int_equal(info.initrd_size, 0x1000);
        map_is("ram 0..4000, initrd 4000..5000, ram 5000..10000");
    }
    initrd(false, 0x4000, 0x5000);
    info.initrd_start = 0x8000; /* the boot protocol knows better */
    info.initrd_size = 0x800;
    ok(build());
    map_is("ram 0..8000, initrd 8000..8800, ram 8800..10000");
    initrd(false, 0x4000, 0x4000);
    ok(build());
    map_is("ram 0..10000");
    assert_int_equal(log_lines, 0);
    initrd(false, 0x4000, 0x3000);
    ok(build());
    log_one("initrd ends at 0x3000");
    initrd(false, 0x20000, 0x21000);
    ok(build());
    log_one("initrd at 0x20000");
    map_is("ram 0..10000, initrd 20000..21000");
}

static void test_firmware_reserves_the_initrd(void **state)
{
    (void)state;
    begin();
    memory(0, 0x10000);
    open_reserved();
    reserve(0x3000, 0x6000, false);
    close_node();
    info.initrd_start = 0x4000;
    info.initrd_size = 0x1000;
    ok(build());
    map_is("ram 0..3000, reserved 3000..4000, initrd 4000..5000, reserved 5000..6000, "
           "ram 6000..10000");
    assert_int_equal(log_lines, 0);
}

static void test_conflicts(void **state)
{
    (void)state;
    begin();
    memory(0, 0x10000);
    memory(0x8000, 0x18000);
    ok(build());
    map_is("ram 0..18000");
    log_one("memory at 0x8000 wins over memory at 0x0 (1 overlaps in all)");

    begin();
    image(0x4000, 0x6000);
    memory(0, 0x10000);
    open_reserved();
    reserve(0x5000, 0x5800, false);
    reserve(0x7000, 0x8000, true);
    close_node();
    info.initrd_start = 0x5800;
    info.initrd_size = 0x2000;
    ok(build());
    map_is("ram 0..4000, image 4000..6000, initrd 6000..7000, reserved! 7000..8000, "
           "ram 8000..10000");
    log_one("(3 overlaps in all)");

    begin();
    image(0x4000, 0x6000);
    memory(0, 0x5000);
    ok(build());
    map_is("ram 0..4000, image 4000..6000");
    log_one("image at 0x4000");
}

static void test_end_of_address_space(void **state)
{
    (void)state;
    memset(&info, 0, sizeof(info));
    open_tree(2, 2);
    open_node("memory@0");
    cells("reg", 0, 0, 0xffffffff, 0xffffffff);
    close_node();
    info.initrd_start = UINT64_MAX - 0xfff;
    info.initrd_size = 0x10000;
    ok(build());
    check_regions(&info);
    assert_int_equal(info.region_count, 2);
    memset(&info, 0, sizeof(info));
    open_tree(2, 2);
    open_node("memory@0");
    cells("reg", 0xffffffff, 0, 2, 0);
    close_node();
    assert_int_equal(build(), -ENOENT);
    assert_int_equal(info.region_count, 0);
    assert_non_null(strstr(log_text, "/memory@0: reg"));
}

static void test_nothing(void **state)
{
    (void)state;
    begin();
    assert_int_equal(build(), -ENOENT);
    log_one("names none");
    begin();
    memory(0, 0); /* a tree as it is before firmware has filled it in */
    assert_int_equal(build(), -ENOENT);
    log_one("names none");
    bb_node_reset();
    memset(&info, 0, sizeof(info));
    info.regions[info.region_count++] = (struct bb_region){0, 0x1000, BB_REGION_RAM, false};
    image(0x400, 0x800);
    ok(bb_regions_build(&info)); /* a protocol that brings its own map */
    map_is("ram 0..400, image 400..800, ram 800..1000");
}

static void test_too_many(void **state)
{
    (void)state;
    for (uint32_t count = 1; count < 140; count++) {
        begin();
        image(0x800000, 0x800900);
        memory(0, 0x1000000);
        open_reserved();
        for (uint32_t i = 0; i < count; i++)
            reserve(0x2000 * i + 0x1000, 0x2000 * i + 0x2000, i % 3 == 0);
        close_node();
        assert_int_equal(build(), 2 * count + 3 > BB_MAX_REGIONS ? -ENOSPC : 0);
        check_regions(&info);
    }
    begin();
    memory(0, 0x1000000);
    open_reserved();
    for (uint32_t i = 0; i < 30; i++)
        reserve(0x2000 * i + 0x1000, 0x2000 * i + 0x2000, false);
    close_node();
    assert_int_equal(build(), -ENOSPC);
    log_one("more than 48 regions");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_banks_and_cells),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_forgotten_ranges),
        cmocka_unit_test(test_reservation_block_and_tree),
        cmocka_unit_test(test_initrd),
        cmocka_unit_test(test_firmware_reserves_the_initrd),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_end_of_address_space),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_too_many),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(tree_block);
    return failed;
}
