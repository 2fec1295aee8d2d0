/* SPDX-License-Identifier: BSD-2-Clause */
/* console/pl011 on its model. */
#include "harness.h"

#include <string.h>

#include <busbar/console.h>
#include <busbar/store.h>

#include <tests/models/boards.h>

enum { RX = 1 << 4, RT = 1 << 6, RUNNING = 0x301 };

extern const struct bb_driver bb_driver_console_pl011;

static struct bb_console *start(const char *command_line)
{
    virt_prepare(NULL);
    boot(command_line);
    virt.pl011.output_size = 0;
    return face_at(console, VIRT_PL011);
}

static bool sent(const char *text)
{
    bb_sleep(10 * BB_MSEC);
    return virt.pl011.output_size == strlen(text) &&
           memcmp(virt.pl011.output, text, strlen(text)) == 0;
}

static void test_set_up(void **state)
{
    (void)state;
    start(NULL);
    uint64_t baud = model_pl011_baud(&virt.pl011);

    assert_true(baud > 115200 - 1152 && baud < 115200 + 1152);
    assert_int_equal(virt.pl011.lcrh, 0x70); /* 8 bits, FIFOs */
    assert_int_equal(virt.pl011.cr & RUNNING, RUNNING);
    assert_int_equal(virt.pl011.imsc, RX | RT);
    assert_true(virt.gic->enabled[32 + VIRT_SPI_PL011]);
}

static void test_baud_parameter(void **state)
{
    (void)state;
    start("pl011.baud=9600");
    uint64_t baud = model_pl011_baud(&virt.pl011);

    assert_true(baud > 9600 - 96 && baud < 9600 + 96);
}

static void test_wrong_baud_parameter(void **state)
{
    (void)state;
    virt_prepare(NULL);
    /* Firmware's speed is kept where the wanted one cannot be had. */
    virt.pl011.ibrd = virt.pl011.latched_ibrd = 13;
    boot("pl011.baud=4000000000");
    (void)device_at(VIRT_PL011);
    assert_int_equal(virt.pl011.latched_ibrd, 13);
    assert_int_equal(virt.pl011.cr & RUNNING, RUNNING);
}

static void test_takes_over_from_firmware(void **state)
{
    (void)state;
    virt_prepare(NULL);
    virt.pl011.ibrd = virt.pl011.latched_ibrd = 13;
    virt.pl011.lcrh = 0x70;
    virt.pl011.cr = RUNNING;
    virt.pl011.imsc = 0x7ff;
    for (const char *text = "firmware"; *text; text++)
        bb_arch_write32(0x9000000, (uint8_t)*text);
    boot("log=error");
    assert_memory_equal(virt.pl011.output, "firmware", 8);
    assert_int_equal(virt.pl011.imsc, RX | RT);
}

static void test_lines(void **state)
{
    static const struct {
        struct bb_console_line line;
        uint32_t lcrh;
    } cases[] = {
        {{115200, 8, 1, BB_PARITY_NONE}, 0x70}, {{300, 7, 1, BB_PARITY_EVEN}, 0x56},
        {{9600, 8, 2, BB_PARITY_ODD}, 0x7a},    {{1500000, 6, 2, BB_PARITY_NONE}, 0x38},
        {{921600, 8, 1, BB_PARITY_NONE}, 0x70}, {{57600, 5, 1, BB_PARITY_EVEN}, 0x16},
    };
    struct bb_console *console = start(NULL);

    (void)state;
    virt.pl011.muted = true; /* 5-bit words are meant */
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        assert_int_equal(bb_console_set_line(console, &cases[i].line), 0);
        uint64_t baud = model_pl011_baud(&virt.pl011), wanted = cases[i].line.baud;
        assert_int_equal(virt.pl011.lcrh, cases[i].lcrh);
        assert_true(baud * 100 >= wanted * 97 && baud * 100 <= wanted * 103);
        assert_int_equal(virt.pl011.cr & RUNNING, RUNNING);
        assert_int_equal(virt.pl011.imsc, RX | RT);
    }
}

static void test_write(void **state)
{
    struct bb_console *console = start("log=error");
    char text[40];

    (void)state;
    memset(text, 'x', sizeof text);
    int taken = bb_console_write(console, text, sizeof text);
    assert_true(taken >= 16 && taken < (int)sizeof text);
    bb_sleep(10 * BB_MSEC);
    assert_int_equal(virt.pl011.output_size, taken);
    virt.pl011.output_size = 0;
    bb_console_print(console, "a\nb", 3);
    assert_true(sent("a\r\nb"));
}

