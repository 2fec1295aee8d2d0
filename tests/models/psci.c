/* SPDX-License-Identifier: BSD-2-Clause */
/* PSCI (ARM DEN 0022E), chapter 5. */
#include "psci.h"

#define NOT_SUPPORTED (-1)

static struct model_psci *listening;

static int64_t call(void *context, bool smc, uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
    (void)context;
    (void)b;
    (void)c;
    if (smc != listening->smc)
        world_fail("psci", "called by %s, which is undefined here", smc ? "SMC" : "HVC");
    listening->calls++;
    if (listening->refuses)
        return NOT_SUPPORTED;
    switch (function) {
    case 0x84000000: /* PSCI_VERSION */
        return listening->version;
    case 0x84000008:
        world_ends(WORLD_OFF, 0);
    case 0x84000009:
        world_ends(WORLD_RESET, 0);
    case 0x8400000a: /* PSCI_FEATURES */
        return a == 0x84000008 || a == 0x84000009 ? 0 : NOT_SUPPORTED;
    default:
        return NOT_SUPPORTED;
    }
}

void model_psci_start(struct model_psci *psci, bool smc)
{
    psci->smc = smc;
    psci->version = 0x10001;
    listening = psci;
    bb_host_cpu.smccc = call;
}
