/* SPDX-License-Identifier: BSD-2-Clause */
/* console/usb_serial on the models of an FT232 and of a CDC ACM modem. */
#include "usb_scripts.h"

#include <string.h>

#include <busbar/console.h>
#include <busbar/log.h>
#include <busbar/poll.h>

#include <tests/models/boards.h>
#include <tests/models/usb_serial.h>
#include <tests/models/usb_soft_host.h>

extern int bb_fault_at;

static struct model_usb_serial serial;

static struct bb_console *find(void)
{
    struct bb_console *console = bb_console_first();
    while (console && strcmp(console->face.device->driver->name, "console/usb_serial") != 0)
        console = bb_console_next(console);
    return console;
}

static bool is_there(void *context)
{
    (void)context;
    return find();
}

static bool is_away(void *context)
{
    (void)context;
    return !find();
}

static struct bb_console *plug(void)
{
    usb_plug(&soft_host.sockets[0], &serial.usb);
    (void)bb_wait(is_there, NULL, 20 * BB_SEC);
    bb_sleep(100 * BB_MSEC);
    return find();
}

static struct bb_console *prepare(void (*init)(struct model_usb_serial *serial), const char *words)
{
    soft_host_prepare(1);
    init(&serial);
    boot(words);
    struct bb_console *console = plug();
    assert_non_null(console);
    serial.sent_size = 0;
    return console;
}

static void type(void *context, const struct bb_face *console, char c)
{
    if (strcmp(console->device->driver->name, "console/usb_serial") == 0) {
        model_usb_serial_type(&serial, &c, 1);
        bb_sleep(10 * BB_MSEC);
    } else {
        board_type(context, console, c);
    }
}

static void conforms(void (*init)(struct model_usb_serial *serial))
{
    struct bb_console *console = prepare(init, NULL);
    assert_int_equal(serial.baud, 115384 * serial.ftdi + 115200 * !serial.ftdi);
    assert_int_equal(serial.data_bits, 8);
    assert_int_equal(serial.stop_bits, 1);
    assert_true(serial.dtr && serial.rts);
    conform(type);
    bb_console_flush();
    bb_sleep(BB_SEC);
    const char *last = "still here\r\n";
    serial.sent[serial.sent_size] = 0;
    assert_non_null(strstr(serial.sent, last));
    const struct bb_console_ops *ops = console->face.ops;
    assert_true(ops->idle(console));
}

static void test_ftdi(void **state)
{
    (void)state;
    conforms(model_usb_ftdi_init);
}

static void test_acm(void **state)
{
    (void)state;
    conforms(model_usb_acm_init);
}

/* All speeds are within 3 % of what was asked for, or refused. */
static void test_speeds(void **state)
{
    static const uint32_t speeds[] = {184,     300,     1200,    9600,   19200,  38400,
                                      57600,   115200,  230400,  250000, 460800, 921600,
                                      1000000, 1500000, 2000000, 3000000};
    static const uint32_t wrong[] = {0, 1, 50, 2500000, 2800000, 3200000, UINT32_MAX};
    (void)state;
    struct bb_console *console = prepare(model_usb_ftdi_init, "usb_serial.baud=9600");
    assert_int_equal(serial.baud, 9600);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(speeds); i++) {
        struct bb_console_line line = {speeds[i], 7, 2, BB_PARITY_EVEN};
        assert_int_equal(bb_console_set_line(console, &line), 0);
        uint32_t off = serial.baud > speeds[i] ? serial.baud - speeds[i] : speeds[i] - serial.baud;
        assert_true(off * 100ull <= speeds[i] * 3ull);
    }
    assert_int_equal(serial.data_bits, 7);
    assert_int_equal(serial.stop_bits, 2);
    assert_int_equal(serial.parity, 2);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(wrong); i++) {
        struct bb_console_line line = {wrong[i], 8, 1, BB_PARITY_NONE};
        assert_int_equal(bb_console_set_line(console, &line), -EINVAL);
    }
    struct bb_console_line line = {9600, 6, 1, BB_PARITY_NONE};
    assert_int_equal(bb_console_set_line(console, &line), -EINVAL);
}

static void test_acm_without_line(void **state)
{
    (void)state;
    soft_host_prepare(1);
    model_usb_acm_init(&serial);
    serial.no_line_coding = true;
    boot(NULL);
    struct bb_console *console = plug();
    assert_non_null(console);
    struct bb_console_line line = {9600, 8, 1, BB_PARITY_NONE};
    assert_int_equal(bb_console_set_line(console, &line), -EINVAL);
    serial.no_line_coding = false;
    assert_int_equal(bb_console_set_line(console, &line), 0);
    assert_int_equal(serial.baud, 9600);
}

/* More than the ring holds, as fast as it goes. */
static void test_output(void **state)
{
    static char text[30000];
    (void)state;
    struct bb_console *console = prepare(model_usb_acm_init, NULL);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t done = 0; done < sizeof text;) {
        int taken = bb_console_write(console, text + done, sizeof text - done);
        assert_true(taken >= 0);
        done += (size_t)taken;
        if (!taken)
            bb_sleep(BB_MSEC);
    }
    bb_sleep(BB_SEC);
    assert_int_equal(serial.sent_size, sizeof text);
    assert_memory_equal(serial.sent, text, sizeof text);
}

