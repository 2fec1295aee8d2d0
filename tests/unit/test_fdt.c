/* SPDX-License-Identifier: BSD-2-Clause */
/* The pass over a flattened tree: what it keeps, and everything that it must refuse. */
#include <time.h>

#include "tree.h"
#include "walk.h"

/* A tree with something of everything that the readers look at. */
static void rich_tree(void)
{
    ok(fdt_create(tree_blob, sizeof(tree_blob)));
    ok(fdt_add_reservemap_entry(tree_blob, 0x1000, 0x2000));
    ok(fdt_finish_reservemap(tree_blob));
    open_node("");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    cells("interrupt-parent", 1);
    open_node("aliases");
    text("serial0", "/soc/serial@1000");
    close_node();
    open_node("chosen");
    text("stdout-path", "serial0:115200n8");
    cells("linux,initrd-start", 0x1000);
    cells("linux,initrd-end", 0x2000);
    close_node();
    open_node("memory@0");
    cells("reg", 0, 0x10000);
    close_node();
    open_node("reserved-memory");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    flag("ranges");
    open_node("firmware@8000");
    cells("reg", 0x8000, 0x100);
    flag("no-map");
    close_node();
    close_node();
    open_node("soc");
    text("compatible", "simple-bus");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    cells("ranges", 0, 0x3f000000, 0x10000);
    cells("dma-ranges", 0xc0000000, 0, 0x10000);
    open_node("controller@0");
    cells("reg", 0, 0x100);
    cells("phandle", 1);
    cells("#interrupt-cells", 1);
    flag("interrupt-controller");
    close_node();
    open_node("serial@1000");
    text("compatible", "arm,pl011\0arm,primecell");
    cells("reg", 0x1000, 0x100);
    cells("interrupts", 7);
    cells("clocks", 2, 5);
    close_node();
    open_node("clock");
    cells("#clock-cells", 1);
    cells("phandle", 2);
    close_node();
    open_node("nexus");
    cells("#address-cells", 0);
    cells("#interrupt-cells", 1);
    cells("interrupt-map", 3, 1, 9);
    cells("phandle", 3);
    open_node("behind");
    cells("interrupts", 3);
    close_node();
    close_node();
    close_node();
}

static void test_keeps_everything(void **state)
{
    (void)state;
    rich_tree();
    ok(load_tree());
    assert_int_equal(log_lines, 0);
    struct bb_node *serial = at("/soc/serial@1000");
    assert_string_equal(serial->name, "serial@1000");
    assert_ptr_equal(serial->parent, at("/soc"));
    assert_int_equal(serial->property_count, 4);
    assert_string_equal(serial->properties[1].name, "reg");
    assert_int_equal(serial->properties[1].length, 8);
    assert_int_equal(at("/soc/clock")->phandle, 2);
    assert_int_equal(bb_node_root()->address_cells, 1);
    assert_int_equal(bb_node_root()->size_cells, 1);
    assert_int_equal(serial->address_cells, 2);
    unsigned count = 0;
    bb_for_each_node (node)
        count++;
    assert_int_equal(count, 12);
    uint64_t start, size;
    assert_true(bb_tree_reservation(0, &start, &size));
    assert_int_equal(start, 0x1000);
    assert_int_equal(size, 0x2000);
    assert_false(bb_tree_reservation(1, &start, &size));
    assert_true(bb_tree_extent() <= fdt_totalsize(tree_blob));
    assert_true(bb_tree_extent() + 8 > fdt_totalsize(tree_blob));
}

static void test_is_cheap_in_arena(void **state)
{
    (void)state;
    rich_tree();
    ok(load_tree());
    struct bb_node *node = bb_node_last();
    size_t before = bb_arena.used;
    ok(bb_node_append(node, NULL, "new", NULL, 0, NULL));
    assert_true(bb_arena.used - before <= 144);
    assert_true(sizeof(struct bb_property) <= 24);
}

