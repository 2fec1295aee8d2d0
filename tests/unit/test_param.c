/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: words, quotes, types, and what is said of the rest. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/log.h>
#include <core/core.h>

struct chip {
    struct bb_device device;
    uint32_t baud;
    uint64_t big;
    bool flag;
    const char *text;
};

static const struct bb_driver driver = {
    .name = "console/chip",
    .params = BB_PARAMS({"baud", offsetof(struct chip, baud), BB_PARAM_U32},
                        {"big", offsetof(struct chip, big), BB_PARAM_U64},
                        {"flag", offsetof(struct chip, flag), BB_PARAM_BOOL},
                        {"text", offsetof(struct chip, text), BB_PARAM_STRING}),
};

static struct chip chip;

static void apply(const char *command_line)
{
    memset(&chip, 0, sizeof(chip));
    bb_param_parse(command_line);
    bb_param_apply(&driver, &chip);
}

static unsigned lines_with(const char *text)
{
    struct bb_log_entry entry;
    unsigned count = 0;
    for (uint32_t next = 0; bb_log_read(next, &entry); next = entry.sequence + 1)
        count += strstr(entry.text, text) != NULL;
    return count;
}

static void test_words(void **state)
{
    (void)state;
    bb_param_parse("  a=1\tb  c=\"x y\"  \"d=e f\" g=h=i  a=2\n");
    assert_string_equal(bb_param_get("a"), "2"); /* the last one */
    assert_string_equal(bb_param_get_at("a", 0), "1");
    assert_string_equal(bb_param_get_at("a", 1), "2");
    assert_null(bb_param_get_at("a", 2));
    assert_string_equal(bb_param_get("b"), "");
    assert_string_equal(bb_param_get("c"), "x y");
    assert_string_equal(bb_param_get("d"), "e f");
    assert_string_equal(bb_param_get("g"), "h=i");
    assert_null(bb_param_get("e"));
    assert_null(bb_param_get(""));
    bb_param_parse("");
    assert_null(bb_param_get("a"));
    bb_param_parse("   ");
    assert_null(bb_param_get("a"));
}

static void test_malformed_words_are_named(void **state)
{
    (void)state;
    bb_param_parse("=x one \"\" log=loud two=\"open end");
    assert_int_equal(lines_with("=x"), 1);
    assert_int_equal(lines_with("log=loud"), 1);
    assert_int_equal(lines_with("two=open end"), 1);
    assert_string_equal(bb_param_get("one"), "");
    assert_null(bb_param_get("two"));
    assert_int_equal(bb_log_threshold(), BB_INFO);
    bb_param_parse("log=debug");
    assert_int_equal(bb_log_threshold(), BB_VERBOSE);
}

static void test_types(void **state)
{
    (void)state;
    apply("chip.baud=115200 chip.big=0xFFFFFFFFFFFFFFFF chip.flag chip.text=\"two words\"");
    assert_int_equal(chip.baud, 115200);
    assert_true(chip.big == UINT64_MAX);
    assert_true(chip.flag);
    assert_string_equal(chip.text, "two words");
    apply("chip.baud=4294967295 chip.big=18446744073709551615 chip.flag=yes chip.text=");
    assert_true(chip.baud == UINT32_MAX && chip.big == UINT64_MAX && chip.flag);
    assert_string_equal(chip.text, "");
    apply("chip.flag=on chip.flag=off chip.baud=0x1f");
    assert_false(chip.flag);
    assert_int_equal(chip.baud, 31);
    struct bb_log_entry entry;
    assert_false(bb_log_read(0, &entry));
}

static void test_bad_values_leave_the_default(void **state)
{
    static const char *const bad[] = {
        "chip.baud=abc",   "chip.baud=",     "chip.baud=4294967296",
        "chip.baud=0x",    "chip.baud=-1",   "chip.baud=12 ",
        "chip.baud=1k",    "chip.baud=0x1g", "chip.big=18446744073709551616",
        "chip.flag=maybe", "chip.baud=1:",   "chip.big=0x10000000000000000",
    };
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(bad); i++) {
        char quoted[64];
        bb_format(quoted, sizeof(quoted), "\"%s\"", bad[i]);
        apply(quoted);
        assert_true(chip.baud == 0 && chip.big == 0 && !chip.flag);
        char word[64] = "";
        strcpy(word, bad[i]);
        if (word[strlen(word) - 1] == '=')
            word[strlen(word) - 1] = '\0';
        assert_true(lines_with(word) >= 1);
        bb_param_apply(&driver, &chip); /* a second device of the driver says no more */
    }
    assert_int_equal(lines_with("ignored"), BB_ARRAY_SIZE(bad));
}

static void test_only_the_drivers_own(void **state)
{
    (void)state;
    apply("chipper.baud=1 chi.baud=2 chip.bau=3 chip.baudy=4 baud=5 chip=6 chip.=7");
    assert_int_equal(chip.baud, 0);
    bb_param_report_unknown();
    assert_int_equal(lines_with("(7 in all)"), 1);
}

static void test_unknown_words_share_a_line(void **state)
{
    struct bb_log_entry entry;
    (void)state;
    apply("alpha=1 chip.baud=9 beta asked=2 alpha=3");
    assert_non_null(bb_param_get("asked"));
    bb_param_report_unknown();
    assert_true(bb_log_read(0, &entry));
    assert_string_equal(entry.text, "unknown parameters, ignored: alpha beta alpha (3 in all)");
    bb_param_report_unknown();
    assert_false(bb_log_read(1, &entry));
}

static void test_many_unknown_words_are_cut(void **state)
{
    static char line[8192];
    struct bb_log_entry entry;
    (void)state;
    for (unsigned i = 0; i < 400; i++)
        bb_format(line + strlen(line), sizeof(line) - strlen(line), "unknown%u=%u ", i, i);
    bb_param_parse(line);
    bb_param_report_unknown();
    assert_true(bb_log_read(0, &entry));
    assert_non_null(strstr(entry.text, "unknown0 unknown1 "));
    assert_non_null(strstr(entry.text, " ... (400 in all)"));
    assert_false(bb_log_read(1, &entry));
}

static void test_random_lines(void **state)
{
    static const char letters[] = "ab=\" \t.\x01x0";
    uint64_t seed = 7;
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char line[40];
        size_t length = 0;
        for (; length < sizeof(line) - 1 && (seed = seed * 6364136223846793005u + 1) >> 60;
             length++)
            line[length] = letters[(seed >> 33) % (sizeof(letters) - 1)];
        line[length] = '\0';
        apply(line);
        bb_param_report_unknown();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_malformed_words_are_named),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bad_values_leave_the_default),
        cmocka_unit_test(test_only_the_drivers_own),
        cmocka_unit_test(test_unknown_words_share_a_line),
        cmocka_unit_test(test_many_unknown_words_are_cut),
        cmocka_unit_test(test_random_lines),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
