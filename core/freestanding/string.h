/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of <string.h> that the framework, libfdt and the compiler call. */
#ifndef BUSBAR_FREESTANDING_STRING_H
#define BUSBAR_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *bytes, int byte, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *text, int c);
char *strrchr(const char *text, int c);
size_t strcspn(const char *text, const char *reject);

/* So that the compiler may do small ones by itself, which -ffreestanding forbids otherwise: a cell
 * of a device tree is copied in a few instructions. */
#ifndef BUSBAR_DEFINES_STRING_H
#define memcpy(to, from, size) __builtin_memcpy(to, from, size)
#define memmove(to, from, size) __builtin_memmove(to, from, size)
#define memset(to, byte, size) __builtin_memset(to, byte, size)
#define memcmp(a, b, size) __builtin_memcmp(a, b, size)
#define strlen(text) __builtin_strlen(text)
#define strcmp(a, b) __builtin_strcmp(a, b)
#endif

#endif
