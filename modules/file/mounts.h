/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of this module. */
#ifndef FILE_MOUNTS_H
#define FILE_MOUNTS_H

#include <busbar/file_type.h>

#define BB_MOUNT_SLACK (4 * 1024 * 1024) /* bytes that any call may move */

/* A call begins that moves so many bytes of the caller's. */
void bb_mount_begin(struct bb_mount *mount, size_t size);

#endif