static void test_truncated_at_every_length(void **state)
{
    (void)state;
    rich_tree();
    close_node();
    ok(fdt_finish(tree_blob));
    size_t whole = fdt_totalsize(tree_blob);
    for (size_t size = 0; size < whole; size++) {
        assert_int_equal(load_bytes(tree_blob, size), -EINVAL);
        log_refusal();
        assert_null(bb_node_root());
        assert_int_equal(bb_arena.used, 0);
    }
    /* A header that admits the loss still leaves the structure to be checked. */
    for (size_t size = 0; size < whole; size++) {
        fdt_set_totalsize(tree_blob, (uint32_t)size);
        if (load_bytes(tree_blob, size))
            log_refusal();
        else
            walk_everything();
    }
    for (uint32_t size = 0; size < fdt_size_dt_struct(tree_blob); size++) {
        fdt_set_totalsize(tree_blob, (uint32_t)whole);
        static _Alignas(8) char shorter[1 << 16];
        memcpy(shorter, tree_blob, whole);
        fdt_set_size_dt_struct(shorter, size);
        assert_int_equal(load_bytes(shorter, whole), -EINVAL);
        log_refusal();
    }
}

static void test_every_byte_flipped(void **state)
{
    static const unsigned char values[] = {0x00, 0x01, 0x02, 0x04, 0x09, 0x7f, 0x80, 0xff};
    (void)state;
    rich_tree();
    close_node();
    ok(fdt_finish(tree_blob));
    size_t whole = fdt_totalsize(tree_blob);
    for (size_t i = 0; i < whole; i++) {
        char kept = tree_blob[i];
        for (size_t v = 0; v < 2 * sizeof(values); v++) {
            unsigned char value = values[v / 2];
            tree_blob[i] = (char)(v % 2 ? value : value ^ (unsigned char)kept);
            /* What libfdt finds wrong must not pass here. */
            int libfdt = fdt_check_full(tree_blob, whole);
            if (load_bytes(tree_blob, whole)) {
                log_refusal();
            } else {
                if (libfdt)
                    fail_msg("byte 0x%zx as 0x%02x: libfdt says %d", i, tree_blob[i] & 0xff,
                             libfdt);
                walk_everything();
            }
        }
        tree_blob[i] = kept;
    }
    ok(load_bytes(tree_blob, whole));
}

static void refused(const char *why)
{
    assert_int_equal(load_bytes(tree_blob, fdt_totalsize(tree_blob)), -EINVAL);
    assert_null(bb_node_root());
    log_one(why);
}

static uint32_t *word(size_t offset)
{
    return (uint32_t *)(void *)(tree_blob + offset);
}

/* The first word of the structure that is `tag`, at or after word `from`. */
static uint32_t *find_tag(uint32_t tag, size_t from)
{
    uint32_t *structure = word(fdt_off_dt_struct(tree_blob));
    while (structure[from] != cpu_to_fdt32(tag))
        from++;
    return structure + from;
}

/* None of its words but the tags look like one of the tags that the tests look for. */
static void small_tree(void)
{
    open_tree(0, 0);
    open_node("first");
    text("compatible", "ab");
    close_node();
    open_node("other");
    close_node();
    close_node();
    ok(fdt_finish(tree_blob));
}

static void test_bad_headers(void **state)
{
    (void)state;
    small_tree();
    uint32_t whole = fdt_totalsize(tree_blob);
    assert_int_equal(bb_tree_load(NULL, 0), -EINVAL);
    log_clear();
    assert_int_equal(bb_tree_load(tree_blob + 4, whole), -EINVAL);
    log_one("aligned");
    *word(0) = cpu_to_fdt32(0x54410001);
    refused("0xd00dfeed");
    small_tree();
    fdt_set_totalsize(tree_blob, whole + 1);
    assert_int_equal(load_bytes(tree_blob, whole), -EINVAL);
    log_one("claims");
    small_tree();
    fdt_set_version(tree_blob, 16);
    refused("header");
    small_tree();
    fdt_set_last_comp_version(tree_blob, 99);
    refused("header");
    small_tree();
    fdt_set_off_dt_struct(tree_blob, fdt_off_dt_struct(tree_blob) + 2);
    refused("header");
    small_tree();
    fdt_set_off_dt_struct(tree_blob, 0xfffffff0);
    refused("header");
    small_tree();
    fdt_set_size_dt_strings(tree_blob, 0xfffffff0);
    refused("header");
    small_tree();
    fdt_set_off_mem_rsvmap(tree_blob, 0x2c);
    refused("header");
}

static void test_bad_strings(void **state)
{
    (void)state;
    small_tree();
    fdt_set_size_dt_strings(tree_blob, fdt_size_dt_strings(tree_blob) - 1);
    refused("strings do not end");
    small_tree();
    tree_blob[fdt_off_dt_strings(tree_blob)] = '\n';
    refused("printable");
}

