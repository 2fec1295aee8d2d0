/* SPDX-License-Identifier: BSD-2-Clause */
/* Partition tables: good ones, those of sgdisk and sfdisk, and every way to be bad. */
#include "harness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "partition_disk.h"

enum { BLOCKS = 100, BLOCK = 512 };

static uint8_t bytes[BLOCKS * 4096];
static struct disk disk = {.bytes = bytes, .blocks = BLOCKS};

static void entry(uint64_t block, unsigned index, uint8_t type, uint32_t start, uint32_t count)
{
    uint8_t *sector = bytes + block * BLOCK, *at = sector + 446 + 16 * index;
    at[4] = type;
    put_le(at + 8, 4, start);
    put_le(at + 12, 4, count);
    put_le(sector + 510, 2, 0xaa55);
}

static void must_find(unsigned index, unsigned number, uint64_t first, uint64_t count)
{
    const struct bb_partition *found = &disk.found[index];
    if (index >= disk.count || found->number != number || found->first != first ||
        found->count != count)
        fail_msg("p%u at %" PRIu64 ", %" PRIu64 " blocks: not found as number %u of %u\n%s", number,
                 first, count, index, disk.count, disk.text);
}

static void must_say(const char *text)
{
    if (!strstr(disk.text, text))
        fail_msg("wanted \"%s\":\n%s", text, disk.text);
}

static int scan(void)
{
    return disk_scan(&disk, BLOCKS, BLOCK);
}

/* ---- MBR ---- */

static void test_no_table(void **state)
{
    (void)state;
    for (unsigned capacity = 0; capacity < 3; capacity++) {
        assert_int_equal(disk_scan(&disk, capacity, BLOCK), 0);
        assert_int_equal(disk.table.scheme, BB_PARTITION_NONE);
    }
    entry(0, 0, 0x83, 1, 10);
    bytes[446] = 0x12; /* code of a boot sector that is no table */
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.table.scheme, BB_PARTITION_NONE);
    bytes[446] = 0x80;
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.count, 1);
    memcpy(bytes + 82, "FAT32   ", 8);
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.table.scheme, BB_PARTITION_NONE);
    assert_int_equal(disk.said, 0);
}

static void test_mbr(void **state)
{
    (void)state;
    put_le(bytes + 440, 4, 0xdeadbeef);
    entry(0, 0, 0x0c, 1, 9);
    entry(0, 2, 0x83, 10, 20);
    entry(0, 3, 0x0f, 30, 60); /* logical: 31..39 and 51..80 */
    entry(30, 0, 0x83, 1, 9);
    entry(30, 1, 0x05, 20, 40);
    entry(50, 0, 0x82, 1, 30);
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.table.scheme, BB_PARTITION_MBR);
    assert_int_equal(disk.count, 4);
    must_find(0, 1, 1, 9);
    must_find(1, 3, 10, 20);
    must_find(2, 5, 31, 9);
    must_find(3, 6, 51, 30);
    assert_string_equal(disk.found[0].type, "0c");
    assert_string_equal(disk.found[3].uuid, "deadbeef-06");
    assert_string_equal(disk.found[3].label, "");
    assert_int_equal(disk.said, 0);
    disk.end = 2; /* found() wants no more */
    assert_int_equal(scan(), -ENOMEM);
    disk.end = 0;
    disk.bad = 50;
    assert_int_equal(scan(), -EIO);
    assert_int_equal(disk.count, 3);
}

static void test_mbr_faults(void **state)
{
    (void)state;
    entry(0, 0, 0x83, 90, 11);
    entry(0, 1, 0x83, 0, 5);
    entry(0, 2, 0x83, 10, 10);
    entry(0, 3, 0x83, 19, 1);
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.count, 1);
    must_find(0, 3, 10, 10);
    must_say("partition 1 refused: it ends beyond the end of the disk");
    must_say("partition 2 refused: it overlaps the partition table");
    must_say("partition 4 refused: it overlaps partition 3");
    entry(0, 0, 0x83, UINT32_MAX, UINT32_MAX);
    entry(0, 1, 0xee, 2, 5); /* protects nothing */
    entry(0, 2, 0x83, 99, 1);
    entry(0, 3, 0x83, 100, 1);
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.count, 2);
    assert_int_equal(disk.table.refused, 2);
}

