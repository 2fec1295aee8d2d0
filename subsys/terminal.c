/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Terminal emulation (ECMA-48; DEC's private modes as in the VT100's manual; UTF-8 after the
 * Unicode Standard, table 3-7). Scrolling turns the order of the lines and moves no cell.
 */
#include <string.h>

#include <busbar/font.h>
#include <busbar/terminal.h>

#include "terminal_colour.h"

enum { GROUND, ESCAPE, SKIP_ONE, SEQUENCE, STRING, STRING_ESCAPE }; /* states */
enum { TAB = 8 };
enum { ESC = 0x1b, CAN = 0x18, SUB = 0x1a, BEL = 0x07, DEL = 0x7f };
enum { MOST = 9999 }; /* a parameter; what is above counts as that */

static uint32_t *row_of(struct bb_terminal *terminal, uint32_t y)
{
    return terminal->cells + (size_t)terminal->lines[y] * terminal->columns;
}

static void touch(struct bb_terminal *terminal, uint32_t from, uint32_t to)
{
    if (from < terminal->dirty_from)
        terminal->dirty_from = (uint16_t)from;
    if (to > terminal->dirty_to)
        terminal->dirty_to = (uint16_t)to;
}

static uint32_t style_of(const struct bb_terminal_pen *pen)
{
    uint32_t ink = pen->ink, paper = pen->paper;
    if (pen->bold && ink < BRIGHT)
        ink += BRIGHT;
    uint32_t style = pen->reversed ? paper << 16 | ink << 20 : ink << 16 | paper << 20;
    return style | (pen->underlined ? BB_CELL_UNDERLINED : 0);
}

/* What erased cells hold: the paper of the pen. */
static uint32_t blank(const struct bb_terminal *terminal)
{
    const struct bb_terminal_pen bare = {.ink = WHITE, .paper = terminal->pen.paper};
    return style_of(&bare) | ' ';
}

static void erase(struct bb_terminal *terminal, uint32_t y, uint32_t from, uint32_t to)
{
    uint32_t *cells = row_of(terminal, y), empty = blank(terminal);
    for (uint32_t x = from; x < to; x++)
        cells[x] = empty;
    touch(terminal, y, y + 1);
}

static void erase_rows(struct bb_terminal *terminal, uint32_t from, uint32_t to)
{
    for (uint32_t y = from; y < to; y++)
        erase(terminal, y, 0, terminal->columns);
}

/* Moves the rows from `top` to the end of the region up, or down; what comes in is empty. */
static void scroll(struct bb_terminal *terminal, uint32_t top, uint32_t count, bool up)
{
    uint8_t moved[BB_TERMINAL_ROWS], *lines = &terminal->lines[top];
    uint32_t rows = terminal->bottom - top + 1u;
    if (count > rows)
        count = rows;
    uint32_t stay = rows - count;
    memcpy(moved, up ? lines : lines + stay, count);
    memmove(up ? lines : lines + count, up ? lines + count : lines, stay);
    memcpy(up ? lines + stay : lines, moved, count);
    touch(terminal, top, top + rows);
    uint32_t first = up ? top + stay : top;
    erase_rows(terminal, first, first + count);
}

static void move_to(struct bb_terminal *terminal, int32_t x, int32_t y)
{
    int32_t last = terminal->columns - 1, lowest = terminal->rows - 1;
    terminal->x = (uint16_t)(x < 0 ? 0 : x > last ? last : x);
    terminal->y = (uint16_t)(y < 0 ? 0 : y > lowest ? lowest : y);
}

/* Up and down the cursor stays within the region that it is in. */
static void move_down(struct bb_terminal *terminal, int32_t count)
{
    int32_t y = terminal->y, to = y + count;
    if (y <= terminal->bottom && to > terminal->bottom)
        to = terminal->bottom;
    if (y >= terminal->top && to < terminal->top)
        to = terminal->top;
    move_to(terminal, terminal->x, to);
}

static void line_feed(struct bb_terminal *terminal)
{
    if (terminal->y == terminal->bottom)
        scroll(terminal, terminal->top, 1, true);
    else if (terminal->y + 1u < terminal->rows)
        terminal->y++;
}

static void reverse_line_feed(struct bb_terminal *terminal)
{
    if (terminal->y == terminal->top)
        scroll(terminal, terminal->top, 1, false);
    else if (terminal->y)
        terminal->y--;
}

