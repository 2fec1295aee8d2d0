/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 connections (RFC 9112) on lwIP's raw API; its callbacks run in bb_poll(). */
#include <string.h>

#include <busbar/log.h>
#include <busbar/tcpip.h>

#include "answer.h"
#include "server.h"

#define CONNECTIONS 72 /* 64 kept alive, and some that come and go */
#define HELD 2         /* packet buffers that one may hold while it waits for an answer */

#define TICK (1000 / (2 * TCP_TMR_INTERVAL)) /* a second, in the units of tcp_poll() */

enum {                     /* seconds */
       IDLE_LIMIT = 60,    /* between two requests */
       REQUEST_LIMIT = 10, /* from a request's first byte to its last */
       ANSWER_LIMIT = 20,  /* in which a client takes less than LEAST of an answer */
       LINGER_LIMIT = 2,   /* for a client to hear why, before unread bytes of it reset all */
};

#define LEAST 1024 /* bytes; a byte for each probe of a closed window is no progress */

/* The last answer is lwIP's. FLUSHING: of a client that has ended, until it has acknowledged all;
 * LINGERING: after our FIN, until the client has ended too. lwIP alone would wait without end for
 * a client that keeps its window closed, so a connection is left to it with nothing but a FIN. */
enum phase { READING, HEAD, BODY, FLUSHING, LINGERING };

struct connection {
    struct tcp_pcb *pcb; /* NULL: free */
    struct pbuf *held;   /* received and not yet read, from `offset` on */
    uint16_t offset;
    uint8_t phase;   /* enum phase */
    uint8_t seconds; /* of silence, of a request or of lingering */
    uint8_t stalled; /* seconds in which the client has not taken LEAST of what is to be sent */
    uint16_t taken;  /* bytes of it */
    bool ended;      /* the client sends no more */
    bool starved;    /* lwIP had no memory for it */
    struct http_request request;
    struct answer answer;
};

/* A chunk: its size as "%04zx\r\n", JSON, "\r\n", and the last one's "0\r\n\r\n". */
#define CHUNK_HEAD 6
#define CHUNK_TAIL 7
static char scratch[6144];
_Static_assert(sizeof(scratch) >= API_WRITE_LEAST + CHUNK_HEAD + CHUNK_TAIL, "any piece fits");
_Static_assert(sizeof(scratch) >= ANSWER_MAX_HEAD, "a head fits");
_Static_assert(TCP_SND_BUF >= API_WRITE_LEAST + CHUNK_HEAD + CHUNK_TAIL, "lwIP takes any piece");

static struct connection connections[CONNECTIONS];
static struct api_figures figures;
static bool hungry; /* some connection is starved */

static void forget(struct connection *connection)
{
    if (connection->held)
        pbuf_free(connection->held);
    memset(connection, 0, sizeof(*connection));
    figures.connections--;
}

static struct tcp_pcb *detach(struct connection *connection)
{
    struct tcp_pcb *pcb = connection->pcb;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_err(pcb, NULL);
    forget(connection);
    return pcb;
}

/* Both return what a callback must tell lwIP: ERR_ABRT when the connection is gone. */
static err_t abort_connection(struct connection *connection)
{
    tcp_abort(detach(connection));
    return ERR_ABRT;
}

