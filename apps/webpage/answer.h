/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers: what a request gets, and its header lines. A body is constant memory, or a document that
 * the API writes piece by piece.
 */
#ifndef WEBPAGE_ANSWER_H
#define WEBPAGE_ANSWER_H

#include "api.h"
#include "http.h"

#define ANSWER_MAX_HEAD 1024 /* bytes of header lines, and of an error's few words after them */

struct answer {
    enum http_status status;
    bool last;        /* the connection ends with it */
    bool silent;      /* to HEAD: no body */
    bool chunked;     /* a document for HTTP/1.1, whose length nobody knows */
    bool gzip;        /* a file of the page, in this coding */
    const char *type; /* of a file: "html"; NULL: it is none */
    const char *body; /* the file, or NULL */
    size_t size;
    struct api_cursor cursor; /* a document, when its table is set */
};

/* Names the page's bytes: changes with them. To be had after answer_begin(). */
extern char answer_etag[11];

void answer_begin(void);
/* What a request that was read gets; `status` as http_feed() or the server found. */
void answer_prepare(struct answer *answer, const struct http_request *request,
                    enum http_status status);
/* Writes the header lines; returns their length. */
size_t answer_head(const struct answer *answer, char *buffer, size_t size);

#endif
