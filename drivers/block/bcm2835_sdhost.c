/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SD host of the BCM2835, SDHOST, that has pins 48 to 53 in ALT0. The BCM2835 ARM Peripherals
 * document leaves it out; registers as in the driver that Raspberry Pi (Trading) published for
 * Linux (drivers/mmc/host/bcm2835.c, 2015-2016). A FIFO of 16 words, emptied and filled by DMA or
 * by the CPU. Commands have no interrupt but the end of a busy time; the response of any other is
 * there within microseconds.
 */
#include <busbar/gpio.h>
#include <busbar/irq.h>
#include <busbar/log.h>
#include <busbar/mmio.h>
#include <busbar/sd.h>

enum { /* registers */
       SDCMD = 0x00,
       SDARG = 0x04,
       SDTOUT = 0x08, /* clocks that the card may take for data */
       SDCDIV = 0x0c, /* the core clock goes through this + 2 */
       SDRSP0 = 0x10, /* to SDRSP3 at 0x1c */
       SDHSTS = 0x20,
       SDVDD = 0x30,
       SDEDM = 0x34,
       SDHCFG = 0x38,
       SDHBCT = 0x3c, /* bytes of a block */
       SDDATA = 0x40,
       SDHBLC = 0x50, /* blocks */
       SIZE = 0x54,
};
enum { /* SDCMD */
       CMD_NEW = 1 << 15,
       CMD_FAIL = 1 << 14,
       CMD_BUSY_WAIT = 1 << 11,
       CMD_NO_RESPONSE = 1 << 10,
       CMD_LONG_RESPONSE = 1 << 9,
       CMD_WRITE = 1 << 7,
       CMD_READ = 1 << 6,
};
enum { /* SDHSTS; write 1 to clear */
       STS_BUSY = 1 << 10,
       STS_BLOCK = 1 << 9,
       STS_SDIO = 1 << 8,
       STS_DATA_LATE = 1 << 7,
       STS_COMMAND_LATE = 1 << 6,
       STS_CRC16 = 1 << 5,
       STS_CRC7 = 1 << 4,
       STS_FIFO = 1 << 3,
       STS_DATA = 1 << 0,
       STS_ERRORS = STS_DATA_LATE | STS_COMMAND_LATE | STS_CRC16 | STS_CRC7 | STS_FIFO,
       STS_ALL = STS_BUSY | STS_BLOCK | STS_SDIO | STS_ERRORS,
};
enum { /* SDHCFG */
       CFG_BUSY_IRQ = 1 << 10,
       CFG_DATA_IRQ = 1 << 4,
       CFG_SLOW_CARD = 1 << 3, /* all of SDCDIV counts at all times; else three bits, with data */
       CFG_WIDE_CARD = 1 << 2,
       CFG_WIDE_INSIDE = 1 << 1,
};
enum { /* SDEDM: bits 0 to 3 the state, 4 to 8 the words in the FIFO */
       EDM_STATE = 0xf,
       EDM_IDENTMODE = 0,
       EDM_DATAMODE = 1,
       EDM_READWAIT = 4,
       EDM_WRITESTART1 = 10,
       EDM_FILL_SHIFT = 4,
       EDM_FILL = 0x1f,
       EDM_HALF_FULL = 0x18 << 4,         /* any of these: 8 words or more */
       EDM_THRESHOLDS = 4 << 9 | 4 << 14, /* of writing and reading, in words */
       EDM_THRESHOLDS_MASK = 0x1f << 9 | 0x1f << 14,
       EDM_FORCE_DATA_MODE = 1 << 19,
};
enum {
    FIFO = 16, /* words */
    DIVIDER_MOST = 0x7ff,
    MOST_BLOCKS = 256, /* SDHBLC has nine bits */
    SEGMENTS = 32,
    DRAIN = 3 * 4, /* bytes at the end of a read, below the threshold of DREQ */
};
#define COMMAND_WAIT (5 * BB_MSEC) /* 64 clocks for an answer and 136 for its bits, at 400 kHz */
#define BUSY_WAIT (100 * BB_USEC)  /* then the interrupt tells */
#define DATA_WAIT (20 * BB_USEC)   /* for the FIFO: half a block at 25 MHz */
#define END_LOOK (500 * BB_USEC)   /* between looks whether the card has taken a block */
#define DATA_LOOK (50 * BB_MSEC)   /* whether an error ended it, of which no interrupt tells */
#define POWER_UP (10 * BB_MSEC)

