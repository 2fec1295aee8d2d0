/* SPDX-License-Identifier: BSD-2-Clause */
/* SD cards that fail, once at each command or from then on; that go, and come back; and controllers
 * that stand still. Whatever happens: a request ends, in bounded time, and nothing hangs. */
#include "sd.h"

#include <stdio.h>

#include <busbar/time.h>

enum { BLOCKS = 8, LONGEST_S = 60 };

struct fault_run {
    unsigned host, at, count;
    enum sd_fault fault;
    bool dma_error;
    enum sd_card_kind kind;
};

static uint8_t *out, *in;

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

static struct bb_block *start(const struct fault_run *run)
{
    sd_prepare(run->host, run->kind, SMALL);
    out = sd_memory(BLOCKS * 512, 0);
    in = sd_memory(BLOCKS * 512, 0);
    return sd_boot(run->host);
}

/* What one fault at a command does once the card is in use: the retry does it. */
static int one_in_use(void *context)
{
    const struct fault_run *run = context;
    struct bb_block *disk = start(run);
    uint64_t begin = bb_time();
    pi.card.fault = run->fault;
    pi.card.fault_at = pi.card.commands + run->at;
    pi.card.fault_count = run->count;
    int error = use(disk, 1);
    bool hit = pi.card.commands >= pi.card.fault_at;
    pi.card.fault_at = 0;
    pi.card.busy_until = run->fault == SD_FAULT_BUSY ? 0 : pi.card.busy_until;
    assert_true(bb_time() - begin < LONGEST_S * BB_SEC);
    if (run->fault == SD_FAULT_GONE && hit) {
        assert_int_equal(error, -ENODEV);
        return 1;
    }
    if (run->count == 1)
        assert_int_equal(error, 0);
    bb_sleep(5 * BB_SEC); /* it comes back, where it was given up */
    assert_int_equal(use(disk, 2), 0);
    assert_int_equal(use(disk, 3), 0);
    assert_int_equal(bb_block_reap(disk, 0, 1), 0);
    return hit ? 1 : 0;
}

/* Each command in turn, to the last one that the scenario has. */
static void each(struct fault_run run)
{
    for (run.at = 1;; run.at += run.count == 1 && run.kind == SD_CARD_SDHC ? 1 : 4) {
        int result = run_child(one_in_use, &run);
        if (result > 1)
            fail_msg("fault %u at command %u, %u times", run.fault, run.at, run.count);
        if (result == 0)
            break;
        assert_true(run.at < 100);
    }
    assert_true(run.at > 8);
}

static void test_once(void **state)
{
    unsigned number = (unsigned)(uintptr_t)*state;
    for (unsigned fault = SD_FAULT_SILENT; fault < SD_FAULTS; fault++)
        each((struct fault_run){.host = number % HOSTS,
                                .fault = (enum sd_fault)fault,
                                .count = 1,
                                .kind = number / HOSTS ? SD_CARD_SDXC : SD_CARD_SDHC});
}

/* For ten commands, or for good: requests end with an error then. */
static void test_longer(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    for (unsigned fault = SD_FAULT_SILENT; fault < SD_FAULT_GONE; fault++) {
        each((struct fault_run){
            .host = host, .fault = (enum sd_fault)fault, .count = 10, .kind = SD_CARD_SDHC});
        struct fault_run run = {host, 3, 1000000, (enum sd_fault)fault, false, SD_CARD_SDHC};
        assert_int_equal(run_child(one_in_use, &run), 1);
    }
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
    bool hit = pi.card.commands >= run->at;
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
    return hit ? 1 : 0;
}

static void test_at_start(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    for (unsigned fault = SD_FAULT_SILENT; fault < SD_FAULTS; fault++)
        for (unsigned at = 1;; at += 2) {
            struct fault_run run = {host, at, 1, (enum sd_fault)fault, false, SD_CARD_SDHC};
            int result = run_child(one_at_start, &run);
            if (result > 1)
                fail_msg("fault %u at command %u", fault, at);
            if (result == 0)
                break;
            assert_true(at < 200);
        }
}

/* ---- Pulled out ---- */

static void test_back(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(&(struct fault_run){.host = host, .kind = SD_CARD_SDHC});
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
    struct bb_block *disk = start(&(struct fault_run){.host = host, .kind = SD_CARD_SDHC});
    pi.card.present = false;
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
    sd_card_make(&pi.card, SD_CARD_SDXC, 65536 * 2048ull);
    pi.card.cid[9]++;
    bb_sleep(5 * BB_SEC);
    assert_int_equal(bb_block_read(disk, 0, 1, in), -ENODEV);
    assert_int_equal(logged("another card"), 1);
    assert_int_equal(disk->capacity, SMALL);
}

/* A slot with a switch tells at once. */
static void test_switch(void **state)
{
    (void)state;
    pi_prepare(&(struct pi_options){.arasan = true, .slot_switches = true});
    out = sd_memory(BLOCKS * 512, 0);
    in = sd_memory(BLOCKS * 512, 0);
    struct bb_block *disk = sd_boot(ARASAN);
    assert_int_equal(use(disk, 1), 0);
    pi.card.present = false;
    model_sdhci_slot(&pi.sdhci, false);
    bb_sleep(BB_MSEC);
    assert_int_equal(disk->face.device->node->state, BB_NODE_FAILED);
    sd_card_power_up(&pi.card);
    model_sdhci_slot(&pi.sdhci, true);
    bb_sleep(2 * BB_SEC);
    assert_int_equal(use(disk, 2), 0);
}

/* ---- Controllers ---- */

static void test_dma_error(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(&(struct fault_run){.host = host, .kind = SD_CARD_SDHC});
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
    struct bb_block *disk = start(&(struct fault_run){.host = host, .kind = SD_CARD_SDHC});
    uint64_t begin = bb_time();
    die(host, true);
    int error = bb_block_read(disk, 0, 1, in);
    assert_true(error == -ENODEV || error == -EIO || error == -ETIMEDOUT);
    assert_true(bb_time() - begin < LONGEST_S * BB_SEC);
    die(host, false);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(use(disk, 1), 0);
}

static void test_stuck_reset(void **state)
{
    (void)state;
    sd_prepare(ARASAN, SD_CARD_SDHC, SMALL);
    pi.sdhci.stuck = true;
    boot(NULL);
    must_fail(PI_SDHCI, -ETIMEDOUT, "reset");
}

/* A program that polls for nothing while a request is under way; the watchdog's path. */
static void test_expire(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    struct bb_block *disk = start(&(struct fault_run){.host = host, .kind = SD_CARD_SDHC});
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
    struct bb_block *disk = start(&(struct fault_run){.host = host, .kind = SD_CARD_SDHC});
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

#define ON_BOTH(test)                                                                              \
    {#test " on SDHOST", test, NULL, NULL, (void *)SDHOST},                                        \
    {                                                                                              \
#test " on the Arasan", test, NULL, NULL, (void *)ARASAN                                   \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ON_BOTH(test_back),
        ON_BOTH(test_another),
        ON_BOTH(test_dma_error),
        ON_BOTH(test_dead_at_start),
        ON_BOTH(test_dead_in_use),
        ON_BOTH(test_expire),
        ON_BOTH(test_remove_in_flight),
        cmocka_unit_test(test_switch),
        cmocka_unit_test(test_stuck_reset),
        ON_BOTH(test_once),
        {"test_once with CMD23 on SDHOST", test_once, NULL, NULL, (void *)2},
        {"test_once with CMD23 on the Arasan", test_once, NULL, NULL, (void *)3},
        ON_BOTH(test_longer),
        ON_BOTH(test_at_start),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
