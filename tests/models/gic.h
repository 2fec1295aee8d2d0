/* SPDX-License-Identifier: BSD-2-Clause */
/* Arm GICv2 (ARM IHI 0048B) and GICv3 (ARM IHI 0069H, single security state), one CPU listening. */
#ifndef TESTS_MODELS_GIC_H
#define TESTS_MODELS_GIC_H

#include "model.h"

#define GIC_IDS 96
#define GIC_SPURIOUS 1023

/* What both versions have: the state of each interrupt, and the CPU's view of it. */
struct model_gic {
    const char *name;
    struct wire irq;
    bool level[GIC_IDS]; /* of the input */
    bool latched[GIC_IDS], enabled[GIC_IDS], active[GIC_IDS], edge[GIC_IDS], group1[GIC_IDS];
    uint8_t priority[GIC_IDS];
    bool routed[GIC_IDS];  /* reaches this CPU */
    bool foreign[GIC_IDS]; /* the secure world's: zero to read, deaf to writes */
    bool group0_on, group1_on;
    bool two_states; /* GICv3: the distributor, mad, may have said so */
    bool priority_mask_set;
    uint8_t priority_mask;
    unsigned running[GIC_IDS]; /* acknowledged and not ended, innermost last */
    unsigned running_count;
    uint64_t acknowledged, spurious;
};

/* An input: number 32 + n is SPI n, 16 + n is PPI n. */
void model_gic_line(void *gic, unsigned id, bool level);
struct wire model_gic_wire(struct model_gic *gic, unsigned id);
void gic_update(struct model_gic *gic);
unsigned gic_acknowledge(struct model_gic *gic);
void gic_end(struct model_gic *gic, uint64_t id);
/* One of the registers with a bit for each interrupt: true when `offset` is one of them. */
bool gic_bit_read(struct model_gic *gic, uint32_t offset, uint32_t *value);
bool gic_bit_write(struct model_gic *gic, uint32_t offset, uint32_t value);

struct model_gic_v2 {
    struct model_gic gic;
    struct model distributor, cpu;
    uint32_t distributor_control, cpu_control, bpr;
    uint8_t targets[GIC_IDS];
};
void model_gic_v2_map(struct model_gic_v2 *gic, uint64_t distributor, uint64_t cpu);

#define GIC_V3_CPUS 2

struct model_gic_v3;
struct gic_v3_frame {
    struct model model;
    struct model_gic_v3 *gic;
    unsigned cpu;
    bool asleep, is_last;
    uint64_t busy_until; /* RWP */
    uint64_t wakes_at;   /* ChildrenAsleep */
};
struct model_gic_v3 {
    struct model_gic gic;
    struct model distributor;
    struct gic_v3_frame redistributors[GIC_V3_CPUS];
    unsigned cpu; /* that runs the test: bb_host_cpu.mpidr names it */
    uint32_t control;
    uint64_t busy_until; /* RWP */
    uint64_t router[GIC_IDS];
    bool sre, icc_on; /* of the CPU that runs the test */
    uint32_t icc_control;
};
void model_gic_v3_map(struct model_gic_v3 *gic, uint64_t distributor, uint64_t redistributors,
                      unsigned cpu);

#endif