static void test_stuck(void **state)
{
    struct bb_console *console = start("log=error");
    char text[200] = {0};

    (void)state;
    virt.pl011.stuck = true;
    uint64_t begin = bb_time();
    bb_console_print(console, text, sizeof text);
    bb_console_print(console, text, sizeof text);
    assert_true(bb_time() - begin < BB_SEC / 2);
    assert_int_equal(bb_console_write(console, text, sizeof text), 0);
    assert_true(console->lost > 0);
    /* A line that never goes quiet cannot be changed, and is left as it is. */
    struct bb_console_line line = {9600, 8, 1, BB_PARITY_NONE};
    assert_int_equal(bb_console_set_line(console, &line), -ETIMEDOUT);
    virt.pl011.stuck = false;
}

static void test_stuck_at_start(void **state)
{
    (void)state;
    virt_prepare(NULL);
    virt.pl011.stuck = true;
    virt.pl011.tx_count = 1;
    virt.pl011.cr = RUNNING;
    boot(NULL);
    must_fail(VIRT_PL011, -ETIMEDOUT, "BUSY");
    (void)device_at(VIRT_PL031); /* the rest goes on */
}

static void test_input(void **state)
{
    struct bb_console *console = start("log=error");
    char got[64];
    const char *text = "a longer line than the FIFO holds, typed at speed";

    (void)state;
    for (size_t i = 0; text[i]; i++) {
        model_pl011_input(&virt.pl011, text[i]);
        bb_sleep(100 * BB_USEC);
    }
    bb_sleep(BB_MSEC);
    assert_int_equal(bb_console_read(console, got, sizeof got), strlen(text));
    assert_memory_equal(got, text, strlen(text));
    assert_int_equal(bb_console_read(console, got, sizeof got), 0);
}

static void test_lone_byte(void **state)
{
    struct bb_console *console = start("log=error");
    char got;

    (void)state;
    model_pl011_input(&virt.pl011, '!'); /* below the trigger: by the receive time-out */
    bb_sleep(BB_MSEC);
    assert_int_equal(bb_console_read(console, &got, 1), 1);
    assert_int_equal(got, '!');
}

static void test_ring_full(void **state)
{
    struct bb_console *console = start("log=error");

    (void)state;
    for (unsigned i = 0; i < BB_CONSOLE_INPUT + 20; i++) {
        model_pl011_input(&virt.pl011, (char)i);
        bb_sleep(BB_MSEC);
    }
    assert_true(console->lost >= 20 && console->lost <= 21);
    char got;
    assert_int_equal(bb_console_read(console, &got, 1), 1);
    assert_int_equal(got, 0); /* the oldest is kept */
}

static void test_broken_bytes(void **state)
{
    struct bb_console *console = start("log=error");
    const struct bb_value *errors = bb_value_find("serial0.errors");
    char got[8];

    (void)state;
    for (unsigned bit = 8; bit <= 10; bit++) /* framing, parity, break */
        model_pl011_broken(&virt.pl011, (uint16_t)(1u << bit | 'x'));
    model_pl011_input(&virt.pl011, 'k');
    bb_sleep(BB_MSEC);
    assert_int_equal(bb_console_read(console, got, sizeof got), 1);
    assert_int_equal(got[0], 'k');
    assert_non_null(errors);
    bb_value_text(errors, got, sizeof got);
    assert_string_equal(got, "3");
}

static void test_overrun(void **state)
{
    struct bb_console *console = start("log=error");
    char got[8];

    (void)state;
    bb_sleep(BB_MSEC);
    uintptr_t masked = bb_arch_irq_save();
    for (unsigned i = 0; i < 2 * PL011_FIFO; i++) /* nobody looks: an overrun */
        model_pl011_input(&virt.pl011, 'o');
    bb_arch_irq_restore(masked);
    bb_sleep(BB_MSEC);
    while (bb_console_read(console, got, sizeof got))
        ;
    assert_true(virt.pl011.rx_count == 0);
    model_pl011_input(&virt.pl011, 'k');
    bb_sleep(BB_MSEC);
    assert_int_equal(bb_console_read(console, got, sizeof got), 1);
    assert_int_equal(got[0], 'k');
}

