/* SPDX-License-Identifier: BSD-2-Clause */
/* The network: devices, addresses, counters; and a few questions to it. */
#include <string.h>

#include "command.h"

#if BB_MODULE_TCPIP
#include <busbar/rtc.h>
#include <busbar/tcpip.h>

#include <lwip/dhcp.h>

#ifdef BB_FACE_USB_HOST
#define PLUGGED ", and `usb` for what is plugged in"
#else
#define PLUGGED ""
#endif

enum { PINGS = 4, WAIT_ADDRESS = 10, WAIT_ANSWER = 2, WAIT_NAME = 10, DATA = 56 };

/* Waits for an address, where that was not in vain before: there is IPv6, too. */
static int started(void)
{
    static bool in_vain;
    int error = bb_tcpip_netif(NULL) ? 0 : bb_tcpip_start(bb_net_first(), NULL);
    if (!error && !in_vain)
        error = bb_tcpip_wait(NULL, BB_TCPIP_IPV4, WAIT_ADDRESS * BB_SEC);
    in_vain |= error == -ETIMEDOUT;
    return error == -ETIMEDOUT ? 0 : error;
}

/* Why it has no address by DHCP. */
static const char *why_none(const struct bb_net *net, struct netif *netif)
{
    const struct dhcp *lease = netif_dhcp_data(netif);
    if (!net->link_up)
        return "the link is down: is the cable in?";
    if (!lease || !ip4_addr_isany(netif_ip4_addr(netif)))
        return NULL;
    return lease->tries > 1 ? "nobody answers to DHCP" : "asking by DHCP";
}

/* Its addresses, or why there is none. */
static void say_addresses(struct bb_net *net)
{
    char text[BB_TCPIP_ADDRESSES];
    struct netif *netif = bb_tcpip_netif(net);
    int error = bb_tcpip_error(net);
    const char *why = netif ? why_none(net, netif) : error ? bb_error_name(error) : NULL;
    bb_tcpip_addresses(net, text, sizeof text);
    say("  addresses  %s%s%s%s\n", text[0] ? text : "none", why ? "; " : "",
        error ? "TCP/IP does not start: " : "", why ? why : "");
}

static void list_stack(struct bb_net *net)
{
    struct netif *netif = bb_tcpip_netif(net);
    if (!netif)
        return;
    if (!ip4_addr_isany(netif_ip4_gw(netif)))
        say("  gateway    %s\n", ip4addr_ntoa(netif_ip4_gw(netif)));
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++)
        if (!ip_addr_isany(dns_getserver(i)))
            say("  dns        %s\n", ipaddr_ntoa(dns_getserver(i)));
}

/* Devices that have a driver for networks, and do not run. */
static void list_failed(void)
{
    bb_for_each_node (node) {
        if (node->device || !node->driver || strncmp(node->driver->name, "net/", 4) != 0)
            continue;
        char path[96], reason[128];
        bb_node_path(node, path, sizeof path);
        bb_node_reason(node, reason, sizeof reason);
        say("%s: %s\n", path, reason);
    }
}

void explain_network(const struct bb_node *node)
{
    for (struct bb_net *net = bb_net_first(); net; net = bb_net_next(net))
        if (net->face.device->node == node)
            say_addresses(net);
}

static int list(void)
{
    list_failed();
    if (!bb_net_first()) {
        say("no network device runs: see `devices`%s\n", PLUGGED);
        return -ENODEV;
    }
    for (struct bb_net *net = bb_net_first(); net; net = bb_net_next(net)) {
        char mac[BB_MAC_TEXT];
        const struct bb_net_stats *stats = &net->stats;
        bb_mac_format(net->mac, mac);
        say("%-10s %s, MTU %u, %s\n", net->face.device->name, mac, net->mtu,
            net->failed    ? "failed"
            : net->link_up ? "link up"
                           : "link down");
        say_addresses(net);
        list_stack(net);
        say("  sent       %llu frames, %llu bytes\n", (unsigned long long)stats->sent,
            (unsigned long long)stats->sent_bytes);
        say("  received   %llu frames, %llu bytes, %llu dropped, %llu errors\n",
            (unsigned long long)stats->received, (unsigned long long)stats->received_bytes,
            (unsigned long long)(stats->dropped + bb_tcpip_stats()->dropped),
            (unsigned long long)stats->errors);
    }
    return 0;
}

static int dhcp(void)
{
    struct netif *netif = bb_tcpip_netif(NULL);
    int error = 0;
    if (netif) { /* once more, from the beginning */
        dhcp_release_and_stop(netif);
        dhcp_start(netif);
    } else {
        error = bb_tcpip_start(bb_net_first(), NULL);
    }
    if (!error)
        error = bb_tcpip_wait(NULL, BB_TCPIP_IPV4, WAIT_ADDRESS * BB_SEC);
    return error ? error : list();
}

static int look_up(const char *name, ip_addr_t *address)
{
    int error = started();
    return error ? error : bb_dns(name, address, WAIT_NAME * BB_SEC);
}

static int dns(const char *name)
{
    ip_addr_t address;
    int error = look_up(name, &address);
    if (!error)
        say("%s is %s\n", name, ipaddr_ntoa(&address));
    return error;
}

static int ping(const char *name)
{
    ip_addr_t address;
    int error = look_up(name, &address), answers = 0;
    for (int i = 0; !error && i < PINGS; i++) {
        struct bb_ping ping;
        error = bb_ping(&address, DATA, WAIT_ANSWER * BB_SEC, &ping);
        if (!error)
            answers++, say("%u bytes from %s: %llu us\n", ping.size, ipaddr_ntoa(&address),
                           (unsigned long long)(ping.time / BB_USEC));
        if (error == -ETIMEDOUT) {
            say("no answer from %s\n", ipaddr_ntoa(&address));
            error = 0;
        }
    }
    return error ? error : answers ? 0 : -ETIMEDOUT;
}

static int set_time(const char *server)
{
    int64_t now;
    int error = started();
    if (!error)
        error = bb_sntp(server, WAIT_NAME * BB_SEC);
    if (!error)
        error = bb_wall_time(&now);
    if (!error)
        say_date(now);
    return error;
}

static int run(int argc, char **argv)
{
    if (argc == 1)
        return list();
    if (argc == 2 && strcmp(argv[1], "dhcp") == 0)
        return dhcp();
    if (argc == 3 && strcmp(argv[1], "ping") == 0)
        return ping(argv[2]);
    if (argc == 3 && strcmp(argv[1], "dns") == 0)
        return dns(argv[2]);
    if (argc == 3 && strcmp(argv[1], "time") == 0)
        return set_time(argv[2]);
    return -EINVAL;
}

const struct command command_net = {"net", "[dhcp | ping HOST | dns NAME | time SERVER]",
                                    "network devices and addresses; ask the network", run, NULL};
#endif
