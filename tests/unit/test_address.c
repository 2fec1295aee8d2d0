/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: reg, ranges and dma-ranges of every cell size. */
#include "tree.h"

static void reg_is(const char *path, size_t index, uint64_t address, uint64_t size)
{
    uint64_t a = 1, s = 1;
    ok(bb_node_reg(at(path), index, &a, &s));
    assert_int_equal(a, address);
    assert_int_equal(s, size);
}

static void reg_fails(const char *path, size_t index, int error)
{
    uint64_t a, s;
    assert_int_equal(bb_node_reg(at(path), index, &a, &s), error);
}

static void dma_is(const char *path, uint64_t address, uint64_t size, uint64_t expected)
{
    uint64_t device = 1;
    ok(bb_node_dma_address(at(path), address, size, &device));
    assert_int_equal(device, expected);
}

static void dma_fails(const char *path, uint64_t address, uint64_t size, int error)
{
    uint64_t device;
    assert_int_equal(bb_node_dma_address(at(path), address, size, &device), error);
}

static void test_reg(void **state)
{
    (void)state;
    open_tree(2, 2);
    open_node("a");
    cells("reg", 1, 0x1000, 0, 0x10, 2, 0x2000, 3, 0x20);
    close_node();
    open_node("short");
    cells("reg", 1, 2, 3);
    close_node();
    open_node("odd");
    bytes("reg", "abc", 3);
    close_node();
    open_node("empty");
    flag("reg");
    close_node();
    open_node("wraps");
    cells("reg", 0xffffffff, 0xfffff000, 0, 0x2000);
    close_node();
    open_node("none");
    close_node();
    open_node("cpus");
    cells("#address-cells", 1);
    cells("#size-cells", 0);
    open_node("cpu@3");
    cells("reg", 3);
    close_node();
    close_node();
    open_node("nothing");
    cells("#address-cells", 0);
    cells("#size-cells", 0);
    open_node("x");
    cells("reg", 3);
    close_node();
    close_node();
    open_node("huge");
    cells("#address-cells", 3);
    cells("#size-cells", 3);
    flag("ranges");
    open_node("fits");
    cells("reg", 0, 0, 5, 0, 0, 6);
    close_node();
    open_node("does-not");
    cells("reg", 0, 0, 5, 1, 0, 6);
    close_node();
    close_node();
    ok(load_tree());
    reg_is("/a", 0, 0x100001000, 0x10);
    reg_is("/a", 1, 0x200002000, 0x300000020);
    reg_fails("/a", 2, -ERANGE);
    reg_fails("/a", SIZE_MAX, -ERANGE);
    reg_fails("/none", 0, -ENOENT);
    reg_fails("/", 0, -ENOENT);
    reg_fails("/cpus/cpu@3", 0, -ENXIO); /* no address of memory */
    assert_int_equal(log_lines, 0);
    reg_fails("/short", 0, -EINVAL);
    log_one("/short: reg (12 bytes)");
    reg_fails("/odd", 0, -EINVAL);
    log_one("/odd: reg");
    reg_fails("/empty", 0, -EINVAL);
    log_one("/empty: reg");
    reg_fails("/wraps", 0, -EINVAL);
    log_one("64 bits");
    reg_fails("/nothing/x", 0, -EINVAL);
    log_one("/nothing/x: reg");
    reg_is("/huge/fits", 0, 5, 6);
    reg_fails("/huge/does-not", 0, -EINVAL);
    log_one("64 bits");
}

static void test_ranges(void **state)
{
    (void)state;
    open_tree(2, 1);
    open_node("soc");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    cells("ranges", 0x7e000000, 0, 0xfe000000, 0x01800000, 0x40000000, 4, 0, 0x1000, 0x50000000,
          0xffffffff, 0xfffff000, 0x2000);
    open_node("a");
    cells("reg", 0x7e201000, 0x200, 0x40000000, 0x1000, 0x40000000, 0x1001, 0x3fffffff, 2,
          0x7f800000, 0, 0x7f7fffff, 1);
    close_node();
    open_node("wraps");
    cells("reg", 0x50001000, 0x800);
    close_node();
    open_node("same");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    flag("ranges");
    open_node("b");
    cells("reg", 0x7e000004, 4);
    close_node();
    close_node();
    open_node("i2c");
    cells("#address-cells", 1);
    cells("#size-cells", 0);
    open_node("rtc@51");
    cells("reg", 0x51);
    close_node();
    close_node();
    open_node("inner");
    cells("#address-cells", 2);
    cells("#size-cells", 2);
    cells("ranges", 1, 0, 0x7e100000, 0, 0x1000);
    open_node("c");
    cells("reg", 1, 0x10, 0, 4);
    close_node();
    close_node();
    open_node("short");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    cells("ranges", 1, 2);
    open_node("d");
    cells("reg", 1, 1);
    close_node();
    close_node();
    close_node();
    ok(load_tree());
    reg_is("/soc/a", 0, 0xfe201000, 0x200);
    reg_is("/soc/a", 1, 0x400000000, 0x1000);
    reg_fails("/soc/a", 2, -ENXIO); /* one byte too long */
    reg_fails("/soc/a", 3, -ENXIO);
    reg_fails("/soc/a", 4, -ENXIO);
    reg_is("/soc/a", 5, 0xff7fffff, 1);
    reg_is("/soc/same/b", 0, 0xfe000004, 4);
    reg_fails("/soc/i2c/rtc@51", 0, -ENXIO);
    reg_is("/soc/inner/c", 0, 0xfe100010, 4);
    assert_int_equal(log_lines, 0);
    reg_fails("/soc/wraps", 0, -EINVAL);
    log_one("/soc: ranges");
    reg_fails("/soc/short/d", 0, -EINVAL);
    log_one("/soc/short: ranges (8 bytes)");
}

