/* SPDX-License-Identifier: BSD-2-Clause */
/* From keys to text: layouts, dead keys, and what a terminal sends for keys that are no letters. */
#ifndef SUBSYS_KEYMAP_H
#define SUBSYS_KEYMAP_H

#include <busbar/input.h>

/* What a key types, UTF-8; returns its length, 0 for nothing. `modifiers`: a bit for each key from
 * BB_KEY_LEFT_CONTROL on. A dead key is remembered for the next one. */
size_t bb_keymap_text(uint32_t usage, uint32_t modifiers, uint32_t locks, char text[BB_INPUT_TEXT]);
/* -EINVAL, and no change, when nobody knows the name. */
int bb_keymap_choose(const char *name);
const char *bb_keymap_name(void);
const char *bb_keymap_name_at(size_t index); /* NULL past the last one */

#endif
