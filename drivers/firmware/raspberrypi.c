/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Raspberry Pi's firmware by its property interface: mailbox channel 8 carries the address of a
 * message of tags (raspberrypi/firmware wiki, "Mailbox property interface"). The tree names few of
 * its services; nodes for the others are appended here, and their drivers bind like any other.
 */
#include <string.h>

#include <busbar/dma.h>
#include <busbar/firmware.h>
#include <busbar/mailbox.h>
#include <busbar/mmio.h>
#include <busbar/store.h>

enum {
    CHANNEL = 8,
    GET_FIRMWARE_REVISION = 0x1,

    MESSAGE_SIZE = 0, /* words of the message */
    MESSAGE_CODE,
    TAGS,
    TAG_ID = 0, /* words of a tag */
    TAG_ROOM,
    TAG_CODE,
    VALUE,
    WORDS = TAGS + VALUE + BB_FIRMWARE_MAX / 4 + 1,

    REQUEST = 0,
    MAX_ANSWERS = 16, /* taken in one go: more than the FIFO holds */
};
#define RESPONSE_OK 0x80000000u
#define RESPONSE_ERROR 0x80000001u
#define TAG_RESPONSE (1u << 31)
#define TIMEOUT (1 * BB_SEC)

struct raspberrypi {
    struct bb_device device;
    struct bb_firmware firmware;
    struct bb_mailbox_channel channel;
    struct bb_dma messages[2]; /* after a time-out the device keeps one, until its late answer */
    struct bb_value revision_value;
    uint32_t revision;
};

/* Takes back what the firmware has answered. True when an answer names no message of ours. */
static bool collect(struct raspberrypi *raspberrypi)
{
    bool foreign = false;
    uint32_t address;

    for (int left = MAX_ANSWERS; left > 0; left--) {
        if (bb_mailbox_receive(raspberrypi->channel.mailbox, CHANNEL, &address))
            break;
        bool ours = false;
        for (size_t i = 0; i < BB_ARRAY_SIZE(raspberrypi->messages); i++) {
            struct bb_dma *message = &raspberrypi->messages[i];
            if (!message->device_owns || (uint32_t)message->device != address)
                continue;
            bb_dma_sync_for_cpu(message);
            ours = true;
        }
        foreign |= !ours;
    }
    return foreign;
}

/* Sends the message and waits until the firmware has given it back. */
static int exchange(struct raspberrypi *raspberrypi, struct bb_dma *message)
{
    uint64_t end = bb_time() + TIMEOUT;
    bool foreign = false;

    bb_dma_sync_for_device(message);
    int error =
        bb_mailbox_send(raspberrypi->channel.mailbox, CHANNEL, (uint32_t)message->device, TIMEOUT);
    if (error) {
        bb_dma_sync_for_cpu(message); /* the firmware never saw it */
        return error;
    }
    while (message->device_owns && bb_time() < end)
        foreign |= collect(raspberrypi);
    if (message->device_owns)
        return foreign ? -EPROTO : -ETIMEDOUT;
    return 0;
}

/* Bytes of value that the tag makes room for. */
static uint32_t room_of(const struct bb_firmware_tag *tag)
{
    return tag->request > tag->capacity ? tag->request : tag->capacity;
}

/* Fills the message, zeroed before. -EINVAL when the tags do not fit. */
static int write_tags(uint32_t *message, const struct bb_firmware_tag *tags, size_t count)
{
    size_t at = TAGS;
    for (size_t i = 0; i < count; i++) {
        uint32_t room = room_of(&tags[i]);
        if (tags[i].request % 4 || tags[i].capacity % 4 || at + VALUE + room / 4 + 1 > WORDS)
            return -EINVAL;
        message[at + TAG_ID] = tags[i].tag;
        message[at + TAG_ROOM] = room;
        if (tags[i].request)
            memcpy(&message[at + VALUE], tags[i].buffer, tags[i].request);
        at += VALUE + room / 4;
    }
    message[MESSAGE_SIZE] = (uint32_t)(4 * (at + 1));
    message[MESSAGE_CODE] = REQUEST;
    return count ? 0 : -EINVAL;
}

static int read_tag(const uint32_t *from, const struct bb_firmware_tag *tag)
{
    if (from[TAG_ID] != tag->tag)
        return -EPROTO;
    /* Firmware that does not know a tag leaves its code alone, or (emulated) answers nothing. */
    uint32_t length = from[TAG_CODE] & ~TAG_RESPONSE;
    if (!(from[TAG_CODE] & TAG_RESPONSE) || (length == 0 && tag->capacity))
        return -ENOTSUP;
    if (length > tag->capacity)
        return -EPROTO;
    if (length)
        memcpy(tag->buffer, &from[VALUE], length);
    return (int)length;
}

