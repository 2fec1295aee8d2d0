/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BCM2835 mailboxes 0 (from the VideoCore) and 1 (to it): two FIFOs of 8 words, each word a value
 * of 28 bits and a channel of 4 (raspberrypi/firmware wiki, "Accessing mailboxes"; BCM2835 ARM
 * Peripherals leaves them out). Polled: answers come within microseconds.
 */
#include <busbar/mailbox.h>
#include <busbar/mmio.h>
#include <busbar/store.h>

enum {
    MAIL0_RD = 0x00,
    MAIL0_STA = 0x18,
    MAIL0_CNF = 0x1c, /* interrupt enables */
    MAIL1_WRT = 0x20,
    MAIL1_STA = 0x38,
    SIZE = 0x40,

    CHANNELS = 16,
    CHANNEL_MASK = 0xf,
    FIFO_WORDS = 8,
};
#define STA_FULL (1u << 31)
#define STA_EMPTY (1u << 30)

struct bcm2835 {
    struct bb_device device;
    struct bb_mailbox mailbox;
    struct bb_regs regs;
    uint32_t kept[CHANNELS]; /* one word that came while another channel was asked for */
    uint16_t has;            /* bit n: kept[n] holds one */
    struct bb_value dropped_value;
    uint64_t dropped; /* words that nobody asked for in time */
};

static uint64_t deadline(uint64_t timeout)
{
    uint64_t now = bb_time();

    return timeout > BB_FOREVER - now ? BB_FOREVER : now + timeout;
}

static int bcm2835_send(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                        uint64_t timeout)
{
    struct bcm2835 *bcm2835 = bb_container_of(mailbox, struct bcm2835, mailbox);
    uint64_t end = deadline(timeout);

    if (channel >= CHANNELS || value & CHANNEL_MASK)
        return -EINVAL;
    while (bb_read32(&bcm2835->regs, MAIL1_STA) & STA_FULL)
        if (bb_time() >= end)
            return -ETIMEDOUT;
    bb_write32(&bcm2835->regs, MAIL1_WRT, value | channel);
    return 0;
}

static int bcm2835_receive(struct bb_mailbox *mailbox, uint32_t channel, uint32_t *value)
{
    struct bcm2835 *bcm2835 = bb_container_of(mailbox, struct bcm2835, mailbox);

    if (channel >= CHANNELS)
        return -EINVAL;
    if (bcm2835->has & 1u << channel) {
        bcm2835->has &= (uint16_t) ~(1u << channel);
        *value = bcm2835->kept[channel];
        return 0;
    }
    /* No more words than the FIFO holds: one that never runs empty must not keep us here. */
    for (int i = 0; i < FIFO_WORDS; i++) {
        if (bb_read32(&bcm2835->regs, MAIL0_STA) & STA_EMPTY)
            break;
        uint32_t word = bb_read32(&bcm2835->regs, MAIL0_RD);
        uint32_t from = word & CHANNEL_MASK;
        if (from == channel) {
            *value = word & ~(uint32_t)CHANNEL_MASK;
            return 0;
        }
        if (bcm2835->has & 1u << from)
            bcm2835->dropped++; /* the older one goes */
        bcm2835->kept[from] = word & ~(uint32_t)CHANNEL_MASK;
        bcm2835->has |= (uint16_t)(1u << from);
    }
    return -EAGAIN;
}

static int bcm2835_call(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                        uint64_t timeout, uint32_t *reply)
{
    struct bcm2835 *bcm2835 = bb_container_of(mailbox, struct bcm2835, mailbox);
    uint64_t end = deadline(timeout);
    uint32_t stale;
    int error;

    for (int i = 0; i <= FIFO_WORDS && bcm2835_receive(mailbox, channel, &stale) == 0; i++)
        bcm2835->dropped++;
    error = bcm2835_send(mailbox, channel, value, timeout);
    if (error)
        return error;
    while ((error = bcm2835_receive(mailbox, channel, reply)) == -EAGAIN)
        if (bb_time() >= end)
            return -ETIMEDOUT;
    return error;
}

static int bcm2835_probe(struct bb_device *device)
{
    struct bcm2835 *bcm2835 = bb_container_of(device, struct bcm2835, device);
    int error = bb_regs_get(device, 0, SIZE, &bcm2835->regs);

    if (error)
        return error;
    bcm2835->mailbox.channels = CHANNELS;
    bb_write32(&bcm2835->regs, MAIL0_CNF, 0);
    return bb_publish_u64(device, &bcm2835->dropped_value, "dropped", "words", &bcm2835->dropped);
}

const struct bb_mailbox_ops bb_ops_mailbox_bcm2835 = {
    .send = bcm2835_send,
    .receive = bcm2835_receive,
    .call = bcm2835_call,
};

BB_DRIVER(mailbox, bcm2835, .bus = &bb_mmio_bus, .match = BB_MATCH({"brcm,bcm2835-mbox"}),
          .probe = bcm2835_probe);
