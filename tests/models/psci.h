/* SPDX-License-Identifier: BSD-2-Clause */
/* PSCI (ARM DEN 0022E) as the CPU's call to its firmware. */
#ifndef TESTS_MODELS_PSCI_H
#define TESTS_MODELS_PSCI_H

#include "world.h"

struct model_psci {
    bool smc;         /* the conduit it listens on */
    uint32_t version; /* 0x10000 */
    bool refuses;     /* answers NOT_SUPPORTED to everything */
    unsigned calls;
};
void model_psci_start(struct model_psci *psci, bool smc);

#endif
