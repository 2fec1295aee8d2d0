/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware randomness: it comes, it differs, it keeps to its buffer. */
#include "conformance.h"

#include <busbar/entropy.h>
#include <busbar/time.h>

#define SIZE 39 /* no whole number of words */
#define GUARD 0xa5

static bool fill(struct bb_entropy *entropy, uint8_t *buffer, size_t size)
{
    uint64_t deadline = bb_time() + 2 * BB_SEC;

    for (size_t at = 0; at < size;) {
        int got = bb_entropy_read(entropy, buffer + at, size - at);
        if (got < 0 || (size_t)got > size - at || bb_time() > deadline)
            return false;
        at += (size_t)got;
    }
    return true;
}

static void run_entropy(struct conformance *run, struct bb_face *face)
{
    struct bb_entropy *entropy = bb_container_of(face, struct bb_entropy, face);
    uint8_t first[SIZE + 1], second[SIZE + 1];
    size_t same = 0, zero = 0;

    for (size_t i = 0; i < sizeof first; i++)
        first[i] = second[i] = GUARD;
    bb_check(run, bb_entropy_read(entropy, first, 0) == 0 && first[0] == GUARD,
             "nothing is read when size is 0");
    bb_check(run, fill(entropy, first, SIZE), "a buffer is filled within two seconds");
    bb_check(run, fill(entropy, second, SIZE), "and another one");
    bb_check(run, first[SIZE] == GUARD && second[SIZE] == GUARD, "and not a byte more");
    for (size_t i = 0; i < SIZE; i++) {
        same += first[i] == second[i];
        zero += first[i] == 0;
    }
    bb_check(run, same < SIZE / 2, "two buffers differ");
    bb_check(run, zero < SIZE / 2, "they are not zero");
}

const struct conformance_suite conformance_entropy = {"entropy", &bb_class_entropy, run_entropy};
