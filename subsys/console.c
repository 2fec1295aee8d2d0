/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles: which ones show the log, output that gives up on a stuck one, the input ring. */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/console.h>
#include <busbar/hooks.h>
#include <busbar/log.h>
#include <busbar/time.h>

static struct bb_face_list consoles;

enum {
    PATIENCE_MS = 50,
    MAX_TRIES = 1 << 20, /* ends a wait where time stands still */
};

_Static_assert((BB_CONSOLE_INPUT & (BB_CONSOLE_INPUT - 1)) == 0, "a power of two");
_Static_assert(BB_CONSOLE_INPUT <= 1 << 15, "16-bit positions tell full from empty");

static int removed_write(struct bb_console *console, const char *data, size_t size)
{
    (void)console, (void)data, (void)size;
    return -ENODEV;
}

static int removed_set_line(struct bb_console *console, const struct bb_console_line *line)
{
    (void)console, (void)line;
    return -ENODEV;
}

static const struct bb_console_ops removed = {
    .write = removed_write,
    .set_line = removed_set_line,
};

/* Input is lost in interrupts, output elsewhere. */
static void lose(struct bb_console *console, size_t bytes)
{
    uintptr_t state = bb_arch_irq_save();
    console->lost += bytes;
    bb_arch_irq_restore(state);
}

/* Sends all of `data` unless the console takes nothing for too long; what it leaves is lost. */
static void send(struct bb_console *console, const char *data, size_t size)
{
    uint64_t since = 0;
    uint32_t tries = 0;
    while (size > 0) {
        int taken = bb_console_write(console, data, size);
        if (taken > 0) {
            size_t count = (size_t)taken < size ? (size_t)taken : size;
            console->sent += count;
            console->stuck = false;
            data += count;
            size -= count;
            tries = 0;
            continue;
        }
        if (tries == 0)
            since = bb_time();
        if (++tries == MAX_TRIES || bb_time() - since >= PATIENCE_MS * BB_MSEC)
            console->stuck = true;
        if (console->stuck || taken < 0) {
            lose(console, size);
            return;
        }
    }
}

static void print_one(struct bb_console *console, const char *text, size_t size)
{
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline ? (size_t)(newline - text) : size;
        send(console, text, length);
        if (!newline)
            return;
        send(console, "\r\n", 2);
        text += length + 1;
        size -= length + 1;
    }
}

void bb_console_print(struct bb_console *console, const char *text, size_t size)
{
    if (console) {
        print_one(console, text, size);
        return;
    }
    for (console = bb_console_first(); console; console = bb_console_next(console))
        if (console->selected)
            print_one(console, text, size);
}

static void log_sink(const char *text, size_t size)
{
    bb_console_print(NULL, text, size);
}

/* "115200n8r" is speed, parity, bits and flow control, each but the first may be left out. 0 when
 * it is something else. */
static uint32_t speed_of(const char *options)
{
    uint64_t baud = 0;
    for (; *options >= '0' && *options <= '9'; options++) {
        baud = baud * 10 + (uint64_t)(*options - '0');
        if (baud > UINT32_MAX)
            return 0;
    }
    if (*options == 'n' || *options == 'o' || *options == 'e') {
        options++;
        if (*options >= '5' && *options <= '8')
            options++;
        if (*options == 'r')
            options++;
    }
    return *options ? 0 : (uint32_t)baud;
}

uint32_t bb_console_default_baud(const struct bb_device *device, uint32_t parameter)
{
    const struct bb_node *chosen = bb_node_find("/chosen");
    const char *path, *options = NULL;
    uint32_t baud = parameter;
    if (!baud && bb_node_stdout() == device->node &&
        (bb_node_string(chosen, "stdout-path", &path) == 0 ||
         bb_node_string(chosen, "linux,stdout-path", &path) == 0))
        options = strchr(path, ':');
    if (options)
        baud = speed_of(options + 1);
    if (!baud)
        (void)bb_node_u32(device->node, "current-speed", &baud);
    return baud ? baud : 115200;
}

void bb_console_goes_without(const struct bb_device *device, const char *what, int error)
{
    if (error && error != -ENOENT)
        bb_print(BB_WARNING, "%s: goes on without %s: %s", device->name, what,
                 bb_error_name(error));
}