static void test_extended_faults(void **state)
{
    (void)state;
    entry(0, 0, 0x05, 10, 50);
    entry(0, 1, 0x05, 70, 10);
    entry(10, 0, 0x83, 1, 5);
    entry(10, 1, 0x05, 20, 10);
    entry(30, 0, 0x83, 1, 30); /* ends at 60: one too far */
    entry(30, 1, 0x05, 0, 10); /* back to the first */
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.count, 1);
    must_find(0, 5, 11, 5);
    must_say("partition 2 refused: there is an extended partition already");
    must_say("partition 6 refused: it is not within the extended partition");
    must_say("table 7 is in a circle or in a partition");
    entry(30, 1, 0x05, 3, 10); /* into partition 5 */
    assert_int_equal(scan(), 0);
    must_say("table 7 is in a circle or in a partition");
    entry(30, 1, 0x05, 20, 10); /* to itself */
    assert_int_equal(scan(), 0);
    must_say("table 7 is in a circle or in a partition");
    entry(30, 1, 0x05, 50, 10);
    assert_int_equal(scan(), 0);
    must_say("the link to table 7 is out of bounds");
    entry(30, 1, 0x05, 40, 10);
    assert_int_equal(scan(), 0);
    must_say("table 7 has no signature");
    entry(0, 0, 0x05, 99, 50);
    assert_int_equal(scan(), 0);
    must_say("table 5 has no signature");
    entry(0, 0, 0x05, 100, 50);
    assert_int_equal(scan(), 0);
    must_say("the link to table 5 is out of bounds");
}

static void test_long_chain(void **state)
{
    (void)state;
    static uint8_t large[1000 * BLOCK];
    disk.bytes = large;
    disk.blocks = 1000;
    memcpy(large + 446 + 4, (uint8_t[]){0x05, 0, 0, 0, 1, 0, 0, 0, 0xe0, 3}, 10);
    put_le(large + 510, 2, 0xaa55);
    for (unsigned i = 0; i < 450; i++) {
        uint8_t *sector = large + (1 + 2 * i) * BLOCK;
        memcpy(sector + 446 + 4, (uint8_t[]){0x83, 0, 0, 0, 1, 0, 0, 0, 1}, 9);
        memcpy(sector + 462 + 4, (uint8_t[]){0x05, 0, 0, 0, 0, 0, 0, 0, 1}, 9);
        put_le(sector + 462 + 8, 4, 2 * (i + 1));
        put_le(sector + 510, 2, 0xaa55);
    }
    assert_int_equal(disk_scan(&disk, 1000, BLOCK), 0);
    assert_true(disk.count >= 70 && disk.count <= BB_PARTITION_MAX);
    assert_true(disk.reads < 200);
}

/* ---- GPT ---- */

static uint8_t *gpt_entry(uint64_t array, uint32_t block_size, unsigned index, uint32_t size)
{
    return bytes + array * block_size + index * size;
}

static void gpt_put(uint8_t *at, uint64_t first, uint64_t last, const uint16_t *name)
{
    memset(at, 0xab, 16);
    for (uint8_t i = 0; i < 16; i++)
        at[16 + i] = i;
    put_le(at + 32, 8, first);
    put_le(at + 40, 8, last);
    for (unsigned i = 0; i < 36 && name && name[i]; i++)
        put_le(at + 56 + 2 * i, 2, name[i]);
}

