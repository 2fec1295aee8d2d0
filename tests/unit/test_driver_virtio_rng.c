/* SPDX-License-Identifier: BSD-2-Clause */
/* entropy/virtio_rng on the model of its device. */
#include "harness.h"

#include <string.h>

#include <busbar/entropy.h>
#include <busbar/poll.h>

#include <tests/models/boards.h>
#include <tests/models/virtio_device.h>

#define RNG VIRT_VIRTIO(3) "/entropy"

static struct model_virtio rng;
static uint32_t amount; /* bytes that each chain gets */

static uint32_t answer(struct model_virtio *device, struct virtio_chain *chain)
{
    static uint32_t seed = 1;
    uint8_t bytes[256];
    (void)device;
    for (unsigned i = 0; i < sizeof bytes; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return virtio_chain_write(chain, 0, bytes, amount);
}

static void prepare(bool legacy, uint64_t features)
{
    virt_prepare(NULL);
    amount = 40;
    rng = (struct model_virtio){
        .type = 4, .legacy = legacy, .features = features, .queue_max = {8}, .handle = answer};
    model_virtio_attach(&rng, 3);
}

static void conforms(bool legacy, uint64_t features)
{
    prepare(legacy, features);
    boot(NULL);
    (void)device_at(RNG);
    conform(NULL);
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

static void test_slow_device(void **state)
{
    uint8_t bytes[100];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    rng.handle = NULL;
    boot(NULL);
    struct bb_entropy *entropy = face_at(entropy, RNG);
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), 0);
    struct virtio_chain *chain = model_virtio_held(&rng, 0);
    assert_int_equal(virtio_chain_write(chain, 0, "0123456789", 10), 10);
    model_virtio_use(&rng, chain, 10);
    assert_int_equal(bb_entropy_read(entropy, bytes, 4), 4);
    assert_memory_equal(bytes, "0123", 4);
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), 6);
    assert_memory_equal(bytes, "456789", 6);
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), 0);
    model_virtio_use(&rng, model_virtio_held(&rng, 0), 0); /* nothing in it */
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), 0);
    assert_non_null(model_virtio_held(&rng, 0)); /* asked again */
    chain = model_virtio_held(&rng, 0);
    for (unsigned i = 0; i < chain->in_bytes; i++) /* no byte is given twice */
        assert_int_equal(chain->parts[0].data[i], 0);
}

static void lies(enum virtio_fault fault)
{
    uint8_t bytes[8];
    char reason[200];
    prepare(false, VIRTIO_SPLIT);
    rng.fault = fault;
    boot(NULL);
    struct bb_entropy *entropy = face_at(entropy, RNG);
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), -EIO);
    assert_int_equal(rng.status, 0);
    bb_node_reason(entropy->face.device->node, reason, sizeof reason);
    assert_non_null(strstr(reason, "used "));
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), -EIO);
    assert_int_equal(bb_random(bytes, sizeof bytes, 10 * BB_MSEC), -ETIMEDOUT);
}

static void test_length(void **state)
{
    (void)state;
    lies(VIRTIO_LENGTH);
}

static void test_id(void **state)
{
    (void)state;
    lies(VIRTIO_ID_FREE);
}

static void test_index(void **state)
{
    (void)state;
    lies(VIRTIO_USED_JUMPS);
}

static void test_needs_reset(void **state)
{
    uint8_t bytes[8];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_entropy *entropy = face_at(entropy, RNG);
    unsigned before = rng.resets;
    model_virtio_break(&rng);
    bb_poll();
    bb_poll();
    assert_true(rng.resets > before);
    assert_int_equal(rng.status, 15);
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), 8);
}

static void test_remove(void **state)
{
    uint8_t bytes[8];
    (void)state;
    prepare(false, VIRTIO_SPLIT);
    boot(NULL);
    struct bb_entropy *entropy = face_at(entropy, RNG);
    bb_face_get(&entropy->face);
    must_remove(RNG);
    assert_int_equal(rng.status, 0);
    assert_int_equal(bb_entropy_read(entropy, bytes, sizeof bytes), -ENODEV);
    bb_face_put(&entropy->face);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),  cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_packed), cmocka_unit_test(test_slow_device),
        cmocka_unit_test(test_length), cmocka_unit_test(test_id),
        cmocka_unit_test(test_index),  cmocka_unit_test(test_needs_reset),
        cmocka_unit_test(test_remove),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
