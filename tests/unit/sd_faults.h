/* SPDX-License-Identifier: BSD-2-Clause */
/* SD cards that fail, once at each command or from then on; that go, and come back; and controllers
 * that stand still. Whatever happens: a request ends, in bounded time, and nothing hangs. A program
 * for each controller. */
#ifndef TESTS_UNIT_SD_FAULTS_H
#define TESTS_UNIT_SD_FAULTS_H

#include "sd.h"

#include <stdio.h>

#include <busbar/sd.h>
#include <busbar/time.h>

enum { BLOCKS = 8, LONGEST_S = 60, FOR_GOOD = 1000000 };
enum { OVER = 10, NO_EFFECT, EFFECT }; /* what a child says: the scenario has no such command */

struct fault_run {
    unsigned host, at, count;
    enum sd_fault fault;
    enum sd_card_kind kind;
    struct bb_block *disk;
};

static uint8_t *out, *in;
static unsigned left; /* times that users of the disk were told that its medium left */

static void count_left(struct bb_block *block)
{
    (void)block;
    left++;
}

/* A write and a read; -EIO when the read gave something else than was written. */
static int use(struct bb_block *disk, unsigned seed)
{
    sd_pattern(out, BLOCKS * 512, seed);
    memset(in, 0, BLOCKS * 512);
    int error = bb_block_write(disk, 40, BLOCKS, out);
    if (!error)
        assert_memory_equal(sd_at(40), out, BLOCKS * 512);
    int read_error = bb_block_read(disk, 40, BLOCKS, in);
    if (!error && !read_error)
        assert_memory_equal(in, out, BLOCKS * 512);
    int discard_error = bb_block_discard(disk, 100, 4);
    error = error ? error : read_error;
    return error ? error : discard_error;
}

static struct bb_block *start(unsigned host, enum sd_card_kind kind)
{
    sd_prepare(host, kind, SMALL);
    out = sd_memory(BLOCKS * 512, 0);
    in = sd_memory(BLOCKS * 512, 0);
    struct bb_block *disk = sd_boot(host);
    disk->gone = count_left;
    return disk;
}

/* What a request may end with while a fault lasts. A card that never answers is gone. */
static void check_error(const struct fault_run *run, int error, unsigned retries)
{
    if (run->fault == SD_FAULT_GONE) {
        assert_int_equal(error, -ENODEV);
    } else if (run->count == 1) {
        assert_int_equal(error, 0);
        assert_true(retries > 0);
    } else if (run->count == FOR_GOOD && run->fault == SD_FAULT_SILENT) {
        assert_int_equal(error, -ENODEV);
    } else {
        assert_true(error == -EIO || error == -ETIMEDOUT || (!error && run->count < FOR_GOOD));
        assert_int_equal(run->disk->face.device->node->state, BB_NODE_RUNNING);
    }
    assert_int_equal(left, error == -ENODEV); /* a card that is there, and recovers, never left */
}

/* What one fault at a command does once the card is in use: the retry does it. */
static int one_in_use(void *context)
{
    const struct fault_run *run = context;
    const struct bb_sd *sd = bb_container_of(run->disk, struct bb_sd, block);
    uint64_t begin = bb_time();
    pi.card.fault = run->fault;
    pi.card.fault_at = pi.card.commands + run->at;
    pi.card.fault_count = run->count;
    int error = use(run->disk, 1);
    bool over = pi.card.commands < pi.card.fault_at;
    unsigned effects = pi.card.effects;
    pi.card.fault_at = 0;
    pi.card.busy_until = run->fault == SD_FAULT_BUSY ? 0 : pi.card.busy_until;
    assert_true(bb_time() - begin < LONGEST_S * BB_SEC);
    if (effects)
        check_error(run, error, sd->retries);
    else
        assert_int_equal(error, 0);
    if (run->fault != SD_FAULT_GONE) {
        unsigned before = left;
        bb_sleep(5 * BB_SEC); /* it comes back, where it was given up */
        assert_int_equal(use(run->disk, 2), 0);
        assert_int_equal(use(run->disk, 3), 0);
        assert_int_equal(bb_block_reap(run->disk, 0, 1), 0);
        assert_int_equal(left, before);
    }
    return over ? OVER : effects ? EFFECT : NO_EFFECT;
}

