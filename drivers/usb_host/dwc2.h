/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and state of usb_host/dwc2: see dwc2.c. */
#ifndef DRIVERS_USB_HOST_DWC2_H
#define DRIVERS_USB_HOST_DWC2_H

#include <busbar/arch.h>
#include <busbar/dma.h>
#include <busbar/irq.h>
#include <busbar/mmio.h>
#include <busbar/power.h>
#include <busbar/store.h>
#include <busbar/usb_host.h>

enum { /* registers */
       GAHBCFG = 0x008,
       GUSBCFG = 0x00c,
       GRSTCTL = 0x010,
       GINTSTS = 0x014,
       GINTMSK = 0x018,
       GRXFSIZ = 0x024,
       GNPTXFSIZ = 0x028,
       GSNPSID = 0x040,
       GHWCFG2 = 0x048,
       GHWCFG3 = 0x04c,
       GHWCFG4 = 0x050,
       HPTXFSIZ = 0x100,
       HCFG = 0x400,
       HFIR = 0x404,
       HFNUM = 0x408,
       HAINT = 0x414,
       HAINTMSK = 0x418,
       HPRT = 0x440,
       HCCHAR = 0x500, /* of channel 0 */
       HCSPLT = 0x504,
       HCINT = 0x508,
       HCINTMSK = 0x50c,
       HCTSIZ = 0x510,
       HCDMA = 0x514,
       CHANNEL_STEP = 0x20,
       PCGCCTL = 0xe00,
       SIZE = 0x1000,
};
enum { /* GAHBCFG */
       AHB_INTERRUPTS = 1 << 0,
       AHB_BURST_INCR4 = 3 << 1,
       AHB_WAIT_FOR_WRITES = 1 << 4, /* BCM2835: the AXI bridge's own use of the burst's top bit */
       AHB_DMA = 1 << 5,
};
enum { /* GUSBCFG */
       USB_WIDE_PHY = 1 << 3,
       USB_ULPI = 1 << 4,
       USB_FULL_SPEED_PHY = 1 << 6,
       USB_SRP = 1 << 8,
       USB_HNP = 1 << 9,
       USB_ULPI_EXTERNAL_VBUS = 1 << 20,
       USB_DL_PULSE = 1 << 22,
       USB_FORCE_HOST = 1 << 29,
       USB_FORCE_DEVICE = 1 << 30,
};
enum { /* GRSTCTL */
       RESET_CORE = 1 << 0,
       RESET_RX_FIFO = 1 << 4,
       RESET_TX_FIFO = 1 << 5,
       RESET_ALL_TX = 0x10 << 6,
};
#define RESET_IDLE (1u << 31)
enum { /* GINTSTS and GINTMSK */
       INT_HOST_MODE = 1 << 0,
       INT_PORT = 1 << 24,
       INT_CHANNELS = 1 << 25,
       INT_DISCONNECTED = 1 << 29,
       INTERRUPTS = INT_PORT | INT_CHANNELS | INT_DISCONNECTED,
};
enum { /* GHWCFG2 */
       HW_ARCHITECTURE = 3 << 3,
       HW_INTERNAL_DMA = 2 << 3,
       HW_HS_PHY = 6, /* shift: 0 none, 1 UTMI+, 2 ULPI, 3 both */
       HW_FS_PHY = 8, /* shift: 1 dedicated */
       HW_CHANNELS = 14,
       HW_DYNAMIC_FIFO = 1 << 19,
       HW_UTMI_WIDTH = 14, /* shift, in GHWCFG4: 1 is 16 bits */
};
enum { HCFG_CLOCK_30_60 = 0, HCFG_CLOCK_48 = 1, HCFG_CLOCK = 3 };
enum { /* HPRT */
       PORT_CONNECTED = 1 << 0,
       PORT_CONNECT_CHANGE = 1 << 1,
       PORT_ENABLED = 1 << 2, /* writing 1 disables */
       PORT_ENABLE_CHANGE = 1 << 3,
       PORT_OVER_CURRENT = 1 << 4,
       PORT_OVER_CURRENT_CHANGE = 1 << 5,
       PORT_SUSPEND = 1 << 7,
       PORT_RESET = 1 << 8,
       PORT_POWER = 1 << 12,
       PORT_SPEED = 17, /* shift */
       PORT_SPEED_HIGH = 0,
       PORT_SPEED_FULL = 1,
       PORT_SPEED_LOW = 2,
       PORT_CHANGES = PORT_CONNECT_CHANGE | PORT_ENABLE_CHANGE | PORT_OVER_CURRENT_CHANGE,
       PORT_WRITE_1 = PORT_CHANGES | PORT_ENABLED, /* a 1 that is written back acts */
};
enum { /* HCCHAR */
       CHAR_ENDPOINT = 11,
       CHAR_IN = 1 << 15,
       CHAR_LOW_SPEED = 1 << 17,
       CHAR_TYPE = 18,
       CHAR_MULTIPLE = 20,
       CHAR_ADDRESS = 22,
       CHAR_ODD = 1 << 29,
       CHAR_DISABLE = 1 << 30,
};
#define CHAR_ENABLE (1u << 31)
enum {                      /* HCSPLT */
       SPLIT_ALL = 3 << 14, /* the whole payload goes in one start split */
       SPLIT_COMPLETE = 1 << 16,
};
#define SPLIT_ENABLE (1u << 31)
enum { /* HCINT */
       EVENT_DONE = 1 << 0,
       EVENT_HALTED = 1 << 1,
       EVENT_AHB_ERROR = 1 << 2,
       EVENT_STALL = 1 << 3,
       EVENT_NAK = 1 << 4,
       EVENT_ACK = 1 << 5,
       EVENT_NYET = 1 << 6,
       EVENT_ERROR = 1 << 7, /* no answer, bad CRC, bit stuffing, false end */
       EVENT_BABBLE = 1 << 8,
       EVENT_OVERRUN = 1 << 9, /* of the frame */
       EVENT_TOGGLE = 1 << 10,
       EVENTS = 0x7ff,
};
enum { /* HCTSIZ */
       TSIZ_PACKETS = 19,
       TSIZ_PID = 29,
       TSIZ_DATA0 = 0,
       TSIZ_DATA1 = 2,
       TSIZ_SETUP = 3,
       TSIZ_BYTES_MASK = (1 << 19) - 1,
       TSIZ_PACKETS_MASK = (1 << 10) - 1,
};
#define TSIZ_PING (1u << 31)

