/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's network without rights: libslirp, a network of its own (10.0.2.0/24, fec0::/64) whose
 * router passes connections on as the process's own, and ports of 127.0.0.1 to us. Or a TAP device
 * (Documentation/networking/tuntap.rst of Linux). Either exists from start() to stop() only.
 *
 * libslirp's frames are copied once on their way, those of a TAP device by the kernel alone.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <slirp/libslirp.h>

#include <busbar/log.h>
#include <busbar/mmio.h>
#include <busbar/net.h>
#include <busbar/poll.h>

enum {
    DEPTH = 256,
    MTU = 1500,
    MOST_FRAME = BB_NET_HEADER + MTU,
    MOST_DESCRIPTORS = 1024,
    TIMERS = 4,
    RESERVE = 64, /* empty buffers below which no frame is asked for, where it was given more */
    BATCH = 64,   /* frames that one look takes from a TAP device */
};
#define NEVER UINT64_MAX

struct frames {
    struct bb_buffer *first, *last;
    unsigned count;
};

struct slirp_timer {
    SlirpTimerCb run;
    void *context;
    uint64_t due;
};

struct host_net {
    struct bb_device device;
    struct bb_net net;
    const char *forward, *tap; /* parameters */
    bool restricted;
    struct bb_host_source source;
    struct bb_work work;
    Slirp *slirp;
    void (*broken_pipe)(int); /* what SIGPIPE did before */
    int fd;                   /* of the TAP device */
    bool started, busy, armed, full;
    struct frames empty, received, sent;
    struct slirp_timer timers[TIMERS];
    struct pollfd *list;
    unsigned listed, room, reserve; /* see has_room() */
    struct pollfd own_list[MOST_DESCRIPTORS];
};

static struct host_net *of(struct bb_net *net)
{
    return bb_container_of(net, struct host_net, net);
}

static uint64_t monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BB_SEC + (uint64_t)now.tv_nsec;
}

static void put(struct frames *frames, struct bb_buffer *buffer)
{
    buffer->next = NULL;
    *(frames->first ? &frames->last->next : &frames->first) = buffer;
    frames->last = buffer;
    frames->count++;
}

static struct bb_buffer *take(struct frames *frames)
{
    struct bb_buffer *buffer = frames->first;
    if (buffer) {
        frames->first = buffer->next;
        frames->count--;
    }
    return buffer;
}

static int take_batch(struct frames *frames, struct bb_buffer **to, unsigned limit)
{
    unsigned count = 0;
    while (count < limit && (to[count] = take(frames)))
        count++;
    return (int)count;
}

/* An empty buffer, its data where a frame begins. libslirp answers while a batch is sent, and a
 * TCP peer whose acknowledgements were lost falls silent for a second: so more than the client
 * gave, where the pool has them. */
static struct bb_buffer *take_empty(struct host_net *self)
{
    struct bb_buffer *buffer = take(&self->empty);
    if (!buffer && self->received.count < 2 * DEPTH)
        buffer = bb_buffer_get();
    if (!buffer)
        return NULL;
    buffer->data = bb_buffer_memory(buffer) + BB_BUFFER_HEADROOM;
    buffer->flags = 0;
    buffer->parts = 1;
    buffer->more = NULL;
    return buffer;
}

static void keep_received(struct host_net *self, struct bb_buffer *buffer, size_t length)
{
    buffer->length = (uint32_t)length;
    self->net.stats.received++;
    self->net.stats.received_bytes += length;
    put(&self->received, buffer);
}

/* ---- What libslirp asks for ---- */

static ssize_t slirp_sends(const void *data, size_t length, void *context)
{
    struct host_net *self = context;
    struct bb_buffer *buffer = NULL;
    if (length < BB_NET_HEADER || length > MOST_FRAME)
        self->net.stats.errors++;
    else if (!(buffer = take_empty(self)))
        self->net.stats.dropped++; /* whoever sent it sends it again */
    if (buffer) {
        memcpy(buffer->data, data, length);
        keep_received(self, buffer, length);
        bb_work_queue(&self->work);
    }
    return (ssize_t)length;
}

