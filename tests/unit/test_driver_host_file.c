/* SPDX-License-Identifier: BSD-2-Clause */
/* block/host_file on real files, and partitions of them. */
#define _GNU_SOURCE
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <busbar/block.h>
#include <busbar/poll.h>

#include "partition_disk.h"

enum { BLOCK = 512, BLOCKS = 256 };

static char names[3][40];
static _Alignas(4096) uint8_t data[64 * BLOCK], back[64 * BLOCK];

/* A file in the build's own folder, where O_DIRECT is likelier than in /tmp. */
static int make_file(unsigned index, size_t size)
{
    const char *folder = access("build", W_OK) == 0 ? "build" : "/tmp";
    snprintf(names[index], sizeof(names[index]), "%s/host-file-XXXXXX", folder);
    int fd = mkstemp(names[index]);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void start(const char *more)
{
    char line[300];
    tree_begin(2, 2);
    tree_device("timer", "busbar,host-timer");
    tree_close();
    tree_device("file", "busbar,host-file");
    tree_close();
    size_t at = (size_t)snprintf(line, sizeof(line), "%s", more);
    for (size_t i = 0; i < BB_ARRAY_SIZE(names) && *names[i]; i++)
        at += (size_t)snprintf(line + at, sizeof(line) - at, " host_file.path=%s", names[i]);
    static char kept[300];
    boot(strcpy(kept, line));
}

static void remove_files(void)
{
    for (size_t i = 0; i < BB_ARRAY_SIZE(names); i++)
        if (*names[i])
            unlink(names[i]);
}

static struct bb_block *disk(const char *name)
{
    struct bb_block *block = bb_block_by_name(name);
    if (!block) {
        remove_files();
        fail_msg("no %s", name);
    }
    return block;
}

static void fill(uint8_t seed)
{
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / BLOCK + seed);
}

static void check_data(const char *options)
{
    static const uint8_t zeros[sizeof(data)];
    int fd = make_file(0, BLOCKS * BLOCK + 100);
    start(options);
    struct bb_block *block = disk("disk0");
    assert_int_equal(block->capacity, BLOCKS);
    assert_string_equal(block->label, strrchr(names[0], '/') + 1);
    assert_int_equal(logged("the last 100 bytes make no block"), 1);

    fill(1);
    assert_int_equal(bb_block_write(block, 10, 64, data), 0);
    assert_int_equal(bb_block_write(block, BLOCKS - 1, 1, data), 0);
    assert_int_equal(bb_block_flush(block), 0);
    assert_int_equal(pread(fd, back, sizeof(back), 10 * BLOCK), sizeof(back));
    assert_memory_equal(data, back, sizeof(data));
    memset(back, 0, sizeof(back));
    assert_int_equal(bb_block_read(block, 12, 3, back + 1), 0); /* not aligned */
    assert_memory_equal(data + 2 * BLOCK, back + 1, 3 * BLOCK);
    assert_int_equal(bb_block_read(block, BLOCKS - 1, 2, back), -EINVAL);

    /* Pieces in another order than the disk has them. */
    struct bb_block_segment pieces[] = {
        {back + 4 * BLOCK, BLOCK}, {back, 2 * BLOCK}, {back + 8 * BLOCK, BLOCK}};
    struct bb_block_request request = {.op = BB_BLOCK_READ,
                                       .block = 20,
                                       .segments = pieces,
                                       .segment_count = 3},
                            *batch[] = {&request};
    assert_int_equal(bb_block_submit(block, 0, batch, 1), 1);
    assert_int_equal(request.status, -EINPROGRESS);
    assert_true(bb_block_arm(block, 0));
    assert_int_equal(bb_block_wait(block, 0, &request), 0);
    assert_memory_equal(back + 4 * BLOCK, data + 10 * BLOCK, BLOCK);
    assert_memory_equal(back, data + 11 * BLOCK, 2 * BLOCK);
    assert_memory_equal(back + 8 * BLOCK, data + 13 * BLOCK, BLOCK);
    assert_false(bb_block_arm(block, 0));

    assert_int_equal(bb_block_write_zeroes(block, 10, 32), 0);
    assert_int_equal(bb_block_read(block, 10, 64, back), 0);
    assert_memory_equal(back, zeros, 32 * BLOCK);
    assert_memory_equal(back + 32 * BLOCK, data + 32 * BLOCK, 32 * BLOCK);
    if (block->features & BB_BLOCK_HAS_DISCARD)
        assert_int_equal(bb_block_discard(block, 0, BLOCKS), 0);
    struct stat stat;
    assert_int_equal(fstat(fd, &stat), 0);
    assert_int_equal(stat.st_size, BLOCKS * BLOCK + 100);
    assert_int_equal(block->in_flight, 0);
    must_fail("/file/partitions", -ENOSYS, NULL);
    must_remove("/file");
    assert_int_equal(bb_block_read(block, 0, 1, back), -ENODEV);
    close(fd);
    remove_files();
}

