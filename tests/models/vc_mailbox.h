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

struct model_vc_mailbox {
    struct model model;
    struct wire irq;
    enum vc_mode mode;
    uint64_t latency;  /* ns until an answer */
    uint64_t bus_base; /* this bus address is host_base */
    unsigned char *host_base;
    size_t host_size;
    unsigned char *seen;  /* memory as the firmware sees it: what is in the CPU's cache is not */
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

#endif
