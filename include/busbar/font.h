/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The font of text screens: ASCII, Latin-1, the box drawing and block elements of Unicode, and a
 * few signs more. Every context; nothing changes.
 *
 *     uint8_t scratch[BB_FONT_HEIGHT];
 *     const uint8_t *rows = bb_font_rows(0x2554, scratch);   // a corner of two lines
 *     bool set = rows[y] & 0x80 >> x;
 */
#ifndef BUSBAR_FONT_H
#define BUSBAR_FONT_H

#include <busbar/base.h>

#define BB_FONT_WIDTH 8 /* pixels */
#define BB_FONT_HEIGHT 16
#define BB_FONT_REPLACEMENT 0xfffd /* U+FFFD, for what there is no glyph for */

bool bb_font_has(uint32_t code);
/* The glyph of a code point, or the replacement: a byte for each row, the leftmost pixel in bit 7.
 * It stands in a table, or in `scratch` until that is used again. */
const uint8_t *bb_font_rows(uint32_t code, uint8_t scratch[BB_FONT_HEIGHT]);

#endif
