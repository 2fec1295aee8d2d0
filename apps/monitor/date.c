/* SPDX-License-Identifier: BSD-2-Clause */
#include <busbar/rtc.h>

#include "command.h"

/* Takes `digits` digits and the character after them. */
static bool field(const char **text, unsigned digits, char after, unsigned *value)
{
    *value = 0;
    while (digits--) {
        char c = *(*text)++;
        if (c < '0' || c > '9')
            return false;
        *value = *value * 10 + (unsigned)(c - '0');
    }
    return *(*text)++ == after;
}

static int set(const char *day, const char *time)
{
    static const char ends[] = {'-', '-', '\0', ':', ':', '\0'};
    unsigned values[BB_ARRAY_SIZE(ends)];
    int64_t seconds;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(ends); i++)
        if (!field(i < 3 ? &day : &time, i == 0 ? 4 : 2, ends[i], &values[i]))
            return -EINVAL;
    const struct bb_date date = {(int32_t)values[0],
                                 (uint8_t)values[1],
                                 (uint8_t)values[2],
                                 (uint8_t)values[3],
                                 (uint8_t)values[4],
                                 (uint8_t)values[5],
                                 0};
    int error = bb_date_to_seconds(&date, &seconds);
    if (error < 0)
        return error;
    struct bb_rtc *rtc = bb_rtc_first();
    error = rtc ? bb_rtc_set_time(rtc, seconds) : 0;
    if (error == 0)
        bb_wall_set(seconds);
    return error;
}

static int run(int argc, char **argv)
{
    int64_t seconds;
    if (argc == 3)
        return set(argv[1], argv[2]);
    if (argc != 1)
        return -EINVAL;
    int error = bb_wall_time(&seconds);
    if (error < 0)
        say("no clock has set the time; `date YYYY-MM-DD hh:mm:ss` does\n");
    else
        say_date(seconds);
    return 0;
}

const struct command command_date = {"date", "[YYYY-MM-DD hh:mm:ss]",
                                     "wall time (UTC); sets it, and the clock too", run, NULL};
