/* SPDX-License-Identifier: BSD-2-Clause */
/* As on 64-bit Linux. */
#ifndef EXT4_SYS_TYPES_H
#define EXT4_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef long ssize_t, off_t, time_t;
typedef unsigned mode_t, uid_t, gid_t;
typedef unsigned long dev_t, ino_t;
typedef int pid_t;

#endif
