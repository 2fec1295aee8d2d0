/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal's grid after what programs send, well-formed and not; and the font. */
#include <stdlib.h>
#include <string.h>

#include <busbar/font.h>
#include <busbar/terminal.h>

#include "harness.h"

enum { COLUMNS = 10, ROWS = 4 };

static struct bb_terminal terminal;

/* Memory of exactly the size: what goes beyond it ends the test. */
static void start(uint32_t columns, uint32_t rows)
{
    free(terminal.cells);
    bb_terminal_start(&terminal, columns, rows, malloc(bb_terminal_memory(columns, rows)));
    assert_int_equal(terminal.dirty_from, 0);
    assert_int_equal(terminal.dirty_to, rows);
}

static void send(const char *text)
{
    char *copy = malloc(strlen(text));
    memcpy(copy, text, strlen(text));
    bb_terminal_write(&terminal, copy, strlen(text));
    free(copy);
}

/* The text of the screen, rows ended by "|", trailing spaces left out; code points above 0x7e as
 * "?". */
static const char *screen(void)
{
    static char text[BB_TERMINAL_ROWS * (BB_TERMINAL_COLUMNS + 1)];
    char *at = text;
    for (uint32_t y = 0; y < terminal.rows; y++) {
        char *end = at;
        for (uint32_t x = 0; x < terminal.columns; x++) {
            uint32_t code = BB_CELL_CODE(bb_terminal_row(&terminal, y)[x]);
            *at++ = code < 0x7f ? (char)code : '?';
            if (code != ' ')
                end = at;
        }
        at = end;
        *at++ = '|';
    }
    *at = '\0';
    return text;
}

static void shows(const char *sent, const char *expected)
{
    start(COLUMNS, ROWS);
    send(sent);
    assert_string_equal(screen(), expected);
}

static uint32_t cell(uint32_t x, uint32_t y)
{
    return bb_terminal_row(&terminal, y)[x];
}

static void test_text(void **state)
{
    (void)state;
    shows("hello", "hello||||");
    shows("one\r\ntwo", "one|two|||");
    shows("one\ntwo", "one|   two|||");
    shows("0123456789", "0123456789||||");
    assert_int_equal(terminal.y, 0); /* the line is full, and goes on with the next character */
    send("x");
    assert_string_equal(screen(), "0123456789|x|||");
    shows("0123456789\r\nx", "0123456789|x|||");
    shows("0123456789\bx", "01234567x9||||");
    shows("a\tb\tc", "a       bc||||");
    shows("ab\b\b\bX", "Xb||||");
    shows("a\r\nb\r\nc\r\nd\r\ne", "b|c|d|e|");
    shows("a\x07\x7f\x01z", "az||||");
    shows("a\vb\fc", "a| b|  c||");
}

static void test_cursor(void **state)
{
    (void)state;
    shows("\x1b[3;4Hx", "||   x||");
    shows("\x1b[99;99Hx", "|||         x|");
    shows("\x1b[0;0Hx\x1b[;5Hy", "x   y||||");
    shows("\x1b[3;3H\x1b[Aa\x1b[Bb\x1b[3Dc\x1b[2Cd", "|  a| c bd||");
    shows("\x1b[2;5H\x1b[9Aa\x1b[99Bb\x1b[99Dc\x1b[99Cd", "    a|||c    b   d|");
    shows("\x1b[2;5H\x1b[Ea\x1b[Fb", "|b|a||");
    shows("\x1b[7Ga\x1b[3db", "      a||       b||");
    shows("ab\x1b[s\x1b[4;4Hx\x1b[uc", "abc|||   x|");
    shows("ab\x1b"
          "7\x1b[31m\x1b[4;4Hx\x1b"
          "8c",
          "abc|||   x|");
    assert_int_equal(BB_CELL_INK(cell(2, 0)), 7);
    shows("abc\x1b[1;2HX", "aXc||||");
    shows("\x1b[2;1Hx\x1bMa\x1bMb\x1b[4;1H\x1b"
          "Dc",
          " a|x||c|");
}

