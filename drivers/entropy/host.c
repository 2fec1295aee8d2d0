/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's random numbers (getrandom(2)). */
#include <sys/random.h>

#include <busbar/entropy.h>
#include <busbar/mmio.h>

struct host {
    struct bb_device device;
    struct bb_entropy entropy;
};

static int host_read(struct bb_entropy *entropy, void *buffer, size_t size)
{
    (void)entropy;
    ssize_t count = getrandom(buffer, size < 256 ? size : 256, GRND_NONBLOCK);
    return count >= 0 ? (int)count : errno == EAGAIN || errno == EINTR ? 0 : -EIO;
}

const struct bb_entropy_ops bb_ops_entropy_host = {
    .read = host_read,
};

BB_DRIVER(entropy, host, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-entropy"}));
