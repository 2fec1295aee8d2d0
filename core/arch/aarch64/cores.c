/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other cores. With PSCI they are off. With spin tables (Devicetree Specification v0.4, 3.8;
 * Raspberry Pi firmware) they poll a word in memory, at the cost of a busy core: give them a
 * place to sleep.
 */
#include <core/arch/aarch64/arch.h>
#include <core/core.h>

#include <busbar/boot.h>
#include <busbar/log.h>
#include <string.h>

#define AFFINITY 0xff00ffffffull

/* The tree says where to write: only memory that is not ours will do. */
static bool writable(uint64_t address)
{
    for (size_t i = 0; i < bb_bootinfo.region_count; i++) {
        const struct bb_region *region = &bb_bootinfo.regions[i];
        if (address >= region->start && address - region->start < region->size)
            return region->kind == BB_REGION_RAM ||
                   (region->kind == BB_REGION_RESERVED && bb_arch_map_device(address, 8));
    }
    return false;
}

static bool park(const struct bb_node *core)
{
    const char *method;
    uint64_t reg, word;
    if (bb_node_string(core, "enable-method", &method) || strcmp(method, "spin-table") ||
        bb_node_u64(core, "reg", &reg) || reg == (bb_arch_mpidr() & AFFINITY))
        return false;
    if (bb_node_u64(core, "cpu-release-addr", &word))
        return false;
    if (word & 7 || !writable(word)) {
        bb_print(BB_WARNING, "%s: cpu-release-addr 0x%llx is no place to write to", core->name,
                 (unsigned long long)word);
        return false;
    }
    /* The core polls with its caches off, or through clean lines. */
    *(volatile uint64_t *)(uintptr_t)word = (uintptr_t)bb_secondary;
    bb_arch_cache_clean_invalidate((const void *)(uintptr_t)word, 8);
    return true;
}

void bb_arch_park_cores(void)
{
    const struct bb_node *cores = bb_node_find("/cpus");
    bool any = false;
    if (!cores)
        return;
    bb_for_each_child (core, cores)
        any |= park(core);
    if (any)
        __asm__ volatile("dsb sy\n\tsev" : : : "memory");
}
