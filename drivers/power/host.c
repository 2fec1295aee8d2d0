/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a Linux process (exit(3)), and its restart: the same program again (execv(3)). */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <busbar/mmio.h>
#include <busbar/power.h>

struct host {
    struct bb_device device;
    struct bb_power power;
};

static int host_exit(struct bb_power *power, int status)
{
    (void)power;
    exit(status);
}

static int host_off(struct bb_power *power)
{
    return host_exit(power, 0);
}

/* The arguments that the process was started with, as proc(5) has them. */
static size_t read_arguments(char *text, size_t size)
{
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, size);

    if (file >= 0)
        (void)close(file);
    return length > 0 && text[length - 1] == '\0' ? (size_t)length : 0;
}

static void start_again(void)
{
    char text[4096], *words[64];
    size_t length = read_arguments(text, sizeof(text)), count = 0;

    for (size_t at = 0; at < length && count < BB_ARRAY_SIZE(words) - 1; count++) {
        words[count] = &text[at];
        while (text[at++])
            ;
    }
    words[count] = NULL;
    bb_host_terminal_restore();
    (void)execv("/proc/self/exe", words);
}

static int host_reset(struct bb_power *power)
{
    (void)power;
    start_again();
    return -EIO;
}

const struct bb_power_ops bb_ops_power_host = {
    .off = host_off,
    .reset = host_reset,
    .exit = host_exit,
};

BB_DRIVER(power, host, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-power"}));