static void gpt_header(uint64_t at, uint64_t other, uint64_t entries, uint32_t block_size,
                       uint32_t count, uint32_t size)
{
    uint8_t *header = bytes + at * block_size;
    memcpy(header, "EFI PART\0\0\1\0\x5c\0\0", 16);
    put_le(header + 24, 8, at);
    put_le(header + 32, 8, other);
    put_le(header + 40, 8, 10);
    put_le(header + 48, 8, BLOCKS - 11);
    put_le(header + 72, 8, entries);
    put_le(header + 80, 4, count);
    put_le(header + 84, 4, size);
    disk_seal(&disk, at, block_size);
}

static void gpt_make(uint32_t block_size, uint32_t count, uint32_t size)
{
    uint32_t blocks = (count * size + block_size - 1) / block_size;
    memset(bytes, 0, sizeof(bytes));
    entry(0, 0, 0xee, 1, BLOCKS - 1);
    static const uint16_t boot[] = u"boot", odd[] = u"d\xe4ta \u20ac\xd83e\xdd80\xd800x\x1b[\x9b";
    for (uint64_t array = 2; array; array = array == 2 ? BLOCKS - 1 - blocks : 0) {
        gpt_put(gpt_entry(array, block_size, 0, size), 10, 19, boot);
        gpt_put(gpt_entry(array, block_size, 2, size), 20, BLOCKS - 11, odd);
    }
    gpt_header(1, BLOCKS - 1, 2, block_size, count, size);
    gpt_header(BLOCKS - 1, 1, BLOCKS - 1 - blocks, block_size, count, size);
}

static void must_find_both(void)
{
    assert_int_equal(disk.table.scheme, BB_PARTITION_GPT);
    assert_int_equal(disk.count, 2);
    must_find(0, 1, 10, 10);
    must_find(1, 3, 20, BLOCKS - 30);
}

static void test_gpt(void **state)
{
    (void)state;
    for (uint32_t block_size = 512; block_size <= 4096; block_size *= 2)
        for (uint32_t size = 128; size <= 1024 && size * 4 <= 8 * block_size; size *= 2) {
            gpt_make(block_size, 4, size);
            assert_int_equal(disk_scan(&disk, BLOCKS, block_size), 0);
            must_find_both();
            assert_int_equal(disk.said, 0);
            assert_false(disk.table.backup);
        }
    assert_string_equal(disk.found[0].label, "boot");
    assert_string_equal(disk.found[1].label, "d\xc3\xa4ta \xe2\x82\xac\xf0\x9f\xa6\x80"
                                             "\xef\xbf\xbdx\xef\xbf\xbd[\xef\xbf\xbd");
    assert_string_equal(disk.found[0].uuid, "03020100-0504-0706-0809-0a0b0c0d0e0f");
    assert_string_equal(disk.found[0].type, "abababab-abab-abab-abab-abababababab");
}

static void test_longest_names(void **state)
{
    (void)state;
    static const uint16_t units[] = {'a', 0xff, 0x7ff, 0xffff, 0xd800, 0xdfff, 0x1f, 0x7f, 0x9f};
    for (size_t i = 0; i < BB_ARRAY_SIZE(units); i++) {
        gpt_make(BLOCK, 4, 128);
        uint8_t *name = gpt_entry(2, BLOCK, 0, 128) + 56;
        for (unsigned n = 0; n < 36; n++)
            put_le(name + 2 * n, 2, units[i]);
        disk_seal(&disk, 1, BLOCK);
        assert_int_equal(scan(), 0);
        must_find_both();
        assert_true(strlen(disk.found[0].label) >= 36);
    }
}

/* Whatever single bit of the first copy is wrong: the backup has it all. And the other way round.
 */
