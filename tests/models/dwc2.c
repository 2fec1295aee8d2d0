/* SPDX-License-Identifier: BSD-2-Clause */
/* DWC2's global, host and port registers (RM0090, 35.12; BCM2835 ARM Peripherals, chapter 15). */
#include "dwc2.h"

#include <string.h>

#include <busbar/time.h>

enum {
    GOTGCTL = 0x000,
    GOTGINT = 0x004,
    GAHBCFG = 0x008,
    GUSBCFG = 0x00c,
    GRSTCTL = 0x010,
    GINTSTS = 0x014,
    GINTMSK = 0x018,
    GRXFSIZ = 0x024,
    GNPTXFSIZ = 0x028,
    GNPTXSTS = 0x02c,
    GUID = 0x03c,
    GSNPSID = 0x040,
    GHWCFG1 = 0x044,
    GHWCFG2 = 0x048,
    GHWCFG3 = 0x04c,
    GHWCFG4 = 0x050,
    HPTXFSIZ = 0x100,
    HCFG = 0x400,
    HFIR = 0x404,
    HFNUM = 0x408,
    HPTXSTS = 0x410,
    HAINT = 0x414,
    HAINTMSK = 0x418,
    HPRT = 0x440,
    CHANNELS = 0x500,
    PCGCCTL = 0xe00,
};
enum { GLBLINTRMSK = 1 << 0, DMAEN = 1 << 5 };
enum { ULPI_UTMI_SEL = 1 << 4, PHYIF = 1 << 3, PHYSEL = 1 << 6, PHY_BITS = 0x78 };
#define FORCE_HOST (1u << 29)
#define FORCE_DEVICE (1u << 30)
enum { CSFTRST = 1 << 0, RXFFLSH = 1 << 4, TXFFLSH = 1 << 5, TXFNUM = 0x7c0, ALL_TX = 0x400 };
#define AHBIDLE (1u << 31)
enum { CURMOD = 1 << 0, SOF = 1 << 3, PRTINT = 1 << 24, HCHINT = 1 << 25, DISCONNINT = 1 << 29 };
/* Cleared by writing 1: SOF, mode mismatch, incomplete periodic, ID, disconnect, session, wakeup */
#define GINTSTS_W1C 0xf020000au
/* Levels of the FIFOs: with internal DMA they are the core's own affair. */
#define FIFO_LEVELS (1u << 4 | 1u << 5 | 1u << 26)
enum { PRT_CHANGES = DWC2_PRTCONNDET | DWC2_PRTENCHNG | DWC2_PRTOVRCURRCHNG };

#define CORE_RESET_NS (50 * BB_USEC)
#define IDLE_NS (5 * BB_USEC)
#define BUSY_NS (9 * BB_MSEC)   /* a bus that has not been idle for so long is stuck */
#define BURST_NS (10 * BB_USEC) /* the packet under way, when DMA is switched off */
#define FLUSH_NS (2 * BB_USEC)
#define ENABLE_NS (20 * BB_USEC)
#define FORCE_NS (25 * BB_MSEC) /* RM0090: after FHMOD at least 25 ms */
#define ROOT_RESET (50 * BB_MSEC)

/* Reset values of the FIFO sizes: more than there is, so that software must choose. */
enum { RESET_FIFO = 0x1000 };

#define CHANNEL(n)                                                                                 \
    {"HCCHAR", CHANNELS + 0x20 * (n), MODEL_RW, ~0u & ~(1u << 16)},                                \
        {"HCSPLT", CHANNELS + 0x20 * (n) + 4, MODEL_RW, 0x8001ffff},                               \
        {"HCINT", CHANNELS + 0x20 * (n) + 8, MODEL_RW, 0x3fff},                                    \
        {"HCINTMSK", CHANNELS + 0x20 * (n) + 12, MODEL_RW, 0x7ff},                                 \
        {"HCTSIZ", CHANNELS + 0x20 * (n) + 16, MODEL_RW, ~0u},                                     \
    {                                                                                              \
        "HCDMA", CHANNELS + 0x20 * (n) + 20, MODEL_RW, ~0u                                         \
    }

