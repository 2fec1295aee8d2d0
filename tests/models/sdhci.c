/* SPDX-License-Identifier: BSD-2-Clause */
/* The Arasan SD controller of the BCM2835 (SD Host Controller Simplified Specification 3.00, and
 * BCM2835 ARM Peripherals, chapter 5: EMMC). */
#include "sd_hosts.h"

#include <string.h>

#include <busbar/time.h>

enum {
    BLKSIZECNT = 0x04,
    ARG1 = 0x08,
    CMDTM = 0x0c,
    RESP0 = 0x10,
    DATA = 0x20,
    STATE = 0x24,
    CONTROL0 = 0x28,
    CONTROL1 = 0x2c,
    INTERRUPT = 0x30,
    IRPT_MASK = 0x34,
    IRPT_EN = 0x38,
    CAPABILITIES = 0x40,
};
enum { BLOCK_COUNT_ENABLE = 1 << 1, FROM_CARD = 1 << 4, MULTIPLE = 1 << 5 };
enum { RESPONSE_SHIFT = 16, CRC_CHECK = 1 << 19, INDEX_CHECK = 1 << 20, HAS_DATA = 1 << 21 };
enum { NONE, R136, R48, R48_BUSY };
enum { I_COMMAND = 1, I_TRANSFER = 2, I_WRITE_READY = 0x10, I_READ_READY = 0x20 };
enum {
    I_COMMAND_TIMEOUT = 1 << 16,
    I_COMMAND_CRC = 1 << 17,
    I_DATA_TIMEOUT = 1 << 20,
    I_DATA_CRC = 1 << 21,
    I_ERROR = 1 << 15
};
enum { CLOCK_INTERNAL = 1, CLOCK_STABLE = 2, CLOCK_CARD = 4, CLOCK_FIELDS = 0xffc0 };
enum { RESET_ALL = 1 << 24, RESET_COMMAND = 1 << 25, RESET_DATA = 1 << 26 };

static const struct model_register registers[] = {
    {"BLKSIZECNT", BLKSIZECNT, MODEL_RW, 0xffff03ff},
    {"ARG1", ARG1, MODEL_RW, ~0u},
    {"CMDTM", CMDTM, MODEL_RW, 0x3ffb003e},
    {"RESP", RESP0, MODEL_R, 0, 4},
    {"DATA", DATA, MODEL_RW, ~0u},
    {"STATUS", STATE, MODEL_R},
    {"CONTROL0", CONTROL0, MODEL_RW, 0x00000f02},
    {"CONTROL1", CONTROL1, MODEL_RW, 0x070fffe5},
    {"INTERRUPT", INTERRUPT, MODEL_RW, 0x00ff0033},
    {"IRPT_MASK", IRPT_MASK, MODEL_RW, 0x00ff0033},
    {"IRPT_EN", IRPT_EN, MODEL_RW, 0x00ff0033},
    {NULL},
};

static uint32_t hz(const struct model_sdhci *host)
{
    uint32_t divider = (host->clock >> 8 & 0xff) | (host->clock >> 6 & 3) << 8;
    return (uint32_t)(divider ? host->input_hz / (2 * divider) : host->input_hz);
}

static unsigned width(const struct model_sdhci *host)
{
    return host->host & 2 ? 4 : 1;
}

static void update(struct model_sdhci *host)
{
    wire_set(&host->irq, host->status & host->signal);
}

static void raise(struct model_sdhci *host, uint32_t bits)
{
    host->status |= bits & host->enable;
    update(host);
}

unsigned model_sdhci_dreq(void *context)
{
    const struct model_sdhci *host = context;
    return host->ready ? (host->mover.size - host->mover.at) / 4 : 0;
}

static uint64_t block_time(const struct model_sdhci *host)
{
    if (host->pace)
        return host->pace;
    return host->mover.size * 8 * BB_SEC / ((uint64_t)hz(host) * width(host)) + BB_USEC;
}

static bool is_reading(const struct model_sdhci *host)
{
    return host->word & FROM_CARD;
}

static void end_transfer(struct model_sdhci *host)
{
    host->data_busy = host->ready = false;
    raise(host, I_TRANSFER);
}

static void data_fails(struct model_sdhci *host, enum sd_data_result result)
{
    host->ready = false;
    if (result == SD_DATA_LATE)
        raise(host, I_DATA_TIMEOUT);
    else
        raise(host, I_DATA_CRC);
}

static void ask_for_words(struct model_sdhci *host)
{
    host->mover.at = 0;
    host->ready = true;
    raise(host, is_reading(host) ? I_READ_READY : I_WRITE_READY);
}

