/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of the card and of its controller: SDHOST. */
#include "sd_faults.h"

/* A block is wrong, and the driver is told at whatever moment of its wait for the end of it. */
static void check_crc(struct bb_block *disk, uint64_t lag, uint8_t *memory, bool write)
{
    const struct bb_sd *sd = bb_container_of(disk, struct bb_sd, block);
    unsigned retries = sd->retries;
    pi.sdhost.lag = lag;
    pi.card.fault = SD_FAULT_DATA_CRC;
    pi.card.fault_at = pi.card.commands + 1;
    pi.card.fault_count = 1;
    sd_pattern(write ? memory : sd_at(lag), 512, (unsigned)lag);
    int error = write ? bb_block_write(disk, lag, 1, memory) : bb_block_read(disk, lag, 1, memory);
    assert_int_equal(error, 0);
    assert_memory_equal(sd_at(lag), memory, 512);
    assert_int_equal(sd->retries, retries + 1);
}

static void test_crc_of_the_end(void **state)
{
    (void)state;
    struct bb_block *disk = start(SDHOST, SD_CARD_SDHC);
    for (uint64_t lag = 0; lag < 600; lag += 10) {
        check_crc(disk, lag, in, false);
        check_crc(disk, lag, in, true);
    }
    uint8_t *odd = sd_memory(512, 4); /* PIO */
    for (uint64_t lag = 0; lag < 600; lag += 10) {
        check_crc(disk, lag, odd, false);
        check_crc(disk, lag, odd, true);
    }
}

/* The controller says that data is late: that counts, not what the whole request may take. */
static void test_late(void **state)
{
    (void)state;
    struct bb_block *disk = start(SDHOST, SD_CARD_SDHC);
    const struct bb_sd *sd = bb_container_of(disk, struct bb_sd, block);
    for (unsigned odd = 0; odd <= 4; odd += 4) {
        uint8_t *memory = sd_memory(256 * 512, odd);
        uint64_t begin = bb_time();
        unsigned retries = sd->retries;
        pi.card.fault = SD_FAULT_DATA_LATE;
        pi.card.fault_at = pi.card.commands + 1;
        pi.card.fault_count = 1;
        assert_int_equal(bb_block_read(disk, 0, 256, memory), 0);
        assert_int_equal(sd->retries, retries + 1);
        assert_true(bb_time() - begin < 700 * BB_MSEC); /* SDTOUT is 500 */
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        SD_FAULT_TESTS(SDHOST), cmocka_unit_test(test_crc_of_the_end), cmocka_unit_test(test_late)};
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
