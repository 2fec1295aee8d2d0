/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SD memory card (Physical Layer Simplified Specification 6.00) behind whatever controller: its
 * states, registers and data. It answers as a card does, and ends the test where a host breaks what
 * the specification asks of hosts: clocks, bus width, stuff bits, sequences.
 */
#ifndef TESTS_MODELS_SD_CARD_H
#define TESTS_MODELS_SD_CARD_H

#include "model.h"

enum sd_card_state {
    SD_IDLE,
    SD_READY,
    SD_IDENT,
    SD_STANDBY,
    SD_TRANSFER,
    SD_SENDING,
    SD_RECEIVING,
    SD_PROGRAMMING,
};

enum sd_fault {
    SD_FAULT_NONE,
    SD_FAULT_SILENT,    /* no answer */
    SD_FAULT_REPLY_CRC, /* an answer that was garbled */
    SD_FAULT_STATUS,    /* CARD_ECC_FAILED in the answer */
    SD_FAULT_DATA_LATE, /* no data, or no word whether it was taken */
    SD_FAULT_DATA_CRC,  /* garbled data */
    SD_FAULT_BUSY,      /* busy until CMD0 or power-up */
    SD_FAULT_GONE,      /* pulled out */
    SD_FAULTS,
};

enum sd_card_kind { SD_CARD_V1, SD_CARD_SDSC, SD_CARD_SDHC, SD_CARD_SDXC };

struct sd_card {
    const char *name;
    /* What it is; set before power-up. sd_card_make() fills it in. */
    enum sd_card_kind kind;
    uint64_t blocks;
    uint8_t *memory;
    uint8_t cid[16], csd[16], scr[8];
    bool has_high_speed, locked;
    uint8_t erased;     /* what erased blocks read as */
    uint64_t busy_time; /* ns, after a block or an erase */
    bool present;
    bool unseen; /* put back, and nobody knows: a clock that is too fast for it gets no answer */

    enum sd_card_state state;
    uint32_t status; /* error bits not told yet */
    bool application, powered, first_address;
    uint64_t ready_at, busy_until;
    uint16_t rca;
    unsigned width;
    bool high_speed;
    uint32_t count; /* of CMD23; 0: open-ended */
    uint64_t at;    /* block that is moved next */
    uint32_t left;  /* of a counted transfer; UINT32_MAX: open-ended */
    bool multiple;
    uint8_t small[64]; /* a register on its way */
    unsigned small_size;
    uint64_t erase_first, erase_last;
    unsigned erase_step;

    /* Faults: of command number `fault_at` (1 is the first one), and `fault_count` - 1 after it. */
    enum sd_fault fault, current;
    unsigned fault_at, fault_count;
    unsigned effects;     /* how many of them the command could have */
    bool fails_when_fast; /* data is garbled at high speed */

    unsigned commands, illegal; /* so far */
    unsigned counts[64];        /* of each command */
};

enum sd_answer_kind { SD_SILENCE, SD_SHORT, SD_LONG };

struct sd_answer {
    enum sd_answer_kind kind;
    uint32_t words[4]; /* as in struct bb_sd_command */
    bool garbled;      /* its CRC is wrong */
    bool unchecked;    /* R3: has no CRC */
    bool busy;         /* DAT0 is low afterwards */
};

enum sd_data_result { SD_DATA_GOOD, SD_DATA_LATE, SD_DATA_GARBLED };

void sd_card_make(struct sd_card *card, enum sd_card_kind kind, uint64_t blocks);
/* Power, or the slot: what it knew is gone. */
void sd_card_power_up(struct sd_card *card);
/* `hz` and `width` as the controller drives the bus. */
void sd_card_command(struct sd_card *card, unsigned index, uint32_t argument, uint32_t hz,
                     struct sd_answer *answer);
bool sd_card_is_busy(struct sd_card *card);
/* A block of data, or a register of `size` bytes. */
enum sd_data_result sd_card_send(struct sd_card *card, uint8_t *bytes, unsigned size,
                                 unsigned width);
enum sd_data_result sd_card_receive(struct sd_card *card, const uint8_t *bytes, unsigned size,
                                    unsigned width);

#endif
