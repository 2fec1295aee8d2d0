/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives disks in the way that the parameter `do=NAME` names, so that boot tests can look at what
 * comes out, here and in the disk's file. `disk0` is written to; `copy` reads from `disk1`.
 */
#include <string.h>

#include <busbar/app.h>
#include <busbar/block.h>
#include <busbar/log.h>
#include <busbar/param.h>
#include <busbar/time.h>

enum { DEPTH = 16, CHUNK = 65536, SEGMENTS = 4, BATCH = 16 };

struct job {
    struct bb_block_request request;
    struct bb_block_segment segments[SEGMENTS];
};

static struct job jobs[DEPTH];
static uint8_t buffers[DEPTH][CHUNK], other[CHUNK];

/* A chunk in one segment, or cut in several of different lengths. */
static void set_up(struct job *job, struct bb_block *block, enum bb_block_op op, uint64_t chunk,
                   uint8_t *data)
{
    const uint32_t cuts[] = {512, 4096, 20480, CHUNK - 512 - 4096 - 20480};
    bool whole = chunk % 2 || block->max_segments < SEGMENTS || block->block_size > 512;
    job->request = (struct bb_block_request){.op = (uint8_t)op,
                                             .block = chunk * (CHUNK / block->block_size),
                                             .segments = job->segments,
                                             .segment_count = whole ? 1 : SEGMENTS};
    job->segments[0] = (struct bb_block_segment){data, CHUNK};
    for (unsigned i = 0; i < SEGMENTS && !whole; data += cuts[i++])
        job->segments[i] = (struct bb_block_segment){data, cuts[i]};
}

/* A batch of chunks, in flight together. 0, or the first error. */
static int run_batch(struct bb_block *block, enum bb_block_op op, uint64_t first, unsigned count)
{
    struct bb_block_request *batch[DEPTH];
    unsigned posted = 0;
    int error = 0;
    for (unsigned i = 0; i < count; i++) {
        set_up(&jobs[i], block, op, first + i, buffers[i]);
        batch[i] = &jobs[i].request;
    }
    while (posted < count) {
        int taken = bb_block_submit(block, 0, batch + posted, count - posted);
        if (taken < 0)
            return taken;
        posted += (unsigned)taken;
        if (posted < count)
            (void)bb_block_reap(block, 0, DEPTH);
    }
    for (unsigned i = 0; i < count; i++) {
        int status = bb_block_wait(block, 0, batch[i]);
        error = error ? error : status;
    }
    return error;
}

static int report(const char *what, int error)
{
    bb_print(error ? BB_ERROR : BB_INFO, "%s: %s", what, bb_error_name(error));
    return error ? 1 : 0;
}

/* From disk1 to disk0, then both are compared. */
static int copy(struct bb_block *to)
{
    struct bb_block *from = bb_block_by_name("disk1");
    int error = from ? 0 : -ENODEV;
    uint64_t chunks = from ? bb_block_bytes(from) / CHUNK : 0;
    for (uint64_t at = 0; at < chunks && !error; at += DEPTH) {
        unsigned count = chunks - at < DEPTH ? (unsigned)(chunks - at) : DEPTH;
        error = run_batch(from, BB_BLOCK_READ, at, count);
        if (!error)
            error = run_batch(to, BB_BLOCK_WRITE, at, count);
    }
    if (!error)
        error = bb_block_flush(to);
    if (error)
        return report("copy", error);
    for (uint64_t at = 0; at < chunks && !error; at += DEPTH) {
        unsigned count = chunks - at < DEPTH ? (unsigned)(chunks - at) : DEPTH;
        error = run_batch(to, BB_BLOCK_READ, at, count);
        for (unsigned i = 0; i < count && !error; i++) {
            error = bb_block_read(from, (at + i) * (CHUNK / from->block_size),
                                  CHUNK / from->block_size, other);
            if (!error && memcmp(other, buffers[i], CHUNK) != 0)
                error = -EIO;
        }
    }
    bb_print(BB_INFO, "%llu chunks, %llu requests written, %llu flushes, %llu errors",
             (unsigned long long)chunks, (unsigned long long)to->stats.writes,
             (unsigned long long)to->stats.flushes, (unsigned long long)to->stats.errors);
    return report("copy", error);
}

