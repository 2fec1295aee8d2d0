/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts: a tree of controllers. The root's dispatch runs from the exception entry; a
 * controller behind another is itself a device with an interrupt, whose handler dispatches.
 *
 *     error = bb_interrupt_get(device, 0, pl011_interrupt, &pl011->interrupt);
 *     ...
 *     static void pl011_interrupt(struct bb_interrupt *interrupt)
 *     {
 *         struct pl011 *pl011 = bb_container_of(interrupt, struct pl011, interrupt);
 *
 * A handler runs in interrupt context with interrupts masked: it acknowledges, marks, queues work.
 * Several devices may share a line: each checks its own status. A line that fires with nobody on it
 * is counted, masked and named in the log; so is one that its handlers never quiet: it fired 50,000
 * to 100,000 times and no bb_poll() ran in between.
 */
#ifndef BUSBAR_IRQ_H
#define BUSBAR_IRQ_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/store.h>

enum bb_trigger { /* the specification's interrupt flags */
                  BB_TRIGGER_DEFAULT = 0,
                  BB_TRIGGER_RISING = 1,
                  BB_TRIGGER_FALLING = 2,
                  BB_TRIGGER_BOTH = 3,
                  BB_TRIGGER_HIGH = 4,
                  BB_TRIGGER_LOW = 8,
};

struct bb_irq;

struct bb_interrupt {
    struct bb_resource resource;
    struct bb_irq *irq; /* its controller */
    struct bb_device *device;
    void (*handler)(struct bb_interrupt *interrupt);
    struct bb_interrupt *next; /* in the controller's table */
    uint32_t line;
    enum bb_trigger trigger;
    uint64_t count;      /* times that it fired */
    uint64_t next_check; /* count at which to look whether it is stuck */
    uint32_t progress;   /* what the subsystem's was at the last look */
};

#define BB_IRQ_BUCKETS 16

struct bb_irq {
    struct bb_face face;
    /* The rest belongs to the subsystem. */
    struct bb_interrupt *buckets[BB_IRQ_BUCKETS]; /* by line */
    uint64_t interrupts;                          /* that had an owner */
    uint64_t unowned;                             /* interrupts that nobody had asked for */
    uint64_t stuck;                               /* lines masked since nobody quieted them */
    struct bb_value values[3];
};

struct bb_irq_ops {
    /* A specifier's cells to a line of this controller and its trigger. -EINVAL when wrong. */
    int (*translate)(struct bb_irq *irq, const struct bb_phandle_args *args, uint32_t *line,
                     enum bb_trigger *trigger);
    /* Thread context, interrupts masked. */
    int (*enable)(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger);
    void (*disable)(struct bb_irq *irq, uint32_t line); /* also interrupt context */
    /* Takes every pending interrupt and calls bb_irq_deliver() for each. Interrupt context. */
    void (*dispatch)(struct bb_irq *irq);
};

BB_CLASS_FINDERS(irq)

/* Requests and enables interrupt `index` of the device's node. -ENOENT when it has none. A
 * failure leaves interrupt->irq NULL, for drivers that do without. */
int bb_interrupt_get(struct bb_device *device, size_t index,
                     void (*handler)(struct bb_interrupt *interrupt),
                     struct bb_interrupt *interrupt);

/* For controllers. */
void bb_irq_deliver(struct bb_irq *irq, uint32_t line);
/* Makes this controller the root, and lets the CPU take interrupts. Call last in probe. -EEXIST. */
int bb_irq_set_root(struct bb_irq *irq);

#endif
