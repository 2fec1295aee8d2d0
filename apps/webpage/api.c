/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON documents: a list each, with what belongs to the whole before it. */
#include <string.h>

#include <busbar/app.h>
#include <busbar/arena.h>
#include <busbar/block.h>
#include <busbar/board.h>
#include <busbar/clock.h>
#include <busbar/rtc.h>
#include <busbar/store.h>
#include <busbar/thermal.h>
#include <busbar/usb.h>

#include "api.h"

/* How much of a text is shown: the tree's and the disks' may be of any length. Six bytes in JSON
 * for one of these is the most. */
enum {
    MAX_NAME = 48,
    MAX_PATH = 128,
    MAX_REASON = 200,
    MAX_COMPATIBLE = 40,
    COMPATIBLES = 3,
    MAX_TEXT = 240,
    DRIVERS = 4,
    KEYS = 256, /* of one piece, and its numbers */
};
_Static_assert(6 * (MAX_PATH + MAX_REASON + 3 * MAX_NAME + COMPATIBLES * MAX_COMPATIBLE) + KEYS <=
                   API_WRITE_LEAST,
               "any device fits");
_Static_assert(6 * 5 * MAX_NAME + 2 * KEYS <= API_WRITE_LEAST, "any disk fits");
_Static_assert(6 * (MAX_PATH + (4 + DRIVERS) * MAX_NAME) + 2 * KEYS <= API_WRITE_LEAST,
               "any USB device fits");
_Static_assert(6 * MAX_TEXT + 6 * 2 * MAX_NAME + KEYS <= API_WRITE_LEAST,
               "any value and message fits");

struct api_table {
    const char *path;
    const char *list;                /* its key */
    void (*head)(struct json *json); /* keys before it; may be NULL */
    /* Where the list begins; NULL: at 0. */
    enum http_status (*begin)(struct api_cursor *cursor, const struct http_request *request);
    void (*resume)(struct api_cursor *cursor);                        /* others ran; may be NULL */
    bool (*piece)(struct api_cursor *cursor, struct json *json);      /* false at the end */
    void (*tail)(const struct api_cursor *cursor, struct json *json); /* keys after it, or NULL */
};

static const struct api_figures *figures;
static struct bb_value requests_value, refused_value, connections_value;

#define MOST_SENSORS 4
static struct {
    const char *name;
    int32_t now, limit; /* 1/1000 degree Celsius; limit 0: none is known */
} sensors[MOST_SENSORS];
static uint32_t sensor_count;

#define MOST_CLOCKS 10
/* The outputs of the Pi's firmware (property interface, "Clocks"), from 1. */
static const char *const clock_names[MOST_CLOCKS] = {"emmc", "uart", "arm",   "core",  "v3d",
                                                     "h264", "isp",  "sdram", "pixel", "pwm"};
static uint64_t clock_rates[MOST_CLOCKS]; /* Hz; 0: there is none */
static struct bb_board_identity identity;
static bool identified;

static void put_text(struct json *json, const char *key, const char *text, size_t limit)
{
    json_key(json, key);
    json_string(json, text, limit);
}

static void put_number(struct json *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_u64(json, value);
}

/* ---- /api/system ---- */

static void system_head(struct json *json)
{
    const char *model = NULL;
    int64_t seconds;
    if (bb_node_root() && bb_node_string(bb_node_root(), "model", &model) < 0)
        bb_node_string(bb_node_root(), "compatible", &model);
    put_text(json, "version", bb_version(), MAX_TEXT);
    put_text(json, "platform", bb_platform_name(), MAX_NAME);
    put_text(json, "model", model, MAX_NAME);
    json_key(json, "wall");
    if (bb_wall_time(&seconds) == 0)
        json_i64(json, seconds);
    else
        json_null(json);
    json_key(json, "arena");
    json_open(json, '{');
    put_number(json, "size", bb_arena_size());
    put_number(json, "used", bb_arena_used());
    json_close(json, '}');
    put_number(json, "requests", figures->requests);
    put_number(json, "connections", figures->connections);
}

static bool sensor_piece(struct api_cursor *cursor, struct json *json)
{
    uint32_t i = cursor->at++;
    if (i >= sensor_count)
        return false;
    json_open(json, '{');
    put_text(json, "name", sensors[i].name, MAX_NAME);
    json_key(json, "millicelsius");
    json_i64(json, sensors[i].now);
    json_key(json, "limit");
    json_i64(json, sensors[i].limit);
    json_close(json, '}');
    return true;
}

/* ---- /api/board ---- */

