/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB sticks and disks: SCSI commands (SPC-4, SBC-3) over the bulk-only transport (USB Mass Storage
 * Class, Bulk-Only Transport, revision 1.0).
 *
 * A command is a wrapper out (CBW), data, and a status in (CSW), each a transfer whose done()
 * starts the next; data goes straight to and from the request's segments. One command is under way
 * at a time, as the transport wants it, and requests wait in a list. What has to wait itself,
 * clearing a halt and the reset recovery of section 5.3.4, runs in work.
 */
#include "usb_storage.h"

#include <busbar/log.h>

static void begin(struct usb_storage *chip, const struct command *command);
static void next(struct usb_storage *chip);

/* ---- The verdict on a command ---- */

static void finish(struct usb_storage *chip, int status)
{
    struct bb_block_request *request = chip->current;
    chip->phase = IDLE;
    chip->current = NULL;
    if (!request)
        chip->result = status;
    else if (request->op == BB_BLOCK_FLUSH && status == -ENOTSUP && chip->doubt != TO_LOOK)
        chip->no_cache = true, put_aside(chip, request, 0); /* so there is nothing to write back */
    else
        put_aside(chip, request, status == -ENOTSUP ? -EIO : status);
    next(chip);
}

/* The command; or first the question whether it is still for this medium. */
static void start(struct usb_storage *chip)
{
    begin(chip, chip->doubt == TO_LOOK ? &chip->look : &chip->command);
}

static BB_NOINLINE void give_up(struct usb_storage *chip)
{
    bb_block_break(&chip->block, "its medium was changed; plug it in anew", -ENODEV);
}

/* There are sticks that call their medium changed whenever they were reset. */
static int judge_attention(struct usb_storage *chip, unsigned asc)
{
    if (asc != ASC_MEDIUM_CHANGED || !chip->running)
        return AGAIN; /* it was reset, or is new */
    if (chip->doubt != SURE) {
        chip->doubt = TO_LOOK;
        return AGAIN;
    }
    give_up(chip);
    return -ENODEV;
}

static int judge_not_ready(struct usb_storage *chip, unsigned asc, unsigned qualifier)
{
    if (asc == ASC_NO_MEDIUM) {
        chip->doubt = SURE; /* what comes next is another one */
        return -ENODEV;
    }
    chip->error = -ETIMEDOUT;
    if (asc != ASC_NOT_READY || qualifier != ASC_NEEDS_START)
        return LATER;
    return chip->current || chip->started ? LATER : -EAGAIN;
}

/* What the sense data, in one of its two formats, mean for the command. */
static int judge_sense(struct usb_storage *chip)
{
    const uint8_t *sense = chip->sense;
    bool fixed = (sense[0] & 0x7e) == 0x70, described = (sense[0] & 0x7e) == 0x72;
    chip->error = -EIO;
    if (chip->moved < (fixed ? 14u : 4u) || (!fixed && !described))
        return AGAIN;
    unsigned asc = sense[fixed ? 12 : 2], qualifier = sense[fixed ? 13 : 3];
    switch (sense[fixed ? 2 : 1] & 0x0f) {
    case RECOVERED:
        return chip->whole ? 0 : AGAIN;
    case NOT_READY:
        return judge_not_ready(chip, asc, qualifier);
    case MEDIUM_ERROR:
    case HARDWARE_ERROR:
        return -EIO;
    case ILLEGAL_REQUEST: /* unknown commands and fields differ from blocks that are not there */
        return asc == 0x20 || asc == 0x24 ? -ENOTSUP : -EIO;
    case UNIT_ATTENTION:
        return judge_attention(chip, asc);
    case DATA_PROTECT:
        return -EROFS;
    case VOLUME_OVERFLOW:
        return -ENOSPC;
    }
    return AGAIN; /* aborted, no sense at all, and what is the vendor's own */
}

static void ask_sense(struct usb_storage *chip)
{
    write_sense_command(chip);
    memset(chip->sense, 0, SENSE_SIZE);
    begin(chip, &chip->ask);
}

static void obey(struct usb_storage *chip, int verdict)
{
    if (!verdict && chip->doubt == TO_LOOK &&
        memcmp(chip->reply, chip->said, chip->look.least) != 0) {
        give_up(chip);
        verdict = -ENODEV;
    }
    if (!verdict && chip->doubt && --chip->doubt) {
        start(chip);
    } else if (verdict == LATER && bb_time() - chip->begun < PATIENCE) {
        chip->phase = PAUSED;
        bb_timer_event_at(&chip->pause, bb_time() + PAUSE);
    } else if (verdict == AGAIN && ++chip->tries < TRIES) {
        start(chip);
    } else {
        finish(chip, verdict > 0 ? chip->error : verdict);
    }
}

