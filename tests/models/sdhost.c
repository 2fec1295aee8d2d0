/* SPDX-License-Identifier: BSD-2-Clause */
/* SDHOST of the BCM2835: no public chapter; as in the driver that Raspberry Pi (Trading) published
 * for Linux (drivers/mmc/host/bcm2835.c, 2015-2016). */
#include "sd_hosts.h"

#include <string.h>

#include <busbar/time.h>

enum {
    SDCMD = 0x00,
    SDARG = 0x04,
    SDTOUT = 0x08,
    SDCDIV = 0x0c,
    SDRSP = 0x10,
    SDHSTS = 0x20,
    SDVDD = 0x30,
    SDEDM = 0x34,
    SDHCFG = 0x38,
    SDHBCT = 0x3c,
    SDDATA = 0x40,
    SDHBLC = 0x50,
};
enum { NEW = 1 << 15, FAIL = 1 << 14, BUSYWAIT = 1 << 11, NO_REPLY = 1 << 10, LONG_REPLY = 1 << 9 };
enum { WRITES = 1 << 7, READS = 1 << 6 };
enum {
    S_BUSY = 0x400,
    S_BLOCK = 0x200,
    S_SDIO = 0x100,
    S_REW_TIME_OUT = 0x80,
    S_CMD_TIME_OUT = 0x40
};
enum { S_CRC16 = 0x20, S_CRC7 = 0x10, S_FIFO = 0x08, S_DATA = 0x01 };
enum { C_BUSY_IRQ = 1 << 10, C_DATA_IRQ = 1 << 4, C_WIDE_EXT = 1 << 2, C_WIDE_INT = 1 << 1 };
enum { C_SLOW_CARD = 1 << 3 };
enum {
    IDENTMODE = 0,
    DATAMODE = 1,
    READDATA = 2,
    WRITEDATA = 3,
    READWAIT = 4,
    READCRC = 5,
    WRITECRC = 6,
    WRITEWAIT1 = 7,
    WRITESTART1 = 10,
    THRESHOLD = 4,
    CRC_CLOCKS = 16,
    FORCE_DATA_MODE = 1 << 19,
};

static const struct model_register registers[] = {
    {"SDCMD", SDCMD, MODEL_RW, 0x8eff},
    {"SDARG", SDARG, MODEL_RW, ~0u},
    {"SDTOUT", SDTOUT, MODEL_RW, ~0u},
    {"SDCDIV", SDCDIV, MODEL_RW, 0x7ff},
    {"SDRSP", SDRSP, MODEL_R, 0, 4},
    {"SDHSTS", SDHSTS, MODEL_RW, 0x7f9},
    {"SDVDD", SDVDD, MODEL_RW, 1},
    {"SDEDM", SDEDM, MODEL_RW, 0x3fffff},
    {"SDHCFG", SDHCFG, MODEL_RW, 0x53f},
    {"SDHBCT", SDHBCT, MODEL_RW, 0x7ff},
    {"SDDATA", SDDATA, MODEL_RW, ~0u},
    {"SDHBLC", SDHBLC, MODEL_RW, 0x1ff},
    {NULL},
};

static uint32_t hz(const struct model_sdhost *host)
{
    return (uint32_t)(host->input_hz / (host->divider + 2));
}

static unsigned width(const struct model_sdhost *host)
{
    return host->config & C_WIDE_EXT ? 4 : 1;
}

static bool wants_data(const struct model_sdhost *host)
{
    if (!host->moving)
        return host->fill > 0;
    return host->command & WRITES ? host->fill <= SDHOST_FIFO - THRESHOLD : host->fill >= THRESHOLD;
}

static void update(struct model_sdhost *host)
{
    bool data = host->command & (READS | WRITES) && wants_data(host) && host->config & C_DATA_IRQ;
    wire_set(&host->irq, host->status & (S_BUSY | S_BLOCK | S_SDIO) || data);
}

