/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames between lwIP and a network device, without a copy. A received buffer carries lwIP's packet
 * in its own head room, and goes back to the pool when lwIP frees that; a packet to send is named
 * to the device by descriptors, and held by a reference until the device gives it back.
 */
#include <string.h>

#include <busbar/arena.h>

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ieee.h>
#include <netif/ethernet.h>

#include "glue.h"

enum {
    BATCH = 32,
    BUDGET = 4 * BATCH, /* frames received before others have their turn */
    FRAMES = 256,       /* descriptors: parts of frames that wait or that devices have */
    IPV4_HEADER = 20,
    IPV6_HEADER = 40,
    TCP_HEADER = 20,
    TCP_CHECKSUM = 16, /* offset in it */
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
};

struct bb_tcpip_stats bb_tcpip_counters;
static struct bb_buffer *descriptors;
static bool refused; /* a frame, since descriptors were out: lwIP keeps it, and waits to be asked */

_Static_assert(sizeof(struct pbuf_custom) <= BB_BUFFER_HEADROOM - BB_BUFFER_RESERVE,
               "a packet's own fields fit the head room");

/* ---- Receiving ---- */

static void free_received(struct pbuf *p)
{
    bb_buffer_put((struct bb_buffer *)(void *)((uint8_t *)p - BB_BUFFER_FIELDS));
}

/* A packet in the head room of its buffer. NULL where that is taken: a driver may put a frame
 * anywhere in its buffer. */
static struct pbuf *packet_of(struct bb_buffer *buffer)
{
    uint8_t *memory = bb_buffer_memory(buffer);
    struct pbuf_custom *custom = (struct pbuf_custom *)(void *)memory;
    if (buffer->data < memory + sizeof *custom || buffer->length > UINT16_MAX)
        return NULL;
    buffer->more = NULL;
    custom->custom_free_function = free_received;
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)buffer->length, PBUF_RAM, custom, buffer->data,
                               (u16_t)buffer->length);
}

static struct pbuf *copy_in(struct bb_buffer *frame)
{
    uint32_t length = bb_buffer_length(frame), done = 0;
    struct pbuf *p = length <= UINT16_MAX ? pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM) : NULL;
    for (struct bb_buffer *part = frame; p && part; done += part->length, part = part->more)
        pbuf_take_at(p, part->data, (u16_t)part->length, (u16_t)done);
    bb_buffer_put(frame);
    bb_tcpip_counters.copied++;
    return p;
}

/* The frame is lwIP's from here on, or gone. */
static struct pbuf *packet_of_frame(struct bb_buffer *frame)
{
    struct bb_buffer *rest = frame->more;
    struct pbuf *p = NULL;
    if (frame->flags & BB_BUFFER_FOREIGN)
        return copy_in(frame);
    for (struct bb_buffer *part = frame; part; part = part->more)
        if (part->data < bb_buffer_memory(part) + sizeof(struct pbuf_custom))
            return copy_in(frame);
    p = packet_of(frame);
    while (p && rest) {
        struct bb_buffer *part = rest;
        rest = part->more;
        struct pbuf *q = packet_of(part);
        if (!q || p->tot_len + q->tot_len > UINT16_MAX) {
            bb_buffer_put(part); /* no device has frames of this size */
            break;
        }
        pbuf_cat(p, q);
    }
    bb_buffer_put(rest);
    return p;
}

/* Whether what the device says of the checksum is about a whole TCP or UDP datagram: of a fragment,
 * it cannot know. */
static bool is_whole(const struct bb_buffer *frame)
{
    const uint8_t *data = frame->data;
    if (frame->length >= BB_NET_HEADER + IPV4_HEADER && data[12] == 8 && data[13] == 0)
        return !(data[20] & 0x3f) && !data[21] &&
               (data[23] == PROTOCOL_TCP || data[23] == PROTOCOL_UDP);
    return frame->length >= BB_NET_HEADER + IPV6_HEADER && data[12] == 0x86 && data[13] == 0xdd &&
           (data[20] == PROTOCOL_TCP || data[20] == PROTOCOL_UDP);
}

