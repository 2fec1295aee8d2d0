/* SPDX-License-Identifier: BSD-2-Clause */
/* The web page's documents: whatever stands in tree and log they are JSON, in room however small.
 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/bind.h>
#include <busbar/log.h>
#include <busbar/store.h>

#include <apps/webpage/api.c>
#include <apps/webpage/http.c>
#include <apps/webpage/json.c>

static const struct api_figures counted = {.requests = 12, .refused = 3, .connections = 2};
static char document[1 << 20];
static unsigned pieces; /* that the last one came in */

/* Reads a document in pieces of at most `room` bytes, each in memory of its own size. */
static const char *read_by(const char *target, size_t room)
{
    static struct http_request request;
    struct api_cursor cursor;
    size_t used = 0;
    memset(&request, 0, sizeof(request));
    memcpy(request.target, target, strlen(target));
    const struct api_table *table = api_find(&request);
    assert_non_null(table);
    assert_int_equal(api_start(&cursor, table, &request), HTTP_OK);
    for (pieces = 0; !cursor.done; pieces++) {
        struct json json = {.buffer = malloc(room), .size = room};
        api_write(&cursor, &json);
        assert_true(json.used > 0 && json.used <= room && !json.full);
        assert_true(used + json.used < sizeof(document));
        memcpy(document + used, json.buffer, json.used);
        used += json.used;
        free(json.buffer);
    }
    document[used] = '\0';
    return document;
}

/* ---- Is it JSON? ---- */

static const char *skip_value(const char *at);

static const char *skip_string(const char *at)
{
    assert_int_equal(*at, '"');
    for (at++; *at != '"';) {
        size_t length = character((const unsigned char *)at, strnlen(at, 4));
        assert_true(length > 0 && (unsigned char)*at >= ' ');
        at += *at == '\\' ? (at[1] == 'u' ? 6 : 2) : (ptrdiff_t)length;
    }
    return at + 1;
}

static const char *skip_list(const char *at, char end)
{
    for (at++; *at != end;) {
        if (end == '}') {
            at = skip_string(at);
            assert_int_equal(*at++, ':');
        }
        at = skip_value(at);
        assert_true(*at == end || (*at == ',' && at[1] != end));
        at += *at == ',';
    }
    return at + 1;
}

static const char *skip_value(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};
    if (*at == '{')
        return skip_list(at, '}');
    if (*at == '[')
        return skip_list(at, ']');
    if (*at == '"')
        return skip_string(at);
    for (size_t i = 0; i < BB_ARRAY_SIZE(words); i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    at += *at == '-';
    assert_true(*at >= '0' && *at <= '9');
    return at + strspn(at, "0123456789");
}

/* A document, the same whatever the room (but for the time in front). */
static const char *read_document(const char *target)
{
    char *whole = strdup(read_by(target, sizeof(document)));
    assert_int_equal(pieces, 1);
    assert_string_equal(skip_value(whole), "");
    for (size_t room = API_WRITE_LEAST; room < API_WRITE_LEAST + 20; room += 7) {
        read_by(target, room);
        assert_string_equal(strchr(document, ','), strchr(whole, ','));
    }
    free(whole);
    return document;
}

static void begin(void)
{
    api_begin(&counted);
    tree_begin(1, 1);
}

static void test_devices(void **state)
{
    (void)state;
    begin();
    tree_open("soc");
    tree_open("a@1");
    tree_strings("compatible", "test,a\0test,b\0test,c\0test,d");
    tree_close();
    tree_open("b@2");
    tree_strings("compatible", "test,b");
    tree_strings("status", "disabled");
    tree_close();
    tree_close();
    tree_open("c");
    tree_strings("compatible", "test,c");
    tree_close();
    boot(NULL);
    read_document("/api/devices");
    assert_non_null(strstr(document,
                           "\"devices\":[{\"path\":\"/soc\",\"name\":\"soc\",\"alias\":null,"
                           "\"depth\":0,\"state\":\"group\",\"driver\":null"));
    assert_non_null(strstr(document, "\"path\":\"/soc/a@1\",\"name\":\"a@1\",\"alias\":null,"
                                     "\"depth\":1,\"state\":\"unclaimed\""));
    assert_non_null(strstr(document, "\"compatible\":[\"test,a\",\"test,b\",\"test,c\"]"));
    assert_non_null(strstr(document, "\"depth\":1,\"state\":\"disabled\""));
    assert_true(strstr(document, "\"/soc/b@2\"") < strstr(document, "\"/c\""));
}

