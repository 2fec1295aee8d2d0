/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory shared with devices: whole cache lines, one owner at a time. */
#include <busbar/arch.h>
#include <busbar/arena.h>
#include <busbar/boot.h>
#include <busbar/dma.h>

static size_t lines(size_t size)
{
    size_t line = bb_arch_cache_line();
    return (size + line - 1) / line * line;
}

static void release(struct bb_resource *resource)
{
    struct bb_dma *dma = bb_container_of(resource, struct bb_dma, resource);
    *dma = (struct bb_dma){0}; /* the arena keeps the memory: a late use finds NULL */
}

int bb_dma_alloc(struct bb_device *device, size_t size, struct bb_dma *dma)
{
    device->step = "dma";
    if (!size || size > bb_arena_size())
        return size ? -ENOMEM : -EINVAL;
    void *memory = bb_device_alloc(device, lines(size), bb_arch_cache_line());
    if (!memory)
        return -ENOMEM;
    device->shared = true;
    if (bb_node_dma_address(device->node, (uintptr_t)memory, lines(size), &dma->device) < 0)
        return bb_fail(device, "dma-ranges", -ENXIO);
    int error = bb_acquire(device, &dma->resource, "dma", release);
    if (error < 0)
        return error;
    dma->cpu = memory;
    dma->size = size;
    dma->device_owns = false;
    return 0;
}

void bb_dma_sync_for_device(struct bb_dma *dma)
{
    BB_ASSERT(dma->cpu && !dma->device_owns);
    dma->device_owns = true;
    bb_arch_cache_clean(dma->cpu, lines(dma->size));
}

/* Lines that the CPU fetched ahead of time while the device wrote are stale. */
void bb_dma_sync_for_cpu(struct bb_dma *dma)
{
    BB_ASSERT(dma->cpu && dma->device_owns);
    bb_arch_cache_invalidate(dma->cpu, lines(dma->size));
    dma->device_owns = false;
}

/* Of the region that the memory lies in, where the device sees all of that; else of itself. */
BB_NOINLINE int bb_dma_address_slowly(const struct bb_device *device, struct bb_dma_view *view,
                                      uint64_t start, uint64_t size, uint64_t *address)
{
    for (size_t i = 0; i < bb_bootinfo.region_count; i++) {
        const struct bb_region *region = &bb_bootinfo.regions[i];
        uint64_t offset = start - region->start;
        if (offset >= region->size || size > region->size - offset ||
            bb_node_dma_address(device->node, region->start, region->size, address) < 0)
            continue;
        *view = (struct bb_dma_view){region->start, region->size, *address};
        *address += offset;
        return 0;
    }
    return bb_node_dma_address(device->node, start, size, address) < 0 ? -ENXIO : 0;
}

void bb_dma_lend(const void *memory, size_t size)
{
    bb_arch_cache_clean_invalidate(memory, lines(size));
}

void bb_dma_return(void *memory, size_t size)
{
    bb_arch_cache_invalidate(memory, lines(size));
}
