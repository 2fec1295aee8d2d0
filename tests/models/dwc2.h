/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The USB core of the BCM2835: a Synopsys DesignWare OTG controller (DWC2), version 2.80a, as host
 * with internal DMA. Its own manual is not public; these registers and rules are those of the same
 * core in ST's RM0090 (chapter 35, OTG_HS) and RM0033, in Intel's Arria 10 register map and in
 * BCM2835 ARM Peripherals (chapter 15), transfers those of USB 2.0.
 *
 * Stricter than any emulator: besides illegal registers and bits a test ends on a channel that is
 * programmed while it is enabled, or enabled with old interrupts pending; sizes that do not fit
 * their packet count; FIFOs that overlap, overflow or are too small, or were not flushed; memory
 * that is misaligned, out of the window of dma-ranges, dirty in the CPU's cache when the core gets
 * it, or touched while the core has it; a PHY that was chosen and not reset; ports and resets out
 * of order; and whatever the devices behind it refuse.
 */
#ifndef TESTS_MODELS_DWC2_H
#define TESTS_MODELS_DWC2_H

#include "model.h"
#include "usb_hub.h"

enum { DWC2_CHANNELS = 8, DWC2_FIFO_WORDS = 4080 };

enum { /* HCINT */
       DWC2_XFERCOMPL = 1 << 0,
       DWC2_CHHLTD = 1 << 1,
       DWC2_AHBERR = 1 << 2,
       DWC2_STALL = 1 << 3,
       DWC2_NAK = 1 << 4,
       DWC2_ACK = 1 << 5,
       DWC2_NYET = 1 << 6,
       DWC2_XACTERR = 1 << 7,
       DWC2_BBLERR = 1 << 8,
       DWC2_FRMOVRUN = 1 << 9,
       DWC2_DATATGLERR = 1 << 10,
};

struct model_dwc2_channel {
    uint32_t hcchar, hcsplt, hcint, hcintmsk, hctsiz, hcdma;
    bool enabled, disabling;
    bool ping;             /* the core's own: PING is due */
    bool fetched;          /* OUT: the packet at hand was read from memory */
    uint32_t fetched_size; /* its bytes */
    uint8_t packet[1024];
    uint32_t offset, size; /* of the memory that it has, in the window */
    uint8_t *before;       /* that memory as the CPU saw it when the core got it */
    uint64_t ready_at;     /* not before */
    uint64_t disabled_at;
};

struct model_dwc2 {
    struct model model;
    struct wire irq;
    struct usb_socket socket; /* the root port */
    /* For tests, before it is used. */
    bool b_device;     /* its ID pin says device: it is a host by force alone, 25 ms later */
    const bool *power; /* of its power domain; NULL: always on */
    /* At any time. */
    bool out_nak_halts;    /* as older cores: NAK and NYET of an OUT halt the channel */
    bool never_resets;     /* the core's own reset does not end */
    bool never_idle;       /* its bus is never idle; so a reset does not end, and changes nothing */
    bool never_halts;      /* a channel that is to be disabled stays enabled */
    uint64_t disable_time; /* ns, of a channel */
    uint32_t overrun_at;   /* the n-th periodic transaction from now does not fit its frame */
    uint32_t mute_at;      /* the n-th complete split from now is the first of */
    uint32_t mutes;        /* so many that come to nothing: no answer, or one with a bad CRC */
    bool mute_token;       /* for the hub heard nothing; else the host did not hear its answer */

    /* To look at. */
    uint32_t gahbcfg, gusbcfg, gintsts, gintmsk, grxfsiz, gnptxfsiz, hptxfsiz, gotgctl;
    uint32_t hcfg, hfir, haintmsk, hprt;
    struct model_dwc2_channel channels[DWC2_CHANNELS];
    unsigned core_resets;
    uint64_t transactions, splits, interrupts;
    /* The model's own. */
    uint64_t bus_base;
    uint8_t *cpu, *memory, *synced;
    size_t memory_size;
    uint64_t reset_ends, idle_at, rx_flush_ends, tx_flush_ends, forced_at, enabled_at;
    uint64_t busy_since;  /* as software has seen it: GRSTCTL was read without AHBIDLE */
    uint64_t dma_until;   /* UINT64_MAX while DMA is on */
    uint64_t frames_from; /* world time at which frame 0 began */
    uint64_t sof_cleared;
    uint64_t bus_free_at;
    bool idle_seen, fifo_dirty, phy_dirty, line;
    unsigned turn;
    struct world_event service;
};

void model_dwc2_map(struct model_dwc2 *dwc2, uint64_t base);
/* Its window on memory: bus address `bus` is `memory`, which the CPU has at `cpu` behind a cache;
 * `synced` is that as it was after the last cache operation. */
void model_dwc2_memory(struct model_dwc2 *dwc2, uint64_t bus, void *cpu, void *memory, void *synced,
                       size_t size);
/* The root port draws too much, or no longer. */
void model_dwc2_over_current(struct model_dwc2 *dwc2, bool on);

/* ---- Between dwc2.c, registers, and dwc2_channel.c ---- */

enum { /* HPRT */
       DWC2_PRTCONNSTS = 1 << 0,
       DWC2_PRTCONNDET = 1 << 1,
       DWC2_PRTENA = 1 << 2,
       DWC2_PRTENCHNG = 1 << 3,
       DWC2_PRTOVRCURRACT = 1 << 4,
       DWC2_PRTOVRCURRCHNG = 1 << 5,
       DWC2_PRTRES = 1 << 6,
       DWC2_PRTSUSP = 1 << 7,
       DWC2_PRTRST = 1 << 8,
       DWC2_PRTPWR = 1 << 12,
};
enum { DWC2_MICROFRAME = 125000 }; /* ns */

/* Microframes since the port was enabled; frames of 1 ms where it is not at high speed. */
uint64_t model_dwc2_frame(const struct model_dwc2 *dwc2);
bool model_dwc2_runs(const struct model_dwc2 *dwc2); /* its port is enabled */
void model_dwc2_update(struct model_dwc2 *dwc2);     /* the interrupt line */
void model_dwc2_schedule(struct model_dwc2 *dwc2);
uint32_t model_dwc2_channel_read(struct model_dwc2 *dwc2, unsigned number, uint32_t offset);
void model_dwc2_channel_write(struct model_dwc2 *dwc2, unsigned number, uint32_t offset,
                              uint32_t value);
/* All channels at once, by a reset of the core. */
void model_dwc2_channels_reset(struct model_dwc2 *dwc2);
bool model_dwc2_is_idle(const struct model_dwc2 *dwc2); /* no channel is enabled */
bool model_dwc2_has_power(const struct model_dwc2 *dwc2);

#endif
