/* SPDX-License-Identifier: BSD-2-Clause */
/* The internet checksum (RFC 1071): the ones' complement sum of 16-bit words, here by 64 bits at a
 * time, each half added to a sum that has room for 2^31 of them. */
#include <string.h>

#include "glue.h"

static uint64_t load(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint64_t halves(uint64_t word)
{
    return (uint32_t)word + (word >> 32);
}

/* In the byte order of the memory, and not inverted, as lwIP wants it. */
uint16_t bb_tcpip_checksum(const void *bytes, int length)
{
    const uint8_t *at = (const uint8_t *)bytes;
    size_t left = length > 0 ? (size_t)length : 0;
    uint64_t a = 0, b = 0;
    for (; left >= 32; at += 32, left -= 32) {
        a += halves(load(at)) + halves(load(at + 8));
        b += halves(load(at + 16)) + halves(load(at + 24));
    }
    for (; left >= 8; at += 8, left -= 8)
        a += halves(load(at));
    if (left) {
        uint64_t tail = 0;
        memcpy(&tail, at, left);
        a += halves(tail);
    }
    a += b;
    a = (a & 0xffffffff) + (a >> 32);
    a = (a & 0xffff) + ((a >> 16) & 0xffff) + (a >> 32);
    a = (a & 0xffff) + (a >> 16);
    a = (a & 0xffff) + (a >> 16);
    return (uint16_t)a;
}
