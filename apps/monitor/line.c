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
    char history[LINE_HISTORY][LINE_SIZE];
    size_t kept;           /* lines ever kept */
    size_t recalled;       /* how far up the history, 0: the new line */
    char draft[LINE_SIZE]; /* the new line while an old one is shown */
    const char *prompt;
    enum { PLAIN, ESCAPE, SEQUENCE } state;
    char parameter; /* of an escape sequence: its only digit; 0: none, ';': more */
} line;

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
    size_t half = window_size() / 2;
    return line.cursor < 2 * half ? 0 : (line.cursor / half - 1) * half;
}

static void redraw(void)
{
    size_t start = window_start(), shown = line.length - start;
    if (shown > window_size())
        shown = window_size();
    say("\r%s%.*s\x1b[K", start ? "<" : line.prompt, (int)shown, line.text + start);
    if (line.cursor < start + shown)
        say("\x1b[%uD", (unsigned)(start + shown - line.cursor));
}

/* A line is complete: what scrolled away is shown, for those who read the terminal later. */
static void finish(void)
{
    if (line.length > window_size() || window_start())
        say("\r%s%s\x1b[K", line.prompt, line.text);
    say("\n");
}

static void replace(const char *text)
{
    line.length = strlen(text);
    memmove(line.text, text, line.length + 1);
    line.cursor = line.length;
    redraw();
}

static void insert(const char *text, size_t size)
{
    if (line.length + size >= LINE_SIZE)
        return;
    memmove(line.text + line.cursor + size, line.text + line.cursor, line.length - line.cursor + 1);
    memcpy(line.text + line.cursor, text, size);
    size_t start = window_start();
    line.length += size;
    line.cursor += size;
    if (line.cursor == line.length && window_start() == start)
        say("%s", line.text + line.length - size);
    else
        redraw();
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
    if (to <= line.length) {
        line.cursor = to;
        redraw();
    }
}

static void recall(size_t steps)
{
    size_t available = line.kept < LINE_HISTORY ? line.kept : LINE_HISTORY;
    if (steps > available)
        return;
    if (line.recalled == 0)
        memcpy(line.draft, line.text, LINE_SIZE);
    line.recalled = steps;
    replace(steps ? line.history[(line.kept - steps) % LINE_HISTORY] : line.draft);
}

static void keep(void)
{
    const char *newest = line.kept ? line.history[(line.kept - 1) % LINE_HISTORY] : "";
    if (line.length && strcmp(newest, line.text) != 0)
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
    if (start == 0) {
        for (size_t i = 0; commands[i]; i++)
            if (i == index) {
                bb_format(word, size, "%s", commands[i]->name);
                return true;
            }
        return false;
    }
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
        insert(common + typed, shared - typed);
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
        move(line.cursor - 1);
        break;
    case 'F' - '@':
        move(line.cursor + 1);
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
        erase(line.cursor, line.cursor + (line.cursor < line.length));
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
        if (line.cursor)
            erase(line.cursor - 1, line.cursor);
        break;
    default:
        break;
    }
}

/* The end of an escape sequence: arrow keys and their neighbours as control characters. */
static void sequence(char c)
{
    static const char keys[][2] = {{'A', 'P'}, {'B', 'N'}, {'C', 'F'},
                                   {'D', 'B'}, {'H', 'A'}, {'F', 'E'}};
    for (size_t i = 0; i < BB_ARRAY_SIZE(keys); i++)
        if (keys[i][0] == c)
            control((char)(keys[i][1] - '@'));
    if (c != '~')
        return;
    if (line.parameter == '3')
        control('D' - '@');
    else if (line.parameter == '1' || line.parameter == '7')
        move(0);
    else if (line.parameter == '4' || line.parameter == '8')
        move(line.length);
}

/* True when the line is complete. */
static bool take(char c)
{
    if (line.state == ESCAPE) {
        line.state = c == '[' || c == 'O' ? SEQUENCE : PLAIN;
        line.parameter = '\0';
    } else if (line.state == SEQUENCE) {
        if (c < 0x40) {
            line.parameter = line.parameter ? ';' : c;
        } else {
            line.state = PLAIN;
            sequence(c);
        }
    } else if (c == 0x1b) {
        line.state = ESCAPE;
    } else if (c == '\r' || c == '\n') {
        return true;
    } else if (c >= ' ' && c < 0x7f) {
        insert(&c, 1);
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
    return line.text;
}
