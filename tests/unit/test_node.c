/* SPDX-License-Identifier: BSD-2-Clause */
/* The node table: finding nodes, appending them, and the plain property readers. */
#include "tree.h"

static void board(void)
{
    open_tree(1, 1);
    text("compatible", "vendor,board");
    open_node("aliases");
    text("serial0", "/soc/serial@1000");
    text("console", "serial0");
    text("bus", "/soc");
    bytes("open", "/soc", 4);
    text("gone", "/soc/nothing");
    close_node();
    open_node("chosen");
    text("stdout-path", "serial0:115200n8");
    close_node();
    open_node("soc");
    cells("phandle", 0x8001);
    open_node("serial@1000");
    text("compatible", "arm,pl011\0arm,primecell");
    cells("one", 0x12345678);
    cells("two", 0x12345678, 0x9abcdef0);
    cells("three", 1, 2, 3);
    bytes("odd", "abc", 3);
    bytes("unended", "abc", 3);
    flag("empty");
    text("names", "tx\0rx\0\0last");
    close_node();
    open_node("serial@2000");
    text("compatible", "vendor,uart");
    text("status", "disabled");
    open_node("modem");
    text("compatible", "vendor,modem");
    text("status", "okay");
    close_node();
    close_node();
    open_node("timer@3000");
    text("compatible", "vendor,uart");
    text("status", "ok");
    cells("linux,phandle", 0x8002);
    close_node();
    close_node();
    ok(load_tree());
}

static void test_paths(void **state)
{
    (void)state;
    char path[40];
    board();
    assert_ptr_equal(bb_node_find("/"), bb_node_root());
    assert_ptr_equal(bb_node_find("//soc//timer@3000/"), at("/soc/timer@3000"));
    assert_ptr_equal(bb_node_find("/soc/timer"), at("/soc/timer@3000"));
    assert_ptr_equal(bb_node_find("/soc/timer:9600"), at("/soc/timer@3000"));
    assert_null(bb_node_find("/soc/serial")); /* which one? */
    assert_null(bb_node_find("/soc/time"));
    assert_null(bb_node_find("/soc/timer@3000/x"));
    assert_null(bb_node_find("/nothing"));
    assert_int_equal(bb_node_path(at("/soc/serial@2000/modem"), path, sizeof(path)), 22);
    assert_string_equal(path, "/soc/serial@2000/modem");
    assert_int_equal(bb_node_path(bb_node_root(), path, sizeof(path)), 1);
    assert_string_equal(path, "/");
    for (size_t size = 0; size <= 23; size++) {
        memset(path, 'x', sizeof(path));
        assert_int_equal(bb_node_path(at("/soc/serial@2000/modem"), path, size), 22);
        if (size) {
            assert_int_equal(strlen(path), size - 1);
            assert_memory_equal(path, "/soc/serial@2000/modem", size - 1);
        }
        assert_int_equal(path[size], 'x');
    }
    assert_int_equal(bb_node_path(bb_node_root(), path, 1), 1);
    assert_string_equal(path, "");
}

static void test_aliases(void **state)
{
    (void)state;
    board();
    struct bb_node *serial = at("/soc/serial@1000");
    assert_ptr_equal(bb_node_find("serial0"), serial);
    assert_ptr_equal(bb_node_find("serial0:115200n8"), serial);
    assert_ptr_equal(bb_node_find("bus/timer"), at("/soc/timer@3000"));
    assert_null(bb_node_find("serial"));
    assert_null(bb_node_find("serial00"));
    assert_null(bb_node_find(""));
    assert_null(bb_node_find("gone"));
    assert_null(bb_node_find("console")); /* an alias of an alias is none */
    assert_null(bb_node_find("open"));
    assert_string_equal(serial->alias, "serial0");
    assert_null(at("/soc/timer")->alias);
    assert_ptr_equal(bb_node_stdout(), serial);
}

