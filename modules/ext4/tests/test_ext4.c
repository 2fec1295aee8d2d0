/* SPDX-License-Identifier: BSD-2-Clause */
/* Files on ext2, ext3 and ext4 that the host's mkfs makes; its e2fsck and debugfs judge the result.
 */
#include <modules/file/tests/exercise.h>

static const struct bb_file_type *const types[2] = {&bb_file_ext4};

/* An empty file system of so many MiB. */
static void make(const char *options, unsigned size, uint32_t block_size)
{
    assert_non_null(mkdtemp(folder));
    assert_int_equal(host("mke2fs -q -F %s %s/image %uM", options, folder, size), 0);
    load_image(block_size);
}

/* The host's checker has nothing to say. */
static void judge(void)
{
    assert_int_equal(bb_file_unmount("d"), 0);
    save_image();
    assert_int_equal(host("e2fsck -fn %s/image", folder), 0);
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
    assert_int_equal(logged("is read-only: it was not unmounted; `e2fsck -f`"), 1);
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
