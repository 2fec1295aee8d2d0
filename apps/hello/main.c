/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest application: says hello and switches the machine off. */
#include <busbar/app.h>

int bb_main(void)
{
    bb_print(BB_INFO, "hello from %s", bb_version());
    return 0;
}
