/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of the card and of its controller: SDHOST. */
#include "sd_faults.h"

int main(void)
{
    static const struct CMUnitTest tests[] = {SD_FAULT_TESTS(SDHOST)};
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
