/* SPDX-License-Identifier: BSD-2-Clause */
/* The web page: network up, server on, and from then on everything happens in bb_poll(). */
#include <busbar/app.h>
#include <busbar/tcpip.h>

#include "api.h"
#include "server.h"

#define PORT 80

static void tell_address(struct bb_tcpip_watch *watch, struct bb_net *net)
{
    static ip4_addr_t told;
    static const struct bb_net *of; /* a device that goes and comes back tells it again */
    const struct netif *netif = bb_tcpip_netif(net);
    (void)watch;
    if (!netif && of == net)
        of = NULL;
    if (!netif || ip4_addr_isany(netif_ip4_addr(netif)) ||
        (of == net && ip4_addr_cmp(netif_ip4_addr(netif), &told)))
        return;
    told = *netif_ip4_addr(netif);
    of = net;
    bb_print(BB_INFO, "webpage: http://%s/ on %s", ip4addr_ntoa(&told), net->face.device->name);
}

int bb_main(void)
{
    static struct bb_tcpip_watch watch = {.changed = tell_address};
    bb_tcpip_watch(&watch);
    int error = bb_tcpip_start_all(NULL);
    if (error)
        bb_print(BB_ERROR, "webpage: no network: %s", bb_error_name(error));
    else if (!bb_net_first())
        bb_print(BB_WARNING, "webpage: there is no network yet: plug one in");
    error = server_start(PORT);
    if (error) {
        bb_print(BB_ERROR, "webpage: no server on port %d: %s", PORT, bb_error_name(error));
        return 1;
    }
    for (;;) {
        api_sample();
        bb_sleep(2 * BB_SEC);
    }
}
