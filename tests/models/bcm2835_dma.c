/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 DMA controller (BCM2835 ARM Peripherals, chapter 4): the channels that move data between
 * memory and the FIFO of a peripheral. */
#include "sd_hosts.h"

#include <string.h>

#include <busbar/time.h>

enum { CS = 0x00, CONBLK_AD = 0x04, TI = 0x08, NEXTCONBK = 0x1c, DEBUG = 0x20, STRIDE = 0x100 };
enum { ACTIVE = 1, END = 2, INT = 4, ERROR = 0x100, READ_ERROR = 4 /* of DEBUG */ };
enum { KEPT = 0x30ff0000 }; /* priorities and waiting */
#define RESET (1u << 31)
enum { INTEN = 1, DEST_INC = 0x10, DEST_DREQ = 0x40, SRC_INC = 0x100, SRC_DREQ = 0x400 };

#define CHANNEL(n)                                                                                 \
    {"CS", (n)*STRIDE + CS, MODEL_RW, 0xf0ff0007},                                                 \
        {"CONBLK_AD", (n)*STRIDE + CONBLK_AD, MODEL_RW, ~31u},                                     \
        {"TI", (n)*STRIDE + TI, MODEL_R, 0, 6},                                                    \
    {                                                                                              \
        "DEBUG", (n)*STRIDE + DEBUG, MODEL_RW, 7                                                   \
    }

static const struct model_register registers[] = {
    CHANNEL(0), CHANNEL(1), CHANNEL(2), CHANNEL(3), CHANNEL(4), CHANNEL(5), CHANNEL(6), {NULL},
};

static unsigned char *memory_at(const struct model_dma *dma, uint32_t bus, uint32_t bytes)
{
    model_require(&dma->model,
                  bus >= dma->bus_base && bus - dma->bus_base < dma->size &&
                      bytes <= dma->size - (bus - dma->bus_base),
                  "%u bytes at %#x are not memory of the program", bytes, bus);
    return dma->memory + (bus - dma->bus_base);
}

static void fetch(struct dma_channel *channel)
{
    struct model *model = &channel->dma->model;
    uint32_t words[8];
    memcpy(words, memory_at(channel->dma, channel->block, 32), 32);
    uint32_t known = INTEN | 1 << 3 | DEST_INC | DEST_DREQ | SRC_INC | SRC_DREQ | 0x1f << 16;
    model_require(model, !(words[0] & ~known), "TI = %#x has bits that nobody asked for", words[0]);
    model_require(model, !(words[5] & 31), "NEXTCONBK is not aligned");
    model_require(model, !words[4] && !words[6] && !words[7], "a stride, or reserved words");
    model_require(model, words[3] && words[3] % 4 == 0 && words[3] < 1u << 30,
                  "a length of %u bytes", words[3]);
    model_require(model, !!(words[0] & SRC_DREQ) != !!(words[0] & DEST_DREQ),
                  "no peripheral paces it, or two do");
    channel->information = words[0];
    channel->source = words[1];
    channel->destination = words[2];
    channel->length = words[3];
    channel->next = words[5];
}

static void update(struct dma_channel *channel)
{
    wire_set(&channel->irq, channel->cs & INT);
}

/* As many words as the peripheral asks for. */
static void move(struct dma_channel *channel, const struct dma_peripheral *peripheral)
{
    struct model *model = &channel->dma->model;
    bool out = channel->information & DEST_DREQ;
    uint32_t fifo = out ? channel->destination : channel->source;
    model_require(model, fifo == peripheral->bus, "%#x is not the FIFO of what paces it", fifo);
    model_require(model,
                  !!(channel->information & SRC_INC) == out &&
                      !!(channel->information & DEST_INC) == !out,
                  "the FIFO's address moves, or memory's does not");
    for (unsigned words = peripheral->dreq(peripheral->context); words && channel->length;
         words--, channel->length -= 4) {
        uint32_t word;
        struct model *there = peripheral->model;
        if (out) {
            memcpy(&word, memory_at(channel->dma, channel->source, 4), 4);
            there->write(there, peripheral->offset, 4, word);
            channel->source += 4;
        } else {
            word = there->read(there, peripheral->offset, 4);
            memcpy(memory_at(channel->dma, channel->destination, 4), &word, 4);
            channel->destination += 4;
        }
    }
}

static void tick(void *context)
{
    struct dma_channel *channel = context;
    uint32_t pace = channel->information >> 16 & 31;
    const struct dma_peripheral *peripheral = &channel->dma->peripherals[pace];
    if (!(channel->cs & ACTIVE))
        return;
    model_require(&channel->dma->model, peripheral->dreq, "nothing is paced by %u", pace);
    if (channel->fails) {
        channel->fails = false;
        channel->debug |= READ_ERROR;
        channel->cs = (channel->cs & ~(uint32_t)ACTIVE) | ERROR | INT;
        update(channel);
        return;
    }
    move(channel, peripheral);
    if (channel->length == 0) {
        channel->cs |= END;
        if (channel->information & INTEN)
            channel->cs |= INT;
        channel->block = channel->next;
        if (channel->next)
            fetch(channel);
        else
            channel->cs &= ~(uint32_t)ACTIVE, channel->dma->transfers++;
    }
    update(channel);
    if (channel->cs & ACTIVE)
        world_at(&channel->tick, world_now() + BB_USEC);
}

static void write_cs(struct dma_channel *channel, uint32_t value)
{
    struct model *model = &channel->dma->model;
    if (value & RESET) {
        model_require(model, !(channel->cs & ACTIVE), "a reset of a channel that moves data");
        channel->cs = channel->block = channel->debug = 0;
        update(channel);
        return;
    }
    bool starts = value & ACTIVE && !(channel->cs & ACTIVE);
    channel->cs &= ~(value & (END | INT)) & ~(uint32_t)(KEPT | ACTIVE);
    channel->cs |= value & (KEPT | ACTIVE);
    if (starts) {
        model_require(model, channel->block, "a channel was started without a control block");
        channel->cs &= ~(uint32_t)ERROR;
        fetch(channel);
        world_at(&channel->tick, world_now() + BB_USEC);
    }
    update(channel);
}

static uint32_t dma_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_dma *dma = bb_container_of(model, struct model_dma, model);
    const struct dma_channel *channel = &dma->channels[offset / STRIDE];
    (void)width;
    switch (offset % STRIDE) {
    case CS:
        return channel->cs;
    case CONBLK_AD:
        return channel->block;
    case DEBUG:
        return channel->debug;
    }
    return 0;
}

static void dma_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_dma *dma = bb_container_of(model, struct model_dma, model);
    struct dma_channel *channel = &dma->channels[offset / STRIDE];
    (void)width;
    switch (offset % STRIDE) {
    case CS:
        write_cs(channel, value);
        break;
    case CONBLK_AD:
        model_require(model, !(channel->cs & ACTIVE), "a chain changed under a channel");
        channel->block = value;
        break;
    case DEBUG:
        channel->debug &= ~value;
        if (!channel->debug)
            channel->cs &= ~(uint32_t)ERROR;
        break;
    }
}

void model_dma_map(struct model_dma *dma, uint64_t base)
{
    dma->model = (struct model){
        .name = "bcm2835 dma", .registers = registers, .read = dma_read, .write = dma_write};
    for (unsigned i = 0; i < DMA_CHANNELS; i++) {
        dma->channels[i].dma = dma;
        dma->channels[i].tick = (struct world_event){.run = tick, .context = &dma->channels[i]};
    }
    model_map(&dma->model, base, 0xf00);
}