static void test_erase(void **state)
{
    static const char full[] = "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd\x1b[2;4H";
    (void)state;
    static const struct {
        const char *sequence, *expected;
    } cases[] = {
        {"\x1b[K", "aaaaaaaaaa|bbb|cccccccccc|dddddddddd|"},
        {"\x1b[1K", "aaaaaaaaaa|    bbbbbb|cccccccccc|dddddddddd|"},
        {"\x1b[2K", "aaaaaaaaaa||cccccccccc|dddddddddd|"},
        {"\x1b[J", "aaaaaaaaaa|bbb|||"},
        {"\x1b[1J", "|    bbbbbb|cccccccccc|dddddddddd|"},
        {"\x1b[2J", "||||"},
        {"\x1b[9J", "aaaaaaaaaa|bbbbbbbbbb|cccccccccc|dddddddddd|"},
        {"\x1b[2X", "aaaaaaaaaa|bbb  bbbbb|cccccccccc|dddddddddd|"},
        {"\x1b[99X", "aaaaaaaaaa|bbb|cccccccccc|dddddddddd|"},
        {"\x1b[2P\x1b[3@", "aaaaaaaaaa|bbb   bbbb|cccccccccc|dddddddddd|"},
        {"\x1b[9999P", "aaaaaaaaaa|bbb|cccccccccc|dddddddddd|"},
        {"\x1b[9999@", "aaaaaaaaaa|bbb|cccccccccc|dddddddddd|"},
        {"\x1b[L", "aaaaaaaaaa||bbbbbbbbbb|cccccccccc|"},
        {"\x1b[2M", "aaaaaaaaaa|dddddddddd|||"},
        {"\x1b[9999L", "aaaaaaaaaa||||"},
        {"\x1b[S", "bbbbbbbbbb|cccccccccc|dddddddddd||"},
        {"\x1b[2T", "||aaaaaaaaaa|bbbbbbbbbb|"},
        {"\x1b[9999S", "||||"},
        {"\x1b"
         "c",
         "||||"},
    };
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        start(COLUMNS, ROWS);
        send(full);
        assert_string_equal(screen(), "aaaaaaaaaa|bbbbbbbbbb|cccccccccc|dddddddddd|");
        send(cases[i].sequence);
        assert_string_equal(screen(), cases[i].expected);
    }
    shows("\x1b[41m\x1b[2J", "||||"); /* with the paper of the pen */
    assert_int_equal(BB_CELL_PAPER(cell(9, 3)), 1);
}

static void test_region(void **state)
{
    (void)state;
    shows("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\nX", "a|c|X|d|");
    shows("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[2;1H\x1bMX", "a|X|b|d|");
    shows("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[4;1H\n\nX", "a|b|c|X|"); /* below it nothing scrolls */
    shows("a\r\nb\r\nc\r\nd\x1b[3;3rX", "a|b|c|dX|");             /* one row is no region */
    shows("a\r\nb\r\nc\r\nd\x1b[9;2rX", "a|b|c|dX|");
    shows("a\r\nb\r\nc\r\nd\x1b[2;99r\x1b[4;1H\nX", "a|c|d|X|");
    shows("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[?6h\x1b[9;2HX\x1b[HY", "a|Y|cX|d|");
    shows("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[1;1H\x1b[L", "a|b|c|d|"); /* outside: nothing */
}

static void test_modes(void **state)
{
    (void)state;
    shows("\x1b[?7l0123456789abc", "012345678c||||");
    shows("\x1b[?7l\x1b[?7h0123456789abc", "0123456789|abc|||");
    start(COLUMNS, ROWS);
    send("\x1b[?25l");
    assert_true(terminal.cursor_hidden);
    send("\x1b[?7;25h");
    assert_false(terminal.cursor_hidden);
    send("\x1b[25l");
    assert_false(terminal.cursor_hidden);
}

