/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random reads of 4 KiB in nanoseconds, through the public API and by hand: pread(2) on the same
 * file, memcpy() out of as much memory. `file=` names what host_file.path= does.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <busbar/block.h>
#include <busbar/param.h>
#include <busbar/time.h>

#include "../bench/bench.h"

enum { LENGTH = 4096, ROUNDS = 64, OPERATIONS = 1024 };

static _Alignas(4096) uint8_t buffers[BATCH][LENGTH], memory[16 << 20];
static struct bb_block_segment segments[BATCH];
static struct bb_block_request requests[BATCH], *batch[BATCH];

static uint64_t random_block(uint64_t blocks)
{
    return bench_random() % (blocks / 8) * 8;
}

static int read_framework(struct bb_block *disk, unsigned depth, struct bench_costs *costs)
{
    uint64_t begin = bb_time();
    for (unsigned done = 0; done < OPERATIONS; done += depth) {
        for (unsigned i = 0; i < depth; i++)
            requests[i].block = random_block(disk->capacity);
        int taken = bb_block_submit(disk, 0, batch, depth);
        if (taken != (int)depth)
            return taken < 0 ? taken : -EIO;
        for (unsigned left = depth; left > 0;) {
            int count = bb_block_reap(disk, 0, left);
            if (count < 0)
                return count;
            left -= (unsigned)count;
        }
    }
    bench_add(costs, bb_time() - begin);
    return requests[0].status;
}

/* `file` -1: out of memory. */
static int read_hand(int file, uint64_t blocks, unsigned depth, struct bench_costs *costs)
{
    uint64_t begin = bb_time();
    for (unsigned done = 0; done < OPERATIONS; done++) {
        size_t at = random_block(blocks) * 512;
        if (file < 0)
            memcpy(buffers[done % depth], memory + at, LENGTH);
        else if (pread(file, buffers[done % depth], LENGTH, (off_t)at) != LENGTH)
            return -EIO;
    }
    bench_add(costs, bb_time() - begin);
    return 0;
}

static int compare(const char *figure, struct bb_block *disk, int file, unsigned depth)
{
    static struct bench_costs framework, hand;
    int error = disk ? 0 : -ENODEV;
    framework.count = hand.count = 0;
    framework.operations = hand.operations = OPERATIONS;
    for (unsigned i = 0; i < depth; i++) {
        segments[i] = (struct bb_block_segment){buffers[i], LENGTH};
        requests[i] = (struct bb_block_request){
            .op = BB_BLOCK_READ, .segments = &segments[i], .segment_count = 1};
        batch[i] = &requests[i];
    }
    for (unsigned round = 0; round < ROUNDS && !error; round++) {
        error = read_framework(disk, depth, &framework);
        if (!error)
            error = read_hand(file, disk->capacity, depth, &hand);
    }
    if (!error)
        bench_report(figure, &framework, &hand);
    return error;
}

static struct bb_block *disk_of(const char *driver)
{
    struct bb_block *disk = bb_block_first();
    while (disk && strcmp(disk->face.device->driver->name, driver) != 0)
        disk = bb_block_next(disk);
    return disk;
}

int bb_main(void)
{
    const char *path = bb_param_get("file");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct bb_block *disk = disk_of("block/host_file"), *ram = disk_of("block/ram");
    if (file < 0)
        return -ENOENT;
    memset(memory, 1, sizeof(memory));
    int error = compare("file1", disk, file, 1);
    if (!error)
        error = compare("file32", disk, file, BATCH);
    if (!error)
        error = compare("ram1", ram, -1, 1);
    if (!error)
        error = compare("ram32", ram, -1, BATCH);
    close(file);
    return error;
}
