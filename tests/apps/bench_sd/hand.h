/* SPDX-License-Identifier: BSD-2-Clause */
/* Bare register loops for the two controllers of the Pi: what a program without a framework does to
 * read blocks of a card that is already in use, checking no more than it must. */
#ifndef HAND_H
#define HAND_H

#include <stdint.h>

/* `address`: of the card, in blocks or in bytes, as it wants it. */
void hand_sdhost(uintptr_t base, uint32_t address, uint32_t blocks, uint32_t *memory);
void hand_arasan(uintptr_t base, uint32_t address, uint32_t blocks, uint32_t *memory);

#endif
