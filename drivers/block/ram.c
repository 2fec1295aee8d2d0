/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks in memory: the initrd that the boot protocol handed over (busbar,initrd), or a block of the
 * arena (busbar,ramdisk) of `ram.size` bytes. Requests are carried out when they are submitted.
 */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/block.h>
#include <busbar/boot.h>
#include <busbar/log.h>
#include <busbar/mmio.h>

enum { BLOCK = 512, PAGE = 4096, DEPTH = 256, SEGMENTS = 256 };

struct ram {
    struct bb_device device;
    struct bb_block block;
    uint8_t *memory;
    uint64_t size;                             /* parameter */
    struct bb_block_request *finished, **last; /* and not yet reaped */
};

static void carry_out(struct ram *ram, const struct bb_block_request *request)
{
    uint8_t *at = ram->memory + request->block * BLOCK;
    if (request->op > BB_BLOCK_WRITE)
        memset(at, 0, (size_t)request->count * BLOCK);
    for (unsigned i = 0; i < request->segment_count; i++) {
        const struct bb_block_segment *segment = &request->segments[i];
        if (request->op == BB_BLOCK_READ)
            memcpy(segment->data, at, segment->length);
        else
            memcpy(at, segment->data, segment->length);
        at += segment->length;
    }
}

static int ram_submit(struct bb_block *block, unsigned queue,
                      struct bb_block_request *const *requests, unsigned count)
{
    struct ram *ram = bb_container_of(block, struct ram, block);
    unsigned i;
    (void)queue;
    for (i = 0; i < count && block->in_flight < DEPTH; i++) {
        int error = bb_block_refuse(block, requests[i]);
        if (error)
            return i ? (int)i : error;
        carry_out(ram, requests[i]);
        requests[i]->next = NULL;
        *(ram->finished ? ram->last : &ram->finished) = requests[i];
        ram->last = &requests[i]->next;
        block->in_flight++;
    }
    return (int)i;
}

static unsigned finish(struct ram *ram, unsigned limit, int status)
{
    struct bb_block_request *request;
    unsigned done;
    for (done = 0; done < limit && (request = ram->finished); done++) {
        ram->finished = request->next;
        bb_block_complete(&ram->block, request, status);
    }
    return done;
}

static int ram_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    (void)queue;
    return (int)finish(bb_container_of(block, struct ram, block), limit, 0);
}

/* No interrupt ever comes, for whatever was submitted is done. */
static bool ram_arm(struct bb_block *block, unsigned queue)
{
    (void)block, (void)queue;
    return true;
}

/* Loaders do not round the initrd to pages. Its first and last one may be written where nothing
 * but free memory shares them. */
static bool is_alone(uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < bb_bootinfo.region_count; i++) {
        const struct bb_region *region = &bb_bootinfo.regions[i];
        bool meets = region->start < end && start < region->start + region->size;
        bool usual = region->kind == BB_REGION_RAM || region->kind == BB_REGION_INITRD;
        if (meets && (!usual || region->no_map))
            return false;
    }
    return true;
}

static int use_initrd(struct ram *ram)
{
    uint64_t start = bb_bootinfo.initrd_start, size = bb_bootinfo.initrd_size;
    if (!start || !size)
        return bb_fail(&ram->device, "no initrd", -ENOSYS);
    if (size < BLOCK)
        return bb_fail(&ram->device, "initrd of less than a block", -EINVAL);
    uint64_t first = start & ~(uint64_t)(PAGE - 1);
    uint64_t end = (start + size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (!is_alone(first, end) || bb_arch_map_memory(first, end - first))
        ram->block.features = BB_BLOCK_READ_ONLY;
    if (size % BLOCK)
        bb_print(BB_WARNING, "%s: the last %u bytes of the initrd make no block", ram->device.name,
                 (unsigned)(size % BLOCK));
    ram->memory = (uint8_t *)(uintptr_t)start;
    ram->block.capacity = size / BLOCK;
    ram->block.label = "initrd";
    return 0;
}

static int use_arena(struct ram *ram)
{
    const char *parameter = "parameter ram.size";
    if (!ram->size || ram->size % BLOCK)
        return bb_fail(&ram->device, parameter, ram->size ? -EINVAL : -ENOENT);
    if (ram->size > SIZE_MAX / 2)
        return bb_fail(&ram->device, parameter, -ENOMEM);
    ram->memory = bb_device_alloc(&ram->device, (size_t)ram->size, PAGE);
    ram->block.capacity = ram->size / BLOCK;
    ram->block.label = "RAM disk";
    return ram->memory ? 0 : -ENOMEM;
}

static int ram_probe(struct bb_device *device)
{
    struct ram *ram = bb_container_of(device, struct ram, device);
    struct bb_block *block = &ram->block;
    bool initrd = bb_node_compatible(device->node, "busbar,initrd");
    int error = initrd ? use_initrd(ram) : use_arena(ram);
    block->block_size = BLOCK;
    block->alignment = 1;
    block->max_blocks = block->max_erase = UINT32_MAX;
    block->max_segments = SEGMENTS;
    block->queues = 1;
    block->depth = DEPTH;
    if (!block->features)
        block->features = BB_BLOCK_HAS_DISCARD | BB_BLOCK_HAS_WRITE_ZEROES;
    return error;
}

static void ram_remove(struct bb_device *device)
{
    (void)finish(bb_container_of(device, struct ram, device), DEPTH, -ENODEV);
}

const struct bb_block_ops bb_ops_block_ram = {ram_submit, ram_reap, ram_arm, NULL};

BB_DRIVER(block, ram, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,initrd"}, {"busbar,ramdisk"}),
          .params = BB_PARAMS({"size", offsetof(struct ram, size), BB_PARAM_U64}),
          .probe = ram_probe, .remove = ram_remove);