unsigned model_sdhost_dreq(void *context)
{
    struct model_sdhost *host = context;
    if (!host->moving && !(host->command & READS))
        return 0;
    if (host->command & WRITES)
        return host->moving && host->fill <= SDHOST_FIFO - THRESHOLD ? SDHOST_FIFO - host->fill : 0;
    return host->fill >= THRESHOLD ? host->fill : 0; /* the last words are too few to ask for */
}

static uint32_t state_of(const struct model_sdhost *host)
{
    return host->edm & 0xf;
}

static void set_state(struct model_sdhost *host, uint32_t state)
{
    host->edm = (host->edm & ~0xfu) | state;
}

static void push(struct model_sdhost *host, uint32_t word)
{
    host->fifo[(host->first + host->fill++) % SDHOST_FIFO] = word;
}

static uint32_t pop(struct model_sdhost *host)
{
    uint32_t word = host->fifo[host->first];
    host->first = (host->first + 1) % SDHOST_FIFO;
    host->fill--;
    return word;
}

static void again(struct model_sdhost *host, uint64_t ns)
{
    world_at(&host->tick, world_now() + ns);
}

static uint64_t words_time(const struct model_sdhost *host, unsigned words)
{
    return words * 32 * BB_SEC / ((uint64_t)hz(host) * width(host)) + 1;
}

/* The machine stands, and says why; of nothing from the card it knows after SDTOUT. */
static void stand(struct model_sdhost *host, uint32_t why)
{
    host->moving = false;
    host->status |= why;
}

static void wait_in_vain(struct model_sdhost *host)
{
    host->late = true;
    again(host, (uint64_t)host->timeout * BB_SEC / hz(host));
}

static bool is_open_ended(const struct model_sdhost *host)
{
    unsigned index = host->command & 0x3f;
    return index == 18 || index == 25;
}

/* The CRC follows the words, and is what their block ends with. */
static void begin_crc(struct model_sdhost *host, uint32_t state)
{
    set_state(host, state);
    again(host, CRC_CLOCKS * BB_SEC / hz(host) + host->lag);
}

static void end_read_block(struct model_sdhost *host)
{
    struct sd_mover *mover = &host->mover;
    mover->at = 0;
    if (mover->result == SD_DATA_GARBLED)
        host->status |= S_CRC16;
    if (--mover->blocks == 0) {
        host->moving = false;
        set_state(host, is_open_ended(host) ? READWAIT : DATAMODE);
        return;
    }
    set_state(host, READDATA);
    if (host->fill < SDHOST_FIFO)
        again(host, words_time(host, 2));
}

static void read_words(struct model_sdhost *host)
{
    struct sd_mover *mover = &host->mover;
    if (mover->at == 0) {
        set_state(host, READDATA);
        mover->result = sd_card_send(mover->card, mover->block, mover->size, width(host));
        if (mover->result == SD_DATA_LATE) {
            wait_in_vain(host);
            return;
        }
    }
    for (unsigned i = 0; i < 2 && mover->at < mover->size && host->fill < SDHOST_FIFO; i++) {
        uint32_t word;
        memcpy(&word, mover->block + mover->at, 4);
        push(host, word);
        mover->at += 4;
    }
    if (mover->at == mover->size)
        begin_crc(host, READCRC);
    else if (host->fill < SDHOST_FIFO)
        again(host, words_time(host, 2)); /* else the clock stops until there is room */
}

/* The card says whether the CRC was right. */
static void end_written_block(struct model_sdhost *host)
{
    struct sd_mover *mover = &host->mover;
    mover->at = 0;
    mover->blocks--;
    switch (sd_card_receive(mover->card, mover->block, mover->size, width(host))) {
    case SD_DATA_GOOD:
        set_state(host, WRITEWAIT1);
        again(host, words_time(host, 2));
        break;
    case SD_DATA_LATE:
        wait_in_vain(host);
        break;
    case SD_DATA_GARBLED:
        set_state(host, is_open_ended(host) ? WRITESTART1 : DATAMODE);
        stand(host, S_CRC16);
        break;
    }
}

