/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts: who owns which line of which controller. */
#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/irq.h>
#include <busbar/log.h>
#include <busbar/poll.h>

static struct bb_face_list controllers;
static struct bb_irq *root;

enum { CHECK_AFTER = 50000 };
static uint32_t deliveries; /* wraps: only whether it changed counts */
static uint32_t progress;   /* grows when bb_poll() runs, and when a stuck line was masked */

static void polled(struct bb_work *work)
{
    (void)work;
    progress++;
}
static struct bb_work poll_seen; /* all zero at start: an image then has no page of data */

static int removed_translate(struct bb_irq *irq, const struct bb_phandle_args *args, uint32_t *line,
                             enum bb_trigger *trigger)
{
    (void)irq, (void)args, (void)line, (void)trigger;
    return -ENODEV;
}

static int removed_enable(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger)
{
    (void)irq, (void)line, (void)trigger;
    return -ENODEV;
}

static void removed_disable(struct bb_irq *irq, uint32_t line)
{
    (void)irq, (void)line;
}

static void removed_dispatch(struct bb_irq *irq)
{
    (void)irq;
}

static const struct bb_irq_ops removed = {
    .translate = removed_translate,
    .enable = removed_enable,
    .disable = removed_disable,
    .dispatch = removed_dispatch,
};

static const struct bb_irq_ops *ops_of(const struct bb_irq *irq)
{
    return irq->face.ops;
}

static struct bb_interrupt **bucket(struct bb_irq *irq, uint32_t line)
{
    return &irq->buckets[line % BB_IRQ_BUCKETS];
}

static struct bb_interrupt *owner(struct bb_irq *irq, uint32_t line)
{
    struct bb_interrupt *interrupt = *bucket(irq, line);
    while (interrupt && interrupt->line != line)
        interrupt = interrupt->next;
    return interrupt;
}

static int attach(struct bb_interrupt *interrupt)
{
    struct bb_irq *irq = interrupt->irq;
    struct bb_interrupt *sharer = owner(irq, interrupt->line);
    if (sharer && sharer->trigger != interrupt->trigger)
        return -EBUSY;
    struct bb_interrupt **first = bucket(irq, interrupt->line);
    interrupt->next = *first;
    *first = interrupt;
    if (sharer)
        return 0;
    int error = ops_of(irq)->enable(irq, interrupt->line, interrupt->trigger);
    if (error)
        *first = interrupt->next;
    return error;
}

static void detach(struct bb_resource *resource)
{
    struct bb_interrupt *interrupt = bb_container_of(resource, struct bb_interrupt, resource);
    struct bb_irq *irq = interrupt->irq;
    uintptr_t state = bb_arch_irq_save();
    struct bb_interrupt **place = bucket(irq, interrupt->line);
    while (*place != interrupt)
        place = &(*place)->next;
    *place = interrupt->next;
    if (!owner(irq, interrupt->line))
        ops_of(irq)->disable(irq, interrupt->line);
    bb_arch_irq_restore(state);
    interrupt->irq = NULL;
}

int bb_interrupt_get(struct bb_device *device, size_t index,
                     void (*handler)(struct bb_interrupt *interrupt),
                     struct bb_interrupt *interrupt)
{
    struct bb_face *face;
    struct bb_phandle_args args;
    int error = bb_provider(device, &bb_class_irq, index, &face, &args);
    if (error)
        return error;
    struct bb_irq *irq = bb_container_of(face, struct bb_irq, face);
    *interrupt = (struct bb_interrupt){
        .device = device, .handler = handler, .next_check = CHECK_AFTER, .progress = progress - 1};
    error = ops_of(irq)->translate(irq, &args, &interrupt->line, &interrupt->trigger);
    if (error)
        return bb_fail(device, "interrupts", error);
    interrupt->irq = irq;
    uintptr_t state = bb_arch_irq_save();
    error = attach(interrupt);
    bb_arch_irq_restore(state);
    if (error) {
        interrupt->irq = NULL;
        return bb_fail(device, "irq", error);
    }
    error = bb_acquire(device, &interrupt->resource, "irq", detach);
    if (error)
        detach(&interrupt->resource);
    return error;
}

/* The second look without progress finds the line stuck. Of a cascade, that is the inner one: its
 * masking is progress for the outer. */
static void check_stuck(struct bb_interrupt *interrupt)
{
    struct bb_irq *irq = interrupt->irq;
    interrupt->next_check = interrupt->count + CHECK_AFTER;
    if (interrupt->progress != progress) {
        interrupt->progress = progress;
        poll_seen.run = polled;
        bb_work_queue(&poll_seen);
        return;
    }
    progress++;
    irq->stuck++;
    ops_of(irq)->disable(irq, interrupt->line);
    bb_print(BB_ERROR, "%s: interrupt %u never goes quiet, %s does not answer it: masked",
             irq->face.device->name, interrupt->line, interrupt->device->name);
}

void bb_irq_deliver(struct bb_irq *irq, uint32_t line)
{
    bool owned = false;
    uint32_t number = ++deliveries;
    for (struct bb_interrupt *interrupt = *bucket(irq, line); interrupt;
         interrupt = interrupt->next) {
        if (interrupt->line != line)
            continue;
        owned = true;
        interrupt->count++;
        struct bb_device *previous = bb_device_enter(interrupt->device);
        interrupt->handler(interrupt);
        bb_device_leave(previous);
        /* Not that of a controller which passed something on. */
        if (interrupt->count >= interrupt->next_check && deliveries == number)
            check_stuck(interrupt);
    }
    if (owned) {
        irq->interrupts++;
        return;
    }
    irq->unowned++;
    ops_of(irq)->disable(irq, line);
    bb_print(BB_WARNING, "%s: interrupt %u fired and nobody owns it: masked",
             irq->face.device->name, line);
}

static void dispatch_root(void)
{
    struct bb_device *previous = bb_device_enter(root->face.device);
    ops_of(root)->dispatch(root);
    bb_device_leave(previous);
}

int bb_irq_set_root(struct bb_irq *irq)
{
    for (struct bb_irq *other = bb_irq_first(); other; other = bb_irq_next(other))
        if (other == root)
            return -EEXIST;
    root = irq;
    bb_hooks.interrupt = dispatch_root;
    bb_arch_irq_enable();
    return 0;
}

static int publish(struct bb_irq *irq)
{
    struct bb_device *device = irq->face.device;
    struct bb_value *values = irq->values;
    int error = bb_publish_u64(device, &values[0], "interrupts", "", &irq->interrupts);
    if (!error)
        error = bb_publish_u64(device, &values[1], "unowned", "interrupts", &irq->unowned);
    return error ? error : bb_publish_u64(device, &values[2], "stuck", "lines", &irq->stuck);
}

static int irq_notify(struct bb_face *face, bool running)
{
    struct bb_irq *irq = bb_container_of(face, struct bb_irq, face);
    if (running)
        return publish(irq);
    if (irq == root) {
        bb_hooks.interrupt = NULL;
        root = NULL;
    }
    return 0;
}

const struct bb_class bb_class_irq = {
    .name = "irq",
    .property = "interrupts",
    .cells = "#interrupt-cells",
    .removed = &removed,
    .list = &controllers,
    .lookup = bb_node_interrupt,
    .notify = irq_notify,
};
