/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames through a virtio network card by hand: section 5.1 of virtio 1.2. Each buffer is one entry
 * of its ring, the device's header of zeros at its start. */
#include "hand.h"

enum { NET = 1, MAC = 1 << 5, HEADER = 12, LENGTH = 2048 };

static struct {
    uintptr_t registers;
    uint16_t returned; /* of receive: entries given back, as the used ring counts */
    struct hand_ring receive, send;
} card;
static _Alignas(64) uint8_t received[HAND_SIZE][LENGTH], sending[HAND_SIZE][LENGTH];

bool hand_net_begin(const uint8_t mac[6])
{
    uint32_t first =
        mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24;
    card.registers = hand_find(NET, first);
    if (!card.registers || !hand_begin(card.registers, MAC))
        return false;
    for (uint16_t i = 0; i < HAND_SIZE; i++) {
        card.receive.descriptors[i] =
            (struct hand_descriptor){(uintptr_t)received[i], LENGTH, HAND_WRITE, 0};
        card.receive.available.ring[i] = i;
        card.send.descriptors[i] = (struct hand_descriptor){(uintptr_t)sending[i], LENGTH, 0, 0};
        card.send.available.ring[i] = i;
    }
    card.receive.next = HAND_SIZE;
    hand_ring(card.registers, 0, &card.receive);
    hand_ring(card.registers, 1, &card.send);
    hand_go(card.registers);
    hand_kick(card.registers, &card.receive, 0);
    return true;
}

uint8_t *hand_net_frame(unsigned ahead)
{
    return sending[(card.send.next + ahead) % HAND_SIZE] + HEADER;
}

void hand_net_send(const uint32_t *lengths, unsigned count)
{
    struct hand_ring *ring = &card.send;
    uint32_t next = ring->next;
    for (const uint32_t *end = lengths + count; lengths < end; lengths++)
        ring->descriptors[next++ % HAND_SIZE].length = *lengths + HEADER;
    ring->next = (uint16_t)next;
    hand_kick(card.registers, ring, 1);
}

unsigned hand_net_sent(void)
{
    struct hand_ring *ring = &card.send;
    uint16_t index = __atomic_load_n(&ring->used.index, __ATOMIC_ACQUIRE);
    uint16_t count = (uint16_t)(index - ring->last);
    ring->last = index;
    return count;
}

unsigned hand_net_receive(uint8_t **frames, uint32_t *lengths, unsigned limit)
{
    struct hand_ring *ring = &card.receive;
    uint16_t index = __atomic_load_n(&ring->used.index, __ATOMIC_ACQUIRE);
    uint32_t last = ring->last, count = (uint16_t)(index - ring->last);
    count = count < limit ? count : limit;
    for (uint32_t end = last + count; last < end; last++) {
        uint32_t at = last % HAND_SIZE;
        *frames++ = received[ring->used.ring[at].id] + HEADER;
        *lengths++ = ring->used.ring[at].length - HEADER;
    }
    ring->last = (uint16_t)last;
    return count;
}

void hand_net_refill(unsigned count)
{
    struct hand_ring *ring = &card.receive;
    uint32_t next = ring->next, at = card.returned;
    for (uint32_t end = next + count; next < end; next++, at++)
        ring->available.ring[next % HAND_SIZE] = (uint16_t)ring->used.ring[at % HAND_SIZE].id;
    ring->next = (uint16_t)next;
    card.returned = (uint16_t)at;
    hand_kick(card.registers, ring, 0);
}
