/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Box drawing and block elements (the Unicode Standard, charts U+2500 and U+2580), made from what
 * they are: arms from the middle of the cell to its edges, and rectangles. Lines meet those of the
 * next cell.
 */
#include <string.h>

#include "font_box.h"

enum { BOX = 0x2500, BLOCKS = 0x2580 };
enum { LEFT, RIGHT, UP, DOWN };
enum { NONE, LIGHT, HEAVY, DOUBLE };
enum { MIDDLE_X = 3, MIDDLE_Y = 7 }; /* of a light line; the two of a double one lie beside it */

/* How heavy the arms are: two bits for each of left, right, up, down. */
static const uint8_t arms[128] = {
    0x05, 0x0a, 0x50, 0xa0, 0x05, 0x0a, 0x50, 0xa0, 0x05, 0x0a, 0x50, 0xa0, 0x44, 0x48, 0x84, 0x88,
    0x41, 0x42, 0x81, 0x82, 0x14, 0x18, 0x24, 0x28, 0x11, 0x12, 0x21, 0x22, 0x54, 0x58, 0x64, 0x94,
    0xa4, 0x68, 0x98, 0xa8, 0x51, 0x52, 0x61, 0x91, 0xa1, 0x62, 0x92, 0xa2, 0x45, 0x46, 0x49, 0x4a,
    0x85, 0x86, 0x89, 0x8a, 0x15, 0x16, 0x19, 0x1a, 0x25, 0x26, 0x29, 0x2a, 0x55, 0x56, 0x59, 0x5a,
    0x65, 0x95, 0xa5, 0x66, 0x69, 0x96, 0x99, 0x6a, 0x9a, 0xa6, 0xa9, 0xaa, 0x05, 0x0a, 0x50, 0xa0,
    0x0f, 0xf0, 0x4c, 0xc4, 0xcc, 0x43, 0xc1, 0xc3, 0x1c, 0x34, 0x3c, 0x13, 0x31, 0x33, 0x5c, 0xf4,
    0xfc, 0x53, 0xf1, 0xf3, 0x4f, 0xc5, 0xcf, 0x1f, 0x35, 0x3f, 0x5f, 0xf5, 0xff, 0x44, 0x41, 0x11,
    0x14, 0x00, 0x00, 0x00, 0x01, 0x10, 0x04, 0x40, 0x02, 0x20, 0x08, 0x80, 0x09, 0x90, 0x06, 0x60,
};

static void fill(uint8_t rows[BB_FONT_HEIGHT], int left, int top, int right, int bottom)
{
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            rows[y] |= (uint8_t)(0x80 >> x);
}

static int weight(uint8_t shape, int arm)
{
    return shape >> 2 * arm & 3;
}

/* How far a line of an arm reaches: -1 to the nearer line of a double one across, 1 to the farther
 * one, 0 to the middle. `offset`: which line of a double arm it is, 0: the only one. */
static int reach(uint8_t shape, int arm, int offset)
{
    int across = arm < UP ? UP : LEFT; /* and the arm after it */
    int before = weight(shape, across), after = weight(shape, across + 1);
    bool goes_on = weight(shape, arm ^ 1);
    if (offset == 0) {
        if (goes_on || (before != DOUBLE && after != DOUBLE))
            return 0;
        return before == after ? -1 : 1;
    }
    int beside = offset < 0 ? before : after, opposite = offset < 0 ? after : before;
    if (beside == DOUBLE)
        return -1;
    return beside || goes_on || opposite != DOUBLE ? 0 : 1;
}

/* One line of an arm, `thick` pixels. */
static void draw_line(uint8_t rows[BB_FONT_HEIGHT], uint8_t shape, int arm, int offset, int thick)
{
    int end = reach(shape, arm, offset);
    int x = MIDDLE_X + offset, y = MIDDLE_Y + offset;
    switch (arm) {
    case LEFT:
        fill(rows, 0, y, MIDDLE_X + end + thick, y + thick);
        break;
    case RIGHT:
        fill(rows, MIDDLE_X - end, y, BB_FONT_WIDTH, y + thick);
        break;
    case UP:
        fill(rows, x, 0, x + thick, MIDDLE_Y + end + thick);
        break;
    default:
        fill(rows, x, MIDDLE_Y - end, x + thick, BB_FONT_HEIGHT);
        break;
    }
}

