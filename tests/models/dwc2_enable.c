/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold when a channel of DWC2 is enabled (RM0090, 35.11 to 35.13). */
#include "dwc2_channel.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/arch.h>

enum { DMAEN = 1 << 5 };
/* Words: the largest packet with its status; two words of status for each channel; packets of one
 * microframe (RM0090, 35.11.2). */
enum { RX_LEAST = 1024 / 4 + 1 + 2, TX_LEAST = 512 / 4, PTX_LEAST = 1024 / 4 };

static void check_fifos(struct model_dwc2 *dwc2)
{
    struct model *model = &dwc2->model;
    uint32_t rx = dwc2->grxfsiz;
    uint32_t tx_start = dwc2->gnptxfsiz & 0xffff, tx = dwc2->gnptxfsiz >> 16;
    uint32_t ptx_start = dwc2->hptxfsiz & 0xffff, ptx = dwc2->hptxfsiz >> 16;

    model_require(model, rx >= RX_LEAST, "GRXFSIZ = %u words holds no packet", rx);
    model_require(model, tx >= TX_LEAST, "GNPTXFSIZ of %u words holds no packet", tx);
    model_require(model, ptx >= PTX_LEAST, "HPTXFSIZ of %u words holds no packet", ptx);
    model_require(model, tx_start >= rx, "the FIFOs for receiving and sending overlap");
    model_require(model, ptx_start >= tx_start + tx, "the two FIFOs for sending overlap");
    model_require(model, ptx_start + ptx <= DWC2_FIFO_WORDS, "FIFOs of %u words, and there are %u",
                  ptx_start + ptx, DWC2_FIFO_WORDS);
    model_require(model, !dwc2->fifo_dirty, "FIFOs were not flushed after their sizes changed");
}

static void check_characteristics(struct model_dwc2 *dwc2, unsigned number)
{
    struct model *model = &dwc2->model;
    const struct model_dwc2_channel *channel = &dwc2->channels[number];
    unsigned count = channel->hcchar >> 20 & 3;

    model_require(model, channel->hcchar & MPS, "channel %u: packets of 0 bytes", number);
    model_require(model, count == 1 || (count == 2 && is_periodic(channel)) || count == 3,
                  "channel %u: MC is %u", number, count);
    model_require(model, type_of(channel) != BB_USB_ISOCHRONOUS, "channel %u: isochronous", number);
    model_require(model, channel->hcint == 0, "channel %u is enabled with HCINT = %#x", number,
                  channel->hcint);
    for (unsigned i = 0; i < DWC2_CHANNELS; i++) {
        const struct model_dwc2_channel *other = &dwc2->channels[i];
        uint32_t same = 0x7f << 22 | 0xf << 11 | ((channel->hcchar >> 11 & 15) ? EPDIR : 0);
        model_require(model,
                      i == number || !other->enabled ||
                          ((other->hcchar ^ channel->hcchar) & same) != 0,
                      "channels %u and %u serve one endpoint at a time", i, number);
    }
}

