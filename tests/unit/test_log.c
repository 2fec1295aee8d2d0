/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: what is kept, what is shown, when, and how often. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/log.h>
#include <busbar/poll.h>
#include <busbar/time.h>
#include <core/core.h>

static char shown[65536];
static size_t shown_length;

static void console_write(const char *text, size_t length)
{
    assert_true(shown_length + length < sizeof(shown));
    memcpy(shown + shown_length, text, length);
    shown_length += length;
    shown[shown_length] = '\0';
}

static unsigned times_shown(const char *text)
{
    unsigned count = 0;
    for (const char *at = shown; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void test_lines_have_a_time(void **state)
{
    (void)state;
    world_start(BB_SEC);
    (void)bb_time();
    world_advance(12 * BB_SEC + 1234 * BB_USEC);
    bb_hooks.console_write = console_write;
    bb_print(BB_INFO, "text %d", 5);
    assert_string_equal(shown, "[   12.001234] text 5\n");
    struct bb_log_entry entry;
    assert_true(bb_log_read(0, &entry));
    assert_string_equal(entry.text, "text 5");
    assert_int_equal(entry.sequence, 0);
    assert_int_equal(entry.level, BB_INFO);
    assert_int_equal(entry.time / BB_MSEC, 12001);
    assert_false(bb_log_read(1, &entry));
}

static void test_the_first_console_gets_what_waited_once(void **state)
{
    (void)state;
    bb_print(BB_INFO, "early one");
    bb_print(BB_VERBOSE, "detail");
    bb_print(BB_INFO, "early two");
    bb_hooks.console_write = console_write;
    assert_int_equal(shown_length, 0);
    bb_poll();
    assert_int_equal(times_shown("early"), 2);
    assert_true(strstr(shown, "early one") < strstr(shown, "early two"));
    bb_print(BB_INFO, "late");
    bb_poll();
    assert_int_equal(times_shown("early"), 2);
    assert_int_equal(times_shown("late"), 1);
    assert_int_equal(times_shown("detail"), 0);
}

static void test_a_console_that_comes_back_repeats_nothing(void **state)
{
    (void)state;
    bb_hooks.console_write = console_write;
    bb_print(BB_INFO, "first");
    bb_hooks.console_write = NULL;
    bb_print(BB_INFO, "between");
    bb_hooks.console_write = console_write;
    bb_print(BB_INFO, "last");
    assert_int_equal(times_shown("first"), 1);
    assert_int_equal(times_shown("between"), 1);
    assert_int_equal(times_shown("last"), 1);
}

static void interrupt(void)
{
    assert_true(bb_arch_in_interrupt());
    bb_print(BB_INFO, "from the interrupt");
    assert_int_equal(times_shown("from the interrupt"), 0);
}

static void test_interrupts_store_and_poll_shows(void **state)
{
    (void)state;
    bb_hooks.console_write = console_write;
    bb_hooks.interrupt = interrupt;
    bb_host_raise_interrupt();
    assert_int_equal(shown_length, 0);
    bb_poll();
    assert_int_equal(times_shown("from the interrupt"), 1);
}

static void logging_console(const char *text, size_t length)
{
    console_write(text, length);
    if (times_shown("inner") < 3)
        bb_print(BB_INFO, "inner");
}

static void test_a_console_that_logs_does_not_recurse(void **state)
{
    (void)state;
    bb_hooks.console_write = logging_console;
    bb_print(BB_INFO, "outer");
    assert_int_equal(times_shown("outer"), 1);
    assert_int_equal(times_shown("inner"), 3);
}

static void test_threshold(void **state)
{
    (void)state;
    assert_int_equal(bb_log_threshold(), BB_INFO);
    bb_hooks.console_write = console_write;
    bb_log_set_threshold(BB_ERROR);
    bb_print(BB_WARNING, "quiet");
    bb_print(BB_ERROR, "loud");
    bb_log_set_threshold(BB_VERBOSE);
    bb_print(BB_VERBOSE, "detail");
    assert_int_equal(bb_log_threshold(), BB_VERBOSE);
    assert_int_equal(times_shown("quiet"), 0);
    assert_int_equal(times_shown("loud"), 1);
    assert_int_equal(times_shown("detail"), 1);
}

static void test_outside_text_cannot_steer_a_terminal(void **state)
{
    struct bb_log_entry entry;
    (void)state;
    bb_print(BB_INFO, "node %s", "a\x1b[2J\nb\x7f\xc3\xa9");
    assert_true(bb_log_read(0, &entry));
    assert_string_equal(entry.text, "node a?[2J?b?\xc3\xa9");
}

static void test_long_messages_are_cut(void **state)
{
    struct bb_log_entry entry;
    char text[300];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    bb_print(BB_INFO, "%s", text);
    assert_true(bb_log_read(0, &entry));
    assert_int_equal(strlen(entry.text), sizeof(entry.text) - 1);
}

/* Text `i` has a length and letter of its own. */
static void text_of(uint32_t i, char *text)
{
    size_t length = i * 37 % 200;
    memset(text, 'a' + (int)(i % 26), length);
    text[length] = '\0';
}

static void test_the_ring_keeps_the_newest(void **state)
{
    struct bb_log_entry entry;
    char text[201];
    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        text_of(i, text);
        bb_print(BB_VERBOSE, "%s", text);
        assert_true(bb_log_read(i, &entry));
        assert_string_equal(entry.text, text);
        if (i % 97)
            continue;
        uint32_t kept = 0, next = 0;
        while (bb_log_read(next, &entry)) {
            assert_true(kept == 0 || entry.sequence == next);
            text_of(entry.sequence, text);
            assert_string_equal(entry.text, text);
            next = entry.sequence + 1;
            kept++;
        }
        assert_int_equal(next, i + 1);
        assert_true(kept == i + 1 || kept >= 35);
    }
    bb_hooks.console_write = console_write; /* the older half is gone; the rest is shown */
    bb_log_set_threshold(BB_VERBOSE);
    bb_poll();
    assert_true(shown_length > 6000 && shown_length < 12000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_have_a_time),
        cmocka_unit_test(test_the_first_console_gets_what_waited_once),
        cmocka_unit_test(test_a_console_that_comes_back_repeats_nothing),
        cmocka_unit_test(test_interrupts_store_and_poll_shows),
        cmocka_unit_test(test_a_console_that_logs_does_not_recurse),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_outside_text_cannot_steer_a_terminal),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_the_ring_keeps_the_newest),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
