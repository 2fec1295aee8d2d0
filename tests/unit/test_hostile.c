/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices gone mad: in turn, each block of the modelled boards answers 0, all ones or noise to
 * every read, as one does that is not powered, not there or broken. Whatever then fails to work,
 * nothing hangs, nothing crashes, and the others run.
 */
#include "harness.h"

#include <stdio.h>
#include <unistd.h>

#include <busbar/log.h>
#include <busbar/time.h>

#include <tests/conformance/conformance.h>
#include <tests/models/boards.h>

#define LIMIT 60 /* seconds of real time, on a busy machine; a run takes one */

enum mood { ZEROS, ONES, NOISE, MOODS };

static const char *const moods[MOODS] = {"zeros", "ones", "noise"};

struct madness {
    enum mood mood;
    uint64_t seed;
};

static uint64_t mad_read(void *context, size_t offset, unsigned width)
{
    struct madness *madness = context;

    (void)offset;
    world_advance(20);
    madness->seed = madness->seed * 6364136223846793005 + 1442695040888963407;
    uint64_t value = madness->mood == ZEROS  ? 0
                     : madness->mood == ONES ? UINT64_MAX
                                             : madness->seed >> 24;
    return width == 1 ? value & 0xff : value & UINT32_MAX;
}

static void mad_write(void *context, size_t offset, unsigned width, uint64_t value)
{
    (void)context;
    (void)offset;
    (void)width;
    (void)value;
    world_advance(20);
}

/* Models beside the mad one believe what their drivers were told. */
static void awake(void)
{
    virt.gic_v3.redistributors[0].asleep = false;
}

static void two_states(void)
{
    virt.gic_v3.gic.two_states = true;
}

static void silent(void)
{
    pi.local.irq = (struct wire){0};
}

static void gate_open(void)
{
    pi.aux.enables = 1;
}

struct victim {
    const char *name;
    bool pi;
    unsigned gic_version;
    struct model *model;
    void (*adjust)(void);
};

static const struct victim victims[] = {
    {"pl011", false, 2, &virt.pl011.model},
    {"pl031", false, 2, &virt.pl031.model},
    {"pl061", false, 2, &virt.pl061.model},
    {"gic_v2 distributor", false, 2, &virt.gic_v2.distributor},
    {"gic_v2 cpu interface", false, 2, &virt.gic_v2.cpu},
    {"gic_v3 distributor", false, 3, &virt.gic_v3.distributor, two_states},
    {"gic_v3 redistributor", false, 3, &virt.gic_v3.redistributors[0].model, awake},
    {"local interrupt controller", true, 0, &pi.local.model, silent},
    {"armctrl", true, 0, &pi.armctrl.model},
    {"system timer", true, 0, &pi.system_timer.model},
    {"mailbox", true, 0, &pi.mailbox.model},
    {"gpio", true, 0, &pi.gpio.model},
    {"pl011 of the Pi", true, 0, &pi.pl011.model},
    {"aux", true, 0, &pi.aux.aux, gate_open},
    {"mini uart", true, 0, &pi.aux.uart},
    {"pm", true, 0, &pi.pm.model},
    {"rng", true, 0, &pi.rng.model},
};

static void run_victim(void **state)
{
    size_t index = (size_t)(uintptr_t)*state;
    const struct victim *victim = &victims[index / MOODS];
    struct madness madness = {.mood = (enum mood)(index % MOODS), .seed = index};
    struct conformance result = {.late = 20 * BB_MSEC};

    alarm(LIMIT);
    if (victim->pi)
        pi_prepare(NULL);
    else
        virt_prepare(&(struct virt_options){.gic_version = victim->gic_version});
    struct bb_host_region mad = victim->model->region;
    mad.read = mad_read;
    mad.write = mad_write;
    mad.context = &madness;
    bb_host_unmap(&victim->model->region);
    bb_host_map(&mad);
    if (victim->adjust)
        victim->adjust();
    boot(NULL);
    conformance_run(&result); /* of the mad one much may fail, but each call returns */
    assert_true(result.passed > 0);
    bb_host_unmap(&mad);
}

int main(void)
{
    static struct CMUnitTest tests[BB_ARRAY_SIZE(victims) * MOODS];
    static char names[BB_ARRAY_SIZE(tests)][64];

    for (size_t i = 0; i < BB_ARRAY_SIZE(tests); i++) {
        snprintf(names[i], sizeof names[i], "%s: %s", victims[i / MOODS].name, moods[i % MOODS]);
        tests[i] = (struct CMUnitTest){names[i], run_victim, NULL, NULL, (void *)(uintptr_t)i};
    }
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
