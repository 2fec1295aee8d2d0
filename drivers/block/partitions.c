/* SPDX-License-Identifier: BSD-2-Clause */
/* What partitions a disk has: reads its table (MBR or GPT) and appends a node for each. */
#include <string.h>

#include <busbar/block.h>
#include <busbar/log.h>
#include <busbar/partition.h>

enum { PROPERTIES = 6 };

struct partitions {
    struct bb_device device;
    struct bb_block *disk;
};

/* While the table is read; on the stack, as nobody needs it later. */
struct scan {
    struct bb_partition_table table;
    struct partitions *self;
};

/* What a partition's node is made of; lives as long as the node. */
struct partition {
    char name[20], alias[28];
    uint8_t first[8], count[8];
    struct bb_property properties[PROPERTIES];
    char label[]; /* as long as it is */
};

static int read_blocks(struct bb_partition_table *table, uint64_t block, uint32_t count, void *data)
{
    const struct partitions *self = bb_container_of(table, struct scan, table)->self;
    return bb_block_read(self->disk, block, count, data);
}

static void say(struct bb_partition_table *table, const char *text)
{
    const struct partitions *self = bb_container_of(table, struct scan, table)->self;
    bb_print(BB_WARNING, "%s: %s", self->disk->face.device->name, text);
}

static void put_u64(uint8_t cells[8], uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        cells[i] = (uint8_t)value;
}

static int append(struct bb_partition_table *table, const struct bb_partition *found)
{
    static const char compatible[] = "busbar,partition";
    struct partitions *self = bb_container_of(table, struct scan, table)->self;
    size_t label = strlen(found->label) + 1, uuid = strlen(found->uuid) + 1;
    size_t type = strlen(found->type) + 1;
    struct partition *new = bb_device_alloc(&self->device, sizeof(*new) + label + uuid + type,
                                            _Alignof(struct partition));
    struct bb_node *node;
    if (!new)
        return -ENOMEM;
    (void)bb_format(new->name, sizeof(new->name), "partition@%u", found->number);
    (void)bb_format(new->alias, sizeof(new->alias), "%sp%u", self->disk->face.device->name,
                    found->number);
    put_u64(new->first, found->first);
    put_u64(new->count, found->count);
    memcpy(new->label, found->label, label);
    memcpy(new->label + label, found->uuid, uuid);
    memcpy(new->label + label + uuid, found->type, type);
    const struct bb_property properties[PROPERTIES] = {
        {"compatible", compatible, sizeof(compatible)},
        {"first", new->first, sizeof(new->first)},
        {"blocks", new->count, sizeof(new->count)},
        {"label", new->label, (uint32_t)label},
        {"uuid", new->label + label, (uint32_t)uuid},
        {"type", new->label + label + uuid, (uint32_t)type},
    };
    memcpy(new->properties, properties, sizeof(properties));
    int error = bb_node_append(self->device.node, &bb_block_bus, new->name, new->properties,
                               PROPERTIES, &node);
    if (!error && !bb_node_find(new->alias) && !bb_block_by_name(new->alias))
        node->alias = new->alias;
    return error;
}

static int partitions_probe(struct bb_device *device)
{
    struct partitions *self = (struct partitions *)device;
    const struct bb_device *parent = device->node->parent->device;
    for (self->disk = bb_block_first(); self->disk && self->disk->face.device != parent;)
        self->disk = bb_block_next(self->disk);
    if (!self->disk)
        return bb_fail(device, "disk", -ENODEV);
    uint32_t size = self->disk->block_size, alignment = self->disk->alignment;
    size = size < BB_PARTITION_BUFFER ? BB_PARTITION_BUFFER : size;
    struct scan scan = {
        .self = self,
        .table = {.read = read_blocks,
                  .found = append,
                  .say = say,
                  .capacity = self->disk->capacity,
                  .block_size = self->disk->block_size,
                  .buffer = bb_device_alloc(device, size, alignment > 64 ? alignment : 64),
                  .buffer_size = size},
    };
    struct bb_partition_table *table = &scan.table;
    if (!table->buffer)
        return -ENOMEM;
    int error = bb_partition_read(table);
    if (error)
        return bb_fail(device, "partition table", error);
    if (table->scheme == BB_PARTITION_NONE)
        return bb_fail(device, "partition table, the disk has none", -ENOSYS);
    return 0;
}

BB_DRIVER_FACELESS(block, partitions, .bus = &bb_block_bus,
                   .match = BB_MATCH({"busbar,partitions"}), .probe = partitions_probe);
