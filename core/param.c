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

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Copies one word without its quotes, which keep spaces in it. Returns where the next may begin. */
static const char *copy_word(const char *from, char **to, bool *open)
{
    *open = false;
    for (; *from && (*open || !is_space(*from)); from++) {
        if (*from == '"')
            *open = !*open;
        else
            *(*to)++ = *from;
    }
    *(*to)++ = '\0';
    return from;
}

static void malformed(const char *word, const char *value, const char *why)
{
    bb_print(BB_WARNING, "parameter %s%s%s: %s, ignored", word, *value ? "=" : "", value, why);
}

/* Copies the well-formed words, each with its end, and returns how many. */
static size_t copy_words(const char *from, char *to)
{
    size_t count = 0;
    for (bool open; *from;) {
        char *word = to;
        if (is_space(*from)) {
            from++;
            continue;
        }
        from = copy_word(from, &to, &open);
        if (!open && *word && *word != '=') {
            count++;
            continue;
        }
        malformed(word, "", open ? "a quote is not closed" : "it has no name");
        to = word;
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
    const char *level = bb_param_get("log");
    if (level && bb_log_set_threshold(level) < 0)
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
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
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

static bool parse_bool(const char *text, bool *value)
{
    static const char answers[][6] = {"",  "1", "y",  "yes", "on",   "true",
                                      "0", "n", "no", "off", "false"};
    size_t i = 0;
    while (i < BB_ARRAY_SIZE(answers) && strcmp(text, answers[i]) != 0)
        i++;
    if (i < BB_ARRAY_SIZE(answers))
        *value = i < 6;
    return i < BB_ARRAY_SIZE(answers);
}

/* NULL when the value was taken, else what is wrong with it. */
static const char *write_value(enum bb_param_type type, const char *text, void *at)
{
    uint64_t number;
    switch (type) {
    case BB_PARAM_BOOL:
        return parse_bool(text, at) ? NULL : "not yes or no";
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

int bb_param_apply(const struct bb_driver *driver, void *state)
{
    const char *slash = strchr(driver->name, '/');
    const char *chip = slash ? slash + 1 : driver->name;
    size_t length = strlen(chip);
    for (size_t i = 0; driver->params && i < word_count; i++) {
        struct word *word = &words[i];
        if (strncmp(word->name, chip, length) != 0 || word->name[length] != '.')
            continue;
        for (const struct bb_param *param = driver->params; param->name; param++) {
            if (strcmp(word->name + length + 1, param->name) != 0)
                continue;
            const char *wrong =
                write_value(param->type, word->value, (char *)state + param->offset);
            if (wrong && !word->known) /* once, though every device of the driver looks */
                malformed(word->name, word->value, wrong);
            word->known = true;
        }
    }
    return 0;
}

void bb_param_report_unknown(void)
{
    char text[140];
    size_t count = 0, length = 0;
    bool cut = false;
    for (size_t i = 0; i < word_count; i++) {
        if (words[i].known)
            continue;
        words[i].known = true; /* named once, though binding may run again */
        count++;
        size_t more = strlen(words[i].name) + 1;
        cut = cut || length + more >= sizeof(text);
        if (!cut)
            length += bb_format(text + length, sizeof(text) - length, " %s", words[i].name);
    }
    if (count)
        bb_print(BB_INFO, "unknown parameters, ignored:%.*s%s (%zu in all)", (int)length, text,
                 cut ? " ..." : "", count);
}
