/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio console (Virtual I/O Device version 1.2, section 5.3): port 0, without MULTIPORT. Output
 * is copied into a buffer for each chain, so that write() returns at once; input comes in small
 * buffers, which go back as soon as they are read.
 */
#include <string.h>

#include <busbar/console.h>
#include <busbar/virtio.h>

enum { RECEIVE = 0, TRANSMIT = 1 }; /* queues */
enum { BUFFERS = 8, INPUT = 32, OUTPUT = 64 };

struct virtio_console {
    struct bb_device device;
    struct bb_console console;
    struct bb_virtio_client client;
    struct bb_virtio *virtio;
    struct bb_work work;
    struct bb_ring receive, transmit;
    bool restarting;    /* the rings are nobody's */
    uint8_t free_count; /* of output buffers */
    uint8_t free[BUFFERS];
    char input[BUFFERS][INPUT], output[BUFFERS][OUTPUT];
};

static void give_input(struct virtio_console *console, char *buffer)
{
    const struct bb_ring_part part = {buffer, INPUT};
    (void)bb_ring_post(&console->receive, &part, 0, 1, buffer); /* there is room for all of them */
}

static void begin(struct virtio_console *console)
{
    for (unsigned i = 0; i < BUFFERS; i++)
        console->free[i] = (uint8_t)i;
    console->free_count = BUFFERS;
    for (unsigned i = 0; i < console->receive.slots && i < BUFFERS; i++)
        give_input(console, console->input[i]);
    bb_ring_kick(&console->receive);
    if (bb_ring_arm(&console->receive))
        bb_work_queue(&console->work);
}

/* Takes back what was sent. */
static void collect(struct virtio_console *console)
{
    const char *done;
    while ((done = bb_ring_take(&console->transmit, NULL)))
        console->free[console->free_count++] =
            (uint8_t)((size_t)(done - console->output[0]) / OUTPUT);
}

/* Every context, so that it is the work that fails a device. */
static int virtio_console_write(struct bb_console *face, const char *data, size_t size)
{
    struct virtio_console *console = bb_container_of(face, struct virtio_console, console);
    uintptr_t state = bb_arch_irq_save();
    size_t sent = 0;
    if (console->restarting) {
        bb_arch_irq_restore(state);
        return console->virtio->failed ? -EIO : 0;
    }
    collect(console);
    while (sent < size && sent < INT32_MAX && console->free_count && console->transmit.room) {
        char *buffer = console->output[console->free[console->free_count - 1]];
        size_t count = size - sent < OUTPUT ? size - sent : OUTPUT;
        const struct bb_ring_part part = {buffer, (uint32_t)count};
        memcpy(buffer, data + sent, count);
        if (!bb_ring_post(&console->transmit, &part, 1, 0, buffer))
            break;
        console->free_count--;
        sent += count;
    }
    bb_ring_kick(&console->transmit);
    bool bad = console->transmit.broken || console->virtio->failed;
    bb_arch_irq_restore(state);
    if (bad)
        bb_work_queue(&console->work);
    return bad ? -EIO : (int)sent;
}

static bool virtio_console_idle(struct bb_console *face)
{
    struct virtio_console *console = bb_container_of(face, struct virtio_console, console);
    uintptr_t state = bb_arch_irq_save();
    bool idle = false;
    if (!console->restarting) {
        collect(console);
        idle = console->transmit.room == console->transmit.slots || console->transmit.broken;
    }
    bb_arch_irq_restore(state);
    return idle || console->virtio->failed;
}

static void look(struct bb_work *work)
{
    struct virtio_console *console = bb_container_of(work, struct virtio_console, work);
    struct bb_ring *ring = &console->receive;
    if (console->virtio->failed)
        return;
    for (unsigned left = 2 * BUFFERS; left > 0; left--) {
        uint32_t length;
        char *buffer = bb_ring_take(ring, &length);
        if (!buffer)
            break;
        for (uint32_t i = 0; i < length; i++)
            bb_console_input(&console->console, buffer[i]);
        give_input(console, buffer);
    }
    bb_ring_kick(ring);
    const char *broken = ring->broken ? ring->broken : console->transmit.broken;
    if (broken)
        (void)bb_virtio_fail(console->virtio, broken, -EIO);
    else if (bb_ring_arm(ring))
        bb_work_queue(work);
}

static void virtio_console_used(struct bb_virtio_client *client)
{
    bb_work_queue(&bb_container_of(client, struct virtio_console, client)->work);
}

/* What was being sent is lost. Meanwhile, interrupts and the log may write: they get no room. */
static int virtio_console_needs_reset(struct bb_virtio_client *client)
{
    struct virtio_console *console = bb_container_of(client, struct virtio_console, client);
    __atomic_store_n(&console->restarting, true, __ATOMIC_SEQ_CST);
    int error = bb_virtio_restart(console->virtio);
    if (!error)
        begin(console);
    __atomic_store_n(&console->restarting, false, __ATOMIC_RELEASE);
    return error;
}

static int virtio_console_probe(struct bb_device *device)
{
    struct virtio_console *console = bb_container_of(device, struct virtio_console, device);
    console->client.used = virtio_console_used;
    console->client.needs_reset = virtio_console_needs_reset;
    console->work.run = look;
    console->work.device = device;
    int error = bb_virtio_open(device, 0, 0, &console->client, &console->virtio);
    if (!error)
        error = bb_virtio_ring(console->virtio, RECEIVE, BUFFERS, &console->receive);
    if (!error)
        error = bb_virtio_ring(console->virtio, TRANSMIT, BUFFERS, &console->transmit);
    if (!error)
        error = bb_virtio_start(console->virtio);
    if (!error)
        begin(console);
    return error;
}

const struct bb_console_ops bb_ops_console_virtio_console = {
    .write = virtio_console_write,
    .idle = virtio_console_idle,
};

BB_DRIVER(console, virtio_console, .bus = &bb_virtio_bus, .match = BB_MATCH({"virtio,device3"}),
          .probe = virtio_console_probe);
