/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware randomness, from whichever source has some. */
#include <busbar/entropy.h>
#include <busbar/poll.h>

static struct bb_face_list sources;

static int removed_read(struct bb_entropy *entropy, void *buffer, size_t size)
{
    (void)entropy, (void)buffer, (void)size;
    return -ENODEV;
}

static const struct bb_entropy_ops removed = {.read = removed_read};

const struct bb_class bb_class_entropy = {
    .name = "entropy",
    .removed = &removed,
    .list = &sources,
};

int bb_random(void *buffer, size_t size, uint64_t timeout)
{
    uint8_t *bytes = buffer;
    uint64_t start = bb_time();
    while (size > 0) {
        struct bb_entropy *entropy = bb_entropy_first();
        if (!entropy)
            return -ENODEV;
        int got = 0;
        for (; entropy && got <= 0; entropy = bb_entropy_next(entropy))
            got = bb_entropy_read(entropy, bytes, size);
        if (got > 0) {
            size_t count = (size_t)got < size ? (size_t)got : size;
            bytes += count;
            size -= count;
        } else if (bb_time() - start >= timeout) {
            return -ETIMEDOUT;
        } else {
            bb_sleep(100 * BB_USEC);
        }
    }
    return 0;
}
