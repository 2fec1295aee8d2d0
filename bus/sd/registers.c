/* SPDX-License-Identifier: BSD-2-Clause */
/* What an SD card's registers say: CID, CSD, SCR (Physical Layer Simplified Specification 6.00,
 * chapter 5) and the status of a switch function (4.3.10.4). */
#include <string.h>

#include <busbar/log.h>

#include "sd.h"

enum { CSD_V1 = 0, CSD_V2 = 1, KIB_PER_UNIT = 512 };

/* Bits `high` to `low` of 128; at most 32. */
static uint32_t bits(const uint32_t words[4], unsigned high, unsigned low)
{
    unsigned width = high - low + 1, at = low % 32;
    uint64_t pair = words[low / 32];
    if (low / 32 < 3)
        pair |= (uint64_t)words[low / 32 + 1] << 32;
    return (uint32_t)(pair >> at) & (uint32_t)((1ull << width) - 1);
}

static void to_bytes(uint8_t bytes[16], const uint32_t words[4])
{
    for (unsigned i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(words[3 - i / 4] >> (24 - i % 4 * 8));
    bytes[15] = 0; /* the CRC, which not every controller hands over */
}

/* TRAN_SPEED (5.3.2): tenths of a unit. */
static int read_speed(struct bb_sd_card *card, uint32_t value)
{
    static const uint8_t tenths[16] = {0,  10, 12, 13, 15, 20, 25, 30,
                                       35, 40, 45, 50, 55, 60, 70, 80};
    static const uint32_t units[4] = {10000, 100000, 1000000, 10000000}; /* a tenth of each */
    if ((value & 7) > 3 || value & 0x80 || !tenths[value >> 3 & 15])
        return -EINVAL;
    card->hz = tenths[value >> 3 & 15] * units[value & 7];
    return 0;
}

static int read_size_v1(struct bb_sd_card *card, const uint32_t words[4])
{
    uint32_t read_length = bits(words, 83, 80), write_length = bits(words, 25, 22);
    if (read_length < 9 || read_length > 11 || write_length < 9 || write_length > 11)
        return -EINVAL;
    uint64_t units = (uint64_t)(bits(words, 73, 62) + 1) << (bits(words, 49, 47) + 2);
    card->blocks = units << (read_length - 9);
    /* Where ERASE_BLK_EN is 0, whole sectors are erased, whatever part of them was named. */
    card->erase_blocks = bits(words, 46, 46) ? 1 : (bits(words, 45, 39) + 1) << (write_length - 9);
    return 0;
}

int bb_sd_read_csd(struct bb_sd_card *card, const uint32_t words[4])
{
    uint32_t structure = bits(words, 127, 126);
    if (structure > CSD_V2 || read_speed(card, bits(words, 103, 96)))
        return -EINVAL;
    to_bytes(card->csd, words);
    card->classes = (uint16_t)bits(words, 95, 84);
    card->protected = bits(words, 13, 12);
    if (structure == CSD_V1)
        return read_size_v1(card, words);
    card->blocks = (uint64_t)(bits(words, 69, 48) + 1) * KIB_PER_UNIT * 1024 / BB_SD_BLOCK;
    card->erase_blocks = 1;
    return 0;
}

void bb_sd_read_cid(struct bb_sd_card *card, const uint32_t words[4])
{
    char product[6];
    to_bytes(card->cid, words);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t c = card->cid[3 + i];
        product[i] = c > ' ' && c < 0x7f ? (char)c : c ? '_' : '\0';
    }
    product[5] = '\0';
    (void)bb_format(card->name, sizeof(card->name), "%s %u.%u", product, card->cid[8] >> 4u,
                    card->cid[8] & 15u);
}

int bb_sd_read_scr(struct bb_sd_card *card, const uint8_t bytes[8])
{
    enum { ONE_LINE = 1, FOUR_LINES = 4, COUNTS = 2 };
    if (bytes[0] >> 4 || (bytes[0] & 15) > 2 || !(bytes[1] & ONE_LINE))
        return -EINVAL;
    memcpy(card->scr, bytes, sizeof(card->scr));
    card->version = bytes[0] & 15;
    card->wide = bytes[1] & FOUR_LINES;
    card->counts = bytes[3] & COUNTS;
    return 0;
}

int bb_sd_read_switch(const uint8_t bytes[64], bool *can, bool *chosen)
{
    enum { CURRENT = 0, SUPPORT = 13, RESULT = 16, VERSION = 17, BUSY = 29, HIGH_SPEED = 1 };
    if (bytes[VERSION] > 1)
        return -EINVAL;
    bool fits = bytes[CURRENT] || bytes[CURRENT + 1]; /* 0: the functions exclude each other */
    bool busy = bytes[VERSION] == 1 && bytes[BUSY] & 1 << HIGH_SPEED;
    *can = fits && !busy && bytes[SUPPORT] & 1 << HIGH_SPEED;
    *chosen = fits && (bytes[RESULT] & 15) == HIGH_SPEED;
    return 0;
}
