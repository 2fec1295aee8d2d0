/* SPDX-License-Identifier: BSD-2-Clause */
/* Damaged ext2, ext3 and ext4: every call comes back, with nothing overrun and nothing kept. */
#include <modules/file/tests/hostile.h>

static const struct bb_file_type *const types[] = {&bb_file_ext4, NULL};

static unsigned rounds(void)
{
    const char *text = getenv("BUSBAR_ROUNDS");
    return text ? (unsigned)atoi(text) : 150;
}

static uint8_t *make(const char *options, size_t *size)
{
    char folder[] = "/tmp/busbar-ext4-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(host("mke2fs -q -F %s %s/image 2M", options, folder), 0);
    snprintf(path, sizeof(path), "%s/image", folder);
    uint8_t *bytes = load_file(path, size);
    hostile_fill(types, bytes, *size);
    (void)host("rm -r %s", folder);
    return bytes;
}

static void mutate(const char *options)
{
    size_t size;
    uint8_t *bytes = make(options, &size);
    const char *seed = getenv("BUSBAR_SEED");
    hostile_mutate(types, bytes, size, rounds(), seed ? (uint32_t)atoi(seed) : 1);
    free(bytes);
}

static void test_extents(void **state)
{
    (void)state;
    mutate("-t ext4 -b 1024 -N 128 -O ^metadata_csum,^64bit,^uninit_bg");
}

static void test_checksums(void **state)
{
    (void)state;
    mutate("-t ext4 -b 1024 -N 128");
}

static void test_pointers(void **state)
{
    (void)state;
    mutate("-t ext3 -b 1024 -N 128");
}

static void test_large_blocks(void **state)
{
    (void)state;
    mutate("-t ext4 -b 4096 -N 128 -O ^has_journal,^metadata_csum,^64bit,^uninit_bg");
}

static void test_truncated(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = make("-t ext4 -b 1024 -N 128 -O ^metadata_csum", &size);
    for (size_t left = size - 512; left > 8192; left -= left / 8 / 512 * 512) {
        uint8_t *cut = malloc(left);
        memcpy(cut, bytes, left);
        hostile_try(types, cut, left, 0);
        free(cut);
    }
    free(bytes);
}

/* The device fails after so many requests, wherever that is. */
static void test_failing_device(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = make("-t ext4 -b 1024 -N 128", &size);
    uint8_t *copy = malloc(size);
    for (unsigned long left = 1; left < 3000; left += 1 + left / 40) {
        memcpy(copy, bytes, size);
        hostile_try(types, copy, size, left);
    }
    free(copy);
    free(bytes);
}

/* One request fails, whichever it is, and the file system is still mounted. */
static void test_one_fault(void **state)
{
    (void)state;
    static const char *const kinds[] = {"-t ext4 -b 1024 -N 128", "-t ext3 -b 1024 -N 128"};
    for (size_t i = 0; i < BB_ARRAY_SIZE(kinds); i++) {
        size_t size;
        uint8_t *bytes = make(kinds[i], &size);
        hostile_faults(types, bytes, size);
        free(bytes);
    }
}

/* A link that says that it is longer than the block it is in: libext2fs reads that far. */
static void test_long_link(void **state)
{
    (void)state;
    static struct image image;
    struct bb_file_info info;
    char folder[] = "/tmp/busbar-ext4-XXXXXX", path[64];
    size_t size;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(host("cd %s && mke2fs -q -F -t ext4 -b 1024 image 2M >/dev/null &&"
                          " debugfs -w -R \"symlink link $(printf '%%0200d' 0)\" image &&"
                          " debugfs -w -R 'set_inode_field link size 60000' image",
                          folder),
                     0);
    snprintf(path, sizeof(path), "%s/image", folder);
    uint8_t *bytes = load_file(path, &size);
    (void)host("rm -r %s", folder);
    image_start(&image, bytes, size, 512);
    assert_int_equal(bb_file_mount_types(types, &image.block, "d", 0), 0);
    assert_int_equal(bb_file_stat("d:/link", &info), -EPROTO);
    assert_int_equal(bb_file_unmount("d"), 0);
    free(bytes);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extents),   cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_pointers),  cmocka_unit_test(test_large_blocks),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_failing_device),
        cmocka_unit_test(test_one_fault), cmocka_unit_test(test_long_link),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
