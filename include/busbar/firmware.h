/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware services reached by property calls: a tag, a buffer of words, a checked response length.
 * Drivers on the mailbox bus get theirs with bb_firmware_get().
 *
 *     uint32_t words[2] = {0};                                     // id in, millidegrees out
 *     int got = bb_firmware_call(firmware, 0x30006, words, 4, sizeof words);
 *     if (got < 8) return got < 0 ? got : -EPROTO;
 */
#ifndef BUSBAR_FIRMWARE_H
#define BUSBAR_FIRMWARE_H

#include <busbar/bind.h>
#include <busbar/device.h>

#define BB_FIRMWARE_MAX 256 /* bytes of value in one call */

struct bb_firmware {
    struct bb_face face;
};

struct bb_firmware_ops {
    /*
     * One property tag. `buffer` holds `request` bytes in and has room for `capacity` bytes out,
     * both multiples of 4. Returns the response length in bytes as the firmware gave it, at most
     * `capacity`; -ENOTSUP when the firmware does not know the tag, -EPROTO when its answer is
     * malformed or longer than the room, -EIO when it reports failure, -ETIMEDOUT, -EBUSY while it
     * still owes the answers to earlier calls that timed out. Thread context.
     */
    int (*call)(struct bb_firmware *firmware, uint32_t tag, void *buffer, size_t request,
                size_t capacity);
};

BB_CLASS_FINDERS(firmware)

#ifndef BB_BOUND_FIRMWARE
#define BB_BOUND_FIRMWARE (*(const struct bb_firmware_ops *)firmware->face.ops)
#endif

static inline int bb_firmware_call(struct bb_firmware *firmware, uint32_t tag, void *buffer,
                                   size_t request, size_t capacity)
{
    return BB_BOUND_FIRMWARE.call(firmware, tag, buffer, request, capacity);
}

/* The firmware that serves this device: its `firmware` phandle, else its parent, else the first
 * node whose driver offers one. Brings it up. */
int bb_firmware_get(struct bb_device *device, struct bb_firmware **firmware);

#endif
