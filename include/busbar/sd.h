/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SD memory cards (SD Specifications Part 1, Physical Layer Simplified Specification,
 * version 6.00): what all controllers share. A controller sends one command at a time and moves its
 * data; the rest is here: identification, the queue of block requests, retries, recovery, removal.
 *
 *     struct sdhost {
 *         struct bb_device device;
 *         union {
 *             struct bb_block block;      // the face
 *             struct bb_sd sd;            // which begins with it
 *         };
 *     };
 *
 *     static const struct bb_sd_ops sdhost_ops = {.start = ..., .look = ..., ...};
 *     ...
 *     error = bb_sd_prepare(&self->sd, device, FIFO);
 *     self->sd.ops = &sdhost_ops;                      // and the limits below
 *     error = bb_sd_attach(&self->sd);                 // last in probe
 *     ...
 *     const struct bb_block_ops bb_ops_block_sdhost = BB_SD_BLOCK_OPS;
 *
 * Everything is in thread context. A controller's interrupt handler quiets its hardware, notes what
 * it said and queues work, which calls bb_sd_done(). Nothing here waits except bb_sd_attach().
 */
#ifndef BUSBAR_SD_H
#define BUSBAR_SD_H

#include <busbar/block.h>
#include <busbar/clock.h>
#include <busbar/dma_engine.h>
#include <busbar/mmio.h>

enum { BB_SD_BLOCK = 512 };     /* bytes of a block of data, whatever the card */
#define BB_SD_WRONG 0xfdf98008u /* bits of the card status (4.10.1) that report an error */

/* What answers a command (section 4.9); BB_SD_R1B holds DAT0 low while the card is busy. R2 has 136
 * bits; R3 is without CRC and index. */
enum bb_sd_answer {
    BB_SD_NO_ANSWER,
    BB_SD_R1,
    BB_SD_R1B,
    BB_SD_R2,
    BB_SD_R3,
    BB_SD_R6,
    BB_SD_R7,
};

struct bb_sd_command {
    uint8_t index;  /* 0 to 63 */
    uint8_t answer; /* enum bb_sd_answer */
    bool write;     /* to the card; else from it */
    uint8_t segment_count;
    uint16_t block_size; /* bytes, a multiple of 4, up to BB_SD_BLOCK; 0: no data */
    uint16_t blocks;     /* 1 to sd->max_blocks */
    uint32_t argument;
    uint32_t timeout; /* ms that the card may take for data, or be busy */
    /* Where the data is: aligned to 4, each a multiple of block_size, together all blocks. */
    const struct bb_block_segment *segments;
    /* Without index and CRC: of 48 bits, bits 39 to 8 in [0]; of 136, bits 127 to 8 in [3] to [0],
     * the most significant in [3], and the lowest byte of [0] is 0. */
    uint32_t reply[4];
};

struct bb_sd_bus {
    uint32_t hz;   /* at most */
    uint8_t width; /* 1 or 4 lines of data */
};

struct bb_sd;

struct bb_sd_ops {
    /* Starts a command, whose memory stays until it ends. It ends with one bb_sd_done(), perhaps
     * before this returns, or with stop(). */
    void (*start)(struct bb_sd *sd, struct bb_sd_command *command);
    /* Looks at what the hardware says, as the work behind an interrupt would. */
    void (*look)(struct bb_sd *sd);
    /* Abandons what was started, and makes the lines of command and data idle again. No
     * bb_sd_done() for it, and no access to its memory, from now on. Without a command it sets up
     * the controller anew, as after power-up; what comes next is set_bus(), or the end. */
    void (*stop)(struct bb_sd *sd);
    /* Between commands. Sets sd->hz to what it became. */
    void (*set_bus)(struct bb_sd *sd, const struct bb_sd_bus *bus);
};

enum bb_sd_state {
    BB_SD_ABSENT, /* nobody answered, or what answered cannot be used */
    BB_SD_STARTING,
    BB_SD_READY,
    BB_SD_GONE, /* it was there; it is looked for again each second */
};