static const struct model_register registers[] = {
    {"GOTGCTL", GOTGCTL, MODEL_RW, 0xfff},
    {"GOTGINT", GOTGINT, MODEL_RW, ~0u},
    {"GAHBCFG", GAHBCFG, MODEL_RW, 0x1bf},
    {"GUSBCFG", GUSBCFG, MODEL_RW, 0x7fffbfff},
    {"GRSTCTL", GRSTCTL, MODEL_RW, 0x7f7},
    {"GINTSTS", GINTSTS, MODEL_RW, ~0u},
    {"GINTMSK", GINTMSK, MODEL_RW, 0xf77efcfe},
    {"GRXFSIZ", GRXFSIZ, MODEL_RW, 0xffff},
    {"GNPTXFSIZ", GNPTXFSIZ, MODEL_RW, ~0u},
    {"GNPTXSTS", GNPTXSTS, MODEL_R},
    {"GUID", GUID, MODEL_RW, ~0u},
    {"GSNPSID", GSNPSID, MODEL_R},
    {"GHWCFG", GHWCFG1, MODEL_R, 0, 4},
    {"HPTXFSIZ", HPTXFSIZ, MODEL_RW, ~0u},
    {"HCFG", HCFG, MODEL_RW, 0x7},
    {"HFIR", HFIR, MODEL_RW, 0xffff},
    {"HFNUM", HFNUM, MODEL_R},
    {"HPTXSTS", HPTXSTS, MODEL_R},
    {"HAINT", HAINT, MODEL_R},
    {"HAINTMSK", HAINTMSK, MODEL_RW, 0xffff},
    {"HPRT", HPRT, MODEL_RW, 0x7fdff},
    CHANNEL(0),
    CHANNEL(1),
    CHANNEL(2),
    CHANNEL(3),
    CHANNEL(4),
    CHANNEL(5),
    CHANNEL(6),
    CHANNEL(7),
    {"PCGCCTL", PCGCCTL, MODEL_RW, 0},
    {NULL},
};

static struct model_dwc2 *dwc2_of(struct model *model)
{
    return bb_container_of(model, struct model_dwc2, model);
}

/* ---- What holds now ---- */

static bool is_host(const struct model_dwc2 *dwc2)
{
    if (dwc2->gusbcfg & FORCE_DEVICE)
        return false;
    return !dwc2->b_device ||
           (dwc2->gusbcfg & FORCE_HOST && world_now() >= dwc2->forced_at + FORCE_NS);
}

bool model_dwc2_runs(const struct model_dwc2 *dwc2)
{
    return dwc2->socket.enabled && dwc2->hprt & DWC2_PRTPWR && dwc2->enabled_at &&
           world_now() >= dwc2->enabled_at;
}

static uint64_t frame_time(const struct model_dwc2 *dwc2)
{
    const struct usb_model *device = dwc2->socket.device;
    return device && device->running != BB_USB_HIGH ? 8 * DWC2_MICROFRAME : DWC2_MICROFRAME;
}

uint64_t model_dwc2_frame(const struct model_dwc2 *dwc2)
{
    return (world_now() - dwc2->frames_from) / frame_time(dwc2);
}

static uint32_t frame_number(const struct model_dwc2 *dwc2)
{
    uint64_t left, unit = frame_time(dwc2);

    if (!model_dwc2_runs(dwc2))
        return 0x3fff;
    left = unit - (world_now() - dwc2->frames_from) % unit;
    return (uint32_t)(dwc2->hfir * left / unit) << 16 | (model_dwc2_frame(dwc2) & 0x3fff);
}

static uint32_t channel_interrupts(const struct model_dwc2 *dwc2)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < DWC2_CHANNELS; i++)
        if (dwc2->channels[i].hcint & dwc2->channels[i].hcintmsk)
            value |= 1u << i;
    return value;
}

static uint32_t interrupts(const struct model_dwc2 *dwc2)
{
    uint32_t value = dwc2->gintsts & GINTSTS_W1C;

    if (is_host(dwc2))
        value |= CURMOD;
    if (dwc2->hprt & PRT_CHANGES)
        value |= PRTINT;
    if (channel_interrupts(dwc2) & dwc2->haintmsk)
        value |= HCHINT;
    if (model_dwc2_runs(dwc2) && model_dwc2_frame(dwc2) != dwc2->sof_cleared)
        value |= SOF;
    return value | FIFO_LEVELS;
}

