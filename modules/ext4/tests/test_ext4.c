/* SPDX-License-Identifier: BSD-2-Clause */
/* Files on ext2, ext3 and ext4 that the host's mkfs makes; its e2fsck and debugfs judge the result.
 */
#include <unistd.h>

#include <modules/file/tests/image.h>

#include <busbar/file.h>

static const struct bb_file_type *const types[] = {&bb_file_ext4, NULL};
static char folder[] = "/tmp/busbar-ext4-XXXXXX";
static struct image image;

/* An empty file system of so many MiB. */
static void make(const char *options, unsigned size, uint32_t block_size)
{
    size_t length;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(host("mke2fs -q -F %s %s/image %uM", options, folder, size), 0);
    char path[64];
    snprintf(path, sizeof(path), "%s/image", folder);
    uint8_t *bytes = load_file(path, &length);
    image_start(&image, bytes, length, block_size);
}

static void mount(void)
{
    assert_int_equal(bb_file_mount_types(types, &image.block, "d", 0), 0);
}

/* The host's checker has nothing to say. */
static void judge(void)
{
    char path[64];
    assert_int_equal(bb_file_unmount("d"), 0);
    snprintf(path, sizeof(path), "%s/image", folder);
    save_file(path, image.bytes, image.size);
    assert_int_equal(host("e2fsck -fn %s/image", folder), 0);
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
    assert_int_equal(bb_file_open("d:/open/x", BB_FILE_READ, &file), -ENOTDIR);
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

static void work(const char *options, unsigned size, uint32_t block_size)
{
    make(options, size, block_size);
    mount();
    put("d:/small", 100, 5, 100);
    put("d:/empty", 0, 0, 1);
    put("d:/large", 3000000, 6, 100000);
    put("d:/slow", 30000, 7, 777);
    must_hold("d:/small", 100, 5, 4096);
    must_hold("d:/large", 3000000, 6, 65536);
    must_hold("d:/slow", 30000, 7, 100);
    moves();
    many_names();
    shapes();
    refusals();
    assert_int_equal(bb_file_sync("d"), 0);
    put("d:/large", 1000, 8, 1000); /* cut and written anew */
    judge();

    mount(); /* all is still there */
    must_hold("d:/large", 1000, 8, 333);
    must_hold("d:/slow", 30000, 7, 3333);
    assert_int_equal(entries("d:/many"), 150);
    put("d:/more", 500000, 9, 4096);
    judge();
    assert_int_equal(host("debugfs -R 'dump /more %s/more' %s/image 2>/dev/null", folder, folder),
                     0);
    char path[64];
    size_t length;
    snprintf(path, sizeof(path), "%s/more", folder);
    uint8_t *more = load_file(path, &length);
    assert_int_equal(length, 500000);
    for (size_t at = 0; at < length; at++)
        assert_int_equal(more[at], pattern(at, 9));
    free(more);
    clean_up();
}

static void test_ext4(void **state)
{
    (void)state;
    work("-t ext4", 32, 512);
}

static void test_ext4_small_blocks(void **state)
{
    (void)state;
    work("-t ext4 -b 1024 -O ^metadata_csum,^64bit", 16, 512);
}

static void test_ext4_large_device_blocks(void **state)
{
    (void)state;
    work("-t ext4 -b 1024", 16, 4096);
}

static void test_ext4_clusters(void **state)
{
    (void)state;
    work("-t ext4 -O bigalloc -C 16384", 64, 512);
}

static void test_ext3(void **state)
{
    (void)state;
    work("-t ext3", 32, 512);
}

static void test_ext2(void **state)
{
    (void)state;
    work("-t ext2 -b 1024", 16, 512);
}

/* Names that Linux wrote: an index of a directory, links, a file with a hole. */
static void test_made_by_others(void **state)
{
    (void)state;
    struct bb_file *file;
    struct bb_file_info info;
    char text[16];
    make("-t ext4", 16, 512);
    assert_int_equal(
        host("cd %s && mkdir -p in/sub && echo hello >in/sub/text && ln -s sub/text in/link && "
             "ln -s /in/none in/broken && ln -s loop in/loop && "
             "debugfs -w -f /dev/stdin image >/dev/null 2>&1 <<E\n"
             "mkdir in\nmkdir in/sub\nwrite in/sub/text in/sub/text\n"
             "symlink in/link sub/text\nsymlink in/broken /in/none\nsymlink in/loop loop\n"
             "E\n",
             folder),
        0);
    char path[64];
    size_t length;
    snprintf(path, sizeof(path), "%s/image", folder);
    free(image.bytes);
    uint8_t *bytes = load_file(path, &length);
    image_start(&image, bytes, length, 512);
    mount();
    assert_int_equal(bb_file_open("d:/in/link", BB_FILE_READ, &file), 0);
    assert_int_equal(bb_file_read(file, text, sizeof(text)), 6);
    assert_memory_equal(text, "hello\n", 6);
    assert_int_equal(bb_file_close(file), 0);
    assert_int_equal(bb_file_open("d:/in/loop", BB_FILE_READ, &file), -ELOOP);
    assert_int_equal(bb_file_open("d:/in/broken", BB_FILE_READ, &file), -ENOENT);
    assert_int_equal(bb_file_open("d:/in/broken", BB_FILE_WRITE | BB_FILE_CREATE, &file), -EEXIST);
    assert_int_equal(bb_file_stat("d:/in/sub/", &info), 0);
    assert_int_equal(info.kind, BB_FILE_DIRECTORY);
    assert_string_equal(info.name, "sub");
    assert_int_equal(bb_file_remove("d:/in/link"), 0);
    assert_int_equal(bb_file_remove("d:/in/sub/text"), 0);
    judge();
    clean_up();
}

static void test_full_medium(void **state)
{
    (void)state;
    struct bb_file *file;
    static uint8_t data[100000];
    int count;
    make("-t ext4 -m 0", 4, 512);
    mount();
    assert_int_equal(bb_file_open("d:/big", BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
    while ((count = bb_file_write(file, data, sizeof(data))) > 0)
        ;
    assert_int_equal(count, -ENOSPC);
    assert_int_equal(bb_file_close(file), 0);
    assert_int_equal(bb_file_open("d:/more", BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
    assert_int_equal(bb_file_write(file, data, 1), -ENOSPC);
    assert_int_equal(bb_file_close(file), 0);
    judge();
    mount();
    assert_int_equal(bb_file_remove("d:/big"), 0);
    put("d:/again", 200000, 1, 200000);
    judge();
    clean_up();
}

/* Power goes while it is in use: it is left for a checker, and never again written before. */
static void test_power_loss(void **state)
{
    (void)state;
    struct bb_file *file;
    char path[64];
    make("-t ext4", 8, 512);
    mount();
    put("d:/kept", 5000, 1, 5000);
    assert_int_equal(bb_file_sync("d"), 0);
    put("d:/lost", 5000, 2, 5000);
    uint8_t *then = malloc(image.size);
    memcpy(then, image.bytes, image.size);
    judge();
    free(image.bytes);
    image_start(&image, then, image.size, 512);
    mount();
    must_hold("d:/kept", 5000, 1, 5000);
    assert_int_equal(bb_file_open("d:/new", BB_FILE_WRITE | BB_FILE_CREATE, &file), -EROFS);
    assert_int_equal(logged("is read-only: it was not unmounted"), 1);
    assert_int_equal(bb_file_unmount("d"), 0);
    snprintf(path, sizeof(path), "%s/image", folder);
    save_file(path, then, image.size);
    assert_int_equal(host("e2fsck -fy %s/image >/dev/null", folder), 1); /* all repaired */
    assert_int_equal(host("e2fsck -fn %s/image", folder), 0);
    clean_up();
}

static void test_read_only(void **state)
{
    (void)state;
    struct bb_file *file;
    make("-t ext4", 8, 512);
    unsigned long before = image.writes;
    assert_int_equal(bb_file_mount_types(types, &image.block, "d", BB_FILE_READ_ONLY), 0);
    assert_int_equal(bb_file_make_directory("d:/x"), -EROFS);
    assert_int_equal(bb_file_open("d:/x", BB_FILE_WRITE | BB_FILE_CREATE, &file), -EROFS);
    assert_int_equal(entries("d:/"), 1); /* lost+found */
    assert_int_equal(bb_file_unmount("d"), 0);
    assert_int_equal(image.writes, before);
    clean_up();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ext4),
        cmocka_unit_test(test_ext4_small_blocks),
        cmocka_unit_test(test_ext4_large_device_blocks),
        cmocka_unit_test(test_ext4_clusters),
        cmocka_unit_test(test_ext3),
        cmocka_unit_test(test_ext2),
        cmocka_unit_test(test_made_by_others),
        cmocka_unit_test(test_full_medium),
        cmocka_unit_test(test_power_loss),
        cmocka_unit_test(test_read_only),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