static void take_frame(struct interface *it, struct bb_buffer *frame)
{
    struct netif *netif = &it->netif;
    u16_t flags = netif->chksum_flags;
    if (frame->flags & BB_BUFFER_CHECKSUM_GOOD && is_whole(frame)) {
        netif->chksum_flags =
            (u16_t)(flags & ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP));
        bb_tcpip_counters.offloaded++;
    }
    struct pbuf *p = packet_of_frame(frame);
    if (p && netif->input(p, netif) != ERR_OK)
        pbuf_free(p);
    netif->chksum_flags |= flags & (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
}

static struct bb_buffer *empty_buffer(void)
{
    struct bb_buffer *buffer = bb_buffer_get();
    if (!buffer) {
        pbuf_free_ooseq(); /* what came too early can come again */
        buffer = bb_buffer_get();
    }
    return buffer;
}

static void make_empty(struct bb_buffer *buffer)
{
    buffer->data = bb_buffer_memory(buffer) + BB_BUFFER_HEADROOM;
    buffer->shape = BB_BUFFER_SHAPE(0);
    buffer->more = NULL;
}

/*
 * The ring comes first: a frame goes up only when other buffers take its place, else it is dropped
 * here and its own are used again. So however much the stack and the application hold, the device
 * never runs dry, and acknowledgements that free memory come through as soon as there is any.
 */
static bool replace(struct bb_buffer *frame, struct bb_buffer **fresh, unsigned *count)
{
    unsigned parts = frame->parts, got = 0;
    while (got < parts && (fresh[*count + got] = empty_buffer()))
        got++;
    if (got == parts) {
        *count += parts;
        return true;
    }
    while (got)
        bb_buffer_put(fresh[*count + --got]);
    bb_tcpip_counters.dropped++;
    for (struct bb_buffer *more; frame; frame = more) {
        more = frame->more;
        make_empty(frame);
        fresh[(*count)++] = frame;
    }
    return false;
}

static void refill(struct bb_net *net, struct bb_buffer **fresh, unsigned count)
{
    int taken = count ? bb_net_refill(net, 0, fresh, count) : 0;
    for (unsigned i = taken > 0 ? (unsigned)taken : 0; i < count; i++)
        bb_buffer_put(fresh[i]);
}

/* Returns how many frames there were. */
static unsigned receive(struct interface *it)
{
    struct bb_buffer *frames[BATCH], *fresh[BATCH * BB_BUFFER_MAX_PARTS];
    unsigned count = 0, kept = 0;
    int got = bb_net_receive(it->net, 0, frames, BATCH);
    for (int i = 0; i < got; i++)
        if (replace(frames[i], fresh, &count))
            frames[kept++] = frames[i];
    refill(it->net, fresh, count);
    for (unsigned i = 0; i < kept; i++)
        if (it->net && !it->dead)
            take_frame(it, frames[i]);
        else
            bb_buffer_put(frames[i]); /* a callback has stopped the device */
    return got > 0 ? (unsigned)got : 0;
}

/* ---- Sending ---- */

static void put_descriptor(struct bb_buffer *buffer)
{
    struct pbuf *p = (struct pbuf *)buffer->context;
    buffer->next = descriptors;
    descriptors = buffer;
    if (p)
        pbuf_free(p);
}

int bb_tcpip_frames(void)
{
    static bool made;
    uint8_t *at = made ? NULL : (uint8_t *)bb_arena_alloc(FRAMES * BB_BUFFER_FIELDS, 64);
    if (!at)
        return made ? 0 : -ENOMEM;
    made = true;
    for (unsigned i = 0; i < FRAMES; i++) {
        struct bb_buffer *buffer = (struct bb_buffer *)(void *)(at + i * BB_BUFFER_FIELDS);
        buffer->next = descriptors;
        descriptors = buffer;
    }
    return 0;
}

static struct bb_buffer *view(void *data, uint32_t length)
{
    struct bb_buffer *buffer = descriptors;
    if (buffer) {
        descriptors = buffer->next;
        bb_buffer_foreign(buffer, data, length, put_descriptor);
    }
    return buffer;
}

