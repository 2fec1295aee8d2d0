/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What compiled code and libfdt call without being asked. Whole words where both sides are aligned
 * alike: device trees are, and a node's properties are copied and compared all day. Reading a whole
 * aligned word around a string's end never leaves its page.
 */
#define BUSBAR_DEFINES_STRING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORD sizeof(uint64_t)

typedef uint64_t __attribute__((may_alias)) word; /* may stand for any bytes */

/* libfdt's archive is built with a stack protector. The value is fixed: nothing outside can read
 * it, and what it protects against here is a mistake, not an attacker. */
extern const uintptr_t __stack_chk_guard;
extern _Noreturn void __stack_chk_fail(void);
extern _Noreturn void bb_panic(const char *format, ...);

const uintptr_t __stack_chk_guard = 0x00a5c3f00d0aff00;

_Noreturn void __stack_chk_fail(void)
{
    bb_panic("a function wrote past its own stack frame");
}

static bool aligned_alike(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) & (WORD - 1)) == 0;
}

/* Goes upwards and reads each piece before it writes it: right when `to` is below `from`, too. */
static void copy_up(unsigned char *out, const unsigned char *in, size_t size)
{
    if (aligned_alike(out, in)) {
        for (; size && (uintptr_t)out & (WORD - 1); size--)
            *out++ = *in++;
        for (; size >= 2 * WORD; size -= 2 * WORD, out += 2 * WORD, in += 2 * WORD) {
            word first = ((const word *)in)[0];
            word second = ((const word *)in)[1];
            ((word *)out)[0] = first;
            ((word *)out)[1] = second;
        }
    }
    for (; size; size--)
        *out++ = *in++;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *out = to;
    const unsigned char *in = from;
    if ((uintptr_t)to - (uintptr_t)from >= size)
        copy_up(out, in, size);
    else
        while (size--)
            out[size] = in[size];
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    unsigned char *out = to;
    word pattern = 0x0101010101010101ull * (unsigned char)byte;
    for (; size && (uintptr_t)out & (WORD - 1); size--)
        *out++ = (unsigned char)byte;
    for (; size >= 8 * WORD; size -= 8 * WORD, out += 8 * WORD) {
        ((word *)out)[0] = ((word *)out)[1] = ((word *)out)[2] = ((word *)out)[3] = pattern;
        ((word *)out)[4] = ((word *)out)[5] = ((word *)out)[6] = ((word *)out)[7] = pattern;
    }
    for (; size >= WORD; size -= WORD, out += WORD)
        *(word *)out = pattern;
    for (; size; size--)
        *out++ = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    if (aligned_alike(left, right) && ((uintptr_t)left & (WORD - 1)) == 0)
        for (; size >= WORD && *(const word *)left == *(const word *)right; size -= WORD) {
            left += WORD;
            right += WORD;
        }
    for (; size; size--, left++, right++)
        if (*left != *right)
            return *left - *right;
    return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
    for (const unsigned char *at = bytes; size; size--, at++)
        if (*at == (unsigned char)byte)
            return (void *)(uintptr_t)at;
    return NULL;
}

/* True when one of the word's bytes is 0. */
static bool has_zero(word value)
{
    return (value - 0x0101010101010101ull) & ~value & 0x8080808080808080ull;
}

size_t strlen(const char *text)
{
    const char *end = text;
    for (; (uintptr_t)end & (WORD - 1); end++)
        if (!*end)
            return (size_t)(end - text);
    while (!has_zero(*(const word *)(const void *)end))
        end += WORD;
    while (*end)
        end++;
    return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t limit)
{
    size_t length = 0;
    while (length < limit && text[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit && *a && *a == *b; a++, b++)
        limit--;
    return limit ? (unsigned char)*a - (unsigned char)*b : 0;
}

char *strchr(const char *text, int c)
{
    for (;; text++) {
        if (*text == (char)c)
            return (char *)(uintptr_t)text;
        if (!*text)
            return NULL;
    }
}

char *strrchr(const char *text, int c)
{
    const char *found = NULL;
    for (;; text++) {
        if (*text == (char)c)
            found = text;
        if (!*text)
            return (char *)(uintptr_t)found;
    }
}

size_t strcspn(const char *text, const char *reject)
{
    size_t length = 0;
    while (text[length] && !strchr(reject, text[length]))
        length++;
    return length;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'z' ? c - 'a' + 10
           : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                  : INT_MAX;
}

unsigned long strtoul(const char *text, char **end, int base)
{
    unsigned long value = 0;
    bool full = false;
    const char *at = text;
    while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        at++;
    bool hex = at[0] == '0' && (at[1] | 0x20) == 'x' && digit(at[2]) < 16;
    if (base == 0)
        base = hex ? 16 : *at == '0' ? 8 : 10;
    if (base == 16 && hex)
        at += 2;
    const char *digits = at;
    for (; digit(*at) < base; at++)
        full = full || __builtin_mul_overflow(value, (unsigned long)base, &value) ||
               __builtin_add_overflow(value, (unsigned long)digit(*at), &value);
    if (end)
        *end = (char *)(uintptr_t)(at == digits ? text : at);
    return full ? ULONG_MAX : value;
}
