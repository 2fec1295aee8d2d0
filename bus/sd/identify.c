/* SPDX-License-Identifier: BSD-2-Clause */
/* From power-up to the transfer state (Physical Layer Simplified Specification 6.00, 4.2 and 4.3),
 * with as wide and fast a bus as card and controller have in common. */
#include <busbar/log.h>

#include "sd.h"

enum {
    SLOWEST = 400000,      /* Hz, while a card is identified */
    DEFAULT_HZ = 25000000, /* default speed */
    HIGH_HZ = 50000000,
    CHECK = 0x1aa,        /* 2.7 to 3.6 V, and a pattern to be sent back */
    VOLTAGE = 0x00300000, /* 3.2 to 3.4 V */
    CAPACITY = 1 << 30,   /* HCS and CCS */
    POWERED_UP = 1u << 31,
    CLASS_SWITCH = 1 << 10,
    ASK_HIGH_SPEED = 0x00fffff1, /* group 1, function 1; the others stay */
    SET_HIGH_SPEED = 0x80fffff1u,
    MOST_WAIT = 1500, /* ms for all steps; ACMD41 alone may take 1000 */
};

static bool is_lost(int error)
{
    return error == -ETIMEDOUT;
}

/* What a step was about, for the reason of the node. */
static int refuse(struct bb_sd *sd, const char *what, int error)
{
    return bb_fail(sd->device, what, error);
}

static bool small_data(struct bb_sd *sd, struct bb_sd_command *command, uint16_t size)
{
    sd->small = (struct bb_block_segment){sd->room, size};
    command->block_size = size;
    command->blocks = 1;
    command->segments = &sd->small;
    command->segment_count = 1;
    command->timeout = 500;
    return true;
}

static void set_bus(struct bb_sd *sd, uint32_t hz, uint8_t width)
{
    const struct bb_sd_bus bus = {hz < sd->max_hz ? hz : sd->max_hz, width};
    sd->ops->set_bus(sd, &bus);
}

/* ---- Steps ---- */

static bool ask_without_address(struct bb_sd *sd, struct bb_sd_command *command)
{
    (void)command; /* argument 0: of cards that have no address yet */
    return sd->had_address;
}

/* A card that is idle without our CMD0 has lost its power: it may have been elsewhere. */
static int take_idle_already(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    sd->restarted |= !error && !(command->reply[0] >> STATE_SHIFT & STATE_MASK);
    return 0;
}

static int take_idle(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    (void)command;
    return error ? refuse(sd, "CMD0", error) : 0;
}

static bool ask_interface(struct bb_sd *sd, struct bb_sd_command *command)
{
    (void)sd;
    command->argument = CHECK;
    return true;
}

/* Cards of version 1 do not know the command. */
static int take_interface(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    if (error && !is_lost(error))
        return refuse(sd, "CMD8", error);
    sd->card.has_v2 = !error;
    return error || (command->reply[0] & 0xfff) == CHECK ? 0 : refuse(sd, "CMD8", -ENOTSUP);
}

static bool ask_condition(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = VOLTAGE | (sd->card.has_v2 ? CAPACITY : 0u);
    return true;
}

/* Nothing answers: no card, or one that is no SD memory card. */
static int take_condition(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    uint32_t ocr = command->reply[0];
    if (is_lost(error) && !sd->card.has_v2)
        return refuse(sd, "an SD card", -ENOSYS);
    if (error)
        return refuse(sd, "ACMD41", error);
    if (!(ocr & POWERED_UP))
        return AGAIN_AFTER(10);
    if (!(ocr & VOLTAGE))
        return refuse(sd, "voltage of the card", -ENOTSUP);
    sd->card.high_capacity = ocr & CAPACITY;
    return 0;
}

static int take_cid(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    if (error)
        return refuse(sd, "CID", error);
    bb_sd_read_cid(&sd->card, command->reply);
    return 0;
}

static int take_address(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    enum { R6_WRONG = 0xe000 };
    if (error || command->reply[0] & R6_WRONG)
        return refuse(sd, "card address", error ? error : -EIO);
    sd->card.rca = (uint16_t)(command->reply[0] >> 16);
    return sd->card.rca ? 0 : AGAIN_AFTER(1); /* 0 is all cards' */
}

static bool name_card(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = (uint32_t)sd->card.rca << 16;
    return true;
}