static void slirp_complains(const char *text, void *context)
{
    struct host_net *self = context;
    bb_print(BB_VERBOSE, "%s: %s", self->device.name, text);
}

static int64_t slirp_clock(void *context)
{
    (void)context;
    return (int64_t)monotonic();
}

static void *slirp_new_timer(SlirpTimerCb run, void *timer_context, void *context)
{
    struct host_net *self = context;
    for (unsigned i = 0; i < TIMERS; i++)
        if (!self->timers[i].run) {
            self->timers[i] = (struct slirp_timer){run, timer_context, NEVER};
            return &self->timers[i];
        }
    return NULL;
}

static void slirp_free_timer(void *timer, void *context)
{
    (void)context;
    if (timer)
        *(struct slirp_timer *)timer = (struct slirp_timer){0};
}

static void slirp_move_timer(void *timer, int64_t due_ms, void *context)
{
    (void)context;
    if (timer)
        ((struct slirp_timer *)timer)->due = (uint64_t)due_ms * BB_MSEC;
}

static void slirp_names_descriptor(int fd, void *context)
{
    (void)fd, (void)context; /* it lists them all before each look */
}

static void slirp_notifies(void *context)
{
    bb_work_queue(&((struct host_net *)context)->work);
}

static const struct SlirpCb slirp_calls = {
    .send_packet = slirp_sends,
    .guest_error = slirp_complains,
    .clock_get_ns = slirp_clock,
    .timer_new = slirp_new_timer,
    .timer_free = slirp_free_timer,
    .timer_mod = slirp_move_timer,
    .register_poll_fd = slirp_names_descriptor,
    .unregister_poll_fd = slirp_names_descriptor,
    .notify = slirp_notifies,
};