struct bcm2835_sdhost {
    struct bb_device device;
    union {
        struct bb_block block;
        struct bb_sd sd;
    };
    struct bb_regs regs;
    struct bb_interrupt interrupt;
    struct bb_timer_event ending;
    uint32_t config;               /* SDHCFG without the data interrupt */
    struct bb_sd_command *command; /* under way, or NULL */
    const struct bb_block_segment *segment;
    uint32_t offset, left; /* in the segment; of all data. Bytes */
    bool sent;             /* the response is there; what is left is data */
    bool idle;             /* the card is not busy any more; set by the interrupt */
};

static struct bcm2835_sdhost *chip_of(struct bb_sd *sd)
{
    return bb_container_of(sd, struct bcm2835_sdhost, sd);
}

static uint32_t fill(const struct bcm2835_sdhost *chip)
{
    return bb_read32(&chip->regs, SDEDM) >> EDM_FILL_SHIFT & EDM_FILL;
}

/* The machine for data back to its start. What the FIFO still has is of no use to anybody. */
static void halt(const struct bcm2835_sdhost *chip)
{
    const struct bb_regs *regs = &chip->regs;
    bb_write32(regs, SDHCFG, chip->config);
    bb_write32(regs, SDCMD, 0);
    bb_write32(regs, SDHBCT, 0);
    bb_write32(regs, SDHBLC, 0);
    for (unsigned i = 0; i < FIFO && fill(chip); i++)
        (void)bb_read32(regs, SDDATA);
    uint32_t edm = bb_read32(regs, SDEDM) & ~(uint32_t)EDM_THRESHOLDS_MASK;
    bb_write32(regs, SDEDM, edm | EDM_THRESHOLDS | EDM_FORCE_DATA_MODE);
    bb_write32(regs, SDHSTS, STS_ALL);
}

static void done(struct bcm2835_sdhost *chip, int error)
{
    bool refused = chip->command->block_size && bb_sd_is_refused(chip->command);
    bb_sd_dma_end(&chip->sd, chip->command);
    chip->command = NULL;
    bb_timer_event_cancel(&chip->ending);
    if (error || refused)
        halt(chip);
    else
        bb_write32(&chip->regs, SDHCFG, chip->config);
    bb_sd_done(&chip->sd, error);
}

static int error_of(uint32_t status)
{
    if (status & (STS_DATA_LATE | STS_COMMAND_LATE))
        return -ETIMEDOUT;
    if (status & (STS_CRC16 | STS_CRC7))
        return -EPROTO;
    return status & STS_FIFO ? -EIO : 0;
}

/* ---- Data ---- */

/* What the FIFO has, or has room for, in words. */
static uint32_t room(const struct bcm2835_sdhost *chip)
{
    uint32_t used = fill(chip);
    return used > FIFO ? 0 : chip->command->write ? FIFO - used : used;
}

/* Waits a little for more. */
static BB_NOINLINE uint32_t room_soon(const struct bcm2835_sdhost *chip)
{
    uint32_t words;
    uint64_t begin = bb_time();
    while (!(words = room(chip)) && bb_time() - begin < DATA_WAIT) {
    }
    return words;
}

/* While the FIFO is half full: a block costs little more than its words. */
static uint32_t *read_eights(const struct bcm2835_sdhost *chip, uint32_t *at, const uint32_t *end)
{
    uintptr_t base = chip->regs.base;
    const uint32_t *last = at + ((size_t)(end - at) & ~(size_t)7);
    for (; at != last && bb_arch_read32_at(base, SDEDM) & EDM_HALF_FULL; at += 8)
        bb_sd_eight_in(base, SDDATA, at);
    return at;
}

