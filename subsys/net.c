/* SPDX-License-Identifier: BSD-2-Clause */
/* Network devices: their names, who has one open, link changes, addresses. */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/entropy.h>
#include <busbar/log.h>
#include <busbar/net.h>
#include <busbar/param.h>

enum {
    POOL = 256, /* buffers, unless somebody has made the pool before */
    BATCH = 32,
};

static struct bb_face_list nets;
static struct bb_net_watch *watches;

static int removed_start(struct bb_net *net)
{
    (void)net;
    return -ENODEV;
}

static void removed_stop(struct bb_net *net)
{
    (void)net;
}

static int removed_give(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                        unsigned count)
{
    (void)net, (void)queue, (void)frames, (void)count;
    return -ENODEV;
}

static int removed_take(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                        unsigned limit)
{
    (void)net, (void)queue, (void)frames, (void)limit;
    return -ENODEV;
}

static bool removed_arm(struct bb_net *net, unsigned queue)
{
    (void)net, (void)queue;
    return false;
}

static int removed_set_filter(struct bb_net *net, const struct bb_net_filter *filter)
{
    (void)net, (void)filter;
    return -ENODEV;
}

static const struct bb_net_ops removed = {
    .start = removed_start,
    .stop = removed_stop,
    .send = removed_give,
    .sent = removed_take,
    .receive = removed_take,
    .refill = removed_give,
    .arm = removed_arm,
    .set_filter = removed_set_filter,
};

/* ---- Open and close ---- */

/* Gives a queue up to `count` buffers; returns how many. */
static unsigned fill_queue(struct bb_net *net, unsigned queue, unsigned count)
{
    struct bb_buffer *batch[BATCH];
    unsigned given = 0;
    while (given < count) {
        unsigned got = 0;
        while (got < BATCH && given + got < count && (batch[got] = bb_buffer_get()))
            got++;
        int taken = got ? bb_net_refill(net, queue, batch, got) : 0;
        unsigned used = taken > 0 ? (unsigned)taken : 0;
        given += used;
        for (unsigned i = used; i < got; i++)
            bb_buffer_put(batch[i]);
        if (used < BATCH)
            break;
    }
    return given;
}

static int fill(struct bb_net *net)
{
    unsigned share = bb_buffer_free() / 2 / net->queues;
    unsigned count = share < net->depth ? share : net->depth;
    for (unsigned queue = 0; queue < net->queues; queue++)
        if (!fill_queue(net, queue, count))
            return net->failed ? -EIO : -ENOMEM;
    return 0;
}

int bb_net_open(struct bb_net *net, struct bb_net_client *client)
{
    if (net->face.device->removed)
        return -ENODEV;
    if (net->client)
        return -EBUSY;
    if (net->failed)
        return -EIO;
    int error = bb_buffer_pool(POOL);
    if (error)
        return error;
    error = BB_BOUND_NET.start(net);
    if (error)
        return error;
    error = fill(net);
    if (error) {
        BB_BOUND_NET.stop(net);
        return error;
    }
    net->client = client;
    bb_face_get(&net->face);
    return 0;
}

void bb_net_close(struct bb_net *net)
{
    if (!net->client)
        return;
    if (!net->face.device->removed)
        BB_BOUND_NET.stop(net);
    net->client = NULL;
    bb_face_put(&net->face);
}

int bb_net_set_filter(struct bb_net *net, const struct bb_net_filter *filter)
{
    if (filter->count > BB_NET_MULTICAST)
        return -EINVAL;
    for (unsigned i = 0; i < filter->count; i++)
        if (!(filter->groups[i][0] & 1))
            return -EINVAL;
    return BB_BOUND_NET.set_filter ? BB_BOUND_NET.set_filter(net, filter) : -ENOTSUP;
}

/* ---- What drivers tell ---- */

void bb_net_ready(struct bb_net *net, unsigned queue)
{
    if (net->client && net->client->ready)
        net->client->ready(net->client, queue);
}

static void tell_client(struct bb_net *net)
{
    if (net->client && net->client->changed)
        net->client->changed(net->client);
}

static void run_changed(struct bb_work *work)
{
    struct bb_net *net = bb_container_of(work, struct bb_net, changed_work);
    if (!net->failed && net->link_up != net->link_told)
        bb_print(BB_INFO, "%s: the link is %s", net->face.device->name,
                 net->link_up ? "up" : "down");
    net->link_told = net->link_up;
    tell_client(net);
}

/* Not before start_face(): nobody has anything to be told then. */
static void queue_changed(struct bb_net *net)
{
    if (net->changed_work.run)
        bb_work_queue(&net->changed_work);
}

void bb_net_link(struct bb_net *net, bool up)
{
    if (net->link_up == up || net->failed)
        return;
    net->link_up = up;
    queue_changed(net);
}

void bb_net_failed(struct bb_net *net, const char *why, int error)
{
    if (net->failed)
        return;
    net->failed = true;
    net->link_up = false;
    bb_device_broken(net->face.device, why, error);
    queue_changed(net);
}

void bb_net_watch(struct bb_net_watch *watch)
{
    watch->next = watches;
    watches = watch;
}

