/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translation tables (Arm ARM DDI 0487, D8): addresses stay as they are, 39 bits of them in 4 KiB
 * granules, so a table of level 1 is the root. What is mapped once stays mapped as it is: nothing
 * here needs break-before-make.
 */
#include <core/arch/aarch64/arch.h>
#include <core/core.h>

#include <busbar/log.h>

#define PAGE 4096ull
#define LIMIT (1ull << 39)
#define TABLES 48 /* devices lie in few places: raspi3b takes 15, virt with PCIe 17 */
#define ENTRIES 512

/* Descriptors. */
#define VALID (1ull << 0)
#define TABLE (1ull << 1) /* at level 3: a page */
#define ATTR_NORMAL (1ull << 2)
#define ATTR_COMBINING (2ull << 2)
#define AP_READ_ONLY (2ull << 6)
#define SH_INNER (3ull << 8)
#define AF (1ull << 10)
#define PXN (1ull << 53)
#define UXN (1ull << 54)
#define ADDRESS 0x0000fffffffff000ull

#define CODE (AF | ATTR_NORMAL | SH_INNER | AP_READ_ONLY | UXN)
#define CONSTANT (CODE | PXN)
#define WRITABLE (AF | ATTR_NORMAL | SH_INNER | PXN | UXN)
#define DEVICE (AF | PXN | UXN)
#define COMBINING (DEVICE | ATTR_COMBINING)

/* Neither loaded nor zeroed: a table is cleared when it is taken. */
static uint64_t tables[TABLES][ENTRIES] __attribute__((section(".bb_tables"), aligned(4096)));
/* Read by entry.S. */
uint64_t *bb_table_next __attribute__((section(".bb_noinit")));

static bool mmu_on(void)
{
    uint64_t sctlr;
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
    return sctlr & 1;
}

static void clear(uint64_t *table)
{
    uint64_t dczid;
    bool cached = mmu_on();
    __asm__("mrs %0, dczid_el0" : "=r"(dczid));
    /* Without caches the stores go past dirty lines that firmware may have left. */
    if (!cached)
        bb_arch_cache_invalidate(table, PAGE);
    if (cached && dczid == 4) /* allowed, 64 bytes */
        for (size_t i = 0; i < ENTRIES; i += 8)
            __asm__ volatile("dc zva, %0" : : "r"(&table[i]) : "memory");
    else
        for (size_t i = 0; i < ENTRIES; i += 2)
            __asm__ volatile("stp xzr, xzr, [%0]" : : "r"(&table[i]) : "memory");
}

static uint64_t *take_table(void)
{
    uint64_t *table = bb_table_next;
    if (table > tables[TABLES - 1])
        return NULL;
    bb_table_next += ENTRIES;
    clear(table);
    return table;
}

/* Whether this descriptor may be written. Memory that turns out to be free after it was mapped as a
 * constant (a tree claims a megabyte and fills a few pages) becomes writable; the image never. */
static bool may_map(uint64_t entry, uint64_t attributes)
{
    if (!(entry & VALID))
        return true;
    uint64_t at = entry & ADDRESS;
    return attributes == WRITABLE && (entry & ~ADDRESS) == (CONSTANT | TABLE | VALID) &&
           (at < (uintptr_t)bb_text_start || at >= (uintptr_t)bb_image_end);
}

/* Maps whole pages. What is mapped already is left alone; a device there, or memory that is not
 * cached, is refused with -EEXIST unless it was the same before. */
static int map(uint64_t start, uint64_t end, uint64_t attributes)
{
    for (uint64_t at = start; at < end;) {
        uint64_t *table = tables[0], *entry, step;
        unsigned shift = 30;
        for (;; shift -= 9) {
            step = 1ull << shift;
            entry = &table[at >> shift & (ENTRIES - 1)];
            bool aligned = !(at & (step - 1)) && end - at >= step;
            if (shift == 12 || (*entry & VALID ? !(*entry & TABLE) : aligned))
                break;
            if (!(*entry & VALID)) {
                uint64_t *lower = take_table();
                if (!lower)
                    return -ENOMEM;
                *entry = (uintptr_t)lower | TABLE | VALID;
            }
            table = (uint64_t *)(uintptr_t)(*entry & ADDRESS);
        }
        if (!may_map(*entry, attributes)) {
            if (!(attributes & ATTR_NORMAL) && (*entry & ~(ADDRESS | TABLE | VALID)) != attributes)
                return -EEXIST;
            at = (at | (step - 1)) + 1;
            continue;
        }
        /* As many as this table has in a row. */
        uint64_t leaf = at | attributes | VALID | (shift == 12 ? TABLE : 0);
        uint64_t *stop = &table[ENTRIES];
        if ((end - at) >> shift < (uint64_t)(stop - entry))
            stop = entry + ((end - at) >> shift);
        do {
            *entry++ = leaf;
            leaf += step;
        } while (entry < stop && may_map(*entry, attributes));
        at = leaf & ADDRESS;
    }
    return 0;
}