/* A batch of single blocks that no emulator merges; what became of each. */
static int batch(struct bb_block *block)
{
    struct bb_block_request *list[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        jobs[i].segments[0] = (struct bb_block_segment){buffers[i], block->block_size};
        jobs[i].request = (struct bb_block_request){
            .block = 2 * i, .segments = jobs[i].segments, .segment_count = 1};
        list[i] = &jobs[i].request;
    }
    int taken = bb_block_submit(block, 0, list, BATCH);
    for (int i = 0; i < taken; i++)
        bb_print(BB_INFO, "block %d: %s", 2 * i, bb_error_name(bb_block_wait(block, 0, list[i])));
    bb_print(BB_INFO, "%llu reads, %llu errors", (unsigned long long)block->stats.reads,
             (unsigned long long)block->stats.errors);
    return report("read again", bb_block_read(block, 0, 2 * BATCH, buffers[0]));
}

static int read_only(struct bb_block *block)
{
    int error = bb_block_write(block, 0, 1, buffers[0]);
    bb_print(BB_INFO, "write: %s", bb_error_name(error));
    error = bb_block_write_zeroes(block, 0, 1);
    bb_print(BB_INFO, "zeros: %s", bb_error_name(error));
    return report("read", bb_block_read(block, 0, 1, buffers[0]));
}

static bool is_smaller(void *context)
{
    const struct bb_block *block = context;
    return block->capacity < 8192;
}

static int resize(struct bb_block *block)
{
    bb_print(BB_INFO, "%llu blocks", (unsigned long long)block->capacity);
    int error = bb_wait(is_smaller, block, 30 * BB_SEC);
    bb_print(BB_INFO, "now %llu: %s", (unsigned long long)block->capacity, bb_error_name(error));
    error = bb_block_read(block, block->capacity, 1, buffers[0]);
    bb_print(BB_INFO, "past the end: %s", bb_error_name(error));
    return report("last block", bb_block_read(block, block->capacity - 1, 1, buffers[0]));
}

/* Zeros in the middle of what was written. */
static int erase(struct bb_block *block)
{
    memset(buffers[0], 0x5a, CHUNK);
    uint32_t count = CHUNK / block->block_size;
    int error = bb_block_write(block, 0, count, buffers[0]);
    if (!error)
        error = bb_block_write_zeroes(block, 1, count - 2);
    if (!error)
        error = bb_block_read(block, 0, count, other);
    for (uint32_t i = 0; i < CHUNK && !error; i++) {
        bool edge = i < block->block_size || i >= CHUNK - block->block_size;
        if (other[i] != (edge ? 0x5a : 0))
            error = -EIO;
    }
    (void)report("discard", bb_block_discard(block, 0, count));
    return report("zeros", error ? error : bb_block_flush(block));
}

static const struct {
    const char *name;
    int (*run)(struct bb_block *block);
} things[] = {
    {"copy", copy}, {"batch", batch}, {"readonly", read_only}, {"resize", resize}, {"erase", erase},
};

int bb_main(void)
{
    const char *name = bb_param_get("do");
    struct bb_block *block = bb_block_by_name("disk0");
    for (struct bb_block *each = bb_block_first(); each; each = bb_block_next(each))
        bb_print(BB_INFO, "%s: %llu blocks of %u, %u in flight, %u segments, features %x",
                 each->face.device->name, (unsigned long long)each->capacity, each->block_size,
                 each->depth, each->max_segments, each->features);
    for (size_t i = 0; block && name && i < BB_ARRAY_SIZE(things); i++)
        if (strcmp(things[i].name, name) == 0)
            return things[i].run(block);
    return report("do", block ? -EINVAL : -ENODEV);
}
