/* SPDX-License-Identifier: BSD-2-Clause */
/* Device registers and memory of the host: a list of models, found by address. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <busbar/arch.h>

#include <core/core.h>

static struct bb_host_region *regions;

static struct bb_host_region *region_at(uint64_t address, uint64_t size)
{
    for (struct bb_host_region *region = regions; region; region = region->next)
        if (address - region->base < region->size &&
            size <= region->size - (address - region->base))
            return region;
    return NULL;
}

void bb_host_map(struct bb_host_region *region)
{
    for (struct bb_host_region *other = regions; other; other = other->next)
        if (region->base - other->base < other->size || other->base - region->base < region->size) {
            fprintf(stderr, "register models overlap at 0x%" PRIx64 "\n", region->base);
            abort();
        }
    region->next = regions;
    regions = region;
}

void bb_host_unmap(struct bb_host_region *region)
{
    for (struct bb_host_region **at = &regions; *at; at = &(*at)->next)
        if (*at == region) {
            *at = region->next;
            return;
        }
}

BB_NORETURN static void refuse(const char *what, uintptr_t address, unsigned width)
{
    fprintf(stderr, "%u-byte %s at 0x%" PRIxPTR ": %s\n", width, what, address,
            address % width ? "not aligned" : "no register is there");
    abort();
}

static uint64_t read_register(uintptr_t address, unsigned width)
{
    struct bb_host_region *region = region_at(address, width);
    if (!region || !region->read || address % width)
        refuse("read", address, width);
    return region->read(region->context, (size_t)(address - region->base), width);
}

static void write_register(uintptr_t address, unsigned width, uint64_t value)
{
    struct bb_host_region *region = region_at(address, width);
    if (!region || !region->write || address % width)
        refuse("write", address, width);
    region->write(region->context, (size_t)(address - region->base), width, value);
}

uint32_t bb_arch_read32(uintptr_t address)
{
    return (uint32_t)read_register(address, 4);
}

void bb_arch_write32(uintptr_t address, uint32_t value)
{
    write_register(address, 4, value);
}

uint16_t bb_arch_read16(uintptr_t address)
{
    return (uint16_t)read_register(address, 2);
}

void bb_arch_write16(uintptr_t address, uint16_t value)
{
    write_register(address, 2, value);
}

uint8_t bb_arch_read8(uintptr_t address)
{
    return (uint8_t)read_register(address, 1);
}

void bb_arch_write8(uintptr_t address, uint8_t value)
{
    write_register(address, 1, value);
}

bool bb_arch_probe_read32(uintptr_t address, uint32_t *value)
{
    const struct bb_host_region *region = region_at(address, 4);
    if (!region || !region->read || address % 4)
        return false;
    *value = bb_arch_read32(address);
    return true;
}

bool bb_arch_probe_write32(uintptr_t address, uint32_t value)
{
    const struct bb_host_region *region = region_at(address, 4);
    if (!region || !region->write || address % 4)
        return false;
    bb_arch_write32(address, value);
    return true;
}

/* Models answer at the address that the tree names. */
uintptr_t bb_arch_map_device(uint64_t address, uint64_t size)
{
    return size && address <= UINT64_MAX - size ? (uintptr_t)address : 0;
}

uintptr_t bb_arch_map_combining(uint64_t address, uint64_t size)
{
    return bb_arch_map_device(address, size);
}

int bb_arch_map_memory(uint64_t address, uint64_t size)
{
    (void)address;
    return size ? 0 : -EINVAL;
}

int bb_arch_map_constant(uint64_t address, uint64_t size)
{
    return bb_arch_map_memory(address, size);
}

size_t bb_arch_cache_line(void)
{
    return 64;
}

static void cache(const void *start, size_t size, bool clean, bool invalidate)
{
    if (bb_host_cpu.cache)
        bb_host_cpu.cache(bb_host_cpu.context, (void *)(uintptr_t)start, size, clean, invalidate);
}

void bb_arch_cache_clean(const void *start, size_t size)
{
    cache(start, size, true, false);
}

void bb_arch_cache_clean_invalidate(const void *start, size_t size)
{
    cache(start, size, true, true);
}

void bb_arch_cache_invalidate(const void *start, size_t size)
{
    cache(start, size, false, true);
}
