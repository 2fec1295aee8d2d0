/* SPDX-License-Identifier: BSD-2-Clause */
/* What every type of file system must do, on `image` mounted as "d". The test names the types
 * before it includes this. */
#ifndef FILE_TESTS_EXERCISE_H
#define FILE_TESTS_EXERCISE_H

#include <unistd.h>

#include "image.h"

#include <busbar/file.h>

static const struct bb_file_type *const types[2];
static char folder[] = "/tmp/busbar-files-XXXXXX";
static struct image image;

/* The image is what the host's programs made in the folder. */
static void load_image(uint32_t block_size)
{
    char path[64];
    size_t length;
    snprintf(path, sizeof(path), "%s/image", folder);
    uint8_t *bytes = load_file(path, &length);
    image_start(&image, bytes, length, block_size);
}

static void save_image(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/image", folder);
    save_file(path, image.bytes, image.size);
}

static void mount(void)
{
    assert_int_equal(bb_file_mount_types(types, &image.block, "d", 0), 0);
}

static void clean_up(void)
{
    (void)host("rm -r %s", folder);
    free(image.bytes);
}

static uint8_t pattern(size_t at, unsigned seed)
{
    return (uint8_t)((at * 2654435761u + seed * 40503u) >> 11);
}

static void put(const char *path, size_t size, unsigned seed, size_t piece)
{
    struct bb_file *file;
    uint8_t *data = malloc(size + 1);
    for (size_t at = 0; at < size; at++)
        data[at] = pattern(at, seed);
    assert_int_equal(bb_file_open(path, BB_FILE_WRITE | BB_FILE_CREATE | BB_FILE_TRUNCATE, &file),
                     0);
    for (size_t at = 0; at < size; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        assert_int_equal(bb_file_write(file, data + at, part), part);
    }
    assert_int_equal(bb_file_size(file), size);
    assert_int_equal(bb_file_close(file), 0);
    free(data);
}

static void must_hold(const char *path, size_t size, unsigned seed, size_t piece)
{
    struct bb_file *file;
    uint8_t *data = malloc(piece);
    assert_int_equal(bb_file_open(path, BB_FILE_READ, &file), 0);
    assert_int_equal(bb_file_size(file), size);
    for (size_t at = 0; at < size;) {
        int count = bb_file_read(file, data, piece);
        assert_true(count > 0);
        for (int i = 0; i < count; i++, at++)
            assert_int_equal(data[i], pattern(at, seed));
    }
    assert_int_equal(bb_file_read(file, data, piece), 0);
    assert_int_equal(bb_file_close(file), 0);
    free(data);
}

static int count_entry(const struct bb_file_info *info, void *context)
{
    (void)info;
    ++*(unsigned *)context;
    return 0;
}

static unsigned entries(const char *path)
{
    unsigned count = 0;
    assert_int_equal(bb_file_list(path, count_entry, &count), 0);
    return count;
}

static void many_names(void)
{
    char path[64];
    assert_int_equal(bb_file_make_directory("d:/many"), 0);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "d:/many/a file with a rather long name %u", i);
        put(path, i % 7 ? 0 : 2000, i, 2000);
    }
    assert_int_equal(entries("d:/many"), 300);
    assert_int_equal(bb_file_remove("d:/many"), -ENOTEMPTY);
    for (unsigned i = 0; i < 300; i += 2) {
        snprintf(path, sizeof(path), "d:/many/a file with a rather long name %u", i);
        assert_int_equal(bb_file_remove(path), 0);
    }
    assert_int_equal(entries("d:/many"), 150);
}

static void moves(void)
{
    assert_int_equal(bb_file_make_directory("d:/a"), 0);
    assert_int_equal(bb_file_make_directory("d:/a/b"), 0);
    assert_int_equal(bb_file_make_directory("d:/c/"), 0);
    assert_int_equal(bb_file_make_directory("d:/c"), -EEXIST);
    assert_int_equal(bb_file_make_directory("d:/none/c"), -ENOENT);
    put("d:/a/b/one", 5000, 1, 5000);
    put("d:/two", 6000, 2, 6000);
    assert_int_equal(bb_file_rename("d:/a/b", "d:/c/moved"), 0);
    must_hold("d:/c/moved/../moved/one", 5000, 1, 999);
    assert_int_equal(bb_file_rename("d:/c", "d:/c/moved/inside"), -EINVAL);
    assert_int_equal(bb_file_rename("d:/two", "d:/c"), -EEXIST);
    assert_int_equal(bb_file_rename("d:/two", "d:/c/moved/one"), 0); /* replaces it */
    must_hold("d:/c/moved/one", 6000, 2, 999);
    assert_int_equal(bb_file_rename("d:/two", "d:/three"), -ENOENT);
    assert_int_equal(bb_file_remove("d:/a"), 0);
    assert_int_equal(bb_file_remove("d:/a"), -ENOENT);
    assert_int_equal(bb_file_remove("d:/"), -EINVAL);
    assert_int_equal(bb_file_rename("d:/c/moved/one", "d:/c/moved/one"), 0);
}

