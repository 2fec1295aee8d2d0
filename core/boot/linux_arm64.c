/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arm64 Image protocol (Linux, Documentation/arch/arm64/booting.rst): x0 holds the address of
 * the device tree, and nothing else is handed over. The header of the image is in
 * core/arch/aarch64/entry.S. Firmware gets x0 wrong more often than not, so it is read with care.
 */
#include <core/arch/aarch64/arch.h>
#include <core/core.h>

#define TREE_MAGIC 0xd00dfeed
#define TREE_LIMIT (2u << 20) /* the protocol's */
#define ATAG_CORE 0x54410001

static uint32_t big_endian(uint32_t value)
{
    return __builtin_bswap32(value);
}

/* The tree at `address`, mapped and its first words believed; or why not. */
static const char *find_tree(uint64_t address, struct bb_bootinfo *info)
{
    uint32_t magic, size, tag;
    if (!address)
        return "x0 is 0: start the raw image, not the ELF file, and give a tree (-dtb)";
    if (address & 3)
        return "x0 is not an aligned address";
    if (bb_arch_map_constant(address, 8) || !bb_arch_probe_read32((uintptr_t)address, &magic) ||
        !bb_arch_probe_read32((uintptr_t)address + 4, &tag))
        return "x0 points where no memory is";
    if (big_endian(magic) != TREE_MAGIC)
        return tag == ATAG_CORE ? "x0 points at ATAGs, not at a device tree: start with -dtb or "
                                  "let the firmware load one"
                                : "x0 does not point at a device tree (magic 0xd00dfeed)";
    if (address & 7)
        return "the tree is not aligned to 8 bytes";
    size = big_endian(tag); /* the word after the magic is totalsize */
    if (size > TREE_LIMIT)
        return "the tree says that it is larger than 2 MiB, more than the boot protocol allows";
    if (bb_arch_map_constant(address, size))
        return "the tree lies where no memory is";
    info->tree = (const void *)(uintptr_t)address;
    info->tree_size = size;
    return NULL;
}

void bb_boot_linux_arm64(uint64_t x0, uint64_t ticks, uint64_t exception_level)
{
    struct bb_bootinfo *info = &bb_bootinfo;
    bb_entry_ticks = ticks;
    info->protocol = "linux-arm64";
    info->exception_level = (unsigned)exception_level;
    info->missing = find_tree(x0, info);
    info->regions[info->region_count++] = (struct bb_region){
        .start = (uintptr_t)bb_text_start,
        .size = (uintptr_t)bb_image_end - (uintptr_t)bb_text_start,
        .kind = BB_REGION_IMAGE,
    };
    bb_start();
}
