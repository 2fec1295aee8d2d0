/* SPDX-License-Identifier: BSD-2-Clause */
/* console/bcm2835_aux (the mini UART) and clock/bcm2835_aux on their model. */
#include "harness.h"

#include <string.h>

#include <busbar/clock.h>
#include <busbar/console.h>

#include <tests/models/boards.h>

enum { GATE_UART = 1, GATE_SPI1 = 2 };

extern const struct bb_driver bb_driver_console_bcm2835_aux;

static struct bb_console *start(const char *command_line)
{
    pi_prepare(NULL);
    boot(command_line);
    pi.aux.output_size = 0;
    return face_at(console, PI_MINI_UART);
}

static void test_set_up(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.aux.enables = GATE_SPI1; /* somebody else's, kept */
    pi.aux.mcr = 2;
    pi.aux.ier = 0xf;
    memcpy(pi.aux.rx, "stale", pi.aux.rx_count = 5);
    boot(NULL);
    (void)device_at(PI_MINI_UART);
    uint64_t baud = model_bcm2835_aux_baud(&pi.aux);

    assert_int_equal(pi.aux.enables, GATE_UART | GATE_SPI1);
    assert_true(baud > 115200 - 1152 && baud < 115200 + 1152);
    assert_int_equal(pi.aux.lcr, 3);
    assert_int_equal(pi.aux.cntl, 3);
    assert_int_equal(pi.aux.ier, 0xd);
    assert_int_equal(pi.aux.mcr, 0);
    char got;
    assert_int_equal(bb_console_read(face_at(console, PI_MINI_UART), &got, 1), 0);
    assert_int_equal(model_bcm2835_gpio_function(&pi.gpio, 14), 2); /* ALT5 */
    assert_int_equal(model_bcm2835_gpio_function(&pi.gpio, 15), 2);
    assert_int_equal(pi.gpio.pull[14], 0);
    assert_int_equal(pi.gpio.pull[15], 2);
    assert_true(pi.armctrl.enabled[1] & 1u << 29);
}

static void test_lines(void **state)
{
    static const struct {
        struct bb_console_line line;
        int result;
    } cases[] = {
        {{9600, 8, 1, BB_PARITY_NONE}, 0},           {{115200, 7, 1, BB_PARITY_NONE}, 0},
        {{476, 8, 1, BB_PARITY_NONE}, -EINVAL},      {{480, 8, 1, BB_PARITY_NONE}, 0},
        {{115200, 6, 1, BB_PARITY_NONE}, -EINVAL},   {{115200, 8, 2, BB_PARITY_NONE}, -EINVAL},
        {{115200, 8, 1, BB_PARITY_EVEN}, -EINVAL},   {{31250000, 8, 1, BB_PARITY_NONE}, 0},
        {{20000000, 8, 1, BB_PARITY_NONE}, -EINVAL}, {{40000000, 8, 1, BB_PARITY_NONE}, -EINVAL},
    };
    struct bb_console *console = start("log=error console=none");

    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        assert_int_equal(bb_console_set_line(console, &cases[i].line), cases[i].result);
        if (cases[i].result)
            continue;
        uint64_t baud = model_bcm2835_aux_baud(&pi.aux), wanted = cases[i].line.baud;
        assert_true(baud * 100 >= wanted * 97 && baud * 100 <= wanted * 103);
        assert_int_equal(pi.aux.lcr, cases[i].line.data_bits == 8 ? 3 : 2);
        assert_int_equal(pi.aux.cntl, 3);
    }
}

static void test_write(void **state)
{
    struct bb_console *console = start("log=error");
    static const char text[] = "more than eight bytes at once";

    (void)state;
    int taken = bb_console_write(console, text, sizeof text - 1);
    assert_true(taken >= AUX_FIFO && taken < (int)sizeof text - 1);
    bb_console_print(console, text + taken, sizeof text - 1 - (size_t)taken);
    bb_sleep(10 * BB_MSEC);
    assert_int_equal(pi.aux.output_size, sizeof text - 1);
    assert_memory_equal(pi.aux.output, text, sizeof text - 1);
}

static void test_idle(void **state)
{
    struct bb_console *console = start("log=error");
    const struct bb_console_ops *ops = console->face.ops;

    (void)state;
    bb_sleep(10 * BB_MSEC);
    assert_non_null(ops->idle);
    assert_true(ops->idle(console));
    bb_console_print(console, "last words", 10);
    assert_false(ops->idle(console));
    bb_console_flush();
    assert_memory_equal(pi.aux.output + pi.aux.output_size - 10, "last words", 10);
}

