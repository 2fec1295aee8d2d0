/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device is plugged in and used again and again, each time in a process of its own, and fails at
 * its first, its second, its third transaction, until one is past its last. The same goes for what
 * the driver acquires, with `bb_fault_at`.
 *
 *     static int run(void *context)
 *     {
 *         const struct usb_script *script = context;
 *         usb_script_write(script, &device.usb);
 *         ...plug it in and use it...
 *         int result = usb_script_result(script, &device.usb);
 *         ...unplug it, nothing is left; another in its place works...
 *         return result;
 *     }
 *     ...
 *     struct usb_script script = {.kind = USB_FAULT_STALL};
 *     usb_script_each(run, &script, 20);
 */
#ifndef TESTS_UNIT_USB_SCRIPTS_H
#define TESTS_UNIT_USB_SCRIPTS_H

#include <tests/models/usb_device.h>

#include "harness.h"

struct usb_script {
    enum usb_fault_kind kind;
    uint32_t at;
};

enum { USB_SCRIPT_HIT, USB_SCRIPT_PAST, USB_SCRIPT_IDLE = 95 };

/* Three times without an answer ends a transfer. */
static inline void usb_script_write(const struct usb_script *script, struct usb_model *device)
{
    usb_fault(device, USB_EVERY_PIPE, script->at, script->kind == USB_FAULT_SILENT ? 3 : 1,
              script->kind);
}

/* USB_SCRIPT_IDLE: it did nothing, or did not unplug. */
static inline int usb_script_result(const struct usb_script *script, const struct usb_model *device)
{
    bool unplugs = script->kind == USB_FAULT_UNPLUG || script->kind == USB_FAULT_UNPLUG_AFTER;
    if (device->socket && device->transactions < script->at)
        return USB_SCRIPT_PAST;
    return device->applied && !(unplugs && device->socket) ? USB_SCRIPT_HIT : USB_SCRIPT_IDLE;
}

/* `run` gets the script and answers USB_SCRIPT_HIT, USB_SCRIPT_PAST or what went wrong. More than
 * `least` are hit. */
static inline void usb_script_each(int (*run)(void *script), struct usb_script *script,
                                   uint32_t least)
{
    for (script->at = 1; script->at < 500; script->at++) {
        int result = run_child(run, script);
        if (result == USB_SCRIPT_PAST) {
            assert_true(script->at > least);
            return;
        }
        if (result != USB_SCRIPT_HIT)
            fail_msg("fault %u at %u: %d", script->kind, script->at, result);
    }
    fail_msg("there is no end");
}

#endif
