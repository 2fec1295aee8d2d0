/* SPDX-License-Identifier: BSD-2-Clause */
/* What all register models check alike. */
#include "model.h"

/* What one access to device memory takes. */
#define ACCESS_NS 20

static const struct model_register *find(struct model *model, size_t offset, unsigned width)
{
    for (const struct model_register *r = model->registers; r->name; r++) {
        uint32_t size = 4 * (r->count ? r->count : 1);
        if (offset < r->offset || offset >= r->offset + size)
            continue;
        model_require(model, width == 4 || (width == 1 && r->access & MODEL_BYTES),
                      "%s accessed with %u bytes", r->name, width);
        return r;
    }
    world_fail(model->name, "there is no register at %#zx", offset);
}

static uint64_t region_read(void *context, size_t offset, unsigned width)
{
    struct model *model = context;

    model_require(model, offset % width == 0, "unaligned read at %#zx", offset);
    const struct model_register *r = find(model, offset, width);
    model_require(model, r->access & MODEL_R, "%s is write-only and was read", r->name);
    model->accesses++;
    world_advance(ACCESS_NS);
    return model->read(model, (uint32_t)offset, width);
}

static void region_write(void *context, size_t offset, unsigned width, uint64_t value)
{
    struct model *model = context;

    model_require(model, offset % width == 0, "unaligned write at %#zx", offset);
    const struct model_register *r = find(model, offset, width);
    uint32_t bits = r->bits >> 8 * (offset % 4);
    model_require(model, r->access & MODEL_W, "%s is read-only and was written", r->name);
    model_require(model, (value & ~(uint64_t)bits) == 0, "%s = %#llx sets reserved bits %#llx",
                  r->name, (unsigned long long)value,
                  (unsigned long long)(value & ~(uint64_t)bits));
    model->accesses++;
    world_advance(ACCESS_NS);
    model->write(model, (uint32_t)offset, width, (uint32_t)value);
}

void model_map(struct model *model, uint64_t base, uint64_t size)
{
    model->region = (struct bb_host_region){
        .base = base,
        .size = size,
        .read = region_read,
        .write = region_write,
        .context = model,
    };
    bb_host_map(&model->region);
}
