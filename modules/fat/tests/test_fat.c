/* SPDX-License-Identifier: BSD-2-Clause */
/* Files on FAT12, FAT16 and FAT32 that the host's mkfs makes; its fsck judges the result. */
#include <modules/file/tests/exercise.h>

static const struct bb_file_type *const types[2] = {&bb_file_fat};

static void make(const char *options, unsigned size, uint32_t block_size)
{
    assert_non_null(mkdtemp(folder));
    assert_int_equal(host("truncate -s %uM %s/image && PATH=$PATH:/sbin:/usr/sbin mkfs.vfat %s "
                          "%s/image >/dev/null",
                          size, folder, options, folder),
                     0);
    load_image(block_size);
}

static void judge(void)
{
    assert_int_equal(bb_file_unmount("d"), 0);
    save_image();
    assert_int_equal(host("PATH=$PATH:/sbin:/usr/sbin fsck.vfat -n %s/image", folder), 0);
}

static void work(const char *options, unsigned size, uint32_t block_size)
{
    make(options, size, block_size);
    mount();
    put("d:/small", 100, 5, 100);
    put("d:/empty", 0, 0, 1);
    put("d:/large", 1000000, 6, 100000);
    put("d:/slow", 30000, 7, 777);
    must_hold("d:/small", 100, 5, 4096);
    must_hold("d:/large", 1000000, 6, 65536);
    must_hold("d:/slow", 30000, 7, 100);
    moves();
    assert_int_equal(bb_file_make_directory("d:/Case"), 0);
    assert_true(bb_file_rename("d:/Case", "d:/cASE/in") < 0);
    assert_int_equal(bb_file_remove("d:/case"), 0);
    many_names();
    shapes();
    refusals();
    assert_int_equal(bb_file_sync("d"), 0);
    put("d:/large", 1000, 8, 1000);
    put("d:/Gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x8c.txt", 3, 9, 3);
    judge();

    mount();
    must_hold("d:/LARGE", 1000, 8, 333); /* names have no case */
    must_hold("d:/slow", 30000, 7, 3333);
    must_hold("d:/Gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x8c.txt", 3, 9, 3);
    assert_int_equal(entries("d:/many"), 150);
    judge();
    clean_up();
}

static void test_fat12(void **state)
{
    (void)state;
    work("-F 12", 7, 512);
}

static void test_fat16(void **state)
{
    (void)state;
    work("-F 16", 32, 512);
}

static void test_fat32(void **state)
{
    (void)state;
    work("-F 32 -s 1", 64, 512);
}

static void test_large_device_blocks(void **state)
{
    (void)state;
    work("-F 16", 32, 4096);
}

