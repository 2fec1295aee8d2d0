/* SPDX-License-Identifier: BSD-2-Clause */
/* ARM PL061 GPIO (ARM DDI 0190B). */
#ifndef TESTS_MODELS_PL061_H
#define TESTS_MODELS_PL061_H

#include "model.h"

struct model_pl061 {
    struct model model;
    struct wire irq;
    uint8_t data, dir, is, ibe, iev, ie, ris, afsel;
    uint8_t outside; /* what the world drives on the pins that are inputs */
};

void model_pl061_map(struct model_pl061 *gpio, uint64_t base);
void model_pl061_input(struct model_pl061 *gpio, unsigned line, bool level);

#endif
