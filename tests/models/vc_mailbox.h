/* SPDX-License-Identifier: BSD-2-Clause */
/* The Raspberry Pi's mailbox and the firmware behind it: property channel 8. */
#ifndef TESTS_MODELS_VC_MAILBOX_H
#define TESTS_MODELS_VC_MAILBOX_H

#include "model.h"

#define VC_FIFO 8
#define VC_CLOCKS 16
#define VC_DOMAINS 24
#define VC_POWERS 9

enum vc_mode {
    VC_HONEST,
    VC_SILENT,      /* never answers */
    VC_STUCK,       /* never takes a word: the mailbox stays full */
    VC_LONG,        /* says a response longer than the room */
    VC_SHORT,       /* says a response of 0 bytes, and success */
    VC_ODD,         /* says a response of 3 bytes */
    VC_ERROR,       /* the whole buffer failed */
    VC_UNANSWERED,  /* answers the word and leaves the buffer's code as the request's */
    VC_OTHER_FIRST, /* a word for another channel comes first */
    VC_STALE,       /* a late answer of this channel stands there before the call */
    VC_WRONG_WORD,  /* the answer names another buffer */
    VC_WRONG_ID,    /* answers about another clock, domain or sensor than was asked */
};

#define VC_DISPLAY_MEMORY 0x3c000000u /* the GPU's memory: real, at its own address */
#define VC_DISPLAY_SIZE 0x03000000u   /* up to the registers */
#define VC_DISPLAY_ALL 15u            /* what an allocation wants set: a bit for each tag */

enum vc_display_lie {
    VC_DISPLAY_HONEST,
    VC_DISPLAY_UNKNOWN, /* no such tag */
    VC_DISPLAY_PARTIAL, /* half of each pair */
    VC_DISPLAY_REFUSED, /* no buffer: address 0 */
    VC_DISPLAY_SMALL,   /* a byte less than is shown */
    VC_DISPLAY_BELOW,   /* in the CPU's memory */
    VC_DISPLAY_BEYOND,  /* ends after the GPU's */
    VC_DISPLAY_WRAPS,   /* ends after 4 GiB */
    VC_DISPLAY_ODD,     /* not where it was wanted aligned */
    VC_DISPLAY_NO_SIZE,
    VC_DISPLAY_HUGE,
    VC_DISPLAY_NARROW, /* the virtual screen is smaller than the physical one */
    VC_DISPLAY_MOVED,  /* another offset */
    VC_DISPLAY_SHALLOW,
    VC_DISPLAY_ORDER, /* a pixel order that there is not */
    VC_DISPLAY_PITCH_SHORT,
    VC_DISPLAY_PITCH_ODD,
    VC_DISPLAY_PITCH_HUGE,
    VC_DISPLAY_LIES,
};

struct vc_display {
    uint32_t native[2]; /* what the panel has */
    uint32_t physical[2], virtual[2];
    uint32_t depth, order, pitch, blank;
    uint32_t address;     /* of the buffer, as the CPU sees it; 0: none */
    uint32_t set;         /* in this message: size 1, virtual size 2, depth 4, order 8 */
    unsigned allocations; /* since the start */
    bool blue_low;        /* does not do the other pixel order */
    enum vc_display_lie lie;
};

struct model_vc_mailbox {
    struct model model;
    struct wire irq;
    enum vc_mode mode;
    uint64_t latency;  /* ns until an answer */
    uint64_t bus_base; /* this bus address is host_base */
    unsigned char *host_base;
    size_t host_size;
    unsigned char *seen; /* memory as the firmware sees it: what is in the CPU's cache is not */
    unsigned char
        *synced;          /* the CPU's view after its last cache operation: what differs is dirty */
    uint32_t in[VC_FIFO]; /* from the CPU */
    uint32_t out[VC_FIFO];
    unsigned in_count, out_count;
    uint32_t config;
    struct world_event answer;
    unsigned calls;         /* property buffers seen */
    unsigned fail_at;       /* the n-th of them is dealt with as `fail_mode` says; 0: none */
    enum vc_mode fail_mode; /* VC_SILENT or VC_ERROR */

    uint32_t temperature; /* thousandths of a degree */
    uint32_t clock_rate[VC_CLOCKS];
    bool clock_on[VC_CLOCKS];
    bool power_on[VC_POWERS];   /* the first interface: 3 is USB */
    bool domain_on[VC_DOMAINS]; /* the second: number 1 is domain 0 of the tree's binding */
    bool old;                   /* does not know the tags that later firmware brought */
    bool absent;                /* of every clock and domain, says that there is no such thing */
    struct vc_display display;
};

void model_vc_mailbox_map(struct model_vc_mailbox *mailbox, uint64_t base);
/* Where the buffers of the test are: bus address `bus` is `memory`. The CPU and the firmware see
 * each other's writes only through the cache operations of <busbar/dma.h>. */
void model_vc_mailbox_memory(struct model_vc_mailbox *mailbox, uint64_t bus, void *memory,
                             size_t size);
/* A word that nobody asked for arrives. */
void model_vc_mailbox_post(struct model_vc_mailbox *mailbox, uint32_t word);

/* The firmware's half: works on one checked buffer. */
void vc_firmware(struct model_vc_mailbox *mailbox, uint32_t *buffer);
/* Its frame buffer: answers a tag in place, returns the response's length or -1. */
void vc_display_prepare(struct vc_display *display);
int vc_display_answer(struct model_vc_mailbox *mailbox, uint32_t tag, uint32_t *value);

#endif