static void test_colours(void **state)
{
    (void)state;
    static const struct {
        const char *sequence;
        uint32_t ink, paper;
        bool underlined;
    } cases[] = {
        {"\x1b[31m", 1, 0, false},
        {"\x1b[1;31m", 9, 0, false},
        {"\x1b[31;1;22m", 1, 0, false},
        {"\x1b[34;42m", 4, 2, false},
        {"\x1b[34;42;7m", 2, 4, false},
        {"\x1b[34;42;7;27m", 4, 2, false},
        {"\x1b[95;103m", 13, 11, false},
        {"\x1b[31;42m\x1b[m", 7, 0, false},
        {"\x1b[31;42;39;49m", 7, 0, false},
        {"\x1b[4m", 7, 0, true},
        {"\x1b[4;24m", 7, 0, false},
        {"\x1b[38;5;9m", 9, 0, false},
        {"\x1b[48;5;12;31m", 1, 12, false},
        {"\x1b[38;5;196m", 9, 0, false},
        {"\x1b[38;5;21m", 12, 0, false},
        {"\x1b[38;5;16m", 0, 0, false},
        {"\x1b[38;5;231m", 15, 0, false},
        {"\x1b[38;5;244m", 7, 0, false},
        {"\x1b[38;2;255;0;0;44m", 9, 4, false},
        {"\x1b[38:2:0:255:0m", 10, 0, false},
        {"\x1b[38m", 7, 0, false},
        {"\x1b[38;5m", 0, 0, false},
        {"\x1b[999;31m", 1, 0, false},
    };
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        start(COLUMNS, ROWS);
        send(cases[i].sequence);
        send("x");
        assert_int_equal(BB_CELL_INK(cell(0, 0)), cases[i].ink);
        assert_int_equal(BB_CELL_PAPER(cell(0, 0)), cases[i].paper);
        assert_int_equal(!!(cell(0, 0) & BB_CELL_UNDERLINED), cases[i].underlined);
    }
}

static void test_strange_sequences(void **state)
{
    (void)state;
    shows("\x1b[>0cx", "x||||");
    shows("\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20mx", "x||||");
    shows("\x1b[99999999999999999999Cx", "         x||||");
    shows("\x1b[1$wx", "x||||");
    shows("\x1b[?1049hx", "x||||");
    shows("\x1b]0;title\x07x", "x||||");
    shows("\x1b]0;title\x1b\\x", "x||||");
    shows("\x1bPq#0;stuff\x1b\\x", "x||||");
    shows("\x1b]0;never ends\x1b[31mx", "x||||");
    shows("\x1b(Bx\x1b#8y", "xy||||");
    shows("\x1b[3\x18x", "x||||");
    shows("\x1b\x1b[31mx", "x||||");
    shows("a\x1b[2\bCx", "a x||||"); /* a control within a sequence works at once */
    shows("ab\x1b[3bc", "abbbbc||||");
    shows("\x1b[5bx", "x||||");
    shows("a\x1b[9999b", "aaaaaaaaaa|a|||"); /* as many as a row has, at most */
}

static void test_utf8(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t codes[6];
    } cases[] = {
        {"é", {0xe9}},
        {"€", {0x20ac}},
        {"╬█", {0x256c, 0x2588}},
        {"\xf0\x9f\x98\x80x", {0xfffd, 'x'}},                   /* no glyph */
        {"\xc3", {' '}},                                        /* goes on later */
        {"\xc3x", {0xfffd, 'x'}},                               /* does not */
        {"\x80\xbf", {0xfffd, 0xfffd}},                         /* begins nothing */
        {"\xc0\x80", {0xfffd, 0xfffd}},                         /* overlong */
        {"\xe0\x80\x80", {0xfffd, 0xfffd, 0xfffd}},             /* overlong */
        {"\xed\xa0\x80", {0xfffd, 0xfffd, 0xfffd}},             /* surrogate */
        {"\xf4\x90\x80\x80", {0xfffd, 0xfffd, 0xfffd, 0xfffd}}, /* too high */
        {"\xf0\x9f\xc3\xa9", {0xfffd, 0xe9}},                   /* cut short */
        {"\xff\xfe"
         "a",
         {0xfffd, 0xfffd, 'a'}},
        {"\xc2\x9b"
         "31m",
         {'3', '1', 'm'}}, /* C1 is not obeyed */
        {"\xe2\x82\x1b[1mx", {0xfffd, 'x'}},
    };
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        start(COLUMNS, ROWS);
        send(cases[i].bytes);
        for (uint32_t x = 0; x < 6 && cases[i].codes[x]; x++)
            assert_int_equal(BB_CELL_CODE(cell(x, 0)), cases[i].codes[x]);
    }
    send("\xe2");
    send("\x82");
    send("\xac");
    assert_int_equal(BB_CELL_CODE(cell(terminal.x - 1, 0)), 0x20ac);
}