static void put(struct bb_terminal *terminal, uint32_t code)
{
    if (terminal->x >= terminal->columns) {
        if (terminal->no_wrap) {
            terminal->x = (uint16_t)(terminal->columns - 1);
        } else {
            terminal->x = 0;
            line_feed(terminal);
        }
    }
    row_of(terminal, terminal->y)[terminal->x++] = terminal->style | code;
    terminal->last = (uint16_t)code;
    touch(terminal, terminal->y, terminal->y + 1u);
}

static void put_code(struct bb_terminal *terminal, uint32_t code)
{
    if (code >= 0x80 && code < 0xa0)
        return; /* C1 controls: not in UTF-8 */
    put(terminal, bb_font_has(code) ? code : BB_FONT_REPLACEMENT);
}

/* ---- Sequences ---- */

static void save(struct bb_terminal *terminal)
{
    terminal->saved.x = terminal->x;
    terminal->saved.y = terminal->y;
    terminal->saved.pen = terminal->pen;
}

static void restore(struct bb_terminal *terminal)
{
    move_to(terminal, terminal->saved.x, terminal->saved.y);
    terminal->pen = terminal->saved.pen;
    terminal->style = style_of(&terminal->pen);
}

static void reset(struct bb_terminal *terminal)
{
    terminal->pen = (struct bb_terminal_pen){.ink = WHITE, .paper = BLACK};
    terminal->style = style_of(&terminal->pen);
    terminal->x = terminal->y = terminal->top = 0;
    terminal->bottom = (uint16_t)(terminal->rows - 1);
    terminal->no_wrap = terminal->origin = terminal->cursor_hidden = false;
    save(terminal);
    erase_rows(terminal, 0, terminal->rows);
}

void bb_terminal_start(struct bb_terminal *terminal, uint32_t columns, uint32_t rows, void *memory)
{
    *terminal = (struct bb_terminal){.columns = (uint16_t)columns, .rows = (uint16_t)rows};
    terminal->cells = memory;
    terminal->lines = (uint8_t *)(terminal->cells + (size_t)columns * rows);
    for (uint32_t y = 0; y < rows; y++)
        terminal->lines[y] = (uint8_t)y;
    reset(terminal);
    touch(terminal, 0, rows);
}

/* Parameter `index`, where 0 or none stands for `otherwise`. */
static uint32_t parameter(const struct bb_terminal *terminal, unsigned index, uint32_t otherwise)
{
    uint32_t value = index < terminal->parameter_count ? terminal->parameters[index] : 0;
    return value ? value : otherwise;
}

/* 38 and 48: `5;n` or `2;r;g;b` follow. Returns how many parameters that takes. */
static unsigned extended(const struct bb_terminal *terminal, unsigned at, uint8_t *colour)
{
    uint32_t kind = parameter(terminal, at, 0);
    if (kind == 5) {
        *colour = bb_terminal_palette(parameter(terminal, at + 1, 0) & 0xff);
        return 2;
    }
    if (kind != 2)
        return 1;
    *colour = bb_terminal_nearest((parameter(terminal, at + 1, 0) & 0xff) / 43,
                                  (parameter(terminal, at + 2, 0) & 0xff) / 43,
                                  (parameter(terminal, at + 3, 0) & 0xff) / 43);
    return 4;
}

static void select_rendition(struct bb_terminal *terminal)
{
    struct bb_terminal_pen *pen = &terminal->pen;
    for (unsigned i = 0; i == 0 || i < terminal->parameter_count; i++) {
        uint32_t value = parameter(terminal, i, 0);
        if (value == 0)
            *pen = (struct bb_terminal_pen){.ink = WHITE, .paper = BLACK};
        else if (value == 1 || value == 22)
            pen->bold = value == 1;
        else if (value == 4 || value == 24)
            pen->underlined = value == 4;
        else if (value == 7 || value == 27)
            pen->reversed = value == 7;
        else if (value >= 30 && value <= 37)
            pen->ink = (uint8_t)(value - 30);
        else if (value >= 40 && value <= 47)
            pen->paper = (uint8_t)(value - 40);
        else if (value >= 90 && value <= 97)
            pen->ink = (uint8_t)(value - 90 + BRIGHT);
        else if (value >= 100 && value <= 107)
            pen->paper = (uint8_t)(value - 100 + BRIGHT);
        else if (value == 38 || value == 48)
            i += extended(terminal, i + 1, value == 38 ? &pen->ink : &pen->paper);
        else if (value == 39)
            pen->ink = WHITE;
        else if (value == 49)
            pen->paper = BLACK;
    }
    terminal->style = style_of(pen);
}

