/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PL031 real-time clock (ARM DDI 0224C). */
#ifndef TESTS_MODELS_PL031_H
#define TESTS_MODELS_PL031_H

#include "model.h"

struct model_pl031 {
    struct model model;
    struct wire irq;
    uint32_t count, match, load, control, imsc, ris;
    struct world_event tick;
};

void model_pl031_map(struct model_pl031 *rtc, uint64_t base, uint32_t seconds);

#endif
