/* SPDX-License-Identifier: BSD-2-Clause */
/* What libext2fs is told about this machine. Its memory is the file systems' pool, and what it
 * calls of a C library is the module's own, everywhere alike. */
#ifndef EXT4_CONFIG_H
#define EXT4_CONFIG_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define OMIT_COM_ERR 1
#define HAVE_STDLIB_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_UNISTD_H 1
#define HAVE_STRNLEN 1
#define HAVE_STRDUP 1
#define CRC_LE_BITS 8
#define CRC_BE_BITS 8
#define SIZEOF_INT 4
#define SIZEOF_LONG 8
#define SIZEOF_LONG_LONG 8
#define SIZEOF_OFF_T 8
#define SIZEOF_TIME_T 8

void *bb_file_malloc(size_t size);
void *bb_file_calloc(size_t count, size_t size);
void *bb_file_realloc(void *memory, size_t size);
void bb_file_free(void *memory);
#define malloc bb_file_malloc
#define calloc bb_file_calloc
#define realloc bb_file_realloc
#define free bb_file_free
#define abort bb_ext4_abort
#define getenv bb_ext4_getenv
#define qsort bb_ext4_qsort
#define strcat bb_ext4_strcat
#define strcpy bb_ext4_strcpy
#define strncpy bb_ext4_strncpy
#define time bb_ext4_time
_Noreturn void bb_ext4_abort(void);
char *bb_ext4_getenv(const char *name);
void bb_ext4_qsort(void *data, size_t count, size_t size,
                   int (*compare)(const void *, const void *));
char *bb_ext4_strcat(char *to, const char *from);
char *bb_ext4_strcpy(char *to, const char *from);
char *bb_ext4_strncpy(char *to, const char *from, size_t size);
time_t bb_ext4_time(time_t *now);

#endif