static void test_every_bit_flipped(void **state)
{
    (void)state;
    gpt_make(BLOCK, 4, 128);
    for (uint32_t at = BLOCK; at < 3 * BLOCK; at++)
        for (int bit = 0; bit < 8; bit++) {
            if (at >= BLOCK + 92 && at < 2 * BLOCK)
                continue; /* the header ends there */
            bytes[at] ^= (uint8_t)(1 << bit);
            assert_int_equal(scan(), 0);
            must_find_both();
            assert_true(disk.table.backup);
            must_say("GPT: the first copy is refused: ");
            must_say("GPT: the backup is used");
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    for (uint32_t at = (BLOCKS - 2) * BLOCK; at < BLOCKS * BLOCK; at++) {
        bytes[at] ^= 0xff;
        assert_int_equal(scan(), 0);
        must_find_both();
        assert_int_equal(disk.said, 0);
        bytes[at] ^= 0xff;
    }
    bytes[BLOCK] ^= 1;
    for (uint32_t at = (BLOCKS - 2) * BLOCK; at < (BLOCKS - 1) * BLOCK + 92; at++) {
        bytes[at] ^= 0x10;
        assert_int_equal(scan(), -EINVAL);
        assert_int_equal(disk.count, 0);
        must_say("GPT: the backup is refused: ");
        bytes[at] ^= 0x10;
    }
}

static void test_every_truncation(void **state)
{
    (void)state;
    gpt_make(BLOCK, 4, 128);
    for (uint64_t capacity = 0; capacity < BLOCKS; capacity++) {
        int error = disk_scan(&disk, capacity, BLOCK);
        assert_int_equal(error, capacity < 2 ? 0 : capacity < 3 ? -EINVAL : 0);
        assert_int_equal(disk.count, capacity < 20 ? 0 : capacity < BLOCKS - 10 ? 1 : 2);
        if (capacity >= 3 && capacity < BLOCKS - 10)
            must_say("GPT: the table is of a larger disk");
    }
    bytes[BLOCK]++;
    for (uint64_t capacity = 2; capacity < BLOCKS; capacity++)
        assert_int_equal(disk_scan(&disk, capacity, BLOCK), -EINVAL);
    bytes[BLOCK]--;
    /* The other way: a disk that grew has its backup where the first copy says. */
    gpt_entry(2, BLOCK, 0, 128)[0]++;
    assert_int_equal(disk_scan(&disk, UINT64_MAX / BLOCK, BLOCK), 0);
    must_find_both();
    assert_true(disk.table.backup);
}

/* One number of the first header is wrong, with right CRCs. */
static void with_number(unsigned offset, unsigned size, uint64_t value, const char *why)
{
    uint8_t *at = bytes + BLOCK + offset;
    uint64_t before = get_le(at, size);
    put_le(at, size, value);
    disk_seal(&disk, 1, BLOCK);
    assert_int_equal(scan(), 0);
    must_find_both();
    must_say(why);
    assert_true(disk.reads < 20);
    put_le(at, size, before);
    disk_seal(&disk, 1, BLOCK);
}

static void test_gpt_numbers(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 56, 64, 127, 129, 192, 8192, 1u << 31, UINT32_MAX};
    static const uint32_t counts[] = {0, 8193, 1u << 24, 1u << 25, 1u << 31, UINT32_MAX};
    static const uint32_t header_sizes[] = {0, 91, 513, 1u << 31, UINT32_MAX};
    static const uint64_t arrays[] = {
        0, 1, BLOCKS, BLOCKS + 1, 1ull << 63, UINT64_MAX, UINT64_MAX / BLOCK + 3};
    gpt_make(BLOCK, 4, 128);
    for (size_t i = 0; i < BB_ARRAY_SIZE(sizes); i++)
        with_number(84, 4, sizes[i], "its entries have a wrong size");
    for (size_t i = 0; i < BB_ARRAY_SIZE(counts); i++)
        with_number(80, 4, counts[i], "it has no entries, or too many");
    for (size_t i = 0; i < BB_ARRAY_SIZE(header_sizes); i++)
        with_number(12, 4, header_sizes[i], "its header has a wrong ");
    for (size_t i = 0; i < BB_ARRAY_SIZE(arrays); i++)
        with_number(72, 8, arrays[i], "its entries are out of bounds");
    with_number(72, 8, 15, "its room for partitions is wrong");
    with_number(40, 8, 1, "its room for partitions is wrong");
    with_number(40, 8, 90, "its room for partitions is wrong");
    with_number(8, 4, 0x20000, "its revision is unknown");
    with_number(24, 8, 2, "its header names another block as its own");
    with_number(80, 4, 8192, "its entries are out of bounds"); /* so many do not fit the disk */
    disk.bad = 1;
    assert_int_equal(scan(), 0);
    must_find_both();
    must_say("it cannot be read");
    disk.bad = 2;
    assert_int_equal(scan(), 0);
    must_find_both();
    must_say("its entries cannot be read");
}

