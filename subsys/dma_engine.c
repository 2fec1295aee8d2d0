/* SPDX-License-Identifier: BSD-2-Clause */
/* DMA engines and who has which of their channels. */
#include <busbar/dma_engine.h>

static struct bb_face_list engines;

static int removed_open(struct bb_dma_engine *engine, const struct bb_phandle_args *args,
                        struct bb_dma_channel *channel)
{
    (void)engine, (void)args, (void)channel;
    return -ENODEV;
}

static void removed_do(struct bb_dma_channel *channel)
{
    (void)channel;
}

static void removed_prepare(struct bb_dma_channel *channel, bool to_device, uint64_t fifo)
{
    (void)channel, (void)to_device, (void)fifo;
}

static int removed_add(struct bb_dma_channel *channel, void *data, uint32_t length)
{
    (void)channel, (void)data, (void)length;
    return -ENODEV;
}

static int removed_result(struct bb_dma_channel *channel)
{
    (void)channel;
    return -ENODEV;
}

static const struct bb_dma_engine_ops removed = {
    .open = removed_open,
    .close = removed_do,
    .prepare = removed_prepare,
    .add = removed_add,
    .start = removed_do,
    .result = removed_result,
    .stop = removed_do,
};

const struct bb_class bb_class_dma_engine = {
    .name = "dma_engine",
    .property = "dmas",
    .cells = "#dma-cells",
    .removed = &removed,
    .list = &engines,
};

static void release(struct bb_resource *resource)
{
    struct bb_dma_channel *channel = bb_container_of(resource, struct bb_dma_channel, resource);
    BB_BOUND_DMA_ENGINE.close(channel);
    channel->engine = NULL;
}

int bb_dma_channel_get(struct bb_device *device, size_t index, struct bb_dma_channel *channel)
{
    struct bb_face *face;
    struct bb_phandle_args args;
    int error = bb_provider(device, &bb_class_dma_engine, index, &face, &args);
    if (error)
        return error == -ERANGE ? -ENOENT : error;
    struct bb_dma_engine *engine = bb_container_of(face, struct bb_dma_engine, face);
    const struct bb_dma_engine_ops *ops = face->ops;
    error = ops->open(engine, &args, channel);
    if (error)
        return bb_fail(device, "dmas", error);
    channel->engine = engine;
    error = bb_acquire(device, &channel->resource, "dmas", release);
    if (error) {
        ops->close(channel);
        channel->engine = NULL;
    }
    return error;
}
