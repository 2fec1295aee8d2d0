/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that libFuzzer thinks of, through the glue into the stack: a TCP and a UDP server listen,
 * a connection, a DNS question and DHCP are under way. Checksums count as right, so that more than
 * the first check is reached. An input is frames: two bytes of length, low first, one of time that
 * passes, in ms and squared, then the frame.
 */
#include <busbar/tcpip.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/memp.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/dhcp.h>
#include <lwip/prot/ieee.h>

#include <modules/tcpip/glue.h>

#include "fake_net.h"

static struct tcp_pcb *client;
static unsigned buffers, pieces;

enum {
    GIVEN_UP = 80, /* seconds after which nothing is waited for: fragments of IPv6, 60 */
    SLACK = 4,     /* pieces that may come and stay; what leaks adds up to more */
};

enum { IP = 14, PORTS = 34, DHCP_ID = 46, DNS_ID = 42, DNS_PORT = 53, DHCP_CLIENT = 68 };

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put32(uint8_t *at, uint32_t value)
{
    value = lwip_htonl(value);
    memcpy(at, &value, 4);
}

static void add32(uint8_t *at, uint32_t value)
{
    put32(at, value + ((uint32_t)get16(at) << 16 | get16(at + 2)));
}

static void fill_in_tcp(uint8_t *frame)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->remote_port == get16(frame + PORTS) &&
            pcb->local_port == get16(frame + PORTS + 2)) {
            add32(frame + PORTS + 4, pcb->rcv_nxt);
            add32(frame + PORTS + 8, pcb->state == SYN_SENT ? pcb->snd_nxt : pcb->lastack);
            return;
        }
}

static void fill_in_dns(uint8_t *frame)
{
    for (unsigned i = 0; i < FAKE_LOG && i < fake.logged; i++) {
        const struct fake_frame *sent = &fake.log[(fake.logged - 1 - i) % FAKE_LOG];
        if (sent->length > DNS_ID + 12 && sent->data[IP + 9] == IP_PROTO_UDP &&
            get16(sent->data + PORTS + 2) == DNS_PORT) {
            memcpy(frame + PORTS + 2, sent->data + PORTS, 2);
            memcpy(frame + DNS_ID, sent->data + DNS_ID, 2);
            return;
        }
    }
}

static void fill_in(uint8_t *frame, size_t length)
{
    struct dhcp *dhcp = netif_dhcp_data(bb_tcpip_netif(NULL));
    if (length < DHCP_ID + 8 || get16(frame + IP - 2) != ETHTYPE_IP || frame[IP] != 0x45)
        return;
    if (frame[IP + 9] == IP_PROTO_TCP)
        fill_in_tcp(frame);
    else if (frame[IP + 9] == IP_PROTO_UDP && get16(frame + PORTS) == DNS_PORT)
        fill_in_dns(frame);
    else if (frame[IP + 9] == IP_PROTO_UDP && get16(frame + PORTS + 2) == DHCP_CLIENT && dhcp)
        put32(frame + DHCP_ID, dhcp->xid);
}

static err_t echo(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)context, (void)error;
    if (!p) {
        if (tcp_close(pcb) == ERR_OK)
            return ERR_OK;
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    for (struct pbuf *q = p; q; q = q->next)
        (void)tcp_write(pcb, q->payload, q->len, TCP_WRITE_FLAG_COPY);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static void lost(void *context, err_t error)
{
    (void)error;
    if (context)
        client = NULL;
}

static err_t accepted(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)context, (void)error;
    if (!pcb)
        return ERR_VAL;
    tcp_recv(pcb, echo);
    tcp_err(pcb, lost);
    return ERR_OK;
}

static void datagram(void *context, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                     u16_t port)
{
    (void)context;
    udp_sendto(pcb, p, from, port);
    pbuf_free(p);
}

static void found(const char *name, const ip_addr_t *address, void *context)
{
    (void)name, (void)address, (void)context;
}

