/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monotonic time and deadlines; wall time is in <busbar/rtc.h>. Nanoseconds since start, computed
 * from the counter's own ticks and frequency without rounding that adds up: exact for any
 * frequency, for centuries. Readable in every context; 0 until the first timer device runs (on
 * aarch64: from the first instruction of C, by the architectural counter).
 */
#ifndef BUSBAR_TIME_H
#define BUSBAR_TIME_H

#include <busbar/base.h>

#define BB_USEC 1000ull
#define BB_MSEC 1000000ull
#define BB_SEC 1000000000ull
#define BB_FOREVER UINT64_MAX

uint64_t bb_time(void); /* nanoseconds since start */

/* Ticks to nanoseconds and back, exact to less than one unit; no overflow below 2^64 results. */
uint64_t bb_ticks_to_ns(uint64_t ticks, uint64_t hz);
uint64_t bb_ns_to_ticks(uint64_t ns, uint64_t hz); /* rounds up; saturates at UINT64_MAX */

/* Waits without sleeping, for the short delays that datasheets ask for. At most 10 ms. Any context.
 */
void bb_delay(uint64_t ns);

#endif
