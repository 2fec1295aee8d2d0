/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <busbar/rtc.h>

#include "command.h"

static void ring(struct bb_rtc *rtc, void *context)
{
    (void)context;
    bb_print(BB_INFO, "%s: alarm", rtc->face.device->name);
}

static int list(void)
{
    if (!bb_rtc_first())
        return -ENODEV;
    for (struct bb_rtc *rtc = bb_rtc_first(); rtc; rtc = bb_rtc_next(rtc)) {
        int64_t now;
        int error = bb_rtc_get_time(rtc, &now);
        say("%-20s ", rtc->face.device->name);
        if (error < 0)
            say("%s\n", bb_error_name(error));
        else
            say_date(now);
    }
    return 0;
}

static int run(int argc, char **argv)
{
    uint64_t seconds;
    int64_t now;
    if (argc == 1)
        return list();
    if (argc != 3 || strcmp(argv[1], "alarm") != 0 || !parse_number(argv[2], 86400, &seconds))
        return -EINVAL;
    struct bb_rtc *rtc = bb_rtc_first();
    int error = rtc ? bb_rtc_get_time(rtc, &now) : -ENODEV;
    return error < 0 ? error : bb_rtc_set_alarm(rtc, now + (int64_t)seconds, ring, NULL);
}

const struct command command_rtc = {"rtc", "[alarm SECONDS]", "the clocks; ring in so many seconds",
                                    run, NULL};
