/* SPDX-License-Identifier: BSD-2-Clause */
/* The Raspberry Pi's interrupt controllers: the local one of BCM2836 (QA7 rev 3.4) and behind it
 * armctrl (BCM2835 ARM Peripherals, chapter 7). */
#ifndef TESTS_MODELS_BCM2836_H
#define TESTS_MODELS_BCM2836_H

#include "model.h"

struct model_bcm2836 {
    struct model model;
    struct wire irq; /* core 0 */
    uint32_t level;  /* of the sources, as in the core's source register */
    uint32_t timer_control[4], mailbox_control[4], mailbox[16];
    uint32_t gpu_routing, pmu_routing, local_routing, local_timer;
};
void model_bcm2836_map(struct model_bcm2836 *local, uint64_t base);
struct wire model_bcm2836_wire(struct model_bcm2836 *local, unsigned line);

struct model_armctrl {
    struct model model;
    struct wire irq;
    uint32_t level[3];   /* basic (8 bits), 1, 2 */
    uint32_t enabled[3]; /* the same order */
    uint32_t fiq;
};
void model_armctrl_map(struct model_armctrl *armctrl, uint64_t base);
struct wire model_armctrl_wire(struct model_armctrl *armctrl, unsigned bank, unsigned line);

#endif
