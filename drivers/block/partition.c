/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition: a view of some blocks of a disk, on the disk's own queues. */
#include <string.h>

#include <busbar/block.h>

struct partition {
    struct bb_device device;
    struct bb_block block;
};

/* A request that the disk did not take. One that it completes bb_block_complete() turns back. */
static void give_back(const struct bb_block *block, struct bb_block_request *request)
{
    request->block -= block->first;
    request->view = NULL;
    request->status = 0;
}

static int partition_submit(struct bb_block *block, unsigned queue,
                            struct bb_block_request *const *requests, unsigned count)
{
    struct bb_block *disk = block->parent;
    unsigned good = 0;
    int error = 0;
    for (; good < count; good++) {
        struct bb_block_request *request = requests[good];
        error = bb_block_refuse(block, request);
        if (error)
            break;
        request->block += block->first;
        request->view = block;
    }
    if (!good)
        return error;
    /* Before the disk has them: one may be done by the time that this returns. */
    bb_block_started(block, good);
    int taken = ((const struct bb_block_ops *)disk->face.ops)->submit(disk, queue, requests, good);
    for (unsigned i = taken < 0 ? 0 : (unsigned)taken; i < good; i++) {
        give_back(block, requests[i]);
        block->in_flight--;
    }
    return taken;
}

static int partition_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    const struct bb_block_ops *ops = block->parent->face.ops;
    return ops->reap(block->parent, queue, limit);
}

static bool partition_arm(struct bb_block *block, unsigned queue)
{
    const struct bb_block_ops *ops = block->parent->face.ops;
    return ops->arm(block->parent, queue);
}

static struct bb_block *disk_of(const struct bb_node *node)
{
    const struct bb_node *above = node->parent->parent; /* between them, the table */
    struct bb_block *disk = bb_block_first();
    while (disk && (!above || disk->face.device != above->device))
        disk = bb_block_next(disk);
    return disk;
}

static int partition_probe(struct bb_device *device)
{
    struct partition *self = (struct partition *)device;
    struct bb_block *block = &self->block, *disk = disk_of(device->node);
    const char *uuid = "";
    if (!disk)
        return bb_fail(device, "disk", -ENODEV);
    int error = bb_node_u64(device->node, "first", &block->first);
    error = error ? error : bb_node_u64(device->node, "blocks", &block->capacity);
    if (error || !block->capacity || block->first > disk->capacity ||
        block->capacity > disk->capacity - block->first)
        return bb_fail(device, "its place on the disk", error ? error : -ERANGE);
    if (bb_node_string(device->node, "uuid", &uuid) == 0 && strlen(uuid) < sizeof(block->uuid))
        memcpy(block->uuid, uuid, strlen(uuid) + 1);
    (void)bb_node_string(device->node, "label", &block->label);
    block->parent = disk;
    block->block_size = disk->block_size;
    block->physical_size = disk->physical_size;
    block->alignment = disk->alignment;
    block->max_blocks = disk->max_blocks;
    block->max_erase = disk->max_erase;
    block->max_segments = disk->max_segments;
    block->queues = disk->queues;
    block->depth = disk->depth;
    block->features = disk->features;
    return 0;
}

static bool is_idle(void *context)
{
    struct bb_block *block = context;
    for (unsigned queue = 0; queue < block->queues && block->in_flight; queue++)
        if (partition_reap(block, queue, UINT16_MAX) < 0)
            return true;
    bool idle = !block->in_flight;
    for (unsigned queue = 0; queue < block->queues && !idle; queue++)
        (void)partition_arm(block, queue);
    return idle;
}

/* The disk gives back what it still has of this view; its watchdog bounds the wait. */
static void partition_remove(struct bb_device *device)
{
    struct partition *self = (struct partition *)device;
    if (self->block.in_flight)
        (void)bb_wait(is_idle, &self->block, 2 * BB_BLOCK_TIMEOUT);
}

const struct bb_block_ops bb_ops_block_partition = {
    .submit = partition_submit,
    .reap = partition_reap,
    .arm = partition_arm,
};

BB_DRIVER(block, partition, .bus = &bb_block_bus, .match = BB_MATCH({"busbar,partition"}),
          .probe = partition_probe, .remove = partition_remove, .hotplug = true);
