/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: a ring of the newest messages, each with level and time, echoed to every console whose
 * threshold lets it (parameter `log=error|warning|info|debug`, default info). Before there is a
 * console, messages wait in the ring and are shown when the first one appears.
 *
 * bb_print() may be called in every context. In an interrupt the message is stored, and reaches the
 * consoles with the next bb_poll().
 */
#ifndef BUSBAR_LOG_H
#define BUSBAR_LOG_H

#include <stdarg.h>

#include <busbar/base.h>

enum bb_level { BB_ERROR, BB_WARNING, BB_INFO, BB_VERBOSE };

/* A newline is added. Conversions: %d %i %u %x %X %c %s %p %%, with l, ll, z, width, precision, -,
 * 0. */
void bb_print(enum bb_level level, const char *format, ...) BB_PRINTF(2, 3);

/* As snprintf: always terminated when size > 0; returns the length the whole text would have. */
size_t bb_format(char *buffer, size_t size, const char *format, ...) BB_PRINTF(3, 4);
size_t bb_vformat(char *buffer, size_t size, const char *format, va_list arguments);

struct bb_log_entry {
    uint64_t time; /* nanoseconds since start */
    enum bb_level level;
    uint32_t sequence; /* counts every message ever logged, from 0 */
    char text[200];
};

/* Copies the oldest kept message whose sequence is at least `sequence`; false when there is none.
 */
bool bb_log_read(uint32_t sequence, struct bb_log_entry *entry);
enum bb_level bb_log_threshold(void);

#endif