/* A block has come, or the card has taken one and is not busy any more. */
static void end_block(void *context)
{
    struct model_sdhci *host = context;
    struct sd_mover *mover = &host->mover;
    if (is_reading(host)) {
        mover->result = sd_card_send(mover->card, mover->block, mover->size, width(host));
        if (mover->result == SD_DATA_GOOD)
            ask_for_words(host);
        else
            data_fails(host, mover->result);
        return;
    }
    if (sd_card_is_busy(mover->card)) {
        if (mover->card->busy_until == UINT64_MAX)
            data_fails(host, SD_DATA_LATE);
        else
            world_at(&host->data_end, mover->card->busy_until);
        return;
    }
    if (mover->at == mover->size) {
        enum sd_data_result result =
            sd_card_receive(mover->card, mover->block, mover->size, width(host));
        if (result != SD_DATA_GOOD) {
            data_fails(host, result);
            return;
        }
        mover->blocks--;
        mover->at = 0;
        world_at(&host->data_end, world_now() + BB_USEC);
        return;
    }
    if (mover->blocks)
        ask_for_words(host);
    else
        end_transfer(host);
}

static void word_moved(struct model_sdhci *host)
{
    struct sd_mover *mover = &host->mover;
    mover->at += 4;
    if (mover->at < mover->size)
        return;
    host->ready = false;
    if (is_reading(host) && --mover->blocks == 0)
        end_transfer(host);
    else
        world_at(&host->data_end, world_now() + block_time(host));
}

static void end_busy(void *context)
{
    struct model_sdhci *host = context;
    struct sd_card *card = host->slot(host);
    if (card && sd_card_is_busy(card)) {
        if (card->busy_until == UINT64_MAX)
            raise(host, I_DATA_TIMEOUT);
        else
            world_at(&host->busy, card->busy_until);
        return;
    }
    end_transfer(host);
}

static void end_command(void *context)
{
    struct model_sdhci *host = context;
    unsigned type = host->word >> RESPONSE_SHIFT & 3;
    if (host->dead)
        return;
    if (type != NONE && host->answer.kind == SD_SILENCE) {
        raise(host, I_COMMAND_TIMEOUT); /* the line stays busy until it is reset */
        return;
    }
    if (type != NONE && (host->answer.garbled || host->answer.unchecked) &&
        host->word & CRC_CHECK) {
        raise(host, I_COMMAND_CRC);
        return;
    }
    host->command_busy = false;
    memcpy(host->reply, host->answer.words, sizeof(host->reply));
    if (type == R136) /* without the CRC, all moved down */
        for (unsigned i = 0; i < 4; i++)
            host->reply[i] = host->answer.words[i] >> 8 | (i < 3 ? host->answer.words[i + 1] : 0)
                                                              << 24;
    raise(host, I_COMMAND);
    if (type == R48_BUSY)
        end_busy(host);
    else if (host->word & HAS_DATA && !is_reading(host))
        ask_for_words(host);
    else if (host->word & HAS_DATA)
        world_at(&host->data_end, world_now() + block_time(host));
}

static void check_command(const struct model_sdhci *host, uint32_t word)
{
    const struct model *model = &host->model;
    unsigned index = word >> 24, type = word >> RESPONSE_SHIFT & 3;
    model_require(model, host->clock & CLOCK_CARD, "a command without a clock");
    model_require(model, host->host >> 8 & 1, "a command without power");
    model_require(model, !host->command_busy, "a command while another one has the line");
    model_require(model,
                  !host->data_busy || index == 12 || index == 13 ||
                      !(word & HAS_DATA || type == R48_BUSY),
                  "CMD%u wants the data lines while they are in use", index);
    model_require(model, (index == 12) == ((word >> 22 & 3) == 3), "CMD12 alone is an abort");
    if (!(word & HAS_DATA))
        return;
    uint32_t blocks = host->block >> 16, size = host->block & 0x3ff;
    model_require(model, size > 0 && size <= 512, "blocks of %u bytes", size);
    model_require(model, blocks > 0, "no blocks");
    model_require(model, blocks == 1 || (word & MULTIPLE && word & BLOCK_COUNT_ENABLE),
                  "%u blocks in a transfer of one", blocks);
}

static void start_command(struct model_sdhci *host, uint32_t word)
{
    struct sd_card *card = host->slot(host);
    check_command(host, word);
    host->word = word;
    host->answer = (struct sd_answer){.kind = SD_SILENCE};
    if (card)
        sd_card_command(card, word >> 24, host->argument, hz(host), &host->answer);
    unsigned type = word >> RESPONSE_SHIFT & 3;
    model_require(&host->model,
                  host->answer.kind == SD_SILENCE ||
                      (host->answer.kind == SD_LONG) == (type == R136),
                  "CMD%u has an answer of another length", word >> 24);
    host->command_busy = true;
    if (word & HAS_DATA || type == R48_BUSY)
        host->data_busy = true;
    if (word & HAS_DATA)
        host->mover = (struct sd_mover){
            .card = card, .size = host->block & 0x3ff, .blocks = host->block >> 16};
    world_at(&host->command_end, world_now() + 120 * BB_SEC / hz(host));
}

