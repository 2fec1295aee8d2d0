/* SPDX-License-Identifier: BSD-2-Clause */
/* Unpacks gzip (RFC 1952) of deflate (RFC 1951), one bit after the other: small before fast. */
#include <string.h>

#include "inflate.h"

enum {
    HEADER = 10, /* with no flags, and so no name */
    TRAILER = 8,
    MAX_BITS = 15,
    LENGTHS = 288,
    DISTANCES = 32,
};

struct stream {
    const uint8_t *from, *end;
    uint32_t bits, have;
    uint8_t *to;
    size_t used, room;
    bool wrong; /* nothing counts any more */
};

/* A code: how many symbols have each length, and the symbols in order. */
struct code {
    uint16_t counts[MAX_BITS + 1];
    uint16_t symbols[LENGTHS];
};

static uint32_t take(struct stream *stream, uint32_t count)
{
    while (stream->have < count) {
        if (stream->from == stream->end) {
            stream->wrong = true;
            return 0;
        }
        stream->bits |= (uint32_t)*stream->from++ << stream->have;
        stream->have += 8;
    }
    uint32_t value = stream->bits & ((1u << count) - 1);
    stream->bits >>= count;
    stream->have -= count;
    return value;
}

static void put(struct stream *stream, uint8_t byte)
{
    if (stream->used < stream->room)
        stream->to[stream->used++] = byte;
    else
        stream->wrong = true;
}

/* Codes of one length follow each other, after those that are shorter (section 3.2.2). */
static void make_code(struct code *code, const uint8_t *lengths, size_t count)
{
    uint16_t places[MAX_BITS + 2] = {0};
    memset(code, 0, sizeof(*code));
    for (size_t i = 0; i < count; i++)
        code->counts[lengths[i]]++;
    code->counts[0] = 0;
    for (size_t i = 1; i <= MAX_BITS; i++)
        places[i + 1] = (uint16_t)(places[i] + code->counts[i]);
    for (size_t i = 0; i < count; i++)
        if (lengths[i])
            code->symbols[places[lengths[i]]++] = (uint16_t)i;
}

static uint32_t symbol(struct stream *stream, const struct code *code)
{
    uint32_t value = 0, first = 0, place = 0;
    for (size_t length = 1; length <= MAX_BITS && !stream->wrong; length++) {
        value |= take(stream, 1);
        uint32_t count = code->counts[length];
        if (value < first + count)
            return code->symbols[place + value - first];
        place += count;
        first = (first + count) << 1;
        value <<= 1;
    }
    stream->wrong = true;
    return 0;
}

static void copy(struct stream *stream, uint32_t distance, uint32_t length)
{
    if (distance > stream->used)
        stream->wrong = true;
    while (length-- && !stream->wrong)
        put(stream, stream->to[stream->used - distance]);
}

/* Section 3.2.5: symbols above 256 are lengths; groups of four share a number of extra bits. */
static void unpack_match(struct stream *stream, uint32_t value, const struct code *distances)
{
    uint32_t length = value - 254, extra = 0;
    if (value > 285) {
        stream->wrong = true;
        return;
    }
    if (value == 285) {
        length = 258;
    } else if (value >= 265) {
        extra = (value - 261) / 4;
        length = ((4 + (value - 261) % 4) << extra) + 3 + take(stream, extra);
    }
    uint32_t distance = symbol(stream, distances);
    if (distance > 29)
        stream->wrong = true;
    else if (distance >= 4) {
        extra = distance / 2 - 1;
        distance = ((2 + distance % 2) << extra) + take(stream, extra);
    }
    if (!stream->wrong)
        copy(stream, distance + 1, length);
}

static void unpack_codes(struct stream *stream, const struct code *lengths,
                         const struct code *distances)
{
    while (!stream->wrong) {
        uint32_t value = symbol(stream, lengths);
        if (value == 256)
            return;
        if (value < 256)
            put(stream, (uint8_t)value);
        else
            unpack_match(stream, value, distances);
    }
}

static void unpack_stored(struct stream *stream)
{
    stream->bits = stream->have = 0;
    uint32_t length = take(stream, 16), inverse = take(stream, 16);
    if (length != (inverse ^ 0xffff))
        stream->wrong = true;
    while (length-- && !stream->wrong)
        put(stream, (uint8_t)take(stream, 8));
}

/* Section 3.2.7: the lengths of both codes, run by run, in a code of their own. */
static void read_codes(struct stream *stream, struct code *lengths, struct code *distances)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t sizes[LENGTHS + DISTANCES] = {0};
    uint32_t length_count = take(stream, 5) + 257, distance_count = take(stream, 5) + 1;
    uint32_t count = take(stream, 4) + 4, all = length_count + distance_count;
    for (uint32_t i = 0; i < count; i++)
        sizes[order[i]] = (uint8_t)take(stream, 3);
    make_code(lengths, sizes, 19);
    memset(sizes, 0, sizeof(sizes));
    for (uint32_t i = 0; i < all && !stream->wrong;) {
        uint32_t value = symbol(stream, lengths), times = 1;
        uint8_t size = (uint8_t)value;
        if (value >= 16) {
            size = value == 16 && i ? sizes[i - 1] : 0;
            times = value == 16   ? 3 + take(stream, 2)
                    : value == 17 ? 3 + take(stream, 3)
                                  : 11 + take(stream, 7);
        }
        if (length_count > LENGTHS || i + times > all)
            stream->wrong = true;
        for (; times && !stream->wrong; times--)
            sizes[i++] = size;
    }
    if (stream->wrong)
        return;
    make_code(lengths, sizes, length_count);
    make_code(distances, sizes + length_count, distance_count);
}

static void fixed_codes(struct code *lengths, struct code *distances)
{
    uint8_t sizes[LENGTHS];
    for (uint32_t i = 0; i < LENGTHS; i++)
        sizes[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    make_code(lengths, sizes, LENGTHS);
    memset(sizes, 5, DISTANCES);
    make_code(distances, sizes, DISTANCES);
}

size_t inflate_size(const uint8_t *packed, size_t size)
{
    static const uint8_t start[4] = {0x1f, 0x8b, 8, 0};
    if (size < HEADER + TRAILER || memcmp(packed, start, sizeof(start)) != 0)
        return 0;
    const uint8_t *end = packed + size - 4;
    return (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
}

bool inflate(const uint8_t *packed, size_t size, uint8_t *to, size_t room)
{
    if (inflate_size(packed, size) != room)
        return false;
    struct stream stream = {
        .from = packed + HEADER, .end = packed + size - TRAILER, .to = to, .room = room};
    bool last = false;
    while (!last && !stream.wrong) {
        struct code lengths, distances;
        last = take(&stream, 1);
        uint32_t kind = take(&stream, 2);
        if (kind == 0) {
            unpack_stored(&stream);
            continue;
        }
        if (kind == 1)
            fixed_codes(&lengths, &distances);
        else if (kind == 2)
            read_codes(&stream, &lengths, &distances);
        else
            stream.wrong = true;
        if (!stream.wrong)
            unpack_codes(&stream, &lengths, &distances);
    }
    return !stream.wrong && stream.used == room;
}
