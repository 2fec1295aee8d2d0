/* SPDX-License-Identifier: BSD-2-Clause */
/* A SCSI target on USB: the transport, the commands, and what goes wrong on purpose. */
#include "usb_storage.h"

#include <string.h>

enum { IN = 0x81, OUT = 0x02 };
enum { WRAPPER = 31, STATUS_LENGTH = 13 };
enum phase { READY, DATA_IN, DATA_OUT, STATUS, DEAD };
enum { DONE_RESET = 1, DONE_IN = 2, DONE_OUT = 4, RECOVERED = 7 };
enum { GOOD, CHECK, PHASE };

static const uint8_t device_descriptor[] = {USB_DEVICE(0, 0, 0, 64, 0x1209, 0x0008, 1)};
static const uint8_t qualifier[] = {USB_QUALIFIER(0, 0, 0, 64, 1)};
static const uint8_t fast[] = {USB_CONFIGURATION(32, 1, 1, 100), USB_INTERFACE(0, 0, 2, 8, 6, 0x50),
                               USB_ENDPOINT(IN, BB_USB_BULK, 512, 0),
                               USB_ENDPOINT(OUT, BB_USB_BULK, 512, 0)};
static const uint8_t slow[] = {USB_CONFIGURATION(32, 1, 1, 100), USB_INTERFACE(0, 0, 2, 8, 6, 0x50),
                               USB_ENDPOINT(IN, BB_USB_BULK, 64, 0),
                               USB_ENDPOINT(OUT, BB_USB_BULK, 64, 0)};

#define require(stick, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition))                                                                          \
            world_fail((stick)->usb.name, __VA_ARGS__);                                            \
    } while (0)

static uint32_t be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
    return be16(at) << 16 | be16(at + 2);
}

static void put_be32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* ---- SCSI ---- */

static void fail(struct model_usb_storage *stick, uint8_t key, uint8_t asc, uint8_t ascq)
{
    stick->sense = (struct storage_sense){key, asc, ascq};
    stick->status = CHECK;
    stick->length = 0;
}

static void reply(struct model_usb_storage *stick, uint32_t length)
{
    stick->data = stick->reply;
    stick->length = length < stick->asked ? length : stick->asked;
}

/* The host's idea of how much, and which way, must be the command's (6.7: Hn = Dn, Hi = Di or more,
 * Ho = Do). */
static void expect(struct model_usb_storage *stick, bool in, uint32_t most)
{
    bool to_host = stick->wrapper[12] & 0x80;
    require(stick, stick->asked == most, "command %#x asks for %u bytes and its wrapper for %u",
            stick->wrapper[15], most, stick->asked);
    require(stick, !most || in == to_host, "command %#x with data the wrong way",
            stick->wrapper[15]);
}

static void inquiry(struct model_usb_storage *stick, const uint8_t *cdb)
{
    expect(stick, true, be16(cdb + 3));
    require(stick, cdb[1] == 0 && cdb[2] == 0, "INQUIRY of page %#x", cdb[2]);
    memset(stick->reply, 0, 36);
    stick->reply[0] = stick->type;
    stick->reply[1] = 0x80; /* removable */
    stick->reply[2] = 4;
    stick->reply[3] = 2;
    stick->reply[4] = 31;
    memcpy(stick->reply + 8, "Busbar  Model of a stick1.00", 28);
    reply(stick, 36);
}

static void request_sense(struct model_usb_storage *stick, const uint8_t *cdb)
{
    expect(stick, true, cdb[4]);
    require(stick, cdb[1] == 0, "REQUEST SENSE in descriptor format");
    memset(stick->reply, 0, 18);
    if (stick->described_sense) {
        stick->reply[0] = 0x72;
        stick->reply[1] = stick->sense.key;
        stick->reply[2] = stick->sense.asc;
        stick->reply[3] = stick->sense.ascq;
        reply(stick, 8);
    } else {
        stick->reply[0] = 0x70;
        stick->reply[2] = stick->sense.key;
        stick->reply[7] = 10;
        stick->reply[12] = stick->sense.asc;
        stick->reply[13] = stick->sense.ascq;
        reply(stick, 18);
    }
    stick->told = stick->sense;
    stick->sense = (struct storage_sense){0};
}

