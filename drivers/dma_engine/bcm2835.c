/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 DMA controller (BCM2835 ARM Peripherals, chapter 4): channels that follow a chain of
 * control blocks in memory, one for each piece, at the pace of a peripheral's DREQ. The firmware
 * keeps some channels; `brcm,dma-channel-mask` has ours, of which the first full ones are used:
 * the lite ones, 7 and up, move no more than 64 KiB a block.
 */
#include <busbar/dma.h>
#include <busbar/dma_engine.h>
#include <busbar/irq.h>
#include <busbar/mmio.h>
#include <busbar/time.h>

enum { /* registers of a channel, 0x100 apart */
       CS = 0x00,
       CONBLK_AD = 0x04,
       DEBUG = 0x20,
       STRIDE = 0x100,
};
enum { /* CS */
       CS_ACTIVE = 1 << 0,
       CS_END = 1 << 1,
       CS_INT = 1 << 2,
       CS_WAITING = 1 << 6, /* for writes that memory has not taken yet */
       CS_ERROR = 1 << 8,
       CS_PRIORITY = 8 << 16,
       CS_PANIC = 15 << 20,
       CS_WAIT_FOR_WRITES = 1 << 28,
       DEBUG_ERRORS = 7, /* write 1 to clear */
};
#define CS_RESET (1u << 31)
enum { /* TI, of a control block */
       TI_INTEN = 1 << 0,
       TI_WAIT_RESP = 1 << 3,
       TI_DEST_INC = 1 << 4,
       TI_DEST_DREQ = 1 << 6,
       TI_SRC_INC = 1 << 8,
       TI_SRC_DREQ = 1 << 10,
       TI_PERMAP_SHIFT = 16,
};
enum {
    FULL = 7,     /* numbers of the full ones end here */
    CHANNELS = 2, /* as many as have clients, of them */
    BLOCKS = 32,  /* pieces of a transfer */
    REQUESTS = 32,
    LONGEST = (1 << 30) - 4, /* bytes of a piece */
};
#define QUIET_WAIT (100 * BB_USEC)

struct control_block {
    uint32_t information, source, destination, length, stride, next, reserved[2];
};
_Static_assert(sizeof(struct control_block) == 32, "4.2.1.1");

struct channel {
    struct bb_interrupt interrupt;
    struct bb_dma blocks;
    struct bb_dma_channel *client; /* NULL: it is free */
    uint8_t number, count;         /* of the hardware's; of blocks */
    bool to_device;
    uint32_t fifo;
    bool under_way;
    int result;
};

struct bcm2835 {
    struct bb_device device;
    struct bb_dma_engine dma_engine;
    struct bb_regs regs;
    struct bb_dma_view view;
    unsigned count;
    struct channel channels[CHANNELS];
};

static struct bcm2835 *chip_of(const struct bb_dma_channel *channel)
{
    return bb_container_of(channel->engine, struct bcm2835, dma_engine);
}

static struct channel *own(const struct bb_dma_channel *channel)
{
    return &chip_of(channel)->channels[channel->number];
}

/* ---- One transfer ---- */

static void bcm2835_prepare(struct bb_dma_channel *client, bool to_device, uint64_t fifo)
{
    struct channel *channel = own(client);
    BB_ASSERT(!channel->under_way);
    if (channel->blocks.device_owns)
        bb_dma_sync_for_cpu(&channel->blocks);
    channel->count = 0;
    channel->to_device = to_device;
    channel->fifo = (uint32_t)fifo;
}

static int bcm2835_add(struct bb_dma_channel *client, void *data, uint32_t length)
{
    struct bcm2835 *chip = chip_of(client);
    struct channel *channel = own(client);
    struct control_block *block = (struct control_block *)channel->blocks.cpu + channel->count;
    uint64_t memory;
    if (channel->count == BLOCKS)
        return -ENOSPC;
    if (!length || length % 4 || (uintptr_t)data % 4 || length > LONGEST)
        return -EINVAL;
    int error = bb_dma_address(&chip->device, &chip->view, data, length, &memory);
    if (error || memory > UINT32_MAX - length)
        return -ENXIO;
    *block = (struct control_block){.length = length, .source = (uint32_t)memory};
    block->information = client->request << TI_PERMAP_SHIFT | TI_WAIT_RESP;
    if (channel->to_device) {
        block->information |= TI_SRC_INC | TI_DEST_DREQ;
        block->destination = channel->fifo;
    } else {
        block->information |= TI_DEST_INC | TI_SRC_DREQ;
        block->source = channel->fifo;
        block->destination = (uint32_t)memory;
    }
    if (channel->count > 0)
        block[-1].next =
            (uint32_t)(channel->blocks.device + channel->count * sizeof(struct control_block));
    channel->count++;
    bb_dma_lend(data, length);
    return 0;
}

