/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The web server: connections of lwIP's raw API, kept alive and pipelined, each a fixed structure.
 * Everything has a bound: how many connections there are, how long one may stay idle, take for a
 * request or not take what it asked for, and how much of the receive pool it can hold.
 */
#ifndef WEBPAGE_SERVER_H
#define WEBPAGE_SERVER_H

#include <stdint.h>

/* Begins to listen, on every address. 0, -EBUSY, -ENOMEM. Thread context, once. */
int server_start(uint16_t port);

#endif
