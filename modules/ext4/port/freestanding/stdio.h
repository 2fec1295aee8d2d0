/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of <stdio.h> that libext2fs names. */
#ifndef EXT4_STDIO_H
#define EXT4_STDIO_H

#include <stdarg.h>
#include <stddef.h>

typedef struct FILE FILE;
extern FILE *stdout, *stderr;
int printf(const char *format, ...);
int fprintf(FILE *file, const char *format, ...);
int sprintf(char *buffer, const char *format, ...);
int snprintf(char *buffer, size_t size, const char *format, ...);
int fflush(FILE *file);
int fputs(const char *text, FILE *file);

#endif
