/* SPDX-License-Identifier: BSD-2-Clause */
/* How usb_host/dwc2 gets its core from whatever state it is in to a host that runs. */
#ifndef DRIVERS_USB_HOST_DWC2_CORE_H
#define DRIVERS_USB_HOST_DWC2_CORE_H

#include "dwc2_piece.h"

enum { FIFO_WORDS = 1024, FIFO_LEAST = 64 };
enum { FORCE_TRIES = 4 }; /* of 10 ms: the mode is what was forced after 25 */

/* A bus that is not idle by then is one that only the reset can free. */
static inline int reset_core(struct dwc2 *chip)
{
    (void)bb_read32_until(&chip->regs, GRSTCTL, RESET_IDLE, RESET_IDLE, 10 * BB_MSEC);
    put(chip, GRSTCTL, RESET_CORE);
    int error = bb_read32_until(&chip->regs, GRSTCTL, RESET_CORE, 0, 10 * BB_MSEC);
    if (!error)
        error = bb_read32_until(&chip->regs, GRSTCTL, RESET_IDLE, RESET_IDLE, 10 * BB_MSEC);
    bb_delay(100 * BB_USEC); /* three clocks of the PHY, at least */
    return error;
}

static inline int flush(struct dwc2 *chip, uint32_t what, uint32_t done)
{
    put(chip, GRSTCTL, what);
    int error = bb_read32_until(&chip->regs, GRSTCTL, done, 0, 10 * BB_MSEC);
    bb_delay(BB_USEC);
    return error;
}

/* The PHY that the core was made with; its choice takes a reset. */
static inline int choose_phy(struct dwc2 *chip)
{
    uint32_t hardware = get(chip, GHWCFG2), old = get(chip, GUSBCFG);
    uint32_t fast = hardware >> HW_HS_PHY & 3;
    uint32_t config =
        old & ~(uint32_t)(USB_ULPI_EXTERNAL_VBUS | USB_DL_PULSE | USB_SRP | USB_HNP |
                          USB_FORCE_DEVICE | USB_FULL_SPEED_PHY | USB_ULPI | USB_WIDE_PHY);
    if (fast == 2)
        config |= USB_ULPI;
    else if (!fast && (hardware >> HW_FS_PHY & 3) == 1)
        config |= USB_FULL_SPEED_PHY;
    else if ((get(chip, GHWCFG4) >> HW_UTMI_WIDTH & 3) == 1)
        config |= USB_WIDE_PHY;
    put(chip, GUSBCFG, config);
    int error = reset_core(chip);
    if (error)
        return error;
    put(chip, GUSBCFG, get(chip, GUSBCFG) | USB_FORCE_HOST); /* the reset would undo that */
    for (unsigned i = 0; i < FORCE_TRIES; i++) {
        error = bb_read32_until(&chip->regs, GINTSTS, INT_HOST_MODE, INT_HOST_MODE, 10 * BB_MSEC);
        if (error != -ETIMEDOUT)
            break;
    }
    if (error)
        return error;
    put(chip, PCGCCTL, 0);
    uint32_t clock = config & USB_FULL_SPEED_PHY ? HCFG_CLOCK_48 : HCFG_CLOCK_30_60;
    put(chip, HCFG, clock);
    return 0;
}

/* Divides the FIFO memory: no part may be larger than it is out of reset. */
static inline int size_fifos(struct dwc2 *chip)
{
    uint32_t total = get(chip, GHWCFG3) >> 16;
    uint32_t receive = get(chip, GRXFSIZ) & 0xffff, others = get(chip, GNPTXFSIZ) >> 16;
    uint32_t periodic = get(chip, HPTXFSIZ) >> 16;
    if (get(chip, GHWCFG2) & HW_DYNAMIC_FIFO) {
        const uint32_t share = total >= 3 * FIFO_WORDS ? FIFO_WORDS : total / 3;
        receive = receive < share ? receive : share;
        others = others < share ? others : share;
        periodic = periodic < share ? periodic : share;
    }
    if (receive < FIFO_LEAST || others < FIFO_LEAST || periodic < FIFO_LEAST)
        return -EINVAL;
    put(chip, GRXFSIZ, receive);
    put(chip, GNPTXFSIZ, others << 16 | receive);
    put(chip, HPTXFSIZ, periodic << 16 | (receive + others));
    int error = flush(chip, RESET_ALL_TX | RESET_TX_FIFO, RESET_TX_FIFO);
    return error ? error : flush(chip, RESET_RX_FIFO, RESET_RX_FIFO);
}