static void draw_arms(uint8_t rows[BB_FONT_HEIGHT], uint8_t shape)
{
    for (int arm = LEFT; arm <= DOWN; arm++) {
        int heavy = weight(shape, arm);
        if (heavy == DOUBLE) {
            draw_line(rows, shape, arm, -1, 1);
            draw_line(rows, shape, arm, 1, 1);
        } else if (heavy) {
            draw_line(rows, shape, arm, 0, heavy);
        }
    }
}

/* Lines of three, four and two dashes: what is left of whole ones. */
static void cut_dashes(uint32_t code, uint8_t rows[BB_FONT_HEIGHT])
{
    static const uint8_t across[] = {0xdb, 0xaa, 0xee}, down[] = {5, 4, 8};
    size_t kind = code >= 0x254c ? 2 : code >= 0x2508 ? 1 : 0;
    for (unsigned y = 0; y < BB_FONT_HEIGHT; y++) {
        if (code & 2)
            rows[y] = y % down[kind] == down[kind] - 1u ? 0 : rows[y];
        else
            rows[y] &= across[kind];
    }
}

static void draw_box(uint32_t code, uint8_t rows[BB_FONT_HEIGHT])
{
    draw_arms(rows, arms[code - BOX]);
    if ((code >= 0x2504 && code <= 0x250b) || (code >= 0x254c && code <= 0x254f))
        cut_dashes(code, rows);
    else if (code >= 0x256d && code <= 0x2570) /* a corner that is round */
        rows[MIDDLE_Y] &= (uint8_t) ~(0x80 >> MIDDLE_X);
    for (int y = 0; y < BB_FONT_HEIGHT; y++) {
        if (code == 0x2571 || code == 0x2573)
            rows[y] |= (uint8_t)(1 << y / 2);
        if (code == 0x2572 || code == 0x2573)
            rows[y] |= (uint8_t)(0x80 >> y / 2);
    }
}

static void draw_shade(uint32_t code, uint8_t rows[BB_FONT_HEIGHT])
{
    static const uint8_t shades[3][2] = {{0x88, 0x22}, {0xaa, 0x55}, {0x77, 0xdd}};
    for (int y = 0; y < BB_FONT_HEIGHT; y++)
        rows[y] = shades[code - 0x2591][y & 1];
}

static void draw_quarters(uint32_t code, uint8_t rows[BB_FONT_HEIGHT])
{
    /* Bits: upper left, upper right, lower left, lower right. */
    static const uint8_t quarters[] = {4, 8, 1, 13, 9, 7, 11, 2, 6, 14};
    uint8_t wanted = quarters[code - 0x2596];
    for (int i = 0; i < 4; i++)
        if (wanted >> i & 1)
            fill(rows, i % 2 * 4, i / 2 * 8, i % 2 * 4 + 4, i / 2 * 8 + 8);
}

static void draw_block(uint32_t code, uint8_t rows[BB_FONT_HEIGHT])
{
    int eighths = (int)code - BLOCKS;
    if (eighths == 0)
        fill(rows, 0, 0, 8, 8);
    else if (eighths <= 8)
        fill(rows, 0, 16 - 2 * eighths, 8, 16);
    else if (eighths <= 15)
        fill(rows, 0, 0, 16 - eighths, 16);
    else if (eighths == 16)
        fill(rows, 4, 0, 8, 16);
    else if (eighths <= 19)
        draw_shade(code, rows);
    else if (eighths == 20)
        fill(rows, 0, 0, 8, 2);
    else if (eighths == 21)
        fill(rows, 7, 0, 8, 16);
    else
        draw_quarters(code, rows);
}

void bb_font_box(uint32_t code, uint8_t rows[BB_FONT_HEIGHT])
{
    memset(rows, 0, BB_FONT_HEIGHT);
    if (code < BLOCKS)
        draw_box(code, rows);
    else
        draw_block(code, rows);
}