static const struct {
    int slirp;
    short poll;
} event_names[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int slirp_lists(int fd, int events, void *context)
{
    struct host_net *self = context;
    short wanted = 0;
    if (self->listed == self->room)
        return -1;
    for (size_t i = 0; i < BB_ARRAY_SIZE(event_names); i++)
        if (events & event_names[i].slirp)
            wanted = (short)(wanted | event_names[i].poll);
    self->list[self->listed] = (struct pollfd){.fd = fd, .events = wanted};
    return (int)self->listed++;
}

/* poll() tells of an end also who asked to write only; libslirp would read it, and aborts where it
 * has no room to read into. Writing finds out as well. */
static int slirp_looks(int index, void *context)
{
    const struct host_net *self = context;
    int events = 0;
    if (index < 0 || (unsigned)index >= self->listed)
        return 0;
    int asked = self->list[index].events, seen = self->list[index].revents;
    if (seen & (POLLERR | POLLHUP) && !(asked & POLLIN))
        seen = asked & POLLOUT;
    for (size_t i = 0; i < BB_ARRAY_SIZE(event_names); i++)
        if (seen & event_names[i].poll)
            events |= event_names[i].slirp;
    return events;
}

/* ---- Looking for frames ---- */

static bool has_room(const struct host_net *self)
{
    return self->empty.count && self->empty.count >= self->reserve;
}

/* Lists what is waited for, never more than a look can; returns when to look in any case. */
static uint64_t list_descriptors(struct host_net *self, struct pollfd *list, unsigned room)
{
    uint64_t now = monotonic(), due = NEVER;
    uint32_t ms = UINT32_MAX;
    self->list = list;
    self->room = room < MOST_DESCRIPTORS ? room : MOST_DESCRIPTORS;
    self->listed = 0;
    if (!self->slirp) {
        if (room)
            list[self->listed++] = (struct pollfd){.fd = self->fd, .events = POLLIN};
        return NEVER;
    }
    slirp_pollfds_fill(self->slirp, &ms, slirp_lists, self);
    if (ms != UINT32_MAX)
        due = now + ms * BB_MSEC;
    for (unsigned i = 0; i < TIMERS; i++)
        if (self->timers[i].run && self->timers[i].due < due)
            due = self->timers[i].due;
    return due;
}

static void look_at_slirp(struct host_net *self)
{
    (void)list_descriptors(self, self->own_list, MOST_DESCRIPTORS);
    int ready = poll(self->own_list, self->listed, 0);
    slirp_pollfds_poll(self->slirp, ready < 0, slirp_looks, self);
    for (unsigned i = 0; i < TIMERS; i++) {
        struct slirp_timer *timer = &self->timers[i];
        if (timer->run && timer->due <= monotonic()) {
            timer->due = NEVER;
            timer->run(timer->context);
        }
    }
}

static void look_at_tap(struct host_net *self)
{
    for (unsigned i = 0; i < BATCH && has_room(self); i++) {
        struct bb_buffer *buffer = take_empty(self);
        ssize_t length = read(self->fd, buffer->data, MOST_FRAME + 1);
        bool taken = length >= BB_NET_HEADER && length <= MOST_FRAME;
        if (taken)
            keep_received(self, buffer, (size_t)length);
        else
            put(&self->empty, buffer);
        if (length < 0) {
            if (errno != EAGAIN && errno != EINTR)
                bb_net_failed(&self->net, "the TAP device is gone", -EIO);
            return;
        }
        self->net.stats.errors += !taken;
    }
}

/* Not from within libslirp, which calls us. */
static void look(struct host_net *self)
{
    if (self->busy || !self->started || self->net.failed || !has_room(self))
        return;
    self->busy = true;
    (self->slirp ? look_at_slirp : look_at_tap)(self);
    self->busy = false;
}

static unsigned host_net_list(struct bb_host_source *source, struct pollfd *list, unsigned room)
{
    struct host_net *self = bb_container_of(source, struct host_net, source);
    if (self->busy) {
        source->deadline = monotonic() + BB_MSEC;
        return 0;
    }
    if (self->net.failed || !has_room(self))
        return 0;
    source->deadline = list_descriptors(self, list, room);
    return self->listed;
}

static void host_net_source_ready(struct bb_host_source *source)
{
    bb_work_queue(&bb_container_of(source, struct host_net, source)->work);
}

static void host_net_work(struct bb_work *work)
{
    struct host_net *self = bb_container_of(work, struct host_net, work);
    look(self);
    if (self->armed && self->received.count) {
        self->armed = false;
        bb_net_ready(&self->net, 0);
    }
}

/* ---- Start and stop ---- */

static bool parse_port(const char **text, uint16_t *port)
{
    char *end;
    unsigned long value = strtoul(*text, &end, 10);
    bool good = end != *text && **text >= '0' && **text <= '9' && value > 0 && value < 65536;
    *text = end;
    *port = (uint16_t)value;
    return good;
}

/* `8080:80` or `udp:7007:7`, several with a comma in between. Of 127.0.0.1, and nobody else's. */
static void add_forwards(struct host_net *self)
{
    const struct in_addr own = {.s_addr = htonl(INADDR_LOOPBACK)}, guest = {0};
    const char *at = self->forward ? self->forward : "";
    while (*at) {
        const char *begin = at;
        uint16_t from, to;
        bool udp = strncmp(at, "udp:", 4) == 0;
        at += udp || strncmp(at, "tcp:", 4) == 0 ? 4 : 0;
        if (!parse_port(&at, &from) || *at++ != ':' || !parse_port(&at, &to) ||
            (*at && *at != ',')) {
            bb_print(BB_ERROR, "host_net.forward: %s is not HOST:GUEST, two ports", begin);
            return;
        }
        if (slirp_add_hostfwd(self->slirp, udp, own, from, guest, to))
            bb_print(BB_ERROR, "host_net.forward: %s port %u of 127.0.0.1 cannot be had: %s",
                     udp ? "UDP" : "TCP", from, strerror(errno));
        at += *at == ',';
    }
}

static int start_slirp(struct host_net *self)
{
    SlirpConfig config = {
        .version = 1,
        .restricted = self->restricted,
        .in_enabled = true,
        .in6_enabled = true,
        .vprefix_len = 64,
        .vhostname = "busbar",
        .if_mtu = MTU,
        .if_mru = MTU,
    };
    (void)inet_pton(AF_INET, "10.0.2.0", &config.vnetwork);
    (void)inet_pton(AF_INET, "255.255.255.0", &config.vnetmask);
    (void)inet_pton(AF_INET, "10.0.2.2", &config.vhost);
    (void)inet_pton(AF_INET, "10.0.2.15", &config.vdhcp_start);
    (void)inet_pton(AF_INET, "10.0.2.3", &config.vnameserver);
    (void)inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
    (void)inet_pton(AF_INET6, "fec0::2", &config.vhost6);
    (void)inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
    self->slirp = slirp_new(&config, &slirp_calls, self);
    if (!self->slirp)
        return -EIO;
    /* libslirp writes to sockets that their peer has closed. */
    self->broken_pipe = signal(SIGPIPE, SIG_IGN);
    add_forwards(self);
    return 0;
}

static int start_tap(struct host_net *self)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (strlen(self->tap) >= sizeof(request.ifr_name))
        return -EINVAL;
    memcpy(request.ifr_name, self->tap, strlen(self->tap));
    self->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (self->fd >= 0 && ioctl(self->fd, TUNSETIFF, &request) == 0)
        return 0;
    int number = errno;
    bb_print(BB_ERROR, "%s: no TAP device %s: %s", self->device.name, self->tap, strerror(number));
    if (self->fd >= 0)
        (void)close(self->fd);
    return number == EPERM || number == EACCES ? -EPERM : number == EBUSY ? -EBUSY : -ENXIO;
}

