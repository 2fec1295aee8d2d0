/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Consoles: byte streams for people. Output is polled and bounded; input arrives by interrupt into
 * a ring of the subsystem. The log goes to every console (or to those that `console=` names); input
 * may come from any.
 *
 *     bb_console_printf(NULL, "ready\n");       // NULL: every console
 *     size_t got = bb_console_read(console, buffer, sizeof buffer);
 */
#ifndef BUSBAR_CONSOLE_H
#define BUSBAR_CONSOLE_H

#include <busbar/bind.h>
#include <busbar/device.h>
#include <busbar/poll.h>
#include <busbar/store.h>

enum bb_parity { BB_PARITY_NONE, BB_PARITY_ODD, BB_PARITY_EVEN };

struct bb_console_line {
    uint32_t baud;     /* bits per second */
    uint8_t data_bits; /* 5 to 8 */
    uint8_t stop_bits; /* 1 or 2 */
    enum bb_parity parity;
};

#define BB_CONSOLE_INPUT 1024 /* bytes kept until read: a pasted line; a power of two */

struct bb_console {
    struct bb_face face;
    /* The rest belongs to the subsystem. */
    struct bb_value sent_value, received_value, lost_value;
    uint64_t sent, received; /* bytes */
    uint64_t lost;           /* input that found the ring full, output that found the UART stuck */
    uint16_t head, tail;
    bool selected; /* by console=, or console= names none that runs */
    bool stuck;    /* took nothing for 50 ms: output is dropped until it takes some again */
    char input[BB_CONSOLE_INPUT];
};

struct bb_console_ops {
    /* Takes up to `size` bytes without waiting; returns how many, 0 when the transmitter is full,
     * or a negative errno value. Every context. */
    int (*write)(struct bb_console *console, const char *data, size_t size);
    /* Changes speed and format after the last byte has left. -EINVAL for what the hardware cannot
     * do (more than 3 % off the baud rate counts as cannot). NULL: fixed. Thread context. */
    int (*set_line)(struct bb_console *console, const struct bb_console_line *line);
    /* Whether all that was written has left the chip. NULL: it cannot tell. Every context. */
    bool (*idle)(struct bb_console *console);
};

BB_CLASS_FINDERS(console)

#ifndef BB_BOUND_CONSOLE
#define BB_BOUND_CONSOLE (*(const struct bb_console_ops *)console->face.ops)
#endif

/* One attempt, as the op. For whole texts use bb_console_print(). */
static inline int bb_console_write(struct bb_console *console, const char *data, size_t size)
{
    return BB_BOUND_CONSOLE.write(console, data, size);
}
static inline int bb_console_set_line(struct bb_console *console,
                                      const struct bb_console_line *line)
{
    return BB_BOUND_CONSOLE.set_line ? BB_BOUND_CONSOLE.set_line(console, line) : -ENOTSUP;
}

/* Takes what has arrived, without waiting; 0 when there is nothing. NULL: from any console. Thread
 * context. */
size_t bb_console_read(struct bb_console *console, char *buffer, size_t size);
/* Writes everything, newline as CR LF, waiting up to 50 ms while the console takes nothing. NULL:
 * every selected console. Thread and early context. bb_console_printf() cuts at 511 bytes. */
void bb_console_print(struct bb_console *console, const char *text, size_t size);
/* Waits until every console has sent all it took, at most 50 ms: before the power goes. Every
 * context. */
void bb_console_flush(void);
void bb_console_printf(struct bb_console *console, const char *format, ...) BB_PRINTF(2, 3);

/* ---- For drivers ---- */

/* A byte has arrived. Every context. */
void bb_console_input(struct bb_console *console, char byte);
/* The speed to begin with: the driver's parameter, else the options of chosen/stdout-path
 * ("serial0:1500000n8") when it names this device, else its current-speed, else 115200. */
uint32_t bb_console_default_baud(const struct bb_device *device, uint32_t parameter);
/* A console is worth having without `what`: says so in the log, where the tree promised it. Nothing
 * for 0, and for -ENOENT: the node names none. */
void bb_console_goes_without(const struct bb_device *device, const char *what, int error);

#endif