/* Channels that somebody before us, or an emulated core that knows no reset, has left enabled. */
static inline int stop_channels(struct dwc2 *chip)
{
    int error = 0;
    chip->free = chip->free_count = chip->unsettled = chip->lost = 0;
    for (unsigned i = 0; i < chip->channel_count; i++) {
        struct channel *channel = &chip->channels[i];
        size_t step = i * (size_t)CHANNEL_STEP;
        put(chip, HCINTMSK + step, 0);
        uint32_t character = get(chip, HCCHAR + step);
        if (character & CHAR_ENABLE) {
            put(chip, HCCHAR + step, character | CHAR_DISABLE);
            int late = bb_read32_until(&chip->regs, HCCHAR + step, CHAR_ENABLE, 0, 10 * BB_MSEC);
            if (late) {
                error = late;
                continue;
            }
        }
        put(chip, HCINT + step, EVENTS);
        put(chip, HCSPLT + step, 0);
        put(chip, HCINTMSK + step, EVENT_HALTED | EVENT_AHB_ERROR);
        channel->shown = 0;
        set_free(chip, channel);
    }
    return error;
}

static inline int read_hardware(struct dwc2 *chip)
{
    uint32_t id = get(chip, GSNPSID), hardware = get(chip, GHWCFG2), widths = get(chip, GHWCFG3);
    if (id >> 16 != 0x4f54 || (id & 0xffff) < 0x2000 || (id & 0xffff) >= 0x4200)
        return bb_fail(&chip->device, "release of the core", -ENODEV);
    if ((hardware & HW_ARCHITECTURE) != HW_INTERNAL_DMA)
        return bb_fail(&chip->device, "DMA in the core", -ENOTSUP);
    chip->emulated = !(hardware >> HW_HS_PHY & 3) && !(hardware >> HW_FS_PHY & 3);
    chip->channel_count = (uint8_t)((hardware >> HW_CHANNELS & 0xf) + 1);
    chip->most_bytes = (1u << ((widths & 0xf) + 11)) - 1;
    chip->most_packets = (1u << ((widths >> 4 & 7) + 4)) - 1;
    if (chip->most_bytes > TSIZ_BYTES_MASK)
        chip->most_bytes = TSIZ_BYTES_MASK;
    if (chip->most_packets > TSIZ_PACKETS_MASK)
        chip->most_packets = TSIZ_PACKETS_MASK;
    if (chip->emulated) { /* it does more than it says */
        chip->most_bytes = 65536;
        chip->most_packets = TSIZ_PACKETS_MASK;
    }
    for (unsigned i = 0; i < chip->channel_count; i++)
        chip->channels[i].number = (uint8_t)i;
    return 0;
}

/* Nothing of it reaches memory from here on, whatever its channels and its reset do. The power
 * domain makes sure of that; where there is none, or another device keeps it on, it is an
 * assumption: that DMA ends with the packet under way when it is switched off. */
static inline void switch_off(struct dwc2 *chip)
{
    put(chip, GAHBCFG, 0);
    put(chip, HPRT, 0);
    bb_delay(125 * BB_USEC);
    bb_power_domain_drop(&chip->power);
}

static inline int set_up(struct dwc2 *chip)
{
    put(chip, GAHBCFG, chip->burst | AHB_DMA);
    put(chip, GINTMSK, 0);
    const char *step = "reset of the core";
    int error = reset_core(chip);
    if (!error)
        step = "host mode", error = choose_phy(chip);
    if (!error)
        step = "FIFO sizes", error = size_fifos(chip);
    if (!error)
        step = "disable of channels", error = stop_channels(chip);
    if (error) {
        switch_off(chip);
        return bb_fail(&chip->device, step, error);
    }
    put(chip, HAINTMSK, (1u << chip->channel_count) - 1);
    put(chip, GINTSTS, ~0u);
    put(chip, GAHBCFG, chip->burst | AHB_DMA);
    return 0;
}

static inline void set_going(struct dwc2 *chip)
{
    put(chip, GINTMSK, INTERRUPTS);
    put(chip, GAHBCFG, chip->burst | AHB_DMA | AHB_INTERRUPTS);
}
#endif