static int host_net_start(struct bb_net *net)
{
    struct host_net *self = of(net);
    self->busy = true; /* until it is whole */
    self->armed = self->full = false;
    int error = self->tap ? start_tap(self) : start_slirp(self);
    self->busy = false;
    if (error)
        return error;
    self->started = true;
    bb_host_source_add(&self->source);
    return 0;
}

static void host_net_stop(struct bb_net *net)
{
    struct host_net *self = of(net);
    struct frames *const all[] = {&self->empty, &self->received, &self->sent};
    if (!self->started)
        return;
    bb_host_source_remove(&self->source);
    self->started = false;
    self->busy = true;
    if (self->slirp) {
        slirp_cleanup(self->slirp);
        (void)signal(SIGPIPE, self->broken_pipe);
    } else {
        (void)close(self->fd);
    }
    self->slirp = NULL;
    self->busy = false;
    bb_work_cancel(&self->work);
    for (size_t i = 0; i < BB_ARRAY_SIZE(all); i++)
        for (struct bb_buffer *buffer; (buffer = take(all[i]));)
            bb_buffer_put(buffer);
}

/* ---- Frames ---- */

static int why_not(const struct bb_net *net, unsigned queue)
{
    return net->failed ? -EIO : queue ? -EINVAL : 0;
}

static int refuse(const struct bb_buffer *frame)
{
    uint32_t length = bb_buffer_length(frame);
    return length < BB_NET_HEADER || length > MOST_FRAME || frame->parts > BB_BUFFER_MAX_PARTS ||
                   frame->flags & BB_BUFFER_CHECKSUM_NEEDED
               ? -EINVAL
               : 0;
}

