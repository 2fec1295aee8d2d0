/* SPDX-License-Identifier: BSD-2-Clause */
#include <busbar/irq.h>

#include "command.h"

static int run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return -EINVAL;
    if (!bb_irq_first())
        return -ENODEV;
    for (struct bb_irq *irq = bb_irq_first(); irq; irq = bb_irq_next(irq)) {
        say("%s (%s)\n", irq->face.device->name, irq->face.device->driver->name);
        for (size_t i = 0; i < BB_IRQ_BUCKETS; i++)
            for (const struct bb_interrupt *line = irq->buckets[i]; line; line = line->next)
                say("  line %4u  %10llu  %s\n", line->line, (unsigned long long)line->count,
                    line->device->name);
        if (irq->unowned)
            say("  nobody's   %10llu  masked\n", (unsigned long long)irq->unowned);
    }
    return 0;
}

const struct command command_irq = {"irq", "", "interrupt controllers, counts for each line", run,
                                    NULL};