/* As much of one piece of memory as goes now; where that ended. */
static uint32_t *move_some(const struct bcm2835_sdhost *chip, uint32_t *at, const uint32_t *end)
{
    bool write = chip->command->write;
    while (at != end) {
        at = write ? at : read_eights(chip, at, end);
        size_t words = room(chip), most = (size_t)(end - at);
        if (!most)
            break;
        if (!words && !(words = room_soon(chip)))
            break;
        words = words < most ? words : most;
        if (write)
            bb_sd_words_out(&chip->regs, SDDATA, at, words);
        else
            bb_sd_words_in(&chip->regs, SDDATA, at, words);
        at += words;
    }
    return at;
}

static void move(struct bcm2835_sdhost *chip)
{
    while (chip->left) {
        uint8_t *data = chip->segment->data;
        uint32_t size = chip->segment->length, *at = (uint32_t *)(data + chip->offset);
        uint32_t *stop = move_some(chip, at, (uint32_t *)(data + size));
        chip->left -= 4 * (uint32_t)(stop - at);
        chip->offset += 4 * (uint32_t)(stop - at);
        if (chip->offset < size)
            return;
        if (chip->left) {
            chip->segment++;
            chip->offset = 0;
        }
    }
}

/* All data went through the FIFO: whether the card has it too, or has sent all. */
static bool has_ended(const struct bcm2835_sdhost *chip)
{
    uint32_t waits = chip->command->write ? EDM_WRITESTART1 : EDM_READWAIT;
    uint32_t edm = bb_read32(&chip->regs, SDEDM), state = edm & EDM_STATE;
    if (state == waits) /* for a next block, which nobody has */
        bb_write32(&chip->regs, SDEDM, edm | EDM_FORCE_DATA_MODE);
    return state == waits || state == EDM_IDENTMODE || state == EDM_DATAMODE;
}

/* A CRC that was wrong stands in the status once the machine has ended: so that is read last. */
static void end_data(struct bcm2835_sdhost *chip)
{
    uint64_t begin = bb_time();
    do {
        bool ended = has_ended(chip);
        int error = error_of(bb_read32(&chip->regs, SDHSTS));
        if (ended || error) {
            done(chip, error);
            return;
        }
    } while (bb_time() - begin < DATA_WAIT);
    bb_timer_event_at(&chip->ending, bb_time() + END_LOOK);
}

/* The channel has moved all that it was to. */
static void take_over(struct bcm2835_sdhost *chip)
{
    const struct bb_sd_command *command = chip->command;
    bb_sd_dma_end(&chip->sd, command);
    chip->segment = &command->segments[command->segment_count - 1];
    chip->left = command->write ? 0 : DRAIN;
    chip->offset = chip->segment->length - chip->left;
}

static void go_on(struct bcm2835_sdhost *chip)
{
    int error = error_of(bb_read32(&chip->regs, SDHSTS));
    if (!error && chip->sd.dma) {
        error = bb_dma_channel_result(&chip->sd.channel);
        if (!error)
            take_over(chip);
    }
    if (!error)
        move(chip);
    if (error && error != -EINPROGRESS) {
        done(chip, error);
    } else if (!chip->left) {
        end_data(chip);
    } else {
        if (!chip->ending.armed)
            bb_timer_event_at(&chip->ending, bb_time() + DATA_LOOK);
        if (!error)
            bb_write32(&chip->regs, SDHCFG, chip->config | CFG_DATA_IRQ);
    }
}

/* ---- Commands ---- */

static void start_data(struct bcm2835_sdhost *chip, const struct bb_sd_command *command)
{
    chip->segment = command->segments;
    chip->offset = 0;
    chip->left = (uint32_t)command->block_size * command->blocks;
    bb_write32(&chip->regs, SDHBCT, command->block_size);
    bb_write32(&chip->regs, SDHBLC, command->blocks);
}

