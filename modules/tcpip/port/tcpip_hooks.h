/* SPDX-License-Identifier: BSD-2-Clause */
/* Included by lwIP where it asks its port. */
#ifndef BUSBAR_LWIP_HOOKS_H
#define BUSBAR_LWIP_HOOKS_H

#include <lwip/ip_addr.h>

/* The first sequence number of a connection, not to be guessed (RFC 6528). */
u32_t bb_tcpip_first_sequence(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                              u16_t remote_port);

#endif
