/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the machine tells of itself, as JSON, in pieces: an answer is written as far as there is
 * room, and goes on later where its cursor stands. So a tree of thousands of nodes needs no more
 * memory than one with ten, and a device that leaves meanwhile leaves no stale pointer.
 *
 *     struct api_cursor cursor = {.table = api_find(request)};
 *     while (!cursor.done) {
 *         api_write(&cursor, &json);       // as much as fits
 *         ... send json.buffer, json.used bytes ...
 *     }
 */
#ifndef WEBPAGE_API_H
#define WEBPAGE_API_H

#include <busbar/node.h>

#include "http.h"
#include "json.h"

/* Room that every piece fits into: API_WRITE_LEAST bytes and api_write() makes progress. */
#define API_WRITE_LEAST 4096

struct api_table;

struct api_cursor {
    const struct api_table *table;
    const struct bb_node *node; /* of devices; looked for again before it is used later */
    uint32_t at;                /* how many pieces came before; of the log, a sequence number */
    bool begun, comma, done;
};

/* What the server counts, for /api/system and the store. */
struct api_figures {
    uint64_t requests, refused;
    uint32_t connections;
};

/* Publishes the figures. Once, before the first answer; they stay the caller's. */
void api_begin(const struct api_figures *figures);
/* Asks sensors how warm they are and clocks how fast, which may wait: from the main loop. */
void api_sample(void);
/* The document that a request names, or NULL. */
const struct api_table *api_find(const struct http_request *request);
/* Sets the cursor to the start, with what the query asks for. HTTP_OK, or what to answer instead:
 * then it has no table. */
enum http_status api_start(struct api_cursor *cursor, const struct api_table *table,
                           const struct http_request *request);
/* Appends pieces while they fit. */
void api_write(struct api_cursor *cursor, struct json *json);

#endif
