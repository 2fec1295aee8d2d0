/* SPDX-License-Identifier: BSD-2-Clause */
/* entropy/bcm2835_rng and entropy/arm_rndr on their models. */
#include "harness.h"

#include <busbar/entropy.h>
#include <busbar/poll.h>

#include <tests/models/boards.h>

static void test_rng_start(void **state)
{
    uint8_t buffer[64];

    (void)state;
    pi_prepare(NULL);
    pi.rng.dead = true; /* for a while */
    boot(NULL);
    struct bb_entropy *entropy = face_at(entropy, PI_RNG);

    assert_int_equal(pi.rng.control & 1, 1);
    assert_true(pi.rng.warm_up >= 0x40000);
    assert_int_equal(bb_entropy_read(entropy, buffer, sizeof buffer), 0);
    pi.rng.dead = false;
    bb_sleep(BB_SEC);
    int got = bb_entropy_read(entropy, buffer, sizeof buffer);
    assert_true(got >= 16 && got <= (int)sizeof buffer);
    assert_int_equal(bb_random(buffer, sizeof buffer, BB_SEC), 0);
}

static void test_rng_left_running(void **state)
{
    (void)state;
    pi_prepare(NULL);
    pi.rng.control = 1;
    pi.rng.warm_up = 0x40000;
    boot(NULL);
    (void)device_at(PI_RNG);
}

static void test_rng_dead(void **state)
{
    uint8_t buffer[8];

    (void)state;
    pi_prepare(NULL);
    pi.rng.dead = true;
    boot(NULL);
    bb_sleep(BB_SEC);
    assert_int_equal(bb_entropy_read(face_at(entropy, PI_RNG), buffer, sizeof buffer), 0);
    uint64_t begin = bb_time();
    assert_int_equal(bb_random(buffer, sizeof buffer, 100 * BB_MSEC), -ETIMEDOUT);
    assert_true(bb_time() - begin < BB_SEC);
}

static void test_rng_remove(void **state)
{
    uint8_t buffer[8];

    (void)state;
    pi_prepare(NULL);
    boot(NULL);
    struct bb_entropy *entropy = face_at(entropy, PI_RNG);
    bb_face_get(&entropy->face);
    must_remove(PI_RNG);
    assert_int_equal(pi.rng.control & 1, 0);
    assert_int_equal(bb_entropy_read(entropy, buffer, sizeof buffer), -ENODEV);
    assert_int_equal(bb_random(buffer, sizeof buffer, BB_MSEC), -ENODEV);
    bb_face_put(&entropy->face);
}

static unsigned left; /* values until RNDR runs dry */

static bool rndr(void *context, uint64_t *value)
{
    (void)context;
    *value = 0x0102030405060708u * left;
    return left && left--;
}

static void write_rndr(bool there)
{
    world_start(62500000);
    bb_host_cpu.random = there ? rndr : NULL;
    tree_begin(2, 2);
    tree_device("rndr", "busbar,arm-rndr");
    tree_close();
    boot(NULL);
}

static void test_rndr(void **state)
{
    uint8_t buffer[21] = {0};

    (void)state;
    write_rndr(true);
    struct bb_entropy *entropy = face_at(entropy, "/rndr");
    left = 2;
    assert_int_equal(bb_entropy_read(entropy, buffer, 20), 16); /* it ran dry */
    assert_int_equal(bb_entropy_read(entropy, buffer, 20), 0);
    left = 3;
    assert_int_equal(bb_entropy_read(entropy, buffer, 20), 20);
    assert_int_equal(buffer[20], 0);
    left = 1000;
    conform(NULL);
}

static void test_no_rndr(void **state)
{
    (void)state;
    write_rndr(false);
    must_fail("/rndr", -ENOSYS, "FEAT_RNG");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_start), cmocka_unit_test(test_rng_left_running),
        cmocka_unit_test(test_rng_dead),  cmocka_unit_test(test_rng_remove),
        cmocka_unit_test(test_rndr),      cmocka_unit_test(test_no_rndr),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