static void write_words(struct model_sdhost *host)
{
    struct sd_mover *mover = &host->mover;
    if (sd_card_is_busy(mover->card)) {
        if (mover->card->busy_until != UINT64_MAX)
            world_at(&host->tick, mover->card->busy_until);
        return;
    }
    if (mover->blocks == 0) {
        host->moving = false;
        set_state(host, is_open_ended(host) ? WRITESTART1 : DATAMODE);
        return;
    }
    set_state(host, WRITEDATA);
    for (unsigned i = 0; i < 2 && mover->at < mover->size && host->fill; i++) {
        uint32_t word = pop(host);
        memcpy(mover->block + mover->at, &word, 4);
        mover->at += 4;
    }
    if (mover->at == mover->size)
        begin_crc(host, WRITECRC);
    else if (host->fill)
        again(host, words_time(host, 2));
}

static void tick(void *context)
{
    struct model_sdhost *host = context;
    if (!host->moving)
        return;
    if (host->late)
        stand(host, S_REW_TIME_OUT);
    else if (state_of(host) == READCRC)
        end_read_block(host);
    else if (state_of(host) == WRITECRC)
        end_written_block(host);
    else if (host->command & WRITES)
        write_words(host);
    else
        read_words(host);
    update(host);
}

static void start_data(struct model_sdhost *host, struct sd_card *card)
{
    model_require(&host->model, host->block_count > 0, "data without a block count");
    model_require(&host->model, host->byte_count > 0 && host->byte_count <= 512,
                  "blocks of %u bytes", host->byte_count);
    host->mover =
        (struct sd_mover){.card = card, .size = host->byte_count, .blocks = host->block_count};
    host->moving = true;
    host->late = false;
    again(host, 10 * BB_USEC);
}

static void end_busy(void *context)
{
    struct model_sdhost *host = context;
    struct sd_card *card = host->slot(host);
    if (card && sd_card_is_busy(card)) {
        if (card->busy_until != UINT64_MAX)
            world_at(&host->busy, card->busy_until);
        return;
    }
    host->command &= ~(uint32_t)NEW;
    if (host->config & C_BUSY_IRQ)
        host->status |= S_BUSY;
    update(host);
}

static void fail(struct model_sdhost *host, uint32_t why)
{
    host->command |= FAIL;
    host->status |= why;
}

static void start_command(struct model_sdhost *host)
{
    struct model *model = &host->model;
    struct sd_card *card = host->slot(host);
    struct sd_answer answer = {.kind = SD_SILENCE};
    uint32_t state = state_of(host), word = host->command;

    model_require(model, host->power & 1 || host->browned_out, "a command without power");
    model_require(model, host->config & C_SLOW_CARD,
                  "a clock of which three bits count in data mode: SLOW_CARD is not set");
    model_require(model, state == IDENTMODE || state == DATAMODE,
                  "a command while the data machine is in state %u", state);
    model_require(model, !host->moving, "a command while data moves");
    model_require(model, !(host->status & 0xf8), "a command with errors of another one standing");
    model_require(model, (word & (READS | WRITES)) != (READS | WRITES), "reads and writes");
    if (card && host->power & 1)
        sd_card_command(card, word & 0x3f, host->argument, hz(host), &answer);
    host->command_end = world_now() + 120 * BB_SEC / hz(host);
    memset(host->reply, 0, sizeof(host->reply));
    if (word & NO_REPLY)
        return;
    if (answer.kind == SD_SILENCE) {
        fail(host, S_CMD_TIME_OUT);
        return;
    }
    model_require(model, !!(word & LONG_REPLY) == (answer.kind == SD_LONG),
                  "CMD%u has an answer of another length", word & 0x3f);
    memcpy(host->reply, answer.words, sizeof(host->reply));
    if (answer.kind == SD_LONG)
        host->reply[0] |= 0xa5; /* the CRC comes too */
    if (answer.garbled || answer.unchecked)
        fail(host, S_CRC7);
    if (word & (READS | WRITES) && !answer.garbled)
        start_data(host, card); /* whatever the card says of it */
    if (word & BUSYWAIT && !answer.garbled)
        world_at(&host->busy, host->command_end);
}

