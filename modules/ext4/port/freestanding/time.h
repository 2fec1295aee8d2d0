/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of <time.h> that libext2fs calls. */
#ifndef EXT4_TIME_H
#define EXT4_TIME_H

#include <sys/types.h>

time_t time(time_t *now);

#endif
