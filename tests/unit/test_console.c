/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles: what the subsystem does above a driver that takes what the test lets it take. */
#include <string.h>

#include <busbar/console.h>
#include <busbar/hooks.h>
#include <busbar/log.h>
#include <busbar/mmio.h>
#include <core/core.h>

#include "harness.h"

struct fake {
    struct bb_device device;
    struct bb_console console;
    char text[4096];
    size_t length;
    size_t room;  /* taken in one call at most */
    int error;    /* returned instead */
    size_t calls; /* of write */
    bool busy;
};

static int fake_write(struct bb_console *console, const char *data, size_t size)
{
    struct fake *fake = bb_container_of(console, struct fake, console);
    fake->calls++;
    if (fake->error)
        return fake->error;
    size = size < fake->room ? size : fake->room;
    assert_true(fake->length + size < sizeof fake->text);
    memcpy(fake->text + fake->length, data, size);
    fake->length += size;
    return (int)size;
}

static int fake_probe(struct bb_device *device)
{
    bb_container_of(device, struct fake, device)->room = 7;
    return 0;
}

static bool fake_idle(struct bb_console *console)
{
    return !bb_container_of(console, struct fake, console)->busy;
}

const struct bb_console_ops bb_ops_console_fake = {.write = fake_write, .idle = fake_idle};
BB_DRIVER(console, fake, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,fake"}),
          .probe = fake_probe);

static const struct bb_driver *const drivers[] = {&bb_driver_console_fake};

/* /first and /second, the latter with the alias serial7. */
static void start(const char *command_line)
{
    world_start(1000000000);
    tree_begin(1, 1);
    tree_open("aliases");
    tree_strings("serial7", "/second");
    tree_close();
    tree_device("first", "test,fake");
    tree_close();
    tree_device("second", "test,fake");
    tree_close();
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    boot(command_line);
}

static struct fake *fake_at(const char *path)
{
    return bb_container_of(device_at(path), struct fake, device);
}

static void printed(struct fake *fake, const char *text)
{
    fake->text[fake->length] = 0;
    assert_string_equal(fake->text, text);
    fake->length = 0;
}

static void forget(void)
{
    fake_at("/first")->length = fake_at("/second")->length = 0;
}

static void test_newlines_and_short_writes(void **state)
{
    (void)state;
    start("");
    struct fake *fake = fake_at("/first");
    forget();
    bb_console_print(&fake->console, "one\ntwo and more\n\nthree", 23);
    printed(fake, "one\r\ntwo and more\r\n\r\nthree");
    printed(fake_at("/second"), "");
    bb_console_printf(&fake->console, "%d%s", 42, "\n");
    printed(fake, "42\r\n");
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    start("");
    struct fake *fake = fake_at("/first");
    forget();
    bb_console_printf(&fake->console, "%600d", 1);
    assert_int_equal(fake->length, 511);
}

static void test_everything_counts(void **state)
{
    (void)state;
    start("");
    struct fake *fake = fake_at("/second");
    uint64_t before = fake->console.sent;
    bb_console_print(&fake->console, "ab\n", 3);
    const struct bb_value *value = bb_value_find("serial7.sent");
    assert_non_null(value);
    assert_int_equal(*(const uint64_t *)value->pointer, before + 4);
    assert_non_null(bb_value_find("serial7.received"));
    assert_non_null(bb_value_find("first.lost"));
}

static void test_a_stuck_console_costs_50_ms_once(void **state)
{
    (void)state;
    start("");
    struct fake *fake = fake_at("/first");
    forget();
    fake->room = 0;
    uint64_t begin = world_now();
    bb_console_print(&fake->console, "lost", 4);
    uint64_t took = world_now() - begin;
    assert_in_range(took, 50 * BB_MSEC, 51 * BB_MSEC);
    assert_true(fake->console.stuck);
    assert_int_equal(fake->console.lost, 4);
    begin = world_now();
    bb_console_print(&fake->console, "lost\ntoo", 8);
    assert_true(world_now() - begin < BB_MSEC);
    assert_int_equal(fake->console.lost, 4 + 9);
    fake->room = 100;
    bb_console_print(&fake->console, "back", 4);
    assert_false(fake->console.stuck);
    printed(fake, "back");
    assert_int_equal(fake->console.lost, 4 + 9);
}

static void test_a_failing_console_is_not_waited_for(void **state)
{
    (void)state;
    start("");
    struct fake *fake = fake_at("/first");
    fake->error = -EIO;
    uint64_t begin = world_now();
    bb_console_print(&fake->console, "lost", 4);
    assert_true(world_now() - begin < BB_MSEC);
    assert_int_equal(fake->console.lost, 4);
    assert_false(fake->console.stuck);
}

static uint64_t frozen(void *context)
{
    (void)context;
    return 5;
}

static void test_time_that_stands_still_ends_the_wait_too(void **state)
{
    (void)state;
    start("");
    struct fake *fake = fake_at("/first");
    fake->room = 0;
    bb_host_cpu.counter = frozen;
    bb_console_print(&fake->console, "lost", 4);
    assert_true(fake->console.stuck);
    assert_int_equal(fake->console.lost, 4);
}

static void test_the_log_goes_to_every_console(void **state)
{
    (void)state;
    start("");
    forget();
    bb_print(BB_INFO, "hello");
    struct fake *first = fake_at("/first"), *second = fake_at("/second");
    first->text[first->length] = 0;
    assert_non_null(strstr(first->text, "] hello\r\n"));
    second->text[second->length] = 0;
    assert_non_null(strstr(second->text, "] hello\r\n"));
    forget();
    bb_console_print(NULL, "x", 1);
    printed(first, "x");
    printed(second, "x");
}

