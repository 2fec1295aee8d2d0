/* SPDX-License-Identifier: BSD-2-Clause */
/* The internet checksum (RFC 1071): the ones' complement sum of 16-bit words,
 * here of 64-bit words with the carry added again, which folds to the same.
 * Whole words are loaded from aligned addresses alone, since the image is built
 * for memory that wants that; a sum that begins at an odd address comes out
 * with its bytes swapped. */
#include <string.h>

#include "glue.h"

static uint64_t add(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static uint64_t load(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, __builtin_assume_aligned(at, sizeof word), sizeof word);
    return word;
}

/* Up to the next address that divides by 8; from an even one. */
static uint64_t add_to_alignment(uint64_t sum, const uint8_t **at, size_t *left)
{
    for (; *left >= 2 && (uintptr_t)*at & 7; *at += 2, *left -= 2) {
        uint16_t word;
        memcpy(&word, __builtin_assume_aligned(*at, sizeof word), sizeof word);
        sum += word;
    }
    return sum;
}

/* In the byte order of the memory, and not inverted, as lwIP wants it. */
uint16_t bb_tcpip_checksum(const void *bytes, int length)
{
    const uint8_t *at = (const uint8_t *)bytes;
    size_t left = length > 0 ? (size_t)length : 0;
    uint64_t sum = 0;
    bool odd = left && (uintptr_t)at & 1;
    if (odd) {
        sum = (uint64_t)*at++ << 8;
        left--;
    }
    sum = add_to_alignment(sum, &at, &left);
    for (; left >= 32; at += 32, left -= 32) {
        sum = add(sum, load(at));
        sum = add(sum, load(at + 8));
        sum = add(sum, load(at + 16));
        sum = add(sum, load(at + 24));
    }
    for (; left >= 8; at += 8, left -= 8)
        sum = add(sum, load(at));
    if (left) {
        uint64_t tail = 0;
        memcpy(&tail, at, left);
        sum = add(sum, tail);
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return odd ? __builtin_bswap16((uint16_t)sum) : (uint16_t)sum;
}
