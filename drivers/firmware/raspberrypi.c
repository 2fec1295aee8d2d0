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
    TAG_ID,
    TAG_ROOM,
    TAG_CODE,
    VALUE,
    WORDS = VALUE + BB_FIRMWARE_MAX / 4 + 1,

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

static int raspberrypi_call(struct bb_firmware *firmware, uint32_t tag, void *buffer,
                            size_t request, size_t capacity)
{
    struct raspberrypi *raspberrypi = bb_container_of(firmware, struct raspberrypi, firmware);
    struct bb_dma *dma = &raspberrypi->messages[0];
    size_t room = request > capacity ? request : capacity;

    if (request % 4 || capacity % 4 || room > BB_FIRMWARE_MAX)
        return -EINVAL;
    (void)collect(raspberrypi); /* late answers, and words that nobody asked for */
    if (dma->device_owns)
        dma = &raspberrypi->messages[1];
    if (dma->device_owns)
        return -EBUSY;
    uint32_t *message = dma->cpu;
    memset(message, 0, dma->size);
    message[MESSAGE_SIZE] = (uint32_t)(4 * (VALUE + 1) + room);
    message[MESSAGE_CODE] = REQUEST;
    message[TAG_ID] = tag;
    message[TAG_ROOM] = (uint32_t)room;
    if (request)
        memcpy(&message[VALUE], buffer, request);

    int error = exchange(raspberrypi, dma);
    if (error)
        return error;
    if (message[MESSAGE_CODE] == RESPONSE_ERROR)
        return -EIO;
    if (message[MESSAGE_CODE] != RESPONSE_OK || message[TAG_ID] != tag)
        return -EPROTO;
    /* Firmware that does not know a tag leaves its code alone, or (emulated) answers nothing. */
    uint32_t length = message[TAG_CODE] & ~TAG_RESPONSE;
    if (!(message[TAG_CODE] & TAG_RESPONSE) || (length == 0 && capacity))
        return -ENOTSUP;
    if (length > capacity)
        return -EPROTO;
    if (length)
        memcpy(buffer, &message[VALUE], length);
    return (int)length;
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
static const struct {
    const char *name;
    const struct bb_property *properties;
    size_t count;
} services[] = {
    {"board", board, BB_ARRAY_SIZE(board)},
    {"thermal", thermal, BB_ARRAY_SIZE(thermal)},
    {"clocks", clocks, BB_ARRAY_SIZE(clocks)},
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
    int got = raspberrypi_call(&raspberrypi->firmware, GET_FIRMWARE_REVISION,
                               &raspberrypi->revision, 0, 4);
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
