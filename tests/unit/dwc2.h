/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of usb_host/dwc2 share: loop-back devices on the Pi's board of models, and a
 * driver that takes them and moves data. */
#ifndef TESTS_UNIT_DWC2_H
#define TESTS_UNIT_DWC2_H

#include "harness.h"

#include <string.h>

#include <busbar/poll.h>
#include <busbar/store.h>
#include <busbar/usb_host.h>
#include <core/core.h>

#include <tests/models/boards.h>
#include <tests/models/usb_hub.h>
#include <tests/models/usb_loop.h>

enum { ROOM = 16384, MOST_LOOPS = 12 };

struct user {
    struct bb_device device;
    struct bb_usb_interface *interface;
    struct bb_usb_endpoint *out, *in, *news;
    uint8_t *there, *back;
    struct bb_usb_transfer transfer;
    unsigned done;
};
static struct user *users[MOST_LOOPS];
static unsigned user_count;
static struct model_loop loops[MOST_LOOPS];
static struct model_hub hub;

static inline int user_probe(struct bb_device *device)
{
    struct user *user = (struct user *)device;
    int error = bb_usb_claim(device, &user->interface);
    if (error)
        return error;
    enum bb_usb_type type =
        user->interface->device->speed == BB_USB_LOW ? BB_USB_INTERRUPT : BB_USB_BULK;
    user->out = bb_usb_endpoint(user->interface, type, BB_USB_OUT);
    user->in = bb_usb_endpoint(user->interface, type, BB_USB_IN);
    user->news = &user->interface->endpoints[2];
    user->there = bb_usb_alloc(device, ROOM);
    user->back = bb_usb_alloc(device, ROOM);
    if (!user->out || !user->in || !user->there || !user->back)
        return -ENOMEM;
    if (user_count < MOST_LOOPS)
        users[user_count++] = user;
    return 0;
}

BB_DRIVER_FACELESS(test, user, .bus = &bb_usb_bus, .match = BB_MATCH({"usbif,classff"}),
                   .probe = user_probe, .hotplug = true);

static inline bool has_users(void *context)
{
    return user_count >= *(const unsigned *)context;
}

static inline void wait_for_users(unsigned count)
{
    assert_int_equal(bb_wait(has_users, &count, 20 * BB_SEC), 0);
    bb_sleep(20 * BB_MSEC);
}

/* The driver stands in front of all others. */
static inline void prepare(void)
{
    static const struct bb_driver *drivers[200];
    pi_prepare(NULL);
    assert_true(bb_driver_count < BB_ARRAY_SIZE(drivers));
    drivers[0] = &bb_driver_test_user;
    memcpy(drivers + 1, bb_drivers, bb_driver_count * sizeof(drivers[0]));
    bb_binder.drivers = drivers;
    bb_binder.count = bb_driver_count + 1;
    user_count = 0;
}

/* So many loops of that speed, on the root port or on a hub of high speed. */
static inline void start_many(enum bb_usb_speed speed, bool behind_a_hub, unsigned count)
{
    prepare();
    model_hub_init(&hub, "hub", BB_USB_HIGH, MOST_LOOPS);
    hub.self_powered = true;
    for (unsigned i = 0; i < count; i++) {
        model_loop_init(&loops[i], "loop", speed);
        if (behind_a_hub)
            usb_plug(&hub.sockets[i], &loops[i].usb);
    }
    usb_plug(&pi.dwc2.socket, behind_a_hub ? &hub.usb : &loops[0].usb);
    boot("log=error usb.slot=65536");
    wait_for_users(count);
}

static inline void start(enum bb_usb_speed speed, bool behind_a_hub)
{
    start_many(speed, behind_a_hub, 1);
}

static inline void ended(struct bb_usb_transfer *transfer)
{
    struct user *user = transfer->context;
    user->done++;
}

static inline int submit(struct user *user, struct bb_usb_endpoint *endpoint, void *data,
                         uint32_t length)
{
    user->transfer = (struct bb_usb_transfer){.endpoint = endpoint,
                                              .data = length ? data : NULL,
                                              .length = length,
                                              .timeout = BB_FOREVER,
                                              .done = ended,
                                              .context = user};
    return bb_usb_submit(&user->transfer);
}

static inline bool is_done(void *context)
{
    return ((const struct bb_usb_transfer *)context)->status != -EINPROGRESS;
}

/* Bytes moved, or the error. */
static inline int run(struct user *user, struct bb_usb_endpoint *endpoint, void *data,
                      uint32_t length, uint8_t flags)
{
    struct bb_usb_transfer transfer = {.endpoint = endpoint,
                                       .data = length ? data : NULL,
                                       .length = length,
                                       .timeout = 2 * BB_SEC,
                                       .flags = flags};
    (void)user;
    int error = bb_usb_run(&transfer);
    return error ? error : (int)transfer.actual;
}

static inline void fill(struct user *user, uint32_t length, unsigned seed)
{
    for (uint32_t i = 0; i < length; i++)
        user->there[i] = (uint8_t)(i * 13 + i / 256 + seed);
}

/* There and back. */
static inline void exchange(struct user *user, uint32_t length, unsigned seed)
{
    fill(user, length, seed);
    memset(user->back, 0, ROOM);
    assert_int_equal(run(user, user->out, user->there, length, 0), length);
    assert_int_equal(run(user, user->in, user->back, length, 0), length);
    assert_memory_equal(user->there, user->back, length);
}

static inline unsigned channels_busy(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < DWC2_CHANNELS; i++)
        count += pi.dwc2.channels[i].enabled || pi.dwc2.channels[i].disabling;
    return count;
}

#endif
