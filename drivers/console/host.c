/* SPDX-License-Identifier: BSD-2-Clause */
/* The standard input and output of a Linux process: a terminal, a pipe or a file (termios(3)). */
#include <poll.h>
#include <unistd.h>

#include <busbar/console.h>
#include <busbar/mmio.h>

#define END_OF_INPUT 4 /* ^D, as a person would say it */

struct host {
    struct bb_device device;
    struct bb_console console;
    struct bb_resource input;
};

/* Descriptors stay blocking, as other processes share them: never more than surely fits. */
static int host_write(struct bb_console *console, const char *data, size_t size)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    (void)console;
    if (poll(&output, 1, 0) <= 0)
        return 0;
    ssize_t written = write(STDOUT_FILENO, data, size < 512 ? size : 512);
    return written >= 0 ? (int)written : errno == EINTR || errno == EAGAIN ? 0 : -EIO;
}

static void host_readable(void *context)
{
    struct host *host = context;
    char bytes[64];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
    for (ssize_t i = 0; i < count; i++)
        bb_console_input(&host->console, bytes[i]);
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
        bb_host_unwatch(STDIN_FILENO); /* it would be readable for ever */
        bb_console_input(&host->console, END_OF_INPUT);
    }
}

static void host_release(struct bb_resource *resource)
{
    (void)resource;
    bb_host_unwatch(STDIN_FILENO);
}

static int host_probe(struct bb_device *device)
{
    struct host *host = (struct host *)device;
    int error = bb_acquire(device, &host->input, "standard input", host_release);
    if (error)
        return error;
    bb_host_terminal_raw(STDIN_FILENO);
    return bb_host_watch(STDIN_FILENO, host_readable, host);
}

static void host_early_putc(uintptr_t base, char c)
{
    (void)base;
    (void)!write(STDOUT_FILENO, &c, 1);
}

const struct bb_console_ops bb_ops_console_host = {
    .write = host_write,
};

BB_DRIVER(console, host, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-console"}),
          .probe = host_probe, .early_putc = host_early_putc);
