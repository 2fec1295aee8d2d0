/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SD card as a block device (Physical Layer Simplified Specification 6.00, 4.3): requests go one
 * after another. One that fails is done again a few times, each time after the card was brought
 * back to the transfer state, or set up anew; a card that does not even answer then is gone.
 */
#include <string.h>

#include <busbar/log.h>

#include "sd.h"

enum {
    DEPTH = 64,
    TRIES = 3,
    ATTEMPTS = 4,  /* to identify a card that was in use */
    READ_MS = 500, /* more than any card may take for a block (4.6.2) */
    WRITE_MS = 1000,
    BLOCK_MS = 10, /* and for each further one */
    ERASE_MS = 8000,
    STATUS_MS = 1000,
    MOST_ERASE = 65536, /* blocks */
    ATTACH_MS = 6000,
    LOOK_MS = 1000, /* for a card that went */
};

/* ---- What is done for a request ---- */

static const struct bb_block_request *current(const struct bb_sd *sd)
{
    return sd->first;
}

static uint32_t address(const struct bb_sd *sd, uint64_t block)
{
    return (uint32_t)(sd->card.high_capacity ? block : block * BB_SD_BLOCK);
}

/* Whether CMD23 tells the card how many; else CMD12 ends it. */
static bool counts(const struct bb_sd *sd)
{
    return sd->card.counts && !(sd->stops_writes && current(sd)->op == BB_BLOCK_WRITE);
}

static bool count_blocks(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = current(sd)->count;
    return counts(sd) && current(sd)->count > 1;
}

static bool move_data(struct bb_sd *sd, struct bb_sd_command *command)
{
    const struct bb_block_request *request = current(sd);
    bool one = request->count == 1;
    command->write = request->op == BB_BLOCK_WRITE;
    if (command->write)
        command->index = one ? WRITE_SINGLE : WRITE_MULTIPLE;
    else
        command->index = one ? READ_SINGLE : READ_MULTIPLE;
    command->argument = address(sd, request->block);
    command->block_size = BB_SD_BLOCK;
    command->blocks = (uint16_t)request->count;
    command->segments = request->segments;
    command->segment_count = (uint8_t)request->segment_count;
    command->timeout = (command->write ? WRITE_MS : READ_MS) + request->count * BLOCK_MS;
    return true;
}

static bool stop(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->timeout = WRITE_MS;
    return !counts(sd) && current(sd)->count > 1;
}

/* A card that reads ahead passes its end, and says so. */
static int take_stop_read(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    (void)sd;
    if (error)
        return error;
    return command->reply[0] & WRONG & ~(uint32_t)OUT_OF_RANGE ? -EIO : 0;
}

static bool ask_status(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = (uint32_t)sd->card.rca << 16;
    return true;
}

static int error_of(uint32_t status)
{
    if (!(status & WRONG))
        return 0;
    return status & PROTECTED ? -EROFS : status & REFUSED ? -EINVAL : -EIO;
}

static int take_moved(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    (void)sd;
    return error ? error : error_of(command->reply[0]);
}

static int status_of(const struct bb_sd_command *command)
{
    uint32_t status = command->reply[0], state = status >> STATE_SHIFT & STATE_MASK;
    if (status & WRONG)
        return error_of(status);
    if (state == TRANSFER)
        return status & READY ? 0 : AGAIN_AFTER(1);
    return state == PROGRAMMING || state == RECEIVING ? AGAIN_AFTER(1) : -EIO;
}

/* What was written is durable when the card has left the programming state. */
static int take_written(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    (void)sd;
    return error ? error : status_of(command);
}

static int take_erased(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    enum { WP_ERASE_SKIP = 1 << 15 };
    struct bb_sd_command some = *command;
    (void)sd;
    some.reply[0] &= ~(uint32_t)WP_ERASE_SKIP; /* the protected part keeps what it had */
    int result = error ? error : status_of(&some);
    return result > 0 ? AGAIN_AFTER(5) : result;
}

static bool erase_start(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = address(sd, sd->erase_first);
    return true;
}

static bool erase_end(struct bb_sd *sd, struct bb_sd_command *command)
{
    command->argument = address(sd, sd->erase_end - 1);
    return true;
}

static void request_ended(struct bb_sd *sd, int error);

