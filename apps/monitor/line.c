/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys: left, right, home, end, delete, backspace, up and down for the history, tab to complete;
 * Ctrl-A, E, B, F, P, N, K (to the end), U (to the start), W (word), L (redraw), C (drop the line),
 * D (delete; on an empty line the end of input).
 */
#include <string.h>

#include "command.h"
#include "line.h"

static struct {
    char text[LINE_SIZE];
    size_t length, cursor;
    char history[LINE_HISTORY][LINE_SIZE]; /* and the new line, while an old one is shown */
    size_t kept;                           /* lines ever kept */
    size_t recalled;                       /* how far up the history, 0: the new line */
    const char *prompt;
    enum { PLAIN, ESCAPE, SEQUENCE } state;
    char parameter;     /* of an escape sequence: its only digit; 0: none, ';': more */
    bool lost;          /* something typed is not in the line */
    char character[4];  /* as far as it has come */
    unsigned come, due; /* bytes of it, and those that are missing */
    uint32_t code;
} line;

/* Positions are those of bytes; each character takes one column. */
static bool within(size_t at)
{
    return (line.text[at] & 0xc0) == 0x80;
}

static size_t before(size_t at)
{
    while (at > 0 && within(--at))
        ;
    return at;
}

static size_t after(size_t at, size_t count)
{
    while (count-- > 0 && at < line.length)
        while (within(++at))
            ;
    return at;
}

static size_t columns(size_t from, size_t to)
{
    size_t count = 0;
    while (from < to)
        count += !within(from++);
    return count;
}

/* A redraw can go back to the start of a row and no further up. So a line that is longer is shown
 * as a window on it, which moves by half its width; "<" instead of the prompt says that it has
 * moved. */
enum { ROW = 78 };

static size_t window_size(void)
{
    return ROW - strlen(line.prompt);
}

static size_t window_start(void)
{
    size_t half = window_size() / 2, steps = columns(0, line.cursor) / half;
    return steps < 2 ? 0 : after(0, (steps - 1) * half);
}

static void redraw(void)
{
    size_t start = window_start(), end = after(start, window_size());
    say("\r\x1b[K%s%.*s", start ? "<" : line.prompt, (int)(end - start), line.text + start);
    if (line.cursor < end)
        say("\x1b[%uD", (unsigned)columns(line.cursor, end));
}

/* A line is complete: what scrolled away is shown, for those who read the terminal later. */
static void finish(void)
{
    if (columns(0, line.length) >= window_size()) {
        say("\r\x1b[K%s", line.prompt);
        say("%s", line.text);
    }
    say("\n");
}

static void replace(const char *text)
{
    line.length = strlen(text);
    memmove(line.text, text, line.length + 1);
    line.cursor = line.length;
    redraw();
}

static bool insert(const char *text, size_t size)
{
    if (line.length + size >= LINE_SIZE)
        return false;
    memmove(line.text + line.cursor + size, line.text + line.cursor, line.length - line.cursor + 1);
    memcpy(line.text + line.cursor, text, size);
    size_t start = window_start();
    line.length += size;
    line.cursor += size;
    if (line.cursor == line.length && window_start() == start)
        say("%s", line.text + line.length - size);
    else
        redraw();
    return true;
}

static void lose(void)
{
    line.lost = true;
    say("\a");
}

static void type(const char *character, size_t size)
{
    line.lost &= line.length > 0; /* noise before a line is no part of it */
    if (!insert(character, size))
        lose();
}

static void erase(size_t from, size_t to)
{
    if (from >= to)
        return;
    memmove(line.text + from, line.text + to, line.length - to + 1);
    line.length -= to - from;
    line.cursor = from;
    redraw();
}

static void move(size_t to)
{
    line.cursor = to;
    redraw();
}

static void recall(size_t steps)
{
    size_t available = line.kept < LINE_HISTORY - 1 ? line.kept : LINE_HISTORY - 1;
    if (steps > available)
        return;
    if (line.recalled == 0)
        memcpy(line.history[line.kept % LINE_HISTORY], line.text, LINE_SIZE);
    line.recalled = steps;
    replace(line.history[(line.kept - steps) % LINE_HISTORY]);
}

static void keep(void)
{
    if (line.length && strcmp(line.history[(line.kept - 1) % LINE_HISTORY], line.text) != 0)
        memcpy(line.history[line.kept++ % LINE_HISTORY], line.text, LINE_SIZE);
}

static size_t word_start(void)
{
    size_t at = line.cursor;
    while (at > 0 && line.text[at - 1] == ' ')
        at--;
    while (at > 0 && line.text[at - 1] != ' ')
        at--;
    return at;
}

/* Word `index` that can stand where the cursor is. */
static bool candidate(size_t start, size_t index, char *word, size_t size)
{
    if (start == 0)
        return command_help.complete(index, word, size);
    for (size_t i = 0; commands[i]; i++) {
        size_t length = strlen(commands[i]->name);
        if (strncmp(line.text, commands[i]->name, length) == 0 && line.text[length] == ' ')
            return commands[i]->complete && commands[i]->complete(index, word, size);
    }
    return false;
}

