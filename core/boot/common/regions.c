/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map: what the boot protocol found and what the tree says of memory, reservations and
 * initrd, made into regions that are sorted and never overlap. */
#include <string.h>

#include <busbar/log.h>
#include <core/core.h>
#include <core/node.h>

struct builder {
    struct bb_bootinfo *info;
    struct bb_region input[2 * BB_MAX_REGIONS];
    size_t count;
    bool full;
    unsigned conflicts;
    struct bb_region winner, loser; /* of the first conflict */
};

/* Who wins where two overlap: what must not be touched comes before what may be lost, but the image
 * runs already. */
enum { RAM, RESERVED, INITRD, TREE, NO_MAP, IMAGE, RANKS };

static const struct {
    const char *name;
    unsigned rank;
} kinds[] = {
    [BB_REGION_RAM] = {"memory", RAM},       [BB_REGION_RESERVED] = {"reserved", RESERVED},
    [BB_REGION_IMAGE] = {"image", IMAGE},    [BB_REGION_TREE] = {"tree", TREE},
    [BB_REGION_INITRD] = {"initrd", INITRD},
};

static unsigned rank(const struct bb_region *region)
{
    return region->no_map ? NO_MAP : kinds[region->kind].rank;
}

static void add(struct builder *builder, uint64_t start, uint64_t size, enum bb_region_kind kind,
                bool no_map)
{
    if (size > UINT64_MAX - start)
        size = UINT64_MAX - start;
    if (size && builder->count == BB_ARRAY_SIZE(builder->input))
        builder->full = true;
    else if (size)
        builder->input[builder->count++] = (struct bb_region){start, size, kind, no_map};
}

/* Puts a region like `like`, but from `start` to `end`, into the list. */
static void insert(struct builder *builder, size_t index, const struct bb_region *like,
                   uint64_t start, uint64_t end)
{
    size_t *count = &builder->info->region_count;
    builder->full |= *count == BB_MAX_REGIONS;
    if (builder->full)
        return;
    struct bb_region *at = &builder->info->regions[index];
    memmove(at + 1, at, ((*count)++ - index) * sizeof(*at));
    *at = (struct bb_region){start, end - start, like->kind, like->no_map};
}

/* Lays `new` over the regions so far, which have the same rank or a lower one. Reservations count
 * only where they lie on memory. */
static void lay(struct builder *builder, struct bb_region new)
{
    struct bb_bootinfo *info = builder->info;
    uint64_t end = new.start + new.size, outside = new.size;
    bool whole = new.kind != BB_REGION_RESERVED;
    size_t place = 0;
    for (size_t i = 0; i < info->region_count && info->regions[i].start < end; i++) {
        struct bb_region old = info->regions[i];
        uint64_t old_end = old.start + old.size;
        uint64_t from = old.start > new.start ? old.start : new.start;
        uint64_t to = old_end < end ? old_end : end;
        place = i + 1;
        if (from >= to)
            continue;
        outside -= to - from;
        /* Two memory banks, or two things of which none is a plain reservation. That firmware
         * reserves the initrd and the tree is usual. */
        if ((old.kind == BB_REGION_RAM) == (new.kind == BB_REGION_RAM) &&
            (rank(&old) != RESERVED || rank(&new) == IMAGE) && rank(&new) != RESERVED &&
            !(rank(&new) == NO_MAP && rank(&old) == NO_MAP) && !builder->conflicts++) {
            builder->winner = new;
            builder->loser = old;
        }
        memmove(&info->regions[i], &info->regions[i + 1], (--info->region_count - i) * sizeof(old));
        if (old.start < from)
            insert(builder, i++, &old, old.start, from);
        place = i;
        if (!whole)
            insert(builder, i++, &new, from, to);
        if (to < old_end)
            insert(builder, i++, &old, to, old_end);
        i--;
    }
    if (whole)
        insert(builder, place, &new, new.start, end);
    if (whole && new.kind != BB_REGION_RAM && outside)
        bb_print(BB_WARNING,
                 "memory: %s at 0x%llx, 0x%llx bytes, is outside of what the tree calls memory",
                 kinds[new.kind].name, (unsigned long long)new.start, (unsigned long long)new.size);
}