/* The packet as it lies in memory. NULL when descriptors are out, or it has too many parts. */
static struct bb_buffer *view_packet(struct pbuf *p)
{
    struct bb_buffer *first = NULL, **link = &first;
    unsigned parts = 0;
    for (struct pbuf *q = p; q; q = q->next) {
        if (!q->len)
            continue;
        struct bb_buffer *part = parts < BB_BUFFER_MAX_PARTS ? view(q->payload, q->len) : NULL;
        if (!part) {
            bb_buffer_put(first);
            return NULL;
        }
        *link = part;
        link = &part->more;
        parts++;
    }
    for (struct bb_buffer *part = first; part; part = part->more)
        part->parts = (uint16_t)parts--;
    if (first) {
        first->context = p;
        pbuf_ref(p);
    }
    return first;
}

static struct bb_buffer *copy_packet(struct pbuf *p)
{
    struct bb_buffer *first = NULL, **link = &first;
    unsigned parts = (p->tot_len + BB_BUFFER_SIZE - 1u) / BB_BUFFER_SIZE;
    for (u16_t done = 0; parts && parts <= BB_BUFFER_MAX_PARTS; parts--) {
        struct bb_buffer *part = bb_buffer_get();
        if (!part) {
            bb_buffer_put(first);
            return NULL;
        }
        part->length = pbuf_copy_partial(p, part->data, BB_BUFFER_SIZE, done);
        part->parts = (uint16_t)parts;
        done = (u16_t)(done + part->length);
        *link = part;
        link = &part->more;
    }
    bb_tcpip_counters.copied++;
    return first;
}

