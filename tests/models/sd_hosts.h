/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two SD controllers of the BCM2835 and its DMA controller. SDHOST has no public chapter: as in
 * the driver that Raspberry Pi (Trading) published for Linux; the Arasan after the SD Host
 * Controller Simplified Specification 3.00 and BCM2835 ARM Peripherals, chapter 5; DMA after
 * chapter 4.
 */
#ifndef TESTS_MODELS_SD_HOSTS_H
#define TESTS_MODELS_SD_HOSTS_H

#include "sd_card.h"

/* How data moves between a card and a controller, block by block, and word by word. */
struct sd_mover {
    struct sd_card *card;
    uint8_t block[512];
    unsigned size, at; /* of the block; bytes moved already */
    uint32_t blocks;   /* left, with this one */
    enum sd_data_result result;
};

#define SDHOST_FIFO 16
struct model_sdhost {
    struct model model;
    struct wire irq;
    struct sd_card *(*slot)(void *context); /* the card, or NULL where the pins lead elsewhere */
    uint64_t input_hz;
    bool dead;        /* commands never end */
    bool browned_out; /* its power may be away: silence until SDVDD is written */
    uint64_t lag;     /* ns that a block's end is late */
    uint32_t command, argument, timeout, divider, reply[4], status, power, edm, config, byte_count;
    uint32_t block_count;
    uint64_t command_end;
    uint32_t fifo[SDHOST_FIFO];
    unsigned fill, first;
    struct sd_mover mover;
    bool moving, late; /* late: the card does not go on */
    struct world_event tick, busy;
};
void model_sdhost_map(struct model_sdhost *host, uint64_t base, uint64_t input_hz);
/* Words that DMA may move now; what it asks for goes by the FIFO's register. */
unsigned model_sdhost_dreq(void *context);

struct model_sdhci {
    struct model model;
    struct wire irq;
    struct sd_card *(*slot)(void *context);
    uint64_t input_hz;
    bool dead;     /* commands never end */
    bool stuck;    /* resets never end */
    uint64_t pace; /* ns that a block takes, where the clock shall not say */
    uint32_t block, argument, word, reply[4], host, clock, status, enable, signal;
    uint64_t written[64]; /* when each register was last written */
    bool command_busy, data_busy, ready;
    struct sd_mover mover;
    struct sd_answer answer;
    struct world_event command_end, data_end, busy;
};
void model_sdhci_map(struct model_sdhci *host, uint64_t base, uint64_t input_hz);
unsigned model_sdhci_dreq(void *context);

enum { DMA_CHANNELS = 15, DMA_PERIPHERALS = 32 };
/* A FIFO that DMA may touch: at a bus address, as many words as dreq() says. */
struct dma_peripheral {
    uint64_t bus;
    unsigned (*dreq)(void *context);
    void *context;
    struct model *model;
    uint32_t offset; /* of the FIFO */
};
struct dma_channel {
    struct wire irq;
    uint32_t cs, block, debug;
    uint32_t information, source, destination, length, next; /* of the block that runs */
    bool fails;                                              /* a read error at the next word */
    struct world_event tick;
    struct model_dma *dma;
};
struct model_dma {
    struct model model;
    struct dma_channel channels[DMA_CHANNELS];
    struct dma_peripheral peripherals[DMA_PERIPHERALS];
    /* Memory as devices see it: from this bus address. */
    uint64_t bus_base;
    unsigned char *memory;
    size_t size;
    uint64_t transfers;
};
void model_dma_map(struct model_dma *dma, uint64_t base);

#endif