static void board_head(struct json *json)
{
    char text[20], mac[18];
    const uint8_t *at = identity.mac;
    bb_format(text, sizeof(text), "%x", (unsigned)identity.revision);
    put_text(json, "revision", identified ? text : NULL, MAX_NAME);
    bb_format(text, sizeof(text), "%016llx", (unsigned long long)identity.serial);
    put_text(json, "serial", identified ? text : NULL, MAX_NAME);
    put_number(json, "firmware", identity.firmware);
    bb_format(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", at[0], at[1], at[2], at[3], at[4],
              at[5]);
    put_text(json, "mac", identified ? mac : NULL, MAX_NAME);
}

static bool clock_piece(struct api_cursor *cursor, struct json *json)
{
    while (cursor->at < MOST_CLOCKS && !clock_rates[cursor->at])
        cursor->at++;
    if (cursor->at == MOST_CLOCKS)
        return false;
    json_open(json, '{');
    put_text(json, "name", clock_names[cursor->at], MAX_NAME);
    put_number(json, "hz", clock_rates[cursor->at]);
    json_close(json, '}');
    cursor->at++;
    return true;
}

/* ---- /api/usb ---- */

/* Of its interfaces. */
static void put_drivers(struct json *json, const struct bb_usb_device *device)
{
    json_key(json, "drivers");
    json_open(json, '[');
    for (unsigned i = 0; i < device->interface_count && i < DRIVERS; i++) {
        const struct bb_node *node = device->interfaces[i].node;
        if (node && node->device)
            json_string(json, node->device->driver->name, MAX_NAME);
    }
    json_close(json, ']');
}

static bool usb_piece(struct api_cursor *cursor, struct json *json)
{
    static const char *const speeds[] = {"1.5 Mb/s", "12 Mb/s", "480 Mb/s"};
    const struct bb_usb_device *device = bb_usb_next(NULL);
    char text[MAX_PATH + 1];
    for (uint32_t i = 0; device && i < cursor->at; i++)
        device = bb_usb_next(device);
    if (!device)
        return false;
    json_open(json, '{');
    *text = '\0';
    if (device->node)
        bb_node_path(device->node, text, sizeof(text));
    put_text(json, "path", text, MAX_PATH);
    put_number(json, "tier", device->tier);
    put_number(json, "port", device->port);
    put_text(json, "speed", speeds[device->speed], MAX_NAME);
    bb_format(text, sizeof(text), "%04x", device->vendor);
    put_text(json, "vendor", text, MAX_NAME);
    bb_format(text, sizeof(text), "%04x", device->product);
    put_text(json, "product", text, MAX_NAME);
    put_text(json, "manufacturer", device->manufacturer, MAX_NAME);
    put_text(json, "model", device->model, MAX_NAME);
    put_text(json, "serial", device->serial, MAX_NAME);
    put_number(json, "power", device->power);
    put_text(json, "why", device->why, MAX_NAME);
    put_drivers(json, device);
    json_close(json, '}');
    cursor->at++;
    return true;
}

/* ---- /api/devices ---- */

static const char *state_of(const struct bb_node *node)
{
    if (node->state == BB_NODE_RUNNING)
        return "running";
    if (!node->compatible && !node->driver)
        return "group";
    switch (node->reason.code) {
    case BB_REASON_WAITING:
        return "waiting";
    case BB_REASON_ABSENT:
        return "absent";
    case BB_REASON_PROBE_FAILED:
    case BB_REASON_CYCLE:
    case BB_REASON_NO_MEMORY:
    case BB_REASON_BROKEN:
        return "failed";
    case BB_REASON_REMOVED:
        return "removed";
    case BB_REASON_DISABLED:
    case BB_REASON_NONE:
    case BB_REASON_NO_DRIVER:
    case BB_REASON_NO_BUS:
        break;
    }
    if (!node->enabled)
        return "disabled";
    return bb_node_is_bus(node) ? "bus" : "unclaimed";
}

static enum http_status devices_begin(struct api_cursor *cursor, const struct http_request *request)
{
    (void)request;
    cursor->node = bb_node_root() ? bb_node_root()->child : NULL;
    return HTTP_OK;
}

/* In the order in which people read a tree: a node, its children, its sibling. */
static const struct bb_node *node_after(const struct bb_node *node)
{
    if (node->child)
        return node->child;
    while (node && !node->sibling)
        node = node->parent;
    return node ? node->sibling : NULL;
}

static void put_compatibles(struct json *json, const struct bb_node *node)
{
    const char *text;
    json_key(json, "compatible");
    json_open(json, '[');
    for (size_t i = 0; i < COMPATIBLES; i++)
        if (node->compatible && bb_node_string_at(node, "compatible", i, &text) == 0)
            json_string(json, text, MAX_COMPATIBLE);
    json_close(json, ']');
}