static void set_modes(struct bb_terminal *terminal, bool on)
{
    for (unsigned i = 0; i < terminal->parameter_count; i++) {
        uint32_t mode = terminal->parameters[i];
        if (mode == 6) {
            terminal->origin = on;
            move_to(terminal, 0, on ? terminal->top : 0);
        } else if (mode == 7) {
            terminal->no_wrap = !on;
        } else if (mode == 25) {
            terminal->cursor_hidden = !on;
        }
    }
}

static void erase_display(struct bb_terminal *terminal, uint32_t what)
{
    uint32_t x = terminal->x, y = terminal->y, columns = terminal->columns;
    if (what == 0) {
        erase(terminal, y, x, columns);
        erase_rows(terminal, y + 1, terminal->rows);
    } else if (what == 1) {
        erase_rows(terminal, 0, y);
        erase(terminal, y, 0, x < columns ? x + 1 : columns);
    } else if (what == 2) {
        erase_rows(terminal, 0, terminal->rows);
    }
}

static void erase_line(struct bb_terminal *terminal, uint32_t what)
{
    uint32_t columns = terminal->columns, x = terminal->x < columns ? terminal->x : columns - 1;
    if (what <= 2)
        erase(terminal, terminal->y, what == 0 ? x : 0, what == 1 ? x + 1 : columns);
}

/* Opens a gap of so many cells at the cursor, or takes as many out. */
static void shift_cells(struct bb_terminal *terminal, uint32_t count, bool open)
{
    uint32_t columns = terminal->columns, x = terminal->x < columns ? terminal->x : columns - 1;
    uint32_t *cells = row_of(terminal, terminal->y) + x, rest = columns - x;
    if (count > rest)
        count = rest;
    size_t bytes = (rest - count) * sizeof(*cells);
    if (open)
        memmove(cells + count, cells, bytes);
    else
        memmove(cells, cells + count, bytes);
    uint32_t from = open ? x : columns - count;
    erase(terminal, terminal->y, from, from + count);
}

static void shift_rows(struct bb_terminal *terminal, uint32_t count, bool open)
{
    if (terminal->y < terminal->top || terminal->y > terminal->bottom)
        return;
    scroll(terminal, terminal->y, count, !open);
    terminal->x = 0;
}

static void set_region(struct bb_terminal *terminal)
{
    uint32_t top = parameter(terminal, 0, 1), bottom = parameter(terminal, 1, terminal->rows);
    if (bottom > terminal->rows)
        bottom = terminal->rows;
    if (top >= bottom)
        return;
    terminal->top = (uint16_t)(top - 1);
    terminal->bottom = (uint16_t)(bottom - 1);
    move_to(terminal, 0, terminal->origin ? terminal->top : 0);
}

static void place(struct bb_terminal *terminal)
{
    int32_t y = (int32_t)parameter(terminal, 0, 1) - 1 + (terminal->origin ? terminal->top : 0);
    if (terminal->origin && y > terminal->bottom)
        y = terminal->bottom;
    move_to(terminal, (int32_t)parameter(terminal, 1, 1) - 1, y);
}

static void repeat(struct bb_terminal *terminal, uint32_t count)
{
    for (uint32_t i = 0; terminal->last && i < count && i < terminal->columns; i++)
        put(terminal, terminal->last);
}