static void test_full_medium(void **state)
{
    (void)state;
    struct bb_file *file;
    static uint8_t data[100000];
    int count;
    make("-F 12", 2, 512);
    mount();
    assert_int_equal(bb_file_open("d:/big", BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
    while ((count = bb_file_write(file, data, sizeof(data))) > 0)
        ;
    assert_int_equal(count, -ENOSPC);
    assert_int_equal(bb_file_close(file), 0);
    judge();
    mount();
    assert_int_equal(bb_file_remove("d:/big"), 0);
    put("d:/again", 200000, 1, 200000);
    judge();
    clean_up();
}

/* The driver holds back what closing is to write, and says nothing when it cannot. */
static void test_failing_close(void **state)
{
    (void)state;
    struct bb_file *file;
    static uint8_t data[3000];
    make("-F 12", 7, 512);
    mount();
    assert_int_equal(bb_file_open("d:/lost", BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(bb_file_write(file, data, sizeof(data)), sizeof(data));
    image.left = 1;
    assert_int_equal(bb_file_close(file), -EIO);
    image.left = 0;
    assert_int_equal(entries("d:"), 1); /* the next call is not blamed */
    assert_int_equal(bb_file_sync("d"), -EIO);
    assert_int_equal(bb_file_sync("d"), -EIO);
    assert_int_equal(bb_file_unmount("d"), -EIO);
    mount(); /* it is over with that mount */
    assert_int_equal(bb_file_unmount("d"), 0);
    clean_up();
}

/* What sync says holds for files that are still open. */
static void test_sync_of_open_files(void **state)
{
    (void)state;
    struct bb_file *file;
    static const uint8_t data[3000];
    make("-F 16", 32, 512);
    mount();
    assert_int_equal(bb_file_make_directory("d:/in"), 0);
    assert_int_equal(bb_file_open("d:/in/open", BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
    assert_int_equal(bb_file_write(file, data, sizeof(data)), sizeof(data));
    assert_int_equal(bb_file_sync("d"), 0);
    static struct image copy;
    struct bb_file_info info;
    uint8_t *bytes = malloc(image.size);
    memcpy(bytes, image.bytes, image.size);
    image_start(&copy, bytes, image.size, 512);
    assert_int_equal(bb_file_mount_types(types, &copy.block, "e", BB_FILE_READ_ONLY), 0);
    assert_int_equal(bb_file_stat("e:/in/open", &info), 0);
    assert_int_equal(info.size, sizeof(data));
    assert_int_equal(bb_file_unmount("e"), 0);
    free(bytes);
    assert_int_equal(bb_file_close(file), 0);
    judge();
    clean_up();
}

static void look(void)
{
    struct bb_file_space space;
    assert_false(bb_file_space(0, &space));
    assert_int_equal(bb_file_unmount("d"), -ENOENT);
    assert_int_equal(bb_file_sync("d"), -ENOENT);
}

/* A mount that waits for its device is none yet. */
static void test_early_looks(void **state)
{
    (void)state;
    make("-F 12", 2, 512);
    image.meanwhile = look;
    mount();
    image.meanwhile = NULL;
    judge();
    clean_up();
}

/* Its disk is pulled out: unmounting says what is lost, and is done with it. */
static void test_pulled_out(void **state)
{
    (void)state;
    struct bb_file_space space;
    struct bb_file *file = NULL, *other;
    static const uint8_t data[3000];
    for (unsigned writing = 0; writing < 2; writing++) {
        strcpy(folder + strlen(folder) - 6, "XXXXXX");
        make("-F 16", 32, 512);
        mount();
        put("d:/safe", 3000, 1, 3000);
        assert_true(bb_file_space(0, &space));
        assert_false(space.gone);
        assert_int_not_equal(space.free, 0);
        if (writing) {
            assert_int_equal(bb_file_open("d:/lost", BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
            assert_int_equal(bb_file_write(file, data, sizeof(data)), sizeof(data));
        }
        image_pull(&image);
        assert_int_equal(logged("d: its disk was pulled out"), 1 + writing);
        assert_true(bb_file_space(0, &space));
        assert_true(space.gone);
        assert_int_equal(space.free, 0);
        assert_int_equal(space.total, 0);
        assert_int_equal(bb_file_open("d:/safe", BB_FILE_READ, &other), -ENODEV);
        if (writing) {
            assert_int_equal(bb_file_unmount("d"), -EBUSY);
            assert_int_equal(bb_file_close(file), -ENODEV);
        }
        assert_int_equal(image.device.handles, 1);
        assert_int_equal(bb_file_unmount("d"), 0);
        assert_int_equal(logged("d: what was not yet written to its disk is lost"), writing);
        assert_int_equal(image.device.handles, 0);
        assert_false(bb_file_space(0, &space));
        clean_up();
    }
}

/* As many disks as may be mounted, with something to be written on each: one call ends it. Two of
 * them stand in its way: one has a file open, the other fails. */
static void test_unmount_all(void **state)
{
    (void)state;
    static struct image images[BB_FILE_MOUNTS + 1];
    struct bb_file_space space;
    struct bb_file *file;
    char name[8], path[32];
    make("-F 16", 9, 512);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(images); i++) {
        uint8_t *bytes = malloc(image.size);
        memcpy(bytes, image.bytes, image.size);
        image_start(&images[i], bytes, image.size, 512);
        snprintf(name, sizeof(name), "d%u", i);
        snprintf(path, sizeof(path), "d%u:/new", i);
        int error = bb_file_mount_types(types, &images[i].block, name, 0);
        assert_int_equal(error, i < BB_FILE_MOUNTS ? 0 : -ENOMEM);
        if (!error)
            put(path, 5000, i, 5000);
    }
    assert_int_equal(bb_file_open("d1:/open", BB_FILE_WRITE | BB_FILE_CREATE, &file), 0);
    assert_int_equal(bb_file_write(file, "text", 4), 4);
    assert_int_equal(bb_file_make_directory("d2:/late"), 0);
    images[2].left = 1;
    assert_true(bb_file_unmount_all() < 0);
    assert_int_equal(logged("d1 stays mounted, a file is open"), 1);
    assert_int_equal(logged("d2: not all was written: input/output error"), 1);
    assert_true(bb_file_space(0, &space));
    assert_string_equal(space.name, "d1");
    assert_false(bb_file_space(1, &space));
    for (unsigned i = 0; i < BB_FILE_MOUNTS; i++) {
        memcpy(image.bytes, images[i].bytes, image.size);
        save_image();
        snprintf(path, sizeof(path), "%s/image", folder);
        if (i != 2)
            assert_int_equal(host("PATH=$PATH:/sbin:/usr/sbin fsck.vfat -n %s", path), 0);
    }
    assert_int_equal(bb_file_close(file), 0);
    assert_int_equal(bb_file_unmount_all(), 0);
    assert_false(bb_file_space(0, &space));
    for (unsigned i = 0; i < BB_ARRAY_SIZE(images); i++)
        free(images[i].bytes);
    clean_up();
}

/* A card that was written to elsewhere: nothing of the old mount reaches it. */
static void test_other_medium(void **state)
{
    (void)state;
    struct bb_file *writer, *reader;
    struct bb_file_space space;
    static uint8_t data[3000];
    make("-F 16", 32, 512);
    mount();
    put("d:/old", 3000, 1, 3000);
    assert_int_equal(bb_file_open("d:/old", BB_FILE_READ, &reader), 0);
    assert_int_equal(bb_file_open("d:/lost", BB_FILE_WRITE | BB_FILE_CREATE, &writer), 0);
    assert_int_equal(bb_file_write(writer, data, sizeof(data)), sizeof(data));
    image_leave(&image);
    assert_int_equal(host("cd %s && rm image && truncate -s 32M image && "
                          "PATH=$PATH:/sbin:/usr/sbin mkfs.vfat -F 16 image >/dev/null && "
                          "head -c 3000 /dev/zero | MTOOLS_SKIP_CHECK=1 mcopy -i image - ::new",
                          folder),
                     0);
    char path[64];
    size_t length;
    snprintf(path, sizeof(path), "%s/image", folder);
    uint8_t *other = load_file(path, &length), *before = load_file(path, &length);
    free(image.bytes);
    image.bytes = other;
    assert_int_equal(bb_file_read(reader, data, sizeof(data)), -ENODEV);
    assert_int_equal(bb_file_write(writer, data, sizeof(data)), -ENODEV);
    assert_int_equal(bb_file_truncate(writer, 0), -ENODEV);
    assert_int_equal(bb_file_make_directory("d:/more"), -ENODEV);
    assert_int_equal(bb_file_sync("d"), -ENODEV);
    assert_int_equal(bb_file_unmount("d"), -EBUSY);
    assert_true(bb_file_space(0, &space) && space.gone);
    assert_int_equal(bb_file_mount_types(types, &image.block, "d", 0), -EEXIST);
    assert_int_equal(bb_file_close(reader), -ENODEV);
    assert_int_equal(bb_file_close(writer), -ENODEV);
    assert_int_equal(bb_file_mount_types(types, &image.block, "e", 0), 0);
    assert_int_equal(bb_file_mount_types(types, &image.block, "f", 0), -EEXIST);
    assert_int_equal(entries("e:"), 1);
    assert_int_equal(bb_file_unmount("d"), 0);
    assert_int_equal(logged("d: what was not yet written to its disk is lost"), 1);
    assert_memory_equal(other, before, length);
    free(before);
    assert_int_equal(bb_file_rename("e:/new", "e:/newer"), 0);
    image_leave(&image); /* the second mount is told too */
    assert_int_equal(bb_file_sync("e"), -ENODEV);
    assert_int_equal(bb_file_unmount("e"), 0);
    mount();
    judge();
    clean_up();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fat12),
        cmocka_unit_test(test_fat16),
        cmocka_unit_test(test_fat32),
        cmocka_unit_test(test_large_device_blocks),
        cmocka_unit_test(test_full_medium),
        cmocka_unit_test(test_failing_close),
        cmocka_unit_test(test_sync_of_open_files),
        cmocka_unit_test(test_early_looks),
        cmocka_unit_test(test_pulled_out),
        cmocka_unit_test(test_unmount_all),
        cmocka_unit_test(test_other_medium),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
