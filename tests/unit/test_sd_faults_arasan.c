/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of the card and of its controller: the Arasan. */
#include "sd_faults.h"

static void test_stuck_reset(void **state)
{
    (void)state;
    sd_prepare(ARASAN, SD_CARD_SDHC, SMALL);
    pi.sdhci.stuck = true;
    boot(NULL);
    must_fail(PI_SDHCI, -ETIMEDOUT, "reset");
}

/* Without a look at the controller. */
static bool has_come(void *context)
{
    const struct bb_block_request *request = context;
    struct bb_block *disk = request->context;
    if (request->status == -EINPROGRESS && bb_block_arm(disk, 0))
        (void)bb_block_reap(disk, 0, 1);
    return request->status != -EINPROGRESS;
}

/* A block may be there at any moment between two looks: its interrupt comes, or it was seen. */
static void test_ready_at_any_time(void **state)
{
    (void)state;
    struct bb_block *disk = start(ARASAN, SD_CARD_SDHC);
    uint8_t *memory = sd_memory(2 * 512, 4); /* PIO */
    const struct bb_block_segment segment = {memory, 2 * 512};
    for (pi.sdhci.pace = 19 * BB_USEC; pi.sdhci.pace < 22 * BB_USEC; pi.sdhci.pace += 10) {
        for (unsigned op = BB_BLOCK_READ; op <= BB_BLOCK_WRITE; op++) {
            struct bb_block_request request = {.op = (uint8_t)op,
                                               .segments = &segment,
                                               .segment_count = 1,
                                               .context = disk},
                                    *batch[] = {&request};
            assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
            assert_int_equal(bb_wait(has_come, &request, 50 * BB_MSEC), 0);
            assert_int_equal(request.status, 0);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {SD_FAULT_TESTS(ARASAN),
                                              cmocka_unit_test(test_stuck_reset),
                                              cmocka_unit_test(test_ready_at_any_time)};
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
