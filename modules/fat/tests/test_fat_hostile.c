/* SPDX-License-Identifier: BSD-2-Clause */
/* Damaged FAT: every call comes back, with nothing overrun and nothing kept. */
#include <modules/file/tests/hostile.h>

static const struct bb_file_type *const types[] = {&bb_file_fat, NULL};

static uint8_t *make(const char *options, unsigned size, size_t *length)
{
    char folder[] = "/tmp/busbar-fat-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/image", folder);
    assert_int_equal(
        host("truncate -s %uK %s && PATH=$PATH:/sbin:/usr/sbin mkfs.vfat %s %s >/dev/null", size,
             path, options, path),
        0);
    uint8_t *bytes = load_file(path, length);
    hostile_fill(types, bytes, *length);
    (void)host("rm -r %s", folder);
    return bytes;
}

static void mutate(const char *options, unsigned size)
{
    const char *seed = getenv("BUSBAR_SEED"), *rounds = getenv("BUSBAR_ROUNDS");
    size_t length;
    uint8_t *bytes = make(options, size, &length);
    hostile_mutate(types, bytes, length, rounds ? (unsigned)atoi(rounds) : 150,
                   seed ? (uint32_t)atoi(seed) : 1);
    free(bytes);
}

static void test_fat12(void **state)
{
    (void)state;
    mutate("-F 12", 1440);
}

static void test_fat16(void **state)
{
    (void)state;
    mutate("-F 16 -s 1", 4096);
}

static void test_fat32(void **state)
{
    (void)state;
    mutate("-F 32 -s 1", 36000);
}

static void test_truncated(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = make("-F 16 -s 1", 4096, &size);
    for (size_t left = size - 512; left > 8192; left -= left / 8 / 512 * 512) {
        uint8_t *cut = malloc(left);
        memcpy(cut, bytes, left);
        hostile_try(types, cut, left, 0);
        free(cut);
    }
    free(bytes);
}

static void test_failing_device(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = make("-F 12", 1440, &size);
    uint8_t *copy = malloc(size);
    for (unsigned long left = 1; left < 5000; left += 1 + left / 40) {
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
    static const struct {
        const char *options;
        unsigned size;
    } kinds[] = {{"-F 12", 1440}, {"-F 16 -s 1", 4096}, {"-F 32 -s 1", 36000}};
    for (size_t i = 0; i < BB_ARRAY_SIZE(kinds); i++) {
        size_t size;
        uint8_t *bytes = make(kinds[i].options, kinds[i].size, &size);
        hostile_faults(types, bytes, size);
        free(bytes);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fat12),          cmocka_unit_test(test_fat16),
        cmocka_unit_test(test_fat32),          cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_failing_device), cmocka_unit_test(test_one_fault),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
