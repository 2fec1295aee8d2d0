/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the suites and counts. */
#include "conformance.h"

#include <busbar/device.h>
#include <busbar/log.h>
#include <busbar/time.h>

static const struct conformance_suite *const suites[] = {
    &conformance_block,        &conformance_board,   &conformance_clock,    &conformance_console,
    &conformance_display,      &conformance_entropy, &conformance_firmware, &conformance_gpio,
    &conformance_input,        &conformance_irq,     &conformance_mailbox,  &conformance_net,
    &conformance_power_domain, &conformance_rtc,     &conformance_thermal,  &conformance_timer,
};

bool bb_check(struct conformance *run, bool condition, const char *text)
{
    if (condition) {
        run->passed++;
    } else {
        run->failed++;
        bb_print(BB_ERROR, "FAILED %s on %s: %s", run->suite, run->device, text);
    }
    return condition;
}

void bb_skip(struct conformance *run, const char *text)
{
    run->skipped++;
    bb_print(BB_INFO, "skipped %s on %s: %s", run->suite, run->device, text);
}

uint64_t conformance_late(const struct conformance *run)
{
    return run->late ? run->late : BB_SEC;
}

void conformance_run(struct conformance *run)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(suites); i++) {
        for (struct bb_face *face = bb_face_first(suites[i]->class); face; face = face->next) {
            run->suite = suites[i]->name;
            run->device = face->device->name;
            unsigned before = run->passed;
            suites[i]->run(run, face);
            bb_print(BB_INFO, "%s of %s: %u passed", run->suite, face->device->driver->name,
                     run->passed - before);
        }
    }
}
