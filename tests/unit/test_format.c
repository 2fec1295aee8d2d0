/* SPDX-License-Identifier: BSD-2-Clause */
/* Formatting, against the C library's on random formats. */
#include "harness.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/log.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat"

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t random_value(void)
{
    static const int64_t edges[] = {0,       1,        9,         10,        INT_MAX,
                                    INT_MIN, UINT_MAX, INT64_MAX, INT64_MIN, -1};
    if (next_random() % 3 == 0)
        return (uint64_t)edges[next_random() % BB_ARRAY_SIZE(edges)];
    return next_random() >> next_random() % 64;
}

#define SAME(size, format, ...)                                                                    \
    do {                                                                                           \
        char ours[128], theirs[128];                                                               \
        memset(ours, 1, sizeof(ours));                                                             \
        memset(theirs, 1, sizeof(theirs));                                                         \
        size_t length = bb_format(ours, size, format, __VA_ARGS__);                                \
        int expected = snprintf(theirs, size, format, __VA_ARGS__);                                \
        if (length != (size_t)expected || memcmp(ours, theirs, sizeof(ours)) != 0)                 \
            fail_msg("'%s': '%s' (%zu), not '%s' (%d)", format, ours, length, theirs, expected);   \
    } while (0)

/* Flags, width and precision; what the C standard leaves undefined is not made. */
static void random_format(char *format, char conversion, const char *length)
{
    char *at = format;
    at += sprintf(at, "<%%");
    if (next_random() % 3 == 0)
        *at++ = '-';
    if (next_random() % 3 == 0 && conversion != 's' && conversion != 'c' && conversion != 'p')
        *at++ = '0';
    if (next_random() % 2)
        at += sprintf(at, "%d", (int)(next_random() % 30) + 1);
    if (next_random() % 2 && conversion != 'c' && conversion != 'p')
        at += sprintf(at, next_random() % 8 ? ".%d" : ".", (int)(next_random() % 25));
    sprintf(at, "%s%c>%%", length, conversion);
    strcat(at, "%");
}

static void test_numbers_as_the_c_library(void **state)
{
    static const char conversions[] = "diuxX";
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        char format[64], conversion = conversions[next_random() % 5];
        size_t size = next_random() % 4 ? 100 : 1 + next_random() % 20;
        uint64_t value = random_value();
        switch (next_random() % 4) {
        case 0:
            random_format(format, conversion, "");
            SAME(size, format, (int)value);
            break;
        case 1:
            random_format(format, conversion, "l");
            SAME(size, format, (long)value);
            break;
        case 2:
            random_format(format, conversion, "ll");
            SAME(size, format, (long long)value);
            break;
        default:
            random_format(format, conversion, "z");
            SAME(size, format, (size_t)value);
            break;
        }
    }
}

static void test_text_as_the_c_library(void **state)
{
    static const char text[] = "the quick brown fox jumps";
    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        char format[64];
        size_t size = next_random() % 4 ? 100 : 1 + next_random() % 20;
        const char *some = text + next_random() % sizeof(text);
        int c = (int)('a' + next_random() % 26);
        void *pointer = (void *)(uintptr_t)(next_random() | 1);
        int width = (int)(next_random() % 40) - 20, precision = (int)(next_random() % 40) - 20;
        random_format(format, 's', "");
        SAME(size, format, some);
        random_format(format, 'c', "");
        SAME(size, format, c);
        random_format(format, 'p', "");
        SAME(size, format, pointer);
        SAME(size, "%*.*s|", width, precision, some);
        SAME(size, "%-*.*x|", width, precision, (unsigned)(uintptr_t)pointer);
    }
    SAME(100, "%d%%%s%c", 5, "x", 'y');
    SAME(100, "%s", "");
    SAME(100, "%.3s", ((char[]){'a', 'b', 'c'})); /* not terminated */
}

static void test_without_room_it_counts(void **state)
{
    char buffer[4] = "abc";
    (void)state;
    assert_int_equal(bb_format(NULL, 0, "%s-%d", "four", 12), 7);
    assert_int_equal(bb_format(buffer, 0, "xyz"), 3);
    assert_string_equal(buffer, "abc");
    assert_int_equal(bb_format(buffer, 1, "xyz"), 3);
    assert_string_equal(buffer, "");
    assert_int_equal(bb_format(buffer, 4, "%06u", 12u), 6);
    assert_string_equal(buffer, "000");
}

static void test_unknown_conversions_stand_as_they_are(void **state)
{
    char buffer[32];
    const char *volatile no_text = NULL;
    (void)state;
    bb_format(buffer, sizeof(buffer), "%d %q %s", 1, "no");
    assert_string_equal(buffer, "1 %q %s");
    bb_format(buffer, sizeof(buffer), "end %");
    assert_string_equal(buffer, "end %");
    bb_format(buffer, sizeof(buffer), "%s", no_text);
    assert_string_equal(buffer, "(null)");
    bb_format(buffer, sizeof(buffer), "%p", (void *)NULL);
    assert_string_equal(buffer, "0x0");
}

static void test_errors_have_names(void **state)
{
    (void)state;
    assert_string_equal(bb_error_name(-ETIMEDOUT), "timed out");
    assert_string_equal(bb_error_name(EINVAL), "invalid");
    assert_string_equal(bb_error_name(0), "no error");
    assert_string_equal(bb_error_name(INT_MIN), "unknown error");
    assert_string_equal(bb_error_name(12345), "unknown error");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_as_the_c_library),
        cmocka_unit_test(test_text_as_the_c_library),
        cmocka_unit_test(test_without_room_it_counts),
        cmocka_unit_test(test_unknown_conversions_stand_as_they_are),
        cmocka_unit_test(test_errors_have_names),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
