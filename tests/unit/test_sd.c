/* SPDX-License-Identifier: BSD-2-Clause */
/* SD cards of all kinds on both controllers of the Pi: identification, transfers, erase. */
#include "sd.h"

#include <busbar/sd.h>

struct kind {
    enum sd_card_kind kind;
    uint64_t blocks;
    uint32_t most_hz;
    unsigned width;
};
static const struct kind kinds[] = {
    {SD_CARD_V1, SMALL, 25000000, 4},
    {SD_CARD_SDSC, 1024 * 2048, 25000000, 4},
    {SD_CARD_SDSC, 2048 * 2048, 25000000, 4}, /* reads in blocks of 1024 bytes */
    {SD_CARD_SDHC, 8192 * 2048ull, 50000000, 4},
    {SD_CARD_SDXC, 65536 * 2048ull, 50000000, 4},
};

static void test_kinds(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state % HOSTS;
    const struct kind *kind = &kinds[(uintptr_t)*state / HOSTS];
    sd_prepare(host, kind->kind, kind->blocks);
    pi.card.first_address = true; /* 0 is not taken for an address */
    struct bb_block *disk = sd_boot(host);
    assert_true(disk->capacity == kind->blocks);
    assert_string_equal(disk->label, "BUSBA 2.1");
    assert_int_equal(pi.card.width, pi.card.scr[1] & 4 ? 4 : 1);
    assert_int_equal(pi.card.high_speed, kind->most_hz == 50000000);
    /* Version 1 does not know CMD8; nothing else was asked for in vain. */
    assert_int_equal(pi.card.illegal, kind->kind == SD_CARD_V1);
    uint8_t *out = sd_memory(4096, 0), *in = sd_memory(4096, 0);
    const uint64_t places[] = {0, 1, kind->blocks / 2, kind->blocks - 8};
    for (unsigned i = 0; i < BB_ARRAY_SIZE(places); i++) {
        sd_pattern(out, 4096, i);
        assert_int_equal(bb_block_write(disk, places[i], 8, out), 0);
        assert_memory_equal(sd_at(places[i]), out, 4096);
        memset(in, 0, 4096);
        assert_int_equal(bb_block_read(disk, places[i], 8, in), 0);
        assert_memory_equal(in, out, 4096);
    }
    assert_int_equal(bb_block_read(disk, kind->blocks - 1, 1, in), 0);
    assert_memory_equal(in, out + 7 * 512, 512);
    assert_int_equal(bb_block_read(disk, kind->blocks - 1, 2, in), -EINVAL);
    assert_int_equal(pi.card.counts[23] > 0, kind->kind == SD_CARD_SDXC);
    assert_int_equal(pi.card.illegal, kind->kind == SD_CARD_V1);
}

/* Every length to the longest, in pieces, on and off cache lines. */
static void test_transfers(void **state)
{
    static const uint16_t lengths[] = {1, 2, 3, 8, 31, 128, 256};
    unsigned host = (unsigned)(uintptr_t)*state % HOSTS, odd = (uintptr_t)*state / HOSTS ? 4 : 0;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    struct bb_block *disk = sd_boot(host);
    uint8_t *out = sd_memory(256 * 512, odd), *in = sd_memory(256 * 512, odd);
    uint64_t before = pi.dma.transfers;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(lengths); i++) {
        uint32_t count = lengths[i], bytes = count * 512, head = count / 3 * 512;
        struct bb_block_segment segments[2] = {{out, head}, {out + head, bytes - head}};
        struct bb_block_request request = {.op = BB_BLOCK_WRITE,
                                           .block = 100 + i,
                                           .segments = segments + !head,
                                           .segment_count = head ? 2 : 1},
                                *batch[] = {&request};
        sd_pattern(out, bytes, i);
        assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
        assert_int_equal(bb_block_wait(disk, 0, &request), 0);
        assert_memory_equal(sd_at(100 + i), out, bytes);
        memset(in, 0xee, bytes);
        segments[0].data = in;
        segments[1].data = in + head;
        request.op = BB_BLOCK_READ;
        assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
        assert_int_equal(bb_block_wait(disk, 0, &request), 0);
        assert_memory_equal(in, out, bytes);
    }
    assert_int_equal(pi.dma.transfers > before, !odd);
    assert_int_equal(pi.card.illegal, 0);
    assert_int_equal(disk->stats.errors, 0);
}

