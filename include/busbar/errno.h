/* SPDX-License-Identifier: BSD-2-Clause */
/* Error numbers. Every call that can fail returns 0 or more, or one of these negated. */
#ifndef BUSBAR_ERRNO_H
#define BUSBAR_ERRNO_H

#if __STDC_HOSTED__
#include <errno.h>
#else
#define EPERM 1
#define ENOENT 2
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define ENOSPC 28
#define EROFS 30
#define EPIPE 32
#define ERANGE 34
#define ENOSYS 38
#define ENOTEMPTY 39
#define ELOOP 40
#define EPROTO 71
#define EOVERFLOW 75
#define ENOTSUP 95
#define ETIMEDOUT 110
#define EINPROGRESS 115
#define ECANCELED 125
#endif

/* A short English word for an error: bb_error_name(-ETIMEDOUT) is "timed out". Never NULL. */
const char *bb_error_name(int error);

#endif
