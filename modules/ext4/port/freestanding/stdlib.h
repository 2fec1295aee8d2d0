/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of <stdlib.h> that libext2fs calls. */
#ifndef EXT4_STDLIB_H
#define EXT4_STDLIB_H

#include <stddef.h>

unsigned long strtoul(const char *text, char **end, int base);
char *getenv(const char *name);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *memory, size_t size);
void free(void *memory);
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
_Noreturn void abort(void);

#endif
