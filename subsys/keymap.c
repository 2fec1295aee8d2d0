/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keyboard layouts (usages: USB HID Usage Tables 1.12, section 10; escape sequences: ECMA-48 and
 * xterm's function keys). A layout is what is printed on the keys, row by row. A combining
 * diacritic in it is a dead key: it types nothing, and changes the key after it.
 */
#include <string.h>

#include <busbar/log.h>

#include "keymap.h"

enum { PLAIN, SHIFTED, ALTGR, LEVELS };
enum { KEYS = 48, NONE = ' ' }; /* the space bar is no key of a layout */
enum { CONTROL = 0x11, SHIFT = 0x22, LEFT_ALT = 0x04, RIGHT_ALT = 0x40 }; /* modifiers */
enum { ESCAPE = 0x1b, RUBOUT = 0x7f };

/* The usages of a layout's keys: four rows, left to right, of the keyboards that Europe has. */
static const uint8_t places[KEYS] = {
    0x35, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2d, 0x2e,
    0x14, 0x1a, 0x08, 0x15, 0x17, 0x1c, 0x18, 0x0c, 0x12, 0x13, 0x2f, 0x30, /* Q to P */
    0x04, 0x16, 0x07, 0x09, 0x0a, 0x0b, 0x0d, 0x0e, 0x0f, 0x33, 0x34, 0x31, /* A to L */
    0x64, 0x1d, 0x1b, 0x06, 0x19, 0x05, 0x11, 0x10, 0x36, 0x37, 0x38,       /* Z to M */
};
enum { HASH = 0x32, BACKSLASH = 0x31 }; /* one key, two usages: Europe's and America's */

struct layout {
    char name[4];
    char point; /* of the number pad */
    bool has_altgr;
    uint8_t keys[LEVELS][KEYS]; /* codes; see unpack() */
};

/* A byte for each key: Latin-1, and in place of its C1 controls what is not in it. */
enum { MARKS = 0x80, EURO = 0x90, FIRST_MARK = 0x300, LAST_MARK = 0x30f };
#define CODE(text, i)                                                                              \
    (uint8_t)((text)[i] < FIRST_MARK   ? (text)[i]                                                 \
              : (text)[i] <= LAST_MARK ? (text)[i] - FIRST_MARK + MARKS                            \
                                       : EURO)
#define CODES(text, i) CODE(text, i), CODE(text, (i) + 1), CODE(text, (i) + 2), CODE(text, (i) + 3)
#define CODES_16(text, i)                                                                          \
    CODES(text, i), CODES(text, (i) + 4), CODES(text, (i) + 8), CODES(text, (i) + 12)
#define LEVEL(text)                                                                                \
    {                                                                                              \
        CODES_16(text, 0), CODES_16(text, 16), CODES_16(text, 32)                                  \
    }

static const struct layout layouts[] = {
    {"us",
     '.',
     false,
     {LEVEL(u"`1234567890-="
            u"qwertyuiop[]"
            u"asdfghjkl;'\\"
            u"\\zxcvbnm,./"),
      LEVEL(u"~!@#$%^&*()_+"
            u"QWERTYUIOP{}"
            u"ASDFGHJKL:\"|"
            u"|ZXCVBNM<>?")}},
    {"uk",
     '.',
     true,
     {LEVEL(u"`1234567890-="
            u"qwertyuiop[]"
            u"asdfghjkl;'#"
            u"\\zxcvbnm,./"),
      LEVEL(u"¬!\"£$%^&*()_+"
            u"QWERTYUIOP{}"
            u"ASDFGHJKL:@~"
            u"|ZXCVBNM<>?"),
      LEVEL(u"¦   €        "
            u"  é   úíó   "
            u"á           "
            u"           ")}},
    {"de",
     ',',
     true,
     {LEVEL(u"\u03021234567890ß\u0301"
            u"qwertzuiopü+"
            u"asdfghjklöä#"
            u"<yxcvbnm,.-"),
      LEVEL(u"°!\"§$%&/()=?\u0300"
            u"QWERTZUIOPÜ*"
            u"ASDFGHJKLÖÄ'"
            u">YXCVBNM;:_"),
      LEVEL(u"  ²³   {[]}\\ "
            u"@ €        ~"
            u"            "
            u"|      µ   ")}},
    {"fr",
     '.',
     true,
     {LEVEL(u"²&é\"'(-è_çà)="
            u"azertyuiop\u0302$"
            u"qsdfghjklmù*"
            u"<wxcvbn,;:!"),
      LEVEL(u" 1234567890°+"
            u"AZERTYUIOP\u0308£"
            u"QSDFGHJKLM%µ"
            u">WXCVBN?./§"),
      LEVEL(u"  ~#{[|`\\^@]}"
            u"  €        ¤"
            u"            "
            u"           ")}},
};

static const struct layout *chosen; /* NULL: the first */
static uint16_t dead;               /* diacritic that waits for its letter, 0: none */

static const struct layout *layout(void)
{
    return chosen ? chosen : layouts;
}

int bb_keymap_choose(const char *name)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(layouts); i++)
        if (strcmp(layouts[i].name, name) == 0) {
            chosen = &layouts[i];
            dead = 0;
            return 0;
        }
    return -EINVAL;
}