static void run_sequence(struct bb_terminal *terminal, char final)
{
    uint32_t number = parameter(terminal, 0, 1);
    int32_t count = (int32_t)number;
    int32_t x = terminal->x, y = terminal->y;
    if (terminal->foreign)
        return;
    if (terminal->mark) {
        if (terminal->mark == '?' && (final == 'h' || final == 'l'))
            set_modes(terminal, final == 'h');
        return;
    }
    if (x == terminal->columns && final != 'm')
        x--;
    if (final == 'A')
        move_down(terminal, -count);
    else if (final == 'B' || final == 'e')
        move_down(terminal, count);
    else if (final == 'C' || final == 'a')
        move_to(terminal, x + count, y);
    else if (final == 'D')
        move_to(terminal, x - count, y);
    else if (final == 'E' || final == 'F')
        move_down(terminal, final == 'E' ? count : -count), terminal->x = 0;
    else if (final == 'G' || final == '`')
        move_to(terminal, count - 1, y);
    else if (final == 'd')
        move_to(terminal, x, count - 1);
    else if (final == 'H' || final == 'f')
        place(terminal);
    else if (final == 'J')
        erase_display(terminal, parameter(terminal, 0, 0));
    else if (final == 'K')
        erase_line(terminal, parameter(terminal, 0, 0));
    else if (final == 'X')
        erase(terminal, (uint32_t)y, (uint32_t)x,
              x + count < terminal->columns ? (uint32_t)(x + count) : terminal->columns);
    else if (final == '@' || final == 'P')
        shift_cells(terminal, number, final == '@');
    else if (final == 'L' || final == 'M')
        shift_rows(terminal, number, final == 'L');
    else if (final == 'S' || final == 'T')
        scroll(terminal, terminal->top, number, final == 'S');
    else if (final == 'b')
        repeat(terminal, number);
    else if (final == 'm')
        select_rendition(terminal);
    else if (final == 'r')
        set_region(terminal);
    else if (final == 's')
        save(terminal);
    else if (final == 'u')
        restore(terminal);
}

static void begin_sequence(struct bb_terminal *terminal)
{
    terminal->state = SEQUENCE;
    terminal->foreign = false;
    terminal->mark = '\0';
    terminal->parameter_count = 0;
    terminal->parameters[0] = 0;
}

/* A byte of a sequence after "ESC [". */
static void take_sequence(struct bb_terminal *terminal, char c)
{
    if ((c >= '0' && c <= '9') || c == ';' || c == ':') {
        if (!terminal->parameter_count)
            terminal->parameter_count = 1;
        unsigned at = terminal->parameter_count - 1u;
        if (c >= '0' && c <= '9') {
            uint32_t value = at < BB_TERMINAL_PARAMETERS
                                 ? terminal->parameters[at] * 10u + (uint32_t)(c - '0')
                                 : 0;
            if (at < BB_TERMINAL_PARAMETERS)
                terminal->parameters[at] = (uint16_t)(value > MOST ? MOST : value);
            return;
        }
        if (at < BB_TERMINAL_PARAMETERS)
            terminal->parameter_count++;
        if (at + 1 < BB_TERMINAL_PARAMETERS)
            terminal->parameters[at + 1] = 0;
    } else if (c >= '<' && c <= '?') {
        terminal->foreign |= terminal->parameter_count || terminal->mark;
        terminal->mark = c;
    } else if (c >= ' ' && c <= '/') {
        terminal->foreign = true;
    } else {
        terminal->state = GROUND;
        if (terminal->parameter_count > BB_TERMINAL_PARAMETERS)
            terminal->parameter_count = BB_TERMINAL_PARAMETERS;
        if (c >= '@' && c <= '~')
            run_sequence(terminal, c);
    }
}

/* The byte after ESC. */
static void take_escape(struct bb_terminal *terminal, char c)
{
    terminal->state = GROUND;
    switch (c) {
    case '[':
        begin_sequence(terminal);
        break;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        terminal->state = STRING;
        break;
    case '7':
        save(terminal);
        break;
    case '8':
        restore(terminal);
        break;
    case 'D':
        line_feed(terminal);
        break;
    case 'E':
        terminal->x = 0;
        line_feed(terminal);
        break;
    case 'M':
        reverse_line_feed(terminal);
        break;
    case 'c':
        reset(terminal);
        break;
    default:
        if (c >= ' ' && c <= '/')
            terminal->state = SKIP_ONE; /* a character set, and the like */
        break;
    }
}

/* ---- Bytes ---- */

static void take_control(struct bb_terminal *terminal, char c)
{
    switch (c) {
    case '\b':
        if (terminal->x == terminal->columns)
            terminal->x--;
        if (terminal->x)
            terminal->x--;
        break;
    case '\t':
        move_to(terminal, (terminal->x / TAB + 1) * TAB, terminal->y);
        break;
    case '\n':
    case '\v':
    case '\f':
        line_feed(terminal);
        break;
    case '\r':
        terminal->x = 0;
        break;
    case ESC:
        terminal->state = ESCAPE;
        break;
    case CAN:
    case SUB:
        terminal->state = GROUND;
        break;
    default:
        break;
    }
}