struct bb_sd_script; /* of this layer: commands, and what follows from their answers */

/* What registers of the card say. */
struct bb_sd_card {
    uint8_t cid[16], csd[16], scr[8]; /* as sent, the most significant byte first; CRC left out */
    char name[20];                    /* of CID: product, and its revision: "SD16G 8.0" */
    uint64_t blocks;                  /* of BB_SD_BLOCK */
    uint32_t hz;                      /* TRAN_SPEED */
    uint32_t erase_blocks;            /* how many are erased together at least */
    uint16_t rca, classes;            /* address; CCC */
    uint8_t version;                  /* SD_SPEC */
    bool high_capacity;               /* addressed by blocks: SDHC, SDXC */
    bool has_v2;                      /* answered CMD8 */
    bool wide, counts, protected;     /* has 4 lines; has CMD23; may not be written to */
    bool high_speed;                  /* switched to it */
};

struct bb_sd {
    struct bb_block block; /* first */
    /* The controller sets these before bb_sd_attach(). */
    const struct bb_sd_ops *ops;
    uint32_t max_hz;     /* of the bus; not 0 */
    uint16_t max_blocks; /* of a command; not 0 */
    uint16_t max_segments;
    bool wide, high_speed; /* what it can */
    bool stops_writes;     /* wants CMD12 at the end of a write of many blocks, no CMD23 */

    /* bb_sd_prepare() sets these. */
    struct bb_device *device;
    struct bb_clock_input clock;
    uint64_t input_hz; /* 1 MHz to 1 GHz */
    struct bb_dma_channel channel;
    uint32_t fifo;       /* where devices see the data register */
    struct bb_work work; /* bb_sd_work(): for the interrupt to queue */

    bool dma;    /* the channel moves the data of the command */
    uint32_t hz; /* of the bus now */
    struct bb_sd_card card;
    uint32_t retries, recoveries; /* commands done again; times that the card was set up again */

    /* The rest belongs to this layer. */
    const struct bb_sd_script *script;
    uint8_t state, step, tries, attempts; /* of the request; to identify the card */
    bool busy, pausing;                   /* a command is under way; the time before the next one */
    bool again;                           /* one has ended, and was not looked at yet */
    bool application;                     /* CMD55 went before */
    bool running, removed, lost;          /* lost: it is to be identified before its next request */
    bool had_address, restarted;          /* the card, before; and it has lost its power since */
    bool fast, slow;    /* the card can be switched to high speed; it did not do well there */
    int error;          /* of the command that ended */
    uint32_t wait_left; /* ms that the script may still spend on pauses */
    uint64_t deadline;  /* of the command */
    struct bb_sd_command command;
    struct bb_timer_event timer;
    struct bb_block_request *first, *last; /* the first one is at work */
    struct bb_block_request *finished, **finished_end;
    unsigned waiting;
    uint64_t erase_first, erase_end;
    uint8_t cid[16], other[16];    /* of the card that the block device is made of, another one */
    char label[20];                /* its name, while another one may be looked at */
    struct bb_block_segment small; /* a register that comes as data, */
    uint8_t *room;                 /* and 64 bytes for it */
    struct bb_value values[3];
};

/* Gets the clock and, where the node names one, a channel for the data register at `offset`. */
int bb_sd_prepare(struct bb_sd *sd, struct bb_device *device, uint32_t offset);
/* Identifies the card and makes a block device of it: the last step of probe. Waits, for 6 seconds
 * at most. -ENOSYS when there is no card; or an error that the reason explains. */
int bb_sd_attach(struct bb_sd *sd);
/* In remove: ends what is in flight with -ENODEV. */
void bb_sd_detach(struct bb_sd *sd);

/* The command has ended: 0, and its reply is there; -ETIMEDOUT: no answer, or data late; -EPROTO: a
 * CRC, end bit or index is wrong; -EIO: the controller failed. Ignored when none is under way. */
void bb_sd_done(struct bb_sd *sd, int error);
/* Whether the card's answer to a command with data says that none will move. Then the controller
 * makes its data lines idle, and the command ends with 0: the reply has the reason. */
