/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of a channel's registers (RM0090, 35.12.3), for the files of this model. */
#ifndef TESTS_MODELS_DWC2_CHANNEL_H
#define TESTS_MODELS_DWC2_CHANNEL_H

#include "dwc2.h"

enum { MPS = 0x7ff, EPDIR = 1 << 15, LSPDDEV = 1 << 17, ODDFRM = 1 << 29, CHDIS = 1 << 30 };
#define CHENA (1u << 31)
enum { COMPSPLT = 1 << 16 };
#define SPLTENA (1u << 31)
enum { DATA0 = 0, DATA1 = 2, SETUP = 3 }; /* HCTSIZ.PID */
#define DOPNG (1u << 31)
enum { XFERSIZE = 0x7ffff, PKTCNT_SHIFT = 19, PKTCNT = 0x3ff, PID_SHIFT = 29, PID = 3 };
static inline unsigned type_of(const struct model_dwc2_channel *channel)
{
    static const uint8_t types[] = {BB_USB_CONTROL, BB_USB_ISOCHRONOUS, BB_USB_BULK,
                                    BB_USB_INTERRUPT};
    return types[channel->hcchar >> 18 & 3];
}

static inline bool is_periodic(const struct model_dwc2_channel *channel)
{
    return type_of(channel) == BB_USB_INTERRUPT;
}

static inline bool is_in(const struct model_dwc2_channel *channel)
{
    return channel->hcchar & EPDIR;
}

static inline bool is_split(const struct model_dwc2_channel *channel)
{
    return channel->hcsplt & SPLTENA;
}

static inline uint32_t packets_left(const struct model_dwc2_channel *channel)
{
    return channel->hctsiz >> PKTCNT_SHIFT & PKTCNT;
}

static inline uint32_t size_left(const struct model_dwc2_channel *channel)
{
    return channel->hctsiz & XFERSIZE;
}

static inline unsigned pid_of(const struct model_dwc2_channel *channel)
{
    return channel->hctsiz >> PID_SHIFT & PID;
}

/* Ends the test unless a channel may be enabled as it is programmed. */
void model_dwc2_check(struct model_dwc2 *dwc2, unsigned number);
/* The channel's memory is the core's, and no longer. */
void model_dwc2_take_memory(struct model_dwc2 *dwc2, unsigned number);
void model_dwc2_give_memory_back(struct model_dwc2 *dwc2, unsigned number);

#endif