/* The longest names that there can be, of bytes that take most room, and many. */
static void test_hostile_devices(void **state)
{
    char name[200];
    (void)state;
    begin();
    for (unsigned i = 0; i < 100; i++) {
        size_t length = bb_format(name, sizeof(name), "%u", i);
        memset(name + length, '<', sizeof(name) - length - 1); /* six bytes each */
        name[sizeof(name) - 1] = '\0';
        tree_open(name);
        memset(name, i % 2 ? '\x01' : '\xfd', sizeof(name) - 1);
        tree_bytes("compatible", name, sizeof(name));
        if (i % 2)
            tree_strings("status", "fail");
        tree_close();
    }
    boot(NULL);
    read_document("/api/devices");
    assert_true(pieces > 20);
    assert_true(strlen(document) > 65000);
}

static void test_an_empty_machine(void **state)
{
    (void)state;
    api_begin(&counted);
    read_document("/api/devices");
    assert_non_null(strstr(document, ",\"devices\":[]}"));
    read_document("/api/block");
    assert_non_null(strstr(document, ",\"disks\":[]}"));
    read_document("/api/board");
    assert_non_null(strstr(document, "\"revision\":null"));
    assert_non_null(strstr(document, "\"clocks\":[]"));
    read_document("/api/usb");
    assert_non_null(strstr(document, "\"devices\":[]"));
    read_document("/api/system?since=3");
    assert_non_null(strstr(document, "\"model\":null"));
    assert_non_null(strstr(document, "\"requests\":12,\"connections\":2,\"temperatures\":[]}"));
}

static void test_the_store(void **state)
{
    static struct bb_value values[5];
    static const int64_t below = -5;
    static const bool flag = true;
    static char text[300];
    (void)state;
    begin();
    boot(NULL);
    memset(text, '\x02', sizeof(text) - 1);
    bb_publish(NULL, &values[0], BB_VALUE_I64, "below", "mC", &below);
    bb_publish(NULL, &values[1], BB_VALUE_BOOL, "flag", "", &flag);
    bb_publish_text(NULL, &values[2], "text", text);
    bb_publish_text(NULL, &values[3], "none", NULL);
    read_document("/api/store");
    assert_non_null(strstr(document, "{\"device\":\"core\",\"name\":\"http_requests\","
                                     "\"unit\":\"requests\",\"type\":\"u64\",\"value\":12}"));
    assert_non_null(strstr(document, "\"type\":\"i64\",\"value\":-5}"));
    assert_non_null(strstr(document, "\"type\":\"bool\",\"value\":true}"));
    assert_non_null(strstr(document, "\"value\":null}"));
    assert_non_null(strstr(document, "\\u0002...\""));
}

static void test_the_log(void **state)
{
    (void)state;
    begin();
    boot(NULL);
    for (int i = 0; i < 300; i++)
        bb_print(i % 2 ? BB_VERBOSE : BB_ERROR, "%d \"\xff\\ %0150d", i, i);
    read_document("/api/log");
    assert_non_null(strstr(document, "\"level\":\"debug\",\"text\":\"299 \\\"\xef\xbf\xbd\\\\ 0"));
    assert_null(strstr(document, "\"text\":\"1 ")); /* the ring has forgotten */
    const char *next = strstr(document, "\"next\":");
    char target[64];
    bb_format(target, sizeof(target), "/api/log?since=%lu", strtoul(next + 7, NULL, 10) - 1);
    read_document(target);
    assert_non_null(strstr(document, "\"entries\":[{\"sequence\":"));
    assert_null(strstr(document, "},{"));
    assert_non_null(strstr(document, next));
    read_document("/api/log?since=4000000000");
    assert_non_null(strstr(document, "\"entries\":[],\"next\":4000000000}"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices),   cmocka_unit_test(test_hostile_devices),
        cmocka_unit_test(test_the_store), cmocka_unit_test(test_an_empty_machine),
        cmocka_unit_test(test_the_log),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
