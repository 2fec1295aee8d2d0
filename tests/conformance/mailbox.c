/* SPDX-License-Identifier: BSD-2-Clause */
/* Mailboxes, and firmware reached through one. */
#include "conformance.h"

#include <busbar/firmware.h>
#include <busbar/mailbox.h>

#define BOUND (20 * BB_MSEC)
#define UNKNOWN_TAG 0x0007fff0

static void run_mailbox(struct conformance *run, struct bb_face *face)
{
    struct bb_mailbox *mailbox = bb_container_of(face, struct bb_mailbox, face);
    uint32_t beyond = mailbox->channels, last = mailbox->channels - 1, word;

    bb_check(run, mailbox->channels > 0, "it has channels");
    bb_check(run, bb_mailbox_send(mailbox, beyond, 0, BOUND) == -EINVAL,
             "a channel past the last cannot send");
    bb_check(run, bb_mailbox_receive(mailbox, beyond, &word) == -EINVAL, "nor receive");
    bb_check(run, bb_mailbox_call(mailbox, beyond, 0, BOUND, &word) == -EINVAL, "nor call");
    for (uint32_t channel = 0; channel < mailbox->channels; channel++) {
        if (bb_mailbox_receive(mailbox, channel, &word) != -EAGAIN)
            bb_check(run, false, "an empty channel says so");
    }
    /* Nobody listens on the last one. */
    uint64_t start = bb_time();
    int error = bb_mailbox_call(mailbox, last, 0, BOUND, &word);
    uint64_t waited = bb_time() - start;
    bb_check(run, error == -ETIMEDOUT, "a call that nobody answers times out");
    bb_check(run, waited >= BOUND && waited < BOUND + BB_SEC, "after the time that was given");
}

static void run_firmware(struct conformance *run, struct bb_face *face)
{
    struct bb_firmware *firmware = bb_container_of(face, struct bb_firmware, face);
    uint32_t words[BB_FIRMWARE_MAX / 4 + 1] = {0};

    bb_check(run, bb_firmware_call(firmware, UNKNOWN_TAG, words, 0, 4) == -ENOTSUP,
             "an unknown tag is not supported");
    bb_check(run, bb_firmware_call(firmware, UNKNOWN_TAG, words, 0, sizeof words) == -EINVAL,
             "a buffer beyond the limit is refused");
    bb_check(run, bb_firmware_call(firmware, UNKNOWN_TAG, words, sizeof words, 4) == -EINVAL,
             "and so is a request");
    bb_check(run, bb_firmware_call(firmware, UNKNOWN_TAG, words, 3, 4) == -EINVAL,
             "a request is whole words");
    bb_check(run, bb_firmware_call(firmware, UNKNOWN_TAG, words, 0, 6) == -EINVAL,
             "and so is the room");
}

const struct conformance_suite conformance_mailbox = {"mailbox", &bb_class_mailbox, run_mailbox};
const struct conformance_suite conformance_firmware = {"firmware", &bb_class_firmware,
                                                       run_firmware};
