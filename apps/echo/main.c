/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Echo (RFC 862): sends back what it receives, by TCP and UDP, IPv4 and IPv6, on port 7. What TCP
 * receives is sent from the buffers that it came in: nothing is copied.
 *
 *     tools/busbar run virt-arm64 --app echo --forward 7007:7
 */
#include <busbar/app.h>
#include <busbar/tcpip.h>

enum {
    PORT = 7,
    HOLD = 16 * TCP_MSS,
    PACKETS = 24, /* that one connection may hold, however little is in them */
    SCARCE = 32,  /* buffers left, from which on none may hold more than FEW */
    FEW = 2,
    PATIENCE = 30, /* seconds in which another side must take LEAST bytes, or all there is */
    LEAST = 1024,
    SECOND = 1000 / (2 * TCP_TMR_INTERVAL), /* in the units of tcp_poll() */
};

/* What waits to be sent back is a chain of packets; the front of it is with TCP already. */
struct echo {
    struct tcp_pcb *pcb; /* NULL: this entry is free */
    struct pbuf *chain;  /* received and not yet acknowledged by the other side */
    uint32_t queued;     /* bytes of the chain that tcp_write() took */
    uint32_t total;      /* bytes of the chain */
    uint16_t owed;       /* bytes by which the other side's window is still to be opened */
    uint16_t taken;      /* bytes acknowledged since `seconds` began */
    uint8_t seconds;     /* that something waits to be acknowledged */
    bool ended;          /* the other side will send no more */
};

static struct echo echoes[64];

static struct tcp_pcb *detach(struct echo *echo)
{
    struct tcp_pcb *pcb = echo->pcb;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    if (echo->chain)
        pbuf_free(echo->chain);
    *echo = (struct echo){0};
    return pcb;
}

/* Both return what a callback must tell lwIP. */
static err_t drop(struct echo *echo)
{
    tcp_abort(detach(echo));
    return ERR_ABRT;
}

static err_t leave(struct echo *echo)
{
    struct tcp_pcb *pcb = detach(echo);
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* While little waits, the other side may send on at once: a window that stays the same is also what
 * lets it tell repeated acknowledgements, and so lost segments, from updates. */
static void open_window(struct echo *echo)
{
    if (echo->owed && echo->total <= HOLD) {
        tcp_recved(echo->pcb, echo->owed);
        echo->owed = 0;
    }
}

/* Hands TCP as much of the chain as it takes now; the rest waits for acknowledgements. */
static err_t send_more(struct echo *echo)
{
    uint32_t at = 0;
    for (struct pbuf *p = echo->chain; p; at += p->len, p = p->next) {
        if (echo->queued >= at + p->len)
            continue;
        uint32_t skip = echo->queued > at ? echo->queued - at : 0;
        uint32_t left = p->len - skip, room = tcp_sndbuf(echo->pcb);
        uint16_t size = (uint16_t)(left < room ? left : room);
        if (!size || tcp_write(echo->pcb, (uint8_t *)p->payload + skip, size, 0) != ERR_OK)
            break;
        echo->queued += size;
        if (size < left)
            break;
    }
    tcp_output(echo->pcb);
    return echo->ended && !echo->chain ? leave(echo) : ERR_OK;
}

/* A client that sends small packets and acknowledges none would soon hold all buffers there are. */
static bool has_room(const struct echo *echo, const struct pbuf *p)
{
    unsigned most = bb_buffer_free() < SCARCE ? FEW : PACKETS;
    return !echo->chain || pbuf_clen(echo->chain) + pbuf_clen(p) <= most;
}

static err_t received(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct echo *echo = (struct echo *)context;
    (void)pcb, (void)error;
    if (!p) {
        echo->ended = true;
    } else if (!has_room(echo, p)) {
        return ERR_MEM; /* lwIP keeps it, and lets no more come, until there is room */
    } else {
        echo->total += p->tot_len;
        echo->owed = (uint16_t)(echo->owed + p->tot_len);
        open_window(echo);
        if (echo->chain)
            pbuf_cat(echo->chain, p);
        else
            echo->chain = p;
    }
    return send_more(echo);
}

/* The other side has it: its buffers are free again. */
static err_t sent(void *context, struct tcp_pcb *pcb, u16_t size)
{
    struct echo *echo = (struct echo *)context;
    echo->chain = pbuf_free_header(echo->chain, size);
    echo->queued -= size;
    echo->total -= size;
    (void)pcb;
    if (!echo->chain || echo->taken + size >= LEAST)
        echo->seconds = 0, echo->taken = 0;
    else
        echo->taken = (uint16_t)(echo->taken + size);
    open_window(echo);
    return send_more(echo);
}

/* Once a second. Memory may have been short when there was something to send; and who takes nothing
 * does not keep it for ever. */
static err_t look_after(void *context, struct tcp_pcb *pcb)
{
    struct echo *echo = (struct echo *)context;
    (void)pcb;
    if (!echo->chain)
        echo->seconds = 0;
    else if (++echo->seconds >= PATIENCE)
        return drop(echo);
    return send_more(echo);
}

static void failed(void *context, err_t error)
{
    struct echo *echo = (struct echo *)context;
    (void)error;
    if (echo->chain)
        pbuf_free(echo->chain);
    *echo = (struct echo){0};
}

static err_t accepted(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)context;
    if (error != ERR_OK || !pcb)
        return ERR_VAL;
    for (size_t i = 0; i < BB_ARRAY_SIZE(echoes); i++) {
        if (echoes[i].pcb)
            continue;
        echoes[i] = (struct echo){.pcb = pcb};
        tcp_arg(pcb, &echoes[i]);
        tcp_recv(pcb, received);
        tcp_sent(pcb, sent);
        tcp_err(pcb, failed);
        tcp_poll(pcb, look_after, SECOND);
        return ERR_OK;
    }
    return ERR_MEM; /* all are taken: this one is refused */
}

