/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on a display that is memory: what is drawn, when, and by whom; input, modes, panics. */
#define _GNU_SOURCE /* the names of the registers */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <sanitizer/asan_interface.h>

#include <busbar/arch.h>
#include <busbar/console.h>
#include <busbar/display.h>
#include <busbar/font.h>
#include <busbar/input.h>
#include <busbar/log.h>
#include <busbar/mmio.h>
#include <core/core.h>

#include "harness.h"

enum { WIDTH = 652, HEIGHT = 410, STRIDE = 2624, COLUMNS = 81, ROWS = 25 };
enum { BEYOND = 1 << 22 }; /* memory behind the display's that may not be written: a whole one */

/* ---- A display, a keyboard and a line printer ---- */

struct fake {
    struct bb_device device;
    struct bb_display display;
    unsigned flushes;
    int error;    /* of the next set_mode */
    bool stepped; /* see on_step() */
};

static int shape(struct fake *fake, uint32_t width, uint32_t height)
{
    struct bb_display *display = &fake->display;
    display->width = display->height = 0;
    free(display->memory);
    display->stride = (width * 4 + 63) / 64 * 64;
    size_t size = (size_t)display->stride * height;
    display->memory = aligned_alloc(64, size + BEYOND);
    memset(display->memory, 0x77, size);
    ASAN_POISON_MEMORY_REGION(display->memory + size, BEYOND);
    if (fake->stepped)
        (void)raise(SIGTRAP);
    display->height = height;
    display->width = width;
    return 0;
}

static int fake_set_mode(struct bb_display *display, uint32_t width, uint32_t height)
{
    struct fake *fake = bb_container_of(display, struct fake, display);
    if (fake->error) {
        display->width = display->height = 0;
        return fake->error;
    }
    return shape(fake, width, height);
}

static void fake_flush(struct bb_display *display)
{
    bb_container_of(display, struct fake, display)->flushes++;
}

static int fake_probe(struct bb_device *device)
{
    struct fake *fake = bb_container_of(device, struct fake, device);
    uint32_t stride;
    fake->display.format = BB_DISPLAY_XRGB8888;
    shape(fake, WIDTH, HEIGHT);
    if (bb_node_u32(device->node, "stride", &stride) == 0)
        fake->display.stride = stride;
    return 0;
}

static void fake_remove(struct bb_device *device)
{
    free(bb_container_of(device, struct fake, device)->display.memory);
}

const struct bb_display_ops bb_ops_display_fake = {.set_mode = fake_set_mode, .flush = fake_flush};
BB_DRIVER(display, fake, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,display"}),
          .probe = fake_probe, .remove = fake_remove);

struct keys {
    struct bb_device device;
    struct bb_input input;
};

static int keys_probe(struct bb_device *device)
{
    bb_container_of(device, struct keys, device)->input.features = BB_INPUT_HAS_KEYS;
    return 0;
}

const struct bb_input_ops bb_ops_input_keys = {NULL};
BB_DRIVER(input, keys, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,keys"}), .probe = keys_probe,
          .hotplug = true);

struct printer {
    struct bb_device device;
    struct bb_console console;
};

static int printer_write(struct bb_console *console, const char *data, size_t size)
{
    (void)console, (void)data;
    return (int)size;
}

static int printer_probe(struct bb_device *device)
{
    bb_print(BB_INFO, "the printer is there");
    return device->node ? 0 : -ENODEV;
}

const struct bb_console_ops bb_ops_console_printer = {.write = printer_write};
BB_DRIVER(console, printer, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,printer"}),
          .probe = printer_probe);

extern const struct bb_driver bb_driver_console_framebuffer;
static const struct bb_driver *const drivers[] = {
    &bb_driver_console_printer, &bb_driver_display_fake, &bb_driver_console_framebuffer,
    &bb_driver_input_keys};

static struct fake *fake;
static struct bb_console *console;

