/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SD host controllers of the standard kind (SD Host Controller Simplified Specification 3.00), as
 * the Arasan of the BCM2835 (BCM2835 ARM Peripherals, chapter 5: EMMC). That one takes nothing but
 * 32-bit accesses, says nothing true of itself in its capabilities nor of its slot, has no DMA of
 * its own and no use for the high speed bit, and loses a register write that comes within two
 * clocks of the card after another.
 */
#include <busbar/gpio.h>
#include <busbar/irq.h>
#include <busbar/mmio.h>
#include <busbar/sd.h>

enum { /* registers, as words */
       BLOCK_SIZE_COUNT = 0x04,
       ARGUMENT = 0x08,
       TRANSFER_COMMAND = 0x0c,
       RESPONSE = 0x10, /* to 0x1c */
       BUFFER = 0x20,
       PRESENT_STATE = 0x24,
       HOST_POWER = 0x28,
       CLOCK_RESET = 0x2c,
       STATUS = 0x30,
       STATUS_ENABLE = 0x34,
       SIGNAL_ENABLE = 0x38,
       SIZE = 0x100,
};
enum { /* transfer mode and command */
       BLOCK_COUNT_ENABLE = 1 << 1,
       FROM_CARD = 1 << 4,
       MULTIPLE = 1 << 5,
       LONG_RESPONSE = 1 << 16,
       SHORT_RESPONSE = 2 << 16,
       BUSY_RESPONSE = 3 << 16,
       CHECK_CRC = 1 << 19,
       CHECK_INDEX = 1 << 20,
       HAS_DATA = 1 << 21,
       ABORTS = 3 << 22,
       INDEX_SHIFT = 24,
};
enum { /* present state */
       COMMAND_INHIBIT = 1 << 0,
       DATA_INHIBIT = 1 << 1,
       WRITE_READY = 1 << 10,
       READ_READY = 1 << 11,
};
enum { /* host control and power */
       FOUR_LINES = 1 << 1,
       POWER_3V3 = 0xf << 8,
};
enum { /* clock, time-out and reset */
       CLOCK_INTERNAL = 1 << 0,
       CLOCK_STABLE = 1 << 1,
       CLOCK_CARD = 1 << 2,
       DIVIDER_MOST = 0x3ff,
       LONGEST = 0xe << 16,
       RESET_ALL = 1 << 24,
       RESET_COMMAND = 1 << 25,
       RESET_DATA = 1 << 26,
};
enum { /* interrupt status, its enable and the signal's enable */
       COMMAND_COMPLETE = 1 << 0,
       TRANSFER_COMPLETE = 1 << 1,
       BUFFER_WRITE_READY = 1 << 4,
       BUFFER_READ_READY = 1 << 5,
       COMMAND_TIMEOUT = 1 << 16,
       COMMAND_CRC = 1 << 17,
       COMMAND_END = 1 << 18,
       COMMAND_INDEX = 1 << 19,
       DATA_TIMEOUT = 1 << 20,
       DATA_CRC = 1 << 21,
       DATA_END = 1 << 22,
       CURRENT_LIMIT = 1 << 23,
       ERRORS = 0xff << 16,
       BUFFER_READY = BUFFER_WRITE_READY | BUFFER_READ_READY,
       USED = COMMAND_COMPLETE | TRANSFER_COMPLETE | BUFFER_READY | ERRORS,
};
enum {
    MOST_BLOCKS = 256,
    SEGMENTS = 32,
    SLOW = 400000,
};
#define RESET_WAIT (10 * BB_MSEC)
#define SHORT_WAIT (20 * BB_USEC) /* for an answer or a block, before an interrupt is asked for */

struct sdhci {
    struct bb_device device;
    union {
        struct bb_block block;
        struct bb_sd sd;
    };
    struct bb_regs regs;
    struct bb_interrupt interrupt;
    const char *pins;              /* parameter */
    uint32_t noted;                /* status bits that the interrupt took */
    uint32_t seen;                 /* of the command */
    bool replied;                  /* the response is there */
    struct bb_sd_command *command; /* under way, or NULL */
    const struct bb_block_segment *segment;
    uint32_t offset, left; /* in the segment; of all data. Bytes */
};

static struct sdhci *chip_of(struct bb_sd *sd)
{
    return bb_container_of(sd, struct sdhci, sd);
}

