/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that the stack runs on: begin, end, addresses, and the one timer. */
#include <string.h>

#include <busbar/log.h>

#include <lwip/dhcp.h>
#include <lwip/ethip6.h>
#include <lwip/init.h>
#include <lwip/nd6.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "glue.h"

struct interface bb_tcpip_interfaces[INTERFACES];
static struct bb_timer_event tick;
static struct bb_tcpip_watch *watches;
static struct bb_value values[4], addresses_value;
static bool ready;

u32_t sys_now(void)
{
    return (u32_t)(bb_time() / BB_MSEC);
}

/* ---- The timer ---- */

void bb_tcpip_set_timer(void)
{
    uint64_t wait = sys_timeouts_sleeptime();
    if (wait != SYS_TIMEOUTS_SLEEPTIME_INFINITE)
        bb_timer_event_at(&tick, (bb_time() / BB_MSEC + wait) * BB_MSEC);
}

static void run_tick(struct bb_timer_event *event)
{
    (void)event;
    bool inside[INTERFACES] = {false};
    for_each_interface(it)
    {
        inside[it - bb_tcpip_interfaces] = it->inside;
        it->inside = true;
        if (!it->dead)
            bb_tcpip_push(it); /* first, so that what was sent may be sent again */
    }
    sys_check_timeouts();
    for_each_interface(it)
    {
        it->inside = inside[it - bb_tcpip_interfaces];
        if (!it->dead)
            bb_tcpip_push(it);
        if (it->pending && !it->dead)
            bb_work_queue(&it->work); /* it did not fit: arms, too */
    }
    bb_tcpip_left();
    bb_tcpip_set_timer();
}

/* ---- Addresses ---- */

static unsigned prefix_of(const ip4_addr_t *mask)
{
    u32_t bits = lwip_ntohl(ip4_addr_get_u32(mask));
    return bits ? 32 - (unsigned)__builtin_ctz(bits) : 0;
}

/* As RFC 5952 writes them. */
static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'F')
            *text = (char)(*text + 'a' - 'A');
}