static void bcm2835_start(struct bb_dma_channel *client)
{
    struct bcm2835 *chip = chip_of(client);
    struct channel *channel = own(client);
    size_t base = channel->number * STRIDE;
    if (!channel->count)
        return;
    struct control_block *last = (struct control_block *)channel->blocks.cpu + channel->count - 1;
    last->information |= TI_INTEN;
    last->next = 0;
    bb_dma_sync_for_device(&channel->blocks);
    channel->result = -EINPROGRESS;
    channel->under_way = true;
    bb_write32(&chip->regs, base + DEBUG, DEBUG_ERRORS);
    bb_write32(&chip->regs, base + CONBLK_AD, (uint32_t)channel->blocks.device);
    bb_write32(&chip->regs, base + CS,
               CS_END | CS_INT | CS_WAIT_FOR_WRITES | CS_PANIC | CS_PRIORITY | CS_ACTIVE);
}

/* What ended, whoever looks first. */
static bool settle(struct bcm2835 *chip, struct channel *channel)
{
    size_t base = channel->number * STRIDE;
    uint32_t status = bb_read32(&chip->regs, base + CS);
    if (!channel->under_way || (!(status & CS_ERROR) && (status & CS_ACTIVE || !(status & CS_END))))
        return false;
    bb_write32(&chip->regs, base + CS, CS_END | CS_INT);
    channel->result = status & CS_ERROR ? -EIO : 0;
    channel->under_way = false;
    return true;
}

static int bcm2835_result(struct bb_dma_channel *client)
{
    struct channel *channel = own(client);
    uintptr_t state = bb_arch_irq_save();
    (void)settle(chip_of(client), channel);
    int result = channel->result;
    bb_arch_irq_restore(state);
    return result;
}

/* Paused first, so that no write is on its way when the channel forgets everything. */
static void halt(struct bcm2835 *chip, struct channel *channel)
{
    size_t base = channel->number * STRIDE;
    bb_write32(&chip->regs, base + CS, 0);
    (void)bb_read32_until(&chip->regs, base + CS, CS_WAITING, 0, QUIET_WAIT);
    bb_write32(&chip->regs, base + CS, CS_RESET);
    channel->under_way = false;
    channel->result = -EIO;
}

static void bcm2835_stop(struct bb_dma_channel *client)
{
    halt(chip_of(client), own(client));
}

/* Channels may share a line. */
static void bcm2835_interrupt(struct bb_interrupt *interrupt)
{
    struct channel *channel = bb_container_of(interrupt, struct channel, interrupt);
    struct bcm2835 *chip = bb_container_of(interrupt->device, struct bcm2835, device);
    if (settle(chip, channel) && channel->client && channel->client->fired)
        channel->client->fired(channel->client);
}

/* ---- Channels ---- */

static int bcm2835_open(struct bb_dma_engine *engine, const struct bb_phandle_args *args,
                        struct bb_dma_channel *client)
{
    struct bcm2835 *chip = bb_container_of(engine, struct bcm2835, dma_engine);
    if (args->count != 1 || args->cells[0] >= REQUESTS)
        return -EINVAL;
    for (unsigned i = 0; i < chip->count; i++) {
        struct channel *channel = &chip->channels[i];
        if (channel->client)
            continue;
        client->number = i;
        client->request = args->cells[0];
        channel->client = client;
        return 0;
    }
    return -EBUSY;
}

static void bcm2835_close(struct bb_dma_channel *client)
{
    struct bcm2835 *chip = chip_of(client);
    struct channel *channel = &chip->channels[client->number];
    halt(chip, channel);
    channel->client = NULL;
}

static int set_up(struct bcm2835 *chip, struct channel *channel)
{
    int error =
        bb_dma_alloc(&chip->device, BLOCKS * sizeof(struct control_block), &channel->blocks);
    if (error)
        return error;
    halt(chip, channel);
    return bb_interrupt_get(&chip->device, channel->number, bcm2835_interrupt, &channel->interrupt);
}

static int bcm2835_probe(struct bb_device *device)
{
    struct bcm2835 *chip = bb_container_of(device, struct bcm2835, device);
    uint32_t mask;
    int error = bb_regs_get(device, 0, FULL * STRIDE, &chip->regs);
    if (error)
        return error;
    error = bb_node_u32(device->node, "brcm,dma-channel-mask", &mask);
    if (error)
        return bb_fail(device, "brcm,dma-channel-mask", error);
    for (unsigned i = 0; i < FULL && chip->count < CHANNELS && !error; i++) {
        if (!(mask & 1u << i))
            continue;
        chip->channels[chip->count].number = (uint8_t)i;
        error = set_up(chip, &chip->channels[chip->count++]);
    }
    return error;
}

static void bcm2835_remove(struct bb_device *device)
{
    struct bcm2835 *chip = bb_container_of(device, struct bcm2835, device);
    for (unsigned i = 0; i < chip->count; i++)
        halt(chip, &chip->channels[i]);
}

const struct bb_dma_engine_ops bb_ops_dma_engine_bcm2835 = {
    .open = bcm2835_open,
    .close = bcm2835_close,
    .prepare = bcm2835_prepare,
    .add = bcm2835_add,
    .start = bcm2835_start,
    .result = bcm2835_result,
    .stop = bcm2835_stop,
};

BB_DRIVER(dma_engine, bcm2835, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-dma"}),
          .needs = BB_CLASSES(&bb_class_irq), .probe = bcm2835_probe, .remove = bcm2835_remove);
