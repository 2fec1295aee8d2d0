/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet over a pair of bulk endpoints (Universal Serial Bus Specification 2.0, section 5.8):
 * frames as transfers, buffers in flight, recovery of endpoints. */
#include <string.h>

#include <busbar/usb_net.h>

enum {
    SEND_PATIENCE = 5, /* s for one frame */
    RETRY = 10,        /* ms after a failure, and as many more for each in a row */
    MOST_FAILURES = 12,
};
_Static_assert(BB_NET_HEADER + BB_USB_NET_MTU <= BB_USB_NET_MESSAGE, "a frame is a message");

static struct bb_usb_net *of(struct bb_net *net)
{
    return bb_container_of(net, struct bb_usb_net, net);
}

/* ---- Lists of buffers ---- */

static void put(struct bb_usb_net_list *list, struct bb_buffer *buffer)
{
    buffer->next = NULL;
    if (list->first)
        list->last->next = buffer;
    else
        list->first = buffer;
    list->last = buffer;
    list->count++;
}

static struct bb_buffer *take(struct bb_usb_net_list *list)
{
    struct bb_buffer *buffer = list->first;
    if (!buffer)
        return NULL;
    list->first = buffer->next;
    list->count--;
    return buffer;
}

static BB_NOINLINE int take_some(const struct bb_net *net, unsigned queue,
                                 struct bb_usb_net_list *list, struct bb_buffer **frames,
                                 unsigned limit)
{
    unsigned count = 0;
    if (queue)
        return -EINVAL;
    while (count < limit && list->first)
        frames[count++] = take(list);
    return count || !net->failed ? (int)count : -EIO;
}

static void put_back(struct bb_usb_net_slot *slot)
{
    if (slot->buffer)
        bb_buffer_put(slot->buffer);
    slot->buffer = NULL;
}

static void make_empty(struct bb_buffer *buffer)
{
    buffer->data = bb_buffer_memory(buffer) + BB_BUFFER_HEADROOM;
    buffer->shape = BB_BUFFER_SHAPE(0);
    buffer->more = NULL;
}

static bool is_open(const struct bb_usb_net *usb)
{
    return usb->started && !usb->gone && !usb->net.failed;
}

static bool is_frame(const struct bb_usb_net *usb, uint32_t length)
{
    return length >= BB_NET_HEADER && length <= usb->net.mtu + (uint32_t)BB_NET_HEADER;
}

static struct bb_usb_net_slot *free_slot(struct bb_usb_net *usb)
{
    for (unsigned i = 0; i < BB_USB_NET_SENDS; i++)
        if (!usb->send[i].busy)
            return &usb->send[i];
    return NULL;
}

/* ---- Telling the client ---- */

static bool has_news(struct bb_usb_net *usb)
{
    return usb->received.count || (usb->full && free_slot(usb));
}

static void run_ready(struct bb_work *work)
{
    struct bb_usb_net *usb = bb_container_of(work, struct bb_usb_net, ready_work);
    if (!usb->armed || !is_open(usb) || !has_news(usb))
        return;
    usb->armed = false;
    bb_net_ready(&usb->net, 0);
}

static void tell(struct bb_usb_net *usb)
{
    if (usb->armed && has_news(usb))
        bb_work_queue(&usb->ready_work);
}

/* ---- Receiving ---- */

void bb_usb_net_received(struct bb_usb_net *usb, const uint8_t *frame, uint32_t length,
                         uint16_t flags)
{
    if (!is_frame(usb, length)) {
        usb->net.stats.errors++;
        return;
    }
    struct bb_buffer *buffer = take(&usb->empty);
    if (!buffer) {
        usb->net.stats.dropped++;
        return;
    }
    make_empty(buffer);
    memcpy(buffer->data, frame, length);
    buffer->length = length;
    buffer->flags = flags;
    put(&usb->received, buffer);
    usb->net.stats.received++;
    usb->net.stats.received_bytes += length;
}

/* A transfer that is one frame, in the buffer that the client gets. An empty one ends a frame whose
 * length divides by the packet, where the host's view of that is a transfer of its own. */
