/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every acquisition of every probe on the modelled boards fails once, in turn; and every call of
 * the firmware. Whatever fails: one clear reason, nothing left behind, no interrupt left on, and
 * the rest goes on.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include <busbar/poll.h>

#include <core/core.h>
#include <tests/models/boards.h>
#include <tests/models/virtio_device.h>
#include <tests/models/virtio_nic.h>

#define MOST 500 /* acquisitions of a board, and then some */

enum { FAULT_HIT, FAULT_PAST };

extern int bb_fault_at;

struct run {
    void (*prepare)(void);
    CMUnitTestFunction test;
    int fault;
};

static bool has_owner(const struct bb_node *node)
{
    bb_for_each_device (device) {
        if (device->node == node)
            return true;
    }
    return false;
}

/* What failed is gone; what waits for it says so. Returns how many ran out of something. */
static unsigned check_nodes(void)
{
    unsigned failed = 0;

    bb_for_each_node (node) {
        if (node->state == BB_NODE_RUNNING) {
            assert_true(has_owner(node));
            continue;
        }
        assert_null(node->device);
        assert_false(has_owner(node));
        assert_false(is_listed(node));
        assert_int_not_equal(node->state, BB_NODE_BINDING);
        if (node->reason.code == BB_REASON_PROBE_FAILED ||
            node->reason.code == BB_REASON_NO_MEMORY) {
            failed += node->reason.error == -ENOMEM;
        }
    }
    return failed;
}

/* Taking out what runs, newest first, leaves nothing: no device, no interrupt. */
static void remove_all(void)
{
    for (struct bb_device *device; (device = bb_device_newest());) {
        assert_int_equal(bb_device_remove(device), 0);
        assert_null(device->resources);
    }
    assert_null(bb_device_first());
    assert_true(boards_are_quiet());
    assert_false(world_timer_armed());
}

static void run_one(void **state)
{
    const struct run *run = *state;

    run->prepare();
    boot_tree(NULL);
    bb_fault_at = run->fault;
    bb_bind_all();
    bool hit = bb_fault_at == 0;
    bb_fault_at = 0;
    unsigned failed = check_nodes();
    if (!hit)
        assert_int_equal(failed, 0);
    bb_sleep(10 * BB_MSEC); /* no interrupt of what is gone comes */
    remove_all();
    if (!hit)
        exit(FAULT_PAST);
}

static void run_transfer(void **state)
{
    const struct run *run = *state;

    run->prepare();
    pi.aux.lcr = 3; /* as firmware leaves it: without a clock the driver keeps that */
    pi.mailbox.fail_at = (unsigned)run->fault;
    boot(NULL);
    bool hit = pi.mailbox.calls >= pi.mailbox.fail_at;
    check_nodes();
    (void)device_at(PI_GPIO); /* what asks nothing of the firmware */
    (void)device_at(PI_SYSTEM_TIMER);
    remove_all();
    if (!hit)
        exit(FAULT_PAST);
}

static int run_child_test(void *context)
{
    const struct run *run = context;
    const struct CMUnitTest test = {"fault", run->test, NULL, NULL, context};

    return _cmocka_run_group_tests("fault", &test, 1, NULL, NULL) == 0 ? FAULT_HIT : 255;
}

static void run_board(void (*prepare)(void), CMUnitTestFunction test)
{
    for (int fault = 1; fault < MOST; fault++) {
        struct run run = {prepare, test, fault};
        int result = run_child(run_child_test, &run);
        if (result == FAULT_PAST) {
            assert_true(fault > 10); /* else nothing was counted */
            return;
        }
        if (result != FAULT_HIT)
            fail_msg("with fault %d", fault);
    }
    fail_msg("there is no end");
}

static void prepare_virt(void)
{
    virt_prepare(NULL);
}

static void prepare_virt_gic_v3(void)
{
    virt_prepare(&(struct virt_options){.gic_version = 3});
}

/* A network, a disk of zeros, a console and a source of entropy; answers are zeros too, and what is
 * there to be received or typed is kept. */
static uint32_t answer(struct model_virtio *device, struct virtio_chain *chain)
{
    static const uint8_t zeros[4096];
    uint32_t done = 0, count;

    if (device->type != 2 && chain->queue == 0 && chain->in_bytes && device->type != 4)
        return VIRTIO_HOLD;
    while ((count = virtio_chain_write(chain, done, zeros, sizeof zeros)))
        done += count;
    return done;
}

static void prepare_virtio(void)
{
    static uint8_t config[4][64];
    static struct model_virtio devices[4];

    virt_prepare(NULL);
    config[1][1] = 1; /* 256 sectors */
    for (unsigned i = 0; i < 4; i++) {
        devices[i] = (struct model_virtio){
            .type = i + 1,
            .legacy = i == 3,
            .features = i & 1 ? VIRTIO_SPLIT : VIRTIO_PACKED,
            .queue_max = {16, 16, 16}, /* the network's third takes commands */
            .config = config[i],
            .config_size = sizeof config[i],
            .handle = answer};
        devices[i].features |= i == 0 ? NIC_USUAL : 0;
        model_virtio_attach(&devices[i], i);
    }
}

static void prepare_pi(void)
{
    pi_prepare(NULL);
}

static void test_virt(void **state)
{
    (void)state;
    run_board(prepare_virt, run_one);
}

static void test_virt_gic_v3(void **state)
{
    (void)state;
    run_board(prepare_virt_gic_v3, run_one);
}

static void test_virtio(void **state)
{
    (void)state;
    run_board(prepare_virtio, run_one);
}

static void test_pi(void **state)
{
    (void)state;
    run_board(prepare_pi, run_one);
}

static void prepare_pi_silent(void)
{
    pi_prepare(NULL);
    pi.mailbox.fail_mode = VC_SILENT;
}

static void prepare_pi_error(void)
{
    pi_prepare(NULL);
    pi.mailbox.fail_mode = VC_ERROR;
}

static void test_no_answer(void **state)
{
    (void)state;
    run_board(prepare_pi_silent, run_transfer);
}

static void test_error(void **state)
{
    (void)state;
    run_board(prepare_pi_error, run_transfer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virt),      cmocka_unit_test(test_virt_gic_v3),
        cmocka_unit_test(test_virtio),    cmocka_unit_test(test_pi),
        cmocka_unit_test(test_no_answer), cmocka_unit_test(test_error),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
