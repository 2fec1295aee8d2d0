/* SPDX-License-Identifier: BSD-2-Clause */
/* Two host controllers: each has its own addresses and slots, and what happens to one is nothing to
 * the other. They answer at once, by the requests of chapter 9, and never move data. */
#include "usb.h"

#include <busbar/mmio.h>

#include <tests/models/boards.h>

enum { HOSTS = 2, QUEUE = 8 };

struct simple {
    struct bb_device device;
    struct bb_usb_host usb_host;
    struct bb_work work;
    struct bb_usb_transfer *queue[QUEUE];
    bool ended[QUEUE];
    uint32_t port;
    uint8_t plugged_vendor;
};
static struct simple *simples[HOSTS];

static const uint8_t configuration[] = {USB_CONFIGURATION(18, 1, 1, 50),
                                        USB_INTERFACE(0, 0, 0, 0xff, 0, 0)};

static int answer(struct simple *simple, struct bb_usb_transfer *transfer)
{
    const struct bb_usb_setup *setup = &transfer->setup;
    const uint8_t device[] = {USB_DEVICE(0, 0, 0, 8, simple->plugged_vendor, 1, 1)};
    struct usb_bytes bytes = USB_BYTES(device);
    if (!(setup->request_type & BB_USB_IN))
        return 0;
    if (setup->request != BB_USB_GET_DESCRIPTOR || setup->value >> 8 == BB_USB_STRING_DESCRIPTOR)
        return -EPIPE;
    if (setup->value >> 8 == BB_USB_CONFIGURATION_DESCRIPTOR)
        bytes = USB_BYTES(configuration);
    transfer->actual = bytes.size < transfer->length ? (uint32_t)bytes.size : transfer->length;
    memcpy(transfer->data, bytes.data, transfer->actual);
    return 0;
}

static void work(struct bb_work *queued)
{
    struct simple *simple = bb_container_of(queued, struct simple, work);
    for (unsigned i = 0; i < QUEUE; i++) {
        struct bb_usb_transfer *transfer = simple->queue[i];
        if (!transfer)
            continue;
        simple->queue[i] = NULL;
        transfer->actual = 0;
        bool there = simple->port & BB_USB_PORT_ENABLE;
        bb_usb_complete(transfer, simple->ended[i] ? -ECANCELED
                                  : there          ? answer(simple, transfer)
                                                   : -EIO);
    }
}

static struct simple *simple_of(struct bb_usb_host *host)
{
    return bb_container_of(host, struct simple, usb_host);
}

static int simple_submit(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    struct simple *simple = simple_of(host);
    unsigned i = 0;
    assert_ptr_equal(transfer->endpoint->device->host, host);
    while (i < QUEUE && simple->queue[i])
        i++;
    assert_true(i < QUEUE);
    simple->queue[i] = transfer;
    simple->ended[i] = false;
    bb_work_queue(&simple->work);
    return 0;
}

static void simple_cancel(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    struct simple *simple = simple_of(host);
    for (unsigned i = 0; i < QUEUE; i++)
        simple->ended[i] |= simple->queue[i] == transfer;
}

static int simple_status(struct bb_usb_host *host, unsigned port, uint32_t *status)
{
    assert_int_equal(port, 1);
    *status = simple_of(host)->port;
    return 0;
}

static int simple_feature(struct bb_usb_host *host, unsigned port, enum bb_usb_port_feature feature,
                          bool set)
{
    uint32_t *status = &simple_of(host)->port;
    assert_int_equal(port, 1);
    if (feature == BB_USB_FEATURE_RESET)
        *status |= BB_USB_PORT_ENABLE | BB_USB_PORT_RESET << BB_USB_PORT_CHANGES;
    else if (set)
        *status |= 1u << feature;
    else
        *status &= ~(1u << feature);
    return 0;
}

static int simple_probe(struct bb_device *device)
{
    struct simple *simple = (struct simple *)device;
    simples[simples[0] ? 1 : 0] = simple;
    simple->work = (struct bb_work){.run = work, .device = device};
    simple->usb_host.ports = 1;
    return bb_usb_host_start(&simple->usb_host);
}

static const struct bb_usb_host_ops bb_ops_usb_host_simple = {
    .submit = simple_submit,
    .cancel = simple_cancel,
    .port_status = simple_status,
    .port_feature = simple_feature,
};
BB_DRIVER(usb_host, simple, .bus = &bb_mmio_bus, .match = BB_MATCH({"test,simple-host"}),
          .probe = simple_probe);

static void set_plugged(unsigned which, bool plugged, uint8_t vendor)
{
    struct simple *simple = simples[which];
    simple->plugged_vendor = vendor;
    simple->port =
        BB_USB_PORT_POWER | BB_USB_PORT_CONNECTION << BB_USB_PORT_CHANGES | (plugged ? 1 : 0);
    bb_usb_root_changed(&simple->usb_host);
}

static void begin(void)
{
    static const struct bb_driver *drivers[200];
    virt_prepare(NULL);
    tree_device("usb-a", "test,simple-host");
    tree_close();
    tree_device("usb-b", "test,simple-host");
    tree_close();
    drivers[0] = &bb_driver_usb_host_simple;
    drivers[1] = &bb_driver_test_probe;
    memcpy(drivers + 2, bb_drivers, bb_driver_count * sizeof(drivers[0]));
    bb_binder.drivers = drivers;
    bb_binder.count = bb_driver_count + 2;
    memset(&prober, 0, sizeof(prober));
    boot("usb.slots=4");
    assert_non_null(simples[1]);
    settle();
}

static void test_each_has_its_own(void **state)
{
    (void)state;
    begin();
    set_plugged(0, true, 1);
    set_plugged(1, true, 2);
    settle();
    assert_int_equal(count_devices(), 2);
    assert_int_equal(prober.probes, 2);
    struct bb_usb_device *first = bb_usb_next(NULL), *second = bb_usb_next(first);
    assert_ptr_equal(first->host, &simples[0]->usb_host);
    assert_ptr_equal(second->host, &simples[1]->usb_host);
    assert_int_equal(first->vendor, 1);
    assert_int_equal(second->vendor, 2);
    assert_int_equal(first->address, second->address); /* each begins at 1 */
    assert_ptr_equal(device_of("/usb-b/device@1"), second);
    assert_int_equal(simples[0]->usb_host.slots.taken, 1);
    assert_int_equal(simples[1]->usb_host.slots.taken, 1);

    set_plugged(0, false, 0);
    settle();
    assert_int_equal(count_devices(), 1);
    assert_ptr_equal(bb_usb_next(NULL), second); /* the first host has none now */
    assert_int_equal(prober.removes, 1);
    uint8_t data[18];
    assert_int_equal(bb_usb_control(second, BB_USB_IN, BB_USB_GET_DESCRIPTOR, 1 << 8, 0, data, 18),
                     18);
}

static void test_one_goes(void **state)
{
    (void)state;
    begin();
    set_plugged(0, true, 1);
    set_plugged(1, true, 2);
    settle();
    must_remove("/usb-a");
    assert_int_equal(prober.removes, 1);
    assert_int_equal(count_devices(), 1);
    assert_int_equal(bb_usb_next(NULL)->vendor, 2);
    set_plugged(1, false, 0);
    settle();
    set_plugged(1, true, 3);
    settle();
    assert_int_equal(bb_usb_next(NULL)->vendor, 3);
    must_remove("/usb-b");
    assert_int_equal(count_devices(), 0);
    assert_int_equal(prober.removes, 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_its_own),
        cmocka_unit_test(test_one_goes),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
