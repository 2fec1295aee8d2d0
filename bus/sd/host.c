/* SPDX-License-Identifier: BSD-2-Clause */
/* What controllers of SD cards (Physical Layer Simplified Specification 6.00) have in common: a
 * clock, work behind their interrupt, and a channel of a DMA engine at their data register. */
#include <busbar/dma.h>

#include "sd.h"

enum { LINE = 64 /* what DMA wants memory aligned to: lines of any cache here */ };

static void run_work(struct bb_work *work)
{
    bb_sd_work(bb_container_of(work, struct bb_sd, work));
}

static void fired(struct bb_dma_channel *channel)
{
    bb_work_queue(&bb_container_of(channel, struct bb_sd, channel)->work);
}

int bb_sd_prepare(struct bb_sd *sd, struct bb_device *device, uint32_t offset)
{
    uint32_t base;
    sd->device = device;
    sd->work.run = run_work;
    sd->work.device = device;
    sd->channel.fired = fired;
    int error = bb_clock_get(device, 0, &sd->clock);
    if (!error)
        error = bb_clock_rate(&sd->clock, &sd->input_hz);
    if (!error && (sd->input_hz < 1000000 || sd->input_hz > 1000000000))
        error = -EINVAL;
    if (error)
        return bb_fail(device, "clock", error);
    if (bb_node_u32_at(device->node, "reg", 0, &base) == 0) {
        sd->fifo = base + offset;
        (void)bb_dma_channel_get(device, 0, &sd->channel);
    }
    return 0;
}

/* Whole cache lines, so that nothing else of the program is in them. */
static bool is_lined_up(const struct bb_sd_command *command)
{
    for (unsigned i = 0; i < command->segment_count; i++)
        if (((uintptr_t)command->segments[i].data | command->segments[i].length) % LINE)
            return false;
    return command->block_size == BB_SD_BLOCK;
}

static void take_back(const struct bb_sd_command *command, unsigned count)
{
    for (unsigned i = 0; i < count && !command->write; i++)
        bb_dma_return(command->segments[i].data, command->segments[i].length);
}

void bb_sd_dma_start(struct bb_sd *sd, const struct bb_sd_command *command, uint32_t rest)
{
    if (!sd->channel.engine || !is_lined_up(command))
        return;
    bb_dma_channel_prepare(&sd->channel, command->write, sd->fifo);
    for (unsigned i = 0; i < command->segment_count; i++) {
        const struct bb_block_segment *segment = &command->segments[i];
        bool last = i + 1u == command->segment_count;
        if (bb_dma_channel_add(&sd->channel, segment->data, segment->length - (last ? rest : 0))) {
            take_back(command, i);
            return;
        }
    }
    sd->dma = true;
    bb_dma_channel_start(&sd->channel);
}

void bb_sd_dma_end(struct bb_sd *sd, const struct bb_sd_command *command)
{
    if (!sd->dma)
        return;
    sd->dma = false;
    bb_dma_channel_stop(&sd->channel);
    take_back(command, command->segment_count);
}
