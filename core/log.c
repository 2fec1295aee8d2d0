/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: a ring of records. Positions count bytes ever written; the ring holds [oldest, newest).
 */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/log.h>
#include <busbar/time.h>

#include "core.h"

#define RING_SIZE 8192u
#define MAX_TEXT (sizeof(((struct bb_log_entry *)0)->text) - 1)

struct record {
    uint64_t time;
    uint32_t sequence;
    uint8_t level;
    uint8_t length;
    char text[]; /* not terminated */
};

static struct {
    /* A record that begins before the ring's end runs on into the room behind it: none wraps. */
    _Alignas(struct record) char bytes[RING_SIZE + sizeof(struct record) + MAX_TEXT];
    uint32_t oldest, newest, shown; /* positions; `shown`: the first not yet on a console */
    uint32_t sequence;              /* of the next message */
    bool showing;
} ring;
static int louder; /* than BB_INFO may a message be and still be shown */

static struct record *record_at(uint32_t position)
{
    return (struct record *)(void *)(ring.bytes + position % RING_SIZE);
}

static uint32_t record_size(size_t length)
{
    return (uint32_t)((offsetof(struct record, text) + length + 7) & ~(size_t)7);
}

static uint32_t after(uint32_t position)
{
    return position + record_size(record_at(position)->length);
}

/* Returns the position after it. Interrupts are masked. */
static uint32_t load(uint32_t position, struct bb_log_entry *entry)
{
    const struct record *record = record_at(position);
    entry->time = record->time;
    entry->level = (enum bb_level)record->level;
    entry->sequence = record->sequence;
    memcpy(entry->text, record->text, record->length);
    entry->text[record->length] = '\0';
    return after(position);
}

/* False when nobody is there to see it. */
static bool show(const struct bb_log_entry *entry)
{
    char line[sizeof(entry->text) + 24]; /* "[12345678901.123456] ", newline */
    uint64_t us = entry->time / BB_USEC;
    bool wanted = entry->level <= bb_log_threshold();
    size_t length = wanted ? bb_format(line, sizeof(line), "[%5lu.%06lu] %s\n", us / 1000000,
                                       us % 1000000, entry->text)
                           : 0;
    if (!bb_hooks.console_write)
        return bb_early_write(line, length);
    if (wanted)
        bb_hooks.console_write(line, length);
    return true;
}

void bb_log_show(void)
{
    if (ring.shown == ring.newest || ring.showing || bb_arch_in_interrupt())
        return;
    ring.showing = true;
    for (;;) {
        struct bb_log_entry entry;
        uintptr_t state = bb_arch_irq_save();
        if ((int32_t)(ring.oldest - ring.shown) > 0)
            ring.shown = ring.oldest; /* lost before anybody saw it */
        uint32_t next = ring.shown == ring.newest ? ring.shown : load(ring.shown, &entry);
        bb_arch_irq_restore(state);
        if (next == ring.shown || !show(&entry))
            break;
        ring.shown = next;
    }
    ring.showing = false;
}

void bb_print(enum bb_level level, const char *format, ...)
{
    char text[MAX_TEXT + 1];
    va_list arguments;
    va_start(arguments, format);
    size_t length = bb_vformat(text, sizeof(text), format, arguments);
    va_end(arguments);
    length = length < MAX_TEXT ? length : MAX_TEXT;
    for (size_t i = 0; i < length; i++) /* names come from outside and must not steer a terminal */
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    uintptr_t state = bb_arch_irq_save();
    while (ring.newest + record_size(length) - ring.oldest > RING_SIZE)
        ring.oldest = after(ring.oldest);
    struct record *record = record_at(ring.newest);
    record->time = bb_time();
    record->sequence = ring.sequence++;
    record->level = (uint8_t)level;
    record->length = (uint8_t)length;
    memcpy(record->text, text, length);
    ring.newest += record_size(length);
    bb_arch_irq_restore(state);
    bb_log_show();
}

bool bb_log_read(uint32_t sequence, struct bb_log_entry *entry)
{
    uintptr_t state = bb_arch_irq_save();
    uint32_t at = ring.oldest;
    while (at != ring.newest && record_at(at)->sequence < sequence)
        at = after(at);
    bool found = at != ring.newest;
    if (found)
        load(at, entry);
    bb_arch_irq_restore(state);
    return found;
}

enum bb_level bb_log_threshold(void)
{
    return (enum bb_level)(BB_INFO + louder);
}

void bb_log_set_threshold(enum bb_level level)
{
    louder = (int)level - BB_INFO;
}