static void start_with(const char *command_line, bool printer)
{
    world_start(1000000000);
    tree_begin(1, 1);
    if (printer) {
        tree_device("printer", "test,printer");
        tree_close();
    }
    tree_device("panel", "test,display");
    tree_close();
    tree_device("keys", "test,keys");
    tree_close();
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    boot(command_line);
    fake = bb_container_of(device_at("/panel"), struct fake, device);
    console = face_at(console, "/panel/console");
}

static void start(void)
{
    start_with("log=error", false);
}

static void print(const char *text)
{
    bb_console_print(console, text, strlen(text));
}

/* ---- Reading the picture ---- */

static uint32_t pixel(uint32_t x, uint32_t y)
{
    uint32_t value;
    memcpy(&value, fake->display.memory + (size_t)y * fake->display.stride + (size_t)x * 4, 4);
    return value;
}

/* Whether a cell shows a character in these colours. */
static bool is_cell(uint32_t column, uint32_t row, uint32_t code, uint32_t ink, uint32_t paper)
{
    uint8_t scratch[BB_FONT_HEIGHT];
    const uint8_t *rows = bb_font_rows(code, scratch);
    for (uint32_t y = 0; y < BB_FONT_HEIGHT; y++)
        for (uint32_t x = 0; x < BB_FONT_WIDTH; x++)
            if (pixel(column * 8 + x, row * 16 + y) != (rows[y] & 0x80 >> x ? ink : paper))
                return false;
    return true;
}

enum { GREY = 0xaaaaaa, BLACK = 0 };

static void must_show(uint32_t row, const char *text)
{
    for (uint32_t x = 0; text[x]; x++)
        if (!is_cell(x, row, (uint8_t)text[x], GREY, BLACK))
            fail_msg("row %u, column %u does not show \"%c\"", row, x, text[x]);
}

static bool has_cursor(uint32_t column, uint32_t row)
{
    return is_cell(column, row, ' ', BLACK, GREY);
}

/* ---- Tests ---- */

static void test_text(void **state)
{
    (void)state;
    start();
    assert_string_equal(console->face.device->name, "screen0");
    assert_int_equal(pixel(0, 0), 0x77777777); /* nobody has printed: the screen is not ours */
    print("hello\nworld");
    bb_sleep(20 * BB_MSEC);
    must_show(0, "hello");
    must_show(1, "world");
    assert_true(has_cursor(5, 1));
    assert_int_equal(pixel(WIDTH - 1, HEIGHT - 1), BLACK); /* what no cell covers is dark too */
    print("\r");
    bb_sleep(20 * BB_MSEC);
    assert_false(has_cursor(5, 1));
    assert_true(is_cell(0, 1, 'w', BLACK, GREY)); /* the cursor stands on it */
    assert_true(fake->flushes >= 2);
    assert_true(is_cell(COLUMNS - 1, ROWS - 1, ' ', GREY, BLACK));
}

static void test_colours(void **state)
{
    (void)state;
    start();
    print("\x1b[?25l\x1b[31mr\x1b[1;32mg\x1b[0;44;97mw\x1b[m\x1b[33my\x1b[m\x1b[7mi\x1b[m\x1b[4m_");
    bb_sleep(20 * BB_MSEC);
    assert_true(is_cell(0, 0, 'r', 0xaa0000, BLACK));
    assert_true(is_cell(1, 0, 'g', 0x55ff55, BLACK));
    assert_true(is_cell(2, 0, 'w', 0xffffff, 0x0000aa));
    assert_true(is_cell(3, 0, 'y', 0xaa5500, BLACK));
    assert_true(is_cell(4, 0, 'i', BLACK, GREY));
    assert_int_equal(pixel(5 * 8, 14), GREY);
    assert_false(has_cursor(6, 0));
    fake->display.format = BB_DISPLAY_XBGR8888;
    assert_int_equal(bb_display_set_mode(&fake->display, WIDTH, HEIGHT), 0);
    print("\x1b[31mr");
    bb_sleep(20 * BB_MSEC);
    assert_true(is_cell(0, 0, 'r', 0x0000aa, BLACK));
}

