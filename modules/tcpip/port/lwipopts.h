/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How lwIP is built: without threads, for 64 connections and more, each pool of fixed size. What is
 * not here is as in lwip/opt.h.
 */
#ifndef BUSBAR_LWIPOPTS_H
#define BUSBAR_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0 /* everything is in thread context */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0

/* ---- What it speaks ---- */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ICMP 1
#define LWIP_IGMP 1
#define LWIP_RAW 1 /* for ping */
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DHCP 1
#define LWIP_DHCP_GET_NTP_SRV 1
#define LWIP_DNS 1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 2
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_NUM_ADDRESSES 4
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 1
#define LWIP_HOOK_FILENAME "tcpip_hooks.h"
#define LWIP_HOOK_TCP_ISN bb_tcpip_first_sequence

/* ---- Memory: pool.c carves it from the arena ---- */
#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1 /* from pool.c, not from a C library: see arch/cc.h */
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define MEMP_NUM_TCP_PCB 80
#define MEMP_NUM_TCP_PCB_LISTEN 8
#define MEMP_NUM_TCP_SEG 512
#define MEMP_NUM_UDP_PCB 16
#define MEMP_NUM_RAW_PCB 8
#define MEMP_NUM_PBUF 256 /* tcp_write() without a copy */
#define MEMP_NUM_REASSDATA 8
#define MEMP_NUM_FRAG_PBUF 64
#define MEMP_NUM_IGMP_GROUP 32
#define MEMP_NUM_MLD6_GROUP 16
#define MEMP_NUM_ND6_QUEUE 16
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 16)
#define PBUF_POOL_SIZE 8
#define PBUF_POOL_BUFSIZE 256
#define IP_REASS_MAX_PBUFS 32
#define IPV6_FRAG_COPYHEADER 1 /* its notes hold a pointer, and do not fit the header */
#define ARP_TABLE_SIZE 32
#define ARP_QUEUEING 1 /* the first answers to several clients wait for one address */
#define LWIP_ND6_NUM_NEIGHBORS 32
#define LWIP_ND6_NUM_DESTINATIONS 32

/* ---- TCP ---- */
#define TCP_MSS 1460
#define TCP_WND (22 * TCP_MSS)
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they think that segments come in PBUF_POOL */
#define TCP_SND_BUF (16 * TCP_MSS)
#define TCP_SND_QUEUELEN 64
#define LWIP_TCP_SACK_OUT 1
#define TCP_OOSEQ_MAX_PBUFS 24 /* of one connection: received buffers are few */
#define PBUF_POOL_FREE_OOSEQ 1
/* A retransmission comes after two to three slow ticks, of twice this: 200 to 300 ms. */
#define TCP_TMR_INTERVAL 50
#define LWIP_TCP_RTO_TIME 1000 /* before anything is known (RFC 6298) */

/* ---- Checksums: the device's where it can, frame by frame ---- */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

#define LWIP_STATS 0 /* pool.c and the glue count */

#endif