static void write(const struct sdhci *chip, size_t offset, uint32_t value)
{
    bb_write32(&chip->regs, offset, value);
    if (chip->sd.hz <= SLOW) /* at a faster clock the next write is late enough by itself */
        bb_delay(4 * BB_SEC / (chip->sd.hz ? chip->sd.hz : SLOW));
}

/* Resets part of the controller; the clock stays as it is. */
static int reset(const struct sdhci *chip, uint32_t what)
{
    uint32_t clock = bb_read32(&chip->regs, CLOCK_RESET) & 0xffffff & ~(uint32_t)CLOCK_STABLE;
    write(chip, CLOCK_RESET, clock | what);
    return bb_read32_until(&chip->regs, CLOCK_RESET, what, 0, RESET_WAIT);
}

static void done(struct sdhci *chip, int error)
{
    bool refused = chip->command->block_size && bb_sd_is_refused(chip->command);
    bb_sd_dma_end(&chip->sd, chip->command);
    if (error || refused)
        (void)reset(chip, RESET_COMMAND | RESET_DATA);
    chip->command = NULL;
    bb_sd_done(&chip->sd, error);
}

static int error_of(uint32_t status)
{
    if (status & (COMMAND_TIMEOUT | DATA_TIMEOUT))
        return -ETIMEDOUT;
    if (status & (COMMAND_CRC | COMMAND_END | COMMAND_INDEX | DATA_CRC | DATA_END))
        return -EPROTO;
    return status & ERRORS ? -EIO : 0;
}

/* ---- Data ---- */

static bool is_ready(const struct sdhci *chip)
{
    uint32_t bit = chip->command->write ? WRITE_READY : READ_READY;
    return bb_read32(&chip->regs, PRESENT_STATE) & bit;
}

static BB_NOINLINE bool is_ready_soon(const struct sdhci *chip)
{
    uint64_t begin = bb_time();
    while (bb_time() - begin < SHORT_WAIT)
        if (is_ready(chip))
            return true;
    write(chip, STATUS, BUFFER_READY); /* of blocks that went; what comes from here on counts */
    return is_ready(chip);
}

/* Blocks of one piece of memory, as many as go now. */
static void move_blocks(struct sdhci *chip)
{
    const struct bb_regs *regs = &chip->regs;
    uint32_t size = chip->command->block_size, end = chip->segment->length;
    uint32_t offset = chip->offset;
    uint32_t bit = chip->command->write ? WRITE_READY : READ_READY;
    uint8_t *data = chip->segment->data;
    for (; offset != end && bb_read32(regs, PRESENT_STATE) & bit; offset += size) {
        if (chip->command->write)
            bb_sd_words_out(regs, BUFFER, (uint32_t *)(data + offset), size / 4);
        else
            bb_sd_words_in(regs, BUFFER, (uint32_t *)(data + offset), size / 4);
    }
    chip->left -= offset - chip->offset;
    chip->offset = offset;
    if (offset == end && chip->left) {
        chip->segment++;
        chip->offset = 0;
    }
}

static int go_on(struct sdhci *chip)
{
    if (chip->sd.dma) {
        int error = bb_dma_channel_result(&chip->sd.channel);
        if (error)
            return error == -EINPROGRESS ? 0 : error;
        bb_sd_dma_end(&chip->sd, chip->command);
        chip->left = 0;
    }
    while (chip->left && (is_ready(chip) || is_ready_soon(chip)))
        move_blocks(chip);
    return 0;
}

/* ---- Commands ---- */

static void take_reply(const struct sdhci *chip, struct bb_sd_command *command)
{
    uint32_t words[4];
    unsigned count = command->answer == BB_SD_R2 ? 4 : 1;
    for (unsigned i = 0; i < count; i++)
        words[i] = bb_read32(&chip->regs, RESPONSE + 4 * i);
    command->reply[0] = words[0];
    if (count == 1)
        return;
    command->reply[0] = words[0] << 8; /* bits 127 to 8 stand in 119 to 0 */
    for (unsigned i = 1; i < 4; i++)
        command->reply[i] = words[i] << 8 | words[i - 1] >> 24;
}

/* Takes what the hardware says; the interrupt may do so too. Not that a block is ready: that is
 * only cleared before a look whether one is. */
static uint32_t take_status(struct sdhci *chip)
{
    uintptr_t state = bb_arch_irq_save();
    uint32_t status = bb_read32(&chip->regs, STATUS) & (USED & ~(uint32_t)BUFFER_READY);
    if (status)
        write(chip, STATUS, status);
    status |= chip->noted;
    chip->noted = 0;
    bb_arch_irq_restore(state);
    return status;
}

