/* SPDX-License-Identifier: BSD-2-Clause */
/* irq/bcm2836 and, behind it, irq/bcm2835 on their models. */
#include "harness.h"

#include <busbar/irq.h>
#include <busbar/poll.h>

#include <tests/models/boards.h>

static void start(void)
{
    pi_prepare(NULL);
    boot(NULL);
}

static int translate(struct bb_irq *irq, uint32_t count, uint32_t first, uint32_t second,
                     uint32_t *line)
{
    const struct bb_irq_ops *ops = irq->face.ops;
    struct bb_phandle_args args = {
        .node = irq->face.device->node, .count = count, .cells = {first, second}};
    enum bb_trigger trigger;

    return ops->translate(irq, &args, line, &trigger);
}

static void test_specifiers(void **state)
{
    uint32_t line;

    (void)state;
    start();
    struct bb_irq *local = face_at(irq, PI_LOCAL), *armctrl = face_at(irq, PI_ARMCTRL);
    assert_int_equal(translate(local, 2, 11, 4, &line), 0);
    assert_int_equal(line, 11);
    assert_int_equal(translate(local, 2, 12, 4, &line), -EINVAL);
    assert_int_equal(translate(local, 0, 0, 0, &line), -EINVAL);
    assert_int_equal(translate(armctrl, 2, 0, 7, &line), 0);
    assert_int_equal(translate(armctrl, 2, 0, 8, &line), -EINVAL);
    assert_int_equal(translate(armctrl, 2, 2, 31, &line), 0);
    assert_int_equal(translate(armctrl, 2, 1, 32, &line), -EINVAL);
    assert_int_equal(translate(armctrl, 2, 3, 0, &line), -EINVAL);
    assert_int_equal(translate(armctrl, 1, 1, 0, &line), -EINVAL);
}

/* Every line of every bank, with the short cuts of the basic register among them. */
static void test_every_line(void **state)
{
    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_ARMCTRL);
    const struct bb_irq_ops *ops = irq->face.ops;

    for (unsigned bank = 0; bank < 3; bank++) {
        for (unsigned number = 0; number < (bank ? 32u : 8u); number++) {
            struct wire wire = model_armctrl_wire(&pi.armctrl, bank, number);
            uint64_t before = irq->unowned;
            uint32_t line;

            if (pi.armctrl.enabled[bank] & 1u << number)
                continue; /* a device's */
            assert_int_equal(translate(irq, 2, bank, number, &line), 0);
            assert_int_equal(ops->enable(irq, line, BB_TRIGGER_HIGH), 0);
            assert_true(pi.armctrl.enabled[bank] & 1u << number);
            wire_set(&wire, true);
            if (irq->unowned != before + 1)
                fail_msg("bank %u, line %u was not delivered", bank, number);
            assert_false(pi.armctrl.enabled[bank] & 1u << number);
            wire_set(&wire, false);
        }
    }
    bb_sleep(BB_SEC);
}

static void test_together(void **state)
{
    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_ARMCTRL);
    const struct bb_irq_ops *ops = irq->face.ops;
    /* A short cut, its neighbours in both banks, and a basic line. */
    static const struct {
        unsigned bank, line;
    } lines[] = {{1, 7}, {1, 8}, {2, 21}, {2, 0}, {0, 3}};
    uintptr_t masked = bb_arch_irq_save();

    for (size_t i = 0; i < BB_ARRAY_SIZE(lines); i++) {
        struct wire wire = model_armctrl_wire(&pi.armctrl, lines[i].bank, lines[i].line);
        uint32_t line;
        assert_int_equal(translate(irq, 2, lines[i].bank, lines[i].line, &line), 0);
        assert_int_equal(ops->enable(irq, line, BB_TRIGGER_HIGH), 0);
        wire_set(&wire, true);
    }
    bb_arch_irq_restore(masked);
    bb_sleep(BB_MSEC);
    assert_true(irq->unowned == BB_ARRAY_SIZE(lines));
}

static void test_left_by_firmware(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.armctrl.enabled[0] = 0xff;
    pi.armctrl.enabled[1] = pi.armctrl.enabled[2] = ~0u;
    pi.armctrl.fiq = 0x80 | 9;
    pi.local.timer_control[0] = 0xff;
    pi.local.mailbox_control[0] = 0xff;
    boot(NULL);
    assert_int_equal(pi.armctrl.enabled[0], 0);
    /* AUX, two channels of DMA, USB and the system timer; SDHOST, PL011 and the pins */
    assert_int_equal(pi.armctrl.enabled[1], 1u << 29 | 1u << 18 | 1u << 16 | 1u << 9 | 1u << 3);
    assert_int_equal(pi.armctrl.enabled[2], 1u << 24 | 1u << 25 | 7u << 17);
    assert_int_equal(pi.armctrl.fiq & 0x80, 0);
    assert_int_equal(pi.local.timer_control[0], 1 << 3); /* the virtual timer */
    assert_int_equal(pi.local.mailbox_control[0], 0);
    assert_int_equal(pi.local.gpu_routing & 3, 0);
}

