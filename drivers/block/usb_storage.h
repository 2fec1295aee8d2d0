/* SPDX-License-Identifier: BSD-2-Clause */
/* USB sticks and disks: the words of SCSI and of the transport, and what the driver keeps. */
#ifndef DRIVERS_BLOCK_USB_STORAGE_H
#define DRIVERS_BLOCK_USB_STORAGE_H

#include <string.h>

#include <busbar/block.h>
#include <busbar/usb.h>

enum { /* class requests (3.1, 3.2) */
       RESET = 0xff,
       GET_MAX_LUN = 0xfe,
};
enum { /* SCSI commands */
       TEST_UNIT_READY = 0x00,
       REQUEST_SENSE = 0x03,
       INQUIRY = 0x12,
       MODE_SENSE_6 = 0x1a,
       START_STOP_UNIT = 0x1b,
       READ_CAPACITY_10 = 0x25,
       READ_10 = 0x28,
       WRITE_10 = 0x2a,
       SYNCHRONIZE_CACHE_10 = 0x35,
       READ_16 = 0x88,
       WRITE_16 = 0x8a,
       SERVICE_ACTION_IN_16 = 0x9e,
       READ_CAPACITY_16 = 0x10, /* its service action */
};
enum { /* sense keys (SPC-4, table 48) */
       RECOVERED = 1,
       NOT_READY = 2,
       MEDIUM_ERROR = 3,
       HARDWARE_ERROR = 4,
       ILLEGAL_REQUEST = 5,
       UNIT_ATTENTION = 6,
       DATA_PROTECT = 7,
       VOLUME_OVERFLOW = 13,
};
enum { /* additional sense codes (annex D) */
       ASC_NOT_READY = 0x04,
       ASC_NEEDS_START = 0x02, /* its qualifier */
       ASC_MEDIUM_CHANGED = 0x28,
       ASC_NO_MEDIUM = 0x3a,
};
enum { DISK = 0x00, CD = 0x05, OPTICAL = 0x07, SIMPLE_DISK = 0x0e }; /* peripheral types */

enum {
    WRAPPER_SIZE = 31,
    STATUS_SIZE = 13,
    SENSE_SIZE = 18,
    MODE_SIZE = 192, /* what Windows asks for: smaller ones upset some devices */
    REPLY_ROOM = 4096,
    MOST_BYTES = 120 << 10, /* of one command: sticks are known that fail at more */
    DEPTH = 64,
    SEGMENTS = 64,
    TRIES = 5, /* of one command */
};
#define WRAPPER_SIGNATURE 0x43425355u
#define STATUS_SIGNATURE 0x53425355u
#define LIMIT (8 * BB_SEC)       /* for a transfer; less than BB_BLOCK_TIMEOUT */
#define PROBE_LIMIT (3 * BB_SEC) /* the same while it is new */
#define PATIENCE (8 * BB_SEC)    /* with a unit that is becoming ready */
#define PAUSE (100 * BB_MSEC)    /* between two looks at that */
#define PROBE_MOST (40 * BB_SEC) /* for one command of the probe, with all its tries */

enum phase { IDLE, WRAPPER, DATA, STATUS, PAUSED, REPAIR };
enum doubt { SURE, JUST_RESET, TO_LOOK };
enum fix { FIX_DATA, FIX_STATUS, FIX_ALL };
enum { GOOD = 0, CHECK = 1, PHASE_ERROR = 2 }; /* bCSWStatus */
enum { AGAIN = 1, LATER = 2 };                 /* verdicts, beside 0 and errors */

struct command {
    uint8_t cdb[16];
    uint8_t cdb_length;
    bool in;
    uint16_t segment_count;
    const struct bb_block_segment *segments;
    uint32_t length; /* of all segments */
    uint32_t least;  /* bytes without which it has failed */
};

struct usb_storage {
    struct bb_device device;
    struct bb_block block;
    struct bb_usb_interface *interface;
    struct bb_usb_endpoint *in, *out;
    struct bb_usb_transfer transfer; /* of the step that is under way */
    uint8_t *wrapper, *status, *sense, *reply;

    struct command command, ask;  /* ask: REQUEST SENSE for it */
    struct command look;          /* READ CAPACITY as the probe asked it */
    uint8_t said[12];             /* the answer */
    const struct command *active; /* the one of them whose steps these are */
    struct bb_block_segment reply_segment, sense_segment;
    struct bb_block_request *current; /* whose command it is; NULL: the probe's */
    uint8_t phase;
    uint8_t fix;
    uint8_t tries;
    uint8_t doubt;  /* about the medium */
    bool again;     /* the status is read for the second time */
    bool whole;     /* all data came before it said CHECK */
    bool started;   /* START STOP UNIT was tried */
    bool no_cache;  /* it knows no SYNCHRONIZE CACHE */
    bool gone;      /* unplugged */
    bool stopping;  /* transfers that end now are nobody's */
    bool abandoned; /* while its repair waited, the request was given up */
    bool running;   /* probed */
    int error;      /* that the repair is about, or that the last try ended with */
    int result;     /* of the probe's command */
    uint16_t segment;
    uint32_t moved, residue, tag;
    uint64_t limit; /* for a transfer */
    uint64_t begun; /* the first try of the command */
    struct bb_work repair;
    struct bb_timer_event pause;