static void advance(struct sdhci *chip)
{
    struct bb_sd_command *command = chip->command;
    int error = error_of(chip->seen);
    if (!error && !chip->replied && chip->seen & COMMAND_COMPLETE) {
        chip->replied = true;
        if (command->answer != BB_SD_NO_ANSWER)
            take_reply(chip, command);
        if (command->block_size && bb_sd_is_refused(command)) {
            done(chip, 0);
            return;
        }
        if (command->block_size)
            bb_sd_dma_start(&chip->sd, command, 0);
    }
    if (!error && chip->replied && command->block_size) {
        error = go_on(chip);
        chip->seen |= take_status(chip); /* which the last words may have changed */
        error = error ? error : error_of(chip->seen);
    }
    bool waits = command->block_size || command->answer == BB_SD_R1B;
    bool complete = !waits || chip->seen & TRANSFER_COMPLETE;
    if (!error && complete && chip->replied && chip->left && !chip->sd.dma)
        error = -EIO; /* it says that all was moved, and it was not */
    if (error || (complete && chip->replied && !chip->sd.dma))
        done(chip, error);
    else /* what is there already fires at once; each block of DMA is the engine's */
        write(chip, SIGNAL_ENABLE,
              chip->sd.dma || !chip->left ? USED & ~(uint32_t)BUFFER_READY : USED);
}

static void sdhci_look(struct bb_sd *sd)
{
    struct sdhci *chip = chip_of(sd);
    chip->seen |= take_status(chip);
    if (chip->command)
        advance(chip);
}

static uint32_t word_of(const struct bb_sd_command *command)
{
    static const uint32_t answers[] = {
        [BB_SD_NO_ANSWER] = 0,
        [BB_SD_R1] = SHORT_RESPONSE | CHECK_CRC | CHECK_INDEX,
        [BB_SD_R1B] = BUSY_RESPONSE | CHECK_CRC | CHECK_INDEX,
        [BB_SD_R2] = LONG_RESPONSE | CHECK_CRC,
        [BB_SD_R3] = SHORT_RESPONSE,
        [BB_SD_R6] = SHORT_RESPONSE | CHECK_CRC | CHECK_INDEX,
        [BB_SD_R7] = SHORT_RESPONSE | CHECK_CRC | CHECK_INDEX,
    };
    enum { STOP_TRANSMISSION = 12 };
    uint32_t word = (uint32_t)command->index << INDEX_SHIFT | answers[command->answer];
    if (command->index == STOP_TRANSMISSION)
        word |= ABORTS;
    if (command->block_size)
        word |= HAS_DATA | (command->write ? 0 : FROM_CARD);
    if (command->blocks > 1)
        word |= MULTIPLE | BLOCK_COUNT_ENABLE;
    return word;
}

static void sdhci_start(struct bb_sd *sd, struct bb_sd_command *command)
{
    struct sdhci *chip = chip_of(sd);
    uint32_t inhibit = COMMAND_INHIBIT;
    if (command->block_size)
        inhibit |= DATA_INHIBIT;
    (void)take_status(chip); /* what came late belongs to nobody */
    chip->command = command;
    chip->seen = 0;
    chip->replied = false;
    chip->segment = command->segments;
    chip->offset = 0;
    chip->left = (uint32_t)command->block_size * command->blocks;
    if (bb_read32(&chip->regs, PRESENT_STATE) & inhibit) {
        done(chip, -EIO); /* which resets both lines */
        return;
    }
    if (command->block_size)
        write(chip, BLOCK_SIZE_COUNT, (uint32_t)command->blocks << 16 | command->block_size);
    write(chip, ARGUMENT, command->argument);
    write(chip, TRANSFER_COMMAND, word_of(command));
    uint64_t begin = bb_time();
    do
        chip->seen |= take_status(chip);
    while (!(chip->seen & (COMMAND_COMPLETE | ERRORS)) && bb_time() - begin < SHORT_WAIT);
    advance(chip);
}

static int set_up(struct sdhci *chip)
{
    chip->sd.hz = 0; /* until set_bus() */
    int error = reset(chip, RESET_ALL);
    write(chip, STATUS_ENABLE, USED);
    return error;
}