static void take_reply(struct bcm2835_sdhost *chip, struct bb_sd_command *command)
{
    unsigned words = command->answer == BB_SD_R2 ? 4 : command->answer == BB_SD_NO_ANSWER ? 0 : 1;
    for (unsigned i = 0; i < words; i++)
        command->reply[i] = bb_read32(&chip->regs, SDRSP0 + 4 * i);
    if (words == 4)
        command->reply[0] &= ~0xffu;
}

/* The command went out. R3 has no CRC that could be right. */
static void answered(struct bcm2835_sdhost *chip, struct bb_sd_command *command)
{
    uint32_t status = bb_read32(&chip->regs, SDHSTS);
    bool failed = bb_read32(&chip->regs, SDCMD) & CMD_FAIL;
    if (command->answer == BB_SD_R3) {
        failed = failed && !(status & STS_CRC7);
        status &= ~(uint32_t)STS_CRC7;
    }
    int error = error_of(status & (STS_COMMAND_LATE | STS_CRC7));
    if (failed && !error)
        error = -EIO;
    take_reply(chip, command);
    if (error || !command->block_size || bb_sd_is_refused(command)) {
        done(chip, error);
        return;
    }
    chip->sent = true;
    /* The last words of a read are the CPU's: the FIFO asks for none when it is that empty. */
    bb_sd_dma_start(&chip->sd, command, command->write ? 0 : DRAIN);
    go_on(chip);
}

static uint32_t word_of(const struct bb_sd_command *command)
{
    uint32_t word = CMD_NEW | command->index;
    if (command->answer == BB_SD_NO_ANSWER)
        word |= CMD_NO_RESPONSE;
    else if (command->answer == BB_SD_R2)
        word |= CMD_LONG_RESPONSE;
    else if (command->answer == BB_SD_R1B)
        word |= CMD_BUSY_WAIT;
    if (command->block_size)
        word |= command->write ? CMD_WRITE : CMD_READ;
    return word;
}

/* Where the card may be busy, the answer counts once it is not: the interrupt says so. */
static bool has_answered(const struct bcm2835_sdhost *chip, const struct bb_sd_command *command)
{
    uint32_t word = bb_read32(&chip->regs, SDCMD);
    if (word & CMD_NEW)
        return false;
    return command->answer != BB_SD_R1B || word & CMD_FAIL ||
           __atomic_load_n(&chip->idle, __ATOMIC_RELAXED) ||
           bb_read32(&chip->regs, SDHSTS) & (STS_BUSY | STS_ERRORS);
}

static void sdhost_start(struct bb_sd *sd, struct bb_sd_command *command)
{
    struct bcm2835_sdhost *chip = chip_of(sd);
    uint64_t wait = command->answer == BB_SD_R1B ? BUSY_WAIT : COMMAND_WAIT;
    chip->command = command;
    chip->sent = false;
    __atomic_store_n(&chip->idle, false, __ATOMIC_RELAXED);
    if (command->block_size)
        start_data(chip, command);
    bb_write32(&chip->regs, SDHSTS, STS_ALL);
    bb_write32(&chip->regs, SDARG, command->argument);
    bb_write32(&chip->regs, SDCMD, word_of(command));
    bool late = bb_read32_until(&chip->regs, SDCMD, CMD_NEW, 0, wait) != 0;
    if (has_answered(chip, command))
        answered(chip, command);
    else if (late && command->answer != BB_SD_R1B)
        done(chip, -EIO); /* the controller stands still */
}

static void sdhost_look(struct bb_sd *sd)
{
    struct bcm2835_sdhost *chip = chip_of(sd);
    if (chip->command && chip->sent)
        go_on(chip);
    else if (chip->command && has_answered(chip, chip->command))
        answered(chip, chip->command);
}

static void look_again(struct bb_timer_event *event)
{
    bb_sd_work(&bb_container_of(event, struct bcm2835_sdhost, ending)->sd);
}

/* Whether it was off. */
static bool power_on(const struct bcm2835_sdhost *chip)
{
    if (bb_read32(&chip->regs, SDVDD) & 1)
        return false;
    bb_write32(&chip->regs, SDVDD, 1);
    return true;
}

