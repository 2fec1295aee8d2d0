/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SD cards that libFuzzer thinks of: each command is answered, refused, garbled or left hanging by
 * a byte of the input, its answer and its registers (CID, CSD, SCR, switch status) are an honest
 * card's or more bytes of the input. Whatever the card says: identification ends, what it leads to
 * has a capacity and limits that make sense, and every request comes back once. -max_len=1024.
 */
#include <stdlib.h>
#include <string.h>

#include <busbar/arena.h>
#include <busbar/hooks.h>
#include <busbar/poll.h>
#include <busbar/sd.h>
#include <core/core.h>
#include <tests/models/world.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS = 4, BLOCKS = 4 };
enum {              /* a byte of the input, for each command */
       OUTCOME = 7, /* 5: no answer, 6: garbled, 7: it never ends */
       OWN_REPLY = 8,
       OWN_DATA = 16,
};

static const uint8_t *input, *input_end;
static bool high_capacity, moving;
static struct bb_sd sd;
static struct bb_node node;
static struct bb_device device;
static unsigned told;

static uint64_t wake; /* bb_time() at which the sleep ends that comes next */

static void wake_at(uint64_t due)
{
    wake = due;
}

static void sleep_on(void *context)
{
    uint64_t now = bb_time();
    (void)context;
    if (wake > now)
        world_advance(wake - now);
}

static void must(bool condition)
{
    if (!condition)
        abort();
}

static uint8_t byte(void)
{
    return input < input_end ? *input++ : 0;
}

static uint32_t word(void)
{
    uint32_t value = byte();
    for (unsigned i = 0; i < 3; i++)
        value = value << 8 | byte();
    return value;
}

static void honest_reply(struct bb_sd_command *command)
{
    static const uint32_t cid[4] = {0x12345600, 0x21123456, 0x42555342, 0x03534442};
    static const uint32_t v1[4] = {0x02400000, 0x3fff8000, 0x5b59007f, 0x000e0032};
    static const uint32_t v2[4] = {0x0a400000, 0x1fff7f80, 0x5b590000, 0x400e0032};
    const uint32_t *words = command->index == 2 ? cid : high_capacity ? v2 : v1;
    command->reply[0] = 4 << 9 | 1 << 8 | 1 << 5; /* transfer state, ready */
    if (command->answer == BB_SD_R2)
        memcpy(command->reply, words, sizeof(command->reply));
    else if (command->answer == BB_SD_R3)
        command->reply[0] = 0x80ff8000 | (uint32_t)high_capacity << 30;
    else if (command->answer == BB_SD_R6)
        command->reply[0] = 0x12340500;
    else if (command->answer == BB_SD_R7)
        command->reply[0] = command->argument;
}

static void honest_data(const struct bb_sd_command *command, uint8_t *bytes)
{
    static const uint8_t scr[8] = {0x02, 0x25, 0, 2};
    if (command->block_size == sizeof(scr))
        memcpy(bytes, scr, sizeof(scr));
    if (command->block_size != 64)
        return;
    memset(bytes, 0, 64);
    bytes[1] = 100;
    bytes[13] = 3;
    bytes[16] = 1;
}

/* Writes all that the command has room for: the sanitizer sees when that is not there. */
static void answer_data(const struct bb_sd_command *command, bool own)
{
    uint32_t total = 0;
    for (unsigned i = 0; i < command->segment_count; i++) {
        uint8_t *bytes = command->segments[i].data;
        uint32_t length = command->segments[i].length;
        total += length;
        must(((uintptr_t)bytes & 3) == 0 && length % command->block_size == 0);
        for (uint32_t at = 0; at < length && !command->write && own; at++)
            bytes[at] = byte();
        if (!command->write && !own)
            honest_data(command, bytes);
    }
    must(total == (uint32_t)command->block_size * command->blocks);
}

static void start(struct bb_sd *card, struct bb_sd_command *command)
{
    static const int errors[] = {0, 0, 0, 0, 0, -ETIMEDOUT, -EPROTO, 0};
    uint8_t how = byte();
    must(!moving && command->index < 64 && command->answer <= BB_SD_R7);
    moving = true;
    if (how & OWN_REPLY)
        for (unsigned i = 0; i < 4; i++)
            command->reply[i] = word();
    else
        honest_reply(command);
    if (command->block_size)
        answer_data(command, how & OWN_DATA);
    if ((how & OUTCOME) == OUTCOME)
        return;
    moving = false;
    bb_sd_done(card, errors[how & OUTCOME]);
}