static void test_remove(void **state)
{
    struct bb_console *console = start(NULL);
    struct bb_console_line line = {9600, 8, 1, BB_PARITY_NONE};

    (void)state;
    bb_face_get(&console->face);
    must_remove(VIRT_PL011);
    assert_int_equal(virt.pl011.imsc, 0);
    assert_false(virt.gic->enabled[32 + VIRT_SPI_PL011]);
    assert_int_equal(bb_console_write(console, "x", 1), -ENODEV);
    assert_int_equal(bb_console_set_line(console, &line), -ENODEV);
    assert_null(bb_value_find("serial0.errors"));
    bb_face_put(&console->face);
}

/* A tree in which the speed's clock is not the first. */
static void test_second_clock(void **state)
{
    (void)state;
    world_start(62500000);
    model_pl011_map(&virt.pl011, 0x1000, 3000000);
    tree_begin(1, 1);
    for (uint32_t i = 1; i <= 2; i++) {
        tree_device(i == 1 ? "clk-a" : "clk-b", "fixed-clock");
        tree_cells("#clock-cells", 0);
        tree_cells("clock-frequency", i == 1 ? 100000000 : 3000000);
        tree_cells("phandle", i);
        tree_close();
    }
    tree_device("serial@1000", "arm,pl011");
    tree_cells("reg", 0x1000, 0x1000);
    tree_cells("clocks", 1, 2);
    tree_strings("clock-names", "apb_pclk\0uartclk");
    tree_close();
    boot(NULL);
    (void)device_at("/serial@1000");
    uint64_t baud = model_pl011_baud(&virt.pl011);
    assert_true(baud * 100 > 115200 * 97 && baud * 100 < 115200 * 103);
}

static void write_serial(const char *chosen, uint32_t speed)
{
    world_start(62500000);
    model_pl011_map(&virt.pl011, 0x1000, 24000000);
    tree_begin(1, 1);
    tree_open("aliases");
    tree_strings("serial3", "/serial@1000");
    tree_close();
    tree_open("chosen");
    if (chosen)
        tree_bytes("stdout-path", chosen, strlen(chosen) + 1);
    tree_close();
    tree_device("clk", "fixed-clock");
    tree_cells("#clock-cells", 0);
    tree_cells("clock-frequency", 24000000);
    tree_cells("phandle", 1);
    tree_close();
    tree_device("serial@1000", "arm,pl011");
    tree_cells("reg", 0x1000, 0x1000);
    tree_cells("clocks", 1);
    if (speed)
        tree_cells("current-speed", speed);
    tree_close();
    tree_device("other", "nobody,knows");
    tree_close();
}

static const struct {
    const char *chosen;
    uint32_t speed;
    const char *command_line;
    uint64_t baud;
} speeds[] = {
    {NULL, 0, NULL, 115200},
    {"serial3", 0, NULL, 115200},
    {"serial3", 19200, NULL, 19200},
    {"serial3:1500000n8", 19200, NULL, 1500000},
    {"/serial@1000:9600", 0, NULL, 9600},
    {"/serial:57600n8r", 0, NULL, 57600},
    {"serial3:1500000n8", 19200, "pl011.baud=38400", 38400},
    {"/other:9600n8", 0, NULL, 115200}, /* another one's */
    {"serial3:", 19200, NULL, 19200},
    {"serial3:fast", 19200, NULL, 19200},
    {"serial3:0", 19200, NULL, 19200},
    {"serial3:9600x", 0, NULL, 115200},
    {"serial3:9600n9", 0, NULL, 115200},
    {"serial3:9600n8rr", 0, NULL, 115200},
    {"serial3:4294977", 0, NULL, 115200},       /* no speed of this UART */
    {"serial3:4294976896", 19200, NULL, 19200}, /* 9600 in 32 bits */
    {"serial3:18446744073709561216", 19200, NULL, 19200},
};

static int has_speed(void *context)
{
    size_t i = *(size_t *)context;
    write_serial(speeds[i].chosen, speeds[i].speed);
    virt.pl011.ibrd = virt.pl011.latched_ibrd = 13;
    boot(speeds[i].command_line);
    (void)device_at("/serial@1000");
    uint64_t baud = model_pl011_baud(&virt.pl011), wanted = speeds[i].baud;
    return baud * 100 >= wanted * 97 && baud * 100 <= wanted * 103 ? 0 : 1;
}

