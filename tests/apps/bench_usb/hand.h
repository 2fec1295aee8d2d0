/* SPDX-License-Identifier: BSD-2-Clause */
/* A stick read by hand, through one channel of the Pi's USB controller. */
#ifndef BENCH_USB_HAND_H
#define BENCH_USB_HAND_H

#include <busbar/usb.h>

enum { HAND_BYTES = 65536 };

/* The stick and its endpoints, as the bus has set them up and with nothing in flight; the program's
 * own channel. */
void hand_begin(struct bb_usb_endpoint *in, struct bb_usb_endpoint *out);
/* Reads HAND_BYTES at this sector of 512 bytes. Returns how often it looked in vain, or negative.
 */
int64_t hand_read(uint32_t sector, void *data);
/* Looks in vain as often as that. */
void hand_look(uint32_t times);
/* Leaves the endpoints as the bus expects them. */
void hand_end(void);

#endif
