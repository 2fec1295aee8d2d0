/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power domains of the Raspberry Pi's firmware (raspberrypi/firmware wiki, "Mailbox property
 * interface"; ids as in the binding raspberrypi,bcm2835-power). USB is a device of the first
 * interface, Get and Set power state, which every firmware has; the others are domains of the
 * second, Get and Set domain state, and -ENOTSUP where the firmware has none of that.
 */
#include <busbar/firmware.h>
#include <busbar/mailbox.h>
#include <busbar/power.h>

enum {
    GET_POWER_STATE = 0x20001,
    SET_POWER_STATE = 0x28001,
    GET_DOMAIN_STATE = 0x30030,
    SET_DOMAIN_STATE = 0x38030,

    STATE_ON = 1 << 0,
    STATE_ABSENT = 1 << 1, /* in answers */
    STATE_WAIT = 1 << 1,   /* in requests: answer when it is stable */

    DOMAINS = 23,
    USB = 6,        /* domain */
    USB_DEVICE = 3, /* of the first interface */
};

struct raspberrypi {
    struct bb_device device;
    struct bb_power_domain power_domain;
    struct bb_firmware *firmware;
};

/* Both interfaces answer with the id and the state. */
static int ask(struct raspberrypi *raspberrypi, uint32_t tag, uint32_t id, uint32_t *state,
               size_t request)
{
    uint32_t words[2] = {id, *state};
    int got = bb_firmware_call(raspberrypi->firmware, tag, words, request, sizeof words);

    if (got < 0)
        return got;
    if (got < 8 || words[0] != id)
        return -EPROTO;
    *state = words[1];
    return words[1] & STATE_ABSENT ? -ENODEV : 0;
}

static int raspberrypi_set(struct bb_power_domain *domain, uint32_t id, bool on)
{
    struct raspberrypi *raspberrypi = bb_container_of(domain, struct raspberrypi, power_domain);
    uint32_t wanted = on ? STATE_ON : 0;
    uint32_t state = wanted;
    int error;

    if (id >= DOMAINS)
        return -EINVAL;
    if (id == USB) {
        state |= STATE_WAIT;
        error = ask(raspberrypi, SET_POWER_STATE, USB_DEVICE, &state, 8);
    } else {
        error = ask(raspberrypi, SET_DOMAIN_STATE, id + 1, &state, 8);
    }
    if (error)
        return error;
    return (state & STATE_ON) == wanted ? 0 : -EIO;
}

static int raspberrypi_get(struct bb_power_domain *domain, uint32_t id, bool *on)
{
    struct raspberrypi *raspberrypi = bb_container_of(domain, struct raspberrypi, power_domain);
    uint32_t state = 0;
    int error;

    if (id >= DOMAINS)
        return -EINVAL;
    if (id == USB)
        error = ask(raspberrypi, GET_POWER_STATE, USB_DEVICE, &state, 4);
    else
        error = ask(raspberrypi, GET_DOMAIN_STATE, id + 1, &state, 4);
    *on = state & STATE_ON;
    return error;
}

static int raspberrypi_probe(struct bb_device *device)
{
    return bb_firmware_get(device, &bb_container_of(device, struct raspberrypi, device)->firmware);
}

const struct bb_power_domain_ops bb_ops_power_domain_raspberrypi = {
    .set = raspberrypi_set,
    .get = raspberrypi_get,
};

BB_DRIVER(power_domain, raspberrypi, .bus = &bb_mailbox_bus,
          .match = BB_MATCH({"raspberrypi,bcm2835-power"}), .needs = BB_CLASSES(&bb_class_firmware),
          .probe = raspberrypi_probe);
