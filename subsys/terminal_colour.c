/* SPDX-License-Identifier: BSD-2-Clause */
/* More colours than sixteen, as the nearest of these (xterm's palette of 256). */
#include "terminal_colour.h"

uint8_t bb_terminal_nearest(uint32_t red, uint32_t green, uint32_t blue)
{
    uint32_t most = red > green ? red : green;
    most = most > blue ? most : blue;
    if (most < 2)
        return most ? BRIGHT : BLACK;
    uint32_t half = (most + 1) / 2 + (most > 3);
    uint32_t mixed = (red >= half ? 1u : 0u) | (green >= half ? 2u : 0u) | (blue >= half ? 4u : 0u);
    return (uint8_t)(mixed | (most == 5 ? BRIGHT : 0u));
}

uint8_t bb_terminal_palette(uint32_t number)
{
    if (number < 16)
        return (uint8_t)number;
    if (number < 232)
        return bb_terminal_nearest((number - 16) / 36, (number - 16) / 6 % 6, (number - 16) % 6);
    return number < 238 ? BLACK : number < 244 ? BRIGHT : number < 250 ? WHITE : BRIGHT + WHITE;
}