/* Called by entry.S with the MMU off. Returns the root table. */
uint64_t *bb_mmu_build(void)
{
    bb_table_next = tables[0];
    (void)take_table();
    (void)map((uintptr_t)bb_text_start, (uintptr_t)bb_data_start, CODE);
    (void)map((uintptr_t)bb_data_start, (uintptr_t)bb_rodata_start, WRITABLE);
    (void)map((uintptr_t)bb_rodata_start, (uintptr_t)bb_writable_start, CONSTANT);
    (void)map((uintptr_t)bb_writable_start, (uintptr_t)bb_writable_end, WRITABLE);
    (void)map((uintptr_t)bb_thread_stack, (uintptr_t)bb_thread_stack_top, WRITABLE);
    (void)map((uintptr_t)bb_exception_stack, (uintptr_t)bb_exception_stack_top, WRITABLE);
    (void)map((uintptr_t)bb_emergency_stack, (uintptr_t)bb_emergency_stack_top, WRITABLE);
    return tables[0];
}

/* After the caches are on. The walker sees new entries without maintenance: it is coherent. Only
 * rights that grew may be cached. */
static int map_now(uint64_t start, uint64_t end, uint64_t attributes, const char *what)
{
    int error = start < end && end <= LIMIT ? map(start, end, attributes) : -EINVAL;
    __asm__ volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" : : : "memory");
    if (error)
        bb_print(BB_ERROR, "mmu: cannot map %s at 0x%llx, 0x%llx bytes: %s", what,
                 (unsigned long long)start, (unsigned long long)(end - start),
                 error == -ENOMEM   ? "out of translation tables (TABLES in mmu.c)"
                 : error == -EEXIST ? "it is memory"
                                    : "no such address");
    return error;
}

/* The pages that [address, address + size) touches. */
static int map_around(uint64_t address, uint64_t size, uint64_t attributes, const char *what)
{
    uint64_t end;
    if (__builtin_add_overflow(address, size, &end) || end > LIMIT || !size)
        return map_now(address, address, attributes, what);
    return map_now(address & ~(PAGE - 1), (end + PAGE - 1) & ~(PAGE - 1), attributes, what);
}

uintptr_t bb_arch_map_device(uint64_t address, uint64_t size)
{
    return map_around(address, size, DEVICE, "a device") ? 0 : (uintptr_t)address;
}

uintptr_t bb_arch_map_combining(uint64_t address, uint64_t size)
{
    return map_around(address, size, COMBINING, "a frame buffer") ? 0 : (uintptr_t)address;
}

int bb_arch_map_constant(uint64_t address, uint64_t size)
{
    return map_around(address, size, CONSTANT, "the tree or initrd");
}

/* Only pages that lie in it whole: the rest of the first and last may belong to somebody else. */
int bb_arch_map_memory(uint64_t address, uint64_t size)
{
    uint64_t end;
    if (address >= LIMIT || __builtin_add_overflow(address, size, &end) || end > LIMIT)
        end = LIMIT;
    uint64_t start = (address + PAGE - 1) & ~(PAGE - 1);
    end &= ~(PAGE - 1);
    return start < end ? map_now(start, end, WRITABLE, "memory") : 0;
}

size_t bb_arch_cache_line(void)
{
    uint64_t ctr;
    __asm__("mrs %0, ctr_el0" : "=r"(ctr));
    return (size_t)4 << (ctr >> 16 & 15); /* DminLine, in words */
}

/* Four at a time: what a device is given by the page has many. The branch too, of which a compiler
 * that is to save space makes two. */
#define FOR_EACH_LINE(operation, start, size)                                                      \
    do {                                                                                           \
        size_t line = bb_arch_cache_line();                                                        \
        uintptr_t end = (uintptr_t)(start) + (size), last = end - 3 * line;                        \
        uintptr_t at = (uintptr_t)(start) & ~(line - 1);                                           \
        if (at < last)                                                                             \
            __asm__ volatile("1: dc " operation ", %0\n add %0, %0, %1\n"                          \
                             "dc " operation ", %0\n add %0, %0, %1\n"                             \
                             "dc " operation ", %0\n add %0, %0, %1\n"                             \
                             "dc " operation ", %0\n add %0, %0, %1\n"                             \
                             "cmp %0, %2\n b.lo 1b"                                                \
                             : "+r"(at)                                                            \
                             : "r"(line), "r"(last)                                                \
                             : "memory", "cc");                                                    \
        for (; at < end; at += line)                                                               \
            __asm__ volatile("dc " operation ", %0" : : "r"(at) : "memory");                       \
        __asm__ volatile("dsb sy" : : : "memory");                                                 \
    } while (0)

void bb_arch_cache_clean(const void *start, size_t size)
{
    FOR_EACH_LINE("cvac", start, size);
}

void bb_arch_cache_clean_invalidate(const void *start, size_t size)
{
    FOR_EACH_LINE("civac", start, size);
}

void bb_arch_cache_invalidate(const void *start, size_t size)
{
    FOR_EACH_LINE("ivac", start, size);
}
