/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls every reader on every node of the table, for tests that feed it damaged trees. */
#ifndef TESTS_UNIT_WALK_H
#define TESTS_UNIT_WALK_H

#include <stdlib.h>
#include <string.h>

#include <busbar/boot.h>
#include <core/core.h>
#include <core/node.h>

/* Regions must come out sorted and apart, whatever went in. */
static inline void check_regions(const struct bb_bootinfo *info)
{
    uint64_t end = 0;
    for (size_t i = 0; i < info->region_count; i++) {
        const struct bb_region *region = &info->regions[i];
        if (region->start < end || !region->size || region->size > UINT64_MAX - region->start)
            abort();
        end = region->start + region->size;
    }
}

static inline void walk_everything(void)
{
    static const char *const lists[][2] = {
        {"clocks", "#clock-cells"},
        {"resets", "#reset-cells"},
        {"mboxes", "#mbox-cells"},
        {"gpios", "#gpio-cells"},
        {"dmas", "#dma-cells"},
        {"pinctrl-0", NULL},
        {"interrupts-extended", "#interrupt-cells"},
    };
    uint64_t address, size;
    uint32_t cell;
    const char *value;
    struct bb_phandle_args args;
    bb_for_each_node (node) {
        char path[64], tiny[3];
        bb_node_path(node, path, sizeof(path));
        bb_node_path(node, tiny, sizeof(tiny));
        bb_node_find(path);
        bb_node_by_phandle(node->phandle);
        for (size_t i = 0; i < 4; i++) {
            bb_node_reg(node, i, &address, &size);
            bb_node_interrupt(node, i, &args);
            for (size_t l = 0; l < BB_ARRAY_SIZE(lists); l++)
                bb_node_phandle_args(node, lists[l][0], lists[l][1], i, &args);
        }
        bb_node_dma_address(node, 0x1000, 0x100, &address);
        for (size_t i = 0; i < node->property_count; i++) {
            const char *name = node->properties[i].name;
            bb_node_u32(node, name, &cell);
            bb_node_u32_at(node, name, 2, &cell);
            bb_node_u64(node, name, &address);
            if (!bb_node_string(node, name, &value))
                bb_node_find(value);
            if (!bb_node_string_at(node, name, 1, &value) && strlen(value))
                bb_node_string_index(node, name, value);
        }
    }
    bb_node_stdout();
    bb_node_by_compatible("arm,pl011");
    struct bb_bootinfo info = {
        .tree = (const void *)bb_node_root(), /* anywhere */
        .region_count = 1,
        .regions = {{0x2000, 0x1000, BB_REGION_IMAGE, false}},
    };
    bb_regions_build(&info);
    check_regions(&info);
}

#endif
