/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP/IP by lwIP (module `tcpip`). An application uses lwIP's own raw API, which this header
 * includes: tcp_listen_with_backlog(), tcp_accept(), tcp_write(), udp_recv() and so on; its
 * callbacks run in bb_poll(). Added here is what lwIP leaves to its port.
 *
 *     struct bb_net *net = bb_net_first();
 *     int error = bb_tcpip_start(net, NULL);               // DHCP and SLAAC
 *     if (!error)
 *         error = bb_tcpip_wait(net, BB_TCPIP_IPV4, 10 * BB_SEC);
 *
 * Devices come and go. From the first start on, one that is plugged in is started by itself: with
 * its old settings where it was started before (its MAC address tells), else with those of
 * bb_tcpip_start_all(), else as with NULL. That ends when the application has stopped the last one.
 *
 * `net` may be NULL in all calls but the first: the device that was started first. All calls:
 * thread context; those with a time-out poll until it is over, and answer -EBUSY in a callback of
 * lwIP, which must not wait.
 */
#ifndef BUSBAR_TCPIP_H
#define BUSBAR_TCPIP_H

#include <busbar/net.h>
#include <busbar/time.h>

#include <lwip/dns.h>
#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

#define BB_TCPIP_ADDRESSES 320 /* bytes that hold all addresses of a device as text */

/* All fields may be zero. Text is as people write it, and must stay. */
struct bb_tcpip_config {
    const char *address;  /* "192.168.1.5/24"; NULL: by DHCP */
    const char *gateway;  /* with `address`; NULL: none */
    const char *address6; /* "fd00::5/64", besides what routers advertise */
    const char *dns[2];   /* instead of those that DHCP and routers name */
    const char *hostname; /* told to DHCP; NULL: "busbar" */
    /* Time server: asked for wall time when there is an address and no clock has set it. NULL: the
     * one that DHCP names, if any. */
    const char *ntp;
};

/* Opens the device and begins to get addresses. NULL for `config`: DHCP and SLAAC. 0; -ENODEV
 * without a device, -EBUSY when it is open, -EINVAL for text that is no address, -ENOSPC when too
 * many are started, -ENOMEM, -EIO. */
int bb_tcpip_start(struct bb_net *net, const struct bb_tcpip_config *config);
/* Starts every device that there is and was not started before; none is fine. One that does not
 * start is named in the log, and tried again when another one ends. 0, or the first error when none
 * runs. */
int bb_tcpip_start_all(const struct bb_tcpip_config *config);
/* Why it does not run though it is to be started by itself: an error of bb_tcpip_start(), or 0. */
int bb_tcpip_error(const struct bb_net *net);
/* Gives the DHCP lease back, ends connections, closes the device; in a callback of lwIP, as soon as
 * that has returned. */
void bb_tcpip_stop(struct bb_net *net);

enum { BB_TCPIP_IPV4 = 1, BB_TCPIP_IPV6 = 2 /* one that goes beyond the link */ };

/* Waits until the device has all of these addresses. 0, -ETIMEDOUT, or -ENODEV when it is not
 * started or gone. */
int bb_tcpip_wait(struct bb_net *net, unsigned addresses, uint64_t timeout);
/* lwIP's side of it, for netif_*() and dhcp_*(); NULL when it is not started. */
struct netif *bb_tcpip_netif(struct bb_net *net);
/* "10.0.2.15/24 fe80::5054:ff:fe12:3456/64", as many as there are; the length. */
size_t bb_tcpip_addresses(struct bb_net *net, char *buffer, size_t size);

/* Told whenever link or addresses of any device change. Belongs to the caller. */
struct bb_tcpip_watch {
    void (*changed)(struct bb_tcpip_watch *watch, struct bb_net *net);
    struct bb_tcpip_watch *next;
};
void bb_tcpip_watch(struct bb_tcpip_watch *watch);
void bb_tcpip_unwatch(struct bb_tcpip_watch *watch);

/* What the glue did, of all devices; in the store as "core.tcpip_dropped" and so on. */
struct bb_tcpip_stats {
    uint64_t dropped;   /* received, and no buffer was left to take its place in the ring */
    uint64_t unsent;    /* refused, since too many were waiting to be sent */
    uint64_t copied;    /* had to be copied, in either direction */
    uint64_t offloaded; /* received with a checksum that the device had checked */
};
const struct bb_tcpip_stats *bb_tcpip_stats(void);

struct bb_ping {
    uint64_t time; /* nanoseconds there and back */
    uint32_t size; /* bytes of data that came back */
};
/* Sends one echo request with `size` bytes of data (at most 1400) and waits for the reply. 0,
 * -ETIMEDOUT, -ENXIO without a way there, -EINVAL, -ENOMEM. `ping` may be NULL. */
int bb_ping(const ip_addr_t *address, size_t size, uint64_t timeout, struct bb_ping *ping);

/* Looks a name up, or reads an address: IPv4 first, then IPv6. 0, -ENOENT when no such name is
 * known, -ETIMEDOUT, -EINVAL for what cannot be a name, -ENXIO without a server to ask, -ENODEV
 * before bb_tcpip_start(), -ENOMEM. */
int bb_dns(const char *name, ip_addr_t *address, uint64_t timeout);

/* Asks a time server (name or address; NULL: the configured one, or DHCP's) and sets wall time.
 * 0, the errors of bb_dns(), -EIO for an answer that is no use. */
int bb_sntp(const char *server, uint64_t timeout);

#endif