static void sdhost_stop(struct bb_sd *sd)
{
    struct bcm2835_sdhost *chip = chip_of(sd);
    bool anew = !chip->command;
    bb_sd_dma_end(&chip->sd, chip->command);
    chip->command = NULL;
    bb_timer_event_cancel(&chip->ending);
    if (anew && power_on(chip))
        bb_delay(POWER_UP);
    halt(chip);
}

static void sdhost_set_bus(struct bb_sd *sd, const struct bb_sd_bus *bus)
{
    struct bcm2835_sdhost *chip = chip_of(sd);
    uint64_t divider = (sd->input_hz + bus->hz - 1) / bus->hz;
    divider = divider < 2 ? 0 : divider - 2;
    if (divider > DIVIDER_MOST)
        divider = DIVIDER_MOST;
    sd->hz = (uint32_t)(sd->input_hz / (divider + 2));
    chip->config = CFG_BUSY_IRQ | CFG_SLOW_CARD | CFG_WIDE_INSIDE;
    if (bus->width == 4)
        chip->config |= CFG_WIDE_CARD;
    bb_write32(&chip->regs, SDCDIV, (uint32_t)divider);
    bb_write32(&chip->regs, SDTOUT, sd->hz / 2);
    bb_write32(&chip->regs, SDHCFG, chip->config);
}

static const struct bb_sd_ops sdhost_ops = {
    .start = sdhost_start,
    .look = sdhost_look,
    .stop = sdhost_stop,
    .set_bus = sdhost_set_bus,
};

/* Errors stay for who looks next. The data interrupt is a level: it is asked for again there. */
static void sdhost_interrupt(struct bb_interrupt *interrupt)
{
    struct bcm2835_sdhost *chip = bb_container_of(interrupt, struct bcm2835_sdhost, interrupt);
    uint32_t status = bb_read32(&chip->regs, SDHSTS);
    if (!(status & (STS_BUSY | STS_BLOCK | STS_SDIO | STS_DATA)))
        return;
    if (status & STS_BUSY)
        __atomic_store_n(&chip->idle, true, __ATOMIC_RELAXED);
    bb_write32(&chip->regs, SDHCFG, chip->config);
    bb_write32(&chip->regs, SDHSTS, status & (STS_BUSY | STS_BLOCK | STS_SDIO));
    bb_work_queue(&chip->sd.work);
}

static int bcm2835_sdhost_probe(struct bb_device *device)
{
    struct bcm2835_sdhost *chip = bb_container_of(device, struct bcm2835_sdhost, device);
    int error = bb_regs_get(device, 0, SIZE, &chip->regs);
    if (!error)
        error = bb_pins_apply(device);
    if (!error)
        error = bb_sd_prepare(&chip->sd, device, SDDATA);
    if (error)
        return error;
    chip->ending.device = device;
    chip->ending.run = look_again;
    chip->sd.ops = &sdhost_ops;
    chip->sd.max_hz = (uint32_t)(chip->sd.input_hz / 2);
    chip->sd.max_blocks = MOST_BLOCKS;
    chip->sd.max_segments = SEGMENTS;
    chip->sd.wide = chip->sd.high_speed = chip->sd.stops_writes = true;
    if (power_on(chip))
        bb_sleep(2 * POWER_UP);
    sdhost_stop(&chip->sd);
    error = bb_interrupt_get(device, 0, sdhost_interrupt, &chip->interrupt);
    return error ? error : bb_sd_attach(&chip->sd);
}

static void bcm2835_sdhost_remove(struct bb_device *device)
{
    bb_sd_detach(&bb_container_of(device, struct bcm2835_sdhost, device)->sd);
}

const struct bb_block_ops bb_ops_block_bcm2835_sdhost = BB_SD_BLOCK_OPS;

BB_DRIVER(block, bcm2835_sdhost, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-sdhost"}),
          .needs = BB_CLASSES(&bb_class_clock, &bb_class_pins, &bb_class_irq),
          .wants = BB_CLASSES(&bb_class_dma_engine), .probe = bcm2835_sdhost_probe,
          .remove = bcm2835_sdhost_remove);