static void test_stdout(void **state)
{
    (void)state;
    open_tree(1, 1);
    ok(load_tree());
    assert_null(bb_node_stdout());
    assert_null(bb_node_find("serial0"));
    assert_null(bb_node_root()->alias);
    open_tree(1, 1);
    open_node("chosen");
    text("linux,stdout-path", "/uart:9600");
    close_node();
    open_node("uart");
    close_node();
    ok(load_tree());
    assert_ptr_equal(bb_node_stdout(), at("/uart"));
}

static void test_finders(void **state)
{
    (void)state;
    board();
    assert_ptr_equal(bb_node_by_phandle(0x8001), at("/soc"));
    assert_ptr_equal(bb_node_by_phandle(0x8002), at("/soc/timer"));
    assert_null(bb_node_by_phandle(0));
    assert_null(bb_node_by_phandle(3));
    assert_ptr_equal(bb_node_by_compatible("arm,primecell"), at("/soc/serial@1000"));
    assert_ptr_equal(bb_node_by_compatible("vendor,uart"), at("/soc/timer"));
    assert_null(bb_node_by_compatible("vendor,modem")); /* its parent is disabled */
    assert_null(bb_node_by_compatible("arm,pl"));
    assert_false(at("/soc/serial@2000")->enabled);
    assert_false(at("/soc/serial@2000/modem")->enabled);
    assert_true(at("/soc/timer")->enabled);
}

static void test_cells(void **state)
{
    (void)state;
    uint32_t cell = 0;
    uint64_t both = 0;
    board();
    const struct bb_node *node = at("serial0");
    ok(bb_node_u32(node, "one", &cell));
    assert_int_equal(cell, 0x12345678);
    ok(bb_node_u32_at(node, "three", 2, &cell));
    assert_int_equal(cell, 3);
    assert_int_equal(bb_node_u32_at(node, "three", 3, &cell), -ERANGE);
    assert_int_equal(bb_node_u32_at(node, "empty", 0, &cell), -ERANGE);
    assert_int_equal(bb_node_u32_at(node, "none", 0, &cell), -ENOENT);
    ok(bb_node_u64(node, "one", &both));
    assert_int_equal(both, 0x12345678);
    ok(bb_node_u64(node, "two", &both));
    assert_int_equal(both, 0x123456789abcdef0);
    assert_int_equal(bb_node_u32(node, "none", &cell), -ENOENT);
    assert_int_equal(bb_node_u64(node, "none", &both), -ENOENT);
    assert_true(bb_node_has(node, "empty"));
    assert_false(bb_node_has(node, "none"));
    assert_false(bb_node_has(node, "empt"));
    assert_int_equal(log_lines, 0);
}

static void test_bad_properties_are_named_once(void **state)
{
    (void)state;
    uint32_t cell = 0;
    uint64_t both = 0;
    const char *string;
    board();
    const struct bb_node *node = at("serial0");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bb_node_u32(node, "two", &cell), -EINVAL);
    log_one("/soc/serial@1000: two (8 bytes) is malformed: expected one cell");
    assert_int_equal(bb_node_u64(node, "three", &both), -EINVAL);
    log_one("one cell or two");
    assert_int_equal(bb_node_u32_at(node, "odd", 0, &cell), -EINVAL);
    log_one("odd (3 bytes)");
    assert_int_equal(bb_node_u64(node, "empty", &both), -EINVAL);
    log_one("empty (0 bytes)");
    assert_int_equal(bb_node_string(node, "unended", &string), -EINVAL);
    log_one("unended");
    assert_int_equal(bb_node_string(node, "empty", &string), -EINVAL);
    assert_int_equal(bb_node_string_index(node, "unended", "abc"), -EINVAL);
    assert_int_equal(log_lines, 0);
}

