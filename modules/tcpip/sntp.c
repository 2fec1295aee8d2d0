/* SPDX-License-Identifier: BSD-2-Clause */
/* The time of day from a server: SNTP version 4 (RFC 5905, section 14). One question at a time, and
 * none when a clock has set wall time. */
#include <string.h>

#include <busbar/log.h>
#include <busbar/rtc.h>

#include <lwip/dhcp.h>
#include <lwip/timeouts.h>

#include "glue.h"

enum {
    PORT = 123,
    SIZE = 48,
    CLIENT = 4 << 3 | 3, /* version 4, mode 3 */
    MODE = 7,
    SERVER = 4,
    UNSYNCHRONIZED = 3, /* leap indicator */
    MOST_STRATUM = 15,
    ORIGIN = 24, /* offsets */
    TRANSMIT = 40,
    RETRY = 2000, /* ms */
    TRIES = 3,
};

#define FROM_1900_TO_1970 2208988800u

static struct udp_pcb *pcb; /* a question is under way */
static ip_addr_t server;
static uint8_t cookie[8]; /* stands in the question for our time; the answer repeats it */
static unsigned tries;
static int result;
static ip4_addr_t dhcp_server;

static void ask(void *context);

static void finish(int error)
{
    sys_untimeout(ask, NULL);
    udp_remove(pcb);
    pcb = NULL;
    result = error;
}

/* The era after 2036 begins at 0 again. */
static int64_t seconds_of(const uint8_t *at)
{
    uint32_t seconds = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    int64_t era = seconds & 0x80000000u ? 0 : 1ll << 32;
    return era + seconds - FROM_1900_TO_1970;
}

static void received(void *context, struct udp_pcb *from_pcb, struct pbuf *p, const ip_addr_t *from,
                     u16_t port)
{
    uint8_t answer[SIZE];
    u16_t size = pbuf_copy_partial(p, answer, SIZE, 0);
    (void)context, (void)from_pcb;
    pbuf_free(p);
    if (size < SIZE || port != PORT || !ip_addr_cmp_zoneless(from, &server) ||
        memcmp(answer + ORIGIN, cookie, sizeof cookie) != 0 || (answer[0] & MODE) != SERVER)
        return;
    if (answer[0] >> 6 == UNSYNCHRONIZED || !answer[1] || answer[1] > MOST_STRATUM) {
        finish(-EIO);
        return;
    }
    bb_wall_set(seconds_of(answer + TRANSMIT));
    bb_print(BB_INFO, "tcpip: wall time from %s", ipaddr_ntoa(&server));
    finish(0);
}

static void ask(void *context)
{
    (void)context;
    if (tries++ == TRIES) {
        finish(-ETIMEDOUT);
        return;
    }
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, SIZE, PBUF_RAM);
    if (p) {
        memset(p->payload, 0, SIZE);
        ((uint8_t *)p->payload)[0] = CLIENT;
        memcpy((uint8_t *)p->payload + TRANSMIT, cookie, sizeof cookie);
        udp_sendto(pcb, p, &server, PORT);
        pbuf_free(p);
    }
    sys_timeout(RETRY, ask, NULL);
}

static int begin(const ip_addr_t *address)
{
    if (pcb)
        return -EBUSY;
    pcb = udp_new_ip_type(IP_GET_TYPE(address));
    if (!pcb)
        return -ENOMEM;
    for (unsigned i = 0; i < sizeof cookie; i++)
        cookie[i] = (uint8_t)bb_tcpip_random();
    server = *address;
    tries = 0;
    result = -EINPROGRESS;
    udp_recv(pcb, received, NULL);
    ask(NULL);
    return 0;
}

/* lwIP tells what DHCP's answer says. */
void dhcp_set_ntp_servers(u8_t count, const ip4_addr_t *servers)
{
    if (count)
        dhcp_server = servers[0];
}

static void resolved(const char *name, const ip_addr_t *address, void *context)
{
    int64_t now;
    (void)name, (void)context;
    if (address && bb_tcpip_find(NULL) && bb_wall_time(&now) == -ENODEV)
        (void)begin(address);
}

void bb_tcpip_sntp_check(struct interface *it)
{
    int64_t now;
    ip_addr_t address;
    if (pcb || bb_wall_time(&now) != -ENODEV || !it->addresses[0])
        return;
    if (it->settings.ntp) {
        if (dns_gethostbyname(it->settings.ntp, &address, resolved, NULL) == ERR_OK)
            (void)begin(&address);
    } else if (!ip4_addr_isany_val(dhcp_server)) {
        ip_addr_copy_from_ip4(address, dhcp_server);
        (void)begin(&address);
    }
}

static bool is_done(void *context)
{
    (void)context;
    return !pcb;
}

int bb_sntp(const char *name, uint64_t timeout)
{
    struct interface *it = bb_tcpip_find(NULL);
    ip_addr_t address;
    if (!it)
        return -ENODEV;
    if (!name && !it->settings.ntp && ip4_addr_isany_val(dhcp_server))
        return -ENOENT;
    uint64_t deadline = bb_time() + (timeout < BB_SEC * 3600 ? timeout : BB_SEC * 3600);
    int error = 0;
    ip_addr_copy_from_ip4(address, dhcp_server);
    if (name || it->settings.ntp)
        error = bb_dns(name ? name : it->settings.ntp, &address, timeout);
    if (!error)
        error = begin(&address);
    if (error)
        return error;
    uint64_t now = bb_time();
    if (bb_wait(is_done, NULL, deadline > now ? deadline - now : 0)) {
        finish(-ETIMEDOUT);
    }
    return result;
}
