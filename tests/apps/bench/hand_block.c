/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads of 4 KiB from a virtio disk by hand: section 5.2 of virtio 1.2. */
#include "hand.h"

enum { BLOCK = 2, LENGTH = 4096, CHAINS = 64 };

/* Chain i is the entries i, CHAINS + i and 2 CHAINS + i: header, data, status. Only its sector and
 * the address of its data ever change. */
static struct {
    uintptr_t registers;
    uint32_t free_count;
    uint16_t free_chains[CHAINS];
    uint8_t status[CHAINS];
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } headers[CHAINS];
    struct hand_ring ring;
} disk;

bool hand_block_begin(uint64_t sectors)
{
    struct hand_ring *ring = &disk.ring;
    disk.registers = hand_find(BLOCK, (uint32_t)sectors);
    if (!disk.registers || !hand_begin(disk.registers, 0))
        return false;
    for (uint16_t i = 0; i < CHAINS; i++) {
        uint16_t data = (uint16_t)(CHAINS + i), status = (uint16_t)(2 * CHAINS + i);
        ring->descriptors[i] = (struct hand_descriptor){(uintptr_t)&disk.headers[i],
                                                        sizeof(disk.headers[i]), HAND_NEXT, data};
        ring->descriptors[data] =
            (struct hand_descriptor){0, LENGTH, HAND_NEXT | HAND_WRITE, status};
        ring->descriptors[status] =
            (struct hand_descriptor){(uintptr_t)&disk.status[i], 1, HAND_WRITE, 0};
        disk.free_chains[disk.free_count++] = i;
    }
    hand_ring(disk.registers, 0, ring);
    hand_go(disk.registers);
    return true;
}

void hand_block_submit(const uint64_t *sectors, void *const *buffers, unsigned count)
{
    struct hand_ring *ring = &disk.ring;
    uint32_t free_count = disk.free_count, next = ring->next;
    for (const uint64_t *end = sectors + count; sectors < end; sectors++, buffers++) {
        uint32_t chain = disk.free_chains[--free_count];
        disk.headers[chain].sector = *sectors;
        ring->descriptors[CHAINS + chain].address = (uintptr_t)*buffers;
        ring->available.ring[next++ % HAND_SIZE] = (uint16_t)chain;
    }
    disk.free_count = free_count;
    ring->next = (uint16_t)next;
    hand_kick(disk.registers, ring, 0);
}

int hand_block_reap(void)
{
    struct hand_ring *ring = &disk.ring;
    uint16_t index = __atomic_load_n(&ring->used.index, __ATOMIC_ACQUIRE), last = ring->last;
    uint32_t free_count = disk.free_count, before = free_count;
    while (last != index) {
        uint32_t chain = ring->used.ring[last++ % HAND_SIZE].id;
        if (disk.status[chain])
            return -1;
        disk.free_chains[free_count++] = (uint16_t)chain;
    }
    ring->last = last;
    disk.free_count = free_count;
    return (int)(free_count - before);
}
