/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of virtio-mmio and the life of a device (Virtual I/O Device version 1.2,
 * sections 3.1 and 4.2). */
#include "virtio_device.h"

#include <stdio.h>
#include <string.h>

#include "boards.h"
#include "virtio_queue.h"
#include <tests/unit/harness.h>

enum {
    MAGIC = 0x00,
    VERSION = 0x04,
    DEVICE_ID = 0x08,
    VENDOR_ID = 0x0c,
    DEVICE_FEATURES = 0x10,
    DEVICE_FEATURES_SEL = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SEL = 0x24,
    GUEST_PAGE_SIZE = 0x28,
    QUEUE_SEL = 0x30,
    QUEUE_NUM_MAX = 0x34,
    QUEUE_NUM = 0x38,
    QUEUE_ALIGN = 0x3c,
    QUEUE_PFN = 0x40,
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACK = 0x64,
    STATUS = 0x70,
    QUEUE_DESC = 0x80,
    QUEUE_DRIVER = 0x90,
    QUEUE_DEVICE = 0xa0,
    CONFIG_GENERATION = 0xfc,
    CONFIG = 0x100,
};
enum { LEGACY = 1, MODERN = 2, BOTH = 3 };
enum {
    ACKNOWLEDGE = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    NEEDS_RESET = 64,
    FAILED = 128
};
enum { ACCESS_NS = 20, FIRST_SPI = 16, SPI = 0, EDGE = 1 };

static const struct {
    uint32_t offset;
    uint8_t versions;
    bool read, write;
} registers[] = {
    {MAGIC, BOTH, true, false},
    {VERSION, BOTH, true, false},
    {DEVICE_ID, BOTH, true, false},
    {VENDOR_ID, BOTH, true, false},
    {DEVICE_FEATURES, BOTH, true, false},
    {DEVICE_FEATURES_SEL, BOTH, false, true},
    {DRIVER_FEATURES, BOTH, false, true},
    {DRIVER_FEATURES_SEL, BOTH, false, true},
    {GUEST_PAGE_SIZE, LEGACY, false, true},
    {QUEUE_SEL, BOTH, false, true},
    {QUEUE_NUM_MAX, BOTH, true, false},
    {QUEUE_NUM, BOTH, false, true},
    {QUEUE_ALIGN, LEGACY, false, true},
    {QUEUE_PFN, LEGACY, true, true},
    {QUEUE_READY, MODERN, true, true},
    {QUEUE_NOTIFY, BOTH, false, true},
    {INTERRUPT_STATUS, BOTH, true, false},
    {INTERRUPT_ACK, BOTH, false, true},
    {STATUS, BOTH, true, true},
    {QUEUE_DESC, MODERN, false, true},
    {QUEUE_DESC + 4, MODERN, false, true},
    {QUEUE_DRIVER, MODERN, false, true},
    {QUEUE_DRIVER + 4, MODERN, false, true},
    {QUEUE_DEVICE, MODERN, false, true},
    {QUEUE_DEVICE + 4, MODERN, false, true},
    {CONFIG_GENERATION, MODERN, true, false},
};

static void require(bool condition, const char *what, uint64_t value)
{
    if (!condition)
        world_fail("virtio", "%s (%#llx)", what, (unsigned long long)value);
}

bool model_virtio_has(const struct model_virtio *device, unsigned feature)
{
    return device->driver_features >> feature & 1;
}

void virtio_signal(struct model_virtio *device, uint32_t bits)
{
    device->interrupt_status |= bits;
    wire_set(&device->irq, device->interrupt_status != 0);
}

static uint64_t offered(const struct model_virtio *device)
{
    return device->legacy ? (uint32_t)device->features
                          : device->features | VIRTIO_BIT(VIRTIO_F_VERSION_1);
}

/* ---- Status ---- */

