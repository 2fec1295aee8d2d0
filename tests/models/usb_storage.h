/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A USB stick: a SCSI target (SPC-4, SBC-3) behind the bulk-only transport (USB MSC BOT 1.0). It is
 * strict with the host: a test ends on a wrapper that is not valid and meaningful (6.2), a tag used
 * twice in a row, a length or direction that is not the command's (the host's half of the thirteen
 * cases), reserved bits of a CDB, data that nobody asked for, a recovery out of order (5.3.4). And
 * it lies, where a test says so.
 *
 *     static struct model_usb_storage stick;
 *     model_usb_storage_init(&stick, BB_USB_HIGH, medium, 2048, 512);
 *     usb_plug(&soft_host.sockets[0], &stick.usb);
 */
#ifndef TESTS_MODELS_USB_STORAGE_H
#define TESTS_MODELS_USB_STORAGE_H

#include "usb_device.h"

enum storage_lie {
    STORAGE_TRUE,
    STORAGE_WRONG_TAG,
    STORAGE_WRONG_SIGNATURE,
    STORAGE_RESIDUE,        /* all was moved, and it says that the last block was not */
    STORAGE_HUGE_RESIDUE,   /* more than was asked for */
    STORAGE_PHASE_ERROR,    /* bCSWStatus 2 */
    STORAGE_STRANGE_STATUS, /* a reserved one */
    STORAGE_SHORT_STATUS,   /* 12 bytes */
    STORAGE_LONG_STATUS,    /* 14 bytes */
    STORAGE_EMPTY_STATUS,   /* an empty packet in front of it */
    STORAGE_NO_STATUS,      /* NAKs for ever */
    STORAGE_SHORT_DATA,     /* a packet less than it says */
    STORAGE_NO_DATA,        /* the status at once, on the same pipe: IN only */
    STORAGE_LONG_DATA,      /* packets beyond what was asked for, before the status */
    STORAGE_SILENT_DATA,    /* NAKs for ever */
    STORAGE_STALL_WRAPPER,
    STORAGE_STALL_DATA,   /* after one packet */
    STORAGE_STALL_STATUS, /* once */
    STORAGE_STALL_STATUS_TWICE,
    STORAGE_SENSE,      /* CHECK CONDITION with the model's sense data */
    STORAGE_BARE_CHECK, /* CHECK CONDITION, and sense data that say nothing */
    STORAGE_LIES,
};

struct storage_sense {
    uint8_t key, asc, ascq;
};

struct model_usb_storage {
    struct usb_model usb;
    /* For tests, at any time. */
    enum storage_lie lie;
    int lie_command;    /* its operation code; -1: any command but REQUEST SENSE */
    unsigned lie_count; /* that many commands more */
    uint64_t lie_block; /* reads and writes only of this block on, or UINT64_MAX: all */
    struct storage_sense lie_sense;
    uint64_t said_blocks; /* what READ CAPACITY says */
    uint32_t said_size;
    bool write_protected, no_medium, no_mode_sense, no_cache_command, no_reset_request;
    bool no_lun_request, needs_start, described_sense;
    uint8_t luns, type;    /* GET MAX LUN's answer; peripheral qualifier and type */
    unsigned waits;        /* NAKs before each packet of data */
    unsigned status_waits; /* NAKs before each status */
    struct storage_sense reset_attention[2]; /* what it tells after the reset request, in turn */
    uint64_t ready_at;                       /* world time from which it is ready */
    uint64_t bad_block; /* reads and writes of it fail with a medium error; UINT64_MAX: none */

    /* To look at. */
    uint8_t *medium;
    uint64_t blocks; /* of the medium; larger addresses are taken modulo `kept` */
    uint64_t kept;   /* blocks of memory */
    uint32_t block_size;
    unsigned count[256]; /* commands by operation code */
    unsigned commands, resets, flushes;
    uint64_t last_block; /* of a read or write */
    /* The model's own. */
    uint8_t phase;
    uint8_t recovery; /* what the host has done of it */
    struct storage_sense sense, attention, next_attention;
    struct storage_sense told; /* with REQUEST SENSE */
    uint8_t wrapper[31];
    uint8_t reply[512];
    uint8_t *data;                 /* what goes or comes */
    uint32_t asked, length, moved; /* bytes: the host's, the device's, so far */
    uint32_t packet;               /* that in() gave and sent() counts */
    uint32_t tag;
    uint8_t status, lying, stalls;
    unsigned waited;
    bool empty_sent, stale;
};

/* A medium of `blocks` in the caller's memory. Set what differs afterwards. */
void model_usb_storage_init(struct model_usb_storage *stick, enum bb_usb_speed speed, void *medium,
                            uint64_t blocks, uint32_t block_size);
/* The next `count` commands of this operation code, or -1, go wrong so. */
void model_usb_storage_lie(struct model_usb_storage *stick, enum storage_lie lie, int command,
                           unsigned count);

#endif
