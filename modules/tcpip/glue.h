/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this module share. */
#ifndef MODULES_TCPIP_GLUE_H
#define MODULES_TCPIP_GLUE_H

#include <busbar/poll.h>
#include <busbar/tcpip.h>

#define INTERFACES 4
#define GROUPS 24 /* multicast addresses that are told apart; with more, all come */

struct interface {
    struct netif netif;
    struct bb_net *net; /* NULL: this entry is free */
    struct bb_net_client client;
    struct bb_work work; /* sends what waits, and goes on receiving */
    struct bb_tcpip_config settings;
    /* Frames that wait to be sent, by `next`. */
    struct bb_buffer *pending, *pending_last;
    unsigned pending_count;
    bool inside;  /* work is under way that sends at its end */
    bool dead;    /* the device failed or was removed */
    bool ending;  /* it is to end when no callback of lwIP is under way any more */
    bool changed; /* addresses or link: someone is to be told */
    struct group {
        uint8_t mac[BB_MAC_SIZE];
        uint16_t users;
    } groups[GROUPS];
    uint16_t nameless; /* users of groups that found no entry */
    char addresses[BB_TCPIP_ADDRESSES];
};

extern struct interface bb_tcpip_interfaces[INTERFACES];
extern struct bb_tcpip_stats bb_tcpip_counters;

#define for_each_interface(it)                                                                     \
    for (struct interface *it = bb_tcpip_interfaces; it < bb_tcpip_interfaces + INTERFACES; it++)  \
        if (it->net)

/* ---- pool.c ---- */
/* Carves the pools from the arena, once. 0 or -ENOMEM. */
int bb_tcpip_pools(void);
/* The piece given by bb_tcpip_alloc() that this byte is in, or NULL. */
void *bb_tcpip_piece_of(const void *byte);
/* Pieces of this memp_t that are taken; from MEMP_MAX on, of a size of bb_tcpip_alloc(). */
unsigned bb_tcpip_used(unsigned pool);

/* ---- glue.c ---- */
/* lwIP's netif_init_fn: fills what depends on the device. */
err_t bb_tcpip_attach(struct netif *netif);
/* Descriptors for frames to send; once. 0 or -ENOMEM. */
int bb_tcpip_frames(void);
void bb_tcpip_ready(struct bb_net_client *client, unsigned queue);
void bb_tcpip_work(struct bb_work *work);
/* Sends what waits; gives up what cannot be sent any more. */
void bb_tcpip_push(struct interface *it);
void bb_tcpip_drop_pending(struct interface *it);

/* ---- plug.c ---- */
/* Devices that come from now on are started; with `config`, where it is not NULL. */
void bb_tcpip_follow(const struct bb_tcpip_config *config);
void bb_tcpip_follow_no_more(void);
/* This one did not start: says so, and tries it again at the next bb_tcpip_retry(). */
void bb_tcpip_refused(struct bb_net *net, int error);
/* There is room again: those that did not start get another chance, soon. */
void bb_tcpip_retry(void);
/* This one failed or was unplugged: its settings are kept for its return. */
void bb_tcpip_remember(const struct interface *it);

/* ---- multicast.c ---- */
/* Has the device pass what lwIP joins, from now on. */
void bb_tcpip_filter(struct interface *it);

/* ---- start.c ---- */
struct interface *bb_tcpip_find(struct bb_net *net);
/* In a callback of lwIP, where nothing may wait. */
bool bb_tcpip_is_inside(void);
/* A callback may have asked for the end of a device; to be called after each round. */
void bb_tcpip_left(void);
/* Ends the device; it must not be inside. */
void bb_tcpip_end(struct interface *it);
/* Sets the timer to what lwIP has due next. */
void bb_tcpip_set_timer(void);

/* ---- random.c ---- */
void bb_tcpip_seed(void);

/* ---- sntp.c ---- */
/* An address came or went: asks the time when nobody knows it. */
void bb_tcpip_sntp_check(struct interface *it);

#endif
