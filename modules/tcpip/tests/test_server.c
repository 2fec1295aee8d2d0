/* SPDX-License-Identifier: BSD-2-Clause */
/* The web page's server against clients that take nothing, or send in the worst order: it gives up
 * on them in the time that it promises, with everything they held. Documents are the test's own. */
#include <tests/unit/harness.h>

#include "frames.h"

#include <apps/webpage/http.c>
#include <apps/webpage/server.c>

#define POOL 256
#define PIECE 4000
#define PIECES 4 /* all of them are less than what lwIP takes at once */

char answer_etag[11] = "\"12345678\"";

void answer_begin(void)
{
}

void answer_prepare(struct answer *answer, const struct http_request *request,
                    enum http_status status)
{
    static const char table;
    *answer = (struct answer){.cursor.table = (const struct api_table *)(const void *)&table,
                              .status = status,
                              .last = request->close || status != HTTP_OK};
}

size_t answer_head(const struct answer *answer, char *buffer, size_t size)
{
    return bb_format(buffer, size, "HTTP/1.1 %u\r\n\r\n", answer->status);
}

void api_begin(const struct api_figures *counted)
{
    (void)counted;
}

void api_write(struct api_cursor *cursor, struct json *json)
{
    memset(json->buffer, 'x', PIECE);
    json->used = PIECE;
    cursor->done = ++cursor->at == PIECES;
}

static const struct bb_tcpip_config fixed = {.address = "10.0.2.15/24", .gateway = "10.0.2.2"};
static struct frame frame;

#define CLIENTS 60
#define FIRST_PORT 5000

static struct client {
    uint32_t sequence, next; /* ours, and the server's */
} clients[CLIENTS];

static void send_from(unsigned client, uint32_t sequence, unsigned flags, const char *text,
                      unsigned window)
{
    make_tcp(&frame, FIRST_PORT + client, 80, sequence, clients[client].next, flags, text,
             text ? strlen(text) : 0);
    uint8_t *tcp = frame.data + ETH + IP4;
    put16(tcp + 14, window);
    put16(tcp + 16, 0);
    put16(tcp + 16, ~transport_sum(frame.data, frame.length) & 0xffff);
    assert_true(give(&frame, 0));
    fake_run(BB_MSEC);
}

/* Connects, and asks with a window that never opens. */
static void ask(unsigned client, const char *request)
{
    struct client *self = &clients[client];
    fake.logged = 0;
    self->next = 0;
    send_from(client, 100, SYN, NULL, 8192);
    fake_run(10 * BB_MSEC);
    assert_non_null(sent_ip(6));
    self->next = get32(sent_ip(6)->data + ETH + IP4 + 4) + 1;
    send_from(client, 101, ACK, NULL, 0);
    send_from(client, 101, ACK | PSH, request, 0);
    self->sequence = 101 + (uint32_t)strlen(request);
}

/* So long the clients answer each probe of their closed windows. */
static void stall(unsigned count, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        for (unsigned client = 0; client < count; client++)
            send_from(client, clients[client].sequence, ACK, NULL, 0);
        fake_run(BB_SEC - count * BB_MSEC);
    }
}

/* How many pieces of the largest size lwIP could have. */
static unsigned pieces(void)
{
    static void *taken[1024];
    unsigned count = 0;
    while (count < BB_ARRAY_SIZE(taken) && (taken[count] = bb_tcpip_alloc(1500)))
        count++;
    for (unsigned i = 0; i < count; i++)
        bb_tcpip_free(taken[i]);
    return count;
}

static unsigned free_pieces;

static void begin(void)
{
    fake_tcpip_begin(POOL, 0, &fixed);
    assert_int_equal(server_start(80), 0);
    free_pieces = pieces();
}

/* Nothing is left of anybody, and another is served. */
static void expect_recovered(void)
{
    assert_int_equal(figures.connections, 0);
    assert_int_equal(pieces(), free_pieces);
    assert_int_equal(bb_buffer_free(), POOL - FAKE_DEPTH);
    ask(CLIENTS - 1, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(figures.connections, 1);
}

static void test_an_unread_last_answer_is_given_up(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < CLIENTS / 2; i++)
        ask(i, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stall(CLIENTS / 2, ANSWER_LIMIT + 2);
    expect_recovered();
}

static void test_an_unread_answer_is_given_up(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < CLIENTS / 2; i++)
        ask(i, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    stall(CLIENTS / 2, ANSWER_LIMIT + 2);
    expect_recovered();
}

static void test_a_client_that_only_ended_is_given_up(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < CLIENTS / 2; i++) {
        ask(i, i % 2 ? "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                     : "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        send_from(i, clients[i].sequence++, ACK | FIN, NULL, 0);
    }
    stall(CLIENTS / 2, ANSWER_LIMIT + 2);
    expect_recovered();
}

/* Segments of a byte, the last one first: lwIP hands them over in one chain. */
static void send_backwards(unsigned client, unsigned size)
{
    uint32_t first = clients[client].sequence;
    for (unsigned i = size; i > 0; i--)
        send_from(client, first + i - 1, ACK | PSH, "G", 0);
    clients[client].sequence += size;
}

static void test_a_client_holds_few_buffers_whatever_their_order(void **state)
{
    (void)state;
    begin();
    unsigned before = bb_buffer_free();
    for (unsigned i = 0; i < 4; i++) {
        ask(i, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
               "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        send_backwards(i, 22);
        send_backwards(i, 22);
        assert_in_range(before - bb_buffer_free(), 0, (HELD + 1) * (i + 1));
    }
    stall(4, ANSWER_LIMIT + 2);
    expect_recovered();
}

static void test_what_was_put_together_is_read(void **state)
{
    static const char rest[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    (void)state;
    begin();
    ask(0, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    uint32_t at = clients[0].sequence;
    for (unsigned i = sizeof(rest) - 1; i > 0;) { /* in pieces of three, backwards */
        unsigned size = i % 3 ? i % 3 : 3;
        i -= size;
        char piece[4] = {0};
        memcpy(piece, rest + i, size);
        send_from(0, at + i, ACK | PSH, piece, 0);
    }
    clients[0].sequence += (uint32_t)sizeof(rest) - 1;
    for (unsigned i = 0; i < 100; i++) { /* takes all there is */
        const struct fake_frame *last = sent_ip(6);
        uint32_t end = get32(last->data + ETH + IP4 + 4) + get16(last->data + ETH + 2) - IP4 - TCP;
        clients[0].next = end + (last->data[ETH + IP4 + 13] & FIN);
        send_from(0, clients[0].sequence, ACK, NULL, 8192);
        fake_run(10 * BB_MSEC);
    }
    assert_int_equal(figures.requests, 3);
    fake_run((LINGER_LIMIT + 2) * BB_SEC);
    assert_int_equal(figures.connections, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unread_last_answer_is_given_up),
        cmocka_unit_test(test_an_unread_answer_is_given_up),
        cmocka_unit_test(test_a_client_that_only_ended_is_given_up),
        cmocka_unit_test(test_a_client_holds_few_buffers_whatever_their_order),
        cmocka_unit_test(test_what_was_put_together_is_read),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