static size_t list_addresses(struct interface *it, char *buffer, size_t size)
{
    struct netif *netif = &it->netif;
    char text[IPADDR_STRLEN_MAX];
    size_t used = 0;
    if (!size)
        return 0;
    buffer[0] = '\0';
    if (!ip4_addr_isany_val(*netif_ip4_addr(netif)))
        used = bb_format(buffer, size, "%s/%u",
                         ip4addr_ntoa_r(netif_ip4_addr(netif), text, sizeof text),
                         prefix_of(netif_ip4_netmask(netif)));
    for (s8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
        if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
            used += bb_format(buffer + (used < size ? used : size), used < size ? size - used : 0,
                              "%s%s/64", used ? " " : "",
                              ip6addr_ntoa_r(netif_ip6_addr(netif, i), text, sizeof text));
    lower(buffer);
    return used;
}

static void set_dns(const struct interface *it)
{
    ip_addr_t address;
    for (u8_t i = 0; i < 2; i++)
        if (it->settings.dns[i] && ipaddr_aton(it->settings.dns[i], &address))
            dns_setserver(i, &address);
}

static void tell(struct interface *it)
{
    char now[BB_TCPIP_ADDRESSES];
    struct bb_net *net = it->net;
    list_addresses(it, now, sizeof now);
    if (strcmp(now, it->addresses) != 0) {
        memcpy(it->addresses, now, sizeof now);
        bb_print(BB_INFO, "%s: %s", net->face.device->name, now[0] ? now : "no address");
    }
    set_dns(it);
    bb_tcpip_sntp_check(it);
    for (struct bb_tcpip_watch *watch = watches, *next; watch; watch = next) {
        next = watch->next;
        watch->changed(watch, net);
    }
}

static void run_news(struct bb_work *work)
{
    (void)work;
    for_each_interface(it) if (it->changed)
    {
        it->changed = false;
        tell(it);
    }
}

static struct bb_work news;

/* lwIP calls it in the middle of the change: what it means is looked at later. */
static void netif_changed(struct netif *netif, netif_nsc_reason_t reason,
                          const netif_ext_callback_args_t *arguments)
{
    (void)reason, (void)arguments;
    for_each_interface(it) if (&it->netif == netif)
    {
        it->changed = true;
        bb_work_queue(&news);
    }
}

void bb_tcpip_watch(struct bb_tcpip_watch *watch)
{
    watch->next = watches;
    watches = watch;
}

void bb_tcpip_unwatch(struct bb_tcpip_watch *watch)
{
    for (struct bb_tcpip_watch **at = &watches; *at; at = &(*at)->next)
        if (*at == watch) {
            *at = watch->next;
            return;
        }
}

/* ---- Begin and end ---- */

static int publish(void)
{
    static const struct {
        const char *name;
        const uint64_t *pointer;
    } table[] = {
        {"tcpip_dropped", &bb_tcpip_counters.dropped},
        {"tcpip_unsent", &bb_tcpip_counters.unsent},
        {"tcpip_copied", &bb_tcpip_counters.copied},
        {"tcpip_offloaded", &bb_tcpip_counters.offloaded},
    };
    int error = 0;
    for (size_t i = 0; !error && i < BB_ARRAY_SIZE(table); i++)
        error = bb_publish_u64(NULL, &values[i], table[i].name, "frames", table[i].pointer);
    return error ? error
                 : bb_publish_text(NULL, &addresses_value, "tcpip_addresses",
                                   bb_tcpip_interfaces[0].addresses);
}

static int prepare(void)
{
    static netif_ext_callback_t callback;
    if (ready)
        return 0;
    int error = bb_tcpip_pools();
    if (!error)
        error = bb_tcpip_frames();
    if (!error)
        error = publish();
    if (error)
        return error;
    bb_tcpip_seed();
    lwip_init();
    netif_add_ext_callback(&callback, netif_changed);
    tick.run = run_tick;
    news.run = run_news;
    ready = true;
    return 0;
}

/* In a callback, lwIP goes on with what ends here: connections, packets, its lists. */
static void end_soon(struct interface *it)
{
    if (bb_tcpip_is_inside())
        it->ending = true;
    else
        bb_tcpip_end(it);
}

void bb_tcpip_left(void)
{
    for_each_interface(it) if (it->ending) bb_work_queue(&it->work);
}

void bb_tcpip_end(struct interface *it)
{
    struct bb_net *net = it->net;
    struct netif *netif = &it->netif;
    bool alive = !it->dead;
    if (!net || bb_tcpip_is_inside())
        return;
    it->inside = true; /* connections that end have callbacks, too */
    if (alive && !it->settings.address)
        dhcp_release_and_stop(netif);
    else
        dhcp_stop(netif);
    netif_set_down(netif);
    if (alive)
        bb_tcpip_push(it);
    it->dead = true;
    dhcp_cleanup(netif);
    netif_remove(netif); /* ends what uses its addresses */
    bb_tcpip_drop_pending(it);
    bb_work_cancel(&it->work);
    it->addresses[0] = '\0';
    it->inside = it->ending = false;
    it->net = NULL;
    bb_net_close(net);
    for (struct bb_tcpip_watch *watch = alive ? NULL : watches, *next; watch; watch = next) {
        next = watch->next;
        watch->changed(watch, net);
    }
    bb_tcpip_left();
    bb_tcpip_retry();
    for_each_interface(other) return;
    bb_timer_event_cancel(&tick);
    if (alive)
        bb_tcpip_follow_no_more();
}

/* The link came or went, or the device did. */
static void changed(struct bb_net_client *client)
{
    struct interface *it = bb_container_of(client, struct interface, client);
    struct bb_net *net = it->net;
    if (!net)
        return;
    if (net->failed) {
        bb_tcpip_remember(it);
        it->dead = true;
        bb_print(BB_WARNING, "%s: TCP/IP ends", net->face.device->name);
        end_soon(it);
        return;
    }
    if (net->link_up)
        netif_set_link_up(&it->netif);
    else
        netif_set_link_down(&it->netif);
    bb_tcpip_set_timer();
}

/* "192.168.1.5/24": the address, and how many bits of it name the network. */
static bool read_address(const char *text, unsigned limit, ip_addr_t *address, unsigned *prefix)
{
    char part[IPADDR_STRLEN_MAX];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    *prefix = 0;
    if (length >= sizeof part)
        return false;
    memcpy(part, text, length);
    part[length] = '\0';
    for (const char *at = slash ? slash + 1 : ""; *at; at++) {
        if (*at < '0' || *at > '9' || *prefix > limit)
            return false;
        *prefix = *prefix * 10 + (unsigned)(*at - '0');
    }
    return slash && *prefix && *prefix <= limit && ipaddr_aton(part, address) &&
           (limit == 32 ? IP_IS_V4(address) : IP_IS_V6(address));
}

struct plan {
    ip_addr_t address, gateway, address6;
    ip4_addr_t mask;
};

static int read_settings(const struct bb_tcpip_config *config, struct plan *plan)
{
    ip_addr_t dns;
    unsigned prefix;
    memset(plan, 0, sizeof *plan);
    if (config->address) {
        if (!read_address(config->address, 32, &plan->address, &prefix))
            return -EINVAL;
        ip4_addr_set_u32(&plan->mask, lwip_htonl(~(u32_t)((1ull << (32 - prefix)) - 1)));
    }
    if (config->gateway &&
        (!ipaddr_aton(config->gateway, &plan->gateway) || !IP_IS_V4(&plan->gateway)))
        return -EINVAL;
    if (config->address6 && !read_address(config->address6, 128, &plan->address6, &prefix))
        return -EINVAL;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(config->dns); i++)
        if (config->dns[i] && !ipaddr_aton(config->dns[i], &dns))
            return -EINVAL;
    return 0;
}

static void add_address6(struct netif *netif, const ip_addr_t *address)
{
    s8_t index = -1;
    if (netif_add_ip6_address(netif, ip_2_ip6(address), &index) == ERR_OK && index >= 0) {
        netif_ip6_addr_set_valid_life(netif, index, IP6_ADDR_LIFE_STATIC);
        netif_ip6_addr_set_pref_life(netif, index, IP6_ADDR_LIFE_STATIC);
    }
}

