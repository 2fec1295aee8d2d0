/* SPDX-License-Identifier: BSD-2-Clause */
/* Which multicast frames the device passes: those of the groups of IGMP (RFC 1112) and MLD (RFC
 * 2464), as far as it can tell them apart. */
#include <string.h>

#include "glue.h"

static void set_filter(struct interface *it)
{
    static const uint8_t all_nodes[BB_MAC_SIZE] = {0x33, 0x33, 0, 0, 0, 1};
    struct bb_net_filter filter = {.count = 1, .all_multicast = it->nameless > 0};
    memcpy(filter.groups[0], all_nodes, BB_MAC_SIZE);
    for (unsigned i = 0; i < GROUPS; i++) {
        if (!it->groups[i].users)
            continue;
        if (filter.count == BB_NET_MULTICAST) {
            filter.all_multicast = true;
            break;
        }
        memcpy(filter.groups[filter.count++], it->groups[i].mac, BB_MAC_SIZE);
    }
    (void)bb_net_set_filter(it->net, &filter); /* one that cannot passes every frame */
}

static err_t count_group(struct netif *netif, const uint8_t *mac, bool add)
{
    struct interface *it = bb_container_of(netif, struct interface, netif);
    struct group *found = NULL;
    for (struct group *group = it->groups; group < it->groups + GROUPS; group++)
        if (group->users && memcmp(group->mac, mac, BB_MAC_SIZE) == 0)
            found = group;
    for (struct group *group = it->groups; add && !found && group < it->groups + GROUPS; group++)
        if (!group->users)
            found = group;
    uint16_t *users = found ? &found->users : &it->nameless;
    if (found)
        memcpy(found->mac, mac, BB_MAC_SIZE);
    if (add)
        (*users)++;
    else if (*users)
        (*users)--;
    if (!it->dead)
        set_filter(it);
    return ERR_OK;
}

static err_t filter_igmp(struct netif *netif, const ip4_addr_t *group,
                         enum netif_mac_filter_action action)
{
    uint8_t mac[BB_MAC_SIZE] = {
        1, 0, 0x5e, (uint8_t)(ip4_addr2(group) & 0x7f), ip4_addr3(group), ip4_addr4(group)};
    return count_group(netif, mac, action == NETIF_ADD_MAC_FILTER);
}

static err_t filter_mld(struct netif *netif, const ip6_addr_t *group,
                        enum netif_mac_filter_action action)
{
    uint8_t mac[BB_MAC_SIZE] = {0x33, 0x33};
    memcpy(mac + 2, &group->addr[3], 4);
    return count_group(netif, mac, action == NETIF_ADD_MAC_FILTER);
}

void bb_tcpip_filter(struct interface *it)
{
    netif_set_igmp_mac_filter(&it->netif, filter_igmp);
    netif_set_mld_mac_filter(&it->netif, filter_mld);
    set_filter(it);
}
