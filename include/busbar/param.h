/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parameters from the boot command line, as words: `log=debug console=serial1 pl011.baud=115200`.
 * A driver declares its own in BB_DRIVER; <chip> is the second half of the driver's name:
 *
 *     .params = BB_PARAMS({"baud", offsetof(struct pl011, baud), BB_PARAM_U32}),
 *
 * They are written into the state before probe. Malformed values are reported and leave the default
 * (0); words that nobody knows share one line of the log.
 */
#ifndef BUSBAR_PARAM_H
#define BUSBAR_PARAM_H

#include <busbar/base.h>

enum bb_param_type { BB_PARAM_BOOL, BB_PARAM_U32, BB_PARAM_U64, BB_PARAM_STRING };

struct bb_param {
    const char *name;
    size_t offset; /* in the driver's state: a bool, uint32_t, uint64_t or const char * */
    enum bb_param_type type;
};

#define BB_PARAMS(...)                                                                             \
    (const struct bb_param[])                                                                      \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* The value of a parameter, or NULL. Early and thread context; valid until power-off. */
const char *bb_param_get(const char *name);
/* Value `index` of one that may be given several times, or NULL. */
const char *bb_param_get_at(const char *name, size_t index);

#endif
