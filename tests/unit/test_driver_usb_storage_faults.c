/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block/usb_storage when the stick lies, stalls or is silent, once and for ever. Whatever happens,
 * what is read is right or an error, and the machine goes on.
 */
#include "usb_storage.h"

#include <stdio.h>

extern int bb_fault_at;

enum { READ = 0x28, WRITE = 0x2a, FLUSH = 0x35 };

/* ---- Lies about a read ---- */

struct expectation {
    enum storage_lie lie;
    int always;      /* what a read comes to when each try is lied to */
    unsigned resets; /* that one lie costs */
};

static const struct expectation expectations[] = {
    {STORAGE_WRONG_TAG, -EIO, 1},     {STORAGE_WRONG_SIGNATURE, -EIO, 1},
    {STORAGE_RESIDUE, -EIO, 0},       {STORAGE_HUGE_RESIDUE, -EIO, 1},
    {STORAGE_PHASE_ERROR, -EIO, 1},   {STORAGE_STRANGE_STATUS, -EIO, 1},
    {STORAGE_SHORT_STATUS, -EIO, 1},  {STORAGE_LONG_STATUS, -EIO, 1},
    {STORAGE_EMPTY_STATUS, 0, 0},     {STORAGE_SHORT_DATA, -EIO, 0},
    {STORAGE_NO_DATA, -EIO, 0},       {STORAGE_LONG_DATA, -EIO, 1},
    {STORAGE_STALL_WRAPPER, -EIO, 1}, {STORAGE_STALL_DATA, -EIO, 0},
    {STORAGE_STALL_STATUS, 0, 0},     {STORAGE_STALL_STATUS_TWICE, -EIO, 1},
    {STORAGE_BARE_CHECK, -EIO, 0},
};

static void test_lies_once(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(expectations); i++) {
        unsigned resets = stick.resets;
        model_usb_storage_lie(&stick, expectations[i].lie, READ, 1);
        reads_well(disk);
        assert_int_equal(stick.lie_count, 0);
        if (stick.resets - resets != expectations[i].resets)
            fail_msg("lie %u: %u resets", expectations[i].lie, stick.resets - resets);
    }
    assert_false(disk->broken);
}

static void test_lies_for_ever(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(expectations); i++) {
        model_usb_storage_lie(&stick, expectations[i].lie, READ, UINT32_MAX);
        int error = bb_block_read(disk, 3, 8, memory);
        if (error != expectations[i].always)
            fail_msg("lie %u: %d", expectations[i].lie, error);
        stick.lie_count = 0;
        reads_well(disk);
    }
}

static void test_lies_to_writes(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_FULL, 512);
    for (size_t i = 0; i < 4096; i++)
        memory[i] = (uint8_t)(i % 253);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(expectations); i++) {
        if (expectations[i].lie == STORAGE_LONG_DATA || expectations[i].lie == STORAGE_NO_DATA)
            continue; /* there is no such thing the other way */
        memset(medium + 1024, 0, 4096);
        model_usb_storage_lie(&stick, expectations[i].lie, WRITE, 1);
        int error = bb_block_write(disk, 2, 8, memory);
        if (error || memcmp(medium + 1024, memory, 4096) != 0)
            fail_msg("lie %u: %d", expectations[i].lie, error);
    }
}

/* Time-outs end the request, and are not tried again. */
static void test_silence(void **state)
{
    static const enum storage_lie lies[] = {STORAGE_SILENT_DATA, STORAGE_NO_STATUS};
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    for (unsigned i = 0; i < BB_ARRAY_SIZE(lies); i++) {
        model_usb_storage_lie(&stick, lies[i], READ, UINT32_MAX);
        uint64_t begin = world_now();
        assert_int_equal(bb_block_read(disk, 3, 8, memory), -ETIMEDOUT);
        assert_true(world_now() - begin < 11 * BB_SEC);
        stick.lie_count = 0;
        reads_well(disk);
    }
    assert_int_equal(stick.resets, 2);
}

/* Each answer takes nearly as long as may be: the block layer loses its patience. */
static void test_watchdog(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.waits = 20000; /* 2.5 s for a packet */
    struct bb_block_segment segments[4];
    for (unsigned i = 0; i < 4; i++)
        segments[i] = (struct bb_block_segment){memory + i * 1024, 1024};
    struct bb_block_request request = {.segments = segments, .segment_count = 4},
                            *batch[] = {&request};
    assert_int_equal(bb_block_submit(disk, 0, batch, 1), 1);
    assert_int_equal(bb_block_wait(disk, 0, &request), -ETIMEDOUT);
    assert_int_equal(disk->stats.timeouts, 1);
    stick.waits = 0;
    reads_well(disk);
    assert_int_equal(stick.resets, 1);
}

