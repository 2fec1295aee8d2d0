/* SPDX-License-Identifier: BSD-2-Clause */
/* Echo requests: ICMP (RFC 792) and ICMPv6 (RFC 4443). */
#include <string.h>

#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip.h>
#include <lwip/raw.h>

#include "glue.h"

enum { MOST_DATA = 1400, HEADER = sizeof(struct icmp_echo_hdr) };

struct echo {
    ip_addr_t address;
    u16_t identifier, size;
    uint64_t sent, received;
    bool done;
};

static uint8_t pattern(unsigned i)
{
    return (uint8_t)(i * 7 + 1);
}

static bool is_answer(const struct echo *echo, const struct pbuf *p, u16_t skip)
{
    struct icmp_echo_hdr header;
    if (pbuf_copy_partial(p, &header, HEADER, skip) != HEADER)
        return false;
    u8_t type = IP_IS_V6_VAL(echo->address) ? ICMP6_TYPE_EREP : ICMP_ER;
    if (header.type != type || header.id != echo->identifier ||
        p->tot_len != skip + HEADER + echo->size)
        return false;
    for (u16_t i = 0; i < echo->size; i++)
        if (pbuf_get_at(p, (u16_t)(skip + HEADER + i)) != pattern(i))
            return false;
    return true;
}

static u8_t received(void *context, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    struct echo *echo = (struct echo *)context;
    (void)pcb;
    if (echo->done || !ip_addr_cmp_zoneless(from, &echo->address) ||
        !is_answer(echo, p, ip_current_header_tot_len()))
        return 0;
    echo->received = bb_time();
    echo->done = true;
    pbuf_free(p);
    return 1;
}

static bool is_done(void *context)
{
    return ((const struct echo *)context)->done;
}

static struct pbuf *request_of(const struct echo *echo)
{
    struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)(HEADER + echo->size), PBUF_RAM);
    if (!p)
        return NULL;
    uint8_t *at = (uint8_t *)p->payload;
    bool v6 = IP_IS_V6_VAL(echo->address);
    struct icmp_echo_hdr header = {
        .type = v6 ? ICMP6_TYPE_EREQ : ICMP_ECHO, .id = echo->identifier, .seqno = PP_HTONS(1)};
    memcpy(at, &header, HEADER);
    for (u16_t i = 0; i < echo->size; i++)
        at[HEADER + i] = pattern(i);
    if (!v6) { /* of ICMPv6, lwIP makes it: its pseudo header has the addresses */
        header.chksum = inet_chksum(at, p->len);
        memcpy(at, &header, HEADER);
    }
    return p;
}

static int exchange(struct raw_pcb *pcb, struct echo *echo, uint64_t timeout)
{
    struct pbuf *p = request_of(echo);
    if (!p)
        return -ENOMEM;
    echo->sent = bb_time();
    err_t error = raw_sendto(pcb, p, &echo->address);
    pbuf_free(p);
    if (error == ERR_RTE)
        return -ENXIO;
    return error ? -ENOMEM : bb_wait(is_done, echo, timeout);
}

int bb_ping(const ip_addr_t *address, size_t size, uint64_t timeout, struct bb_ping *ping)
{
    if (size > MOST_DATA)
        return -EINVAL;
    if (!bb_tcpip_find(NULL))
        return -ENODEV;
    if (bb_tcpip_is_inside())
        return -EBUSY;
    struct echo echo = {
        .address = *address, .identifier = (u16_t)bb_tcpip_random(), .size = (u16_t)size};
    bool v6 = IP_IS_V6(address);
    struct raw_pcb *pcb =
        raw_new_ip_type(IP_GET_TYPE(address), v6 ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP);
    if (!pcb)
        return -ENOMEM;
    if (v6) {
        pcb->chksum_reqd = 1;
        pcb->chksum_offset = offsetof(struct icmp_echo_hdr, chksum);
    }
    raw_recv(pcb, received, &echo);
    int error = exchange(pcb, &echo, timeout);
    raw_remove(pcb);
    if (!error && ping)
        *ping = (struct bb_ping){.time = echo.received - echo.sent, .size = echo.size};
    return error;
}
