/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware randomness. */
#ifndef BUSBAR_ENTROPY_H
#define BUSBAR_ENTROPY_H

#include <busbar/bind.h>
#include <busbar/device.h>

struct bb_entropy {
    struct bb_face face;
};

struct bb_entropy_ops {
    /* Fills up to `size` bytes without waiting; returns how many, 0 when there is none yet, or a
     * negative errno value. Thread context. */
    int (*read)(struct bb_entropy *entropy, void *buffer, size_t size);
};

BB_CLASS_FINDERS(entropy)

#ifndef BB_BOUND_ENTROPY
#define BB_BOUND_ENTROPY (*(const struct bb_entropy_ops *)entropy->face.ops)
#endif

static inline int bb_entropy_read(struct bb_entropy *entropy, void *buffer, size_t size)
{
    return BB_BOUND_ENTROPY.read(entropy, buffer, size);
}

/* Fills the whole buffer from any source, waiting up to `timeout` ns. 0, -ENODEV, -ETIMEDOUT. */
int bb_random(void *buffer, size_t size, uint64_t timeout);

#endif
