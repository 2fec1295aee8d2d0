/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiler and the machine, as lwIP's port guide asks for them. */
#ifndef BUSBAR_LWIP_CC_H
#define BUSBAR_LWIP_CC_H

#include <stdint.h>
#include <stdlib.h>

#include <busbar/base.h>

#define LWIP_NO_INTTYPES_H 1 /* no header of a C library but those that the framework has */
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_UNISTD_H 1

/* Its assertions are promises of its code: checked in debug builds and in tests, like ours. */
#ifdef BB_DEBUG
#define LWIP_PLATFORM_ASSERT(message) bb_assert_failed(message, __FILE__, __LINE__)
#else
#define LWIP_NOASSERT 1
#define LWIP_PLATFORM_ASSERT(message) ((void)0)
#endif
#define LWIP_PLATFORM_DIAG(message) ((void)0)

uint32_t bb_tcpip_random(void);
#define LWIP_RAND() bb_tcpip_random()

uint16_t bb_tcpip_checksum(const void *bytes, int length);
#define LWIP_CHKSUM bb_tcpip_checksum

void *bb_tcpip_alloc(size_t size);
void bb_tcpip_free(void *memory);
#define mem_clib_malloc bb_tcpip_alloc
#define mem_clib_free bb_tcpip_free

#if !__STDC_HOSTED__
#define atoi(text) ((int)strtoul(text, NULL, 10))
#endif

#endif