static const struct bb_sd_script reading = {
    .steps =
        (const struct bb_sd_step[]){
            {SET_BLOCK_COUNT, BB_SD_R1, .prepare = count_blocks},
            {READ_SINGLE, BB_SD_R1, false, move_data, take_moved},
            {STOP, BB_SD_R1, false, stop, take_stop_read},
            {.index = LAST},
        },
    .ended = request_ended,
};
static const struct bb_sd_script writing = {
    .steps =
        (const struct bb_sd_step[]){
            {SET_BLOCK_COUNT, BB_SD_R1, .prepare = count_blocks},
            {WRITE_SINGLE, BB_SD_R1, false, move_data, take_moved},
            {STOP, BB_SD_R1B, .prepare = stop},
            {SEND_STATUS, BB_SD_R1, false, ask_status, take_written},
            {.index = LAST},
        },
    .ended = request_ended,
};
/* CMD38 as if it did not hold DAT0 low: a controller's bound for that may be too short. */
static const struct bb_sd_script erasing = {
    .steps =
        (const struct bb_sd_step[]){
            {ERASE_START, BB_SD_R1, .prepare = erase_start},
            {ERASE_END, BB_SD_R1, .prepare = erase_end},
            {ERASE, BB_SD_R1},
            {SEND_STATUS, BB_SD_R1, false, ask_status, take_erased},
            {.index = LAST},
        },
    .ended = request_ended,
};

/* Where a card erases no less than a sector, only those are erased that lie inside. */
static bool has_erase(struct bb_sd *sd, const struct bb_block_request *request)
{
    uint32_t unit = sd->card.erase_blocks;
    uint64_t end = request->block + request->count;
    sd->erase_first = (request->block + unit - 1) / unit * unit;
    sd->erase_end = end / unit * unit;
    return sd->erase_first < sd->erase_end;
}

/* ---- The queue ---- */

static void finish(struct bb_sd *sd, int status)
{
    struct bb_block_request *request = sd->first;
    sd->first = request->next;
    sd->waiting--;
    sd->tries = 0;
    request->result = status;
    request->next = NULL;
    *(sd->finished ? sd->finished_end : &sd->finished) = request;
    sd->finished_end = &request->next;
}

void bb_sd_finish_all(struct bb_sd *sd, int status)
{
    while (sd->first)
        finish(sd, status);
}

void bb_sd_start_request(struct bb_sd *sd)
{
    if (sd->first && !sd->script && sd->state == BB_SD_READY && sd->lost)
        bb_sd_identify(sd);
    while (sd->first && !sd->script && sd->state == BB_SD_READY && !sd->lost) {
        const struct bb_block_request *request = sd->first;
        if (request->op == BB_BLOCK_DISCARD && !has_erase(sd, request))
            finish(sd, 0);
        else if (request->op == BB_BLOCK_DISCARD)
            bb_sd_begin(sd, &erasing, ERASE_MS);
        else
            bb_sd_begin(sd, request->op == BB_BLOCK_WRITE ? &writing : &reading, STATUS_MS);
    }
}

int bb_sd_submit(struct bb_block *block, unsigned queue, struct bb_block_request *const *requests,
                 unsigned count)
{
    struct bb_sd *sd = bb_container_of(block, struct bb_sd, block);
    unsigned taken = 0;
    (void)queue;
    int error = sd->state == BB_SD_GONE || sd->removed ? -ENODEV : 0;
    for (; !error && taken < count && sd->waiting < DEPTH; taken++) {
        struct bb_block_request *request = requests[taken];
        error = bb_block_refuse(block, request);
        if (error)
            break;
        request->next = NULL;
        *(sd->first ? &sd->last->next : &sd->first) = request;
        sd->last = request;
        sd->waiting++;
    }
    bb_block_started(block, taken);
    if (taken && !sd->running)
        bb_sd_start_request(sd);
    return taken ? (int)taken : error;
}

/* A done() may submit, and reap in turn. */
static int hand_over(struct bb_sd *sd, unsigned limit)
{
    unsigned count = 0;
    for (; count < limit && sd->finished; count++) {
        struct bb_block_request *request = sd->finished;
        sd->finished = request->next;
        bb_block_complete(&sd->block, request, request->result);
    }
    return (int)count;
}

int bb_sd_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    struct bb_sd *sd = bb_container_of(block, struct bb_sd, block);
    (void)queue;
    if (!sd->finished && sd->busy)
        sd->ops->look(sd);
    int count = hand_over(sd, limit);
    return count || sd->state != BB_SD_GONE ? count : -ENODEV;
}

bool bb_sd_arm(struct bb_block *block, unsigned queue)
{
    const struct bb_sd *sd = bb_container_of(block, struct bb_sd, block);
    (void)queue;
    return sd->finished || sd->state == BB_SD_GONE;
}

void bb_sd_work(struct bb_sd *sd)
{
    sd->ops->look(sd);
    (void)hand_over(sd, UINT16_MAX);
}

/* ---- When things go wrong ---- */

static bool stop_anyway(struct bb_sd *sd, struct bb_sd_command *command)
{
    (void)sd;
    command->timeout = WRITE_MS;
    return true;
}