static void test_data(void **state)
{
    (void)state;
    check_data("");
}

static void test_data_through_the_cache(void **state)
{
    (void)state;
    check_data("host_file.cached=yes");
    assert_null(bb_block_first());
}

static void count_done(struct bb_block_request *request)
{
    ++*(unsigned *)request->context;
}

static void test_queue(void **state)
{
    (void)state;
    static struct bb_block_request requests[100], *batch[100];
    struct bb_block_segment segment = {data, BLOCK}, odd = {data, BLOCK - 1};
    unsigned done = 0;
    close(make_file(0, BLOCKS * BLOCK));
    start("");
    struct bb_block *block = disk("disk0");
    for (unsigned i = 0; i < 100; i++) {
        requests[i] = (struct bb_block_request){.op = i % 2 ? BB_BLOCK_WRITE : BB_BLOCK_FLUSH,
                                                .block = i,
                                                .segments = &segment,
                                                .segment_count = i % 2,
                                                .done = count_done,
                                                .context = &done};
        batch[i] = &requests[i];
    }
    assert_int_equal(bb_block_submit(block, 0, batch, 100), block->depth);
    assert_int_equal(bb_block_submit(block, 0, batch + 64, 36), 0);
    assert_int_equal(block->in_flight, 64);
    assert_int_equal(bb_block_reap(block, 0, 10), 10);
    assert_int_equal(done, 10);
    requests[66].op = 77;
    assert_int_equal(bb_block_submit(block, 0, batch + 64, 36), 2);
    assert_int_equal(bb_block_submit(block, 0, batch + 66, 34), -EINVAL);
    requests[66].op = BB_BLOCK_WRITE;
    requests[66].segments = &odd;
    requests[66].segment_count = 1;
    assert_int_equal(bb_block_submit(block, 0, batch + 66, 34), -EINVAL);
    assert_int_equal(bb_block_submit(block, 1, batch + 67, 1), -EINVAL);
    bb_face_get(&block->face);
    must_remove("/file"); /* with 56 in flight */
    assert_int_equal(done, 66);
    assert_int_equal(requests[9].status, 0);
    assert_int_equal(requests[10].status, -ENODEV);
    assert_int_equal(bb_block_submit(block, 0, batch, 1), -ENODEV);
    bb_face_put(&block->face);
    remove_files();
}

static void test_file_that_shrinks(void **state)
{
    (void)state;
    int fd = make_file(0, BLOCKS * BLOCK);
    start("");
    struct bb_block *block = disk("disk0");
    assert_int_equal(ftruncate(fd, 100 * BLOCK), 0);
    assert_int_equal(bb_block_read(block, 90, 20, back), -EIO);
    assert_int_equal(block->capacity, 100);
    assert_int_equal(bb_block_read(block, 90, 20, back), -EINVAL);
    assert_int_equal(bb_block_read(block, 90, 10, back), 0);
    assert_int_equal(logged("has 100 blocks now"), 1);
    remove_files();
}

static void test_read_only(void **state)
{
    (void)state;
    close(make_file(0, BLOCKS * BLOCK));
    close(make_file(1, BLOCKS * BLOCK));
    start("host_file.readonly=yes");
    struct bb_block *block = disk("disk1");
    assert_int_equal(block->features, BB_BLOCK_READ_ONLY);
    assert_int_equal(bb_block_write(block, 0, 1, data), -EROFS);
    assert_int_equal(bb_block_write_zeroes(block, 0, 1), -EROFS);
    assert_int_equal(bb_block_flush(block), 0);
    assert_int_equal(bb_block_read(block, 0, 1, back), 0);
    remove_files();
}

/* One that is not there, one that is none, and one that is good nevertheless. */
static void test_several(void **state)
{
    (void)state;
    strcpy(names[0], "/nowhere/at/all");
    strcpy(names[1], "/dev/null");
    close(make_file(2, BLOCKS * BLOCK));
    start("");
    must_fail("/file", -ENOENT, "/nowhere/at/all");
    must_fail("/file@1", -EINVAL, "kind of file");
    assert_ptr_equal(device_at("/file@2"), disk("disk0")->face.device);
    unlink(names[2]);
}

