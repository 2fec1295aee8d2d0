/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's line: how much fits, characters of several bytes. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/mmio.h>
#include <busbar/poll.h>
#include <core/core.h>

#include <apps/monitor/line.c>
#include <apps/monitor/output.c>

struct fake {
    struct bb_device device;
    struct bb_console console;
};

static char heard[65536];
static size_t heard_length;

static int fake_write(struct bb_console *console, const char *data, size_t size)
{
    (void)console;
    assert_true(heard_length + size < sizeof(heard));
    memcpy(heard + heard_length, data, size);
    heard_length += size;
    heard[heard_length] = '\0';
    return (int)size;
}

static int fake_probe(struct bb_device *device)
{
    (void)device;
    return 0;
}

const struct bb_console_ops bb_ops_console_fake = {.write = fake_write};
BB_DRIVER(console, fake, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,fake"}),
          .probe = fake_probe);
static const struct bb_driver *const drivers[] = {&bb_driver_console_fake};

static bool complete_name(size_t index, char *word, size_t size)
{
    bb_format(word, size, "something_long");
    return index == 0;
}

const struct command command_help = {"help", "", "", NULL, complete_name};
const struct command *const commands[] = {&command_help, NULL};

static struct bb_console *console;

static void start(void)
{
    world_start(1000000000);
    tree_begin(1, 1);
    tree_device("first", "test,fake");
    tree_close();
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
    boot(NULL);
    console = &bb_container_of(device_at("/first"), struct fake, device)->console;
}

static const char *typed; /* what is still to come */

static void type_more(struct bb_work *work)
{
    if (*typed)
        bb_console_input(console, *typed++);
    if (*typed)
        bb_work_queue(work);
}

/* The line that comes of these keys. */
static const char *line_of(const char *keys)
{
    static struct bb_work work = {.run = type_more};
    heard_length = 0;
    typed = keys;
    bb_work_queue(&work);
    const char *text = line_read("busbar> ");
    assert_string_equal(typed, "");
    return text;
}

static unsigned bells(void)
{
    unsigned count = 0;
    for (const char *at = heard; (at = strchr(at, '\a')); at++)
        count++;
    return count;
}

/* The rows a terminal shows, each character one column wide, rows ended by '\n'. */
static const char *screen(void)
{
    static char shown[65536];
    char row[LINE_SIZE + 40][5] = {{0}};
    size_t length = 0, column = 0, used = 0;
    for (const char *at = heard; *at; at++) {
        char *end;
        unsigned long count;
        if (*at == '\r') {
            column = 0;
        } else if (*at == '\n' || !at[1]) {
            for (size_t i = 0; i < length; i++)
                used += bb_format(shown + used, sizeof(shown) - used, "%s", row[i]);
            shown[used++] = '\n';
            length = 0;
        } else if (*at == '\x1b') {
            count = strtoul(at + 2, &end, 10);
            if (*end == 'K')
                length = column;
            else
                column -= count; /* D */
            at = end;
        } else if ((unsigned char)*at >= ' ') {
            size_t bytes = 1;
            while ((at[bytes] & 0xc0) == 0x80)
                bytes++;
            assert_true(column < BB_ARRAY_SIZE(row) && bytes < sizeof(row[0]));
            memset(row[column], 0, sizeof(row[0]));
            memcpy(row[column++], at, bytes);
            length = length < column ? column : length;
            at += bytes - 1;
        }
    }
    shown[used] = '\0';
    return shown;
}

static void test_a_long_line_is_whole_or_refused(void **state)
{
    char keys[LINE_SIZE + 40], shown[LINE_SIZE + 40];
    (void)state;
    start();
    memset(keys, 'x', sizeof(keys));
    strcpy(keys + LINE_SIZE - 1, "\r");
    const char *text = line_of(keys);
    assert_int_equal(strlen(text), LINE_SIZE - 1);
    assert_true(LINE_SIZE - 1 >= 511);
    assert_int_equal(bells(), 0);
    bb_format(shown, sizeof(shown), "busbar> %s\n", text);
    assert_string_equal(screen(), shown);
    assert_int_equal(strlen(text), strspn(text, "x"));

    strcpy(keys + LINE_SIZE - 1, "yy\r");
    keys[LINE_SIZE - 2] = 'x';
    assert_string_equal(line_of(keys), "");
    assert_int_equal(bells(), 2);
    assert_non_null(strstr(heard, "not run"));

    /* It is in the history, to be run by somebody who has seen it; and the next line is not lost.
     */
    assert_int_equal(strlen(line_of("\x1b[A\r")), LINE_SIZE - 1);
    assert_string_equal(line_of("uptime\r"), "uptime");
    /* Dropped, it has lost nothing. */
    strcpy(keys + LINE_SIZE - 1, "y\x15uptime\r");
    assert_string_equal(line_of(keys), "uptime");
    assert_int_equal(bells(), 1);
    /* What completes does not fit: nothing is lost that was typed. */
    memset(keys, 'x', LINE_SIZE - 1);
    strcpy(keys + LINE_SIZE - 10, " \t\r");
    memcpy(keys, "help ", 5);
    assert_int_equal(strlen(line_of(keys)), LINE_SIZE - 9);
    assert_int_equal(bells(), 1);
}

