/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks: what runs a device, and how fast. A provider has outputs, numbered by its binding. */
#ifndef BUSBAR_CLOCK_H
#define BUSBAR_CLOCK_H

#include <busbar/device.h>

struct bb_clock_input;

struct bb_clock {
    struct bb_face face;
    struct bb_clock_input *held; /* by devices; belongs to the subsystem */
};

struct bb_clock_ops {
    /* Each in thread context; `output` is the specifier's first cell (0 without cells). -EINVAL for
     * an output that does not exist. enable and set_rate may be NULL: always on, fixed. */
    int (*rate)(struct bb_clock *clock, uint32_t output, uint64_t *hz);
    int (*set_rate)(struct bb_clock *clock, uint32_t output, uint64_t hz); /* nearest below */
    int (*enable)(struct bb_clock *clock, uint32_t output, bool on);
};

BB_CLASS_FINDERS(clock)

/* One clock input of a device. Enabled while it is held. */
struct bb_clock_input {
    struct bb_resource resource;
    struct bb_clock *clock;
    struct bb_clock_input *next; /* of the same provider */
    uint32_t output;
};

/* Entry `index` of clocks; -ENOENT when there is none. Turns it on. A failure leaves input->clock
 * NULL, for drivers that do without. */
int bb_clock_get(struct bb_device *device, size_t index, struct bb_clock_input *input);
/* The index of `name` in clock-names, or -ENOENT. */
int bb_clock_index(const struct bb_device *device, const char *name);
int bb_clock_rate(const struct bb_clock_input *input, uint64_t *hz); /* Hz, never 0 */
int bb_clock_set_rate(const struct bb_clock_input *input, uint64_t hz);

#endif
