/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks that libFuzzer thinks of, read as MBR and GPT. The first byte chooses the block size,
 * whether the CRCs are made right, so that what lies behind them is reached, and whether a block
 * cannot be read or the disk is larger than what is given of it; the rest is the disk. What is
 * found must lie on the disk, apart, with labels that are text. Run with -max_len=12288.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -I. \
 *         tests/fuzz/fuzz_partition.c bus/partition/table.c bus/partition/mbr.c \
 *         bus/partition/gpt.c core/format.c -o fuzz_partition
 */
#include <busbar/log.h>
#include <tests/unit/partition_disk.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct disk disk = {0};
    uint32_t block_size = 512u << (data[0] >> 1 & 3);
    disk.blocks = (size - 1 + block_size - 1) / block_size;
    disk.bytes = calloc(disk.blocks + 1, block_size);
    memcpy(disk.bytes, data + 1, size - 1);
    uint64_t capacity = disk.blocks;
    if (data[0] & 8)
        disk.bad = data[0] >> 4;
    else
        capacity += (data[0] >> 4) * 100u;
    if (data[0] & 1 && disk.blocks > 2) {
        disk_seal(&disk, 1, block_size);
        disk_seal(&disk, disk.blocks - 1, block_size);
    }
    int error = disk_scan(&disk, capacity, block_size);
    if (!error && disk.table.scheme == BB_PARTITION_NONE && disk.count)
        abort();
    free(disk.bytes);
    return 0;
}
