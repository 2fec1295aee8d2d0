/* SPDX-License-Identifier: BSD-2-Clause */
/* console/virtio_console on the model of its device. */
#include "harness.h"

#include <string.h>

#include <busbar/console.h>

#include <tests/models/boards.h>
#include <tests/models/virtio_device.h>

#define CONSOLE VIRT_VIRTIO(1) "/console"

static struct model_virtio model;
static char sent[65536];
static size_t sent_size;

static uint32_t answer(struct model_virtio *device, struct virtio_chain *chain)
{
    (void)device;
    if (chain->queue == 0)
        return VIRTIO_HOLD;
    assert_int_equal(chain->in, 0);
    sent_size +=
        virtio_chain_read(chain, 0, sent + sent_size, (uint32_t)(sizeof sent - 1 - sent_size));
    return 0;
}

static void type(void *context, const struct bb_face *console, char c)
{
    if (strcmp(console->device->driver->name, "console/virtio_console") != 0) {
        board_type(context, console, c);
        return;
    }
    struct virtio_chain *chain = model_virtio_held(&model, 0);
    if (chain)
        model_virtio_use(&model, chain, virtio_chain_write(chain, 0, &c, 1));
}

static void prepare(bool legacy, uint64_t features)
{
    virt_prepare(NULL);
    model = (struct model_virtio){
        .type = 3, .legacy = legacy, .features = features, .queue_max = {16, 64}, .handle = answer};
    model_virtio_attach(&model, 1);
}

static void conforms(bool legacy, uint64_t features)
{
    prepare(legacy, features);
    boot(NULL);
    (void)device_at(CONSOLE);
    conform(type);
}

static void test_split(void **state)
{
    (void)state;
    conforms(false, VIRTIO_SPLIT);
}

static void test_legacy(void **state)
{
    (void)state;
    conforms(true, 0);
}

static void test_packed(void **state)
{
    (void)state;
    conforms(false, VIRTIO_PACKED);
}

static void test_output(void **state)
{
    static char text[2000];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_console *console = face_at(console, CONSOLE);
    sent_size = 0;
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    bb_console_print(console, text, sizeof text);
    assert_int_equal(sent_size, sizeof text);
    assert_memory_equal(sent, text, sizeof text);
}

static void test_device_that_takes_nothing(void **state)
{
    static char text[2000];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_console *console = face_at(console, CONSOLE);
    const struct bb_console_ops *ops = console->face.ops;
    model.handle = NULL;
    int took = bb_console_write(console, text, sizeof text);
    assert_true(took > 0 && took < (int)sizeof text);
    assert_int_equal(bb_console_write(console, text, sizeof text), 0);
    assert_false(ops->idle(console));
    model_virtio_use(&model, model_virtio_held(&model, 1), 0);
    assert_false(ops->idle(console)); /* there is more */
    while (model_virtio_held(&model, 1))
        model_virtio_use(&model, model_virtio_held(&model, 1), 0);
    assert_true(ops->idle(console));
    assert_int_equal(bb_console_write(console, text, sizeof text), took);
}

static void test_input(void **state)
{
    char line[200];
    (void)state;
    prepare(false, VIRTIO_PACKED);
    boot(NULL);
    struct bb_console *console = face_at(console, CONSOLE);
    for (unsigned round = 0; round < 50; round++) {
        struct virtio_chain *chain = model_virtio_held(&model, 0);
        model_virtio_use(&model, chain, virtio_chain_write(chain, 0, "several at once", 15));
        type(NULL, &console->face, '!');
        bb_poll();
        bb_poll();
        assert_int_equal(bb_console_read(console, line, sizeof line), 16);
        assert_memory_equal(line, "several at once!", 16);
    }
}

static void fails(unsigned queue, enum virtio_fault fault)
{
    char reason[200];
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_console *console = face_at(console, CONSOLE);
    model.fault = fault;
    if (queue)
        bb_console_print(console, "x", 1);
    else
        type(NULL, &console->face, 'x');
    for (unsigned i = 0; i < 4; i++) {
        (void)bb_console_write(console, "x", 1);
        bb_poll();
    }
    assert_int_equal(model.status, 0);
    assert_int_equal(bb_console_write(console, "x", 1), -EIO);
    bb_node_reason(console->face.device->node, reason, sizeof reason);
    assert_non_null(strstr(reason, "used "));
    bb_console_printf(NULL, "the others go on\n");
}

static void test_bad_input(void **state)
{
    (void)state;
    fails(0, VIRTIO_LENGTH);
}

static void test_bad_output(void **state)
{
    (void)state;
    fails(1, VIRTIO_ID_RANGE);
}

static void test_needs_reset(void **state)
{
    char line[8];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_console *console = face_at(console, CONSOLE);
    model_virtio_break(&model);
    bb_poll();
    bb_poll();
    assert_int_equal(model.status, 15);
    sent_size = 0;
    bb_console_print(console, "back", 4);
    assert_memory_equal(sent, "back", 4);
    type(NULL, &console->face, 'y');
    bb_poll();
    assert_int_equal(bb_console_read(console, line, sizeof line), 1);
}

/* An interrupt may come at any moment of a restart, and its handler may write. */
static void write_now(void *context)
{
    (void)bb_console_write(context, "interrupt", 9);
}

static struct world_event interrupt;
static uint64_t delay;

static void write_soon(struct model_virtio *device)
{
    (void)device;
    world_at(&interrupt, world_now() + delay);
}

static void test_write_while_it_is_reset(void **state)
{
    static char text[2000];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_console *console = face_at(console, CONSOLE);
    const struct bb_console_ops *ops = console->face.ops;
    interrupt = (struct world_event){.run = write_now, .context = console};
    model.handle = NULL;
    model.was_reset = write_soon;
    for (delay = 1; delay < 2000; delay += 20) {
        model_virtio_break(&model);
        bb_poll();
        bb_poll();
        world_cancel(&interrupt);
        assert_int_equal(model.status, 15);
        while (bb_console_write(console, text, sizeof text) > 0)
            continue;
        unsigned held = 0;
        for (; model_virtio_held(&model, 1); held++)
            model_virtio_use(&model, model_virtio_held(&model, 1), 0);
        assert_int_equal(held, 8);
        assert_true(ops->idle(console));
    }
}

static void test_remove(void **state)
{
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_console *console = face_at(console, CONSOLE);
    bb_face_get(&console->face);
    must_remove(CONSOLE);
    assert_int_equal(model.status, 0);
    assert_int_equal(bb_console_write(console, "x", 1), -ENODEV);
    bb_face_put(&console->face);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_device_that_takes_nothing),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_bad_output),
        cmocka_unit_test(test_needs_reset),
        cmocka_unit_test(test_write_while_it_is_reset),
        cmocka_unit_test(test_remove),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
