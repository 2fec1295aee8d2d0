/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Temperature of a Raspberry Pi's SoC, from its firmware (raspberrypi/firmware wiki, "Mailbox
 * property interface": tags Get temperature, Get max temperature; both in 1/1000 degree Celsius).
 */
#include <busbar/firmware.h>
#include <busbar/mailbox.h>
#include <busbar/store.h>
#include <busbar/thermal.h>

enum {
    GET_TEMPERATURE = 0x30006,
    GET_MAX_TEMPERATURE = 0x3000a, /* above it the firmware takes speed away */
    SOC = 0,                       /* the only sensor */
};

struct raspberrypi {
    struct bb_device device;
    struct bb_thermal thermal;
    struct bb_firmware *firmware;
    struct bb_value limit_value;
    int64_t limit;
};

static int ask(struct raspberrypi *raspberrypi, uint32_t tag, int32_t *millicelsius)
{
    uint32_t words[2] = {SOC};
    int got = bb_firmware_call(raspberrypi->firmware, tag, words, 4, sizeof words);

    if (got < 0)
        return got;
    if (got < 8 || words[0] != SOC)
        return -EPROTO;
    *millicelsius = (int32_t)words[1];
    return 0;
}

static int raspberrypi_temperature(struct bb_thermal *thermal, int32_t *millicelsius)
{
    struct raspberrypi *raspberrypi = bb_container_of(thermal, struct raspberrypi, thermal);

    return ask(raspberrypi, GET_TEMPERATURE, millicelsius);
}

static int raspberrypi_limit(struct bb_thermal *thermal, int32_t *millicelsius)
{
    struct raspberrypi *raspberrypi = bb_container_of(thermal, struct raspberrypi, thermal);
    int error = ask(raspberrypi, GET_MAX_TEMPERATURE, millicelsius);

    if (!error)
        raspberrypi->limit = *millicelsius;
    return error;
}

static int raspberrypi_probe(struct bb_device *device)
{
    struct raspberrypi *raspberrypi = bb_container_of(device, struct raspberrypi, device);
    int32_t millicelsius;
    int error = bb_firmware_get(device, &raspberrypi->firmware);

    if (error)
        return error;
    error = raspberrypi_temperature(&raspberrypi->thermal, &millicelsius);
    if (error)
        return bb_fail(device, "temperature", error);
    if (raspberrypi_limit(&raspberrypi->thermal, &millicelsius) == 0)
        error = bb_publish(device, &raspberrypi->limit_value, BB_VALUE_I64, "limit", "mC",
                           &raspberrypi->limit);
    return error;
}

const struct bb_thermal_ops bb_ops_thermal_raspberrypi = {
    .temperature = raspberrypi_temperature,
    .limit = raspberrypi_limit,
};

BB_DRIVER(thermal, raspberrypi, .bus = &bb_mailbox_bus,
          .match = BB_MATCH({"raspberrypi,firmware-thermal"}),
          .needs = BB_CLASSES(&bb_class_firmware), .probe = raspberrypi_probe);