static void received_datagram(void *context, struct udp_pcb *pcb, struct pbuf *p,
                              const ip_addr_t *from, u16_t port)
{
    (void)context;
    udp_sendto(pcb, p, from, port);
    pbuf_free(p);
}

static int listen_tcp(void)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb)
        return -ENOMEM;
    if (tcp_bind(pcb, IP_ANY_TYPE, PORT) != ERR_OK)
        return -EBUSY;
    pcb = tcp_listen_with_backlog(pcb, 16);
    if (!pcb)
        return -ENOMEM;
    tcp_accept(pcb, accepted);
    return 0;
}

static int listen_udp(void)
{
    struct udp_pcb *pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb)
        return -ENOMEM;
    if (udp_bind(pcb, IP_ANY_TYPE, PORT) != ERR_OK)
        return -EBUSY;
    udp_recv(pcb, received_datagram, NULL);
    return 0;
}

/* A device may come later, or go and come back. */
static void tell_address(struct bb_tcpip_watch *watch, struct bb_net *net)
{
    static struct bb_net *told;
    char addresses[BB_TCPIP_ADDRESSES];
    const struct netif *netif = bb_tcpip_netif(net);
    bool has_one = netif && !ip4_addr_isany(netif_ip4_addr(netif));
    (void)watch;
    if (has_one && told != net) {
        bb_tcpip_addresses(net, addresses, sizeof addresses);
        bb_print(BB_INFO, "echo on port %d of %s", PORT, addresses);
        told = net;
    } else if (!has_one && told == net) {
        told = NULL;
    }
}

int bb_main(void)
{
    static struct bb_tcpip_watch watch = {.changed = tell_address};
    bb_tcpip_watch(&watch);
    int error = bb_tcpip_start_all(NULL);
    if (!error)
        error = listen_tcp();
    if (!error)
        error = listen_udp();
    if (error) {
        bb_print(BB_ERROR, "echo: %s", bb_error_name(error));
        return 1;
    }
    if (!bb_net_first())
        bb_print(BB_WARNING, "echo: there is no network yet");
    return bb_wait(NULL, NULL, BB_FOREVER);
}