static void test_deaf(void **state)
{
    static char text[8192];
    (void)state;
    struct bb_console *console = prepare(model_usb_ftdi_init, NULL);
    serial.deaf = true;
    memset(text, 'x', sizeof text);
    int taken = bb_console_write(console, text, sizeof text);
    assert_int_equal(taken, 4096);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(bb_console_write(console, text, sizeof text), 0);
    serial.deaf = false;
    bb_sleep(2 * BB_SEC);
    assert_int_equal(serial.sent_size, 4096);
    assert_true(bb_console_write(console, text, 10) == 10);
}

static void reads_text(struct bb_console *console, size_t size)
{
    static char text[256], got[512];
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(i * 5 + 1);
    model_usb_serial_type(&serial, text, size);
    bb_sleep(200 * BB_MSEC);
    assert_int_equal(bb_console_read(console, got, sizeof got), size);
    assert_memory_equal(got, text, size);
}

/* Packets of every length, with the two bytes in front of each. */
static void test_input(void **state)
{
    (void)state;
    struct bb_console *console = prepare(model_usb_ftdi_init, NULL);
    for (size_t size = 1; size <= 256; size++)
        reads_text(console, size);
    assert_int_equal(console->lost, 0);
    serial.line_status = 0x02;
    bb_sleep(200 * BB_MSEC);
    char text[32];
    char name[64];
    (void)bb_format(name, sizeof name, "%s.line_errors", console->face.device->name);
    (void)bb_value_text(bb_value_find(name), text, sizeof text);
    assert_string_equal(text, "1");
}

static void test_acm_input(void **state)
{
    (void)state;
    struct bb_console *console = prepare(model_usb_acm_init, NULL);
    for (size_t size = 1; size <= 256; size++)
        reads_text(console, size);
}

/* ---- What goes wrong ---- */

static void test_errors(void **state)
{
    static const enum usb_fault_kind kinds[] = {USB_FAULT_STALL, USB_FAULT_SILENT,
                                                USB_FAULT_LOST_ACK, USB_FAULT_TOGGLE};
    (void)state;
    struct bb_console *console = prepare(model_usb_ftdi_init, NULL);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(kinds); i++) {
        uint32_t count = kinds[i] == USB_FAULT_SILENT ? 3 : 1;
        usb_fault(&serial.usb, 0x81, 1, count, kinds[i]);
        reads_text(console, 100);
        memset(serial.usb.faults, 0, sizeof serial.usb.faults);
        usb_fault(&serial.usb, 0x02, 1, count, kinds[i]);
        serial.sent_size = 0;
        assert_int_equal(bb_console_write(console, "once and for all", 16), 16);
        bb_sleep(300 * BB_MSEC);
        assert_int_equal(serial.sent_size, 16); /* neither lost nor sent twice */
        memset(serial.usb.faults, 0, sizeof serial.usb.faults);
    }
}

static void test_fails_for_ever(void **state)
{
    (void)state;
    struct bb_console *console = prepare(model_usb_ftdi_init, NULL);
    usb_fault(&serial.usb, 0x02, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    assert_int_equal(bb_console_write(console, "gone", 4), 4);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(bb_console_write(console, "gone", 4), -EIO);
    const struct bb_console_ops *ops = console->face.ops;
    assert_true(ops->idle(console));
    assert_int_equal(logged("its transfers fail"), 1);
}

/* Each line comes in the pause after a failure: it waits for the end of that. */
static void test_writes_in_the_pause(void **state)
{
    (void)state;
    struct bb_console *console = prepare(model_usb_ftdi_init, NULL);
    usb_fault(&serial.usb, 0x02, 1, USB_FOR_EVER, USB_FAULT_SILENT);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(bb_console_write(console, "line\n", 5), 5);
        bb_sleep(5 * BB_MSEC);
    }
    assert_true(serial.usb.applied > 3);
    memset(serial.usb.faults, 0, sizeof serial.usb.faults);
    bb_sleep(BB_SEC);
    assert_int_equal(serial.sent_size, 500);
    assert_int_equal(logged("its transfers fail"), 0);
}

struct writer {
    struct bb_timer_event event;
    struct bb_console *console;
    unsigned lines;
};

static void write_line(struct bb_timer_event *event)
{
    struct writer *writer = bb_container_of(event, struct writer, event);
    assert_int_equal(bb_console_write(writer->console, "line\n", 5), 5);
    if (++writer->lines < 100)
        bb_timer_event_at(event, bb_time() + 5 * BB_MSEC);
    else
        memset(serial.usb.faults, 0, sizeof serial.usb.faults);
}