static void pause_is_over(struct bb_timer_event *event)
{
    struct usb_storage *chip = bb_container_of(event, struct usb_storage, pause);
    if (chip->phase == PAUSED)
        start(chip);
}

/* The steps are done: a status that is valid. */
static void conclude(struct usb_storage *chip, unsigned status)
{
    const struct command *command = chip->active;
    if (command == &chip->ask) {
        obey(chip, status == GOOD ? judge_sense(chip) : (chip->error = -EIO, AGAIN));
        return;
    }
    chip->whole =
        chip->moved >= command->least && command->length - chip->residue >= command->least;
    chip->error = -EIO;
    if (status == CHECK)
        ask_sense(chip);
    else
        obey(chip, chip->whole ? 0 : AGAIN);
}

/* ---- The three steps ---- */

/* What waits is for work. */
static void mend(struct usb_storage *chip, enum fix fix, int error)
{
    chip->phase = REPAIR;
    chip->fix = (uint8_t)fix;
    chip->error = error;
    bb_work_queue(&chip->repair);
}

static void submit(struct usb_storage *chip, enum phase phase, struct bb_usb_endpoint *endpoint,
                   void *data, uint32_t length)
{
    if (chip->transfer.status == -EINPROGRESS) { /* the controller did not give it back */
        mend(chip, FIX_ALL, -EBUSY);
        return;
    }
    chip->phase = (uint8_t)phase;
    chip->transfer.endpoint = endpoint;
    chip->transfer.data = data;
    chip->transfer.length = length;
    chip->transfer.timeout = chip->limit;
    int error = bb_usb_submit(&chip->transfer);
    if (error)
        mend(chip, FIX_ALL, error);
}

static void begin(struct usb_storage *chip, const struct command *command)
{
    chip->active = command;
    chip->segment = 0;
    chip->moved = 0;
    chip->again = false;
    write_wrapper(chip, command);
    submit(chip, WRAPPER, chip->out, chip->wrapper, WRAPPER_SIZE);
}

static void read_status(struct usb_storage *chip)
{
    submit(chip, STATUS, chip->in, chip->status, STATUS_SIZE);
}

static void move(struct usb_storage *chip)
{
    const struct command *command = chip->active;
    if (chip->segment == command->segment_count) {
        read_status(chip);
        return;
    }
    const struct bb_block_segment *segment = &command->segments[chip->segment++];
    submit(chip, DATA, command->in ? chip->in : chip->out, segment->data, segment->length);
}

/* 6.3: valid and meaningful, or the two sides no longer agree on what is under way. */
static void status_done(struct usb_storage *chip, const struct bb_usb_transfer *transfer)
{
    const uint8_t *status = chip->status;
    if (transfer->actual == 0 && !chip->again) { /* the end of data that filled its packets */
        chip->again = true;
        read_status(chip);
        return;
    }
    chip->residue = bb_usb_u32(status + 8);
    if (transfer->actual != STATUS_SIZE || bb_usb_u32(status) != STATUS_SIGNATURE ||
        bb_usb_u32(status + 4) != chip->tag || status[12] >= PHASE_ERROR ||
        chip->residue > chip->active->length)
        mend(chip, FIX_ALL, -EIO);
    else
        conclude(chip, status[12]);
}

static void data_done(struct usb_storage *chip, const struct bb_usb_transfer *transfer)
{
    chip->moved += transfer->actual;
    if (transfer->status == -EPIPE) {
        mend(chip, FIX_DATA, -EIO);
    } else if (transfer->status) {
        mend(chip, FIX_ALL, transfer->status);
    } else if (transfer->actual == transfer->length) {
        move(chip);
    } else if (is_early_status(chip, transfer)) {
        chip->moved -= STATUS_SIZE;
        memcpy(chip->status, transfer->data, STATUS_SIZE);
        status_done(chip, transfer);
    } else {
        read_status(chip); /* less than there is room for: the device has no more */
    }
}

static void step_done(struct bb_usb_transfer *transfer)
{
    struct usb_storage *chip = transfer->context;
    if (chip->stopping || chip->phase == IDLE || chip->phase >= PAUSED)
        return;
    if (chip->phase == DATA)
        data_done(chip, transfer);
    else if (transfer->status == -EPIPE && chip->phase == STATUS && !chip->again)
        mend(chip, FIX_STATUS, -EIO);
    else if (transfer->status)
        mend(chip, FIX_ALL, transfer->status);
    else if (chip->phase == WRAPPER)
        move(chip);
    else
        status_done(chip, transfer);
}