/* As QEMU's virt and the Raspberry Pi 4 describe PCI: three cells, the first one with the space. */
static void test_pci(void **state)
{
    (void)state;
    open_tree(2, 2);
    open_node("pcie@10000000");
    cells("#address-cells", 3);
    cells("#size-cells", 2);
    cells("reg", 0x40, 0x10000000, 0, 0x10000000);
    cells("ranges", 0x01000000, 0, 0, 0, 0x3eff0000, 0, 0x10000, 0x02000000, 0, 0x10000000, 0,
          0x10000000, 0, 0x2eff0000, 0x03000000, 0x80, 0, 0x80, 0, 0x80, 0);
    cells("dma-ranges", 0x02000000, 0, 0, 0, 0x40000000, 0, 0x10000000);
    open_node("function@8,0");
    cells("reg", 0x800, 0, 0, 0, 0, 0x01000800, 0, 0x20, 0, 4, 0x02000800, 0, 0x10000020, 0, 4,
          0x83000800, 0x80, 0x20, 0, 4, 0x02000800, 0, 0x20, 0, 4);
    close_node();
    close_node();
    ok(load_tree());
    reg_is("/pcie", 0, 0x4010000000, 0x10000000);
    reg_fails("/pcie/function", 0, -ENXIO); /* configuration space is no memory */
    reg_is("/pcie/function", 1, 0x3eff0020, 4);
    reg_is("/pcie/function", 2, 0x10000020, 4);
    reg_is("/pcie/function", 3, 0x8000000020, 4);
    reg_fails("/pcie/function", 4, -ENXIO); /* memory space has nothing there; I/O space has */
    dma_is("/pcie/function", 0x40001000, 0x1000, 0x1000);
    dma_fails("/pcie/function", 0x3ffff000, 0x1000, -ENXIO);
    assert_int_equal(log_lines, 0);
}

static void test_dma(void **state)
{
    (void)state;
    open_tree(1, 1);
    open_node("plain");
    close_node();
    open_node("soc");
    cells("#address-cells", 1);
    cells("#size-cells", 1);
    cells("dma-ranges", 0xc0000000, 0, 0x3f000000, 0x7e000000, 0x3f000000, 0x01000000);
    open_node("usb");
    close_node();
    open_node("inner");
    cells("#address-cells", 2);
    cells("#size-cells", 1);
    cells("dma-ranges", 1, 0, 0xc0000000, 0x10000000);
    open_node("deep");
    close_node();
    close_node();
    open_node("same");
    flag("dma-ranges");
    open_node("child");
    close_node();
    close_node();
    open_node("bad");
    cells("dma-ranges", 1);
    open_node("child");
    close_node();
    close_node();
    close_node();
    ok(load_tree());
    dma_is("/plain", 0x1234, 0x100, 0x1234);
    dma_is("/", 0x1234, 0x100, 0x1234);
    dma_is("/soc/usb", 0x1000, 0x1000, 0xc0001000);
    dma_is("/soc/usb", 0x3f000010, 4, 0x7e000010);
    dma_is("/soc/usb", 0, 0x3f000000, 0xc0000000);
    dma_fails("/soc/usb", 0, 0x3f000001, -ENXIO);
    dma_fails("/soc/usb", 0x40000000, 1, -ENXIO);
    dma_fails("/soc/usb", UINT64_MAX, 2, -ENXIO);
    dma_is("/soc/inner/deep", 0x20, 4, 0x100000020);
    dma_fails("/soc/inner/deep", 0x10000000, 4, -ENXIO);
    dma_is("/soc/same/child", 0x20, 4, 0xc0000020);
    assert_int_equal(log_lines, 0);
    dma_fails("/soc/bad/child", 0x20, 4, -EINVAL);
    log_one("/soc/bad: dma-ranges");
}

static bool load_real(const char *name)
{
    char path[80];
    size_t size;
    snprintf(path, sizeof(path), "build/dtbs/%s.dtb", name);
    void *content = read_file(path, &size);
    if (!content)
        return false;
    ok(load_bytes(content, size));
    free(content);
    return true;
}

static void test_raspberry_pi_3(void **state)
{
    (void)state;
    uint64_t address, size;
    if (!load_real("bcm2837-rpi-3-b"))
        skip();
    reg_is("serial0", 0, 0x3f201000, 0x200);
    reg_is("serial1", 0, 0x3f215040, 0x40);
    ok(bb_node_reg(bb_node_stdout(), 0, &address, &size));
    assert_int_equal(address, 0x3f215040);
    reg_is("/soc/mailbox@7e00b880", 0, 0x3f00b880, 0x40);
    dma_is("/soc/mailbox@7e00b880", 0x1000, 16, 0xc0001000);
    dma_is("/soc/firmware", 0x1000, 16, 0xc0001000);
    assert_int_equal(log_lines, 0);
}

static void test_raspberry_pi_4(void **state)
{
    (void)state;
    if (!load_real("bcm2711-rpi-4-b"))
        skip();
    reg_is("serial0", 0, 0xfe201000, 0x200);
    reg_is("serial1", 0, 0xfe215040, 0x40);
    reg_is("/scb/pcie", 0, 0xfd500000, 0x9310);
    dma_is("serial0", 0x1000, 16, 0xc0001000);
    assert_int_equal(log_lines, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reg),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_pci),
        cmocka_unit_test(test_dma),
        cmocka_unit_test(test_raspberry_pi_3),
        cmocka_unit_test(test_raspberry_pi_4),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(tree_block);
    return failed;
}
