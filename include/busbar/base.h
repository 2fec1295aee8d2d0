/* SPDX-License-Identifier: BSD-2-Clause */
/* What every file needs: integers, error numbers, assertions, container_of. */
#ifndef BUSBAR_BASE_H
#define BUSBAR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <busbar/errno.h>

#define BB_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BB_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define BB_NORETURN __attribute__((noreturn))
#define BB_NOINLINE __attribute__((noinline)) /* where copies cost more than the call */

/* The structure that holds `member` at `pointer`. The pointer's type is checked. */
#define bb_container_of(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))

/* Prints where and what, registers and the way there, then halts. Never returns. */
BB_NORETURN void bb_panic(const char *format, ...) BB_PRINTF(1, 2);
BB_NORETURN void bb_assert_failed(const char *expression, const char *file, int line);

/* A promise of the code, not a check of outside input: checked in debug builds only. */
#ifdef BB_DEBUG
#define BB_ASSERT(expression)                                                                      \
    ((expression) ? (void)0 : bb_assert_failed(#expression, __FILE__, __LINE__))
#else
#define BB_ASSERT(expression) ((void)sizeof(!(expression)))
#endif

#endif