/* ---- When things go wrong ---- */

static void lose(struct usb_storage *chip, int error)
{
    chip->phase = IDLE;
    chip->result = error;
    if (error == -ENODEV)
        chip->gone = true;
    else if (chip->running && !chip->block.broken)
        bb_block_break(&chip->block, "no reset brings it back", error);
    abandon(chip, error == -ENODEV ? error : -EIO);
}

/* May wait a second for each request; meanwhile the watchdog may give the command up. */
static void run_repair(struct bb_work *work)
{
    struct usb_storage *chip = bb_container_of(work, struct usb_storage, repair);
    int error = chip->error == -ENODEV ? -ENODEV : 0;
    if (!error && chip->fix != FIX_ALL) {
        error =
            bb_usb_clear_halt(chip->fix == FIX_DATA && !chip->active->in ? chip->out : chip->in);
        if (!error && !chip->abandoned) {
            chip->again = chip->fix == FIX_STATUS;
            read_status(chip);
            return;
        }
    }
    if (error != -ENODEV)
        error = reset(chip);
    bool abandoned = chip->abandoned;
    chip->abandoned = false;
    if (error)
        lose(chip, error);
    else if (abandoned)
        chip->phase = IDLE, next(chip);
    else /* what took so long is not tried again */
        obey(chip, chip->error == -ETIMEDOUT ? chip->error : (chip->error = -EIO, AGAIN));
}

/* Ends what is under way; waits until nobody writes to the request's memory any more. */
static void stop(struct usb_storage *chip)
{
    chip->stopping = true;
    bb_timer_event_cancel(&chip->pause);
    bb_work_cancel(&chip->repair);
    bb_usb_cancel_wait(&chip->transfer);
    chip->stopping = false;
}

static int usb_storage_expire(struct bb_block *block)
{
    struct usb_storage *chip = bb_container_of(block, struct usb_storage, block);
    bool repairing = chip->repair.running;
    if (!repairing)
        stop(chip);
    if (chip->device.removed)
        return -ENODEV;
    abandon(chip, -ETIMEDOUT);
    chip->abandoned = repairing;
    if (repairing)
        return 0;         /* it goes on with the reset */
    chip->phase = REPAIR; /* what is submitted while it waits goes to the list */
    int error = block->broken ? -EIO : reset(chip);
    if (chip->device.removed)
        return -ENODEV;
    chip->phase = IDLE;
    if (error)
        abandon(chip, error);
    next(chip);
    return error;
}

/* ---- Requests ---- */

static void next(struct usb_storage *chip)
{
    while (chip->phase == IDLE && (chip->current = take(&chip->first))) {
        struct bb_block_request *request = chip->current;
        if (chip->gone || chip->block.broken || (request->op == BB_BLOCK_FLUSH && chip->no_cache)) {
            chip->current = NULL;
            put_aside(chip, request, chip->gone ? -ENODEV : chip->block.broken ? -EIO : 0);
            continue;
        }
        chip->tries = 0;
        chip->begun = bb_time();
        write_command(&chip->command, request, chip->block.shift);
        start(chip);
    }
}

static int usb_storage_submit(struct bb_block *block, unsigned queue,
                              struct bb_block_request *const *requests, unsigned count)
{
    struct usb_storage *chip = bb_container_of(block, struct usb_storage, block);
    unsigned taken = 0;
    int error = queue ? -EINVAL : chip->gone ? -ENODEV : 0;
    for (; !error && taken < count && block->in_flight + taken < DEPTH; taken++) {
        error = bb_block_refuse(block, requests[taken]);
        if (error)
            break;
        append(&chip->first, &chip->last, requests[taken]);
    }
    bb_block_started(block, taken);
    next(chip);
    return taken ? (int)taken : error;
}

static int usb_storage_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    struct usb_storage *chip = bb_container_of(block, struct usb_storage, block);
    struct bb_block_request *request;
    unsigned count = 0;
    (void)queue;
    for (; count < limit && (request = take(&chip->first_done)); count++)
        bb_block_complete(block, request, request->result);
    if (count || chip->phase != IDLE)
        return (int)count;
    return chip->gone ? -ENODEV : block->broken ? -EIO : 0;
}

static bool usb_storage_arm(struct bb_block *block, unsigned queue)
{
    struct usb_storage *chip = bb_container_of(block, struct usb_storage, block);
    (void)queue;
    chip->armed = !chip->first_done && !chip->gone && !block->broken;
    return !chip->armed;
}

static void run_news(struct bb_work *work)
{
    (void)usb_storage_reap(&bb_container_of(work, struct usb_storage, news)->block, 0, UINT16_MAX);
}