/* Where nothing was under way the card does not know the command. */
static int take_stop_anyway(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    (void)sd, (void)command, (void)error;
    return 0;
}

/* Errors are those of what went before. */
static int take_recovered(struct bb_sd *sd, const struct bb_sd_command *command, int error)
{
    struct bb_sd_command now = *command;
    (void)sd;
    now.reply[0] &= ~(uint32_t)WRONG;
    return error ? error : status_of(&now);
}

static void recovered(struct bb_sd *sd, int error)
{
    if (error)
        bb_sd_identify(sd);
    else
        bb_sd_start_request(sd);
}

static const struct bb_sd_script recovering = {
    .steps =
        (const struct bb_sd_step[]){
            {STOP, BB_SD_R1B, false, stop_anyway, take_stop_anyway},
            {SEND_STATUS, BB_SD_R1, false, ask_status, take_recovered},
            {.index = LAST},
        },
    .ended = recovered,
};

/* The first attempt to help is the mildest; where a fast bus is what is wrong, a slow one helps. */
static void help(struct bb_sd *sd, int error)
{
    sd->recoveries++;
    if (sd->tries == 1 && sd->state == BB_SD_READY) {
        bb_sd_begin(sd, &recovering, STATUS_MS);
        return;
    }
    sd->slow |= error == -EPROTO && sd->card.high_speed;
    bb_sd_identify(sd);
}

/* As a request ends with it. */
static int plain(int error)
{
    return error == -EPROTO || error == -EINVAL ? -EIO : error;
}

static void report(const struct bb_sd *sd, int error)
{
    const struct bb_block_request *request = sd->first;
    bb_print(BB_WARNING, "%s: %s of %u blocks at %llu: %s", sd->device->name,
             request->op == BB_BLOCK_READ    ? "read"
             : request->op == BB_BLOCK_WRITE ? "write"
                                             : "erase",
             (unsigned)request->count, (unsigned long long)request->block, bb_error_name(error));
}

static void request_ended(struct bb_sd *sd, int error)
{
    bool refused = error == -EROFS || error == -EINVAL;
    if (error && !refused && ++sd->tries < TRIES) {
        sd->retries++;
        help(sd, error);
        return;
    }
    if (error)
        report(sd, error);
    finish(sd, plain(error));
    if (error && !refused)
        bb_sd_begin(sd, &recovering, STATUS_MS);
    else
        bb_sd_start_request(sd);
}

/* ---- Coming and going ---- */

static void gone(struct bb_sd *sd)
{
    if (sd->state != BB_SD_GONE)
        bb_block_medium(&sd->block, "the card was taken out, or answers no more");
    sd->state = BB_SD_GONE;
    bb_sd_abandon(sd);
    bb_sd_finish_all(sd, -ENODEV);
    if (!sd->block.broken)
        bb_timer_event_at(&sd->timer, bb_time() + LOOK_MS * BB_MSEC);
}

static bool is_same(const struct bb_sd *sd)
{
    return memcmp(sd->cid, sd->card.cid, sizeof(sd->cid)) == 0 &&
           sd->card.blocks == sd->block.capacity;
}

static void set_features(struct bb_sd *sd)
{
    enum { CLASS_ERASE = 1 << 5, CLASS_WRITE = 1 << 4 };
    bool locked = sd->card.protected || !(sd->card.classes & CLASS_WRITE);
    sd->block.features = locked                           ? BB_BLOCK_READ_ONLY
                         : sd->card.classes & CLASS_ERASE ? BB_BLOCK_HAS_DISCARD
                                                          : 0;
}

static void back(struct bb_sd *sd)
{
    bb_block_medium(&sd->block, NULL);
    bb_print(BB_INFO, "%s: the card %s is back", sd->device->name, sd->card.name);
}

static void take_card(struct bb_sd *sd)
{
    if (sd->state == BB_SD_STARTING)
        sd->tries = 0;
    else if (sd->state == BB_SD_GONE)
        back(sd);
    sd->state = BB_SD_READY;
    sd->lost = sd->restarted = false;
    set_features(sd); /* its protection may have changed meanwhile */
    bb_sd_start_request(sd);
}

static void meet_another(struct bb_sd *sd)
{
    if (memcmp(sd->other, sd->card.cid, sizeof(sd->other)) != 0)
        bb_print(BB_WARNING, "%s: %s is another card: used after the next start", sd->device->name,
                 sd->card.name);
    memcpy(sd->other, sd->card.cid, sizeof(sd->other));
    gone(sd);
}

/* Something is there, and makes no sense. It is identified anew for the next request. */
static void lose(struct bb_sd *sd, int error)
{
    sd->lost = true;
    if (sd->first)
        report(sd, error);
    bb_sd_finish_all(sd, plain(error));
}