void model_dwc2_update(struct model_dwc2 *dwc2)
{
    bool level =
        dwc2->gahbcfg & GLBLINTRMSK && (interrupts(dwc2) & dwc2->gintmsk & ~(uint32_t)CURMOD);

    dwc2->interrupts += level && !dwc2->line;
    dwc2->line = level;
    wire_set(&dwc2->irq, level);
}

/* ---- The port ---- */

static uint32_t read_port(struct model_dwc2 *dwc2)
{
    const struct usb_model *device = dwc2->socket.device;
    uint32_t value = dwc2->hprt & (DWC2_PRTPWR | DWC2_PRTRST | DWC2_PRTOVRCURRACT | PRT_CHANGES);

    dwc2->socket.seen = dwc2->socket.powered;
    if (!device || !dwc2->socket.powered)
        return value;
    value |= DWC2_PRTCONNSTS | (device->running == BB_USB_LOW ? 2u << 10 : 1u << 10);
    if (!model_dwc2_runs(dwc2))
        return value;
    static const uint32_t speeds[] = {[BB_USB_LOW] = 2, [BB_USB_FULL] = 1, [BB_USB_HIGH] = 0};
    return value | DWC2_PRTENA | speeds[device->running] << 17 |
           (dwc2->socket.suspended ? (uint32_t)DWC2_PRTSUSP : 0);
}

static void enabled(struct model_dwc2 *dwc2)
{
    uint64_t now = world_now();

    dwc2->enabled_at = now + ENABLE_NS;
    dwc2->frames_from = now - now % DWC2_MICROFRAME;
    dwc2->sof_cleared = 0;
    dwc2->hprt |= DWC2_PRTENCHNG;
}

static void set_power(struct model_dwc2 *dwc2, bool on)
{
    bool was = dwc2->socket.powered;

    model_require(&dwc2->model, !on || !dwc2->phy_dirty,
                  "the port is powered with a PHY that was chosen and not reset");
    if (on && dwc2->hprt & DWC2_PRTOVRCURRACT)
        return;
    usb_socket_power(&dwc2->socket, on);
    dwc2->hprt = (dwc2->hprt & ~(uint32_t)DWC2_PRTPWR) | (on ? (uint32_t)DWC2_PRTPWR : 0);
    if (on && !was && dwc2->socket.device)
        dwc2->hprt |= DWC2_PRTCONNDET;
    if (!on)
        dwc2->hprt &= ~(uint32_t)DWC2_PRTRST;
}

static void disable_port(struct model_dwc2 *dwc2)
{
    if (!dwc2->socket.enabled)
        return;
    dwc2->socket.enabled = false;
    dwc2->enabled_at = 0;
    dwc2->hprt |= DWC2_PRTENCHNG;
}

static void write_port(struct model_dwc2 *dwc2, uint32_t value)
{
    bool reset = value & DWC2_PRTRST, was = dwc2->hprt & DWC2_PRTRST;

    dwc2->hprt &= ~(value & PRT_CHANGES);
    if (value & DWC2_PRTENA)
        disable_port(dwc2); /* writing 1 does that: RM0090, PENA */
    set_power(dwc2, value & DWC2_PRTPWR);
    if (!(value & DWC2_PRTPWR)) {
        model_require(&dwc2->model, !reset, "the port is reset without power");
        return;
    }
    if (reset && !was) {
        usb_socket_reset_begins(&dwc2->socket);
        dwc2->hprt |= DWC2_PRTRST;
        dwc2->enabled_at = 0;
    } else if (!reset && was) {
        dwc2->hprt &= ~(uint32_t)DWC2_PRTRST;
        usb_socket_reset_ends(&dwc2->socket, ROOT_RESET);
        if (dwc2->socket.enabled)
            enabled(dwc2);
    }
    model_require(&dwc2->model, !(value & (DWC2_PRTSUSP | DWC2_PRTRES)) || dwc2->socket.enabled,
                  "a port that is not enabled is suspended or resumed");
    dwc2->socket.suspended = value & DWC2_PRTSUSP && dwc2->socket.enabled;
}

static void socket_changed(struct usb_socket *socket)
{
    struct model_dwc2 *dwc2 = socket->context;

    if (!socket->powered)
        return;
    if (socket->device)
        dwc2->hprt |= DWC2_PRTCONNDET;
    else
        dwc2->gintsts |= DISCONNINT;
    if (!socket->device && dwc2->enabled_at)
        dwc2->hprt |= DWC2_PRTENCHNG;
    dwc2->enabled_at = 0;
    model_dwc2_update(dwc2);
    model_dwc2_schedule(dwc2);
}