static void test_bad_structures(void **state)
{
    (void)state;
    small_tree();
    find_tag(FDT_PROP, 0)[1] = cpu_to_fdt32(0xfffffff8); /* wraps in 32 bits */
    refused("damaged");
    small_tree();
    find_tag(FDT_PROP, 0)[1] = cpu_to_fdt32(0x7ffffff0);
    refused("device tree refused");
    small_tree();
    find_tag(FDT_PROP, 0)[2] = cpu_to_fdt32(fdt_size_dt_strings(tree_blob));
    refused("no name");
    small_tree();
    find_tag(FDT_PROP, 0)[2] = cpu_to_fdt32(fdt_size_dt_strings(tree_blob) - 1);
    refused("no name");
    small_tree();
    find_tag(FDT_BEGIN_NODE, 1)[1] = cpu_to_fdt32(0x2f666f6f);
    refused("printable");
    small_tree();
    find_tag(FDT_BEGIN_NODE, 1)[1] = 0;
    refused("device tree refused");
    small_tree();
    *find_tag(FDT_BEGIN_NODE, 0) = cpu_to_fdt32(FDT_NOP);
    refused("device tree refused");
    small_tree();
    *find_tag(FDT_BEGIN_NODE, 1) = cpu_to_fdt32(77);
    refused("damaged");
    small_tree();
    *find_tag(FDT_END_NODE, 0) = cpu_to_fdt32(FDT_NOP);
    refused("ends inside a node");
    small_tree();
    *find_tag(FDT_END_NODE, 0) = cpu_to_fdt32(FDT_END);
    refused("ends inside a node");
    small_tree();
    *(find_tag(FDT_END, 0)) = cpu_to_fdt32(FDT_END_NODE);
    refused("never began");
    small_tree();
    *(find_tag(FDT_END, 0)) = cpu_to_fdt32(FDT_NOP);
    refused("cut short");

    /* A property after a child. libfdt writes it; the specification forbids it. */
    open_tree(2, 1);
    open_node("child");
    close_node();
    cells("late", 1);
    assert_int_equal(load_tree(), -EINVAL);
    log_one("outside its node");

    open_tree(2, 1);
    close_node();
    open_node("");
    assert_int_equal(load_tree(), -EINVAL);
    log_one("second root");

    open_tree(2, 1);
    open_node("");
    close_node();
    assert_int_equal(load_tree(), -EINVAL);
    log_one("no name");
}

static void test_depth(void **state)
{
    (void)state;
    for (unsigned depth = 63; depth <= 64; depth++) {
        open_tree(2, 1);
        for (unsigned i = 0; i < depth; i++)
            open_node("n");
        for (unsigned i = 0; i < depth; i++)
            close_node();
        if (depth == 63) {
            ok(load_tree());
            walk_everything();
        } else {
            assert_int_equal(load_tree(), -EINVAL);
            log_one("too deep");
        }
    }
}

static void test_duplicates(void **state)
{
    (void)state;
    open_tree(2, 1);
    for (unsigned i = 0; i < 3; i++) {
        open_node("same");
        cells("phandle", 5);
        cells("which", i);
        close_node();
    }
    ok(load_tree());
    assert_int_equal(log_lines, 2);
    assert_non_null(strstr(log_text, "/same: has the phandle of an earlier node"));
    assert_non_null(strstr(log_text, "/same: has the name of an earlier node"));
    assert_non_null(strstr(log_text, "(2 such)"));
    uint32_t which = 9;
    ok(bb_node_u32(bb_node_by_phandle(5), "which", &which));
    assert_int_equal(which, 0);
    ok(bb_node_u32(at("/same"), "which", &which));
    assert_int_equal(which, 0);
}

static void test_bad_learned_properties(void **state)
{
    (void)state;
    open_tree(2, 1);
    open_node("zero");
    cells("phandle", 0);
    close_node();
    open_node("ones");
    cells("linux,phandle", 0xffffffff);
    close_node();
    open_node("long");
    cells("phandle", 1, 2);
    close_node();
    open_node("cells");
    cells("#address-cells", 5);
    bytes("#size-cells", "ab", 2);
    open_node("child");
    cells("reg", 1, 2, 3, 4, 5, 6);
    close_node();
    close_node();
    open_node("open");
    bytes("status", "okay", 4);
    close_node();
    ok(load_tree());
    assert_int_equal(log_lines, 6);
    assert_non_null(strstr(log_text, "/cells: #address-cells (4 bytes) is malformed: expected"));
    assert_int_equal(at("/zero")->phandle, 0);
    assert_int_equal(at("/ones")->phandle, 0);
    assert_int_equal(at("/long")->phandle, 0);
    assert_false(at("/open")->enabled);
    uint64_t address, size;
    assert_int_equal(bb_node_reg(at("/cells/child"), 0, &address, &size), -EINVAL);
}

