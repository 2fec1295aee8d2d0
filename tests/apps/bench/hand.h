/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same devices driven by hand, as a program would that knows nothing but its one machine: own
 * registers, own rings, one caller, nothing checked that a device of good will does not get wrong.
 * Modern virtio over MMIO (version 1.2), split rings without event index, no interrupts.
 */
#ifndef BENCH_HAND_H
#define BENCH_HAND_H

#include <stdbool.h>
#include <stdint.h>

enum { SLOTS = 32, SLOT_SIZE = 0x200 }; /* of QEMU's virt machine */
#define FIRST_SLOT 0x0a000000u

enum { DEVICE_ID = 0x08, STATUS = 0x70, QUEUE_NOTIFY = 0x50, CONFIG = 0x100 };
enum { HAND_NEXT = 1, HAND_WRITE = 2 };
enum { HAND_SIZE = 256 }; /* entries of a ring */

struct hand_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct hand_available {
    uint16_t flags, index, ring[HAND_SIZE], event;
};

struct hand_used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[HAND_SIZE];
    uint16_t event;
};

struct hand_ring {
    _Alignas(16) struct hand_descriptor descriptors[HAND_SIZE];
    _Alignas(4) struct hand_available available;
    _Alignas(4) struct hand_used used;
    uint16_t next, last; /* of available, of used */
};

static inline uint32_t hand_read(uintptr_t address)
{
    return *(volatile uint32_t *)address;
}
static inline void hand_write(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

/* The registers of the device of this type with this word at the start of its configuration; 0:
 * there is none. */
uintptr_t hand_find(uint32_t type, uint32_t first_word);
/* Resets it, takes the features of `wanted` (low word) and VERSION_1. */
bool hand_begin(uintptr_t registers, uint32_t wanted);
void hand_ring(uintptr_t registers, unsigned index, struct hand_ring *ring);
void hand_go(uintptr_t registers);

/* Makes the entries up to ring->next visible, and rings the bell. */
static inline __attribute__((always_inline)) void hand_kick(uintptr_t registers,
                                                            struct hand_ring *ring, unsigned index)
{
    __atomic_store_n(&ring->available.index, ring->next, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&ring->used.flags, __ATOMIC_RELAXED))
        hand_write(registers + QUEUE_NOTIFY, index);
}

/* A disk of `sectors` blocks. */
bool hand_block_begin(uint64_t sectors);
void hand_block_submit(const uint64_t *sectors, void *const *buffers, unsigned count);
int hand_block_reap(void); /* how many, -1: one failed */

/* A card with this address. Frames stay in the loop's own buffers: entry i of a ring has buffer i
 * for ever, and QEMU is done with what it sends in the order in which it was sent. */
bool hand_net_begin(const uint8_t mac[6]);
uint8_t *
hand_net_frame(unsigned ahead); /* where to write the frame that is sent next but `ahead` */
void hand_net_send(const uint32_t *lengths, unsigned count);
unsigned hand_net_sent(void); /* how many more have left */
unsigned hand_net_receive(uint8_t **frames, uint32_t *lengths, unsigned limit);
void hand_net_refill(unsigned count); /* of those received, in their order */

#endif