    struct bb_block_request *first, *last;           /* waiting */
    struct bb_block_request *first_done, *last_done; /* not reaped yet */
    bool armed;
    struct bb_work news;
    char label[28];
};

static inline void put_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static inline uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void put_le32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static inline void append(struct bb_block_request **first, struct bb_block_request **last,
                          struct bb_block_request *request)
{
    request->next = NULL;
    *(*first ? &(*last)->next : first) = request;
    *last = request;
}

static inline struct bb_block_request *take(struct bb_block_request **first)
{
    struct bb_block_request *request = *first;
    if (request)
        *first = request->next;
    return request;
}

/* It has ended; reap() tells its owner. */
static inline void put_aside(struct usb_storage *chip, struct bb_block_request *request, int status)
{
    request->result = status;
    append(&chip->first_done, &chip->last_done, request);
    if (chip->armed) {
        chip->armed = false;
        bb_work_queue(&chip->news);
    }
}

/* All that it has end with this status. */
static inline void abandon(struct usb_storage *chip, int status)
{
    struct bb_block_request *request = chip->current;
    chip->current = NULL;
    if (request)
        put_aside(chip, request, status);
    while ((request = take(&chip->first)))
        put_aside(chip, request, status);
}

/* ---- Commands ---- */

static inline void write_command(struct command *command, const struct bb_block_request *request,
                                 uint32_t shift)
{
    bool read = request->op == BB_BLOCK_READ;
    *command = (struct command){.cdb_length = 10,
                                .in = read,
                                .segments = request->segments,
                                .segment_count = request->segment_count};
    uint8_t *cdb = command->cdb;
    if (request->op == BB_BLOCK_FLUSH) {
        cdb[0] = SYNCHRONIZE_CACHE_10; /* no block and no count: all of it */
        return;
    }
    command->length = command->least = request->count << shift;
    if (request->block + request->count <= UINT32_MAX) {
        cdb[0] = read ? READ_10 : WRITE_10;
        put_be32(cdb + 2, (uint32_t)request->block);
        cdb[7] = (uint8_t)(request->count >> 8);
        cdb[8] = (uint8_t)request->count;
        return;
    }
    command->cdb_length = 16;
    cdb[0] = read ? READ_16 : WRITE_16;
    put_be32(cdb + 2, (uint32_t)(request->block >> 32));
    put_be32(cdb + 6, (uint32_t)request->block);
    put_be32(cdb + 10, request->count);
}

static inline void write_wrapper(struct usb_storage *chip, const struct command *command)
{
    uint8_t *wrapper = chip->wrapper;
    put_le32(wrapper, WRAPPER_SIGNATURE);
    put_le32(wrapper + 4, ++chip->tag);
    put_le32(wrapper + 8, command->length);
    wrapper[12] = command->in ? 0x80 : 0;
    wrapper[13] = 0; /* LUN */
    wrapper[14] = command->cdb_length;
    memcpy(wrapper + 15, command->cdb, sizeof(command->cdb));
}

/* There are devices that leave the data out and send the status in their place. */
static inline bool is_early_status(const struct usb_storage *chip,
                                   const struct bb_usb_transfer *transfer)
{
    const uint8_t *data = transfer->data;
    return chip->active->in && transfer->actual == STATUS_SIZE &&
           bb_usb_u32(data) == STATUS_SIGNATURE && bb_usb_u32(data + 4) == chip->tag;
}

/* Asks what went wrong with the command before. */
static inline void write_sense_command(struct usb_storage *chip)
{
    chip->sense_segment = (struct bb_block_segment){chip->sense, SENSE_SIZE};
    chip->ask = (struct command){.cdb = {REQUEST_SENSE, [4] = SENSE_SIZE},
                                 .cdb_length = 6,
                                 .in = true,
                                 .segments = &chip->sense_segment,
                                 .segment_count = 1,
                                 .length = SENSE_SIZE};
}

/* Vendor, 8 bytes, and product, 16, of INQUIRY's answer, without what is no text. */
static inline void write_label(char *label, const uint8_t *from)
{
    size_t used = 0;
    for (unsigned i = 8; i < 32; i++) {
        char c = from[i] > ' ' && from[i] < 0x7f ? (char)from[i] : ' ';
        if (c != ' ' || (used && label[used - 1] != ' '))
            label[used++] = c;
        if (i == 15 && used && label[used - 1] != ' ')
            label[used++] = ' ';
    }
    while (used && label[used - 1] == ' ')
        used--;
    label[used] = 0;
}

/* 5.3.4. A device without the request may still be right after its halts are cleared. */
static inline int reset(struct usb_storage *chip)
{
    struct bb_usb_device *usb = chip->interface->device;
    if (chip->doubt == SURE)
        chip->doubt = JUST_RESET;
    int error = bb_usb_control(usb, BB_USB_CLASS | BB_USB_TO_INTERFACE, RESET, 0,
                               chip->interface->number, NULL, 0);
    if (error >= 0 || error == -EPIPE)
        error = bb_usb_clear_halt(chip->in);
    if (error >= 0)
        error = bb_usb_clear_halt(chip->out);
    return error < 0 ? error : 0;
}

#endif
