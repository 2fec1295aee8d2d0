/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON (RFC 8259), written into memory of a fixed size. What does not fit sets `full` and is left
 * out, so that the caller can take back the piece that did not fit and write it again later:
 *
 *     struct json before = *json;
 *     json_open(json, '{');
 *     json_key(json, "name");
 *     json_string(json, node->name, 64);
 *     json_close(json, '}');
 *     if (json->full)
 *         *json = before;
 *
 * Commas come by themselves. Strings may hold anything: quotes and control characters are escaped,
 * bytes that are no UTF-8 become U+FFFD, and "</" cannot end a script that holds them.
 */
#ifndef WEBPAGE_JSON_H
#define WEBPAGE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    char *buffer;
    size_t size, used;
    bool full;  /* something did not fit */
    bool comma; /* before the next value */
};

void json_open(struct json *json, char bracket);   /* '{' or '[' */
void json_close(struct json *json, char bracket);  /* '}' or ']' */
void json_key(struct json *json, const char *key); /* plain text, written as it is */
/* At most `limit` bytes of it; a longer one ends in "...". NULL is null. */
void json_string(struct json *json, const char *text, size_t limit);
void json_u64(struct json *json, uint64_t value);
void json_i64(struct json *json, int64_t value);
void json_bool(struct json *json, bool value);
void json_null(struct json *json);

#endif
