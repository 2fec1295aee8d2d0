/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2835 mailbox 0 and 1, as the firmware's wiki describes them. */
#include "vc_mailbox.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/arch.h>
#include <busbar/time.h>

enum {
    READ = 0x00,
    PEEK = 0x10,
    SENDER = 0x14,
    STATUS = 0x18,
    CONFIG = 0x1c,
    CONFIG_DATA_IRQ = 1 << 0,
    WRITE = 0x20,
    STATUS_1 = 0x38,
    CONFIG_1 = 0x3c,
};
#define FULL (1u << 31)
#define EMPTY (1u << 30)

static const struct model_register registers[] = {
    {"READ", READ, MODEL_R},
    {"PEEK", PEEK, MODEL_R},
    {"SENDER", SENDER, MODEL_R},
    {"STATUS", STATUS, MODEL_R},
    {"CONFIG", CONFIG, MODEL_RW, 0xf},
    {"WRITE", WRITE, MODEL_W, ~0u},
    {"STATUS_1", STATUS_1, MODEL_R},
    {"CONFIG_1", CONFIG_1, MODEL_R},
    {NULL},
};

static void update(struct model_vc_mailbox *mailbox)
{
    wire_set(&mailbox->irq, mailbox->config & CONFIG_DATA_IRQ && mailbox->out_count);
}

void model_vc_mailbox_post(struct model_vc_mailbox *mailbox, uint32_t word)
{
    model_require(&mailbox->model, mailbox->out_count < VC_FIFO,
                  "answers pile up: nobody drains them");
    mailbox->out[mailbox->out_count++] = word;
    update(mailbox);
}

static struct model_vc_mailbox *cached; /* the one whose memory the CPU has a cache in front of */

static void cache(void *context, void *start, size_t size, bool clean, bool invalidate)
{
    size_t offset = (size_t)((unsigned char *)start - cached->host_base);

    (void)context;
    model_require(&cached->model, offset < cached->host_size && size <= cached->host_size - offset,
                  "a cache operation on memory that no device shares");
    model_require(&cached->model,
                  offset % bb_arch_cache_line() == 0 && size % bb_arch_cache_line() == 0,
                  "a cache operation on part of a line loses what else is in it");
    if (clean)
        memcpy(cached->seen + offset, start, size);
    if (invalidate)
        memcpy(start, cached->seen + offset, size);
    memcpy(cached->synced + offset, start, size);
}

void model_vc_mailbox_memory(struct model_vc_mailbox *mailbox, uint64_t bus, void *memory,
                             size_t size)
{
    mailbox->bus_base = bus;
    mailbox->host_base = memory;
    mailbox->host_size = size;
    mailbox->seen = calloc(1, size);
    mailbox->synced = calloc(1, size);
    model_require(&mailbox->model, mailbox->seen && mailbox->synced,
                  "no memory for its view of memory");
    cached = mailbox;
    bb_host_cpu.cache = cache;
}

static uint32_t *buffer_of(struct model_vc_mailbox *mailbox, uint32_t word)
{
    struct model *model = &mailbox->model;
    uint64_t bus = word & ~15u;

    model_require(model, bus >> 30 == 3, "buffer %#x is not in the uncached alias", word);
    model_require(model,
                  bus >= mailbox->bus_base && bus - mailbox->bus_base + 16 <= mailbox->host_size,
                  "buffer %#x is not memory of the program", word);
    uint32_t *buffer = (uint32_t *)(void *)(mailbox->seen + (bus - mailbox->bus_base));
    model_require(model, bus - mailbox->bus_base + buffer[0] <= mailbox->host_size,
                  "a buffer of %u bytes leaves memory", buffer[0]);
    return buffer;
}

static void respond(void *context)
{
    struct model_vc_mailbox *mailbox = context;
    uint32_t word = mailbox->in[0];

    memmove(mailbox->in, mailbox->in + 1, --mailbox->in_count * sizeof *mailbox->in);
    if (mailbox->in_count)
        world_at(&mailbox->answer, world_now() + mailbox->latency);
    if (mailbox->mode == VC_SILENT || (word & 15) != 8)
        return; /* nobody listens on the other channels */
    uint32_t *buffer = buffer_of(mailbox, word);
    if (++mailbox->calls == mailbox->fail_at) {
        if (mailbox->fail_mode == VC_SILENT)
            return;
        mailbox->mode = mailbox->fail_mode;
    } else if (mailbox->fail_at) {
        mailbox->mode = VC_HONEST;
    }
    if (mailbox->mode != VC_UNANSWERED)
        vc_firmware(mailbox, buffer);
    if (mailbox->mode == VC_OTHER_FIRST)
        model_vc_mailbox_post(mailbox, 0x12340003);
    if (mailbox->mode == VC_WRONG_WORD)
        word += 0x100;
    model_vc_mailbox_post(mailbox, word);
}

static uint32_t mailbox_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_vc_mailbox *mailbox = bb_container_of(model, struct model_vc_mailbox, model);
    uint32_t word = mailbox->out[0];

    (void)width;
    switch (offset) {
    case READ:
        model_require(model, mailbox->out_count > 0, "READ while the mailbox is empty");
        memmove(mailbox->out, mailbox->out + 1, --mailbox->out_count * sizeof *mailbox->out);
        update(mailbox);
        return word;
    case PEEK:
        return word;
    case STATUS:
        return (mailbox->out_count ? 0 : EMPTY) | (mailbox->out_count == VC_FIFO ? FULL : 0) |
               mailbox->out_count;
    case CONFIG:
        return mailbox->config | (mailbox->out_count ? 0x10 : 0);
    case STATUS_1:
        return (mailbox->in_count ? 0 : EMPTY) |
               (mailbox->in_count == VC_FIFO || mailbox->mode == VC_STUCK ? FULL : 0) |
               mailbox->in_count;
    default:
        return 0;
    }
}

static void mailbox_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_vc_mailbox *mailbox = bb_container_of(model, struct model_vc_mailbox, model);

    (void)width;
    if (offset == CONFIG) {
        mailbox->config = value & 7;
        if (value & 8)
            mailbox->out_count = 0;
        update(mailbox);
        return;
    }
    model_require(model, mailbox->mode != VC_STUCK && mailbox->in_count < VC_FIFO,
                  "WRITE while the mailbox is full");
    if (mailbox->mode == VC_STALE)
        model_vc_mailbox_post(mailbox, (value & 15) | 0xcabcde00);
    mailbox->in[mailbox->in_count++] = value;
    if (!mailbox->answer.armed)
        world_at(&mailbox->answer, world_now() + mailbox->latency);
}

void model_vc_mailbox_map(struct model_vc_mailbox *mailbox, uint64_t base)
{
    mailbox->model = (struct model){
        .name = "mailbox", .registers = registers, .read = mailbox_read, .write = mailbox_write};
    mailbox->latency = 20 * BB_USEC;
    mailbox->temperature = 25000;
    for (unsigned i = 1; i < VC_CLOCKS; i++)
        mailbox->clock_rate[i] = 250000000;
    mailbox->clock_rate[2] = 48000000;   /* UART */
    mailbox->clock_rate[3] = 1200000000; /* ARM */
    vc_display_prepare(&mailbox->display);
    mailbox->answer = (struct world_event){.run = respond, .context = mailbox};
    model_map(&mailbox->model, base, 0x40);
}
