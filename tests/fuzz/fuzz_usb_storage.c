/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block/usb_storage with a stick that libFuzzer thinks of: what each transfer comes to, what
 * INQUIRY, READ CAPACITY, REQUEST SENSE and status wrappers say, and when the block layer loses its
 * patience or the stick goes. Some answers are made honest, so that something happens. Whatever it
 * says: every request comes back once, memory beyond it is left alone, and the driver comes to an
 * end.
 *
 * Input: the maximal LUN and the packets' size, then what each transfer comes to; -max_len=2048.
 * The driver is compiled in here, on a bus, timers and work of this file.
 */
#define bb_usb_claim fuzz_claim
#define bb_usb_endpoint fuzz_endpoint
#define bb_usb_alloc fuzz_alloc
#define bb_usb_submit fuzz_submit
#define bb_usb_cancel_wait fuzz_cancel_wait
#define bb_usb_control fuzz_control
#define bb_usb_clear_halt fuzz_clear_halt
#define bb_usb_bus fuzz_bus
#define bb_work_queue fuzz_work_queue
#define bb_work_cancel fuzz_work_cancel
#define bb_timer_event_at fuzz_timer_at
#define bb_timer_event_cancel fuzz_timer_cancel
#define bb_time fuzz_time
#define bb_wait fuzz_wait
#define bb_driver_block_usb_storage fuzz_driver
#define bb_ops_block_usb_storage fuzz_ops
#include <drivers/block/usb_storage.c>

#include <stdlib.h>