/* Every command has an answer, which can be lost, garbled, or bad news. */
static bool is_for_all(enum sd_fault fault)
{
    return fault == SD_FAULT_SILENT || fault == SD_FAULT_REPLY_CRC || fault == SD_FAULT_STATUS ||
           fault == SD_FAULT_GONE;
}

/* Each command in turn, to the last one that the scenario has. */
static void each(struct fault_run run)
{
    unsigned effects = 0, step = run.count > 1 ? 6 : run.kind == SD_CARD_SDHC ? 1 : 4;
    int result;
    for (run.at = 1; (result = run_child(one_in_use, &run)) != OVER; run.at += step) {
        if (result != EFFECT && (result != NO_EFFECT || is_for_all(run.fault)))
            fail_msg("fault %u at command %u, %u times", run.fault, run.at, run.count);
        effects += result == EFFECT;
        assert_true(run.at < 100);
    }
    assert_true(run.at > 8);
    assert_true(effects > 0);
}

static void test_once(void **state)
{
    unsigned number = (unsigned)(uintptr_t)*state;
    struct fault_run run = {
        .host = number % HOSTS, .count = 1, .kind = number / HOSTS ? SD_CARD_SDXC : SD_CARD_SDHC};
    run.disk = start(run.host, run.kind);
    for (unsigned fault = SD_FAULT_SILENT; fault < SD_FAULTS; fault++) {
        run.fault = (enum sd_fault)fault;
        each(run);
    }
}

/* For ten commands, or for good: requests end with an error then. */
static void test_longer(void **state)
{
    struct fault_run run = {.host = (unsigned)(uintptr_t)*state, .kind = SD_CARD_SDHC};
    run.disk = start(run.host, run.kind);
    for (unsigned fault = SD_FAULT_SILENT; fault < SD_FAULT_GONE; fault++) {
        run.fault = (enum sd_fault)fault;
        run.count = 10;
        each(run);
        run.at = 1;
        run.count = FOR_GOOD;
        assert_int_equal(run_child(one_in_use, &run), EFFECT);
    }
}

/* Where the bus is too fast for the card, it goes on at default speed. */
static void test_slower(void **state)
{
    struct bb_block *disk = start((unsigned)(uintptr_t)*state, SD_CARD_SDHC);
    const struct bb_sd *sd = bb_container_of(disk, struct bb_sd, block);
    assert_true(pi.card.high_speed);
    assert_true(sd->hz > 25000000);
    pi.card.fails_when_fast = true;
    assert_int_equal(use(disk, 1), 0);
    assert_false(pi.card.high_speed);
    assert_true(sd->hz <= 25000000);
    unsigned retries = sd->retries;
    assert_true(retries > 0);
    assert_int_equal(use(disk, 2), 0);
    assert_int_equal(sd->retries, retries);
}

/* While it is identified: a card, or a reason. */
static int one_at_start(void *context)
{
    const struct fault_run *run = context;
    sd_prepare(run->host, SD_CARD_SDHC, SMALL);
    out = sd_memory(BLOCKS * 512, 0);
    in = sd_memory(BLOCKS * 512, 0);
    pi.card.fault = run->fault;
    pi.card.fault_at = run->at;
    pi.card.fault_count = run->count;
    uint64_t begin = bb_time();
    boot(NULL);
    assert_true(bb_time() - begin < 10 * BB_SEC); /* both controllers together */
    bool over = pi.card.commands < run->at;
    pi.card.fault_at = 0;
    const struct bb_node *node = bb_node_find(sd_path(run->host));
    if (run->fault != SD_FAULT_GONE && run->fault != SD_FAULT_BUSY) {
        assert_int_equal(use(face_at(block, sd_path(run->host)), 1), 0);
    } else if (node->state != BB_NODE_RUNNING) {
        assert_int_equal(node->state, BB_NODE_FAILED);
        assert_non_null(node->reason.step);
        assert_false(pi.sdhost.tick.armed || pi.sdhci.data_end.armed);
    }
    (void)device_at(PI_PL011); /* its siblings run */
    return over ? OVER : pi.card.effects ? EFFECT : NO_EFFECT;
}

