/* SPDX-License-Identifier: BSD-2-Clause */
/* Names: lwIP's resolver, with a wait. */
#include "glue.h"

/* lwIP answers each question some time, also one that nobody waits for any more. */
static struct lookup {
    bool used, abandoned, done, found;
    ip_addr_t address;
} lookups[DNS_TABLE_SIZE];

static void answered(const char *name, const ip_addr_t *address, void *context)
{
    struct lookup *lookup = (struct lookup *)context;
    (void)name;
    lookup->done = true;
    lookup->found = address != NULL;
    if (address)
        lookup->address = *address;
    if (lookup->abandoned)
        lookup->used = false;
}

static bool is_done(void *context)
{
    return ((const struct lookup *)context)->done;
}

static struct lookup *free_lookup(void)
{
    for (struct lookup *lookup = lookups; lookup < lookups + BB_ARRAY_SIZE(lookups); lookup++)
        if (!lookup->used)
            return lookup;
    return NULL;
}

static int wait_for(struct lookup *lookup, ip_addr_t *address, uint64_t timeout)
{
    if (bb_wait(is_done, lookup, timeout)) {
        lookup->abandoned = true;
        return -ETIMEDOUT;
    }
    lookup->used = false;
    if (!lookup->found)
        return -ENOENT;
    *address = lookup->address;
    return 0;
}

int bb_dns(const char *name, ip_addr_t *address, uint64_t timeout)
{
    if (!bb_tcpip_find(NULL))
        return -ENODEV;
    if (bb_tcpip_is_inside())
        return -EBUSY;
    struct lookup *lookup = free_lookup();
    if (!lookup)
        return -ENOMEM;
    *lookup = (struct lookup){.used = true};
    err_t error =
        dns_gethostbyname_addrtype(name, address, answered, lookup, LWIP_DNS_ADDRTYPE_IPV4_IPV6);
    if (error == ERR_INPROGRESS)
        return wait_for(lookup, address, timeout);
    lookup->used = false;
    return error == ERR_OK ? 0 : error == ERR_MEM ? -ENOMEM : error == ERR_VAL ? -ENXIO : -EINVAL;
}