static void test_scrolls(void **state)
{
    char line[32];
    (void)state;
    start();
    for (unsigned i = 0; i < 200; i++)
        print((bb_format(line, sizeof line, "line %u\n", i), line));
    bb_sleep(20 * BB_MSEC);
    for (uint32_t i = 0; i < ROWS - 1; i++) {
        bb_format(line, sizeof line, "line %u ", 200 - (ROWS - 1) + i);
        must_show(i, line);
    }
    assert_true(has_cursor(0, ROWS - 1));
}

/* However much is printed, it is drawn once in 16 ms, and nothing more happens afterwards. */
static void test_draws_seldom(void **state)
{
    (void)state;
    start();
    print("first");
    bb_sleep(100 * BB_MSEC);
    unsigned flushes = fake->flushes;
    for (unsigned i = 0; i < 100; i++)
        print("a line of text\n");
    assert_in_range(fake->flushes, flushes, flushes + 1);
    bb_sleep(BB_SEC);
    assert_in_range(fake->flushes, flushes + 1, flushes + 2);
    print("x");
    print("y");
    bb_console_flush();
    flushes = fake->flushes;
    bb_console_flush();
    assert_int_equal(fake->flushes, flushes);
    must_show(ROWS - 2, "a line of text");
    assert_true(is_cell(1, ROWS - 1, 'y', GREY, BLACK));
}

/* With interrupts off, as in a panic, nobody comes back to draw. */
static void test_masked(void **state)
{
    (void)state;
    start();
    print("before\n");
    uintptr_t masked = bb_arch_irq_save();
    print("panic: all is lost\n");
    must_show(0, "before");
    must_show(1, "panic: all is lost");
    bb_arch_irq_restore(masked);
}

static void test_log_before(void **state)
{
    (void)state;
    start_with(NULL, true);
    bb_print(BB_INFO, "after");
    bb_sleep(20 * BB_MSEC);
    /* The message of before stands above, once. */
    assert_true(is_cell(0, 0, '[', GREY, BLACK));
    uint32_t row = 0;
    while (row < ROWS && !is_cell(15, row, 't', GREY, BLACK))
        row++;
    assert_true(row < ROWS);
    for (uint32_t y = row + 1; y < ROWS; y++)
        assert_false(is_cell(15, y, 't', GREY, BLACK) && is_cell(19, y, 'p', GREY, BLACK));
    must_remove("/panel/console");
    must_remove("/panel");
}

static void test_not_selected(void **state)
{
    (void)state;
    start_with("console=printer", true);
    bb_print(BB_INFO, "somewhere else");
    bb_sleep(20 * BB_MSEC);
    assert_int_equal(pixel(0, 0), 0x77777777);
}

static void test_input(void **state)
{
    char text[16];
    (void)state;
    start();
    struct bb_input *input = face_at(input, "/keys");
    bb_input_key(input, BB_KEY_A, true);
    bb_input_key(input, BB_KEY_A, false);
    bb_input_key(input, BB_KEY_UP, true);
    bb_input_key(input, BB_KEY_UP, false);
    size_t got = bb_console_read(NULL, text, sizeof text - 1);
    text[got] = '\0';
    assert_string_equal(text, "a\x1b[A");
    bb_input_key(input, BB_KEY_A, true);
    assert_int_equal(bb_console_read(console, text, sizeof text), 1);
    must_remove("/keys"); /* while the key is down */
    bb_sleep(2 * BB_SEC);
    assert_int_equal(bb_console_read(console, text, sizeof text), 0);
    must_remove("/panel/console");
}

