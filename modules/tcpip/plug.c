/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that come later: started as they were before, or as the others. */
#include <string.h>

#include <busbar/log.h>

#include "glue.h"

enum { MOST = 2 * INTERFACES };

static bool following;
static struct bb_tcpip_config usual; /* of those that were never here */
static struct bb_net *arrivals[MOST];
static unsigned arrived;
static struct leaver {
    uint8_t mac[BB_MAC_SIZE]; /* zeros: nobody's */
    struct bb_tcpip_config settings;
} leavers[MOST];
static unsigned oldest; /* of the leavers: the next to be forgotten */

static bool is_there(const struct bb_net *wanted)
{
    for (struct bb_net *net = bb_net_first(); net; net = bb_net_next(net))
        if (net == wanted)
            return true;
    return false;
}

static struct bb_tcpip_config settings_of(const struct bb_net *net)
{
    for (struct leaver *leaver = leavers; leaver < leavers + MOST; leaver++)
        if (memcmp(leaver->mac, net->mac, BB_MAC_SIZE) == 0)
            return leaver->settings;
    return usual;
}

static void run(struct bb_work *work)
{
    (void)work;
    for (; arrived; arrived--) {
        struct bb_net *net = arrivals[arrived - 1];
        if (!following || !is_there(net) || net->client || net->failed)
            continue;
        struct bb_tcpip_config settings = settings_of(net);
        int error = bb_tcpip_start(net, &settings);
        if (error)
            bb_print(BB_WARNING, "%s: TCP/IP does not start: %s", net->face.device->name,
                     bb_error_name(error));
    }
}

static struct bb_work work = {.run = run};

static void came(struct bb_net_watch *watch, struct bb_net *net)
{
    (void)watch;
    if (arrived < MOST)
        arrivals[arrived++] = net;
    bb_work_queue(&work);
}

static struct bb_net_watch watch = {.came = came};

void bb_tcpip_follow(const struct bb_tcpip_config *config)
{
    if (config)
        usual = *config;
    if (!following)
        bb_net_watch(&watch);
    following = true;
}

void bb_tcpip_follow_no_more(void)
{
    if (following)
        bb_net_unwatch(&watch);
    following = false;
    usual = (struct bb_tcpip_config){0};
}

void bb_tcpip_remember(const struct interface *it)
{
    struct leaver *leaver = NULL;
    for (struct leaver *other = leavers; other < leavers + MOST && !leaver; other++)
        if (memcmp(other->mac, it->net->mac, BB_MAC_SIZE) == 0)
            leaver = other;
    if (!leaver) {
        leaver = &leavers[oldest];
        oldest = (oldest + 1) % MOST;
    }
    memcpy(leaver->mac, it->net->mac, BB_MAC_SIZE);
    leaver->settings = it->settings;
}