enum { REQUESTS = 6, WORKS = 8, MOST_STEPS = 20000, MOST_BLOCKS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct bb_bus fuzz_bus = {.name = "fuzz"};

static struct {
    const uint8_t *at, *end;
} input;
static struct usb_storage *chip_now;
static struct bb_node node;
static struct bb_usb_device usb;
static struct bb_usb_interface interface;
static struct bb_usb_endpoint in, out;
static struct bb_usb_transfer *flying;
static struct bb_work *works[WORKS];
static unsigned work_count;
static struct bb_timer_event *timer;
static uint64_t now;
static void *memories[8];
static unsigned memory_count;
static uint32_t last_tag, last_length; /* of the last wrapper */
static uint8_t last_command;
static unsigned steps;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static uint8_t byte(void)
{
    return input.at < input.end ? *input.at++ : 0;
}

static bool is_over(void)
{
    return input.at >= input.end;
}

/* ---- The bus ---- */

int fuzz_claim(struct bb_device *device, struct bb_usb_interface **found)
{
    (void)device;
    *found = &interface;
    return 0;
}

struct bb_usb_endpoint *fuzz_endpoint(struct bb_usb_interface *from, enum bb_usb_type type,
                                      enum bb_usb_direction direction)
{
    must(from == &interface && type == BB_USB_BULK);
    return direction == BB_USB_IN ? &in : &out;
}

/* Memory of its own, so that a byte too many is seen. */
static void *allocate(size_t size)
{
    void *memory = NULL;
    must(memory_count < BB_ARRAY_SIZE(memories) && !posix_memalign(&memory, 64, size));
    memset(memory, 0, size);
    return memories[memory_count++] = memory;
}

void *fuzz_alloc(struct bb_device *device, size_t size)
{
    (void)device;
    return allocate(size);
}

int fuzz_submit(struct bb_usb_transfer *transfer)
{
    must(!flying && transfer->done && transfer->length && (uintptr_t)transfer->data % 64 == 0);
    if (transfer->endpoint->halted)
        return -EPIPE;
    if (is_over())
        return -ENODEV;
    transfer->status = -EINPROGRESS;
    transfer->actual = 0;
    flying = transfer;
    return 0;
}

static void end(int status)
{
    struct bb_usb_transfer *transfer = flying;
    flying = NULL;
    transfer->status = status;
    transfer->endpoint->halted |= status == -EPIPE;
    transfer->done(transfer);
}

void fuzz_cancel_wait(struct bb_usb_transfer *transfer)
{
    must(!flying || flying == transfer);
    if (flying)
        end(-ECANCELED);
}

static int outcome(unsigned choice)
{
    static const int errors[] = {0, 0, 0,      0,    0,          0,          0,       0,
                                 0, 0, -EPIPE, -EIO, -EOVERFLOW, -ETIMEDOUT, -ENODEV, -EPIPE};
    return errors[choice & 15];
}

int fuzz_control(struct bb_usb_device *device, unsigned request_type, unsigned request,
                 unsigned value, unsigned index, void *data, unsigned length)
{
    (void)device, (void)request_type, (void)request, (void)value, (void)index;
    int error = is_over() ? -ENODEV : outcome(byte());
    if (!error && length)
        *(uint8_t *)data = byte();
    if (chip_now->running && byte() == 0x5a) /* the watchdog, while the repair waits */
        (void)usb_storage_expire(&chip_now->block);
    return error ? error : (int)length;
}

int fuzz_clear_halt(struct bb_usb_endpoint *endpoint)
{
    int error = is_over() ? -ENODEV : outcome(byte());
    if (!error)
        endpoint->halted = false;
    return error;
}

/* A status as it should be, if its first byte says so, and then with a few bits changed. */
static uint32_t answer_status(uint8_t *data)
{
    unsigned choice = byte();
    put_le32(data, STATUS_SIGNATURE);
    put_le32(data + 4, last_tag);
    put_le32(data + 8, choice & 0x10 ? byte() * 64u : 0);
    data[12] = choice & 0x20 ? byte() : (choice & 0x0f) == 1;
    if (choice & 0x40)
        data[byte() % STATUS_SIZE] ^= byte();
    return choice & 0x80 ? byte() % (STATUS_SIZE + 1) : STATUS_SIZE;
}

/* Data: what the command's reply begins with comes from the input, the rest is a row of numbers. */
static uint32_t answer_data(uint8_t *data, uint32_t length)
{
    uint32_t told = length < 36 ? length : 36, some = length;
    unsigned choice = byte();
    for (uint32_t i = 0; i < length; i++)
        data[i] = (uint8_t)i;
    if (last_command == READ_CAPACITY_10 && choice & 1) {
        put_be32(data, choice & 2 ? UINT32_MAX : byte() * 256u + 63);
        put_be32(data + 4, 512u << (choice >> 2 & 3));
    } else if (last_command == INQUIRY && choice & 1) {
        data[0] = 0;
    } else if (last_command == TEST_UNIT_READY || last_command == READ_10) {
        told = 0;
    }
    for (uint32_t i = 0; !(choice & 1) && i < told; i++)
        data[i] = byte();
    if (choice & 0x80)
        some = byte() * 2u;
    return some < length ? some : length;
}

static void carry_out(void)
{
    struct bb_usb_transfer *transfer = flying;
    int status = is_over() ? -ENODEV : outcome(byte());
    uint8_t *data = transfer->data;
    if (transfer->endpoint == &out) {
        if (transfer->length == WRAPPER_SIZE) {
            must(bb_usb_u32(data) == WRAPPER_SIGNATURE && data[14] && data[14] <= 16);
            last_tag = bb_usb_u32(data + 4);
            last_length = bb_usb_u32(data + 8);
            last_command = data[15];
        } else {
            must(transfer->length % 512 == 0 && transfer->length <= last_length);
        }
        transfer->actual = status ? 0 : transfer->length;
    } else if (!status) {
        transfer->actual = transfer->length == STATUS_SIZE && data == chip_now->status
                               ? answer_status(data)
                               : answer_data(data, transfer->length);
    }
    end(status);
}

/* ---- Work and time ---- */

void fuzz_work_queue(struct bb_work *work)
{
    for (unsigned i = 0; i < work_count; i++)
        if (works[i] == work)
            return;
    must(work_count < WORKS);
    works[work_count++] = work;
}

void fuzz_work_cancel(struct bb_work *work)
{
    for (unsigned i = 0; i < work_count; i++)
        if (works[i] == work)
            works[i] = works[--work_count];
}

void fuzz_timer_at(struct bb_timer_event *event, uint64_t due)
{
    event->due = due;
    timer = event;
}

void fuzz_timer_cancel(struct bb_timer_event *event)
{
    if (timer == event)
        timer = NULL;
}

uint64_t fuzz_time(void)
{
    return now;
}

static void step(void)
{
    must(++steps < MOST_STEPS);
    now += BB_MSEC;
    if (work_count) {
        struct bb_work *work = works[0];
        works[0] = works[--work_count];
        work->running = true;
        work->run(work);
        work->running = false;
    } else if (flying) {
        carry_out();
    } else if (timer) {
        struct bb_timer_event *event = timer;
        timer = NULL;
        now = event->due > now ? event->due : now;
        event->run(event);
    }
}

int fuzz_wait(bool (*done)(void *context), void *context, uint64_t timeout)
{
    uint64_t deadline = now + timeout;
    while (!done(context)) {
        if (now > deadline)
            return -ETIMEDOUT;
        step();
    }
    return 0;
}

/* ---- Requests ---- */

static unsigned told;

static void count_one(struct bb_block_request *request)
{
    must(request->status <= 0 && request->status != -EINPROGRESS);
    told++;
}

static unsigned use(struct usb_storage *chip)
{
    static struct bb_block_request requests[REQUESTS];
    static struct bb_block_segment segments[REQUESTS][2];
    struct bb_block *block = &chip->block;
    struct bb_block_request *list[1];
    uint8_t *data = allocate(2 * MOST_BLOCKS * 4096);
    unsigned taken = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        unsigned choice = byte();
        uint32_t count = 1 + (choice >> 4) % (MOST_BLOCKS / 2);
        for (unsigned j = 0; j < 2; j++)
            segments[i][j] = (struct bb_block_segment){data + j * 16384, count * block->block_size};
        requests[i] = (struct bb_block_request){
            .block = byte() * 3u, .op = choice % 3, .segments = segments[i], .done = count_one};
        if (choice % 3 != BB_BLOCK_FLUSH)
            requests[i].segment_count = (uint16_t)(1 + (choice >> 3 & 1));
        list[0] = &requests[i];
        taken += usb_storage_submit(block, 0, list, 1) == 1;
    }
    for (bool patient = true; told < taken && !is_over();) {
        step();
        if (byte() & 1)
            (void)usb_storage_reap(block, 0, 1 + byte() % 4u);
        else if (usb_storage_arm(block, 0))
            (void)usb_storage_reap(block, 0, UINT16_MAX);
        if (patient && byte() == 0xa5) {
            patient = false;
            (void)usb_storage_expire(block);
        }
    }
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct usb_storage *chip = calloc(1, sizeof(*chip));
    input.at = data;
    input.end = data + size;
    chip_now = chip;
    steps = told = work_count = 0;
    timer = NULL;
    flying = NULL;
    now = 1;
    node = (struct bb_node){.name = "interface@0"};
    usb = (struct bb_usb_device){.address = 1};
    interface = (struct bb_usb_interface){.device = &usb};
    in = (struct bb_usb_endpoint){.device = &usb, .address = 0x81, .type = BB_USB_BULK};
    out = in;
    out.address = 2;
    in.packet = out.packet = byte() & 1 ? 512 : 64;
    chip->device = (struct bb_device){.node = &node, .name = "stick", .driver = &fuzz_driver};
    chip->block.face = (struct bb_face){.device = &chip->device, .ops = &fuzz_ops};
    chip->block.watched = true;
    if (usb_storage_probe(&chip->device) == 0) {
        must(chip->block.capacity && chip->block.block_size >= 512 &&
             chip->block.block_size <= 4096 && strlen(chip->label) < sizeof(chip->label));
        chip->block.shift = (uint32_t)__builtin_ctz(chip->block.block_size);
        unsigned taken = use(chip);
        chip->device.removed = true;
        usb_storage_remove(&chip->device);
        must(told == taken && !chip->block.in_flight);
    }
    must(!flying);
    while (memory_count)
        free(memories[--memory_count]);
    free(chip);
    return 0;
}