static void test_at_start(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    for (unsigned fault = SD_FAULT_SILENT; fault < SD_FAULTS; fault++) {
        struct fault_run run = {.host = host, .at = 1, .count = 1, .fault = (enum sd_fault)fault};
        unsigned effects = 0, step = fault == SD_FAULT_BUSY ? 1 : 2; /* CMD7 alone can be busy */
        int result;
        for (; (result = run_child(one_at_start, &run)) != OVER; run.at += step) {
            if (result != EFFECT && result != NO_EFFECT)
                fail_msg("fault %u at command %u", fault, run.at);
            effects += result == EFFECT;
            assert_true(run.at < 200);
        }
        assert_true(effects > 0);
    }
}

/* ---- Pulled out ---- */

static void test_back(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(host, SD_CARD_SDHC);
    const struct bb_node *node = disk->face.device->node;
    assert_int_equal(use(disk, 1), 0);
    pi.card.fault = SD_FAULT_GONE;
    pi.card.fault_at = pi.card.commands + 1; /* in mid-write */
    assert_int_equal(bb_block_write(disk, 40, BLOCKS, out), -ENODEV);
    assert_int_equal(node->state, BB_NODE_FAILED);
    assert_int_equal(node->reason.code, BB_REASON_BROKEN);
    char reason[200];
    (void)bb_node_reason(node, reason, sizeof(reason));
    assert_string_equal(reason, "stopped: the card was taken out, or answers no more");
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
    bb_sleep(10 * BB_SEC);
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
    pi.card.fault_at = 0;
    sd_card_power_up(&pi.card); /* put back */
    bb_sleep(3 * BB_SEC);
    assert_int_equal(node->state, BB_NODE_RUNNING);
    assert_int_equal(use(disk, 2), 0);
    assert_int_equal(logged("is back"), 1);
}

static void test_another(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(host, SD_CARD_SDHC);
    pi.card.present = false;
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
    sd_card_make(&pi.card, SD_CARD_SDXC, 65536 * 2048ull);
    pi.card.cid[9]++;
    bb_sleep(5 * BB_SEC);
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
    assert_int_equal(logged("another card"), 1);
    assert_int_equal(disk->capacity, SMALL);
}

/* It comes back with other contents, 20 times, out long enough to be missed or not even noticed:
 * what was there left for good. */
static void test_other_contents(void **state)
{
    struct bb_block *disk = start((unsigned)(uintptr_t)*state, SD_CARD_SDHC);
    assert_int_equal(use(disk, 1), 0);
    for (unsigned i = 1; i <= 20; i++) {
        bool missed = i % 2;
        pi.card.present = !missed;
        pi.card.unseen = !missed;
        if (!missed)
            sd_card_power_up(&pi.card);
        assert_int_equal(bb_block_write(disk, 0, 1, out), -ENODEV);
        assert_int_equal(left, i);
        assert_int_equal(disk->face.device->node->state, BB_NODE_FAILED);
        if (missed) {
            bb_sleep(3 * BB_SEC);
            pi.card.present = true;
            sd_card_power_up(&pi.card);
        }
        bb_sleep(3 * BB_SEC);
        assert_int_equal(disk->face.device->node->state, BB_NODE_RUNNING);
        assert_int_equal(use(disk, i), 0);
        assert_int_equal(left, i);
    }
}

/* Somebody protected it meanwhile. */
static void test_back_protected(void **state)
{
    struct bb_block *disk = start((unsigned)(uintptr_t)*state, SD_CARD_SDHC);
    pi.card.present = false;
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
    pi.card.csd[14] |= 0x10; /* TMP_WRITE_PROTECT */
    sd_card_power_up(&pi.card);
    bb_sleep(3 * BB_SEC);
    assert_int_equal(bb_block_read(disk, 0, 1, in), 0);
    assert_int_equal(bb_block_write(disk, 0, 1, out), -EROFS);
    assert_int_equal(pi.card.counts[24], 0);
}