static void reset(struct model_virtio *device)
{
    device->resets++;
    if (device->never_resets)
        return;
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
        virtio_queue_reset(device, i);
    device->status = 0;
    device->driver_features = 0;
    device->features_seen[0] = device->features_seen[1] = false;
    device->page_size = device->queue_sel = device->features_sel = device->driver_sel = 0;
    device->interrupt_status = 0;
    wire_set(&device->irq, false);
    if (device->was_reset)
        device->was_reset(device);
}

static void write_status(struct model_virtio *device, uint32_t value)
{
    uint32_t set = value & ~(uint32_t)device->status;

    if (value == 0) {
        reset(device);
        return;
    }
    require(!(device->status & ~value), "a status bit is cleared by other than reset", value);
    require(!(value &
              ~(uint32_t)(ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | NEEDS_RESET | FAILED)),
            "reserved status bits", value);
    require(!(set & NEEDS_RESET), "the driver sets DEVICE_NEEDS_RESET", value);
    if (set & DRIVER)
        require(value & ACKNOWLEDGE, "DRIVER before ACKNOWLEDGE", value);
    if (set & FEATURES_OK) {
        require(!device->legacy, "FEATURES_OK to a legacy device", value);
        require(device->status & DRIVER, "FEATURES_OK before DRIVER", value);
        require(device->features_seen[0] && device->features_seen[1],
                "FEATURES_OK before features were written", value);
        require(model_virtio_has(device, VIRTIO_F_VERSION_1), "VERSION_1 is not taken", value);
        if (device->refuses)
            value &= ~(uint32_t)FEATURES_OK;
    }
    if (set & DRIVER_OK) {
        require(device->status & DRIVER, "DRIVER_OK before DRIVER", value);
        require(device->legacy || device->status & FEATURES_OK, "DRIVER_OK before FEATURES_OK",
                value);
        require(!(set & FEATURES_OK), "DRIVER_OK together with FEATURES_OK", value);
    }
    device->status = (uint8_t)(value | (set & DRIVER_OK && device->ails ? NEEDS_RESET : 0));
}

static void write_features(struct model_virtio *device, uint32_t value)
{
    unsigned sel = device->driver_sel;
    require(sel < 2, "DriverFeatures of a selector beyond 1", sel);
    require(device->status & DRIVER, "features before DRIVER", device->status);
    require(!(device->status & (FEATURES_OK | DRIVER_OK)), "features after FEATURES_OK", value);
    require(!(value & ~(uint32_t)(offered(device) >> 32 * sel)), "features that were not offered",
            value);
    device->features_seen[sel] = true;
    device->driver_features &= ~((uint64_t)UINT32_MAX << 32 * sel);
    device->driver_features |= (uint64_t)value << 32 * sel;
    require(!model_virtio_has(device, VIRTIO_F_RING_PACKED) || !device->legacy,
            "a packed ring of a legacy device", value);
}

/* ---- Queues ---- */

static struct model_virtio_queue *selected(struct model_virtio *device)
{
    require(device->queue_sel < VIRTIO_QUEUES && device->queues[device->queue_sel].max,
            "a queue that is not there", device->queue_sel);
    return &device->queues[device->queue_sel];
}

static struct model_virtio_queue *being_set_up(struct model_virtio *device)
{
    struct model_virtio_queue *queue = selected(device);
    require(device->legacy || device->status & FEATURES_OK, "queue before FEATURES_OK",
            device->status);
    require(device->status & DRIVER && !(device->status & DRIVER_OK), "queue set up too late",
            device->status);
    require(!queue->ready, "changes a queue that is in use", device->queue_sel);
    return queue;
}

static void write_queue_num(struct model_virtio *device, uint32_t value)
{
    struct model_virtio_queue *queue = being_set_up(device);
    require(value && value <= queue->max && value <= 32768, "queue size", value);
    require(model_virtio_has(device, VIRTIO_F_RING_PACKED) || !(value & (value - 1)),
            "queue size of a split ring", value);
    queue->size = (uint16_t)value;
}

static void enable_queue(struct model_virtio *device)
{
    struct model_virtio_queue *queue = selected(device);
    require(queue->size, "a queue without size is enabled", device->queue_sel);
    virtio_queue_start(device, device->queue_sel);
}