/* Adds what all candidates share; when that is nothing, lists them. */
static void complete(void)
{
    char word[LINE_SIZE], common[LINE_SIZE] = "";
    size_t start = line.cursor;
    while (start > 0 && line.text[start - 1] != ' ')
        start--;
    size_t typed = line.cursor - start, shared = 0, found = 0;
    for (size_t i = 0; candidate(start, i, word, sizeof(word)); i++) {
        if (strncmp(word, line.text + start, typed) != 0)
            continue;
        if (found++ == 0) {
            memcpy(common, word, sizeof(common));
            shared = strlen(common);
        }
        size_t same = 0;
        while (same < shared && word[same] == common[same])
            same++;
        shared = same;
    }
    if (found == 1)
        common[shared++] = ' ';
    if (found && shared > typed && shared < sizeof(common)) {
        common[shared] = '\0';
        if (!insert(common + typed, shared - typed))
            say("\a");
        return;
    }
    if (found < 2)
        return;
    say("\n");
    for (size_t i = 0; candidate(start, i, word, sizeof(word)); i++)
        if (strncmp(word, line.text + start, typed) == 0)
            say("%s  ", word);
    say("\n");
    redraw();
}

static void control(char c)
{
    switch (c) {
    case 'A' - '@':
        move(0);
        break;
    case 'E' - '@':
        move(line.length);
        break;
    case 'B' - '@':
        move(before(line.cursor));
        break;
    case 'F' - '@':
        move(after(line.cursor, 1));
        break;
    case 'P' - '@':
        recall(line.recalled + 1);
        break;
    case 'N' - '@':
        if (line.recalled)
            recall(line.recalled - 1);
        break;
    case 'K' - '@':
        erase(line.cursor, line.length);
        break;
    case 'U' - '@':
        erase(0, line.cursor);
        break;
    case 'W' - '@':
        erase(word_start(), line.cursor);
        break;
    case 'L' - '@':
        redraw();
        break;
    case 'D' - '@':
        erase(line.cursor, after(line.cursor, 1));
        break;
    case 'C' - '@':
        say("^C\n");
        replace("");
        break;
    case '\t':
        complete();
        break;
    case '\b':
    case 0x7f:
        erase(before(line.cursor), line.cursor);
        break;
    default:
        break;
    }
}

/* The end of an escape sequence: arrow keys and their neighbours as control characters. */
static void sequence(char c)
{
    static const char keys[][2] = {{'A', 'P'}, {'B', 'N'}, {'C', 'F'}, {'D', 'B'},
                                   {'H', 'A'}, {'F', 'E'}, {'1', 'A'}, {'7', 'A'},
                                   {'3', 'D'}, {'4', 'E'}, {'8', 'E'}};
    if (c == '~')
        c = line.parameter;
    for (size_t i = 0; i < BB_ARRAY_SIZE(keys); i++)
        if (keys[i][0] == c)
            control((char)(keys[i][1] - '@'));
}

/* A byte of a character that has several (RFC 3629; of the controls none is taken). */
static void take_part(uint8_t byte)
{
    if (byte >= 0xc0) {
        line.due = (unsigned)__builtin_clz(~((uint32_t)byte << 24)) - 1;
        line.code = byte & 0x3fu >> line.due;
        line.come = 0;
    } else {
        line.due--;
        line.code = line.code << 6 | (byte & 0x3f);
    }
    line.character[line.come++] = (char)byte;
    if (line.due)
        return;
    uint32_t lowest = line.come == 2 ? 0xa0 : line.come == 3 ? 0x800 : 0x10000;
    if (line.code < lowest || line.code >> 11 == 0xd800 >> 11 || line.code > 0x10ffff)
        lose();
    else
        type(line.character, line.come);
}

/* True when the line is complete. */
static bool take(char c)
{
    uint8_t byte = (uint8_t)c;
    bool goes_on = (byte & 0xc0) == 0x80;
    if (line.due > 0 && !goes_on) {
        line.due = 0;
        lose();
    }
    if (line.state == ESCAPE) {
        line.state = c == '[' || c == 'O' ? SEQUENCE : PLAIN;
        line.parameter = '\0';
    } else if (line.state == SEQUENCE) {
        if (byte < 0x40) {
            line.parameter = line.parameter ? ';' : c;
        } else {
            line.state = PLAIN;
            sequence(c);
        }
    } else if (c == 0x1b) {
        line.state = ESCAPE;
    } else if (c == '\r' || c == '\n') {
        return true;
    } else if (byte >= 0x80) {
        if (goes_on ? line.due > 0 : byte < 0xf8)
            take_part(byte);
        else
            lose();
    } else if (c >= ' ' && c < 0x7f) {
        type(&c, 1);
    } else {
        control(c);
    }
    return false;
}

static bool next_byte(void *context)
{
    return bb_console_read(NULL, context, 1) == 1;
}

char *line_read(const char *prompt)
{
    char c;
    line.prompt = prompt;
    line.length = line.cursor = line.recalled = 0;
    line.text[0] = '\0';
    line.lost = false;
    say("%s", prompt);
    do {
        bb_wait(next_byte, &c, BB_FOREVER);
        if (c == 'D' - '@' && line.length == 0 && line.state == PLAIN) {
            say("\n");
            return NULL;
        }
    } while (!take(c));
    finish();
    keep();
    if (line.lost && line.length) {
        say("not run: too long or no UTF-8\n");
        line.text[0] = '\0';
    }
    return line.text;
}