/* ---- Controllers ---- */

static void test_dma_error(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(host, SD_CARD_SDHC);
    pi.dma.channels[0].fails = pi.dma.channels[2].fails = true;
    assert_int_equal(use(disk, 1), 0);
    assert_false(pi.dma.channels[0].fails && pi.dma.channels[2].fails);
}

static void die(unsigned host, bool dead)
{
    pi.sdhost.dead = host == SDHOST && dead;
    pi.sdhci.dead = host == ARASAN && dead;
}

static void test_dead_at_start(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    die(host, true);
    boot(NULL);
    must_fail(sd_path(host), 0, NULL);
}

static void test_dead_in_use(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(host, SD_CARD_SDHC);
    uint64_t begin = bb_time();
    die(host, true);
    int error = bb_block_read(disk, 0, 1, in);
    assert_true(error == -ENODEV || error == -EIO || error == -ETIMEDOUT);
    assert_true(bb_time() - begin < LONGEST_S * BB_SEC);
    die(host, false);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(use(disk, 1), 0);
}

/* Power, or what was set up at the start, is gone. */
static void test_lost_setup(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(host, SD_CARD_SDHC);
    const struct bb_sd *sd = bb_container_of(disk, struct bb_sd, block);
    if (host == SDHOST)
        pi.sdhost.power = 0, pi.sdhost.browned_out = true;
    else
        pi.sdhci.enable = 0;
    assert_int_equal(bb_block_read(disk, 0, 1, in), 0);
    assert_int_equal(pi.sdhost.power, host == SDHOST);
    unsigned retries = sd->retries;
    assert_true(retries > 0);
    assert_int_equal(use(disk, 1), 0);
    assert_int_equal(sd->retries, retries);
}

/* A program that polls for nothing while a request is under way; the watchdog's path. */
static void test_expire(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(host, SD_CARD_SDHC);
    const struct bb_block_segment segment = {in, 512};
    struct bb_block_request request = {.segments = &segment, .segment_count = 1},
                            *batch[] = {&request};
    const struct bb_block_ops *ops = disk->face.ops;
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
    assert_int_equal(ops->expire(disk), 0);
    assert_int_equal(request.status, -ETIMEDOUT);
    assert_int_equal(use(disk, 1), 0);
    disk->broken = true;
    assert_int_equal(ops->expire(disk), 0);
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
}

static void test_remove_in_flight(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(host, SD_CARD_SDHC);
    struct bb_block_segment segments[4];
    struct bb_block_request requests[4] = {0}, *batch[4];
    for (unsigned i = 0; i < 4; i++) {
        segments[i] = (struct bb_block_segment){in + i * 512, 512};
        requests[i] =
            (struct bb_block_request){.block = i, .segments = &segments[i], .segment_count = 1};
        batch[i] = &requests[i];
    }
    assert_int_equal(bb_block_submit(disk, 0, batch, 4), 4);
    char partitions[64];
    (void)snprintf(partitions, sizeof(partitions), "%s/partitions", sd_path(host));
    if (bb_node_find(partitions) && bb_node_find(partitions)->device)
        must_remove(partitions);
    must_remove(sd_path(host));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(requests[i].status, -ENODEV);
    assert_false(pi.sdhost.moving);
}

#define ON(host, test)                                                                             \
    {                                                                                              \
#test, test, NULL, NULL, (void *)(host)                                                    \
    }
#define SD_FAULT_TESTS(host)                                                                       \
    ON(host, test_other_contents), ON(host, test_back), ON(host, test_back_protected),             \
        ON(host, test_another), ON(host, test_dma_error), ON(host, test_dead_at_start),            \
        ON(host, test_dead_in_use), ON(host, test_lost_setup), ON(host, test_expire),              \
        ON(host, test_remove_in_flight), ON(host, test_slower), ON(host, test_once),               \
        ON(host + HOSTS, test_once), /* with CMD23 */                                              \
        ON(host, test_longer), ON(host, test_at_start)

#endif
