/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt controllers: specifiers, and lines that are requested, counted and released. The
 * running timer's own line is the one that is sure to fire; it can be shared. */
#include "conformance.h"

#include <busbar/irq.h>
#include <busbar/poll.h>
#include <busbar/timer.h>

#define MOST 4 /* interrupts of a timer's node */

static void handler(struct bb_interrupt *interrupt)
{
    (void)interrupt; /* counted by the subsystem; the timer quiets the line */
}

/* Something that asks for what another node's device has too. */
static const struct bb_driver sharing = {
    .name = "conformance/irq",
    .wants = BB_CLASSES(&bb_class_irq),
};

static uint64_t count_of(const struct bb_interrupt *interrupts, size_t count,
                         const struct bb_irq *irq)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += interrupts[i].irq == irq ? interrupts[i].count : 0;
    return sum;
}

static bool serves(struct bb_irq *irq, const struct bb_device *device)
{
    for (size_t i = 0; i < BB_IRQ_BUCKETS; i++) {
        for (const struct bb_interrupt *at = irq->buckets[i]; at; at = at->next) {
            if (at->device == device)
                return true;
        }
    }
    return false;
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

static void check_sharing(struct conformance *run, struct bb_irq *irq, struct bb_timer *timer)
{
    struct bb_device device = {
        .node = timer->face.device->node, .driver = &sharing, .name = "conformance"};
    struct bb_interrupt interrupts[MOST] = {0};
    size_t got = 0;

    while (got < MOST && bb_interrupt_get(&device, got, handler, &interrupts[got]) == 0)
        got++;
    bb_check(run, got > 0, "the line of the timer can be shared");
    bb_sleep(20 * BB_MSEC);
    bb_check(run, count_of(interrupts, got, irq) > 0, "who shares it is called and counted");
    for (struct bb_resource *next, *at = device.resources; at; at = next) {
        next = at->next;
        at->release(at);
    }
    uint64_t count = count_of(interrupts, got, irq);
    bb_sleep(20 * BB_MSEC);
    bb_check(run, count_of(interrupts, got, irq) == count, "and no more once it is released");
    bb_check(run, bb_wait(NULL, NULL, 5 * BB_MSEC) == 0, "the timer still has its line");
}

static void run_irq(struct conformance *run, struct bb_face *face)
{
    struct bb_irq *irq = bb_container_of(face, struct bb_irq, face);
    struct bb_timer *timer = bb_timer_first(); /* the one that wakes sleeps */

    check_translate(run, irq);
    if (timer && serves(irq, timer->face.device))
        check_sharing(run, irq, timer);
    else
        bb_skip(run, "no running timer is behind it");
    bb_check(run, irq->unowned == 0, "no interrupt came that nobody owns");
}

const struct conformance_suite conformance_irq = {"irq", &bb_class_irq, run_irq};
