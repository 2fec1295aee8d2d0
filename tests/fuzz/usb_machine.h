/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine with one USB root port whose transfers a fuzz target answers, at once and in model
 * time. It is made once; each input plugs something in, lets time pass, pulls it out, and then
 * nothing of it may be left.
 */
#ifndef TESTS_FUZZ_USB_MACHINE_H
#define TESTS_FUZZ_USB_MACHINE_H

#include <stdlib.h>

#include <tests/unit/usb.h>

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/mmio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target's: fills data and actual; a status, or 1: it never answers. */
static int answer(struct bb_usb_transfer *transfer);

struct bb_fuzz_host {
    struct bb_device device;
    struct bb_usb_host usb_host;
    struct bb_work work;
};

enum { FLYING = 64 };
static struct {
    struct bb_fuzz_host *host;
    uint32_t port;
    struct bb_usb_transfer *flying[FLYING]; /* in the controller's hands */
    bool cancelled[FLYING], silent[FLYING];
    const uint8_t *at, *end; /* the input's rest */
} fuzz;

static inline void must(bool condition)
{
    if (!condition)
        abort();
}

static inline uint8_t next_byte(void)
{
    return fuzz.at < fuzz.end ? *fuzz.at++ : 0;
}

/* Memory up to the room is the controller's: all of it is written, so that a small one is found. */
static inline void fill(struct bb_usb_transfer *transfer, const uint8_t *data, size_t size)
{
    uint32_t room = bb_usb_room(transfer->endpoint, transfer->length);
    memset(transfer->data, 0xa5, room);
    transfer->actual = size < transfer->length ? (uint32_t)size : transfer->length;
    if (transfer->actual)
        memcpy(transfer->data, data, transfer->actual);
}

static void complete(struct bb_work *work)
{
    (void)work;
    for (unsigned i = 0; i < FLYING; i++) {
        struct bb_usb_transfer *transfer = fuzz.flying[i];
        if (!transfer || (fuzz.silent[i] && !fuzz.cancelled[i]))
            continue;
        int status = fuzz.cancelled[i] ? -ECANCELED : answer(transfer);
        fuzz.silent[i] = status > 0;
        if (status > 0)
            continue;
        fuzz.flying[i] = NULL;
        bb_usb_complete(transfer, status);
    }
}

static int fuzz_submit(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    unsigned i = 0;
    (void)host;
    must(!transfer->endpoint->device->gone);
    for (unsigned j = 0; j < FLYING; j++)
        must(!fuzz.flying[j] || fuzz.flying[j]->endpoint != transfer->endpoint);
    while (i < FLYING && fuzz.flying[i])
        i++;
    must(i < FLYING);
    fuzz.flying[i] = transfer;
    fuzz.cancelled[i] = fuzz.silent[i] = false;
    bb_work_queue(&fuzz.host->work);
    return 0;
}

static void fuzz_cancel(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    (void)host;
    for (unsigned i = 0; i < FLYING; i++)
        if (fuzz.flying[i] == transfer)
            fuzz.cancelled[i] = true;
    bb_work_queue(&fuzz.host->work);
}

static int fuzz_port_status(struct bb_usb_host *host, unsigned port, uint32_t *status)
{
    (void)host;
    must(port == 1);
    *status = fuzz.port;
    return 0;
}

static int fuzz_port_feature(struct bb_usb_host *host, unsigned port,
                             enum bb_usb_port_feature feature, bool set)
{
    (void)host;
    must(port == 1);
    if (feature >= BB_USB_FEATURE_C_CONNECTION)
        fuzz.port &= ~(1u << feature);
    else if (feature == BB_USB_FEATURE_RESET && fuzz.port & BB_USB_PORT_CONNECTION)
        fuzz.port |= BB_USB_PORT_ENABLE | BB_USB_PORT_RESET << BB_USB_PORT_CHANGES;
    else if (feature == BB_USB_FEATURE_ENABLE || feature == BB_USB_FEATURE_POWER)
        fuzz.port = set ? fuzz.port | 1u << feature : fuzz.port & ~(1u << feature);
    return 0;
}

static int fuzz_probe(struct bb_device *device)
{
    struct bb_fuzz_host *host = (struct bb_fuzz_host *)device;
    fuzz.host = host;
    host->work = (struct bb_work){.run = complete, .device = device};
    host->usb_host.ports = 1;
    return bb_usb_host_start(&host->usb_host);
}

#define bb_ops_usb_host_bb_fuzz_host bb_fuzz_ops
static const struct bb_usb_host_ops bb_ops_usb_host_bb_fuzz_host = {
    .submit = fuzz_submit,
    .cancel = fuzz_cancel,
    .port_status = fuzz_port_status,
    .port_feature = fuzz_port_feature,
};
BB_DRIVER(usb_host, bb_fuzz_host, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,fuzz-host"}),
          .probe = fuzz_probe);

/* Time moves when somebody looks at it, and to the next event while the machine sleeps. */
static uint64_t clock_now = BB_SEC, clock_wakes;

static uint64_t look_at_clock(void *context)
{
    (void)context;
    return clock_now += 100;
}

static void wake_at(uint64_t due)
{
    clock_wakes = due;
}

static void sleep_on(void *context)
{
    (void)context;
    must(clock_wakes != BB_FOREVER);
    uint64_t now = bb_time();
    if (clock_wakes > now)
        clock_now += clock_wakes - now;
}

static inline void make_machine(const struct bb_driver *const *more, size_t count)
{
    static const struct bb_driver *drivers[200];
    size_t used = 0;
    if (fuzz.host)
        return;
    bb_host_cpu =
        (struct bb_host_cpu){.counter = look_at_clock, .counter_hz = BB_SEC, .wait = sleep_on};
    bb_hooks.wake_at = wake_at;
    tree_begin(2, 2);
    tree_device("usb", "test,fuzz-host");
    tree_close();
    drivers[used++] = &bb_driver_usb_host_bb_fuzz_host;
    for (size_t i = 0; i < count; i++)
        drivers[used++] = more[i];
    for (size_t i = 0; i < bb_driver_count; i++) /* no driver of a device but these */
        if (bb_drivers[i]->bus != &bb_usb_bus)
            drivers[used++] = bb_drivers[i];
    bb_binder.drivers = drivers;
    bb_binder.count = used;
    boot(NULL);
    must(fuzz.host);
}

static inline void set_plugged(bool plugged, enum bb_usb_speed speed)
{
    static const uint32_t bits[] = {BB_USB_PORT_LOW_SPEED, 0, BB_USB_PORT_HIGH_SPEED};
    fuzz.port = BB_USB_PORT_POWER | BB_USB_PORT_CONNECTION << BB_USB_PORT_CHANGES;
    if (plugged)
        fuzz.port |= BB_USB_PORT_CONNECTION | bits[speed];
    bb_usb_root_changed(&fuzz.host->usb_host);
}

static inline void pull_out(void)
{
    const struct bb_usb_host *host = &fuzz.host->usb_host;
    set_plugged(false, BB_USB_LOW);
    bb_sleep(20 * BB_SEC); /* what failed before is forgotten, too */
    must(!host->devices && !host->slots.taken && !host->refused.taken && !host->in_flight);
    must(!host->default_state && host->addresses[0] == 1 && host->hubs == &host->root);
    must(!host->ports_due.armed && !host->root.next);
    for (unsigned i = 0; i < FLYING; i++)
        must(!fuzz.flying[i]);
}

#endif