static void received_frame(struct bb_usb_net *usb, struct bb_usb_net_slot *slot)
{
    uint32_t length = slot->transfer.actual;
    bool goes_on = length == slot->transfer.length;
    if (!goes_on && !usb->oversize && is_frame(usb, length)) {
        slot->buffer->length = length;
        put(&usb->received, slot->buffer);
        slot->buffer = NULL;
        usb->net.stats.received++;
        usb->net.stats.received_bytes += length;
    } else if (!goes_on && (usb->oversize || length)) {
        usb->net.stats.errors++;
    }
    usb->oversize = goes_on;
}

static void work_later(struct bb_usb_net *usb, unsigned times)
{
    if (!usb->retry.armed)
        bb_timer_event_at(&usb->retry, bb_time() + times * RETRY * BB_MSEC);
}

/* The endpoint is in trouble: it is looked after a little later, and given up in the end. */
static void receive_failed(struct bb_usb_net *usb, int status)
{
    if (status == -ENODEV)
        usb->gone = true;
    if (!is_open(usb) || usb->resting)
        return;
    if (++usb->failures > MOST_FAILURES) {
        bb_net_failed(&usb->net, "nothing can be received any more", status);
        return;
    }
    usb->resting = true;
    work_later(usb, usb->failures);
}

/* Submits what waits for that. */
static void post(struct bb_usb_net *usb)
{
    for (unsigned i = 0; i < usb->receives && is_open(usb) && !usb->resting; i++) {
        struct bb_usb_net_slot *slot = &usb->receive[i];
        if (slot->busy || !(slot->memory ? usb->empty.first : slot->buffer))
            continue;
        slot->transfer.data =
            slot->memory ? (uint8_t *)slot->memory + slot->have : slot->buffer->data;
        slot->busy = true;
        int error = bb_usb_submit(&slot->transfer);
        if (!error)
            continue;
        slot->busy = false;
        receive_failed(usb, error);
        return;
    }
}

static void forget_part(const struct bb_usb_net *usb, struct bb_usb_net_slot *slot)
{
    slot->have = 0;
    if (slot->memory)
        slot->transfer.length =
            usb->format->missing ? bb_usb_room(usb->in, BB_USB_ALIGNMENT) : usb->format->room;
}

/* A transfer that may bring several frames, or a part of one. When nobody ends it, it would wait
 * for ever: so its beginning is asked for alone, and says how much follows. */
static void received_message(struct bb_usb_net *usb, struct bb_usb_net_slot *slot)
{
    const struct bb_usb_net_format *format = usb->format;
    uint32_t packet = usb->in->packet, have = slot->have + slot->transfer.actual;
    bool full = slot->transfer.actual == slot->transfer.length;
    uint32_t more =
        full && !usb->oversize && format->missing ? format->missing(usb, slot->memory, have) : 0;
    forget_part(usb, slot);
    if (more && more <= format->room - have) {
        slot->have = have;
        slot->transfer.length = more % packet ? (format->room - have) / packet * packet : more;
        return;
    }
    if (!usb->oversize && have)
        format->unwrap(usb, slot->memory, have);
    usb->oversize = full && (usb->oversize || more);
}

static void receive_done(struct bb_usb_transfer *transfer)
{
    struct bb_usb_net_slot *slot = bb_container_of(transfer, struct bb_usb_net_slot, transfer);
    struct bb_usb_net *usb = slot->usb;
    slot->busy = false;
    if (!usb->started) {
        put_back(slot);
        return;
    }
    if (transfer->status == 0) {
        usb->failures = 0;
        if (!is_open(usb))
            return;
        if (slot->memory)
            received_message(usb, slot);
        else
            received_frame(usb, slot);
    } else if (transfer->status != -ECANCELED) {
        usb->net.stats.errors += transfer->status != -ENODEV;
        usb->oversize = false;
        forget_part(usb, slot);
        receive_failed(usb, transfer->status);
    }
    post(usb);
    tell(usb);
}

int bb_usb_net_receive(struct bb_net *net, unsigned queue, struct bb_buffer **frames,
                       unsigned limit)
{
    return take_some(net, queue, &of(net)->received, frames, limit);
}

