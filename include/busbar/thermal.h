/* SPDX-License-Identifier: BSD-2-Clause */
/* Temperatures, in thousandths of a degree Celsius. */
#ifndef BUSBAR_THERMAL_H
#define BUSBAR_THERMAL_H

#include <busbar/bind.h>
#include <busbar/device.h>

struct bb_thermal {
    struct bb_face face;
};

struct bb_thermal_ops {
    int (*temperature)(struct bb_thermal *thermal, int32_t *millicelsius); /* thread context */
    int (*limit)(struct bb_thermal *thermal, int32_t *millicelsius);       /* where it throttles */
};

BB_CLASS_FINDERS(thermal)

#ifndef BB_BOUND_THERMAL
#define BB_BOUND_THERMAL (*(const struct bb_thermal_ops *)thermal->face.ops)
#endif

static inline int bb_thermal_temperature(struct bb_thermal *thermal, int32_t *millicelsius)
{
    return BB_BOUND_THERMAL.temperature(thermal, millicelsius);
}
static inline int bb_thermal_limit(struct bb_thermal *thermal, int32_t *millicelsius)
{
    return BB_BOUND_THERMAL.limit ? BB_BOUND_THERMAL.limit(thermal, millicelsius) : -ENOTSUP;
}

#endif