static err_t close_connection(struct connection *connection)
{
    struct tcp_pcb *pcb = detach(connection);
    tcp_setprio(pcb, TCP_PRIO_MIN); /* a client that never closes its side makes room for others */
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* ---- Answering ---- */

/* False when lwIP has no memory now: what others have sent gives some back. */
static bool queue(struct connection *connection, const char *data, size_t size, u8_t flags)
{
    err_t error = tcp_write(connection->pcb, data, (u16_t)size, flags);
    connection->starved = error != ERR_OK;
    hungry |= connection->starved;
    return error == ERR_OK;
}

/* Memory that stays: no copy is made. Returns how much of it was taken. */
static size_t send_constant(struct connection *connection, const char *data, size_t size)
{
    size_t room = tcp_sndbuf(connection->pcb);
    size = size < room ? size : room;
    size = size < UINT16_MAX ? size : UINT16_MAX;
    if (!size || queue(connection, data, size, 0))
        return size;
    size = size < TCP_MSS ? size : TCP_MSS;
    return queue(connection, data, size, 0) ? size : 0;
}

static bool send_head(struct connection *connection)
{
    size_t size = answer_head(&connection->answer, scratch, sizeof(scratch));
    BB_ASSERT(size <= ANSWER_MAX_HEAD);
    return size <= tcp_sndbuf(connection->pcb) &&
           queue(connection, scratch, size, TCP_WRITE_FLAG_COPY);
}

/* As much of the document as fits. The cursor moves only when lwIP has taken it. */
static bool send_document(struct connection *connection)
{
    struct answer *answer = &connection->answer;
    struct api_cursor cursor = answer->cursor;
    size_t room = tcp_sndbuf(connection->pcb);
    room = room < sizeof(scratch) ? room : sizeof(scratch);
    if (room < API_WRITE_LEAST + CHUNK_HEAD + CHUNK_TAIL)
        return false;
    struct json json = {.buffer = scratch + CHUNK_HEAD, .size = room - CHUNK_HEAD - CHUNK_TAIL};
    api_write(&cursor, &json);
    const char *start = scratch + CHUNK_HEAD;
    size_t size = json.used;
    if (answer->chunked) {
        char line[CHUNK_HEAD + 1];
        bb_format(line, sizeof(line), "%04zx\r\n", json.used);
        memcpy(scratch, line, CHUNK_HEAD);
        const char *tail = cursor.done ? "\r\n0\r\n\r\n" : "\r\n";
        memcpy(json.buffer + json.used, tail, strlen(tail));
        start = scratch;
        size += CHUNK_HEAD + strlen(tail);
    }
    if (!queue(connection, start, size, TCP_WRITE_FLAG_COPY))
        return false;
    answer->cursor = cursor;
    return true;
}

static bool has_body(const struct answer *answer)
{
    return !answer->silent && answer->status == HTTP_OK;
}

/* True when all of the body is lwIP's. */
static bool send_body(struct connection *connection)
{
    struct answer *answer = &connection->answer;
    if (!has_body(answer))
        return true;
    while (answer->cursor.table && !answer->cursor.done)
        if (!send_document(connection))
            return false;
    while (answer->size) {
        size_t taken = send_constant(connection, answer->body, answer->size);
        if (!taken)
            return false;
        answer->body += taken;
        answer->size -= taken;
    }
    return true;
}

static void answer_with(struct connection *connection, enum http_status status)
{
    answer_prepare(&connection->answer, &connection->request, status);
    connection->phase = HEAD;
    figures.requests++;
    figures.refused += connection->answer.status >= HTTP_BAD_REQUEST;
}

/* ---- Reading ---- */

/* Reads from what is held, up to the end of one request. */
static void read_request(struct connection *connection)
{
    while (connection->held && connection->phase == READING) {
        struct pbuf *first = connection->held;
        size_t taken;
        bool begun = connection->request.begun;
        enum http_status status =
            http_feed(&connection->request, (const char *)first->payload + connection->offset,
                      first->len - connection->offset, &taken);
        if (connection->request.begun && !begun)
            connection->seconds = 0;
        tcp_recved(connection->pcb, (u16_t)taken);
        connection->offset = (uint16_t)(connection->offset + taken);
        if (connection->offset == first->len) {
            connection->held = first->next;
            connection->offset = 0;
            if (first->next)
                pbuf_ref(first->next); /* else it would go with the first */
            pbuf_free(first);
        }
        if (status != HTTP_MORE)
            answer_with(connection, status);
    }
}

/* Throws away what the client still sends. */
static void drop_held(struct connection *connection)
{
    if (!connection->held)
        return;
    tcp_recved(connection->pcb, (u16_t)(connection->held->tot_len - connection->offset));
    pbuf_free(connection->held);
    connection->held = NULL;
    connection->offset = 0;
}

/* Makes one buffer, not of the receive pool, of what is held: many small segments that came out of
 * order arrive as one chain. False when that is more than a segment, or memory is short. */
static bool gather(struct connection *connection)
{
    u16_t size = (u16_t)(connection->held->tot_len - connection->offset);
    struct pbuf *one = size <= TCP_MSS ? pbuf_alloc(PBUF_RAW, size, PBUF_RAM) : NULL;
    if (!one)
        return false;
    pbuf_copy_partial(connection->held, one->payload, size, connection->offset);
    pbuf_free(connection->held);
    connection->held = one;
    connection->offset = 0;
    return true;
}

/* It was the last answer. The client may still be sending, and must read the answer
 * before a reset tells it to stop (RFC 9112 section 9.6). */
static err_t finish(struct connection *connection)
{
    if (connection->ended)
        return close_connection(connection);
    if (tcp_shutdown(connection->pcb, 0, 1) != ERR_OK)
        return abort_connection(connection);
    tcp_setprio(connection->pcb, TCP_PRIO_MIN);
    connection->phase = LINGERING;
    connection->seconds = 0;
    return ERR_OK;
}

/* All bytes that lwIP took, but for a FIN. */
static bool is_acknowledged(const struct connection *connection)
{
    return tcp_sndbuf(connection->pcb) == TCP_SND_BUF;
}

/* Goes as far as it can: reads, answers, reads on. */
static err_t advance(struct connection *connection)
{
    while (connection->phase < FLUSHING) {
        if (connection->phase == READING)
            read_request(connection);
        if (connection->phase == READING)
            break;
        if (connection->phase == HEAD && send_head(connection))
            connection->phase = BODY;
        if (connection->phase == HEAD || !send_body(connection))
            break;
        connection->phase = connection->answer.last ? FLUSHING : READING;
        connection->seconds = 0;
        if (connection->phase == READING)
            http_begin(&connection->request, answer_etag);
    }
    if (connection->phase == READING && connection->ended)
        connection->phase = FLUSHING;
    if (connection->phase == FLUSHING) {
        drop_held(connection);
        if (!connection->ended || is_acknowledged(connection))
            return finish(connection);
    }
    if (connection->held && pbuf_clen(connection->held) > HELD && !gather(connection))
        return abort_connection(connection);
    tcp_output(connection->pcb);
    return ERR_OK;
}

/* Memory came back, enough for one to go on: those that wait for it do so in turns. To write a
 * piece of a document in vain costs as much as to send it. Not `besides`, who is being called. */
static void feed_starved(const struct connection *besides, size_t size)
{
    static size_t turn, back;
    back += size;
    if (!hungry || back < sizeof(scratch))
        return;
    back = 0;
    hungry = false;
    for (size_t i = 0; i < CONNECTIONS && !hungry; i++) {
        struct connection *each = &connections[turn];
        turn = (turn + 1) % CONNECTIONS;
        if (each->starved && each != besides)
            advance(each);
    }
}

/* ---- lwIP's callbacks ---- */

static err_t on_received(void *context, struct tcp_pcb *pcb, struct pbuf *buffer, err_t error)
{
    struct connection *connection = context;
    (void)error;
    if (!connection) {
        if (buffer)
            pbuf_free(buffer);
        return ERR_OK;
    }
    if (!buffer) {
        connection->ended = true;
        if (connection->phase != LINGERING)
            return advance(connection);
        return is_acknowledged(connection) ? close_connection(connection) : ERR_OK;
    }
    if (connection->phase == LINGERING) {
        tcp_recved(pcb, buffer->tot_len);
        pbuf_free(buffer);
        return ERR_OK;
    }
    if (connection->held && !buffer->next && pbuf_clen(connection->held) >= HELD)
        return ERR_MEM; /* lwIP keeps it, and lets no more come, until there is room */
    if (connection->held)
        pbuf_cat(connection->held, buffer);
    else
        connection->held = buffer;
    return advance(connection);
}

static err_t on_sent(void *context, struct tcp_pcb *pcb, u16_t length)
{
    struct connection *connection = context;
    (void)pcb;
    feed_starved(connection, length);
    if (!connection)
        return ERR_OK;
    if (connection->phase == LINGERING && connection->ended && is_acknowledged(connection))
        return close_connection(connection); /* now: lwIP says nothing when only a FIN is left */
    if (connection->taken + length >= LEAST) {
        connection->stalled = 0;
        connection->taken = 0;
    } else {
        connection->taken = (uint16_t)(connection->taken + length);
    }
    return advance(connection);
}

/* Whether the client takes what there is for it, our FIN too; called once a second. */
static bool is_stalled(struct connection *connection)
{
    bool owed = connection->phase == HEAD || connection->phase == BODY ||
                tcp_sndqueuelen(connection->pcb) > 0;
    if (!owed) {
        connection->stalled = 0;
        connection->taken = 0;
    }
    return owed && ++connection->stalled >= ANSWER_LIMIT;
}

/* Once a second. */
static err_t on_tick(void *context, struct tcp_pcb *pcb)
{
    struct connection *connection = context;
    if (!connection)
        return ERR_OK;
    if (is_stalled(connection))
        return abort_connection(connection);
    if (connection->phase == LINGERING) {
        bool heard = ++connection->seconds >= LINGER_LIMIT && !tcp_sndqueuelen(pcb);
        return heard ? close_connection(connection) : ERR_OK;
    }
    if (connection->phase == READING) {
        connection->seconds++;
        if (connection->request.begun && connection->seconds >= REQUEST_LIMIT)
            answer_with(connection, HTTP_REQUEST_TIMEOUT);
        else if (!connection->request.begun && connection->seconds >= IDLE_LIMIT)
            connection->phase = FLUSHING;
    }
    return advance(connection);
}

/* The connection is gone already. */
static void on_error(void *context, err_t error)
{
    (void)error;
    if (context)
        forget(context);
}

/* A free place, or that of whoever has been silent the longest between two requests. */
static struct connection *find_place(void)
{
    struct connection *idle = NULL;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *each = &connections[i];
        if (!each->pcb)
            return each;
        if (each->phase == READING && !each->request.begun && !each->held &&
            !tcp_sndqueuelen(each->pcb) && (!idle || each->seconds > idle->seconds))
            idle = each;
    }
    if (idle)
        close_connection(idle);
    return idle;
}

static err_t on_accept(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)context;
    if (error != ERR_OK || !pcb)
        return ERR_VAL;
    struct connection *connection = find_place();
    if (!connection) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    figures.connections++;
    connection->pcb = pcb;
    http_begin(&connection->request, answer_etag);
    tcp_nagle_disable(pcb); /* answers go out whole; a wait for acknowledgements only delays them */
    tcp_arg(pcb, connection);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_tick, TICK);
    return ERR_OK;
}

int server_start(uint16_t port)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb)
        return -ENOMEM;
    if (tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK) {
        tcp_abort(pcb);
        return -EBUSY;
    }
    struct tcp_pcb *listener = tcp_listen_with_backlog(pcb, UINT8_MAX);
    if (!listener) {
        tcp_abort(pcb);
        return -ENOMEM;
    }
    answer_begin();
    api_begin(&figures);
    tcp_accept(listener, on_accept);
    return 0;
}
