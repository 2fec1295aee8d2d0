/* SPDX-License-Identifier: BSD-2-Clause */
/* What both loops written by hand begin with: section 3.1 and 4.2 of virtio 1.2. */
#include "hand.h"

enum { DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SEL = 0x24 };
enum { QUEUE_SEL = 0x30, QUEUE_NUM = 0x38, QUEUE_READY = 0x44 };
enum { QUEUE_DESC = 0x80, QUEUE_DRIVER = 0x90, QUEUE_DEVICE = 0xa0 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { NO_INTERRUPT = 1 };

uintptr_t hand_find(uint32_t type, uint32_t first_word)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uintptr_t registers = FIRST_SLOT + slot * SLOT_SIZE;
        if (hand_read(registers + DEVICE_ID) == type && hand_read(registers + CONFIG) == first_word)
            return registers;
    }
    return 0;
}

bool hand_begin(uintptr_t registers, uint32_t wanted)
{
    hand_write(registers + STATUS, 0);
    hand_write(registers + STATUS, ACKNOWLEDGE | DRIVER);
    hand_write(registers + DRIVER_FEATURES_SEL, 0);
    hand_write(registers + DRIVER_FEATURES, wanted);
    hand_write(registers + DRIVER_FEATURES_SEL, 1);
    hand_write(registers + DRIVER_FEATURES, 1); /* VERSION_1 */
    hand_write(registers + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    return hand_read(registers + STATUS) & FEATURES_OK;
}

static void write_address(uintptr_t registers, uint32_t offset, const void *address)
{
    hand_write(registers + offset, (uint32_t)(uintptr_t)address);
    hand_write(registers + offset + 4, (uint32_t)((uintptr_t)address >> 32));
}

void hand_ring(uintptr_t registers, unsigned index, struct hand_ring *ring)
{
    ring->available.flags = NO_INTERRUPT;
    hand_write(registers + QUEUE_SEL, index);
    hand_write(registers + QUEUE_NUM, HAND_SIZE);
    write_address(registers, QUEUE_DESC, ring->descriptors);
    write_address(registers, QUEUE_DRIVER, &ring->available);
    write_address(registers, QUEUE_DEVICE, &ring->used);
    hand_write(registers + QUEUE_READY, 1);
}

void hand_go(uintptr_t registers)
{
    hand_write(registers + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}
