/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack on a device that the test plays: what goes in and out, who owns buffers, and what
 * happens when they run out, when the device is slow, fails or goes. */
#include <tests/unit/harness.h>

#include <busbar/rtc.h>
#include <busbar/tcpip.h>

#include <lwip/igmp.h>

#include "frames.h"

#define POOL 128

static const struct bb_tcpip_config fixed = {.address = "10.0.2.15/24", .gateway = "10.0.2.2"};
static struct frame frame;
static struct pbuf *kept[POOL];
static unsigned kept_count;

static void begin(unsigned features)
{
    fake_tcpip_begin(POOL, features, &fixed);
}

static void end(void)
{
    while (kept_count)
        pbuf_free(kept[--kept_count]);
    bb_tcpip_stop(&fake.net);
    assert_int_equal(bb_buffer_free(), POOL);
    assert_null(fake.net.client);
}

/* ---- Servers ---- */

static void udp_echo(void *context, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                     u16_t port)
{
    (void)context;
    udp_sendto(pcb, p, from, port);
    pbuf_free(p);
}

static void udp_keep(void *context, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                     u16_t port)
{
    (void)context, (void)pcb, (void)from, (void)port;
    kept[kept_count++] = p;
}

static void serve_udp(udp_recv_fn receive)
{
    struct udp_pcb *pcb = udp_new();
    udp_bind(pcb, IP_ADDR_ANY, 7);
    udp_recv(pcb, receive, NULL);
}

static struct tcp_pcb *accepted_pcb;
static unsigned lost_connections;

static err_t tcp_echo(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)context, (void)error;
    if (!p)
        return tcp_close(pcb);
    assert_int_equal(tcp_write(pcb, p->payload, p->len, TCP_WRITE_FLAG_COPY), ERR_OK);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static void tcp_lost(void *context, err_t error)
{
    (void)context, (void)error;
    accepted_pcb = NULL;
    lost_connections++;
}

static err_t take_connection(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)context, (void)error;
    accepted_pcb = pcb;
    tcp_recv(pcb, tcp_echo);
    tcp_err(pcb, tcp_lost);
    return ERR_OK;
}

/* A connection from port 5000; returns the other side's next sequence number. */
static uint32_t connect_tcp(void)
{
    struct tcp_pcb *pcb = tcp_new();
    tcp_bind(pcb, IP_ADDR_ANY, 7);
    tcp_accept(tcp_listen(pcb), take_connection);
    make_tcp(&frame, 5000, 7, 100, 0, SYN, NULL, 0);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    const struct fake_frame *answer = sent_ip(6);
    assert_non_null(answer);
    assert_int_equal(answer->data[ETH + IP4 + 13] & (SYN | ACK), SYN | ACK);
    assert_int_equal(get32(answer->data + ETH + IP4 + 8), 101);
    uint32_t next = get32(answer->data + ETH + IP4 + 4) + 1;
    make_tcp(&frame, 5000, 7, 101, next, ACK, NULL, 0);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    assert_non_null(accepted_pcb);
    return next;
}

static void send_tcp(uint32_t sequence, uint32_t next, const char *text, uint16_t flags)
{
    make_tcp(&frame, 5000, 7, sequence, next, ACK | PSH, text, strlen(text));
    assert_true(give(&frame, flags));
}

/* ---- Tests ---- */

static void test_answers_ping_and_arp(void **state)
{
    (void)state;
    begin(0);
    make_arp(&frame, 1);
    assert_true(give(&frame, 0));
    make_echo(&frame, "abcdefg", 7);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    assert_int_equal(get16(fake.log[0].data + 12), 0x806);
    assert_int_equal(fake.log[0].data[ETH + 7], 2);
    const struct fake_frame *answer = sent_ip(1);
    assert_non_null(answer);
    assert_memory_equal(answer->data, peer_mac, 6);
    assert_int_equal(answer->data[ETH + IP4], 0);
    assert_memory_equal(answer->data + ETH + IP4 + 8, "abcdefg", 7);
    assert_int_equal(sum16(answer->data + ETH + IP4, 15, 0), 0xffff);
    assert_int_equal(bb_tcpip_stats()->copied, 0); /* sent from the buffer that it came in */
    end();
}

