/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An application: a main() that runs in thread context once every device is bound. Returning ends
 * the program: 0 powers off, anything else is a failure (the exit status of an emulator that is
 * asked for one, or of the host process).
 *
 *     #include <busbar/app.h>
 *
 *     int bb_main(void)
 *     {
 *         bb_print(BB_INFO, "hello");
 *         return 0;
 *     }
 */
#ifndef BUSBAR_APP_H
#define BUSBAR_APP_H

#include <busbar/base.h>
#include <busbar/log.h>
#include <busbar/poll.h>

int bb_main(void);

/* "Busbar 0.1 (virt-arm64, release, gcc 12.2.0)" */
const char *bb_version(void);
const char *bb_platform_name(void);

#endif
