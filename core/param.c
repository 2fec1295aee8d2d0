/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line as a table of words, made once; names and values point into one copy of it. */
#include <string.h>

#include <busbar/arena.h>
#include <busbar/log.h>

#include "core.h"

struct word {
    const char *name;
    const char *value; /* "" where there is no '=' */
    bool known;        /* somebody asked for it */
};
static struct word *words;
static size_t word_count;

static size_t find_word(const char *const *list, const char *word)
{
    size_t i = 0;
    while (list[i] && strcmp(list[i], word) != 0)
        i++;
    return i;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void malformed(const char *word, const char *value, const char *why)
{
    bb_print(BB_WARNING, "parameter %s%s%s: %s, ignored", word, *value ? "=" : "", value, why);
}

/* Copies the well-formed words, each with its end and without the quotes that keep spaces in it,
 * and returns how many. */
static size_t copy_words(const char *from, char *to)
{
    size_t count = 0;
    while (*from) {
        char *word = to;
        bool open = false;
        for (; *from && (open || !is_space(*from)); from++) {
            if (*from == '"')
                open = !open;
            else
                *to++ = *from;
        }
        from += *from != '\0';
        *to++ = '\0';
        bool good = !open && *word && *word != '=';
        if (open || *word == '=')
            malformed(word, "", open ? "a quote is not closed" : "it has no name");
        if (!good)
            to = word;
        count += good;
    }
    return count;
}

void bb_param_parse(const char *command_line)
{
    char *at = bb_arena_alloc(strlen(command_line) + 1, 1);
    size_t count = at ? copy_words(command_line, at) : 0;
    words = bb_arena_alloc(count * sizeof(*words), _Alignof(struct word));
    for (word_count = 0; words && word_count < count; word_count++) {
        char *end = at + strlen(at), *equals = strchr(at, '=');
        if (equals)
            *equals = '\0';
        words[word_count] = (struct word){at, equals ? equals + 1 : end, false};
        at = end + 1;
    }
    static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
    const char *level = bb_param_get("log");
    if (level && levels[find_word(levels, level)])
        bb_log_set_threshold((enum bb_level)find_word(levels, level));
    else if (level)
        malformed("log", level, "not one of error, warning, info, debug");
}

const char *bb_param_get_at(const char *name, size_t index)
{
    for (size_t i = 0; i < word_count; i++)
        if (strcmp(words[i].name, name) == 0) {
            words[i].known = true;
            if (index-- == 0)
                return words[i].value;
        }
    return NULL;
}

/* The last one counts, as people append. */
const char *bb_param_get(const char *name)
{
    const char *value = NULL, *next;
    for (size_t i = 0; (next = bb_param_get_at(name, i)); i++)
        value = next;
    return value;
}

static bool parse_number(const char *text, uint64_t limit, uint64_t *value)
{
    bool hex = text[0] == '0' && text[1] == 'x';
    unsigned base = hex ? 16 : 10;
    text += hex ? 2 : 0;
    bool valid = *text;
    for (*value = 0; *text && valid; text++) {
        unsigned c = (unsigned char)*text, letter = (c | 0x20) - 'a';
        unsigned digit = c - '0' < 10 ? c - '0' : letter < 6 ? letter + 10 : base;
        valid = digit < base && *value <= (limit - digit) / base;
        *value = *value * base + digit;
    }
    return valid;
}

/* NULL when the value was taken, else what it is not. */
static const char *write_value(enum bb_param_type type, const char *text, void *at)
{
    static const char *const answers[] = {"",  "1",  "yes", "on",    "true",
                                          "0", "no", "off", "false", NULL};
    uint64_t number;
    switch (type) {
    case BB_PARAM_BOOL:
        number = find_word(answers, text);
        *(bool *)at = number < 5;
        return answers[number] ? NULL : "not yes or no";
    case BB_PARAM_U32:
        if (!parse_number(text, UINT32_MAX, &number))
            return "not a number below 2^32";
        *(uint32_t *)at = (uint32_t)number;
        return NULL;
    case BB_PARAM_U64:
        if (!parse_number(text, UINT64_MAX, &number))
            return "not a number below 2^64";
        *(uint64_t *)at = number;
        return NULL;
    case BB_PARAM_STRING:
        *(const char **)at = text;
    }
    return NULL;
}

void bb_param_apply(const struct bb_driver *driver, void *state)
{
    for (const struct bb_param *param = driver->params; param && param->name; param++) {
        char name[64];
        bb_format(name, sizeof(name), "%s.%s", strchr(driver->name, '/') + 1, param->name);
        for (size_t i = 0; i < word_count; i++) {
            struct word *word = &words[i];
            if (strcmp(word->name, name) != 0)
                continue;
            const char *wrong =
                write_value(param->type, word->value, (char *)state + param->offset);
            if (wrong && !word->known) /* once, though every device of the driver looks */
                malformed(word->name, word->value, wrong);
            word->known = true;
        }
    }
}

void bb_param_report_unknown(void)
{
    char text[140];
    size_t count = 0, length = 0;
    bool cut = false;
    for (size_t i = 0; i < word_count; i++) {
        struct word *word = &words[i];
        if (word->known)
            continue;
        cut |= length + strlen(word->name) + 1 >= sizeof(text);
        length += cut ? 0 : bb_format(text + length, sizeof(text) - length, " %s", word->name);
        word->known = true;
        count++;
    }
    if (count)
        bb_print(BB_INFO, "unknown parameters, ignored:%.*s%s (%zu in all)", (int)length, text,
                 cut ? " ..." : "", count);
}