static int raspberrypi_call(struct bb_firmware *firmware, struct bb_firmware_tag *tags,
                            size_t count)
{
    struct raspberrypi *raspberrypi = bb_container_of(firmware, struct raspberrypi, firmware);
    struct bb_dma *dma = &raspberrypi->messages[0];

    (void)collect(raspberrypi); /* late answers, and words that nobody asked for */
    if (dma->device_owns)
        dma = &raspberrypi->messages[1];
    if (dma->device_owns)
        return -EBUSY;
    uint32_t *message = dma->cpu;
    memset(message, 0, dma->size);
    int error = write_tags(message, tags, count);
    if (!error)
        error = exchange(raspberrypi, dma);
    if (error)
        return error;
    if (message[MESSAGE_CODE] == RESPONSE_ERROR)
        return -EIO;
    if (message[MESSAGE_CODE] != RESPONSE_OK)
        return -EPROTO;
    const uint32_t *at = &message[TAGS];
    for (size_t i = 0; i < count; i++) {
        tags[i].result = read_tag(at, &tags[i]);
        at += VALUE + room_of(&tags[i]) / 4;
    }
    return 0;
}

/* Services that are there whether or not the tree says so. */
#define COMPATIBLE(text)                                                                           \
    {                                                                                              \
        "compatible", text, sizeof text                                                            \
    }
static const struct bb_property board[] = {COMPATIBLE("raspberrypi,firmware-board")};
static const struct bb_property thermal[] = {COMPATIBLE("raspberrypi,firmware-thermal")};
static const uint8_t one_cell[] = {0, 0, 0, 1};
static const struct bb_property clocks[] = {
    COMPATIBLE("raspberrypi,firmware-clocks"),
    {"#clock-cells", one_cell, sizeof one_cell},
};
static const struct bb_property display[] = {COMPATIBLE("raspberrypi,firmware-display")};
static const struct {
    const char *name;
    const struct bb_property *properties;
    size_t count;
} services[] = {
    {"board", board, BB_ARRAY_SIZE(board)},
    {"thermal", thermal, BB_ARRAY_SIZE(thermal)},
    {"clocks", clocks, BB_ARRAY_SIZE(clocks)},
    {"display", display, BB_ARRAY_SIZE(display)},
};

static int append_services(struct bb_node *parent)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(services); i++) {
        bool named = false;
        bb_for_each_child (child, parent)
            named |= bb_node_compatible(child, services[i].properties[0].value);
        if (named)
            continue;
        struct bb_node *node;
        int error = bb_node_append(parent, &bb_mailbox_bus, services[i].name,
                                   services[i].properties, services[i].count, &node);
        if (error)
            return error;
    }
    return 0;
}

static int raspberrypi_probe(struct bb_device *device)
{
    struct raspberrypi *raspberrypi = bb_container_of(device, struct raspberrypi, device);
    int error = bb_mailbox_get(device, 0, &raspberrypi->channel);

    for (size_t i = 0; i < BB_ARRAY_SIZE(raspberrypi->messages) && !error; i++) {
        struct bb_dma *message = &raspberrypi->messages[i];
        error = bb_dma_alloc(device, 4 * WORDS, message);
        /* The mailbox carries 28 bits of a 32-bit address. */
        if (!error && (message->device > UINT32_MAX || message->device % 16))
            error = bb_fail(device, "message address", -ENXIO);
    }
    if (error)
        return error;
    struct bb_firmware_tag tag = {
        .tag = GET_FIRMWARE_REVISION, .buffer = &raspberrypi->revision, .capacity = 4};
    error = raspberrypi_call(&raspberrypi->firmware, &tag, 1);
    int got = error ? error : tag.result;
    if (got != 4)
        return bb_fail(device, "firmware revision", got < 0 ? got : -EPROTO);
    error = bb_publish_u32(device, &raspberrypi->revision_value, "revision", "",
                           &raspberrypi->revision);
    if (error)
        return error;
    error = append_services(device->node);
    return error ? bb_fail(device, "services", error) : 0;
}

const struct bb_firmware_ops bb_ops_firmware_raspberrypi = {
    .call = raspberrypi_call,
};

BB_DRIVER(firmware, raspberrypi, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"raspberrypi,bcm2835-firmware"}),
          .needs = BB_CLASSES(&bb_class_mailbox), .probe = raspberrypi_probe);