static uint16_t folded(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Leaves TCP's checksum to the device: the sum of the pseudo header stands where it goes. The
 * headers are in the first part, since lwIP makes them in one piece. */
static void leave_checksum(struct pbuf *p, struct bb_buffer *frame)
{
    uint8_t *data = (uint8_t *)p->payload;
    unsigned start, addresses, size;
    if (p->len >= BB_NET_HEADER + IPV4_HEADER && data[12] == 8 && data[13] == 0) {
        if (data[23] != PROTOCOL_TCP || data[20] & 0x3f || data[21])
            return;
        start = BB_NET_HEADER + (data[14] & 15u) * 4;
        addresses = BB_NET_HEADER + 12, size = 8;
    } else if (p->len >= BB_NET_HEADER + IPV6_HEADER && data[12] == 0x86 && data[13] == 0xdd) {
        if (data[20] != PROTOCOL_TCP)
            return;
        start = BB_NET_HEADER + IPV6_HEADER;
        addresses = BB_NET_HEADER + 8, size = 32;
    } else {
        return;
    }
    if (p->len < start + TCP_HEADER)
        return;
    uint32_t sum = bb_tcpip_checksum(data + addresses, (int)size);
    sum += (uint32_t)lwip_htons(PROTOCOL_TCP) + lwip_htons((u16_t)(p->tot_len - start));
    uint16_t value = folded(sum);
    memcpy(data + start + TCP_CHECKSUM, &value, sizeof value);
    frame->flags |= BB_BUFFER_CHECKSUM_NEEDED;
    frame->checksum_start = (uint16_t)start;
    frame->checksum_offset = TCP_CHECKSUM;
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct interface *it = bb_container_of(netif, struct interface, netif);
    if (it->dead)
        return ERR_IF;
    bool leave = !(netif->chksum_flags & NETIF_CHECKSUM_GEN_TCP);
    if (leave && netif->mtu6 < netif->mtu) {
        /* A router asked for less: segments may be cut up, and then no device can sum them. */
        netif->chksum_flags |= NETIF_CHECKSUM_GEN_TCP;
    }
    struct bb_buffer *frame = view_packet(p);
    if (!frame && descriptors)
        frame = copy_packet(p);
    if (!frame) {
        bb_tcpip_counters.unsent++;
        refused = true;
        return ERR_MEM;
    }
    if (leave)
        leave_checksum(p, frame);
    frame->next = NULL;
    if (it->pending)
        it->pending_last->next = frame;
    else
        it->pending = frame;
    it->pending_last = frame;
    if (++it->pending_count >= BATCH && it->inside)
        bb_tcpip_push(it);
    else if (!it->inside)
        bb_work_queue(&it->work);
    return ERR_OK;
}

/* Takes back what the device has sent. */
static unsigned reap(struct interface *it)
{
    struct bb_buffer *frames[BATCH];
    unsigned all = 0;
    int got;
    do {
        got = bb_net_sent(it->net, 0, frames, BATCH);
        for (int i = 0; i < got; i++)
            bb_buffer_put(frames[i]);
        all += got > 0 ? (unsigned)got : 0;
    } while (got == BATCH);
    return all;
}

static struct bb_buffer *next_pending(struct interface *it)
{
    struct bb_buffer *frame = it->pending;
    it->pending = frame->next;
    it->pending_count--;
    return frame;
}

void bb_tcpip_drop_pending(struct interface *it)
{
    while (it->pending)
        bb_buffer_put(next_pending(it));
}

void bb_tcpip_push(struct interface *it)
{
    reap(it);
    while (it->pending) {
        struct bb_buffer *frames[BATCH];
        unsigned count = 0;
        struct bb_buffer *rest = it->pending; /* read now: `next` is whoever's owns the frame */
        for (; rest && count < BATCH; rest = rest->next)
            frames[count++] = rest;
        int sent = bb_net_send(it->net, 0, frames, count);
        if (sent == 0 && !reap(it))
            return; /* full: once armed, the device tells when it is not */
        if (sent == -EIO || sent == -ENODEV) {
            bb_tcpip_drop_pending(it);
            return;
        }
        unsigned gone = sent > 0 ? (unsigned)sent : 0;
        if (sent < 0) { /* this one it will never take */
            bb_tcpip_counters.unsent++;
            bb_buffer_put(frames[0]);
            gone = 1;
        }
        it->pending = gone < count ? frames[gone] : rest;
        it->pending_count -= gone;
    }
}

/* ---- Rounds ---- */

static void run(struct interface *it)
{
    if (it->inside || !it->net || it->dead)
        return;
    it->inside = true;
    unsigned budget = BUDGET;
    do {
        unsigned got;
        while (budget && it->net && !it->dead && (got = receive(it)) > 0)
            budget -= got < budget ? got : budget;
        if (!it->net || it->dead)
            break;
        bb_tcpip_push(it);
        if (refused && descriptors) {
            refused = false;
            tcp_txnow();
            bb_tcpip_push(it);
        }
        if (!budget) {
            bb_work_queue(&it->work);
            break;
        }
    } while (bb_net_arm(it->net, 0));
    it->inside = false;
    bb_tcpip_set_timer();
}

void bb_tcpip_ready(struct bb_net_client *client, unsigned queue)
{
    if (queue == 0)
        run(bb_container_of(client, struct interface, client));
}

void bb_tcpip_work(struct bb_work *work)
{
    run(bb_container_of(work, struct interface, work));
}

/* ---- Multicast ---- */

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

err_t bb_tcpip_attach(struct netif *netif)
{
    struct interface *it = bb_container_of(netif, struct interface, netif);
    struct bb_net *net = it->net;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    netif->hwaddr_len = BB_MAC_SIZE;
    memcpy(netif->hwaddr, net->mac, BB_MAC_SIZE);
    netif->mtu = netif->mtu6 = net->mtu;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    netif_set_igmp_mac_filter(netif, filter_igmp);
    netif_set_mld_mac_filter(netif, filter_mld);
    u16_t sums = NETIF_CHECKSUM_ENABLE_ALL;
    if (net->features & BB_NET_SENDS_CHECKSUM)
        sums = (u16_t)(sums & ~NETIF_CHECKSUM_GEN_TCP);
    NETIF_SET_CHECKSUM_CTRL(netif, sums);
    set_filter(it);
    return ERR_OK;
}