static bool device_piece(struct api_cursor *cursor, struct json *json)
{
    const struct bb_node *node = cursor->node;
    char text[MAX_REASON + 1];
    uint32_t depth = 0;
    if (!node)
        return false;
    for (const struct bb_node *up = node->parent; up && up->parent; up = up->parent)
        depth++;
    json_open(json, '{');
    bb_node_path(node, text, MAX_PATH + 1);
    put_text(json, "path", text, MAX_PATH);
    put_text(json, "name", node->name, MAX_NAME);
    put_text(json, "alias", node->alias, MAX_NAME);
    put_number(json, "depth", depth);
    put_text(json, "state", state_of(node), MAX_NAME);
    put_text(json, "driver", node->driver ? node->driver->name : NULL, MAX_NAME);
    put_text(json, "bus", node->driver && node->bus ? node->bus->name : NULL, MAX_NAME);
    bb_node_reason(node, text, sizeof(text));
    put_text(json, "reason", node->compatible || node->driver ? text : NULL, MAX_REASON);
    put_compatibles(json, node);
    put_text(json, "handle", node->device ? node->device->name : NULL, MAX_NAME);
    put_number(json, "bytes", node->device ? node->device->bytes : 0);
    json_close(json, '}');
    cursor->node = node_after(node);
    cursor->at++;
    return true;
}

/* Between two parts of the document devices may have gone, and others have their memory: then it
 * goes on after as many nodes as it had. */
static void devices_resume(struct api_cursor *cursor)
{
    bb_for_each_node (node)
        if (node == cursor->node)
            return;
    cursor->node = cursor->node ? bb_node_root()->child : NULL;
    for (uint32_t i = 0; cursor->node && i < cursor->at; i++)
        cursor->node = node_after(cursor->node);
}

/* ---- /api/store ---- */

static void put_value(struct json *json, const struct bb_value *value)
{
    static const char *const types[] = {
        [BB_VALUE_U32] = "u64",   [BB_VALUE_U64] = "u64",   [BB_VALUE_I64] = "i64",
        [BB_VALUE_BOOL] = "bool", [BB_VALUE_TEXT] = "text",
    };
    put_text(json, "type", types[value->type], MAX_NAME);
    json_key(json, "value");
    switch (value->type) {
    case BB_VALUE_U32:
        json_u64(json, *(const uint32_t *)value->pointer);
        break;
    case BB_VALUE_U64:
        json_u64(json, *(const uint64_t *)value->pointer);
        break;
    case BB_VALUE_I64:
        json_i64(json, *(const int64_t *)value->pointer);
        break;
    case BB_VALUE_BOOL:
        json_bool(json, *(const bool *)value->pointer);
        break;
    case BB_VALUE_TEXT:
        json_string(json, value->pointer, MAX_TEXT);
        break;
    }
}

/* Counted from the start each time: values come and go with their devices. */
static bool value_piece(struct api_cursor *cursor, struct json *json)
{
    const struct bb_value *value = bb_value_first();
    for (uint32_t i = 0; value && i < cursor->at; i++)
        value = value->next;
    if (!value)
        return false;
    json_open(json, '{');
    put_text(json, "device", value->device ? value->device->name : "core", MAX_NAME);
    put_text(json, "name", value->name, MAX_NAME);
    put_text(json, "unit", value->unit, MAX_NAME);
    put_value(json, value);
    json_close(json, '}');
    cursor->at++;
    return true;
}

/* ---- /api/log ---- */

static enum http_status log_begin(struct api_cursor *cursor, const struct http_request *request)
{
    return http_query_number(request, "since", &cursor->at);
}

static bool log_piece(struct api_cursor *cursor, struct json *json)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    struct bb_log_entry entry;
    if (!bb_log_read(cursor->at, &entry))
        return false;
    json_open(json, '{');
    put_number(json, "sequence", entry.sequence);
    put_number(json, "time_ns", entry.time);
    put_text(json, "level", levels[entry.level], MAX_NAME);
    put_text(json, "text", entry.text, MAX_TEXT);
    json_close(json, '}');
    cursor->at = entry.sequence + 1;
    return true;
}

static void log_tail(const struct api_cursor *cursor, struct json *json)
{
    put_number(json, "next", cursor->at);
}

/* ---- /api/block ---- */

static void put_statistics(struct json *json, const struct bb_block_stats *stats)
{
    json_key(json, "stats");
    json_open(json, '{');
    put_number(json, "reads", stats->reads);
    put_number(json, "writes", stats->writes);
    put_number(json, "read_bytes", stats->read_bytes);
    put_number(json, "written_bytes", stats->written_bytes);
    put_number(json, "flushes", stats->flushes);
    put_number(json, "discards", stats->discards);
    put_number(json, "errors", stats->errors);
    put_number(json, "timeouts", stats->timeouts);
    json_close(json, '}');
}