static void test_udp_comes_back_without_a_copy(void **state)
{
    (void)state;
    begin(0);
    serve_udp(udp_echo);
    make_udp(&frame, 9, 7, "hello", 5);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    const struct fake_frame *answer = sent_ip(17);
    assert_non_null(answer);
    assert_memory_equal(answer->data + ETH + IP4 + UDP, "hello", 5);
    assert_int_equal(transport_sum(answer->data, answer->length), 0xffff);
    assert_int_equal(bb_tcpip_stats()->copied, 0);
    end();
}

static void test_tcp_repeats_only_what_the_device_gave_back(void **state)
{
    (void)state;
    begin(0);
    uint32_t next = connect_tcp();
    fake.hold = true;
    unsigned before = sent_count(6);
    send_tcp(101, next, "hello", 0);
    fake_run(20 * BB_MSEC);
    assert_int_equal(sent_count(6), before + 1); /* the echo, with the acknowledgement */
    fake_run(3 * BB_SEC);
    assert_int_equal(sent_count(6), before + 1); /* the device has it still: not touched */
    fake.hold = false;
    fake_run(3 * BB_SEC);
    assert_true(sent_count(6) > before + 1); /* nobody acknowledged it */
    const struct fake_frame *again = sent_ip(6);
    assert_int_equal(get32(again->data + ETH + IP4 + 4), next);
    assert_memory_equal(again->data + ETH + IP4 + TCP, "hello", 5);
    assert_int_equal(transport_sum(again->data, again->length), 0xffff);
    end();
    assert_int_equal(lost_connections, 1);
}

static void test_leaves_checksums_to_the_device(void **state)
{
    (void)state;
    begin(BB_NET_SENDS_CHECKSUM);
    uint32_t next = connect_tcp();
    send_tcp(101, next, "hello", 0);
    fake_run(20 * BB_MSEC);
    const struct fake_frame *answer = sent_ip(6);
    assert_int_equal(answer->flags & BB_BUFFER_CHECKSUM_NEEDED, BB_BUFFER_CHECKSUM_NEEDED);
    assert_int_equal(answer->checksum_start, ETH + IP4);
    assert_int_equal(answer->checksum_offset, 16);
    /* What a device does with it must give what a receiver finds right. */
    uint8_t whole[2048];
    memcpy(whole, answer->data, answer->length);
    unsigned sum = sum16(whole + ETH + IP4, answer->length - ETH - IP4, 0);
    put16(whole + ETH + IP4 + 16, ~sum & 0xffff);
    assert_int_equal(transport_sum(whole, answer->length), 0xffff);
    serve_udp(udp_echo);
    make_udp(&frame, 9, 7, "hello", 5);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    answer = sent_ip(17);
    assert_int_equal(answer->flags & BB_BUFFER_CHECKSUM_NEEDED, 0);
    assert_int_equal(transport_sum(answer->data, answer->length), 0xffff);
    end();
}

