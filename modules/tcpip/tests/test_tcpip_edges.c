/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack where it ends and where it is refused, and names, with a server that the test plays. */
#include <tests/unit/harness.h>

#include <unistd.h>

#include <busbar/tcpip.h>

#include "frames.h"

enum { POOL = 128 };

static const struct bb_tcpip_config fixed = {
    .address = "10.0.2.15/24", .gateway = "10.0.2.2", .dns = {"10.0.2.2"}};
static struct frame frame;

static void begin(void)
{
    fake_tcpip_begin(POOL, 0, &fixed);
}

static void end(void)
{
    bb_tcpip_stop(&fake.net);
    assert_int_equal(bb_buffer_free(), POOL);
    assert_null(fake.net.client);
}

/* ---- Devices that fail ---- */

static void test_a_failed_device_that_always_has_more_is_left_alone(void **state)
{
    (void)state;
    begin();
    fake.error = -EIO;
    fake.never_armed = true;
    alarm(20);
    fake.net.client->ready(fake.net.client, 0); /* not failed yet: others have their turn */
    fake.net.failed = true;
    fake.net.client->ready(fake.net.client, 0);
    fake_run(10 * BB_MSEC);
    fake.net.client->changed(fake.net.client);
    fake_run(10 * BB_MSEC);
    assert_null(fake.net.client);
    assert_int_equal(bb_buffer_free(), POOL);
}

/* ---- The end, from within ---- */

static struct tcp_pcb *accepted_pcb;
static unsigned lost_connections;
static void (*stop)(void);

static void lost(void *context, err_t error)
{
    (void)context, (void)error;
    lost_connections++;
}

static err_t stop_all(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)context, (void)error;
    assert_non_null(p);
    stop();
    assert_int_equal(lost_connections, 0); /* lwIP is not done with this one */
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t take_connection(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)context, (void)error;
    accepted_pcb = pcb;
    tcp_recv(pcb, stop_all);
    tcp_err(pcb, lost);
    return ERR_OK;
}

static uint32_t connect_tcp(void)
{
    struct tcp_pcb *pcb = tcp_new();
    tcp_bind(pcb, IP_ADDR_ANY, 7);
    tcp_accept(tcp_listen(pcb), take_connection);
    make_tcp(&frame, 5000, 7, 100, 0, SYN, NULL, 0);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    uint32_t next = get32(sent_ip(6)->data + ETH + IP4 + 4) + 1;
    make_tcp(&frame, 5000, 7, 101, next, ACK, NULL, 0);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    assert_non_null(accepted_pcb);
    return next;
}

static void stop_device(void)
{
    bb_tcpip_stop(&fake.net);
    bb_tcpip_stop(&fake.net);
}

static void remove_device(void)
{
    bb_class_net.notify(&fake.net.face, false);
}

static void end_within(void (*how)(void))
{
    begin();
    stop = how;
    uint32_t next = connect_tcp();
    make_tcp(&frame, 5000, 7, 101, next, ACK | PSH, "hello", 5);
    assert_true(give(&frame, 0));
    assert_true(give(&frame, 0));
    fake_run(20 * BB_MSEC);
    assert_int_equal(lost_connections, 1);
    assert_null(fake.net.client);
    assert_null(bb_tcpip_netif(NULL));
    assert_int_equal(bb_buffer_free(), POOL);
    fake_run(BB_SEC);
}

static void test_stops_when_the_callback_has_returned(void **state)
{
    (void)state;
    end_within(stop_device);
    fake_begin(0);
    begin(); /* and may start again */
    end();
}

static void test_a_device_goes_in_a_callback(void **state)
{
    (void)state;
    end_within(remove_device);
}

/* ---- Refused ---- */