static void mode_sense(struct model_usb_storage *stick, const uint8_t *cdb)
{
    expect(stick, true, cdb[4]);
    require(stick, (cdb[1] & ~8u) == 0 && cdb[3] == 0, "MODE SENSE with reserved bits");
    if (stick->no_mode_sense) {
        fail(stick, 5, 0x20, 0);
        return;
    }
    memset(stick->reply, 0, 4);
    stick->reply[0] = 3;
    stick->reply[2] = stick->write_protected ? 0x80 : 0;
    reply(stick, 4);
}

static void read_capacity(struct model_usb_storage *stick, const uint8_t *cdb)
{
    uint64_t last = stick->said_blocks - 1;
    if (cdb[0] == 0x25) {
        expect(stick, true, 8);
        for (unsigned i = 1; i < 9; i++)
            require(stick, cdb[i] == 0, "READ CAPACITY (10) with reserved bits");
        put_be32(stick->reply, last > UINT32_MAX ? UINT32_MAX : (uint32_t)last);
        put_be32(stick->reply + 4, stick->said_size);
        reply(stick, 8);
        return;
    }
    require(stick, cdb[1] == 0x10, "service action %#x", cdb[1]);
    expect(stick, true, be32(cdb + 10));
    memset(stick->reply, 0, 32);
    put_be32(stick->reply, (uint32_t)(last >> 32));
    put_be32(stick->reply + 4, (uint32_t)last);
    put_be32(stick->reply + 8, stick->said_size);
    reply(stick, 32);
}

static void read_write(struct model_usb_storage *stick, const uint8_t *cdb)
{
    bool ten = cdb[0] == 0x28 || cdb[0] == 0x2a, in = cdb[0] == 0x28 || cdb[0] == 0x88;
    uint64_t first = ten ? be32(cdb + 2) : (uint64_t)be32(cdb + 2) << 32 | be32(cdb + 6);
    uint32_t count = ten ? be16(cdb + 7) : be32(cdb + 10);
    require(stick, cdb[1] == 0 && (ten ? cdb[6] == 0 : cdb[14] == 0), "READ or WRITE with flags");
    require(stick, count > 0, "READ or WRITE of nothing");
    expect(stick, in, count * stick->block_size);
    stick->last_block = first;
    if (first >= stick->blocks || count > stick->blocks - first) {
        fail(stick, 5, 0x21, 0);
    } else if (stick->bad_block >= first && stick->bad_block - first < count) {
        fail(stick, 3, 0x11, 0);
    } else if (!in && stick->write_protected) {
        fail(stick, 7, 0x27, 0);
    } else {
        uint64_t at = first % stick->kept;
        require(stick, at + count <= stick->kept, "the test's medium is too small for block %llu",
                (unsigned long long)first);
        stick->data = stick->medium + at * stick->block_size;
        stick->length = count * stick->block_size;
    }
}

/* Whether the unit can do what needs a medium; INQUIRY and REQUEST SENSE do not. */
static bool is_ready(struct model_usb_storage *stick)
{
    if (stick->attention.key) {
        fail(stick, stick->attention.key, stick->attention.asc, stick->attention.ascq);
        stick->attention = stick->next_attention;
        stick->next_attention = (struct storage_sense){0};
    } else if (stick->no_medium) {
        fail(stick, 2, 0x3a, 0);
    } else if (stick->needs_start) {
        fail(stick, 2, 0x04, 0x02);
    } else if (world_now() < stick->ready_at) {
        fail(stick, 2, 0x04, 0x01);
    } else {
        return true;
    }
    return false;
}

static void execute_ready(struct model_usb_storage *stick, const uint8_t *cdb)
{
    switch (cdb[0]) {
    case 0x00:
        expect(stick, false, 0);
        require(stick, !cdb[1] && !cdb[2] && !cdb[3] && !cdb[4], "TEST UNIT READY with parameters");
        return;
    case 0x25:
    case 0x9e:
        read_capacity(stick, cdb);
        return;
    case 0x28:
    case 0x2a:
    case 0x88:
    case 0x8a:
        read_write(stick, cdb);
        return;
    case 0x35:
        expect(stick, false, 0);
        stick->flushes += !stick->no_cache_command;
        if (stick->no_cache_command)
            fail(stick, 5, 0x20, 0);
        return;
    }
    fail(stick, 5, 0x20, 0);
}

/* 6.1 of SPC: what is longer than the command of that group is not looked at. */
static unsigned length_of(uint8_t operation)
{
    static const uint8_t lengths[8] = {6, 10, 10, 0, 16, 12, 0, 0};
    return lengths[operation >> 5];
}