const char *bb_keymap_name(void)
{
    return layout()->name;
}

const char *bb_keymap_name_at(size_t index)
{
    return index < BB_ARRAY_SIZE(layouts) ? layouts[index].name : NULL;
}

/* ---- Letters and signs ---- */

static uint16_t unpack(uint8_t code)
{
    if (code == NONE)
        return 0;
    if (code >= MARKS && code < MARKS + 16)
        return (uint16_t)(code - MARKS + FIRST_MARK);
    return code == EURO ? 0x20ac : code;
}

/* Of a letter of Latin-1: its upper case is 32 below it. */
static bool is_letter(const uint8_t keys[LEVELS][KEYS], size_t place)
{
    return keys[PLAIN][place] == keys[SHIFTED][place] + 32 &&
           ((keys[PLAIN][place] >= 'a' && keys[PLAIN][place] <= 'z') || keys[PLAIN][place] >= 0xe0);
}

static uint16_t look_up(uint32_t usage, uint32_t modifiers, uint32_t locks)
{
    const uint8_t *place = memchr(places, usage == HASH ? BACKSLASH : (int)usage, KEYS);
    const struct layout *used = layout();
    if (usage == BB_KEY_SPACE)
        return ' ';
    if (!place)
        return 0;
    size_t at = (size_t)(place - places);
    bool shift = modifiers & SHIFT;
    if (used->has_altgr && modifiers & RIGHT_ALT)
        return unpack(used->keys[ALTGR][at]);
    if (locks & BB_INPUT_CAPS_LOCK && is_letter(used->keys, at))
        shift = !shift;
    return unpack(used->keys[shift ? SHIFTED : PLAIN][at]);
}

/* What a diacritic is by itself, and makes of letters: letter, result ..., filled up with spaces.
 */
enum { PAIRS = 24 };
#define LETTERS(text)                                                                              \
    {                                                                                              \
        CODES_16(text, 0), CODES(text, 16), CODES(text, 20)                                        \
    }
static const struct {
    uint16_t mark;
    uint8_t alone, pairs[PAIRS];
} marks[] = {
    {0x300, '`', LETTERS(u"aàeèiìoòuùAÀEÈIÌOÒUÙ    ")},
    {0x301, 0xb4, LETTERS(u"aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝ")},
    {0x302, '^', LETTERS(u"aâeêiîoôuûAÂEÊIÎOÔUÛ    ")},
    {0x308, 0xa8, LETTERS(u"aäeëiïoöuüyÿAÄEËIÏOÖUÜ  ")},
};