/* A command that the probe can do without takes longer than it has patience: it ends before the
 * next begins. */
static void test_slow_probe(void **state)
{
    (void)state;
    soft_host_prepare(1);
    make_stick(BB_USB_HIGH, 512);
    stick.waits = stick.status_waits = 23000; /* 2.9 s for a packet */
    stick.lie_sense = (struct storage_sense){11, 0x47, 0};
    model_usb_storage_lie(&stick, STORAGE_SENSE, 0x1a, UINT32_MAX);
    boot(NULL);
    struct bb_block *disk = plug();
    assert_true(stick.count[0x1a] > 2 && stick.count[0x1a] < 5); /* given up between two tries */
    assert_int_equal(stick.resets, 1);
    stick.waits = stick.status_waits = 0;
    assert_non_null(disk);
    assert_int_equal(disk->capacity, BLOCKS);
    assert_int_equal(use(disk), 0);
    unplug();
    assert_int_equal(soft_host.in_flight, 0);
}

/* ---- Sense data ---- */

static void test_sense(void **state)
{
    static const struct {
        struct storage_sense sense;
        int error;
    } table[] = {
        {{3, 0x11, 0}, -EIO},    {{4, 0x44, 0}, -EIO},   {{5, 0x21, 0}, -EIO},
        {{5, 0x20, 0}, -EIO},    {{7, 0x27, 0}, -EROFS}, {{13, 0, 0}, -ENOSPC},
        {{2, 0x3a, 0}, -ENODEV}, {{0, 0, 0}, -EIO},      {{15, 1, 2}, -EIO},
        {{11, 0x47, 0}, -EIO},   {{6, 0x29, 0}, -EIO},   {{2, 0x04, 0x01}, -ETIMEDOUT},
    };
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    for (unsigned described = 0; described < 2; described++)
        for (unsigned i = 0; i < BB_ARRAY_SIZE(table); i++) {
            stick.described_sense = described;
            stick.lie_sense = table[i].sense;
            model_usb_storage_lie(&stick, STORAGE_SENSE, READ, UINT32_MAX);
            int error = bb_block_read(disk, 3, 8, memory);
            if (error != table[i].error)
                fail_msg("sense %u: %d", i, error);
            stick.lie_count = 0;
            reads_well(disk);
        }
    assert_int_equal(stick.resets, 0);
}

/* Another medium is another disk: nothing that was meant for the old one goes to it. */
static void test_medium_changed(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.attention = (struct storage_sense){6, 0x28, 0};
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -ENODEV);
    assert_int_equal(medium[0], pattern(0));
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -EIO);
    assert_true(disk->broken);
    unplug();
    make_stick(BB_USB_HIGH, 512);
    reads_well(plug());
}

static void test_medium_removed(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.no_medium = true;
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -ENODEV);
    stick.no_medium = false;
    stick.attention = (struct storage_sense){6, 0x28, 0};
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -ENODEV);
    assert_true(disk->broken);
}

/* A stick that keeps its first blocks only. */
static struct bb_block *plug_of_size(uint64_t blocks)
{
    soft_host_prepare(1);
    make_stick(BB_USB_HIGH, 512);
    stick.blocks = stick.said_blocks = blocks;
    stick.kept = BLOCKS;
    boot(NULL);
    struct bb_block *disk = plug();
    assert_non_null(disk);
    return disk;
}

/* There are sticks that say so after each reset. READ CAPACITY tells whether it is the same one,
 * and whatever goes wrong with the question itself is tried again, too. */