static void test_believes_the_device_of_whole_datagrams(void **state)
{
    (void)state;
    begin(BB_NET_CHECKS_CHECKSUM);
    serve_udp(udp_keep);
    make_udp(&frame, 9, 7, "hello", 5);
    frame.data[ETH + IP4 + UDP] ^= 1;
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    assert_int_equal(kept_count, 0); /* wrong, and nobody says otherwise */
    assert_true(give(&frame, BB_BUFFER_CHECKSUM_GOOD));
    fake_run(10 * BB_MSEC);
    assert_int_equal(kept_count, 1);
    /* The same datagram in two fragments, each said to be good: no device can know. */
    struct frame first, second;
    make_udp(&frame, 9, 7, "0123456789abcdef", 16);
    frame.data[ETH + IP4 + UDP] ^= 1;
    make_ip(&first, 17, frame.data + ETH + IP4, 16);
    make_ip(&second, 17, frame.data + ETH + IP4 + 16, 8);
    put16(first.data + ETH + 6, 0x2000);
    put16(second.data + ETH + 6, 2);
    for (unsigned i = 0; i < 2; i++) {
        struct frame *part = i ? &second : &first;
        put16(part->data + ETH + 10, 0);
        put16(part->data + ETH + 10, ~sum16(part->data + ETH, IP4, 0) & 0xffff);
        assert_true(give(part, BB_BUFFER_CHECKSUM_GOOD));
    }
    fake_run(10 * BB_MSEC);
    assert_int_equal(kept_count, 1);
    assert_int_equal(bb_tcpip_stats()->offloaded, 1);
    end();
}

static void test_the_ring_stays_full_when_buffers_run_out(void **state)
{
    (void)state;
    begin(0);
    serve_udp(udp_keep);
    static const uint8_t much[200];
    make_udp(&frame, 9, 7, much, sizeof much);
    unsigned ring = fake.empty, given = 0;
    for (; given < 2 * POOL; given++) {
        assert_true(give(&frame, 0)); /* there is always room */
        fake_run(BB_MSEC);
        assert_int_equal(fake.empty, ring);
    }
    assert_int_equal(bb_buffer_free(), 0);
    assert_int_equal(kept_count, POOL - ring);
    assert_int_equal(bb_tcpip_stats()->dropped, given - kept_count);
    pbuf_free(kept[--kept_count]);
    assert_true(give(&frame, 0));
    fake_run(BB_MSEC);
    assert_int_equal(kept_count, POOL - ring); /* and it goes on */
    assert_int_equal(bb_buffer_free(), 0);
    make_echo(&frame, "well", 4);
    assert_true(give(&frame, 0));
    fake_run(BB_MSEC);
    assert_non_null(sent_ip(1)); /* what is small gets through all the same */
    unsigned before = kept_count;
    make_udp(&frame, 9, 7, "hello", 5);
    for (unsigned i = 0; i < 2 * POOL; i++) {
        assert_true(give(&frame, 0));
        fake_run(BB_MSEC);
        assert_int_equal(fake.empty, ring);
    }
    assert_int_equal(kept_count, before + 64); /* but who keeps it gets no more for ever */
    end();
}

static void test_a_full_device_gets_the_rest_later(void **state)
{
    (void)state;
    begin(0);
    serve_udp(udp_echo);
    fake.hold = true;
    fake.limit = 2;
    for (unsigned i = 0; i < 10; i++) {
        uint8_t number = (uint8_t)i;
        make_udp(&frame, 9, 7, &number, 1);
        assert_true(give(&frame, 0));
    }
    fake_run(50 * BB_MSEC);
    assert_int_equal(sent_count(17), 2);
    fake.hold = false;
    fake_run(300 * BB_MSEC);
    assert_int_equal(sent_count(17), 10);
    for (unsigned i = 0; i < 10; i++) /* in order */
        assert_int_equal(fake.log[i].data[ETH + IP4 + UDP], i);
    end();
}

static void test_too_many_to_send_are_refused(void **state)
{
    (void)state;
    begin(0);
    serve_udp(udp_echo);
    fake.hold = true;
    fake.limit = 1;
    for (unsigned i = 0; i < 600; i++) {
        make_udp(&frame, 9, 7, "hello", 5);
        assert_true(give(&frame, 0));
        fake_run(BB_MSEC);
    }
    assert_true(bb_tcpip_stats()->unsent + bb_tcpip_stats()->dropped > 300);
    fake.hold = false;
    fake.limit = FAKE_DEPTH;
    fake_run(300 * BB_MSEC);
    make_echo(&frame, "well", 4);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    assert_non_null(sent_ip(1));
    end();
}