/* More than the queue is deep; all come back once, in order, by interrupts alone. */
static unsigned told;
static void tell(struct bb_block_request *request)
{
    assert_int_equal(request->status, 0);
    assert_int_equal((uintptr_t)request->context, told);
    told++;
}

static bool all_told(void *context)
{
    return told == *(unsigned *)context;
}

static void test_queue(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state, count = 100, posted = 0;
    static struct bb_block_request requests[100], *list[100];
    static struct bb_block_segment segments[100];
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    struct bb_block *disk = sd_boot(host);
    uint8_t *memory = sd_memory(100 * 512, 0);
    for (unsigned i = 0; i < count; i++) {
        sd_pattern(sd_at(i), 512, i);
        segments[i] = (struct bb_block_segment){memory + i * 512, 512};
        requests[i] = (struct bb_block_request){.block = i,
                                                .segments = &segments[i],
                                                .segment_count = 1,
                                                .done = tell,
                                                .context = (void *)(uintptr_t)i};
        list[i] = &requests[i];
    }
    while (posted < count) {
        int taken = bb_block_submit(disk, 0, list + posted, count - posted);
        assert_true(taken >= 0);
        posted += (unsigned)taken;
        unsigned before = told + 1;
        assert_false(taken == 0 && bb_block_arm(disk, 0));
        if (posted < count && taken == 0)
            assert_int_equal(bb_wait(all_told, &before, BB_SEC), 0);
    }
    assert_int_equal(bb_wait(all_told, &count, BB_SEC), 0);
    assert_memory_equal(memory, pi.card.memory, 100 * 512);
    assert_int_equal(bb_block_reap(disk, 0, 10), 0);
}

/* CMD23 where the card has it; but SDHOST ends what it writes with CMD12. */
static void test_counts(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDXC, SMALL * 2);
    struct bb_block *disk = sd_boot(host);
    uint8_t *memory = sd_memory(1024, 0);
    const unsigned *counts = pi.card.counts;
    unsigned counted = counts[23], stopped = counts[12];
    assert_int_equal(bb_block_write(disk, 8, 2, memory), 0);
    assert_int_equal(counts[23], counted + (host == ARASAN));
    assert_int_equal(counts[12], stopped + (host == SDHOST));
    assert_int_equal(bb_block_read(disk, 8, 2, memory), 0);
    assert_int_equal(counts[23], counted + 1 + (host == ARASAN));
    assert_int_equal(counts[12], stopped + (host == SDHOST));
}

static void test_erase(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    pi.card.erased = 0xff;
    struct bb_block *disk = sd_boot(host);
    assert_true(disk->features & BB_BLOCK_HAS_DISCARD);
    memset(sd_at(90), 0x11, 30 * 512);
    assert_int_equal(bb_block_discard(disk, 100, 10), 0);
    assert_int_equal(*sd_at(100), 0xff);
    assert_int_equal(sd_at(110)[-1], 0xff);
    assert_int_equal(sd_at(100)[-1], 0x11);
    assert_int_equal(*sd_at(110), 0x11);
    assert_int_equal(bb_block_discard(disk, 0, disk->capacity), 0);
    assert_int_equal(bb_block_discard(disk, 1, disk->capacity), -EINVAL);
    assert_int_equal(pi.card.state, SD_TRANSFER);
}

/* A card that erases whole sectors, whatever was named of them. */
static void test_erase_sectors(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDSC, SMALL);
    pi.card.csd[10] &= 0xbf; /* ERASE_BLK_EN = 0; SECTOR_SIZE is 128 blocks */
    pi.card.erased = 0xff;
    struct bb_block *disk = sd_boot(host);
    memset(sd_at(0), 0x11, 1024 * 512);
    assert_int_equal(bb_block_discard(disk, 100, 300), 0);
    assert_int_equal(*sd_at(127), 0x11);
    assert_int_equal(*sd_at(128), 0xff);
    assert_int_equal(*sd_at(383), 0xff);
    assert_int_equal(*sd_at(384), 0x11);
    unsigned before = pi.card.counts[38];
    assert_int_equal(bb_block_discard(disk, 130, 100), 0); /* no whole one in it */
    assert_int_equal(pi.card.counts[38], before);
}