void bb_net_unwatch(struct bb_net_watch *watch)
{
    for (struct bb_net_watch **at = &watches; *at; at = &(*at)->next)
        if (*at == watch) {
            *at = watch->next;
            return;
        }
}

/* ---- Addresses ---- */

void bb_mac_format(const uint8_t mac[BB_MAC_SIZE], char text[BB_MAC_TEXT])
{
    bb_format(text, BB_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
              mac[4], mac[5]);
}

static unsigned digit_of(char c)
{
    unsigned letter = ((unsigned char)c | 0x20u) - 'a';
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : letter < 6 ? letter + 10 : 16;
}

int bb_mac_parse(const char *text, uint8_t mac[BB_MAC_SIZE])
{
    uint8_t value[BB_MAC_SIZE];
    for (unsigned i = 0; i < BB_MAC_SIZE; i++, text += 3) {
        unsigned high = digit_of(text[0]), low = high < 16 ? digit_of(text[1]) : 16;
        if (low > 15 || text[2] != (i + 1 < BB_MAC_SIZE ? ':' : '\0'))
            return -EINVAL;
        value[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(mac, value, BB_MAC_SIZE);
    return 0;
}

static bool from_parameter(const struct bb_device *device, uint8_t mac[BB_MAC_SIZE])
{
    char name[64];
    uint8_t value[BB_MAC_SIZE];
    bb_format(name, sizeof name, "%s.mac", strchr(device->driver->name, '/') + 1);
    const char *text = bb_param_get(name);
    if (!text)
        return false;
    if (bb_mac_parse(text, value) || !bb_mac_is_station(value)) {
        bb_print(BB_WARNING, "parameter %s=%s: no station's address, ignored", name, text);
        return false;
    }
    memcpy(mac, value, BB_MAC_SIZE);
    return true;
}

static bool from_property(const struct bb_node *node, const char *name, uint8_t mac[BB_MAC_SIZE])
{
    const struct bb_property *property = bb_node_property(node, name);
    if (!property || property->length != BB_MAC_SIZE || !bb_mac_is_station(property->value))
        return false;
    memcpy(mac, property->value, BB_MAC_SIZE);
    return true;
}

int bb_net_default_mac(struct bb_device *device, uint8_t mac[BB_MAC_SIZE])
{
    if (from_parameter(device, mac) || bb_mac_is_station(mac) ||
        from_property(device->node, "local-mac-address", mac) ||
        from_property(device->node, "mac-address", mac))
        return 0;
    uint64_t seed;
    if (bb_random(&seed, sizeof seed, 10 * BB_MSEC)) /* no source: what differs between starts */
        seed = (bb_arch_counter() ^ (uintptr_t)device) * 0x9e3779b97f4a7c15;
    for (unsigned i = 0; i < BB_MAC_SIZE; i++)
        mac[i] = (uint8_t)(seed >> (8 * i + 16));
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2); /* locally administered, one station */
    return 0;
}

/* ---- The class ---- */

static int publish(struct bb_net *net)
{
    static const struct {
        const char *name, *unit;
        size_t offset;
    } table[] = {
        {"sent", "frames", offsetof(struct bb_net_stats, sent)},
        {"received", "frames", offsetof(struct bb_net_stats, received)},
        {"sent_bytes", "bytes", offsetof(struct bb_net_stats, sent_bytes)},
        {"received_bytes", "bytes", offsetof(struct bb_net_stats, received_bytes)},
        {"dropped", "frames", offsetof(struct bb_net_stats, dropped)},
        {"errors", "frames", offsetof(struct bb_net_stats, errors)},
    };
    struct bb_device *device = net->face.device;
    int error = bb_publish(device, &net->link_value, BB_VALUE_BOOL, "link", "", &net->link_up);
    for (size_t i = 0; !error && i < BB_ARRAY_SIZE(table); i++)
        error = bb_publish(device, &net->values[i], BB_VALUE_U64, table[i].name, table[i].unit,
                           (const char *)&net->stats + table[i].offset);
    return error;
}

static void start_face(struct bb_net *net)
{
    net->link_told = net->link_up;
    net->changed_work.device = net->face.device;
    net->changed_work.run = run_changed;
    bb_name_device(net->face.device, &net->name, "net");
}

/* It goes, or its probe failed after all. Its calls still reach the driver here. */
static void end_face(struct bb_net *net)
{
    if (net->client)
        ((const struct bb_net_ops *)net->face.ops)->stop(net);
    bb_work_cancel(&net->changed_work);
    net->failed = true;
    net->link_up = false;
    net->face.ops = &removed;
    tell_client(net);
}

static int net_notify(struct bb_face *face, bool running)
{
    struct bb_net *net = bb_container_of(face, struct bb_net, face);
    if (!running) {
        end_face(net);
        return 0;
    }
    BB_ASSERT(net->queues && net->depth && net->mtu >= BB_NET_MIN_MTU &&
              net->mtu <= BB_NET_MAX_MTU);
    start_face(net);
    int error = publish(net);
    for (struct bb_net_watch *watch = watches; !error && watch; watch = watch->next)
        watch->came(watch, net);
    return error;
}

const struct bb_class bb_class_net = {
    .name = "net",
    .removed = &removed,
    .list = &nets,
    .notify = net_notify,
};