static void test_a_failed_device_ends_its_connections(void **state)
{
    (void)state;
    begin(0);
    uint32_t next = connect_tcp();
    fake.hold = true;
    send_tcp(101, next, "hello", 0);
    fake_run(20 * BB_MSEC);
    fake.error = -EIO;
    fake.net.failed = true;
    fake.net.client->changed(fake.net.client);
    assert_int_equal(lost_connections, 1);
    assert_null(bb_tcpip_netif(&fake.net));
    assert_int_equal(bb_tcpip_wait(&fake.net, BB_TCPIP_IPV4, BB_SEC), -ENODEV);
    assert_null(fake.net.client);
    assert_int_equal(bb_buffer_free(), POOL);
    fake_run(BB_SEC); /* no timer, no work of it is left */
}

static void test_a_removed_device_ends_its_connections(void **state)
{
    (void)state;
    begin(0);
    uint32_t next = connect_tcp();
    serve_udp(udp_keep);
    make_udp(&frame, 9, 7, "hello", 5);
    assert_true(give(&frame, 0));
    send_tcp(101, next, "hello", 0);
    fake_run(5 * BB_MSEC);
    bb_class_net.notify(&fake.net.face, false);
    assert_int_equal(lost_connections, 1);
    assert_null(bb_tcpip_netif(NULL));
    assert_int_equal(bb_dns("x.example", &(ip_addr_t){0}, BB_MSEC), -ENODEV);
    fake_run(BB_SEC);
    assert_int_equal(bb_buffer_free(), POOL - kept_count);
    pbuf_free(kept[--kept_count]); /* outlives its device */
    assert_int_equal(bb_buffer_free(), POOL);
}

static void test_filters_multicast(void **state)
{
    (void)state;
    begin(0);
    assert_false(fake.filter.all_multicast);
    unsigned before = fake.filter.count;
    ip4_addr_t group;
    IP4_ADDR(&group, 239, 129, 2, 3);
    assert_int_equal(igmp_joingroup_netif(bb_tcpip_netif(NULL), &group), ERR_OK);
    assert_int_equal(fake.filter.count, before + 1);
    static const uint8_t mac[6] = {1, 0, 0x5e, 1, 2, 3};
    bool found = false;
    for (unsigned i = 0; i < fake.filter.count; i++)
        found |= memcmp(fake.filter.groups[i], mac, 6) == 0;
    assert_true(found);
    for (unsigned i = 0; i < 16; i++) {
        IP4_ADDR(&group, 239, 1, 2, 10 + i);
        assert_int_equal(igmp_joingroup_netif(bb_tcpip_netif(NULL), &group), ERR_OK);
    }
    assert_true(fake.filter.all_multicast); /* more than it can tell apart */
    for (unsigned i = 0; i < 16; i++) {
        IP4_ADDR(&group, 239, 1, 2, 10 + i);
        assert_int_equal(igmp_leavegroup_netif(bb_tcpip_netif(NULL), &group), ERR_OK);
    }
    assert_false(fake.filter.all_multicast);
    assert_int_equal(fake.filter.count, before + 1);
    end();
}

static void test_link_and_settings(void **state)
{
    (void)state;
    char text[BB_TCPIP_ADDRESSES];
    static const struct bb_tcpip_config wrong[] = {
        {.address = "10.0.2.15"},  {.address = "10.0.2.15/33"},
        {.address = "fd00::1/64"}, {.address = "10.0.2.x/24"},
        {.address = "10.0.2.15/"}, {.address6 = "10.0.0.1/8"},
        {.dns = {"nowhere"}},      {.address6 = "fd00::1"},
        {.gateway = "fe80::1"},    {.address = "10.0.2.15/24000000"},
    };
    begin(0);
    size_t length = bb_tcpip_addresses(NULL, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_non_null(strstr(text, "10.0.2.15/24"));
    assert_int_equal(bb_tcpip_start(&fake.net, &fixed), -EBUSY);
    assert_int_equal(bb_tcpip_start(NULL, &fixed), -ENODEV);
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++)
        assert_int_equal(bb_tcpip_start(&fake.net, &wrong[i]), -EINVAL);
    assert_int_equal(bb_tcpip_wait(NULL, BB_TCPIP_IPV4, 0), 0);
    fake.net.link_up = false;
    fake.net.client->changed(fake.net.client);
    assert_false(netif_is_link_up(bb_tcpip_netif(NULL)));
    fake.net.link_up = true;
    fake.net.client->changed(fake.net.client);
    assert_true(netif_is_link_up(bb_tcpip_netif(NULL)));
    end();
    assert_int_equal(bb_tcpip_start(&fake.net, &fixed), 0); /* once more */
    end();
}