int bb_usb_net_refill(struct bb_net *net, unsigned queue, struct bb_buffer *const *buffers,
                      unsigned count)
{
    struct bb_usb_net *usb = of(net);
    unsigned taken = 0, held = usb->empty.count + usb->received.count;
    if (net->failed || queue)
        return net->failed ? -EIO : -EINVAL;
    if (usb->format->unwrap) {
        for (; usb->started && taken < count && held + taken < net->depth; taken++)
            put(&usb->empty, buffers[taken]);
    } else {
        for (unsigned i = 0; usb->started && i < usb->receives && taken < count; i++)
            if (!usb->receive[i].buffer) {
                make_empty(buffers[taken]);
                usb->receive[i].buffer = buffers[taken++];
            }
    }
    post(usb);
    return (int)taken;
}

/* ---- Sending ---- */

void bb_usb_net_copy(const struct bb_buffer *frame, uint8_t *to)
{
    for (; frame; to += frame->length, frame = frame->more)
        memcpy(to, frame->data, frame->length);
}

static int refuse(const struct bb_usb_net *usb, const struct bb_buffer *frame, uint32_t length)
{
    bool sum = frame->flags & BB_BUFFER_CHECKSUM_NEEDED;
    return !is_frame(usb, length) || frame->parts > BB_BUFFER_MAX_PARTS ||
                   (sum && (!(usb->net.features & BB_NET_SENDS_CHECKSUM) ||
                            frame->checksum_start < BB_NET_HEADER ||
                            (uint32_t)frame->checksum_start + frame->checksum_offset + 2 > length))
               ? -EINVAL
               : 0;
}

/* The device has it, or never will. */
static void end_send(struct bb_usb_net *usb, struct bb_usb_net_slot *slot)
{
    slot->busy = false;
    if (slot->buffer)
        put(&usb->sent, slot->buffer);
    slot->buffer = NULL;
}

static void send_done(struct bb_usb_transfer *transfer)
{
    struct bb_usb_net_slot *slot = bb_container_of(transfer, struct bb_usb_net_slot, transfer);
    struct bb_usb_net *usb = slot->usb;
    if (!usb->started)
        put_back(slot);
    end_send(usb, slot);
    if (transfer->status) {
        usb->net.stats.errors += transfer->status != -ENODEV && transfer->status != -ECANCELED;
        usb->gone |= transfer->status == -ENODEV;
        if (transfer->status == -EPIPE)
            bb_usb_net_work(usb);
    }
    tell(usb);
}

static bool is_straight(const struct bb_usb_net *usb, const struct bb_buffer *frame)
{
    return !usb->format->wrap && !frame->more &&
           ((uintptr_t)frame->data & (BB_USB_ALIGNMENT - 1)) == 0;
}

/* The frame is ours, whatever comes; also one that was copied is given back when it is sent, so
 * that a client that has all of them back has room for more. */
static void send_one(struct bb_usb_net *usb, struct bb_usb_net_slot *slot, struct bb_buffer *frame,
                     uint32_t length)
{
    struct bb_usb_transfer *transfer = &slot->transfer;
    transfer->length = length;
    transfer->data = slot->memory;
    slot->busy = true;
    slot->buffer = frame;
    if (is_straight(usb, frame))
        transfer->data = frame->data;
    else if (usb->format->wrap)
        transfer->length = usb->format->wrap(usb, frame, length, slot->memory);
    else
        bb_usb_net_copy(frame, slot->memory);
    int error = bb_usb_submit(transfer);
    if (!error)
        return;
    end_send(usb, slot);
    usb->net.stats.errors++;
    usb->gone |= error == -ENODEV;
    if (error == -EPIPE)
        bb_usb_net_work(usb);
}

int bb_usb_net_send(struct bb_net *net, unsigned queue, struct bb_buffer *const *frames,
                    unsigned count)
{
    struct bb_usb_net *usb = of(net);
    unsigned taken = 0;
    if (net->failed || usb->gone || queue)
        return net->failed ? -EIO : queue ? -EINVAL : -ENODEV;
    for (; usb->started && taken < count; taken++) {
        uint32_t length = bb_buffer_length(frames[taken]);
        int error = refuse(usb, frames[taken], length);
        if (error)
            return taken ? (int)taken : error;
        struct bb_usb_net_slot *slot = free_slot(usb);
        usb->full = !slot;
        if (!slot)
            break;
        net->stats.sent++;
        net->stats.sent_bytes += length;
        send_one(usb, slot, frames[taken], length);
    }
    return (int)taken;
}

