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

#endif