/* ---- Getting to know it ---- */

static bool is_idle(void *context)
{
    return ((struct usb_storage *)context)->phase == IDLE;
}

/* A command of the probe, whose reply of `least` to `length` bytes is in chip->reply. Waits. */
static int execute(struct usb_storage *chip, const uint8_t *cdb, unsigned cdb_length,
                   uint32_t length, uint32_t least)
{
    chip->reply_segment = (struct bb_block_segment){chip->reply, length};
    chip->command = (struct command){.cdb_length = (uint8_t)cdb_length,
                                     .in = length > 0,
                                     .segments = &chip->reply_segment,
                                     .segment_count = length > 0,
                                     .length = length,
                                     .least = least};
    memcpy(chip->command.cdb, cdb, cdb_length);
    memset(chip->reply, 0, length);
    chip->tries = 0;
    chip->begun = bb_time();
    begin(chip, &chip->command);
    if (!bb_wait(is_idle, chip, PROBE_MOST))
        return chip->result;
    int error = usb_storage_expire(&chip->block);
    return error ? error : -ETIMEDOUT;
}

static int inquire(struct usb_storage *chip)
{
    static const uint8_t cdb[] = {INQUIRY, 0, 0, 0, 36, 0};
    int error = execute(chip, cdb, sizeof(cdb), 36, 5);
    if (error)
        return bb_fail(&chip->device, "INQUIRY", error);
    uint8_t type = chip->reply[0]; /* with the qualifier, which is 0 for a unit that is there */
    if (type != DISK && type != CD && type != OPTICAL && type != SIMPLE_DISK)
        return bb_fail(&chip->device, "kind of unit: no disk", -ENOTSUP);
    if (type == CD)
        chip->block.features |= BB_BLOCK_READ_ONLY;
    write_label(chip->label, chip->reply);
    chip->block.label = chip->label;
    return 0;
}

static int get_ready(struct usb_storage *chip)
{
    static const uint8_t ready[] = {TEST_UNIT_READY, 0, 0, 0, 0, 0};
    static const uint8_t start[] = {START_STOP_UNIT, 0, 0, 0, 1, 0};
    int error = execute(chip, ready, sizeof(ready), 0, 0);
    if (error == -EAGAIN) {
        chip->started = true;
        (void)execute(chip, start, sizeof(start), 0, 0); /* the next line tells what came of it */
        error = execute(chip, ready, sizeof(ready), 0, 0);
    }
    return error ? bb_fail(&chip->device, error == -ENODEV ? "medium" : "TEST UNIT READY", error)
                 : 0;
}

static int learn_capacity(struct usb_storage *chip)
{
    static const uint8_t small[10] = {READ_CAPACITY_10};
    static const uint8_t large[16] = {SERVICE_ACTION_IN_16, READ_CAPACITY_16, [13] = 32};
    struct bb_block *block = &chip->block;
    int error = execute(chip, small, sizeof(small), 8, 8);
    uint64_t last = be32(chip->reply);
    uint32_t size = be32(chip->reply + 4);
    if (!error && last == UINT32_MAX) {
        error = execute(chip, large, sizeof(large), 32, 12);
        last = (uint64_t)be32(chip->reply) << 32 | be32(chip->reply + 4);
        size = be32(chip->reply + 8);
    }
    if (error)
        return bb_fail(&chip->device, "READ CAPACITY", error);
    if (size < 512 || size > REPLY_ROOM || size & (size - 1))
        return bb_fail(&chip->device, "block size", -ENOTSUP);
    if (last >= (uint64_t)INT64_MAX / size)
        return bb_fail(&chip->device, "capacity", -EINVAL);
    chip->look = chip->command;
    memcpy(chip->said, chip->reply, sizeof(chip->said));
    block->capacity = last + 1;
    block->block_size = size;
    return 0;
}

static int read_one(struct usb_storage *chip, uint64_t number)
{
    struct bb_block_request request = {.op = BB_BLOCK_READ, .block = number, .count = 1};
    struct command command;
    write_command(&command, &request, 0);
    return execute(chip, command.cdb, command.cdb_length, chip->block.block_size,
                   chip->block.block_size);
}

/* Some devices tell how many blocks they have where the last one's number belongs. */
static int check_last(struct usb_storage *chip)
{
    struct bb_block *block = &chip->block;
    int error = read_one(chip, block->capacity - 1);
    if (error && error != -ENODEV && block->capacity > 1) {
        error = read_one(chip, block->capacity - 2);
        if (!error)
            block->capacity--;
        bb_print(BB_WARNING, "%s: its last block cannot be read%s", chip->device.name,
                 error ? "" : "; taken as one fewer");
    }
    return error == -ENODEV ? bb_fail(&chip->device, "last block", error) : 0;
}