static void test_one_writer(void **state)
{
    (void)state;
    close(make_file(0, BLOCKS * BLOCK));
    strcpy(names[1], names[0]);
    start("");
    (void)disk("disk0");
    must_fail("/file@1", -EBUSY, NULL);
    must_remove("/file");
    remove_files();
}

static void test_none(void **state)
{
    (void)state;
    start("");
    must_fail("/file", -ENOSYS, NULL);
}

static void test_empty_file(void **state)
{
    (void)state;
    close(make_file(0, BLOCK - 1));
    start("");
    must_fail("/file", -EINVAL, "size of the file");
    remove_files();
}

/* ---- Partitions ---- */

static void mbr_entry(uint8_t *sector, unsigned index, uint8_t type, uint32_t first, uint32_t count)
{
    sector[446 + 16 * index + 4] = type;
    put_le(sector + 446 + 16 * index + 8, 4, first);
    put_le(sector + 446 + 16 * index + 12, 4, count);
    put_le(sector + 510, 2, 0xaa55);
}

static void make_partitions(void)
{
    uint8_t sector[BLOCK] = {0};
    int fd = make_file(0, BLOCKS * BLOCK);
    put_le(sector + 440, 4, 0x600df00d);
    mbr_entry(sector, 0, 0x83, 10, 20);
    mbr_entry(sector, 1, 0x83, 25, 20); /* overlaps */
    mbr_entry(sector, 3, 0x0c, 40, BLOCKS - 40);
    assert_int_equal(pwrite(fd, sector, BLOCK, 0), BLOCK);
    close(fd);
}

static void test_partitions(void **state)
{
    (void)state;
    make_partitions();
    start("");
    struct bb_block *whole = disk("disk0"), *one = disk("disk0p1"), *four = disk("disk0p4");
    assert_null(bb_block_by_name("disk0p2"));
    assert_int_equal(logged("disk0: partition 2 refused: it overlaps partition 1"), 1);
    assert_string_equal(one->uuid, "600df00d-01");
    assert_ptr_equal(four->parent, whole);
    assert_int_equal(four->first, 40);
    assert_int_equal(one->capacity, 20);

    fill(3);
    assert_int_equal(bb_block_write(one, 5, 15, data), 0);
    assert_int_equal(bb_block_read(whole, 15, 15, back), 0);
    assert_memory_equal(data, back, 15 * BLOCK);
    assert_int_equal(bb_block_write(one, 6, 15, data), -EINVAL);
    assert_int_equal(bb_block_write(one, 20, 1, data), -EINVAL);
    assert_int_equal(bb_block_write(one, UINT64_MAX, 1, data), -EINVAL);
    assert_int_equal(bb_block_write(one, UINT64_MAX - 9, 1, data), -EINVAL);
    assert_int_equal(bb_block_flush(four), 0);
    assert_int_equal(bb_block_write_zeroes(one, 0, 20), 0);
    assert_int_equal(bb_block_read(whole, 9, 22, back), 0);
    for (size_t i = 0; i < 22 * BLOCK; i++)
        assert_int_equal(back[i], 0);
    assert_true(one->stats.writes == 1 && four->stats.flushes == 1 && whole->stats.writes == 1);

    /* What was asked through the view, seen through either. */
    struct bb_block_segment segment = {back, BLOCK};
    struct bb_block_request a = {.op = BB_BLOCK_READ,
                                 .block = 7,
                                 .segments = &segment,
                                 .segment_count = 1},
                            b = a, c = a, *batch[] = {&a, &b, &c};
    c.block = 20;
    assert_int_equal(bb_block_submit(one, 0, batch, 3), 2);
    assert_int_equal(one->in_flight, 2);
    assert_int_equal(whole->in_flight, 2);
    assert_int_equal(c.block, 20);
    assert_int_equal(bb_block_reap(whole, 0, 1), 1);
    assert_int_equal(a.status, 0);
    assert_int_equal(a.block, 7);
    assert_null(a.view);
    must_remove("/file/partitions/partition@1");
    assert_int_equal(b.block, 7);
    assert_int_equal(b.status, 0);
    assert_int_equal(whole->in_flight, 0);
    remove_files();
}