void model_dwc2_over_current(struct model_dwc2 *dwc2, bool on)
{
    dwc2->hprt |= DWC2_PRTOVRCURRCHNG;
    if (on) {
        disable_port(dwc2);
        set_power(dwc2, false);
        dwc2->hprt |= DWC2_PRTOVRCURRACT;
    } else {
        dwc2->hprt &= ~(uint32_t)DWC2_PRTOVRCURRACT;
    }
    model_dwc2_update(dwc2);
}

/* ---- The core ---- */

bool model_dwc2_has_power(const struct model_dwc2 *dwc2)
{
    return !dwc2->power || *dwc2->power;
}

static bool is_stuck_in_reset(const struct model_dwc2 *dwc2)
{
    return dwc2->reset_ends == UINT64_MAX;
}

/* Any time will do (RM0090, CSRST), but who has not seen AHBIDLE must have waited for it. */
static void core_reset(struct model_dwc2 *dwc2)
{
    struct model *model = &dwc2->model;
    uint32_t kept = dwc2->gusbcfg & PHY_BITS;

    model_require(
        model, dwc2->idle_seen || (dwc2->busy_since && world_now() >= dwc2->busy_since + BUSY_NS),
        "a reset of the core without a look at AHBIDLE");
    dwc2->busy_since = 0;
    dwc2->core_resets++;
    if (dwc2->never_idle) {
        dwc2->reset_ends = UINT64_MAX;
        return;
    }
    model_dwc2_channels_reset(dwc2);
    dwc2->dma_until = 0;
    if (dwc2->socket.powered)
        usb_socket_power(&dwc2->socket, false);
    dwc2->socket.resetting = false;
    dwc2->gahbcfg = dwc2->gintsts = dwc2->gintmsk = dwc2->haintmsk = dwc2->hprt = 0;
    dwc2->gusbcfg = 0x1400 | kept;
    dwc2->hcfg &= 3;
    dwc2->grxfsiz = RESET_FIFO;
    dwc2->gnptxfsiz = RESET_FIFO << 16 | RESET_FIFO;
    dwc2->hptxfsiz = RESET_FIFO << 16 | 2 * RESET_FIFO;
    dwc2->fifo_dirty = true;
    dwc2->phy_dirty = dwc2->idle_seen = false;
    dwc2->reset_ends = dwc2->never_resets ? UINT64_MAX : world_now() + CORE_RESET_NS;
    dwc2->idle_at = dwc2->never_resets ? UINT64_MAX : dwc2->reset_ends + IDLE_NS;
}

static uint32_t read_reset(struct model_dwc2 *dwc2)
{
    uint64_t now = world_now();
    uint32_t value = (now < dwc2->reset_ends ? (uint32_t)CSFTRST : 0) |
                     (now < dwc2->rx_flush_ends ? (uint32_t)RXFFLSH : 0) |
                     (now < dwc2->tx_flush_ends ? (uint32_t)TXFFLSH : 0);

    /* A channel that hangs on the bus leaves the AHB idle. */
    if (dwc2->never_idle || now < dwc2->idle_at ||
        (!model_dwc2_is_idle(dwc2) && !dwc2->never_halts)) {
        dwc2->busy_since = dwc2->busy_since ? dwc2->busy_since : now;
        return value;
    }
    dwc2->busy_since = 0;
    dwc2->idle_seen = true;
    return value | AHBIDLE;
}

static void write_reset(struct model_dwc2 *dwc2, uint32_t value)
{
    struct model *model = &dwc2->model;
    uint64_t now = world_now();

    model_require(model, !(value & ~(uint32_t)(CSFTRST | RXFFLSH | TXFFLSH | TXFNUM)),
                  "GRSTCTL = %#x: resets that a host has no use for", value);
    model_require(model, !(value & CSFTRST) || !(value & (RXFFLSH | TXFFLSH)),
                  "a reset and a flush at once");
    if (value & CSFTRST) {
        core_reset(dwc2);
        return;
    }
    model_require(model, now >= dwc2->rx_flush_ends && now >= dwc2->tx_flush_ends,
                  "a flush while one is under way");
    model_require(model, !(value & (RXFFLSH | TXFFLSH)) || model_dwc2_is_idle(dwc2),
                  "FIFOs are flushed while a channel uses them");
    if (value & RXFFLSH)
        dwc2->rx_flush_ends = now + FLUSH_NS;
    if (value & TXFFLSH)
        dwc2->tx_flush_ends = now + FLUSH_NS;
    if (value & TXFFLSH && (value & TXFNUM) == ALL_TX)
        dwc2->fifo_dirty = false;
}