static void execute(struct model_usb_storage *stick)
{
    const uint8_t *cdb = stick->wrapper + 15;
    require(stick, stick->wrapper[14] == length_of(cdb[0]), "command %#x of %u bytes", cdb[0],
            stick->wrapper[14]);
    require(stick, cdb[length_of(cdb[0]) - 1] == 0, "command %#x with a control byte", cdb[0]);
    for (unsigned i = length_of(cdb[0]); i < 16; i++)
        require(stick, cdb[i] == 0, "rubbish after command %#x", cdb[0]);
    stick->commands++;
    stick->count[cdb[0]]++;
    stick->length = 0;
    stick->status = GOOD;
    if (cdb[0] == 0x12) {
        inquiry(stick, cdb);
    } else if (cdb[0] == 0x03) {
        request_sense(stick, cdb);
    } else if (cdb[0] == 0x1b) {
        expect(stick, false, 0);
        stick->needs_start = stick->needs_start && !(cdb[4] & 1);
    } else if (cdb[0] == 0x1a) {
        mode_sense(stick, cdb);
    } else if (is_ready(stick)) {
        execute_ready(stick, cdb);
    } else {
        stick->length = 0;
    }
}

/* ---- The transport ---- */

static void die(struct model_usb_storage *stick)
{
    stick->phase = DEAD;
    stick->recovery = 0;
}

static bool lies_now(const struct model_usb_storage *stick, const uint8_t *cdb)
{
    bool moves = cdb[0] == 0x28 || cdb[0] == 0x2a;
    return stick->lie && stick->lie_count &&
           (stick->lie_command < 0 ? cdb[0] != 0x03 : stick->lie_command == cdb[0]) &&
           (stick->lie_block == UINT64_MAX || (moves && be32(cdb + 2) >= stick->lie_block));
}

static void choose_phase(struct model_usb_storage *stick)
{
    stick->phase = !stick->asked ? STATUS : stick->wrapper[12] & 0x80 ? DATA_IN : DATA_OUT;
}

static int take_wrapper(struct model_usb_storage *stick, const uint8_t *data, unsigned length)
{
    require(stick, length == WRAPPER, "a wrapper of %u bytes", length);
    require(stick, bb_usb_u32(data) == 0x43425355, "a wrapper with signature %#x",
            bb_usb_u32(data));
    require(stick, bb_usb_u32(data + 4) != stick->tag, "tag %#x twice", stick->tag);
    require(stick, !(data[12] & 0x7f), "a wrapper with flags %#x", data[12]);
    require(stick, data[13] <= stick->luns, "a wrapper for LUN %u", data[13]);
    require(stick, data[14] >= 1 && data[14] <= 16, "a CDB of %u bytes", data[14]);
    memcpy(stick->wrapper, data, WRAPPER);
    stick->tag = bb_usb_u32(data + 4);
    stick->asked = bb_usb_u32(data + 8);
    stick->moved = stick->waited = 0;
    stick->stalls = 0;
    stick->empty_sent = false;
    stick->lying = STORAGE_TRUE;
    if (lies_now(stick, stick->wrapper + 15)) {
        stick->lying = (uint8_t)stick->lie;
        stick->lie_count--;
    }
    if (stick->lying == STORAGE_STALL_WRAPPER) {
        die(stick);
        return USB_HALT;
    }
    execute(stick);
    choose_phase(stick);
    if (stick->lying == STORAGE_SENSE || stick->lying == STORAGE_BARE_CHECK) {
        struct storage_sense sense = stick->lie_sense;
        if (stick->lying == STORAGE_BARE_CHECK)
            sense = (struct storage_sense){0};
        fail(stick, sense.key, sense.asc, sense.ascq);
    }
    if (stick->lying == STORAGE_NO_DATA && stick->phase == DATA_IN)
        stick->phase = STATUS;
    if (stick->lying == STORAGE_SHORT_DATA && stick->length)
        stick->length -= stick->length > 64 ? 64 : stick->length;
    return 0;
}

/* Less than the host asks for is ended by a stall, as 6.7.2 and 6.7.3 want it. */
static bool has_to_stall(struct model_usb_storage *stick)
{
    bool early = stick->lying == STORAGE_STALL_DATA && stick->moved > 0;
    if (!early && stick->moved < stick->length)
        return false;
    stick->phase = STATUS;
    return true;
}

