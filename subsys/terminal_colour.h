/* SPDX-License-Identifier: BSD-2-Clause */
/* The sixteen colours of a terminal: from 8 on the bright ones. */
#ifndef SUBSYS_TERMINAL_COLOUR_H
#define SUBSYS_TERMINAL_COLOUR_H

#include <stdint.h>

enum { BLACK = 0, WHITE = 7, BRIGHT = 8 };

/* The nearest to a colour of six steps for each channel. */
uint8_t bb_terminal_nearest(uint32_t red, uint32_t green, uint32_t blue);
/* The nearest to one of xterm's 256. */
uint8_t bb_terminal_palette(uint32_t number);

#endif