static void bring_up(struct interface *it, const struct plan *plan)
{
    struct netif *netif = &it->netif;
    netif_set_hostname(netif, it->settings.hostname ? it->settings.hostname : "busbar");
    if (!netif_default)
        netif_set_default(netif);
    if (it->net->link_up)
        netif_set_link_up(netif);
    netif_create_ip6_linklocal_address(netif, 1);
    netif_set_ip6_autoconfig_enabled(netif, 1);
    if (it->settings.address6)
        add_address6(netif, &plan->address6);
    netif_set_up(netif);
    if (!it->settings.address)
        dhcp_start(netif);
}

static struct interface *free_entry(void)
{
    for (struct interface *it = bb_tcpip_interfaces; it < bb_tcpip_interfaces + INTERFACES; it++)
        if (!it->net)
            return it;
    return NULL;
}

int bb_tcpip_start(struct bb_net *net, const struct bb_tcpip_config *config)
{
    static const struct bb_tcpip_config automatic;
    struct plan plan;
    if (!net)
        return -ENODEV;
    int error = read_settings(config ? config : &automatic, &plan);
    if (!error)
        error = prepare();
    if (error)
        return error;
    struct interface *it = free_entry();
    if (!it)
        return -ENOSPC;
    memset(it, 0, sizeof *it);
    it->settings = config ? *config : automatic;
    it->client = (struct bb_net_client){.ready = bb_tcpip_ready, .changed = changed};
    it->work = (struct bb_work){.run = bb_tcpip_work};
    error = bb_net_open(net, &it->client);
    if (error)
        return error;
    it->net = net;
    it->inside = true;
    netif_add(&it->netif, ip_2_ip4(&plan.address), &plan.mask, ip_2_ip4(&plan.gateway), NULL,
              bb_tcpip_attach, ethernet_input);
    bring_up(it, &plan);
    it->inside = false;
    bb_tcpip_left();
    bb_work_queue(&it->work); /* arms */
    bb_tcpip_set_timer();
    bb_tcpip_follow(NULL);
    return 0;
}

int bb_tcpip_start_all(const struct bb_tcpip_config *config)
{
    static const struct bb_tcpip_config automatic;
    struct plan plan;
    unsigned started = 0;
    int first = read_settings(config ? config : &automatic, &plan);
    if (!first)
        first = prepare();
    if (first)
        return first;
    bb_tcpip_follow(config);
    for (struct bb_net *net = bb_net_first(); net; net = bb_net_next(net)) {
        int error = bb_tcpip_find(net) ? 0 : bb_tcpip_start(net, config);
        if (error)
            bb_tcpip_refused(net, error);
        started += error == 0;
        first = first ? first : error;
    }
    return started ? 0 : first;
}

struct interface *bb_tcpip_find(struct bb_net *net)
{
    for_each_interface(it) if (!net || it->net == net) return it;
    return NULL;
}

void bb_tcpip_stop(struct bb_net *net)
{
    struct interface *it = bb_tcpip_find(net);
    if (it)
        end_soon(it);
}

/* ---- Questions ---- */

struct netif *bb_tcpip_netif(struct bb_net *net)
{
    struct interface *it = bb_tcpip_find(net);
    return it ? &it->netif : NULL;
}

const struct bb_tcpip_stats *bb_tcpip_stats(void)
{
    return &bb_tcpip_counters;
}

size_t bb_tcpip_addresses(struct bb_net *net, char *buffer, size_t size)
{
    struct interface *it = bb_tcpip_find(net);
    if (it)
        return list_addresses(it, buffer, size);
    if (size)
        buffer[0] = '\0';
    return 0;
}

static unsigned addresses_of(struct netif *netif)
{
    unsigned found = ip4_addr_isany_val(*netif_ip4_addr(netif)) ? 0 : BB_TCPIP_IPV4;
    for (s8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
        if (ip6_addr_ispreferred(netif_ip6_addr_state(netif, i)) &&
            !ip6_addr_islinklocal(netif_ip6_addr(netif, i)))
            found |= BB_TCPIP_IPV6;
    return found;
}

struct wait {
    struct bb_net *net;
    unsigned addresses;
};

static bool has_addresses(void *context)
{
    const struct wait *wait = (const struct wait *)context;
    struct interface *it = bb_tcpip_find(wait->net);
    return !it || (addresses_of(&it->netif) & wait->addresses) == wait->addresses;
}

bool bb_tcpip_is_inside(void)
{
    for_each_interface(it) if (it->inside) return true;
    return false;
}

int bb_tcpip_wait(struct bb_net *net, unsigned addresses, uint64_t timeout)
{
    struct wait wait = {net, addresses};
    if (!bb_tcpip_find(net))
        return -ENODEV;
    if (bb_tcpip_is_inside())
        return -EBUSY;
    int error = bb_wait(has_addresses, &wait, timeout);
    if (error)
        return error;
    return bb_tcpip_find(net) ? 0 : -ENODEV;
}
