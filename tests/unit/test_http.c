/* SPDX-License-Identifier: BSD-2-Clause */
/* The web page's requests: whole, in pieces, pipelined, too long, wrong; and its JSON. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/log.h>

#include <apps/webpage/http.c>
#include <apps/webpage/json.c>

#define ETAG "\"0123abcd\""
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

/* Reads one request, in pieces of `piece` bytes, each in memory of its own size; what it took. */
static enum http_status read_by(struct http_request *request, const char *text, size_t length,
                                size_t piece, size_t *taken)
{
    enum http_status status = HTTP_MORE;
    *taken = 0;
    http_begin(request, ETAG);
    while (*taken < length && status == HTTP_MORE) {
        size_t size = length - *taken < piece ? length - *taken : piece, part = 0;
        char *copy = malloc(size);
        memcpy(copy, text + *taken, size);
        status = http_feed(request, copy, size, &part);
        free(copy);
        assert_true(part <= size && (status != HTTP_MORE || part == size));
        *taken += part;
    }
    return status;
}

static struct http_request seen;

/* The same however it is cut. */
static enum http_status status_of(const char *text)
{
    size_t whole, taken, length = strlen(text);
    enum http_status status = read_by(&seen, text, length, length, &whole);
    for (size_t piece = 1; piece < 5; piece++) {
        struct http_request other;
        assert_int_equal(read_by(&other, text, length, piece, &taken), status);
        assert_int_equal(taken, whole);
        if (status == HTTP_OK)
            assert_string_equal(other.target, seen.target);
        assert_int_equal(other.close, seen.close);
    }
    return status;
}

