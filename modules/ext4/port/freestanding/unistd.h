/* SPDX-License-Identifier: BSD-2-Clause */
/* Nothing of it is called. */
#include <sys/types.h>
