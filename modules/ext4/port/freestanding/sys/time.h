/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXT4_SYS_TIME_H
#define EXT4_SYS_TIME_H

#include <sys/types.h>

struct timeval {
    time_t tv_sec;
    long tv_usec;
};

#endif