static void test_write_protected(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    pi.card.csd[14] |= 0x10; /* TMP_WRITE_PROTECT */
    struct bb_block *disk = sd_boot(host);
    uint8_t *memory = sd_memory(512, 0);
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -EROFS);
    assert_int_equal(bb_block_discard(disk, 0, 1), -ENOTSUP);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), 0);
    assert_int_equal(pi.card.counts[24], 0);
}

/* It becomes protected behind our back: refused once, not tried again. */
static void test_protected_later(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    struct bb_block *disk = sd_boot(host);
    uint8_t *memory = sd_memory(512, 0);
    pi.card.csd[14] |= 0x10;
    unsigned before = pi.card.counts[24];
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -EROFS);
    assert_int_equal(pi.card.counts[24], before + 1);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), 0);
}

static void test_slow_bus(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    pi.card.scr[1] = 0x01; /* one line */
    pi.card.has_high_speed = false;
    struct bb_block *disk = sd_boot(host);
    uint8_t *memory = sd_memory(4096, 0);
    sd_pattern(sd_at(5), 4096, 3);
    assert_int_equal(bb_block_read(disk, 5, 8, memory), 0);
    assert_memory_equal(memory, sd_at(5), 4096);
    assert_int_equal(pi.card.width, 1);
    assert_false(pi.card.high_speed);
}

/* ---- What is no card, or one that cannot be used ---- */

static void test_no_card(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    pi.card.present = false;
    boot(NULL);
    must_fail(sd_path(host), -ENOSYS, "an SD card");
    assert_int_equal(logged("SD card"), 0); /* which is nothing to talk about */
    assert_int_equal(bb_node_find(sd_path(host))->reason.code, BB_REASON_ABSENT);
}

static void test_password(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    pi.card.locked = true;
    boot(NULL);
    must_fail(sd_path(host), -EPERM, "the card's password");
}

static void test_reserved_values(void **state)
{
    static const struct {
        enum sd_card_kind kind;
        const char *step;
        int offset;
        uint8_t mask, value;
        bool scr;
    } cases[] = {
        {SD_CARD_SDHC, "CSD", 0, 0xc0, 0x80, false}, /* SDUC */
        {SD_CARD_SDHC, "CSD", 0, 0xc0, 0xc0, false},
        {SD_CARD_SDHC, "CSD, which contradicts OCR", 0, 0xc0, 0x00, false},
        {SD_CARD_SDSC, "CSD", 3, 0xff, 0x02, false}, /* TRAN_SPEED: no value, */
        {SD_CARD_SDSC, "CSD", 3, 0x07, 0x05, false}, /* no unit */
        {SD_CARD_SDSC, "CSD", 5, 0x0f, 0x08, false}, /* READ_BL_LEN */
        {SD_CARD_SDSC, "CSD", 5, 0x0f, 0x0c, false},
        {SD_CARD_SDSC, "CSD", 12, 0x03, 0x00, false}, /* WRITE_BL_LEN */
        {SD_CARD_SDHC, "SCR", 0, 0xf0, 0x10, true},
        {SD_CARD_SDHC, "SCR", 0, 0x0f, 0x03, true},
        {SD_CARD_SDHC, "SCR", 1, 0x0f, 0x04, true}, /* four lines, and not one */
    };
    unsigned host = (unsigned)(uintptr_t)*state % HOSTS;
    unsigned i = (unsigned)((uintptr_t)*state / HOSTS);
    if (i >= BB_ARRAY_SIZE(cases))
        return;
    sd_prepare(host, cases[i].kind, SMALL);
    uint8_t *byte = &(cases[i].scr ? pi.card.scr : pi.card.csd)[cases[i].offset];
    *byte = (uint8_t)((*byte & ~cases[i].mask) | cases[i].value);
    boot(NULL);
    must_fail(sd_path(host), -EINVAL, cases[i].step);
}

static int one_value(void *context)
{
    void *state = context;
    test_reserved_values(&state);
    return 0;
}

static void test_hostile(void **state)
{
    for (uintptr_t i = 0; i < 11; i++)
        assert_int_equal(run_child(one_value, (void *)((uintptr_t)*state + i * HOSTS)), 0);
}

/* The tree gives the Arasan other pins; a word of the manifest or of the command line, the card's.
 */