/* ---- Answers of servers ---- */

static unsigned answers;
static uint8_t spoil;

/* NTP: repeats our time as the origin's; the time that it tells is 2026-11-21 00:00:00. */
static void time_server(const struct fake_frame *sent)
{
    uint8_t packet[48] = {4 << 3 | 4, 2};
    if (sent->data[ETH + 9] != 17 || get16(sent->data + ETH + IP4 + 2) != 123)
        return;
    memcpy(packet + 24, sent->data + ETH + IP4 + UDP + 40, 8);
    put32(packet + 40, 1795219200u + 2208988800u);
    if (spoil == 1)
        packet[24] ^= 1; /* not our question */
    if (spoil == 2)
        packet[1] = 0; /* "kiss of death" */
    answers++;
    make_udp(&frame, 123, get16(sent->data + ETH + IP4), packet, sizeof packet);
    assert_true(give(&frame, 0));
}

static void test_wall_time_from_a_server(void **state)
{
    int64_t now;
    (void)state;
    begin(0);
    assert_int_equal(bb_wall_time(&now), -ENODEV);
    fake.peer = time_server;
    spoil = 1;
    assert_int_equal(bb_sntp("10.0.2.2", 50 * BB_MSEC), -ETIMEDOUT);
    spoil = 2;
    assert_int_equal(bb_sntp("10.0.2.2", 50 * BB_MSEC), -EIO);
    assert_int_equal(bb_wall_time(&now), -ENODEV);
    spoil = 0;
    assert_int_equal(bb_sntp("10.0.2.2", 50 * BB_MSEC), 0);
    assert_int_equal(answers, 3);
    assert_int_equal(bb_wall_time(&now), 0);
    assert_in_range(now, 1795219200, 1795219201);
    fake.peer = NULL;
    assert_int_equal(bb_sntp("no such name", 10 * BB_MSEC), -ENXIO);
    end();
}

static void ping_peer(const struct fake_frame *sent)
{
    uint8_t icmp[1480];
    if (sent->data[ETH + 9] != 1)
        return;
    unsigned size = sent->length - ETH - IP4;
    memcpy(icmp, sent->data + ETH + IP4, size);
    icmp[0] = spoil ? 3 : 0;
    put16(icmp + 2, 0);
    put16(icmp + 2, ~sum16(icmp, size, 0) & 0xffff);
    make_ip(&frame, 1, icmp, size);
    assert_true(give(&frame, 0));
}

static void test_ping(void **state)
{
    struct bb_ping ping;
    ip_addr_t address;
    (void)state;
    begin(0);
    IP_ADDR4(&address, 10, 0, 2, 2);
    assert_int_equal(bb_ping(&address, 56, 20 * BB_MSEC, NULL), -ETIMEDOUT);
    fake.peer = ping_peer;
    assert_int_equal(bb_ping(&address, 1400, 20 * BB_MSEC, &ping), 0);
    assert_int_equal(ping.size, 1400);
    assert_int_equal(bb_ping(&address, 0, 20 * BB_MSEC, &ping), 0);
    assert_int_equal(bb_ping(&address, 1401, 20 * BB_MSEC, &ping), -EINVAL);
    spoil = 1;
    assert_int_equal(bb_ping(&address, 56, 20 * BB_MSEC, &ping), -ETIMEDOUT);
    end();
}