static void write_usb_config(struct model_dwc2 *dwc2, uint32_t value)
{
    struct model *model = &dwc2->model;

    model_require(model, !(value & FORCE_HOST) || !(value & FORCE_DEVICE),
                  "GUSBCFG forces host and device at once");
    model_require(model, !(value & (ULPI_UTMI_SEL | PHYIF | PHYSEL)),
                  "GUSBCFG = %#x: the PHY is UTMI+, 8 bits wide (GHWCFG2, GHWCFG4)", value);
    if ((value ^ dwc2->gusbcfg) & PHY_BITS)
        dwc2->phy_dirty = true;
    if (value & FORCE_HOST && !(dwc2->gusbcfg & FORCE_HOST))
        dwc2->forced_at = world_now();
    dwc2->gusbcfg = value;
}

static void write_fifo(struct model_dwc2 *dwc2, uint32_t *field, uint32_t value)
{
    model_require(&dwc2->model, model_dwc2_is_idle(dwc2), "a FIFO changes while channels run");
    if (*field != value)
        dwc2->fifo_dirty = true;
    *field = value;
}

/* ---- Registers ---- */

/* DMA goes on to the end of what the core has begun. */
static void write_bus_config(struct model_dwc2 *dwc2, uint32_t value)
{
    model_require(&dwc2->model,
                  value & DMAEN || model_dwc2_is_idle(dwc2) || is_stuck_in_reset(dwc2),
                  "DMA is switched off while channels run");
    if (value & DMAEN)
        dwc2->dma_until = UINT64_MAX;
    else if (dwc2->dma_until == UINT64_MAX)
        dwc2->dma_until = world_now() + BURST_NS;
    dwc2->gahbcfg = value;
}

/* While the core resets itself only GRSTCTL is there, and for one that does not get to the end of
 * that what `stops` it; without power nothing is. */
static void check_access(struct model_dwc2 *dwc2, uint32_t offset, bool stops)
{
    struct model *model = &dwc2->model;

    model_require(model, model_dwc2_has_power(dwc2), "register %#x without power", offset);
    model_require(model,
                  offset == GRSTCTL || world_now() >= dwc2->reset_ends ||
                      (stops && is_stuck_in_reset(dwc2)),
                  "register %#x while the core resets", offset);
    model_require(model, offset < HCFG || offset >= PCGCCTL || is_host(dwc2),
                  "host register %#x while the core is a device (25 ms after FORCE)", offset);
}

static uint32_t dwc2_read(struct model *model, uint32_t offset, unsigned width)
{
    struct model_dwc2 *dwc2 = dwc2_of(model);
    /* As the BCM2835 has them. */
    static const uint32_t hardware[] = {0, 0x228ddd50, 0x0ff000e8, 0x1ff00020};

    (void)width;
    check_access(dwc2, offset, false);
    switch (offset) {
    case GOTGCTL:
        return dwc2->gotgctl | (dwc2->b_device ? 1u << 16 : 0) | 1u << 18;
    case GOTGINT:
        return 0;
    case GAHBCFG:
        return dwc2->gahbcfg;
    case GUSBCFG:
        return dwc2->gusbcfg;
    case GRSTCTL:
        return read_reset(dwc2);
    case GINTSTS:
        return interrupts(dwc2);
    case GINTMSK:
        return dwc2->gintmsk;
    case GRXFSIZ:
        return dwc2->grxfsiz;
    case GNPTXFSIZ:
        return dwc2->gnptxfsiz;
    case GNPTXSTS:
    case HPTXSTS:
        return 8u << 16 | 0x100;
    case GUID:
        return 0x2708a000;
    case GSNPSID:
        return 0x4f54280a;
    case GHWCFG1:
    case GHWCFG2:
    case GHWCFG3:
    case GHWCFG4:
        return hardware[(offset - GHWCFG1) / 4];
    case HPTXFSIZ:
        return dwc2->hptxfsiz;
    case HCFG:
        return dwc2->hcfg;
    case HFIR:
        return dwc2->hfir;
    case HFNUM:
        return frame_number(dwc2);
    case HAINT:
        return channel_interrupts(dwc2);
    case HAINTMSK:
        return dwc2->haintmsk;
    case HPRT:
        return read_port(dwc2);
    case PCGCCTL:
        return 0;
    default:
        return model_dwc2_channel_read(dwc2, (offset - CHANNELS) / 0x20, offset % 0x20);
    }
}