static void with_place(uint64_t first, uint64_t last, const char *why)
{
    uint8_t *at = gpt_entry(2, BLOCK, 2, 128);
    put_le(at + 32, 8, first);
    put_le(at + 40, 8, last);
    disk_seal(&disk, 1, BLOCK);
    assert_int_equal(scan(), 0);
    assert_int_equal(disk.count, 1);
    must_find(0, 1, 10, 10);
    must_say(why);
}

static void test_gpt_entries(void **state)
{
    (void)state;
    gpt_make(BLOCK, 4, 128);
    with_place(20, 19, "partition 3 refused: it ends before it begins");
    with_place(UINT64_MAX, 0, "partition 3 refused: it ends before it begins");
    with_place(9, 30, "partition 3 refused: it is beyond the blocks that");
    with_place(30, BLOCKS - 10, "partition 3 refused: it is beyond the blocks that");
    with_place(0, UINT64_MAX, "partition 3 refused: it is beyond the blocks that");
    with_place(15, 15, "partition 3 refused: it overlaps partition 1");
    with_place(10, BLOCKS - 11, "partition 3 refused: it overlaps partition 1");
    put_le(bytes + BLOCK + 48, 8, UINT64_MAX);
    with_place(30, UINT64_MAX, "partition 3 refused: it ends beyond the end of the disk");
    with_place(30, UINT64_MAX / 2, "partition 3 refused: it ends beyond the end of the disk");
}

static void test_too_many(void **state)
{
    (void)state;
    static uint8_t large[1000 * BLOCK];
    disk.bytes = large;
    disk.blocks = 1000;
    memcpy(large + 446 + 4, (uint8_t[]){0xee, 0, 0, 0, 1, 0, 0, 0, 0xe0, 3}, 10);
    put_le(large + 510, 2, 0xaa55);
    uint8_t *header = large + BLOCK;
    memcpy(header, "EFI PART\0\0\1\0\x5c\0\0", 16);
    put_le(header + 24, 8, 1);
    put_le(header + 40, 8, 100);
    put_le(header + 48, 8, 900);
    put_le(header + 72, 8, 2);
    put_le(header + 80, 4, 300);
    put_le(header + 84, 4, 128);
    for (unsigned i = 0; i < 300; i++)
        gpt_put(large + 2 * BLOCK + 128 * i, 100 + i, 100 + i, NULL);
    disk_seal(&disk, 1, BLOCK);
    assert_int_equal(disk_scan(&disk, 1000, BLOCK), 0);
    assert_int_equal(disk.count, BB_PARTITION_MAX);
    assert_int_equal(disk.table.refused, 300 - BB_PARTITION_MAX);
    must_say("partition 129 refused: there are too many");
    must_say("more faults: 172 partitions refused");
    assert_int_equal(disk.said, 9);
}

static void test_random_damage(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (unsigned round = 0; round < 20000; round++) {
        if (round % 50 == 0)
            gpt_make(BLOCK, 4, 128);
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        bytes[BLOCK + random % (2 * BLOCK)] = (uint8_t)(random >> 32);
        if (round % 2)
            disk_seal(&disk, 1, BLOCK);
        (void)scan(); /* the disk checks what is found */
    }
}

