/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON (RFC 8259) into memory of a fixed size. */
#include <string.h>

#include "json.h"

static void put(struct json *json, const char *text, size_t length)
{
    if (json->full || length > json->size - json->used) {
        json->full = true;
        return;
    }
    memcpy(json->buffer + json->used, text, length);
    json->used += length;
}

static void begin_value(struct json *json)
{
    if (json->comma)
        put(json, ",", 1);
    json->comma = true;
}

void json_open(struct json *json, char bracket)
{
    begin_value(json);
    put(json, &bracket, 1);
    json->comma = false;
}

void json_close(struct json *json, char bracket)
{
    put(json, &bracket, 1);
    json->comma = true;
}

void json_key(struct json *json, const char *key)
{
    begin_value(json);
    put(json, "\"", 1);
    put(json, key, strlen(key));
    put(json, "\":", 2);
    json->comma = false;
}

/* How many bytes at `text` are one character of UTF-8; 0 where they are none. Overlong forms,
 * surrogates and what is beyond U+10FFFF are none (RFC 3629). */
static size_t character(const unsigned char *text, size_t size)
{
    unsigned char first = text[0];
    size_t length = first < 0x80                     ? 1
                    : first >= 0xc2 && first <= 0xdf ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
        (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '<';
}

static size_t plain_run(const unsigned char *text, size_t size)
{
    size_t length = 0;
    while (length < size && is_plain(text[length]))
        length++;
    return length;
}

static void put_escaped(struct json *json, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    static const char plain[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    char text[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    const char *known = c ? strchr(plain, c) : NULL;
    if (known) {
        text[1] = letters[known - plain];
        put(json, text, 2);
    } else {
        put(json, text, sizeof(text));
    }
}

void json_string(struct json *json, const char *text, size_t limit)
{
    if (!text) {
        json_null(json);
        return;
    }
    size_t size = strnlen(text, limit + 1);
    bool cut = size > limit;
    size = cut ? limit : size;
    begin_value(json);
    put(json, "\"", 1);
    for (size_t at = 0; at < size;) {
        const unsigned char *here = (const unsigned char *)text + at;
        size_t length = plain_run(here, size - at);
        if (length == 0)
            length = character(here, size - at);
        if (length == 0 && cut && size - at < 4)
            break; /* a character that the limit cuts in two */
        if (length == 0)
            put(json, "\xef\xbf\xbd", 3);
        else if (length == 1 && !is_plain(*here))
            put_escaped(json, *here);
        else
            put(json, text + at, length);
        at += length ? length : 1;
    }
    if (cut)
        put(json, "...", 3);
    put(json, "\"", 1);
}

void json_u64(struct json *json, uint64_t value)
{
    char text[20]; /* 2^64 in decimal */
    size_t start = sizeof(text);
    do
        text[--start] = (char)('0' + value % 10);
    while (value /= 10);
    begin_value(json);
    put(json, text + start, sizeof(text) - start);
}

void json_i64(struct json *json, int64_t value)
{
    if (value >= 0) {
        json_u64(json, (uint64_t)value);
        return;
    }
    begin_value(json);
    put(json, "-", 1);
    json->comma = false;
    json_u64(json, -(uint64_t)value);
}

void json_bool(struct json *json, bool value)
{
    begin_value(json);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

void json_null(struct json *json)
{
    begin_value(json);
    put(json, "null", 4);
}
