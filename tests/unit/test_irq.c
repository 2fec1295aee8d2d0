/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts: who gets which line, with a controller that only takes notes. */
#include <string.h>

#include <busbar/hooks.h>
#include <busbar/irq.h>
#include <busbar/log.h>
#include <busbar/mmio.h>
#include <busbar/poll.h>
#include <busbar/store.h>
#include <core/core.h>

#include "harness.h"

extern int bb_fault_at;

/* ---- A controller of 64 lines: cells are line and flags ---- */

struct chip {
    struct bb_device device;
    struct bb_irq irq;
};

static struct {
    unsigned enables[64], disables[64];
    enum bb_trigger trigger[64];
    uint32_t pending[4]; /* what dispatch delivers */
    size_t pending_count;
    int enable_error;
} notes;

static int chip_translate(struct bb_irq *irq, const struct bb_phandle_args *args, uint32_t *line,
                          enum bb_trigger *trigger)
{
    (void)irq;
    if (args->count != 2 || args->cells[0] >= 64)
        return -EINVAL;
    *line = args->cells[0];
    *trigger = (enum bb_trigger)args->cells[1];
    return 0;
}

static int chip_enable(struct bb_irq *irq, uint32_t line, enum bb_trigger trigger)
{
    (void)irq;
    if (notes.enable_error)
        return notes.enable_error;
    notes.enables[line]++;
    notes.trigger[line] = trigger;
    return 0;
}

static void chip_disable(struct bb_irq *irq, uint32_t line)
{
    (void)irq;
    notes.disables[line]++;
}

static void chip_dispatch(struct bb_irq *irq)
{
    while (notes.pending_count > 0)
        bb_irq_deliver(irq, notes.pending[--notes.pending_count]);
}

static int chip_probe(struct bb_device *device)
{
    return bb_irq_set_root(&bb_container_of(device, struct chip, device)->irq);
}