static void write_pfn(struct model_virtio *device, uint32_t value)
{
    struct model_virtio_queue *queue = selected(device);
    if (!value) {
        virtio_queue_reset(device, device->queue_sel);
        return;
    }
    (void)being_set_up(device);
    require(device->page_size && !(device->page_size & (device->page_size - 1)),
            "QueuePFN with GuestPageSize", device->page_size);
    require(queue->align && !(queue->align & (queue->align - 1)), "QueuePFN with QueueAlign",
            queue->align);
    queue->pages = value;
    queue->desc = (uint64_t)value * device->page_size;
    queue->driver = queue->desc + 16ull * queue->size;
    queue->device = queue->driver + 6 + 2ull * queue->size;
    queue->device = (queue->device + queue->align - 1) & ~(queue->align - 1);
    enable_queue(device);
}

static void write_ready(struct model_virtio *device, uint32_t value)
{
    struct model_virtio_queue *queue = being_set_up(device);
    bool packed = model_virtio_has(device, VIRTIO_F_RING_PACKED);
    require(value == 1, "QueueReady", value);
    require(queue->desc && queue->desc % 16 == 0, "descriptor area", queue->desc);
    require(queue->driver && queue->driver % (packed ? 4 : 2) == 0, "driver area", queue->driver);
    require(queue->device && queue->device % 4 == 0, "device area", queue->device);
    enable_queue(device);
}

static void write_half(uint64_t *address, uint32_t offset, uint32_t value)
{
    unsigned shift = offset & 4 ? 32 : 0;
    *address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static void notify(struct model_virtio *device, uint32_t index)
{
    require(device->status & DRIVER_OK, "notified before DRIVER_OK", index);
    require(index < VIRTIO_QUEUES && device->queues[index].ready, "notified of no queue", index);
    device->queues[index].notified++;
    if (!device->deaf)
        model_virtio_run(device, index);
}

/* ---- Registers ---- */

static void check_register(const struct model_virtio *device, size_t offset, bool write)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(registers); i++) {
        if (registers[i].offset != offset)
            continue;
        require(registers[i].versions & (device->legacy ? LEGACY : MODERN),
                "a register of the other version", offset);
        require(write ? registers[i].write : registers[i].read,
                write ? "a read-only register is written" : "a write-only register is read",
                offset);
        return;
    }
    require(false, "there is no register", offset);
}

static uint32_t read_register(struct model_virtio *device, size_t offset)
{
    switch (offset) {
    case MAGIC:
        return 0x74726976;
    case VERSION:
        return device->legacy ? 1 : 2;
    case DEVICE_ID:
        return device->type;
    case VENDOR_ID:
        return 0x554d4551;
    case DEVICE_FEATURES:
        require(device->status & DRIVER, "features are read before DRIVER", device->status);
        return device->features_sel < 2 ? (uint32_t)(offered(device) >> 32 * device->features_sel)
                                        : 0;
    case QUEUE_NUM_MAX:
        return device->queue_sel < VIRTIO_QUEUES ? device->queues[device->queue_sel].max : 0;
    case QUEUE_PFN:
        return (uint32_t)selected(device)->pages + device->keeps_queues;
    case QUEUE_READY:
        return selected(device)->ready || device->keeps_queues;
    case INTERRUPT_STATUS:
        return device->interrupt_status;
    case STATUS:
        return device->status;
    default: /* CONFIG_GENERATION */
        if (device->restless)
            device->generation++;
        return device->generation;
    }
}

