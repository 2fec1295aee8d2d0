/* SPDX-License-Identifier: BSD-2-Clause */
/* READ (10) over the bulk-only transport on the registers of a DWC2 core (RM0090, OTG_HS): what a
 * program does that knows of nothing else. */
#include "hand.h"

#include <string.h>

enum { CHANNEL = 7, LINE = 64, WRAPPER = 31, STATUS = 13 };
enum { CHARACTER = 0x00, SPLIT = 0x04, EVENTS = 0x08, MASK = 0x0c, SIZE = 0x10, ADDRESS = 0x14 };
enum { DONE = 1, HALTED = 2 };

#define REGISTERS (0x3f980000u + 0x500 + CHANNEL * 0x20)
#define BUS_ADDRESS 0xc0000000u
#define LOOKS 100000000u

static struct {
    struct bb_usb_endpoint *in, *out;
    uint32_t in_character, out_character;
    uint32_t tag;
} stick;
static _Alignas(LINE) uint8_t wrapper[LINE], status[512];

static inline uint32_t get(uint32_t offset)
{
    return *(volatile uint32_t *)(uintptr_t)(REGISTERS + offset);
}

static inline void put(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(REGISTERS + offset) = value;
}

/* Before the device has it, and after: no line of it is dirty, or older than memory. */
static void clean(const void *memory, size_t size)
{
    uintptr_t at = (uintptr_t)memory, end = at + size;
    for (; at < end; at += LINE)
        __asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
    __asm__ volatile("dsb sy" ::: "memory");
}

static __attribute__((noinline)) uint32_t look(uint32_t wanted, uint32_t most)
{
    uint32_t looks = 0;
    while (!(get(EVENTS) & wanted) && looks < most)
        looks++;
    return looks;
}

void hand_look(uint32_t times)
{
    (void)look(0, times);
}

static uint32_t character_of(const struct bb_usb_endpoint *endpoint)
{
    return endpoint->packet | (endpoint->address & 15u) << 11 |
           (endpoint->address & BB_USB_IN ? 1u << 15 : 0) | BB_USB_BULK << 18 | 1u << 20 |
           (uint32_t)endpoint->device->address << 22 | 1u << 31;
}

static inline uint32_t run(struct bb_usb_endpoint *endpoint, uint32_t character, void *data,
                           uint32_t length, uint32_t packets)
{
    put(EVENTS, UINT32_MAX);
    put(SIZE, length | packets << 19 | (endpoint->toggle ? 2u << 29 : 0));
    put(ADDRESS, BUS_ADDRESS | (uint32_t)(uintptr_t)data);
    put(CHARACTER, character);
    uint32_t looks = look(HALTED, LOOKS);
    endpoint->toggle ^= packets & 1;
    return looks;
}

int64_t hand_read(uint32_t sector, void *data)
{
    const uint32_t count = HAND_BYTES / 512, packet = stick.in->packet;
    int64_t looks = 0;
    memcpy(wrapper + 4, &(uint32_t){++stick.tag}, 4);
    memcpy(wrapper + 17, &(uint32_t){__builtin_bswap32(sector)}, 4);
    clean(wrapper, sizeof wrapper);
    looks += run(stick.out, stick.out_character, wrapper, WRAPPER, 1);
    clean(data, HAND_BYTES);
    looks += run(stick.in, stick.in_character, data, HAND_BYTES, HAND_BYTES / packet);
    clean(data, HAND_BYTES);
    clean(status, packet);
    looks += run(stick.in, stick.in_character, status, packet, 1);
    clean(status, packet);
    bool good = get(EVENTS) & DONE && bb_usb_u32(status) == 0x53425355 &&
                bb_usb_u32(status + 4) == stick.tag && !bb_usb_u32(status + 8) && !status[12];
    return good && count ? looks : -1;
}

void hand_begin(struct bb_usb_endpoint *in, struct bb_usb_endpoint *out)
{
    const uint8_t begin[WRAPPER] = {'U',
                                    'S',
                                    'B',
                                    'C',
                                    [10] = HAND_BYTES >> 16,
                                    [12] = 0x80,
                                    [14] = 10,
                                    [15] = 0x28,
                                    [23] = HAND_BYTES / 512};
    stick.in = in;
    stick.out = out;
    stick.in_character = character_of(in);
    stick.out_character = character_of(out);
    stick.tag = 0x10000;
    memcpy(wrapper, begin, sizeof begin);
    put(SPLIT, 0);
    put(MASK, 0); /* looked at, not told by */
}

void hand_end(void)
{
    put(EVENTS, UINT32_MAX);
}