int bb_usb_net_sent(struct bb_net *net, unsigned queue, struct bb_buffer **frames, unsigned limit)
{
    return take_some(net, queue, &of(net)->sent, frames, limit);
}

bool bb_usb_net_arm(struct bb_net *net, unsigned queue)
{
    struct bb_usb_net *usb = of(net);
    if (queue || !is_open(usb))
        return false;
    usb->armed = !has_news(usb);
    if (!usb->armed)
        usb->full = false;
    return !usb->armed;
}

/* ---- The interrupt endpoint ---- */

static void listen(struct bb_usb_net *usb)
{
    int error = bb_usb_submit(&usb->listening);
    usb->gone |= error == -ENODEV;
}

/* A link that is not told of any more is no reason to end the traffic: after a few failures in a
 * row it is only tried again when there are other chores. */
static void listening_done(struct bb_usb_transfer *transfer)
{
    struct bb_usb_net *usb = bb_container_of(transfer, struct bb_usb_net, listening);
    int status = transfer->status;
    usb->gone |= status == -ENODEV;
    if (status && !usb->gone && status != -ECANCELED && usb->deaf < MOST_FAILURES)
        work_later(usb, ++usb->deaf);
    if (status)
        return;
    usb->deaf = 0;
    usb->format->notice(usb, transfer->data, transfer->actual);
    listen(usb);
}

int bb_usb_net_listen(struct bb_usb_net *usb, struct bb_usb_endpoint *endpoint)
{
    struct bb_device *device = usb->net.face.device;
    if (endpoint->packet > BB_USB_NET_NOTICE)
        return bb_fail(device, "interrupt endpoint: its packets are too long", -EINVAL);
    void *memory = bb_usb_alloc(device, BB_USB_NET_NOTICE);
    if (!memory)
        return -ENOMEM;
    usb->listening = (struct bb_usb_transfer){.endpoint = endpoint,
                                              .data = memory,
                                              .length = endpoint->packet,
                                              .timeout = BB_FOREVER,
                                              .done = listening_done};
    return bb_usb_submit(&usb->listening);
}

/* ---- What waits ---- */

void bb_usb_net_work(struct bb_usb_net *usb)
{
    bb_work_queue(&usb->chores_work);
}

static void unhalt(struct bb_usb_endpoint *endpoint)
{
    if (endpoint && endpoint->halted)
        (void)bb_usb_clear_halt(endpoint); /* if not, the next transfer fails, too */
}

static void run_chores(struct bb_work *work)
{
    struct bb_usb_net *usb = bb_container_of(work, struct bb_usb_net, chores_work);
    if (usb->gone || usb->net.failed)
        return;
    unhalt(usb->in);
    unhalt(usb->out);
    if (usb->listening.endpoint && usb->listening.status != -EINPROGRESS && !usb->gone) {
        unhalt(usb->listening.endpoint);
        listen(usb);
    }
    if (usb->format->chores && !usb->gone)
        usb->format->chores(usb);
    if (!(usb->filter_changed || usb->unfinished) || usb->gone)
        usb->undone = 0;
    else if (usb->undone++ < MOST_FAILURES)
        work_later(usb, 1);
    post(usb);
}

static void run_retry(struct bb_timer_event *event)
{
    struct bb_usb_net *usb = bb_container_of(event, struct bb_usb_net, retry);
    usb->resting = false;
    bb_usb_net_work(usb);
}

int bb_usb_net_set_filter(struct bb_net *net, const struct bb_net_filter *filter)
{
    struct bb_usb_net *usb = of(net);
    if (net->failed || usb->gone)
        return net->failed ? -EIO : -ENODEV;
    usb->filter = *filter;
    usb->filter_changed = true;
    bb_usb_net_work(usb);
    return 0;
}

/* ---- Start and stop ---- */

int bb_usb_net_start(struct bb_net *net)
{
    struct bb_usb_net *usb = of(net);
    if (usb->gone)
        return -ENODEV;
    usb->armed = usb->full = usb->oversize = usb->resting = false;
    usb->failures = 0;
    for (unsigned i = 0; i < usb->receives; i++)
        forget_part(usb, &usb->receive[i]);
    usb->filter = (struct bb_net_filter){0};
    usb->filter_changed = true;
    usb->started = true;
    bb_usb_net_work(usb);
    return 0;
}

