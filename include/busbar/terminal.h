/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal as a grid of cells: takes UTF-8 with the control sequences of ECMA-48 that programs
 * use (cursor, erase, insert and delete, scroll region, colours), and keeps what a screen would
 * show. Somebody else draws it: rows from `dirty_from` to before `dirty_to` have changed.
 *
 *     struct bb_terminal terminal;
 *     bb_terminal_start(&terminal, 80, 25, memory);  // bb_terminal_memory(80, 25) bytes, aligned 4
 *     bb_terminal_write(&terminal, "\x1b[31mred", 8);
 *     uint32_t cell = bb_terminal_row(&terminal, 0)[2];
 *     BB_CELL_CODE(cell) == 'd', BB_CELL_INK(cell) == 1
 *
 * It takes any bytes: what is malformed shows as U+FFFD or not at all. It never answers. Nothing
 * here may be called while another call on the same terminal is under way.
 */
#ifndef BUSBAR_TERMINAL_H
#define BUSBAR_TERMINAL_H

#include <busbar/base.h>

#define BB_TERMINAL_COLUMNS 512 /* at most */
#define BB_TERMINAL_ROWS 256
#define BB_TERMINAL_PARAMETERS 16 /* of one sequence; more are read and dropped */

/* A cell: code point (of the basic plane; the font has it), colours 0 to 15, and how it looks. */
#define BB_CELL_CODE(cell) ((cell)&0xffff)
#define BB_CELL_INK(cell)                                                                          \
    ((cell) >> 16 & 15)                         /* black, red, green, yellow, blue, magenta, cyan, \
                                                 */
#define BB_CELL_PAPER(cell) ((cell) >> 20 & 15) /* white, and from 8 on the same, bright */
#define BB_CELL_UNDERLINED (1u << 24)
#define BB_CELL_CURSOR (1u << 25) /* never set in the grid: free for who draws */

struct bb_terminal_pen {
    uint8_t ink, paper;
    bool bold, underlined, reversed;
};

struct bb_terminal {
    uint16_t columns, rows;
    uint16_t x, y; /* the cursor; x may stand behind the last column until the next character */
    uint16_t dirty_from, dirty_to;
    bool cursor_hidden;
    /* The rest is for bb_terminal_*() alone. */
    uint32_t *cells; /* rows in memory, in any order */
    uint8_t *lines;  /* which row in memory is shown where */
    uint32_t style;  /* of the pen, as in a cell */
    struct bb_terminal_pen pen;
    uint16_t top, bottom; /* scroll region, the last row included */
    bool no_wrap, origin; /* modes: the cursor stays in the last column; it counts from `top` */
    struct {
        uint16_t x, y;
        struct bb_terminal_pen pen;
    } saved;
    uint8_t state;
    bool foreign; /* a sequence with a mark or an intermediate byte that nobody knows */
    char mark;    /* '?' of a private one */
    uint8_t parameter_count;
    uint16_t parameters[BB_TERMINAL_PARAMETERS];
    uint32_t code,
        lowest;      /* a character that is under way, and the lowest that its length allows */
    uint8_t missing; /* bytes of it */
    uint16_t last;   /* character written, for REP */
};

/* Bytes for a grid of this size. */
static inline size_t bb_terminal_memory(uint32_t columns, uint32_t rows)
{
    return (size_t)rows * columns * 4 + rows;
}
/* Empty, white on black, cursor at the top left, everything dirty. 1 to BB_TERMINAL_COLUMNS by 1 to
 * BB_TERMINAL_ROWS. */
void bb_terminal_start(struct bb_terminal *terminal, uint32_t columns, uint32_t rows, void *memory);
/* Takes all of it; a byte costs at most one pass over the grid. */
void bb_terminal_write(struct bb_terminal *terminal, const char *data, size_t size);
/* The cells of a row that is shown. */
static inline const uint32_t *bb_terminal_row(const struct bb_terminal *terminal, uint32_t row)
{
    return terminal->cells + (size_t)terminal->lines[row] * terminal->columns;
}

#endif
