/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs scripts of SD commands (Physical Layer Simplified Specification 6.00): each step sends one,
 * and its answer decides what comes next. Nothing waits here: a command ends by an interrupt, a
 * pause by a timer, and what never ends by that timer too.
 */
#include <busbar/log.h>

#include "sd.h"

enum { MARGIN = 100 /* ms, for a controller to notice by itself that a command is late */ };

static bool has_status(const struct bb_sd_command *command)
{
    return command->answer == BB_SD_R1 || command->answer == BB_SD_R1B;
}

void bb_sd_begin(struct bb_sd *sd, const struct bb_sd_script *script, uint32_t wait)
{
    sd->script = script;
    sd->step = 0;
    sd->application = sd->pausing = sd->again = false;
    sd->wait_left = wait;
    bb_sd_run(sd);
}

void bb_sd_abandon(struct bb_sd *sd)
{
    sd->busy = sd->pausing = sd->again = false;
    sd->script = NULL;
    bb_timer_event_cancel(&sd->timer);
}

static void send(struct bb_sd *sd, struct bb_sd_command *command)
{
    sd->busy = true;
    sd->deadline = bb_time() + (command->timeout + MARGIN) * BB_MSEC;
    if (!sd->timer.armed || sd->timer.due > sd->deadline)
        bb_timer_event_at(&sd->timer, sd->deadline);
    sd->ops->start(sd, command);
}

static void end(struct bb_sd *sd, int error)
{
    const struct bb_sd_script *script = sd->script;
    sd->script = NULL;
    script->ended(sd, error);
}

static void send_step(struct bb_sd *sd, const struct bb_sd_step *step)
{
    struct bb_sd_command *command = &sd->command;
    *command =
        (struct bb_sd_command){.index = step->index, .answer = step->answer, .timeout = MARGIN};
    if (step->prepare && !step->prepare(sd, command)) {
        sd->step++;
        return;
    }
    if (step->application && !sd->application)
        *command = (struct bb_sd_command){.index = APPLICATION,
                                          .answer = BB_SD_R1,
                                          .timeout = MARGIN,
                                          .argument = (uint32_t)sd->card.rca << 16};
    send(sd, command);
}

static void pause(struct bb_sd *sd, uint32_t ms)
{
    sd->wait_left -= ms;
    sd->pausing = true;
    bb_timer_event_at(&sd->timer, bb_time() + ms * BB_MSEC);
}

static void take(struct bb_sd *sd, const struct bb_sd_step *step)
{
    const struct bb_sd_command *command = &sd->command;
    int result = sd->error;
    sd->again = false;
    if (result == 0 && command->index == APPLICATION && step->application && !sd->application) {
        sd->application = true;
        return;
    }
    sd->application = false;
    if (step->take)
        result = step->take(sd, command, result);
    else if (result == 0 && has_status(command) && command->reply[0] & WRONG)
        result = -EIO;
    if (result > 0 && (uint32_t)result > sd->wait_left)
        result = -ETIMEDOUT;
    if (result < 0)
        end(sd, result);
    else if (result > 0)
        pause(sd, (uint32_t)result);
    else
        sd->step++;
}

/* A controller may end a command before start() returns: so it is a loop. */
void bb_sd_run(struct bb_sd *sd)
{
    if (sd->running)
        return;
    sd->running = true;
    while (sd->script && !sd->busy && !sd->pausing) {
        const struct bb_sd_step *step = &sd->script->steps[sd->step];
        if (sd->again)
            take(sd, step);
        else if (step->index == LAST)
            end(sd, 0);
        else
            send_step(sd, step);
    }
    sd->running = false;
}

void bb_sd_done(struct bb_sd *sd, int error)
{
    if (!sd->busy)
        return;
    sd->busy = false;
    sd->again = true;
    sd->error = error;
    bb_sd_run(sd);
}
