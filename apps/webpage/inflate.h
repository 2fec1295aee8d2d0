/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unpacks gzip (RFC 1952) whole, from memory to memory: for the few clients that do not, so that
 * the image need not carry the page twice.
 */
#ifndef WEBPAGE_INFLATE_H
#define WEBPAGE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How large it is unpacked, as it says of itself; 0 when it is no gzip without a name. */
size_t inflate_size(const uint8_t *packed, size_t size);
/* False when it is malformed, or is not exactly `room` bytes. */
bool inflate(const uint8_t *packed, size_t size, uint8_t *to, size_t room);

#endif
