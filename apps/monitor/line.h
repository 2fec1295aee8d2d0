/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of input with editing, history and completion, from whichever console somebody types at.
 */
#ifndef MONITOR_LINE_H
#define MONITOR_LINE_H

#include <busbar/base.h>

#define LINE_SIZE 512   /* bytes, the end included: as much as say() shows */
#define LINE_HISTORY 16 /* one of them for the new line */

/* Waits for a line, in UTF-8; the returned text stays valid until the next call, and may be written
 * to. Empty, and the reason said, when some of what was typed is not in it: it had no room or was
 * no UTF-8. NULL at the end of input: Ctrl-D on an empty line. */
char *line_read(const char *prompt);

#endif
