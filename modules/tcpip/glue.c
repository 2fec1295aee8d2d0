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
    SPARE = 128, /* bytes of a frame that may be copied when buffers are out */
    COPIES = 64, /* of frames with data, so that who keeps them cannot have all memory */
};

struct bb_tcpip_stats bb_tcpip_counters;
static struct bb_buffer *descriptors;
static bool refused; /* a frame, since descriptors were out: lwIP keeps it, and waits to be asked */

_Static_assert(sizeof(struct pbuf_custom) <= BB_BUFFER_HEADROOM - BB_BUFFER_RESERVE,
               "a packet's own fields fit the head room");

static bool is_alive(const struct interface *it)
{
    return it->net && !it->dead && !it->ending;
}

/* ---- Receiving ---- */

static const char is_packet; /* the `context` of a buffer that lwIP has */
static unsigned copies;

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
    buffer->context = (void *)(uintptr_t)&is_packet;
    custom->custom_free_function = free_received;
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)buffer->length, PBUF_RAM, custom, buffer->data,
                               (u16_t)buffer->length);
}

static void free_copy(struct pbuf *p)
{
    ((struct pbuf_custom *)(void *)p)->custom_free_function = NULL;
    copies--;
    bb_tcpip_free(p);
}

/* The frame stays the caller's. */
static struct pbuf *copy_of(const struct bb_buffer *frame)
{
    uint32_t length = bb_buffer_length(frame);
    struct pbuf_custom *custom =
        length <= UINT16_MAX ? (struct pbuf_custom *)bb_tcpip_alloc(sizeof *custom + length) : NULL;
    if (!custom)
        return NULL;
    uint8_t *at = (uint8_t *)(custom + 1);
    struct pbuf *p =
        pbuf_alloced_custom(PBUF_RAW, (u16_t)length, PBUF_RAM, custom, at, (u16_t)length);
    custom->custom_free_function = free_copy;
    for (const struct bb_buffer *part = frame; part; at += part->length, part = part->more)
        memcpy(at, part->data, part->length);
    copies++;
    bb_tcpip_counters.copied++;
    return p;
}

