/* SPDX-License-Identifier: BSD-2-Clause */
/* An SD memory card (Physical Layer Simplified Specification 6.00, chapters 4 and 5). */
#include "sd_card.h"

#include <string.h>
#include <sys/mman.h>

#include <busbar/time.h>

#define card_require(card, condition, ...)                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            world_fail((card)->name, __VA_ARGS__);                                                 \
    } while (0)

enum { BLOCK = 512 };
enum { /* card status (4.10.1) */
       OUT_OF_RANGE = 1u << 31,
       ADDRESS_ERROR = 1u << 30,
       BLOCK_LEN_ERROR = 1u << 29,
       ERASE_SEQ_ERROR = 1u << 28,
       ERASE_PARAM = 1u << 27,
       WP_VIOLATION = 1u << 26,
       CARD_IS_LOCKED = 1u << 25,
       COM_CRC_ERROR = 1u << 23,
       ILLEGAL_COMMAND = 1u << 22,
       CARD_ECC_FAILED = 1u << 21,
       READY_FOR_DATA = 1u << 8,
       APP_CMD = 1u << 5,
};
enum { RCA = 0x4e21, POWER_UP = 30 /* ms */ };

static void put(uint8_t reg[16], unsigned high, unsigned low, uint32_t value)
{
    for (unsigned bit = low; bit <= high; bit++, value >>= 1) {
        uint8_t mask = (uint8_t)(1u << bit % 8), *byte = &reg[15 - bit / 8];
        *byte = (uint8_t)(value & 1 ? *byte | mask : *byte & ~mask);
    }
}

static void make_csd(struct sd_card *card)
{
    uint8_t *csd = card->csd;
    bool v2 = card->kind >= SD_CARD_SDHC;
    memset(csd, 0, 16);
    put(csd, 127, 126, v2);
    put(csd, 119, 112, 0x0e);
    put(csd, 103, 96, 0x32);
    put(csd, 95, 84, card->kind == SD_CARD_V1 ? 0x1b5 : 0x5b5);
    put(csd, 46, 46, 1);
    put(csd, 45, 39, 0x7f);
    put(csd, 28, 26, 2);
    if (v2) {
        put(csd, 83, 80, 9);
        put(csd, 69, 48, (uint32_t)(card->blocks / 1024 - 1));
        put(csd, 25, 22, 9);
        return;
    }
    unsigned length = card->blocks > 4096 * 512 ? 10 : 9;
    put(csd, 83, 80, length);
    put(csd, 25, 22, length);
    put(csd, 49, 47, 7);
    put(csd, 73, 62, (uint32_t)(card->blocks / (512u << (length - 9)) - 1));
}

