/* SPDX-License-Identifier: BSD-2-Clause */
/* Switching the machine off and on again, and power domains. */
#ifndef BUSBAR_POWER_H
#define BUSBAR_POWER_H

#include <busbar/device.h>

struct bb_power {
    struct bb_face face;
};

struct bb_power_ops {
    /* Each does not return where it works, and returns a negative errno value where it cannot.
     * Every context, interrupts masked. NULL: cannot. */
    int (*off)(struct bb_power *power);
    int (*reset)(struct bb_power *power);
    /* Ends an emulator with this exit status; tests use it. */
    int (*exit)(struct bb_power *power, int status);
};

BB_CLASS_FINDERS(power)

/* Shows the rest of the log, then asks each power device in turn; halts when none can. */
BB_NORETURN void bb_power_off(void);
BB_NORETURN void bb_power_reset(void);
/* The status reaches whoever started an emulator or the host process; elsewhere as off. */
BB_NORETURN void bb_power_exit(int status);

struct bb_power_domain_input;

struct bb_power_domain {
    struct bb_face face;
    struct bb_power_domain_input *held; /* by devices; belongs to the subsystem */
};

struct bb_power_domain_ops {
    int (*set)(struct bb_power_domain *domain, uint32_t id, bool on); /* waits until stable */
    int (*get)(struct bb_power_domain *domain, uint32_t id, bool *on);
};

BB_CLASS_FINDERS(power_domain)

/* One domain of a device, from power-domains; on while it is held. */
struct bb_power_domain_input {
    struct bb_resource resource;
    struct bb_power_domain *domain;
    struct bb_power_domain_input *next; /* of the same provider */
    uint32_t id;
};
int bb_power_domain_get(struct bb_device *device, size_t index,
                        struct bb_power_domain_input *input);
/* Gives it up before its device goes, as when the hardware behind it must be stopped. Off unless
 * another device holds it; nothing is done where it is not held. Thread context. */
void bb_power_domain_drop(struct bb_power_domain_input *input);

#endif
