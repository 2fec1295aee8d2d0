/* SPDX-License-Identifier: BSD-2-Clause */
/* What feeds and describes a board: clocks, power domains, temperature, identity. All is read;
 * nothing that runs is switched. */
#include "conformance.h"

#include <busbar/board.h>
#include <busbar/clock.h>
#include <busbar/power.h>
#include <busbar/thermal.h>

#define NO_SUCH 0xfffff

static void run_clock(struct conformance *run, struct bb_face *face)
{
    struct bb_clock *clock = bb_container_of(face, struct bb_clock, face);
    const struct bb_clock_ops *ops = face->ops;
    unsigned outputs = 0;
    uint64_t hz;

    for (uint32_t output = 0; output < 64; output++) {
        hz = 0;
        int error = ops->rate(clock, output, &hz);
        outputs += error == 0;
        if (error == 0 && hz == 0)
            bb_check(run, false, "no running clock has a rate of 0");
    }
    bb_check(run, outputs > 0, "some output has a rate");
    bb_check(run, ops->rate(clock, NO_SUCH, &hz) == -EINVAL,
             "an output that is not there is refused");
    bb_check(run, !ops->enable || ops->enable(clock, NO_SUCH, true) == -EINVAL,
             "it cannot be enabled");
    bb_check(run, !ops->set_rate || ops->set_rate(clock, NO_SUCH, 1000) == -EINVAL,
             "nor given a rate");
}

static void run_power_domain(struct conformance *run, struct bb_face *face)
{
    struct bb_power_domain *domain = bb_container_of(face, struct bb_power_domain, face);
    const struct bb_power_domain_ops *ops = face->ops;
    unsigned domains = 0;
    bool on;

    for (uint32_t id = 0; id < 32; id++)
        domains += ops->get(domain, id, &on) == 0;
    if (domains == 0)
        bb_skip(run, "it tells no domain's state");
    bb_check(run, ops->get(domain, NO_SUCH, &on) < 0, "a domain that is not there has no state");
    bb_check(run, ops->set(domain, NO_SUCH, true) < 0, "and cannot be switched");
}

static void run_thermal(struct conformance *run, struct bb_face *face)
{
    struct bb_thermal *thermal = bb_container_of(face, struct bb_thermal, face);
    int32_t temperature = 0, limit = 0;

    bb_check(run, bb_thermal_temperature(thermal, &temperature) == 0, "it can be read");
    bb_check(run, temperature > -60000 && temperature < 150000, "it is some temperature");
    int error = bb_thermal_limit(thermal, &limit);
    if (error == -ENOTSUP)
        bb_skip(run, "it has no limit");
    else
        bb_check(run, error == 0 && limit > 0 && limit < 200000, "its limit is some temperature");
}

static void run_board(struct conformance *run, struct bb_face *face)
{
    struct bb_board *board = bb_container_of(face, struct bb_board, face);
    struct bb_board_identity identity = {0};
    struct bb_board_memory memory = {0};

    bb_check(run, bb_board_identity(board, &identity) == 0 && identity.revision != 0,
             "it knows its revision");
    bb_check(run, bb_board_memory(board, &memory) == 0 && memory.cpu_size != 0,
             "it knows its memory");
    bb_check(run,
             memory.cpu_start + memory.cpu_size <= memory.gpu_start ||
                 memory.gpu_start + memory.gpu_size <= memory.cpu_start,
             "CPU and GPU share none of it");
}

const struct conformance_suite conformance_clock = {"clock", &bb_class_clock, run_clock};
const struct conformance_suite conformance_power_domain = {"power_domain", &bb_class_power_domain,
                                                           run_power_domain};
const struct conformance_suite conformance_thermal = {"thermal", &bb_class_thermal, run_thermal};
const struct conformance_suite conformance_board = {"board", &bb_class_board, run_board};
