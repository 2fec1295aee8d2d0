/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire by hand: tokens to a device model out of one root port, for tests of models. */
#ifndef TESTS_UNIT_USB_WIRE_H
#define TESTS_UNIT_USB_WIRE_H

#include "harness.h"

#include <string.h>

#include <busbar/time.h>

#include <tests/models/usb_device.h>

static struct usb_socket root;
static uint8_t packet[1024];
static struct usb_token last; /* as it came back */

static inline void start_wire(void)
{
    world_start(1000000);
    root = (struct usb_socket){.name = "root", .number = 1};
    usb_socket_power(&root, true);
}

static inline void reset_root(void)
{
    world_advance(100 * BB_MSEC);
    usb_socket_reset_begins(&root);
    world_advance(50 * BB_MSEC);
    usb_socket_reset_ends(&root, 50 * BB_MSEC);
    world_advance(10 * BB_MSEC);
}

static inline enum usb_answer token(const struct usb_model *device, enum usb_token_kind kind,
                                    unsigned endpoint, unsigned toggle, const void *data,
                                    unsigned length)
{
    last = (struct usb_token){.kind = kind,
                              .address = device->address,
                              .endpoint = (uint8_t)endpoint,
                              .speed = device->running,
                              .toggle = (uint8_t)toggle,
                              .data = packet,
                              .length = length,
                              .room = endpoint ? sizeof packet : 64};
    if (device->running != BB_USB_HIGH && device->socket->hub &&
        device->socket->hub->running == BB_USB_HIGH) {
        last.split_hub = device->socket->hub->address;
        last.split_port = (uint8_t)device->socket->number;
    }
    if (length)
        memcpy(packet, data, length);
    return usb_transact(&root, &last);
}

static inline enum usb_answer setup(const struct usb_model *device, unsigned type, unsigned request,
                                    unsigned value, unsigned index, unsigned length)
{
    struct bb_usb_setup words = {(uint8_t)type, (uint8_t)request, (uint16_t)value, (uint16_t)index,
                                 (uint16_t)length};
    return token(device, USB_SETUP, 0, 0, &words, 8);
}

/* A request with no data or with data IN of one packet at most; its length, or what went wrong. */
static inline int request(const struct usb_model *device, unsigned type, unsigned number,
                          unsigned value, unsigned index, unsigned length)
{
    int got = 0;

    assert_int_equal(setup(device, type, number, value, index, length), USB_ACK);
    if (length) {
        enum usb_answer answer = token(device, USB_IN, 0, 0, NULL, 0);
        if (answer != USB_DATA)
            return -(int)answer;
        assert_int_equal(last.toggle, 1);
        got = (int)last.length;
        uint8_t kept[64];
        memcpy(kept, packet, 64);
        assert_int_equal(token(device, USB_OUT, 0, 1, NULL, 0), USB_ACK);
        memcpy(packet, kept, 64);
        return got;
    }
    enum usb_answer answer = token(device, USB_IN, 0, 0, NULL, 0);
    if (answer != USB_DATA)
        return -(int)answer;
    assert_int_equal(last.length, 0);
    assert_int_equal(last.toggle, 1);
    return 0;
}

static inline void give_address(const struct usb_model *device, unsigned address)
{
    assert_int_equal(request(device, 0, BB_USB_SET_ADDRESS, address, 0, 0), 0);
    assert_int_equal(device->address, address);
    world_advance(2 * BB_MSEC);
}

static inline void configure(const struct usb_model *device, unsigned address)
{
    give_address(device, address);
    assert_int_equal(request(device, 0, BB_USB_SET_CONFIGURATION, 1, 0, 0), 0);
}

/* A vendor's or other request whose data goes OUT, in packets of 64. */
static inline enum usb_answer send_request(const struct usb_model *device, unsigned type,
                                           unsigned number, unsigned value, unsigned index,
                                           const void *data, unsigned length)
{
    unsigned toggle = 1;

    assert_int_equal(setup(device, type, number, value, index, length), USB_ACK);
    for (unsigned at = 0; at < length; at += 64, toggle ^= 1) {
        unsigned size = length - at < 64 ? length - at : 64;
        assert_int_equal(token(device, USB_OUT, 0, toggle, (const uint8_t *)data + at, size),
                         USB_ACK);
    }
    return token(device, USB_IN, 0, 0, NULL, 0);
}

#endif