void sd_card_make(struct sd_card *card, enum sd_card_kind kind, uint64_t blocks)
{
    static const uint8_t cid[16] = {0x03, 'S',  'D',  'B',  'U',  'S',  'B',  'A',
                                    0x21, 0x12, 0x34, 0x56, 0x78, 0x01, 0x5a, 1};
    if (card->memory)
        (void)munmap(card->memory, card->blocks * BLOCK);
    *card = (struct sd_card){.name = "sd card", .kind = kind, .blocks = blocks};
    memcpy(card->cid, cid, sizeof(cid));
    make_csd(card);
    card->scr[0] = kind == SD_CARD_V1 ? 0x00 : 0x02;
    card->scr[1] = (uint8_t)(0x20 | (kind == SD_CARD_V1 ? 1 : 5));
    card->scr[3] = kind == SD_CARD_SDXC ? 2 : 0; /* CMD23 */
    card->has_high_speed = kind >= SD_CARD_SDHC;
    card->busy_time = 300 * BB_USEC;
    card->memory = mmap(NULL, blocks * BLOCK, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    card_require(card, card->memory != MAP_FAILED, "no memory for its data");
    sd_card_power_up(card);
}

void sd_card_power_up(struct sd_card *card)
{
    card->present = true;
    card->state = SD_IDLE;
    card->status = 0;
    card->application = card->powered = card->high_speed = false;
    card->busy_until = 0;
    card->rca = 0;
    card->width = 1;
    card->count = 0;
    card->erase_step = 0;
    card->small_size = 0;
}

bool sd_card_is_busy(struct sd_card *card)
{
    return card->present && world_now() < card->busy_until;
}

/* The programming state ends by itself. */
static void settle(struct sd_card *card)
{
    if (card->state == SD_PROGRAMMING && !sd_card_is_busy(card))
        card->state = SD_TRANSFER;
}

static uint32_t take_status(struct sd_card *card, enum sd_card_state before)
{
    uint32_t status = card->status | (uint32_t)before << 9;
    card->status = 0;
    if (!sd_card_is_busy(card))
        status |= READY_FOR_DATA;
    if (card->locked)
        status |= CARD_IS_LOCKED;
    return status | (card->application ? APP_CMD : 0u);
}

static void long_answer(struct sd_answer *answer, const uint8_t reg[16])
{
    answer->kind = SD_LONG;
    for (unsigned i = 0; i < 4; i++)
        answer->words[3 - i] = (uint32_t)reg[4 * i] << 24 | (uint32_t)reg[4 * i + 1] << 16 |
                               (uint32_t)reg[4 * i + 2] << 8 | reg[4 * i + 3];
    answer->words[0] &= ~0xffu;
}

static bool is_mine(const struct sd_card *card, uint32_t argument)
{
    card_require(card, !(argument & 0xffff), "the stuff bits of an address command are not 0");
    return argument >> 16 == card->rca;
}

static uint64_t block_of(struct sd_card *card, uint32_t argument)
{
    if (card->kind >= SD_CARD_SDHC)
        return argument;
    if (argument % BLOCK)
        card->status |= ADDRESS_ERROR;
    return argument / BLOCK;
}

/* What a command asks for; false: it is illegal now. */
static bool move(struct sd_card *card, unsigned index, uint32_t argument)
{
    bool writes = index >= 24;
    uint64_t at = block_of(card, argument);
    if (card->state != SD_TRANSFER)
        return false;
    card->multiple = index == 18 || index == 25;
    card_require(card, !card->count || card->multiple, "CMD23 before a single block");
    if (at >= card->blocks)
        card->status |= OUT_OF_RANGE;
    if (writes && card->csd[14] & 0x30)
        card->status |= WP_VIOLATION;
    if (card->status & (OUT_OF_RANGE | ADDRESS_ERROR | WP_VIOLATION))
        return true; /* it stays where it is */
    card->at = at;
    card->left = !card->multiple ? 1 : card->count ? card->count : UINT32_MAX;
    card->count = 0;
    card->state = writes ? SD_RECEIVING : SD_SENDING;
    return true;
}

static bool stop(struct sd_card *card, struct sd_answer *answer)
{
    if (card->state == SD_SENDING)
        card->state = SD_TRANSFER;
    else if (card->state == SD_RECEIVING)
        card->state = SD_PROGRAMMING, answer->busy = true;
    else
        return false;
    card->small_size = 0;
    return true;
}

static void switch_function(struct sd_card *card, uint32_t argument)
{
    uint8_t *bytes = card->small;
    bool set = argument >> 31, wants = (argument & 15) == 1;
    card_require(card, (argument & 0x7f000000) == 0, "reserved bits of CMD6 are not 0");
    card_require(card, (argument & 0xfffff0) == 0xfffff0, "CMD6 changes groups that nobody uses");
    memset(bytes, 0, sizeof(card->small));
    bytes[1] = 100;
    bytes[13] = card->has_high_speed ? 3 : 1;
    bytes[16] = wants ? card->has_high_speed ? 1 : 15 : (uint8_t)card->high_speed;
    if (set && wants && card->has_high_speed)
        card->high_speed = true;
    card->small_size = 64;
    card->state = SD_SENDING;
}

static bool erase(struct sd_card *card, unsigned index, uint32_t argument)
{
    unsigned step = index == 32 ? 0 : index == 33 ? 1 : 2;
    if (card->state != SD_TRANSFER)
        return false;
    if (card->erase_step != step) {
        card->status |= ERASE_SEQ_ERROR;
        card->erase_step = 0;
        return true;
    }
    card->erase_step = (step + 1) % 3;
    uint64_t at = step == 2 ? 0 : block_of(card, argument);
    if (at >= card->blocks)
        card->status |= OUT_OF_RANGE;
    else if (step == 0)
        card->erase_first = at;
    else if (step == 1)
        card->erase_last = at;
    else if (card->erase_first > card->erase_last)
        card->status |= ERASE_PARAM;
    else {
        memset(card->memory + card->erase_first * BLOCK, card->erased,
               (card->erase_last - card->erase_first + 1) * BLOCK);
        card->state = SD_PROGRAMMING;
        card->busy_until = world_now() + 10 * card->busy_time;
    }
    return true;
}

static bool power_up(struct sd_card *card, uint32_t argument, struct sd_answer *answer)
{
    if (card->state != SD_IDLE)
        return false;
    card_require(card, argument & 0x00ff8000, "ACMD41 without a voltage");
    card_require(card, !(argument & 0x8f007fff), "ACMD41 with reserved bits");
    card_require(card, card->kind != SD_CARD_V1 || !(argument >> 30), "HCS to a card of version 1");
    if (!card->powered)
        card->ready_at = world_now() + POWER_UP * BB_MSEC;
    card->powered = true;
    bool ready = world_now() >= card->ready_at;
    if (card->kind >= SD_CARD_SDHC && !(argument >> 30 & 1))
        ready = false;
    answer->kind = SD_SHORT;
    answer->unchecked = true;
    answer->words[0] = 0x00ff8000 | (uint32_t)ready << 31;
    if (ready && card->kind >= SD_CARD_SDHC)
        answer->words[0] |= 1 << 30;
    if (ready)
        card->state = SD_READY;
    return true;
}

static bool application(struct sd_card *card, unsigned index, uint32_t argument,
                        struct sd_answer *answer)
{
    if (index == 41)
        return power_up(card, argument, answer);
    if (card->state != SD_TRANSFER)
        return false;
    answer->kind = SD_SHORT;
    switch (index) {
    case 6:
        card_require(card, argument == 0 || argument == 2, "ACMD6 with %#x", argument);
        card_require(card, argument == 0 || card->scr[1] & 4, "it has no four lines");
        card->width = argument ? 4 : 1;
        return true;
    case 42:
        card_require(card, argument <= 1, "ACMD42 with %#x", argument);
        return true;
    case 51:
        memcpy(card->small, card->scr, 8);
        card->small_size = 8;
        card->state = SD_SENDING;
        return true;
    }
    return false;
}

static bool identify(struct sd_card *card, unsigned index, uint32_t argument,
                     struct sd_answer *answer)
{
    switch (index) {
    case 8:
        if (card->state != SD_IDLE || card->kind == SD_CARD_V1)
            return false;
        if ((argument >> 8 & 15) != 1)
            return true; /* silence: not its voltage */
        answer->kind = SD_SHORT;
        answer->words[0] = argument & 0xfff;
        return true;
    case 2:
        if (card->state != SD_READY)
            return false;
        long_answer(answer, card->cid);
        card->state = SD_IDENT;
        return true;
    case 3:
        if (card->state != SD_IDENT && card->state != SD_STANDBY)
            return false;
        card->rca = card->first_address ? 0 : RCA;
        card->first_address = false;
        answer->kind = SD_SHORT;
        answer->words[0] = (uint32_t)card->rca << 16 | (uint32_t)card->state << 9 | READY_FOR_DATA;
        card->state = SD_STANDBY;
        return true;
    case 9:
        if (card->state != SD_STANDBY || !is_mine(card, argument))
            return false;
        long_answer(answer, card->csd);
        return true;
    }
    return false;
}

static bool ordinary(struct sd_card *card, unsigned index, uint32_t argument,
                     struct sd_answer *answer)
{
    answer->kind = SD_SHORT;
    switch (index) {
    case 6:
        if (card->state != SD_TRANSFER || card->kind == SD_CARD_V1)
            return false;
        switch_function(card, argument);
        return true;
    case 7:
        if (card->state != SD_STANDBY || !is_mine(card, argument))
            return false;
        card->state = SD_TRANSFER;
        answer->busy = true;
        return true;
    case 12:
        return stop(card, answer);
    case 13:
        return card->state >= SD_STANDBY && is_mine(card, argument);
    case 16:
        if (argument != BLOCK)
            card->status |= BLOCK_LEN_ERROR;
        return card->state == SD_TRANSFER;
    case 23:
        card->count = argument;
        return card->state == SD_TRANSFER && card->scr[3] & 2;
    case 55:
        card->application = card->state == SD_IDLE ? !argument : is_mine(card, argument);
        return card->application;
    case 17:
    case 18:
    case 24:
    case 25:
        return move(card, index, argument);
    case 32:
    case 33:
    case 38:
        return erase(card, index, argument);
    }
    return false;
}

static void check_clock(const struct sd_card *card, uint32_t hz)
{
    uint32_t most = card->state < SD_STANDBY ? 400000 : card->high_speed ? 50000000 : 25000000;
    card_require(card, hz > 0 && hz <= most, "a clock of %u Hz, where %u are allowed", hz, most);
}

/* Which fault this command has. */
static enum sd_fault next_fault(struct sd_card *card)
{
    unsigned number = ++card->commands;
    bool now = card->fault_at && number >= card->fault_at &&
               number - card->fault_at < (card->fault_count ? card->fault_count : 1);
    return now ? card->fault : SD_FAULT_NONE;
}

void sd_card_command(struct sd_card *card, unsigned index, uint32_t argument, uint32_t hz,
                     struct sd_answer *answer)
{
    *answer = (struct sd_answer){.kind = SD_SILENCE};
    card->current = next_fault(card);
    card->counts[index]++;
    if (card->current == SD_FAULT_GONE) {
        card->effects += card->present;
        card->present = false;
    }
    if (!card->present)
        return;
    settle(card);
    card->unseen = card->unseen && hz > 400000;
    if (card->unseen)
        return;
    check_clock(card, hz);
    enum sd_card_state before = card->state;
    bool applies = card->application, legal;
    card->application = false;
    if (card->current == SD_FAULT_SILENT) {
        card->status |= COM_CRC_ERROR; /* it did not get it right */
        card->effects++;
        return;
    }
    if (index == 0) {
        sd_card_power_up(card);
        return;
    }
    if (index >= 32 && index != 33 && index != 38)
        card->erase_step = 0;
    if (applies && (index == 6 || index == 41 || index == 42 || index == 51))
        legal = application(card, index, argument, answer);
    else if (index == 8 || index == 2 || index == 3 || index == 9)
        legal = identify(card, index, argument, answer);
    else
        legal = ordinary(card, index, argument, answer);
    if (!legal) {
        card->illegal++;
        card->status |= ILLEGAL_COMMAND;
        *answer = (struct sd_answer){.kind = SD_SILENCE};
        return;
    }
    bool has_status = answer->kind == SD_SHORT && !answer->unchecked && index != 8 && index != 3;
    if (has_status) {
        if (card->current == SD_FAULT_STATUS) {
            card->status |= CARD_ECC_FAILED;
            card->effects++;
        }
        card->application = applies && index != 55 ? true : card->application;
        answer->words[0] = take_status(card, before);
        if (index != 55)
            card->application = false;
    }
    answer->garbled =
        card->current == SD_FAULT_REPLY_CRC && answer->kind != SD_SILENCE && !answer->unchecked;
    card->effects += answer->garbled;
    if (card->current == SD_FAULT_BUSY && (answer->busy || card->state == SD_PROGRAMMING)) {
        card->busy_until = UINT64_MAX;
        card->effects++;
    } else if (answer->busy && !sd_card_is_busy(card))
        card->busy_until = world_now() + card->busy_time;
}

/* ---- Data ---- */

/* Whether this fault is one of the data that moves now. */
static bool data_has(struct sd_card *card, enum sd_fault fault)
{
    bool now = card->current == fault;
    card->effects += now;
    return now || (fault == SD_FAULT_DATA_CRC && card->fails_when_fast && card->high_speed);
}

static void step(struct sd_card *card)
{
    card->at++;
    if (card->left != UINT32_MAX)
        card->left--;
}

enum sd_data_result sd_card_send(struct sd_card *card, uint8_t *bytes, unsigned size,
                                 unsigned width)
{
    if (!card->present || card->state != SD_SENDING || data_has(card, SD_FAULT_DATA_LATE))
        return SD_DATA_LATE;
    card_require(card, width == card->width, "the bus is %u lines wide, the card sends on %u",
                 width, card->width);
    enum sd_data_result result = data_has(card, SD_FAULT_DATA_CRC) ? SD_DATA_GARBLED : SD_DATA_GOOD;
    if (card->small_size) {
        card_require(card, size == card->small_size, "a register of %u bytes read as %u",
                     card->small_size, size);
        memcpy(bytes, card->small, size);
        card->small_size = 0;
        card->state = SD_TRANSFER;
    } else {
        card_require(card, size == BLOCK, "blocks of %u bytes", size);
        if (card->at >= card->blocks) {
            card->status |= OUT_OF_RANGE;
            return SD_DATA_LATE;
        }
        memcpy(bytes, card->memory + card->at * BLOCK, BLOCK);
        step(card);
        if (card->left == 0)
            card->state = SD_TRANSFER;
        else if (card->at >= card->blocks)
            card->status |= OUT_OF_RANGE; /* it reads ahead */
    }
    if (result == SD_DATA_GARBLED)
        bytes[size / 2] ^= 0x10;
    return result;
}

enum sd_data_result sd_card_receive(struct sd_card *card, const uint8_t *bytes, unsigned size,
                                    unsigned width)
{
    if (!card->present || card->state != SD_RECEIVING || data_has(card, SD_FAULT_DATA_LATE))
        return SD_DATA_LATE;
    card_require(card, !sd_card_is_busy(card), "data while DAT0 is low");
    card_require(card, width == card->width, "the bus is %u lines wide, the card listens on %u",
                 width, card->width);
    card_require(card, size == BLOCK, "blocks of %u bytes", size);
    if (data_has(card, SD_FAULT_DATA_CRC))
        return SD_DATA_GARBLED;
    if (card->at >= card->blocks) {
        card->status |= OUT_OF_RANGE;
        return SD_DATA_LATE;
    }
    memcpy(card->memory + card->at * BLOCK, bytes, BLOCK);
    step(card);
    card->busy_until = data_has(card, SD_FAULT_BUSY) ? UINT64_MAX : world_now() + card->busy_time;
    if (card->left == 0)
        card->state = SD_PROGRAMMING;
    return SD_DATA_GOOD;
}