/* The sources that have their own switch. */
static void test_local_lines(void **state)
{
    static const unsigned lines[] = {0, 1, 2, 9};

    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_LOCAL);
    const struct bb_irq_ops *ops = irq->face.ops;

    for (size_t i = 0; i < BB_ARRAY_SIZE(lines); i++) {
        struct wire wire = model_bcm2836_wire(&pi.local, lines[i]);
        uint64_t before = irq->unowned;
        wire_set(&wire, true);
        assert_true(irq->unowned == before);
        assert_int_equal(ops->enable(irq, lines[i], BB_TRIGGER_HIGH), 0);
        (void)bb_time(); /* whatever is up comes now */
        assert_true(irq->unowned == before + 1);
        bb_sleep(BB_MSEC);
        assert_true(irq->unowned == before + 1);
        wire_set(&wire, false);
    }
    assert_int_equal(ops->enable(irq, 10, BB_TRIGGER_HIGH), -EINVAL); /* AXI */
    assert_int_equal(pi.local.timer_control[0], 1 << 3);
    assert_int_equal(pi.local.pmu_routing, 0);
    pi.local.local_routing = 7;
    assert_int_equal(ops->enable(irq, 11, BB_TRIGGER_HIGH), 0);
    assert_int_equal(pi.local.local_routing, 0);
    pi.local.local_timer = 1u << 29 | 5;
    ops->disable(irq, 11);
    assert_int_equal(pi.local.local_timer, 5);
}

/* The GPU's line has no mask: nobody's, it goes to a core that sleeps. */
static void test_unowned_gpu(void **state)
{
    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_LOCAL);
    const struct bb_irq_ops *ops = irq->face.ops;

    pi.local.gpu_routing = 2;
    assert_int_equal(ops->enable(irq, 8, BB_TRIGGER_HIGH), 0);
    assert_int_equal(pi.local.gpu_routing & 3, 0);
    ops->disable(irq, 8);
    assert_int_not_equal(pi.local.gpu_routing & 3, 0);
}

static void test_local_mailbox(void **state)
{
    (void)state;
    start();
    struct bb_irq *irq = face_at(irq, PI_LOCAL);
    const struct bb_irq_ops *ops = irq->face.ops;

    assert_int_equal(ops->enable(irq, 6, BB_TRIGGER_HIGH), 0);
    assert_int_equal(pi.local.mailbox_control[0], 1 << 2);
    bb_arch_write32(0x40000088, 1); /* another core writes to core 0's mailbox 2 */
    assert_true(irq->unowned == 1);
    assert_int_equal(pi.local.mailbox_control[0], 0);
}

/* As on the first Raspberry Pi, where nothing stands between armctrl and the CPU. */
static void test_armctrl_is_root(void **state)
{
    (void)state;
    world_start(1000000);
    model_armctrl_map(&pi.armctrl, 0x2000b200);
    pi.armctrl.irq = (struct wire){.set = world_interrupt};
    tree_begin(1, 1);
    tree_device("interrupt-controller@2000b200", "brcm,bcm2835-armctrl-ic");
    tree_cells("reg", 0x2000b200, 0x200);
    tree_flag("interrupt-controller");
    tree_cells("#interrupt-cells", 2);
    tree_close();
    boot(NULL);
    struct bb_irq *irq = face_at(irq, "/interrupt-controller@2000b200");
    const struct bb_irq_ops *ops = irq->face.ops;
    struct wire wire = model_armctrl_wire(&pi.armctrl, 2, 25);

    assert_int_equal(ops->enable(irq, 64 + 25, BB_TRIGGER_HIGH), 0);
    wire_set(&wire, true);
    assert_true(irq->unowned == 1);
    assert_int_equal(pi.armctrl.enabled[2], 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specifiers),    cmocka_unit_test(test_every_line),
        cmocka_unit_test(test_together),      cmocka_unit_test(test_left_by_firmware),
        cmocka_unit_test(test_local_mailbox), cmocka_unit_test(test_local_lines),
        cmocka_unit_test(test_unowned_gpu),   cmocka_unit_test(test_armctrl_is_root),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
