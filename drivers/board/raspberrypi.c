/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identity, MAC address and memory split of a Raspberry Pi, from its firmware (raspberrypi/firmware
 * wiki, "Mailbox property interface": tags 0x1 and 0x10001 to 0x10006).
 */
#include <string.h>

#include <busbar/board.h>
#include <busbar/firmware.h>
#include <busbar/log.h>
#include <busbar/mailbox.h>
#include <busbar/store.h>

enum {
    GET_FIRMWARE_REVISION = 0x1,
    GET_BOARD_MODEL = 0x10001,
    GET_BOARD_REVISION = 0x10002,
    GET_BOARD_MAC_ADDRESS = 0x10003,
    GET_BOARD_SERIAL = 0x10004,
    GET_ARM_MEMORY = 0x10005,
    GET_VC_MEMORY = 0x10006,
};

struct raspberrypi {
    struct bb_device device;
    struct bb_board board;
    struct bb_firmware *firmware;
    char revision[9], serial[17], mac[18]; /* for the store */
    struct bb_board_memory memory;
    struct bb_value values[5];
};

/* Asks for up to two words, of which `wanted` bytes must come. */
static int ask(struct raspberrypi *raspberrypi, uint32_t tag, uint32_t words[2], size_t wanted)
{
    words[0] = words[1] = 0;
    int got = bb_firmware_call(raspberrypi->firmware, tag, words, 0, wanted > 4 ? 8 : 4);

    if (got < 0)
        return got;
    return (size_t)got >= wanted ? 0 : -EPROTO;
}

static int raspberrypi_identity(struct bb_board *board, struct bb_board_identity *identity)
{
    struct raspberrypi *raspberrypi = bb_container_of(board, struct raspberrypi, board);
    uint32_t words[2];
    int error;

    memset(identity, 0, sizeof *identity);
    error = ask(raspberrypi, GET_FIRMWARE_REVISION, words, 4);
    if (error)
        return error;
    identity->firmware = words[0];
    error = ask(raspberrypi, GET_BOARD_REVISION, words, 4);
    if (error)
        return error;
    identity->revision = words[0];
    /* These three may be missing. */
    error = ask(raspberrypi, GET_BOARD_MODEL, words, 4);
    if (error && error != -ENOTSUP)
        return error;
    identity->model = words[0];
    error = ask(raspberrypi, GET_BOARD_SERIAL, words, 8);
    if (error && error != -ENOTSUP)
        return error;
    identity->serial = (uint64_t)words[1] << 32 | words[0];
    error = ask(raspberrypi, GET_BOARD_MAC_ADDRESS, words, 6);
    if (error && error != -ENOTSUP)
        return error;
    memcpy(identity->mac, words, sizeof identity->mac);
    return 0;
}

static int raspberrypi_memory(struct bb_board *board, struct bb_board_memory *memory)
{
    struct raspberrypi *raspberrypi = bb_container_of(board, struct raspberrypi, board);
    uint32_t cpu[2], gpu[2];
    int error = ask(raspberrypi, GET_ARM_MEMORY, cpu, 8);

    if (!error)
        error = ask(raspberrypi, GET_VC_MEMORY, gpu, 8);
    if (error)
        return error;
    *memory = (struct bb_board_memory){cpu[0], cpu[1], gpu[0], gpu[1]};
    return 0;
}

static int raspberrypi_publish(struct raspberrypi *raspberrypi)
{
    struct bb_device *device = &raspberrypi->device;
    struct bb_value *value = raspberrypi->values;
    int error = bb_publish_text(device, value++, "revision", raspberrypi->revision);

    if (!error)
        error = bb_publish_text(device, value++, "serial", raspberrypi->serial);
    if (!error)
        error = bb_publish_text(device, value++, "mac", raspberrypi->mac);
    if (!error)
        error =
            bb_publish_u64(device, value++, "cpu_memory", "bytes", &raspberrypi->memory.cpu_size);
    if (!error)
        error =
            bb_publish_u64(device, value++, "gpu_memory", "bytes", &raspberrypi->memory.gpu_size);
    return error;
}

static int raspberrypi_probe(struct bb_device *device)
{
    struct raspberrypi *raspberrypi = bb_container_of(device, struct raspberrypi, device);
    struct bb_board_identity identity;
    int error = bb_firmware_get(device, &raspberrypi->firmware);

    if (error)
        return error;
    error = raspberrypi_identity(&raspberrypi->board, &identity);
    if (error)
        return bb_fail(device, "board identity", error);
    error = raspberrypi_memory(&raspberrypi->board, &raspberrypi->memory);
    if (error)
        return bb_fail(device, "memory split", error);
    const uint8_t *mac = identity.mac;
    bb_format(raspberrypi->revision, sizeof raspberrypi->revision, "%x", identity.revision);
    bb_format(raspberrypi->serial, sizeof raspberrypi->serial, "%016llx",
              (unsigned long long)identity.serial);
    bb_format(raspberrypi->mac, sizeof raspberrypi->mac, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
              mac[1], mac[2], mac[3], mac[4], mac[5]);
    return raspberrypi_publish(raspberrypi);
}

const struct bb_board_ops bb_ops_board_raspberrypi = {
    .identity = raspberrypi_identity,
    .memory = raspberrypi_memory,
};

BB_DRIVER(board, raspberrypi, .bus = &bb_mailbox_bus,
          .match = BB_MATCH({"raspberrypi,firmware-board"}),
          .needs = BB_CLASSES(&bb_class_firmware), .probe = raspberrypi_probe);