static void changed_by_reset(uint64_t blocks)
{
    static const enum storage_lie lies[] = {
        STORAGE_WRONG_TAG,     STORAGE_NO_DATA,    STORAGE_SHORT_DATA,
        STORAGE_STALL_WRAPPER, STORAGE_STALL_DATA, STORAGE_STALL_STATUS,
    };
    struct bb_block *disk = plug_of_size(blocks);
    bool large = blocks > UINT32_MAX;
    uint8_t look = large ? 0x9e : 0x25;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(lies); i++) {
        unsigned resets = stick.resets;
        stick.reset_attention[0] = (struct storage_sense){6, i % 2 ? 0x29 : 0x28, 0};
        stick.reset_attention[1] = (struct storage_sense){6, i % 2 ? 0x28 : 0x29, 0};
        model_usb_storage_lie(&stick, STORAGE_WRONG_TAG, READ, 1);
        reads_well(disk);
        model_usb_storage_lie(&stick, STORAGE_PHASE_ERROR, WRITE, 1);
        assert_int_equal(use(disk), 0);
        stick.reset_attention[0].asc = 0x28;
        stick.reset_attention[1].key = 0;
        model_usb_storage_lie(&stick, lies[i], look, 1);
        usb_fault(&stick.usb, 0x02, 1, 1, USB_FAULT_STALL); /* the command's wrapper */
        reads_well(disk);
        assert_int_equal(stick.lie_count, 0);
        assert_true(stick.resets >= resets + 3);
        memset(stick.usb.faults, 0, sizeof stick.usb.faults);
    }
    assert_false(disk->broken);
    /* Without a reset before it, it is what it says. */
    stick.attention = (struct storage_sense){6, 0x28, 0};
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -ENODEV);
    assert_true(disk->broken);
}

static void test_changed_by_reset(void **state)
{
    (void)state;
    changed_by_reset(BLOCKS);
}

static void test_large_one_changed_by_reset(void **state)
{
    (void)state;
    changed_by_reset((5ull << 32) + 1024);
}

/* Nothing but the question is sent to it. */
static void other_after_reset(uint64_t blocks, uint64_t other, uint32_t size)
{
    struct bb_block *disk = plug_of_size(blocks);
    stick.reset_attention[0] = (struct storage_sense){6, 0x28, 0};
    stick.said_blocks = other;
    stick.said_size = size;
    model_usb_storage_lie(&stick, STORAGE_STALL_WRAPPER, WRITE, 1);
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -ENODEV);
    assert_int_equal(stick.count[WRITE], 1); /* that which met the attention */
    assert_int_equal(medium[0], pattern(0));
    assert_true(disk->broken);
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -EIO);
    unplug();
    make_stick(BB_USB_HIGH, 512);
    reads_well(plug());
}

static void test_other_after_reset(void **state)
{
    (void)state;
    other_after_reset(BLOCKS, BLOCKS - 1, 512);
}

static void test_other_block_size_after_reset(void **state)
{
    (void)state;
    other_after_reset(BLOCKS, BLOCKS, 1024);
}

static void test_other_large_one_after_reset(void **state)
{
    (void)state;
    other_after_reset((5ull << 32) + 1024, (6ull << 32) + 1024, 512);
}

/* A reader that was emptied meanwhile: the next card may have the same size. */
static void test_removed_after_reset(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.no_medium = true;
    model_usb_storage_lie(&stick, STORAGE_STALL_WRAPPER, READ, 1);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -ENODEV);
    assert_int_equal(stick.resets, 1);
    stick.no_medium = false;
    stick.attention = (struct storage_sense){6, 0x28, 0};
    assert_int_equal(bb_block_write(disk, 0, 1, memory), -ENODEV);
    assert_true(disk->broken);
    assert_int_equal(medium[0], pattern(0));
}

/* One that refuses the question is no stick whose flushes need no command. */
static void test_question_is_refused(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.reset_attention[0] = (struct storage_sense){6, 0x28, 0};
    stick.lie_sense = (struct storage_sense){5, 0x20, 0};
    model_usb_storage_lie(&stick, STORAGE_SENSE, 0x25, 1);
    usb_fault(&stick.usb, 0x02, 1, 1, USB_FAULT_STALL);
    assert_int_equal(bb_block_flush(disk), -EIO);
    assert_int_equal(stick.lie_count, 0);
    assert_int_equal(stick.flushes, 0);
    assert_int_equal(bb_block_flush(disk), 0);
    assert_int_equal(stick.flushes, 1);
    assert_false(disk->broken);
}

static void test_bad_block(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.bad_block = 100;
    assert_int_equal(bb_block_read(disk, 96, 8, memory), -EIO);
    assert_int_equal(bb_block_read(disk, 96, 4, memory), 0);
    assert_int_equal(bb_block_read(disk, 101, 4, memory), 0);
    assert_int_equal(disk->stats.errors, 1);
}

/* ---- Recovery that fails ---- */

static void test_reset_is_stalled(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    stick.no_reset_request = true;
    model_usb_storage_lie(&stick, STORAGE_WRONG_TAG, READ, 1);
    reads_well(disk); /* clearing the halts was enough */
}