enum { MOST_CHANNELS = 16, SETUP_LINE = 64, SPARE = 1024 };

enum channel_state {
    FREE,
    RUNNING,
    HALTING, /* disabled for a cancel, or for others: will halt soon */
    LOST,    /* an emulator may still hold it: until it says that it has halted */
};

struct channel {
    struct bb_usb_transfer *transfer; /* that it serves, or NULL */
    uint32_t character;               /* HCCHAR, without the bits that start it */
    uint32_t split;                   /* HCSPLT of the start split, or 0 */
    uint32_t shown;                   /* HCSPLT as it stands */
    uint32_t bytes;                   /* as programmed */
    uint32_t packets;
    uint32_t pid;
    uint32_t events; /* that halted it */
    uint16_t frame;  /* of its start split */
    uint8_t number;
    uint8_t state;
    uint8_t nyets;   /* in a row */
    bool completing; /* its split: the start is done */
    bool answered;   /* its device was there when it was started, by all that is known */
    uint64_t since;  /* when it was disabled; or first seen while others wait, else BB_FOREVER */
};

enum stage { SETUP, DATA, STATUS, ZERO };
enum job_state { READY, WAITING, ACTIVE, ENDED };

/* What the driver notes in a transfer, in its host[]. */
struct job {
    struct bb_usb_transfer *next; /* in a queue */
    uint64_t due;
    struct channel *channel;
    uint64_t address; /* of its data, as the core sees it */
    int status;
    uint8_t state;
    uint8_t stage;
    uint8_t errors;  /* in a row */
    bool completing; /* a complete split comes next */
} __attribute__((may_alias));
_Static_assert(sizeof(struct job) <= sizeof(((struct bb_usb_transfer *)0)->host), "fits");

