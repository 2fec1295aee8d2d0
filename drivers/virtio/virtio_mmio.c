/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio over MMIO, version 2 and legacy version 1 (Virtual I/O Device version 1.2, section 4.2).
 */
#include <string.h>

#include <busbar/irq.h>
#include <busbar/mmio.h>
#include <busbar/virtio.h>

enum { MAGIC = 0x00, VERSION = 0x04, DEVICE_ID = 0x08 };
enum { DEVICE_FEATURES = 0x10, DEVICE_FEATURES_SEL = 0x14 };
enum { DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SEL = 0x24 };
enum { QUEUE_SEL = 0x30, QUEUE_NUM_MAX = 0x34, QUEUE_NUM = 0x38 };
enum { GUEST_PAGE_SIZE = 0x28, QUEUE_ALIGN = 0x3c, QUEUE_PFN = 0x40 }; /* legacy */
enum { QUEUE_READY = 0x44, QUEUE_NOTIFY = 0x50 };
enum { INTERRUPT_STATUS = 0x60, INTERRUPT_ACK = 0x64, STATUS = 0x70 };
enum { QUEUE_DESC = 0x80, QUEUE_DRIVER = 0x90, QUEUE_DEVICE = 0xa0 }; /* low and high words */
enum { CONFIG_GENERATION = 0xfc, CONFIG = 0x100 };
enum { USED = 1, CHANGED = 2 }; /* interrupt status */
enum { PAGE = 4096, LEGACY = 1, MODERN = 2 };
#define VIRT 0x74726976u /* "virt" */

struct virtio_mmio {
    struct bb_device device;
    struct bb_virtio virtio;
    struct bb_regs regs;
    struct bb_interrupt interrupt;
};

static const struct bb_regs *regs_of(struct bb_virtio *virtio)
{
    return &bb_container_of(virtio, struct virtio_mmio, virtio)->regs;
}

static uint8_t virtio_mmio_status(struct bb_virtio *virtio)
{
    return (uint8_t)bb_read32(regs_of(virtio), STATUS);
}

static void virtio_mmio_set_status(struct bb_virtio *virtio, uint8_t status)
{
    bb_arch_barrier();
    bb_write32(regs_of(virtio), STATUS, status);
    if (!status && virtio->legacy) /* which a reset may have cleared */
        bb_write32(regs_of(virtio), GUEST_PAGE_SIZE, PAGE);
}

static uint64_t virtio_mmio_features(struct bb_virtio *virtio)
{
    const struct bb_regs *regs = regs_of(virtio);
    bb_write32(regs, DEVICE_FEATURES_SEL, 0);
    uint64_t features = bb_read32(regs, DEVICE_FEATURES);
    bb_write32(regs, DEVICE_FEATURES_SEL, 1);
    return features | (uint64_t)bb_read32(regs, DEVICE_FEATURES) << 32;
}