/* Every frame of the fuzzer's corpus, cut at every length, and with every byte wrong once. */
static void cut_frames(const char *name)
{
    static uint8_t input[65536];
    char path[100];
    snprintf(path, sizeof path, "tests/fuzz/corpus/tcpip/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(input, 1, sizeof input, file);
    fclose(file);
    assert_true(size > 3);
    for (size_t at = 0; at + 3 < size;) {
        unsigned length = input[at] | (unsigned)input[at + 1] << 8;
        uint8_t *data = input + at + 3;
        assert_true(at + 3 + length <= size);
        for (unsigned cut = 0; cut <= length; cut++) {
            assert_true(fake_give(data, cut, BB_BUFFER_CHECKSUM_GOOD));
            fake_run(0);
        }
        for (unsigned i = 0; i < length; i++) {
            data[i] ^= 0xff;
            assert_true(fake_give(data, length, BB_BUFFER_CHECKSUM_GOOD));
            fake_run(0);
            data[i] ^= 0xff;
        }
        at += 3 + length;
    }
}

static void test_cut_and_spoiled_frames(void **state)
{
    static const char *const names[] = {"arp",  "icmp", "udp",  "tcp",   "syn2",  "frag",
                                        "opts", "dhcp", "dns",  "ra",    "echo6", "frag6",
                                        "ext",  "mld",  "igmp", "redir", "udp6",  "tcp6"};
    (void)state;
    begin(BB_NET_CHECKS_CHECKSUM);
    serve_udp(udp_echo);
    (void)connect_tcp();
    for (size_t i = 0; i < BB_ARRAY_SIZE(names); i++)
        cut_frames(names[i]);
    fake_run(120 * BB_SEC); /* what waits for fragments gives up */
    make_echo(&frame, "well", 4);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    make_arp(&frame, 2);
    assert_true(give(&frame, 0));
    fake_run(10 * BB_MSEC);
    assert_non_null(sent_ip(1));
    end();
}

uint16_t bb_tcpip_checksum(const void *bytes, int length);

static void test_checksum(void **state)
{
    static uint8_t memory[300];
    (void)state;
    for (size_t i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)(i * 97 + (i >> 3) * 31 + (i % 7 ? 0 : 0xff));
    for (unsigned start = 0; start < 17; start++)
        for (unsigned size = 0; size < 280; size++) {
            unsigned sum = sum16(memory + start, size, 0);
            uint8_t swapped[2] = {(uint8_t)(sum >> 8), (uint8_t)sum};
            uint16_t here;
            memcpy(&here, swapped, 2);
            assert_int_equal(bb_tcpip_checksum(memory + start, (int)size), here);
        }
    memset(memory, 0xff, sizeof memory);
    assert_int_equal(bb_tcpip_checksum(memory, 256), 0xffff);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_ping_and_arp),
        cmocka_unit_test(test_udp_comes_back_without_a_copy),
        cmocka_unit_test(test_tcp_repeats_only_what_the_device_gave_back),
        cmocka_unit_test(test_leaves_checksums_to_the_device),
        cmocka_unit_test(test_believes_the_device_of_whole_datagrams),
        cmocka_unit_test(test_the_ring_stays_full_when_buffers_run_out),
        cmocka_unit_test(test_a_full_device_gets_the_rest_later),
        cmocka_unit_test(test_too_many_to_send_are_refused),
        cmocka_unit_test(test_a_failed_device_ends_its_connections),
        cmocka_unit_test(test_a_removed_device_ends_its_connections),
        cmocka_unit_test(test_filters_multicast),
        cmocka_unit_test(test_link_and_settings),
        cmocka_unit_test(test_wall_time_from_a_server),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_cut_and_spoiled_frames),
        cmocka_unit_test(test_checksum),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
