/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt specifier that every Arm GIC has (Linux,
 * bindings/interrupt-controller/arm,gic.yaml): 0 for a shared or 1 for a private interrupt, its
 * number, trigger flags. */
#ifndef DRIVERS_IRQ_GIC_H
#define DRIVERS_IRQ_GIC_H

#include <busbar/irq.h>

enum { FIRST_PPI = 16, FIRST_SPI = 32 };

/* `lines`: how many the distributor has, SGIs and PPIs included. */
static inline int gic_translate(const struct bb_phandle_args *args, uint32_t lines, uint32_t *line,
                                enum bb_trigger *trigger)
{
    bool spi = args->cells[0] == 0;
    uint32_t number = args->cells[1];
    uint32_t flags = args->cells[2] & 0xf; /* bits 15:8: CPUs that a PPI of GICv2 is wired to */
    if (args->cells[0] > 1 || number >= (spi ? lines - FIRST_SPI : FIRST_SPI - FIRST_PPI))
        return -EINVAL;
    if (spi && flags != BB_TRIGGER_DEFAULT && flags != BB_TRIGGER_RISING &&
        flags != BB_TRIGGER_HIGH)
        return -EINVAL;
    *line = number + (spi ? FIRST_SPI : FIRST_PPI);
    *trigger = (enum bb_trigger)flags;
    return 0;
}

#endif
