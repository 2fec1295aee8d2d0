/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt controllers: specifiers, and lines that are requested, counted and released. A timer's
 * own line is the one that is sure to fire; it can be shared. */
#include "conformance.h"

#include <busbar/irq.h>
#include <busbar/timer.h>

static volatile unsigned fired;

static void on_fired(struct bb_timer *timer)
{
    (void)timer;
    fired++;
}

/* The timer may be what sleeping goes by, so this does not sleep. */
static bool fire(const struct conformance *run, struct bb_timer *timer)
{
    void (*before)(struct bb_timer * timer) = timer->fired;
    uint64_t end = bb_time() + conformance_late(run);

    fired = 0;
    timer->fired = on_fired;
    bb_timer_arm(timer, bb_timer_count(timer) + timer->hz / 1000);
    while (!fired && bb_time() < end)
        ;
    bb_timer_arm(timer, UINT64_MAX);
    timer->fired = before;
    return fired;
}

/* What the timer's driver asked of this controller; NULL when it asked another one. */
static const struct bb_interrupt *line_of(const struct bb_irq *irq, const struct bb_timer *timer)
{
    for (size_t i = 0; i < BB_IRQ_BUCKETS; i++) {
        for (const struct bb_interrupt *at = irq->buckets[i]; at; at = at->next) {
            if (at->device == timer->face.device)
                return at;
        }
    }
    return NULL;
}

/* Its place in the node's list of interrupts. */
static int index_of(const struct bb_interrupt *interrupt)
{
    const struct bb_irq_ops *ops = interrupt->irq->face.ops;
    struct bb_phandle_args args;
    enum bb_trigger trigger;
    uint32_t line;

    for (int i = 0; bb_node_interrupt(interrupt->device->node, (size_t)i, &args) == 0; i++) {
        if (args.node == interrupt->irq->face.device->node &&
            ops->translate(interrupt->irq, &args, &line, &trigger) == 0 && line == interrupt->line)
            return i;
    }
    return -1;
}

static void check_translate(struct conformance *run, struct bb_irq *irq)
{
    const struct bb_irq_ops *ops = irq->face.ops;
    struct bb_node *node = irq->face.device->node;
    struct bb_phandle_args none = {.node = node, .reference = node};
    struct bb_phandle_args wild = {
        .node = node, .reference = node, .count = 3, .cells = {0xffff, 0xffffff, 0xffff}};
    enum bb_trigger trigger;
    uint32_t line;

    bb_check(run, ops->translate(irq, &none, &line, &trigger) == -EINVAL,
             "a specifier without cells is refused");
    bb_check(run, ops->translate(irq, &wild, &line, &trigger) == -EINVAL,
             "one with wild cells is refused");
    wild.count = 2;
    bb_check(run, ops->translate(irq, &wild, &line, &trigger) == -EINVAL, "whatever their number");
}

static void ignore(struct bb_interrupt *interrupt)
{
    (void)interrupt; /* counted by the subsystem; the timer's own handler quiets the line */
}

/* Somebody who asks for what the timer has. */
static const struct bb_driver sharing = {
    .name = "conformance/irq",
    .wants = BB_CLASSES(&bb_class_irq),
};

static void check_sharing(struct conformance *run, const struct bb_interrupt *own,
                          struct bb_timer *timer)
{
    struct bb_device device = {
        .node = own->device->node, .driver = &sharing, .name = "conformance"};
    struct bb_interrupt shared = {0};
    int index = index_of(own);

    if (!bb_check(run, index >= 0, "a line is found again by its specifier") ||
        !bb_check(run, bb_interrupt_get(&device, (size_t)index, ignore, &shared) == 0,
                  "a line can be shared"))
        return;
    uint64_t before = own->count;
    bb_check(run, fire(run, timer), "it fires");
    bb_check(run, shared.count == 1 && own->count == before + 1, "both are called, and counted");
    shared.resource.release(&shared.resource);
    bb_check(run, fire(run, timer), "it fires when one has left");
    bb_check(run, shared.count == 1, "who left is not called");
}

static void run_irq(struct conformance *run, struct bb_face *face)
{
    struct bb_irq *irq = bb_container_of(face, struct bb_irq, face);
    struct bb_timer *timer = bb_timer_first();

    check_translate(run, irq);
    while (timer && !line_of(irq, timer))
        timer = bb_timer_next(timer);
    if (timer)
        check_sharing(run, line_of(irq, timer), timer);
    else
        bb_skip(run, "no timer is behind it");
    bb_check(run, irq->unowned == 0, "no interrupt came that nobody owns");
}

const struct conformance_suite conformance_irq = {"irq", &bb_class_irq, run_irq};
