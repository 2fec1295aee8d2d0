/* SPDX-License-Identifier: BSD-2-Clause */
/* What the layers above fill in, and the way in for interrupts. */
#include <busbar/hooks.h>

struct bb_hooks bb_hooks;

void bb_interrupt_entry(void)
{
    if (!bb_hooks.interrupt) /* nothing could make it quiet again */
        bb_panic("an interrupt came, and no interrupt controller runs");
    bb_hooks.interrupt();
}
