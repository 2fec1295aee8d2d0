/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles: bounded output, line parameters, input. */
#include "conformance.h"

#include <busbar/console.h>

static const struct bb_console_line usual = {115200, 8, 1, BB_PARITY_NONE};

/* Until all is taken; at 115200 baud a byte takes 87 us. */
static bool write_all(struct bb_console *console, const char *text, size_t size)
{
    uint64_t deadline = bb_time() + BB_SEC;

    while (size) {
        int taken = bb_console_write(console, text, size);
        if (taken < 0 || (size_t)taken > size || bb_time() > deadline)
            return false;
        text += taken;
        size -= (size_t)taken;
    }
    return true;
}

static void check_output(struct conformance *run, struct bb_console *console)
{
    static const char text[] =
        "conformance: a line that is longer than any transmit queue is deep\r\n";

    bb_check(run, bb_console_write(console, text, 0) == 0, "nothing is written when size is 0");
    bb_check(run, write_all(console, text, sizeof text - 1), "a line is taken within a second");
}

static void check_line(struct conformance *run, struct bb_console *console)
{
    static const struct {
        struct bb_console_line line;
        const char *text;
    } wrong[] = {
        {{0, 8, 1, BB_PARITY_NONE}, "0 baud is refused"},
        {{1, 8, 1, BB_PARITY_NONE}, "1 baud is refused"},
        {{4000000000u, 8, 1, BB_PARITY_NONE}, "4 Gbaud is refused"},
        {{115200, 4, 1, BB_PARITY_NONE}, "4 data bits are refused"},
        {{115200, 9, 1, BB_PARITY_NONE}, "9 data bits are refused"},
        {{115200, 8, 0, BB_PARITY_NONE}, "0 stop bits are refused"},
        {{115200, 8, 3, BB_PARITY_NONE}, "3 stop bits are refused"},
        {{115200, 8, 1, (enum bb_parity)7}, "a parity that does not exist is refused"},
    };

    int error = bb_console_set_line(console, &usual);
    if (error == -ENOTSUP) {
        bb_skip(run, "its line is fixed");
        return;
    }
    bb_check(run, error == 0, "115200 baud, 8N1 can be set");
    for (size_t i = 0; i < BB_ARRAY_SIZE(wrong); i++)
        bb_check(run, bb_console_set_line(console, &wrong[i].line) == -EINVAL, wrong[i].text);
    bb_check(run, write_all(console, "still here\r\n", 12), "it writes after all that");
}

static bool has_input(void *context)
{
    const struct bb_console *console = context;
    return console->head != console->tail;
}

static void check_input(struct conformance *run, struct bb_console *console)
{
    static const char text[] = "xyz\x80\x7f";
    char drop[64];

    if (!run->type) {
        bb_skip(run, "nobody types here");
        return;
    }
    while (bb_console_read(console, drop, sizeof drop))
        ;
    bb_check(run, bb_console_read(console, drop, sizeof drop) == 0, "no input is there unasked");
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char got = 0;
        run->type(run->context, &console->face, text[i]);
        bb_check(run, bb_wait(has_input, console, BB_SEC) == 0, "a byte arrives");
        bb_check(run, bb_console_read(console, &got, 1) == 1 && got == text[i],
                 "it is the one that was typed");
    }
}

static void run_console(struct conformance *run, struct bb_face *face)
{
    struct bb_console *console = bb_container_of(face, struct bb_console, face);

    check_output(run, console);
    check_line(run, console);
    check_input(run, console);
}

const struct conformance_suite conformance_console = {"console", &bb_class_console, run_console};