static void look(struct bb_sd *card)
{
    (void)card;
}

static void stop(struct bb_sd *card)
{
    (void)card;
    moving = false;
}

static void set_bus(struct bb_sd *card, const struct bb_sd_bus *bus)
{
    must(bus->hz > 0 && bus->hz <= 50000000 && (bus->width == 1 || bus->width == 4));
    card->hz = bus->hz;
}

static const struct bb_sd_ops ops = {
    .start = start, .look = look, .stop = stop, .set_bus = set_bus};

static const struct bb_block_ops block_ops = BB_SD_BLOCK_OPS;

static void tell(struct bb_block_request *request)
{
    must(request->status != -EINPROGRESS);
    told++;
}

/* As many as the card has blocks for; each must come back. */
static void use_card(void)
{
    static _Alignas(64) uint8_t memory[BLOCKS * BB_SD_BLOCK];
    static struct bb_block_request requests[REQUESTS];
    static const uint8_t kinds[] = {BB_BLOCK_READ, BB_BLOCK_WRITE, BB_BLOCK_DISCARD, BB_BLOCK_READ};
    const struct bb_block_segment segment = {memory, sizeof(memory)};
    unsigned posted = 0;
    told = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        struct bb_block_request *batch[] = {&requests[i]};
        bool moves = kinds[i] != BB_BLOCK_DISCARD;
        requests[i] = (struct bb_block_request){.op = kinds[i],
                                                .block = sd.block.capacity - BLOCKS,
                                                .segments = moves ? &segment : NULL,
                                                .segment_count = moves,
                                                .count = moves ? 0 : BLOCKS,
                                                .done = tell};
        posted += sd.block.capacity >= BLOCKS && bb_sd_submit(&sd.block, 0, batch, 1) == 1;
    }
    for (unsigned i = 0; i < 200 && told < posted; i++) {
        bb_sleep(500 * BB_MSEC);
        (void)bb_sd_reap(&sd.block, 0, UINT16_MAX);
    }
    must(told == posted);
}

/* The block class would give the disk up; here the card layer itself must end what it has. */
static void see_nothing(struct bb_timer_event *watchdog)
{
    (void)watchdog;
}

static void check_card(void)
{
    must(sd.block.capacity > 0 && sd.block.capacity <= 1ull << 32);
    must(sd.card.erase_blocks > 0 && sd.card.hz > 0 && sd.hz > 0 && sd.card.rca > 0);
    must(strnlen(sd.card.name, sizeof(sd.card.name)) < sizeof(sd.card.name));
    for (const char *c = sd.card.name; *c; c++)
        must(*c >= ' ' && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bb_driver driver = {.name = "block/fuzz"};
    world_start(1000000000);
    bb_hooks.wake_at = wake_at;
    bb_host_cpu.wait = sleep_on;
    size_t mark = bb_arena_used();
    input = data;
    input_end = data + size;
    uint8_t first = byte();
    high_capacity = first & 1;
    moving = false;
    sd = (struct bb_sd){.ops = &ops,
                        .max_hz = first & 2 ? 50000000 : 20000000,
                        .max_blocks = 256,
                        .max_segments = 32,
                        .wide = first & 4,
                        .high_speed = first & 8};
    node = (struct bb_node){
        .name = "card", .enabled = true, .state = BB_NODE_RUNNING, .arena = &bb_arena};
    device = (struct bb_device){.node = &node, .driver = &driver, .name = "card"};
    sd.block = (struct bb_block){.face = {.device = &device, .ops = &block_ops},
                                 .watchdog = {.run = see_nothing, .device = &device},
                                 .shift = 9};
    sd.device = &device;
    if (bb_sd_attach(&sd) == 0) {
        check_card();
        use_card();
        if (sd.state == BB_SD_READY && !sd.script && !sd.lost)
            check_card();
    }
    bb_sd_detach(&sd);
    bb_device_release(&device);
    bb_arena_reset(mark);
    return 0;
}