/* The disk takes fewer than the view would: what it left is as it was. */
static void test_partition_of_a_full_disk(void **state)
{
    (void)state;
    static struct bb_block_request requests[70], *batch[70];
    struct bb_block_segment segment = {back, BLOCK};
    make_partitions();
    start("");
    struct bb_block *one = disk("disk0p1");
    for (unsigned i = 0; i < 70; i++) {
        requests[i] = (struct bb_block_request){
            .op = BB_BLOCK_READ, .block = i % 20, .segments = &segment, .segment_count = 1};
        batch[i] = &requests[i];
    }
    assert_int_equal(bb_block_submit(one, 0, batch, 70), 64);
    assert_int_equal(one->in_flight, 64);
    assert_int_equal(requests[64].block, 64 % 20);
    assert_null(requests[64].view);
    assert_int_equal(requests[64].status, 0); /* nobody has it */
    assert_int_equal(bb_block_submit(one, 0, batch + 64, 6), 0);
    assert_int_equal(requests[69].status, 0);
    assert_int_equal(bb_block_reap(one, 0, 100), 64);
    assert_int_equal(one->in_flight, 0);
    assert_int_equal(bb_block_submit(one, 0, batch + 64, 6), 6);
    assert_int_equal(bb_block_wait(one, 0, batch[69]), 0);
    remove_files();
}

static void test_conformance(void **state)
{
    (void)state;
    make_partitions();
    assert_int_equal(truncate(names[0], 8 << 20), 0);
    int fd = open(names[0], O_WRONLY);
    uint8_t large[4];
    put_le(large, 4, (8 << 11) - 40);
    assert_int_equal(pwrite(fd, large, 4, 446 + 3 * 16 + 12), 4);
    close(fd);
    start("conformance.scratch=disk0p4");
    assert_int_equal(disk("disk0p4")->capacity, (8 << 11) - 40);
    conform(NULL);
    assert_int_equal(disk("disk0p4")->in_flight + disk("disk0")->in_flight, 0);
    assert_true(disk("disk0p4")->stats.writes > 0);
    remove_files();
}

/* A disk that shrank has partitions that end beyond it. */
static void test_partition_of_a_disk_that_shrinks(void **state)
{
    (void)state;
    make_partitions();
    start("");
    struct bb_block *four = disk("disk0p4");
    bb_block_resize(four->parent, 100);
    assert_int_equal(bb_block_read(four, 59, 1, back), 0);
    assert_int_equal(bb_block_read(four, 60, 1, back), -EINVAL);
    assert_int_equal(four->in_flight + four->parent->in_flight, 0);
    remove_files();
}

static void test_broken_table(void **state)
{
    (void)state;
    uint8_t sector[BLOCK] = {0};
    int fd = make_file(0, BLOCKS * BLOCK);
    mbr_entry(sector, 0, 0xee, 1, BLOCKS - 1);
    assert_int_equal(pwrite(fd, sector, BLOCK, 0), BLOCK);
    close(fd);
    start("");
    (void)disk("disk0");
    must_fail("/file/partitions", -EINVAL, "partition table");
    assert_int_equal(logged("GPT: the backup is refused: it has no signature"), 1);
    remove_files();
}

extern int bb_fault_at;

/* Every acquisition fails once. */
static int run_fault(void *context)
{
    tree_begin(2, 2);
    tree_device("file", "busbar,host-file");
    tree_close();
    tree_device("net", "busbar,host-net");
    tree_close();
    static char line[200];
    snprintf(line, sizeof(line), "host_file.path=%s host_file.path=%s", names[0], names[1]);
    boot_tree(line);
    bb_fault_at = *(int *)context;
    bb_bind_all();
    bool hit = bb_fault_at == 0;
    bb_fault_at = 0;
    for (struct bb_block *block = bb_block_first(); block; block = bb_block_next(block))
        if (bb_block_read(block, 0, 1, back))
            return 3;
    bb_poll();
    return hit ? 1 : 2;
}

static void test_faults(void **state)
{
    (void)state;
    int fault = 1;
    make_partitions();
    close(make_file(1, BLOCKS * BLOCK));
    for (; fault < 200; fault++) {
        int result = run_child(run_fault, &fault);
        if (result == 2)
            break;
        if (result != 1)
            remove_files();
        assert_int_equal(result, 1);
    }
    remove_files();
    assert_true(fault > 10 && fault < 200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_data_through_the_cache),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_file_that_shrinks),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_one_writer),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_partition_of_a_full_disk),
        cmocka_unit_test(test_conformance),
        cmocka_unit_test(test_partition_of_a_disk_that_shrinks),
        cmocka_unit_test(test_broken_table),
        cmocka_unit_test(test_faults),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
