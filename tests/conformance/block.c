/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block devices: requests one by one and in batches, what must be refused, waiting. Only a
 * disk that a parameter `conformance.scratch` names is written to.
 */
#include "conformance.h"

#include <string.h>

#include <busbar/block.h>
#include <busbar/param.h>

enum { CHUNK = 8192, BATCH = 8 };

static _Alignas(4096) uint8_t first[CHUNK], second[CHUNK], third[CHUNK];

static bool same(const uint8_t *a, const uint8_t *b, size_t size)
{
    return memcmp(a, b, size) == 0;
}

static void check_limits(struct conformance *run, const struct bb_block *block)
{
    uint32_t size = block->block_size;
    bb_check(run, size >= 512 && size <= 65536 && !(size & (size - 1)),
             "the block size is a power of two from 512 to 65536");
    bb_check(run, block->capacity > 0 && block->capacity <= (uint64_t)INT64_MAX / size,
             "the capacity fits 63 bits of bytes");
    bb_check(run, block->max_blocks && block->max_segments && block->queues && block->depth,
             "no limit is 0");
    bb_check(run, block->physical_size >= size && block->physical_size % size == 0,
             "the medium writes whole blocks");
    bb_check(run, block->label != NULL, "it has a label, be it empty");
}

static int submit_one(struct bb_block *block, struct bb_block_request *request)
{
    struct bb_block_request *list[] = {request};
    return bb_block_submit(block, 0, list, 1);
}

/* What must not reach the device. */
static void check_refusals(struct conformance *run, struct bb_block *block)
{
    const struct bb_block_segment good = {first, block->block_size};
    const struct bb_block_segment odd = {first, block->block_size + 1}, none = {first, 0};
    struct bb_block_request request = {.segments = &good, .segment_count = 1},
                            *batch[] = {&request};

    request.block = block->capacity;
    bb_check(run, submit_one(block, &request) == -EINVAL, "a read past the end is refused");
    request.block = UINT64_MAX;
    bb_check(run, submit_one(block, &request) == -EINVAL, "and one at the end of all numbers");
    request.block = 0;
    request.segments = &odd;
    bb_check(run, submit_one(block, &request) == -EINVAL, "a length that is no block is refused");
    request.segments = &none;
    bb_check(run, submit_one(block, &request) == -EINVAL, "and one of 0");
    request.segments = &good;
    request.segment_count = 0;
    bb_check(run, submit_one(block, &request) == -EINVAL, "a read of no segments is refused");
    request.segment_count = (uint16_t)(block->max_segments + 1);
    bb_check(run, !request.segment_count || submit_one(block, &request) == -EINVAL,
             "and one of too many");
    request.segment_count = 1;
    request.op = BB_BLOCK_WRITE_ZEROES + 1;
    bb_check(run, submit_one(block, &request) == -EINVAL, "an unknown operation is refused");
    request.op = BB_BLOCK_DISCARD;
    request.count = 1;
    int error = submit_one(block, &request);
    bool can = block->features & BB_BLOCK_HAS_DISCARD;
    bb_check(run,
             error == (!can                                   ? -ENOTSUP
                       : block->features & BB_BLOCK_READ_ONLY ? -EROFS
                                                              : -EINVAL),
             "a discard with segments is refused");
    request.op = BB_BLOCK_READ;
    bb_check(run, bb_block_submit(block, 0, batch, 0) == 0, "a batch of nothing takes nothing");
    bb_check(run, bb_block_read(block, block->capacity, 1, first) == -EINVAL,
             "the call that waits refuses too");
    bb_check(run, request.status == 0, "what was refused has no status");
    if (block->features & BB_BLOCK_READ_ONLY)
        bb_check(run, bb_block_write(block, 0, 1, first) == -EROFS, "it is not written to");
}

static unsigned told;

static void tell(struct bb_block_request *request)
{
    told += request->status == 0;
}