static const struct {
    const char *command_line;
    bool first, second;
} choices[] = {
    {"", true, true},
    {"console=first", true, false},
    {"console=serial7", false, true},
    {"console=/second", false, true},
    {"console=/first", true, false},
    {"console=serial7,115200n8", false, true},
    {"console=ttyAMA0,115200", true, true},
    {"console=", true, true},
    {"console=a-name-that-is-longer-than-any-device-has-one-and-that-fits-in-no-buffer", true,
     true},
};

static int selects(void *context)
{
    size_t i = *(size_t *)context;
    start(choices[i].command_line);
    forget();
    bb_console_print(NULL, "x", 1);
    return fake_at("/first")->length == choices[i].first &&
                   fake_at("/second")->length == choices[i].second
               ? 0
               : 1;
}

static void test_console_parameter(void **state)
{
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(choices); i++)
        if (run_child(selects, &i) != 0)
            fail_msg("wrong choice for \"%s\"", choices[i].command_line);
}

static int tells(void *context)
{
    const char *command_line = context;
    start(command_line);
    bb_poll();
    bb_param_report_unknown();
    if (logged("unknown parameters"))
        return 2;
    return (int)logged("names no console: all are used");
}

static void test_wrong_console_parameter(void **state)
{
    char right[] = "console=serial7", wrong[] = "console=zzz", none[] = "";
    (void)state;
    assert_int_equal(run_child(tells, right), 0);
    assert_int_equal(run_child(tells, none), 0);
    assert_int_equal(run_child(tells, wrong), 1);
    start("console=zzz");
    bb_poll();
    assert_int_equal(logged("console=zzz names no console: all are used"), 1);
}

static void test_the_log_survives_its_consoles(void **state)
{
    (void)state;
    start("console=first");
    struct fake *first = fake_at("/first"), *second = fake_at("/second");
    forget();
    must_remove("/first");
    bb_console_print(NULL, "x", 1);
    printed(second, "x");
    assert_int_equal(bb_console_write(&first->console, "x", 1), -ENODEV);
    must_remove("/second");
    assert_null(bb_hooks.console_write);
    bb_print(BB_INFO, "to the ring alone");
    bb_console_print(NULL, "x", 1);
}

static void test_input_comes_in_order(void **state)
{
    (void)state;
    start("");
    struct bb_console *console = &fake_at("/first")->console;
    char buffer[8];
    assert_int_equal(bb_console_read(console, buffer, sizeof buffer), 0);
    for (int round = 0; round < 100000; round++) { /* positions wrap meanwhile */
        bb_console_input(console, (char)round);
        bb_console_input(console, (char)(round + 1));
        assert_int_equal(bb_console_read(console, buffer, 1), 1);
        assert_int_equal(buffer[0], (char)round);
        assert_int_equal(bb_console_read(console, buffer, sizeof buffer), 1);
        assert_int_equal(buffer[0], (char)(round + 1));
    }
    assert_int_equal(console->received, 200000);
}

static void test_full_ring_loses_the_newest(void **state)
{
    (void)state;
    start("");
    struct bb_console *console = &fake_at("/first")->console;
    char buffer[BB_CONSOLE_INPUT + 10];
    for (int i = 0; i < BB_CONSOLE_INPUT + 3; i++)
        bb_console_input(console, (char)i);
    assert_int_equal(console->lost, 3);
    assert_int_equal(bb_console_read(console, buffer, sizeof buffer), BB_CONSOLE_INPUT);
    assert_int_equal(buffer[0], 0);
    assert_int_equal(buffer[BB_CONSOLE_INPUT - 1], (char)(BB_CONSOLE_INPUT - 1));
}

static void test_reading_from_any_console(void **state)
{
    (void)state;
    start("");
    char buffer[4];
    bb_console_input(&fake_at("/second")->console, 'b');
    bb_console_input(&fake_at("/first")->console, 'a');
    assert_int_equal(bb_console_read(NULL, buffer, sizeof buffer), 2);
    assert_memory_equal(buffer, "ab", 2);
    assert_int_equal(bb_console_read(NULL, buffer, sizeof buffer), 0);
}

static void test_line_settings_are_optional(void **state)
{
    (void)state;
    start("");
    struct bb_console_line line = {9600, 8, 1, BB_PARITY_NONE};
    assert_int_equal(bb_console_set_line(&fake_at("/first")->console, &line), -ENOTSUP);
}

static void test_flush_waits_with_a_bound(void **state)
{
    (void)state;
    start("");
    uint64_t begin = world_now();
    bb_console_flush();
    assert_true(world_now() - begin < BB_MSEC);
    fake_at("/second")->busy = true;
    bb_console_flush();
    assert_in_range(world_now() - begin, 50 * BB_MSEC, 51 * BB_MSEC);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newlines_and_short_writes),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_everything_counts),
        cmocka_unit_test(test_a_stuck_console_costs_50_ms_once),
        cmocka_unit_test(test_a_failing_console_is_not_waited_for),
        cmocka_unit_test(test_time_that_stands_still_ends_the_wait_too),
        cmocka_unit_test(test_the_log_goes_to_every_console),
        cmocka_unit_test(test_console_parameter),
        cmocka_unit_test(test_wrong_console_parameter),
        cmocka_unit_test(test_the_log_survives_its_consoles),
        cmocka_unit_test(test_input_comes_in_order),
        cmocka_unit_test(test_full_ring_loses_the_newest),
        cmocka_unit_test(test_reading_from_any_console),
        cmocka_unit_test(test_line_settings_are_optional),
        cmocka_unit_test(test_flush_waits_with_a_bound),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