static int take_data(struct model_usb_storage *stick, const uint8_t *data, unsigned length)
{
    if (stick->lying == STORAGE_SILENT_DATA)
        return USB_WAIT;
    if (stick->waited++ < stick->waits)
        return USB_WAIT;
    stick->waited = 0;
    if (has_to_stall(stick))
        return USB_HALT;
    require(stick, length <= stick->length - stick->moved || stick->lying,
            "%u bytes of data where %u are due", length, stick->length - stick->moved);
    uint32_t some = stick->length - stick->moved;
    some = length < some ? length : some;
    memcpy(stick->data + stick->moved, data, some);
    stick->moved += some;
    if (stick->moved == stick->asked)
        stick->phase = STATUS;
    return 0;
}

static int storage_out(struct usb_model *device, unsigned endpoint, const uint8_t *data,
                       unsigned length)
{
    struct model_usb_storage *stick = device->context;
    (void)endpoint;
    require(stick, stick->recovery == 0 || stick->recovery == RECOVERED,
            "a wrapper before the recovery is done (5.3.4)");
    if (stick->phase == STATUS && usb_pipe_of(device, IN)->unacked) {
        stick->phase = READY; /* the host has it: its handshake was lost (8.6.3) */
        stick->stale = true;
    }
    switch (stick->phase) {
    case READY:
        return take_wrapper(stick, data, length);
    case DATA_OUT:
        return take_data(stick, data, length);
    case DEAD:
        return USB_HALT;
    }
    world_fail(device->name, "%u bytes OUT while the device has a status or data to send", length);
}

static int give_data(struct model_usb_storage *stick, uint8_t *data)
{
    uint32_t packet = usb_pipe_of(&stick->usb, IN)->packet;
    if (stick->lying == STORAGE_SILENT_DATA || stick->waited++ < stick->waits)
        return USB_WAIT;
    stick->waited = 0;
    if (stick->lying == STORAGE_LONG_DATA && stick->moved >= stick->length) {
        memset(data, 0xee, packet);
        stick->packet = stick->moved < stick->length + 4 * packet ? packet : 0;
        return (int)stick->packet;
    }
    if (stick->moved >= stick->length && stick->length && stick->length % packet) {
        stick->phase = STATUS; /* a short packet has ended it */
        return USB_WAIT;
    }
    if (has_to_stall(stick))
        return USB_HALT;
    uint32_t left = stick->length - stick->moved;
    stick->packet = left < packet ? left : packet;
    memcpy(data, stick->data + stick->moved, stick->packet);
    return (int)stick->packet;
}

static int give_status(struct model_usb_storage *stick, uint8_t *data)
{
    unsigned lie = stick->lying;
    uint32_t residue = stick->asked - (stick->moved < stick->asked ? stick->moved : stick->asked);
    if ((lie == STORAGE_STALL_STATUS && !stick->stalls) ||
        (lie == STORAGE_STALL_STATUS_TWICE && stick->stalls < 2)) {
        stick->stalls++;
        return USB_HALT;
    }
    if (lie == STORAGE_NO_STATUS || stick->waited++ < stick->status_waits)
        return USB_WAIT;
    if (lie == STORAGE_EMPTY_STATUS && !stick->empty_sent) {
        stick->packet = 0;
        stick->empty_sent = true;
        return 0;
    }
    if (lie == STORAGE_RESIDUE && stick->asked)
        residue = stick->block_size < stick->asked ? stick->block_size : stick->asked;
    if (lie == STORAGE_HUGE_RESIDUE)
        residue = stick->asked + 1;
    uint32_t words[3] = {lie == STORAGE_WRONG_SIGNATURE ? 0x53425356 : 0x53425355,
                         lie == STORAGE_WRONG_TAG ? stick->tag ^ 1 : stick->tag, residue};
    memcpy(data, words, 12);
    data[12] = lie == STORAGE_PHASE_ERROR      ? PHASE
               : lie == STORAGE_STRANGE_STATUS ? 0x80
                                               : stick->status;
    data[13] = 0;
    stick->packet = lie == STORAGE_SHORT_STATUS  ? STATUS_LENGTH - 1
                    : lie == STORAGE_LONG_STATUS ? STATUS_LENGTH + 1
                                                 : STATUS_LENGTH;
    return (int)stick->packet;
}

