/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequential reads of 64 KiB from a USB stick, through the public API and by hand: all instructions
 * but those that wait. Who waits here looks over and over, since an instruction count does not hold
 * across a sleep; what a look in vain costs is taken off again, whatever interrupts do is not.
 */
#include <busbar/block.h>
#include <busbar/usb_host.h>

#include "../bench/bench.h"
#include "hand.h"

enum { ROUNDS = 128, SECTORS = HAND_BYTES / 512, LOOKS = 1000 };

static _Alignas(4096) uint8_t data[HAND_BYTES];

static struct bb_usb_interface *find_stick(void)
{
    for (struct bb_usb_device *device = bb_usb_next(NULL); device; device = bb_usb_next(device))
        for (unsigned i = 0; i < device->interface_count; i++)
            if (device->interfaces[i].class == 8 && device->interfaces[i].owner)
                return &device->interfaces[i];
    return NULL;
}

/* bb_poll() until the request is done. An iteration costs `idle` at least. */
static int read_framework(struct bb_block *disk, uint64_t first, uint64_t idle, uint64_t *cost)
{
    const struct bb_block_segment segment = {data, HAND_BYTES};
    struct bb_block_request request = {.op = BB_BLOCK_READ,
                                       .block = first,
                                       .segments = &segment,
                                       .segment_count = 1},
                            *batch[] = {&request};
    uint64_t begin = bench_begin();
    int taken = bb_block_submit(disk, 0, batch, 1);
    *cost = bench_end(begin);
    if (taken != 1)
        return taken < 0 ? taken : -EIO;
    while (request.status == -EINPROGRESS) {
        begin = bench_begin();
        (void)bb_poll();
        uint64_t ticks = bench_end(begin);
        *cost += ticks > idle ? ticks - idle : 0;
        begin = bench_begin();
        int count = bb_block_reap(disk, 0, 1);
        if (count > 0)
            *cost += bench_end(begin);
    }
    return request.status;
}

/* The least that a poll with nothing to do costs. */
static uint64_t measure_idle(void)
{
    uint64_t idle = UINT64_MAX;
    for (unsigned i = 0; i < LOOKS; i++) {
        uint64_t begin = bench_begin();
        (void)bb_poll();
        uint64_t ticks = bench_end(begin);
        idle = ticks < idle ? ticks : idle;
    }
    return idle;
}

static uint64_t measure_look(void)
{
    uint64_t begin = bench_begin();
    hand_look(LOOKS);
    uint64_t once = bench_end(begin);
    begin = bench_begin();
    hand_look(2 * LOOKS);
    return (bench_end(begin) - once) / LOOKS;
}

static int read_hand(uint64_t first, uint64_t look, uint64_t *cost)
{
    uint64_t begin = bench_begin();
    int64_t looks = hand_read((uint32_t)first, data);
    *cost = bench_end(begin);
    if (looks < 0)
        return -EIO;
    *cost -= (uint64_t)looks * look;
    return 0;
}

static int measure(struct bb_block *disk, struct bb_usb_interface *stick)
{
    static struct bench_costs framework, hand;
    uint64_t at = 0, cost;
    framework.operations = hand.operations = SECTORS;
    int error = bb_block_read(disk, 0, SECTORS, data);
    uint64_t idle = measure_idle();
    for (unsigned i = 0; !error && i < ROUNDS; i++, at += SECTORS) {
        error = read_framework(disk, at, idle, &cost);
        bench_add(&framework, cost);
    }
    hand_begin(bb_usb_endpoint(stick, BB_USB_BULK, BB_USB_IN),
               bb_usb_endpoint(stick, BB_USB_BULK, BB_USB_OUT));
    uint64_t look = measure_look();
    for (unsigned i = 0; !error && i < ROUNDS; i++, at += SECTORS) {
        error = read_hand(at, look, &cost);
        bench_add(&hand, cost);
    }
    hand_end();
    if (!error)
        error = bb_block_read(disk, 0, SECTORS, data); /* both agree on where they are */
    if (!error)
        bench_report("usb64k", &framework, &hand);
    return error;
}

int bb_main(void)
{
    bench_calibrate();
    struct bb_usb_interface *stick = find_stick();
    struct bb_block *disk = bb_block_first();
    while (disk && (!stick || disk->face.device != stick->owner))
        disk = bb_block_next(disk);
    return disk ? measure(disk, stick) : -ENODEV;
}