static void write_register(struct model_virtio *device, size_t offset, uint32_t value)
{
    switch (offset) {
    case DEVICE_FEATURES_SEL:
        device->features_sel = value;
        break;
    case DRIVER_FEATURES:
        write_features(device, value);
        break;
    case DRIVER_FEATURES_SEL:
        device->driver_sel = value;
        break;
    case GUEST_PAGE_SIZE:
        device->page_size = value;
        break;
    case QUEUE_SEL:
        device->queue_sel = value;
        break;
    case QUEUE_NUM:
        write_queue_num(device, value);
        break;
    case QUEUE_ALIGN:
        being_set_up(device)->align = value;
        break;
    case QUEUE_PFN:
        write_pfn(device, value);
        break;
    case QUEUE_READY:
        write_ready(device, value);
        break;
    case QUEUE_NOTIFY:
        notify(device, value);
        break;
    case INTERRUPT_ACK:
        require(value && !(value & ~device->interrupt_status), "acknowledges what is not there",
                value);
        device->interrupt_status &= ~value;
        wire_set(&device->irq, device->interrupt_status != 0);
        break;
    case STATUS:
        write_status(device, value);
        break;
    case QUEUE_DESC:
    case QUEUE_DESC + 4:
        write_half(&being_set_up(device)->desc, (uint32_t)offset, value);
        break;
    case QUEUE_DRIVER:
    case QUEUE_DRIVER + 4:
        write_half(&being_set_up(device)->driver, (uint32_t)offset, value);
        break;
    default: /* QUEUE_DEVICE */
        write_half(&being_set_up(device)->device, (uint32_t)offset, value);
        break;
    }
}

static void check_config(const struct model_virtio *device, size_t offset, unsigned width)
{
    require(width <= 4 && offset % width == 0, "configuration accessed unaligned or too wide",
            offset);
    require(offset + width <= device->config_size, "configuration accessed beyond its end", offset);
    require(device->status & DRIVER, "configuration accessed before DRIVER", device->status);
}

static uint64_t region_read(void *context, size_t offset, unsigned width)
{
    struct model_virtio *device = context;
    uint32_t value = 0;

    world_advance(ACCESS_NS);
    if (offset < CONFIG) {
        require(width == 4 && offset % 4 == 0, "a register read with another width", offset);
        check_register(device, offset, false);
        return read_register(device, offset);
    }
    offset -= CONFIG;
    check_config(device, offset, width);
    memcpy(&value, (char *)device->config + offset, width);
    if (device->restless && device->legacy)
        value ^= ++device->generation & 0xff;
    return value;
}

static void region_write(void *context, size_t offset, unsigned width, uint64_t value)
{
    struct model_virtio *device = context;

    world_advance(ACCESS_NS);
    if (offset < CONFIG) {
        require(width == 4 && offset % 4 == 0, "a register written with another width", offset);
        check_register(device, offset, true);
        write_register(device, offset, (uint32_t)value);
        return;
    }
    offset -= CONFIG;
    check_config(device, offset, width);
    require(device->config_written, "a read-only configuration is written", offset);
    memcpy((char *)device->config + offset, &value, width);
    device->config_written(device, offset, width);
}

/* ---- For tests ---- */

void model_virtio_map(struct model_virtio *device, uint64_t base)
{
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
        device->queues[i].max = device->queue_max[i];
    device->region = (struct bb_host_region){
        .base = base,
        .size = VIRTIO_REGISTERS,
        .read = region_read,
        .write = region_write,
        .context = device,
    };
    bb_host_map(&device->region);
}

void model_virtio_attach(struct model_virtio *device, unsigned slot)
{
    uint32_t base = 0xa000000 + slot * 0x1000;
    char name[40];

    model_virtio_map(device, base);
    device->irq = model_gic_wire(virt.gic, 32 + FIRST_SPI + slot);
    snprintf(name, sizeof name, "virtio_mmio@%x", base);
    tree_device(name, "virtio,mmio");
    tree_cells("reg", 0, base, 0, VIRTIO_REGISTERS);
    tree_cells("interrupts", SPI, FIRST_SPI + slot, EDGE);
    tree_close();
}

void model_virtio_config_changed(struct model_virtio *device)
{
    device->generation++;
    if (device->status & DRIVER_OK)
        virtio_signal(device, 2);
}

void model_virtio_break(struct model_virtio *device)
{
    device->status |= NEEDS_RESET;
    virtio_signal(device, 2);
}
