/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of HTTP/1.1 (RFC 9110, RFC 9112), read as their bytes come: in any pieces, several in
 * one, without a copy of what nobody asks for. Nothing here knows of connections or memory; a
 * request being read is the 400 bytes of its structure, whatever the client sends.
 *
 *     struct http_request request;
 *     http_begin(&request, "\"etag\"");
 *     while (size && !(status = http_feed(&request, data, size, &taken)))
 *         data += taken, size -= taken;
 *     if (status == HTTP_OK) ...      // request is complete; what follows is the next one's
 *
 * It takes only what it can use: GET and HEAD, with every other method named so that the caller can
 * answer 405, and no body: a request that has one is answered and its connection ended. Lines may
 * end in LF alone, empty lines may come first; folded lines, blanks before a colon, control
 * characters, a second Host and two lengths that differ are refused.
 */
#ifndef WEBPAGE_HTTP_H
#define WEBPAGE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MAX_TARGET 255  /* bytes of path and query: beyond, 414 */
#define HTTP_MAX_FIELDS 8192 /* bytes of all header lines: beyond, 431 */
#define HTTP_MAX_METHOD 16   /* bytes of its name: beyond, 501 */

enum http_status {
    HTTP_MORE = 0, /* not yet complete */
    HTTP_OK = 200,
    HTTP_NOT_MODIFIED = 304,
    HTTP_BAD_REQUEST = 400,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_REQUEST_TIMEOUT = 408,
    HTTP_URI_TOO_LONG = 414,
    HTTP_FIELDS_TOO_LARGE = 431,
    HTTP_NOT_IMPLEMENTED = 501,
    HTTP_VERSION_NOT_SUPPORTED = 505,
};

enum http_method { HTTP_OTHER, HTTP_GET, HTTP_HEAD };

struct http_request {
    /* What was asked, once http_feed() says HTTP_OK. */
    enum http_method method;
    uint8_t minor; /* HTTP/1.minor */
    bool close;    /* the connection ends with the answer */
    bool gzip;     /* an answer in this coding is accepted */
    bool fresh;    /* the client has what `etag` names */
    char target[HTTP_MAX_TARGET + 1];
    /* How far it is read. */
    const char *etag;
    bool begun;             /* a byte of it has come */
    uint8_t state;          /* enum state of http.c */
    uint8_t field;          /* which header line this is */
    uint16_t used;          /* bytes in target or word */
    uint16_t fields;        /* bytes of header lines so far */
    bool hosts, body, cut;  /* a Host came; a body follows; the word was too long for its room */
    bool plain, length_set; /* gzip is refused; a length came */
    uint32_t length;        /* of the body, saturating */
    char word[40];          /* method, name or element of a list being read */
};

/* `etag`, with its quotes and without capitals, is what If-None-Match is compared with. It stays
 * the caller's. */
void http_begin(struct http_request *request, const char *etag);
/* Takes bytes up to the end of the request. HTTP_MORE with all taken; HTTP_OK with *taken at what
 * follows; or the status to answer with before the connection ends, and nothing more is taken. */
enum http_status http_feed(struct http_request *request, const void *data, size_t size,
                           size_t *taken);
/* The path alone is `path`. A query may follow. */
bool http_path_is(const struct http_request *request, const char *path);
/* "?name=123": the number. Where it is not there, *number stays as it is; HTTP_BAD_REQUEST where it
 * is none, or more than 32 bits. */
enum http_status http_query_number(const struct http_request *request, const char *name,
                                   uint32_t *number);
/* "Not Found" */
const char *http_reason(enum http_status status);

#endif