static void test_a_request(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET /api/log?since=7 HTTP/1.1\r\nHost: pi:80\r\n\r\n"), HTTP_OK);
    assert_int_equal(seen.method, HTTP_GET);
    assert_string_equal(seen.target, "/api/log?since=7");
    assert_int_equal(seen.minor, 1);
    assert_false(seen.close || seen.gzip || seen.fresh);
    assert_true(http_path_is(&seen, "/api/log"));
    assert_false(http_path_is(&seen, "/api/lo"));
    assert_false(http_path_is(&seen, "/api/logs"));
    assert_int_equal(status_of("HEAD / HTTP/1.1\r\nHOST:\t[::1]:80 \t\r\n\r\n"), HTTP_OK);
    assert_int_equal(seen.method, HTTP_HEAD);
    assert_int_equal(status_of("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK);
    assert_int_equal(seen.method, HTTP_OTHER);
    assert_int_equal(status_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK);
    assert_int_equal(seen.method, HTTP_OTHER);
    assert_int_equal(status_of("get / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK);
    assert_int_equal(seen.method, HTTP_OTHER);
    /* What RFC 9112 section 2.2 lets a server bear with. */
    assert_int_equal(status_of("\r\n\r\n\nGET / HTTP/1.1\nHost: a\n\n"), HTTP_OK);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nX-Any:\xff\xc3\t.\r\nY:\r\n\r\n"),
                     HTTP_OK);
}

static void test_absolute_targets(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET hTTp://a:1/b?c HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK);
    assert_string_equal(seen.target, "/b?c");
    assert_int_equal(status_of("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK);
    assert_string_equal(seen.target, "/");
    assert_int_equal(status_of("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK);
    assert_string_equal(seen.target, "/?b");
    assert_int_equal(status_of("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_OK);
    assert_string_equal(seen.target, "/");
    assert_int_equal(status_of("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_BAD_REQUEST);
}

static void test_who_ends_the_connection(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET / HTTP/1.0\r\n\r\n"), HTTP_OK);
    assert_true(seen.close);
    assert_int_equal(seen.minor, 0);
    assert_int_equal(status_of(GET "Connection: close\r\n\r\n"), HTTP_OK);
    assert_true(seen.close);
    assert_int_equal(status_of(GET "connection: Keep-Alive , CLOSE,x\r\n\r\n"), HTTP_OK);
    assert_true(seen.close);
    assert_int_equal(status_of(GET "Connection: closed, keep-alive\r\n\r\n"), HTTP_OK);
    assert_false(seen.close);
    assert_int_equal(status_of(GET "Content-Length: 0\r\n\r\n"), HTTP_OK);
    assert_false(seen.close);
    assert_int_equal(status_of(GET "Content-Length: 12\r\n\r\n"), HTTP_OK);
    assert_true(seen.close); /* the body is not read */
    assert_int_equal(status_of(GET "Content-Length: 4294967296\r\n\r\n"), HTTP_OK);
    assert_true(seen.close);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     HTTP_OK);
    assert_true(seen.close);
}

static bool gzip_of(const char *value)
{
    char text[512];
    bb_format(text, sizeof(text), GET "Accept-Encoding: %s\r\n\r\n", value);
    assert_int_equal(status_of(text), HTTP_OK);
    return seen.gzip;
}

static void test_accepted_codings(void **state)
{
    (void)state;
    assert_true(gzip_of("gzip"));
    assert_true(gzip_of("deflate, GZIP;q=0.5"));
    assert_true(gzip_of("gzip ; q=1.0"));
    assert_true(gzip_of("*"));
    assert_true(gzip_of("br,,gzip,"));
    assert_false(gzip_of("identity"));
    assert_false(gzip_of(""));
    assert_false(gzip_of("gzip;q=0"));
    assert_false(gzip_of("gzip;q=0.00, *"));
    assert_false(gzip_of("*;q=0"));
    assert_false(gzip_of("xgzip, gzipx"));
    assert_false(gzip_of("a-coding-whose-name-is-longer-than-the-room-for-it-gzip"));
    assert_true(gzip_of("a-coding-whose-name-is-longer-than-the-room-for-it,gzip"));
}

static void test_what_the_client_has(void **state)
{
    (void)state;
    assert_int_equal(status_of(GET "If-None-Match: " ETAG "\r\n\r\n"), HTTP_OK);
    assert_true(seen.fresh);
    assert_int_equal(status_of(GET "If-None-Match: \"x\", W/" ETAG "\r\n\r\n"), HTTP_OK);
    assert_true(seen.fresh);
    assert_int_equal(status_of(GET "If-None-Match: *\r\n\r\n"), HTTP_OK);
    assert_true(seen.fresh);
    assert_int_equal(status_of(GET "If-None-Match: \"0123abc\", 0123abcd\r\n\r\n"), HTTP_OK);
    assert_false(seen.fresh);
}

static void test_pipelined(void **state)
{
    static const char text[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                               "\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                               "GET /3 HTTP/1.0\r\n\r\nrest";
    static const char *const targets[] = {"/1", "/2", "/3"};
    const char *at = text;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t taken;
        http_begin(&seen, ETAG);
        assert_int_equal(http_feed(&seen, at, strlen(at), &taken), HTTP_OK);
        assert_string_equal(seen.target, targets[i]);
        assert_int_equal(seen.close, i > 0);
        at += taken;
    }
    assert_string_equal(at, "rest");
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        enum http_status status;
    } cases[] = {
        {" / HTTP/1.1\r\n", HTTP_BAD_REQUEST},
        {"GET  / HTTP/1.1\r\n", HTTP_BAD_REQUEST},
        {"GET /\r\n", HTTP_BAD_REQUEST}, /* HTTP/0.9 */
        {"GET / \r\n", HTTP_BAD_REQUEST},
        {"GET / HTTP/1.1 \r\n", HTTP_BAD_REQUEST},
        {"GET / http/1.1\r\n", HTTP_BAD_REQUEST},
        {"GET / HTTP/1.x\r\n", HTTP_BAD_REQUEST},
        {"GET / HTTP/11\r\n", HTTP_BAD_REQUEST},
        {"GET / HTTP/2.0\r\n", HTTP_VERSION_NOT_SUPPORTED},
        {"GET a HTTP/1.1\r\n", HTTP_BAD_REQUEST},
        {"GET /\x01 HTTP/1.1\r\n", HTTP_BAD_REQUEST},
        {"GET /\xc3\xa4 HTTP/1.1\r\n", HTTP_BAD_REQUEST},
        {"GET / HTTP/1.1\rHost: a\r\n\r\n", HTTP_BAD_REQUEST},
        {"G(T / HTTP/1.1\r\n", HTTP_BAD_REQUEST},
        {"\x16\x03\x01\x02", HTTP_BAD_REQUEST}, /* TLS */
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_VERSION_NOT_SUPPORTED},
        {"GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST}, /* no Host */
        {GET "Host: a\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HTTP_BAD_REQUEST},
        {GET " folded\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "X: a\r\n\tfolded\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "X : a\r\n\r\n", HTTP_BAD_REQUEST},
        {GET ": a\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "X\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "X: a\rb\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "X: a\x07\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "X: a\x7f\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "\rX", HTTP_BAD_REQUEST},
        {GET "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "Content-Length: 1, 1\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "Content-Length: -1\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "Content-Length: +1\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "Content-Length: 1 1\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "Content-Length:\r\n\r\n", HTTP_BAD_REQUEST},
        {GET "Content-Length: 00000000000000000000000000000000000000001\r\n\r\n", HTTP_BAD_REQUEST},
        {"A-METHOD-OF-20-BYTES / HTTP/1.1\r\n", HTTP_NOT_IMPLEMENTED},
    };
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        enum http_status status = status_of(cases[i].text);
        if (status != cases[i].status)
            print_message("%s: %d\n", cases[i].text, (int)status);
        assert_int_equal(status, cases[i].status);
        assert_true(strlen(http_reason(status)) > 3);
    }
    /* Incomplete is no error. */
    assert_int_equal(status_of(GET "X: y\r\n"), HTTP_MORE);
    assert_int_equal(status_of("\r\n\r\n"), HTTP_MORE);
    assert_false(seen.begun);
    assert_int_equal(read_by(&seen, "GET /\0 HTTP/1.1", 15, 15, &(size_t){0}), HTTP_BAD_REQUEST);
    assert_int_equal(read_by(&seen, GET "X: \0\r\n", sizeof(GET) + 5, 99, &(size_t){0}),
                     HTTP_BAD_REQUEST);
}

static void test_limits(void **state)
{
    char text[HTTP_MAX_FIELDS + 512];
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        char target[HTTP_MAX_TARGET + 2] = "/";
        memset(target + 1, 'a', HTTP_MAX_TARGET - 1 + extra);
        target[HTTP_MAX_TARGET + extra] = '\0';
        bb_format(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
        assert_int_equal(status_of(text), extra ? HTTP_URI_TOO_LONG : HTTP_OK);
    }
    for (size_t extra = 0; extra < 2; extra++) {
        size_t start = bb_format(text, sizeof(text), "GET / HTTP/1.1\r\n");
        size_t length = start + bb_format(text + start, sizeof(text) - start, "Host: a\r\nX: ");
        memset(text + length, 'a', HTTP_MAX_FIELDS + extra - (length - start) - 4);
        memcpy(text + start + HTTP_MAX_FIELDS + extra - 4, "\r\n\r\n", 5);
        assert_int_equal(status_of(text), extra ? HTTP_FIELDS_TOO_LARGE : HTTP_OK);
    }
    /* Many short lines count as one long one does. */
    size_t length = bb_format(text, sizeof(text), GET);
    while (length + 4 < sizeof(text))
        length += bb_format(text + length, sizeof(text) - length, "a:\r\n");
    assert_int_equal(status_of(text), HTTP_FIELDS_TOO_LARGE);
}

static uint32_t since(const char *target)
{
    memcpy(seen.target, target, strlen(target) + 1);
    uint32_t number = 99;
    enum http_status status = http_query_number(&seen, "since", &number);
    return status == HTTP_OK ? number : status;
}

static void test_queries(void **state)
{
    (void)state;
    assert_int_equal(since("/api/log?since=0"), 0);
    assert_int_equal(since("/api/log?a=1&since=4294967295&b"), UINT32_MAX);
    assert_int_equal(since("/api/log?since=4294967296"), HTTP_BAD_REQUEST);
    assert_int_equal(since("/api/log?since=99999999999999999999999999"), HTTP_BAD_REQUEST);
    assert_int_equal(since("/api/log?since="), HTTP_BAD_REQUEST);
    assert_int_equal(since("/api/log?since=1x"), HTTP_BAD_REQUEST);
    assert_int_equal(since("/api/log?since"), 99);
    assert_int_equal(since("/api/log?xsince=1"), 99);
    assert_int_equal(since("/api/log?"), 99);
    assert_int_equal(since("/api/log&since=1"), 99);
}

static char text_room[4096];

static const char *quoted(const char *text, size_t limit)
{
    struct json json = {.buffer = text_room, .size = sizeof(text_room) - 1};
    json_string(&json, text, limit);
    assert_false(json.full);
    text_room[json.used] = '\0';
    return text_room;
}

static void test_json_strings(void **state)
{
    (void)state;
    assert_string_equal(quoted("plain", 64), "\"plain\"");
    assert_string_equal(quoted("", 64), "\"\"");
    assert_string_equal(quoted(NULL, 64), "null");
    assert_string_equal(quoted("a\"b\\c</script>", 64), "\"a\\\"b\\\\c\\u003c/script>\"");
    assert_string_equal(quoted("\n\t\r\b\f\x01\x1f\x7f", 64),
                        "\"\\n\\t\\r\\b\\f\\u0001\\u001f\\u007f\"");
    assert_string_equal(quoted("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\x8c", 64),
                        "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\x8c\"");
    /* None of these is UTF-8: a byte alone, overlong, surrogate, too high, cut off. */
    assert_string_equal(quoted("\x80", 64), "\"\xef\xbf\xbd\"");
    assert_string_equal(quoted("\xc0\xaf", 64), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string_equal(quoted("\xed\xa0\x80", 64), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string_equal(quoted("\xe0\x80\x80", 64), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string_equal(quoted("\xf4\x90\x80\x80", 64),
                        "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string_equal(quoted("\xff"
                               "a\xe2\x82",
                               64),
                        "\"\xef\xbf\xbd"
                        "a\xef\xbf\xbd\xef\xbf\xbd\"");
    /* Longer than wanted: cut between characters. */
    assert_string_equal(quoted("abcdef", 6), "\"abcdef\"");
    assert_string_equal(quoted("abcdefg", 6), "\"abcdef...\"");
    assert_string_equal(quoted("abcd\xe2\x82\xac", 6), "\"abcd...\"");
}

static void test_json_documents(void **state)
{
    struct json json = {.buffer = text_room, .size = sizeof(text_room) - 1};
    (void)state;
    json_open(&json, '{');
    json_key(&json, "a");
    json_u64(&json, UINT64_MAX);
    json_key(&json, "b");
    json_open(&json, '[');
    json_i64(&json, INT64_MIN);
    json_i64(&json, 0);
    json_open(&json, '[');
    json_close(&json, ']');
    json_bool(&json, true);
    json_bool(&json, false);
    json_null(&json);
    json_close(&json, ']');
    json_key(&json, "c");
    json_open(&json, '{');
    json_close(&json, '}');
    json_close(&json, '}');
    text_room[json.used] = '\0';
    assert_false(json.full);
    assert_string_equal(text_room, "{\"a\":18446744073709551615,\"b\":[-9223372036854775808,0,[],"
                                   "true,false,null],\"c\":{}}");
}

/* Whatever the room: never beyond it, and it says so. */
static void test_json_that_does_not_fit(void **state)
{
    (void)state;
    for (size_t size = 0; size < 24; size++) {
        struct json json = {.buffer = malloc(size + 1), .size = size};
        json_open(&json, '[');
        json_string(&json, "\x01\xff\"", 9); /* 6 + 3 + 2 bytes and quotes */
        json_u64(&json, 1234567);
        json_close(&json, ']');
        assert_int_equal(json.full, size < 23);
        assert_true(json.used <= size);
        free(json.buffer);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request),
        cmocka_unit_test(test_absolute_targets),
        cmocka_unit_test(test_who_ends_the_connection),
        cmocka_unit_test(test_accepted_codings),
        cmocka_unit_test(test_what_the_client_has),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_documents),
        cmocka_unit_test(test_json_that_does_not_fit),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
