/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of the BCM2835 (BCM2835 ARM Peripherals, with its published errata). */
#ifndef TESTS_MODELS_BCM2835_H
#define TESTS_MODELS_BCM2835_H

#include "model.h"

/* The system timer, chapter 12: 1 MHz, 64 bits, four compares of which the firmware owns 0 and 2.
 */
struct model_system_timer {
    struct model model;
    struct wire irq[4];
    uint64_t offset; /* added to the time in microseconds: to test near a roll-over */
    uint32_t status, compare[4];
    struct world_event match[4];
};
void model_system_timer_map(struct model_system_timer *timer, uint64_t base);

/* GPIO, chapter 6: 54 pins. */
struct model_bcm2835_gpio {
    struct model model;
    struct wire irq[3]; /* pins 0 to 27, 28 to 45, 46 to 53 */
    uint32_t fsel[6];
    uint32_t latch[2];                      /* what the set and clear registers made */
    uint32_t outside[2];                    /* what the world drives on inputs */
    uint32_t event_enable[6][2], events[2]; /* GPREN, GPFEN, GPHEN, GPLEN, GPAREN, GPAFEN */
    uint32_t pud, pudclk[2];
    uint64_t pud_time;
    uint8_t pull[54]; /* 0 none, 1 down, 2 up: as applied; 3 before */
};
void model_bcm2835_gpio_map(struct model_bcm2835_gpio *gpio, uint64_t base);
/* The world drives a pin. */
void model_bcm2835_gpio_input(struct model_bcm2835_gpio *gpio, unsigned pin, bool level);
unsigned model_bcm2835_gpio_function(const struct model_bcm2835_gpio *gpio, unsigned pin);

/* AUX with its mini UART, chapter 2. */
#define AUX_FIFO 8
struct model_bcm2835_aux {
    struct model aux, uart;
    struct wire irq;
    uint64_t clock; /* core clock in Hz */
    bool stuck;
    uint32_t enables, ier, lcr, mcr, scratch, cntl, baud;
    char tx[AUX_FIFO], rx[AUX_FIFO];
    unsigned tx_count, rx_count;
    bool shifting, overrun;
    char shift;
    struct world_event sent_event;
    char output[4096];
    size_t output_size;
};
void model_bcm2835_aux_map(struct model_bcm2835_aux *aux, uint64_t base, uint64_t clock);
void model_bcm2835_aux_input(struct model_bcm2835_aux *aux, char c);
uint64_t model_bcm2835_aux_baud(const struct model_bcm2835_aux *aux);

/* Power management and watchdog (no public chapter: the header files of the firmware's authors). */
struct model_bcm2835_pm {
    struct model model;
    uint32_t rstc, rsts, wdog;
    bool dead; /* never resets */
    struct world_event expires;
};
void model_bcm2835_pm_map(struct model_bcm2835_pm *pm, uint64_t base);

/* Random numbers (no public chapter either). */
struct model_bcm2835_rng {
    struct model model;
    uint32_t control, warm_up, threshold, mask, seed;
    uint64_t started; /* when it was switched on */
    uint64_t taken;   /* words read since then */
    bool dead;        /* never delivers */
};
void model_bcm2835_rng_map(struct model_bcm2835_rng *rng, uint64_t base);

#endif