static void test_reset_is_not_answered(void **state)
{
    (void)state;
    struct bb_block *disk = prepare(BB_USB_HIGH, 512);
    model_usb_storage_lie(&stick, STORAGE_WRONG_TAG, READ, 1);
    usb_fault(&stick.usb, USB_CONTROL_PIPE, 1, USB_FOR_EVER, USB_FAULT_NAK);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -EIO);
    assert_true(disk->broken);
    assert_int_equal(bb_block_read(disk, 0, 1, memory), -EIO);
    memset(stick.usb.faults, 0, sizeof stick.usb.faults);
    unplug();
    make_stick(BB_USB_HIGH, 512);
    reads_well(plug());
}

/* ---- Every lie to every command of the probe ---- */

struct probe_lie {
    enum storage_lie lie;
    int command;
    unsigned count;
};

static int run_probe_lie(void *context)
{
    const struct probe_lie *lie = context;
    soft_host_prepare(1);
    make_stick(BB_USB_HIGH, 512);
    stick.lie_sense = (struct storage_sense){11, 0, 0};
    model_usb_storage_lie(&stick, lie->lie, lie->command, lie->count);
    boot(NULL);
    struct bb_block *disk = plug();
    if (!disk && lie->count == 1 && lie->lie != STORAGE_NO_STATUS &&
        lie->lie != STORAGE_SILENT_DATA)
        return 99;
    stick.lie_count = 0;
    if (disk && use(disk))
        return 98;
    usb_unplug(&stick.usb);
    bb_sleep(2 * BB_SEC);
    make_stick(BB_USB_HIGH, 512);
    disk = plug();
    return disk && use(disk) == 0 ? 0 : 97;
}

static void test_lies_to_the_probe(void **state)
{
    static const uint8_t commands[] = {0x12, 0x00, 0x25, 0x1a, 0x28, 0x03};
    (void)state;
    for (unsigned i = 0; i < BB_ARRAY_SIZE(commands); i++)
        for (unsigned lie = 1; lie < STORAGE_LIES; lie++)
            for (unsigned count = 1; count <= 100; count += 99) {
                struct probe_lie probe = {lie, commands[i], count};
                int result = run_child(run_probe_lie, &probe);
                if (result)
                    fail_msg("lie %u to command %#x, %u times: %d", lie, commands[i], count,
                             result);
            }
}

/* ---- Every acquisition ---- */

enum { FAULT_HIT, FAULT_PAST };

static int run_fault(void *context)
{
    int *at = context;
    soft_host_prepare(1);
    make_stick(BB_USB_HIGH, 512);
    boot(NULL);
    bb_fault_at = *at;
    (void)plug();
    bool hit = bb_fault_at == 0;
    bb_fault_at = 0;
    usb_unplug(&stick.usb);
    bb_sleep(2 * BB_SEC);
    if (soft_host.in_flight)
        return 99;
    make_stick(BB_USB_HIGH, 512);
    struct bb_block *disk = plug();
    if (!disk || use(disk))
        return 98;
    return hit ? FAULT_HIT : FAULT_PAST;
}

static void test_acquisitions(void **state)
{
    (void)state;
    for (int at = 1; at < 100; at++) {
        int result = run_child(run_fault, &at);
        if (result == FAULT_PAST) {
            assert_true(at > 5);
            return;
        }
        if (result != FAULT_HIT)
            fail_msg("acquisition %d: %d", at, result);
    }
    fail_msg("there is no end");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies_once),
        cmocka_unit_test(test_lies_for_ever),
        cmocka_unit_test(test_lies_to_writes),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_slow_probe),
        cmocka_unit_test(test_sense),
        cmocka_unit_test(test_medium_changed),
        cmocka_unit_test(test_medium_removed),
        cmocka_unit_test(test_changed_by_reset),
        cmocka_unit_test(test_large_one_changed_by_reset),
        cmocka_unit_test(test_other_after_reset),
        cmocka_unit_test(test_other_block_size_after_reset),
        cmocka_unit_test(test_other_large_one_after_reset),
        cmocka_unit_test(test_removed_after_reset),
        cmocka_unit_test(test_question_is_refused),
        cmocka_unit_test(test_bad_block),
        cmocka_unit_test(test_reset_is_stalled),
        cmocka_unit_test(test_reset_is_not_answered),
        cmocka_unit_test(test_lies_to_the_probe),
        cmocka_unit_test(test_acquisitions),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