/* Every region of the node's reg. reserved-memory is read as it stands: its ranges are always
 * empty, and sometimes forgotten. */
static void add_reg(struct builder *builder, const struct bb_node *node, enum bb_region_kind kind)
{
    struct bb_local_address start;
    uint64_t size;
    for (size_t i = 0; node->enabled && !bb_node_reg_local(node, i, &start, &size); i++)
        add(builder, start.value, size, kind,
            kind == BB_REGION_RESERVED && bb_node_has(node, "no-map"));
}

static void read_tree(struct builder *builder)
{
    struct bb_bootinfo *info = builder->info;
    uint64_t start, end;
    if (!bb_node_root())
        return;
    bb_for_each_child (node, bb_node_root())
        if (!strncmp(node->name, "memory", 6) && (!node->name[6] || node->name[6] == '@'))
            add_reg(builder, node, BB_REGION_RAM);
    const struct bb_node *reserved = bb_node_find("/reserved-memory");
    if (reserved)
        bb_for_each_child (node, reserved)
            add_reg(builder, node, BB_REGION_RESERVED);
    for (size_t i = 0; bb_tree_reservation(i, &start, &end); i++)
        add(builder, start, end, BB_REGION_RESERVED, false);
    if (info->tree)
        add(builder, (uintptr_t)info->tree, bb_tree_extent(), BB_REGION_TREE, false);
    const struct bb_node *chosen = bb_node_find("/chosen");
    if (chosen && !info->initrd_size && !bb_node_u64(chosen, "linux,initrd-start", &start) &&
        !bb_node_u64(chosen, "linux,initrd-end", &end)) {
        if (end < start)
            bb_print(BB_WARNING, "/chosen: the initrd ends at 0x%llx, before its start",
                     (unsigned long long)end);
        else
            info->initrd_start = start, info->initrd_size = end - start;
    }
}

int bb_regions_build(struct bb_bootinfo *info)
{
    struct builder builder = {.info = info};
    for (size_t i = 0; i < info->region_count && i < BB_MAX_REGIONS; i++)
        add(&builder, info->regions[i].start, info->regions[i].size, info->regions[i].kind,
            info->regions[i].no_map);
    info->region_count = 0;
    read_tree(&builder);
    add(&builder, info->initrd_start, info->initrd_size, BB_REGION_INITRD, false);
    for (unsigned r = 0; r < RANKS; r++)
        for (size_t i = 0; i < builder.count; i++)
            if (rank(&builder.input[i]) == r)
                lay(&builder, builder.input[i]);

    /* Pieces that touch and are of one kind become one. */
    size_t kept = 0;
    bool memory = false;
    for (size_t i = 0; i < info->region_count; i++) {
        struct bb_region next = info->regions[i], *last = &info->regions[kept ? kept - 1 : 0];
        memory |= next.kind == BB_REGION_RAM;
        if (kept && next.kind <= BB_REGION_RESERVED && next.kind == last->kind &&
            next.no_map == last->no_map && last->start + last->size == next.start)
            last->size += next.size;
        else
            info->regions[kept++] = next;
    }
    info->region_count = kept;
    if (builder.conflicts)
        bb_print(BB_WARNING, "memory: %s at 0x%llx wins over %s at 0x%llx (%u overlaps in all)",
                 kinds[builder.winner.kind].name, (unsigned long long)builder.winner.start,
                 kinds[builder.loser.kind].name, (unsigned long long)builder.loser.start,
                 builder.conflicts);
    if (builder.full)
        bb_print(BB_ERROR, "memory: more than %d regions; the rest is unknown", BB_MAX_REGIONS);
    else if (!memory)
        bb_print(BB_ERROR, "memory: the tree names none that is free");
    return builder.full ? -ENOSPC : memory ? 0 : -ENOENT;
}
