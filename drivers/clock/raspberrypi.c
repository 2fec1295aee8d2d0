/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks of the Raspberry Pi's firmware, by the firmware's own ids (property interface, tags
 * Get and Set clock rate and state; binding raspberrypi,firmware-clocks).
 */
#include <busbar/clock.h>
#include <busbar/firmware.h>
#include <busbar/mailbox.h>

enum {
    GET_CLOCK_STATE = 0x30001,
    SET_CLOCK_STATE = 0x38001,
    GET_CLOCK_RATE = 0x30002,
    SET_CLOCK_RATE = 0x38002,
    STATE_ON = 1 << 0,
    STATE_ABSENT = 1 << 1,

    CLOCKS = 15, /* ids 1 to 14 */
};

struct raspberrypi {
    struct bb_device device;
    struct bb_clock clock;
    struct bb_firmware *firmware;
};

/* `words` begin with the clock's id; the answer is the id and one value. */
static int ask(struct raspberrypi *raspberrypi, uint32_t tag, uint32_t words[3], size_t request)
{
    uint32_t id = words[0];

    if (id == 0 || id >= CLOCKS)
        return -EINVAL;
    int got = bb_firmware_call(raspberrypi->firmware, tag, words, request, 12);
    if (got < 0)
        return got;
    return got >= 8 && words[0] == id ? 0 : -EPROTO;
}

static int raspberrypi_rate(struct bb_clock *clock, uint32_t output, uint64_t *hz)
{
    struct raspberrypi *raspberrypi = bb_container_of(clock, struct raspberrypi, clock);
    uint32_t words[3] = {output};
    int error = ask(raspberrypi, GET_CLOCK_RATE, words, 4);

    if (error)
        return error;
    *hz = words[1];
    return words[1] ? 0 : -EINVAL; /* the firmware's way to say that there is none */
}

static int raspberrypi_set_rate(struct bb_clock *clock, uint32_t output, uint64_t hz)
{
    struct raspberrypi *raspberrypi = bb_container_of(clock, struct raspberrypi, clock);
    uint32_t words[3] = {output, (uint32_t)hz, 0};

    if (hz == 0 || hz > UINT32_MAX)
        return -EINVAL;
    int error = ask(raspberrypi, SET_CLOCK_RATE, words, 12);
    if (error)
        return error;
    return words[1] ? 0 : -EINVAL;
}

static int raspberrypi_enable(struct bb_clock *clock, uint32_t output, bool on)
{
    struct raspberrypi *raspberrypi = bb_container_of(clock, struct raspberrypi, clock);
    uint32_t wanted = on ? STATE_ON : 0;
    uint32_t words[3] = {output};
    int error = ask(raspberrypi, GET_CLOCK_STATE, words, 4);

    if (error)
        return error;
    if (!(words[1] & STATE_ABSENT) && (words[1] & STATE_ON) != wanted) {
        words[1] = wanted;
        error = ask(raspberrypi, SET_CLOCK_STATE, words, 8);
        if (error)
            return error;
    }
    if (words[1] & STATE_ABSENT)
        return -ENODEV;
    return (words[1] & STATE_ON) == wanted ? 0 : -EIO;
}

static int raspberrypi_probe(struct bb_device *device)
{
    return bb_firmware_get(device, &bb_container_of(device, struct raspberrypi, device)->firmware);
}

const struct bb_clock_ops bb_ops_clock_raspberrypi = {
    .rate = raspberrypi_rate,
    .set_rate = raspberrypi_set_rate,
    .enable = raspberrypi_enable,
};

BB_DRIVER(clock, raspberrypi, .bus = &bb_mailbox_bus,
          .match = BB_MATCH({"raspberrypi,firmware-clocks"}),
          .needs = BB_CLASSES(&bb_class_firmware), .probe = raspberrypi_probe);
