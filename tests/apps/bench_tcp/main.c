/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer (tools/busbarlib/tcp_peer.py) connects and sends bursts of segments of 1460 bytes, the
 * next when this one is acknowledged. Counted is bb_poll() when it received some: driver, lwIP, and
 * the acknowledgements that it sends.
 */
#include <busbar/poll.h>
#include <busbar/tcpip.h>

#include "../bench/bench.h"

enum { PORT = 9, SEGMENT = 1460, BURST = 16, ROUNDS = 128, PAUSE = 1000000, TRIES = 2000 };

static uint64_t bytes;

static err_t receive(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)context, (void)error;
    if (!p)
        return tcp_close(pcb);
    bytes += p->tot_len;
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t accept(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)context;
    if (error == ERR_OK)
        tcp_recv(pcb, receive);
    return error;
}

static int listen(void)
{
    struct tcp_pcb *pcb = tcp_new();
    if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, PORT) != ERR_OK)
        return -ENOMEM;
    pcb = tcp_listen(pcb);
    if (!pcb)
        return -ENOMEM;
    tcp_accept(pcb, accept);
    return 0;
}

int bb_main(void)
{
    static const struct bb_tcpip_config config = {.address = "10.0.0.2/24"};
    static struct bench_costs costs = {.operations = BURST};
    int error = bb_tcpip_start(bb_net_first(), &config);
    if (!error)
        error = listen();
    if (error)
        return error;
    bench_calibrate();
    /* The first bursts find memory and tables cold, and the window small. */
    for (unsigned round = 0, tries = 0; round < ROUNDS + BURST && tries < TRIES; tries++) {
        uint64_t before = bytes, begin;
        bench_pause(PAUSE);
        begin = bench_begin();
        bb_poll();
        uint64_t cost = bench_end(begin), segments = (bytes - before) / SEGMENT;
        if (segments == BURST && ++round > BURST)
            bench_add(&costs, cost);
    }
    if (costs.count < ROUNDS)
        return -ETIMEDOUT;
    bench_report("tcp", &costs, NULL);
    return 0;
}