static int storage_in(struct usb_model *device, unsigned endpoint, uint8_t *data)
{
    struct model_usb_storage *stick = device->context;
    (void)endpoint;
    switch (stick->phase) {
    case DATA_IN:
        return give_data(stick, data);
    case STATUS:
        return give_status(stick, data);
    case DEAD:
        return USB_HALT;
    }
    return USB_WAIT;
}

static void storage_sent(struct usb_model *device, unsigned endpoint)
{
    struct model_usb_storage *stick = device->context;
    uint32_t full = usb_pipe_of(device, endpoint)->packet;
    if (stick->stale) { /* sent again, and dropped by its toggle */
        stick->stale = false;
        return;
    }
    if (stick->phase == DATA_IN) {
        stick->moved += stick->packet;
        bool whole = stick->moved >= stick->asked, ended = stick->packet < full;
        if ((whole && stick->lying != STORAGE_LONG_DATA) || ended)
            stick->phase = STATUS;
        return;
    }
    if (stick->phase != STATUS || stick->packet < STATUS_LENGTH - 1)
        return;
    bool broken = stick->lying == STORAGE_PHASE_ERROR;
    stick->phase = READY;
    if (broken)
        die(stick);
}

/* A halt ends the data; after that of a status it is sent once more. */
static void storage_unhalted(struct usb_model *device, unsigned endpoint)
{
    struct model_usb_storage *stick = device->context;
    if (endpoint & 0x80)
        stick->stale = false;
    if (stick->recovery && stick->recovery != RECOVERED) {
        stick->recovery |= endpoint & 0x80 ? DONE_IN : DONE_OUT;
        return;
    }
    if ((stick->phase == DATA_IN && endpoint == IN) ||
        (stick->phase == DATA_OUT && endpoint == OUT))
        stick->phase = STATUS;
}

static int storage_control(struct usb_model *device, const struct bb_usb_setup *setup,
                           uint8_t *data)
{
    struct model_usb_storage *stick = device->context;
    if (setup->request_type == 0xa1 && setup->request == 0xfe) {
        require(stick, !setup->value && !setup->index && setup->length == 1, "GET MAX LUN (3.2)");
        data[0] = stick->luns;
        return stick->no_lun_request ? USB_HALT : 1;
    }
    if (setup->request_type == 0x21 && setup->request == 0xff) {
        require(stick, !setup->value && !setup->index && !setup->length, "reset (3.1)");
        if (stick->no_reset_request)
            return USB_HALT;
        stick->phase = READY;
        stick->recovery = DONE_RESET;
        stick->resets++;
        if (stick->reset_attention[0].key) {
            stick->attention = stick->reset_attention[0];
            stick->next_attention = stick->reset_attention[1];
        }
        return 0;
    }
    return USB_OTHER;
}

static void storage_was_reset(struct usb_model *device)
{
    struct model_usb_storage *stick = device->context;
    stick->phase = READY;
    stick->recovery = 0;
    stick->stale = false;
    stick->attention = (struct storage_sense){6, 0x29, 0};
}

void model_usb_storage_lie(struct model_usb_storage *stick, enum storage_lie lie, int command,
                           unsigned count)
{
    stick->lie = lie;
    stick->lie_command = command;
    stick->lie_count = count;
}

void model_usb_storage_init(struct model_usb_storage *stick, enum bb_usb_speed speed, void *medium,
                            uint64_t blocks, uint32_t block_size)
{
    *stick = (struct model_usb_storage){.medium = medium,
                                        .blocks = blocks,
                                        .kept = blocks,
                                        .block_size = block_size,
                                        .said_blocks = blocks,
                                        .said_size = block_size,
                                        .lie_block = UINT64_MAX,
                                        .bad_block = UINT64_MAX};
    stick->usb = (struct usb_model){
        .name = "stick",
        .speed = (uint8_t)speed,
        .device = USB_BYTES(device_descriptor),
        .configurations = {speed == BB_USB_HIGH ? USB_BYTES(fast) : USB_BYTES(slow)},
        .slow_configurations = {USB_BYTES(slow)},
        .strings = {NULL, "Busbar", "Stick", "0001"},
        .control = storage_control,
        .in = storage_in,
        .out = storage_out,
        .sent = storage_sent,
        .unhalted = storage_unhalted,
        .was_reset = storage_was_reset,
        .context = stick};
    if (speed == BB_USB_HIGH)
        stick->usb.qualifier = USB_BYTES(qualifier);
}
