/* SPDX-License-Identifier: BSD-2-Clause */
/* irq/gic_v2 and irq/gic_v3 on their models: the same promises of both. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include <busbar/irq.h>
#include <busbar/poll.h>
#include <busbar/rtc.h>
#include <busbar/timer.h>

#include <tests/models/boards.h>

enum { SPI = 0, PPI = 1 };

static struct bb_irq *start(void **state)
{
    virt_prepare(*state);
    boot(NULL);
    return face_at(irq, VIRT_GIC);
}

static void test_specifiers(void **state)
{
    static const struct {
        uint32_t count, cells[4];
        int result;
        uint32_t line;
    } cases[] = {
        {3, {SPI, 0, 4}, 0, 32},        {3, {SPI, 63, 1}, 0, 95},
        {3, {SPI, 64, 4}, -EINVAL, 0},  {3, {SPI, 0xffffffff, 4}, -EINVAL, 0},
        {3, {PPI, 0, 4}, 0, 16},        {3, {PPI, 15, 8}, 0, 31},
        {3, {PPI, 16, 4}, -EINVAL, 0},  {3, {2, 1, 4}, -EINVAL, 0},
        {2, {SPI, 1}, -EINVAL, 0},      {1, {5}, -EINVAL, 0},
        {3, {SPI, 1, 2}, -EINVAL, 0},   {3, {SPI, 1, 8}, -EINVAL, 0},
        {3, {SPI, 1, 3}, -EINVAL, 0},   {3, {PPI, 11, 0xf08}, 0, 27},
        {3, {SPI, 1, 0x5}, -EINVAL, 0},
    };
    struct bb_irq *irq = start(state);
    const struct bb_irq_ops *ops = irq->face.ops;

    for (size_t i = 0; i < BB_ARRAY_SIZE(cases); i++) {
        struct bb_phandle_args args = {.node = irq->face.device->node, .count = cases[i].count};
        enum bb_trigger trigger;
        uint32_t line = 0;

        memcpy(args.cells, cases[i].cells, sizeof cases[i].cells);
        int result = ops->translate(irq, &args, &line, &trigger);
        if (result != cases[i].result || (result == 0 && line != cases[i].line))
            fail_msg("case %zu: %d, line %u", i, result, line);
    }
}

static void test_every_spi(void **state)
{
    struct bb_irq *irq = start(state);
    const struct bb_irq_ops *ops = irq->face.ops;

    for (unsigned id = 40; id < GIC_IDS; id++) {
        bool edge = id % 2;
        uint64_t before = irq->unowned;
        struct wire line = model_gic_wire(virt.gic, id);

        assert_int_equal(ops->enable(irq, id, edge ? BB_TRIGGER_RISING : BB_TRIGGER_HIGH), 0);
        assert_true(virt.gic->edge[id] == edge);
        assert_true(virt.gic->routed[id]);
        /* Nobody owns it: it is counted, masked, and the rest goes on. */
        wire_set(&line, true);
        assert_true(irq->unowned == before + 1);
        assert_false(virt.gic->enabled[id]);
        assert_int_equal(virt.gic->running_count, 0);
        wire_set(&line, false);
    }
    bb_sleep(BB_SEC);
}

static void test_edge_while_masked(void **state)
{
    struct bb_irq *irq = start(state);
    const struct bb_irq_ops *ops = irq->face.ops;
    struct wire line = model_gic_wire(virt.gic, 50);

    assert_int_equal(ops->enable(irq, 50, BB_TRIGGER_RISING), 0);
    uintptr_t masked = bb_arch_irq_save();
    wire_set(&line, true);
    wire_set(&line, false);
    assert_true(irq->unowned == 0);
    bb_arch_irq_restore(masked);
    assert_true(irq->unowned == 1); /* an edge is not lost */
}

