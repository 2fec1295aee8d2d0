/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks every device of this machine against what its subsystem promises. */
#include "../../tests/conformance/conformance.h"

#include <busbar/app.h>
#include <busbar/console.h>

int bb_main(void)
{
    struct conformance run = {0};

    conformance_run(&run);
    (void)bb_poll(); /* what the log still holds comes first */
    bb_console_printf(NULL, "%u passed, %u failed, %u skipped\n", run.passed, run.failed,
                      run.skipped);
    return run.failed ? 1 : 0;
}