static void test_strings(void **state)
{
    (void)state;
    const char *string = NULL;
    board();
    const struct bb_node *node = at("serial0");
    ok(bb_node_string(node, "names", &string));
    assert_string_equal(string, "tx");
    ok(bb_node_string_at(node, "names", 3, &string));
    assert_string_equal(string, "last");
    ok(bb_node_string_at(node, "names", 2, &string));
    assert_string_equal(string, "");
    assert_int_equal(bb_node_string_at(node, "names", 4, &string), -ERANGE);
    assert_int_equal(bb_node_string_at(node, "none", 0, &string), -ENOENT);
    assert_int_equal(bb_node_string_index(node, "names", "rx"), 1);
    assert_int_equal(bb_node_string_index(node, "names", "last"), 3);
    assert_int_equal(bb_node_string_index(node, "names", "r"), -ENOENT);
    assert_int_equal(bb_node_string_index(node, "none", "rx"), -ENOENT);
    assert_true(bb_node_compatible(node, "arm,primecell"));
    assert_false(bb_node_compatible(node, "arm"));
    assert_false(bb_node_compatible(bb_node_root(), "arm"));
}

static void test_append(void **state)
{
    (void)state;
    static const uint32_t one[] = {0x01000000};
    static const struct bb_property properties[] = {
        {"compatible", "busbar,clocks", 14},
        {"#size-cells", one, 4},
        {"odd", "abc", 3},
    };
    struct bb_node *soc, *node = NULL, *last = NULL;
    uint32_t cell;
    board();
    soc = at("/soc");
    ok(bb_node_append(soc, (const struct bb_bus *)&properties, "clocks", properties, 3, &node));
    assert_ptr_equal(at("/soc/clocks"), node);
    assert_ptr_equal(node->parent, soc);
    assert_ptr_equal(node->bus, &properties);
    assert_true(node->enabled);
    assert_int_equal(node->size_cells, 1);
    assert_ptr_equal(bb_node_by_compatible("busbar,clocks"), node);
    assert_ptr_equal(bb_node_last(), node);
    bb_for_each_node (each)
        last = each;
    assert_ptr_equal(last, node);
    assert_int_equal(bb_node_u32(node, "odd", &cell), -EINVAL);
    log_one("/soc/clocks: odd");
    ok(bb_node_append(at("/soc/serial@2000"), NULL, "x", NULL, 0, &node));
    assert_false(node->enabled);
    assert_ptr_equal(at("/soc/serial@2000/x"), node);

    assert_int_equal(bb_node_append(NULL, NULL, "", NULL, 0, &node), -EINVAL);
    assert_int_equal(bb_node_append(soc, NULL, "", NULL, 0, &node), -EINVAL);
    assert_int_equal(bb_node_append(soc, NULL, "a b", NULL, 0, &node), -EINVAL);
    assert_int_equal(bb_node_append(soc, NULL, "a/b", NULL, 0, &node), -EINVAL);
    bb_arena.size = bb_arena.used;
    assert_int_equal(bb_node_append(at("/soc"), NULL, "full", NULL, 0, &node), -ENOMEM);
    bb_arena.size = sizeof(arena_memory);
}

static void test_append_stays_bounded_in_depth(void **state)
{
    (void)state;
    open_tree(1, 1);
    ok(load_tree());
    struct bb_node *node = bb_node_root();
    for (unsigned depth = 2; depth <= 64; depth++)
        ok(bb_node_append(node, NULL, "n", NULL, 0, &node));
    assert_int_equal(bb_node_append(node, NULL, "n", NULL, 0, &node), -EINVAL);
}

static void test_table_without_tree(void **state)
{
    (void)state;
    struct bb_node *root = NULL, *node = NULL;
    bb_node_reset();
    bb_arena_reset(0);
    assert_null(bb_node_root());
    assert_null(bb_node_find("/"));
    assert_null(bb_node_find("serial0"));
    assert_null(bb_node_stdout());
    assert_null(bb_node_by_phandle(1));
    assert_null(bb_node_by_compatible("x"));
    ok(bb_node_append(NULL, NULL, "", NULL, 0, &root));
    assert_ptr_equal(bb_node_root(), root);
    ok(bb_node_append(root, NULL, "console", NULL, 0, &node));
    assert_ptr_equal(at("/console"), node);
    assert_null(bb_node_by_phandle(1));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_stdout),
        cmocka_unit_test(test_finders),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_bad_properties_are_named_once),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_append_stays_bounded_in_depth),
        cmocka_unit_test(test_table_without_tree),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(tree_block);
    return failed;
}
