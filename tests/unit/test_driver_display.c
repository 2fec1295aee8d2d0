/* SPDX-License-Identifier: BSD-2-Clause */
/* display/raspberrypi on the firmware model: modes, and every lie that a firmware may tell. */
#include <string.h>

#include <busbar/console.h>
#include <busbar/display.h>
#include <busbar/firmware.h>

#include <tests/models/boards.h>

#include "harness.h"

static struct bb_display *start(const char *command_line)
{
    pi_prepare(NULL);
    boot(command_line);
    return face_at(display, PI_DISPLAY);
}

static void test_native_size(void **state)
{
    (void)state;
    struct bb_display *display = start(NULL);
    assert_true(display->width == 640 && display->height == 480);
    assert_int_equal(display->stride, 640 * 4);
    assert_int_equal(display->format, BB_DISPLAY_XBGR8888);
    assert_ptr_equal(display->memory, (void *)(uintptr_t)pi.mailbox.display.address);
    assert_string_equal(display->face.device->name, "display0");
    assert_ptr_equal(bb_display_by_name("display0"), display);
}

static void test_parameter(void **state)
{
    (void)state;
    struct bb_display *display = start("display.mode=1366x768");
    assert_true(display->width == 1366 && display->height == 768);
    assert_int_equal(display->stride, 1368 * 4); /* a whole number of words */
}

static void test_wrong_parameter(void **state)
{
    (void)state;
    struct bb_display *display = start("display.mode=large");
    assert_true(display->width == 640 && display->height == 480);
    assert_int_equal(logged("display.mode=large is no size"), 1);
}

static void test_no_panel(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.mailbox.display.native[0] = pi.mailbox.display.native[1] = 0;
    boot(NULL);
    struct bb_display *display = face_at(display, PI_DISPLAY);
    assert_true(display->width == 1024 && display->height == 768);
}

static void test_other_order(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.mailbox.display.blue_low = true;
    boot(NULL);
    assert_int_equal(face_at(display, PI_DISPLAY)->format, BB_DISPLAY_XRGB8888);
}

static void test_modes(void **state)
{
    (void)state;
    struct bb_display *display = start(NULL);
    uint8_t *before = display->memory;
    assert_int_equal(bb_display_set_mode(display, 800, 600), 0);
    assert_ptr_not_equal(display->memory, before);
    bb_console_printf(NULL, "there\n"); /* the console has moved too */
    bb_sleep(50 * BB_MSEC);
    assert_int_equal(bb_display_blank(display, true), 0);
    assert_int_equal(pi.mailbox.display.blank, 1);
    assert_int_equal(bb_display_blank(display, false), 0);
    assert_int_equal(pi.mailbox.display.blank, 0);
    must_remove(PI_SCREEN);
    must_remove(PI_DISPLAY);
    assert_int_equal(pi.mailbox.display.blank, 1);
}

static struct {
    struct world_event event;
    struct bb_display *display;
    unsigned runs;
} meanwhile;

/* What an interrupt handler may do while the firmware makes a mode: it prints. */
static void print_meanwhile(void *context)
{
    (void)context;
    meanwhile.runs++;
    assert_int_equal(meanwhile.display->width, 0);
    assert_int_equal(meanwhile.display->height, 0);
    uintptr_t masked = bb_arch_irq_save();
    bb_console_printf(NULL, "meanwhile\n");
    bb_arch_irq_restore(masked);
}

/* The firmware may free the memory at any moment of the call: until it has answered, nobody draws.
 */
static void test_nobody_draws_meanwhile(void **state)
{
    (void)state;
    struct bb_display *display = start(NULL);
    bb_console_printf(NULL, "before\n");
    bb_sleep(50 * BB_MSEC);
    meanwhile.display = display;
    meanwhile.event.run = print_meanwhile;
    for (unsigned i = 0; i < 2; i++) {
        world_at(&meanwhile.event, world_now() + pi.mailbox.latency / 2);
        assert_int_equal(bb_display_set_mode(display, 800, i ? 480 : 600), 0);
        assert_int_equal(meanwhile.runs, i + 1);
        assert_true(display->width == 800 && display->height == (i ? 480u : 600u));
    }
    bb_console_printf(NULL, "after\n");
    bb_sleep(50 * BB_MSEC);
}

static const struct {
    enum vc_display_lie lie;
    int error;
    const char *step;
} lies[] = {
    {VC_DISPLAY_UNKNOWN, -ENOTSUP, "frame buffer"},
    {VC_DISPLAY_PARTIAL, -EPROTO, "frame buffer"},
    {VC_DISPLAY_REFUSED, -EPROTO, "frame buffer: less memory than it shows"},
    {VC_DISPLAY_SMALL, -EPROTO, "frame buffer: less memory than it shows"},
    {VC_DISPLAY_BELOW, -EPROTO, "frame buffer: outside of the firmware's memory"},
    {VC_DISPLAY_BEYOND, -EPROTO, "frame buffer: outside of the firmware's memory"},
    {VC_DISPLAY_WRAPS, -EPROTO, "frame buffer: outside of the firmware's memory"},
    {VC_DISPLAY_ODD, -EPROTO, "frame buffer: outside of the firmware's memory"},
    {VC_DISPLAY_NO_SIZE, -EPROTO, "frame buffer: its size"},
    {VC_DISPLAY_HUGE, -EPROTO, "frame buffer: its size"},
    {VC_DISPLAY_NARROW, -EPROTO, "frame buffer: its virtual size"},
    {VC_DISPLAY_MOVED, -EPROTO, "frame buffer: its virtual size"},
    {VC_DISPLAY_SHALLOW, -EPROTO, "frame buffer: its depth"},
    {VC_DISPLAY_ORDER, -EPROTO, "frame buffer: its pixel order"},
    {VC_DISPLAY_PITCH_SHORT, -EPROTO, "frame buffer: its pitch"},
    {VC_DISPLAY_PITCH_ODD, -EPROTO, "frame buffer: its pitch"},
    {VC_DISPLAY_PITCH_HUGE, -EPROTO, "frame buffer: less memory than it shows"},
};
_Static_assert(BB_ARRAY_SIZE(lies) == VC_DISPLAY_LIES - 1, "a line for each lie");

