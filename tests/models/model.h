/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Register models: written from the datasheet, and strict. A model ends the test on an offset that
 * the chip does not have, a wrong width or alignment, a read of a write-only register or the other
 * way round, a reserved bit, and whatever order of accesses its datasheet forbids.
 */
#ifndef TESTS_MODELS_MODEL_H
#define TESTS_MODELS_MODEL_H

#include "world.h"

enum { MODEL_R = 1, MODEL_W = 2, MODEL_RW = 3, MODEL_BYTES = 4 /* may be accessed by byte */ };

/* One register, or `count` equal ones, 4 bytes apart. A table ends with a NULL name. */
struct model_register {
    const char *name;
    uint32_t offset;
    uint32_t access;
    uint32_t bits; /* that may be written as 1 */
    uint32_t count;
};

struct model {
    const char *name;
    const struct model_register *registers;
    /* `width` is 4, or 1 for MODEL_BYTES registers; a byte stands in the low 8 bits. */
    uint32_t (*read)(struct model *model, uint32_t offset, unsigned width);
    void (*write)(struct model *model, uint32_t offset, unsigned width, uint32_t value);
    struct bb_host_region region; /* filled by model_map() */
    uint64_t accesses;
};

/* Puts a model, with its own calls and tables filled in, at an address. */
void model_map(struct model *model, uint64_t base, uint64_t size);

/* Ends the test unless `condition` holds. */
#define model_require(model, condition, ...)                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            world_fail((model)->name, __VA_ARGS__);                                                \
    } while (0)

#endif
