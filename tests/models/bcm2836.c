/* SPDX-License-Identifier: BSD-2-Clause */
/* BCM2836 local interrupt controller (QA7 rev 3.4, chapter 4). */
#include "bcm2836.h"

enum {
    CONTROL = 0x00,
    PRESCALER = 0x08,
    GPU_ROUTING = 0x0c,
    PMU_ROUTING_SET = 0x10,
    PMU_ROUTING_CLEAR = 0x14,
    TIMER_LOW = 0x1c,
    LOCAL_ROUTING = 0x24,
    AXI_COUNTERS = 0x2c,
    AXI_IRQ = 0x30,
    LOCAL_TIMER = 0x34,
    LOCAL_TIMER_CLEAR = 0x38,
    TIMER_CONTROL = 0x40,
    MAILBOX_CONTROL = 0x50,
    IRQ_SOURCE = 0x60,
    FIQ_SOURCE = 0x70,
    MAILBOX_SET = 0x80,
    MAILBOX_CLEAR = 0xc0,
};

static const struct model_register registers[] = {
    {"CONTROL", CONTROL, MODEL_RW, 0x300},
    {"PRESCALER", PRESCALER, MODEL_RW, ~0u},
    {"GPU_ROUTING", GPU_ROUTING, MODEL_RW, 0xf},
    {"PMU_ROUTING_SET", PMU_ROUTING_SET, MODEL_RW, 0xff},
    {"PMU_ROUTING_CLEAR", PMU_ROUTING_CLEAR, MODEL_W, 0xff},
    {"TIMER", TIMER_LOW, MODEL_RW, ~0u, 2},
    {"LOCAL_ROUTING", LOCAL_ROUTING, MODEL_RW, 7},
    {"AXI_COUNTERS", AXI_COUNTERS, MODEL_RW, ~0u},
    {"AXI_IRQ", AXI_IRQ, MODEL_RW, 0x1ff},
    {"LOCAL_TIMER", LOCAL_TIMER, MODEL_RW, 0x3fffffff},
    {"LOCAL_TIMER_CLEAR", LOCAL_TIMER_CLEAR, MODEL_W, 0xc0000000},
    {"TIMER_CONTROL", TIMER_CONTROL, MODEL_RW, 0xff, 4},
    {"MAILBOX_CONTROL", MAILBOX_CONTROL, MODEL_RW, 0xff, 4},
    {"IRQ_SOURCE", IRQ_SOURCE, MODEL_R, 0, 4},
    {"FIQ_SOURCE", FIQ_SOURCE, MODEL_R, 0, 4},
    {"MAILBOX_SET", MAILBOX_SET, MODEL_W, ~0u, 16},
    {"MAILBOX_CLEAR", MAILBOX_CLEAR, MODEL_RW, ~0u, 16},
    {NULL},
};

/* What core 0 sees. Only the timers and mailboxes can be masked here; a FIQ bit beats an IRQ bit.
 */
static uint32_t source(const struct model_bcm2836 *local, bool fiq)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t timer = local->timer_control[0] >> i;
        uint32_t box = local->mailbox_control[0] >> i;
        if (fiq ? timer >> 4 & 1 : (timer & 1) && !(timer >> 4 & 1))
            value |= local->level & 1u << i;
        if (local->mailbox[i] && (fiq ? box >> 4 & 1 : (box & 1) && !(box >> 4 & 1)))
            value |= 1u << (4 + i);
    }
    if ((fiq ? local->gpu_routing >> 2 : local->gpu_routing & 3) == 0)
        value |= local->level & 1u << 8;
    if (local->pmu_routing & (fiq ? 0x10 : 1))
        value |= local->level & 1u << 9;
    return value;
}

static void update(struct model_bcm2836 *local)
{
    wire_set(&local->irq, source(local, false) != 0);
}

static void set_line(void *context, unsigned line, bool level)
{
    struct model_bcm2836 *local = context;

    local->level = (local->level & ~(1u << line)) | (uint32_t)level << line;
    update(local);
}

struct wire model_bcm2836_wire(struct model_bcm2836 *local, unsigned line)
{
    return (struct wire){.set = set_line, .context = local, .number = line};
}

static uint32_t local_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_bcm2836 *local = bb_container_of(model, struct model_bcm2836, model);
    unsigned core = offset / 4 % 4;

    (void)width;
    if (offset >= MAILBOX_CLEAR)
        return local->mailbox[(offset - MAILBOX_CLEAR) / 4];
    switch (offset & ~0xfu) {
    case TIMER_CONTROL:
        return local->timer_control[core];
    case MAILBOX_CONTROL:
        return local->mailbox_control[core];
    case IRQ_SOURCE:
        return core ? 0 : source(local, false);
    case FIQ_SOURCE:
        return core ? 0 : source(local, true);
    }
    return offset == GPU_ROUTING       ? local->gpu_routing
           : offset == PMU_ROUTING_SET ? local->pmu_routing
           : offset == LOCAL_ROUTING   ? local->local_routing
           : offset == LOCAL_TIMER     ? local->local_timer
                                       : 0;
}

static void local_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_bcm2836 *local = bb_container_of(model, struct model_bcm2836, model);
    unsigned core = offset / 4 % 4;

    (void)width;
    if (offset >= MAILBOX_CLEAR)
        local->mailbox[(offset - MAILBOX_CLEAR) / 4] &= ~value;
    else if (offset >= MAILBOX_SET)
        local->mailbox[(offset - MAILBOX_SET) / 4] |= value;
    else if ((offset & ~0xfu) == TIMER_CONTROL)
        local->timer_control[core] = value;
    else if ((offset & ~0xfu) == MAILBOX_CONTROL)
        local->mailbox_control[core] = value;
    else if (offset == GPU_ROUTING)
        local->gpu_routing = value;
    else if (offset == PMU_ROUTING_SET)
        local->pmu_routing |= value;
    else if (offset == PMU_ROUTING_CLEAR)
        local->pmu_routing &= ~value;
    else if (offset == LOCAL_ROUTING)
        local->local_routing = value;
    else if (offset == LOCAL_TIMER)
        local->local_timer = value;
    update(local);
}

void model_bcm2836_map(struct model_bcm2836 *local, uint64_t base)
{
    local->model = (struct model){
        .name = "bcm2836", .registers = registers, .read = local_read, .write = local_write};
    model_map(&local->model, base, 0x100);
}