static void virtio_mmio_set_features(struct bb_virtio *virtio, uint64_t features)
{
    const struct bb_regs *regs = regs_of(virtio);
    bb_write32(regs, DRIVER_FEATURES_SEL, 0);
    bb_write32(regs, DRIVER_FEATURES, (uint32_t)features);
    bb_write32(regs, DRIVER_FEATURES_SEL, 1);
    bb_write32(regs, DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint16_t virtio_mmio_ring_max(struct bb_virtio *virtio, unsigned index)
{
    const struct bb_regs *regs = regs_of(virtio);
    bb_write32(regs, QUEUE_SEL, index);
    uint32_t size = bb_read32(regs, QUEUE_NUM_MAX);
    return size > UINT16_MAX ? UINT16_MAX : (uint16_t)size; /* either is refused */
}

static void write_address(const struct bb_regs *regs, size_t offset, const void *memory)
{
    uint64_t address = (uintptr_t)memory;
    bb_write32(regs, offset, (uint32_t)address);
    bb_write32(regs, offset + 4, (uint32_t)(address >> 32));
}

static int virtio_mmio_ring_enable(struct bb_virtio *virtio, unsigned index, struct bb_ring *ring)
{
    const struct bb_regs *regs = regs_of(virtio);
    ring->notify = regs->base + QUEUE_NOTIFY;
    ring->notify_value = index;
    bb_write32(regs, QUEUE_SEL, index);
    if (bb_read32(regs, virtio->legacy ? QUEUE_PFN : QUEUE_READY))
        return -EBUSY; /* after a reset */
    bb_write32(regs, QUEUE_NUM, ring->size);
    if (virtio->legacy) {
        uint64_t page = (uintptr_t)ring->entries / PAGE;
        if (page > UINT32_MAX)
            return -ENXIO;
        bb_write32(regs, QUEUE_ALIGN, PAGE);
        bb_write32(regs, QUEUE_PFN, (uint32_t)page);
        return 0;
    }
    const void *driver = ring->available, *device = ring->used;
    if (ring->packed) {
        driver = ring->driver_event;
        device = ring->device_event;
    }
    write_address(regs, QUEUE_DESC, ring->entries);
    write_address(regs, QUEUE_DRIVER, driver);
    write_address(regs, QUEUE_DEVICE, device);
    bb_arch_barrier();
    bb_write32(regs, QUEUE_READY, 1);
    return 0;
}

static uint32_t virtio_mmio_config_generation(struct bb_virtio *virtio)
{
    return bb_read32(regs_of(virtio), CONFIG_GENERATION);
}

/* How wide an access must be (4.2.2.2): numbers as they are, else bytes. */
static size_t width_of(size_t offset, size_t size)
{
    if ((size == 4 || size == 8) && offset % 4 == 0)
        return 4;
    return size == 2 && offset % 2 == 0 ? 2 : 1;
}

static void virtio_mmio_config_read(struct bb_virtio *virtio, size_t offset, void *data,
                                    size_t size)
{
    uintptr_t base = regs_of(virtio)->base + CONFIG + offset;
    size_t width = width_of(offset, size);
    for (size_t at = 0; at < size; at += width) {
        uint32_t value = width == 4   ? bb_arch_read32(base + at)
                         : width == 2 ? bb_arch_read16(base + at)
                                      : bb_arch_read8(base + at);
        memcpy((char *)data + at, &value, width);
    }
}

static void virtio_mmio_config_write(struct bb_virtio *virtio, size_t offset, const void *data,
                                     size_t size)
{
    uintptr_t base = regs_of(virtio)->base + CONFIG + offset;
    size_t width = width_of(offset, size);
    for (size_t at = 0; at < size; at += width) {
        uint32_t value = 0;
        memcpy(&value, (const char *)data + at, width);
        if (width == 4)
            bb_arch_write32(base + at, value);
        else if (width == 2)
            bb_arch_write16(base + at, (uint16_t)value);
        else
            bb_arch_write8(base + at, (uint8_t)value);
    }
}

static void virtio_mmio_interrupt(struct bb_interrupt *interrupt)
{
    struct virtio_mmio *mmio = bb_container_of(interrupt, struct virtio_mmio, interrupt);
    uint32_t status = bb_read32(&mmio->regs, INTERRUPT_STATUS) & (USED | CHANGED);
    if (!status)
        return; /* another device of the line */
    bb_write32(&mmio->regs, INTERRUPT_ACK, status);
    bb_virtio_interrupt(&mmio->virtio, status & USED, status & CHANGED);
}

static int virtio_mmio_probe(struct bb_device *device)
{
    struct virtio_mmio *mmio = bb_container_of(device, struct virtio_mmio, device);
    int error = bb_regs_get(device, 0, CONFIG, &mmio->regs);
    if (error)
        return error;
    if (bb_read32(&mmio->regs, MAGIC) != VIRT)
        return bb_fail(device, "magic", -ENODEV);
    uint32_t version = bb_read32(&mmio->regs, VERSION);
    if (version != LEGACY && version != MODERN)
        return bb_fail(device, "version", -ENOTSUP);
    mmio->virtio.legacy = version == LEGACY;
    mmio->virtio.config_size = mmio->regs.size - CONFIG;
    mmio->virtio.type = bb_read32(&mmio->regs, DEVICE_ID);
    if (mmio->virtio.type) {
        bb_write32(&mmio->regs, STATUS, 0);
        error = bb_interrupt_get(device, 0, virtio_mmio_interrupt, &mmio->interrupt);
        if (error)
            return error;
    }
    return bb_virtio_found(device, &mmio->virtio);
}

const struct bb_virtio_ops bb_ops_virtio_virtio_mmio = {
    .status = virtio_mmio_status,
    .set_status = virtio_mmio_set_status,
    .features = virtio_mmio_features,
    .set_features = virtio_mmio_set_features,
    .ring_max = virtio_mmio_ring_max,
    .ring_enable = virtio_mmio_ring_enable,
    .config_generation = virtio_mmio_config_generation,
    .config_read = virtio_mmio_config_read,
    .config_write = virtio_mmio_config_write,
};

BB_DRIVER(virtio, virtio_mmio, .bus = &bb_mmio_bus, .match = BB_MATCH({"virtio,mmio"}),
          .needs = BB_CLASSES(&bb_class_irq), .probe = virtio_mmio_probe);
