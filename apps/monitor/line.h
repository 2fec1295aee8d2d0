/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of input with editing, history and completion, from whichever console somebody types at.
 */
#ifndef MONITOR_LINE_H
#define MONITOR_LINE_H

#include <busbar/base.h>

#define LINE_SIZE 128
#define LINE_HISTORY 16

/* Waits for a line; the returned text stays valid until the next call, and may be written to.
 * NULL at the end of input: Ctrl-D on an empty line. */
char *line_read(const char *prompt);

#endif
