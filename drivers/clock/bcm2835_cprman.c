/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 clock manager, CPRMAN (outputs as in the binding brcm,bcm2835-cprman). The firmware set
 * the clocks up and goes on changing some of them, so rates and gates are asked of it (property
 * interface, tags Get clock rate, Get and Set clock state) and no register is touched here. The
 * node's own `clocks` are the PLLs' sources, which only a driver of the registers would need.
 */
#include <busbar/clock.h>
#include <busbar/firmware.h>
#include <busbar/mmio.h>

enum {
    GET_CLOCK_STATE = 0x30001,
    SET_CLOCK_STATE = 0x38001,
    GET_CLOCK_RATE = 0x30002,
    STATE_ON = 1 << 0,
    STATE_ABSENT = 1 << 1,

    OUTPUTS = 51,
};

struct bcm2835_cprman {
    struct bb_device device;
    struct bb_clock clock;
    struct bb_firmware *firmware;
};

/* The firmware's clock id of an output: 0 means that it has no name for it. */
static const uint8_t firmware_id[OUTPUTS] = {
    [7] = 3,   /* PLLB_ARM: ARM */
    [19] = 2,  /* UART */
    [20] = 4,  /* VPU: core */
    [21] = 5,  /* V3D */
    [22] = 7,  /* ISP */
    [23] = 6,  /* H264 */
    [26] = 8,  /* SDRAM */
    [28] = 1,  /* EMMC */
    [30] = 10, /* PWM */
};

/* A tag that takes a clock id (and perhaps a value) and answers with the id and a value. */
static int ask(struct bb_clock *clock, uint32_t output, uint32_t tag, uint32_t *value)
{
    struct bcm2835_cprman *cprman = bb_container_of(clock, struct bcm2835_cprman, clock);

    if (output >= OUTPUTS)
        return -EINVAL;
    if (firmware_id[output] == 0)
        return -ENOTSUP;
    uint32_t words[2] = {firmware_id[output], *value};
    int got = bb_firmware_call(cprman->firmware, tag, words, sizeof words, sizeof words);
    if (got < 0)
        return got;
    if (got < 8 || words[0] != firmware_id[output])
        return -EPROTO;
    *value = words[1];
    return 0;
}

static int bcm2835_cprman_rate(struct bb_clock *clock, uint32_t output, uint64_t *hz)
{
    uint32_t rate = 0;
    int error = ask(clock, output, GET_CLOCK_RATE, &rate);

    if (error)
        return error;
    if (rate == 0)
        return -EIO;
    *hz = rate;
    return 0;
}

static int bcm2835_cprman_enable(struct bb_clock *clock, uint32_t output, bool on)
{
    uint32_t state = 0;
    int error = ask(clock, output, GET_CLOCK_STATE, &state);

    if (error)
        return error;
    if (state & STATE_ABSENT)
        return -ENODEV;
    /* Never turned off: the firmware and other devices run from the same outputs. */
    if (!on || state & STATE_ON)
        return 0;
    state = STATE_ON;
    error = ask(clock, output, SET_CLOCK_STATE, &state);
    if (error)
        return error;
    return state & STATE_ABSENT ? -ENODEV : state & STATE_ON ? 0 : -EIO;
}

static int bcm2835_cprman_probe(struct bb_device *device)
{
    struct bcm2835_cprman *cprman = bb_container_of(device, struct bcm2835_cprman, device);

    return bb_firmware_get(device, &cprman->firmware);
}

const struct bb_clock_ops bb_ops_clock_bcm2835_cprman = {
    .rate = bcm2835_cprman_rate,
    .enable = bcm2835_cprman_enable,
};

BB_DRIVER(clock, bcm2835_cprman, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-cprman"}),
          .needs = BB_CLASSES(&bb_class_firmware), .probe = bcm2835_cprman_probe);
