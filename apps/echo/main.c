/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Echo (RFC 862): sends back what it receives, by TCP and UDP, IPv4 and IPv6, on port 7. What TCP
 * receives is sent from the buffers that it came in: nothing is copied.
 *
 *     tools/busbar run virt-arm64 --app echo --forward 7007:7
 */
#include <busbar/app.h>
#include <busbar/tcpip.h>

enum { PORT = 7, HOLD = 16 * TCP_MSS };

/* What waits to be sent back is a chain of packets; the front of it is with TCP already. */
struct echo {
    struct tcp_pcb *pcb; /* NULL: this entry is free */
    struct pbuf *chain;  /* received and not yet acknowledged by the other side */
    uint32_t queued;     /* bytes of the chain that tcp_write() took */
    uint32_t total;      /* bytes of the chain */
    uint16_t owed;       /* bytes by which the other side's window is still to be opened */
    bool ended;          /* the other side will send no more */
};

static struct echo echoes[64];

static void leave(struct echo *echo)
{
    tcp_arg(echo->pcb, NULL);
    tcp_recv(echo->pcb, NULL);
    tcp_sent(echo->pcb, NULL);
    tcp_err(echo->pcb, NULL);
    tcp_poll(echo->pcb, NULL, 0);
    if (tcp_close(echo->pcb) != ERR_OK)
        tcp_abort(echo->pcb);
    echo->pcb = NULL;
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
static void send_more(struct echo *echo)
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
    if (echo->ended && !echo->chain)
        leave(echo);
}

static err_t received(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct echo *echo = (struct echo *)context;
    (void)pcb, (void)error;
    if (!p) {
        echo->ended = true;
    } else {
        echo->total += p->tot_len;
        echo->owed = (uint16_t)(echo->owed + p->tot_len);
        open_window(echo);
        if (echo->chain)
            pbuf_cat(echo->chain, p);
        else
            echo->chain = p;
    }
    send_more(echo);
    return ERR_OK;
}

/* The other side has it: its buffers are free again. */
static err_t sent(void *context, struct tcp_pcb *pcb, u16_t size)
{
    struct echo *echo = (struct echo *)context;
    echo->chain = pbuf_free_header(echo->chain, size);
    echo->queued -= size;
    echo->total -= size;
    (void)pcb;
    open_window(echo);
    send_more(echo);
    return ERR_OK;
}

/* Memory may have been short when there was something to send. */
static err_t retry(void *context, struct tcp_pcb *pcb)
{
    (void)pcb;
    send_more((struct echo *)context);
    return ERR_OK;
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
        tcp_poll(pcb, retry, 1);
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

int bb_main(void)
{
    char addresses[BB_TCPIP_ADDRESSES];
    struct bb_net *net = bb_net_first();
    int error = bb_tcpip_start(net, NULL);
    if (!error)
        error = listen_tcp();
    if (!error)
        error = listen_udp();
    if (!error)
        error = bb_tcpip_wait(net, BB_TCPIP_IPV4, 30 * BB_SEC);
    if (error) {
        bb_print(BB_ERROR, "echo: %s", bb_error_name(error));
        return 1;
    }
    bb_tcpip_addresses(net, addresses, sizeof addresses);
    bb_print(BB_INFO, "echo on port %d of %s", PORT, addresses);
    return bb_wait(NULL, NULL, BB_FOREVER);
}