/* A card that is in use has to be silent as often as that before it is taken for gone. */
void bb_sd_identified(struct bb_sd *sd, int error)
{
    bool first = sd->state == BB_SD_STARTING;
    bool passes =
        error == -EPROTO || error == -EIO || error == -ETIMEDOUT || (error == -ENOSYS && !first);
    if (passes && sd->state != BB_SD_GONE && ++sd->attempts < (first ? TRIES : ATTEMPTS)) {
        sd->recoveries++;
        bb_sd_identify(sd);
        return;
    }
    sd->attempts = 0;
    if (error && first) {
        sd->state = BB_SD_ABSENT;
        sd->error = error;
    } else if (error && (!passes || error == -ENOSYS || sd->state == BB_SD_GONE)) {
        gone(sd);
    } else if (error) {
        lose(sd, error);
    } else if (!first && !is_same(sd)) {
        meet_another(sd);
    } else if (sd->restarted && sd->state == BB_SD_READY) {
        gone(sd); /* nobody looked while it was out: what was on it may have changed */
    } else {
        take_card(sd);
    }
}

static void tick(struct bb_timer_event *event)
{
    struct bb_sd *sd = bb_container_of(event, struct bb_sd, timer);
    if (sd->pausing) {
        sd->pausing = false;
        bb_sd_run(sd);
    } else if (sd->busy && bb_time() < sd->deadline) {
        bb_timer_event_at(&sd->timer, sd->deadline);
    } else if (sd->busy) {
        sd->ops->look(sd); /* its interrupt may be lost */
        if (sd->busy && bb_time() >= sd->deadline) {
            sd->ops->stop(sd);
            bb_sd_done(sd, -ETIMEDOUT);
        }
    } else if (sd->state == BB_SD_GONE) {
        bb_sd_identify(sd);
    }
    (void)hand_over(sd, UINT16_MAX);
}

int bb_sd_expire(struct bb_block *block)
{
    struct bb_sd *sd = bb_container_of(block, struct bb_sd, block);
    sd->ops->stop(sd);
    bb_sd_abandon(sd);
    bb_sd_finish_all(sd, -ETIMEDOUT);
    if (sd->block.broken)
        sd->state = BB_SD_GONE;
    else
        bb_sd_identify(sd);
    (void)hand_over(sd, UINT16_MAX);
    return 0;
}

static bool is_decided(void *context)
{
    struct bb_sd *sd = context;
    if (sd->state == BB_SD_STARTING && sd->busy)
        sd->ops->look(sd);
    return sd->state != BB_SD_STARTING;
}

static void fill_in(struct bb_sd *sd)
{
    struct bb_block *block = &sd->block;
    block->capacity = sd->card.blocks;
    block->block_size = BB_SD_BLOCK;
    block->alignment = 4;
    block->max_blocks = sd->max_blocks;
    block->max_segments = sd->max_segments;
    block->max_erase = MOST_ERASE;
    block->queues = 1;
    block->depth = DEPTH;
    memcpy(sd->label, sd->card.name, sizeof(sd->label));
    block->label = sd->label;
}

static int publish(struct bb_sd *sd)
{
    int error = bb_publish_u32(sd->device, &sd->values[0], "hz", "Hz", &sd->hz);
    if (!error)
        error = bb_publish_u32(sd->device, &sd->values[1], "retries", "requests", &sd->retries);
    return error ? error
                 : bb_publish_u32(sd->device, &sd->values[2], "recoveries", "", &sd->recoveries);
}

int bb_sd_attach(struct bb_sd *sd)
{
    struct bb_device *device = sd->device;
    sd->room = bb_device_alloc(device, 64, 64);
    if (!sd->room)
        return -ENOMEM;
    sd->timer.run = tick;
    sd->timer.device = device;
    sd->state = BB_SD_STARTING;
    bb_sd_identify(sd);
    int error = bb_wait(is_decided, sd, ATTACH_MS * BB_MSEC);
    bb_timer_event_cancel(&sd->timer);
    if (error) {
        sd->ops->stop(sd);
        bb_sd_abandon(sd);
        return bb_fail(device, "identification of the card", error);
    }
    if (sd->state == BB_SD_ABSENT)
        return sd->error;
    memcpy(sd->cid, sd->card.cid, sizeof(sd->cid));
    fill_in(sd);
    return publish(sd);
}

void bb_sd_detach(struct bb_sd *sd)
{
    sd->removed = true;
    sd->ops->stop(sd);
    bb_sd_abandon(sd);
    bb_sd_finish_all(sd, -ENODEV);
    (void)hand_over(sd, UINT16_MAX);
}
