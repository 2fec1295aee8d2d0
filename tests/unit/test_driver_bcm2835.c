/* SPDX-License-Identifier: BSD-2-Clause */
/* mailbox/bcm2835 and firmware/raspberrypi on the mailbox model. */
#include "harness.h"

#include <busbar/firmware.h>
#include <busbar/mailbox.h>
#include <busbar/poll.h>
#include <busbar/store.h>

#include <tests/models/boards.h>

#define BOUND (10 * BB_MSEC)
enum { GET_TEMPERATURE = 0x30006, GET_BOARD_REVISION = 0x10002, UNKNOWN = 0x7fff0 };

static struct bb_mailbox *start(void)
{
    pi_prepare(NULL);
    boot(NULL);
    return face_at(mailbox, PI_MAILBOX);
}

static void test_words(void **state)
{
    struct bb_mailbox *mailbox = start();
    uint32_t word;

    (void)state;
    assert_int_equal(mailbox->channels, 16);
    assert_int_equal(bb_mailbox_receive(mailbox, 3, &word), -EAGAIN);
    /* Words for two channels, the wanted one last: both are kept apart. */
    model_vc_mailbox_post(&pi.mailbox, 0x11111103);
    model_vc_mailbox_post(&pi.mailbox, 0x22222204);
    assert_int_equal(bb_mailbox_receive(mailbox, 4, &word), 0);
    assert_int_equal(word, 0x22222200);
    assert_int_equal(bb_mailbox_receive(mailbox, 3, &word), 0);
    assert_int_equal(word, 0x11111100);
    assert_int_equal(bb_mailbox_receive(mailbox, 3, &word), -EAGAIN);
    assert_int_equal(bb_mailbox_send(mailbox, 3, 0x12345601, BOUND), -EINVAL);
    assert_int_equal(pi.mailbox.in_count, 0);
}

static void answer_late(void *context)
{
    (void)context;
    model_vc_mailbox_post(&pi.mailbox, 0x22222204);
    model_vc_mailbox_post(&pi.mailbox, 0x33333303);
}

static void test_call(void **state)
{
    struct bb_mailbox *mailbox = start();
    struct world_event late = {.run = answer_late};
    uint32_t word;

    (void)state;
    model_vc_mailbox_post(&pi.mailbox, 0x11111103); /* of an earlier call */
    world_at(&late, world_now() + BB_MSEC);
    assert_int_equal(bb_mailbox_call(mailbox, 3, 0x10, BOUND, &word), 0);
    assert_int_equal(word, 0x33333300);
    assert_int_equal(bb_mailbox_receive(mailbox, 4, &word), 0);
    assert_int_equal(word, 0x22222200);
}

static void test_interrupt_left_on(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.mailbox.config = 1;
    boot(NULL);
    (void)device_at(PI_MAILBOX);
    assert_int_equal(pi.mailbox.config, 0);
}

static void test_flood(void **state)
{
    struct bb_mailbox *mailbox = start();
    uint32_t word;

    (void)state;
    for (uint32_t i = 0; i < VC_FIFO; i++)
        model_vc_mailbox_post(&pi.mailbox, i << 4 | 5);
    assert_int_equal(bb_mailbox_receive(mailbox, 6, &word), -EAGAIN);
    assert_int_equal(bb_mailbox_receive(mailbox, 5, &word), 0);
    assert_non_null(bb_value_find("mailbox@7e00b880.dropped"));
}

static void test_full(void **state)
{
    struct bb_mailbox *mailbox = start();
    uint32_t word;

    (void)state;
    pi.mailbox.mode = VC_STUCK;
    uint64_t begin = bb_time();
    assert_int_equal(bb_mailbox_send(mailbox, 8, 0x10, BOUND), -ETIMEDOUT);
    assert_int_equal(bb_mailbox_call(mailbox, 8, 0x10, BOUND, &word), -ETIMEDOUT);
    assert_true(bb_time() - begin >= 2 * BOUND && bb_time() - begin < 3 * BOUND);
}

/* What the firmware driver makes of each way in which an answer can be wrong. */
static const struct {
    enum vc_mode mode;
    int result;
    const char *name;
} modes[] = {
    {VC_HONEST, 8, "honest"},
    {VC_SILENT, -ETIMEDOUT, "silent"},
    {VC_STUCK, -ETIMEDOUT, "stuck"},
    {VC_LONG, -EPROTO, "too long"},
    {VC_SHORT, -ENOTSUP, "no length"},
    {VC_ODD, 3, "odd length"},
    {VC_ERROR, -EIO, "failure code"},
    {VC_UNANSWERED, -EPROTO, "no code"},
    {VC_OTHER_FIRST, 8, "another channel first"},
    {VC_STALE, 8, "stale answer first"},
    {VC_WRONG_WORD, -EPROTO, "another buffer"},
};

static int temperature(struct bb_firmware *firmware, uint32_t *millicelsius)
{
    uint32_t words[2] = {0};
    int got = bb_firmware_call(firmware, GET_TEMPERATURE, words, 4, sizeof words);

    *millicelsius = words[1];
    return got;
}

static void test_answers(void **state)
{
    uint32_t value;

    (void)state;
    start();
    struct bb_firmware *firmware = face_at(firmware, PI_FIRMWARE);
    for (size_t i = 0; i < BB_ARRAY_SIZE(modes); i++) {
        if (modes[i].mode == VC_SILENT || modes[i].mode == VC_STUCK)
            continue;
        pi.mailbox.mode = modes[i].mode;
        int got = temperature(firmware, &value);
        if (got != modes[i].result)
            fail_msg("%s: %d instead of %d", modes[i].name, got, modes[i].result);
        pi.mailbox.mode = VC_HONEST;
        assert_int_equal(temperature(firmware, &value), 8); /* and it goes on */
        assert_int_equal(value, 25000);
    }
}

