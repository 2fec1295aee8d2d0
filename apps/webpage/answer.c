/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers and their header lines (RFC 9110). */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/log.h>
#include <busbar/rtc.h>

#include "answer.h"
#include "inflate.h"

/* The page's files as gzip, by the build. */
extern const char bb_file_page_html_gz[], bb_file_page_html_gz_end[];
extern const char bb_file_page_css_gz[], bb_file_page_css_gz_end[];
extern const char bb_file_page_js_gz[], bb_file_page_js_gz_end[];

static struct file {
    const char *path, *type;
    const char *packed, *end;
    const char *plain; /* unpacked for the first client that takes no gzip, for good */
} files[] = {
    {"/", "html", bb_file_page_html_gz, bb_file_page_html_gz_end, NULL},
    {"/page.css", "css", bb_file_page_css_gz, bb_file_page_css_gz_end, NULL},
    {"/page.js", "javascript", bb_file_page_js_gz, bb_file_page_js_gz_end, NULL},
};

char answer_etag[11];

/* Nothing from elsewhere, and no script but ours, even if text from a device tree became code. */
static const char page_lines[] =
    "Content-Type: text/%s; charset=utf-8\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'self' 'unsafe-inline'; "
    "script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n"
    "Vary: Accept-Encoding\r\n"
    "Cache-Control: no-cache\r\n";

void answer_begin(void)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const struct file *file = files; file < files + BB_ARRAY_SIZE(files); file++)
        for (const char *at = file->packed; at < file->end; at++)
            hash = (hash ^ (uint8_t)*at) * 16777619u;
    bb_format(answer_etag, sizeof(answer_etag), "\"%08x\"", (unsigned)hash);
}

/* NULL when the arena is full. */
static const char *unpacked(struct file *file, size_t *size)
{
    const uint8_t *packed = (const uint8_t *)file->packed;
    size_t packed_size = (size_t)(file->end - file->packed);
    *size = inflate_size(packed, packed_size);
    if (file->plain)
        return file->plain;
    uint8_t *room = bb_arena_size() - bb_arena_used() > *size + 1 ? bb_arena_alloc(*size, 1) : NULL;
    if (room && inflate(packed, packed_size, room, *size))
        file->plain = (const char *)room;
    return file->plain;
}

static void prepare_file(struct answer *answer, const struct http_request *request,
                         struct file *file)
{
    answer->type = file->type;
    answer->body = request->gzip ? NULL : unpacked(file, &answer->size);
    answer->gzip = !answer->body; /* also for want of memory: RFC 9110 section 12.5.3 allows it */
    if (answer->gzip) {
        answer->body = file->packed;
        answer->size = (size_t)(file->end - file->packed);
    }
    if (request->fresh)
        answer->status = HTTP_NOT_MODIFIED;
}

static struct file *find_file(const struct http_request *request)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(files); i++)
        if (http_path_is(request, files[i].path))
            return &files[i];
    return NULL;
}

void answer_prepare(struct answer *answer, const struct http_request *request,
                    enum http_status status)
{
    memset(answer, 0, sizeof(*answer));
    answer->status = status;
    answer->last = request->close || status != HTTP_OK;
    answer->silent = request->method == HTTP_HEAD;
    if (status != HTTP_OK)
        return;
    const struct api_table *table = api_find(request);
    struct file *file = find_file(request);
    if (request->method == HTTP_OTHER) {
        answer->status = HTTP_METHOD_NOT_ALLOWED;
    } else if (file) {
        prepare_file(answer, request, file);
    } else if (table) {
        answer->status = api_start(&answer->cursor, table, request);
        answer->chunked = answer->status == HTTP_OK && request->minor > 0;
    } else {
        answer->status = HTTP_NOT_FOUND;
    }
}

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT"; nothing where no clock has told the time. */
static size_t put_date(char *buffer, size_t size)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct bb_date date;
    int64_t seconds;
    if (bb_wall_time(&seconds) < 0)
        return 0;
    bb_date_from_seconds(seconds, &date);
    return bb_format(buffer, size, "Date: %.3s, %02u %.3s %04d %02u:%02u:%02u GMT\r\n",
                     days + 3 * date.weekday, date.day, months + 3 * (date.month - 1),
                     (int)date.year, date.hour, date.minute, date.second);
}

static size_t put_body_lines(const struct answer *answer, char *buffer, size_t size)
{
    if (answer->type) {
        size_t used = bb_format(buffer, size, page_lines, answer->type);
        used += bb_format(buffer + used, size - used, "ETag: W/%s\r\n", answer_etag);
        if (answer->status == HTTP_NOT_MODIFIED)
            return used;
        return used + bb_format(buffer + used, size - used, "%sContent-Length: %zu\r\n",
                                answer->gzip ? "Content-Encoding: gzip\r\n" : "", answer->size);
    }
    if (answer->cursor.table)
        return bb_format(buffer, size,
                         "Content-Type: application/json\r\nCache-Control: no-store\r\n%s",
                         answer->chunked ? "Transfer-Encoding: chunked\r\n" : "");
    return bb_format(buffer, size, "Content-Type: text/plain\r\n%sContent-Length: %zu\r\n",
                     answer->status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "",
                     strlen(http_reason(answer->status)) + 5);
}

size_t answer_head(const struct answer *answer, char *buffer, size_t size)
{
    const char *reason = http_reason(answer->status);
    size_t used =
        bb_format(buffer, size, "HTTP/1.1 %u %s\r\nX-Content-Type-Options: nosniff\r\n%s",
                  (unsigned)answer->status, reason, answer->last ? "Connection: close\r\n" : "");
    used += put_date(buffer + used, size - used);
    used += put_body_lines(answer, buffer + used, size - used);
    used += bb_format(buffer + used, size - used, "\r\n");
    bool words = !answer->type && !answer->cursor.table && !answer->silent;
    if (words)
        used += bb_format(buffer + used, size - used, "%u %s\n", (unsigned)answer->status, reason);
    return used;
}