static int receive_alone(void *context)
{
    (void)context;
    start(NULL);
    bb_arch_write32(0x3f215044, 1);
    return 0;
}

/* The model itself: interrupts need bits 2 and 3 of IER. */
static void test_erratum(void **state)
{
    (void)state;
    assert_int_not_equal(run_child(receive_alone, NULL), 0);
}

static void test_stuck(void **state)
{
    struct bb_console *console = start("log=error");
    char text[100] = {0};

    (void)state;
    pi.aux.stuck = true;
    bb_console_print(console, text, sizeof text);
    assert_true(console->lost > 0);
    struct bb_console_line line = {9600, 8, 1, BB_PARITY_NONE};
    assert_int_equal(bb_console_set_line(console, &line), -ETIMEDOUT);
}

static void test_stuck_at_start(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.aux.stuck = true;
    pi.aux.tx_count = 1;
    boot(NULL);
    (void)device_at(PI_MINI_UART); /* as the firmware left it */
}

static void test_input(void **state)
{
    struct bb_console *console = start("log=error");
    char got[64];
    const char *text = "typed at the mini UART\x80\xff";

    (void)state;
    for (size_t i = 0; text[i]; i++)
        model_bcm2835_aux_input(&pi.aux, text[i]);
    bb_sleep(BB_MSEC);
    assert_int_equal(bb_console_read(console, got, sizeof got), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void test_silent_firmware(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.mailbox.mode = VC_SILENT;
    pi.aux.enables = GATE_UART; /* a boot loader used it */
    pi.aux.baud = 270;
    pi.aux.lcr = 3;
    boot(NULL);
    must_fail(PI_FIRMWARE, -ETIMEDOUT, NULL);
    must_fail(PI_CPRMAN, 0, NULL);
    (void)device_at(PI_MINI_UART); /* no clock, but still a console */
    assert_int_equal(logged("serial1: goes on without clock"), 1);
    assert_int_equal(pi.aux.baud, 270);
    struct bb_console_line line = {115200, 8, 1, BB_PARITY_NONE};
    assert_int_equal(bb_console_set_line(face_at(console, PI_MINI_UART), &line), -ENOTSUP);
    bb_sleep(BB_SEC); /* until the log has left */
    assert_int_equal(bb_console_write(face_at(console, PI_MINI_UART), "x", 1), 1);
}

static void test_off_and_silent_firmware(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.mailbox.mode = VC_SILENT;
    boot(NULL);
    must_fail(PI_MINI_UART, -ENODEV, "clock");
}

static void test_remove(void **state)
{
    struct bb_console *console = start(NULL);

    (void)state;
    bb_sleep(20 * BB_MSEC);
    bb_face_get(&console->face);
    must_remove(PI_MINI_UART);
    assert_int_equal(bb_console_write(console, "x", 1), -ENODEV);
    assert_int_equal(pi.aux.enables & GATE_UART, 0);
    assert_int_equal(pi.aux.ier, 0);
    assert_false(pi.armctrl.enabled[1] & 1u << 29);
    bb_face_put(&console->face);
}

static void test_clock(void **state)
{
    (void)state;
    start(NULL);
    struct bb_clock *clock = face_at(clock, PI_AUX);
    const struct bb_clock_ops *ops = clock->face.ops;
    uint64_t hz;

    assert_int_equal(ops->rate(clock, 2, &hz), 0);
    assert_true(hz == 250000000);
    assert_int_equal(ops->rate(clock, 3, &hz), -EINVAL);
    assert_int_equal(ops->enable(clock, 3, true), -EINVAL);
    assert_int_equal(ops->enable(clock, 2, true), 0);
    assert_int_equal(pi.aux.enables, GATE_UART | 4);
    assert_int_equal(ops->enable(clock, 2, false), 0);
    assert_int_equal(pi.aux.enables, GATE_UART);
}

static void test_early(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.aux.enables = GATE_UART;
    pi.aux.baud = 270;
    pi.aux.lcr = 3;
    for (const char *text = "early, and longer than the FIFO"; *text; text++)
        bb_driver_console_bcm2835_aux.early_putc(0x3f215040, *text);
    world_advance(10 * BB_MSEC);
    assert_memory_equal(pi.aux.output, "early, and longer than the FIFO", 31);
}

static void test_early_stuck(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.aux.enables = GATE_UART;
    pi.aux.stuck = true;
    for (unsigned i = 0; i < AUX_FIFO + 2; i++)
        bb_driver_console_bcm2835_aux.early_putc(0x3f215040, 'x');
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_up),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_stuck_at_start),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_silent_firmware),
        cmocka_unit_test(test_off_and_silent_firmware),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_erratum),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_early_stuck),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
