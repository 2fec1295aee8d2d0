/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXT4_SYS_STAT_H
#define EXT4_SYS_STAT_H

#include <sys/types.h>

struct stat {
    mode_t st_mode;
};
#define S_IFMT 0170000

#endif