static bool send_to_slirp(struct host_net *self, const struct bb_buffer *frame)
{
    uint8_t whole[MOST_FRAME];
    size_t length = 0;
    if (!frame->more) {
        slirp_input(self->slirp, frame->data, (int)frame->length);
        return true;
    }
    for (; frame; frame = frame->more) {
        memcpy(whole + length, frame->data, frame->length);
        length += frame->length;
    }
    slirp_input(self->slirp, whole, (int)length);
    return true;
}

static bool send_to_tap(struct host_net *self, const struct bb_buffer *frame)
{
    struct iovec parts[BB_BUFFER_MAX_PARTS];
    int count = 0;
    for (; frame; frame = frame->more)
        parts[count++] = (struct iovec){frame->data, frame->length};
    return writev(self->fd, parts, count) > 0;
}

static int host_net_send(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                         unsigned count)
{
    struct host_net *self = of(net);
    unsigned taken = 0;
    int error = why_not(net, queue);
    if (!self->started || self->busy)
        return error;
    self->busy = true;
    for (; !error && taken < count; taken++) {
        struct bb_buffer *frame = frames[taken];
        error = refuse(frame);
        self->full = self->sent.count == DEPTH;
        if (error || self->full)
            break;
        bool gone = self->slirp ? send_to_slirp(self, frame) : send_to_tap(self, frame);
        net->stats.sent += gone;
        net->stats.sent_bytes += gone ? bb_buffer_length(frame) : 0;
        net->stats.errors += !gone;
        put(&self->sent, frame);
    }
    self->busy = false;
    return taken ? (int)taken : error;
}

static int host_net_sent(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                         unsigned limit)
{
    struct host_net *self = of(net);
    int error = why_not(net, queue);
    int count = error ? error : take_batch(&self->sent, frames, limit);
    if (count > 0)
        self->full = false;
    return count;
}

static int host_net_receive(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                            unsigned limit)
{
    int error = why_not(net, queue);
    return error ? error : take_batch(&of(net)->received, frames, limit);
}

static int host_net_refill(struct bb_net *net, unsigned queue, struct bb_buffer *const *buffers,
                           unsigned count)
{
    struct host_net *self = of(net);
    unsigned taken = 0;
    int error = why_not(net, queue);
    for (; !error && self->started && taken < count; taken++) {
        if (self->empty.count + self->received.count >= DEPTH)
            break;
        put(&self->empty, buffers[taken]);
    }
    if (!net->client) /* being opened: this is all that a small pool has for us */
        self->reserve = self->empty.count / 2 < RESERVE ? self->empty.count / 2 : RESERVE;
    return error ? error : (int)taken;
}

static bool host_net_arm(struct bb_net *net, unsigned queue)
{
    struct host_net *self = of(net);
    if (why_not(net, queue))
        return false;
    self->armed = !self->received.count && !self->full;
    return !self->armed;
}

static int host_net_probe(struct bb_device *device)
{
    struct host_net *self = (struct host_net *)device;
    self->source.list = host_net_list;
    self->source.ready = host_net_source_ready;
    self->work.run = host_net_work;
    self->work.device = device;
    self->net.mtu = MTU;
    self->net.queues = 1;
    self->net.depth = DEPTH;
    self->net.link_up = true;
    return bb_net_default_mac(device, self->net.mac);
}

const struct bb_net_ops bb_ops_net_host_net = {
    .start = host_net_start,
    .stop = host_net_stop,
    .send = host_net_send,
    .sent = host_net_sent,
    .receive = host_net_receive,
    .refill = host_net_refill,
    .arm = host_net_arm,
};

BB_DRIVER(net, host_net, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-net"}),
          .params = BB_PARAMS({"forward", offsetof(struct host_net, forward), BB_PARAM_STRING},
                              {"tap", offsetof(struct host_net, tap), BB_PARAM_STRING},
                              {"restricted", offsetof(struct host_net, restricted), BB_PARAM_BOOL}),
          .probe = host_net_probe);