struct queue {
    struct bb_usb_transfer *first, *last;
};

struct dwc2 {
    struct bb_device device;
    struct bb_usb_host usb_host;
    struct bb_regs regs;
    struct bb_interrupt interrupt;
    struct bb_power_domain_input power;
    struct bb_dma_view view;
    struct bb_dma setups; /* a line for each channel */
    struct bb_dma spare;  /* for what a device sends where nothing is due */
    struct bb_work work;
    struct bb_timer_event tick; /* the next thing that is due */
    struct bb_timer_event port; /* a reset of the port goes on */
    uint32_t halted;            /* channels, bit by bit: set by the interrupt */
    uint32_t changes;           /* of the port, as a hub has them, not yet cleared */
    uint32_t most_bytes, most_packets;
    uint32_t free; /* channels, bit by bit */
    uint32_t free_count;
    uint32_t unsettled; /* HALTING */
    uint32_t burst;     /* of GAHBCFG */
    uint32_t lost;      /* how many are LOST */
    uint8_t channel_count;
    bool emulated; /* it has no PHY of any kind */
    /* Parameter, microseconds, for emulated cores: bulk IN waits so long, that a stick has read its
     * disk by then. One that is unplugged while it reads costs a channel for good. */
    uint32_t pause;
    bool reset_driven; /* the port's reset is on the wire */
    bool resetting;
    bool broken;                   /* and nothing can be done about it */
    struct queue periodic, others; /* ready */
    struct queue ended;
    struct bb_usb_transfer *waiting; /* by due */
    struct channel channels[MOST_CHANNELS];
    uint64_t resets;
    struct bb_value resets_value, free_value, lost_value;
};

static inline struct job *job_of(struct bb_usb_transfer *transfer)
{
    return (struct job *)(void *)transfer->host;
}

static inline uint32_t get(const struct dwc2 *chip, size_t offset)
{
    return bb_read32(&chip->regs, offset);
}

static inline void put(const struct dwc2 *chip, size_t offset, uint32_t value)
{
    bb_write32(&chip->regs, offset, value);
}

static inline uint32_t get_channel(const struct dwc2 *chip, const struct channel *channel,
                                   size_t offset)
{
    return get(chip, offset + channel->number * (size_t)CHANNEL_STEP);
}

static inline void put_channel(const struct dwc2 *chip, const struct channel *channel,
                               size_t offset, uint32_t value)
{
    put(chip, offset + channel->number * (size_t)CHANNEL_STEP, value);
}

static inline void push(struct queue *queue, struct bb_usb_transfer *transfer)
{
    job_of(transfer)->next = NULL;
    if (queue->first)
        job_of(queue->last)->next = transfer;
    else
        queue->first = transfer;
    queue->last = transfer;
}

static inline struct bb_usb_transfer *pop(struct queue *queue)
{
    struct bb_usb_transfer *transfer = queue->first;
    if (transfer)
        queue->first = job_of(transfer)->next;
    return transfer;
}

static inline bool take_out(struct queue *queue, struct bb_usb_transfer *transfer)
{
    struct bb_usb_transfer *before = NULL;
    for (struct bb_usb_transfer *at = queue->first; at; before = at, at = job_of(at)->next) {
        if (at != transfer)
            continue;
        if (before)
            job_of(before)->next = job_of(at)->next;
        else
            queue->first = job_of(at)->next;
        if (queue->last == at)
            queue->last = before;
        return true;
    }
    return false;
}

#endif