/* The same while the driver waits for the end of a halt. */
static void test_writes_in_the_repair(void **state)
{
    static struct writer writer = {.event = {.run = write_line}};
    (void)state;
    writer.console = prepare(model_usb_acm_init, NULL);
    usb_fault(&serial.usb, 0x02, 1, 1, USB_FAULT_STALL);
    usb_fault(&serial.usb, USB_CONTROL_PIPE, 2, USB_FOR_EVER, USB_FAULT_NAK);
    bb_timer_event_at(&writer.event, bb_time());
    bb_sleep(2 * BB_SEC);
    assert_int_equal(writer.lines, 100);
    assert_int_equal(serial.sent_size, 500);
    assert_int_equal(logged("its transfers fail"), 0);
}

static void test_unplug(void **state)
{
    (void)state;
    struct bb_console *console = prepare(model_usb_ftdi_init, NULL);
    bb_face_get(&console->face);
    assert_int_equal(bb_console_write(console, "in flight", 9), 9);
    usb_unplug(&serial.usb);
    assert_int_equal(bb_wait(is_away, NULL, 10 * BB_SEC), 0);
    struct bb_console_line line = {9600, 8, 1, BB_PARITY_NONE};
    assert_int_equal(bb_console_write(console, "x", 1), -ENODEV);
    assert_int_equal(bb_console_set_line(console, &line), -ENODEV);
    bb_print(BB_WARNING, "the log goes on");
    bb_face_put(&console->face);
    for (unsigned i = 0; i < 20; i++) {
        model_usb_acm_init(&serial);
        console = plug();
        assert_non_null(console);
        assert_int_equal(bb_console_write(console, "again", 5), 5);
        bb_sleep(100 * BB_MSEC);
        assert_true(serial.sent_size >= 5);
        usb_unplug(&serial.usb);
        assert_int_equal(bb_wait(is_away, NULL, 10 * BB_SEC), 0);
    }
    assert_int_equal(soft_host.host->slots.taken, 0);
}

struct script {
    struct usb_script usb; /* first */
    void (*init)(struct model_usb_serial *serial);
};

static int run_script(void *context)
{
    const struct script *script = context;
    soft_host_prepare(1);
    script->init(&serial);
    boot(NULL);
    usb_script_write(&script->usb, &serial.usb);
    struct bb_console *console = plug();
    if (console) {
        (void)bb_console_write(console, "text", 4);
        model_usb_serial_type(&serial, "input", 5);
        bb_sleep(500 * BB_MSEC);
    }
    int result = usb_script_result(&script->usb, &serial.usb);
    usb_unplug(&serial.usb);
    bb_sleep(2 * BB_SEC);
    if (find() || soft_host.in_flight)
        return 98;
    script->init(&serial);
    console = plug();
    if (!console)
        return 97;
    serial.sent_size = 0;
    (void)bb_console_write(console, "text", 4);
    bb_sleep(100 * BB_MSEC);
    return serial.sent_size != 4 ? 96 : result;
}

static void run_scripts(void (*init)(struct model_usb_serial *serial), enum usb_fault_kind kind)
{
    struct script script = {{.kind = kind}, init};
    usb_script_each(run_script, &script.usb, 20);
}

static void test_ftdi_at_each(void **state)
{
    (void)state;
    run_scripts(model_usb_ftdi_init, USB_FAULT_UNPLUG);
    run_scripts(model_usb_ftdi_init, USB_FAULT_STALL);
    run_scripts(model_usb_ftdi_init, USB_FAULT_SILENT);
}

static void test_acm_at_each(void **state)
{
    (void)state;
    run_scripts(model_usb_acm_init, USB_FAULT_UNPLUG);
    run_scripts(model_usb_acm_init, USB_FAULT_UNPLUG_AFTER);
    run_scripts(model_usb_acm_init, USB_FAULT_STALL);
    run_scripts(model_usb_acm_init, USB_FAULT_SILENT);
}

static int run_fault(void *context)
{
    const struct script *script = context;
    soft_host_prepare(1);
    script->init(&serial);
    boot(NULL);
    bb_fault_at = (int)script->usb.at;
    (void)plug();
    bool hit = bb_fault_at == 0;
    bb_fault_at = 0;
    usb_unplug(&serial.usb);
    bb_sleep(2 * BB_SEC);
    script->init(&serial);
    if (soft_host.in_flight || !plug())
        return 99;
    return hit ? USB_SCRIPT_HIT : USB_SCRIPT_PAST;
}

static void run_faults(void (*init)(struct model_usb_serial *serial))
{
    struct script script = {.init = init};
    usb_script_each(run_fault, &script.usb, 5);
}

static void test_acquisitions(void **state)
{
    (void)state;
    run_faults(model_usb_ftdi_init);
    run_faults(model_usb_acm_init);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ftdi),
        cmocka_unit_test(test_acm),
        cmocka_unit_test(test_speeds),
        cmocka_unit_test(test_acm_without_line),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_acm_input),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_fails_for_ever),
        cmocka_unit_test(test_writes_in_the_pause),
        cmocka_unit_test(test_writes_in_the_repair),
        cmocka_unit_test(test_unplug),
        cmocka_unit_test(test_ftdi_at_each),
        cmocka_unit_test(test_acm_at_each),
        cmocka_unit_test(test_acquisitions),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
