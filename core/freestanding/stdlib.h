/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of <stdlib.h> that libfdt calls. */
#ifndef BUSBAR_FREESTANDING_STDLIB_H
#define BUSBAR_FREESTANDING_STDLIB_H

#include <stddef.h>

/* No sign and no errno; saturates. Bases 0 and 2 to 36. */
unsigned long strtoul(const char *text, char **end, int base);

#endif