/* Devices need not know the command; those that do not are taken as not protected. */
static int learn_protection(struct usb_storage *chip)
{
    static const uint8_t cdb[] = {MODE_SENSE_6, 0, 0x3f, 0, MODE_SIZE, 0};
    int error = execute(chip, cdb, sizeof(cdb), MODE_SIZE, 4);
    if (!error && chip->reply[2] & 0x80)
        chip->block.features |= BB_BLOCK_READ_ONLY;
    return error == -ENODEV ? bb_fail(&chip->device, "MODE SENSE", error) : 0;
}

static int learn(struct usb_storage *chip)
{
    struct bb_block *block = &chip->block;
    uint8_t luns = 0;
    int got =
        bb_usb_control(chip->interface->device, BB_USB_IN | BB_USB_CLASS | BB_USB_TO_INTERFACE,
                       GET_MAX_LUN, 0, chip->interface->number, &luns, 1);
    if (got == -ENODEV)
        return bb_fail(&chip->device, "GET MAX LUN", got);
    if (got == 1 && luns > 0 && luns < 16) /* a stall says that there is one */
        bb_print(BB_INFO, "%s: has %u units; only the first one is used", chip->device.name,
                 luns + 1u);
    int error = inquire(chip);
    if (!error)
        error = get_ready(chip);
    if (!error)
        error = learn_capacity(chip);
    if (!error)
        error = learn_protection(chip);
    if (!error)
        error = check_last(chip);
    if (error)
        return error;
    if (!(block->features & BB_BLOCK_READ_ONLY))
        block->features |= BB_BLOCK_HAS_FLUSH;
    chip->reply_segment.length = chip->look.length;
    block->alignment = BB_USB_ALIGNMENT;
    block->max_blocks = MOST_BYTES / block->block_size;
    block->max_segments = SEGMENTS;
    block->queues = 1;
    block->depth = DEPTH;
    return 0;
}

static int usb_storage_probe(struct bb_device *device)
{
    struct usb_storage *chip = bb_container_of(device, struct usb_storage, device);
    int error = bb_usb_claim(device, &chip->interface);
    if (error)
        return error;
    chip->in = bb_usb_endpoint(chip->interface, BB_USB_BULK, BB_USB_IN);
    chip->out = bb_usb_endpoint(chip->interface, BB_USB_BULK, BB_USB_OUT);
    if (!chip->in || !chip->out || 512 % chip->in->packet || 512 % chip->out->packet)
        return bb_fail(device, "bulk endpoints", -EINVAL);
    chip->wrapper = bb_usb_alloc(device, WRAPPER_SIZE);
    chip->status = bb_usb_alloc(device, bb_usb_room(chip->in, STATUS_SIZE));
    chip->sense = bb_usb_alloc(device, bb_usb_room(chip->in, SENSE_SIZE));
    chip->reply = bb_usb_alloc(device, REPLY_ROOM);
    if (!chip->wrapper || !chip->status || !chip->sense || !chip->reply)
        return -ENOMEM;
    chip->transfer.done = step_done;
    chip->transfer.context = chip;
    chip->repair = (struct bb_work){.run = run_repair, .device = device};
    chip->news = (struct bb_work){.run = run_news, .device = device};
    chip->pause = (struct bb_timer_event){.run = pause_is_over, .device = device};
    chip->limit = PROBE_LIMIT;
    error = learn(chip);
    if (error) {
        stop(chip);
        return error;
    }
    chip->limit = LIMIT;
    chip->running = true;
    return 0;
}

static void usb_storage_remove(struct bb_device *device)
{
    struct usb_storage *chip = bb_container_of(device, struct usb_storage, device);
    struct bb_block_request *request;
    chip->gone = true;
    stop(chip);
    chip->phase = IDLE;
    chip->armed = false;
    abandon(chip, -ENODEV);
    while ((request = take(&chip->first_done)))
        bb_block_complete(&chip->block, request, request->result);
}

const struct bb_block_ops bb_ops_block_usb_storage = {
    .submit = usb_storage_submit,
    .reap = usb_storage_reap,
    .arm = usb_storage_arm,
    .expire = usb_storage_expire,
};

BB_DRIVER(block, usb_storage, .bus = &bb_usb_bus, .hotplug = true,
          .match = BB_MATCH({"usbif,class8.6.50"}), .probe = usb_storage_probe,
          .remove = usb_storage_remove);
