/* SPDX-License-Identifier: BSD-2-Clause */
/* What several commands share: writing, numbers, dates, completion of nodes. */
#include <busbar/rtc.h>

#include "command.h"

void say(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    size_t length = bb_vformat(text, sizeof(text), format, arguments);
    va_end(arguments);
    bb_console_print(NULL, text, length < sizeof(text) ? length : sizeof(text) - 1);
}

bool parse_number(const char *text, uint64_t limit, uint64_t *value)
{
    unsigned base = 10;
    uint64_t sum = 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)*text - '0', letter = ((unsigned)*text | 0x20) - 'a';
        if (digit > 9)
            digit = letter < 6 ? letter + 10 : 99;
        if (digit >= base || sum > (limit - digit) / base)
            return false;
        sum = sum * base + digit;
    }
    *value = sum;
    return true;
}

void say_date(int64_t seconds)
{
    struct bb_date date;
    bb_date_from_seconds(seconds, &date);
    say("%04d-%02u-%02u %02u:%02u:%02u UTC\n", (int)date.year, date.month, date.day, date.hour,
        date.minute, date.second);
}

bool complete_node(size_t index, char *word, size_t size)
{
    bb_for_each_node (node) {
        if (!node->enabled || !node->parent || !bb_node_has(node, "compatible"))
            continue;
        if (index-- == 0) {
            bb_node_path(node, word, size);
            return true;
        }
    }
    return false;
}