static void test_modes(void **state)
{
    (void)state;
    start();
    print("before");
    assert_int_equal(bb_display_set_mode(&fake->display, 1024, 768), 0);
    print("\x1b[99;99H.\x1b[H1024");
    bb_sleep(20 * BB_MSEC);
    must_show(0, "1024");
    assert_true(is_cell(98, 47, '.', GREY, BLACK));
    assert_int_equal(bb_display_set_mode(&fake->display, 320, 200), 0);
    print("\x1b[99;99H.\x1b[H320");
    bb_sleep(20 * BB_MSEC);
    must_show(0, "320");
    assert_true(is_cell(39, 11, '.', GREY, BLACK));
    fake->error = -EIO; /* and nothing is shown any more */
    assert_int_equal(bb_display_set_mode(&fake->display, 640, 480), -EIO);
    assert_int_equal(bb_console_write(console, "x", 1), -EIO);
    bb_sleep(20 * BB_MSEC);
    fake->error = 0;
    assert_int_equal(bb_display_set_mode(&fake->display, 640, 480), 0);
    print("back");
    bb_sleep(20 * BB_MSEC);
    must_show(0, "back");
    static const uint32_t wrong[][2] = {
        {0, 0}, {319, 200}, {320, 199}, {4097, 480}, {640, 1u << 31}};
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++)
        assert_int_equal(bb_display_set_mode(&fake->display, wrong[i][0], wrong[i][1]), -EINVAL);
    assert_int_equal(bb_display_blank(&fake->display, true), -ENOTSUP);
}

/* ---- Interrupts that print while the mode changes ---- */

enum { EACH = 8000, LAST = 30000, SOME = 101, TRAP = 0x100 /* in the flags */ };

static volatile unsigned steps, printed, quiet;
static volatile unsigned most = UINT32_MAX;
static volatile bool taken, in_first;
static const volatile uint32_t *awaited; /* nothing is printed until this pixel is drawn */

/* An x86 comes here after every instruction until the last step, others once. */
static void on_step(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number, (void)info, (void)context;
#if defined(__x86_64__)
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    *flags = steps < LAST ? *flags | TRAP : *flags & ~TRAP;
#endif
    if (steps++ < quiet || printed == most || (awaited && !*awaited) ||
        (steps > EACH && steps % SOME != 0))
        return;
    uintptr_t before = bb_arch_irq_save();
    if (!bb_arch_irq_masked(before)) {
        char text[] = "\x1b[1;40H?\x1b[99;1Hmeanwhile";
        text[7] = (char)('a' + printed % 26);
        text[4] = in_first ? '0' : text[4];
        text[5] = in_first ? '1' : text[5];
        taken = bb_console_write(console, text, sizeof text - 1) > 0;
        if (fake->display.width)
            bb_console_flush();
        printed++;
    }
    bb_arch_irq_restore(before);
}

static const struct sigaction on_trap = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

/* The first text clears the screen, which takes a while: what is printed in that is not drawn and
 * then wiped out. */
static void test_cleared_meanwhile(void **state)
{
    (void)state;
    start();
    assert_int_equal(sigaction(SIGTRAP, &on_trap, NULL), 0);
#if defined(__x86_64__)
    quiet = LAST / 2;
    (void)raise(SIGTRAP);
#endif
    print("first");
    bb_sleep(20 * BB_MSEC);
    must_show(0, "first");
    must_show(ROWS - 1, taken ? "meanwhile" : "         ");
}

/* One drawing interrupts another within its first cell, changes that one or another: both are to be
 * seen in the end. */
static void test_drawn_meanwhile(void **state)
{
    static const char text[] = "green, and drawn for a while";
    (void)state;
    start();
    print("x");
    assert_int_equal(sigaction(SIGTRAP, &on_trap, NULL), 0);
    most = 1;
    for (unsigned i = 0; i < 2; i++) {
        print("\x1b[2J");
        bb_sleep(40 * BB_MSEC);
        awaited = (const uint32_t *)(const void *)fake->display.memory;
        assert_int_equal(*awaited, BLACK);
        steps = printed = 0;
        in_first = i;
        (void)raise(SIGTRAP);
        bb_console_printf(console, "\x1b[H\x1b[32m\x1b[7m \x1b[27m%s\x1b[m", text);
        bb_sleep(40 * BB_MSEC);
        for (uint32_t x = 0; text[x]; x++)
            assert_true(is_cell(x + 1, 0, (uint8_t)text[x], 0x00aa00, BLACK));
#if defined(__x86_64__)
        assert_int_equal(printed, 1);
        assert_true(i ? is_cell(0, 0, 'a', GREY, BLACK) : is_cell(0, 0, ' ', BLACK, 0x00aa00));
        assert_true(i || is_cell(39, 0, 'a', GREY, BLACK));
        must_show(ROWS - 1, "meanwhile");
        assert_true(has_cursor(9, ROWS - 1));
#endif
    }
}

