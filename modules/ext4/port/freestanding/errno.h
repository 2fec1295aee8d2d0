/* SPDX-License-Identifier: BSD-2-Clause */
/* Error numbers as on Linux; libext2fs names more of them than Busbar does. */
#ifndef EXT4_ERRNO_H
#define EXT4_ERRNO_H

#include <busbar/errno.h>

#define EFBIG 27
#define ENAMETOOLONG 36
#define EOVERFLOW 75

extern int errno;

#endif
