/* SPDX-License-Identifier: BSD-2-Clause */
/* Ending the program, by whichever device can; power domains, on while they are held. */
#include <busbar/arch.h>
#include <busbar/console.h>
#include <busbar/hooks.h>
#include <busbar/poll.h>
#include <busbar/power.h>

static struct bb_face_list powers;
static struct bb_face_list domains;

static int removed_end(struct bb_power *power)
{
    (void)power;
    return -ENODEV;
}

static int removed_exit(struct bb_power *power, int status)
{
    (void)power, (void)status;
    return -ENODEV;
}

static const struct bb_power_ops removed = {
    .off = removed_end,
    .reset = removed_end,
    .exit = removed_exit,
};

static const struct bb_power_ops *ops_of(const struct bb_power *power)
{
    return power->face.ops;
}

static void try_exit(int status)
{
    for (struct bb_power *power = bb_power_first(); power; power = bb_power_next(power))
        if (ops_of(power)->exit)
            (void)ops_of(power)->exit(power, status);
}

static void try_off(void)
{
    for (struct bb_power *power = bb_power_first(); power; power = bb_power_next(power))
        if (ops_of(power)->off)
            (void)ops_of(power)->off(power);
}

static void try_reset(void)
{
    for (struct bb_power *power = bb_power_first(); power; power = bb_power_next(power))
        if (ops_of(power)->reset)
            (void)ops_of(power)->reset(power);
}

/* Messages that an interrupt left reach the consoles; then nothing runs any more. */
static void finish(void)
{
    if (!bb_arch_in_interrupt())
        (void)bb_poll();
    (void)bb_arch_irq_save();
    bb_console_flush();
}

void bb_power_off(void)
{
    finish();
    try_off();
    bb_arch_halt();
}

void bb_power_reset(void)
{
    finish();
    try_reset();
    bb_arch_halt();
}

void bb_power_exit(int status)
{
    finish();
    try_exit(status);
    try_off();
    bb_arch_halt();
}

static void off_hook(int status)
{
    bb_console_flush();
    try_exit(status);
    try_off();
}

static int power_notify(struct bb_face *face, bool running)
{
    (void)face;
    if (running)
        bb_hooks.power_off = off_hook;
    return 0;
}

const struct bb_class bb_class_power = {
    .name = "power",
    .removed = &removed,
    .list = &powers,
    .notify = power_notify,
};

static int removed_domain_set(struct bb_power_domain *domain, uint32_t id, bool on)
{
    (void)domain, (void)id, (void)on;
    return -ENODEV;
}

static int removed_domain_get(struct bb_power_domain *domain, uint32_t id, bool *on)
{
    (void)domain, (void)id, (void)on;
    return -ENODEV;
}

static const struct bb_power_domain_ops removed_domain = {
    .set = removed_domain_set,
    .get = removed_domain_get,
};

const struct bb_class bb_class_power_domain = {
    .name = "power_domain",
    .property = "power-domains",
    .cells = "#power-domain-cells",
    .removed = &removed_domain,
    .list = &domains,
};

static int switch_domain(const struct bb_power_domain_input *input, bool on)
{
    for (struct bb_power_domain_input *other = input->domain->held; other; other = other->next)
        if (other->id == input->id)
            return 0;
    const struct bb_power_domain_ops *ops = input->domain->face.ops;
    return ops->set(input->domain, input->id, on);
}

void bb_power_domain_drop(struct bb_power_domain_input *input)
{
    if (!input->domain)
        return;
    struct bb_power_domain_input **place = &input->domain->held;
    while (*place != input)
        place = &(*place)->next;
    *place = input->next;
    (void)switch_domain(input, false);
    input->domain = NULL;
}

static void release(struct bb_resource *resource)
{
    bb_power_domain_drop(bb_container_of(resource, struct bb_power_domain_input, resource));
}

int bb_power_domain_get(struct bb_device *device, size_t index, struct bb_power_domain_input *input)
{
    struct bb_face *face;
    struct bb_phandle_args args;
    int error = bb_provider(device, &bb_class_power_domain, index, &face, &args);
    if (error)
        return error;
    *input = (struct bb_power_domain_input){
        .domain = bb_container_of(face, struct bb_power_domain, face),
        .id = args.count > 0 ? args.cells[0] : 0,
    };
    error = switch_domain(input, true);
    if (error) {
        input->domain = NULL;
        return bb_fail(device, "power domain", error);
    }
    input->next = input->domain->held;
    input->domain->held = input;
    error = bb_acquire(device, &input->resource, "power domain", release);
    if (error)
        release(&input->resource);
    return error;
}
