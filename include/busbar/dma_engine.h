/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMA engines: hardware that moves data between memory and the FIFO of another device, at the pace
 * of that device. A client names its channel in `dmas`.
 *
 *     error = bb_dma_channel_get(device, 0, &self->channel);         // in probe
 *     ...
 *     bb_dma_channel_prepare(&self->channel, false, fifo);           // from the FIFO
 *     error = bb_dma_channel_add(&self->channel, data, length);      // for each piece of memory
 *     bb_dma_channel_start(&self->channel);
 *     ...                                                            // fired(), in an interrupt
 *     error = bb_dma_channel_result(&self->channel);                 // -EINPROGRESS: not yet
 *
 * From add() to the result, or stop(), the memory is the engine's: whole cache lines that nobody
 * touches. What was read into is to be taken back with bb_dma_return(). Thread context.
 */
#ifndef BUSBAR_DMA_ENGINE_H
#define BUSBAR_DMA_ENGINE_H

#include <busbar/bind.h>
#include <busbar/device.h>

struct bb_dma_engine {
    struct bb_face face;
};

struct bb_dma_channel {
    struct bb_resource resource;
    struct bb_dma_engine *engine; /* NULL: none */
    uint32_t number, request;     /* the engine's: which channel, paced by what */
    /* Set by the client: the transfer is over. Interrupt context. May be NULL. */
    void (*fired)(struct bb_dma_channel *channel);
};

struct bb_dma_engine_ops {
    /* Takes a channel for what `args` names; allocates nothing. -EINVAL: no such thing; -EBUSY:
     * none is free. */
    int (*open)(struct bb_dma_engine *engine, const struct bb_phandle_args *args,
                struct bb_dma_channel *channel);
    void (*close)(struct bb_dma_channel *channel);
    /* Forgets what was added. `fifo`: where devices see the FIFO, an address of 32-bit words. */
    void (*prepare)(struct bb_dma_channel *channel, bool to_device, uint64_t fifo);
    /* -ENOSPC: too many pieces; -ENXIO: memory out of reach; -EINVAL: not on word bounds. */
    int (*add)(struct bb_dma_channel *channel, void *data, uint32_t length);
    void (*start)(struct bb_dma_channel *channel);
    int (*result)(struct bb_dma_channel *channel); /* 0, -EINPROGRESS, -EIO. Every context */
    void (*stop)(struct bb_dma_channel *channel);  /* at once; no access to memory afterwards */
};

BB_CLASS_FINDERS(dma_engine)

#ifndef BB_BOUND_DMA_ENGINE
#define BB_BOUND_DMA_ENGINE (*(const struct bb_dma_engine_ops *)channel->engine->face.ops)
#endif

/* Entry `index` of `dmas`. -ENOENT when there is none. A failure leaves channel->engine NULL, for
 * drivers that do without. Released with the device. */
int bb_dma_channel_get(struct bb_device *device, size_t index, struct bb_dma_channel *channel);

static inline void bb_dma_channel_prepare(struct bb_dma_channel *channel, bool to_device,
                                          uint64_t fifo)
{
    BB_BOUND_DMA_ENGINE.prepare(channel, to_device, fifo);
}
static inline int bb_dma_channel_add(struct bb_dma_channel *channel, void *data, uint32_t length)
{
    return BB_BOUND_DMA_ENGINE.add(channel, data, length);
}
static inline void bb_dma_channel_start(struct bb_dma_channel *channel)
{
    BB_BOUND_DMA_ENGINE.start(channel);
}
static inline int bb_dma_channel_result(struct bb_dma_channel *channel)
{
    return BB_BOUND_DMA_ENGINE.result(channel);
}
static inline void bb_dma_channel_stop(struct bb_dma_channel *channel)
{
    BB_BOUND_DMA_ENGINE.stop(channel);
}

#endif