static void dwc2_write(struct model *model, uint32_t offset, unsigned width, uint32_t value)
{
    struct model_dwc2 *dwc2 = dwc2_of(model);

    (void)width;
    check_access(dwc2, offset, !value && (offset == GAHBCFG || offset == HPRT));
    model_require(model, offset != GRSTCTL || world_now() >= dwc2->reset_ends,
                  "GRSTCTL is written while the core resets");
    switch (offset) {
    case GOTGCTL:
        dwc2->gotgctl = value;
        break;
    case GOTGINT:
    case GUID:
    case PCGCCTL:
        break;
    case GAHBCFG:
        write_bus_config(dwc2, value);
        break;
    case GUSBCFG:
        write_usb_config(dwc2, value);
        break;
    case GRSTCTL:
        write_reset(dwc2, value);
        break;
    case GINTSTS:
        dwc2->gintsts &= ~(value & GINTSTS_W1C);
        if (value & SOF)
            dwc2->sof_cleared = model_dwc2_frame(dwc2);
        break;
    case GINTMSK:
        model_require(model, !(value & FIFO_LEVELS),
                      "GINTMSK = %#x: levels of FIFOs that DMA serves", value);
        dwc2->gintmsk = value;
        break;
    case GRXFSIZ:
        write_fifo(dwc2, &dwc2->grxfsiz, value);
        break;
    case GNPTXFSIZ:
        write_fifo(dwc2, &dwc2->gnptxfsiz, value);
        break;
    case HPTXFSIZ:
        write_fifo(dwc2, &dwc2->hptxfsiz, value);
        break;
    case HCFG:
        model_require(model, !(value & 3), "HCFG = %#x: the clock of a high-speed PHY is 0", value);
        dwc2->hcfg = value;
        break;
    case HFIR:
        model_require(model, model_dwc2_runs(dwc2), "HFIR before the port is enabled");
        dwc2->hfir = value;
        break;
    case HAINTMSK:
        dwc2->haintmsk = value;
        break;
    case HPRT:
        write_port(dwc2, value);
        break;
    default:
        model_dwc2_channel_write(dwc2, (offset - CHANNELS) / 0x20, offset % 0x20, value);
        break;
    }
    model_dwc2_update(dwc2);
    model_dwc2_schedule(dwc2);
}

void model_dwc2_memory(struct model_dwc2 *dwc2, uint64_t bus, void *cpu, void *memory, void *synced,
                       size_t size)
{
    dwc2->bus_base = bus;
    dwc2->cpu = cpu;
    dwc2->memory = memory;
    dwc2->synced = synced;
    dwc2->memory_size = size;
}

void model_dwc2_map(struct model_dwc2 *dwc2, uint64_t base)
{
    dwc2->model = (struct model){
        .name = "dwc2", .registers = registers, .read = dwc2_read, .write = dwc2_write};
    dwc2->socket = (struct usb_socket){
        .name = "dwc2", .number = 1, .changed = socket_changed, .context = dwc2};
    dwc2->gusbcfg = 0x1400;
    dwc2->grxfsiz = RESET_FIFO;
    dwc2->gnptxfsiz = RESET_FIFO << 16 | RESET_FIFO;
    dwc2->hptxfsiz = RESET_FIFO << 16 | 2 * RESET_FIFO;
    dwc2->fifo_dirty = true;
    dwc2->hfir = 7500; /* 125 us of 60 MHz */
    dwc2->disable_time = DWC2_MICROFRAME;
    dwc2->idle_at = world_now() + IDLE_NS;
    model_map(&dwc2->model, base, 0x10000);
}
