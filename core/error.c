/* SPDX-License-Identifier: BSD-2-Clause */
/* Error numbers as words. */
#include <busbar/base.h>

static const struct {
    uint8_t error;
    char name[19];
} names[] = {{0, "no error"},
             {EPERM, "not permitted"},
             {ENOENT, "not there"},
             {EIO, "input/output error"},
             {ENXIO, "out of reach"},
             {E2BIG, "too large"},
             {EAGAIN, "try again"},
             {ENOMEM, "out of memory"},
             {EBUSY, "busy"},
             {EEXIST, "exists already"},
             {ENODEV, "no such device"},
             {ENOTDIR, "not a directory"},
             {EISDIR, "is a directory"},
             {EINVAL, "invalid"},
             {ENOSPC, "no room left"},
             {EROFS, "read-only"},
             {EPIPE, "refused by device"},
             {ERANGE, "out of range"},
             {ENOSYS, "not implemented"},
             {ENOTEMPTY, "not empty"},
             {ELOOP, "in a circle"},
             {EPROTO, "broken protocol"},
             {EOVERFLOW, "too much data"},
             {ENOTSUP, "not supported"},
             {ETIMEDOUT, "timed out"},
             {EINPROGRESS, "in progress"},
             {ECANCELED, "cancelled"}};

const char *bb_error_name(int error)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(names); i++)
        if (error == names[i].error || error == -names[i].error)
            return names[i].name;
    return "unknown error";
}