/* Begins a character of several bytes, or finds that none begins so. */
static void begin_code(struct bb_terminal *terminal, uint8_t byte)
{
    if (byte >= 0xc2 && byte < 0xe0)
        terminal->missing = 1;
    else if (byte >= 0xe0 && byte < 0xf0)
        terminal->missing = 2;
    else if (byte >= 0xf0 && byte < 0xf5)
        terminal->missing = 3;
    else
        put_code(terminal, BB_FONT_REPLACEMENT);
    terminal->code = byte & (0x3fu >> terminal->missing);
    terminal->lowest = terminal->missing == 2 ? 0x800 : terminal->missing == 3 ? 0x10000 : 0x80;
}

/* False when the byte does not go on with the character: that one is over then, and malformed. */
static bool continue_code(struct bb_terminal *terminal, uint8_t byte)
{
    uint32_t code = terminal->code << 6 | (byte & 0x3f);
    /* The lowest and highest that can still come of it: overlong, surrogate and too high end it. */
    uint32_t low = code << 6 * (terminal->missing - 1),
             high = low | ((1u << 6 * (terminal->missing - 1)) - 1);
    bool valid = (byte & 0xc0) == 0x80 && high >= terminal->lowest && low <= 0x10ffff &&
                 !(low >= 0xd800 && low < 0xe000);
    terminal->missing = valid ? (uint8_t)(terminal->missing - 1) : 0;
    terminal->code = code;
    if (!valid)
        put_code(terminal, BB_FONT_REPLACEMENT);
    else if (!terminal->missing)
        put_code(terminal, code);
    return valid;
}

static void take_text(struct bb_terminal *terminal, uint8_t byte)
{
    if (terminal->missing && continue_code(terminal, byte))
        return;
    if (byte < ' ')
        take_control(terminal, (char)byte);
    else if (byte >= 0x80)
        begin_code(terminal, byte);
    else if (byte != DEL)
        put(terminal, byte);
}

static void take_string(struct bb_terminal *terminal, char c)
{
    if (c == BEL || c == CAN || c == SUB || (terminal->state == STRING_ESCAPE && c == '\\'))
        terminal->state = GROUND;
    else if (terminal->state == STRING_ESCAPE && c != ESC)
        take_escape(terminal, c);
    else
        terminal->state = c == ESC ? STRING_ESCAPE : STRING;
}

static void take(struct bb_terminal *terminal, char c)
{
    switch (terminal->state) {
    case STRING:
    case STRING_ESCAPE:
        take_string(terminal, c);
        return;
    case GROUND:
        take_text(terminal, (uint8_t)c);
        return;
    default:
        break;
    }
    if ((uint8_t)c < ' ') {
        take_control(terminal, c);
        return;
    }
    if (terminal->state == ESCAPE) {
        take_escape(terminal, c);
    } else if (terminal->state == SEQUENCE) {
        take_sequence(terminal, c);
    } else {
        terminal->state = GROUND;
    }
}

static bool is_plain(uint8_t byte)
{
    return byte >= ' ' && byte < DEL;
}

/* As many as there are of what nearly everything is, up to the end of the row. Returns how many. */
static size_t put_run(struct bb_terminal *terminal, const char *data, size_t size)
{
    size_t count = 0, room = (size_t)(terminal->columns - terminal->x);
    uint32_t *cells = row_of(terminal, terminal->y) + terminal->x, style = terminal->style;
    if (size > room)
        size = room;
    for (; count < size && is_plain((uint8_t)data[count]); count++)
        cells[count] = style | (uint8_t)data[count];
    if (count) {
        terminal->x = (uint16_t)(terminal->x + count);
        terminal->last = (uint8_t)data[count - 1];
        touch(terminal, terminal->y, terminal->y + 1u);
    }
    return count;
}

void bb_terminal_write(struct bb_terminal *terminal, const char *data, size_t size)
{
    while (size > 0) {
        size_t taken = 0;
        if (terminal->state == GROUND && !terminal->missing)
            taken = put_run(terminal, data, size);
        if (!taken) {
            take(terminal, *data);
            taken = 1;
        }
        data += taken;
        size -= taken;
    }
}
