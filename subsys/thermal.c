/* SPDX-License-Identifier: BSD-2-Clause */
/* Temperature sensors. */
#include <busbar/thermal.h>

static struct bb_face_list sensors;

static int removed_read(struct bb_thermal *thermal, int32_t *millicelsius)
{
    (void)thermal, (void)millicelsius;
    return -ENODEV;
}

static const struct bb_thermal_ops removed = {
    .temperature = removed_read,
    .limit = removed_read,
};

const struct bb_class bb_class_thermal = {
    .name = "thermal",
    .removed = &removed,
    .list = &sensors,
};