/* The same blocks in a batch, each with a done(), and in pieces. */
static void check_reads(struct conformance *run, struct bb_block *block)
{
    uint32_t size = block->block_size, count = CHUNK / size;
    uint64_t before = block->stats.reads;
    struct bb_block_request requests[BATCH], *list[BATCH];
    struct bb_block_segment segments[BATCH];
    unsigned batch = 0;

    if (!count || block->capacity < count) {
        bb_skip(run, "its blocks are too large, or too few, for this test");
        return;
    }
    bb_check(run, bb_block_read(block, 0, count, first) == 0, "blocks can be read");
    bb_check(run, bb_block_read(block, block->capacity - 1, 1, second) == 0, "so can the last");
    bb_check(run, bb_block_read(block, 0, 0, second) == 0, "reading nothing is no error");
    memset(second, 0x55, sizeof second);
    for (told = 0; batch < BATCH && batch < count; batch++) {
        segments[batch] = (struct bb_block_segment){second + batch * size, size};
        requests[batch] = (struct bb_block_request){
            .block = batch, .segments = &segments[batch], .segment_count = 1, .done = tell};
        list[batch] = &requests[batch];
    }
    unsigned posted = 0;
    for (uint64_t end = bb_time() + 10 * BB_SEC; posted < batch && bb_time() < end;) {
        int taken = bb_block_submit(block, 0, list + posted, batch - posted);
        if (!bb_check(run, taken >= 0 && (unsigned)taken <= batch - posted, "a batch is taken"))
            return;
        posted += (unsigned)taken;
        (void)bb_block_reap(block, 0, BATCH);
    }
    bool good = true;
    for (unsigned i = 0; i < posted; i++)
        good = bb_block_wait(block, 0, list[i]) == 0 && good;
    bb_check(run, good && posted == batch, "every request of it is done");
    bb_check(run, told == batch, "and tells so once");
    bb_check(run, same(first, second, batch * size), "it reads the same");
    bb_check(run, block->stats.reads - before >= batch + 2, "reads are counted");
    if (count > 1 && block->max_segments > 1) {
        const struct bb_block_segment two[] = {{third + size, size}, {third, size}};
        struct bb_block_request request = {.segments = two, .segment_count = 2};
        bb_check(run, submit_one(block, &request) == 1 && bb_block_wait(block, 0, &request) == 0,
                 "two segments can be read");
        bb_check(run, same(third + size, first, size) && same(third, first + size, size),
                 "in their order");
    }
    bb_check(run, bb_block_reap(block, 0, BATCH) == 0, "then nothing is left to reap");
}

/* Sleeps until an interrupt: what is armed is reaped by bb_poll(). */
static bool is_told(void *context)
{
    (void)context;
    return told > 0;
}

static void check_arm(struct conformance *run, struct bb_block *block)
{
    const struct bb_block_segment segment = {first, block->block_size};
    struct bb_block_request request = {.segments = &segment, .segment_count = 1, .done = tell};
    told = 0;
    if (!bb_check(run, submit_one(block, &request) == 1, "one more is taken"))
        return;
    if (bb_block_arm(block, 0))
        bb_check(run, bb_block_reap(block, 0, 1) == 1, "what is done already can be reaped");
    else
        bb_check(run, bb_wait(is_told, NULL, 10 * BB_SEC) == 0, "an armed queue reaps by itself");
    bb_check(run, bb_block_wait(block, 0, &request) == 0 && told == 1, "and that was all");
}

static void check_writes(struct conformance *run, struct bb_block *block)
{
    uint32_t size = block->block_size, count = CHUNK / size;
    uint64_t at = block->capacity / 2;
    if (!count || block->capacity < 2 * (uint64_t)count)
        return;
    bb_check(run, bb_block_read(block, at, count, third) == 0, "what is there is kept");
    for (size_t i = 0; i < CHUNK; i++)
        first[i] = (uint8_t)(i * 7 + i / 256);
    bb_check(run, bb_block_write(block, at, count, first) == 0, "blocks can be written");
    bb_check(run, bb_block_flush(block) == 0, "and flushed");
    bb_check(run, bb_block_read(block, at, count, second) == 0 && same(first, second, CHUNK),
             "what was written is read back");
    bb_check(run,
             bb_block_write(block, at, count - 1, first + 1) == 0 &&
                 bb_block_read(block, at, count - 1, second + 1) == 0 &&
                 same(first + 1, second + 1, CHUNK - size),
             "memory may be odd");
    bb_check(run,
             bb_block_write_zeroes(block, at + 1, 1) == 0 &&
                 bb_block_read(block, at, count, second) == 0,
             "a block can be made zeros");
    bool zero = count > 1, kept = same(first + 1, second, size);
    for (uint32_t i = 0; i < size && count > 1; i++)
        zero = zero && second[size + i] == 0;
    bb_check(run, zero && kept, "and no other");
    int error = bb_block_discard(block, at, count);
    bb_check(run, error == (block->features & BB_BLOCK_HAS_DISCARD ? 0 : -ENOTSUP),
             "blocks can be discarded, or it says that it cannot");
    bb_check(run,
             bb_block_write(block, block->capacity - 1, 2, first) == -EINVAL &&
                 bb_block_write_zeroes(block, block->capacity, 1) == -EINVAL,
             "nothing is written past the end");
    bb_check(run, bb_block_write(block, at, count, third) == 0 && bb_block_flush(block) == 0,
             "the old contents can be written again");
}

static bool is_scratch(const char *name)
{
    const char *scratch;
    for (size_t i = 0; (scratch = bb_param_get_at("conformance.scratch", i)); i++)
        if (strcmp(scratch, name) == 0)
            return true;
    return false;
}

static void run_block(struct conformance *run, struct bb_face *face)
{
    struct bb_block *block = bb_container_of(face, struct bb_block, face);

    check_limits(run, block);
    check_refusals(run, block);
    check_reads(run, block);
    check_arm(run, block);
    if (block->features & BB_BLOCK_READ_ONLY || !is_scratch(face->device->name))
        bb_skip(run, "it is not said that it may be written to");
    else
        check_writes(run, block);
}

const struct conformance_suite conformance_block = {"block", &bb_class_block, run_block};