static struct pbuf *copy_in(struct bb_buffer *frame)
{
    struct pbuf *p = copy_of(frame);
    bb_buffer_put(frame);
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

/* A segment that says no more than what arrived, or that a connection ends: it is not kept. */
static bool is_bare(const struct bb_buffer *frame)
{
    const uint8_t *data = frame->data;
    unsigned payload, start;
    if (frame->length >= BB_NET_HEADER + IPV4_HEADER + TCP_HEADER && data[12] == 8 &&
        data[13] == 0) {
        start = BB_NET_HEADER + (data[14] & 15u) * 4;
        payload = (unsigned)(data[16] << 8 | data[17]) - (start - BB_NET_HEADER);
        if (data[23] != PROTOCOL_TCP || data[20] & 0x3f || data[21])
            return false;
    } else if (frame->length >= BB_NET_HEADER + IPV6_HEADER + TCP_HEADER && data[12] == 0x86 &&
               data[13] == 0xdd && data[20] == PROTOCOL_TCP) {
        start = BB_NET_HEADER + IPV6_HEADER;
        payload = (unsigned)(data[18] << 8 | data[19]);
    } else {
        return false;
    }
    return frame->length >= start + TCP_HEADER && payload == (data[start + 12] >> 4) * 4u;
}

static void give_packet(struct interface *it, struct pbuf *p, bool checked)
{
    struct netif *netif = &it->netif;
    u16_t flags = netif->chksum_flags;
    if (checked) {
        netif->chksum_flags =
            (u16_t)(flags & ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP));
        bb_tcpip_counters.offloaded++;
    }
    if (netif->input(p, netif) != ERR_OK)
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
 * The ring comes first: a frame goes up only when other buffers take its place. When there are
 * none, its own go back; lwIP gets a copy of it if it is small, since it may be an acknowledgement
 * that frees memory, and nothing if it is not. So however much the stack and the application hold,
 * the device never runs dry. Returns the packet, or NULL.
 */
static struct pbuf *replace(struct bb_buffer *frame, struct bb_buffer **fresh, unsigned *count)
{
    unsigned parts = frame->parts, got = 0;
    while (got < parts && (fresh[*count + got] = empty_buffer()))
        got++;
    if (got == parts) {
        *count += parts;
        return packet_of_frame(frame);
    }
    while (got)
        bb_buffer_put(fresh[*count + --got]);
    bool spare = parts == 1 && frame->length <= SPARE && (copies < COPIES || is_bare(frame));
    struct pbuf *p = spare ? copy_of(frame) : NULL;
    bb_tcpip_counters.dropped += !p;
    for (struct bb_buffer *more; frame; frame = more) {
        more = frame->more;
        make_empty(frame);
        fresh[(*count)++] = frame;
    }
    return p;
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
    struct pbuf *packets[BATCH];
    bool checked[BATCH];
    unsigned count = 0, kept = 0;
    int got = bb_net_receive(it->net, 0, frames, BATCH);
    for (int i = 0; i < got; i++) {
        checked[kept] = frames[i]->flags & BB_BUFFER_CHECKSUM_GOOD && is_whole(frames[i]);
        packets[kept] = replace(frames[i], fresh, &count);
        kept += packets[kept] != NULL;
    }
    refill(it->net, fresh, count);
    for (unsigned i = 0; i < kept; i++)
        if (is_alive(it))
            give_packet(it, packets[i], checked[i]);
        else
            pbuf_free(packets[i]); /* a callback has stopped the device */
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

/*
 * The received packet that holds the memory of `q`, or NULL. Who sends from a received packet
 * without a copy (tcp_write()) frees that one when the other side has what it sent, or when the
 * connection is gone; the device may not be done with it.
 */
static struct pbuf *packet_around(const struct pbuf *q)
{
    if (pbuf_get_allocsrc(q) != PBUF_TYPE_ALLOC_SRC_MASK_STD_MEMP_PBUF)
        return NULL; /* its memory goes with it */
    struct bb_buffer *buffer = bb_buffer_of(q->payload);
    if (buffer)
        return buffer->context == &is_packet ? (struct pbuf *)(void *)bb_buffer_memory(buffer)
                                             : NULL;
    struct pbuf_custom *copy = (struct pbuf_custom *)bb_tcpip_piece_of(q->payload);
    return copy && copy->custom_free_function == free_copy ? &copy->pbuf : NULL;
}

/* `hold` is referenced until the device gives the view back. */
static struct bb_buffer *view(const struct pbuf *q, struct pbuf *hold)
{
    struct bb_buffer *buffer = descriptors;
    if (!buffer)
        return NULL;
    descriptors = buffer->next;
    bb_buffer_foreign(buffer, q->payload, q->len, put_descriptor);
    buffer->context = hold;
    if (hold)
        pbuf_ref(hold);
    return buffer;
}

/* The packet as it lies in memory: its first part holds it, the others what they lie in. NULL when
 * descriptors are out, or it has too many parts. */
static struct bb_buffer *view_packet(struct pbuf *p)
{
    struct bb_buffer *first = NULL, **link = &first;
    unsigned parts = 0;
    for (struct pbuf *q = p; q; q = q->next) {
        if (!q->len)
            continue;
        struct bb_buffer *part =
            parts < BB_BUFFER_MAX_PARTS ? view(q, first ? packet_around(q) : p) : NULL;
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
        if (!it->inside)
            bb_work_queue(&it->work);
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

/* Each time round costs some of the budget, so that a device that says that there is more, and
 * gives nothing, does not keep all others waiting. */
static void run(struct interface *it)
{
    if (it->inside || !is_alive(it))
        return;
    it->inside = true;
    unsigned budget = BUDGET;
    do {
        unsigned got;
        while (budget && is_alive(it) && (got = receive(it)) > 0)
            budget -= got < budget ? got : budget;
        if (!is_alive(it))
            break;
        bb_tcpip_push(it);
        if (refused && descriptors) {
            refused = false;
            tcp_txnow();
            bb_tcpip_push(it);
        }
        if (it->net->failed)
            break; /* client->changed() tells of it */
        if (!budget) {
            bb_work_queue(&it->work);
            break;
        }
        budget--;
    } while (bb_net_arm(it->net, 0));
    it->inside = false;
    bb_tcpip_left();
    bb_tcpip_set_timer();
}

void bb_tcpip_ready(struct bb_net_client *client, unsigned queue)
{
    if (queue == 0)
        run(bb_container_of(client, struct interface, client));
}

void bb_tcpip_work(struct bb_work *work)
{
    struct interface *it = bb_container_of(work, struct interface, work);
    if (it->ending)
        bb_tcpip_end(it);
    else
        run(it);
}

/* ---- The device as lwIP sees it ---- */

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
    u16_t sums = NETIF_CHECKSUM_ENABLE_ALL;
    if (net->features & BB_NET_SENDS_CHECKSUM)
        sums = (u16_t)(sums & ~NETIF_CHECKSUM_GEN_TCP);
    NETIF_SET_CHECKSUM_CTRL(netif, sums);
    bb_tcpip_filter(it);
    return ERR_OK;
}
