/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that come later: started as they were before, or as the others. */
#include <string.h>

#include <busbar/log.h>

#include "glue.h"

enum { MOST = 2 * INTERFACES };

static bool following;
static struct bb_tcpip_config usual; /* of those that were never here */
/* Those that are to be started, with why that failed last. */
static struct arrival {
    struct bb_net *net;
    int error;
} arrivals[MOST];
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

static struct arrival *arrival_of(const struct bb_net *net)
{
    for (struct arrival *arrival = arrivals; arrival < arrivals + arrived; arrival++)
        if (arrival->net == net)
            return arrival;
    return NULL;
}

static struct arrival *expect(struct bb_net *net)
{
    struct arrival *arrival = arrival_of(net);
    if (!arrival && arrived < MOST)
        arrival = &arrivals[arrived++];
    if (arrival)
        *arrival = (struct arrival){.net = net};
    else
        bb_print(BB_WARNING, "%s: TCP/IP does not start: too many others wait for that",
                 net->face.device->name);
    return arrival;
}

/* It is there to be started: nobody has it. */
static bool is_free(const struct bb_net *net)
{
    return is_there(net) && !net->client && !net->failed;
}

static void note(struct arrival *arrival, int error)
{
    if (error && error != arrival->error)
        bb_print(BB_WARNING, "%s: TCP/IP does not start: %s", arrival->net->face.device->name,
                 bb_error_name(error));
    arrival->error = error;
}

static void run(struct bb_work *work)
{
    unsigned kept = 0;
    (void)work;
    for (unsigned i = 0; i < arrived; i++) {
        struct arrival arrival = arrivals[i];
        if (!is_free(arrival.net))
            continue;
        struct bb_tcpip_config settings = settings_of(arrival.net);
        note(&arrival, bb_tcpip_start(arrival.net, &settings));
        if (arrival.error)
            arrivals[kept++] = arrival;
    }
    arrived = kept;
}

static struct bb_work work = {.run = run};

static void came(struct bb_net_watch *watch, struct bb_net *net)
{
    (void)watch;
    if (expect(net))
        bb_work_queue(&work);
}

void bb_tcpip_refused(struct bb_net *net, int error)
{
    struct arrival *arrival = expect(net);
    if (arrival)
        note(arrival, error);
}

void bb_tcpip_retry(void)
{
    if (arrived)
        bb_work_queue(&work);
}

int bb_tcpip_error(const struct bb_net *net)
{
    const struct arrival *arrival = arrival_of(net);
    return arrival && !net->client ? arrival->error : 0;
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
    arrived = 0;
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