static void begin_once(void)
{
    world_start(1000000000);
    fake_begin(BB_NET_CHECKS_CHECKSUM);
    fake_check(bb_tcpip_start(&fake.net, NULL) == 0, "cannot start");
    struct tcp_pcb *listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(listener, IP_ANY_TYPE, 7);
    listener = tcp_listen(listener);
    tcp_accept(listener, accepted);
    struct udp_pcb *udp = udp_new_ip_type(IPADDR_TYPE_ANY);
    udp_bind(udp, IP_ANY_TYPE, 7);
    udp_recv(udp, datagram, NULL);
    fake_run(100 * BB_MSEC);
    buffers = bb_buffer_free() + fake.empty;
}

static void begin(void)
{
    struct netif *netif = bb_tcpip_netif(NULL);
    ip4_addr_t address, mask, gateway;
    ip_addr_t peer, server;
    fake.logged = 0;
    IP4_ADDR(&address, 10, 0, 2, 15);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 2, 2);
    netif_set_addr(netif, &address, &mask, &gateway);
    NETIF_SET_CHECKSUM_CTRL(netif, 0x00ff); /* makes all, checks none */
    IP_ADDR4(&peer, 10, 0, 2, 2);
    IP_ADDR4(&server, 10, 0, 2, 3);
    dns_setserver(0, &server);
    dhcp_stop(netif);
    dhcp_start(netif);
    netif_set_addr(netif, &address, &mask, &gateway);
    (void)dns_gethostbyname("busbar.example", &server, found, NULL);
    client = tcp_new();
    if (!client)
        return;
    tcp_arg(client, &client);
    tcp_err(client, lost);
    tcp_recv(client, echo);
    tcp_bind(client, NULL, 4000);
    (void)tcp_connect(client, &peer, 80, accepted);
}

static bool all_is_back(void)
{
    static const memp_t none[] = {MEMP_TCP_PCB, MEMP_TCP_SEG,   MEMP_REASSDATA, MEMP_FRAG_PBUF,
                                  MEMP_PBUF,    MEMP_PBUF_POOL, MEMP_ARP_QUEUE, MEMP_ND6_QUEUE};
    unsigned used = 0;
    for (size_t i = 0; i < BB_ARRAY_SIZE(none); i++)
        used += bb_tcpip_used(none[i]);
    return !used && bb_buffer_free() + fake.empty == buffers;
}

/* What bb_tcpip_alloc() gave: DHCP's state, for one, stays. */
static unsigned pieces_used(void)
{
    unsigned used = 0;
    for (unsigned i = MEMP_MAX; i < MEMP_MAX + 3; i++)
        used += bb_tcpip_used(i);
    return used;
}

/* No connection lives on into the next input, and whatever it took has come back once nothing is
 * waited for. */
static void end(void)
{
    while (tcp_active_pcbs)
        tcp_abort(tcp_active_pcbs);
    while (tcp_tw_pcbs)
        tcp_abort(tcp_tw_pcbs);
    client = NULL;
    etharp_cleanup_netif(bb_tcpip_netif(NULL));
    nd6_cleanup_netif(bb_tcpip_netif(NULL)); /* keeps a packet for a neighbour that is stale */
    fake_run(20 * BB_MSEC);
    for (unsigned i = 0; i < GIVEN_UP && (!all_is_back() || pieces_used() > pieces); i++) {
        world_advance(BB_SEC);
        fake_run(0);
    }
    fake_check(all_is_back(), "an input has taken buffers or packets for good");
    if (!pieces)
        pieces = pieces_used();
    fake_check(pieces_used() <= pieces + SLACK, "inputs have taken memory for good");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    if (!begun)
        begin_once();
    begun = true;
    begin();
    while (size > 3) {
        size_t length = (size_t)data[0] | (size_t)data[1] << 8;
        uint64_t time = data[2];
        data += 3, size -= 3;
        if (length > size)
            length = size;
        uint8_t frame[BB_BUFFER_SIZE];
        size_t shown = length < sizeof frame ? length : sizeof frame;
        memcpy(frame, data, shown);
        fill_in(frame, shown);
        (void)fake_give(frame, (unsigned)shown, BB_BUFFER_CHECKSUM_GOOD);
        fake_run(BB_MSEC + time * time * BB_MSEC);
        data += length, size -= length;
    }
    end();
    return 0;
}
