/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Damaged file systems: bytes of a sound one are changed, and everything is tried on what remains.
 * Whatever comes back is right, as long as it comes back; the sanitizers see the rest. Memory comes
 * from the host and has a bound, so that every overrun is seen.
 */
#ifndef FILE_TESTS_HOSTILE_H
#define FILE_TESTS_HOSTILE_H

#include <malloc.h>
#include <unistd.h>

#include "image.h"

#include <busbar/file_type.h>

#define HOSTILE_MEMORY (1024 * 1024)

static size_t hostile_used;

void *bb_file_malloc(size_t size)
{
    void *memory = size > HOSTILE_MEMORY - hostile_used ? NULL : malloc(size);
    if (memory)
        hostile_used += malloc_usable_size(memory);
    return memory;
}

void *bb_file_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *memory = bb_file_malloc(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void bb_file_free(void *memory)
{
    if (memory)
        hostile_used -= malloc_usable_size(memory);
    free(memory);
}

void *bb_file_realloc(void *memory, size_t size)
{
    void *larger = bb_file_malloc(size);
    if (larger && memory) {
        size_t old = malloc_usable_size(memory);
        memcpy(larger, memory, old < size ? old : size);
        bb_file_free(memory);
    }
    return larger;
}

static uint32_t hostile_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

struct hostile_walk {
    char path[512];
    char names[8][BB_FILE_NAME];
    unsigned count;
};

static int hostile_entry(const struct bb_file_info *info, void *context)
{
    struct hostile_walk *walk = context;
    assert_true(strlen(info->name) < BB_FILE_NAME);
    if (walk->count < 8)
        memcpy(walk->names[walk->count++], info->name, BB_FILE_NAME);
    return 0;
}

static void hostile_file(const char *path, unsigned flags)
{
    static char data[9000];
    struct bb_file *file;
    if (bb_file_open(path, flags, &file))
        return;
    for (unsigned i = 0; i < 8 && bb_file_read(file, data, sizeof(data)) > 0; i++)
        ;
    if (flags & BB_FILE_WRITE) {
        (void)bb_file_seek(file, 5000);
        (void)bb_file_write(file, data, 3000);
        (void)bb_file_seek(file, bb_file_size(file));
        (void)bb_file_write(file, data, sizeof(data));
        (void)bb_file_truncate(file, 700);
    }
    assert_int_equal(bb_file_close(file) == -EBUSY, 0);
}

static void hostile_tree(const char *path, unsigned depth, unsigned flags)
{
    struct hostile_walk walk = {.count = 0};
    (void)bb_file_list(path, hostile_entry, &walk);
    for (unsigned i = 0; i < walk.count; i++) {
        struct bb_file_info info;
        int length = snprintf(walk.path, sizeof(walk.path), "%s/%s", path, walk.names[i]);
        if (length >= (int)sizeof(walk.path) || strchr(walk.names[i], '/'))
            continue;
        (void)bb_file_stat(walk.path, &info);
        hostile_file(walk.path, flags);
        if (depth < 3)
            hostile_tree(walk.path, depth + 1, flags);
    }
}

/* Everything, on a device that holds `bytes`. */
static void hostile_try(const struct bb_file_type *const *types, uint8_t *bytes, size_t size,
                        unsigned long left)
{
    static struct image image;
    static char data[20000];
    struct bb_file *file;
    image_start(&image, bytes, size, 512);
    image.left = left;
    alarm(60);
    if (bb_file_mount_types(types, &image.block, "d", 0) == 0) {
        hostile_tree("d:", 0, BB_FILE_READ);
        (void)bb_file_make_directory("d:/made");
        if (bb_file_open("d:/made/file", BB_FILE_WRITE | BB_FILE_CREATE, &file) == 0) {
            (void)bb_file_write(file, data, sizeof(data));
            (void)bb_file_close(file);
        }
        (void)bb_file_rename("d:/made/file", "d:/file");
        hostile_tree("d:", 0, BB_FILE_READ | BB_FILE_WRITE);
        (void)bb_file_remove("d:/made");
        (void)bb_file_remove("d:/sub/deep/one");
        (void)bb_file_remove("d:/large");
        (void)bb_file_rename("d:/sub/deep", "d:/deeper");
        (void)bb_file_sync("d");
        (void)bb_file_unmount("d");
    }
    alarm(0);
    assert_int_equal(hostile_used, 0); /* nothing was kept */
}

/* Something of everything, as the module itself writes it. */
static void hostile_fill(const struct bb_file_type *const *types, uint8_t *bytes, size_t size)
{
    static struct image image;
    static char data[3000];
    struct bb_file *file;
    char path[64];
    image_start(&image, bytes, size, 512);
    assert_int_equal(bb_file_mount_types(types, &image.block, "d", 0), 0);
    assert_int_equal(bb_file_make_directory("d:/sub"), 0);
    assert_int_equal(bb_file_make_directory("d:/sub/deep"), 0);
    memset(data, 'x', sizeof(data));
    for (unsigned i = 0; i < 60; i++) { /* two that grow in turn lie in many pieces */
        static const char *const names[] = {"d:/large", "d:/sub/deep/one"};
        assert_int_equal(
            bb_file_open(names[i % 2], BB_FILE_WRITE | BB_FILE_CREATE | BB_FILE_APPEND, &file), 0);
        assert_int_equal(bb_file_write(file, data, sizeof(data)), sizeof(data));
        assert_int_equal(bb_file_close(file), 0);
        snprintf(path, sizeof(path), "d:/sub/a name that takes some room %u", i);
        assert_int_equal(bb_file_open(path, BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
        assert_int_equal(bb_file_close(file), 0);
    }
    assert_int_equal(bb_file_unmount("d"), 0);
}

/* ---- A device that fails once ---- */

struct fault {
    struct image image;
    bool reported;
};

/* What a call answers: an error only after the fault. With the call the fault is over. */
static bool fault_note(struct fault *fault, int result)
{
    if (result < 0) {
        assert_true(fault->image.failed);
        fault->reported = true;
    }
    if (fault->image.failed)
        fault->image.left = 0;
    return result >= 0;
}

static void fault_write(struct fault *fault, struct bb_file *file, int letter, size_t size)
{
    static char data[20000];
    assert_true(size <= sizeof(data));
    memset(data, letter, size);
    for (size_t done = 0; done < size;) {
        int count = bb_file_write(file, data + done, size - done);
        if (!fault_note(fault, count))
            return;
        assert_true(count > 0);
        done += (size_t)count;
    }
}

static void fault_make(struct fault *fault, const char *path, unsigned pieces)
{
    struct bb_file *file;
    if (!fault_note(fault, bb_file_open(path, BB_FILE_WRITE | BB_FILE_CREATE, &file)))
        return;
    for (unsigned i = 0; i < pieces; i++)
        fault_write(fault, file, 'w', 1500);
    (void)fault_note(fault, bb_file_close(file));
}

static void fault_work(struct fault *fault)
{
    struct bb_file *file;
    (void)fault_note(fault, bb_file_make_directory("d:/made"));
    fault_make(fault, "d:/made/file", 10);
    (void)fault_note(fault, bb_file_rename("d:/made/file", "d:/file"));
    if (fault_note(fault, bb_file_open("d:/large", BB_FILE_READ | BB_FILE_WRITE, &file))) {
        (void)bb_file_seek(file, 5000);
        fault_write(fault, file, 'y', 3000);
        (void)fault_note(fault, bb_file_truncate(file, 7000));
        (void)fault_note(fault, bb_file_close(file));
    }
    (void)fault_note(fault, bb_file_remove("d:/sub/deep/one"));
    (void)fault_note(fault, bb_file_remove("d:/sub/a name that takes some room 3"));
    fault_make(fault, "d:/made/last", 64); /* more than a cache holds */
}

static void fault_must_hold(const char *path, int first, size_t change, int then, size_t size)
{
    static char data[96001];
    struct bb_file *file;
    assert_int_equal(bb_file_open(path, BB_FILE_READ, &file), 0);
    assert_int_equal(bb_file_size(file), size);
    assert_int_equal(bb_file_read(file, data, sizeof(data)), size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(data[i], i < change ? first : then);
    assert_int_equal(bb_file_close(file), 0);
}

/* Fails one request, or all from it to the end of the call that makes it; false: there are not so
 * many. A call says so before the file system is unmounted, or all is there. */
static bool fault_at(const struct bb_file_type *const *types, uint8_t *bytes, size_t size,
                     unsigned long request, bool once)
{
    static struct fault fault;
    struct bb_file_info info;
    fault.reported = false;
    image_start(&fault.image, bytes, size, 512);
    fault.image.left = request;
    fault.image.once = once;
    alarm(60);
    if (fault_note(&fault, bb_file_mount_types(types, &fault.image.block, "d", 0))) {
        fault_work(&fault);
        (void)fault_note(&fault, bb_file_sync("d"));
        (void)fault_note(&fault, bb_file_unmount("d"));
    }
    alarm(0);
    assert_int_equal(hostile_used, 0);
    bool failed = fault.image.failed;
    fault.image.left = 0;
    if (!fault.reported) {
        assert_int_equal(bb_file_mount_types(types, &fault.image.block, "d", 0), 0);
        fault_must_hold("d:/file", 'w', 15000, 'w', 15000);
        fault_must_hold("d:/made/last", 'w', 96000, 'w', 96000);
        fault_must_hold("d:/large", 'x', 5000, 'y', 7000);
        assert_int_equal(bb_file_stat("d:/made", &info), 0);
        assert_int_equal(bb_file_stat("d:/made/file", &info), -ENOENT);
        assert_int_equal(bb_file_stat("d:/sub/deep/one", &info), -ENOENT);
        assert_int_equal(bb_file_stat("d:/sub/a name that takes some room 3", &info), -ENOENT);
        assert_int_equal(bb_file_unmount("d"), 0);
    }
    return failed;
}

/* Each request in turn. */
static void hostile_faults(const struct bb_file_type *const *types, const uint8_t *sound,
                           size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (unsigned once = 0; once < 2; once++) {
        unsigned long request = 0;
        do
            memcpy(bytes, sound, size);
        while (fault_at(types, bytes, size, ++request, once));
        assert_true(request > 50);
    }
    free(bytes);
}

/* `rounds` times: some bytes changed where the image holds something. */
static void hostile_mutate(const struct bb_file_type *const *types, const uint8_t *sound,
                           size_t size, unsigned rounds, uint32_t seed)
{
    size_t *places = malloc(size * sizeof(*places)), count = 0;
    uint8_t *bytes = malloc(size);
    assert_true(places && bytes);
    for (size_t i = 0; i < size; i++)
        if (sound[i] && sound[i] != 'x')
            places[count++] = i;
    for (unsigned round = 0; round < rounds; round++) {
        memcpy(bytes, sound, size);
        for (uint32_t changes = 1 + hostile_random(&seed) % 12; changes; changes--) {
            size_t at = places[hostile_random(&seed) % count];
            uint32_t value = hostile_random(&seed);
            switch (hostile_random(&seed) % 4) {
            case 0:
                bytes[at] = (uint8_t)value;
                break;
            case 1:
                bytes[at] ^= (uint8_t)(1u << value % 8);
                break;
            case 2:
                memset(bytes + at, value & 1 ? 0xff : 0, size - at < 4 ? size - at : 4);
                break;
            default: /* what stands somewhere else */
                memcpy(bytes + (at & ~(size_t)3), sound + (places[value % count] & ~(size_t)3), 4);
                break;
            }
        }
        hostile_try(types, bytes, size, 0);
    }
    free(bytes);
    free(places);
}

#endif