static bool block_piece(struct api_cursor *cursor, struct json *json)
{
    struct bb_block *block = bb_block_first();
    for (uint32_t i = 0; block && i < cursor->at; i++)
        block = bb_block_next(block);
    if (!block)
        return false;
    json_open(json, '{');
    put_text(json, "name", block->face.device->name, MAX_NAME);
    put_text(json, "driver", block->face.device->driver->name, MAX_NAME);
    put_text(json, "label", block->label, MAX_NAME);
    put_text(json, "uuid", block->uuid, MAX_NAME);
    put_text(json, "parent", block->parent ? block->parent->face.device->name : NULL, MAX_NAME);
    put_number(json, "first", block->first);
    put_number(json, "blocks", block->capacity);
    put_number(json, "block_size", block->block_size);
    put_number(json, "queues", block->queues);
    put_number(json, "depth", block->depth);
    json_key(json, "read_only");
    json_bool(json, block->features & BB_BLOCK_READ_ONLY);
    put_statistics(json, &block->stats);
    json_close(json, '}');
    cursor->at++;
    return true;
}

/* ---- All of them ---- */

static const struct api_table tables[] = {
    {"/api/system", "temperatures", .head = system_head, .piece = sensor_piece},
    {"/api/devices", "devices", .begin = devices_begin, .resume = devices_resume,
     .piece = device_piece},
    {"/api/store", "values", .piece = value_piece},
    {"/api/log", "entries", .begin = log_begin, .piece = log_piece, .tail = log_tail},
    {"/api/block", "disks", .piece = block_piece},
    {"/api/board", "clocks", .head = board_head, .piece = clock_piece},
    {"/api/usb", "devices", .piece = usb_piece},
};

void api_begin(const struct api_figures *counted)
{
    figures = counted;
    bb_publish_u64(NULL, &requests_value, "http_requests", "requests", &figures->requests);
    bb_publish_u64(NULL, &refused_value, "http_refused", "requests", &figures->refused);
    bb_publish_u32(NULL, &connections_value, "http_connections", "", &figures->connections);
}

static void sample_board(void)
{
    struct bb_board *board = bb_board_first();
    if (!identified && board)
        identified = bb_board_identity(board, &identity) == 0;
    for (struct bb_clock *clock = bb_clock_first(); clock; clock = bb_clock_next(clock)) {
        if (strcmp(clock->face.device->driver->name, "clock/raspberrypi") != 0)
            continue;
        const struct bb_clock_ops *ops = clock->face.ops;
        for (uint32_t i = 0; i < MOST_CLOCKS; i++)
            if (ops->rate(clock, i + 1, &clock_rates[i]) < 0)
                clock_rates[i] = 0;
    }
}

void api_sample(void)
{
    sample_board();
    struct bb_thermal *thermal = bb_thermal_first();
    for (sensor_count = 0; thermal && sensor_count < MOST_SENSORS;
         thermal = bb_thermal_next(thermal)) {
        int32_t now, limit;
        if (bb_thermal_temperature(thermal, &now) < 0)
            continue;
        if (bb_thermal_limit(thermal, &limit) < 0)
            limit = 0;
        sensors[sensor_count].name = thermal->face.device->name;
        sensors[sensor_count].now = now;
        sensors[sensor_count++].limit = limit;
    }
}

const struct api_table *api_find(const struct http_request *request)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(tables); i++)
        if (http_path_is(request, tables[i].path))
            return &tables[i];
    return NULL;
}

enum http_status api_start(struct api_cursor *cursor, const struct api_table *table,
                           const struct http_request *request)
{
    memset(cursor, 0, sizeof(*cursor));
    cursor->table = table;
    enum http_status status = table->begin ? table->begin(cursor, request) : HTTP_OK;
    if (status != HTTP_OK)
        cursor->table = NULL;
    return status;
}

/* One piece: the head, an element of the list, or the tail. */
static void write_piece(struct api_cursor *cursor, struct json *json)
{
    const struct api_table *table = cursor->table;
    if (!cursor->begun) {
        json_open(json, '{');
        put_number(json, "uptime_ns", bb_time());
        if (table->head)
            table->head(json);
        json_key(json, table->list);
        json_open(json, '[');
        cursor->begun = true;
    } else if (!table->piece(cursor, json)) {
        json_close(json, ']');
        if (table->tail)
            table->tail(cursor, json);
        json_close(json, '}');
        cursor->done = true;
    }
}

void api_write(struct api_cursor *cursor, struct json *json)
{
    json->comma = cursor->comma;
    if (cursor->begun && cursor->table->resume)
        cursor->table->resume(cursor);
    while (!cursor->done) {
        const struct api_cursor place = *cursor;
        const struct json before = *json;
        write_piece(cursor, json);
        if (json->full) {
            *cursor = place;
            *json = before;
            break;
        }
    }
    cursor->comma = json->comma;
}