static void test_left_by_firmware(void **state)
{
    virt_prepare(*state);
    for (unsigned id = 32; id < GIC_IDS; id++)
        virt.gic->enabled[id] = true;
    boot(NULL);
    for (unsigned id = 32; id < GIC_IDS; id++) {
        bool wanted = id == 32 + VIRT_SPI_PL011 || id == 32 + VIRT_SPI_PL031;
        assert_true(virt.gic->enabled[id] == wanted);
    }
}

static void test_secure_line(void **state)
{
    struct bb_irq *irq = start(state);
    const struct bb_irq_ops *ops = irq->face.ops;

    virt.gic->foreign[50] = true;
    assert_int_equal(ops->enable(irq, 50, BB_TRIGGER_HIGH), -EPERM);
    assert_int_equal(ops->enable(irq, 51, BB_TRIGGER_HIGH), 0);
    ops->disable(irq, 51);
}

/* Two lines at once, and one that comes up while the other is served. */
static void test_two_at_once(void **state)
{
    struct bb_irq *irq = start(state);
    const struct bb_irq_ops *ops = irq->face.ops;
    struct wire first = model_gic_wire(virt.gic, 60), second = model_gic_wire(virt.gic, 61);

    assert_int_equal(ops->enable(irq, 60, BB_TRIGGER_HIGH), 0);
    assert_int_equal(ops->enable(irq, 61, BB_TRIGGER_HIGH), 0);
    uintptr_t masked = bb_arch_irq_save();
    wire_set(&first, true);
    wire_set(&second, true);
    bb_arch_irq_restore(masked);
    assert_true(irq->unowned == 2);
    assert_int_equal(virt.gic->running_count, 0);
}

static void test_remove(void **state)
{
    struct bb_irq *irq = start(state);

    assert_int_equal(bb_device_remove(irq->face.device), -EBUSY); /* others need it */
    must_remove(VIRT_PL011);
    must_remove(VIRT_PL031);
    must_remove(VIRT_TIMER);
    must_remove(VIRT_GIC);
    assert_false(virt.gic->group1_on || virt.gic->group0_on);
    assert_true(boards_are_quiet());
}

static void test_sleeping_redistributor(void **state)
{
    struct virt_options options = {.gic_version = 3, .cpu = 1};

    (void)state;
    virt_prepare(&options);
    bb_host_cpu.mpidr = 0x80000005; /* a CPU that no redistributor names */
    boot(NULL);
    must_fail(VIRT_GIC, -ENODEV, NULL);
    must_fail(VIRT_TIMER, -ENODEV, NULL); /* it waits for its interrupts */
    (void)device_at(VIRT_PL031);          /* and this one does without an alarm */
    assert_int_equal(bb_rtc_set_alarm(face_at(rtc, VIRT_PL031), 1, NULL, NULL), -ENOTSUP);
}

int main(void)
{
    static const struct virt_options v2, v3 = {.gic_version = 3},
                                         v3_cpu_1 = {.gic_version = 3, .cpu = 1};
    static const struct {
        const char *name;
        CMUnitTestFunction test;
    } both[] = {
        {"specifiers", test_specifiers},
        {"every SPI", test_every_spi},
        {"edge while masked", test_edge_while_masked},
        {"left by firmware", test_left_by_firmware},
        {"secure line", test_secure_line},
        {"two at once", test_two_at_once},
        {"remove", test_remove},
    };
    static const struct {
        const char *name;
        const struct virt_options *options;
    } versions[] = {{"v2", &v2}, {"v3", &v3}, {"v3 on CPU 1", &v3_cpu_1}};
    struct CMUnitTest tests[BB_ARRAY_SIZE(both) * BB_ARRAY_SIZE(versions) + 1];
    char names[BB_ARRAY_SIZE(tests)][40];
    size_t count = 0;

    for (size_t v = 0; v < BB_ARRAY_SIZE(versions); v++) {
        for (size_t i = 0; i < BB_ARRAY_SIZE(both); i++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", versions[v].name, both[i].name);
            tests[count] = (struct CMUnitTest){names[count], both[i].test, NULL, NULL,
                                               (void *)(uintptr_t)versions[v].options};
        }
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_sleeping_redistributor);
    return run_apart(tests, count);
}