/* The buffer of a transfer that the controller does not give back stays with it until it does: it
 * may still be written to. */
static void end_slots(struct bb_usb_net_slot *slots, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        bb_usb_cancel(&slots[i].transfer);
    for (unsigned i = 0; i < count; i++)
        bb_usb_cancel_wait(&slots[i].transfer);
    for (unsigned i = 0; i < count; i++) {
        if (slots[i].busy)
            bb_net_failed(&slots[i].usb->net, "a transfer is stuck", -ETIMEDOUT);
        else
            put_back(&slots[i]);
    }
}

void bb_usb_net_stop(struct bb_net *net)
{
    struct bb_usb_net *usb = of(net);
    struct bb_usb_net_list *const all[] = {&usb->empty, &usb->received, &usb->sent};
    usb->started = false;
    bb_timer_event_cancel(&usb->retry);
    end_slots(usb->send, BB_USB_NET_SENDS);
    end_slots(usb->receive, usb->receives);
    for (size_t i = 0; i < BB_ARRAY_SIZE(all); i++)
        for (struct bb_buffer *buffer; (buffer = take(all[i]));)
            bb_buffer_put(buffer);
    if (!net->failed && !usb->gone && !net->face.device->removed) {
        usb->filter_changed = true; /* to nothing */
        bb_usb_net_work(usb);
    }
}

static int make_receives(struct bb_usb_net *usb)
{
    uint32_t packet = usb->in->packet;
    bool whole = !usb->format->unwrap;
    usb->receives = whole ? BB_USB_NET_RECEIVES : usb->format->missing ? 1 : BB_USB_NET_MESSAGES;
    for (unsigned i = 0; i < usb->receives; i++) {
        struct bb_usb_net_slot *slot = &usb->receive[i];
        slot->usb = usb;
        if (!whole && !(slot->memory = bb_usb_alloc(usb->net.face.device, usb->format->room)))
            return -ENOMEM;
        slot->transfer.endpoint = usb->in;
        slot->transfer.length = BB_BUFFER_SIZE / packet * packet;
        forget_part(usb, slot);
        slot->transfer.timeout = BB_FOREVER;
        slot->transfer.done = receive_done;
    }
    return 0;
}

static int make_sends(struct bb_usb_net *usb)
{
    for (unsigned i = 0; i < BB_USB_NET_SENDS; i++) {
        struct bb_usb_net_slot *slot = &usb->send[i];
        slot->usb = usb;
        slot->memory = bb_usb_alloc(usb->net.face.device, BB_USB_NET_MESSAGE);
        if (!slot->memory)
            return -ENOMEM;
        slot->transfer.endpoint = usb->out;
        slot->transfer.timeout = SEND_PATIENCE * BB_SEC;
        slot->transfer.flags = BB_USB_ZERO;
        slot->transfer.done = send_done;
    }
    return 0;
}

int bb_usb_net_prepare(struct bb_usb_net *usb, const struct bb_usb_net_format *format,
                       struct bb_usb_interface *data)
{
    struct bb_net *net = &usb->net;
    struct bb_device *device = net->face.device;
    usb->format = format;
    usb->device = data->device;
    usb->in = bb_usb_endpoint(data, BB_USB_BULK, BB_USB_IN);
    usb->out = bb_usb_endpoint(data, BB_USB_BULK, BB_USB_OUT);
    if (!usb->in || !usb->out)
        return bb_fail(device, "bulk endpoints", -ENOENT);
    usb->ready_work = (struct bb_work){.run = run_ready, .device = device};
    usb->chores_work = (struct bb_work){.run = run_chores, .device = device};
    usb->retry = (struct bb_timer_event){.run = run_retry, .device = device};
    net->queues = 1;
    net->depth = format->unwrap ? 2 * BB_USB_NET_RECEIVES : BB_USB_NET_RECEIVES;
    net->mtu = net->mtu ? net->mtu : BB_USB_NET_MTU;
    int error = make_receives(usb);
    return error ? error : make_sends(usb);
}
