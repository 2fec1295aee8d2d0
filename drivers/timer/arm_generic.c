/* SPDX-License-Identifier: BSD-2-Clause */
/* The Arm generic timer: the virtual timer of this CPU (ARM DDI 0487, D11). */
#include <busbar/irq.h>
#include <busbar/mmio.h>
#include <busbar/timer.h>

enum {
    CNTV_CTL_ENABLE = 1 << 0,
    CNTV_CTL_ISTATUS = 1 << 2,
    VIRTUAL = 2, /* the tree lists secure, non-secure, virtual and hypervisor timer */
};

struct arm_generic {
    struct bb_device device;
    struct bb_timer timer;
    struct bb_interrupt interrupt;
};

static uint64_t arm_generic_count(struct bb_timer *timer)
{
    (void)timer;
    return bb_arch_counter();
}

static void arm_generic_arm(struct bb_timer *timer, uint64_t ticks)
{
    (void)timer;
    if (ticks != UINT64_MAX)
        bb_arch_timer_compare(ticks);
    bb_arch_timer_control(ticks != UINT64_MAX ? CNTV_CTL_ENABLE : 0);
}

static void arm_generic_interrupt(struct bb_interrupt *interrupt)
{
    struct arm_generic *generic = bb_container_of(interrupt, struct arm_generic, interrupt);
    if (!(bb_arch_timer_status() & CNTV_CTL_ISTATUS))
        return;
    bb_arch_timer_control(0); /* the line stays up while the condition holds */
    bb_timer_fired(&generic->timer);
}

static int arm_generic_probe(struct bb_device *device)
{
    struct arm_generic *generic = bb_container_of(device, struct arm_generic, device);
    /* The property is there for firmware that leaves CNTFRQ_EL0 wrong. */
    if (bb_node_u64(device->node, "clock-frequency", &generic->timer.hz) != 0)
        generic->timer.hz = bb_arch_counter_hz();
    if (generic->timer.hz == 0)
        return bb_fail(device, "CNTFRQ_EL0", -EINVAL);
    bb_arch_timer_control(0);
    int index = bb_node_string_index(device->node, "interrupt-names", "virt");
    return bb_interrupt_get(device, index < 0 ? VIRTUAL : (size_t)index, arm_generic_interrupt,
                            &generic->interrupt);
}

static void arm_generic_remove(struct bb_device *device)
{
    (void)device;
    bb_arch_timer_control(0);
}

const struct bb_timer_ops bb_ops_timer_arm_generic = {
    .count = arm_generic_count,
    .arm = arm_generic_arm,
};

BB_DRIVER(timer, arm_generic, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"arm,armv8-timer"}, {"arm,armv7-timer"}),
          .needs = BB_CLASSES(&bb_class_irq), .probe = arm_generic_probe,
          .remove = arm_generic_remove);
