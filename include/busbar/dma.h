/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that a device reads or writes. Rounded to whole cache lines, so that nothing else shares
 * them. The buffer has one owner at a time: bb_dma_sync_for_device() gives it to the device,
 * bb_dma_sync_for_cpu() takes it back; the host build checks that. Thread and early context to
 * allocate, every context to sync.
 */
#ifndef BUSBAR_DMA_H
#define BUSBAR_DMA_H

#include <busbar/device.h>

struct bb_dma {
    struct bb_resource resource;
    void *cpu;       /* as the program sees it */
    uint64_t device; /* as the device sees it, through dma-ranges */
    size_t size;     /* as asked for, in bytes */
    bool device_owns;
};

/* Zeroed; released with the device. -ENOMEM, or -ENXIO when dma-ranges cannot reach it. */
int bb_dma_alloc(struct bb_device *device, size_t size, struct bb_dma *dma);
void bb_dma_sync_for_device(struct bb_dma *dma);
void bb_dma_sync_for_cpu(struct bb_dma *dma);

/*
 * Memory of somebody else that is lent to a device for one transfer: whole cache lines that nobody
 * touches until they are returned. In interrupts too.
 *
 *     error = bb_dma_address(device, &view, data, length, &address);
 *     bb_dma_lend(data, length);
 *     ...                                                // the device reads or writes it
 *     bb_dma_return(data, length);
 */

/* Where a device sees memory; remembers an answer, so that asking again is cheap. Zeroed before its
 * first use, one for each device. */
struct bb_dma_view {
    uint64_t start, size, device;
};
int bb_dma_address_slowly(const struct bb_device *device, struct bb_dma_view *view, uint64_t start,
                          uint64_t size, uint64_t *address);
/* The device's address of `memory`. -ENXIO when it cannot reach all of it. */
static inline int bb_dma_address(const struct bb_device *device, struct bb_dma_view *view,
                                 const void *memory, size_t size, uint64_t *address)
{
    uint64_t offset = (uintptr_t)memory - view->start;
    if (offset >= view->size || size > view->size - offset)
        return bb_dma_address_slowly(device, view, (uintptr_t)memory, size, address);
    *address = view->device + offset;
    return 0;
}
/* Before the device looks: what the CPU wrote is in memory, and no line of it is left behind. */
void bb_dma_lend(const void *memory, size_t size);
/* After the device wrote: what the CPU reads is what is there. */
void bb_dma_return(void *memory, size_t size);

#endif