void bb_console_flush(void)
{
    uint64_t since = bb_time();
    struct bb_console *console = bb_console_first();
    for (uint32_t tries = 0; console && tries < MAX_TRIES; tries++) {
        if (bb_time() - since >= PATIENCE_MS * BB_MSEC)
            return;
        if (!BB_BOUND_CONSOLE.idle || BB_BOUND_CONSOLE.idle(console))
            console = bb_console_next(console);
    }
}

void bb_console_printf(struct bb_console *console, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    size_t length = bb_vformat(text, sizeof text, format, arguments);
    va_end(arguments);
    bb_console_print(console, text, length < sizeof text ? length : sizeof text - 1);
}

void bb_console_input(struct bb_console *console, char byte)
{
    uint16_t tail = __atomic_load_n(&console->tail, __ATOMIC_ACQUIRE);
    uint16_t head = console->head;
    if ((uint16_t)(head - tail) == BB_CONSOLE_INPUT) {
        lose(console, 1);
        return;
    }
    console->received++;
    console->input[head % BB_CONSOLE_INPUT] = byte;
    __atomic_store_n(&console->head, (uint16_t)(head + 1), __ATOMIC_RELEASE);
}

static size_t read_one(struct bb_console *console, char *buffer, size_t size)
{
    uint16_t head = __atomic_load_n(&console->head, __ATOMIC_ACQUIRE);
    uint16_t tail = console->tail;
    size_t got = 0;
    while (got < size && tail != head)
        buffer[got++] = console->input[tail++ % BB_CONSOLE_INPUT];
    __atomic_store_n(&console->tail, tail, __ATOMIC_RELEASE);
    return got;
}

size_t bb_console_read(struct bb_console *console, char *buffer, size_t size)
{
    if (console)
        return read_one(console, buffer, size);
    size_t got = 0;
    for (console = bb_console_first(); console; console = bb_console_next(console))
        got += read_one(console, buffer + got, size - got);
    return got;
}

/* Whether console= names this one, by device name, alias or path; "name,options" is fine. */
static bool is_named(const struct bb_console *console, const char *parameter)
{
    char name[64];
    const char *comma = strchr(parameter, ',');
    size_t length = comma ? (size_t)(comma - parameter) : strlen(parameter);
    if (length >= sizeof name)
        return false;
    memcpy(name, parameter, length);
    name[length] = 0;
    const struct bb_device *device = console->face.device;
    return strcmp(device->name, name) == 0 || bb_node_find(name) == device->node;
}

/* With the first poll, when all are there that the tree describes. */
static void tell_wrong_name(struct bb_work *work)
{
    const char *parameter = bb_param_get("console");
    struct bb_console *console = bb_console_first();
    (void)work;
    while (console && !is_named(console, parameter))
        console = bb_console_next(console);
    if (!console)
        bb_print(BB_INFO, "console=%s names no console: all are used", parameter);
}
static struct bb_work wrong_name; /* all zero at start: an image then has no page of data */

/* A console= that names none of the running ones (firmware appends its own) selects them all. */
static void select_consoles(void)
{
    static bool told;
    const char *parameter = bb_param_get("console");
    struct bb_console *console;
    bool any = false;
    wrong_name.run = tell_wrong_name;
    if (parameter && !told)
        bb_work_queue(&wrong_name);
    told = true;
    for (console = bb_console_first(); console; console = bb_console_next(console)) {
        console->selected = parameter && is_named(console, parameter);
        any |= console->selected;
    }
    for (console = bb_console_first(); console && !any; console = bb_console_next(console))
        console->selected = true;
}

static int console_notify(struct bb_face *face, bool running)
{
    struct bb_console *console = bb_container_of(face, struct bb_console, face);
    struct bb_device *device = face->device;
    if (!running) {
        select_consoles();
        if (!bb_console_first())
            bb_hooks.console_write = NULL;
        return 0;
    }
    int error = bb_publish_u64(device, &console->sent_value, "sent", "bytes", &console->sent);
    if (!error)
        error = bb_publish_u64(device, &console->received_value, "received", "bytes",
                               &console->received);
    if (!error)
        error = bb_publish_u64(device, &console->lost_value, "lost", "bytes", &console->lost);
    if (error)
        return error;
    select_consoles();
    bb_hooks.console_write = log_sink;
    return 0;
}

const struct bb_class bb_class_console = {
    .name = "console",
    .removed = &removed,
    .list = &consoles,
    .notify = console_notify,
};
