/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mmio bus: devices whose registers are in the CPU's address space, from `reg` and `ranges`.
 *
 *     int error = bb_regs_get(device, 0, 0x1000, &pl031->regs);
 *     ...
 *     uint32_t seconds = bb_read32(&pl031->regs, DR);
 *
 * Accessors are for every context. Device memory keeps the order of accesses to one device; against
 * ordinary memory use <busbar/dma.h>.
 */
#ifndef BUSBAR_MMIO_H
#define BUSBAR_MMIO_H

#include <busbar/arch.h>
#include <busbar/device.h>

extern const struct bb_bus bb_mmio_bus;

struct bb_regs {
    struct bb_resource resource;
    uintptr_t base;
    size_t size;
};

/* Maps region `index` of the device's reg. -EINVAL when it is smaller than `minimum` bytes. */
int bb_regs_get(struct bb_device *device, size_t index, size_t minimum, struct bb_regs *regs);

static inline uint32_t bb_read32(const struct bb_regs *regs, size_t offset)
{
    BB_ASSERT(offset + 4 <= regs->size);
    return bb_arch_read32_at(regs->base, offset);
}
static inline void bb_write32(const struct bb_regs *regs, size_t offset, uint32_t value)
{
    BB_ASSERT(offset + 4 <= regs->size);
    bb_arch_write32_at(regs->base, offset, value);
}
static inline uint8_t bb_read8(const struct bb_regs *regs, size_t offset)
{
    BB_ASSERT(offset < regs->size);
    return bb_arch_read8(regs->base + offset);
}
static inline void bb_write8(const struct bb_regs *regs, size_t offset, uint8_t value)
{
    BB_ASSERT(offset < regs->size);
    bb_arch_write8(regs->base + offset, value);
}

/* Reads until (value & mask) == wanted. 0, or -ETIMEDOUT after `timeout` nanoseconds (10 ms at
 * most). */
int bb_read32_until(const struct bb_regs *regs, size_t offset, uint32_t mask, uint32_t wanted,
                    uint64_t timeout);

#endif