static void sdhci_stop(struct bb_sd *sd)
{
    struct sdhci *chip = chip_of(sd);
    bool anew = !chip->command;
    bb_sd_dma_end(&chip->sd, chip->command);
    chip->command = NULL;
    if (anew)
        (void)set_up(chip);
    else
        (void)reset(chip, RESET_COMMAND | RESET_DATA);
    (void)take_status(chip);
}

/* The clock stands still while it changes (3.2.1 to 3.2.3). */
static void sdhci_set_bus(struct bb_sd *sd, const struct bb_sd_bus *bus)
{
    struct sdhci *chip = chip_of(sd);
    uint64_t divider = 0; /* the clock goes through twice as much; 0: as it is */
    if (bus->hz < sd->input_hz)
        divider = (sd->input_hz + 2ull * bus->hz - 1) / (2ull * bus->hz);
    if (divider > DIVIDER_MOST)
        divider = DIVIDER_MOST;
    write(chip, CLOCK_RESET, LONGEST);
    write(chip, HOST_POWER, POWER_3V3 | (bus->width == 4 ? FOUR_LINES : 0));
    uint32_t clock = (uint32_t)(divider & 0xff) << 8 | (uint32_t)(divider >> 8) << 6 | LONGEST;
    write(chip, CLOCK_RESET, clock | CLOCK_INTERNAL);
    (void)bb_read32_until(&chip->regs, CLOCK_RESET, CLOCK_STABLE, CLOCK_STABLE, RESET_WAIT);
    sd->hz = (uint32_t)(divider ? sd->input_hz / (2 * divider) : sd->input_hz);
    write(chip, CLOCK_RESET, clock | CLOCK_INTERNAL | CLOCK_CARD);
}

static const struct bb_sd_ops ops = {
    .start = sdhci_start,
    .look = sdhci_look,
    .stop = sdhci_stop,
    .set_bus = sdhci_set_bus,
};

static void sdhci_interrupt(struct bb_interrupt *interrupt)
{
    struct sdhci *chip = bb_container_of(interrupt, struct sdhci, interrupt);
    uint32_t signal = bb_read32(&chip->regs, SIGNAL_ENABLE) & USED;
    uint32_t status = bb_read32(&chip->regs, STATUS) & signal;
    if (!status)
        return;
    chip->noted |= status;
    write(chip, SIGNAL_ENABLE, 0); /* they are asked for once */
    write(chip, STATUS, status);
    bb_work_queue(&chip->sd.work);
}

/* The tree's, unless the manifest or the command line says otherwise: a SoC may lead the same pins
 * of a card to either of two controllers. */
static int apply_pins(struct sdhci *chip)
{
    if (!chip->pins)
        return bb_pins_apply(&chip->device);
    return bb_pins_apply_named(&chip->device, chip->pins);
}

static int sdhci_probe(struct bb_device *device)
{
    struct sdhci *chip = bb_container_of(device, struct sdhci, device);
    int error = bb_regs_get(device, 0, SIZE, &chip->regs);
    if (!error)
        error = apply_pins(chip);
    if (!error)
        error = bb_sd_prepare(&chip->sd, device, BUFFER);
    if (error)
        return error;
    error = set_up(chip);
    if (error)
        return bb_fail(device, "reset", error);
    chip->sd.ops = &ops;
    chip->sd.max_hz = (uint32_t)chip->sd.input_hz;
    chip->sd.max_blocks = MOST_BLOCKS;
    chip->sd.max_segments = SEGMENTS;
    chip->sd.wide = chip->sd.high_speed = true;
    error = bb_interrupt_get(device, 0, sdhci_interrupt, &chip->interrupt);
    return error ? error : bb_sd_attach(&chip->sd);
}

static void sdhci_remove(struct bb_device *device)
{
    struct sdhci *chip = bb_container_of(device, struct sdhci, device);
    bb_sd_detach(&chip->sd);
    write(chip, SIGNAL_ENABLE, 0);
}

const struct bb_block_ops bb_ops_block_sdhci = BB_SD_BLOCK_OPS;

BB_DRIVER(block, sdhci, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-sdhci"}),
          .needs = BB_CLASSES(&bb_class_clock, &bb_class_pins, &bb_class_irq),
          .wants = BB_CLASSES(&bb_class_dma_engine),
          .params = BB_PARAMS({"pins", offsetof(struct sdhci, pins), BB_PARAM_STRING}),
          .probe = sdhci_probe, .remove = sdhci_remove);