static void test_probe_survives(void **state)
{
    size_t index = (size_t)(uintptr_t)*state;

    pi_prepare(NULL);
    pi.mailbox.mode = modes[index].mode;
    boot(NULL);
    if (modes[index].result == 8) {
        (void)device_at(PI_FIRMWARE);
        (void)device_at(PI_BOARD);
    } else {
        must_fail(PI_FIRMWARE, 0, NULL);
        assert_null(bb_node_find(PI_BOARD));
    }
    (void)device_at(PI_GPIO); /* the rest goes on */
    (void)device_at(PI_RNG);
}

static void test_late_answer(void **state)
{
    uint32_t value = 0;

    (void)state;
    start();
    struct bb_firmware *firmware = face_at(firmware, PI_FIRMWARE);
    pi.mailbox.latency = 5 * BB_SEC;
    assert_int_equal(temperature(firmware, &value), -ETIMEDOUT);
    bb_sleep(6 * BB_SEC); /* now it has come, and nobody waits for it */
    pi.mailbox.latency = 20 * BB_USEC;
    assert_int_equal(temperature(firmware, &value), 8);
    assert_int_equal(value, 25000);
}

/* A message is not used again before its answer, however late. */
static void test_late_answers(void **state)
{
    uint32_t value = 0;

    (void)state;
    start();
    struct bb_firmware *firmware = face_at(firmware, PI_FIRMWARE);
    pi.mailbox.latency = 10 * BB_SEC;
    assert_int_equal(temperature(firmware, &value), -ETIMEDOUT);
    assert_int_equal(temperature(firmware, &value), -ETIMEDOUT);
    uint64_t begin = bb_time();
    assert_int_equal(temperature(firmware, &value), -EBUSY);
    assert_true(bb_time() - begin < BB_MSEC);
    assert_int_equal(pi.mailbox.in_count, 2); /* nothing more was asked */
    bb_sleep(9 * BB_SEC);                     /* the first answer has come */
    pi.mailbox.latency = 20 * BB_USEC;
    assert_int_equal(temperature(firmware, &value), -ETIMEDOUT); /* behind the second */
    bb_sleep(20 * BB_SEC);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(temperature(firmware, &value), 8);
        assert_int_equal(value, 25000);
    }
}

static void test_full_then_free(void **state)
{
    uint32_t value = 0;

    (void)state;
    start();
    struct bb_firmware *firmware = face_at(firmware, PI_FIRMWARE);
    pi.mailbox.mode = VC_STUCK;
    assert_int_equal(temperature(firmware, &value), -ETIMEDOUT);
    pi.mailbox.mode = VC_HONEST;
    assert_int_equal(temperature(firmware, &value), 8);
}

static void test_lengths(void **state)
{
    uint32_t words[BB_FIRMWARE_MAX / 4] = {0};

    (void)state;
    start();
    struct bb_firmware *firmware = face_at(firmware, PI_FIRMWARE);
    assert_int_equal(bb_firmware_call(firmware, GET_BOARD_REVISION, words, 0, sizeof words), 4);
    assert_int_equal(words[0], 0xa02082);
    assert_int_equal(bb_firmware_call(firmware, 0x10003, words, 0, 8), 6);
    assert_int_equal(bb_firmware_call(firmware, 0x10003, words, 0, 4), -EPROTO);
    assert_int_equal(bb_firmware_call(firmware, UNKNOWN, words, 0, 0), -ENOTSUP);
}

static void test_bus(void **state)
{
    (void)state;
    world_start(1000000000);
    tree_begin(1, 1);
    tree_device("speaks", "nobody,knows");
    tree_cells("mboxes", 7, 0);
    tree_cells("phandle", 1);
    tree_open("child");
    tree_close();
    tree_close();
    tree_open("silent");
    tree_cells("phandle", 2);
    tree_close();
    for (uint32_t i = 1; i <= 3; i++) { /* 3: no such phandle */
        tree_open(i == 1 ? "one" : i == 2 ? "two" : "three");
        tree_cells("firmware", i);
        tree_close();
    }
    tree_open("text");
    tree_strings("firmware", "psci.bin");
    tree_close();
    boot_tree(NULL);
    assert_true(bb_mailbox_bus.claims(bb_node_find("/speaks/child")));
    assert_true(bb_mailbox_bus.claims(bb_node_find("/one")));
    assert_false(bb_mailbox_bus.claims(bb_node_find("/two")));
    assert_false(bb_mailbox_bus.claims(bb_node_find("/three")));
    assert_false(bb_mailbox_bus.claims(bb_node_find("/text")));
    assert_false(bb_mailbox_bus.claims(bb_node_root()));
}

static void test_far_memory(void **state)
{
    (void)state;
    pi_prepare(&(struct pi_options){.far_memory = true});
    boot(NULL);
    must_fail(PI_FIRMWARE, -ENXIO, "dma-ranges");
}

int main(void)
{
    struct CMUnitTest tests[12 + BB_ARRAY_SIZE(modes)] = {
        cmocka_unit_test(test_call),         cmocka_unit_test(test_interrupt_left_on),
        cmocka_unit_test(test_words),        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_full),         cmocka_unit_test(test_answers),
        cmocka_unit_test(test_late_answer),  cmocka_unit_test(test_full_then_free),
        cmocka_unit_test(test_lengths),      cmocka_unit_test(test_far_memory),
        cmocka_unit_test(test_late_answers), cmocka_unit_test(test_bus),
    };
    for (size_t i = 0; i < BB_ARRAY_SIZE(modes); i++)
        tests[12 + i] = (struct CMUnitTest){modes[i].name, test_probe_survives, NULL, NULL,
                                            (void *)(uintptr_t)i};
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