static int take_csd(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    error = error ? error : bb_sd_read_csd(&sd->card, command->reply);
    if (error)
        return refuse(sd, "CSD", error);
    bool v2 = sd->card.csd[0] >> 6 == 1;
    if (v2 != sd->card.high_capacity)
        return refuse(sd, "CSD, which contradicts OCR", -EINVAL);
    set_bus(sd, sd->card.hz < DEFAULT_HZ ? sd->card.hz : DEFAULT_HZ, 1);
    return 0;
}

static bool select(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->timeout = 500;
    return name_card(sd, command);
}

static int take_selected(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    if (error || command->reply[0] & WRONG)
        return refuse(sd, "selection of the card", error ? error : -EIO);
    return command->reply[0] & LOCKED ? refuse(sd, "the card's password", -EPERM) : 0;
}

static bool set_length(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = BB_SD_BLOCK;
    return !sd->card.high_capacity; /* where it is fixed */
}

static bool ask_scr(struct bb_sd *sd, struct bb_sd_command *command)
{
    return small_data(sd, command, sizeof(sd->card.scr));
}

static int take_scr(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    if (!error && command->reply[0] & WRONG)
        error = -EIO;
    error = error ? error : bb_sd_read_scr(&sd->card, sd->room);
    return error ? refuse(sd, "SCR", error) : 0;
}

static bool is_wide(struct bb_sd *sd, struct bb_sd_command *command)
{
    (void)command; /* argument 0: no pull-up on DAT3 any more */
    return sd->card.wide && sd->wide;
}

static bool ask_width(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = 2;
    return is_wide(sd, command);
}

static int take_width(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    if (error || command->reply[0] & WRONG)
        return refuse(sd, "bus of 4 lines", error ? error : -EIO);
    set_bus(sd, sd->hz, 4);
    return 0;
}

static bool may_switch(struct bb_sd *sd)
{
    return sd->high_speed && !sd->slow && sd->max_hz > DEFAULT_HZ && sd->card.version >= 1 &&
           sd->card.classes & CLASS_SWITCH;
}

static bool ask_speed(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = ASK_HIGH_SPEED;
    return may_switch(sd) && small_data(sd, command, 64);
}

/* A card that cannot say goes on at default speed. */
static int take_speed(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    bool can = false, chosen;
    if (error)
        return refuse(sd, "CMD6", error);
    sd->fast = !(command->reply[0] & WRONG) && !bb_sd_read_switch(sd->room, &can, &chosen) && can;
    return 0;
}

static bool set_speed(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = SET_HIGH_SPEED;
    return may_switch(sd) && sd->fast && small_data(sd, command, 64);
}

static int take_new_speed(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    bool can, chosen = false;
    if (error)
        return refuse(sd, "CMD6", error);
    if (!(command->reply[0] & WRONG) && !bb_sd_read_switch(sd->room, &can, &chosen) && chosen) {
        sd->card.high_speed = true;
        set_bus(sd, HIGH_HZ, sd->card.wide && sd->wide ? 4 : 1);
    }
    return 0;
}

static const struct bb_sd_script script = {
    .steps =
        (const struct bb_sd_step[]){
            {APPLICATION, BB_SD_R1, false, ask_without_address, take_idle_already},
            {GO_IDLE, BB_SD_NO_ANSWER, .take = take_idle},
            {SEND_IF_COND, BB_SD_R7, .prepare = ask_interface, .take = take_interface},
            {SEND_OP_COND, BB_SD_R3, true, ask_condition, take_condition},
            {ALL_SEND_CID, BB_SD_R2, .take = take_cid},
            {SEND_RCA, BB_SD_R6, .take = take_address},
            {SEND_CSD, BB_SD_R2, false, name_card, take_csd},
            {SELECT, BB_SD_R1B, false, select, take_selected},
            {SET_BLOCKLEN, BB_SD_R1, .prepare = set_length},
            {SEND_SCR, BB_SD_R1, true, ask_scr, take_scr},
            {SET_CLR_CARD_DETECT, BB_SD_R1, true, .prepare = is_wide},
            {SET_BUS_WIDTH, BB_SD_R1, true, ask_width, take_width},
            {SWITCH, BB_SD_R1, false, ask_speed, take_speed},
            {SWITCH, BB_SD_R1, false, set_speed, take_new_speed},
            {.index = LAST},
        },
    .ended = bb_sd_identified,
};

void bb_sd_identify(struct bb_sd *sd)
{
    bb_sd_abandon(sd);
    sd->had_address = sd->card.rca;
    sd->card = (struct bb_sd_card){0};
    sd->fast = false;
    sd->ops->stop(sd);
    set_bus(sd, SLOWEST, 1);
    bb_sd_begin(sd, &script, MOST_WAIT);
}