static void test_pins(void **state)
{
    (void)state;
    pi_prepare(&(struct pi_options){.arasan = true, .wireless_pins = true});
    boot("sdhci.pins=emmc_gpio48");
    assert_int_equal(face_at(block, PI_SDHCI)->capacity, SMALL);
}

static void test_no_such_pins(void **state)
{
    (void)state;
    pi_prepare(&(struct pi_options){.arasan = true, .wireless_pins = true});
    boot("sdhci.pins=emmc_gpio99");
    must_fail(PI_SDHCI, -ENOENT, "emmc_gpio99");
}

static void test_no_channel(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    pi_prepare(&(struct pi_options){.arasan = host == ARASAN, .no_dma = true});
    struct bb_block *disk = sd_boot(host);
    uint8_t *memory = sd_memory(65536, 0);
    sd_pattern(sd_at(0), 65536, 9);
    assert_int_equal(bb_block_read(disk, 0, 128, memory), 0);
    assert_memory_equal(memory, sd_at(0), 65536);
    assert_true(pi.dma.transfers == 0);
}

/* The first piece is lent already when the engine cannot reach the second one. */
static void test_piece_out_of_reach(void **state)
{
    unsigned host = (unsigned)(uintptr_t)*state;
    static _Alignas(64) uint8_t far[512];
    sd_prepare(host, SD_CARD_SDHC, SMALL);
    struct bb_block *disk = sd_boot(host);
    uint8_t *near = sd_memory(512, 0);
    const struct bb_block_segment segments[] = {{near, 512}, {far, 512}};
    struct bb_block_request request = {.block = 7, .segments = segments, .segment_count = 2},
                            *batch[] = {&request};
    uint64_t before = pi.dma.transfers;
    sd_pattern(sd_at(7), 1024, 4);
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
    assert_int_equal(bb_block_wait(disk, 0, &request), 0);
    assert_memory_equal(near, sd_at(7), 512);
    assert_memory_equal(far, sd_at(8), 512);
    assert_true(pi.dma.transfers == before);
    assert_int_equal(bb_block_read(disk, 7, 1, near), 0);
    assert_true(pi.dma.transfers > before);
}

#define ON_BOTH(test)                                                                              \
    {#test " on SDHOST", test, NULL, NULL, (void *)SDHOST},                                        \
    {                                                                                              \
#test " on the Arasan", test, NULL, NULL, (void *)ARASAN                                   \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"version 1 on SDHOST", test_kinds, NULL, NULL, (void *)0},
        {"version 1 on the Arasan", test_kinds, NULL, NULL, (void *)1},
        {"SDSC on SDHOST", test_kinds, NULL, NULL, (void *)2},
        {"SDSC on the Arasan", test_kinds, NULL, NULL, (void *)3},
        {"SDSC of 2 GiB on SDHOST", test_kinds, NULL, NULL, (void *)4},
        {"SDSC of 2 GiB on the Arasan", test_kinds, NULL, NULL, (void *)5},
        {"SDHC on SDHOST", test_kinds, NULL, NULL, (void *)6},
        {"SDHC on the Arasan", test_kinds, NULL, NULL, (void *)7},
        {"SDXC on SDHOST", test_kinds, NULL, NULL, (void *)8},
        {"SDXC on the Arasan", test_kinds, NULL, NULL, (void *)9},
        {"transfers by DMA on SDHOST", test_transfers, NULL, NULL, (void *)0},
        {"transfers by DMA on the Arasan", test_transfers, NULL, NULL, (void *)1},
        {"transfers by PIO on SDHOST", test_transfers, NULL, NULL, (void *)2},
        {"transfers by PIO on the Arasan", test_transfers, NULL, NULL, (void *)3},
        ON_BOTH(test_queue),
        ON_BOTH(test_counts),
        ON_BOTH(test_erase),
        ON_BOTH(test_erase_sectors),
        ON_BOTH(test_write_protected),
        ON_BOTH(test_protected_later),
        ON_BOTH(test_slow_bus),
        ON_BOTH(test_no_card),
        ON_BOTH(test_password),
        ON_BOTH(test_hostile),
        ON_BOTH(test_no_channel),
        ON_BOTH(test_piece_out_of_reach),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_no_such_pins),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