static inline bool bb_sd_is_refused(const struct bb_sd_command *command)
{
    return command->reply[0] & BB_SD_WRONG;
}
/* As the work behind the interrupt does: look(), and whoever waits is told. */
void bb_sd_work(struct bb_sd *sd);

/* Has the channel move the data of a command, but for `rest` bytes at its end; sets sd->dma. Left
 * to the CPU: what is no whole number of cache lines, or out of the engine's reach. */
void bb_sd_dma_start(struct bb_sd *sd, const struct bb_sd_command *command, uint32_t rest);
/* The channel is done, or is to stop; nothing without one. */
void bb_sd_dma_end(struct bb_sd *sd, const struct bb_sd_command *command);

/* Words between a data register and memory: what PIO costs is this. */
static inline __attribute__((always_inline)) void bb_sd_eight_in(uintptr_t base, size_t offset,
                                                                 uint32_t *at)
{
    uint32_t a = bb_arch_read32_at(base, offset), b = bb_arch_read32_at(base, offset);
    uint32_t c = bb_arch_read32_at(base, offset), d = bb_arch_read32_at(base, offset);
    uint32_t e = bb_arch_read32_at(base, offset), f = bb_arch_read32_at(base, offset);
    uint32_t g = bb_arch_read32_at(base, offset), h = bb_arch_read32_at(base, offset);
    at[0] = a, at[1] = b, at[2] = c, at[3] = d, at[4] = e, at[5] = f, at[6] = g, at[7] = h;
}
static inline void bb_sd_words_in(const struct bb_regs *regs, size_t offset, uint32_t *at,
                                  size_t words)
{
    uintptr_t base = regs->base;
    const uint32_t *end = at + words, *last = at + (words & ~(size_t)7);
    BB_ASSERT(offset + 4 <= regs->size);
    for (; at != last; at += 8)
        bb_sd_eight_in(base, offset, at);
    for (; at != end; at++)
        *at = bb_arch_read32_at(base, offset);
}
static inline void bb_sd_words_out(const struct bb_regs *regs, size_t offset, const uint32_t *at,
                                   size_t words)
{
    uintptr_t base = regs->base;
    const uint32_t *end = at + words, *last = at + (words & ~(size_t)3);
    BB_ASSERT(offset + 4 <= regs->size);
    for (; at != last; at += 4) {
        uint32_t a = at[0], b = at[1], c = at[2], d = at[3];
        bb_arch_write32_at(base, offset, a), bb_arch_write32_at(base, offset, b);
        bb_arch_write32_at(base, offset, c), bb_arch_write32_at(base, offset, d);
    }
    for (; at != end; at++)
        bb_arch_write32_at(base, offset, *at);
}

/* The ops: as <busbar/block.h> has them. */
int bb_sd_submit(struct bb_block *block, unsigned queue, struct bb_block_request *const *requests,
                 unsigned count);
int bb_sd_reap(struct bb_block *block, unsigned queue, unsigned limit);
bool bb_sd_arm(struct bb_block *block, unsigned queue);
int bb_sd_expire(struct bb_block *block);

#define BB_SD_BLOCK_OPS                                                                            \
    {                                                                                              \
        .submit = bb_sd_submit, .reap = bb_sd_reap, .arm = bb_sd_arm, .expire = bb_sd_expire,      \
    }

/* ---- Registers of the card; what they say is checked (chapter 5 and section 4.3.10) ---- */

/* `words` as in bb_sd_command.reply. -EINVAL where a field has a reserved value. */
int bb_sd_read_csd(struct bb_sd_card *card, const uint32_t words[4]);
void bb_sd_read_cid(struct bb_sd_card *card, const uint32_t words[4]);
int bb_sd_read_scr(struct bb_sd_card *card, const uint8_t bytes[8]);
/* Status of a CMD6: whether function 1 of group 1, high speed, can be had, and whether it was
 * chosen. -EINVAL when the structure makes no sense. */
int bb_sd_read_switch(const uint8_t bytes[64], bool *can, bool *chosen);

#endif