static void reset(struct model_sdhci *host, uint32_t what)
{
    if (what & (RESET_ALL | RESET_COMMAND)) {
        host->command_busy = false;
        world_cancel(&host->command_end);
    }
    if (what & (RESET_ALL | RESET_DATA)) {
        host->data_busy = host->ready = false;
        world_cancel(&host->data_end);
        world_cancel(&host->busy);
    }
    if (what & RESET_ALL)
        host->status = host->enable = host->signal = host->clock = host->host = 0;
    update(host);
}

static uint32_t state(struct model_sdhci *host)
{
    uint32_t value = host->command_busy | (uint32_t)host->data_busy << 1;
    if (host->ready)
        value |= is_reading(host) ? 1 << 11 : 1 << 10;
    return value; /* and of the slot it says that it is empty and protected, whatever is in it */
}

static uint32_t sdhci_read(struct model *model, uint32_t offset, unsigned bytes)
{
    struct model_sdhci *host = bb_container_of(model, struct model_sdhci, model);
    uint32_t word;
    (void)bytes;
    switch (offset) {
    case DATA:
        model_require(model, host->ready && is_reading(host), "DATA read while it has none");
        memcpy(&word, host->mover.block + host->mover.at, 4);
        word_moved(host);
        return word;
    case STATE:
        return state(host);
    case CONTROL0:
        return host->host;
    case CONTROL1:
        return host->clock | (host->clock & CLOCK_INTERNAL ? CLOCK_STABLE : 0u) |
               (host->stuck ? RESET_ALL | RESET_COMMAND | RESET_DATA : 0u);
    case INTERRUPT:
        return host->status | (host->status >> 16 ? I_ERROR : 0u);
    case IRPT_MASK:
        return host->enable;
    case IRPT_EN:
        return host->signal;
    }
    return offset >= RESP0 && offset < DATA ? host->reply[(offset - RESP0) / 4] : 0;
}

/* A write is lost when the one before it to the same register is less than two clocks old. */
static void check_pace(struct model_sdhci *host, uint32_t offset)
{
    uint64_t *last = &host->written[offset / 4], now = world_now();
    uint64_t gap = host->clock & CLOCK_CARD ? 2 * BB_SEC / hz(host) : 0;
    if (hz(host) <= 400000 && offset != DATA)
        model_require(&host->model, !*last || now - *last >= gap,
                      "a write to %#x within two clocks of the last one", offset);
    *last = now;
}

static void sdhci_write(struct model *model, uint32_t offset, unsigned bytes, uint32_t value)
{
    struct model_sdhci *host = bb_container_of(model, struct model_sdhci, model);
    (void)bytes;
    check_pace(host, offset);
    switch (offset) {
    case BLKSIZECNT:
        model_require(model, !host->data_busy, "block size and count change under a transfer");
        host->block = value;
        break;
    case ARG1:
        model_require(model, !host->command_busy, "the argument changes under a command");
        host->argument = value;
        break;
    case CMDTM:
        start_command(host, value);
        break;
    case DATA:
        model_require(model, host->ready && !is_reading(host), "DATA written while it is full");
        memcpy(host->mover.block + host->mover.at, &value, 4);
        word_moved(host);
        break;
    case CONTROL0:
        model_require(model, !host->data_busy, "the width changes under a transfer");
        model_require(model, !(value & 0xf00) || (value & 0xf00) == 0xf00, "not 3.3 V");
        host->host = value;
        break;
    case CONTROL1:
        model_require(
            model, !(host->clock & value & CLOCK_CARD) || !((host->clock ^ value) & CLOCK_FIELDS),
            "the divider changes while the card's clock runs");
        model_require(model, !(value & CLOCK_CARD) || value & CLOCK_INTERNAL,
                      "a clock for the card without one inside");
        host->clock = value & 0xfffff & ~(uint32_t)CLOCK_STABLE;
        reset(host, value & (RESET_ALL | RESET_COMMAND | RESET_DATA));
        break;
    case INTERRUPT:
        host->status &= ~value;
        break;
    case IRPT_MASK:
        host->enable = value;
        break;
    case IRPT_EN:
        host->signal = value;
        break;
    }
    update(host);
}

void model_sdhci_map(struct model_sdhci *host, uint64_t base, uint64_t input_hz)
{
    host->model = (struct model){
        .name = "sdhci", .registers = registers, .read = sdhci_read, .write = sdhci_write};
    host->input_hz = input_hz;
    host->command_end = (struct world_event){.run = end_command, .context = host};
    host->data_end = (struct world_event){.run = end_block, .context = host};
    host->busy = (struct world_event){.run = end_busy, .context = host};
    model_map(&host->model, base, 0x100);
}