const struct bb_irq_ops bb_ops_irq_chip = {
    .translate = chip_translate,
    .enable = chip_enable,
    .disable = chip_disable,
    .dispatch = chip_dispatch,
};
BB_DRIVER(irq, chip, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,chip"}), .probe = chip_probe);

/* ---- A device with one interrupt ---- */

struct user {
    struct bb_device device;
    struct bb_interrupt interrupt;
    unsigned handled;
    struct bb_device *at_work;
};

static void user_interrupt(struct bb_interrupt *interrupt)
{
    struct user *user = bb_container_of(interrupt, struct user, interrupt);
    user->handled++;
    user->at_work = bb_device_current();
}

static int user_probe(struct bb_device *device)
{
    struct user *user = bb_container_of(device, struct user, device);
    return bb_interrupt_get(device, 0, user_interrupt, &user->interrupt);
}

static const struct bb_driver user_driver = {
    .name = "test/user",
    .bus = &bb_mmio_bus,
    .match = BB_MATCH({"test,user"}),
    .state_size = sizeof(struct user),
    .needs = BB_CLASSES(&bb_class_irq),
    .probe = user_probe,
};

static const struct bb_driver *const drivers[] = {&bb_driver_irq_chip, &user_driver};

/* ---- The machine ---- */

static void add_user(const char *name, uint32_t line, uint32_t flags)
{
    tree_device(name, "test,user");
    tree_cells("interrupts", line, flags);
    tree_close();
}

/* A tree with everything; nothing is bound yet. */
static void start(void)
{
    tree_begin(1, 1);
    tree_cells("interrupt-parent", 1);
    tree_device("chip", "test,chip");
    tree_flag("interrupt-controller");
    tree_cells("#interrupt-cells", 2);
    tree_cells("phandle", 1);
    tree_close();
    add_user("five", 5, BB_TRIGGER_HIGH);
    add_user("five-too", 5, BB_TRIGGER_HIGH);
    add_user("edge-on-five", 5, BB_TRIGGER_RISING);
    add_user("same-bucket", 5 + BB_IRQ_BUCKETS, BB_TRIGGER_RISING);
    add_user("wrong", 64, BB_TRIGGER_HIGH);
    boot_tree(NULL);
    bb_binder = (struct bb_binder){drivers, BB_ARRAY_SIZE(drivers), false};
}

static struct user *user_at(const char *path)
{
    return bb_container_of(device_at(path), struct user, device);
}

static struct bb_irq *chip_irq(void)
{
    assert_non_null(bb_irq_first());
    return bb_irq_first();
}

static void test_a_line_reaches_its_owner(void **state)
{
    (void)state;
    start();
    bb_bind_all();
    struct user *five = user_at("/five"), *other = user_at("/same-bucket");
    assert_int_equal(notes.enables[5], 1);
    assert_int_equal(notes.trigger[5], BB_TRIGGER_HIGH);
    assert_int_equal(notes.trigger[5 + BB_IRQ_BUCKETS], BB_TRIGGER_RISING);
    bb_irq_deliver(chip_irq(), 5 + BB_IRQ_BUCKETS);
    assert_int_equal(five->handled, 0);
    assert_int_equal(other->handled, 1);
    assert_int_equal(other->interrupt.count, 1);
    assert_ptr_equal(other->at_work, &other->device);
    assert_null(bb_device_current());
}

static void test_a_line_may_be_shared(void **state)
{
    (void)state;
    start();
    bb_bind_all();
    struct user *five = user_at("/five"), *too = user_at("/five-too");
    bb_irq_deliver(chip_irq(), 5);
    assert_int_equal(five->handled, 1);
    assert_int_equal(too->handled, 1);
    assert_int_equal(notes.enables[5], 1);
    must_remove("/five");
    assert_int_equal(notes.disables[5], 0);
    bb_irq_deliver(chip_irq(), 5);
    assert_int_equal(five->handled, 1);
    assert_int_equal(too->handled, 2);
    must_remove("/five-too");
    assert_int_equal(notes.disables[5], 1);
}

static void test_sharers_agree_on_the_trigger(void **state)
{
    (void)state;
    start();
    bb_bind_all();
    must_fail("/edge-on-five", -EBUSY, "irq");
}

static void test_a_wrong_specifier_is_refused(void **state)
{
    (void)state;
    start();
    bb_bind_all();
    must_fail("/wrong", -EINVAL, "interrupts");
}

static void test_nobody_owns_it(void **state)
{
    (void)state;
    start();
    bb_bind_all();
    struct bb_log_entry entry = {.sequence = 0};
    bb_irq_deliver(chip_irq(), 9);
    assert_int_equal(chip_irq()->unowned, 1);
    assert_int_equal(notes.disables[9], 1);
    bool named = false;
    for (uint32_t i = 0; bb_log_read(i, &entry); i = entry.sequence + 1)
        named |= strstr(entry.text, "chip: interrupt 9") != NULL;
    assert_true(named);
    const struct bb_value *value = bb_value_find("chip.unowned");
    assert_non_null(value);
    assert_int_equal(*(const uint64_t *)value->pointer, 1);
}

static void test_a_line_that_never_goes_quiet(void **state)
{
    (void)state;
    start();
    bb_bind_all();
    struct user *five = user_at("/five");
    bb_poll();
    for (unsigned i = 0; i < 300000; i++) { /* often, but the program goes on */
        bb_irq_deliver(chip_irq(), 5 + BB_IRQ_BUCKETS);
        if (i % 10000 == 0)
            bb_poll();
    }
    assert_int_equal(notes.disables[5 + BB_IRQ_BUCKETS], 0);
    unsigned before = five->handled;
    while (!notes.disables[5] && five->handled < 1000000)
        bb_irq_deliver(chip_irq(), 5);
    assert_in_range(five->handled - before, 50000, 100000);
    assert_int_equal(notes.disables[5], 1);
    assert_int_equal(chip_irq()->stuck, 1);
    bb_poll();
    assert_int_equal(logged("chip: interrupt 5 never goes quiet"), 1);
    assert_non_null(bb_value_find("chip.stuck"));
    bb_irq_deliver(chip_irq(), 5 + BB_IRQ_BUCKETS);
    assert_int_equal(user_at("/same-bucket")->handled, 300001);
}

static void test_the_root_dispatches(void **state)
{
    (void)state;
    start();
    bb_bind_all();
    notes.pending[0] = 5;
    notes.pending[1] = 5 + BB_IRQ_BUCKETS;
    notes.pending_count = 2;
    bb_interrupt_entry();
    assert_int_equal(user_at("/five")->handled, 1);
    assert_int_equal(user_at("/same-bucket")->handled, 1);
    assert_int_equal(bb_irq_set_root(chip_irq()), -EEXIST);
}

static void test_the_root_leaves(void **state)
{
    (void)state;
    start();
    assert_int_equal(bb_bind(bb_node_find("/chip")), 0);
    struct bb_irq *irq = chip_irq();
    assert_non_null(bb_hooks.interrupt);
    must_remove("/chip");
    assert_null(bb_hooks.interrupt);
    const struct bb_irq_ops *ops = irq->face.ops;
    assert_int_equal(ops->enable(irq, 1, BB_TRIGGER_HIGH), -ENODEV);
}

static void test_a_line_that_cannot_be_enabled(void **state)
{
    (void)state;
    start();
    notes.enable_error = -EIO;
    bb_bind_all();
    must_fail("/five", -EIO, "irq");
    bb_irq_deliver(chip_irq(), 5);
    assert_int_equal(chip_irq()->unowned, 1);
}

static void test_a_fault_leaves_nothing_behind(void **state)
{
    (void)state;
    start();
    assert_int_equal(bb_bind(bb_node_find("/chip")), 0);
    bb_fault_at = 1;
    assert_int_equal(bb_bind(bb_node_find("/five")), -ENOMEM);
    /* Either nothing was enabled yet, or it was disabled again. */
    assert_int_equal(notes.enables[5], notes.disables[5]);
    for (size_t i = 0; i < BB_IRQ_BUCKETS; i++)
        assert_null(chip_irq()->buckets[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_reaches_its_owner),
        cmocka_unit_test(test_a_line_may_be_shared),
        cmocka_unit_test(test_sharers_agree_on_the_trigger),
        cmocka_unit_test(test_a_wrong_specifier_is_refused),
        cmocka_unit_test(test_nobody_owns_it),
        cmocka_unit_test(test_a_line_that_never_goes_quiet),
        cmocka_unit_test(test_the_root_dispatches),
        cmocka_unit_test(test_the_root_leaves),
        cmocka_unit_test(test_a_line_that_cannot_be_enabled),
        cmocka_unit_test(test_a_fault_leaves_nothing_behind),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
