/* SPDX-License-Identifier: BSD-2-Clause */
/* Glyphs that are geometry: U+2500 to U+259F. */
#ifndef SUBSYS_FONT_BOX_H
#define SUBSYS_FONT_BOX_H

#include <busbar/font.h>

static inline bool bb_font_is_box(uint32_t code)
{
    return code - 0x2500 < 0xa0;
}
void bb_font_box(uint32_t code, uint8_t rows[BB_FONT_HEIGHT]);

#endif
