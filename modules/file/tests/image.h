/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk in memory for tests of file systems, with contents that the host's programs make. */
#ifndef FILE_TESTS_IMAGE_H
#define FILE_TESTS_IMAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tests/unit/harness.h>

#include <busbar/block.h>

struct image {
    struct bb_device device; /* first */
    struct bb_block block;
    uint8_t *bytes;
    size_t size;
    unsigned long left; /* requests until every one fails; 0: none does */
    bool once;          /* only that one fails */
    bool failed;        /* one did */
    unsigned long writes;
    void (*meanwhile)(void); /* called while a request is under way */
};

static int image_run(struct image *image, struct bb_block_request *request)
{
    uint8_t *at = image->bytes + request->block * image->block.block_size;
    if (image->meanwhile)
        image->meanwhile();
    if (image->left && --image->left == 0) {
        image->left = image->once ? 0 : 1;
        image->failed = true;
        return -EIO;
    }
    for (unsigned i = 0; i < request->segment_count; i++) {
        const struct bb_block_segment *segment = &request->segments[i];
        if (request->op == BB_BLOCK_READ)
            memcpy(segment->data, at, segment->length);
        else
            memcpy(at, segment->data, segment->length);
        at += segment->length;
    }
    image->writes += request->op == BB_BLOCK_WRITE;
    return 0;
}

static int image_submit(struct bb_block *block, unsigned queue,
                        struct bb_block_request *const *requests, unsigned count)
{
    (void)queue;
    for (unsigned i = 0; i < count; i++) {
        int error = bb_block_refuse(block, requests[i]);
        if (error)
            return i ? (int)i : error;
        bb_block_complete(block, requests[i],
                          image_run(bb_container_of(block, struct image, block), requests[i]));
    }
    return (int)count;
}

static int image_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    (void)block, (void)queue, (void)limit;
    return 0;
}

static bool image_arm(struct bb_block *block, unsigned queue)
{
    (void)block, (void)queue;
    return false;
}

static const struct bb_block_ops image_ops = {
    .submit = image_submit, .reap = image_reap, .arm = image_arm};

static void image_start(struct image *image, uint8_t *bytes, size_t size, uint32_t block_size)
{
    *image = (struct image){
        .device = {.name = "disk0"},
        .block = {.face = {.class = &bb_class_block, .ops = &image_ops},
                  .capacity = size / block_size,
                  .block_size = block_size,
                  .physical_size = block_size,
                  .alignment = 1,
                  .max_blocks = 128,
                  .max_segments = 1,
                  .queues = 1,
                  .depth = 1,
                  .features = BB_BLOCK_HAS_FLUSH,
                  .label = "",
                  .shift = (uint8_t)__builtin_ctz(block_size)},
        .bytes = bytes,
        .size = size,
    };
    image->block.face.device = &image->device;
}

/* The medium goes, and the device stays. */
static inline void image_leave(struct image *image)
{
    if (image->block.gone)
        image->block.gone(&image->block);
}

/* As a device that somebody holds is once it was pulled out. */
static inline void image_pull(struct image *image)
{
    image->device.removed = true;
    image->block.face.ops = bb_class_block.removed;
    if (image->block.gone)
        image->block.gone(&image->block);
}

/* Runs a command of the host; its exit status. */
static int BB_PRINTF(1, 2) host(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    fflush(NULL);
    int status = system(command);
    return status < 0 ? status : status >> 8;
}

static inline uint8_t *load_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static inline void save_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

#endif
