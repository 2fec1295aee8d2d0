/* SPDX-License-Identifier: BSD-2-Clause */
/* core/freestanding/cstring.c, under other names, against the host's C library: every alignment and
 * every length around the sizes of its loops. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *own_memcpy(void *restrict to, const void *restrict from, size_t size);
void *own_memmove(void *to, const void *from, size_t size);
void *own_memset(void *to, int byte, size_t size);
int own_memcmp(const void *a, const void *b, size_t size);
void *own_memchr(const void *bytes, int byte, size_t size);
size_t own_strlen(const char *text);
size_t own_strnlen(const char *text, size_t limit);
int own_strcmp(const char *a, const char *b);
int own_strncmp(const char *a, const char *b, size_t limit);
char *own_strchr(const char *text, int c);
char *own_strrchr(const char *text, int c);
size_t own_strcspn(const char *text, const char *reject);
unsigned long own_strtoul(const char *text, char **end, int base);

#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#define memcmp own_memcmp
#define memchr own_memchr
#define strlen own_strlen
#define strnlen own_strnlen
#define strcmp own_strcmp
#define strncmp own_strncmp
#define strchr own_strchr
#define strrchr own_strrchr
#define strcspn own_strcspn
#define strtoul own_strtoul
#define __stack_chk_guard own_stack_chk_guard
#define __stack_chk_fail own_stack_chk_fail
#include <core/freestanding/cstring.c>
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strcspn
#undef strtoul

enum { SIZE = 256, MOST = 90 };

static _Alignas(16) unsigned char ours[SIZE], theirs[SIZE], source[SIZE];

static void fill(void)
{
    for (int i = 0; i < SIZE; i++) {
        ours[i] = theirs[i] = (unsigned char)(i * 7 + 1);
        source[i] = (unsigned char)(i * 13 + 5);
    }
}

static void test_copies(void **state)
{
    (void)state;
    for (size_t to = 0; to < 17; to++)
        for (size_t from = 0; from < 17; from++)
            for (size_t size = 0; size < MOST; size++) {
                fill();
                assert_ptr_equal(own_memcpy(ours + to, source + from, size), ours + to);
                memcpy(theirs + to, source + from, size);
                assert_memory_equal(ours, theirs, SIZE);
            }
}

static void test_overlaps(void **state)
{
    (void)state;
    for (size_t to = 0; to < 40; to++)
        for (size_t from = 0; from < 40; from++)
            for (size_t size = 0; size < MOST; size += 3) {
                fill();
                assert_ptr_equal(own_memmove(ours + to, ours + from, size), ours + to);
                memmove(theirs + to, theirs + from, size);
                assert_memory_equal(ours, theirs, SIZE);
            }
}

static void test_sets(void **state)
{
    (void)state;
    for (size_t to = 0; to < 17; to++)
        for (size_t size = 0; size < 2 * MOST; size++) {
            fill();
            assert_ptr_equal(own_memset(ours + to, 0x1a5, size), ours + to);
            memset(theirs + to, 0xa5, size);
            assert_memory_equal(ours, theirs, SIZE);
        }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_compares(void **state)
{
    (void)state;
    for (size_t a = 0; a < 9; a++)
        for (size_t b = 0; b < 9; b++)
            for (size_t size = 0; size < 40; size++)
                for (size_t wrong = 0; wrong <= size; wrong++) {
                    for (size_t i = 0; i < size; i++)
                        ours[a + i] = theirs[b + i] = (unsigned char)(200 + i);
                    if (wrong < size)
                        ours[a + wrong] = (unsigned char)(wrong % 2 ? 1 : 255);
                    assert_int_equal(sign(own_memcmp(ours + a, theirs + b, size)),
                                     sign(memcmp(ours + a, theirs + b, size)));
                }
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a", "ab", "abc", "b", "abcdefgh", "abcdefgi", "\xff"};
    char *room = test_malloc(SIZE);
    for (size_t at = 0; at < 9; at++)
        for (size_t length = 0; length < MOST; length++) {
            memset(room, 'x', SIZE);
            room[at + length] = '\0';
            room[at + length + 1] = 'y';
            assert_int_equal(own_strlen(room + at), length);
            assert_int_equal(own_strnlen(room + at, 20), length < 20 ? length : 20);
            assert_ptr_equal(own_strchr(room + at, '\0'), room + at + length);
            assert_null(own_strchr(room + at, 'y'));
            assert_int_equal(own_strcspn(room + at, "yz"), length);
        }
    test_free(room);
    for (size_t a = 0; a < sizeof(texts) / sizeof(texts[0]); a++)
        for (size_t b = 0; b < sizeof(texts) / sizeof(texts[0]); b++) {
            assert_int_equal(sign(own_strcmp(texts[a], texts[b])),
                             sign(strcmp(texts[a], texts[b])));
            for (size_t limit = 0; limit < 10; limit++)
                assert_int_equal(sign(own_strncmp(texts[a], texts[b], limit)),
                                 sign(strncmp(texts[a], texts[b], limit)));
        }
    const char *path = "/soc/serial@7e201000";
    assert_ptr_equal(own_strrchr(path, '/'), path + 4);
    assert_null(own_strrchr(path, '!'));
    assert_ptr_equal(own_memchr(path, '@', 20), path + 11);
    assert_null(own_memchr(path, '@', 11));
    assert_int_equal(own_strcspn(path, "@:"), 11);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int base;
    } cases[] = {
        {"0", 0},
        {"17", 0},
        {"017", 0},
        {"0x1F", 0},
        {" \t42x", 0},
        {"ff", 16},
        {"0xff", 16},
        {"18446744073709551615", 10},
        {"18446744073709551616", 10},
        {"zz", 0},
        {"99999999999999999999999", 0},
        {"", 10},
        {"08", 0},
        {"777", 8},
        {"0x", 16},
        {"0xg", 0},
        {"z9", 36},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *own_end, *end;
        assert_true(own_strtoul(cases[i].text, &own_end, cases[i].base) ==
                    strtoul(cases[i].text, &end, cases[i].base));
        assert_ptr_equal(own_end, end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies), cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_sets),   cmocka_unit_test(test_compares),
        cmocka_unit_test(test_texts),  cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
