/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the SD card layer share: scripts of commands, and the engine that runs them. */
#ifndef BUS_SD_SD_H
#define BUS_SD_SD_H

#include <busbar/sd.h>

enum { /* commands; A: after CMD55 */
       GO_IDLE = 0,
       ALL_SEND_CID = 2,
       SEND_RCA = 3,
       SET_BUS_WIDTH = 6, /* A */
       SWITCH = 6,
       SELECT = 7,
       SEND_IF_COND = 8,
       SEND_CSD = 9,
       STOP = 12,
       SEND_STATUS = 13,
       SET_BLOCKLEN = 16,
       READ_SINGLE = 17,
       READ_MULTIPLE = 18,
       SET_BLOCK_COUNT = 23,
       WRITE_SINGLE = 24,
       WRITE_MULTIPLE = 25,
       ERASE_START = 32,
       ERASE_END = 33,
       ERASE = 38,
       SEND_OP_COND = 41,        /* A */
       SET_CLR_CARD_DETECT = 42, /* A */
       SEND_SCR = 51,            /* A */
       APPLICATION = 55,
       LAST = 255, /* the end of a script */
};

enum { /* card status (4.10.1) */
       OUT_OF_RANGE = 1u << 31,
       WRONG = BB_SD_WRONG,
       REFUSED = 0xfc000000u, /* of these: address, length, order or protection are wrong */
       PROTECTED = 1u << 26,
       LOCKED = 1u << 25,
       STATE_SHIFT = 9,
       STATE_MASK = 15,
       TRANSFER = 4, /* states */
       SENDING = 5,
       RECEIVING = 6,
       PROGRAMMING = 7,
       READY = 1u << 8,
};

/* What a step's take() answers besides 0 and an error: the step again, that many ms later. */
#define AGAIN_AFTER(ms) (ms)

struct bb_sd_step {
    uint8_t index, answer;
    bool application;
    /* Fills in what the step adds to its command; false: it is not needed. NULL: nothing to add. */
    bool (*prepare)(struct bb_sd *sd, struct bb_sd_command *command);
    /* What the end of the command means: 0, an error, AGAIN_AFTER(). NULL: the error that it ended
     * with. */
    int (*take)(struct bb_sd *sd, const struct bb_sd_command *command, int error);
};

struct bb_sd_script {
    const struct bb_sd_step *steps;
    void (*ended)(struct bb_sd *sd, int error);
};

/* Starts a script, in place of one that may be under way; `wait` ms are what its steps may spend
 * on doing one again. */
void bb_sd_begin(struct bb_sd *sd, const struct bb_sd_script *script, uint32_t wait);
void bb_sd_run(struct bb_sd *sd);
/* Abandons command and script. */
void bb_sd_abandon(struct bb_sd *sd);

/* Identification, from power-up on. */
void bb_sd_identify(struct bb_sd *sd);
/* The script for the first request that waits. */
void bb_sd_start_request(struct bb_sd *sd);
void bb_sd_finish_all(struct bb_sd *sd, int status);
/* Whatever was made of the card: it is there and ready, or it cannot be used. */
void bb_sd_identified(struct bb_sd *sd, int error);

#endif