/* ---- Other people's tables ---- */

/* Runs a tool on a file of `megabytes`; the test is skipped where the machine has it not. */
static void make_by(const char *tool, const char *script, unsigned megabytes)
{
    char name[] = "/tmp/partition-XXXXXX", line[600];
    int file = mkstemp(name);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)megabytes << 20), 0);
    snprintf(line, sizeof(line), "PATH=$PATH:/usr/sbin:/sbin; command -v %s >/dev/null || exit 9; ",
             tool);
    snprintf(line + strlen(line), sizeof(line) - strlen(line), script, name);
    strcat(line, " >/dev/null 2>&1");
    int status = system(line);
    disk.blocks = (uint64_t)megabytes << 11;
    disk.bytes = malloc(disk.blocks * BLOCK);
    assert_int_equal(pread(file, disk.bytes, disk.blocks * BLOCK, 0), disk.blocks * BLOCK);
    close(file);
    unlink(name);
    if (status && WIFEXITED(status) && WEXITSTATUS(status) == 9) {
        print_message("no %s here\n", tool);
        skip();
    }
    assert_int_equal(status, 0);
}

static void test_sgdisk(void **state)
{
    (void)state;
    make_by("sgdisk",
            "sgdisk -n 1:2048:4095 -c 1:boot -t 1:ef00 -n 2:4096:+1M -c 2:wurzel -u "
            "2:11223344-5566-7788-99AA-BBCCDDEEFF00 -n 9:0:0 %s",
            4);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(disk_scan(&disk, disk.blocks, BLOCK), 0);
        assert_int_equal(disk.table.scheme, BB_PARTITION_GPT);
        assert_int_equal(disk.count, 3);
        must_find(0, 1, 2048, 2048);
        must_find(1, 2, 4096, 2048);
        must_find(2, 9, 6144, 8192 - 34 - 6144 + 1);
        assert_string_equal(disk.found[0].label, "boot");
        assert_string_equal(disk.found[0].type, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
        assert_string_equal(disk.found[1].label, "wurzel");
        assert_string_equal(disk.found[1].uuid, "11223344-5566-7788-99aa-bbccddeeff00");
        assert_int_equal(disk.table.backup, i);
        disk.bytes[BLOCK + 20] ^= 1;
    }
}

static void test_sfdisk(void **state)
{
    (void)state;
    make_by("sfdisk",
            "printf 'label: dos\\nlabel-id: 0xcafe1234\\n2048,2048,c\\n4096,,E\\n,2048,83\\n"
            ",1024,82\\n,,83\\n' | sfdisk --no-reread %s",
            8);
    assert_int_equal(disk_scan(&disk, disk.blocks, BLOCK), 0);
    assert_int_equal(disk.table.scheme, BB_PARTITION_MBR);
    assert_int_equal(disk.count, 4);
    must_find(0, 1, 2048, 2048);
    must_find(1, 5, 6144, 2048);
    must_find(2, 6, 10240, 1024);
    assert_int_equal(disk.found[3].number, 7);
    assert_int_equal(disk.found[3].first + disk.found[3].count, disk.blocks);
    assert_string_equal(disk.found[1].uuid, "cafe1234-05");
    assert_int_equal(disk.said, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_table),         cmocka_unit_test(test_mbr),
        cmocka_unit_test(test_mbr_faults),       cmocka_unit_test(test_extended_faults),
        cmocka_unit_test(test_long_chain),       cmocka_unit_test(test_gpt),
        cmocka_unit_test(test_longest_names),    cmocka_unit_test(test_every_bit_flipped),
        cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_gpt_numbers),
        cmocka_unit_test(test_gpt_entries),      cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_random_damage),    cmocka_unit_test(test_sgdisk),
        cmocka_unit_test(test_sfdisk),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