static void shapes(void)
{
    struct bb_file *file;
    uint8_t data[3000], zero[3000] = {0};
    put("d:/hole", 1000, 3, 1000);
    assert_int_equal(bb_file_open("d:/hole", BB_FILE_READ | BB_FILE_WRITE, &file), 0);
    assert_int_equal(bb_file_seek(file, 300000), 0);
    assert_int_equal(bb_file_read(file, data, 10), 0);
    assert_int_equal(bb_file_write(file, "end", 3), 3);
    assert_int_equal(bb_file_seek(file, 1000), 0);
    for (size_t at = 1000; at < 300000;) { /* nothing but zeros in between */
        size_t part = 300000 - at < sizeof(data) ? 300000 - at : sizeof(data);
        assert_int_equal(bb_file_read(file, data, part), part);
        assert_memory_equal(data, zero, part);
        at += part;
    }
    assert_int_equal(bb_file_seek(file, 150000), 0); /* in the middle of the hole */
    assert_int_equal(bb_file_write(file, "middle", 6), 6);
    assert_int_equal(bb_file_truncate(file, 150003), 0);
    assert_int_equal(bb_file_truncate(file, 400000), 0);
    assert_int_equal(bb_file_seek(file, 150000), 0);
    assert_int_equal(bb_file_read(file, data, 100), 100);
    assert_memory_equal(data, "mid", 3);
    assert_memory_equal(data + 3, zero, 97); /* what was cut off does not come back */
    assert_int_equal(bb_file_close(file), 0);

    assert_int_equal(bb_file_open("d:/hole", BB_FILE_WRITE | BB_FILE_APPEND, &file), 0);
    assert_int_equal(bb_file_write(file, "x", 1), 1);
    assert_int_equal(bb_file_size(file), 400001);
    assert_int_equal(bb_file_read(file, data, 1), -EINVAL);
    assert_int_equal(bb_file_close(file), 0);
}

static void refusals(void)
{
    struct bb_file *file, *other;
    struct bb_file_info info;
    put("d:/open", 10, 4, 10);
    assert_int_equal(bb_file_open("d:/open", BB_FILE_READ, &file), 0);
    assert_int_equal(bb_file_open("d:/open", BB_FILE_READ, &other), 0);
    assert_int_equal(bb_file_close(other), 0);
    assert_int_equal(bb_file_open("d:/open", BB_FILE_WRITE, &other), -EBUSY);
    assert_int_equal(bb_file_remove("d:/open"), -EBUSY);
    assert_int_equal(bb_file_rename("d:/open", "d:/shut"), -EBUSY);
    assert_int_equal(bb_file_unmount("d"), -EBUSY);
    assert_int_equal(bb_file_close(file), 0);
    assert_int_equal(bb_file_open("d:/none", BB_FILE_READ, &file), -ENOENT);
    int error = bb_file_open("d:/open/x", BB_FILE_READ, &file);
    assert_true(error == -ENOTDIR || error == -ENOENT);
    assert_int_equal(bb_file_open("d:/a", 0, &file), -EINVAL);
    assert_int_equal(bb_file_open("e:/a", BB_FILE_READ, &file), -ENOENT);
    assert_int_equal(bb_file_open("no colon", BB_FILE_READ, &file), -EINVAL);
    assert_int_equal(bb_file_open("d:", BB_FILE_READ, &file), -EISDIR);
    assert_int_equal(
        bb_file_open("d:/open", BB_FILE_WRITE | BB_FILE_CREATE | BB_FILE_EXCLUSIVE, &file),
        -EEXIST);
    assert_int_equal(bb_file_stat("d:/open", &info), 0);
    assert_string_equal(info.name, "open");
    assert_int_equal(info.size, 10);
    assert_int_equal(bb_file_mount_types(types, &image.block, "e", 0), -EEXIST);
}

#endif
