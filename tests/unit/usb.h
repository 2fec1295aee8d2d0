/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of the USB bus share: devices made of a few bytes, a driver that takes any of them,
 * and looks at what the bus has. */
#ifndef TESTS_UNIT_USB_H
#define TESTS_UNIT_USB_H

#include "harness.h"

#include <string.h>

#include <busbar/poll.h>
#include <busbar/usb_host.h>
#include <core/core.h>

#include <tests/models/usb_hub.h>
#include <tests/models/usb_loop.h>
#include <tests/models/usb_soft_host.h>

#define ROOT_DEVICE SOFT_HOST "/device@1"

/* ---- Devices ---- */

/* One configuration, of the caller's bytes; may lie. */
static inline void make_device(struct usb_model *model, enum bb_usb_speed speed,
                               struct usb_bytes device, struct usb_bytes configuration)
{
    static const uint8_t qualifier[] = {USB_QUALIFIER(0, 0, 0, 64, 1)};
    *model = (struct usb_model){.name = "test",
                                .speed = (uint8_t)speed,
                                .device = device,
                                .configurations = {configuration},
                                .strings = {NULL, "Maker", "Thing", "42"},
                                .lenient = true};
    if (speed == BB_USB_HIGH)
        model->qualifier = USB_BYTES(qualifier);
}

/* ---- A driver ---- */

/* Takes loops, and whatever else a test lets it; counts. */
struct probe {
    struct bb_device device;
    struct bb_usb_interface *interface;
};
static struct {
    int probes, removes;
    int (*probe)(struct probe *probe); /* what else it does there; may be NULL */
    void (*remove)(struct probe *probe);
    struct probe *last;
} prober;

static inline int prober_probe(struct bb_device *device)
{
    struct probe *probe = (struct probe *)device;
    int error = bb_usb_claim(device, &probe->interface);
    if (error)
        return error;
    prober.probes++;
    prober.last = probe;
    return prober.probe ? prober.probe(probe) : 0;
}

static inline void prober_remove(struct bb_device *device)
{
    struct probe *probe = (struct probe *)device;
    if (prober.remove)
        prober.remove(probe);
    prober.removes++;
}

BB_DRIVER_FACELESS(test, probe, .bus = &bb_usb_bus, .match = BB_MATCH({"usbif,classff"}),
                   .probe = prober_probe, .remove = prober_remove, .hotplug = true);

/* ---- A machine ---- */

/* Puts the driver in front of all others, and boots with `ports` root ports; what is plugged in
 * before is there. */
static inline void prepare(unsigned ports)
{
    static const struct bb_driver *drivers[200];
    soft_host_prepare(ports);
    assert_true(bb_binder.count < BB_ARRAY_SIZE(drivers));
    drivers[0] = &bb_driver_test_probe;
    memcpy(drivers + 1, bb_binder.drivers, bb_binder.count * sizeof(drivers[0]));
    bb_binder.drivers = drivers;
    bb_binder.count++;
    memset(&prober, 0, sizeof(prober));
}

static inline void settle(void)
{
    bb_sleep(3 * BB_SEC);
}

/* With one loop plugged in, whose driver does `probe` as well. */
static inline void boot_with_loop(struct model_loop *loop, enum bb_usb_speed speed,
                                  int (*probe)(struct probe *probe))
{
    prepare(1);
    prober.probe = probe;
    model_loop_init(loop, "loop", speed);
    usb_plug(&soft_host.sockets[0], &loop->usb);
    boot(NULL);
    settle();
}

static inline unsigned count_devices(void)
{
    unsigned count = 0;
    for (struct bb_usb_device *at = bb_usb_next(NULL); at; at = bb_usb_next(at))
        count++;
    return count;
}

static inline struct bb_usb_device *device_of(const char *path)
{
    struct bb_node *node = bb_node_find(path);
    struct bb_usb_device *device = node ? bb_usb_device_of(node) : NULL;
    if (!device)
        fail_msg("no USB device at %s", path);
    return device;
}

static inline uint64_t slots_taken(void)
{
    return soft_host.host->slots.taken;
}

/* Nothing is left of any device, and nobody waits for anything. */
static inline void must_be_empty(void)
{
    assert_int_equal(count_devices(), 0);
    assert_int_equal(slots_taken(), 0);
    assert_int_equal(soft_host.host->refused.taken, 0);
    assert_null(soft_host.host->in_flight);
    assert_int_equal(soft_host.in_flight, 0);
    assert_null(soft_host.host->default_state);
    assert_int_equal(soft_host.host->addresses[0], 1);
    assert_int_equal(soft_host.host->addresses[1], 0);
    assert_false(soft_host.host->ports_due.armed);
    assert_null(bb_node_find(ROOT_DEVICE));
}

#endif
