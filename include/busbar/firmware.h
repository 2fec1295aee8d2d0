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

/* One property of a call: what is asked, and what came back. */
struct bb_firmware_tag {
    uint32_t tag;
    void *buffer;     /* `request` bytes in, room for `capacity` bytes out */
    uint16_t request; /* both multiples of 4 */
    uint16_t capacity;
    int result; /* length of the response in bytes as the firmware gave it, at most `capacity`;
                 * -ENOTSUP when it does not know the tag, -EPROTO when its answer is malformed or
                 * longer than the room */
};

struct bb_firmware_ops {
    /*
     * A message of tags, which the firmware works on in their order and as one: a frame buffer has
     * its size, depth and place from one message. Each value takes the larger of its request and
     * capacity, and 12 bytes more but for the first: together at most BB_FIRMWARE_MAX, else
     * -EINVAL. 0 when the message came back, and every tag then has its result; -EPROTO when it
     * came back malformed, -EIO when the firmware reports failure, -ETIMEDOUT, -EBUSY while it
     * still owes the answers to earlier calls that timed out. Thread context.
     */
    int (*call)(struct bb_firmware *firmware, struct bb_firmware_tag *tags, size_t count);
};

BB_CLASS_FINDERS(firmware)

#ifndef BB_BOUND_FIRMWARE
#define BB_BOUND_FIRMWARE (*(const struct bb_firmware_ops *)firmware->face.ops)
#endif

static inline int bb_firmware_call_all(struct bb_firmware *firmware, struct bb_firmware_tag *tags,
                                       size_t count)
{
    return BB_BOUND_FIRMWARE.call(firmware, tags, count);
}
/* A message of one tag. Returns the length of its response, or whichever error there was. */
int bb_firmware_call(struct bb_firmware *firmware, uint32_t tag, void *buffer, size_t request,
                     size_t capacity);

/* The firmware that serves this device: its `firmware` phandle, else its parent, else the first
 * node whose driver offers one. Brings it up. */
int bb_firmware_get(struct bb_device *device, struct bb_firmware **firmware);

#endif
