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

int main(void)
{
    static const struct CMUnitTest tests[] = {SD_FAULT_TESTS(ARASAN),
                                              cmocka_unit_test(test_stuck_reset)};
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
