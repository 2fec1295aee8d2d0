/* SPDX-License-Identifier: BSD-2-Clause */
/* Where core is linked without an application: one that does nothing, and only if none is there. */
#include <busbar/app.h>

int bb_main(void)
{
    return 0;
}