static uint32_t command_word(const struct model_sdhost *host)
{
    if (host->busy.armed || host->dead)
        return host->command | NEW;
    struct sd_card *card = host->slot((void *)(uintptr_t)host);
    bool stuck = host->command & BUSYWAIT && card && card->busy_until == UINT64_MAX;
    return world_now() < host->command_end || (stuck && sd_card_is_busy(card))
               ? host->command | NEW
               : host->command & ~(uint32_t)NEW;
}

static uint32_t sdhost_read(struct model *model, uint32_t offset, unsigned bytes)
{
    struct model_sdhost *host = bb_container_of(model, struct model_sdhost, model);
    uint32_t word = 0;
    (void)bytes;
    switch (offset) {
    case SDCMD:
        return command_word(host);
    case SDHSTS:
        return host->status |
               (host->command & (READS | WRITES) && wants_data(host) ? (uint32_t)S_DATA : 0);
    case SDVDD:
        return host->power;
    case SDEDM:
        return host->edm | host->fill << 4;
    case SDHCFG:
        return host->config;
    case SDDATA:
        model_require(model, host->fill > 0, "SDDATA read while the FIFO is empty");
        word = pop(host);
        if (host->moving && !host->tick.armed)
            again(host, words_time(host, 2));
        update(host);
        return word;
    }
    if (offset >= SDRSP && offset < SDHSTS) {
        model_require(model, !(command_word(host) & NEW), "a reply read before it is there");
        return host->reply[(offset - SDRSP) / 4];
    }
    return 0;
}

static void sdhost_write(struct model *model, uint32_t offset, unsigned bytes, uint32_t value)
{
    struct model_sdhost *host = bb_container_of(model, struct model_sdhost, model);
    (void)bytes;
    switch (offset) {
    case SDCMD:
        host->command = value;
        world_cancel(&host->busy);
        if (value & NEW)
            start_command(host);
        else
            host->moving = false;
        break;
    case SDARG:
        host->argument = value;
        break;
    case SDTOUT:
        host->timeout = value;
        break;
    case SDCDIV:
        model_require(model, !host->moving, "the clock changed while data moves");
        host->divider = value;
        break;
    case SDHSTS:
        host->status &= ~value;
        break;
    case SDVDD:
        host->power = value;
        break;
    case SDEDM:
        host->edm = value & ~(0x1fu << 4 | FORCE_DATA_MODE);
        if (value & FORCE_DATA_MODE)
            set_state(host, DATAMODE);
        break;
    case SDHCFG:
        model_require(model, !host->moving || !((value ^ host->config) & (C_WIDE_EXT | C_WIDE_INT)),
                      "the width changed while data moves");
        host->config = value;
        break;
    case SDHBCT:
        host->byte_count = value;
        break;
    case SDHBLC:
        host->block_count = value;
        break;
    case SDDATA:
        model_require(model, host->fill < SDHOST_FIFO, "SDDATA written while the FIFO is full");
        model_require(model, (host->moving || host->status & S_CRC16) && host->command & WRITES,
                      "SDDATA written for nothing");
        push(host, value);
        if (host->moving && !host->tick.armed)
            again(host, words_time(host, 2));
        break;
    }
    update(host);
}

void model_sdhost_map(struct model_sdhost *host, uint64_t base, uint64_t input_hz)
{
    host->model = (struct model){
        .name = "sdhost", .registers = registers, .read = sdhost_read, .write = sdhost_write};
    host->input_hz = input_hz;
    host->edm = 0xc60f;
    host->tick = (struct world_event){.run = tick, .context = host};
    host->busy = (struct world_event){.run = end_busy, .context = host};
    model_map(&host->model, base, 0x100);
}