static int boot_with_lie(void *context)
{
    const size_t *index = context;
    pi_prepare(NULL);
    pi.mailbox.display.lie = lies[*index].lie;
    boot(NULL);
    must_fail(PI_DISPLAY, lies[*index].error, lies[*index].step);
    assert_null(bb_node_find(PI_SCREEN));
    (void)device_at(PI_BOARD); /* its siblings run */
    (void)device_at(PI_MINI_UART);
    return 0;
}

static void test_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(lies); i++)
        assert_int_equal(run_child(boot_with_lie, &i), 0);
}

/* A mode that comes to nothing leaves the old one; where that does not come back, nothing is
 * drawn any more. */
static void test_lies_later(void **state)
{
    (void)state;
    struct bb_display *display = start(NULL);
    for (size_t i = 0; i < BB_ARRAY_SIZE(lies); i++) {
        pi.mailbox.display.lie = lies[i].lie;
        assert_int_equal(bb_display_set_mode(display, 800, 600), lies[i].error);
        assert_int_equal(display->width, 0);
        bb_console_printf(NULL, "lost\n");
        bb_sleep(50 * BB_MSEC);
        pi.mailbox.display.lie = VC_DISPLAY_HONEST;
        assert_int_equal(bb_display_set_mode(display, 640, 480), 0);
        bb_console_printf(NULL, "back\n");
        bb_sleep(50 * BB_MSEC);
    }
    pi.mailbox.mode = VC_ERROR;
    assert_int_equal(bb_display_set_mode(display, 800, 600), -EIO);
    pi.mailbox.mode = VC_HONEST;
    pi.mailbox.calls = 0;
    pi.mailbox.fail_at = 1;
    pi.mailbox.fail_mode = VC_ERROR;
    assert_int_equal(bb_display_set_mode(display, 640, 480), -EIO);
    assert_int_equal(bb_display_set_mode(display, 640, 480), 0);
    assert_int_equal(display->width, 640);
}

static void test_blank_lies(void **state)
{
    (void)state;
    struct bb_display *display = start(NULL);
    pi.mailbox.mode = VC_WRONG_ID;
    assert_int_equal(bb_display_blank(display, false), -EPROTO);
    pi.mailbox.mode = VC_SHORT;
    assert_int_equal(bb_display_blank(display, false), -ENOTSUP);
    pi.mailbox.mode = VC_SILENT;
    assert_int_equal(bb_display_blank(display, false), -ETIMEDOUT);
}

/* Several tags in one message: each has its own result, and what does not fit is refused. */
static void test_tags(void **state)
{
    uint32_t words[70] = {0}, board, unknown, memory[2];
    (void)state;
    start(NULL);
    struct bb_firmware *firmware = bb_firmware_first();
    struct bb_firmware_tag tags[] = {
        {0x10002, &board, 0, 4},
        {0x12345, &unknown, 0, 4},
        {0x10006, memory, 0, 8},
        {0x10003, words, 0, 4}, /* six bytes: too little room */
    };
    assert_int_equal(bb_firmware_call_all(firmware, tags, BB_ARRAY_SIZE(tags)), 0);
    assert_true(tags[0].result == 4 && board == 0xa02082);
    assert_int_equal(tags[1].result, -ENOTSUP);
    assert_true(tags[2].result == 8 && memory[0] == 0x3c000000);
    assert_int_equal(tags[3].result, -EPROTO);
    assert_int_equal(bb_firmware_call_all(firmware, tags, 0), -EINVAL);
    struct bb_firmware_tag large[] = {{0x10002, words, 0, 128}, {0x10002, words, 0, 116}};
    assert_int_equal(bb_firmware_call_all(firmware, large, 2), 0);
    large[1].capacity = 120;
    assert_int_equal(bb_firmware_call_all(firmware, large, 2), -EINVAL);
    large[0].capacity = UINT16_MAX - 3;
    assert_int_equal(bb_firmware_call_all(firmware, large, 2), -EINVAL);
    large[0].capacity = 6;
    assert_int_equal(bb_firmware_call_all(firmware, large, 2), -EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native_size),
        cmocka_unit_test(test_parameter),
        cmocka_unit_test(test_wrong_parameter),
        cmocka_unit_test(test_no_panel),
        cmocka_unit_test(test_other_order),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_nobody_draws_meanwhile),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_lies_later),
        cmocka_unit_test(test_blank_lies),
        cmocka_unit_test(test_tags),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