/* The grid of before is larger than the memory of now: nobody draws it there (an overflow ends the
 * test), and nobody writes into a grid that is being laid out. */
static void test_printed_meanwhile(void **state)
{
    static const uint32_t before[][2] = {{320, 768}, {1024, 200}, {320, 200}};
    (void)state;
    start();
    assert_int_equal(sigaction(SIGTRAP, &on_trap, NULL), 0);
    for (size_t i = 0; i < BB_ARRAY_SIZE(before); i++) {
        assert_int_equal(bb_display_set_mode(&fake->display, before[i][0], before[i][1]), 0);
        print("before");
        bb_sleep(20 * BB_MSEC);
        print("before");
        print("\x1b[99;1Hnot yet drawn");
        steps = printed = 0;
        fake->stepped = true;
        assert_int_equal(bb_display_set_mode(&fake->display, 320, 200), 0);
        fake->stepped = false;
#if defined(__x86_64__)
        assert_int_equal(steps, LAST + 1);
        assert_true(printed > EACH / 2);
        must_show(11, taken ? "meanwhile" : "         ");
#endif
        print("\x1b[2J\x1b[Hafter");
        bb_sleep(20 * BB_MSEC);
        must_show(0, "after");
        assert_true(has_cursor(5, 0));
        for (uint32_t y = 1; y < 12; y++)
            must_show(y, "             ");
    }
}

/* An arena that is too small for the larger grid: fewer rows, and nothing breaks. */
static void test_no_memory(void **state)
{
    extern int bb_fault_at;
    (void)state;
    start();
    print("x");
    bb_fault_at = 1;
    assert_int_equal(bb_display_set_mode(&fake->display, 2048, 2048), 0);
    bb_fault_at = 0;
    print("\x1b[999;999H.\x1b[Hstill here");
    bb_sleep(20 * BB_MSEC);
    must_show(0, "still here");
}

static void test_wrong_displays(void **state)
{
    (void)state;
    world_start(1000000000);
    tree_begin(1, 1);
    tree_device("narrow", "test,display");
    tree_cells("stride", WIDTH * 4 - 8);
    tree_close();
    tree_device("odd", "test,display");
    tree_cells("stride", STRIDE + 4);
    tree_close();
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    boot(NULL);
    must_fail("/narrow", -EINVAL, "display");
    must_fail("/odd", -EINVAL, "display");
}

static void test_parse_mode(void **state)
{
    static const char *const wrong[] = {"",          "x",        "1024",      "1024x",      "x768",
                                        "1024x768x", "1024*768", "99999x480", "640x999999", "1x1",
                                        " 640x480",  "640x480 ", "-640x480",  "4097x480"};
    uint32_t width = 7, height = 8;
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++)
        assert_int_equal(bb_display_parse_mode(wrong[i], &width, &height), -EINVAL);
    assert_true(width == 7 && height == 8);
    assert_int_equal(bb_display_parse_mode("1920x1080", &width, &height), 0);
    assert_true(width == 1920 && height == 1080);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_scrolls),
        cmocka_unit_test(test_draws_seldom),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_log_before),
        cmocka_unit_test(test_not_selected),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_printed_meanwhile),
        cmocka_unit_test(test_cleared_meanwhile),
        cmocka_unit_test(test_drawn_meanwhile),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_wrong_displays),
        cmocka_unit_test(test_parse_mode),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
