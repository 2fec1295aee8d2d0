/* SPDX-License-Identifier: BSD-2-Clause */
/* The echo application on a device that the test plays: it sends from received buffers, so who
 * holds them how long is what matters, and what becomes of clients that send and do not read. */
#include <tests/unit/harness.h>

#include <busbar/tcpip.h>

#include <lwip/priv/tcp_priv.h>

#include "frames.h"

#define bb_main echo_main
int echo_main(void);
#include <apps/echo/main.c>

enum { POOL = 128, CLIENTS = 16, FIRST = 5000, EACH = 40 };

static const struct bb_tcpip_config fixed = {.address = "10.0.2.15/24", .gateway = "10.0.2.2"};
static struct frame frame;

static void begin(void)
{
    fake_tcpip_begin(POOL, 0, &fixed);
    assert_int_equal(listen_tcp(), 0);
}

static void end(void)
{
    fake.hold = false;
    bb_tcpip_stop(&fake.net);
    assert_int_equal(bb_buffer_free(), POOL);
}

static struct tcp_pcb *pcb_of(unsigned port)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->remote_port == port)
            return pcb;
    return NULL;
}

static void give_tcp(unsigned port, uint32_t sequence, uint32_t next, unsigned flags,
                     const char *text)
{
    make_tcp(&frame, port, 7, sequence, next, flags, text, strlen(text));
    assert_true(give(&frame, 0));
    fake_run(5 * BB_MSEC);
}

static uint32_t connect_tcp(unsigned port)
{
    fake.logged = 0;
    give_tcp(port, 100, 0, SYN, "");
    uint32_t next = get32(sent_ip(6)->data + ETH + IP4 + 4) + 1;
    give_tcp(port, 101, next, ACK, "");
    return next;
}

/* The device has a segment with this text, of one part or two. */
static void assert_held(const char *text)
{
    for (unsigned i = 0; i < fake.taken; i++) {
        const struct bb_buffer *first = fake.sending[i];
        if (get16(first->data + 12) != 0x800 || first->data[ETH + 9] != 6 || !first->more)
            continue;
        assert_int_equal(first->more->length, strlen(text));
        assert_memory_equal(first->more->data, text, strlen(text));
        return;
    }
    fail_msg("the device has no segment");
}

/* Fills whatever buffers are free with what somebody else says. */
static void others_speak(void)
{
    for (unsigned i = 0; i < 2 * FAKE_DEPTH; i++) {
        make_udp(&frame, 9, 9, "\0\0\0\0\0\0\0\0\0\0\0\0another", 19);
        assert_true(give(&frame, 0));
        fake_run(0);
    }
}

static void test_a_reset_leaves_what_the_device_has(void **state)
{
    (void)state;
    begin();
    uint32_t next = connect_tcp(FIRST);
    unsigned free = bb_buffer_free();
    fake.hold = true;
    give_tcp(FIRST, 101, next, ACK | PSH, "hello!");
    assert_held("hello!");
    assert_int_equal(bb_buffer_free(), free - 1);
    give_tcp(FIRST, 107, next, RST, "");
    assert_null(pcb_of(FIRST));
    assert_int_equal(bb_buffer_free(), free - 1);
    others_speak();
    assert_held("hello!");
    end();
}

static void test_an_acknowledgement_leaves_what_the_device_has(void **state)
{
    (void)state;
    begin();
    uint32_t next = connect_tcp(FIRST);
    unsigned free = bb_buffer_free();
    give_tcp(FIRST, 101, next, ACK | PSH, "hello!");
    fake.hold = true;
    fake_run(5 * BB_SEC); /* the device takes a repetition */
    assert_held("hello!");
    give_tcp(FIRST, 107, next + 6, ACK, "");
    assert_int_equal(bb_buffer_free(), free - 1);
    others_speak();
    assert_held("hello!");
    end();
}

/* Clients that acknowledge nothing take all the memory there is. */
static void starve(void)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        uint32_t next = connect_tcp(FIRST + i);
        for (unsigned j = 0; j < EACH; j++)
            give_tcp(FIRST + i, 101 + 6 * j, next, ACK | PSH, "hello!");
    }
}

static void test_acknowledgements_get_through_when_buffers_are_out(void **state)
{
    (void)state;
    begin();
    unsigned free = bb_buffer_free();
    starve();
    while (bb_buffer_free()) /* and somebody else has the rest */
        (void)bb_buffer_get();
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct tcp_pcb *pcb = pcb_of(FIRST + i);
        assert_non_null(pcb);
        uint32_t next = pcb->snd_nxt;
        give_tcp(FIRST + i, pcb->rcv_nxt, next, ACK, "");
        assert_int_equal(pcb->lastack, next);
    }
    assert_in_range(bb_buffer_free(), 1, free);
    bb_tcpip_stop(&fake.net);
}

static void test_who_does_not_read_holds_little_and_not_for_ever(void **state)
{
    (void)state;
    begin();
    unsigned free = bb_buffer_free();
    starve();
    fake.logged = 0;
    make_echo(&frame, "well", 4);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    assert_non_null(sent_ip(1));
    fake_run(70 * BB_SEC);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_null(pcb_of(FIRST + i));
    assert_int_equal(bb_buffer_free(), free);
    uint32_t next = connect_tcp(FIRST); /* and others are served */
    fake.logged = 0;
    give_tcp(FIRST, 101, next, ACK | PSH, "hello!");
    assert_memory_equal(sent_ip(6)->data + ETH + IP4 + TCP, "hello!", 6);
    end();
}

static void test_one_who_reads_may_stay(void **state)
{
    (void)state;
    begin();
    uint32_t next = connect_tcp(FIRST);
    for (unsigned i = 0; i < 100; i++) {
        give_tcp(FIRST, 101 + 6 * i, next + 6 * i, ACK | PSH, "hello!");
        give_tcp(FIRST, 107 + 6 * i, next + 6 + 6 * i, ACK, "");
        fake_run(BB_SEC);
    }
    assert_non_null(pcb_of(FIRST));
    fake_run(100 * BB_SEC);
    assert_non_null(pcb_of(FIRST)); /* silence is no offence */
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_leaves_what_the_device_has),
        cmocka_unit_test(test_an_acknowledgement_leaves_what_the_device_has),
        cmocka_unit_test(test_acknowledgements_get_through_when_buffers_are_out),
        cmocka_unit_test(test_who_does_not_read_holds_little_and_not_for_ever),
        cmocka_unit_test(test_one_who_reads_may_stay),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