static void test_dirty(void **state)
{
    (void)state;
    start(COLUMNS, ROWS);
    terminal.dirty_from = ROWS, terminal.dirty_to = 0;
    send("\x1b[3;1Hx");
    assert_int_equal(terminal.dirty_from, 2);
    assert_int_equal(terminal.dirty_to, 3);
    terminal.dirty_from = ROWS, terminal.dirty_to = 0;
    send("\x1b[2;3r\x1b[3;1H\n");
    assert_int_equal(terminal.dirty_from, 1);
    assert_int_equal(terminal.dirty_to, 3);
}

static void test_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {
        {1, 1}, {1, 2}, {2, 1}, {80, 25}, {BB_TERMINAL_COLUMNS, BB_TERMINAL_ROWS}};
    for (size_t i = 0; i < BB_ARRAY_SIZE(sizes); i++) {
        start(sizes[i][0], sizes[i][1]);
        for (unsigned n = 0; n < 300; n++)
            send("wide text that wraps\r\n\x1b[9999;9999H\x1b[2@\x1b[L\x1b[5P\t\t\x1bM");
        send("\x1b[2J\x1b[9999;9999Hx");
        assert_int_equal(BB_CELL_CODE(cell(terminal.columns - 1u, terminal.rows - 1u)), 'x');
    }
}

/* ---- The font ---- */

static void test_glyphs(void **state)
{
    uint8_t scratch[2][BB_FONT_HEIGHT];
    (void)state;
    assert_true(bb_font_has('A') && bb_font_has(0xff) && bb_font_has(0x2500) &&
                bb_font_has(0x259f) && bb_font_has(0xfffd));
    assert_false(bb_font_has(0x1f) || bb_font_has(0x7f) || bb_font_has(0x9f) ||
                 bb_font_has(0x4e00) || bb_font_has(0x301) || bb_font_has(0x25a0) ||
                 bb_font_has(0x10041) || bb_font_has(UINT32_MAX));
    assert_ptr_equal(bb_font_rows(0x4e00, scratch[0]), bb_font_rows(0xfffd, scratch[0]));
    /* No two look the same, but for those that are meant to. */
    for (uint32_t a = 0x20; a < 0x25a0; a++)
        for (uint32_t b = a + 1; bb_font_has(a) && b < 0x25a0; b++) {
            if (!bb_font_has(b))
                continue;
            bool same = memcmp(bb_font_rows(a, scratch[0]), bb_font_rows(b, scratch[1]),
                               BB_FONT_HEIGHT) == 0;
            bool meant = (a == ' ' && b == 0xa0) || (a == '-' && (b == 0xad || b == 0x2013)) ||
                         (a == 0xad && b == 0x2013);
            if (same != meant)
                fail_msg("U+%04X and U+%04X: %s", a, b, same ? "the same" : "not the same");
        }
}

/* Lines reach the edges that they have an arm to, so that they meet the next cell's. */
static void test_lines_meet(void **state)
{
    (void)state;
    for (uint32_t code = 0x2500; code < 0x2571; code++) {
        uint8_t scratch[BB_FONT_HEIGHT];
        const uint8_t *rows = bb_font_rows(code, scratch);
        uint8_t left = 0, right = 0;
        for (unsigned y = 0; y < BB_FONT_HEIGHT; y++) {
            left |= rows[y] & 0x80;
            right |= rows[y] & 1;
        }
        int arms = (left != 0) + (right != 0) + (rows[0] != 0) + (rows[15] != 0);
        bool dashed = (code >= 0x2504 && code <= 0x250b) || (code >= 0x254c && code <= 0x254f);
        int wanted = code == 0x256c || (code >= 0x253c && code <= 0x254b)                       ? 4
                     : code >= 0x256a && code <= 0x256b                                         ? 4
                     : (code >= 0x251c && code <= 0x253b) || (code >= 0x255e && code <= 0x2569) ? 3
                                                                                                : 2;
        if (!dashed)
            assert_int_equal(arms, wanted);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_erase),
        cmocka_unit_test(test_region),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_strange_sequences),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_dirty),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_glyphs),
        cmocka_unit_test(test_lines_meet),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
