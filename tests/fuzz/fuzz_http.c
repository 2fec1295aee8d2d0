/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feeds the web page's request parser with whatever libFuzzer thinks of: whole and in pieces, which
 * must come to the same; and its JSON writer with the same bytes, which must write what RFC 8259
 * allows. Corpus: requests as browsers send them.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -I. tests/fuzz/fuzz_http.c \
 *         -o fuzz_http
 *     ./fuzz_http -max_len=16384 corpus
 */
#include <stdlib.h>
#include <string.h>

#include <apps/webpage/http.c>
#include <apps/webpage/json.c>

static void check(bool well)
{
    if (!well)
        abort();
}

/* Reads request after request, in pieces of `piece` bytes, until the end or the first refusal.
 * Returns a sum over all that was understood. */
static uint32_t read_all(const uint8_t *data, size_t size, size_t piece)
{
    uint32_t sum = 0;
    struct http_request request;
    http_begin(&request, "\"0123abcd\"");
    for (size_t at = 0; at < size;) {
        size_t length = size - at < piece ? size - at : piece, taken = 0;
        char *copy = malloc(length); /* so that a byte beyond it is noticed */
        memcpy(copy, data + at, length);
        enum http_status status = http_feed(&request, copy, length, &taken);
        free(copy);
        check(taken <= length && (taken > 0 || length == 0));
        check(status != HTTP_MORE || taken == length);
        at += taken;
        if (status != HTTP_MORE)
            sum = sum * 31 + (uint32_t)(at * 7 + status);
        if (status == HTTP_OK) {
            size_t target = strnlen(request.target, sizeof(request.target));
            check(target > 0 && target <= HTTP_MAX_TARGET);
            check(request.method == HTTP_OTHER || request.target[0] == '/');
            check(request.hosts || request.minor == 0);
            uint32_t since = 7;
            sum += http_query_number(&request, "since", &since) + since;
            sum += http_path_is(&request, "/api/log");
            sum += (uint32_t)request.method + request.gzip * 2u + request.close * 4u;
            for (size_t i = 0; i < target; i++)
                sum = sum * 31 + (uint8_t)request.target[i];
            http_begin(&request, "\"0123abcd\"");
        } else if (status != HTTP_MORE) {
            check(strlen(http_reason(status)) > 0);
            break;
        }
    }
    return sum;
}

/* A string of JSON and nothing else: no control character, no lone quote, whole UTF-8. */
static void check_string(const char *text, size_t size)
{
    check(size >= 2 && text[0] == '"' && text[size - 1] == '"');
    for (size_t at = 1; at < size - 1;) {
        size_t length = character((const unsigned char *)text + at, size - 1 - at);
        check(length > 0 && (unsigned char)text[at] >= ' ' && text[at] != '"');
        if (text[at] == '\\') {
            check(at + 2 < size && strchr("bfnrtu\"\\", text[at + 1]));
            length = text[at + 1] == 'u' ? 6 : 2;
        }
        at += length;
        check(at <= size - 1);
    }
}

static void write_string(const uint8_t *data, size_t size, size_t limit)
{
    char *text = malloc(size + 1), *room = malloc(size * 6 + 8);
    memcpy(text, data, size);
    text[size] = '\0';
    struct json json = {.buffer = room, .size = size * 6 + 8};
    json_string(&json, text, limit);
    check(!json.full);
    check_string(json.buffer, json.used);
    struct json half = {.buffer = room, .size = json.used / 2};
    json_string(&half, text, limit);
    check(half.full && half.used <= half.size);
    free(room);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t whole = read_all(data, size, size);
    check(read_all(data, size, 1) == whole);
    check(read_all(data, size, size > 3 ? data[0] % 64u + 2 : 2) == whole);
    write_string(data, size, size);
    write_string(data, size, size / 2);
    return 0;
}