static void test_speed(void **state)
{
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(speeds); i++)
        if (run_child(has_speed, &i) != 0)
            fail_msg("wrong speed for \"%s\"", speeds[i].chosen ? speeds[i].chosen : "");
}

/* What the tree promises and cannot be had is named; what it does not promise is not. */
static void test_warns(void **state)
{
    (void)state;
    world_start(62500000);
    model_pl011_map(&virt.pl011, 0x1000, 24000000);
    virt.pl011.ibrd = virt.pl011.latched_ibrd = 13;
    tree_begin(1, 1);
    tree_device("clk", "nobody,knows");
    tree_cells("#clock-cells", 0);
    tree_cells("phandle", 1);
    tree_close();
    tree_device("irq", "nobody,knows");
    tree_flag("interrupt-controller");
    tree_cells("#interrupt-cells", 1);
    tree_cells("phandle", 2);
    tree_close();
    tree_device("serial@1000", "arm,pl011");
    tree_cells("reg", 0x1000, 0x1000);
    tree_cells("clocks", 1);
    tree_cells("interrupts-extended", 2, 0);
    tree_close();
    boot(NULL);
    (void)device_at("/serial@1000");
    assert_int_equal(logged("serial@1000: goes on without clock"), 1);
    assert_int_equal(logged("serial@1000: goes on without interrupt"), 1);
    assert_int_equal(logged("goes on without"), 2);
}

/* Without a clock or an interrupt there is still a console, at firmware's speed. */
static void test_alone(void **state)
{
    struct bb_console_line line = {115200, 8, 1, BB_PARITY_NONE};

    (void)state;
    world_start(62500000);
    model_pl011_map(&virt.pl011, 0x1000, 24000000);
    virt.pl011.ibrd = virt.pl011.latched_ibrd = 13;
    tree_begin(1, 1);
    tree_device("serial@1000", "arm,pl011");
    tree_cells("reg", 0x1000, 0x1000);
    tree_close();
    boot(NULL);
    struct bb_console *console = face_at(console, "/serial@1000");
    assert_int_equal(virt.pl011.imsc, 0);
    assert_int_equal(virt.pl011.latched_ibrd, 13);
    assert_int_equal(logged("goes on without"), 0);
    assert_int_equal(bb_console_set_line(console, &line), -ENOTSUP);
    assert_int_equal(bb_console_write(console, "x", 1), 1);
}

/* Registers that a tree makes too small, or does not give at all. */
static void test_bad_reg(void **state)
{
    (void)state;
    world_start(62500000);
    tree_begin(1, 1);
    tree_device("serial@1000", "arm,pl011");
    tree_cells("reg", 0x1000, 0x40);
    tree_close();
    tree_device("serial@2000", "arm,pl011");
    tree_close();
    boot(NULL);
    must_fail("/serial@1000", -EINVAL, "reg");
    must_fail("/serial@2000", -ENOENT, "reg");
}

static void test_early(void **state)
{
    (void)state;
    virt_prepare(NULL);
    virt.pl011.ibrd = virt.pl011.latched_ibrd = 13;
    virt.pl011.cr = RUNNING;
    virt.pl011.lcrh = 0x70;
    for (const char *text = "early, and longer than the FIFO"; *text; text++)
        bb_driver_console_pl011.early_putc(0x9000000, *text);
    world_advance(10 * BB_MSEC);
    assert_memory_equal(virt.pl011.output, "early, and longer than the FIFO", 31);
}

static void test_early_stuck(void **state)
{
    (void)state;
    virt_prepare(NULL);
    virt.pl011.stuck = true;
    virt.pl011.lcrh = 0x70;
    for (unsigned i = 0; i < PL011_FIFO + 2; i++)
        bb_driver_console_pl011.early_putc(0x9000000, 'x');
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_up),
        cmocka_unit_test(test_baud_parameter),
        cmocka_unit_test(test_wrong_baud_parameter),
        cmocka_unit_test(test_takes_over_from_firmware),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_stuck_at_start),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_lone_byte),
        cmocka_unit_test(test_ring_full),
        cmocka_unit_test(test_broken_bytes),
        cmocka_unit_test(test_overrun),
        cmocka_unit_test(test_second_clock),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_warns),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_bad_reg),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_early_stuck),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