static void test_small_arena(void **state)
{
    (void)state;
    rich_tree();
    ok(load_tree());
    size_t needed = bb_arena.used;
    for (bb_arena.size = 0; bb_arena.size < needed + 400; bb_arena.size += 8) {
        int error = load_bytes(tree_blob, fdt_totalsize(tree_blob));
        if (!error)
            break;
        assert_int_equal(error, -ENOMEM);
        assert_null(bb_node_root());
        assert_int_equal(bb_arena.used, 0);
        if (bb_arena.size < needed - 600) { /* the tables say what they need by themselves */
            const char *about = strstr(log_text, "about ");
            assert_non_null(about);
            unsigned long guess = strtoul(about + 6, NULL, 10);
            assert_in_range(guess, needed / 3, needed * 3);
            log_one("of arena");
        }
    }
    assert_true(bb_arena.size >= needed && bb_arena.size < needed + 400);
    bb_arena.size = sizeof(arena_memory);
    ok(load_bytes(tree_blob, fdt_totalsize(tree_blob)));
    for (unsigned i = 1, calls = arena_calls; i <= calls; i++) {
        arena_calls = 0;
        arena_fail_at = i;
        if (!load_bytes(tree_blob, fdt_totalsize(tree_blob)))
            break;
        assert_null(bb_node_root());
    }
    arena_fail_at = 0;
}

/* Processor time for loading a tree of `count` nodes below a bus, the best of several. */
static double cost_of(unsigned count)
{
    char name[20];
    double best = 1e9;
    open_tree(1, 1);
    for (unsigned i = 0; i < count; i++) {
        if (i % 100 == 0) {
            snprintf(name, sizeof(name), "bus@%x", i);
            open_node(name);
            flag("ranges");
        }
        snprintf(name, sizeof(name), "device@%x", i);
        open_node(name);
        text("compatible", "vendor,device");
        cells("reg", i, 1);
        cells("phandle", i + 1);
        close_node();
        if (i % 100 == 99)
            close_node();
    }
    close_node();
    ok(fdt_finish(tree_blob));
    for (unsigned i = 0; i < 7; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        ok(load_bytes(tree_blob, fdt_totalsize(tree_blob)));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        double cost =
            (double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec);
        if (cost < best)
            best = cost;
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(bb_node_by_phandle(i + 1)->phandle, i + 1);
    return best;
}

/* Time is no instruction count: caches and neighbours get some slack. A quadratic pass would be
 * hundred times as dear. */
static void test_cost_is_linear(void **state)
{
    (void)state;
    double small = cost_of(1000), large = cost_of(10000);
    print_message("10,000 nodes cost %.1f times what 1,000 do\n", large / small);
    assert_true(large < 25 * small);
}

/* The trees that boards are sold with, where set-up has fetched them. */
static void test_real_trees(void **state)
{
    static const char *const names[] = {"bcm2837-rpi-3-b", "bcm2711-rpi-4-b",
                                        "rk3566-soquartz-cm4"};
    (void)state;
    bool any = false;
    for (size_t i = 0; i < BB_ARRAY_SIZE(names); i++) {
        char path[80];
        size_t size;
        snprintf(path, sizeof(path), "build/dtbs/%s.dtb", names[i]);
        void *content = read_file(path, &size);
        if (!content)
            continue;
        any = true;
        ok(load_bytes(content, size));
        assert_int_equal(log_lines, 0);
        walk_everything();
        free(content);
    }
    if (!any)
        skip();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_everything),
        cmocka_unit_test(test_is_cheap_in_arena),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_every_byte_flipped),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_strings),
        cmocka_unit_test(test_bad_structures),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_bad_learned_properties),
        cmocka_unit_test(test_small_arena),
        cmocka_unit_test(test_cost_is_linear),
        cmocka_unit_test(test_real_trees),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(tree_block);
    return failed;
}