static void test_characters_are_whole(void **state)
{
    (void)state;
    start();
    assert_string_equal(line_of("gr\u00fc\u00dfe \u20ac \U0001f600\r"),
                        "gr\u00fc\u00dfe \u20ac \U0001f600");
    assert_string_equal(screen(), "busbar> gr\u00fc\u00dfe \u20ac \U0001f600\n");
    assert_string_equal(line_of("\u00e4\u20ac\U0001f600\b\b\u00f6\r"), "\u00e4\u00f6");
    assert_string_equal(screen(), "busbar> \u00e4\u00f6\n");
    /* Left thrice, delete, right, a letter. */
    assert_string_equal(line_of("\u00e4\u20ac\U0001f600\x02\x02\x02\x1b[3~\x06x\r"),
                        "\u20acx\U0001f600");
    assert_string_equal(screen(), "busbar> \u20acx\U0001f600\n");
    assert_string_equal(line_of("ls \u00fc\u00fc\x17\u00e4\x1b[H#\x1b[F!\r"), "#ls \u00e4!");
    assert_int_equal(bells(), 0);
}

static void test_a_long_line_scrolls_by_characters(void **state)
{
    char keys[400] = "", shown[400];
    (void)state;
    start();
    for (unsigned i = 0; i < 150; i++)
        strcat(keys, "\u00fc");
    bb_format(shown, sizeof(shown), "busbar> %s\n", keys);
    strcat(keys, "\r");
    assert_int_equal(strlen(line_of(keys)), 300);
    assert_string_equal(screen(), shown);
    for (const char *at = heard; (at = strchr(at, '<')); at++)
        assert_true((at[1] & 0xc0) != 0x80); /* a window begins with a whole character */
}

static void test_what_is_no_utf8_is_refused(void **state)
{
    static const char *const wrong[] = {
        "\xfc",     /* Latin-1 */
        "\x80",     /* goes on with nothing */
        "\xc3",     /* not gone on with */
        "\xc0\xaf", /* too long for what they are */
        "\xe0\x80\xaf",
        "\xf0\x80\x80\xaf",
        "\xed\xa0\x80",     /* half of a pair */
        "\xf4\x90\x80\x80", /* over U+10FFFF */
        "\xf8\x88\x80\x80\x80",
        "\xc2\x9b", /* a control */
        "\xff",
    };
    (void)state;
    start();
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++) {
        char keys[32];
        bb_format(keys, sizeof(keys), "rm a%sb\r", wrong[i]);
        assert_string_equal(line_of(keys), "");
        assert_true(bells() > 0);
        assert_non_null(strstr(screen(), "busbar> rm ab\nnot run"));
        /* Noise before a line. */
        bb_format(keys, sizeof(keys), "%suptime\r", wrong[i]);
        assert_string_equal(line_of(keys), "uptime");
        assert_true(bells() > 0);
    }
    assert_string_equal(line_of("\xc3\r"), "");
    assert_null(strstr(heard, "not run"));
}

static void test_the_history_keeps_the_new_line(void **state)
{
    char keys[16];
    (void)state;
    start();
    assert_string_equal(line_of("\x10\r"), ""); /* there is none yet */
    for (unsigned i = 0; i < 2 * LINE_HISTORY; i++) {
        bb_format(keys, sizeof(keys), "line %u\r", i);
        (void)line_of(keys);
    }
    assert_string_equal(line_of("new\x10\x10\x0e\x0e!\r"), "new!");
    assert_string_equal(line_of("\x10\x10\r"), "line 31");
    char up[2 * LINE_HISTORY + 1];
    memset(up, 0x10, sizeof(up));
    strcpy(up + 2 * LINE_HISTORY - 1, "\r");
    assert_string_equal(line_of(up), "line 19"); /* the oldest of 15, one of them line 31 again */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_line_is_whole_or_refused),
        cmocka_unit_test(test_characters_are_whole),
        cmocka_unit_test(test_a_long_line_scrolls_by_characters),
        cmocka_unit_test(test_what_is_no_utf8_is_refused),
        cmocka_unit_test(test_the_history_keeps_the_new_line),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