static void test_what_was_refused_goes_when_the_device_has_room(void **state)
{
    static char byte = 'x';
    ip_addr_t address;
    (void)state;
    begin();
    (void)connect_tcp();
    struct udp_pcb *udp = udp_new();
    IP_ADDR4(&address, 10, 0, 2, 2);
    fake.hold = true;
    for (bool room = true; room;) { /* until no descriptor is left */
        struct pbuf *chain = NULL;
        for (unsigned i = 0; i < 6; i++) {
            struct pbuf *p = pbuf_alloc(PBUF_RAW, 1, PBUF_ROM);
            assert_non_null(p);
            p->payload = &byte;
            if (chain)
                pbuf_cat(chain, p);
            else
                chain = p;
        }
        room = udp_sendto(udp, chain, &address, 9) == ERR_OK;
        pbuf_free(chain);
        fake_run(0);
    }
    while (udp_sendto(udp, pbuf_alloc(PBUF_TRANSPORT, 1, PBUF_RAM), &address, 9) == ERR_OK)
        fake_run(0);
    fake_run(0);
    unsigned before = sent_count(6);
    assert_int_equal(tcp_write(accepted_pcb, "hello", 5, 0), ERR_OK);
    tcp_output(accepted_pcb);
    fake.hold = false;
    while (fake.taken)
        fake.sent[fake.done++] = fake.sending[--fake.taken];
    fake_run(0);
    assert_int_equal(sent_count(6), before + 1);
    end();
}

/* ---- Names ---- */

enum { DNS = ETH + IP4 + UDP, QUESTION = 12, TYPE_A = 1, TYPE_AAAA = 28, NO_SUCH_NAME = 3 };

static unsigned questions, answered_type;

/* Knows one address of every name, of the type `answered_type`; with 0, no name at all. */
static void name_server(const struct fake_frame *sent)
{
    static const uint8_t address[16] = {192, 0, 2, 7};
    uint8_t packet[512] = {0};
    if (sent->data[ETH + 9] != 17 || get16(sent->data + ETH + IP4 + 2) != 53)
        return;
    questions++;
    unsigned size = sent->length - DNS, type = get16(sent->data + sent->length - 4);
    bool known = type == answered_type;
    memcpy(packet, sent->data + DNS, size);
    put16(packet + 2, 0x8180 | (answered_type ? 0 : NO_SUCH_NAME));
    put16(packet + 6, known); /* answers */
    if (known) {
        unsigned bytes = type == TYPE_A ? 4 : 16;
        put16(packet + size, 0xc000 | QUESTION);
        put16(packet + size + 2, type);
        put16(packet + size + 4, 1);
        put32(packet + size + 6, 60);
        put16(packet + size + 10, bytes);
        memcpy(packet + size + 12, address, bytes);
        size += 12 + bytes;
    }
    make_udp(&frame, 53, get16(sent->data + ETH + IP4), packet, size);
    assert_true(give(&frame, 0));
}

static void test_looks_names_up(void **state)
{
    ip_addr_t address;
    (void)state;
    begin();
    fake.peer = name_server;
    answered_type = TYPE_A;
    assert_int_equal(bb_dns("www.busbar.example", &address, BB_SEC), 0);
    assert_true(IP_IS_V4(&address));
    assert_int_equal(ip4_addr_get_u32(ip_2_ip4(&address)), lwip_htonl(0xc0000207));
    assert_int_equal(questions, 1);
    assert_int_equal(bb_dns("www.busbar.example", &address, BB_SEC), 0);
    assert_int_equal(questions, 1); /* it remembers */
    answered_type = TYPE_AAAA;
    assert_int_equal(bb_dns("six.busbar.example", &address, BB_SEC), 0);
    assert_true(IP_IS_V6(&address));
    assert_int_equal(ip_2_ip6(&address)->addr[0], lwip_htonl(0xc0000207));
    assert_int_equal(questions, 3);
    end();
}

static void test_names_that_nobody_knows(void **state)
{
    ip_addr_t address;
    (void)state;
    begin();
    fake.peer = name_server;
    assert_int_equal(bb_dns("none.busbar.example", &address, BB_SEC), -ENOENT);
    assert_true(questions >= 1);
    fake.peer = NULL;
    uint64_t start = world_now();
    assert_int_equal(bb_dns("slow.busbar.example", &address, 200 * BB_MSEC), -ETIMEDOUT);
    assert_in_range(world_now() - start, 200 * BB_MSEC, 300 * BB_MSEC);
    fake_run(60 * BB_SEC); /* what nobody waits for any more comes to its end */
    answered_type = TYPE_A;
    fake.peer = name_server;
    assert_int_equal(bb_dns("slow.busbar.example", &address, BB_SEC), 0);
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_device_that_always_has_more_is_left_alone),
        cmocka_unit_test(test_stops_when_the_callback_has_returned),
        cmocka_unit_test(test_a_device_goes_in_a_callback),
        cmocka_unit_test(test_what_was_refused_goes_when_the_device_has_room),
        cmocka_unit_test(test_looks_names_up),
        cmocka_unit_test(test_names_that_nobody_knows),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