static void check_sizes(struct model_dwc2 *dwc2, unsigned number)
{
    struct model *model = &dwc2->model;
    const struct model_dwc2_channel *channel = &dwc2->channels[number];
    uint32_t mps = channel->hcchar & MPS, size = size_left(channel);
    uint32_t packets = packets_left(channel), pid = pid_of(channel);
    bool setup = pid == SETUP;

    model_require(model, packets, "channel %u: no packet", number);
    if (is_in(channel))
        model_require(model, size == packets * mps || (size == 0 && packets == 1),
                      "channel %u: %u bytes IN in %u packets of %u", number, size, packets, mps);
    else
        model_require(model, size <= packets * mps && (packets == 1 || size > (packets - 2) * mps),
                      "channel %u: %u bytes OUT in %u packets of %u", number, size, packets, mps);
    /* A complete split sends nothing, so it may say so. */
    bool nothing = is_split(channel) && channel->hcsplt & COMPSPLT && !size;
    model_require(model,
                  !setup || (type_of(channel) == BB_USB_CONTROL && !is_in(channel) &&
                             packets == 1 && (size == 8 || nothing)),
                  "channel %u: SETUP of %u bytes in %u packets", number, size, packets);
    model_require(model, setup || pid == DATA0 || pid == DATA1, "channel %u: PID %u", number, pid);
    model_require(model, !(channel->hctsiz & DOPNG) || (!is_in(channel) && !is_periodic(channel)),
                  "channel %u: DOPNG, and it is no bulk or control OUT", number);
    model_require(model, !is_periodic(channel) || packets <= (channel->hcchar >> 20 & 3),
                  "channel %u: %u periodic packets for one frame", number, packets);
    if (!is_split(channel))
        return;
    model_require(model, packets == 1, "channel %u: a split of %u packets", number, packets);
    model_require(model, (channel->hcsplt >> 14 & 3) == 3,
                  "channel %u: XACTPOS %u, and only isochronous data is cut", number,
                  channel->hcsplt >> 14 & 3);
    model_require(model, !(channel->hctsiz & DOPNG), "channel %u: PING in a split", number);
    model_require(model, (channel->hcsplt >> 7 & 0x7f) && (channel->hcsplt & 0x7f),
                  "channel %u: a split for no hub or no port", number);
}

void model_dwc2_check(struct model_dwc2 *dwc2, unsigned number)
{
    model_require(&dwc2->model, dwc2->gahbcfg & DMAEN, "channel %u is enabled without DMA", number);
    check_fifos(dwc2);
    check_characteristics(dwc2, number);
    check_sizes(dwc2, number);
}

/* The memory that the core gets: in its window, aligned, and nothing of it in the CPU's cache that
 * may still be written back. */
void model_dwc2_take_memory(struct model_dwc2 *dwc2, unsigned number)
{
    struct model *model = &dwc2->model;
    struct model_dwc2_channel *channel = &dwc2->channels[number];
    uint64_t bus = channel->hcdma;
    size_t line = bb_arch_cache_line();

    channel->offset = (uint32_t)(bus - dwc2->bus_base);
    channel->size = size_left(channel);
    if (!channel->size)
        return;
    model_require(model, bus % 4 == 0, "channel %u: HCDMA = %#llx is not aligned", number,
                  (unsigned long long)bus);
    model_require(model,
                  bus >= dwc2->bus_base && channel->offset < dwc2->memory_size &&
                      channel->size <= dwc2->memory_size - channel->offset,
                  "channel %u: HCDMA = %#llx, %u bytes, is not memory of the program", number,
                  (unsigned long long)bus, channel->size);
    if (is_in(channel)) { /* whole lines: nobody else may have written to them */
        uint32_t before = channel->offset % (uint32_t)line;
        channel->offset -= before;
        channel->size = (uint32_t)((before + channel->size + line - 1) / line * line);
    }
    if (channel->size > dwc2->memory_size - channel->offset)
        channel->size = (uint32_t)(dwc2->memory_size - channel->offset);
    const uint8_t *cpu = dwc2->cpu + channel->offset;
    model_require(model, memcmp(cpu, dwc2->synced + channel->offset, channel->size) == 0,
                  "channel %u: the CPU's cache still holds what was written to its memory", number);
    free(channel->before);
    channel->before = malloc(channel->size);
    model_require(model, channel->before, "no memory for a copy");
    memcpy(channel->before, cpu, channel->size);
}

void model_dwc2_give_memory_back(struct model_dwc2 *dwc2, unsigned number)
{
    struct model_dwc2_channel *channel = &dwc2->channels[number];

    if (!channel->before)
        return;
    model_require(&dwc2->model,
                  memcmp(dwc2->cpu + channel->offset, channel->before, channel->size) == 0,
                  "channel %u: its memory was touched while the core had it", number);
    free(channel->before);
    channel->before = NULL;
}