/* Puts the diacritic on a letter. Where there is no such letter, or it comes twice, it stands
 * alone: returned in `before`, 0 where it was used up. */
static uint16_t combine(uint16_t mark, uint16_t code, uint16_t *before)
{
    *before = 0;
    for (size_t i = 0; i < BB_ARRAY_SIZE(marks); i++) {
        if (marks[i].mark != mark)
            continue;
        if (code == ' ' || code == mark)
            return marks[i].alone;
        for (size_t at = 0; at < PAIRS; at += 2)
            if (marks[i].pairs[at] == code)
                return marks[i].pairs[at + 1];
        *before = marks[i].alone;
    }
    return code;
}

static size_t put_utf8(uint16_t code, char *text)
{
    if (code < 0x80) {
        text[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        text[0] = (char)(0xc0 | code >> 6);
        text[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    text[0] = (char)(0xe0 | code >> 12);
    text[1] = (char)(0x80 | (code >> 6 & 0x3f));
    text[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* What a key means together with Ctrl; false when that is nothing. */
static bool control_code(uint16_t code, uint16_t *control)
{
    static const char digits[] = {0x00, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, RUBOUT}; /* 2 to 8 */
    if ((code >= '@' && code <= '_') || (code >= 'a' && code <= 'z'))
        *control = code & 0x1f;
    else if (code >= '2' && code <= '8')
        *control = (uint8_t)digits[code - '2'];
    else if (code == ' ' || code == '/' || code == '?')
        *control = code == ' ' ? 0 : code == '/' ? 0x1f : RUBOUT;
    else
        return false;
    return true;
}

static bool has_alt(uint32_t modifiers)
{
    return modifiers & LEFT_ALT || (modifiers & RIGHT_ALT && !layout()->has_altgr);
}

static size_t sign(uint16_t code, uint32_t modifiers, char text[BB_INPUT_TEXT])
{
    size_t length = 0;
    uint16_t before = 0;
    if (modifiers & CONTROL) {
        dead = 0;
        if (!control_code(code, &code))
            return 0;
    } else if (dead) {
        code = combine(dead, code, &before);
        dead = 0;
    } else if (code >= FIRST_MARK && code <= LAST_MARK) {
        dead = code;
        return 0;
    }
    if (code >= FIRST_MARK &&
        code <= LAST_MARK) { /* a second one, another: the first stands alone */
        dead = code;
        return put_utf8(before, text);
    }
    if (has_alt(modifiers))
        text[length++] = ESCAPE;
    if (before)
        length += put_utf8(before, text + length);
    return length + put_utf8(code, text + length);
}

/* ---- Keys that are no letters ---- */

/* By usage: the last byte of its sequence, or the number before a tilde. */
static const struct {
    uint8_t usage, final, number;
} specials[] = {
    {BB_KEY_UP, 'A', 0},        {BB_KEY_DOWN, 'B', 0},    {BB_KEY_RIGHT, 'C', 0},
    {BB_KEY_LEFT, 'D', 0},      {BB_KEY_HOME, 'H', 0},    {BB_KEY_END, 'F', 0},
    {BB_KEY_INSERT, '~', 2},    {BB_KEY_DELETE, '~', 3},  {BB_KEY_PAGE_UP, '~', 5},
    {BB_KEY_PAGE_DOWN, '~', 6}, {BB_KEY_F1, 'P', 0},      {BB_KEY_F1 + 1, 'Q', 0},
    {BB_KEY_F1 + 2, 'R', 0},    {BB_KEY_F1 + 3, 'S', 0},  {BB_KEY_F1 + 4, '~', 15},
    {BB_KEY_F1 + 5, '~', 17},   {BB_KEY_F1 + 6, '~', 18}, {BB_KEY_F1 + 7, '~', 19},
    {BB_KEY_F1 + 8, '~', 20},   {BB_KEY_F1 + 9, '~', 21}, {BB_KEY_F1 + 10, '~', 23},
    {BB_KEY_F12, '~', 24},
};

/* xterm's number for modifiers: 1 and a bit for each. */
static unsigned modifier_number(uint32_t modifiers)
{
    unsigned number = 1;
    number += modifiers & SHIFT ? 1 : 0;
    number += has_alt(modifiers) ? 2 : 0;
    number += modifiers & CONTROL ? 4 : 0;
    return number;
}

static size_t special(uint32_t usage, uint32_t modifiers, char text[BB_INPUT_TEXT])
{
    char sequence[BB_INPUT_TEXT + 1];
    unsigned held = modifier_number(modifiers);
    for (size_t i = 0; i < BB_ARRAY_SIZE(specials); i++) {
        if (specials[i].usage != usage)
            continue;
        unsigned number = specials[i].number, final = specials[i].final;
        size_t length;
        if (held > 1)
            length = bb_format(sequence, sizeof(sequence), "\x1b[%u;%u%c", number ? number : 1,
                               held, (char) final);
        else if (number)
            length = bb_format(sequence, sizeof(sequence), "\x1b[%u~", number);
        else
            length = bb_format(sequence, sizeof(sequence), "\x1b%c%c",
                               final >= 'P' && final <= 'S' ? 'O' : '[', (char) final);
        memcpy(text, sequence, length);
        return length;
    }
    return 0;
}

static size_t plain(char c, uint32_t modifiers, char text[BB_INPUT_TEXT])
{
    size_t length = 0;
    if (has_alt(modifiers))
        text[length++] = ESCAPE;
    text[length++] = c;
    return length;
}

/* The number pad, from "/" on: a digit where it is locked, else the key that is printed below. */
static size_t pad(uint32_t usage, uint32_t modifiers, uint32_t locks, char text[BB_INPUT_TEXT])
{
    static const char signs[] = "/*-+\r1234567890";
    static const uint8_t below[] = {
        BB_KEY_END, BB_KEY_DOWN,    BB_KEY_PAGE_DOWN, BB_KEY_LEFT,  0, BB_KEY_RIGHT, BB_KEY_HOME,
        BB_KEY_UP,  BB_KEY_PAGE_UP, BB_KEY_INSERT,    BB_KEY_DELETE};
    bool digit = usage >= BB_KEY_PAD_1;
    bool locked = locks & BB_INPUT_NUM_LOCK && !(modifiers & SHIFT);
    if (digit && !locked)
        return special(below[usage - BB_KEY_PAD_1], modifiers & ~(uint32_t)SHIFT, text);
    return plain(usage == BB_KEY_PAD_POINT ? layout()->point : signs[usage - BB_KEY_PAD_SLASH],
                 modifiers, text);
}

size_t bb_keymap_text(uint32_t usage, uint32_t modifiers, uint32_t locks, char text[BB_INPUT_TEXT])
{
    uint16_t code = look_up(usage, modifiers, locks);
    if (code)
        return sign(code, modifiers, text);
    if (usage >= BB_KEY_LEFT_CONTROL)
        return 0;
    dead = 0;
    switch (usage) {
    case BB_KEY_ENTER:
        return plain('\r', modifiers, text);
    case BB_KEY_ESCAPE:
        return plain(ESCAPE, modifiers, text);
    case BB_KEY_BACKSPACE:
        return plain(modifiers & CONTROL ? '\b' : RUBOUT, modifiers, text);
    case BB_KEY_TAB:
        if (!(modifiers & SHIFT))
            return plain('\t', modifiers, text);
        memcpy(text, "\x1b[Z", 3);
        return 3;
    default:
        return usage >= BB_KEY_PAD_SLASH && usage <= BB_KEY_PAD_POINT
                   ? pad(usage, modifiers, locks, text)
                   : special(usage, modifiers, text);
    }
}
